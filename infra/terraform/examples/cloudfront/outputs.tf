output "scep_url" {
  description = "The URL that devices are given."
  value       = module.scepter.scep_url
}

output "admin_url" {
  description = "Where the admin API is."
  value       = module.scepter.admin_url
}

output "scepter" {
  description = "What \"scepter ca init\" and the guide need."
  value       = module.scepter
}
