// scepter ca retire: what it demands, what it says, and what it does.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Body, ok } from '../support/api.ts';
import { openTerminal, type Terminal } from '../support/cli.ts';
import { deviceKey } from '../support/keys.ts';
import { type Lab, makeLab } from '../support/lab.ts';
import { MemoryCrls, MemoryStore } from '../support/memory-store.ts';
import { enrolment } from '../support/messages.ts';

const shared = { store: new MemoryStore(), crls: new MemoryCrls(), now: Date.UTC(2031, 0, 1) };
const old = { subject: 'CN=Old CA,O=X', key: 'ec:P-256' } as const;
const next = { subject: 'CN=New CA,O=X', key: 'ec:P-256' } as const;
let lab: Lab;
let terminal: Terminal;
const cli = (...args: string[]) => terminal.run(['ca', 'retire', ...args]);
const events = async () =>
  ((await ok(lab, 'GET', '/events?type=ca.retired')).events as Body[]).map(
    ({ ca, actor, personal }) => [ca, { ...Object(actor), ...Object(personal).actor }],
  );

before(async () => {
  const first = await makeLab({
    ...shared,
    config: { cas: { default: old }, endpoints: { default: { ca: 'default' } } },
  });
  const key = await deviceKey('cli retire', { type: 'EC', curve: 'P-256' });
  const sent = await enrolment(first, { challenge: await first.challenge(), key });
  assert.equal((await sent.read(await first.operate(sent.message))).pkiStatus, 'SUCCESS');
  lab = await makeLab({
    ...shared,
    uninitialised: ['default'],
    config: { cas: { next }, endpoints: { default: { ca: 'next' } } },
  });
  terminal = await openTerminal(lab);
});
after(() => terminal.close());

describe('ca retire', () => {
  test('a CA that the configuration names, or nobody has heard of, is not retired', async () => {
    const named = await cli('next', '--yes', '--force');
    assert.equal(named.code, 1);
    assert.match(
      named.err,
      /^scepter: the configuration names the CA "next": take it and its endpoints out first/,
    );
    const unknown = await cli('nobody', '--yes');
    assert.equal(unknown.code, 3);
    assert.match(unknown.err, /the configuration has no CA "nobody": it has "next"/);
  });

  test('status and ca show name the command, and status is exit 1', async () => {
    const status = await terminal.run(['status']);
    assert.equal(status.code, 1);
    assert.match(
      status.out,
      /CA "default": the configuration does not name it: it issues nothing and its CRL goes on;.*"scepter ca retire default"/,
    );
    assert.match((await terminal.run(['ca', 'show', 'default'])).out, /scepter ca retire default/);
  });

  test('while certificates are valid it is refused, and says how many and until when', async () => {
    const { code, out, err } = await cli('default', '--yes');
    assert.deepEqual([code, out], [1, '']);
    assert.match(
      err,
      /^scepter: the CA "default" is not retired: 1 certificate of it is valid, the last until 2032-01-01T00:00:00Z, and would be without a CRL: wait until then, or add --force\n$/,
    );
  });

  test('without --yes nothing is done but said', async () => {
    const { code, out, err } = await cli('default', '--force');
    assert.equal(code, 1);
    assert.match(
      out,
      /^CA default\n {2}subject {2}CN=Old CA,O=X\n {2}key .*\n {2}valid {4}1 certificate of it is valid, /,
    );
    assert.match(
      err,
      /^scepter: nothing was done: with --yes its CRL ends, its RA keys are forgotten and its name is never used again\n$/,
    );
    assert.equal((await lab.fetch('/crl/default.crl')).status, 200);
    assert.deepEqual(await events(), []);
  });

  test('with --yes and --force it is retired once, with one event, and status is exit 0', async () => {
    const { code, out, err } = await cli('default', '--yes', '--force', '--json');
    assert.equal(code, 0, err);
    const { id, subject, valid, more, until, retired } = JSON.parse(out);
    assert.deepEqual(
      { id, subject, valid, more, until, retired },
      {
        ...{ id: 'default', subject: 'CN=Old CA,O=X', valid: 1, more: false },
        ...{ until: '2032-01-01T00:00:00.000Z', retired: true },
      },
    );
    assert.deepEqual(await events(), [
      ['default', { kind: 'admin', id: 'operator', auth: 'credentials' }],
    ]);
    const again = await cli('default', '--yes', '--force');
    assert.equal(again.code, 1);
    assert.match(again.err, /the CA "default" was retired on 2031-01-01/);
    assert.equal((await terminal.run(['status'])).code, 0);
    assert.match((await terminal.run(['cert', 'list'])).out, / default {2}/);
  });

  test('for a new CA beside one that is not named, ca init says so and makes it', async () => {
    const other = await makeLab({
      ...{ store: new MemoryStore(), crls: new MemoryCrls() },
      config: { cas: { default: old, gone: next }, endpoints: { default: { ca: 'default' } } },
    });
    const { config } = await makeLab({
      ...{
        config: { cas: { default: old, third: next }, endpoints: { default: { ca: 'default' } } },
      },
      uninitialised: ['third'],
    });
    const operator = { ...other.deps, config, reload: () => {} };
    const made = await terminal.run(['ca', 'init', 'third'], { operator });
    assert.equal(made.code, 0, made.err);
    assert.match(made.err, /^CA "gone": the configuration does not name it: /);
  });
});
