// scepter cert: found, shown, revoked, held and released, and among their renewals.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { hex, pem } from '../../lib/base/bytes.ts';
import type { CertificateRecord } from '../../lib/ports/records/certificate.ts';
import { type Certificate, readCertificate } from '../../lib/x509/certificate.ts';
import { describeCertificate } from '../../lib/x509/describe/describe.ts';
import { openTerminal } from '../support/cli.ts';
import { deviceKey } from '../support/keys.ts';
import { makeLab, putToken } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { type EnrolOptions, enrolment } from '../support/messages.ts';

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
  test('cert list is a table, newest first: serial, state, dates, CA, subject', async () => {
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

  test('--key takes a file with the key in it, and says what is wrong with one that has none', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'scepter-key-'));
    try {
      const file = join(folder, 'cert.pem');
      await writeFile(file, pem('CERTIFICATE', b.der));
      assert.deepEqual(listed((await cert('list', '--key', file)).out), [serials.b]);
      await writeFile(file, 'abc');
      const nothing = await cert('list', '--key', file);
      assert.deepEqual([nothing.code, nothing.out], [1, '']);
      const missing = await cert('list', '--key', join(folder, 'none'));
      assert.deepEqual([missing.code, missing.out], [3, '']);
      assert.match(missing.err, /there is no file/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('cert list --json is one object as the API has it; pages go on by their cursor', async () => {
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
    [['--state', 'intended'], /Allowed choices are issued, expired, held, revoked/],
    [['--ca', 'nowhere'], /ca: "nowhere" does not exist/],
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
  test('cert show prints the state and what "inspect" says; it takes a serial as people copy it', async () => {
    const { code, out, err } = await cert('show', serials.b);
    assert.equal(code, 0, err);
    assert.match(out, new RegExp(`^serial {7}${serials.b}\nstate {8}issued\n`));
    assert.match(out, /\ncertificate\n {2}subject {17}CN=laptop-2,O=Test\n/);
    assert.match(out, /\n {2}notAfter {16}2032-05-05T07:08:10Z \(in 364d23h\)\n/);
    const copied = (serials.b.toUpperCase().match(/../g) ?? []).join(':');
    assert.equal((await cert('show', copied)).out, out);
    assert.equal((await cert('show', serials.b, '--ca', 'default')).out, out);
  });

  test('a certificate past its end is expired where it is listed and where it is shown', async () => {
    const before = lab.clock.at;
    lab.clock.at = c.notAfter + 1000;
    try {
      const { out } = await cert('list', '--state', 'expired');
      assert.deepEqual(listed(out), [serials.c]);
      assert.match(out, new RegExp(`^${serials.c} {2}expired  `, 'm'));
      assert.match((await cert('show', serials.c)).out, /^state {8}expired$/m);
      assert.doesNotMatch((await cert('list', '--state', 'issued')).out, new RegExp(serials.c));
    } finally {
      lab.clock.at = before;
    }
  });

  test('cert show --pem prints the certificate, --json all of it', async () => {
    const { out } = await cert('show', serials.b, '--pem');
    const inspected = await terminal.run(['inspect', '-'], { stdin: out });
    assert.ok(inspected.out.includes(serials.b));
    const shown = JSON.parse((await cert('show', serials.b, '--json')).out);
    assert.equal(shown.pem, out);
    assert.equal(shown.der, Buffer.from(b.der).toString('base64'));
  });

  test('a certificate that does not exist is exit 3, for every command', async () => {
    for (const verb of ['show', 'revoke', 'hold', 'release', 'renewals']) {
      for (const args of [['00ff'], ['00ff', '--ca', 'default'], [serials.b, '--ca', 'second']]) {
        const { code, err, out } = await cert(verb, ...args);
        assert.equal(code, 3, `${verb} ${args}: ${err}`);
        assert.equal(out, '');
      }
    }
  });

  test('the beginning of a serial is enough for every command; one that several begin with is exit 2 with all of them', async () => {
    const begun = await cert('show', serials.b.slice(0, 9).toUpperCase());
    assert.equal(begun.out, (await cert('show', serials.b)).out, begun.err);
    assert.deepEqual(listed((await cert('list', '--serial', serials.b.slice(0, 9))).out), [
      serials.b,
    ]);
    const [row] = await lab.deps.store.read([{ kind: 'certificate', key: `default/${serials.c}` }]);
    const twin = `${serials.c.slice(0, 30)}${serials.c.endsWith('00') ? '01' : '00'}`;
    const record = { ...(row?.record as CertificateRecord), serial: twin };
    const key = `default/${twin}`;
    await lab.deps.store.write([{ do: 'put', kind: 'certificate', key, rev: 0, record }]);
    for (const verb of ['show', 'revoke', 'hold', 'release', 'renewals']) {
      const { code, out, err } = await cert(verb, twin.slice(0, 12));
      assert.deepEqual([code, out], [2, '']);
      assert.match(err, / begins several serial numbers: give more of it\n$/);
      assert.ok(err.includes(serials.c) && err.includes(twin), err);
    }
    await store.write([{ do: 'delete', kind: 'certificate', key, rev: 1 }]);
  });

  test('a serial that two CAs have is refused until --ca says which', async () => {
    const [row] = await lab.deps.store.read([{ kind: 'certificate', key: `default/${serials.c}` }]);
    const record = { ...(row?.record as CertificateRecord), ca: 'second' };
    const key = `second/${serials.c}`;
    await lab.deps.store.write([{ do: 'put', kind: 'certificate', key, rev: 0, record }]);
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

  test('a hold, its release and a revocation each say what they did, and the certificate shows it', async () => {
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

  test('an RA certificate is found by serial number or file, and the command that ends its use is named', async () => {
    const { serial, der } = lab.announced.ra;
    const number = hex(serial);
    const refused = await cert('revoke', number, '--reason', 'superseded');
    assert.deepEqual([refused.code, refused.out], [1, '']);
    assert.match(refused.err, /take the next steps of "scepter ca rotate-ra" first/);
    const revoked = await cert('revoke', number, '--reason', 'keyCompromise');
    assert.equal(revoked.code, 0, revoked.err);
    assert.match(
      revoked.out,
      new RegExp(`^${number} of CA default is revoked \\(keyCompromise\\)`),
    );
    assert.match(revoked.err, /scepter ca rotate-ra default --prepare\n/);
    const folder = await mkdtemp(join(tmpdir(), 'scepter-ra-'));
    try {
      const file = join(folder, 'ra.pem');
      await writeFile(file, pem('CERTIFICATE', der));
      const again = await cert('revoke', '--file', file, '--reason', 'keyCompromise');
      assert.equal(again.code, 0);
      assert.match(again.out, / is revoked already \(keyCompromise\): /);
      assert.equal((await cert('revoke', number, '--file', file)).code, 2);
      assert.equal((await cert('revoke')).code, 2);
      assert.equal((await cert('revoke', '00ff')).code, 3);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('what is so already is said and exit 0; a revoked certificate is neither held nor released, which is exit 1', async () => {
    const already = `${d} of CA default is revoked already (keyCompromise): CN=d,O=Test\n`;
    for (const reason of ['keyCompromise', 'superseded', 'unspecified']) {
      const { code, out } = await cert('revoke', d, '--reason', reason);
      assert.deepEqual([code, out], [0, already]);
    }
    for (const verb of ['hold', 'release']) {
      const { code, out, err } = await cert(verb, d);
      assert.deepEqual([code, out], [1, '']);
      assert.match(err, /the certificate is revoked/);
    }
  });

  test('cert hold and cert release suspend a certificate and end that, however often they are asked to', async () => {
    const key = await deviceKey('cert f');
    const f = hex((await enrolled({ key, subject: 'CN=f,O=Test' })).serial);
    const about = (state: string) => `${f} of CA default is ${state}: CN=f,O=Test\n`;
    const steps = [
      ['release', 'issued already'],
      ['hold', 'held (certificateHold)'],
      ['hold', 'held already (certificateHold)'],
      ['release', 'issued (removeFromCRL)'],
      ['release', 'issued already'],
    ] as const;
    for (const [verb, state] of steps) {
      assert.deepEqual(await cert(verb, f), { code: 0, out: about(state), err: '' });
    }
    assert.equal((await cert('revoke', f)).out, about('revoked (unspecified)'));
    assert.equal(
      (await cert('revoke', f, '--reason', 'keyCompromise')).out,
      about('revoked (keyCompromise)'),
    );
  });

  test('a revocation names the other good certificates of the lineage, and the command that revokes them', async () => {
    const [k1, k2, k3] = await Promise.all(
      ['e1', 'e2', 'e3'].map((name) => deviceKey(`cert ${name}`)),
    );
    assert.ok(k1 && k2 && k3);
    const asked = { subject: 'CN=e,O=Test', messageType: 'RenewalReq', challenge: '' } as const;
    const e1 = await enrolled({ key: k1, subject: 'CN=e,O=Test' });
    const e2 = await enrolled({ ...asked, key: k2, signer: { certificate: e1, key: k1 } });
    const e3 = await enrolled({ ...asked, key: k3, signer: { certificate: e2, key: k2 } });
    const [s1, s2, s3] = [e1, e2, e3].map(({ serial }) => hex(serial)) as [string, string, string];
    const alone = await cert('revoke', s2, '--reason', 'affiliationChanged');
    assert.equal(alone.out, `${s2} of CA default is revoked (affiliationChanged): CN=e,O=Test\n`);
    assert.equal(
      alone.err,
      [
        `still good, of the same lineage: ${s1} until ${iso(e1.notAfter)}`,
        `still good, of the same lineage: ${s3} until ${iso(e3.notAfter)}`,
        `to revoke all of it: scepter cert revoke ${s2} --reason affiliationChanged --with-renewals\n`,
      ].join('\n'),
    );
    assert.match(
      (await cert('show', s3)).out,
      new RegExp(`^ended {8}${s2}, which it renews, was`, 'm'),
    );
    const all = await cert('revoke', s2, '--reason', 'affiliationChanged', '--with-renewals');
    assert.equal(all.code, 0, all.err);
    assert.deepEqual(
      all.out.split('\n').slice(1, -1).sort(),
      [s1, s3].sort().map((s) => `${s} of its lineage too`),
    );
    const again = await cert('revoke', s1, '--with-renewals', '--json');
    assert.deepEqual([again.code, JSON.parse(again.out).withRenewals], [0, []]);
  });

  test('an unknown reason is exit 2 with the list of reasons', async () => {
    const { code, err } = await cert('revoke', d, '--reason', 'stolen');
    assert.equal(code, 2);
    assert.match(err, /Allowed choices are unspecified, keyCompromise/);
  });

  test('an auditor may look and not revoke, which is exit 4', async () => {
    const token = 'auditor'.padEnd(43, 'x');
    await putToken(lab.deps.store, token, { name: 'auditor', roles: ['auditor'] });
    const run = (...args: string[]) => terminal.run(['cert', ...args], { token });
    assert.equal((await run('show', serials.b)).code, 0);
    const { code, err } = await run('revoke', serials.b);
    assert.equal(code, 4);
    assert.match(err, /this needs the role admin$/m);
    assert.equal((await run('show', serials.b)).out.includes('issued'), true);
  });
});

describe('cert renewals', () => {
  test('cert renewals prints each certificate below the one that it renews, with a star at the one asked for', async () => {
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

test('expired certificates leave the list of expiring ones', async () => {
  const before = lab.clock.at;
  lab.clock.at += 11 * day;
  const { out } = await cert('list', '--expiring', '30d');
  lab.clock.at = before;
  assert.equal(out, '');
});
