variable "region" {
  description = "The AWS region; null takes that of AWS_REGION or of the profile."
  type        = string
  default     = null

  validation {
    condition     = var.region == null || can(regex("^[a-z]{2,}(-[a-z]+)+-\\d+$", var.region))
    error_message = "region: must be the name of an AWS region."
  }
}

variable "deployment" {
  description = "Which deployment of Scepter this is; a second one wants another name, and a state of its own."
  type        = string
  default     = "scepter"
  nullable    = false
}

variable "lambda_package" {
  description = "Folder with a release."
  type        = string
  default     = "../../../../dist/release"

  validation {
    condition     = length(fileset(var.lambda_package, "scepter-scep-lambda-*.zip")) == 1
    error_message = "lambda_package: there must be one scepter-scep-lambda-*.zip; \"npm run release\" makes it."
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

variable "deletion_protection" {
  description = "Protects the table from deletion. Only a deployment that is about to be torn down says false."
  type        = bool
  default     = true
  nullable    = false
}

variable "ingress" {
  description = "How devices reach the service: \"httpApi\", or \"functionUrl\" for a first look."
  type        = string
  default     = "httpApi"

  validation {
    condition     = contains(["httpApi", "functionUrl"], var.ingress)
    error_message = "ingress: must be \"httpApi\" or \"functionUrl\"; for CloudFront see examples/cloudfront."
  }
}

variable "config_file" {
  description = "Path of what \"scepter config validate FILE --stamp\" printed of the configuration."
  type        = string
  nullable    = false

  validation {
    condition     = fileexists(var.config_file)
    error_message = "config_file: there is no such file."
  }
}
