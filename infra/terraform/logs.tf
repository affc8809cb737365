# The logs: their bucket, which locks what it is given, so that the credentials of the service do not suffice to
# delete any of it, and what calls their sequencer when something waits. Its role, function and schedule are in main.tf.

resource "aws_s3_bucket" "logs" {
  # checkov:skip=CKV_AWS_18: Nobody can change what is in it unseen, and most of it is public; CloudTrail has data events for whoever wants each read.
  # checkov:skip=CKV_AWS_144: What becomes of a log whose Region is lost is in recovery.md; a copy is for whoever wants one.
  # checkov:skip=CKV_AWS_145: Whom events name is not in it: that is in the table.
  # checkov:skip=CKV2_AWS_62: Nothing waits for a checkpoint.
  # The provider takes 37 characters.
  bucket_prefix       = "${substr("scepter-${var.deployment}", 0, 31)}-logs-"
  object_lock_enabled = true
  tags                = local.tags
}

resource "aws_s3_bucket_public_access_block" "logs" {
  bucket                  = aws_s3_bucket.logs.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "logs" {
  bucket = aws_s3_bucket.logs.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# Whom events name is not in it: that is in the table.
resource "aws_s3_bucket_server_side_encryption_configuration" "logs" {
  bucket = aws_s3_bucket.logs.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "logs" {
  bucket = aws_s3_bucket.logs.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "logs" {
  bucket = aws_s3_bucket.logs.id

  rule {
    default_retention {
      mode = var.log_lock.mode
      days = var.log_lock.days
    }
  }

  depends_on = [aws_s3_bucket_versioning.logs]
}

# What is written over or removed ends when its lock has.
resource "aws_s3_bucket_lifecycle_configuration" "logs" {
  # checkov:skip=CKV_AWS_300: A file is put whole, in one request.
  bucket = aws_s3_bucket.logs.id

  rule {
    id     = "expire-old"
    status = "Enabled"

    filter {}

    expiration {
      expired_object_delete_marker = true
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.logs]
}

resource "aws_s3_bucket_policy" "logs" {
  bucket = aws_s3_bucket.logs.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyWithTls"
      Effect    = "Deny"
      Principal = { AWS = "*" }
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.logs.arn, "${aws_s3_bucket.logs.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.logs]
}

resource "aws_lambda_event_source_mapping" "waiting" {
  event_source_arn  = local.stream_arn
  function_name     = aws_lambda_function.this["sequencer"].arn
  starting_position = "LATEST"
  tags              = local.tags

  # A run takes all that waits, whatever its batch has: the larger a batch, the fewer runs.
  batch_size                         = 10000
  maximum_batching_window_in_seconds = 20

  # A run that failed is made up by the next of the schedule.
  maximum_retry_attempts        = 0
  maximum_record_age_in_seconds = 60

  filter_criteria {
    filter {
      pattern = jsonencode({ eventName = ["INSERT"], dynamodb = { Keys = { pk = { S = [{ prefix = "unlogged#" }] } } } })
    }
  }
}
