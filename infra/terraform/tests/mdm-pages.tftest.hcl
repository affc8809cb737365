# Challenges for MDMs, planned with providers that are not there: their function, its way in, and what it may.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-central-1" }
  }
}

mock_provider "aws" {
  alias = "us_east_1"
}

variables {
  config         = "{\"scepter\":\"test\",\"sha256\":\"4e5ccfd3ad6ea464b72d701b34e6a13ae4210b99fac3364bbbd9f8a72b6bc847\",\"document\":{\"publicUrl\":\"https://scep.example.com\",\"cas\":{\"office\":{\"subject\":\"CN=Office\"}},\"endpoints\":{\"default\":{\"ca\":\"office\",\"ndes\":{\"accounts\":[{\"user\":\"mdm\",\"password\":\"env:PAGE\",\"subject\":{\"CN\":\"device-*\"}}]}},\"macs\":{\"ca\":\"office\",\"jamf\":{\"header\":\"X-Key\",\"value\":\"env:HOOK\",\"subject\":{\"CN\":\"{serialNumber}\"}}}},\"validators\":{\"intune\":{\"kind\":\"intune\",\"tenant\":\"contoso.example\",\"clientId\":\"app\",\"clientSecret\":\"env:INTUNE\"},\"hook\":{\"kind\":\"webhook\",\"url\":\"https://hooks.example.com/scep\",\"secret\":\"env:KEY\",\"basic\":{\"user\":\"scepter\",\"password\":\"env:PASSWORD\"}}}}}"
  lambda_package = "tests/packages"

  challenge_pages = true

  origin_secret_arns = ["arn:aws:secretsmanager:eu-central-1:111122223333:secret:origin-AbCdEf"]

  secrets = {
    PAGE = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:page-AbCdEf"
    HOOK = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:hook-AbCdEf"
    MORE = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:more-AbCdEf"

    # Of validators outside.
    INTUNE   = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:intune-AbCdEf"
    KEY      = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:key-AbCdEf"
    PASSWORD = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:password-AbCdEf"
  }

  # Of the oldest provider, which these tests must run with.
  runtime = "nodejs22.x"
}

run "behind_cloudfront" {
  command = plan

  assert {
    condition     = aws_lambda_function.this["challenges"].reserved_concurrent_executions == 5 && aws_lambda_function.this["challenges"].timeout == 15
    error_message = "challenges must be made by a function of their own"
  }

  assert {
    condition     = toset([for one in aws_apigatewayv2_route.mdm : one.route_key]) == toset(["ANY /certsrv/mscep_admin", "ANY /certsrv/{endpoint}/mscep_admin", "ANY /hooks/jamf/{endpoint}"])
    error_message = "the API must have a route for each page and hook"
  }

  assert {
    condition     = [for one in aws_cloudfront_distribution.this[0].ordered_cache_behavior : [one.viewer_protocol_policy, one(one.function_association).event_type] if one.path_pattern == "/?ert?rv/*mscep_admin*"] == [["https-only", "viewer-request"]]
    error_message = "CloudFront must ask for credentials at the page, and answer https only"
  }

  assert {
    condition     = length([for one in aws_cloudfront_distribution.this[0].ordered_cache_behavior : one if length(one.function_association) > 0]) == 1
    error_message = "CloudFront must have no function elsewhere"
  }

  assert {
    condition     = [for name in keys(aws_lambda_function.this["challenges"].environment[0].variables) : name if !startswith(name, "SCEPTER_") || name == "SCEPTER_ORIGIN_SECRETS"] == ["HOOK", "NODE_OPTIONS", "PAGE", "SCEPTER_ORIGIN_SECRETS"]
    error_message = "the function must have the secrets of pages and hooks, and no other"
  }

  assert {
    condition     = [for name in keys(aws_lambda_function.this["scep"].environment[0].variables) : name if !startswith(name, "SCEPTER_") || name == "SCEPTER_ORIGIN_SECRETS"] == ["INTUNE", "KEY", "MORE", "NODE_OPTIONS", "PASSWORD", "SCEPTER_ORIGIN_SECRETS"]
    error_message = "the SCEP function must not have those"
  }

  assert {
    condition     = [for name in keys(aws_lambda_function.this["maintenance"].environment[0].variables) : name if !startswith(name, "SCEPTER_") || name == "SCEPTER_ORIGIN_SECRETS"] == ["INTUNE", "KEY", "NODE_OPTIONS", "PASSWORD"]
    error_message = "maintenance must have the secrets of validators, and no other"
  }

  assert {
    condition     = length(jsondecode(aws_iam_role_policy.secrets["maintenance"].policy).Statement[0].Resource) == 3
    error_message = "the role of maintenance must read what its environment names"
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.secrets["challenges"].policy).Statement[0].Resource == [
      "arn:aws:secretsmanager:eu-central-1:111122223333:secret:hook-AbCdEf",
      "arn:aws:secretsmanager:eu-central-1:111122223333:secret:page-AbCdEf",
      "arn:aws:secretsmanager:eu-central-1:111122223333:secret:origin-AbCdEf",
    ]
    error_message = "the function's role must read what its environment names"
  }
}

run "at_an_http_api" {
  command = plan

  variables {
    ingress            = "httpApi"
    origin_secret_arns = []
  }

  assert {
    condition     = length(aws_apigatewayv2_route.mdm) == 3 && length(aws_cloudfront_function.mdm_pages) == 0
    error_message = "the API alone must have the same routes"
  }
}
