# One CA behind an HTTP API: no domain, no CloudFront.

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

  config               = file("${path.module}/../../../../examples/minimal.json")
  lambda_package       = var.lambda_package
  ingress              = "httpApi"
  reserved_concurrency = var.reserved_concurrency
}
