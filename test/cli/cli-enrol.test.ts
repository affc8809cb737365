// scepter enrol and scepter renew against a lab over HTTP: requests that wait, are decided, are lost
// on the way; what is in the folder after each.

import assert from 'node:assert/strict';
import {
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { extensionOids } from '../../lib/asn1/oids.ts';
import { scan } from '../../lib/asn1/reader.ts';
import { type Bytes, fromPem, hex, pem } from '../../lib/base/bytes.ts';
import { certifies } from '../../lib/cli/device/scep.ts';
import { encodeCertsOnly } from '../../lib/cms/certs-only.ts';
import type { CertificateRecord } from '../../lib/ports/records/certificate.ts';
import type { Transaction } from '../../lib/ports/records/transaction.ts';
import { generateKey, importKey } from '../../lib/protocol/scep/client/client.ts';
import { decodePkiMessage } from '../../lib/protocol/scep/wire/decode.ts';
import {
  type Certificate,
  encodeTbsCertificate,
  readCertificate,
  signed,
  validity,
} from '../../lib/x509/certificate.ts';
import { caBasicConstraints, keyUsage } from '../../lib/x509/extensions.ts';
import { printGeneralName, readGeneralNames } from '../../lib/x509/names/general-name.ts';
import { parseName, printName } from '../../lib/x509/names/name.ts';
import { type Answer, openTerminal, type TerminalOptions } from '../support/cli.ts';
import { makeLab } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { temporary } from '../support/process.ts';

const day = 86_400_000;
const minute = 60_000;

const store = new MemoryStore();
const lab = await makeLab({
  store,
  config: {
    profiles: {
      ...{ brief: { validity: '1h' }, fresh: { sameKey: false } },
      named: { names: { dns: { pattern: '*.example' } } },
    },
    endpoints: {
      default: { ca: 'default' },
      waits: { ca: 'default', approval: 'always' },
      brief: { ca: 'default', profile: 'brief' },
      fresh: { ca: 'default', profile: 'fresh' },
      named: { ca: 'default', profile: 'named' },
    },
  },
});
let between: ((request: Request, answer: Answer) => Promise<Response>) | undefined;
/** messageTypes of the PKIOperations since the last command began. */
const sent: string[] = [];
const terminal = await openTerminal(lab, async (request, answer) => {
  if (request.method === 'POST' && !request.url.includes('/api/')) {
    sent.push(decodePkiMessage(new Uint8Array(await request.clone().arrayBuffer())).messageType);
  }
  return between ? between(request, answer) : answer(request);
});
after(() => terminal.close());

async function run(args: readonly string[], options: TerminalOptions = {}) {
  sent.length = 0;
  return terminal.run(args, options);
}

async function passed(args: readonly string[], options: TerminalOptions = {}): Promise<string> {
  const { code, out, err } = await run(args, options);
  assert.equal(code, 0, err);
  return out;
}

const urlOf = (endpoint: string): string => `${terminal.url}/scep/${endpoint}`;

/** A folder and the arguments to enrol into it. */
async function device(endpoint: string, ...more: string[]) {
  const out = join(temporary('device'), 'device');
  const challenge = await lab.challenge({ endpoint });
  const args = ['enrol', '--url', urlOf(endpoint), '--challenge', challenge];
  return { out, args: [...args, '--subject', 'CN=device,O=Test', '--out', out, ...more] };
}

const renewal = (endpoint: string, out: string, ...more: string[]): string[] => [
  ...['renew', '--url', urlOf(endpoint), '--out', out],
  ...more,
];

const read = (folder: string, name: string): string => readFileSync(join(folder, name), 'utf8');

/** The files of a folder with what is in them. */
const snapshot = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [name, read(folder, name)]),
  );

const certificateIn = (folder: string, name = 'cert.pem'): Certificate => {
  const [der] = fromPem('CERTIFICATE', read(folder, name));
  assert.ok(der);
  return readCertificate(der);
};

/** The pair in a folder, which must be one, and nothing beside it. */
async function pairIn(folder: string) {
  const [pkcs8] = fromPem('PRIVATE KEY', read(folder, 'key.pem'));
  const key = pkcs8 && (await importKey(pkcs8));
  const certificate = certificateIn(folder);
  assert.ok(key && certifies(certificate, key), 'key.pem is the key of cert.pem');
  assert.equal(statSync(join(folder, 'key.pem')).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder).sort(), ['ca.pem', 'cert.pem', 'key.pem']);
  return { key, certificate, serial: hex(certificate.serial) };
}

const transactionsOf = (endpoint: string): Transaction[] =>
  store
    .dump()
    .filter(({ kind }) => kind === 'transaction')
    .map(({ record }) => record as Transaction)
    .filter((transaction) => transaction.endpoint === endpoint);

const waiting = (): Transaction => {
  const [only, ...more] = transactionsOf('waits').filter(({ state }) => state === 'pending');
  assert.ok(only && more.length === 0);
  return only;
};

const recordOf = (serial: string): CertificateRecord => {
  const found = store
    .dump()
    .find(({ kind, key }) => kind === 'certificate' && key === `default/${serial}`);
  assert.ok(found);
  return found.record as CertificateRecord;
};

const decide = async (verdict: 'approve' | 'deny'): Promise<void> => {
  const { code, err } = await terminal.run(['txn', verdict, waiting().id]);
  assert.equal(code, 0, err);
};

test('enrol asks for each --san, and the certificate has them where the profile lets devices choose', async () => {
  const names = ['dns:device-1.example', 'dns:device-2.example'];
  const { out, args } = await device('named', ...names.flatMap((name) => ['--san', name]));
  await passed(args);
  const { certificate } = await pairIn(out);
  const value = certificate.extensions.get(extensionOids.subjectAltName)?.value;
  assert.deepEqual(value && readGeneralNames(scan(value)).map(printGeneralName), names);
});

describe('scepter enrol, when an approver has to allow it', () => {
  test('enrol says that it waits, polls at growing intervals, and has the certificate after the approval', async () => {
    const { out, args } = await device('waits');
    const slept: number[] = [];
    const waits = async (count: number) => {
      slept.push(...terminal.slept.slice(-1));
      if (count === 8) await lab.fetch(...approval());
    };
    const { code, out: printed, err } = await run(args, { waits });
    assert.equal(code, 0, err);
    assert.deepEqual(
      slept,
      [5, 10, 20, 40, 80, 160, 300, 300].map((s) => s * 1000),
    );
    assert.deepEqual(sent, ['19', ...slept.map(() => '20')]);
    const { serial } = await pairIn(out);
    assert.ok(printed.includes(serial));
    const [transaction, ...more] = transactionsOf('waits').filter((one) => one.serial === serial);
    assert.ok(transaction && more.length === 0);
    assert.ok(err.includes(`allow transactionID ${transaction.transactionIDs[0]}\n`), err);
    assert.match(err, /^asking again in 5s \(waited 0s of 1h\)$/m);
    assert.match(err, /^asking again in 5m \(waited 10m15s of 1h\)$/m);
  });

  /** The approver's call, made while a command of the same terminal waits. */
  const approval = (): [string, RequestInit] => [
    `/api/v1/transactions/${waiting().id}/approve`,
    { method: 'POST', body: '{}', headers: { authorization: `Bearer ${lab.adminToken}` } },
  ];

  test('enrol ends after --max-wait with exit 1, and the same command goes on with the same request', async () => {
    const { out, args } = await device('waits', '--poll-interval', '1m', '--max-wait', '150s');
    const first = await run(args);
    assert.equal(first.code, 1);
    assert.match(first.err, /still PENDING after 2m30s; the same command asks again/);
    assert.deepEqual(terminal.slept, [minute, 1.5 * minute]);
    assert.equal(first.out, '');
    assert.deepEqual(Object.keys(snapshot(out)), ['key.pem']);
    const { id } = waiting();
    const key = read(out, 'key.pem');
    await decide('approve');
    await passed(args);
    assert.deepEqual(sent, ['19']);
    assert.equal(read(out, 'key.pem'), key);
    const { serial } = await pairIn(out);
    assert.equal(transactionsOf('waits').find((one) => one.serial === serial)?.id, id);
  });

  test('enrol --max-wait 0 asks once', async () => {
    const { args } = await device('waits', '--max-wait', '0');
    const { code, err } = await run(args);
    assert.equal(code, 1);
    assert.match(err, /still PENDING after 0s/);
    assert.deepEqual(terminal.slept, []);
    await decide('deny');
  });

  test('an EC key gets its reply under the challenge, also after waiting', async () => {
    const { out, args } = await device('waits', '--key', 'ec:P-256', '--san', 'dns:a.example');
    // The challenge has no subject and the request has no name, so it is refused.
    assert.equal((await run(args)).code, 1);
    const plain = args.slice(0, -2);
    await passed(plain, { waits: async () => void (await lab.fetch(...approval())) });
    await pairIn(out);
  });

  test('a denial and an expiry while it waits are exit 1 with the code that says which', async () => {
    const denied = await device('waits');
    const first = await run(denied.args, { waits: () => decide('deny') });
    assert.equal(first.code, 1);
    assert.match(
      first.err,
      /refused: badRequest: SCEP-351: an approver denied the request\nto know more: scepter explain SCEP-351\n$/,
    );
    const expired = await device('waits', '--poll-interval', '8d', '--max-wait', '30d');
    const second = await run(expired.args);
    assert.equal(second.code, 1);
    assert.match(second.err, /refused: badRequest: SCEP-352: nobody approved the request in time/);
    assert.deepEqual(sent, ['19', '20']);
  });

  test('a server that is away for a while is asked again', async () => {
    const { out, args } = await device('waits');
    const waits = async (count: number) => {
      const away = async (request: Request, answer: Answer) =>
        request.url.includes('PKIOperation') ? new Response('', { status: 503 }) : answer(request);
      between = count === 1 ? away : undefined;
      if (count === 2) await decide('approve');
    };
    const { code, err } = await run(args, { waits });
    assert.equal(code, 0, err);
    assert.match(err, /is busy \(HTTP 503\)/);
    await pairIn(out);
  });

  test('a server that is busy while a request waits is left alone as long as it says', async () => {
    const { args } = await device('waits');
    const slept: number[] = [];
    const waits = async (count: number) => {
      slept.push(...terminal.slept.slice(-1));
      const headers = { 'retry-after': count === 1 ? '120' : '1' };
      const busy = async () => new Response('', { status: 503, headers });
      between = count < 3 ? busy : undefined;
      if (count === 3) await decide('approve');
    };
    const { code, err } = await run(args, { waits });
    assert.equal(code, 0, err);
    assert.deepEqual(slept, [5000, 120_000, 20_000]);
  });

  test('on a terminal the time that is left stands in one line, which is gone at the end', async () => {
    const { args } = await device('waits', '--poll-interval', '3s');
    const lines: string[] = [];
    const waits = async (count: number) => {
      if (count === 3) await decide('approve');
    };
    const { code, err } = await run(args, { waits, progress: (line) => lines.push(line) });
    assert.equal(code, 0, err);
    assert.deepEqual(lines, [
      'asking again in 3s (waited 0s of 1h)',
      'asking again in 2s (waited 0s of 1h)',
      'asking again in 1s (waited 0s of 1h)',
      '',
    ]);
    assert.doesNotMatch(err, /asking again/);
  });

  for (const [option, value] of [
    ['--poll-interval', '5'],
    ['--poll-interval', '0'],
    ['--max-wait', 'soon'],
    ['--max-wait', '-1s'],
  ]) {
    test(`${option} ${value}: exit 2, and nothing is sent`, async () => {
      const { args } = await device('waits', `${option}=${value}`);
      const { code, err } = await run(args);
      assert.equal(code, 2, err);
      assert.match(err, /is not a duration such as 30s/);
      assert.deepEqual(sent, []);
    });
  }
});

describe('scepter renew', () => {
  test('renew makes a new key and certificate, signed for with the old ones, for the same names', async () => {
    const names = ['dns:a.example', 'ip:192.0.2.1'];
    const out = join(temporary('device'), 'device');
    const challenge = await lab.challenge({ names });
    const enrol = ['enrol', '--url', urlOf('default'), '--challenge-stdin', '--out', out];
    await passed([...enrol, '--subject', 'CN=host,O=Test'], { stdin: `${challenge}\n` });
    const old = await pairIn(out);
    lab.clock.at += day;
    const said = JSON.parse(await passed(renewal('default', out, '--json'))) as { serial: string };
    assert.deepEqual(sent, ['17']);
    const fresh = await pairIn(out);
    assert.equal(said.serial, fresh.serial);
    assert.notEqual(fresh.serial, old.serial);
    assert.notDeepEqual(fresh.key.spki, old.key.spki);
    assert.equal(printName(fresh.certificate.subject), 'CN=host,O=Test');
    const san = ({ extensions }: Certificate) =>
      extensions.get(extensionOids.subjectAltName)?.value;
    assert.deepEqual(san(fresh.certificate), san(old.certificate));
    const made = transactionsOf('default').find(({ serial }) => serial === fresh.serial);
    assert.equal(made?.renews, old.serial);
    assert.equal(made?.asked, 'renewal');
  });

  test('renew --same-key keeps the key, again and again', async () => {
    const { out, args } = await device('default');
    await passed(args);
    const first = await pairIn(out);
    for (let times = 0; times < 3; times++) {
      lab.clock.at += day;
      await passed(renewal('default', out, '--same-key'));
    }
    const last = await pairIn(out);
    assert.deepEqual(last.key.pkcs8, first.key.pkcs8);
    assert.equal(last.certificate.notAfter, first.certificate.notAfter + 3 * day);
  });

  for (const [from, to] of [
    ['ec:P-256', undefined],
    ['ec:P-384', 'rsa:2048'],
    ['rsa:2048', 'ec:P-256'],
  ] as const) {
    test(`renew goes from ${from} to ${to ?? 'the same kind of key'}`, async () => {
      const { out, args } = await device('default', '--key', from);
      await passed(args);
      await passed(renewal('default', out, ...(to ? ['--key', to] : [])));
      const { key } = await pairIn(out);
      assert.equal(key.scheme.kind, (to ?? from).startsWith('ec') ? 'ECDSA' : 'RSASSA-PKCS1-v1_5');
    });
  }

  test('a refusal leaves everything as it was', async () => {
    const expired = await device('brief');
    await passed(expired.args);
    const before = snapshot(expired.out);
    lab.clock.at += day;
    const late = await run(renewal('brief', expired.out));
    assert.equal(late.code, 1);
    assert.match(
      late.err,
      /SCEP-322: the certificate that signed the message has expired\nto know more: scepter explain SCEP-322\n$/,
    );
    const { 'next-key.pem': prepared, ...rest } = snapshot(expired.out);
    assert.ok(prepared);
    assert.deepEqual(rest, before);

    const { out, args } = await device('fresh');
    await passed(args);
    const kept = snapshot(out);
    const same = await run(renewal('fresh', out, '--same-key'));
    assert.equal(same.code, 1);
    assert.match(same.err, /SCEP-326: the renewal must be for a new key/);
    assert.deepEqual(snapshot(out), kept);
  });

  test('a lost reply leaves the old pair, and the same command gets the certificate that was made', async () => {
    const { out, args } = await device('default');
    await passed(args);
    const old = await pairIn(out);
    const before = snapshot(out);
    between = async (request, answer) => {
      const response = await answer(request);
      return request.method === 'POST' ? new Response('', { status: 502 }) : response;
    };
    const lost = await run(renewal('default', out));
    between = undefined;
    assert.equal(lost.code, 5);
    const { 'next-key.pem': next, ...rest } = snapshot(out);
    assert.deepEqual(rest, before);
    await passed(renewal('default', out));
    assert.equal(read(out, 'key.pem'), next);
    const fresh = await pairIn(out);
    assert.deepEqual(Object.keys(recordOf(old.serial).successors), [fresh.serial]);
  });

  test('a key that was prepared and not used never takes the place of one that is', async () => {
    const { out, args } = await device('default');
    await passed(args);
    between = async (request, answer) =>
      request.method === 'POST' ? new Response('', { status: 503 }) : answer(request);
    assert.equal((await run(renewal('default', out))).code, 5);
    between = undefined;
    const prepared = read(out, 'next-key.pem');
    const key = read(out, 'key.pem');
    await passed(renewal('default', out, '--same-key'));
    assert.equal(read(out, 'key.pem'), key);
    await passed(renewal('default', out));
    assert.equal(read(out, 'key.pem'), prepared);
    await pairIn(out);
  });

  test('the next command, whichever it is, finishes a renewal that was stopped while it moved the files', async () => {
    for (const moved of [false, true]) {
      const { out, args } = await device('default');
      await passed(args);
      const old = snapshot(out);
      await passed(renewal('default', out));
      const fresh = snapshot(out);
      // As it is between the steps: the new certificate is there, the key has been moved or not.
      renameSync(join(out, 'cert.pem'), join(out, 'next-cert.pem'));
      writeFileSync(join(out, 'cert.pem'), old['cert.pem'] ?? '');
      if (!moved) {
        renameSync(join(out, 'key.pem'), join(out, 'next-key.pem'));
        writeFileSync(join(out, 'key.pem'), old['key.pem'] ?? '', { mode: 0o600 });
      }
      const other = await run(renewal('default', out, '--fingerprint', '00'));
      assert.equal(other.code, 6);
      assert.deepEqual(snapshot(out), fresh);
      await pairIn(out);
    }
  });

  test('renew waits for an approver like enrol, and goes on with the same request', async () => {
    for (const key of ['rsa:2048', 'ec:P-256']) {
      const { out, args } = await device('waits', '--key', key);
      await passed(args, { waits: () => decide('approve') });
      const old = await pairIn(out);
      const stopped = await run(renewal('waits', out, '--max-wait', '0'));
      assert.equal(stopped.code, 1);
      const { id } = waiting();
      const done = await run(renewal('waits', out), { waits: () => decide('approve') });
      assert.equal(done.code, 0, done.err);
      assert.deepEqual(sent, ['17', '20']);
      const { serial } = await pairIn(out);
      const made = transactionsOf('waits').find((one) => one.serial === serial);
      assert.equal(made?.id, id);
      assert.equal(made?.renews, old.serial);
    }
  });

  test('renew sends nothing without a certificate, with another key or without a CA, and says so', async () => {
    const empty = join(temporary('device'), 'nowhere');
    const none = await run(renewal('default', empty));
    assert.equal(none.code, 3);
    assert.match(none.err, /cert\.pem is not there: there is nothing to renew/);
    assert.throws(() => readdirSync(empty));

    const { out, args } = await device('default');
    await passed(args);
    const other = await device('default');
    await passed(other.args);
    const key = read(out, 'key.pem');
    writeFileSync(join(out, 'key.pem'), read(other.out, 'key.pem'));
    const mixed = await run(renewal('default', out));
    assert.equal(mixed.code, 1);
    assert.match(mixed.err, /key\.pem is not the key of .*cert\.pem/);
    writeFileSync(join(out, 'key.pem'), key);
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    for (const name of ['cert.pem', 'ca.pem']) {
      const whole = read(out, name);
      for (const [text, said] of [
        ['junk', 'has no certificate in PEM'],
        [broken, 'has a certificate that cannot be read: '],
      ] as const) {
        writeFileSync(join(out, name), text);
        const { code, err } = await run(renewal('default', out));
        assert.equal(code, 1);
        assert.ok(err.includes(`scepter: ${join(out, name)} ${said}`), err);
      }
      writeFileSync(join(out, name), whole);
    }
    rmSync(join(out, 'ca.pem'));
    const lonely = await run(renewal('default', out));
    assert.equal(lonely.code, 3);
    assert.match(lonely.err, /ca\.pem is not there: give the CA's --fingerprint/);
    assert.deepEqual(sent, []);
    const [ca] = lab.announced.chain;
    const { createHash } = await import('node:crypto');
    const print = createHash('sha256')
      .update(ca?.der ?? '')
      .digest('hex')
      .toUpperCase();
    await passed(renewal('default', out, '--fingerprint', print.replace(/..(?!$)/g, '$&:')));
    assert.equal(read(out, 'ca.pem'), pem('CERTIFICATE', ca?.der ?? new Uint8Array(0)));
    await pairIn(out);
  });

  test('a server that does not offer Renewal is not asked for one', async () => {
    const { out, args } = await device('default');
    await passed(args);
    const before = snapshot(out);
    between = async (request, answer) =>
      request.url.includes('GetCACaps') ? new Response('AES\nSHA-256\n') : answer(request);
    const { code, err } = await run(renewal('default', out));
    between = undefined;
    assert.equal(code, 5);
    assert.match(err, /does not offer Renewal: enrol again with a challenge/);
    assert.deepEqual(snapshot(out), before);
  });
});

describe('scepter renew --if-due --hook', () => {
  const hours = (count: number) => count * 60 * minute;
  /** Of an hour's life, enrolled just now. */
  async function young() {
    const { out, args } = await device('brief');
    await passed(args);
    return { out, old: await pairIn(out) };
  }
  const hook = 'pwd >> ../hooks && test ! -e ../broken';
  const due = (out: string, ...more: string[]) =>
    renewal('brief', out, '--if-due', '--hook', hook, ...more);
  const ran = (out: string): number => {
    const log = join(out, '..', 'hooks');
    return existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0;
  };
  const isOwed = (out: string): boolean => existsSync(join(out, 'hook-due'));

  test('before the last third of its life nothing is sent and nothing said; in it, it is renewed and the hook runs in the folder', async () => {
    const { out, old } = await young();
    lab.clock.at += hours(0.6);
    assert.deepEqual(await run(due(out)), { code: 0, out: '', err: '' });
    const { dueAt, renewed } = JSON.parse(await passed(due(out, '--json')));
    assert.deepEqual([renewed, Date.parse(dueAt) - lab.clock.at < hours(0.1)], [false, true]);
    assert.deepEqual([sent, ran(out), (await pairIn(out)).serial], [[], 0, old.serial]);
    lab.clock.at = Date.parse(dueAt);
    const { code, err } = await run(due(out));
    assert.equal(code, 0, err);
    assert.match(err, /^the hook has run: /m);
    assert.notEqual((await pairIn(out)).serial, old.serial);
    assert.equal(read(join(out, '..'), 'hooks'), `${realpathSync(out)}\n`);
    assert.deepEqual(await run(due(out)), { code: 0, out: '', err: '' });
    assert.equal(ran(out), 1);
  });

  test('--if-due takes a part of its life, or a duration before its end', async () => {
    const { out } = await young();
    for (const [window, begin] of [
      ['30m', ({ notAfter }: Certificate) => notAfter - hours(0.5)],
      ['1/2', ({ notBefore, notAfter }: Certificate) => (notBefore + notAfter) / 2],
      ['1/1', () => lab.clock.at],
    ] as const) {
      const asked = ['renew', '--url', urlOf('brief'), '--out', out, `--if-due=${window}`];
      lab.clock.at = begin(certificateIn(out)) - 1;
      if (window !== '1/1') assert.equal(await passed(asked), '', window);
      lab.clock.at += 1;
      assert.notEqual(await passed(asked), '', window);
    }
  });

  for (const window of ['soon', '4/3', '0/3', '1/0', '30']) {
    test(`--if-due ${window}: exit 2`, async () => {
      const { code, err } = await run(renewal('brief', '/tmp', `--if-due=${window}`));
      assert.equal(code, 2);
      assert.match(err, /It must be a part of its life such as 1\/3, or a duration such as 30d/);
    });
  }

  test('a hook that fails is exit 1, keeps the new pair, and is run again by the next command, which has nothing to renew', async () => {
    const { out, old } = await young();
    writeFileSync(join(out, '..', 'broken'), '');
    lab.clock.at += hours(0.8);
    const failed = await run(due(out));
    assert.equal(failed.code, 1);
    assert.match(
      failed.err,
      /the hook ended with exit code 1; the same command runs it again: pwd/,
    );
    assert.ok(isOwed(out));
    assert.notEqual(hex(certificateIn(out).serial), old.serial);
    assert.equal((await run(due(out))).code, 1);
    rmSync(join(out, '..', 'broken'));
    await passed(due(out));
    assert.deepEqual([ran(out), isOwed(out), sent], [3, false, []]);
    await pairIn(out);
  });

  test('whatever stops it between the files and the hook, the next command runs the hook', async () => {
    const { out } = await young();
    lab.clock.at += hours(0.8);
    const before = snapshot(out);
    await passed(due(out));
    const { key, certificate } = await pairIn(out);
    assert.ok(key);
    // As it was when next-cert.pem had been written, and nothing moved.
    renameSync(join(out, 'key.pem'), join(out, 'next-key.pem'));
    renameSync(join(out, 'cert.pem'), join(out, 'next-cert.pem'));
    for (const [name, text] of Object.entries(before))
      writeFileSync(join(out, name), text, { mode: 0o600 });
    writeFileSync(join(out, 'hook-due'), '');
    await passed(due(out));
    assert.deepEqual([ran(out), sent], [2, []]);
    assert.equal((await pairIn(out)).serial, hex(certificate.serial));
  });

  test('an owed hook stops no renewal and is stopped by none; a command without --hook leaves it', async () => {
    const { out, old } = await young();
    writeFileSync(join(out, 'hook-due'), '');
    lab.clock.at += hours(0.8);
    between = async () => new Response('', { status: 502 });
    const away = await run(due(out));
    between = undefined;
    assert.equal(away.code, 5);
    assert.match(
      away.err,
      /^scepter: \S+ answered with HTTP 502, which is not SCEP: check the URL\n$/m,
    );
    assert.deepEqual([ran(out), isOwed(out)], [1, false]);
    writeFileSync(join(out, 'hook-due'), '');
    writeFileSync(join(out, '..', 'broken'), '');
    const renewed = await run(due(out));
    assert.equal(renewed.code, 1);
    assert.match(renewed.err, /the hook ended with exit code 1/);
    assert.notEqual(hex(certificateIn(out).serial), old.serial);
    await passed(renewal('brief', out, '--if-due'));
    assert.ok(isOwed(out));
  });
});

describe('a man in the middle', async () => {
  const evil = await makeLab({ caKey: 'ec:P-256' });
  const [ca] = lab.announced.chain;
  assert.ok(ca);
  const print = async () => {
    const { createHash } = await import('node:crypto');
    return createHash('sha256').update(ca.der).digest('hex');
  };
  const swapped =
    (...certificates: Certificate[]) =>
    async (request: Request, answer: Answer) =>
      request.url.includes('GetCACert')
        ? new Response(encodeCertsOnly(certificates.map(({ der }) => der)))
        : answer(request);

  test('an RA that the CA of --fingerprint has not issued gets no challenge', async () => {
    const { args } = await device('default', '--fingerprint', await print());
    between = swapped(evil.announced.ra, ca);
    const { code, err } = await run(args);
    between = undefined;
    assert.equal(code, 6);
    assert.match(err, /the RA certificate was not issued by the CA/);
    assert.deepEqual(sent, []);
  });

  test('a man in the middle cannot renew either, nor smuggle a CA into ca.pem', async () => {
    const { out, args } = await device('default', '--fingerprint', await print());
    between = swapped(lab.announced.ra, ca, ...evil.announced.chain);
    await passed(args);
    assert.equal(read(out, 'ca.pem'), pem('CERTIFICATE', ca.der));
    const before = snapshot(out);
    for (const bag of [evil.announced.chain, [...evil.announced.chain, ca]]) {
      between = swapped(evil.announced.ra, ...bag);
      const { code, err } = await run(renewal('default', out));
      assert.equal(code, 6, err);
    }
    between = undefined;
    assert.deepEqual(sent, []);
    assert.deepEqual(snapshot(out), before);
  });

  test('many CAs that have all issued each other are refused as soon as one', async () => {
    const key = await generateKey({ type: 'EC', curve: 'P-256' });
    const name = parseName('CN=Evil');
    const made = async (number: number, extension: Bytes): Promise<Certificate> => {
      const tbs = encodeTbsCertificate({
        ...{ serial: Uint8Array.of(1, number), scheme: key.scheme, spki: key.spki },
        ...{ issuer: name, subject: name, extensions: [extension] },
        ...validity(lab.clock.now() - day, lab.clock.now() + day),
      });
      return readCertificate(signed(tbs, key.scheme, await key.sign(tbs)));
    };
    const own = await made(0, keyUsage(['digitalSignature', 'keyEncipherment']));
    const cas = await Promise.all(
      Array.from({ length: 20 }, (_, n) => made(n + 1, caBasicConstraints(undefined))),
    );
    const { args } = await device('default', '--fingerprint', await print());
    between = swapped(own, ca, ...cas);
    const { code, err } = await run(args);
    between = undefined;
    assert.equal(code, 6);
    assert.match(err, /the RA certificate was not issued by the CA/);
  });

  test('an empty --fingerprint, as of an unset variable, trusts no CA', async () => {
    const { args } = await device('default', '--fingerprint', '');
    assert.equal((await run(args)).code, 6);
    assert.deepEqual(sent, []);
  });
});

describe('an answer that is none', () => {
  const inflated = (): Response =>
    new Response(gzipSync(Buffer.alloc(2 * 1024 * 1024, 'AES\n')), {
      headers: { 'content-encoding': 'gzip' },
    });
  const endless = (): Response =>
    new Response(
      new ReadableStream({ pull: (stream) => stream.enqueue(new Uint8Array(64 * 1024)) }),
    );
  /** A part of it, and then the end of the connection. */
  const half = (): Response => {
    let parts = 0;
    const begun = new ReadableStream({
      pull: (stream) => {
        if (parts++ < 8) stream.enqueue(new Uint8Array(16 * 1024));
        else stream.error(new Error('gone'));
      },
    });
    return new Response(begun);
  };

  for (const [name, answered, said] of [
    ['is endless', endless, /its answer is longer than 1048576 octets/],
    ['inflates to more than it is', inflated, /its answer is longer than 1048576 octets/],
    ['breaks off', half, /it broke the connection off/],
  ] as const) {
    for (const operation of ['GetCACert', 'GetCACaps', 'PKIOperation']) {
      test(`${operation} ${name}: exit 5, with a sentence`, async () => {
        const { out, args } = await device('default');
        between = async (request, answer) =>
          request.url.includes(operation) ? answered() : answer(request);
        const { code, err } = await run(args);
        between = undefined;
        assert.equal(code, 5, err);
        assert.match(err, /^scepter: http\S+ did not answer: /m);
        assert.match(err, said);
        assert.equal(existsSync(join(out, 'cert.pem')), false);
      });
    }
  }

  test('of a poll: it is asked again', async () => {
    const { args } = await device('waits');
    let polls = 0;
    between = async (request, answer) =>
      sent.at(-1) === '20' && polls++ === 0 ? half() : answer(request);
    const waits = (count: number) => count === 2 && decide('approve');
    const { code, err } = await run(args, { waits });
    between = undefined;
    assert.equal(code, 0, err);
    assert.match(err, /did not answer: it broke the connection off/);
    assert.equal(polls > 1, true);
  });
});
