# The configuration: an object that is named by the SHA-256 of its octets, of which alone the functions are told.
# With another document the new object is there before the functions are told of it, and the one before goes when no
# function is; going back is applying the document before.

resource "aws_s3_bucket" "configs" {
  # checkov:skip=CKV_AWS_18: CloudTrail has who writes, where its data events are on; what is read is checked by its SHA-256.
  # checkov:skip=CKV_AWS_144: Terraform has the document, and puts it there again.
  # checkov:skip=CKV_AWS_145: No secret is in a configuration.
  # checkov:skip=CKV2_AWS_61: A document goes when no function is told of it.
  # checkov:skip=CKV2_AWS_62: Functions are told by their environment.
  # The provider takes 37 characters.
  bucket_prefix = "${substr("scepter-${var.deployment}", 0, 28)}-configs-"
  tags          = local.tags
}

resource "aws_s3_bucket_public_access_block" "configs" {
  bucket                  = aws_s3_bucket.configs.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "configs" {
  bucket = aws_s3_bucket.configs.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# No secret is in a configuration, and whether it is the right one its name says.
resource "aws_s3_bucket_server_side_encryption_configuration" "configs" {
  bucket = aws_s3_bucket.configs.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "configs" {
  bucket = aws_s3_bucket.configs.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_policy" "configs" {
  bucket = aws_s3_bucket.configs.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyWithTls"
      Effect    = "Deny"
      Principal = { AWS = "*" }
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.configs.arn, "${aws_s3_bucket.configs.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.configs]
}

resource "aws_s3_object" "config" {
  bucket       = aws_s3_bucket.configs.id
  key          = local.config_key
  content      = local.config_text
  content_type = "application/json"

  # Other octets under its name are seen by the next plan.
  etag = md5(local.config_text)

  depends_on = [
    aws_s3_bucket_ownership_controls.configs,
    aws_s3_bucket_server_side_encryption_configuration.configs,
    aws_s3_bucket_versioning.configs,
  ]

  lifecycle {
    create_before_destroy = true
  }
}
