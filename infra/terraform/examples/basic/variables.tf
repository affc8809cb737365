variable "region" {
  description = "The AWS region."
  type        = string
  default     = "eu-central-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-\\d$", var.region))
    error_message = "region: must be the name of an AWS region."
  }
}

variable "lambda_package" {
  description = "Folder of the release with the functions' packages."
  type        = string
  default     = "../../../../dist"

  validation {
    condition     = fileexists("${var.lambda_package}/scep-lambda.zip")
    error_message = "lambda_package: there is no scep-lambda.zip; \"npm run release\" makes it."
  }
}

variable "reserved_concurrency" {
  description = "The most instances of the SCEP function at once; -1 for an account with a quota of 100 or less."
  type        = number
  default     = 50

  validation {
    condition     = var.reserved_concurrency == -1 || var.reserved_concurrency >= 1
    error_message = "reserved_concurrency: must be 1 or more, or -1 for none reserved."
  }
}
