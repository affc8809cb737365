# What is done to the keys of a deployment: CloudTrail's events of calls that change a key, its policy or its state,
# allowed or denied, kept in a log of their own, which an alarm looks at. EventBridge has them from a trail of the
# account's management events.

locals {
  # Signing, unsealing and looking are not among them.
  key_calls = [
    "CancelKeyDeletion",
    "CreateGrant",
    "DeleteImportedKeyMaterial",
    "DisableKey",
    "DisableKeyRotation",
    "EnableKey",
    "PutKeyPolicy",
    "ReplicateKey",
    "ScheduleKeyDeletion",
    "UpdatePrimaryRegion",
  ]

  # A pattern of EventBridge has at most 2,048 characters, and an ARN of a key about 80. How many there are is known
  # before they are made.
  key_names = concat(["sealing", "log"], [for name in sort(keys(local.ca_kinds)) : "ca/${name}"])
  key_arns  = merge({ sealing = local.sealing_key_arn, log = local.log_key_arn }, { for name, arn in local.ca_key_arns : "ca/${name}" => arn })
  key_rules = { for i, names in chunklist(local.key_names, 15) : tostring(i) => names }
}

resource "aws_cloudwatch_log_group" "keys" {
  # EventBridge writes into groups of such names.
  name              = "/aws/events/scepter-${var.deployment}-keys"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_group_key_arn
  tags              = local.tags
}

resource "aws_cloudwatch_log_resource_policy" "keys" {
  policy_name = "scepter-${var.deployment}-keys"

  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [for action, condition in {
      "logs:CreateLogStream" = {}
      "logs:PutLogEvents"    = { ArnLike = { "aws:SourceArn" = "arn:${local.partition}:events:${local.region}:${local.account}:rule/*" } }
      } : {
      Effect    = "Allow"
      Principal = { Service = ["events.amazonaws.com", "delivery.logs.amazonaws.com"] }
      Action    = action
      Resource  = "${aws_cloudwatch_log_group.keys.arn}:*"
      Condition = condition
    }]
  })
}

resource "aws_cloudwatch_event_rule" "keys" {
  for_each = local.key_rules

  name        = "scepter-${var.deployment}-keys-${each.key}"
  description = "Scepter ${var.deployment}: somebody changes a key"
  tags        = local.tags

  event_pattern = jsonencode({
    source      = ["aws.kms"]
    detail-type = ["AWS API Call via CloudTrail"]
    detail = {
      eventName = local.key_calls
      resources = { ARN = [for name in each.value : local.key_arns[name]] }
    }
  })
}

resource "aws_cloudwatch_event_target" "keys" {
  for_each = aws_cloudwatch_event_rule.keys

  rule = each.value.name
  arn  = aws_cloudwatch_log_group.keys.arn
}
