# The bucket of what relying parties fetch: CRLs and certificates of CAs. It is the store of the CRLs, so that a table
# that goes back to a moment takes none of them with it, and CloudFront serves its objects as they are.

locals {
  files        = local.cloudfront || var.files != null
  files_domain = try(var.files.domain, null)
  # Distributions that read the bucket.
  file_servers = concat(aws_cloudfront_distribution.this[*].arn, aws_cloudfront_distribution.files[*].arn)
}

resource "aws_s3_bucket" "files" {
  # checkov:skip=CKV_AWS_18: What is in it is public, and the functions and CloudFront read it.
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
      local.files ? [
        for action, resource in { "s3:GetObject" = "${aws_s3_bucket.files.arn}/*", "s3:ListBucket" = aws_s3_bucket.files.arn } : {
          Effect                                 = "Allow"
          Principal                              = { Service = "cloudfront.amazonaws.com" }
          Action                                 = action
          Resource                               = resource
          Condition                              = { StringEquals = { "AWS:SourceArn" = local.file_servers } }
        }
      ] : [],
    )
  })

  depends_on = [aws_s3_bucket_public_access_block.files]
}

resource "aws_cloudfront_origin_access_control" "files" {
  count = local.files ? 1 : 0

  name                              = "scepter-${var.deployment}-${local.region}-files"
  description                       = "Scepter ${var.deployment}: CRLs and certificates of CAs"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

# A CRL says by Expires when it ends, and CloudFront keeps it for the sooner of that and the longest time here, which is
# MAX_CRL_AGE_S in lib/base/limits.ts.
resource "aws_cloudfront_cache_policy" "crls" {
  count = local.files ? 1 : 0

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
  count = local.files ? 1 : 0

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

# CloudFront for the files alone: no function, no web ACL and no log is behind it, so that a fetch costs as little as it
# can, and nothing that happens to the service reaches whoever checks certificates.
resource "aws_cloudfront_distribution" "files" {
  # checkov:skip=CKV_AWS_34: Whoever fetches a CRL to check a certificate of TLS cannot first check another; it is signed.
  # checkov:skip=CKV_AWS_68: What it serves is public, signed and the same for everybody, and no code is behind it.
  # checkov:skip=CKV_AWS_86: Every device would be in it every day with its address, to fetch what is public; CloudFront counts requests and errors without it.
  # checkov:skip=CKV_AWS_174: Without a domain it is a name of CloudFront, whose TLS versions are not ours to choose.
  # checkov:skip=CKV_AWS_310: There is one bucket; caches keep what they have while it does not answer.
  # checkov:skip=CKV_AWS_374: Whoever checks a certificate may be in any country.
  # checkov:skip=CKV2_AWS_32: Relying parties are not browsers.
  # checkov:skip=CKV2_AWS_47: Nothing behind it is Java.
  count = local.files ? 1 : 0

  comment         = "Scepter ${var.deployment}: CRLs and certificates of CAs"
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  aliases         = local.files_domain == null ? [] : [local.files_domain.name]
  tags            = local.tags

  # Nothing is called so: the root would list the bucket.
  default_root_object = "nothing"

  origin {
    origin_id                = "files"
    domain_name              = aws_s3_bucket.files.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.files[0].id
  }

  # Certificates of CAs for as long as Cache-Control says.
  default_cache_behavior {
    target_origin_id       = "files"
    viewer_protocol_policy = "allow-all"
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]
    cache_policy_id        = local.caching_optimized
    compress               = false
  }

  ordered_cache_behavior {
    path_pattern               = "/crl/*"
    target_origin_id           = "files"
    viewer_protocol_policy     = "allow-all"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    cache_policy_id            = aws_cloudfront_cache_policy.crls[0].id
    response_headers_policy_id = aws_cloudfront_response_headers_policy.crls[0].id
    compress                   = false
  }

  dynamic "custom_error_response" {
    for_each = [403, 404, 500, 502, 503, 504]

    content {
      error_code            = custom_error_response.value
      error_caching_min_ttl = 0
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = local.files_domain == null
    acm_certificate_arn            = local.files_domain == null ? null : length(aws_acm_certificate.files) == 0 ? local.files_domain.certificate_arn : aws_acm_certificate_validation.files[0].certificate_arn
    ssl_support_method             = local.files_domain == null ? null : "sni-only"
    minimum_protocol_version       = local.files_domain == null ? "TLSv1" : "TLSv1.2_2021"
  }
}

resource "aws_acm_certificate" "files" {
  count    = local.files_domain != null && try(local.files_domain.certificate_arn, null) == null ? 1 : 0
  provider = aws.us_east_1

  domain_name       = local.files_domain.name
  validation_method = "DNS"
  tags              = local.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "files_validation" {
  count = length(aws_acm_certificate.files)

  zone_id = local.files_domain.zone_id
  name    = one(aws_acm_certificate.files[0].domain_validation_options).resource_record_name
  type    = one(aws_acm_certificate.files[0].domain_validation_options).resource_record_type
  records = [one(aws_acm_certificate.files[0].domain_validation_options).resource_record_value]
  ttl     = 300
}

resource "aws_acm_certificate_validation" "files" {
  count    = length(aws_acm_certificate.files)
  provider = aws.us_east_1

  certificate_arn         = aws_acm_certificate.files[0].arn
  validation_record_fqdns = aws_route53_record.files_validation[*].fqdn
}

resource "aws_route53_record" "files" {
  for_each = try(local.files_domain.zone_id, null) == null ? toset([]) : toset(["A", "AAAA"])

  zone_id = local.files_domain.zone_id
  name    = local.files_domain.name
  type    = each.key

  alias {
    name                   = aws_cloudfront_distribution.files[0].domain_name
    zone_id                = aws_cloudfront_distribution.files[0].hosted_zone_id
    evaluate_target_health = false
  }
}
