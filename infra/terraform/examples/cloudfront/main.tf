# Production: a domain, CloudFront with a web ACL, a JWT for operators, a break-glass role.

provider "aws" {
  region = var.region
}

provider "aws" {
  alias  = "us_east_1"
  region = "us-east-1"
}

module "scepter" {
  source = "../.."

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  config               = file(var.config_file)
  deployment           = var.deployment
  runtime              = var.runtime
  domain               = var.domain
  files                = var.files
  origin_secret_arns   = var.origin_secret_arns
  plain_http           = var.plain_http
  reserved_concurrency = var.reserved_concurrency
  deletion_protection  = var.deletion_protection
  break_glass_role_arn = var.break_glass_role_arn
  alarm_topic_arn      = var.alarm_topic_arn

  admin = {
    type     = "jwt"
    issuer   = var.admin_issuer
    audience = var.admin_audience
  }
}
