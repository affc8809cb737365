# KMS keys whose policies separate three permissions: to administer a key, to use it (for the functions and
# the operator, each with its own operations only), and to disable or delete it.

locals {
  account_root = "arn:${local.partition}:iam::${local.account}:root"

  # The names of a key type in the configuration and in KMS, and its signing algorithm.
  ca_key_kinds = {
    "rsa:2048" = { spec = "RSA_2048", algorithm = "RSASSA_PKCS1_V1_5_SHA_256" }
    "rsa:3072" = { spec = "RSA_3072", algorithm = "RSASSA_PKCS1_V1_5_SHA_256" }
    "rsa:4096" = { spec = "RSA_4096", algorithm = "RSASSA_PKCS1_V1_5_SHA_256" }
    "ec:P-256" = { spec = "ECC_NIST_P256", algorithm = "ECDSA_SHA_256" }
    "ec:P-384" = { spec = "ECC_NIST_P384", algorithm = "ECDSA_SHA_384" }
  }
  ca_kinds           = { for name, ca in local.config.cas : name => local.ca_key_kinds[try(ca.key, "rsa:3072")] }
  signing_algorithms = { for name, kind in local.ca_kinds : name => kind.algorithm }

  ca_key_arns     = merge({ for name, key in aws_kms_key.ca : name => key.arn }, var.ca_key_arns)
  sealing_key_arn = var.sealing_key_arn == null ? aws_kms_key.sealing[0].arn : var.sealing_key_arn
  log_key_arn     = var.log_key_arn == null ? aws_kms_key.log[0].arn : var.log_key_arn

  key_policy_values = {
    Administrators = join("\",\"", concat(
      length(var.key_administrators) > 0 ? var.key_administrators : [local.account_root],
      var.break_glass_role_arn == null ? [] : [var.break_glass_role_arn],
    ))
    BreakGlassRole  = var.break_glass_role_arn == null ? "nobody" : var.break_glass_role_arn
    Deployment      = var.deployment
    ScepRole        = local.role_arns.scep
    AdminRole       = local.role_arns.admin
    MaintenanceRole = local.role_arns.maintenance
    SequencerRole   = local.role_arns.sequencer
    ChallengesRole  = try(local.role_arns.challenges, "")
    OperatorRole    = local.role_arns.operator
  }

  # Names are known before the roles are; a principal must be there.
  role_arns = {
    for name in concat(keys(local.deployed), ["operator"]) : name =>
    var.keys_trust_role_names ? "arn:${local.partition}:iam::${local.account}:role${var.role_path}${local.role_names[name]}" :
    (name == "operator" ? aws_iam_role.operator.arn : aws_iam_role.function[name].arn)
  }

  key_policy_texts = merge(
    { for name, algorithm in local.signing_algorithms : "ca/${name}" => templatefile("${local.policies}/ca-key.json", merge(local.key_policy_values, { SigningAlgorithm = algorithm })) },
    { for name in ["sealing", "log"] : name => templatefile("${local.policies}/${name}-key.json", local.key_policy_values) },
  )

  # A function that a deployment has not got is nobody.
  key_statements = { for key, text in local.key_policy_texts : key => [for one in jsondecode(text).Statement : jsonencode(one) if !contains(one.Principal.AWS, "")] }

  # A role as a principal is kept by its id, which one of the same name made anew does not have. As a condition on
  # whoever is of the account, it is kept by its name.
  key_policies = { for key, statements in local.key_statements : key => jsonencode({
    Version = "2012-10-17"
    Statement = [
      for one in [for text in statements : jsondecode(text)] :
      jsondecode(!var.keys_trust_role_names || length(setsubtract(one.Principal.AWS, values(local.role_arns))) > 0 ? jsonencode(one) : jsonencode(merge(one, {
        Principal = { AWS = [local.account_root] }
        Condition = merge(try(one.Condition, {}), { ArnEquals = { "aws:PrincipalArn" = one.Principal.AWS } })
      })))
    ]
  }) }
}

resource "aws_kms_key" "ca" {
  for_each = { for name, kind in local.ca_kinds : name => kind if !contains(keys(var.ca_key_arns), name) }

  description              = "Scepter ${var.deployment}: signs certificates and CRLs of the CA \"${each.key}\""
  customer_master_key_spec = each.value.spec
  key_usage                = "SIGN_VERIFY"
  multi_region             = var.multi_region_keys
  deletion_window_in_days  = 30
  policy                   = local.key_policies["ca/${each.key}"]
  tags                     = local.tags

  lifecycle {
    # Without its key a CA cannot even revoke.
    prevent_destroy = true
  }
}

resource "aws_kms_key" "sealing" {
  count = var.sealing_key_arn == null ? 1 : 0

  description              = "Scepter ${var.deployment}: seals RA and MAC keys"
  customer_master_key_spec = "SYMMETRIC_DEFAULT"
  key_usage                = "ENCRYPT_DECRYPT"
  enable_key_rotation      = true
  multi_region             = var.multi_region_keys
  deletion_window_in_days  = 30
  policy                   = local.key_policies.sealing
  tags                     = local.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_key" "log" {
  count = var.log_key_arn == null ? 1 : 0

  description              = "Scepter ${var.deployment}: signs checkpoints of the logs"
  customer_master_key_spec = "ECC_NIST_P256"
  key_usage                = "SIGN_VERIFY"
  multi_region             = var.multi_region_keys
  deletion_window_in_days  = 30
  policy                   = local.key_policies.log
  tags                     = local.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "ca" {
  for_each = aws_kms_key.ca

  name          = "alias/scepter/${var.deployment}/ca/${each.key}"
  target_key_id = each.value.id
}

resource "aws_kms_alias" "sealing" {
  count = length(aws_kms_key.sealing)

  name          = "alias/scepter/${var.deployment}/sealing"
  target_key_id = aws_kms_key.sealing[count.index].id
}

resource "aws_kms_alias" "log" {
  count = length(aws_kms_key.log)

  name          = "alias/scepter/${var.deployment}/log"
  target_key_id = aws_kms_key.log[count.index].id
}
