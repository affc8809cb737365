variable "host" {
  description = "Host name that devices know the Worker by, such as scep.example.com."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9-]{1,63}\\.)+[a-z]{2,63}$", var.host))
    error_message = "host: must be a host name in lower case."
  }
}

variable "deployment" {
  description = "Name of the deployment of Scepter that it is for."
  type        = string
  default     = "scepter"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,31}$", var.deployment))
    error_message = "deployment: must be 1 to 32 lower case letters, digits and hyphens, first a letter."
  }
}

variable "alarm_topic_arn" {
  description = "ARN of an SNS topic of us-east-1 that is told when the alarm begins and when it is over; null: nobody is."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:aws[a-z-]*:sns:us-east-1:\\d{12}:.+$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn: must be the ARN of an SNS topic of us-east-1."
  }
}

variable "tags" {
  description = "Tags of everything that takes tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
