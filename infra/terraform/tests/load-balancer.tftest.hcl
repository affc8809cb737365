# The internal load balancer.

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
  origin_secret_arns = []
  runtime            = "nodejs22.x"

  ingress = "alb"
  alb     = { vpc_id = "vpc-0a", subnet_ids = ["subnet-0a", "subnet-0b"], clients = ["10.0.0.0/8", "192.168.0.0/16"] }
  domain  = { name = "scep.example.com", certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/0" }
}

run "internal_and_https_only" {
  command = plan

  assert {
    condition     = aws_lb.this[0].internal && aws_lb.this[0].drop_invalid_header_fields && aws_lb.this[0].subnets == toset(["subnet-0a", "subnet-0b"]) && aws_lb.this[0].access_logs[0].enabled
    error_message = "the load balancer must be internal, drop odd headers and log"
  }

  assert {
    condition     = keys(aws_lb_listener.this) == ["443"] && aws_lb_listener.this["443"].ssl_policy == "ELBSecurityPolicy-TLS13-1-2-2021-06" && aws_lb_listener.this["443"].certificate_arn == "arn:aws:acm:eu-central-1:111122223333:certificate/0"
    error_message = "it must answer https alone, with TLS 1.2 or later and the certificate"
  }

  assert {
    condition     = aws_lb_target_group.this[0].target_type == "lambda" && aws_lb_target_group.this[0].lambda_multi_value_headers_enabled && aws_lambda_permission.alb[0].function_name == "scepter-scepter-scep"
    error_message = "its target must be the SCEP function, with headers that may come twice"
  }

  assert {
    condition     = one(aws_security_group.alb[0].ingress).cidr_blocks == tolist(["10.0.0.0/8", "192.168.0.0/16"]) && length(aws_security_group.alb[0].egress) == 0 && length(data.aws_vpc.alb) == 0
    error_message = "the clients that are named, and no others, must get in, and nothing out"
  }

  assert {
    condition     = length(aws_apigatewayv2_api.this) + length(aws_apigatewayv2_domain_name.this) + length(aws_cloudfront_distribution.this) + length(aws_wafv2_web_acl.this) + length(aws_wafv2_web_acl_association.alb) + length(aws_lambda_function_url.scep) + length(aws_route53_record.alb) + length(aws_route53_record.api) + length(aws_acm_certificate.api) == 0
    error_message = "no other way in must be made, nor a record without a zone"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["ServerErrors"].namespace == "AWS/ApplicationELB" && !contains(keys(aws_cloudwatch_metric_alarm.this), "TooMany")
    error_message = "what the load balancer answers must have an alarm, and 429, which it never says, none"
  }

  assert {
    condition     = output.scep_url == "https://scep.example.com/scep" && jsondecode(aws_s3_object.config.content).trustedProxies == 0
    error_message = "devices must be given the domain, and no header be believed"
  }
}

run "with_a_zone_a_web_acl_and_plain_http" {
  command = plan

  variables {
    alb         = { vpc_id = "vpc-0a", subnet_ids = ["subnet-0a", "subnet-0b"] }
    domain      = { name = "scep.example.com", zone_id = "Z0123456789", certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/0" }
    plain_http  = true
    web_acl_arn = "arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/corp/0"
  }

  override_data {
    target = data.aws_vpc.alb
    values = { cidr_block = "10.1.0.0/16" }
  }

  assert {
    condition     = keys(aws_lb_listener.this) == ["443", "80"] && alltrue([for one in aws_lb_listener.this : one.default_action[0].type == "forward"])
    error_message = "plain http must be answered, and never redirected"
  }

  assert {
    condition     = alltrue([for one in aws_security_group.alb[0].ingress : one.cidr_blocks == tolist(["10.1.0.0/16"])]) && toset([for one in aws_security_group.alb[0].ingress : one.to_port]) == toset([443, 80])
    error_message = "the VPC must get in where nobody is named"
  }

  assert {
    condition     = aws_wafv2_web_acl_association.alb[0].web_acl_arn == "arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/corp/0" && aws_route53_record.alb[0].type == "A"
    error_message = "the web ACL must be the load balancer's, and the zone have its name"
  }
}

run "names_of_every_length" {
  command = plan

  variables {
    deployment = "a2345678901234567890123456789012"
  }

  assert {
    condition     = length(aws_lb.this[0].name) == 32 && length(aws_lb_target_group.this[0].name) == 32
    error_message = "a name must have no more characters than AWS takes"
  }
}
