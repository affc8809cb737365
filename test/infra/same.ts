// Which resources of CloudFormation and of Terraform are the same thing.

import assert from 'node:assert/strict';
import { at } from './templates.ts';

/** What Terraform's `resource` is in CloudFormation, and what only one of them has, and why. */
export const same: Readonly<Record<string, readonly string[]>> = {
  'AWS::ApiGatewayV2::Api': ['aws_apigatewayv2_api'],
  'AWS::ApiGatewayV2::ApiMapping': ['aws_apigatewayv2_api_mapping'],
  'AWS::ApiGatewayV2::Authorizer': ['aws_apigatewayv2_authorizer'],
  'AWS::ApiGatewayV2::DomainName': ['aws_apigatewayv2_domain_name'],
  'AWS::ApiGatewayV2::Integration': ['aws_apigatewayv2_integration'],
  'AWS::ApiGatewayV2::Route': ['aws_apigatewayv2_route'],
  'AWS::ApiGatewayV2::Stage': ['aws_apigatewayv2_stage'],
  // CloudFormation writes the records that validate, and waits, by itself.
  'AWS::Backup::BackupPlan': ['aws_backup_plan'],
  'AWS::Backup::BackupSelection': ['aws_backup_selection'],
  'AWS::Backup::BackupVault': ['aws_backup_vault', 'aws_backup_vault_lock_configuration'],
  'AWS::CertificateManager::Certificate': ['aws_acm_certificate', 'aws_acm_certificate_validation'],
  'AWS::CloudFront::CachePolicy': ['aws_cloudfront_cache_policy'],
  'AWS::CloudFront::Distribution': ['aws_cloudfront_distribution'],
  'AWS::CloudFront::Function': ['aws_cloudfront_function'],
  'AWS::CloudFront::OriginAccessControl': ['aws_cloudfront_origin_access_control'],
  'AWS::CloudFront::ResponseHeadersPolicy': ['aws_cloudfront_response_headers_policy'],
  'AWS::CloudWatch::Alarm': ['aws_cloudwatch_metric_alarm'],
  'AWS::CloudWatch::Dashboard': ['aws_cloudwatch_dashboard'],
  'AWS::DynamoDB::GlobalTable': ['aws_dynamodb_table'],
  'AWS::EC2::SecurityGroup': ['aws_security_group'],
  'AWS::ElasticLoadBalancingV2::Listener': ['aws_lb_listener'],
  'AWS::ElasticLoadBalancingV2::LoadBalancer': ['aws_lb'],
  'AWS::ElasticLoadBalancingV2::TargetGroup': [
    'aws_lb_target_group',
    'aws_lb_target_group_attachment',
  ],
  'AWS::Events::Rule': ['aws_cloudwatch_event_rule', 'aws_cloudwatch_event_target'],
  // One for all functions; in Terraform each role has its own.
  'AWS::IAM::ManagedPolicy': ['aws_iam_role_policy'],
  'AWS::IAM::Policy': ['aws_iam_role_policy'],
  'AWS::IAM::Role': ['aws_iam_role', 'aws_iam_role_policy_attachment'],
  'AWS::KMS::Alias': ['aws_kms_alias'],
  'AWS::KMS::Key': ['aws_kms_key'],
  'AWS::Lambda::EventInvokeConfig': ['aws_lambda_function_event_invoke_config'],
  'AWS::Lambda::EventSourceMapping': ['aws_lambda_event_source_mapping'],
  'AWS::Lambda::Function': ['aws_lambda_function'],
  // The one that the provider has an argument for in its later releases only is a stack there.
  'AWS::Lambda::Permission': ['aws_lambda_permission', 'aws_cloudformation_stack'],
  'AWS::Lambda::Url': ['aws_lambda_function_url'],
  'AWS::Logs::LogGroup': ['aws_cloudwatch_log_group'],
  'AWS::Logs::MetricFilter': ['aws_cloudwatch_log_metric_filter'],
  'AWS::Logs::ResourcePolicy': ['aws_cloudwatch_log_resource_policy'],
  'AWS::Route53::RecordSet': ['aws_route53_record'],
  'AWS::S3::Bucket': [
    'aws_s3_bucket',
    'aws_s3_bucket_lifecycle_configuration',
    'aws_s3_bucket_object_lock_configuration',
    'aws_s3_bucket_ownership_controls',
    'aws_s3_bucket_public_access_block',
    'aws_s3_bucket_server_side_encryption_configuration',
    'aws_s3_bucket_versioning',
  ],
  'AWS::S3::BucketPolicy': ['aws_s3_bucket_policy'],
  // CloudFormation has no object: the CDK's function for custom resources puts it there.
  'Custom::ScepterConfig': ['aws_s3_object'],
  // Terraform would have to keep it in its state to make it: there the secret is a variable.
  'AWS::SecretsManager::Secret': [],
  'AWS::WAFv2::WebACL': ['aws_wafv2_web_acl'],
  'AWS::WAFv2::WebACLAssociation': ['aws_wafv2_web_acl_association'],
};

/** Buckets that nobody but their owner reaches. @param of what Terraform makes of the bucket, by the end of its type */
export function assertClosedAlike(bucket: unknown, of: (type: string) => unknown): void {
  const blocked = at(bucket, 'PublicAccessBlockConfiguration');
  const encryption = 'ServerSideEncryptionConfiguration.0.ServerSideEncryptionByDefault';
  assert.equal(Object.keys(Object(blocked)).length, 4);
  assert.deepEqual(
    [
      at(blocked, 'BlockPublicAcls'),
      at(blocked, 'BlockPublicPolicy'),
      at(blocked, 'IgnorePublicAcls'),
      at(blocked, 'RestrictPublicBuckets'),
      at(bucket, `BucketEncryption.${encryption}.SSEAlgorithm`),
      at(bucket, 'OwnershipControls.Rules.0.ObjectOwnership'),
    ],
    [
      ...[
        'block_public_acls',
        'block_public_policy',
        'ignore_public_acls',
        'restrict_public_buckets',
      ].map((name) => at(of('_public_access_block'), name)),
      at(
        of('_server_side_encryption_configuration'),
        'rule.0.apply_server_side_encryption_by_default.0.sse_algorithm',
      ),
      at(of('_ownership_controls'), 'rule.0.object_ownership'),
    ],
  );
}
