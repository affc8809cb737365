# How requests get to the functions. SCEP, CRLs and CA certificates must be public: what a device gets
# depends on what it proves. The admin function is never public, but for the page of decision links where
# that is asked for: its routes require a JWT, its URL requires
# AWS credentials, and without these settings it has neither routes nor a URL.

locals {
  # Without an API it is a load balancer or the SCEP function's own URL that devices are given.
  api          = contains(["cloudfront", "httpApi"], var.ingress)
  function_url = var.ingress == "functionUrl"

  # Behind CloudFront, devices use another name than the API's own, which it has where there is a zone for it.
  zone_id    = try(var.domain.zone_id, null)
  api_domain = !local.api || var.domain == null ? null : !local.cloudfront ? var.domain.name : local.zone_id == null ? null : "origin.${var.domain.name}"
  api_host = (
    local.api_domain != null ? local.api_domain :
    local.api ? trimprefix(aws_apigatewayv2_api.this[0].api_endpoint, "https://") :
    local.function_url ? trimsuffix(trimprefix(aws_lambda_function_url.scep[0].function_url, "https://"), "/") : null
  )

  public_host = (
    var.domain != null ? var.domain.name :
    local.cloudfront ? aws_cloudfront_distribution.this[0].domain_name : local.api_host
  )

  admin_type   = var.admin == null ? "none" : var.admin.type
  admin_routes = local.admin_type == "jwt" ? toset(["ANY /api/{proxy+}", "ANY /openapi.json", "ANY /log/{log}/tile/entries/{proxy+}"]) : toset([])
}

resource "aws_apigatewayv2_api" "this" {
  count = local.api ? 1 : 0

  name                         = "scepter-${var.deployment}"
  description                  = "Scepter ${var.deployment}: SCEP, CRLs and CA certificates"
  protocol_type                = "HTTP"
  ip_address_type              = "dualstack"
  disable_execute_api_endpoint = local.api_domain != null
  tags                         = local.tags
}

resource "aws_apigatewayv2_integration" "this" {
  for_each = !local.api ? toset([]) : toset(concat(["scep"], local.admin_type == "jwt" || var.decision_links ? ["admin"] : [], var.challenge_pages ? ["challenges"] : []))

  api_id                 = aws_apigatewayv2_api.this[0].id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.this[each.key].arn
  payload_format_version = "2.0"
}

# Devices write paths in any case, but routes are case-sensitive.
resource "aws_apigatewayv2_route" "default" {
  # checkov:skip=CKV_AWS_309: SCEP is public: what a device gets depends on what it proves.
  count = local.api ? 1 : 0

  api_id    = aws_apigatewayv2_api.this[0].id
  route_key = "$default"
  target    = "integrations/${aws_apigatewayv2_integration.this["scep"].id}"
}

resource "aws_apigatewayv2_authorizer" "operators" {
  count = local.admin_type == "jwt" ? 1 : 0

  api_id           = aws_apigatewayv2_api.this[0].id
  name             = "operators"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.admin.issuer
    audience = var.admin.audience
  }
}

resource "aws_apigatewayv2_route" "admin" {
  for_each = local.admin_routes

  api_id             = aws_apigatewayv2_api.this[0].id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.this["admin"].id}"
  authorization_type = "JWT"
  authorizer_id      = aws_apigatewayv2_authorizer.operators[0].id
}

resource "aws_apigatewayv2_route" "decide" {
  # checkov:skip=CKV_AWS_309: A decision link is its own authorization: what it lets decide is in it, under a MAC.
  count = var.decision_links ? 1 : 0

  api_id    = aws_apigatewayv2_api.this[0].id
  route_key = "ANY /decide"
  target    = "integrations/${aws_apigatewayv2_integration.this["admin"].id}"
}

# One spelling of each path: routes are case-sensitive. CloudFront makes it of all (distribution.tf).
resource "aws_apigatewayv2_route" "mdm" {
  # checkov:skip=CKV_AWS_309: MDMs have an account of the configuration, which the function asks for.
  for_each = var.challenge_pages ? toset(["/certsrv/mscep_admin", "/certsrv/{endpoint}/mscep_admin", "/hooks/jamf/{endpoint}"]) : toset([])

  api_id    = aws_apigatewayv2_api.this[0].id
  route_key = "ANY ${each.key}"
  target    = "integrations/${aws_apigatewayv2_integration.this["challenges"].id}"
}

resource "aws_lambda_permission" "api" {
  for_each = aws_apigatewayv2_integration.this

  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this[each.key].function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this[0].execution_arn}/*/*"
}

resource "aws_cloudwatch_log_group" "api" {
  count = local.api ? 1 : 0

  name              = "/scepter/${var.deployment}/api"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_group_key_arn
  skip_destroy      = true
  tags              = local.tags
}

resource "aws_apigatewayv2_stage" "this" {
  count = local.api ? 1 : 0

  api_id      = aws_apigatewayv2_api.this[0].id
  name        = "$default"
  auto_deploy = true
  tags        = local.tags

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api[0].arn

    # The query is not logged, because a GET has its whole message there.
    format = jsonencode({
      requestId = "$context.requestId"
      time      = "$context.requestTimeEpoch"
      ip        = "$context.identity.sourceIp"
      method    = "$context.httpMethod"
      path      = "$context.path"
      status    = "$context.status"
      octets    = "$context.responseLength"
      latency   = "$context.responseLatency"
      error     = "$context.integrationErrorMessage"
    })
  }

  default_route_settings {
    throttling_rate_limit  = var.requests_per_second
    throttling_burst_limit = 2 * var.requests_per_second
  }
}

# Only for requests signed with AWS credentials; IAM policies decide which principals may call it.
resource "aws_lambda_function_url" "admin" {
  count = local.admin_type == "iam" ? 1 : 0

  function_name      = aws_lambda_function.this["admin"].function_name
  authorization_type = "AWS_IAM"
}

# The SCEP function's own URL, for a first look: no web ACL, no domain. As public as SCEP is.
resource "aws_lambda_function_url" "scep" {
  # checkov:skip=CKV_AWS_258: SCEP is public: what a device gets depends on what it proves.
  count = local.function_url ? 1 : 0

  function_name      = aws_lambda_function.this["scep"].function_name
  authorization_type = "NONE"
}

# Since October 2025 a URL takes two permissions: one for the URL ...
resource "aws_lambda_permission" "url" {
  # checkov:skip=CKV_AWS_301: SCEP is public: what a device gets depends on what it proves.
  count = local.function_url ? 1 : 0

  action                 = "lambda:InvokeFunctionUrl"
  function_name          = aws_lambda_function.this["scep"].function_name
  principal              = "*"
  function_url_auth_type = "NONE"
}

# ... and one for the function, which has to say that it holds for calls through the URL only: without
# that, every AWS account could invoke the function, with any event. The provider has an argument for
# it in its later releases only, CloudFormation has it whatever the provider: so this one permission is
# a stack.
resource "aws_cloudformation_stack" "invoke_by_url" {
  # checkov:skip=CKV_AWS_124: Terraform waits for the stack and says what went wrong.
  count = local.function_url ? 1 : 0

  name = "scepter-${var.deployment}-invoke-by-url"
  tags = local.tags

  template_body = jsonencode({
    Description = "Scepter ${var.deployment}: lets the SCEP function be invoked through its URL"
    Resources = {
      InvokeByUrl = {
        Type = "AWS::Lambda::Permission"
        Properties = {
          Action                = "lambda:InvokeFunction"
          FunctionName          = aws_lambda_function.this["scep"].arn
          InvokedViaFunctionUrl = true
          Principal             = "*"
        }
      }
    }
  })

  lifecycle {
    # A replaced function has lost its permissions, which the stack would not notice.
    replace_triggered_by = [aws_lambda_function.this["scep"].id]
  }
}

# The domain's certificate, where none is given; for CloudFront it is of us-east-1.

resource "aws_acm_certificate" "cloudfront" {
  count    = local.cloudfront && var.domain != null && try(var.domain.certificate_arn, null) == null ? 1 : 0
  provider = aws.us_east_1

  domain_name       = var.domain.name
  validation_method = "DNS"
  tags              = local.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_acm_certificate" "api" {
  count = local.api_domain != null && (local.cloudfront || try(var.domain.certificate_arn, null) == null) ? 1 : 0

  domain_name       = local.api_domain
  validation_method = "DNS"
  tags              = local.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "cloudfront_validation" {
  count = length(aws_acm_certificate.cloudfront)

  zone_id = var.domain.zone_id
  name    = one(aws_acm_certificate.cloudfront[0].domain_validation_options).resource_record_name
  type    = one(aws_acm_certificate.cloudfront[0].domain_validation_options).resource_record_type
  records = [one(aws_acm_certificate.cloudfront[0].domain_validation_options).resource_record_value]
  ttl     = 300
}

resource "aws_route53_record" "api_validation" {
  count = length(aws_acm_certificate.api)

  zone_id = var.domain.zone_id
  name    = one(aws_acm_certificate.api[0].domain_validation_options).resource_record_name
  type    = one(aws_acm_certificate.api[0].domain_validation_options).resource_record_type
  records = [one(aws_acm_certificate.api[0].domain_validation_options).resource_record_value]
  ttl     = 300
}

resource "aws_acm_certificate_validation" "cloudfront" {
  count    = length(aws_acm_certificate.cloudfront)
  provider = aws.us_east_1

  certificate_arn         = aws_acm_certificate.cloudfront[0].arn
  validation_record_fqdns = aws_route53_record.cloudfront_validation[*].fqdn
}

resource "aws_acm_certificate_validation" "api" {
  count = length(aws_acm_certificate.api)

  certificate_arn         = aws_acm_certificate.api[0].arn
  validation_record_fqdns = aws_route53_record.api_validation[*].fqdn
}

resource "aws_apigatewayv2_domain_name" "this" {
  count = local.api_domain == null ? 0 : 1

  domain_name = local.api_domain
  tags        = local.tags

  domain_name_configuration {
    certificate_arn = length(aws_acm_certificate.api) == 0 ? var.domain.certificate_arn : aws_acm_certificate_validation.api[0].certificate_arn
    endpoint_type   = "REGIONAL"
    ip_address_type = "dualstack"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "this" {
  count = length(aws_apigatewayv2_domain_name.this)

  api_id      = aws_apigatewayv2_api.this[0].id
  domain_name = aws_apigatewayv2_domain_name.this[0].id
  stage       = aws_apigatewayv2_stage.this[0].id
}

# Records A and AAAA, for devices with IPv4 and with IPv6.

resource "aws_route53_record" "api" {
  for_each = local.api && local.zone_id != null ? toset(["A", "AAAA"]) : toset([])

  zone_id = var.domain.zone_id
  name    = local.api_domain
  type    = each.key

  alias {
    name                   = aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].target_domain_name
    zone_id                = aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].hosted_zone_id
    evaluate_target_health = false
  }
}

resource "aws_route53_record" "cloudfront" {
  for_each = local.cloudfront && local.zone_id != null ? toset(["A", "AAAA"]) : toset([])

  zone_id = var.domain.zone_id
  name    = var.domain.name
  type    = each.key

  alias {
    name                   = aws_cloudfront_distribution.this[0].domain_name
    zone_id                = aws_cloudfront_distribution.this[0].hosted_zone_id
    evaluate_target_health = false
  }
}
