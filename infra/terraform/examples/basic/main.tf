# One CA behind an HTTP API, or a Function URL: no domain, no CloudFront.

provider "aws" {
  region = var.region
}

module "scepter" {
  source = "../.."

  # Without CloudFront nothing has to be in us-east-1, which some partitions do not have.
  providers = {
    aws           = aws
    aws.us_east_1 = aws
  }

  config               = file(var.config_file)
  deployment           = var.deployment
  runtime              = var.runtime
  ingress              = var.ingress
  deletion_protection  = var.deletion_protection
  reserved_concurrency = var.reserved_concurrency
}
