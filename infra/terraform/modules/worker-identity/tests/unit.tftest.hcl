# The part planned with a provider that is not there: whom the role trusts, what it may do, and what is refused.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_rolesanywhere_trust_anchor" {
    defaults = { arn = "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/scepter-staging-worker" }
  }
}

variables {
  deployment        = "staging"
  trust_anchor      = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
  table_arn         = "arn:aws:dynamodb:eu-central-1:111122223333:table/scepter-staging"
  ca_key_arns       = ["arn:aws:kms:eu-central-1:111122223333:key/office", "arn:aws:kms:eu-central-1:111122223333:key/plant"]
  sealing_key_arn   = "arn:aws:kms:eu-central-1:111122223333:key/sealing"
  config_bucket_arn = "arn:aws:s3:::configs"
  files_bucket_arn  = "arn:aws:s3:::files"
  logs_bucket_arn   = "arn:aws:s3:::logs"
  log_key_arn       = "arn:aws:kms:eu-central-1:111122223333:key/log"
}

run "defaults" {
  command = plan

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.StringEquals["aws:PrincipalTag/x509Subject/CN"] == "scepter-staging"
    error_message = "the role must trust certificates of one CN"
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.ArnEquals["aws:SourceArn"] == aws_rolesanywhere_trust_anchor.this.arn
    error_message = "the role must trust certificates of this trust anchor"
  }

  assert {
    condition     = length(one([for one in jsondecode(aws_iam_role_policy.this["worker-keys"].policy).Statement : one if one.Sid == "SignCertificatesAndCrls"]).Resource) == 2
    error_message = "the role must sign with the key of each CA"
  }

  assert {
    condition     = one([for one in jsondecode(aws_iam_role_policy.this["worker"].policy).Statement : one if one.Sid == "WriteFiles"]).Resource == ["arn:aws:s3:::files/crl/*", "arn:aws:s3:::files/aia/*"]
    error_message = "the role must write CRLs and CA certificates, and nothing else of that bucket"
  }

  assert {
    condition     = one([for one in jsondecode(aws_iam_role_policy.this["worker-logs"].policy).Statement : one if one.Sid == "SignCheckpoints"]).Resource == ["arn:aws:kms:eu-central-1:111122223333:key/log"]
    error_message = "the role must sign checkpoints with the key of the logs"
  }

  assert {
    condition     = aws_rolesanywhere_profile.this.role_arns == toset([aws_iam_role.this.arn]) && aws_rolesanywhere_profile.this.enabled
    error_message = "the profile must give this role and no other"
  }
}

run "no_key" {
  command = plan

  variables {
    trust_anchor = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"
  }

  expect_failures = [var.trust_anchor]
}

run "no_ca" {
  command = plan

  variables {
    ca_key_arns = []
  }

  expect_failures = [var.ca_key_arns]
}
