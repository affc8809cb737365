// CDK and Terraform bring a deployment back by the same means: backups of the table, and policies of keys that know
// roles by their names.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  at,
  blocksOf,
  defaultOf,
  entriesAt,
  expression,
  hclOf,
  listAt,
  localsOf,
  maybe,
  ofType,
  resourceOf,
  templateOf,
  text,
  theOne,
} from './templates.ts';

const hcl = hclOf();
const locals = localsOf(hcl);
const plain = templateOf('cloudfront');
const named = templateOf('domain');
const trusting = templateOf('alb');

test('backups are taken at the same time, kept and locked as long, and copied', () => {
  const variable = blocksOf(hcl, 'variable').find(({ labels }) => labels[0] === 'backup');
  const type = text(at(variable?.content, 'type'));
  const retention = /retention_days = optional\(number, (\d+)\)/.exec(type);
  const days = Number(retention?.[1]);
  const plan = resourceOf(hcl, 'aws_backup_plan', 'this');
  const [rule, ...more] = listAt(
    theOne(named, 'AWS::Backup::BackupPlan'),
    'BackupPlan.BackupPlanRule',
  );
  assert.equal(more.length, 0);
  assert.deepEqual(
    [
      at(rule, 'RuleName'),
      at(rule, 'ScheduleExpression'),
      at(rule, 'Lifecycle.DeleteAfterDays'),
      at(rule, 'CopyActions.0.Lifecycle.DeleteAfterDays'),
    ],
    [at(plan, 'rule.0.rule_name'), at(plan, 'rule.0.schedule'), days, days],
  );
  assert.equal(
    at(plan, 'rule.0.lifecycle.0.delete_after'),
    expression('var.backup.retention_days'),
  );
  const vault = theOne(named, 'AWS::Backup::BackupVault');
  const lock = resourceOf(hcl, 'aws_backup_vault_lock_configuration', 'this');
  assert.equal(at(vault, 'LockConfiguration.MinRetentionDays'), days);
  assert.equal(at(lock, 'min_retention_days'), expression('var.backup.retention_days'));
  assert.equal(defaultOf(hcl, 'backup'), null);
  assert.equal(ofType(plain, 'AWS::Backup::BackupVault').length, 0);
});

test('AWS Backup has the same two policies, and its failures the same alarm', () => {
  const role = ofType(named, 'AWS::IAM::Role').find((one) =>
    JSON.stringify(one).includes('backup.amazonaws.com'),
  );
  const attached = resourceOf(hcl, 'aws_iam_role_policy_attachment', 'backup');
  const policies = listAt(role, 'ManagedPolicyArns').map(
    (one) => /service-role\/(\w+)/.exec(JSON.stringify(one))?.[1],
  );
  assert.equal(policies.length, 2);
  for (const one of policies) assert.ok(text(at(attached, 'for_each')).includes(`"${one}"`), one);
  const alarm = ofType(named, 'AWS::CloudWatch::Alarm').find((one) =>
    text(at(one, 'AlarmDescription')).includes('a backup of the table'),
  );
  const same = resourceOf(hcl, 'aws_cloudwatch_metric_alarm', 'backup_failed');
  assert.equal(
    text(at(alarm, 'AlarmDescription')).replace(/^Scepter \S+ /, ''),
    text(at(same, 'alarm_description')).replace(/^Scepter \S+ /, ''),
  );
  const queries = listAt(alarm, 'Metrics').filter((one) => maybe(one, 'MetricStat') !== undefined);
  const metric = at(same, 'dynamic.0.metric_query.content.0.metric.0');
  assert.deepEqual(
    queries.map((one) => [
      at(one, 'Id'),
      at(one, 'MetricStat.Metric.MetricName'),
      at(one, 'MetricStat.Period'),
      at(one, 'MetricStat.Stat'),
    ]),
    entriesAt(same, 'dynamic.0.metric_query.for_each').map(([id, name]) => [
      ...[id, name, at(metric, 'period'), at(metric, 'stat')],
    ]),
  );
});

test('roles that keys know by their names have the same ones', () => {
  const names = ofType(trusting, 'AWS::IAM::Role').flatMap((one) => {
    const name = maybe(one, 'RoleName');
    return typeof name === 'string' ? [name] : [];
  });
  const [, prefix = ''] =
    /length\("(scepter-\$\{.+?\}-\$\{.+?\}-)\$\{name\}"\)/.exec(text(locals.role_names)) ?? [];
  const made = prefix
    .replace(expression('var.deployment'), 'scepter')
    .replace(expression('local.region'), 'us-east-1');
  assert.deepEqual(
    names.toSorted(),
    ['admin', 'maintenance', 'operator', 'scep', 'sequencer'].map((name) => `${made}${name}`),
  );
  assert.equal(defaultOf(hcl, 'keys_trust_role_names'), false);
  for (const key of ofType(trusting, 'AWS::KMS::Key')) {
    for (const one of listAt(key, 'KeyPolicy.Statement')) {
      if (['Administer', 'OnlyTheBreakGlassRoleEndsOrMovesIt'].includes(text(at(one, 'Sid'))))
        continue;
      assert.match(JSON.stringify(at(one, 'Principal.AWS')), /:root"/);
      assert.ok(at(one, 'Condition.ArnEquals.aws:PrincipalArn'));
    }
  }
  assert.match(
    text(locals.key_policies),
    /Principal = \{AWS = \[local\.account_root\]\}, Condition = merge\(try\(one\.Condition, \{\}\), \{ArnEquals = \{"?aws:PrincipalArn"? = one\.Principal\.AWS\}\}\)/,
  );
});
