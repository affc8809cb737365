terraform {
  # Conditions of a variable may look at other variables.
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"

      # CloudFront takes its web ACL and its certificate from us-east-1 only.
      configuration_aliases = [aws.us_east_1]
    }
  }
}
