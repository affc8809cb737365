// The Terraform module as text, read by a parser of HCL: what every variable and output has to have, and
// what stands nowhere. `npm run test:terraform` asks Terraform itself, where it is to be had.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../support/installed.ts';
import { at, blocksOf, entriesAt, expression, hclOf, listAt, maybe } from './templates.ts';
import { terraform } from './tools.ts';

const folders = ['.', 'examples/basic', 'examples/cloudfront'].map((name) => join(terraform, name));
const parsed = folders.map((folder) => [folder, hclOf(folder)] as const);
const [module_ = assert.fail()] = parsed.map(([, files]) => files);
const texts = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => /\.tf(test\.hcl)?$/.test(name))
    .map((name) => [join(folder, name), readFileSync(join(folder, name), 'utf8')] as const),
);

test('the module and its examples have the files that people look for', () => {
  for (const [folder, files] of parsed) {
    for (const name of ['main.tf', 'variables.tf', 'outputs.tf', 'versions.tf']) {
      assert.ok(files[name], join(folder, name));
    }
  }
});

test('every variable has a type and a description, and refuses wrong values by its name', () => {
  for (const [folder, files] of parsed) {
    const variables = blocksOf(files, 'variable');
    assert.ok(variables.length > 0, folder);
    for (const { labels, content } of variables) {
      const [name = ''] = labels;
      assert.ok(maybe(content, 'type'), `${name} has no type`);
      assert.match(String(at(content, 'description')), /^[A-Z].{10,}\.$/s, name);
      const checks = listAt(content, 'validation');
      // Any text is a tag; a boolean that cannot be null is one of two.
      const free = name === 'tags' || maybe(content, 'nullable') === false;
      assert.ok(checks.length > 0 || free, `${name} is not validated`);
      for (const check of checks) {
        const message = String(at(check, 'error_message'));
        assert.ok(message.startsWith(`${name}: `) && message.endsWith('.'), message);
      }
    }
  }
});

test('every output has a description', () => {
  for (const [, files] of parsed) {
    for (const { labels, content } of blocksOf(files, 'output')) {
      assert.match(String(at(content, 'description')), /^[A-Z].{10,}\.$/s, labels[0]);
    }
  }
});

test('every file asks for the provider from 5.100 to below 7', () => {
  for (const [folder, files] of parsed) {
    const [{ content } = assert.fail(folder)] = blocksOf(files, 'terraform');
    assert.match(String(at(content, 'required_version')), /^>= 1\.\d+$/);
    assert.equal(at(content, 'required_providers.0.aws.version'), '>= 5.100, < 7', folder);
    assert.equal(entriesAt(content, 'required_providers.0').length, 1, folder);
  }
});

test('the module uses no feature that only releases of the provider from 6 on have', () => {
  for (const { labels, content } of blocksOf(module_, 'resource')) {
    assert.equal(maybe(content, 'region'), undefined, labels.join('.'));
  }
});

test('the examples use the module with both providers and only variables that it has', () => {
  const known = new Set(blocksOf(module_, 'variable').map(({ labels }) => labels[0]));
  for (const [folder, files] of parsed.slice(1)) {
    const [{ content } = assert.fail(folder)] = blocksOf(files, 'module');
    assert.equal(at(content, 'source'), '../..');
    assert.deepEqual(
      entriesAt(content, 'providers').map(([name]) => name.replace(/^\$\{(.+)\}$/, '$1')),
      ['aws', 'aws.us_east_1'],
    );
    for (const [name] of Object.entries(content as object)) {
      assert.ok(known.has(name) || ['source', 'providers'].includes(name), `${folder}: ${name}`);
    }
  }
});

test('the guide names variables that its examples have, and all that have no default', () => {
  const guide = readFileSync(join(root, 'docs', 'deploy-aws.md'), 'utf8').replaceAll(' \\\n', '');
  const commands = [...guide.matchAll(/^tf (?:apply|destroy) .*-var .+$/gm)].map(([all]) =>
    [...all.matchAll(/-var ['"]?(\w+)=/g)].map(([, name = '']) => name),
  );
  assert.equal(commands.length, 3);
  const [, [, basic] = assert.fail(), [, cloudfront] = assert.fail()] = parsed;
  for (const named of commands) {
    const known = blocksOf(named.includes('domain') ? cloudfront : basic, 'variable');
    for (const name of named)
      assert.ok(
        known.some(({ labels }) => labels[0] === name),
        name,
      );
    const missing = known
      .filter(({ content }) => !('default' in Object(content)))
      .map(({ labels: [name = ''] }) => name)
      .filter((name) => !named.includes(name) && !guide.includes(`export TF_VAR_${name}=`));
    assert.deepEqual(missing, []);
  }
});

test('every policy comes from a file that CDK renders too, with a value for each of its placeholders', () => {
  const used = new Set<string>();
  const valuesOf = {
    policy_values: ['LogGroupStreams'],
    SecretArns: ['SecretArns'],
    table_key_policy_values: [],
    environment_key_policy_values: [],
    key_policy_values: ['SigningAlgorithm'],
  };
  const locals = Object.assign({}, ...blocksOf(module_, 'locals').map(({ content }) => content));
  const files: [string, string][] = [];
  for (const { labels, content } of blocksOf(module_, 'resource')) {
    if (labels[0] !== 'aws_iam_role_policy') continue;
    const [, file = '', values = ''] =
      /^\$\{(?:template)?file\("\$\{local\.policies\}\/(.+?)\.json"(?:, (?:(?:merge\()?local\.|\{)(\w+)|\))/.exec(
        String(at(content, 'policy')),
      ) ?? [];
    files.push([file, values]);
  }
  for (const [, file = '', values = ''] of String(locals.key_policy_texts).matchAll(
    /templatefile\("\$\{local\.policies\}\/(.+?)\.json", (?:merge\()?local\.(\w+)/g,
  )) {
    const some = file.startsWith('$') ? ['sealing-key', 'log-key'] : [file];
    for (const one of some) files.push([one, values]);
  }
  for (const [file, values] of files) {
    assert.ok(values === '' || values in valuesOf, file);
    const names = file === expression('each.key') ? Object.keys(locals.functions) : [file];
    const more = valuesOf[values as keyof typeof valuesOf] ?? [];
    const known = [...Object.keys(locals[values] ?? {}), ...more];
    for (const name of names) {
      used.add(`${name}.json`);
      const text = readFileSync(join(root, 'infra', 'policies', `${name}.json`), 'utf8');
      for (const [, placeholder = ''] of text.matchAll(/\$\{(\w+)\}/g)) {
        assert.ok(known.includes(placeholder), `${name}.json: ${placeholder}`);
      }
    }
  }
  // Of the AWS side of a Worker only its role is here: modules/worker-identity, which Terraform itself tests.
  for (const name of ['worker', 'worker-keys', 'worker-logs']) used.add(`${name}.json`);
  // What CloudFront runs, which is tried as code.
  used.add('mdm-pages.js');
  assert.deepEqual([...used].toSorted(), readdirSync(join(root, 'infra', 'policies')).toSorted());
});

test('no file has an account, a key, a wildcard for actions of a policy or a CIDR for all addresses', () => {
  for (const [path, text] of texts) {
    if (path.endsWith('.tftest.hcl')) continue;
    assert.doesNotMatch(text, /\b\d{12}\b|AKIA|0\.0\.0\.0\/0/, path);
    for (const [, action] of text.matchAll(/Action\s*=\s*(.+)/g)) {
      // The policies of buckets deny what comes without TLS.
      if (action !== '"s3:*"') assert.doesNotMatch(action ?? '', /\*/, path);
    }
  }
  const denials = texts.flatMap(([, text]) => [
    ...text.matchAll(/Effect\s+= "Deny"\n.*\n\s+Action\s+= "s3:\*"/g),
  ]);
  assert.equal(denials.length, 4);
});

test('files are formatted as terraform fmt does, as far as the test can tell', () => {
  for (const [path, text] of texts) {
    assert.ok(
      text.endsWith('\n') && !text.endsWith('\n\n'),
      `${path} does not end with one line end`,
    );
    for (const [i, line] of text.split('\n').entries()) {
      const where = `${path}:${i + 1}`;
      assert.doesNotMatch(line, /\t|\s$|\r/, where);
      assert.equal((/^ */.exec(line)?.[0].length ?? 0) % 2, 0, where);
      assert.doesNotMatch(line, /^\s*(#\S|\/\/)/, where);
      assert.doesNotMatch(line, /^\s*\w+\s*=\S|^\s*\w+=/, where);
    }
  }
});
