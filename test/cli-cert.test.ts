// scepter cert: found, shown, revoked, held and released, and among their renewals.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { MemoryStore } from '../lib/adapters/memory.ts';
import { hex } from '../lib/bytes.ts';
import type { CertificateRecord } from '../lib/ports/records.ts';
import { type Certificate, readCertificate } from '../lib/x509/certificate.ts';
import { describeCertificate } from '../lib/x509/describe.ts';
import { openTerminal } from './support/cli.ts';
import { deviceKey } from './support/keys.ts';
import { makeLab, putToken } from './support/lab.ts';
import { type EnrolOptions, enrolment } from './support/messages.ts';

const day = 86_400_000;
const store = new MemoryStore();
const lab = await makeLab({
  store,
  config: {
    cas: {
      default: { subject: 'CN=First CA', key: 'rsa:2048' },
      second: { subject: 'CN=Second CA' },
    },
    profiles: { brief: { validity: '10d' } },
    endpoints: {
      default: { ca: 'default' },
      brief: { ca: 'default', profile: 'brief' },
      second: { ca: 'second' },
    },
  },
  now: Date.UTC(2031, 4, 6, 7, 8, 9),
});
const terminal = await openTerminal(lab);
after(() => terminal.close());
const cert = (...args: string[]) => terminal.run(['cert', ...args]);
const iso = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

async function enrolled(options: EnrolOptions, endpoint = 'default'): Promise<Certificate> {
  const sent = await enrolment(lab, {
    challenge: await lab.challenge({ endpoint, names: options.names ?? [] }),
    ...options,
  });
  const answer = await sent.read(await lab.operate(sent.message, `/scep/${endpoint}`));
  assert.equal(answer.pkiStatus, 'SUCCESS', JSON.stringify(answer));
  const [der] = answer.pkiStatus === 'SUCCESS' ? answer.certificates : [];
  assert.ok(der);
  lab.clock.at += 1000;
  return readCertificate(der);
}

const keyA = await deviceKey('cert a');
const keyD = await deviceKey('cert d');
const a = await enrolled({ key: keyA, subject: 'CN=Laptop-1,O=Test', names: ['dns:l1.example'] });
const b = await enrolled({ key: await deviceKey('cert b'), subject: 'CN=laptop-2,O=Test' });
const c = await enrolled({ key: await deviceKey('cert c'), subject: 'CN=brief,O=Test' }, 'brief');
const nextKey = await deviceKey('cert next');
const next = await enrolled({
  key: nextKey,
  subject: 'CN=Laptop-1,O=Test',
  names: ['dns:l1.example'],
  messageType: 'RenewalReq',
  signer: { certificate: a, key: keyA },
  challenge: '',
});
const serials = Object.fromEntries(
  Object.entries({ a, b, c, next }).map(([name, { serial }]) => [name, hex(serial)]),
) as Record<'a' | 'b' | 'c' | 'next', string>;

const listed = (out: string): string[] =>
  out
    .split('\n')
    .slice(1, -1)
    .map((line) => line.split(' ')[0] ?? '');

describe('cert list', () => {
  test('is a table, newest first: serial, state, dates, CA, subject', async () => {
    const { code, out, err } = await cert('list');
    assert.equal(code, 0, err);
    const [heading, first] = out.split('\n');
    assert.match(heading ?? '', /^SERIAL {28}STATE {3}FROM {18}UNTIL {17}CA {7}SUBJECT$/);
    assert.equal(
      first,
      `${serials.next}  issued  ${iso(next.notBefore)}  ${iso(next.notAfter)}  default  CN=Laptop-1,O=Test`,
    );
    assert.deepEqual(listed(out), [serials.next, serials.c, serials.b, serials.a]);
  });

  const searches: [string[], ('a' | 'b' | 'c' | 'next')[]][] = [
    [
      ['--subject', 'cn=LAPTOP'],
      ['a', 'next', 'b'],
    ],
    [
      ['--device', 'l1'],
      ['a', 'next'],
    ],
    [['--device', 'laptop-2'], ['b']],
    [['--endpoint', 'brief'], ['c']],
    [['--expiring', '30d'], ['c']],
    [['--expiring', '5d'], []],
    [['--serial', serials.b.toUpperCase()], ['b']],
    [['--key', describeCertificate(b.der).key.sha256], ['b']],
    [['--ca', 'second'], []],
    [['--state', 'revoked'], []],
  ];
  for (const [args, found] of searches) {
    const [option = '', value = ''] = args;
    test(`${option} ${option === '--key' ? 'SHA-256' : value.slice(0, 10)}`, async () => {
      const { code, out, err } = await cert('list', ...args);
      assert.equal(code, 0, err);
      assert.deepEqual(listed(out).sort(), found.map((name) => serials[name]).sort());
      assert.equal(err, found.length === 0 ? 'no such certificates\n' : '');
    });
  }

  test('--json is one object as the API has it; pages go on by their cursor', async () => {
    const all = JSON.parse((await cert('list', '--all', '--json')).out);
    assert.equal(all.certificates.length, 4);
    assert.equal(all.next, null);
    const { out, err } = await cert('list', '--limit', '3');
    const [, cursor = ''] = /--cursor (\S+)\n/.exec(err) ?? [];
    const rest = await cert('list', '--limit', '3', '--cursor', cursor);
    assert.deepEqual([...listed(out), ...listed(rest.out)].length, 4);
  });

  const wrong: [string[], RegExp][] = [
    [['--expiring', 'soon'], /It must be a duration such as 12h or 30d/],
    [['--state', 'intended'], /Allowed choices are issued, held, revoked/],
    [['--ca', 'nowhere'], /ca: "nowhere" does not exist/],
    [['--key', 'abc'], /key: must be a SHA-256/],
    [['--serial', 'xyz'], /serial: must be a serial number/],
  ];
  for (const [args, said] of wrong) {
    test(`${args.join(' ')}: exit 2 and a sentence`, async () => {
      const { code, out, err } = await cert('list', ...args);
      assert.equal(code, 2, err);
      assert.match(err, said);
      assert.equal(out, '');
    });
  }
});

describe('cert show', () => {
  test('its state, and what "inspect" says of it; the serial as people copy it', async () => {
    const { code, out, err } = await cert('show', serials.b);
    assert.equal(code, 0, err);
    assert.match(out, new RegExp(`^serial {7}${serials.b}\nstate {8}issued\n`));
    assert.match(out, /\ncertificate\n {2}subject {17}CN=laptop-2,O=Test\n/);
    assert.match(out, /\n {2}notAfter {16}2032-05-05T07:08:10Z \(in 364d23h\)\n/);
    const copied = (serials.b.toUpperCase().match(/../g) ?? []).join(':');
    assert.equal((await cert('show', copied)).out, out);
    assert.equal((await cert('show', serials.b, '--ca', 'default')).out, out);
  });

  test('--pem is the certificate, --json all of it', async () => {
    const { out } = await cert('show', serials.b, '--pem');
    const inspected = await terminal.run(['inspect', '-'], { stdin: out });
    assert.ok(inspected.out.includes(serials.b));
    const shown = JSON.parse((await cert('show', serials.b, '--json')).out);
    assert.equal(shown.pem, out);
    assert.equal(shown.der, Buffer.from(b.der).toString('base64'));
  });

  test('one that is not there: exit 3, for every command', async () => {
    for (const verb of ['show', 'revoke', 'renewals']) {
      for (const args of [['00ff'], ['00ff', '--ca', 'default'], [serials.b, '--ca', 'second']]) {
        const { code, err, out } = await cert(verb, ...args);
        assert.equal(code, 3, `${verb} ${args}: ${err}`);
        assert.equal(out, '');
      }
    }
  });

  test('one serial of two CAs: asked which', async () => {
    const [row] = await store.read([{ kind: 'certificate', key: `default/${serials.c}` }]);
    const record = { ...(row?.record as CertificateRecord), ca: 'second' };
    const key = `second/${serials.c}`;
    await store.write([{ do: 'put', kind: 'certificate', key, rev: 0, record }]);
    const { code, err } = await cert('show', serials.c);
    assert.equal(code, 2);
    assert.match(err, /several CAs have it: add --ca with one of default, second/);
    assert.equal((await cert('show', serials.c, '--ca', 'second')).code, 0);
    await store.write([{ do: 'delete', kind: 'certificate', key, rev: 1 }]);
  });
});

describe('cert revoke', () => {
  let d: string;
  before(async () => {
    d = hex((await enrolled({ key: keyD, subject: 'CN=d,O=Test' })).serial);
  });

  test('held, released, revoked: each says what it did, and the certificate shows it', async () => {
    const held = await cert('revoke', d, '--reason', 'certificateHold');
    const said = (state: string, reason: string) =>
      `${d} of CA default is ${state} (${reason}): CN=d,O=Test\n`;
    assert.deepEqual(held, { code: 0, out: said('held', 'certificateHold'), err: '' });
    assert.match((await cert('show', d)).out, /^state {8}held since 2031-.*, certificateHold$/m);
    assert.deepEqual(listed((await cert('list', '--state', 'held')).out), [d]);
    const released = await cert('revoke', d, '--reason', 'removeFromCRL');
    assert.equal(released.out, said('issued', 'removeFromCRL'));
    const revoked = await cert('revoke', d, '--reason', 'keyCompromise', '--json');
    assert.equal(JSON.parse(revoked.out).revocationReason, 'keyCompromise');
    assert.match((await cert('show', d)).out, /^state {8}revoked since 2031-.*, keyCompromise$/m);
  });

  test('what is revoked stays so: exit 1 and its state', async () => {
    for (const reason of ['keyCompromise', 'removeFromCRL', 'certificateHold']) {
      const { code, out, err } = await cert('revoke', d, '--reason', reason);
      assert.equal(code, 1);
      assert.match(err, /the certificate is revoked/);
      assert.equal(out, '');
    }
  });

  test('a reason that RFC 5280 does not have: exit 2, and those that it has', async () => {
    const { code, err } = await cert('revoke', d, '--reason', 'stolen');
    assert.equal(code, 2);
    assert.match(err, /Allowed choices are unspecified, keyCompromise/);
  });

  test('an auditor may look and not revoke: exit 4', async () => {
    const token = 'auditor'.padEnd(43, 'x');
    await putToken(store, token, { name: 'auditor', roles: ['auditor'] });
    const run = (...args: string[]) => terminal.run(['cert', ...args], { token });
    assert.equal((await run('show', serials.b)).code, 0);
    const { code, err } = await run('revoke', serials.b);
    assert.equal(code, 4);
    assert.match(err, /this needs one of the roles admin/);
    assert.equal((await run('show', serials.b)).out.includes('issued'), true);
  });
});

describe('cert renewals', () => {
  test('each below the one that it renews, a star at the one asked for', async () => {
    const from = async (serial: string) => (await cert('renewals', serial)).out.split('\n');
    const [heading, first, second, ...rest] = await from(serials.next);
    assert.match(heading ?? '', /^SERIAL/);
    assert.ok(first?.startsWith(`${serials.a}  `), first);
    assert.ok(second?.startsWith(`  ${serials.next} *  issued`), second);
    assert.deepEqual(rest, ['']);
    assert.ok((await from(serials.a))[1]?.startsWith(`${serials.a} *`));
    const { out } = await cert('renewals', serials.a, '--json');
    assert.equal(JSON.parse(out).certificates[1].renews, serials.a);
  });
});

test('expiring ones leave the list when their time is over', async () => {
  const before = lab.clock.at;
  lab.clock.at += 11 * day;
  const { out } = await cert('list', '--expiring', '30d');
  lab.clock.at = before;
  assert.equal(out, '');
});
