# What the variables refuse. These runs want variables.tf alone and no provider: ours make them with nothing else.

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

run "refuses_config" {
  command = plan

  variables {
    config = "{}"
  }

  expect_failures = [var.config]
}

run "refuses_config_2" {
  command = plan

  variables {
    config = "no JSON"
  }

  expect_failures = [var.config]
}

# Nobody has looked whether it is valid.
run "refuses_config_3" {
  command = plan

  variables {
    config = "{\"publicUrl\":\"https://scep.example.com\",\"cas\":{\"office\":{\"subject\":\"CN=Office\"}},\"endpoints\":{\"default\":{\"ca\":\"office\"}}}"
  }

  expect_failures = [var.config]
}

# Edited after it was found valid.
run "refuses_config_4" {
  command = plan

  variables {
    config = "{\"scepter\":\"test\",\"sha256\":\"ff3cd235c685dff621c50c993b63194dc328f60de390dd73c7971252ddf64bc7\",\"document\":{\"publicUrl\":\"https://scep.example.com\",\"cas\":{\"office\":{\"subject\":\"CN=Office\"}},\"endpoints\":{\"default\":{\"ca\":\"office\",\"aproval\":\"always\"}}}}"
  }

  expect_failures = [var.config]
}

# Found valid by a release that may take what this one does not.
run "refuses_config_5" {
  command = plan

  variables {
    config = "{\"scepter\":\"0.0.9\",\"sha256\":\"ff3cd235c685dff621c50c993b63194dc328f60de390dd73c7971252ddf64bc7\",\"document\":{\"publicUrl\":\"https://scep.example.com\",\"cas\":{\"office\":{\"subject\":\"CN=Office\"}},\"endpoints\":{\"default\":{\"ca\":\"office\"}}}}"
  }

  expect_failures = [var.config]
}

# Without a CA.
run "refuses_config_6" {
  command = plan

  variables {
    config = "{\"scepter\":\"test\",\"sha256\":\"8223803abcac775e8033df42a897a9da5594fd3e827a8064df728d2a75c8775e\",\"document\":{\"publicUrl\":\"https://scep.example.com\",\"cas\":{}}}"
  }

  expect_failures = [var.config]
}

run "refuses_config_7" {
  command = plan

  variables {
    config = "{\"scepter\":\"test\",\"sha256\":\"31015bdaf3823caf73c77531a6245bb108dc613b75c002253ee805877e468e93\",\"document\":{\"publicUrl\":\"http://scep.example.com\",\"cas\":{\"office\":{}}}}"
    domain = { name = "scep.example.com", zone_id = "Z0123456789" }
  }

  expect_failures = [var.config]
}

run "refuses_config_8" {
  command = plan

  variables {
    config = "{\"scepter\":\"test\",\"sha256\":\"351448f57f32f5a53cfb08e428e605276016b867c641860f19a00d28a5e2ba68\",\"document\":{\"publicUrl\":\"http://d1.cloudfront.net\",\"cas\":{\"office\":{}}}}"
  }

  expect_failures = [var.config]
}

run "refuses_lambda_package" {
  command = plan

  variables {
    lambda_package = "tests/nowhere"
  }

  expect_failures = [var.lambda_package]
}

run "refuses_deployment" {
  command = plan

  variables {
    deployment = "A b"
  }

  expect_failures = [var.deployment]
}

run "refuses_table_name" {
  command = plan

  variables {
    table_name       = "a b"
    table_stream_arn = "arn:aws:dynamodb:eu-central-1:111122223333:table/a/stream/b"
  }

  expect_failures = [var.table_name]
}

run "refuses_max_write_request_units" {
  command = plan

  variables {
    max_write_request_units = 1
  }

  expect_failures = [var.max_write_request_units]
}

run "refuses_max_read_request_units" {
  command = plan

  variables {
    max_read_request_units = 1
  }

  expect_failures = [var.max_read_request_units]
}

run "refuses_table_key_arn" {
  command = plan

  variables {
    table_key_arn = "key"
  }

  expect_failures = [var.table_key_arn]
}

run "refuses_ca_key_arns" {
  command = plan

  variables {
    ca_key_arns = { nobody = "arn:aws:kms:eu-central-1:111122223333:key/x" }
  }

  expect_failures = [var.ca_key_arns]
}

run "refuses_sealing_key_arn" {
  command = plan

  variables {
    sealing_key_arn = "key"
  }

  expect_failures = [var.sealing_key_arn]
}

run "refuses_log_lock_mode" {
  command = plan

  variables {
    log_lock = { mode = "governance" }
  }

  expect_failures = [var.log_lock]
}

run "refuses_log_lock_days" {
  command = plan

  variables {
    log_lock = { days = 399 }
  }

  expect_failures = [var.log_lock]
}

run "refuses_table_without_stream" {
  command = plan

  variables {
    table_name = "records"
  }

  expect_failures = [var.table_stream_arn]
}

run "refuses_log_key_arn" {
  command = plan

  variables {
    log_key_arn = "key"
  }

  expect_failures = [var.log_key_arn]
}

run "refuses_key_administrators" {
  command = plan

  variables {
    key_administrators = ["*"]
  }

  expect_failures = [var.key_administrators]
}

run "refuses_break_glass_role_arn" {
  command = plan

  variables {
    break_glass_role_arn = "admin"
  }

  expect_failures = [var.break_glass_role_arn]
}

run "refuses_operators" {
  command = plan

  variables {
    operators = ["*"]
  }

  expect_failures = [var.operators]
}

run "refuses_ingress" {
  command = plan

  variables {
    origin_secret_arns = []
    ingress            = "nlb"
  }

  expect_failures = [var.ingress]
}

run "refuses_domain" {
  command = plan

  variables {
    domain = { name = "https://x", zone_id = "Z1" }
  }

  expect_failures = [var.domain]
}

run "refuses_domain_2" {
  command = plan

  variables {
    origin_secret_arns = []
    ingress            = "functionUrl"
    domain             = { name = "scep.example.com", zone_id = "Z0123456789" }
  }

  expect_failures = [var.domain]
}

run "refuses_origin_secret_arns" {
  command = plan

  variables {
    origin_secret_arns = []
  }

  expect_failures = [var.origin_secret_arns]
}

run "refuses_rate_limit" {
  command = plan

  variables {
    rate_limit = 5
  }

  expect_failures = [var.rate_limit]
}

run "refuses_requests_per_second" {
  command = plan

  variables {
    requests_per_second = 0.5
  }

  expect_failures = [var.requests_per_second]
}

run "refuses_admin" {
  command = plan

  variables {
    admin = { type = "none" }
  }

  expect_failures = [var.admin]
}

run "refuses_admin_2" {
  command = plan

  variables {
    admin = { type = "jwt", issuer = "http://x", audience = ["a"] }
  }

  expect_failures = [var.admin]
}

run "refuses_admin_3" {
  command = plan

  variables {
    admin = { type = "jwt", issuer = "https://x", audience = [] }
  }

  expect_failures = [var.admin]
}

run "refuses_admin_4" {
  command = plan

  variables {
    origin_secret_arns = []
    ingress            = "functionUrl"
    admin              = { type = "jwt", issuer = "https://x", audience = ["a"] }
  }

  expect_failures = [var.admin]
}

run "refuses_runtime" {
  command = plan

  variables {
    runtime = "nodejs20.x"
  }

  expect_failures = [var.runtime]
}

run "refuses_reserved_concurrency" {
  command = plan

  variables {
    reserved_concurrency = 0
  }

  expect_failures = [var.reserved_concurrency]
}

run "refuses_log_retention_days" {
  command = plan

  variables {
    log_retention_days = 2
  }

  expect_failures = [var.log_retention_days]
}

run "refuses_log_group_key_arn" {
  command = plan

  variables {
    log_group_key_arn = "key"
  }

  expect_failures = [var.log_group_key_arn]
}

run "refuses_alarm_topic_arn" {
  command = plan

  variables {
    alarm_topic_arn = "topic"
  }

  expect_failures = [var.alarm_topic_arn]
}

run "refuses_plain_http" {
  command = plan

  variables {
    origin_secret_arns = []
    ingress            = "httpApi"
    plain_http         = true
  }

  expect_failures = [var.plain_http]
}

run "refuses_edge_alarm_topic_arn" {
  command = plan

  variables {
    edge_alarm_topic_arn = "arn:aws:sns:eu-central-1:111122223333:alarms"
  }

  expect_failures = [var.edge_alarm_topic_arn]
}

run "refuses_secrets" {
  command = plan

  variables {
    secrets = { AWS_REGION = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:shared-AbCdEf" }
  }

  expect_failures = [var.secrets]
}

run "refuses_secrets_2" {
  command = plan

  variables {
    config = "{\"scepter\":\"test\",\"sha256\":\"aede1849cde63a5f51f571f8f44ec18caae906119fa06821812bb5f2e4d0c1c0\",\"document\":{\"publicUrl\":\"https://scep.example.com\",\"cas\":{\"office\":{\"subject\":\"CN=Office\"}},\"endpoints\":{\"default\":{\"ca\":\"office\",\"enrol\":{\"authorize\":[\"static-challenge\"],\"staticChallenge\":{\"secret\":\"env:SHARED\"}}}}}}"
  }

  expect_failures = [var.secrets]
}

run "refuses_origin_secret_arns_2" {
  command = plan

  variables {
    origin_secret_arns = ["0123456789abcdef0123456789abcdef"]
  }

  expect_failures = [var.origin_secret_arns]
}

run "refuses_key_administrators_2" {
  command = plan

  variables {
    key_administrators = ["arn:aws:iam::111122223333:role/*"]
  }

  expect_failures = [var.key_administrators]
}

run "refuses_operators_2" {
  command = plan

  variables {
    operators = ["arn:aws:iam::111122223333:role/*"]
  }

  expect_failures = [var.operators]
}

run "refuses_break_glass_role_arn_2" {
  command = plan

  variables {
    break_glass_role_arn = "arn:aws:iam::111122223333:role/*"
  }

  expect_failures = [var.break_glass_role_arn]
}

run "refuses_admin_5" {
  command = plan

  variables {
    admin = { type = "jwt", issuer = "https://x", audience = [""] }
  }

  expect_failures = [var.admin]
}

run "refuses_decision_links_without_a_route" {
  command = plan

  variables {
    ingress            = "functionUrl"
    origin_secret_arns = []
    decision_links     = true
  }

  expect_failures = [var.decision_links]
}

run "refuses_a_lock_that_is_none" {
  command = plan

  variables {
    backup = { lock_changeable_for_days = 7 }
  }

  expect_failures = [var.backup]
}

run "files_at_no_name" {
  command = plan

  variables {
    files = { domain = { name = "PKI.example.com", zone_id = "Z0123456789" } }
  }

  expect_failures = [var.files]
}

run "files_without_a_certificate" {
  command = plan

  variables {
    files = { domain = { name = "pki.example.com" } }
  }

  expect_failures = [var.files]
}

run "files_with_a_certificate_of_elsewhere" {
  command = plan

  variables {
    files = { domain = { name = "pki.example.com", certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/0" } }
  }

  expect_failures = [var.files]
}

run "refuses_a_domain_without_a_certificate" {
  command = plan

  variables {
    domain = { name = "scep.example.com" }
  }

  expect_failures = [var.domain]
}

run "refuses_a_certificate_of_another_region" {
  command = plan

  variables {
    domain = { name = "scep.example.com", certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/0" }
  }

  expect_failures = [var.domain]
}

run "refuses_each_by_its_name" {
  command = plan

  variables {
    function_settings        = { scep = { memory_mb = 128 }, admin = { timeout_s = 30 } }
    environment_key_arn      = "alias/key"
    vpc                      = { subnet_ids = [], security_group_ids = ["vpc-1"] }
    permissions_boundary_arn = "boundary"
    role_path                = "scep"
    code_signing_config_arn  = "csc-0"
    web_acl_arn              = "ours"
  }

  expect_failures = [
    var.function_settings,
    var.environment_key_arn,
    var.vpc,
    var.permissions_boundary_arn,
    var.role_path,
    var.code_signing_config_arn,
    var.web_acl_arn,
  ]
}

# The text of a policy is made of them.
run "refuses_more_than_an_arn" {
  command = plan

  variables {
    ca_key_arns         = { office = "arn:aws:kms:eu-central-1:111122223333:key/a\",\"*" }
    sealing_key_arn     = "arn:aws:kms:eu-central-1:111122223333:key/*"
    table_key_arn       = "arn:aws:kms:*"
    environment_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/a\nb"
    secrets             = { SHARED = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:*\",\"arn:x-AbCdEf" }
    origin_secret_arns  = ["arn:aws:secretsmanager:eu-central-1:111122223333:secret:*-AbCdEf"]
  }

  expect_failures = [
    var.ca_key_arns,
    var.sealing_key_arn,
    var.table_key_arn,
    var.environment_key_arn,
    var.secrets,
    var.origin_secret_arns,
  ]
}

run "refuses_signing_without_a_bucket" {
  command = plan

  variables {
    package_prefix          = "scepter/"
    code_signing_config_arn = "arn:aws:lambda:eu-central-1:111122223333:code-signing-config:csc-0123456789abcdef0"
  }

  expect_failures = [var.package_prefix, var.code_signing_config_arn]
}

run "refuses_package_bucket" {
  command = plan

  variables {
    package_bucket = "No Bucket"
  }

  expect_failures = [var.package_bucket]
}

run "refuses_what_a_load_balancer_has_not" {
  command = plan

  variables {
    ingress            = "alb"
    origin_secret_arns = []
    alb                = { vpc_id = "vpc-0a", subnet_ids = ["subnet-0a"], clients = ["everybody"] }
    domain             = { name = "scep.example.com", zone_id = "Z0123456789" }
    admin              = { type = "jwt", issuer = "https://login.example.com", audience = ["scepter"] }
    web_acl_arn        = "arn:aws:wafv2:us-east-1:111122223333:global/webacl/ours/0"
  }

  expect_failures = [var.alb, var.domain, var.admin, var.web_acl_arn]
}

run "refuses_to_guess_where_it_is" {
  command = plan

  variables {
    ingress            = "alb"
    origin_secret_arns = []
    alb                = null
    domain             = null
  }

  expect_failures = [var.alb, var.domain]
}

run "refuses_a_place_for_another_ingress" {
  command = plan

  variables {
    origin_secret_arns = []
    alb                = { vpc_id = "vpc-0a", subnet_ids = ["subnet-0a", "subnet-0b"], clients = ["10.0.0.0/8", "192.168.0.0/16"] }
    domain             = { name = "scep.example.com", certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/0" }
    ingress            = "httpApi"
  }

  expect_failures = [var.alb]
}

# Nothing would answer MDMs.
run "refuses_pages_that_nothing_answers" {
  command = plan

  variables {
    config  = "{\"scepter\":\"test\",\"sha256\":\"85666120bf8e81562e56bd448fbfc641ebe617924fac5eead9b19ced83f9cb85\",\"document\":{\"publicUrl\":\"https://scep.example.com\",\"cas\":{\"office\":{\"subject\":\"CN=Office\"}},\"endpoints\":{\"default\":{\"ca\":\"office\",\"ndes\":{\"accounts\":[{\"user\":\"mdm\",\"password\":\"env:PAGE\",\"subject\":{\"CN\":\"device-*\"}}]}},\"macs\":{\"ca\":\"office\",\"jamf\":{\"header\":\"X-Key\",\"value\":\"env:HOOK\",\"subject\":{\"CN\":\"{serialNumber}\"}}}}}}"
    secrets = { PAGE = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:page-AbCdEf", HOOK = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:hook-AbCdEf" }
  }

  expect_failures = [var.challenge_pages]
}

run "refuses_challenge_pages_of_no_endpoint" {
  command = plan

  variables {
    challenge_pages = true
  }

  expect_failures = [var.challenge_pages]
}

run "refuses_challenge_pages_without_a_route" {
  command = plan

  variables {
    config             = "{\"scepter\":\"test\",\"sha256\":\"85666120bf8e81562e56bd448fbfc641ebe617924fac5eead9b19ced83f9cb85\",\"document\":{\"publicUrl\":\"https://scep.example.com\",\"cas\":{\"office\":{\"subject\":\"CN=Office\"}},\"endpoints\":{\"default\":{\"ca\":\"office\",\"ndes\":{\"accounts\":[{\"user\":\"mdm\",\"password\":\"env:PAGE\",\"subject\":{\"CN\":\"device-*\"}}]}},\"macs\":{\"ca\":\"office\",\"jamf\":{\"header\":\"X-Key\",\"value\":\"env:HOOK\",\"subject\":{\"CN\":\"{serialNumber}\"}}}}}}"
    secrets            = { PAGE = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:page-AbCdEf", HOOK = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:hook-AbCdEf" }
    ingress            = "functionUrl"
    origin_secret_arns = []
    challenge_pages    = true
  }

  expect_failures = [var.challenge_pages]
}

run "refuses_pages_without_their_secrets" {
  command = plan

  variables {
    config          = "{\"scepter\":\"test\",\"sha256\":\"85666120bf8e81562e56bd448fbfc641ebe617924fac5eead9b19ced83f9cb85\",\"document\":{\"publicUrl\":\"https://scep.example.com\",\"cas\":{\"office\":{\"subject\":\"CN=Office\"}},\"endpoints\":{\"default\":{\"ca\":\"office\",\"ndes\":{\"accounts\":[{\"user\":\"mdm\",\"password\":\"env:PAGE\",\"subject\":{\"CN\":\"device-*\"}}]}},\"macs\":{\"ca\":\"office\",\"jamf\":{\"header\":\"X-Key\",\"value\":\"env:HOOK\",\"subject\":{\"CN\":\"{serialNumber}\"}}}}}}"
    secrets         = { PAGE = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:page-AbCdEf" }
    challenge_pages = true
  }

  expect_failures = [var.secrets]
}
