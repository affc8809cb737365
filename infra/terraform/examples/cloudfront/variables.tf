variable "region" {
  description = "The AWS region; null takes that of AWS_REGION or of the profile."
  type        = string
  default     = null

  validation {
    condition     = var.region == null || can(regex("^[a-z]{2,}(-[a-z]+)+-\\d+$", var.region))
    error_message = "region: must be the name of an AWS region."
  }
}

variable "config_file" {
  description = "Path of what \"scepter config validate FILE --stamp\" printed of the configuration."
  type        = string

  validation {
    condition     = fileexists(var.config_file)
    error_message = "config_file: there is no such file."
  }
}

variable "deployment" {
  description = "Which deployment of Scepter this is; a second one wants another name, and a state of its own."
  type        = string
  default     = "scepter"
  nullable    = false
}

variable "domain" {
  description = "The name that devices know, and the public Route 53 zone that it is in."
  type = object({
    name    = string
    zone_id = string
  })

  validation {
    condition     = can(regex("^Z[A-Z0-9]+$", var.domain.zone_id))
    error_message = "domain: its zone_id must be the id of a Route 53 zone."
  }
}

variable "files" {
  description = "The name of CloudFront for CRLs and certificates of CAs alone, which certificates have as long as they are valid: with the public Route 53 zone that it is in, its certificate of us-east-1, or both. Null takes a name of CloudFront's."
  type = object({
    domain = optional(object({
      name            = string
      zone_id         = optional(string)
      certificate_arn = optional(string)
    }))
  })
  default = null

  validation {
    condition     = try(var.files.domain, null) == null || can(regex("^([a-z0-9-]{1,63}\\.)+[a-z]{2,63}$", var.files.domain.name))
    error_message = "files: the name of its domain must be a host name in lower case."
  }
}

variable "origin_secret_arns" {
  description = "ARNs of the secrets that the functions know CloudFront by: the one that it sends, and for a day the one before."
  type        = list(string)

  validation {
    condition     = length(var.origin_secret_arns) > 0
    error_message = "origin_secret_arns: must name a secret of Secrets Manager with 32 letters and digits or more."
  }
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

variable "plain_http" {
  description = "Answer plain http, too, on the paths of SCEP, CRLs and CA certificates."
  type        = bool
  default     = false

  validation {
    condition     = var.plain_http != null
    error_message = "plain_http: must be true or false."
  }
}

variable "break_glass_role_arn" {
  description = "ARN of the one role that may disable and delete keys."
  type        = string

  validation {
    condition     = can(regex(":role/", var.break_glass_role_arn))
    error_message = "break_glass_role_arn: must be the ARN of a role."
  }
}

variable "alarm_topic_arn" {
  description = "ARN of the SNS topic where alarms are told."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:sns:", var.alarm_topic_arn))
    error_message = "alarm_topic_arn: must be the ARN of an SNS topic."
  }
}

variable "admin_issuer" {
  description = "Issuer of the operators' JWTs."
  type        = string

  validation {
    condition     = startswith(var.admin_issuer, "https://")
    error_message = "admin_issuer: must be an https URL."
  }
}

variable "admin_audience" {
  description = "Audiences of the operators' JWTs."
  type        = list(string)

  validation {
    condition     = length(var.admin_audience) > 0
    error_message = "admin_audience: must name at least one."
  }
}

variable "deletion_protection" {
  description = "Protects the table from deletion. Only a deployment that is about to be torn down says false."
  type        = bool
  default     = true
  nullable    = false
}
