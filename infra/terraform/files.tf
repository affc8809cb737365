# The bucket of what relying parties fetch: CRLs and certificates of CAs. It is the store of the CRLs, so that a table
# that goes back to a moment takes none of them with it, and CloudFront serves its objects as they are.

resource "aws_s3_bucket" "files" {
  # checkov:skip=CKV_AWS_18: What is in it is public; CloudFront logs who fetches it.
  # checkov:skip=CKV_AWS_144: A runbook copies it into another region, and upkeep makes what is missing.
  # checkov:skip=CKV_AWS_145: What is in it is public.
  # checkov:skip=CKV2_AWS_62: Nothing waits for a CRL.
  # The provider takes 37 characters.
  bucket_prefix = "${substr("scepter-${var.deployment}", 0, 30)}-files-"
  tags          = local.tags
}

resource "aws_s3_bucket_public_access_block" "files" {
  bucket                  = aws_s3_bucket.files.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "files" {
  bucket = aws_s3_bucket.files.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# All of it is public, and CloudFront reads it.
resource "aws_s3_bucket_server_side_encryption_configuration" "files" {
  bucket = aws_s3_bucket.files.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "files" {
  bucket = aws_s3_bucket.files.id

  versioning_configuration {
    status = "Enabled"
  }
}

# How long a CRL that was written over can be looked at.
resource "aws_s3_bucket_lifecycle_configuration" "files" {
  # checkov:skip=CKV_AWS_300: A CRL is put whole, in one request.
  bucket = aws_s3_bucket.files.id

  rule {
    id     = "expire-old"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 90
    }
  }

  depends_on = [aws_s3_bucket_versioning.files]
}

resource "aws_s3_bucket_policy" "files" {
  bucket = aws_s3_bucket.files.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      # CloudFront asks a bucket in the protocol that it was asked in, and relying parties fetch by plain http.
      [{
        Sid       = "OnlyWithTls"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.files.arn, "${aws_s3_bucket.files.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false", "aws:PrincipalIsAWSService" = "false" } }
      }],
      # Of what is not there S3 says so only to whoever may list.
      local.cloudfront ? [
        for action, resource in { "s3:GetObject" = "${aws_s3_bucket.files.arn}/*", "s3:ListBucket" = aws_s3_bucket.files.arn } : {
          Effect                                 = "Allow"
          Principal                              = { Service = "cloudfront.amazonaws.com" }
          Action                                 = action
          Resource                               = resource
          Condition                              = { StringEquals = { "AWS:SourceArn" = aws_cloudfront_distribution.this[0].arn } }
        }
      ] : [],
    )
  })

  depends_on = [aws_s3_bucket_public_access_block.files]
}

resource "aws_cloudfront_origin_access_control" "files" {
  count = local.cloudfront ? 1 : 0

  name                              = "scepter-${var.deployment}-${local.region}-files"
  description                       = "Scepter ${var.deployment}: CRLs and certificates of CAs"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

# A CRL says by Expires when it ends, and CloudFront keeps it for the sooner of that and the longest time here, which is
# MAX_CRL_AGE_S in lib/base/limits.ts.
resource "aws_cloudfront_cache_policy" "crls" {
  count = local.cloudfront ? 1 : 0

  name        = "scepter-${var.deployment}-${local.region}-crls"
  comment     = "Scepter ${var.deployment}: CRLs, until they end"
  min_ttl     = 0
  default_ttl = 600
  max_ttl     = 600

  parameters_in_cache_key_and_forwarded_to_origin {
    cookies_config {
      cookie_behavior = "none"
    }

    headers_config {
      header_behavior = "none"
    }

    query_strings_config {
      query_string_behavior = "none"
    }
  }
}

# Caches beyond CloudFront, which may not know that policy, ask it each time.
resource "aws_cloudfront_response_headers_policy" "crls" {
  # checkov:skip=CKV_AWS_259: CRLs are fetched by plain http, too, which Strict-Transport-Security would end.
  count = local.cloudfront ? 1 : 0

  name    = "scepter-${var.deployment}-${local.region}-crls"
  comment = "Scepter ${var.deployment}: CRLs, for caches beyond CloudFront"

  custom_headers_config {
    items {
      header   = "Cache-Control"
      value    = "public, no-cache"
      override = true
    }
  }
}
