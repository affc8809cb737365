// scepter ca init, import-chain, rotate-ra and show --keys, on a store and the KMS emulator as an
// operator has them; and through a running server, whose folder has one owner.

import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  CreateAliasCommand,
  DisableKeyCommand,
  PutKeyPolicyCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { readEnv } from '../../functions/env.ts';
import { openOperator } from '../../functions/node/operator.ts';
import { fromPem, pem } from '../../lib/base/bytes.ts';
import { RA_PREPARED_MS, RA_PREVIOUS_MS } from '../../lib/base/limits.ts';
import { macPurposes } from '../../lib/base/words.ts';
import { readMacKeys } from '../../lib/ca/authority/mac-keys.ts';
import type { Operator } from '../../lib/ca/deps.ts';
import { View } from '../../lib/ca/record/unit-of-work.ts';
import type { MacKeysRecord } from '../../lib/ports/records/registry.ts';
import { readCaCertificates } from '../../lib/protocol/scep/client/client.ts';
import { fingerprint, readCertificate } from '../../lib/x509/certificate.ts';
import { readCertificationRequest } from '../../lib/x509/csr.ts';
import { openTerminal, type TerminalOptions } from '../support/cli.ts';
import { openKms } from '../support/kms.ts';
import { makeLab, operatorOf } from '../support/lab.ts';
import { freshService, run, startServer, temporary } from '../support/process.ts';

const config = {
  cas: {
    default: { subject: 'CN=Lab CA,O=Lab', key: 'rsa:2048' },
    below: { subject: 'CN=Issuing CA,O=Lab', key: 'ec:P-256' },
  },
  endpoints: { default: { ca: 'default' }, below: { ca: 'below' } },
} as const;

const closing: (() => Promise<unknown>)[] = [];
after(() => Promise.all(closing.map((close) => close())));

/** An account with a sealing key and a table, in which nothing has been made. */
async function account() {
  const kms = await openKms();
  const keys = kms.keys();
  const { signer, raKeys } = keys;
  const uninitialised = ['default', 'below'];
  const lab = await makeLab({ config, signer, raKeys, uninitialised });
  const terminal = await openTerminal(lab);
  closing.push(() => terminal.close());
  let closed = 0;
  const operator: Operator = {
    ...lab.deps,
    adoptKey: (key, spec) => keys.adopt(key, spec),
    makeMacKey: (purpose) => keys.makeMacKey(purpose),
    reload: () => lab.deps.cas.reload(),
  };
  const cli = async (line: string, options: TerminalOptions = {}) => {
    const before = closed;
    const finished = await terminal.run(line.split(' '), {
      operator,
      closed: () => closed++,
      ...options,
    });
    const opened = finished.code !== 2 && /^ca (init|rotate)/.test(line);
    if (opened) assert.equal(closed, before + 1, 'what was opened is closed');
    return finished;
  };
  const json = async (line: string) => {
    const { code, out, err } = await cli(`${line} --json`);
    assert.equal(code, 0, err);
    return JSON.parse(out);
  };
  return { kms, lab, cli, json, operator };
}

const arn = /^arn:aws:kms:eu-central-1:111122223333:key\/[0-9a-f-]{36}$/;

describe('ca init', () => {
  test('ca init makes key, certificate, RA key and MAC keys; a second run changes nothing', async () => {
    const { kms, lab, cli, json } = await account();
    const first = await cli('ca init --json');
    assert.equal(first.code, 0, first.err);
    const made = JSON.parse(first.out);
    assert.deepEqual([made.id, made.made, made.subject], ['default', 'done', 'CN=Lab CA,O=Lab']);
    assert.match(made.key, arn);
    for (const purpose of macPurposes) {
      assert.ok(first.err.includes(`made the MAC key for "${purpose}"`));
      assert.equal((await readMacKeys(lab.deps.store, purpose)).length, 1);
    }
    const { current, certificate } = await lab.deps.cas.of('default');
    assert.equal(current.id, 1);
    assert.equal(made.sha256.length, 64);
    const from = kms.emulator.calls.length;
    const again = await json('ca init');
    assert.deepEqual({ ...again, made: 'done' }, made);
    assert.equal(again.made, 'exists');
    const looked = new Set(kms.since(from));
    assert.deepEqual([...looked].sort(), ['DescribeKey', 'GetKeyPolicy']);
    const { out } = await cli('ca init');
    assert.match(out, /^CA default was there already\n {2}key +arn:/);
    assert.ok(certificate.der.length > 0);
  });

  test('ca init adopts an existing key by its alias and keeps its ARN', async () => {
    const { kms, cli, json, lab } = await account();
    const key = await kms.make({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
    const AliasName = 'alias/scepter/test/ca/default';
    await kms.client.send(new CreateAliasCommand({ AliasName, TargetKeyId: key.split('/')[1] }));
    const made = await json(`ca init --key ${AliasName}`);
    assert.equal(made.key, key);
    assert.equal((await lab.deps.cas.of('default')).keyReference, key);
    assert.ok(!kms.since(0).slice(2).includes('CreateKey'));

    const curve = await kms.make({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    const refusals: readonly (readonly [string, string, RegExp])[] = [
      ['of another spec', key, /its spec is RSA_2048 and the configuration has ECC_NIST_P256/],
      [
        'that seals',
        kms.sealingKey,
        /its usage is ENCRYPT_DECRYPT and not SIGN_VERIFY: name another/,
      ],
      [
        'that nobody has',
        'alias/nothing',
        /NotFoundException, .*: name a key that is in this region/,
      ],
      [
        'of another account',
        key.replace('111122223333', '444455556666'),
        /AccessDeniedException, .*: allow it in the policy/,
      ],
    ];
    for (const [what, named, sentence] of refusals) {
      const { code, out, err } = await cli(`ca init below --key ${named}`);
      assert.deepEqual([code, out], [1, ''], what);
      assert.match(err, sentence, what);
    }
    await kms.client.send(new DisableKeyCommand({ KeyId: curve }));
    const disabled = await cli(`ca init below --key ${curve}`);
    assert.match(disabled.err, /its state is Disabled and not Enabled: enable it, or name another/);
    const notMade = await lab.fetch('/scep/below?operation=GetCACert');
    assert.equal(notMade.status, 503);
    assert.match(
      String(lab.log.at(-1)?.detail),
      /^the CA "below" has not been initialised: run "scepter ca init below"$/,
    );
    assert.equal((await lab.fetch('/scep?operation=GetCACert')).status, 200);
  });

  test('ca init refuses the key of another CA', async () => {
    const same = { subject: 'CN=Twin', key: 'rsa:2048' } as const;
    const kms = await openKms();
    const keys = kms.keys();
    const { signer, raKeys } = keys;
    const lab = await makeLab({
      ...{ signer, raKeys },
      config: { cas: { ...config.cas, twin: same }, endpoints: config.endpoints },
      uninitialised: ['twin', 'below'],
    });
    const terminal = await openTerminal(lab);
    closing.push(() => terminal.close());
    const { keyReference } = await lab.deps.cas.of('default');
    const adoptKey = (key: string, spec: Parameters<typeof keys.adopt>[1]) => keys.adopt(key, spec);
    for (const more of [[], ['--csr']]) {
      const { code, out, err } = await terminal.run(
        ['ca', 'init', 'twin', '--key', keyReference, ...more],
        { operator: { ...operatorOf(lab.deps), adoptKey } },
      );
      assert.deepEqual([code, out], [1, '']);
      assert.match(err, /the key arn:\S+ is that of the CA "default": name another/);
    }
  });

  test('ca init refuses an unknown CA, and a KMS key where keys are files', async () => {
    const { cli, lab } = await account();
    const unknown = await cli('ca init nowhere');
    assert.equal(unknown.code, 3);
    assert.match(unknown.err, /has no CA "nowhere": it has "default", "below"/);
    const files = operatorOf(lab.deps);
    const terminal = await openTerminal(lab);
    closing.push(() => terminal.close());
    const refused = await terminal.run(['ca', 'init', '--key', 'x'], { operator: files });
    assert.equal(refused.code, 2);
    assert.match(refused.err, /--key names a KMS key: set SCEPTER_SEALING_KEY, or leave it out/);
  });
});

describe('ca init --csr, and import-chain', () => {
  test('ca init --csr prints the request alone on stdout; then the CA waits, and says so', async () => {
    const { cli, json } = await account();
    const asked = await cli('ca init below --csr');
    assert.equal(asked.code, 0, asked.err);
    const [der] = fromPem('CERTIFICATE REQUEST', asked.out);
    assert.ok(der && readCertificationRequest(der).publicKey);
    assert.equal(asked.out, pem('CERTIFICATE REQUEST', der));
    assert.match(asked.err, /CA below\n {2}key +arn:/);
    const again = await json('ca init below --csr');
    assert.equal(again.made, undefined);
    assert.match(again.request, /^-----BEGIN CERTIFICATE REQUEST-----\n/);
    const waits = await cli('ca init below');
    assert.equal(waits.code, 1);
    assert.match(
      waits.err,
      /the CA "below" waits for its certificate: run "scepter ca import-chain"/,
    );
  });

  test('import-chain takes a chain that fits, from a file or stdin; another one is exit 6', async () => {
    const { cli, json, lab } = await account();
    await cli('ca init');
    await cli('ca init below --csr');
    const own = pem('CERTIFICATE', (await lab.deps.cas.of('default')).certificate.der);
    const file = join(temporary('chain'), 'chain.pem');
    writeFileSync(file, `some words\n${own}`);
    const refused = await cli(`ca import-chain ${file} below`);
    assert.deepEqual([refused.code, refused.out], [6, '']);
    assert.match(
      refused.err,
      /the chain is not imported: none of the certificates is of the CA's key/,
    );
    const done = await json(`ca import-chain ${file}`);
    const [der] = fromPem('CERTIFICATE', own);
    assert.ok(der);
    assert.deepEqual(
      done.chain.map(({ subject }: { subject: string }) => subject),
      ['CN=Lab CA,O=Lab'],
    );
    const piped = await cli('ca import-chain -', { stdin: own });
    assert.equal(piped.code, 0, piped.err);
    assert.match(piped.out, /^CA default\n {2}chain +CN=Lab CA,O=Lab, SHA-256 [0-9a-f]{64}\n$/);
    assert.equal(readCertificate(der).serial.length, 16);
  });

  test('import-chain refuses a missing file, one without a certificate, and one with a broken certificate', async () => {
    const { cli } = await account();
    const folder = temporary('chain');
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const missing = await cli(`ca import-chain ${join(folder, 'none.pem')}`);
    assert.equal(missing.code, 3);
    assert.match(missing.err, /ENOENT/);
    for (const [name, text, said] of [
      ['empty.pem', '', /has no certificate in PEM/],
      ['words.pem', 'words', /has no certificate in PEM/],
      [
        'broken.pem',
        pem('CERTIFICATE', new Uint8Array(9)),
        /has a certificate that cannot be read/,
      ],
    ] as const) {
      const { code, out, err } = await cli(`ca import-chain ${file(name, text)}`);
      assert.deepEqual([code, out], [2, ''], name);
      assert.match(err, said);
    }
  });
});

describe('ca rotate-ra', () => {
  test('ca rotate-ra takes one step at a time, each when it may, and says what comes next', async () => {
    const { cli, json, lab } = await account();
    await cli('ca init');
    const told = ({ ra }: { ra: { id: number; state: string }[] }) =>
      ra.map(({ id, state }) => `${id} ${state}`).join();
    const prepared = await json('ca rotate-ra');
    assert.deepEqual([prepared.step, told(prepared)], ['prepare', '1 current,2 prepared']);
    const from = new Date(lab.clock.at + RA_PREPARED_MS).toISOString();
    assert.deepEqual(prepared.next, { step: 'activate', from });
    const early = await cli('ca rotate-ra');
    assert.deepEqual([early.code, early.out], [1, '']);
    assert.match(
      early.err,
      /too early: --activate from \S+Z on: by then every instance has loaded the prepared key; --force does not wait/,
    );
    const twice = await cli('ca rotate-ra --prepare');
    assert.match(twice.err, /an RA key is prepared already: go on with --activate/);
    lab.clock.at += RA_PREPARED_MS;
    const active = await cli('ca rotate-ra');
    assert.match(
      active.out,
      /^CA default\n {2}RA +1 previous, until \S+, SHA-256 \w+\n +2 current, .*\n {2}next +--retire from \S+Z \(in 30d\)\n$/,
    );
    const soon = await cli('ca rotate-ra --retire');
    assert.match(soon.err, /too early: --retire from .*until then clients may still use/);
    const none = await cli('ca rotate-ra --activate');
    assert.match(none.err, /no RA key is prepared: begin with --prepare/);
    lab.clock.at += RA_PREVIOUS_MS;
    const retired = await json('ca rotate-ra');
    assert.deepEqual([retired.step, told(retired)], ['retire', '1 retired,2 current']);
    assert.equal(retired.next, undefined);
    const nothing = await cli('ca rotate-ra --retire --force');
    assert.match(nothing.err, /no RA key is previous: there is nothing to retire/);
    const both = await cli('ca rotate-ra --prepare --retire', {});
    assert.equal(both.code, 2);
  });
});

describe('warnings about a key', () => {
  type Policy = readonly object[];
  const allow = (AWS: string, Action: string | string[], more: object = {}) => ({
    Effect: 'Allow',
    Principal: AWS === '*' ? '*' : { AWS },
    Action,
    Resource: '*',
    ...more,
  });
  const role = 'arn:aws:iam::111122223333:role/scep';
  const root = 'arn:aws:iam::111122223333:root';
  const cases: readonly (readonly [string, Policy, RegExp | undefined])[] = [
    [
      'only the roles that sign',
      [allow(role, 'kms:Sign'), allow(root, 'kms:Describe*')],
      undefined,
    ],
    ['the account administers it', [allow(root, ['kms:Put*', 'kms:GetPublicKey'])], undefined],
    [
      "KMS's own policy",
      [allow(root, 'kms:*')],
      /leaves it to the IAM policies of its account who may sign with it/,
    ],
    ['everybody', [allow('*', 'kms:Sign')], /lets everybody sign with it: see its policy/],
    [
      'everybody of one organisation',
      [allow('*', 'kms:Sign', { Condition: { StringEquals: { 'aws:PrincipalOrgID': 'o-1' } } })],
      undefined,
    ],
    [
      'another account',
      [allow('arn:aws:iam::444455556666:role/x', 'kms:S*')],
      /lets the account 444455556666 sign with it/,
    ],
    [
      'another account by its number',
      [allow('444455556666', '*')],
      /lets the account 444455556666 sign with it/,
    ],
    [
      'all but one action',
      [{ ...allow('444455556666', []), Action: undefined, NotAction: 'kms:Decrypt' }],
      /lets the account 444455556666 sign with it/,
    ],
    [
      'what it denies',
      [{ ...allow('*', 'kms:Sign'), Effect: 'Deny' }, allow(role, 'kms:Sign')],
      undefined,
    ],
  ];
  test('a policy that lets others sign is warned of; a right one is not', async () => {
    const { kms, json } = await account();
    const { key } = await json('ca init');
    const put = (KeyId: string, Statement: Policy) =>
      kms.client.send(
        new PutKeyPolicyCommand({
          KeyId,
          Policy: JSON.stringify({ Version: '2012-10-17', Statement }),
        }),
      );
    await put(kms.sealingKey, [allow(role, 'kms:Decrypt')]);
    for (const [what, statements, said] of cases) {
      await put(key, statements);
      const { warnings } = await json('ca init');
      assert.equal(warnings.length, said ? 1 : 0, `${what}: ${warnings}`);
      if (said) assert.match(warnings[0], said, what);
      if (said) assert.ok(warnings[0].startsWith(`the key ${key} `));
    }
    await put(key, [allow(role, 'kms:Sign')]);
    await put(kms.sealingKey, [allow('*', 'kms:Decrypt')]);
    const { warnings } = await json('ca init');
    assert.deepEqual(warnings, [
      `the key ${kms.sealingKey} lets everybody open what it has sealed: see its policy`,
    ]);
  });

  test('a bad state or use is warned of; what the process may not read is left out', async () => {
    const { kms, json, lab } = await account();
    const { key } = await json('ca init');
    kms.emulator.arm(({ action }) => (action === 'kms:GetKeyPolicy' ? 'denied' : undefined));
    assert.deepEqual((await json('ca init')).warnings, []);
    await kms.client.send(new DisableKeyCommand({ KeyId: key }));
    assert.deepEqual((await json('ca init')).warnings, [`the key ${key} is disabled: enable it`]);
    await kms.client.send(
      new ScheduleKeyDeletionCommand({ KeyId: kms.sealingKey, PendingWindowInDays: 7 }),
    );
    const { warnings } = await json('ca init');
    assert.match(
      warnings[1],
      /the key arn:\S+ is deleted on 20\d\d-\d\d-\d\d, for ever: cancel that$/,
    );
    kms.emulator.arm(() => 'denied');
    assert.deepEqual((await json('ca init')).warnings, []);
    kms.emulator.disarm();
    const seals = await kms.make();
    assert.match(
      String((await lab.deps.signer.warnings?.(seals))?.[0]),
      /has the usage ENCRYPT_DECRYPT and the spec SYMMETRIC_DEFAULT: it cannot be used here$/,
    );
    const nothing = key.replace(/[0-9a-f]{12}$/, '000000000000');
    assert.match(
      String((await lab.deps.signer.warnings?.(nothing))?.[0]),
      /^KMS DescribeKey with the key \S+ failed: NotFoundException/,
    );
  });

  test('ca show prints the warnings that the server may see, and with --keys those that only the operator may', async () => {
    const { kms, json, cli, operator, lab: owner } = await account();
    const { key } = await json('ca init');
    await kms.client.send(new DisableKeyCommand({ KeyId: key }));
    const shown = await json('ca show default');
    assert.ok(shown.warnings.includes(`the key ${key} is disabled: enable it`), shown.warnings);
    // The server may look at nothing.
    const blind = kms.keys().signer;
    const { warnings: _none, ...signer } = operator.signer;
    const lab = await makeLab({
      config,
      store: owner.unguarded,
      signer,
      uninitialised: ['default', 'below'],
    });
    const terminal = await openTerminal(lab);
    closing.push(() => terminal.close());
    const without = await terminal.run(['ca', 'show', 'default', '--json']);
    assert.doesNotMatch(without.out, /is disabled/);
    for (const args of [['default', '--keys'], ['--keys']]) {
      const { code, out, err } = await terminal.run(['ca', 'show', ...args, '--json'], {
        operator: { ...operator, signer: blind },
      });
      assert.equal(code, 0, err);
      assert.match(out, /the key arn:\S+ is disabled: enable it/);
    }
    assert.match((await cli('ca show default')).out, /warning +.*is disabled: enable it/);
  });
});

describe('ca mac-keys', () => {
  test('ca mac-keys prints the keys sealed, and puts them back where the record was altered or removed', async () => {
    const { cli, json, lab } = await account();
    await json('ca init');
    const { code, out } = await cli('ca mac-keys');
    assert.equal(code, 0);
    assert.deepEqual(Object.keys(JSON.parse(out)).sort(), [...macPurposes].sort());
    const { store } = lab.deps;
    const before = await readMacKeys(store, 'record');
    for (const keys of [[{ id: 'x', sealedKey: '!' }], [], 'nonsense', undefined]) {
      const [row] = await store.read([{ kind: 'macKeys', key: 'record' }]);
      const put = { do: 'put', kind: 'macKeys', key: 'record', rev: row?.rev ?? 0 } as const;
      await lab.unguarded.write([{ ...put, record: { keys } as unknown as MacKeysRecord }]);
      await assert.rejects(
        readMacKeys(store, 'record'),
        /^Outage: the MAC keys for "record" were changed by another hand: run "scepter ca mac-keys --restore FILE"$/,
      );
      assert.equal((await cli('ca mac-keys')).code, 1);
      const restored = await cli('ca mac-keys --restore -', { stdin: out });
      assert.deepEqual([restored.code, restored.out], [0, '']);
      assert.match(restored.err, /^restored the MAC keys for record$/m);
      assert.deepEqual(await readMacKeys(store, 'record'), before);
    }
    assert.match((await cli('ca mac-keys --restore -', { stdin: out })).err, /on record already/);
    const [row] = await store.read([{ kind: 'macKeys', key: 'record' }]);
    const gone = { do: 'delete', kind: 'macKeys', key: 'record', rev: row?.rev ?? 0 } as const;
    await lab.unguarded.write([gone]);
    assert.deepEqual(await readMacKeys(store, 'record'), []);
    assert.equal((await cli('ca mac-keys --restore -', { stdin: out })).code, 0);
    assert.deepEqual(await readMacKeys(store, 'record'), before);
  });

  test('ca mac-keys refuses a file that it did not write, and keys that are files', async () => {
    const { cli, lab } = await account();
    for (const stdin of ['{}', '[]', 'null', '{"record":[]}', '{"record":[{"id":1}]}']) {
      const { code, err } = await cli('ca mac-keys --restore -', { stdin });
      assert.equal(code, 2, stdin);
      assert.match(err, /- is not what "scepter ca mac-keys" prints/);
    }
    const files = operatorOf(lab.deps);
    const { code, err } = await cli('ca mac-keys', { operator: files });
    assert.equal(code, 2);
    assert.match(err, /the MAC keys are a file here, keys\/mac-keys\.json: keep a copy of that/);
  });
});

describe("a server's folder", () => {
  test('a running server takes every step of a rotation at once, and with it ended the folder is worked on', async () => {
    const { dataDir, env } = await freshService('operator');
    const cli = async (...args: string[]) => {
      const { code, out, err } = await run('functions/cli.ts', [...args, '--json'], { env });
      assert.equal(code, 0, err);
      return JSON.parse(out);
    };
    const rotate = (...flags: string[]) => cli('ca', 'rotate-ra', ...flags);
    const server = await startServer(env);
    const announced = async () => {
      const response = await fetch(`${server.url}/scep?operation=GetCACert`);
      const { ra } = readCaCertificates(new Uint8Array(await response.arrayBuffer()));
      return fingerprint(ra.der);
    };
    try {
      const [first] = (await cli('ca', 'show', 'default')).ra;
      assert.equal(await announced(), first.certificate.sha256);
      await rotate('--prepare');
      assert.equal(await announced(), first.certificate.sha256);
      // No other process has to load the key first.
      const { ra, next } = await rotate('--activate');
      assert.deepEqual(
        ra.map(({ state }: { state: string }) => state),
        ['previous', 'current'],
      );
      assert.equal(next.step, 'retire');
      assert.equal(await announced(), ra[1].sha256);
      assert.deepEqual((await cli('ca', 'show', 'default', '--keys')).warnings, []);
      const { token } = await cli('token', 'create', 'portal', '--role', 'auditor');
      const asked = async () =>
        (
          await fetch(`${server.url}/api/v1/events`, {
            headers: { authorization: `Bearer ${token}` },
          })
        ).status;
      assert.equal(await asked(), 200);
      await cli('token', 'revoke', 'portal');
      assert.equal(await asked(), 401);
      const kept = readFileSync(join(dataDir, 'token'), 'utf8');
      await cli('token', 'revoke', 'token-file');
      assert.notEqual(readFileSync(join(dataDir, 'token'), 'utf8'), kept);
      const { tokens } = await cli('token', 'list');
      assert.deepEqual(
        tokens.map(({ name }: { name: string }) => name),
        ['token-file'],
      );
    } finally {
      await server.stop();
    }
    await rotate('--prepare');
    const { deps, close } = await openOperator(readEnv(env));
    const view = new View(deps.store);
    await view.load([{ kind: 'authority', key: 'default' }]);
    close();
    assert.deepEqual(
      view.get('authority', 'default')?.generations.map(({ state }) => state),
      ['previous', 'current', 'prepared'],
    );
  });

  test('a folder is begun by its first command, also where its keys are in KMS, whose deployment must be named', async () => {
    const { dataDir, env } = await freshService('operator-kms');
    const key = 'arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000';
    const inKms = { SCEPTER_SEALING_KEY: key, AWS_REGION: 'eu-central-1' };
    const named = { SCEPTER_DEPLOYMENT: 'test', SCEPTER_LOG_KEY: key };
    const { close } = await openOperator(readEnv({ ...env, ...inKms, ...named }));
    close();
    assert.equal(statSync(dataDir).mode & 0o777, 0o700);
    assert.equal(statSync(join(dataDir, 'scepter.db')).mode & 0o777, 0o600);
    for (const name of ['SCEPTER_DEPLOYMENT', 'SCEPTER_LOG_KEY'] as const) {
      const { [name]: _, ...others } = named;
      const { env: ofAnother } = await freshService('operator-kms');
      await assert.rejects(
        openOperator(readEnv({ ...ofAnother, ...inKms, ...others })),
        new RegExp(`^ConfigError: ${name} must be set`),
      );
    }
  });

  test('a folder that is in use, and no server where one was looked for: the sentence says what to set', async () => {
    const { dataDir, env } = await freshService('operator');
    const { close } = await openOperator(readEnv(env));
    writeFileSync(join(dataDir, 'token'), 'a-token-of-this-folder'.padEnd(43, 'x'));
    const { code, out, err } = await run('functions/cli.ts', ['token', 'list'], { env });
    close();
    assert.deepEqual([code, out], [5, '']);
    assert.match(
      err,
      /^scepter: http:\/\/127\.0\.0\.1:\d+ did not answer: .* \(\S+data is in use: set SCEPTER_URL to the address of its server\)$/m,
    );
  });

  test('a CA under an offline root is made before the first start, which serves the others', async () => {
    const { env } = await freshService('operator', config);
    const asked = await run('functions/cli.ts', ['ca', 'init', 'below', '--csr'], { env });
    assert.match(asked.out, /^-----BEGIN CERTIFICATE REQUEST-----\n/, asked.err);
    const server = await startServer(env);
    assert.match(
      server.printed(),
      / CA +below cannot be used: the CA "below" waits for its certificate/,
    );
    const status = async (path: string) => (await fetch(`${server.url}${path}`)).status;
    assert.deepEqual(
      [await status('/scep?operation=GetCACert'), await status('/scep/below?operation=GetCACert')],
      [200, 503],
    );
    await server.stop();
    assert.match(server.logged(), /waits for its certificate: have its root sign/);
  });
});
