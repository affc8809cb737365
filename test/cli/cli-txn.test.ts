// scepter txn, as an approver has it: a lab's admin API over HTTP, the command line in this process.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { REFUSAL_PLACES_EMPTY_MS } from '../../lib/base/limits.ts';
import type { Role } from '../../lib/base/words.ts';
import { cut } from '../../lib/ca/enrol/refused-record.ts';
import { indexFresh } from '../../lib/ca/query/keep-index.ts';
import type { RequestPointer } from '../../lib/ports/records/records.ts';
import type { Transaction } from '../../lib/ports/records/transaction.ts';
import { openTerminal } from '../support/cli.ts';
import { makeLab, putToken } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { type EnrolOptions, enrolment } from '../support/messages.ts';

const store = new MemoryStore();
const lab = await makeLab({
  store,
  config: {
    endpoints: {
      default: { ca: 'default', approval: 'always' },
      direct: { ca: 'default' },
    },
  },
  now: Date.UTC(2031, 4, 6, 7, 8, 9),
});
const terminal = await openTerminal(lab);
after(() => terminal.close());
const txn = (...args: string[]) => terminal.run(['txn', ...args]);

async function ask(options: EnrolOptions = {}, endpoint = 'default') {
  const challenge = await lab.challenge({ endpoint });
  const sent = await enrolment(lab, { challenge, ...options });
  return sent.read(await lab.operate(sent.message, `/scep/${endpoint}`));
}

/** Its Transaction, by the transactionID that it was asked under. */
const of = (transactionID: string): Transaction => {
  const found = store
    .dump()
    .find(
      ({ kind, record }) =>
        kind === 'transaction' && (record as Transaction).transactionIDs.includes(transactionID),
    );
  assert.ok(found, `no transaction ${transactionID}`);
  return found.record as Transaction;
};

async function pending(transactionID: string, options: EnrolOptions = {}): Promise<Transaction> {
  assert.deepEqual(await ask({ transactionID, ...options }), { pkiStatus: 'PENDING' });
  return of(transactionID);
}

/** For a subject that no certificate can have. */
async function refused(transactionID: string, subject: string): Promise<Transaction> {
  // The budget of refusals gives out more than once.
  lab.clock.at += REFUSAL_PLACES_EMPTY_MS;
  const answer = await ask({ transactionID, subject });
  assert.ok(answer.pkiStatus === 'FAILURE', answer.pkiStatus);
  assert.match(answer.text ?? '', /^SCEP-403: /);
  return of(cut(transactionID));
}

/** What would make a terminal do something, or a reader see something else. */
const acts = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

describe('txn list', () => {
  test('txn list is a table of waiting requests: id, state, time, endpoint, subject', async () => {
    const { id } = await pending('list');
    lab.clock.at += 1000;
    const { id: second } = await pending('list-longer', { subject: 'CN=a device,OU=Labs,O=Test' });
    const { code, out, err } = await txn('list', '--state', 'pending');
    assert.equal(code, 0, err);
    assert.equal(
      out,
      [
        'ID                          STATE    APPROVALS  CREATED               ENDPOINT  SUBJECT',
        `${id}  pending  -          2031-05-06T07:08:09Z  default   CN=device-1,O=Test`,
        `${second}  pending  -          2031-05-06T07:08:10Z  default   CN=a device,OU=Labs,O=Test`,
        '',
      ].join('\n'),
    );
    assert.equal(err, '');
  });

  test('an empty txn list says so on stderr; stdout stays empty, or is one JSON object', async () => {
    const none = await txn('list', '--state', 'revoked');
    assert.deepEqual(none, {
      code: 0,
      out: '',
      err: 'no revoked transactions\n',
    });
    const { out } = await txn('list', '--endpoint', 'direct', '--json');
    assert.equal(out, '{"transactions":[],"next":null}\n');
  });

  test('the beginning of an id is enough; one that several begin with is exit 2 with all of them', async () => {
    const ids =
      (await txn('list', '--all', '--json')).out.match(/[0-9A-Z]{26}(?=","endpoint")/g) ?? [];
    const [one = '', ...others] = ids;
    assert.ok(others.length > 0);
    let own = 10;
    while (others.some((other) => other.startsWith(one.slice(0, own)))) own++;
    const shown = await txn('show', one.slice(0, own).toLowerCase());
    assert.equal(shown.out, (await txn('show', one)).out);
    const several = await txn('show', one.slice(0, 2));
    assert.equal(several.code, 2);
    assert.match(several.err, /: 01 begins the id of several transactions: give more of it\n$/);
    assert.ok(several.err.includes(one) && several.err.includes(others[0] ?? '-'), several.err);
    const none = await txn('deny', '7ZZZ');
    assert.deepEqual([none.code, none.out], [3, '']);
    assert.match(none.err, /no transaction has an id that begins with 7ZZZ\n$/);
  });

  test('a page, the next one by its cursor, and --all give the same list', async () => {
    for (const n of [1, 2, 3, 4, 5]) {
      lab.clock.at += 1000;
      await ask({ transactionID: `page ${n}` }, 'direct');
    }
    const newest = [5, 4, 3, 2, 1].map((n) => of(`page ${n}`).id);
    const ids = (out: string) =>
      out
        .split('\n')
        .slice(1, -1)
        .map((line) => line.split(' ')[0]);
    const paged: (string | undefined)[] = [];
    let cursor: string[] = [];
    for (let pages = 1; ; pages++) {
      const page = await txn('list', '--endpoint', 'direct', '--limit', '2', ...cursor);
      paged.push(...ids(page.out));
      const [, next] = /there are more: add --all, or --cursor (\S+)\n/.exec(page.err) ?? [];
      if (next === undefined) {
        assert.equal(pages, 3);
        break;
      }
      cursor = ['--cursor', next];
    }
    assert.deepEqual(paged, newest);
    const all = await txn('list', '--endpoint', 'direct', '--all');
    assert.deepEqual(ids(all.out), newest);
    assert.equal(all.err, '');
    const json = await txn('list', '--endpoint', 'direct', '--limit', '2', '--json');
    const { transactions, next } = JSON.parse(json.out) as {
      transactions: { id: string }[];
      next: string;
    };
    assert.deepEqual(
      transactions.map(({ id }) => id),
      newest.slice(0, 2),
    );
    assert.equal(typeof next, 'string');
    assert.equal(json.err, '');
  });

  test('txn list reads on where a page has no Transaction of the state asked for', async () => {
    const { id } = await pending('buried');
    await txn('deny', id);
    for (const n of [1, 2, 3]) await pending(`above ${n}`);
    const { out, err } = await txn('list', '--state', 'denied', '--limit', '1');
    assert.ok(out.includes(id), out);
    assert.match(err, /^there are more: /);
  });

  test('--search finds words of names at every endpoint, and says so where there are none', async () => {
    const { id } = await pending('search', { subject: 'CN=kiosk-7,O=Lobby West' });
    await ask({ transactionID: 'search 2', subject: 'CN=kiosk-8,O=Lobby East' }, 'direct');
    lab.clock.at += 60_000;
    await indexFresh(lab.deps);
    const found = async (words: string) => {
      const { code, out } = await txn('list', '--search', words, '--json');
      assert.equal(code, 0);
      return (JSON.parse(out).transactions as { id: string }[]).map((one) => one.id).sort();
    };
    assert.deepEqual(await found('kiosk'), [id, of('search 2').id].sort());
    assert.deepEqual(await found('O=Lobby West,CN=kiosk-7'), [id]);
    const none = await txn('list', '--search', 'kiosk-9');
    assert.deepEqual(none, { code: 0, out: '', err: 'no transactions were found\n' });
    const empty = await txn('list', '--search', '-');
    assert.equal(empty.code, 2);
    assert.match(empty.err, /search: has no letter or digit to look for/);
  });

  const wrong: [string[], RegExp][] = [
    [['--state', 'waiting'], /Allowed choices are pending, approved/],
    [['--limit', '0'], /from 1 to 100/],
    [['--limit', '101'], /from 1 to 100/],
    [['--limit', 'x'], /from 1 to 100/],
    [['--limit', '3', '--all'], /cannot be used with option/],
    [['--endpoint', 'nowhere'], /endpoint: "nowhere" does not exist/],
    [['--cursor', '?'], /cursor: is not a cursor of this list/],
  ];
  for (const [args, said] of wrong) {
    test(`${args.join(' ')}: exit 2 and a sentence`, async () => {
      const { code, out, err } = await txn('list', ...args);
      assert.equal(code, 2, err);
      assert.match(err, said);
      assert.equal(out, '');
    });
  }
});

describe('txn show, approve, deny', () => {
  test('an approved Transaction is shown with all that happened, and the device gets its certificate', async () => {
    const { id, signer, csrHash, expiresAt = 0, authorizedBy } = await pending('story');
    const begun = new Date(lab.clock.at).toISOString().replace('.000Z', 'Z');
    const due = new Date(expiresAt).toISOString().replace('.000Z', 'Z');
    const before = await txn('show', id);
    assert.equal(
      before.out,
      `${[
        `transaction    ${id}`,
        'state          pending: waits for an approver',
        'subject        CN=device-1,O=Test',
        'endpoint       default (CA default, profile device)',
        'request        PKCSReq',
        'transactionID  story',
        `signer         ${signer}`,
        `CSR SHA-256    ${csrHash}`,
        `authorized by  ${authorizedBy[0]}`,
        `validators     challenge allows: ${authorizedBy[0]}`,
        'challenge by   system',
        `configuration  ${lab.config.digest}`,
        `created        ${begun}`,
        `expires        ${due}`,
        'what the device sent',
        '  subject            CN=device-1,O=Test',
        '  key                RSA-2048',
        `  key SHA-256        ${signer.replace('key:', '')}`,
        '  challengePassword  present, removed from the record',
        '  signature          RSASSA-PKCS1-v1_5 with SHA-256',
        'timeline',
        `  ${begun}  request.pending  device  on ${authorizedBy[0]}`,
      ].join('\n')}\n`,
    );
    lab.clock.at += 60_000;
    const approved = await txn('approve', id, '--reason', 'ticket 4711');
    assert.deepEqual(approved, { code: 0, out: `${id} approved: CN=device-1,O=Test\n`, err: '' });
    assert.equal((await ask({ transactionID: 'story', challenge: 'x' })).pkiStatus, 'FAILURE');
    const answer = await ask({ transactionID: 'story', messageType: 'CertPoll' });
    assert.equal(answer.pkiStatus, 'SUCCESS');
    const { serial, timeline } = of('story');
    const shown = (await txn('show', id)).out;
    assert.match(shown, /^state {10}issued$/m);
    assert.match(shown, new RegExp(`^serial {9}${serial}$`, 'm'));
    assert.match(shown, /^approved by {4}test \(token\), 2031-/m);
    assert.doesNotMatch(shown, /^expires/m);
    const at = new Date(timeline[1]?.at ?? 0).toISOString().replace('.000Z', 'Z');
    const story = shown.slice(shown.indexOf('timeline\n')).split('\n');
    const allowed = `on ${authorizedBy[0]}`;
    assert.deepEqual(story.slice(1), [
      `  ${begun}  request.pending       device  ${allowed}`,
      `  ${at}  request.approved      test    ${allowed}, "ticket 4711"`,
      `  ${at}  certificate.intended  device  serial ${serial}, ${allowed}, approval`,
      `  ${at}  certificate.issued    device  serial ${serial}, ${allowed}, approval`,
      '',
    ]);
  });

  test('a denied Transaction is shown with its reason, and the device is told', async () => {
    const { id } = await pending('denied');
    const denied = await txn('deny', id, '--reason', 'stolen', '--json');
    assert.equal(denied.code, 0, denied.err);
    assert.equal((JSON.parse(denied.out) as Transaction).state, 'denied');
    const { out } = await txn('show', id);
    assert.match(out, /^ {2}code +SCEP-351: an approver denied the request$/m);
    assert.match(out, /request\.denied +test +on challenge \w+, "stolen"\n$/);
    const answer = await ask({ transactionID: 'denied', messageType: 'CertPoll' });
    assert.ok(answer.pkiStatus === 'FAILURE' && answer.text?.startsWith('SCEP-351'));
  });

  test('txn show --json is one object, with the CSR', async () => {
    const { id, requestHash } = await pending('json');
    const { out } = await txn('show', id, '--json');
    const shown = JSON.parse(out) as { readonly csr: string };
    const { record } = store.dump().find(({ key }) => key === requestHash) ?? assert.fail();
    assert.equal(shown.csr, (record as RequestPointer).csr);
    assert.match(out, /^[^\n]*\n$/);
  });

  test('a second decision is exit 1 with the state of the Transaction', async () => {
    const { id } = await pending('twice');
    assert.equal((await txn('approve', id)).code, 0);
    for (const verdict of ['approve', 'deny']) {
      const { code, out, err } = await txn(verdict, id);
      assert.equal(code, 1);
      assert.match(err, /the transaction is approved, not pending/);
      assert.equal(out, '');
    }
  });

  test('an unknown Transaction is exit 3, whatever its name', async () => {
    for (const id of ['01K4QD6W6ZJ5S5M0V1X7TB2C3D', 'a/b?c#d', '\u001b[2J', '%', '.', '..']) {
      for (const verb of ['show', 'approve', 'deny']) {
        const { code, err } = await txn(verb, id);
        assert.equal(code, 3, `${verb} ${id}: ${err}`);
      }
    }
  });

  test('an id that would lead to another path is exit 2', async () => {
    for (const verb of ['show', 'approve', 'deny']) {
      const { code, err } = await txn(verb, '../challenges');
      assert.equal(code, 2);
      assert.match(err, /a path with dot segments/);
    }
  });

  test('a reason that is too long is exit 2', async () => {
    const { id } = await pending('long reason');
    const { code, err } = await txn('deny', id, '--reason', 'x'.repeat(501));
    assert.equal(code, 2);
    assert.match(err, /reason: must be at most 500 characters/);
  });

  test('an auditor may look and not decide, which is exit 4', async () => {
    const token = 'auditor'.padEnd(43, 'x');
    await putToken(lab.deps.store, token, { name: 'auditor', roles: ['auditor' satisfies Role] });
    const { id } = await pending('roles');
    for (const [verb, code] of [
      ['show', 0],
      ['approve', 4],
      ['deny', 4],
    ] as const) {
      const finished = await terminal.run(['txn', verb, id], { token });
      assert.equal(finished.code, code, finished.err);
    }
    assert.equal(of('roles').state, 'pending');
  });
});

describe('names and transactionIDs from devices', () => {
  const hostile = 'x\u001b[2J\u001b]0;owned\u0007\r\n01AAAA pending\u009b31m\u0000\u007f';
  const subject = 'CN=\\1b[2J\\0a01FAKE  approved\\e2\\80\\ae,O=Test';

  test('names from devices neither command a terminal nor begin a line, in the table, on the page, in JSON', async () => {
    const { id, transactionIDs } = await refused(hostile, subject);
    assert.deepEqual(transactionIDs, [cut(hostile)]);
    assert.doesNotMatch(cut(hostile), acts);
    for (const args of [
      ['list', '--state', 'refused'],
      ['show', id],
    ]) {
      const { code, out } = await txn(...args);
      assert.equal(code, 0);
      assert.doesNotMatch(out, acts);
      assert.equal(out.split('\n').filter((line) => /^01(FAKE|AAAA)/.test(line)).length, 0, out);
      assert.ok(out.includes('CN=\\1b[2J\\0a01FAKE  approved\\e2\\80\\ae,O=Test'), out);
    }
    for (const args of [
      ['list', '--json'],
      ['show', id, '--json'],
    ]) {
      const { out } = await txn(...args);
      assert.doesNotMatch(out, acts);
      assert.ok(out.includes('\\u001b'));
    }
    const { out } = await txn('show', id, '--json');
    assert.deepEqual((JSON.parse(out) as Transaction).transactionIDs, [cut(hostile)]);
  });

  test('a subject of any length is cut in the table and whole on the page', async () => {
    const { id } = await refused('long subject', `CN=${'y'.repeat(1000)},O=Test`);
    const line = (await txn('list', '--all')).out.split('\n').find((row) => row.startsWith(id));
    assert.ok(line?.endsWith(`CN=${'y'.repeat(77)}…`), line);
    assert.ok((await txn('show', id)).out.includes('y'.repeat(1000)));
  });

  test('text from a server that is not Scepter does not command a terminal either', async () => {
    const detail = 'no\u001b[2J\u202esuch';
    const other = await openTerminal(lab, async (request) =>
      request.url.endsWith('html')
        ? new Response('<html>')
        : new Response(JSON.stringify({ detail }), { status: 404 }),
    );
    try {
      const refused = await other.run(['txn', 'show', 'x']);
      assert.equal(refused.code, 3);
      assert.doesNotMatch(refused.err, acts);
      const html = await other.run(['txn', 'show', 'html']);
      assert.equal(html.code, 5);
      assert.match(html.err, /did not answer in JSON/);
    } finally {
      await other.close();
    }
  });
});

describe('txn watch', () => {
  const decision = (verdict: 'approve' | 'deny', id: string): [string, RequestInit] => [
    `/api/v1/transactions/${id}/${verdict}`,
    { method: 'POST', body: '{}', headers: { authorization: `Bearer ${lab.adminToken}` } },
  ];
  const watch = (id: string, waits: (count: number) => unknown, ...more: string[]) =>
    terminal.run(['txn', 'watch', id, ...more], { waits });

  test('txn watch says each change on stderr, the end on stdout, and is exit 0 when it was issued', async () => {
    const { id } = await pending('watched');
    const waits = async (count: number) => {
      if (count === 2) await lab.fetch(...decision('approve', id));
      if (count === 4) await ask({ transactionID: 'watched', messageType: 'CertPoll' });
    };
    const { code, out, err } = await watch(id, waits);
    assert.equal(code, 0, err);
    assert.deepEqual(terminal.slept, [5000, 5000, 5000, 5000]);
    const { serial } = of('watched');
    assert.ok(serial);
    assert.equal(out, `${id} issued: ${of('watched').subject}, serial ${serial}\n`);
    assert.equal(
      err,
      `${id} pending: an approver has to allow it\n${id} approved: its device has to ask again\n`,
    );
    const json = await txn('watch', id, '--json');
    assert.deepEqual(JSON.parse(json.out), JSON.parse((await txn('show', id, '--json')).out));
  });

  test('a request that is denied, or still waits at the end of --max-wait, is exit 1 with what it is', async () => {
    const { id } = await pending('watched in vain');
    const short = await txn('watch', id, '--max-wait', '12s');
    assert.equal(short.code, 1);
    assert.equal(short.out, '');
    assert.match(short.err, /^scepter: still pending after 12s$/m);
    assert.deepEqual(terminal.slept, [5000, 5000, 2000]);
    const { code, out, err } = await watch(id, () => lab.fetch(...decision('deny', id)));
    assert.equal(code, 1);
    assert.match(out, new RegExp(`^${id} denied: `));
    assert.match(
      err,
      new RegExp(
        `the request was not granted: it is denied\nto know more: scepter txn show ${id}\n$`,
      ),
    );
  });
});

test('every command of txn has help with examples and --json', async () => {
  for (const verb of ['list', 'show', 'approve', 'deny']) {
    const { code, out } = await txn(verb, '--help');
    assert.equal(code, 0);
    assert.match(out, new RegExp(`Examples:\n  scepter txn ${verb}`));
    assert.match(out, /--json/);
  }
});
