output "role_arn" {
  description = "ROLES_ANYWHERE_ROLE of the Worker; the policies of the keys name it."
  value       = aws_iam_role.this.arn
}

output "profile_arn" {
  description = "ROLES_ANYWHERE_PROFILE of the Worker."
  value       = aws_rolesanywhere_profile.this.arn
}

output "trust_anchor_arn" {
  description = "ROLES_ANYWHERE_TRUST_ANCHOR of the Worker."
  value       = aws_rolesanywhere_trust_anchor.this.arn
}

output "common_name" {
  description = "CN that the certificate of the Worker must have."
  value       = local.name
}
