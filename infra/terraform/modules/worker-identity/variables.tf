variable "deployment" {
  description = "Name of the deployment of Scepter, under which its keys are sealed."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,31}$", var.deployment))
    error_message = "deployment: must be 1 to 32 lower case letters, digits and hyphens, first a letter."
  }
}

variable "trust_anchor" {
  description = "Certificate, in PEM, of the CA that certifies the Worker, and nobody else with its CN."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("-----BEGIN CERTIFICATE-----", var.trust_anchor)) && !can(regex("PRIVATE KEY", var.trust_anchor))
    error_message = "trust_anchor: must be a certificate in PEM, and no key."
  }
}

variable "table_arn" {
  description = "ARN of the table."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:\\d{12}:table/[\\w.-]+$", var.table_arn))
    error_message = "table_arn: must be the ARN of a table."
  }
}

variable "ca_key_arns" {
  description = "ARNs of the CAs' keys, whose policies let the role sign digests (ca-key.json)."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.ca_key_arns) > 0 && alltrue([for arn in var.ca_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[\\w-]+$", arn))])
    error_message = "ca_key_arns: must be ARNs of KMS keys, one at least."
  }
}

variable "ca_signing_algorithms" {
  description = "Signing algorithms of these keys, as KMS calls them."
  type        = list(string)
  default     = ["RSASSA_PKCS1_V1_5_SHA_256"]
  nullable    = false

  validation {
    condition     = length(var.ca_signing_algorithms) > 0 && length(setsubtract(var.ca_signing_algorithms, ["RSASSA_PKCS1_V1_5_SHA_256", "ECDSA_SHA_256", "ECDSA_SHA_384"])) == 0
    error_message = "ca_signing_algorithms: must be of RSASSA_PKCS1_V1_5_SHA_256, ECDSA_SHA_256 and ECDSA_SHA_384."
  }
}

variable "sealing_key_arn" {
  description = "ARN of the key that seals RA and MAC keys, whose policy lets the role open them (sealing-key.json)."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[\\w-]+$", var.sealing_key_arn))
    error_message = "sealing_key_arn: must be the ARN of a KMS key."
  }
}

variable "config_bucket_arn" {
  description = "ARN of the bucket that has the configuration, under config/."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:s3:::[a-z0-9.-]+$", var.config_bucket_arn))
    error_message = "config_bucket_arn: must be the ARN of a bucket."
  }
}

variable "files_bucket_arn" {
  description = "ARN of the bucket that has CRLs and CA certificates, under crl/ and aia/, which the Worker writes."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:s3:::[a-z0-9.-]+$", var.files_bucket_arn))
    error_message = "files_bucket_arn: must be the ARN of a bucket."
  }
}

variable "logs_bucket_arn" {
  description = "ARN of the bucket of the logs, with Object Lock, which the Worker writes."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:s3:::[a-z0-9.-]+$", var.logs_bucket_arn))
    error_message = "logs_bucket_arn: must be the ARN of a bucket."
  }
}

variable "log_key_arn" {
  description = "ARN of the key that signs checkpoints of the logs, whose policy lets the role sign them (log-key.json)."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[\\w-]+$", var.log_key_arn))
    error_message = "log_key_arn: must be the ARN of a KMS key."
  }
}

variable "tags" {
  description = "Tags of everything that takes tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
