// What lets a principal read the events on record.

import { Stack } from 'aws-cdk-lib';
import type { ITableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';

export function letReadEvents(
  scope: Construct,
  { tableArn, encryptionKey }: ITableV2,
  grantee: IGrantable,
): Grant {
  const only = (...keys: string[]) => ({
    'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': keys },
    // A condition on all keys of a request also holds for a request without keys.
    Null: { 'dynamodb:LeadingKeys': 'false' },
  });
  if (encryptionKey) {
    Grant.addToPrincipal({
      grantee,
      actions: ['kms:Decrypt'],
      resourceArns: [encryptionKey.keyArn],
      conditions: {
        StringEquals: { 'kms:ViaService': `dynamodb.${Stack.of(scope).region}.amazonaws.com` },
      },
    });
  }
  const records = Grant.addToPrincipal({
    grantee,
    actions: ['dynamodb:BatchGetItem'],
    resourceArns: [tableArn],
    conditions: only('event#*'),
  });
  const lists = Grant.addToPrincipal({
    grantee,
    actions: ['dynamodb:Query'],
    resourceArns: [`${tableArn}/index/places`],
    conditions: only('events#*'),
  });
  return records.combine(lists);
}
