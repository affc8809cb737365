# What operators look at: metrics from the functions' logs, alarms for what needs a person, and one
# dashboard.

locals {
  namespace = "Scepter/${var.deployment}"

  log_metrics = {
    Issued       = { from = ["scep"], pattern = "{ $.event = \"scep.pkiOperation\" && $.pkiStatus = \"SUCCESS\" }", value = "1" }
    Refused      = { from = ["scep"], pattern = "{ $.event = \"scep.pkiOperation\" && $.pkiStatus = \"FAILURE\" }", value = "1" }
    Outages      = { from = ["scep", "admin"], pattern = "{ ($.event = \"http.outage\") || ($.event = \"start.failed\") }", value = "1" }
    KmsTrouble   = { from = ["scep", "admin", "maintenance"], pattern = "{ $.severity = \"error\" && $.detail = \"KMS *\" }", value = "1" }
    Tampered     = { from = ["scep"], pattern = "{ $.event = \"challenge.tampered\" }", value = "1" }
    UpkeepFailed = { from = ["maintenance"], pattern = "{ ($.event = \"upkeep.failed\") || ($.event = \"start.failed\") }", value = "1" }
    CaWarning    = { from = ["maintenance"], pattern = "{ $.event = \"ca.warning\" }", value = "1" }
    CrlHoursLeft = { from = ["maintenance"], pattern = "{ $.crlHoursLeft > -100000 }", value = "$.crlHoursLeft" }
  }
  log_filters = merge([
    for metric, about in local.log_metrics : {
      for name in about.from : "${metric}-${name}" => { metric = metric, from = name, pattern = about.pattern, value = about.value }
    }
  ]...)

  # The shortest life of a CRL.
  hours     = { s = 1 / 3600, m = 1 / 60, h = 1, d = 24 }
  crl_lives = [for ca in values(local.config.cas) : regex("^(?P<count>\\d+)(?P<unit>[smhd])$", try(ca.crlValidity, "10d"))]
  crl_hours = min([for life in local.crl_lives : life.count * local.hours[life.unit]]...)

  lambda = { for name, one in aws_lambda_function.this : name => { FunctionName = one.function_name } }

  alarms = {
    Errors         = { says = "the SCEP function fails", namespace = "AWS/Lambda", metric = "Errors", dimensions = local.lambda.scep, statistic = "Sum", period = 300, threshold = 1, periods = 1, below = false }
    Outages        = { says = "requests are answered with 503", namespace = local.namespace, metric = "Outages", dimensions = {}, statistic = "Sum", period = 300, threshold = 5, periods = 1, below = false }
    KmsTrouble     = { says = "KMS refuses, throttles or is away", namespace = local.namespace, metric = "KmsTrouble", dimensions = {}, statistic = "Sum", period = 300, threshold = 3, periods = 1, below = false }
    Tampered       = { says = "a record was changed by someone else", namespace = local.namespace, metric = "Tampered", dimensions = {}, statistic = "Sum", period = 300, threshold = 1, periods = 1, below = false }
    Slow           = { says = "one request in twenty takes 5 s or longer", namespace = "AWS/Lambda", metric = "Duration", dimensions = local.lambda.scep, statistic = "p95", period = 300, threshold = 5000, periods = 2, below = false }
    Throttled      = { says = "more requests come than instances may run", namespace = "AWS/Lambda", metric = "Throttles", dimensions = local.lambda.scep, statistic = "Sum", period = 300, threshold = 1, periods = 2, below = false }
    TableThrottled = { says = "the table is at its cap, or a partition at its limit", namespace = "AWS/DynamoDB", metric = "WriteThrottleEvents", dimensions = { TableName = local.table_name }, statistic = "Sum", period = 300, threshold = 10, periods = 2, below = false }
    UpkeepFailed   = { says = "upkeep fails: CRLs may end", namespace = local.namespace, metric = "UpkeepFailed", dimensions = {}, statistic = "Sum", period = 300, threshold = 3, periods = 3, below = false }
    CrlOld         = { says = "a CRL is at the last quarter of its life", namespace = local.namespace, metric = "CrlHoursLeft", dimensions = {}, statistic = "Minimum", period = 300, threshold = local.crl_hours / 4, periods = 3, below = true }
    CaWarning      = { says = "a CA or its RA wants a person, see ca.warning in the log of maintenance", namespace = local.namespace, metric = "CaWarning", dimensions = {}, statistic = "Sum", period = 86400, threshold = 1, periods = 1, below = false }
    UpkeepMissing  = { says = "upkeep does not run: CRLs will end", namespace = "AWS/Lambda", metric = "Invocations", dimensions = local.lambda.maintenance, statistic = "Sum", period = 900, threshold = 1, periods = 1, below = true }
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
    value         = each.value.value
    default_value = each.value.value == "1" ? "0" : null
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
  period              = each.value.period
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods
  comparison_operator = each.value.below ? "LessThanThreshold" : "GreaterThanOrEqualToThreshold"
  treat_missing_data  = each.key == "UpkeepMissing" ? "breaching" : "notBreaching"
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
