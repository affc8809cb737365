# An internal load balancer in front of the SCEP function, for devices that are in the network of a VPC. It never
# redirects, because devices lose the body of a POST when they follow.

locals {
  alb = var.ingress == "alb"

  # A name of a load balancer has 32 characters.
  alb_name = length("scepter-${var.deployment}") <= 32 ? "scepter-${var.deployment}" : "${substr("scepter-${var.deployment}", 0, 23)}-${substr(sha256(var.deployment), 0, 8)}"

  alb_ports = !local.alb ? {} : merge(
    { 443 = { protocol = "HTTPS", certificate_arn = var.domain.certificate_arn, tls = "ELBSecurityPolicy-TLS13-1-2-2021-06" } },
    var.plain_http ? { 80 = { protocol = "HTTP", certificate_arn = null, tls = null } } : {},
  )
  alb_clients = !local.alb ? [] : length(var.alb.clients) > 0 ? var.alb.clients : data.aws_vpc.alb[*].cidr_block
}

# Its addresses, where nobody says which may connect.
data "aws_vpc" "alb" {
  count = local.alb && try(length(var.alb.clients), 0) == 0 ? 1 : 0

  id = var.alb.vpc_id
}

# It lets in whom it is told to, and nothing out: a function is invoked, not connected to.
resource "aws_security_group" "alb" {
  count = local.alb ? 1 : 0

  name_prefix = "${local.alb_name}-"
  description = "Scepter ${var.deployment}: devices to the load balancer"
  vpc_id      = var.alb.vpc_id
  egress      = []
  tags        = local.tags

  dynamic "ingress" {
    for_each = local.alb_ports

    content {
      description = "devices"
      protocol    = "tcp"
      from_port   = ingress.key
      to_port     = ingress.key
      cidr_blocks = local.alb_clients
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb" "this" {
  # checkov:skip=CKV_AWS_150: It keeps nothing: one that went by mistake is made again.
  count = local.alb ? 1 : 0

  name                       = local.alb_name
  internal                   = true
  load_balancer_type         = "application"
  security_groups            = [aws_security_group.alb[0].id]
  subnets                    = var.alb.subnet_ids
  drop_invalid_header_fields = true
  enable_deletion_protection = false
  tags                       = local.tags

  access_logs {
    bucket  = aws_s3_bucket.access_logs[0].id
    enabled = true
  }

  # It writes a file to try the bucket.
  depends_on = [aws_s3_bucket_policy.access_logs]
}

resource "aws_lb_target_group" "this" {
  count = local.alb ? 1 : 0

  name        = local.alb_name
  target_type = "lambda"
  tags        = local.tags

  # A header or a parameter that comes twice arrives twice.
  lambda_multi_value_headers_enabled = true
}

resource "aws_lambda_permission" "alb" {
  count = local.alb ? 1 : 0

  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this["scep"].function_name
  principal     = "elasticloadbalancing.amazonaws.com"
  source_arn    = aws_lb_target_group.this[0].arn
}

resource "aws_lb_target_group_attachment" "this" {
  count = local.alb ? 1 : 0

  target_group_arn = aws_lb_target_group.this[0].arn
  target_id        = aws_lambda_function.this["scep"].arn

  depends_on = [aws_lambda_permission.alb]
}

resource "aws_lb_listener" "this" {
  # checkov:skip=CKV_AWS_2: Port 80 is there only where plain_http asks for it.
  # checkov:skip=CKV_AWS_103: The listener with TLS takes 1.2 or later; the other one has none.
  for_each = local.alb_ports

  load_balancer_arn = aws_lb.this[0].arn
  port              = each.key
  protocol          = each.value.protocol
  certificate_arn   = each.value.certificate_arn
  ssl_policy        = each.value.tls
  tags              = local.tags

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[0].arn
  }
}

resource "aws_wafv2_web_acl_association" "alb" {
  count = local.alb && var.web_acl_arn != null ? 1 : 0

  resource_arn = aws_lb.this[0].arn
  web_acl_arn  = var.web_acl_arn
}

resource "aws_route53_record" "alb" {
  count = local.alb && local.zone_id != null ? 1 : 0

  zone_id = var.domain.zone_id
  name    = var.domain.name
  type    = "A"

  alias {
    name                   = aws_lb.this[0].dns_name
    zone_id                = aws_lb.this[0].zone_id
    evaluate_target_health = false
  }
}
