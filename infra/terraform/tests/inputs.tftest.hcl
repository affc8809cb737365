# What a platform team says about a deployment: its network, roles, packages, keys and names.

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
  config             = "{\"scepter\":\"test\",\"sha256\":\"9629c1d6faf385f356ec5924f583d77b504df24884aaff3e886117233fe1c22b\",\"document\":{\"publicUrl\":\"https://scep.example.com\",\"cas\":{\"office\":{\"subject\":\"CN=Office\"},\"plant\":{\"subject\":\"CN=Plant\",\"key\":\"ec:P-384\"}},\"endpoints\":{\"default\":{\"ca\":\"office\"}}}}"
  lambda_package     = "tests/packages"
  origin_secret_arns = ["arn:aws:secretsmanager:eu-central-1:111122223333:secret:origin-AbCdEf"]
  runtime            = "nodejs22.x"
}

run "functions" {
  command = plan

  variables {
    function_settings   = { scep = { memory_mb = 1024 }, maintenance = { timeout_s = 600 } }
    log_lock            = { mode = "COMPLIANCE", days = 800 }
    environment_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/environment"
    vpc                 = { subnet_ids = ["subnet-0a", "subnet-0b"], security_group_ids = ["sg-0a"] }
  }

  assert {
    condition     = { for name, one in aws_lambda_function.this : name => [one.memory_size, one.timeout] } == { scep = [1024, 15], admin = [512, 29], maintenance = [512, 600], sequencer = [512, 300] }
    error_message = "a function must have the memory and time that was said, and its own where nothing was"
  }

  assert {
    condition     = alltrue([for one in aws_lambda_function.this : one.vpc_config[0].subnet_ids == toset(["subnet-0a", "subnet-0b"]) && one.vpc_config[0].security_group_ids == toset(["sg-0a"]) && one.kms_key_arn == "arn:aws:kms:eu-central-1:111122223333:key/environment"])
    error_message = "every function must run in the VPC, its environment encrypted with the key"
  }

  assert {
    condition     = toset(keys(aws_iam_role_policy.vpc)) == toset(["scep", "admin", "maintenance", "sequencer"]) && alltrue([for one in aws_iam_role_policy.environment_key : jsondecode(one.policy).Statement[0].Resource == "arn:aws:kms:eu-central-1:111122223333:key/environment"])
    error_message = "the functions' roles must be allowed what a VPC and the key take"
  }

  assert {
    condition     = aws_s3_bucket_object_lock_configuration.logs.rule[0].default_retention[0].mode == "COMPLIANCE" && aws_s3_bucket_object_lock_configuration.logs.rule[0].default_retention[0].days == 800
    error_message = "the bucket of the logs must lock what it is given as it was said"
  }
}

run "roles" {
  command = plan

  variables {
    permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"
    role_path                = "/scep/"
  }

  assert {
    condition     = alltrue([for one in concat(values(aws_iam_role.function), [aws_iam_role.operator]) : one.permissions_boundary == "arn:aws:iam::111122223333:policy/boundary" && one.path == "/scep/"])
    error_message = "every role must be bounded, and under the path"
  }

  assert {
    condition     = aws_iam_role.operator.name == "scepter-scepter-eu-central-1-operator" && aws_wafv2_web_acl.this[0].name == "scepter-scepter-eu-central-1"
    error_message = "what has a name in the whole account must have the Region in it"
  }
}

run "packages_in_a_bucket" {
  command = plan

  variables {
    lambda_package          = "tests/nowhere"
    package_bucket          = "releases"
    package_prefix          = "scepter/"
    code_signing_config_arn = "arn:aws:lambda:eu-central-1:111122223333:code-signing-config:csc-0123456789abcdef0"
  }

  assert {
    condition     = aws_lambda_function.this["scep"].s3_bucket == "releases" && aws_lambda_function.this["scep"].s3_key == "scepter/scepter-scep-lambda-test.zip" && aws_lambda_function.this["scep"].filename == null
    error_message = "the package must be the bucket's, of the release that found the configuration valid"
  }

  assert {
    condition     = alltrue([for one in aws_lambda_function.this : endswith(one.code_signing_config_arn, ":csc-0123456789abcdef0")])
    error_message = "code must be signed"
  }
}

run "a_zone_elsewhere" {
  command = plan

  variables {
    domain      = { name = "scep.example.com", certificate_arn = "arn:aws:acm:us-east-1:111122223333:certificate/0" }
    web_acl_arn = "arn:aws:wafv2:us-east-1:111122223333:global/webacl/ours/0"
  }

  assert {
    condition     = length(aws_acm_certificate.cloudfront) + length(aws_acm_certificate.api) + length(aws_apigatewayv2_domain_name.this) + length(aws_route53_record.cloudfront) + length(aws_route53_record.api) == 0
    error_message = "without a zone there must be neither records nor certificates, nor a name of the API's own"
  }

  assert {
    condition     = aws_cloudfront_distribution.this[0].viewer_certificate[0].acm_certificate_arn == "arn:aws:acm:us-east-1:111122223333:certificate/0" && aws_cloudfront_distribution.this[0].aliases == toset(["scep.example.com"])
    error_message = "CloudFront must have the name and its certificate"
  }

  assert {
    condition     = length(aws_wafv2_web_acl.this) == 0 && aws_cloudfront_distribution.this[0].web_acl_id == "arn:aws:wafv2:us-east-1:111122223333:global/webacl/ours/0"
    error_message = "the web ACL that is given must be the only one"
  }

  assert {
    condition     = !aws_apigatewayv2_api.this[0].disable_execute_api_endpoint && output.scep_url == "https://scep.example.com/scep"
    error_message = "CloudFront must reach the API at its own address"
  }
}

run "files_of_cloudfront" {
  command = plan

  assert {
    condition     = length(aws_cloudfront_distribution.files) == 1 && length(aws_cloudfront_distribution.files[0].aliases) == 0 && aws_cloudfront_distribution.files[0].viewer_certificate[0].cloudfront_default_certificate && output.files_dns_target == null
    error_message = "with CloudFront the files must have a distribution of their own, under a name of CloudFront's"
  }

  assert {
    condition     = aws_cloudfront_distribution.files[0].default_cache_behavior[0].viewer_protocol_policy == "allow-all" && length(aws_cloudfront_distribution.files[0].logging_config) == 0
    error_message = "files must be served by http, too, and without a log"
  }
}

run "files_at_a_name" {
  command = plan

  variables {
    ingress            = "httpApi"
    origin_secret_arns = []
    files              = { domain = { name = "pki.example.com", certificate_arn = "arn:aws:acm:us-east-1:111122223333:certificate/0" } }
  }

  assert {
    condition     = aws_cloudfront_distribution.files[0].aliases == toset(["pki.example.com"]) && aws_cloudfront_distribution.files[0].viewer_certificate[0].acm_certificate_arn == "arn:aws:acm:us-east-1:111122223333:certificate/0" && output.files_url == "http://pki.example.com"
    error_message = "files must be at the name, with its certificate"
  }

  assert {
    condition     = length(aws_cloudfront_distribution.this) + length(aws_acm_certificate.files) + length(aws_route53_record.files) == 0
    error_message = "neither another distribution nor a certificate nor records may be made"
  }
}

run "files_in_a_zone" {
  command = plan

  override_resource {
    target          = aws_acm_certificate.files
    override_during = plan
    values = {
      arn                       = "arn:aws:acm:us-east-1:111122223333:certificate/files"
      domain_validation_options = [{ domain_name = "pki.example.com", resource_record_name = "_x.pki.example.com", resource_record_type = "CNAME", resource_record_value = "_y.acm-validations.aws" }]
    }
  }

  variables {
    ingress            = "functionUrl"
    origin_secret_arns = []
    files              = { domain = { name = "pki.example.com", zone_id = "Z0123456789" } }
  }

  assert {
    condition     = toset(keys(aws_route53_record.files)) == toset(["A", "AAAA"]) && aws_route53_record.files_validation[0].name == "_x.pki.example.com" && aws_cloudfront_distribution.files[0].viewer_certificate[0].minimum_protocol_version == "TLSv1.2_2021"
    error_message = "a name in a zone must have records, and a certificate that is validated there"
  }
}

run "no_files_unasked" {
  command = plan

  variables {
    ingress            = "httpApi"
    origin_secret_arns = []
  }

  assert {
    condition     = length(aws_cloudfront_distribution.files) == 0 && output.files_url == null
    error_message = "without CloudFront there must be none unless it is asked for"
  }
}

run "own_certificate_of_an_api" {
  command = plan

  variables {
    ingress            = "httpApi"
    origin_secret_arns = []
    domain             = { name = "scep.example.com", certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/0" }
  }

  assert {
    condition     = length(aws_acm_certificate.api) + length(aws_route53_record.api) == 0 && aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].certificate_arn == "arn:aws:acm:eu-central-1:111122223333:certificate/0"
    error_message = "the API must have the certificate that is given, and no record"
  }
}
