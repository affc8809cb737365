variable "config" {
  description = "Scepter's configuration, as \"scepter config validate FILE --stamp\" of the release in lambda_package printed it: no other is taken, so what cannot start is refused by a plan."
  type        = string
  nullable    = false

  validation {
    condition     = can(jsondecode(var.config).sha256) && try(length(jsondecode(var.config).document.cas), 0) > 0
    error_message = "config: must be what \"scepter config validate FILE --stamp\" prints of the configuration, and not the configuration itself."
  }

  validation {
    condition     = try(sha256(jsonencode(jsondecode(var.config).document)) == jsondecode(var.config).sha256, false)
    error_message = "config: is not the document that was found valid: run \"scepter config validate FILE --stamp\" after every change."
  }

  validation {
    condition     = var.package_bucket != null || alltrue([for name in ["scep", "admin", "maintenance", "sequencer"] : try(fileexists("${coalesce(var.lambda_package, "${path.module}/packages")}/scepter-${name}-lambda-${jsondecode(var.config).scepter}.zip"), false)])
    error_message = "config: was found valid by another release than the one in lambda_package: run \"scepter config validate FILE --stamp\" of that one."
  }

  validation {
    condition     = try(length(jsonencode(jsondecode(var.config).document)), 0) < 131072
    error_message = "config: has more octets than the 131072 that the functions take."
  }

  # The ARN of each key is in the policy of each role.
  validation {
    condition     = try(length(jsondecode(var.config).document.cas), 0) <= 41
    error_message = "config: has more than 41 CAs, and the policy of a role holds the keys of 41 (IAM gives a role 10,240 characters): divide them among deployments."
  }

  # If certificates point to this deployment, it must answer with the scheme of that URL.
  validation {
    condition = var.plain_http || (var.domain == null ?
      !can(regex("^http://[^:/]+\\.(amazonaws\\.com|cloudfront\\.net|on\\.aws)(:|/|$)", jsondecode(var.config).document.publicUrl)) :
    try(regex("^http://([^:/]+)", jsondecode(var.config).document.publicUrl)[0], "") != try(var.domain.name, ""))
    error_message = "config: its publicUrl is plain http, which this deployment does not answer; change it to https, or set ingress to \"cloudfront\" or \"alb\" and plain_http to true."
  }
}

variable "lambda_package" {
  description = "Folder with the packages of the functions of a release, scepter-scep-lambda-*.zip and so on; null takes those that are in the module."
  type        = string
  default     = null

  validation {
    condition     = var.package_bucket != null || alltrue([for name in ["scep", "admin", "maintenance", "sequencer"] : length(fileset(coalesce(var.lambda_package, "${path.module}/packages"), "scepter-${name}-lambda-*.zip")) == 1])
    error_message = "lambda_package: must be a folder with one scepter-scep-lambda-*.zip, and the same for admin, maintenance and sequencer; a release has them in packages/, and in a checkout \"npm run release\" makes them."
  }
}

variable "package_bucket" {
  description = "A bucket with the packages of the functions, in place of the folder; code that is signed must come from one. They have the names that the release gives them, such as scepter-scep-lambda-0.1.0.zip."
  type        = string
  default     = null

  validation {
    condition     = var.package_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.package_bucket))
    error_message = "package_bucket: must be the name of a bucket."
  }
}

variable "package_prefix" {
  description = "What the names of the packages begin with in package_bucket, such as \"scepter/\"."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.package_prefix == "" || var.package_bucket != null
    error_message = "package_prefix: is for package_bucket, which is not set."
  }
}

variable "code_signing_config_arn" {
  description = "ARN of the configuration of code signing, which says who must have signed the packages, those of package_bucket; null: none."
  type        = string
  default     = null

  validation {
    condition     = var.code_signing_config_arn == null || can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:\\d{12}:code-signing-config:[\\w-]+$", var.code_signing_config_arn))
    error_message = "code_signing_config_arn: must be the ARN of a configuration of code signing."
  }

  validation {
    condition     = var.code_signing_config_arn == null || var.package_bucket != null
    error_message = "code_signing_config_arn: the packages of a release are not signed; sign them and name their bucket as package_bucket."
  }
}

variable "function_settings" {
  description = "Memory in MB, from 256 to 10240, and seconds of time of the functions scep, admin, maintenance, sequencer and challenges; by default 512 MB, and 15, 29, 300, 300 and 15 s. An API waits for 29 s at most; maintenance and sequencer take from 60 to 900."
  type = object({
    scep        = optional(object({ memory_mb = optional(number), timeout_s = optional(number) }), {})
    admin       = optional(object({ memory_mb = optional(number), timeout_s = optional(number) }), {})
    maintenance = optional(object({ memory_mb = optional(number), timeout_s = optional(number) }), {})
    sequencer   = optional(object({ memory_mb = optional(number), timeout_s = optional(number) }), {})
    challenges  = optional(object({ memory_mb = optional(number), timeout_s = optional(number) }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for one in values(var.function_settings) : try(one.memory_mb, null) == null || try(one.memory_mb >= 256 && one.memory_mb <= 10240 && floor(one.memory_mb) == one.memory_mb, false)])
    error_message = "function_settings: memory_mb must be a whole number from 256 to 10240."
  }

  validation {
    condition     = alltrue([for name, one in var.function_settings : try(one.timeout_s, null) == null || try(one.timeout_s >= (contains(["scep", "admin", "challenges"], name) ? 1 : 60) && one.timeout_s <= (contains(["scep", "admin", "challenges"], name) ? 29 : 900) && floor(one.timeout_s) == one.timeout_s, false)])
    error_message = "function_settings: timeout_s must be a whole number: from 1 to 29 for scep, admin and challenges, from 60 to 900 for maintenance and sequencer."
  }
}

variable "environment_key_arn" {
  description = "ARN of a key that the environments of the functions are encrypted with, whose policy lets the account's IAM policies decide who uses it; whoever applies must be allowed kms:Encrypt and kms:CreateGrant. Null takes one that Lambda owns."
  type        = string
  default     = null

  validation {
    condition     = var.environment_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[\\w-]+$", var.environment_key_arn))
    error_message = "environment_key_arn: must be the ARN of a KMS key."
  }
}

variable "vpc" {
  description = "Subnets and security groups of the VPC that the functions run in; null: none. From there they must reach DynamoDB, KMS, S3, CloudWatch Logs, X-Ray and, where the configuration names secrets, Secrets Manager: by endpoints of the VPC or by NAT. Validators outside, such as Microsoft Intune, are reached by NAT. Nothing has to be let in."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null

  validation {
    condition     = var.vpc == null || try(length(var.vpc.subnet_ids) > 0 && alltrue([for id in var.vpc.subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))]), false)
    error_message = "vpc: its subnet_ids must be ids of subnets, one or more."
  }

  validation {
    condition     = var.vpc == null || try(length(var.vpc.security_group_ids) > 0 && alltrue([for id in var.vpc.security_group_ids : can(regex("^sg-[0-9a-f]+$", id))]), false)
    error_message = "vpc: its security_group_ids must be ids of security groups, one or more."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the managed policy that bounds what each role made here may ever do; null: none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws[a-z-]*:iam::(aws|\\d{12}):policy/[\\w+=,.@/-]+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn: must be the ARN of a managed policy."
  }
}

variable "role_path" {
  description = "The path of the roles made here: it begins and ends with a slash."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition     = can(regex("^/([\\w+=,.@-]+/)*$", var.role_path))
    error_message = "role_path: must begin and end with a slash, such as \"/scep/\"."
  }
}

variable "deployment" {
  description = "The name of this deployment of Scepter. Sealed keys open only under the name that they were sealed with, so it must never change."
  type        = string
  default     = "scepter"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,31}$", var.deployment))
    error_message = "deployment: must be 1 to 32 lower case letters, digits and hyphens, first a letter."
  }
}

variable "table_name" {
  description = "A table that exists, with Scepter's keys and indexes and a stream of its keys (table_stream_arn); null makes one: on demand, with point-in-time recovery, protected from deletion."
  type        = string
  default     = null

  validation {
    condition     = var.table_name == null || can(regex("^[a-zA-Z0-9_.-]{3,255}$", var.table_name))
    error_message = "table_name: must be the name of a DynamoDB table."
  }
}

variable "table_stream_arn" {
  description = "ARN of the stream of keys of table_name (aws dynamodb describe-table --query Table.LatestStreamArn), which the sequencer of the logs follows; null where the table is made here."
  type        = string
  default     = null

  validation {
    condition     = var.table_stream_arn == null || can(regex("^arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:\\d{12}:table/.+/stream/.+$", var.table_stream_arn))
    error_message = "table_stream_arn: must be the ARN of the stream of a table."
  }

  validation {
    condition     = (var.table_stream_arn == null) == (var.table_name == null)
    error_message = "table_stream_arn: is of table_name, and goes with it: aws dynamodb describe-table --query Table.LatestStreamArn says it."
  }
}

variable "max_write_request_units" {
  description = "The most write units a second that the new table and each of its indexes takes, which bounds what a flood can cost. An enrolment takes 38."
  type        = number
  default     = 1000
  nullable    = false

  validation {
    condition     = var.max_write_request_units >= 50 && var.max_write_request_units <= 40000 && floor(var.max_write_request_units) == var.max_write_request_units
    error_message = "max_write_request_units: must be a whole number from 50 to 40000."
  }
}

variable "max_read_request_units" {
  description = "The most read units a second that the new table and each of its indexes gives, which bounds what a flood can cost. A request takes 4 to 8."
  type        = number
  default     = 4000
  nullable    = false

  validation {
    condition     = var.max_read_request_units >= 200 && var.max_read_request_units <= 40000 && floor(var.max_read_request_units) == var.max_read_request_units
    error_message = "max_read_request_units: must be a whole number from 200 to 40000."
  }
}

variable "table_class" {
  description = "The class of the new table: STANDARD_INFREQUENT_ACCESS costs less where what is kept is most of it, from some 50,000 devices on. It may change twice in 30 days."
  type        = string
  default     = "STANDARD"
  nullable    = false

  validation {
    condition     = contains(["STANDARD", "STANDARD_INFREQUENT_ACCESS"], var.table_class)
    error_message = "table_class: must be STANDARD or STANDARD_INFREQUENT_ACCESS."
  }
}

variable "table_key_arn" {
  description = "ARN of a customer managed key that the table is encrypted with, the new one or the one that exists; null is a key that DynamoDB owns. Its policy lets the account's IAM policies decide who uses it through DynamoDB."
  type        = string
  default     = null

  validation {
    condition     = var.table_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[\\w-]+$", var.table_key_arn))
    error_message = "table_key_arn: must be the ARN of a KMS key."
  }
}

variable "deletion_protection" {
  description = "Protects the new table from deletion. Set it to false only before a deployment is torn down."
  type        = bool
  default     = true
  nullable    = false
}

variable "backup" {
  description = "A backup of the table each day by AWS Backup, kept for retention_days; null: none, as point-in-time recovery is on. With lock nobody may delete one before, whoever has no permission to end the lock; with lock_changeable_for_days nobody at all, from that many days after it was made. copy_to_vault_arn is a vault of another Region or account that each is copied to, vault_key_arn the key of the new vault, by default AWS Backup's own. Each backup is a whole one: 0.10 dollars for a GB and month of each, and the transfer of copies."
  type = object({
    retention_days           = optional(number, 35)
    lock                     = optional(bool, false)
    lock_changeable_for_days = optional(number)
    copy_to_vault_arn        = optional(string)
    vault_key_arn            = optional(string)
  })
  default = null

  validation {
    condition     = var.backup == null || try(var.backup.retention_days >= 1 && var.backup.retention_days <= 36500 && floor(var.backup.retention_days) == var.backup.retention_days, false)
    error_message = "backup: its retention_days must be a whole number from 1 to 36500."
  }

  validation {
    condition     = try(var.backup.lock_changeable_for_days, null) == null || try(var.backup.lock && var.backup.lock_changeable_for_days >= 3 && var.backup.lock_changeable_for_days <= 36500 && floor(var.backup.lock_changeable_for_days) == var.backup.lock_changeable_for_days, false)
    error_message = "backup: its lock_changeable_for_days must be a whole number from 3 to 36500, and goes with lock."
  }

  validation {
    condition     = try(var.backup.copy_to_vault_arn, null) == null || can(regex("^arn:aws[a-z-]*:backup:[a-z0-9-]+:\\d{12}:backup-vault:[\\w-]+$", var.backup.copy_to_vault_arn))
    error_message = "backup: its copy_to_vault_arn must be the ARN of a backup vault."
  }

  validation {
    condition     = try(var.backup.vault_key_arn, null) == null || can(regex("^arn:aws[a-z-]*:kms:", var.backup.vault_key_arn))
    error_message = "backup: its vault_key_arn must be the ARN of a KMS key."
  }
}

variable "ca_key_arns" {
  description = "ARNs of KMS keys of CAs that exist already, by the name of the CA. Their policies are their owner's."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for arn in values(var.ca_key_arns) : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[\\w-]+$", arn))])
    error_message = "ca_key_arns: must be ARNs of KMS keys."
  }

  validation {
    condition     = length(setsubtract(keys(var.ca_key_arns), try(keys(jsondecode(var.config).document.cas), []))) == 0
    error_message = "ca_key_arns: names a CA that the configuration does not have."
  }
}

variable "sealing_key_arn" {
  description = "ARN of a symmetric KMS key that exists, to seal RA and MAC keys; null makes one, rotated every year."
  type        = string
  default     = null

  validation {
    condition     = var.sealing_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[\\w-]+$", var.sealing_key_arn))
    error_message = "sealing_key_arn: must be the ARN of a KMS key."
  }
}

variable "log_key_arn" {
  description = "ARN of an ECC_NIST_P256 KMS key that exists, to sign checkpoints of the logs; null makes one."
  type        = string
  default     = null

  validation {
    condition     = var.log_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[\\w-]+$", var.log_key_arn))
    error_message = "log_key_arn: must be the ARN of a KMS key."
  }
}

variable "log_lock" {
  description = "How long the bucket of the logs keeps each version of what it is given, whoever wants it deleted: days, from 400. In the mode GOVERNANCE whoever has s3:BypassGovernanceRetention may end one before, in the mode COMPLIANCE nobody, the account's root user included."
  type = object({
    mode = optional(string, "GOVERNANCE")
    days = optional(number, 400)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.log_lock.mode)
    error_message = "log_lock: its mode must be GOVERNANCE or COMPLIANCE."
  }

  validation {
    condition     = var.log_lock.days >= 400 && var.log_lock.days <= 36500 && floor(var.log_lock.days) == var.log_lock.days
    error_message = "log_lock: its days must be a whole number from 400 to 36500."
  }
}

variable "key_administrators" {
  description = "ARNs of the roles that administer the new keys and cannot use them. The deploying role must be among them, because KMS refuses a policy that its maker could not change again. Empty means the account, so that its IAM policies decide."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.key_administrators : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:(role|user)/[\\w+=,.@/-]+$", arn))])
    error_message = "key_administrators: must be ARNs of roles or users."
  }
}

variable "multi_region_keys" {
  description = "The new keys are multi-Region keys, which the break-glass role, and no other, may replicate into another region: without a copy there, a lost region ends the CA. It cannot be changed for a key that exists."
  type        = bool
  default     = true
  nullable    = false
}

variable "keys_trust_role_names" {
  description = "The policies of the new keys name the roles that use them by their names, which a role made anew has, too, and not by their ids: keys that are adopted after a deployment was deleted work at once. Whoever may make a role of such a name may then use the keys."
  type        = bool
  default     = false
  nullable    = false
}

variable "break_glass_role_arn" {
  description = "ARN of the one role that may disable and delete the new keys, if its own policies let it. It administers them too. Null: no role may, until the policy of the key is changed."
  type        = string
  default     = null

  validation {
    condition     = var.break_glass_role_arn == null || can(regex("^arn:aws[a-z-]*:iam::\\d{12}:role/[\\w+=,.@/-]+$", var.break_glass_role_arn))
    error_message = "break_glass_role_arn: must be the ARN of a role."
  }
}

variable "operators" {
  description = "ARNs of the principals that may assume the operator's role, which makes CAs and RA keys. Empty means the account, so that its IAM policies decide."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.operators : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:(role|user)/[\\w+=,.@/-]+$", arn))])
    error_message = "operators: must be ARNs of roles or users."
  }
}

variable "ingress" {
  description = "How devices reach the service: \"cloudfront\" (with a web ACL), \"httpApi\", \"alb\" (an internal load balancer), or \"functionUrl\" for a first look."
  type        = string
  default     = "cloudfront"
  nullable    = false

  validation {
    condition     = contains(["cloudfront", "httpApi", "alb", "functionUrl"], var.ingress)
    error_message = "ingress: must be \"cloudfront\", \"httpApi\", \"alb\" or \"functionUrl\"."
  }
}

variable "alb" {
  description = "Where the load balancer of ingress \"alb\" is: its VPC, subnets in two zones or more of it, and the CIDR blocks that may connect, by default those of the VPC. It is not public. Null where ingress is another."
  type = object({
    vpc_id     = string
    subnet_ids = list(string)
    clients    = optional(list(string), [])
  })
  default = null

  validation {
    condition     = (var.alb != null) == (var.ingress == "alb")
    error_message = "alb: must be given where ingress is \"alb\", and left out elsewhere."
  }

  validation {
    condition     = var.alb == null || try(can(regex("^vpc-[0-9a-f]+$", var.alb.vpc_id)) && length(var.alb.subnet_ids) > 1 && alltrue([for id in var.alb.subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))]), false)
    error_message = "alb: its vpc_id must be the id of a VPC, and its subnet_ids those of two subnets or more."
  }

  validation {
    condition     = var.alb == null || try(alltrue([for block in var.alb.clients : can(cidrnetmask(block))]), false)
    error_message = "alb: its clients must be CIDR blocks of IPv4, such as 10.0.0.0/8."
  }
}

variable "files" {
  description = "CloudFront for CRLs and certificates of CAs alone, by http and https: without a web ACL and without logs, so that a fetch costs the least, and nothing that happens to the service reaches whoever checks certificates. They name it where the configuration has output files_url as its filesUrl; they are still served where SCEP is, too. Its domain is its name, with the public Route 53 zone that it is in, its certificate of us-east-1, or both; without a zone its records are its owner's to make (output files_dns_target). Every certificate has that name as long as it is valid: one of your own can be pointed elsewhere later, CloudFront's ends with the distribution. Null makes one under a name of CloudFront's where ingress is cloudfront, and else none."
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

  validation {
    condition     = try(var.files.domain, null) == null || try(var.files.domain.zone_id, null) != null || try(var.files.domain.certificate_arn, null) != null
    error_message = "files: give the zone_id of its domain, in which a certificate can be validated, or its certificate_arn."
  }

  validation {
    condition     = try(var.files.domain.certificate_arn, null) == null || can(regex("^arn:aws[a-z-]*:acm:us-east-1:", var.files.domain.certificate_arn))
    error_message = "files: the certificate_arn of its domain must be the ARN of a certificate of ACM in us-east-1."
  }
}

variable "domain" {
  description = "The name that devices know, with the public Route 53 zone that it is in, its certificate, or both. Without a zone its records are its owner's to make (output dns_target), and the certificate must be given; with CloudFront the certificate is of us-east-1. A new certificate is made and validated in the zone. With a domain the API's own address is closed, but for CloudFront without a zone, where the secret closes it. Null takes a name of AWS's."
  type = object({
    name            = string
    zone_id         = optional(string)
    certificate_arn = optional(string)
  })
  default = null

  validation {
    condition     = var.domain == null || can(regex("^([a-z0-9-]{1,63}\\.)+[a-z]{2,63}$", var.domain.name))
    error_message = "domain: its name must be a host name in lower case."
  }

  validation {
    condition     = var.domain == null || var.ingress != "functionUrl"
    error_message = "domain: a Function URL cannot have one; leave it out, or set ingress to \"cloudfront\" or \"httpApi\"."
  }

  validation {
    condition     = var.ingress != "alb" || try(var.domain.certificate_arn, null) != null
    error_message = "domain: must be given where ingress is \"alb\", which has no name of its own, and with its certificate_arn, because none can be validated in a private zone."
  }

  validation {
    condition     = var.domain == null || try(var.domain.zone_id, null) != null || try(var.domain.certificate_arn, null) != null
    error_message = "domain: give its zone_id, in which a certificate can be validated, or its certificate_arn."
  }

  validation {
    condition     = try(var.domain.certificate_arn, null) == null || can(regex(var.ingress == "cloudfront" ? "^arn:aws[a-z-]*:acm:us-east-1:" : "^arn:aws[a-z-]*:acm:", var.domain.certificate_arn))
    error_message = "domain: its certificate_arn must be the ARN of a certificate of ACM, for CloudFront one of us-east-1."
  }
}

variable "origin_secret_arns" {
  description = "ARNs of the secrets in Secrets Manager by which the SCEP function recognizes CloudFront: letters and digits, such as \"openssl rand -hex 32\" makes. CloudFront sends the first one, and the function accepts each, which it reads at its start. To rotate, put a new one in front, apply, and remove the old one a day later. It authorizes nothing: it keeps clients from going around the web ACL. The state has the first one's value, because it is a setting of CloudFront."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = (var.ingress == "cloudfront") == (length(var.origin_secret_arns) > 0)
    error_message = "origin_secret_arns: must name a secret where ingress is \"cloudfront\", and none elsewhere."
  }

  validation {
    condition     = alltrue([for arn in var.origin_secret_arns : can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\\d{12}:secret:[\\w/+=.@-]+-\\w{6}$", arn))])
    error_message = "origin_secret_arns: must be ARNs of secrets, which end with a hyphen and six characters."
  }
}

variable "plain_http" {
  description = "CloudFront also answers plain http, on the paths of SCEP and of CRLs and CA certificates, for devices that cannot do better; a load balancer does on port 80."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.plain_http || contains(["cloudfront", "alb"], var.ingress)
    error_message = "plain_http: only CloudFront and a load balancer can answer plain http; leave it out, or set ingress to \"cloudfront\" or \"alb\"."
  }
}

variable "web_acl_arn" {
  description = "ARN of a web ACL of yours. With CloudFront one of scope CLOUDFRONT, of us-east-1, in place of the new one with its rate_limit, which null makes; with a load balancer one of scope REGIONAL, and null is none."
  type        = string
  default     = null

  validation {
    condition     = var.web_acl_arn == null || can(regex(var.ingress == "alb" ? "^arn:aws[a-z-]*:wafv2:[a-z0-9-]+:\\d{12}:regional/webacl/" : "^arn:aws[a-z-]*:wafv2:us-east-1:\\d{12}:global/webacl/", var.web_acl_arn))
    error_message = "web_acl_arn: must be the ARN of a web ACL: of scope CLOUDFRONT in us-east-1 with CloudFront, of scope REGIONAL with a load balancer."
  }

  validation {
    condition     = var.web_acl_arn == null || contains(["cloudfront", "alb"], var.ingress)
    error_message = "web_acl_arn: only CloudFront and a load balancer take a web ACL; leave it out, or set ingress to \"cloudfront\" or \"alb\"."
  }
}

variable "rate_limit" {
  description = "Requests from one address in five minutes that CloudFront's web ACL accepts. An enrolment is four of them, so a site behind one address may enrol eight devices a second."
  type        = number
  default     = 10000
  nullable    = false

  validation {
    condition     = var.rate_limit >= 10 && var.rate_limit <= 2000000000 && floor(var.rate_limit) == var.rate_limit
    error_message = "rate_limit: must be a whole number from 10 to 2000000000."
  }
}

variable "requests_per_second" {
  description = "Requests a second that the API accepts."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.requests_per_second >= 1 && var.requests_per_second <= 10000 && floor(var.requests_per_second) == var.requests_per_second
    error_message = "requests_per_second: must be a whole number from 1 to 10000."
  }
}

variable "admin" {
  description = "How operators reach the admin API over HTTP, on top of its own tokens: type \"iam\" (a URL for requests signed with AWS credentials) or \"jwt\" (routes that want a JWT). Null: not at all, it is invoked as a function."
  type = object({
    type     = string
    issuer   = optional(string)
    audience = optional(list(string), [])
  })
  default = null

  validation {
    condition     = var.admin == null || contains(["iam", "jwt"], try(var.admin.type, ""))
    error_message = "admin: its type must be \"iam\" or \"jwt\"; null gives no admin URL."
  }

  validation {
    condition     = try(var.admin.type, "") != "jwt" || can(regex("^https://[^\\s/]+(/\\S*)?$", var.admin.issuer))
    error_message = "admin: its issuer must be an https URL."
  }

  validation {
    condition     = try(var.admin.type, "") != "jwt" || (try(length(var.admin.audience), 0) > 0 && !try(contains(var.admin.audience, ""), true))
    error_message = "admin: its audience must name at least one, or any token of the issuer would do."
  }

  validation {
    condition     = try(var.admin.type, "") != "jwt" || contains(["cloudfront", "httpApi"], var.ingress)
    error_message = "admin: its type must be \"iam\" where ingress is \"functionUrl\" or \"alb\", which have no routes for a JWT."
  }
}

variable "decision_links" {
  description = "Opens /decide of the admin function, and nothing else of it, to browsers without an identity: the page of decision links, which the configuration turns on with decisionUrl. For an ingress cloudfront or httpApi."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.decision_links || contains(["cloudfront", "httpApi"], var.ingress)
    error_message = "decision_links: needs ingress \"cloudfront\" or \"httpApi\", which have a route for them."
  }
}

variable "challenge_pages" {
  description = "Answers MDMs that ask for challenges, by a function that makes these and nothing else: the pages and hooks that endpoints of the configuration have (ndes, jamf). For an ingress cloudfront or httpApi."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.challenge_pages || contains(["cloudfront", "httpApi"], var.ingress)
    error_message = "challenge_pages: needs ingress \"cloudfront\" or \"httpApi\", which have routes for them."
  }

  validation {
    condition     = var.challenge_pages == anytrue([for endpoint in try(values(jsondecode(var.config).document.endpoints), []) : can(endpoint.ndes) || can(endpoint.jamf)])
    error_message = "challenge_pages: must be true where an endpoint of the configuration has \"ndes\" or \"jamf\", which nothing answers otherwise, and false where none has."
  }
}

variable "runtime" {
  description = "Lambda's runtime. \"nodejs22.x\" is only for an AWS provider that does not know \"nodejs24.x\" yet: 5.100, and 6 before 6.19."
  type        = string
  default     = "nodejs24.x"
  nullable    = false

  validation {
    condition     = contains(["nodejs24.x", "nodejs22.x"], var.runtime)
    error_message = "runtime: must be \"nodejs24.x\" or \"nodejs22.x\"."
  }
}

variable "reserved_concurrency" {
  description = "The most instances of the SCEP function at once, which bounds what a flood can cost. They are taken from the account's quota, of which Lambda keeps 100 for all other functions; -1 reserves none, for an account whose quota is too small."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.reserved_concurrency == -1 || (var.reserved_concurrency >= 1 && var.reserved_concurrency <= 10000 && floor(var.reserved_concurrency) == var.reserved_concurrency)
    error_message = "reserved_concurrency: must be a whole number from 1 to 10000, or -1 for none reserved."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days: must be one of the numbers that CloudWatch Logs knows, such as 90, 365 or 3653."
  }
}

variable "log_group_key_arn" {
  description = "ARN of a key that the log groups are encrypted with, whose policy lets CloudWatch Logs use it; null takes one that CloudWatch Logs owns."
  type        = string
  default     = null

  validation {
    condition     = var.log_group_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[\\w-]+$", var.log_group_key_arn))
    error_message = "log_group_key_arn: must be the ARN of a KMS key."
  }
}

variable "secrets" {
  description = "ARNs of the secrets in Secrets Manager that the configuration refers to with \"env:NAME\", by that name. The environment of the SCEP function has their ARNs, but for those of pages and hooks, which that of the function for them has; that of maintenance has those of validators; each reads them at its start: no value is in an environment or in the state. The policy of a secret's own key lets it do so."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for arn in values(var.secrets) : can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\\d{12}:secret:[\\w/+=.@-]+-\\w{6}$", arn))])
    error_message = "secrets: must be ARNs of secrets, which end with a hyphen and six characters, by the names of variables."
  }

  validation {
    condition     = alltrue([for name in keys(var.secrets) : can(regex("^[A-Z][A-Z0-9_]*$", name)) && !can(regex("^(AWS|SCEPTER|NODE|LAMBDA)_", name))])
    error_message = "secrets: must have names of environment variables that nothing else has."
  }

  validation {
    condition = length(setsubtract(
      [for endpoint in try(values(jsondecode(var.config).document.endpoints), []) : trimprefix(endpoint.enrol.staticChallenge.secret, "env:") if can(endpoint.enrol.staticChallenge.secret)],
      keys(var.secrets),
    )) == 0
    error_message = "secrets: a static challenge of the configuration refers to a variable that is not here."
  }

  validation {
    condition = length(setsubtract(
      [for reference in flatten([
        for endpoint in try(values(jsondecode(var.config).document.endpoints), []) : concat(
          try([for account in endpoint.ndes.accounts : account.password], []),
          [for field in ["password", "value"] : endpoint.jamf[field] if can(endpoint.jamf[field])],
        )
      ]) : trimprefix(reference, "env:")],
      keys(var.secrets),
    )) == 0
    error_message = "secrets: a page or hook of the configuration refers to a variable that is not here."
  }

  validation {
    condition = length(setsubtract(
      [for reference in flatten([
        for one in try(values(jsondecode(var.config).document.validators), []) : concat(
          [for field in ["clientSecret", "clientCertificate", "secret", "bearer"] : one[field] if can(one[field])],
          try([one.basic.password], []),
        )
      ]) : trimprefix(reference, "env:")],
      keys(var.secrets),
    )) == 0
    error_message = "secrets: a validator of the configuration refers to a variable that is not here."
  }
}

variable "alarm_topic_arn" {
  description = "ARN of the SNS topic that alarms notify; null: they are only shown in CloudWatch."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:aws[a-z-]*:sns:", var.alarm_topic_arn))
    error_message = "alarm_topic_arn: must be the ARN of an SNS topic."
  }
}

variable "edge_alarm_topic_arn" {
  description = "ARN of an SNS topic of us-east-1 that the alarm of CloudFront's web ACL notifies, for a deployment elsewhere; null: alarm_topic_arn, if it is of us-east-1."
  type        = string
  default     = null

  validation {
    condition     = var.edge_alarm_topic_arn == null || can(regex("^arn:aws[a-z-]*:sns:us-east-1:", var.edge_alarm_topic_arn))
    error_message = "edge_alarm_topic_arn: must be the ARN of an SNS topic of us-east-1."
  }
}

variable "tags" {
  description = "Tags of everything that takes tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
