output "scep_url" {
  description = "The URL that devices are given."
  value       = "https://${local.public_host}/scep"
}

output "dns_target" {
  description = "The name of AWS's that the domain points to, by a CNAME or an alias, where its zone is not one of Route 53; null without a domain."
  value = (
    var.domain == null ? null :
    local.cloudfront ? aws_cloudfront_distribution.this[0].domain_name :
    local.alb ? aws_lb.this[0].dns_name :
    aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].target_domain_name
  )
}

output "admin_url" {
  description = "Where the admin API is, if it has a URL."
  value = (
    local.admin_type == "jwt" ? "https://${local.public_host}" :
    local.admin_type == "iam" ? trimsuffix(aws_lambda_function_url.admin[0].function_url, "/") : null
  )
}

output "function_names" {
  description = "Names of the functions: scep, admin, maintenance, sequencer, and challenges where challenge_pages is true."
  value       = { for name, one in aws_lambda_function.this : name => one.function_name }
}

output "function_arns" {
  description = "ARNs of the functions: scep, admin, maintenance, sequencer, and challenges where challenge_pages is true."
  value       = { for name, one in aws_lambda_function.this : name => one.arn }
}

output "function_role_arns" {
  description = "ARNs of the functions' roles."
  value       = { for name, one in aws_iam_role.function : name => one.arn }
}

output "operator_role_arn" {
  description = "ARN of the role that makes CAs and RA keys."
  value       = aws_iam_role.operator.arn
}

output "deployment" {
  description = "Name of the deployment."
  value       = var.deployment
}

output "region" {
  description = "The AWS region that it is in."
  value       = local.region
}

output "table_name" {
  description = "Name of the table."
  value       = local.table_name
}

output "table_arn" {
  description = "ARN of the table."
  value       = local.table_arn
}

output "files_bucket" {
  description = "Name of the bucket of CRLs and certificates of CAs, which SCEPTER_FILES is for the operator, too."
  value       = aws_s3_bucket.files.bucket
}

output "logs_bucket" {
  description = "The bucket of the logs, for the operator (SCEPTER_LOGS)."
  value       = aws_s3_bucket.logs.bucket
}

output "files_url" {
  description = "The http origin of CloudFront for CRLs and certificates of CAs alone, which the configuration may have as its filesUrl; null without one."
  value       = local.files ? "http://${local.files_domain == null ? aws_cloudfront_distribution.files[0].domain_name : local.files_domain.name}" : null
}

output "files_dns_target" {
  description = "The name of CloudFront's that the domain of files points to, by a CNAME or an alias, where its zone is not one of Route 53; null without one."
  value       = local.files_domain == null ? null : aws_cloudfront_distribution.files[0].domain_name
}

output "config" {
  description = "The configuration by its name in its bucket, which SCEPTER_CONFIG is for the operator, too."
  value       = "s3:${aws_s3_object.config.bucket}/${aws_s3_object.config.key}"
}

output "ca_key_arns" {
  description = "ARNs of the CAs' keys, by the name of the CA."
  value       = local.ca_key_arns
}

output "sealing_key_arn" {
  description = "ARN of the key that seals RA and MAC keys."
  value       = local.sealing_key_arn
}

output "log_key_arn" {
  description = "ARN of the key that signs checkpoints of the logs, for the operator (SCEPTER_LOG_KEY)."
  value       = local.log_key_arn
}

output "alarm_names" {
  description = "Names of the alarms."
  value = concat(
    [for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name],
    [aws_cloudwatch_metric_alarm.refused.alarm_name, aws_cloudwatch_metric_alarm.table_throttled.alarm_name],
    aws_cloudwatch_metric_alarm.blocked[*].alarm_name,
    aws_cloudwatch_metric_alarm.backup_failed[*].alarm_name,
  )
}

output "backup_role_arn" {
  description = "ARN of the role by which AWS Backup restores a backup of the table; null without backups."
  value       = one(aws_iam_role.backup[*].arn)
}

output "mint_challenges_policy" {
  description = "Policy document for a principal that calls the admin function. What it may do there depends on the roles of its token."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = local.admin_type == "iam" ? [
      {
        Effect    = "Allow"
        Action    = "lambda:InvokeFunctionUrl"
        Resource  = [aws_lambda_function.this["admin"].arn]
        Condition = { StringEquals = { "lambda:FunctionUrlAuthType" = "AWS_IAM" } }
      },
      {
        Effect    = "Allow"
        Action    = "lambda:InvokeFunction"
        Resource  = [aws_lambda_function.this["admin"].arn]
        Condition = { Bool = { "lambda:InvokedViaFunctionUrl" = "true" } }
      },
      ] : [
      {
        Effect    = "Allow"
        Action    = "lambda:InvokeFunction"
        Resource  = [aws_lambda_function.this["admin"].arn]
        Condition = {}
      },
    ]
  })
}

output "read_log_policy" {
  description = "Policy document for a principal that reads the events of the transaction log, and no other record."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        for action, about in {
          "dynamodb:BatchGetItem" = { resource = local.table_arn, keys = "event#*" }
          "dynamodb:Query"        = { resource = "${local.table_arn}/index/places", keys = "events#*" }
          } : {
          Effect   = "Allow"
          Action   = action
          Resource = [about.resource]
          Condition = {
            "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = [about.keys] }
            # A condition on all keys of a request also holds for a request without keys.
            Null = { "dynamodb:LeadingKeys" = "false" }
          }
        }
      ],
      [
        for key in compact([var.table_key_arn]) : {
          Effect    = "Allow"
          Action    = "kms:Decrypt"
          Resource  = [key]
          Condition = { StringEquals = { "kms:ViaService" = "dynamodb.${local.region}.amazonaws.com" } }
        }
      ],
    )
  })
}
