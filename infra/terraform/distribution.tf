# CloudFront in front of the HTTP API: a web ACL, TLS, and, if configured, plain http on some paths. It never
# redirects, because devices lose the body of a POST when they follow.

locals {
  # Policies that CloudFront has in every account.
  caching_disabled              = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
  caching_optimized             = "658327ea-f89d-4fab-a63d-7e88639e58f6"
  all_viewer_except_host_header = "b689b0a8-53d0-40ab-baf2-68738e2966ac"

  # Not /certsrv/mscep_admin/, which hands out challenges.
  scep_paths = ["/scep*", "/cgi-bin/pkiclient.exe", "/certsrv/mscep/*"]
  # As MDMs write it: certsrv and CertSrv.
  page_paths  = var.challenge_pages ? ["/?ert?rv/*mscep_admin*"] : []
  all_methods = ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]

  # Certificates of CAs for as long as Cache-Control says.
  file_paths = local.cloudfront ? {
    "/crl/*" = { cache = aws_cloudfront_cache_policy.crls[0].id, headers = aws_cloudfront_response_headers_policy.crls[0].id }
    "/aia/*" = { cache = local.caching_optimized, headers = null }
  } : {}
}

# Says which credentials to bring, because API Gateway gives the header that says so another name.
resource "aws_cloudfront_function" "mdm_pages" {
  count = local.cloudfront && var.challenge_pages ? 1 : 0

  name    = "scepter-${var.deployment}-${local.region}-mdm"
  comment = "Scepter ${var.deployment}: which credentials MDMs bring for challenges"
  runtime = "cloudfront-js-2.0"
  publish = true
  code    = file("${local.policies}/mdm-pages.js")
}

# What CloudFront sends; the functions read it themselves.
data "aws_secretsmanager_secret_version" "origin" {
  count = local.cloudfront ? 1 : 0

  secret_id = var.origin_secret_arns[0]
}

resource "aws_wafv2_web_acl" "this" {
  # checkov:skip=CKV2_AWS_31: Its log would have queries, and so the messages of GET; what it blocks is a metric with an alarm.
  count    = local.cloudfront && var.web_acl_arn == null ? 1 : 0
  provider = aws.us_east_1

  name        = "scepter-${var.deployment}-${local.region}"
  description = "Scepter ${var.deployment}: a limit to what one address may ask"
  scope       = "CLOUDFRONT"
  tags        = local.tags

  default_action {
    allow {}
  }

  rule {
    name     = "RateLimit"
    priority = 0

    action {
      block {
        custom_response {
          response_code = 429
        }
      }
    }

    statement {
      rate_based_statement {
        aggregate_key_type = "IP"
        limit              = var.rate_limit
      }
    }

    visibility_config {
      metric_name                = "RateLimit"
      cloudwatch_metrics_enabled = true
      # No samples: they would show whole requests.
      sampled_requests_enabled = false
    }
  }

  visibility_config {
    metric_name                = "scepter-${var.deployment}-${local.region}"
    cloudwatch_metrics_enabled = true
    sampled_requests_enabled   = false
  }
}

resource "aws_cloudfront_distribution" "this" {
  # checkov:skip=CKV_AWS_374: Devices may be in any country; whoever knows better names a web ACL.
  # checkov:skip=CKV_AWS_310: There is one API; a device that gets no answer comes again.
  # checkov:skip=CKV_AWS_305: Nothing is at the root.
  # checkov:skip=CKV2_AWS_46: Its bucket has an origin access control; the other origin is an API.
  # checkov:skip=CKV2_AWS_32: Devices are not browsers.
  # checkov:skip=CKV2_AWS_47: Nothing behind it is Java.
  count = local.cloudfront ? 1 : 0

  comment         = "Scepter ${var.deployment}"
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  aliases         = var.domain == null ? [] : [var.domain.name]
  web_acl_id      = coalesce(var.web_acl_arn, one(aws_wafv2_web_acl.this[*].arn))
  tags            = local.tags

  origin {
    origin_id   = "api"
    domain_name = local.api_host

    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "https-only"
      origin_ssl_protocols   = ["TLSv1.2"]
      origin_read_timeout    = 30
    }

    custom_header {
      name  = "x-scepter-origin"
      value = data.aws_secretsmanager_secret_version.origin[0].secret_string
    }
  }

  origin {
    origin_id                = "files"
    domain_name              = aws_s3_bucket.files.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.files[0].id
  }

  default_cache_behavior {
    target_origin_id         = "api"
    viewer_protocol_policy   = "https-only"
    allowed_methods          = local.all_methods
    cached_methods           = ["GET", "HEAD"]
    cache_policy_id          = local.caching_disabled
    origin_request_policy_id = local.all_viewer_except_host_header
    compress                 = false
  }

  dynamic "ordered_cache_behavior" {
    for_each = local.scep_paths

    content {
      path_pattern             = ordered_cache_behavior.value
      target_origin_id         = "api"
      viewer_protocol_policy   = var.plain_http ? "allow-all" : "https-only"
      allowed_methods          = local.all_methods
      cached_methods           = ["GET", "HEAD"]
      cache_policy_id          = local.caching_disabled
      origin_request_policy_id = local.all_viewer_except_host_header
      compress                 = false
    }
  }

  dynamic "ordered_cache_behavior" {
    for_each = local.file_paths

    content {
      path_pattern               = ordered_cache_behavior.key
      target_origin_id           = "files"
      viewer_protocol_policy     = var.plain_http ? "allow-all" : "https-only"
      allowed_methods            = ["GET", "HEAD"]
      cached_methods             = ["GET", "HEAD"]
      cache_policy_id            = ordered_cache_behavior.value.cache
      response_headers_policy_id = ordered_cache_behavior.value.headers
      compress                   = false
    }
  }

  # Events are for auditors, each time; the other files of the logs are the same for everybody, and are kept as long as
  # Cache-Control says: a checkpoint for seconds, a tile for ever.
  dynamic "ordered_cache_behavior" {
    for_each = ["/log/*/tile/entries/*", "/log/*"]

    content {
      path_pattern             = ordered_cache_behavior.value
      target_origin_id         = "api"
      viewer_protocol_policy   = "https-only"
      allowed_methods          = ordered_cache_behavior.value == "/log/*" ? ["GET", "HEAD"] : local.all_methods
      cached_methods           = ["GET", "HEAD"]
      cache_policy_id          = ordered_cache_behavior.value == "/log/*" ? local.caching_optimized : local.caching_disabled
      origin_request_policy_id = ordered_cache_behavior.value == "/log/*" ? null : local.all_viewer_except_host_header
      compress                 = false
    }
  }

  # CloudFront caches some errors whatever Cache-Control says; with a TTL of 0 the next request asks again. The
  # query is not in the cache key, so a cached error would also answer requests with other queries: an
  # outage, for example, or a 414 for one message that the API finds too long.
  dynamic "custom_error_response" {
    for_each = [404, 414, 500, 501, 502, 503, 504]

    content {
      error_code            = custom_error_response.value
      error_caching_min_ttl = 0
    }
  }

  dynamic "ordered_cache_behavior" {
    for_each = local.page_paths

    content {
      path_pattern             = ordered_cache_behavior.value
      target_origin_id         = "api"
      viewer_protocol_policy   = "https-only"
      allowed_methods          = local.all_methods
      cached_methods           = ["GET", "HEAD"]
      cache_policy_id          = local.caching_disabled
      origin_request_policy_id = local.all_viewer_except_host_header
      compress                 = false

      function_association {
        event_type   = "viewer-request"
        function_arn = aws_cloudfront_function.mdm_pages[0].arn
      }
    }
  }

  logging_config {
    bucket = aws_s3_bucket.access_logs[0].bucket_regional_domain_name
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = var.domain == null
    acm_certificate_arn            = var.domain == null ? null : length(aws_acm_certificate.cloudfront) == 0 ? var.domain.certificate_arn : aws_acm_certificate_validation.cloudfront[0].certificate_arn
    ssl_support_method             = var.domain == null ? null : "sni-only"
    minimum_protocol_version       = var.domain == null ? "TLSv1" : "TLSv1.2_2021"
  }

  # CloudFront sends a new secret only once the function knows it.
  depends_on = [aws_s3_bucket_ownership_controls.access_logs, aws_lambda_function.this]
}

resource "aws_s3_bucket" "access_logs" {
  # checkov:skip=CKV_AWS_18: It is the bucket of access logs.
  # checkov:skip=CKV_AWS_21: A file of logs is written once.
  # checkov:skip=CKV_AWS_144: Nothing is made again from access logs.
  # checkov:skip=CKV_AWS_145: A load balancer writes into buckets with a key of S3 only.
  # checkov:skip=CKV2_AWS_62: Nothing waits for a file of logs.
  count = local.cloudfront || local.alb ? 1 : 0

  # The provider takes 37 characters.
  bucket_prefix = "${substr("scepter-${var.deployment}", 0, 36)}-"
  tags          = local.tags
}

resource "aws_s3_bucket_public_access_block" "access_logs" {
  count = length(aws_s3_bucket.access_logs)

  bucket                  = aws_s3_bucket.access_logs[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# CloudFront delivers its logs by ACL, a load balancer by the policy of the bucket.
resource "aws_s3_bucket_ownership_controls" "access_logs" {
  # checkov:skip=CKV2_AWS_65: CloudFront delivers its logs by ACL.
  count = length(aws_s3_bucket.access_logs)

  bucket = aws_s3_bucket.access_logs[0].id

  rule {
    object_ownership = "BucketOwnerPreferred"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "access_logs" {
  count = length(aws_s3_bucket.access_logs)

  bucket = aws_s3_bucket.access_logs[0].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "access_logs" {
  count = length(aws_s3_bucket.access_logs)

  bucket = aws_s3_bucket.access_logs[0].id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = 365
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_policy" "access_logs" {
  count = length(aws_s3_bucket.access_logs)

  bucket = aws_s3_bucket.access_logs[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "OnlyWithTls"
          Effect    = "Deny"
          Principal = { AWS = "*" }
          Action    = "s3:*"
          Resource  = [aws_s3_bucket.access_logs[0].arn, "${aws_s3_bucket.access_logs[0].arn}/*"]
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ],
      [
        for service in ["logdelivery.elasticloadbalancing.amazonaws.com"] : {
          Sid       = "LogsOfTheLoadBalancer"
          Effect    = "Allow"
          Principal = { Service = service }
          Action    = "s3:PutObject"
          Resource  = ["${aws_s3_bucket.access_logs[0].arn}/AWSLogs/${local.account}/*"]
        } if local.alb
      ],
    )
  })
}
