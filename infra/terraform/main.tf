# Scepter on AWS: the table, the functions with their roles, and their schedule. Keys are in keys.tf, the
# configuration is in config.tf, the way in is in ingress.tf,
# distribution.tf and load-balancer.tf, alarms are in watch.tf.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  config     = jsondecode(var.config).document
  account    = data.aws_caller_identity.this.account_id
  partition  = data.aws_partition.this.partition
  region     = data.aws_region.this.id
  cloudfront = var.ingress == "cloudfront"
  policies   = "${path.module}/policies"
  tags       = merge({ "scepter:deployment" = var.deployment }, var.tags)

  # CloudFront writes the device's address where the functions look for it.
  config_text = jsonencode(merge({ trustedProxies = local.cloudfront ? 1 : 0 }, local.config))
  config_key  = "config/${sha256(local.config_text)}.json"

  # Roles are the account's, whatever the Region; a name of IAM has 64 characters.
  role_names = {
    for name in ["scep", "admin", "maintenance", "sequencer", "challenges", "operator", "backup"] : name =>
    length("scepter-${var.deployment}-${local.region}-${name}") <= 64 ? "scepter-${var.deployment}-${local.region}-${name}" :
    "${substr("scepter-${var.deployment}-${local.region}", 0, 43)}-${substr(sha256("${var.deployment} ${local.region}"), 0, 8)}-${name}"
  }

  # An HTTP API gives up after 30 s; a device waits for about 15.
  functions = {
    scep        = { what = "SCEP, CRLs and CA certificates", memory_mb = 512, timeout_s = 15, reserved = var.reserved_concurrency }
    admin       = { what = "the admin API", memory_mb = 512, timeout_s = 29, reserved = var.reserved_concurrency == -1 ? -1 : 5 }
    maintenance = { what = "upkeep and CRLs", memory_mb = 512, timeout_s = 300, reserved = var.reserved_concurrency == -1 ? -1 : 1 }
    sequencer   = { what = "the logs", memory_mb = 512, timeout_s = 300, reserved = var.reserved_concurrency == -1 ? -1 : 1 }
    challenges  = { what = "challenges for MDMs", memory_mb = 512, timeout_s = 15, reserved = var.reserved_concurrency == -1 ? -1 : 5 }
  }

  # Challenges for MDMs are off unless they are asked for.
  deployed = { for name, one in local.functions : name => one if name != "challenges" || var.challenge_pages }

  minutely = toset(["maintenance", "sequencer"])

  # Of the same release as the one that found the configuration valid.
  package_names = { for name in keys(local.functions) : name => "scepter-${name}-lambda-${jsondecode(var.config).scepter}.zip" }
  packages      = { for name, zip in local.package_names : name => "${coalesce(var.lambda_package, "${path.module}/packages")}/${zip}" }

  # What the functions look for when they start: lib/adapters/aws/dynamodb/table.ts.
  indexes = {
    places   = { place = "place", sort = "placeSort" }
    due      = { place = "due", sort = "dueSort" }
    subjects = { place = "subject", sort = "subjectSort" }
    devices  = { place = "device", sort = "deviceSort" }
  }
  ttl_attribute = "ttl"

  table_name = var.table_name == null ? aws_dynamodb_table.this[0].name : var.table_name
  table_arn  = var.table_name == null ? aws_dynamodb_table.this[0].arn : "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${var.table_name}"

  stream_arn = var.table_name == null ? aws_dynamodb_table.this[0].stream_arn : var.table_stream_arn

  # A list replaces its placeholder inside the quotes, so it is joined with quotes and commas.
  policy_values = {
    Deployment          = var.deployment
    TableArn            = local.table_arn
    CaKeyArns           = join("\",\"", values(local.ca_key_arns))
    CaSigningAlgorithms = join("\",\"", distinct(values(local.signing_algorithms)))
    SealingKeyArn       = local.sealing_key_arn
    ConfigObjects       = "${aws_s3_bucket.configs.arn}/config/*"
    FilesBucketArn      = aws_s3_bucket.files.arn
    LogBucketArn        = aws_s3_bucket.logs.arn
    LogKeyArn           = local.log_key_arn
    StreamArn           = local.stream_arn
  }
  # What pages and hooks for MDMs refer to, and static challenges: by the names of variables.
  page_names = [
    for reference in flatten([
      for endpoint in try(values(local.config.endpoints), []) : concat(
        try([for account in endpoint.ndes.accounts : account.password], []),
        [for field in ["password", "value"] : try(endpoint.jamf[field], "")],
      )
    ]) : trimprefix(reference, "env:")
  ]
  # What validators outside refer to: whoever answers devices asks them, and maintenance does so again.
  validator_names = [
    for reference in flatten([
      for one in try(values(local.config.validators), []) : concat(
        [for field in ["clientSecret", "clientCertificate", "secret", "bearer"] : try(one[field], "")],
        [try(one.basic.password, "")],
      )
    ]) : trimprefix(reference, "env:")
  ]
  static_names = [for endpoint in try(values(local.config.endpoints), []) : trimprefix(try(endpoint.enrol.staticChallenge.secret, ""), "env:")]

  # Each function gets what it asks for; the SCEP function all that is not of pages alone.
  secrets = {
    scep        = { for name, arn in var.secrets : name => arn if !contains(local.page_names, name) || contains(concat(local.static_names, local.validator_names), name) }
    challenges  = { for name, arn in var.secrets : name => arn if contains(local.page_names, name) }
    maintenance = { for name, arn in var.secrets : name => arn if contains(local.validator_names, name) }
  }
  # Those that CloudFront shows itself to.
  shown_to    = ["scep", "challenges"]
  secret_arns = { for name, secrets in local.secrets : name => concat(values(secrets), contains(local.shown_to, name) ? var.origin_secret_arns : []) if contains(keys(local.deployed), name) }
  environment_key_policy_values = {
    EnvironmentKeyArn = var.environment_key_arn
  }
  table_key_policy_values = {
    TableKeyArn = var.table_key_arn
    Region      = local.region
  }
}

resource "aws_dynamodb_table" "this" {
  count = var.table_name == null ? 1 : 0

  name                        = "scepter-${var.deployment}"
  billing_mode                = "PAY_PER_REQUEST"
  table_class                 = var.table_class
  hash_key                    = "pk"
  stream_enabled              = true
  stream_view_type            = "KEYS_ONLY"
  deletion_protection_enabled = var.deletion_protection
  tags                        = local.tags

  dynamic "attribute" {
    for_each = toset(concat(["pk"], flatten([for index in local.indexes : values(index)])))

    content {
      name = attribute.value
      type = "S"
    }
  }

  dynamic "global_secondary_index" {
    for_each = local.indexes

    content {
      name            = global_secondary_index.key
      hash_key        = global_secondary_index.value.place
      range_key       = global_secondary_index.value.sort
      projection_type = "KEYS_ONLY"

      on_demand_throughput {
        max_read_request_units  = var.max_read_request_units
        max_write_request_units = var.max_write_request_units
      }
    }
  }

  on_demand_throughput {
    max_read_request_units  = var.max_read_request_units
    max_write_request_units = var.max_write_request_units
  }

  point_in_time_recovery {
    enabled = true
  }

  dynamic "server_side_encryption" {
    for_each = var.table_key_arn == null ? [] : [var.table_key_arn]

    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }

  ttl {
    attribute_name = local.ttl_attribute
    enabled        = true
  }

  lifecycle {
    # A change that would replace the table must fail.
    prevent_destroy = true
  }
}

resource "aws_iam_role" "function" {
  for_each = local.deployed

  name                 = local.role_names[each.key]
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  description          = "Scepter: what the function for ${each.value.what} may do"
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  for_each = local.deployed

  name = "scepter"
  role = aws_iam_role.function[each.key].id
  policy = templatefile("${local.policies}/${each.key}.json", merge(local.policy_values, {
    LogGroupStreams = "${aws_cloudwatch_log_group.function[each.key].arn}:*"
  }))
}

# DynamoDB uses a table's customer managed key in the name of its caller, who needs a permission for it.
resource "aws_iam_role_policy" "table_key" {
  for_each = var.table_key_arn == null ? {} : merge({ for name, role in aws_iam_role.function : name => role.id }, { operator = aws_iam_role.operator.id })

  name   = "table-key"
  role   = each.value
  policy = templatefile("${local.policies}/table-key.json", local.table_key_policy_values)
}

# Of whoever serves the logs, or looks at them.
resource "aws_iam_role_policy" "read_logs" {
  for_each = { scep = aws_iam_role.function["scep"].id, admin = aws_iam_role.function["admin"].id, operator = aws_iam_role.operator.id }

  name   = "read-logs"
  role   = each.value
  policy = templatefile("${local.policies}/read-logs.json", local.policy_values)
}

# What the environments of the functions name.
resource "aws_iam_role_policy" "secrets" {
  for_each = { for name, arns in local.secret_arns : name => arns if length(arns) > 0 }

  name   = "secrets"
  role   = aws_iam_role.function[each.key].id
  policy = templatefile("${local.policies}/secrets.json", { SecretArns = join("\",\"", each.value) })
}

# Lambda makes network interfaces in the VPC by the function's role, and opens its environment by it.
resource "aws_iam_role_policy" "vpc" {
  for_each = var.vpc == null ? {} : aws_iam_role.function

  name   = "vpc"
  role   = each.value.id
  policy = file("${local.policies}/vpc.json")
}

resource "aws_iam_role_policy" "environment_key" {
  for_each = var.environment_key_arn == null ? {} : aws_iam_role.function

  name   = "environment-key"
  role   = each.value.id
  policy = templatefile("${local.policies}/environment-key.json", local.environment_key_policy_values)
}

resource "aws_cloudwatch_log_group" "function" {
  for_each = local.deployed

  name              = "/scepter/${var.deployment}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_group_key_arn
  skip_destroy      = true
  tags              = local.tags
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_116: A device waits for its answer, and the next run of upkeep or of the sequencer comes a minute later.
  for_each = local.deployed

  function_name                  = "scepter-${var.deployment}-${each.key}"
  description                    = "Scepter: ${each.value.what}"
  runtime                        = var.runtime
  architectures                  = ["arm64"]
  handler                        = "index.handler"
  filename                       = var.package_bucket == null ? local.packages[each.key] : null
  source_code_hash               = var.package_bucket == null ? filebase64sha256(local.packages[each.key]) : null
  s3_bucket                      = var.package_bucket
  s3_key                         = var.package_bucket == null ? null : "${var.package_prefix}${local.package_names[each.key]}"
  code_signing_config_arn        = var.code_signing_config_arn
  role                           = aws_iam_role.function[each.key].arn
  memory_size                    = coalesce(try(var.function_settings[each.key].memory_mb, null), each.value.memory_mb)
  timeout                        = coalesce(try(var.function_settings[each.key].timeout_s, null), each.value.timeout_s)
  reserved_concurrent_executions = each.value.reserved
  kms_key_arn                    = var.environment_key_arn
  tags                           = local.tags

  environment {
    variables = merge(
      {
        SCEPTER_DEPLOYMENT  = var.deployment
        SCEPTER_TABLE       = local.table_name
        SCEPTER_FILES       = aws_s3_bucket.files.bucket
        SCEPTER_LOGS        = aws_s3_bucket.logs.bucket
        SCEPTER_LOG_KEY     = local.log_key_arn
        SCEPTER_SEALING_KEY = local.sealing_key_arn
        SCEPTER_CONFIG      = "s3:${aws_s3_object.config.bucket}/${aws_s3_object.config.key}"
        NODE_OPTIONS        = "--enable-source-maps"
      },
      { for name, arn in try(local.secrets[each.key], {}) : name => "secretsmanager:${arn}" },
      local.cloudfront && contains(local.shown_to, each.key) ? { SCEPTER_ORIGIN_SECRETS = join(",", formatlist("secretsmanager:%s", var.origin_secret_arns)) } : {},
    )
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.function[each.key].name
  }

  tracing_config {
    mode = "Active"
  }

  dynamic "vpc_config" {
    for_each = var.vpc == null ? [] : [var.vpc]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  # A role without its policy would be used before it can do anything.
  depends_on = [
    aws_iam_role_policy.environment_key,
    aws_iam_role_policy.function,
    aws_iam_role_policy.read_logs,
    aws_iam_role_policy.secrets,
    aws_iam_role_policy.table_key,
    aws_iam_role_policy.vpc,
  ]
}

# A failed run is not repeated, because the next one comes a minute later.
resource "aws_lambda_function_event_invoke_config" "minutely" {
  for_each = local.minutely

  function_name                = aws_lambda_function.this[each.key].function_name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}

resource "aws_cloudwatch_event_rule" "every_minute" {
  name                = "scepter-${var.deployment}-upkeep"
  description         = "Scepter ${var.deployment}: upkeep, CRLs and logs"
  schedule_expression = "rate(1 minute)"
  tags                = local.tags
}

resource "aws_cloudwatch_event_target" "minutely" {
  for_each = local.minutely

  rule = aws_cloudwatch_event_rule.every_minute.name
  arn  = aws_lambda_function.this[each.key].arn

  retry_policy {
    maximum_retry_attempts       = 0
    maximum_event_age_in_seconds = 60
  }
}

resource "aws_lambda_permission" "schedule" {
  for_each = local.minutely

  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this[each.key].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.every_minute.arn
}

# For `scepter ca ...`: makes CAs and RA keys.
resource "aws_iam_role" "operator" {
  name                 = local.role_names.operator
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  description          = "Scepter ${var.deployment}: makes CAs and RA keys"
  max_session_duration = 3600
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = length(var.operators) > 0 ? var.operators : [local.account_root] }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "operator" {
  name   = "scepter"
  role   = aws_iam_role.operator.id
  policy = templatefile("${local.policies}/operator.json", local.policy_values)
}
