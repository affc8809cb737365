# Whether a Worker's upkeep runs, asked from outside: nothing at AWS sees that a cron trigger at Cloudflare is gone. The
# same as the CDK's Heartbeat. The provider must be one of us-east-1, where Route 53 counts.

locals {
  tags = merge({ "scepter:deployment" = var.deployment }, var.tags)
}

resource "aws_route53_health_check" "upkeep" {
  type              = "HTTPS"
  fqdn              = var.host
  port              = 443
  resource_path     = "/healthz/upkeep"
  enable_sni        = true
  request_interval  = 30
  failure_threshold = 3
  # Three are the fewest: each has checkers of its own, and each answer reads the table.
  regions = ["us-east-1", "eu-west-1", "ap-southeast-1"]
  tags    = merge({ Name = "scepter-${var.deployment}-upkeep" }, local.tags)
}

resource "aws_cloudwatch_metric_alarm" "heartbeat" {
  alarm_name          = "scepter-${var.deployment}-Heartbeat"
  alarm_description   = "Scepter ${var.deployment}: upkeep of the Worker does not run, or the Worker does not answer"
  namespace           = "AWS/Route53"
  metric_name         = "HealthCheckStatus"
  dimensions          = { HealthCheckId = aws_route53_health_check.upkeep.id }
  statistic           = "Minimum"
  period              = 60
  evaluation_periods  = 2
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arn == null ? [] : [var.alarm_topic_arn]
  ok_actions          = var.alarm_topic_arn == null ? [] : [var.alarm_topic_arn]
  tags                = local.tags
}
