output "health_check_id" {
  description = "Id of the health check, which its metric goes by."
  value       = aws_route53_health_check.upkeep.id
}
