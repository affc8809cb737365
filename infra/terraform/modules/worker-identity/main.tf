# Who a Worker at Cloudflare is for AWS, without an access key: a role of which IAM Roles Anywhere gives it sessions of
# an hour, for a certificate of a CA that is trusted for nothing else. The same as the CDK's WorkerBackend makes with
# a trust anchor.

locals {
  name     = "scepter-${var.deployment}"
  policies = "${path.module}/../../policies"
  tags     = merge({ "scepter:deployment" = var.deployment }, var.tags)
}

resource "aws_rolesanywhere_trust_anchor" "this" {
  name    = local.name
  enabled = true
  tags    = local.tags

  source {
    source_type = "CERTIFICATE_BUNDLE"

    source_data {
      x509_certificate_data = var.trust_anchor
    }
  }
}

resource "aws_iam_role" "this" {
  name        = "${local.name}-worker"
  description = "Scepter ${var.deployment}: the Worker, by its certificate"
  tags        = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "rolesanywhere.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]
      Condition = {
        # Whatever else that CA has certified is not the Worker.
        StringEquals = { "aws:PrincipalTag/x509Subject/CN" = local.name }
        ArnEquals    = { "aws:SourceArn" = aws_rolesanywhere_trust_anchor.this.arn }
      }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = toset(["worker", "worker-keys", "worker-logs"])

  name = each.value
  role = aws_iam_role.this.id

  # A list replaces its placeholder inside the quotes, so it is joined with quotes and commas.
  policy = templatefile("${local.policies}/${each.value}.json", {
    Deployment          = var.deployment
    TableArn            = var.table_arn
    CaKeyArns           = join("\",\"", var.ca_key_arns)
    CaSigningAlgorithms = join("\",\"", var.ca_signing_algorithms)
    SealingKeyArn       = var.sealing_key_arn
    ConfigObjects       = "${var.config_bucket_arn}/config/*"
    FilesBucketArn      = var.files_bucket_arn
    LogBucketArn        = var.logs_bucket_arn
    LogKeyArn           = var.log_key_arn
  })
}

resource "aws_rolesanywhere_profile" "this" {
  name             = local.name
  enabled          = true
  duration_seconds = 3600
  role_arns        = [aws_iam_role.this.arn]
  tags             = local.tags
}
