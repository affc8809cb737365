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

variable "runtime" {
  description = "Lambda's runtime; \"nodejs22.x\" where the AWS provider does not know \"nodejs24.x\" yet."
  type        = string
  default     = "nodejs24.x"

  validation {
    condition     = contains(["nodejs24.x", "nodejs22.x"], var.runtime)
    error_message = "runtime: must be \"nodejs24.x\" or \"nodejs22.x\"."
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
