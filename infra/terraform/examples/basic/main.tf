# One CA behind an HTTP API, or a Function URL: no domain, no CloudFront.

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
  lambda_package       = var.lambda_package
  ingress              = var.ingress
  deletion_protection  = var.deletion_protection
  reserved_concurrency = var.reserved_concurrency
}
