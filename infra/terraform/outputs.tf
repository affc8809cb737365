output "scep_url" {
  description = "The URL that devices are given."
  value       = "https://${local.public_host}/scep"
}

output "admin_url" {
  description = "Where the admin API is, if it has a URL."
  value = (
    local.admin_type == "jwt" ? "https://${local.public_host}" :
    local.admin_type == "iam" ? aws_lambda_function_url.admin[0].function_url : null
  )
}

output "function_names" {
  description = "Names of the functions: scep, admin and maintenance."
  value       = { for name, one in aws_lambda_function.this : name => one.function_name }
}

output "function_role_arns" {
  description = "ARNs of the functions' roles."
  value       = { for name, one in aws_iam_role.function : name => one.arn }
}

output "operator_role_arn" {
  description = "ARN of the role that makes CAs and RA keys."
  value       = aws_iam_role.operator.arn
}

output "table_name" {
  description = "Name of the table."
  value       = local.table_name
}

output "config_parameter" {
  description = "Name of the SSM parameter with the configuration."
  value       = aws_ssm_parameter.config.name
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
  description = "ARN of the key that signs checkpoints of the transaction log."
  value       = local.log_key_arn
}

output "alarm_names" {
  description = "Names of the alarms."
  value = concat(
    [for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name],
    [aws_cloudwatch_metric_alarm.refused.alarm_name, aws_cloudwatch_metric_alarm.table_throttled.alarm_name],
  )
}
