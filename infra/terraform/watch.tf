# What operators look at: metrics from the functions' logs, alarms for what needs a person, and one
# dashboard.

locals {
  namespace = "Scepter/${var.deployment}"

  log_metrics = {
    Issued       = { from = ["scep"], pattern = "{ $.event = \"scep.pkiOperation\" && $.pkiStatus = \"SUCCESS\" }" }
    Refused      = { from = ["scep"], pattern = "{ $.event = \"scep.pkiOperation\" && $.pkiStatus = \"FAILURE\" }" }
    Outages      = { from = ["scep", "admin"], pattern = "{ $.event = \"http.outage\" }" }
    KmsTrouble   = { from = ["scep", "admin", "maintenance"], pattern = "{ $.severity = \"error\" && $.detail = \"KMS *\" }" }
    Tampered     = { from = ["scep"], pattern = "{ $.event = \"challenge.tampered\" }" }
    UpkeepFailed = { from = ["maintenance"], pattern = "{ $.event = \"upkeep.failed\" }" }
  }
  log_filters = merge([
    for metric, about in local.log_metrics : {
      for name in about.from : "${metric}-${name}" => { metric = metric, from = name, pattern = about.pattern }
    }
  ]...)

  lambda = { for name, one in aws_lambda_function.this : name => { FunctionName = one.function_name } }

  alarms = {
    Errors         = { says = "the SCEP function fails", namespace = "AWS/Lambda", metric = "Errors", dimensions = local.lambda.scep, statistic = "Sum", threshold = 1, periods = 1 }
    Outages        = { says = "requests are answered with 503", namespace = local.namespace, metric = "Outages", dimensions = {}, statistic = "Sum", threshold = 5, periods = 1 }
    KmsTrouble     = { says = "KMS refuses, throttles or is away", namespace = local.namespace, metric = "KmsTrouble", dimensions = {}, statistic = "Sum", threshold = 3, periods = 1 }
    Tampered       = { says = "a record was changed by someone else", namespace = local.namespace, metric = "Tampered", dimensions = {}, statistic = "Sum", threshold = 1, periods = 1 }
    Slow           = { says = "one request in twenty takes 5 s or longer", namespace = "AWS/Lambda", metric = "Duration", dimensions = local.lambda.scep, statistic = "p95", threshold = 5000, periods = 2 }
    Throttled      = { says = "more requests come than instances may run", namespace = "AWS/Lambda", metric = "Throttles", dimensions = local.lambda.scep, statistic = "Sum", threshold = 1, periods = 2 }
    TableThrottled = { says = "the table is at its cap, or a partition at its limit", namespace = "AWS/DynamoDB", metric = "WriteThrottleEvents", dimensions = { TableName = local.table_name }, statistic = "Sum", threshold = 10, periods = 2 }
    UpkeepFailed   = { says = "upkeep fails: CRLs may end", namespace = local.namespace, metric = "UpkeepFailed", dimensions = {}, statistic = "Sum", threshold = 3, periods = 3 }
  }
  alarm_actions = var.alarm_topic_arn == null ? [] : [var.alarm_topic_arn]
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each = local.log_filters

  name           = each.key
  log_group_name = aws_cloudwatch_log_group.function[each.value.from].name
  pattern        = each.value.pattern

  metric_transformation {
    namespace     = local.namespace
    name          = each.value.metric
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "scepter-${var.deployment}-${each.key}"
  alarm_description   = "Scepter ${var.deployment}: ${each.value.says}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  period              = 300
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  tags                = local.tags
}

resource "aws_cloudwatch_metric_alarm" "upkeep_missing" {
  alarm_name          = "scepter-${var.deployment}-UpkeepMissing"
  alarm_description   = "Scepter ${var.deployment}: upkeep does not run: CRLs will end"
  namespace           = "AWS/Lambda"
  metric_name         = "Invocations"
  dimensions          = local.lambda.maintenance
  statistic           = "Sum"
  period              = 900
  threshold           = 1
  evaluation_periods  = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = local.alarm_actions
  tags                = local.tags
}

# Percent, of twenty or more.
resource "aws_cloudwatch_metric_alarm" "refused" {
  alarm_name          = "scepter-${var.deployment}-Refused"
  alarm_description   = "Scepter ${var.deployment}: most requests are refused"
  threshold           = 80
  evaluation_periods  = 3
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  tags                = local.tags

  metric_query {
    id          = "ratio"
    expression  = "IF(issued + refused >= 20, 100 * refused / (issued + refused), 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = toset(["Issued", "Refused"])

    content {
      id = lower(metric_query.value)

      metric {
        namespace   = local.namespace
        metric_name = metric_query.value
        stat        = "Sum"
        period      = 300
      }
    }
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "scepter-${var.deployment}-${local.region}"
  dashboard_body = jsonencode({
    widgets = [
      for i, graph in [
        { title = "Certificates and refusals", stat = "Sum", metrics = [[local.namespace, "Issued"], [local.namespace, "Refused"]] },
        { title = "Trouble", stat = "Sum", metrics = [[local.namespace, "Outages"], [local.namespace, "KmsTrouble"]] },
        { title = "Time of the SCEP function", stat = "p95", metrics = [["AWS/Lambda", "Duration", "FunctionName", local.lambda.scep.FunctionName]] },
        { title = "Instances at once", stat = "Maximum", metrics = [["AWS/Lambda", "ConcurrentExecutions", "FunctionName", local.lambda.scep.FunctionName]] },
        { title = "Errors of the functions", stat = "Sum", metrics = [for one in values(local.lambda) : ["AWS/Lambda", "Errors", "FunctionName", one.FunctionName]] },
        { title = "Write units of the table", stat = "Sum", metrics = [["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", local.table_name]] },
        ] : {
        type   = "metric"
        x      = 12 * (i % 2)
        y      = 6 * floor(i / 2)
        width  = 12
        height = 6
        properties = {
          title   = graph.title
          view    = "timeSeries"
          region  = local.region
          period  = 300
          stat    = graph.stat
          metrics = graph.metrics
        }
      }
    ]
  })
}
