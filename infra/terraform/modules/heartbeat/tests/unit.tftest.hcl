# The part planned with a provider that is not there.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_route53_health_check" {
    defaults = { id = "11111111-2222-3333-4444-555555555555" }
  }
}

variables {
  host            = "scep.example.com"
  alarm_topic_arn = "arn:aws:sns:us-east-1:111122223333:alarms"
}

run "defaults" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.heartbeat.dimensions.HealthCheckId == output.health_check_id
    error_message = "the alarm must watch the health check"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.heartbeat.alarm_actions == toset([var.alarm_topic_arn]) && aws_cloudwatch_metric_alarm.heartbeat.ok_actions == toset([var.alarm_topic_arn])
    error_message = "the topic must be told of the beginning and the end"
  }
}

run "refuses" {
  command = plan

  variables {
    host            = "https://scep.example.com"
    deployment      = "A b"
    alarm_topic_arn = "arn:aws:sns:eu-central-1:111122223333:alarms"
  }

  expect_failures = [var.host, var.deployment, var.alarm_topic_arn]
}
