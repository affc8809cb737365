// Rules that others made (cdk-nag, CloudFormation's schema), the documentation of the props, and the
// one template that is kept whole.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag';
import { acknowledged } from '../lib/acknowledged.ts';
import { settings } from '../lib/context/settings.ts';
import { Heartbeat } from '../lib/watch/heartbeat.ts';
import { make, makeBackend, root, stackOf, templateOf, variants } from './support.ts';

const outdir = mkdtempSync(join(tmpdir(), 'scepter-cdk-nag-'));
after(() => rmSync(outdir, { recursive: true, force: true }));

/** Makes errors of what CloudFormation's own validation finds; the other files go without, which takes it seconds. */
const validated = '@aws-cdk/core:validateAgainstDefaultRules';
process.env.CDK_VALIDATION = 'true';

type Finding = { readonly ruleName: string };
type Report = {
  readonly pluginReports: readonly {
    readonly pluginName: string;
    readonly violations: readonly Finding[];
  }[];
};

/** Of every variant, by the rule packs of cdk-nag and by CloudFormation's own validation. */
function findings(folder: string, prepare: (app: App) => void = () => undefined): string[] {
  const app = new App({ outdir: join(outdir, folder), context: { [validated]: true } });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));
  for (const [i, props] of Object.values(variants).entries()) {
    make(props, stackOf('us-east-1', app, `Variant${i}`));
  }
  makeBackend({}, stackOf('us-east-1', app, 'Worker'));
  new Heartbeat(stackOf('us-east-1', app, 'Heartbeat'), 'Heartbeat', { host: 'scep.example.com' });
  prepare(app);
  try {
    app.synth();
  } catch (error) {
    // Of what was found, which the report has.
    if (!(error instanceof Error && error.name === 'ValidationFailed')) throw error;
  }
  const path = join(outdir, folder, 'validation-report.json');
  const { pluginReports }: Report = JSON.parse(readFileSync(path, 'utf8'));
  return pluginReports.flatMap(({ pluginName, violations }) =>
    violations.map(({ ruleName }) =>
      `${pluginName}::${ruleName}`.replace(/<\w+(Configs|Files|Logs)[0-9A-F]{8}\./, '<$1.'),
    ),
  );
}

test('cdk-nag and CloudFormation find nothing that has not been answered with a reason', () => {
  assert.deepEqual(findings('answered'), []);
});

test('what is answered with a reason is what they find without it, no less and no more', (t) => {
  // The report that people are meant to see.
  t.mock.method(process.stderr, 'write', () => true);
  const found = findings('unanswered', (app) => {
    for (const { node } of app.node.findAll()) {
      const value = node.metadata.filter(
        ({ type }) => type !== Validations.ACKNOWLEDGED_RULES_METADATA_KEY,
      );
      Object.defineProperty(node, 'metadata', { value });
    }
  });
  assert.deepEqual(
    [...new Set(found)].toSorted(),
    [...new Set(acknowledged.map(({ id }) => id))].toSorted(),
  );
});

test('every acknowledgement has a reason of a sentence or more', () => {
  for (const { id, reason } of acknowledged) assert.match(reason, /^[A-Z].{30,}\.$/s, id);
});

test('every prop and member is documented, and every optional one with its default', () => {
  const types = [
    'props',
    'backend/backup',
    'backend/logs',
    'ingress/access',
    'ingress/edge',
    'scep-service',
    'members',
    'worker-backend',
    'watch/heartbeat',
  ]
    .map((name) => readFileSync(join(import.meta.dirname, '..', 'lib', `${name}.ts`), 'utf8'))
    .join('');
  const props = [
    ...types.matchAll(/(\/\*\*(?:(?!\*\/).)*\*\/)?\s*(private )?readonly (\w+)(\??): /gs),
  ];
  assert.ok(props.length > 25);
  for (const [, comment = '', hidden, name, optional] of props) {
    // The comment of such an object says which it is.
    if (hidden || name === 'type') continue;
    assert.ok(comment, `${name} is not documented`);
    if (optional) assert.match(comment, /@default \S/, `${name} does not say its default`);
  }
});

test('the guide has every setting of the quick start, and no other', () => {
  const guide = readFileSync(join(root, 'docs', 'deploy-aws.md'), 'utf8');
  const [, table = ''] = /^\| `-c` \|.*?\n\|.*?\n(.*?)\n\n/ms.exec(guide) ?? [];
  const named = table.split('\n').flatMap((row) => {
    const [, first = ''] = row.split('|');
    return [...first.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  });
  assert.deepEqual(named.toSorted(), Object.keys(settings).toSorted());
  for (const [, name = ''] of guide.matchAll(/ -c (\w+)=/g)) assert.ok(name in settings, name);
});

const kept = join(import.meta.dirname, 'scepter.template.json');

test('the template of the default is the one that is kept, but for the hashes of packages', () => {
  const text = JSON.stringify(templateOf().toJSON(), null, 2);
  const template = `${text.replace(/"[0-9a-f]{64}\.zip"/g, '"PACKAGE.zip"')}\n`;
  if (process.env.UPDATE_TEMPLATE === '1') writeFileSync(kept, template);
  assert.ok(
    template === readFileSync(kept, 'utf8'),
    'it has changed: run the tests with UPDATE_TEMPLATE=1 and look at the difference',
  );
});
