# Backups of the table that outlive it: a copy a day by AWS Backup, in a vault that may be locked, and one in a vault of
# another Region or account. Point-in-time recovery is on without them, and ends with the Region or the account.

resource "aws_backup_vault" "this" {
  count = var.backup == null ? 0 : 1

  # A vault with backups in it is not deleted, by Terraform either.
  name        = "scepter-${var.deployment}"
  kms_key_arn = var.backup.vault_key_arn
  tags        = local.tags
}

resource "aws_backup_vault_lock_configuration" "this" {
  count = try(var.backup.lock, false) ? 1 : 0

  backup_vault_name   = aws_backup_vault.this[0].name
  min_retention_days  = var.backup.retention_days
  changeable_for_days = var.backup.lock_changeable_for_days
}

resource "aws_backup_plan" "this" {
  count = length(aws_backup_vault.this)

  name = "scepter-${var.deployment}"
  tags = local.tags

  rule {
    rule_name         = "daily"
    target_vault_name = aws_backup_vault.this[0].name
    schedule          = "cron(0 3 * * ? *)"

    lifecycle {
      delete_after = var.backup.retention_days
    }

    dynamic "copy_action" {
      for_each = compact([var.backup.copy_to_vault_arn])

      content {
        destination_vault_arn = copy_action.value

        lifecycle {
          delete_after = var.backup.retention_days
        }
      }
    }
  }
}

resource "aws_backup_selection" "this" {
  count = length(aws_backup_vault.this)

  name         = "table"
  plan_id      = aws_backup_plan.this[0].id
  iam_role_arn = aws_iam_role.backup[0].arn
  resources    = [local.table_arn]
}

# AWS Backup's own: also for the way back, because roles cannot be made while IAM's Region is away.
resource "aws_iam_role" "backup" {
  count = length(aws_backup_vault.this)

  name                 = local.role_names.backup
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  description          = "Scepter ${var.deployment}: AWS Backup takes and restores backups of the table"
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "backup.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "backup" {
  for_each = toset(var.backup == null ? [] : ["AWSBackupServiceRolePolicyForBackup", "AWSBackupServiceRolePolicyForRestores"])

  role       = aws_iam_role.backup[0].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/${each.key}"
}

resource "aws_cloudwatch_metric_alarm" "backup_failed" {
  count = length(aws_backup_vault.this)

  alarm_name          = "scepter-${var.deployment}-BackupFailed"
  alarm_description   = "Scepter ${var.deployment}: a backup of the table, or its copy, failed"
  threshold           = 1
  evaluation_periods  = 1
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
    for_each = { failed = "NumberOfBackupJobsFailed", expired = "NumberOfBackupJobsExpired", copies = "NumberOfCopyJobsFailed" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/Backup"
        metric_name = metric_query.value
        stat        = "Sum"
        period      = 3600
        dimensions  = { BackupVaultName = aws_backup_vault.this[0].name }
      }
    }
  }
}
