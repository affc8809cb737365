// What the app of the quick start makes of its context.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { makeStack } from '../lib/quick-start.ts';
import { account, packages, root } from './support.ts';

const config = join(root, 'examples', 'minimal.json');
const stackOf = (context: Readonly<Record<string, string>> = {}) =>
  makeStack(
    new App({ context: { region: 'us-east-1', account, config, packages, ...context } }),
    {},
  );

test('a second deployment is a stack of its own, and never takes the place of the first', () => {
  assert.equal(stackOf().stackName, 'Scepter');
  assert.equal(stackOf({ deployment: 'scepter' }).stackName, 'Scepter');
  assert.equal(stackOf({ deployment: 'plant-2' }).stackName, 'Scepter-plant-2');
});

test('its outputs are what the commands of the operator want, and every key by its name', () => {
  const stack = stackOf({ deployment: 'plant-2', region: 'eu-central-1', ingress: 'httpApi' });
  const outputs = Template.fromStack(stack).findOutputs('*');
  assert.deepEqual(Object.keys(outputs).toSorted(), [
    'AdminFunction',
    'CaKeydefault',
    'ConfigParameter',
    'Deployment',
    'LogKey',
    'OperatorRole',
    'Region',
    'ScepUrl',
    'SealingKey',
    'Table',
  ]);
  assert.equal(outputs.Deployment?.Value, 'plant-2');
  assert.equal(outputs.Region?.Value, 'eu-central-1');
});

test('the guide asks for outputs that there are, of the CDK and of Terraform', () => {
  const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
  const asked = [...read('docs', 'deploy-aws.md').matchAll(/\$\(out (\w+)/g)].map(
    ([, name = '']) => name,
  );
  const ofTerraform = [...read('infra', 'terraform', 'outputs.tf').matchAll(/^output "(\w+)"/gm)];
  const known = [
    ...Object.keys(Template.fromStack(stackOf()).findOutputs('*')),
    ...ofTerraform.map(([, name]) => name),
  ];
  assert.ok(asked.length > 15);
  for (const name of asked) assert.ok(known.includes(name), name);
});

test("secrets of the operators' own take the place of the one that is made, the first of them shown", () => {
  const arn = (name: string) => `arn:aws:secretsmanager:us-east-1:${account}:secret:${name}-abcdef`;
  const template = Template.fromStack(stackOf({ originSecrets: `${arn('new')},${arn('old')}` }));
  template.resourceCountIs('AWS::SecretsManager::Secret', 0);
  const shown = JSON.stringify(template.findResources('AWS::CloudFront::Distribution'));
  assert.match(shown, /secret:new-/);
  assert.doesNotMatch(shown, /secret:old-/);
});
