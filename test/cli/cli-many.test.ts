// One command for many: files of serial numbers and ids, tried first, done some at once, gone on with after a failure.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { hex } from '../../lib/base/bytes.ts';
import { Patience } from '../../lib/cli/busy.ts';
import type { CertificateRecord } from '../../lib/ports/records/certificate.ts';
import { readCertificate } from '../../lib/x509/certificate.ts';
import { openTerminal } from '../support/cli.ts';
import { deviceKey } from '../support/keys.ts';
import { makeLab } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { enrolment } from '../support/messages.ts';
import { temporary } from '../support/process.ts';

const store = new MemoryStore();
const lab = await makeLab({
  store,
  config: {
    endpoints: {
      default: { ca: 'default', approval: 'always' },
      direct: { ca: 'default', profile: 'same' },
    },
    profiles: { same: { sameKey: true } },
  },
});
let between: ((request: Request) => Response | undefined) | undefined;
let [now, most] = [0, 0];
const terminal = await openTerminal(lab, async (request, answer) => {
  most = Math.max(most, ++now);
  try {
    // The others that are asked at once come in meanwhile.
    await new Promise((resolve) => setImmediate(resolve));
    return between?.(request) ?? (await answer(request));
  } finally {
    now--;
  }
});
after(() => terminal.close());
beforeEach(() => {
  between = undefined;
  most = 0;
});

const folder = temporary('many');
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const key = await deviceKey('many', { type: 'EC', curve: 'P-256' });

/** Certificates of one key, by serial number. */
async function enrolled(count: number): Promise<string[]> {
  const serials: string[] = [];
  for (let i = 0; i < count; i++) {
    const challenge = await lab.challenge({ endpoint: 'direct' });
    const sent = await enrolment(lab, { challenge, key });
    const answer = await sent.read(await lab.operate(sent.message, '/scep/direct'));
    const [der] = answer.pkiStatus === 'SUCCESS' ? answer.certificates : [];
    serials.push(hex(readCertificate(der ?? assert.fail()).serial));
    lab.clock.at += 1000;
  }
  return serials;
}

/** Requests that wait, by id. */
async function waiting(count: number): Promise<string[]> {
  const begun = lab.clock.at;
  for (let i = 0; i < count; i++) {
    const sent = await enrolment(lab, { challenge: await lab.challenge(), key });
    await lab.operate(sent.message);
    lab.clock.at += 1000;
  }
  const { out } = await terminal.run(['txn', 'list', '--state', 'pending', '--all', '--json']);
  const { transactions } = JSON.parse(out) as { transactions: { id: string; createdAt: string }[] };
  return transactions.filter(({ createdAt }) => Date.parse(createdAt) >= begun).map(({ id }) => id);
}

const certificate = (serial: string): CertificateRecord => {
  const row = store.dump().find((one) => one.kind === 'certificate' && one.key.endsWith(serial));
  return (row?.record as CertificateRecord | undefined) ?? assert.fail(serial);
};
const states = (serials: readonly string[]) => serials.map((serial) => certificate(serial).state);

/** The results of a command, by what they are about. */
const resultsIn = (out: string): Record<string, string> => {
  const [head, ...rows] = out.trimEnd().split('\r\n');
  assert.match(head ?? '', /^"line","(serial|id)","result","detail"$/);
  return Object.fromEntries(
    rows.map((row) => {
      const [, , what = '', result = ''] = /^"(\d+)","(.*?)","(.*?)",".*"$/.exec(row) ?? [];
      return [what, result];
    }),
  );
};

describe('cert revoke --from', () => {
  test('a file is tried, done some at once, and done again without a failure', async () => {
    const serials = await enrolled(9);
    const path = file('serials.txt', `${serials.join('\n')}\n`);
    const revoke = (...more: string[]) => terminal.run(['cert', 'revoke', '--from', path, ...more]);
    const tried = await revoke('--dry-run');
    assert.equal(tried.code, 0, tried.err);
    assert.deepEqual(resultsIn(tried.out), Object.fromEntries(serials.map((one) => [one, 'done'])));
    assert.equal(tried.err, '9 rows: 9 would be done\nnothing was done: without --dry-run it is\n');
    assert.deepEqual(states(serials), Array(9).fill('issued'));
    assert.ok(most > 1 && most <= 4, `${most} at once`);
    const done = await revoke('--reason', 'superseded');
    assert.deepEqual([done.code, done.err], [0, '9 rows: 9 done\n']);
    assert.deepEqual(Object.keys(resultsIn(done.out)), serials, 'in the order of the file');
    assert.ok(serials.every((one) => certificate(one).revocationReason === 'superseded'));
    for (const more of [[], ['--dry-run']]) {
      const again = await revoke('--reason', 'superseded', ...more);
      assert.equal(again.code, 0);
      assert.match(again.err, /^9 rows: 9 unchanged\n/);
    }
  });

  test('one that fails has its reason, the others are done, and the exit code is 1', async () => {
    const [one = '', other = ''] = await enrolled(2);
    const rows = `${one}\n${'ab'.repeat(16)}\n\n${other.slice(0, 20)}\nxyz\n`;
    const { code, out, err } = await terminal.run(['cert', 'revoke', '--from', '-'], {
      stdin: rows,
    });
    assert.equal(code, 1);
    assert.deepEqual(states([one, other]), ['revoked', 'revoked']);
    assert.match(out, /^"2","(ab){16}","failed","no CA has issued a certificate (ab){16}"\r$/m);
    assert.match(out, /^"5","xyz","failed",".*serial: must be a serial number.*"\r$/m);
    assert.match(err, /^4 rows: 2 done, 2 failed\nscepter: 2 of 4 not done; /);
    const json = await terminal.run(['cert', 'revoke', '--json', '--from', '-'], { stdin: rows });
    const results = JSON.parse(json.out).rows.map((row: { result: string }) => row.result);
    assert.deepEqual(results, ['unchanged', 'failed', 'unchanged', 'failed']);
  });

  test('what "cert list -o csv" prints is taken as it is; a row has a reason of its own', async () => {
    const [one = '', other = ''] = await enrolled(2);
    const list = ['cert', 'list', '--limit', '2', '-o', 'csv'];
    const { out } = await terminal.run(list);
    const listed = await terminal.run(['cert', 'revoke', '--from', '-'], { stdin: out });
    assert.deepEqual([listed.code, states([one, other])], [0, ['revoked', 'revoked']]);
    const csv = `\ufeffReason,serial\r\naffiliationChanged,"${one}"\r\n,${other}\r\n`;
    const args = ['cert', 'revoke', '--reason', 'superseded', '--from', '-'];
    const { code, err } = await terminal.run(args, { stdin: csv });
    assert.equal(code, 0, err);
    assert.deepEqual(
      [one, other].map((serial) => certificate(serial).revocationReason),
      ['affiliationChanged', 'superseded'],
    );
  });

  const wrong: [string, string, RegExp][] = [
    [
      'a reason that is none',
      'serial,reason\n00ff,stolen\n',
      /line 2, column reason: must be one of un/,
    ],
    ['no serial', 'serial,reason\n,superseded\n', /line 2, column serial: has to have one value/],
    ['too few cells', 'serial,ca\n00ff\n', /line 2: has 1 column, and the first line has 2/],
    [
      'columns that are called like what every object has',
      'serial,__proto__,constructor\n00ff,1,2\n,3,4\n',
      /line 3, column serial: has to have one value/,
    ],
    ['no header', '00ff,default\n', /line 1: has several columns: name them in the first line/],
    ['an open quote', 'serial\n"00ff\n', /line 2, column 1: has a quote without its end/],
    [
      'a cell that goes on',
      'serial\n"00"ff\n',
      /line 2, column 1: goes on after its closing quote/,
    ],
    [
      'semicolons',
      '"serial";"ca"\n"00ff";"x"\n',
      /line 1: its columns stand apart by semicolons: /,
    ],
    ['tabs', 'serial\tca\n00ff\tx\n', /line 1: its columns stand apart by tabs: write it with co/],
    [
      'lines of an old Mac',
      'serial,reason\r00ff,\r00fe,stolen\r',
      /line 3, column reason: must be/,
    ],
    ['a quote in a cell', 'serial\n00"ff\n', /line 2, column 1: has a quote in its middle/],
  ];
  for (const [name, text, said] of wrong) {
    test(`a file with ${name} is exit 2 with line and column, and nothing is asked`, async () => {
      const path = file('wrong.csv', text);
      const { code, out, err } = await terminal.run(['cert', 'revoke', '--from', path]);
      assert.deepEqual([code, out, most], [2, '', 0]);
      assert.ok(err.startsWith(`${path}, line `), err);
      assert.match(err, said);
      assert.match(err, /has 1 fault: nothing was done\n$/);
    });
  }

  test('a file beside a serial number, and --dry-run without a file, are exit 2', async () => {
    for (const args of [
      ['00ff', '--from', 'x'],
      ['--from', 'x', '--file', 'y'],
      ['00ff', '--dry-run'],
    ]) {
      assert.equal((await terminal.run(['cert', 'revoke', ...args])).code, 2, args.join(' '));
    }
    assert.equal((await terminal.run(['cert', 'revoke', '--from', join(folder, 'none')])).code, 3);
  });

  test('a busy server is waited for, and every row is done', async () => {
    const serials = await enrolled(6);
    const path = file('busy.txt', serials.join('\n'));
    let refused = 0;
    between = ({ method }) =>
      method === 'POST' && ++refused <= 4
        ? new Response('', { status: 503, headers: { 'retry-after': '30' } })
        : undefined;
    const { code, err } = await terminal.run(['cert', 'revoke', '--from', path]);
    assert.equal(code, 0, err);
    assert.deepEqual(states(serials), Array(6).fill('revoked'));
  });

  test('a server that does not answer, or lets nobody in, ends it: the rest is not tried', async () => {
    const serials = await enrolled(12);
    const path = file('ends.txt', serials.join('\n'));
    const run = (...more: string[]) => terminal.run(['cert', 'revoke', '--from', path, ...more]);
    let asked = 0;
    between = ({ method }) =>
      method === 'POST' && ++asked > 2 ? new Response('', { status: 503 }) : undefined;
    const gone = await run('--retry-for', '0');
    assert.equal(gone.code, 5);
    assert.match(gone.err, /^12 rows: 2 done, \d failed, \d+ not tried\n/);
    const results = Object.values(resultsIn(gone.out));
    assert.equal(results.length, 12);
    between = () => new Response('{"detail":"no"}', { status: 403 });
    assert.equal((await run()).code, 4);
    const stop = AbortSignal.abort();
    const stopped = await terminal.run(['cert', 'revoke', '--from', path], { stop });
    assert.match(stopped.err, /12 not tried\nscepter: interrupted; the same command does the rest/);
    between = undefined;
    const rest = await run();
    assert.equal(rest.code, 0);
    assert.match(rest.err, /^12 rows: 10 done, 2 unchanged\n/);
  });
});

test('requests of one command that a server refuses meanwhile wait together, and once', async () => {
  const slept: number[] = [];
  const over = Promise.withResolvers<void>();
  const sleep = (ms: number) => {
    slept.push(ms);
    return over.promise;
  };
  const patience = new Patience(
    { clock: { now: () => 0, sleep }, note: () => {}, progress: undefined },
    60_000,
  );
  let asked = 0;
  const busy = { status: 503, retryAfter: '40', date: undefined };
  const ask = async () => (++asked > 3 ? { ...busy, status: 200 } : busy);
  const all = Promise.all(['a', 'b', 'c'].map((who) => patience.until(who, ask)));
  while (asked < 3) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([slept, asked], [[40_000], 3]);
  over.resolve();
  assert.deepEqual(
    (await all).map(({ status }) => status),
    [200, 200, 200],
  );
  assert.deepEqual([slept.length, asked], [1, 6]);
});

describe('txn approve and deny --from', () => {
  for (const verdict of ['approve', 'deny'] as const) {
    const state = verdict === 'approve' ? 'approved' : 'denied';
    test(`requests are ${state} once, with the reason of their row`, async () => {
      const ids = await waiting(3);
      assert.equal(ids.length, 3);
      const csv = `id,reason\n${ids.map((id, i) => `${id},ticket ${i}`).join('\n')}\n`;
      const decide = (stdin: string, ...more: string[]) =>
        terminal.run(['txn', verdict, '--from', '-', ...more], { stdin });
      const tried = await decide(csv, '--dry-run');
      assert.match(tried.err, /^3 rows: 3 would be done\nnothing was done/);
      const done = await decide(csv);
      assert.deepEqual([done.code, done.err], [0, '3 rows: 3 done\n'], done.out);
      const shown = await terminal.run(['txn', 'show', ids[1] ?? '']);
      assert.match(shown.out, new RegExp(`^state +${state}`, 'm'));
      assert.match(shown.out, /"ticket 1"/);
      for (const more of [[], ['--dry-run']]) {
        assert.match((await decide(csv, ...more)).err, /^3 rows: 3 unchanged\n/);
      }
      const other = verdict === 'approve' ? 'deny' : 'approve';
      const late = await terminal.run(['txn', other, '--from', '-'], { stdin: ids.join('\n') });
      assert.equal(late.code, 1);
      assert.match(late.out, new RegExp(`"failed",".*the transaction is ${state}, not pending"`));
    });
  }
});

describe('challenge create --from', () => {
  const create = (stdin: string, ...more: string[]) =>
    terminal.run(['challenge', 'create', '--from', '-', ...more], { stdin });
  const challenges = () => store.dump().filter(({ kind }) => kind === 'challenge');
  const csv = [
    'endpoint,subject,san,uses,ttl,san',
    'direct,"CN=a,O=Test",dns:a.example.com,2,30m,',
    ',CN=b,dns:b.example.com email:b@example.com,,,uri:https://b.example.com/',
    ',CN=b,,,,',
    ',CN=b,,,,',
    '',
  ].join('\n');

  test('every row becomes a challenge, in its order; the same file again gets the same ones', async () => {
    const before = challenges().length;
    const tried = await create(csv, '--dry-run');
    assert.deepEqual(
      [tried.code, tried.out, tried.err],
      [0, '', '4 rows: a challenge could be made for each; none was\n'],
    );
    assert.equal(challenges().length, before);
    const made = await create(csv, '--ttl', '2h');
    assert.deepEqual([made.code, made.err], [0, '4 rows: 4 challenges\n']);
    const [head, ...rows] = made.out.trimEnd().split('\r\n');
    assert.equal(head, '"endpoint","subject","san","uses","ttl","id","challenge","expiresAt"');
    const names = '"dns:b.example.com email:b@example.com uri:https://b.example.com/"';
    const own = '"[0-9A-Z]{26}","[0-9a-z]{26}","[^"]+Z"';
    assert.match(
      rows[0] ?? '',
      new RegExp(`^"direct","CN=a,O=Test","dns:a.example.com","2","30m",${own}$`),
    );
    assert.match(rows[1] ?? '', new RegExp(`^"default","CN=b",${names},"1","2h",${own}$`));
    const secrets = rows.map((row) => row.split('","')[6]);
    assert.equal(new Set(secrets).size, 4, 'equal rows have challenges of their own');
    assert.equal(challenges().length, before + 4);
    assert.equal((await create(csv, '--ttl', '2h')).out, made.out);
    assert.equal(challenges().length, before + 4);
    const other = await create(csv, '--ttl', '2h', '--batch', 'second');
    assert.notEqual(other.out, made.out);
    assert.equal(challenges().length, before + 8);
  });

  test('what is wrong is said with line and column, all of it, and nothing is made', async () => {
    const before = challenges().length;
    const wrong = [
      'endpoint,subject,san,uses,ttl',
      'nowhere,CN=a,,,',
      ',CN=a,dns:pc_01.example.com,,',
      ',"CN=a,",,,',
      ',CN=a,,many,',
      ',CN=a,,,soon',
      ',CN=good,,,',
      '',
    ].join('\n');
    for (const more of [[], ['--dry-run']]) {
      const { code, out, err } = await create(wrong, ...more);
      assert.deepEqual([code, out], [2, '']);
      const said = [
        /^standard input, line 2, column endpoint: "nowhere" does not exist$/m,
        /^standard input, line 3, column san: .*pc_01/m,
        /^standard input, line 4, column subject: /m,
        /^standard input, line 5, column uses: /m,
        /^standard input, line 6, column ttl: /m,
        /^scepter: standard input has 5 faults: nothing was done$/m,
      ];
      for (const sentence of said) assert.match(err, sentence);
    }
    assert.equal(challenges().length, before);
    const column = await create('endpiont\ndefault\n');
    assert.match(
      column.err,
      /line 1, column endpiont: is none of endpoint, subject, san, uses, ttl/,
    );
    const latin = { stdin: Uint8Array.of(0x43, 0x4e, 0x3d, 0xe4, 0x0a) };
    const unread = await terminal.run(['challenge', 'create', '--from', '-'], latin);
    assert.deepEqual([unread.code, unread.out], [2, '']);
    assert.match(unread.err, /is not a text in UTF-8\n/);
    const twice = await create('subject,subject\nCN=a,CN=b\n');
    assert.match(twice.err, /line 2, column subject: stands more than once/);
    assert.equal((await terminal.run(['challenge', 'create', '--dry-run'])).code, 2);
  });

  test('a run that a server has ended is gone on with by the same command', async () => {
    const rows = `subject\n${Array.from({ length: 9 }, (_, i) => `CN=ended-${i}`).join('\n')}\n`;
    let made = 0;
    between = ({ method, url }) =>
      method === 'POST' && url.endsWith('/challenges') && ++made > 3
        ? new Response('', { status: 503 })
        : undefined;
    const { code, err } = await create(rows, '--retry-for', '0');
    assert.equal(code, 5);
    assert.match(err, /\n9 rows: 3 challenges\nscepter: 6 of 9 not made; the same command tries/);
    between = undefined;
    const before = challenges().length;
    const rest = await create(rows);
    assert.deepEqual([rest.code, challenges().length], [0, before + 6]);
  });

  test('challenge show says what a challenge allows and who made it, and never the secret', async () => {
    const { out } = await create('subject,san\nCN=shown,dns:shown.example.com\n', '--json');
    const [made] = JSON.parse(out).challenges;
    for (const format of ['table', 'json', 'csv']) {
      const shown = await terminal.run(['challenge', 'show', made.id, '-o', format]);
      assert.equal(shown.code, 0, shown.err);
      assert.match(shown.out, /CN=shown/);
      assert.match(shown.out, /dns:shown\.example\.com/);
      assert.ok(!shown.out.includes(made.challenge));
    }
    const page = (await terminal.run(['challenge', 'show', made.id])).out;
    assert.match(page, /^made by +\S+/m);
    assert.match(page, /^uses +1 of 1 left$/m);
    assert.match(page, /^expires +\S+ \(in 1h\)$/m);
    // The beginning of its id is enough, as far as no other one begins so.
    const begun = await terminal.run(['challenge', 'show', made.id.slice(0, 25).toLowerCase()]);
    assert.equal(begun.out, page, begun.err);
    const several = await terminal.run(['challenge', 'show', made.id.slice(0, 2)]);
    assert.equal(several.code, 2);
    assert.match(several.err, /begins the id of several challenges: give more of it\n$/);
    const alone = await terminal.run(['challenge', 'create']);
    assert.match(alone.err, /^for endpoint default, until 20\d\d-\S+Z\n$/);
  });
});
