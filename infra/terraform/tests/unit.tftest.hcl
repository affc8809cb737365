# The module planned with providers that are not there: what it makes. Policies are
# compared with the CDK construct's by test/infra.

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
  config         = "{\"scepter\":\"test\",\"sha256\":\"9629c1d6faf385f356ec5924f583d77b504df24884aaff3e886117233fe1c22b\",\"document\":{\"publicUrl\":\"https://scep.example.com\",\"cas\":{\"office\":{\"subject\":\"CN=Office\"},\"plant\":{\"subject\":\"CN=Plant\",\"key\":\"ec:P-384\"}},\"endpoints\":{\"default\":{\"ca\":\"office\"}}}}"
  lambda_package = "tests/packages"

  origin_secret_arns = ["arn:aws:secretsmanager:eu-central-1:111122223333:secret:origin-AbCdEf"]

  # Of the oldest provider, which these tests must run with.
  runtime = "nodejs22.x"
}

run "defaults" {
  command = plan

  assert {
    condition     = aws_kms_key.ca["office"].customer_master_key_spec == "RSA_3072" && aws_kms_key.ca["plant"].customer_master_key_spec == "ECC_NIST_P384"
    error_message = "a CA's key must be of the kind that the configuration says, and RSA-3072 where it says nothing"
  }

  assert {
    condition     = length(aws_backup_vault.this) == 0
    error_message = "nothing must be backed up twice without being asked for"
  }

  assert {
    condition     = aws_dynamodb_table.this[0].deletion_protection_enabled && aws_dynamodb_table.this[0].point_in_time_recovery[0].enabled
    error_message = "the table must be protected from deletion and recoverable"
  }

  assert {
    condition     = aws_dynamodb_table.this[0].on_demand_throughput[0].max_write_request_units == 1000 && aws_dynamodb_table.this[0].on_demand_throughput[0].max_read_request_units == 4000
    error_message = "the table must have a cap of writes and one of reads"
  }

  assert {
    condition     = aws_dynamodb_table.this[0].stream_enabled && aws_dynamodb_table.this[0].stream_view_type == "KEYS_ONLY"
    error_message = "the sequencer of the logs must have a stream to follow"
  }

  assert {
    condition     = aws_s3_bucket.logs.object_lock_enabled && aws_s3_bucket_object_lock_configuration.logs.rule[0].default_retention[0].mode == "GOVERNANCE" && aws_s3_bucket_object_lock_configuration.logs.rule[0].default_retention[0].days == 400
    error_message = "the bucket of the logs must lock what it is given for 400 days"
  }

  assert {
    condition     = length(aws_lambda_function_url.admin) == 0 && length(aws_apigatewayv2_route.admin) == 0 && length(aws_apigatewayv2_route.decide) == 0
    error_message = "the admin function must have no URL"
  }

  assert {
    condition     = alltrue([for one in aws_lambda_function.this : one.reserved_concurrent_executions > 0 && one.tracing_config[0].mode == "Active" && one.logging_config[0].log_format == "JSON"])
    error_message = "every function must have a limit, traces and a JSON log"
  }

  assert {
    condition     = aws_lambda_function.this["scep"].environment[0].variables.SCEPTER_ORIGIN_SECRETS == "secretsmanager:arn:aws:secretsmanager:eu-central-1:111122223333:secret:origin-AbCdEf" && !contains(keys(aws_lambda_function.this["admin"].environment[0].variables), "SCEPTER_ORIGIN_SECRETS")
    error_message = "the SCEP function must know CloudFront's secret, and no other"
  }

  assert {
    condition     = jsondecode(aws_s3_object.config.content).trustedProxies == 1
    error_message = "behind CloudFront one proxy must be believed"
  }

  assert {
    condition     = aws_s3_object.config.key == "config/${sha256(aws_s3_object.config.content)}.json"
    error_message = "the configuration must be named by its SHA-256"
  }

  assert {
    condition = alltrue(concat(
      [for one in aws_cloudfront_distribution.this[0].default_cache_behavior : one.viewer_protocol_policy == "https-only"],
      [for one in aws_cloudfront_distribution.this[0].ordered_cache_behavior : one.viewer_protocol_policy == "https-only"],
    ))
    error_message = "CloudFront must answer https only"
  }

  assert {
    condition     = one(one(one(aws_wafv2_web_acl.this[0].rule).statement).rate_based_statement).limit == 10000
    error_message = "the web ACL must have the rate rule"
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 21 && aws_cloudwatch_metric_alarm.this["UpkeepMissing"].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.this["CrlOld"].threshold == 60
    error_message = "there must be twenty-one alarms of one metric, one must miss upkeep, and one must come with the last quarter of a CRL"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["Busy"].threshold == 40 && aws_cloudwatch_metric_alarm.this["ServerErrors"].namespace == "AWS/ApiGateway"
    error_message = "one alarm must come with four fifths of the instances, and one with what the API answers"
  }

  assert {
    condition     = length(aws_lambda_function_url.scep) + length(aws_lambda_permission.url) + length(aws_cloudformation_stack.invoke_by_url) == 0
    error_message = "behind CloudFront the SCEP function must have no URL of its own"
  }
}

run "plain_http_where_it_is_asked_for" {
  command = plan

  variables {
    plain_http = true
  }

  assert {
    condition     = one(aws_cloudfront_distribution.this[0].default_cache_behavior).viewer_protocol_policy == "https-only"
    error_message = "what is not SCEP, a CRL or a CA certificate must stay https only"
  }

  assert {
    condition     = toset([for one in aws_cloudfront_distribution.this[0].ordered_cache_behavior : one.path_pattern if one.viewer_protocol_policy == "allow-all"]) == toset(["/scep*", "/cgi-bin/pkiclient.exe", "/certsrv/mscep/*", "/crl/*", "/aia/*"])
    error_message = "plain http must be for SCEP, CRLs and CA certificates"
  }
}

run "domain" {
  command = plan

  variables {
    domain = { name = "scep.example.com", zone_id = "Z0123456789" }
    admin  = { type = "jwt", issuer = "https://login.example.com", audience = ["scepter"] }
  }

  # The provider would say what to put into the zone, and which certificate it is.
  override_resource {
    target          = aws_acm_certificate.cloudfront
    override_during = plan
    values = {
      arn                       = "arn:aws:acm:us-east-1:111122223333:certificate/1"
      domain_validation_options = [{ domain_name = "scep.example.com", resource_record_name = "_a", resource_record_type = "CNAME", resource_record_value = "_b" }]
    }
  }
  override_resource {
    target          = aws_acm_certificate.api
    override_during = plan
    values = {
      arn                       = "arn:aws:acm:eu-central-1:111122223333:certificate/2"
      domain_validation_options = [{ domain_name = "origin.scep.example.com", resource_record_name = "_c", resource_record_type = "CNAME", resource_record_value = "_d" }]
    }
  }
  override_resource {
    target          = aws_acm_certificate_validation.cloudfront
    override_during = plan
    values          = { certificate_arn = "arn:aws:acm:us-east-1:111122223333:certificate/1" }
  }
  override_resource {
    target          = aws_acm_certificate_validation.api
    override_during = plan
    values          = { certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/2" }
  }

  assert {
    condition     = aws_apigatewayv2_api.this[0].disable_execute_api_endpoint && aws_apigatewayv2_domain_name.this[0].domain_name == "origin.scep.example.com"
    error_message = "with a domain the API's own address must be closed"
  }

  assert {
    condition     = one(aws_cloudfront_distribution.this[0].viewer_certificate).minimum_protocol_version == "TLSv1.2_2021"
    error_message = "with a domain TLS must be 1.2 or later"
  }

  assert {
    condition     = length(aws_apigatewayv2_route.admin) == 3 && alltrue([for one in aws_apigatewayv2_route.admin : one.authorization_type == "JWT"])
    error_message = "routes of the admin API must want a JWT"
  }

  assert {
    condition     = output.scep_url == "https://scep.example.com/scep"
    error_message = "devices must be given the domain"
  }
}

run "http_api_and_signed_admin_url" {
  command = plan

  variables {
    ingress            = "httpApi"
    origin_secret_arns = []
    decision_links     = true
    admin              = { type = "iam" }
  }

  assert {
    condition     = length(aws_cloudfront_distribution.this) == 0 && length(aws_wafv2_web_acl.this) == 0 && length(aws_s3_bucket.access_logs) == 0
    error_message = "there must be no CloudFront"
  }

  assert {
    condition     = aws_apigatewayv2_route.decide[0].route_key == "ANY /decide" && length(aws_apigatewayv2_route.admin) == 0
    error_message = "decision links must open one route, and no other of the admin function"
  }

  assert {
    condition     = aws_lambda_function_url.admin[0].authorization_type == "AWS_IAM"
    error_message = "the admin URL must want AWS credentials"
  }

  assert {
    condition     = jsondecode(aws_s3_object.config.content).trustedProxies == 0
    error_message = "without CloudFront no proxy must be believed"
  }
}

run "function_url" {
  command = plan

  variables {
    ingress              = "functionUrl"
    origin_secret_arns   = []
    reserved_concurrency = -1
  }

  override_resource {
    target          = aws_lambda_function.this
    override_during = plan
    values          = { arn = "arn:aws:lambda:eu-central-1:111122223333:function:scepter-scepter-scep", id = "scepter-scepter-scep" }
  }
  override_resource {
    target          = aws_lambda_function_url.scep
    override_during = plan
    values          = { function_url = "https://abc.lambda-url.eu-central-1.on.aws/" }
  }

  assert {
    condition     = length(aws_apigatewayv2_api.this) + length(aws_apigatewayv2_route.default) + length(aws_apigatewayv2_stage.this) + length(aws_lambda_permission.api) + length(aws_cloudwatch_log_group.api) + length(aws_cloudfront_distribution.this) == 0
    error_message = "there must be no API and no CloudFront"
  }

  assert {
    condition     = aws_lambda_function_url.scep[0].authorization_type == "NONE" && length(aws_lambda_function_url.admin) == 0
    error_message = "the SCEP function must have a public URL, and the admin function none"
  }

  assert {
    condition     = aws_lambda_permission.url[0].action == "lambda:InvokeFunctionUrl" && aws_lambda_permission.url[0].function_url_auth_type == "NONE"
    error_message = "everybody may use the URL, and with that permission nothing else"
  }

  assert {
    condition = jsondecode(aws_cloudformation_stack.invoke_by_url[0].template_body).Resources == {
      InvokeByUrl = {
        Type = "AWS::Lambda::Permission"
        Properties = {
          Action                = "lambda:InvokeFunction"
          FunctionName          = "arn:aws:lambda:eu-central-1:111122223333:function:scepter-scepter-scep"
          InvokedViaFunctionUrl = true
          Principal             = "*"
        }
      }
    }
    error_message = "everybody may invoke the function through its URL only"
  }

  assert {
    condition     = jsondecode(output.mint_challenges_policy).Statement == [{ Effect = "Allow", Action = "lambda:InvokeFunction", Resource = ["arn:aws:lambda:eu-central-1:111122223333:function:scepter-scepter-scep"], Condition = {} }]
    error_message = "who is to make challenges must be able to invoke the admin function, and nothing else"
  }

  assert {
    condition     = output.scep_url == "https://abc.lambda-url.eu-central-1.on.aws/scep"
    error_message = "devices must be given the function's URL"
  }

  assert {
    condition     = jsondecode(aws_s3_object.config.content).trustedProxies == 0 && !contains(keys(aws_lambda_function.this["scep"].environment[0].variables), "SCEPTER_ORIGIN_SECRETS")
    error_message = "without CloudFront no proxy must be believed, and no secret be asked for"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["ServerErrors"].metric_name == "Url5xxCount" && !contains(keys(aws_cloudwatch_metric_alarm.this), "Busy")
    error_message = "what the URL answers must be watched, and no share of instances that are not reserved"
  }
}

run "null_is_the_default" {
  command = plan

  variables {
    ingress                 = null
    deployment              = null
    reserved_concurrency    = null
    log_retention_days      = null
    max_write_request_units = null
    max_read_request_units  = null
  }

  assert {
    condition     = length(aws_cloudfront_distribution.this) == 1 && aws_lambda_function.this["scep"].reserved_concurrent_executions == 50 && aws_cloudwatch_log_group.function["scep"].retention_in_days == 365
    error_message = "a variable that is null must be as if it were not there"
  }
}

run "names_of_every_length" {
  command = plan

  variables {
    config     = "{\"scepter\":\"test\",\"sha256\":\"e538ee44df17bbb3ff7038f2bb4c3ecb676a68ae4566dba3732e53f0ce0cf693\",\"document\":{\"publicUrl\":\"http://crl.example.com\",\"cas\":{\"office\":{}},\"endpoints\":{\"default\":{\"ca\":\"office\"}}}}"
    deployment = "a2345678901234567890123456789012"
  }

  assert {
    condition     = length(aws_s3_bucket.access_logs[0].bucket_prefix) == 37 && length(aws_iam_role.function["maintenance"].name) <= 64
    error_message = "AWS must take the names that the longest name of a deployment makes"
  }

  assert {
    condition     = length(aws_s3_bucket.configs.bucket_prefix) == 37
    error_message = "AWS must take the name of the bucket of configurations, too"
  }
}

run "what_exists" {
  command = plan

  variables {
    table_name       = "records"
    table_stream_arn = "arn:aws:dynamodb:eu-central-1:111122223333:table/records/stream/2026-11-30T00:00:00.000"
    ca_key_arns      = { office = "arn:aws:kms:eu-central-1:111122223333:key/office", plant = "arn:aws:kms:eu-central-1:111122223333:key/plant" }
    sealing_key_arn  = "arn:aws:kms:eu-central-1:111122223333:key/sealing"
    log_key_arn      = "arn:aws:kms:eu-central-1:111122223333:key/log"
  }

  assert {
    condition     = length(aws_dynamodb_table.this) + length(aws_kms_key.ca) + length(aws_kms_key.sealing) + length(aws_kms_key.log) == 0
    error_message = "what exists must not be made"
  }

  assert {
    condition     = aws_lambda_function.this["scep"].environment[0].variables.SCEPTER_TABLE == "records" && aws_lambda_function.this["scep"].environment[0].variables.SCEPTER_SEALING_KEY == "arn:aws:kms:eu-central-1:111122223333:key/sealing"
    error_message = "what exists must be used"
  }

  assert {
    condition = jsondecode(output.read_log_policy).Statement == [
      { Effect = "Allow", Action = "dynamodb:BatchGetItem", Resource = ["arn:aws:dynamodb:eu-central-1:111122223333:table/records"], Condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["event#*"] }, Null = { "dynamodb:LeadingKeys" = "false" } } },
      { Effect = "Allow", Action = "dynamodb:Query", Resource = ["arn:aws:dynamodb:eu-central-1:111122223333:table/records/index/places"], Condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["events#*"] }, Null = { "dynamodb:LeadingKeys" = "false" } } },
    ]
    error_message = "who reads the log must be able to read its events, and no other record"
  }
}

run "a_key_of_the_table" {
  command = plan

  # Its name and ARN would be the provider's to say.
  override_resource {
    target          = aws_dynamodb_table.this
    override_during = plan
    values          = { arn = "arn:aws:dynamodb:eu-central-1:111122223333:table/scepter-scepter" }
  }

  variables {
    table_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/table"
  }

  assert {
    condition     = aws_dynamodb_table.this[0].server_side_encryption[0].kms_key_arn == "arn:aws:kms:eu-central-1:111122223333:key/table"
    error_message = "the table must be encrypted with the key"
  }

  assert {
    condition     = toset(keys(aws_iam_role_policy.table_key)) == toset(["scep", "admin", "maintenance", "sequencer", "operator"]) && alltrue([for one in aws_iam_role_policy.table_key : jsondecode(one.policy).Statement[0].Resource == ["arn:aws:kms:eu-central-1:111122223333:key/table"]])
    error_message = "who uses the table must be able to use its key"
  }

  assert {
    condition     = alltrue([for one in aws_iam_role_policy.table_key : jsondecode(one.policy).Statement[0].Condition.StringEquals["kms:ViaService"] == "dynamodb.eu-central-1.amazonaws.com"])
    error_message = "the key must be usable through DynamoDB only"
  }

  assert {
    condition     = jsondecode(output.read_log_policy).Statement[2] == { Effect = "Allow", Action = "kms:Decrypt", Resource = ["arn:aws:kms:eu-central-1:111122223333:key/table"], Condition = { StringEquals = { "kms:ViaService" = "dynamodb.eu-central-1.amazonaws.com" } } }
    error_message = "who reads the log must be able to use the table's key"
  }
}

# As the command line stamps it: Terraform's own JSON has escapes where others have none.
run "takes_what_the_command_line_stamped" {
  command = plan

  variables {
    config = "{\"scepter\":\"test\",\"sha256\":\"2c45360b752e943422da1f3a56d96bdd9df1bdbc6e30fe6f06749dc33f6cd51a\",\"document\":{\"publicUrl\":\"https://scep.example.com\",\"cas\":{\"office\":{\"subject\":\"CN=R&D \\\\<Büro\\\\>,O=Beispiel\"}},\"endpoints\":{\"default\":{\"ca\":\"office\"}}}}"
  }

  assert {
    condition     = jsondecode(aws_s3_object.config.content).cas.office.subject == "CN=R&D \\<Büro\\>,O=Beispiel"
    error_message = "the configuration must be the document that was stamped"
  }
}

run "backup" {
  command = plan

  variables {
    permissions_boundary_arn = "arn:aws:iam::111122223333:policy/bounds"
    backup = {
      lock                     = true
      lock_changeable_for_days = 7
      copy_to_vault_arn        = "arn:aws:backup:eu-west-1:111122223333:backup-vault:scepter-copies"
    }
  }

  assert {
    condition     = one(aws_backup_plan.this[0].rule).lifecycle[0].delete_after == 35 && one(one(aws_backup_plan.this[0].rule).copy_action).lifecycle[0].delete_after == 35
    error_message = "a backup and its copy must be kept for 35 days"
  }

  assert {
    condition     = one(one(aws_backup_plan.this[0].rule).copy_action).destination_vault_arn == "arn:aws:backup:eu-west-1:111122223333:backup-vault:scepter-copies"
    error_message = "each backup must be copied to the vault that was named"
  }

  assert {
    condition     = aws_backup_vault_lock_configuration.this[0].min_retention_days == 35 && aws_backup_vault_lock_configuration.this[0].changeable_for_days == 7
    error_message = "the vault must be locked for as long as backups are kept, and the lock end to be changeable"
  }

  assert {
    condition     = aws_iam_role.backup[0].permissions_boundary == "arn:aws:iam::111122223333:policy/bounds" && length(aws_iam_role_policy_attachment.backup) == 2
    error_message = "AWS Backup must have a role for both ways, which is bounded like the others"
  }
}

run "keys_trust_role_names" {
  command = plan

  variables {
    keys_trust_role_names = true
    break_glass_role_arn  = "arn:aws:iam::111122223333:role/break-glass"
  }

  assert {
    condition = alltrue([
      for key in concat(values(aws_kms_key.ca), aws_kms_key.sealing, aws_kms_key.log) : alltrue([
        for one in jsondecode(key.policy).Statement :
        one.Sid == "Administer" || one.Effect == "Deny" || try(jsonencode(one.Principal) == jsonencode({ AWS = ["arn:aws:iam::111122223333:root"] }) && startswith(one.Condition.ArnEquals["aws:PrincipalArn"][0], "arn:aws:iam::111122223333:role/scepter-scepter-eu-central-1-"), false)
      ])
    ])
    error_message = "whoever uses a key must be known by the name of his role alone"
  }

  assert {
    condition     = one([for one in jsondecode(aws_kms_key.ca["plant"].policy).Statement : one if one.Sid == "SignDigests"]).Condition.StringEquals["kms:SigningAlgorithm"] == "ECDSA_SHA_384"
    error_message = "the other conditions must stay"
  }
}
