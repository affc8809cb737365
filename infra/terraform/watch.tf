# What operators look at: metrics from the functions' logs, alarms for what needs a person, and one
# dashboard.

locals {
  namespace = "Scepter/${var.deployment}"

  log_metrics = {
    Issued           = { from = ["scep"], pattern = "{ $.event = \"scep.pkiOperation\" && $.pkiStatus = \"SUCCESS\" }", value = "1", always = true }
    Refused          = { from = ["scep"], pattern = "{ $.event = \"scep.pkiOperation\" && $.pkiStatus = \"FAILURE\" }", value = "1", always = true }
    Rejected         = { from = ["scep"], pattern = "{ $.event = \"scep.pkiOperation\" && $.code = \"SCEP-201\" }", value = "1" }
    Outages          = { from = ["scep", "admin", "challenges"], pattern = "{ ($.event = \"http.outage\") || ($.event = \"start.failed\") }", value = "1" }
    KmsTrouble       = { from = ["scep", "admin", "maintenance", "sequencer", "challenges"], pattern = "{ $.severity = \"error\" && $.detail = \"KMS *\" }", value = "1" }
    Tampered         = { from = ["scep", "admin", "maintenance", "sequencer", "challenges"], pattern = "{ ($.event = \"challenge.tampered\") || ($.event = \"record.altered\") }", value = "1" }
    ChallengeFailing = { from = ["scep"], pattern = "{ ($.event = \"challenge.failing\") || ($.event = \"challenge.reused\") || ($.event = \"challenge.decoyUsed\") }", value = "1" }
    CaWarning        = { from = ["maintenance"], pattern = "{ $.event = \"ca.warning\" }", value = "1" }
    LogLate          = { from = ["sequencer"], pattern = "{ $.event = \"upkeep.done\" && $.waitedSeconds > 60 }", value = "1" }
    LogRefused       = { from = ["sequencer"], pattern = "{ $.event = \"log.refused\" }", value = "1" }
    TooMany          = { from = ["api"], pattern = "{ $.status = \"429\" }", value = "1" }
    KeyChanged       = { from = ["keys"], pattern = "{ $.detail.eventName = * }", value = "1" }
    CrlHoursLeft     = { from = ["maintenance"], pattern = "{ $.crlHoursLeft > -100000 }", value = "$.crlHoursLeft" }
  }
  log_names = merge(
    { for name, one in aws_cloudwatch_log_group.function : name => one.name },
    { api = one(aws_cloudwatch_log_group.api[*].name), keys = aws_cloudwatch_log_group.keys.name },
  )
  log_filters = merge([
    for metric, about in local.log_metrics : {
      for name in about.from : "${metric}-${name}" => { metric = metric, from = name, pattern = about.pattern, value = about.value, always = try(about.always, false) }
      if(name != "api" || local.api) && (name != "challenges" || var.challenge_pages)
    }
  ]...)

  # The shortest life of a CRL.
  hours     = { s = 1 / 3600, m = 1 / 60, h = 1, d = 24 }
  crl_lives = [for ca in values(local.config.cas) : regex("^(?P<count>\\d+)(?P<unit>[smhd])$", try(ca.crlValidity, "10d"))]
  crl_hours = min([for life in local.crl_lives : life.count * local.hours[life.unit]]...)

  lambda = { for name, one in aws_lambda_function.this : name => { FunctionName = one.function_name } }

  # A function that fails has an alarm of its own.
  server_errors = (
    local.api ? { namespace = "AWS/ApiGateway", metric = "5xx", dimensions = tomap({ ApiId = aws_apigatewayv2_api.this[0].id }) } :
    local.alb ? { namespace = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count", dimensions = tomap({ LoadBalancer = aws_lb.this[0].arn_suffix }) } :
    { namespace = "AWS/Lambda", metric = "Url5xxCount", dimensions = tomap(local.lambda.scep) }
  )

  alarms = {
    Errors           = { says = "the SCEP function fails", namespace = "AWS/Lambda", metric = "Errors", dimensions = local.lambda.scep, statistic = "Sum", period = 300, threshold = 1, periods = 1, below = false }
    AdminErrors      = { says = "the admin function fails", namespace = "AWS/Lambda", metric = "Errors", dimensions = local.lambda.admin, statistic = "Sum", period = 300, threshold = 1, periods = 1, below = false }
    UpkeepFailed     = { says = "upkeep fails: CRLs may end", namespace = "AWS/Lambda", metric = "Errors", dimensions = local.lambda.maintenance, statistic = "Sum", period = 300, threshold = 3, periods = 3, below = false }
    UpkeepMissing    = { says = "upkeep does not run: CRLs will end", namespace = "AWS/Lambda", metric = "Invocations", dimensions = local.lambda.maintenance, statistic = "Sum", period = 900, threshold = 1, periods = 1, below = true }
    LogFailed        = { says = "the logs do not go on", namespace = "AWS/Lambda", metric = "Errors", dimensions = local.lambda.sequencer, statistic = "Sum", period = 300, threshold = 3, periods = 3, below = false }
    LogMissing       = { says = "nothing puts events into the logs", namespace = "AWS/Lambda", metric = "Invocations", dimensions = local.lambda.sequencer, statistic = "Sum", period = 900, threshold = 1, periods = 1, below = true }
    LogLate          = { says = "an event was under no checkpoint of its log for a minute", namespace = local.namespace, metric = "LogLate", dimensions = {}, statistic = "Sum", period = 300, threshold = 1, periods = 1, below = false }
    LogRefused       = { says = "an event that somebody else has written, changed or put back is kept out of the logs", namespace = local.namespace, metric = "LogRefused", dimensions = {}, statistic = "Sum", period = 300, threshold = 1, periods = 1, below = false }
    ServerErrors     = { says = "answers are 5xx", namespace = local.server_errors.namespace, metric = local.server_errors.metric, dimensions = local.server_errors.dimensions, statistic = "Sum", period = 300, threshold = 5, periods = 1, below = false }
    Outages          = { says = "requests are answered with 503", namespace = local.namespace, metric = "Outages", dimensions = {}, statistic = "Sum", period = 300, threshold = 5, periods = 1, below = false }
    KmsTrouble       = { says = "KMS refuses, throttles or is away", namespace = local.namespace, metric = "KmsTrouble", dimensions = {}, statistic = "Sum", period = 300, threshold = 3, periods = 1, below = false }
    Tampered         = { says = "a record was changed by someone else", namespace = local.namespace, metric = "Tampered", dimensions = {}, statistic = "Sum", period = 300, threshold = 1, periods = 1, below = false }
    ChallengeFailing = { says = "a challenge is misused: one of several uses keeps failing, or somebody has a spent one or a decoy; see challenge.* in the log of scep", namespace = local.namespace, metric = "ChallengeFailing", dimensions = {}, statistic = "Sum", period = 300, threshold = 1, periods = 1, below = false }
    # An attacker who tries to decrypt a recorded message by sending changed ones, from many addresses.
    Rejected   = { says = "many messages do not open: devices with an old RA certificate, or someone who tries to decrypt", namespace = local.namespace, metric = "Rejected", dimensions = {}, statistic = "Sum", period = 300, threshold = 300, periods = 1, below = false }
    Slow       = { says = "one request in twenty takes 5 s or longer", namespace = "AWS/Lambda", metric = "Duration", dimensions = local.lambda.scep, statistic = "p95", period = 300, threshold = 5000, periods = 2, below = false }
    Busy       = { says = "four fifths of the instances that may run do", namespace = "AWS/Lambda", metric = "ConcurrentExecutions", dimensions = local.lambda.scep, statistic = "Maximum", period = 300, threshold = ceil(4 * var.reserved_concurrency / 5), periods = 2, below = false }
    Throttled  = { says = "more requests come than instances may run", namespace = "AWS/Lambda", metric = "Throttles", dimensions = local.lambda.scep, statistic = "Sum", period = 300, threshold = 1, periods = 2, below = false }
    TooMany    = { says = "requests are refused with 429: more come than the API takes, or one source sends many that do not open", namespace = local.namespace, metric = "TooMany", dimensions = {}, statistic = "Sum", period = 300, threshold = 10, periods = 2, below = false }
    KeyChanged = { says = "somebody changed a key, its policy or its state, or tried to, see the log of keys", namespace = local.namespace, metric = "KeyChanged", dimensions = {}, statistic = "Sum", period = 300, threshold = 1, periods = 1, below = false }
    CrlOld     = { says = "a CRL is at the last quarter of its life", namespace = local.namespace, metric = "CrlHoursLeft", dimensions = {}, statistic = "Minimum", period = 300, threshold = local.crl_hours / 4, periods = 3, below = true }
    CaWarning  = { says = "a CA or its RA wants a person, see ca.warning in the log of maintenance", namespace = local.namespace, metric = "CaWarning", dimensions = {}, statistic = "Sum", period = 86400, threshold = 1, periods = 1, below = false }
  }
  alarm_actions = var.alarm_topic_arn == null ? [] : [var.alarm_topic_arn]

  # CloudFront's requests are counted in us-east-1, where an alarm notifies topics of that region only.
  edge_alarm_topics  = [for arn in compact([var.edge_alarm_topic_arn, var.alarm_topic_arn]) : arn if split(":", arn)[3] == "us-east-1"]
  edge_alarm_actions = slice(local.edge_alarm_topics, 0, min(1, length(local.edge_alarm_topics)))
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each = local.log_filters

  name           = each.key
  log_group_name = local.log_names[each.value.from]
  pattern        = each.value.pattern

  metric_transformation {
    namespace = local.namespace
    name      = each.value.metric
    value     = each.value.value

    # Of a ratio; a metric costs for the hours in which it has a value.
    default_value = each.value.always ? "0" : null
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  # Without a reserved concurrency there are no four fifths of it, and without an API nothing that says 429.
  for_each = { for name, one in local.alarms : name => one if(name != "Busy" || var.reserved_concurrency != -1) && (name != "TooMany" || local.api) }

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
  treat_missing_data  = endswith(each.key, "Missing") ? "breaching" : "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
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
  ok_actions          = local.alarm_actions
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

# An index at its cap throttles the table's writes, and its metric has the name of the index. Reads of indexes are of
# upkeep, which has alarms of its own, and of lists for people: no device waits for one.
resource "aws_cloudwatch_metric_alarm" "table_throttled" {
  alarm_name          = "scepter-${var.deployment}-TableThrottled"
  alarm_description   = "Scepter ${var.deployment}: the table is at a cap, or a partition at its limit"
  threshold           = 10
  evaluation_periods  = 2
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
  tags                = local.tags

  metric_query {
    id          = "all"
    expression  = "SUM(METRICS())"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = concat([["table", "Read"], ["table", "Write"]], [for name in keys(local.indexes) : [name, "Write"]])

    content {
      id = "${metric_query.value[0]}${metric_query.value[1]}s"

      metric {
        namespace   = "AWS/DynamoDB"
        metric_name = "${metric_query.value[1]}ThrottleEvents"
        stat        = "Sum"
        period      = 300
        dimensions = merge(
          { TableName = local.table_name },
          metric_query.value[0] == "table" ? {} : { GlobalSecondaryIndexName = metric_query.value[0] },
        )
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "blocked" {
  count    = length(aws_wafv2_web_acl.this)
  provider = aws.us_east_1

  alarm_name          = "scepter-${var.deployment}-${local.region}-Blocked"
  alarm_description   = "Scepter ${var.deployment}: the web ACL refuses requests: a site behind one address, or a flood"
  namespace           = "AWS/WAFV2"
  metric_name         = "BlockedRequests"
  dimensions          = { WebACL = "scepter-${var.deployment}-${local.region}", Rule = "ALL" }
  statistic           = "Sum"
  period              = 300
  threshold           = 100
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.edge_alarm_actions
  ok_actions          = local.edge_alarm_actions
  tags                = local.tags
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "scepter-${var.deployment}-${local.region}"
  dashboard_body = jsonencode({
    widgets = [
      for i, graph in [
        { title = "Certificates and refusals", metrics = [[local.namespace, "Issued", { stat = "Sum" }], [local.namespace, "Refused", { stat = "Sum" }]] },
        { title = "Trouble", metrics = [[local.namespace, "Outages", { stat = "Sum" }], [local.namespace, "KmsTrouble", { stat = "Sum" }]] },
        { title = "Time of the SCEP function", metrics = [for stat in ["p50", "p95", "p99"] : ["AWS/Lambda", "Duration", "FunctionName", local.lambda.scep.FunctionName, { stat = stat }]] },
        { title = "Instances at once", metrics = [["AWS/Lambda", "ConcurrentExecutions", "FunctionName", local.lambda.scep.FunctionName, { stat = "Maximum" }], ["AWS/Lambda", "Throttles", "FunctionName", local.lambda.scep.FunctionName, { stat = "Sum" }]] },
        { title = "Errors of the functions", metrics = [for one in values(local.lambda) : ["AWS/Lambda", "Errors", "FunctionName", one.FunctionName, { stat = "Sum" }]] },
        { title = "Write units of the table", metrics = [["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", local.table_name, { stat = "Sum" }]] },
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
          metrics = graph.metrics
        }
      }
    ]
  })
}
