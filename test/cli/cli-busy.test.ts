// A server that is busy (HTTP 503, 429) and says when to come again is waited for, within a limit, and asked
// the same thing once more: enrol, renew, and the commands of the admin API.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { hex } from '../../lib/base/bytes.ts';
import { openTerminal } from '../support/cli.ts';
import { makeLab } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { temporary } from '../support/process.ts';

const store = new MemoryStore();
const lab = await makeLab({ store });

type Busy = {
  /** How often it answers so before it does what it is asked. */
  readonly times: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly status?: number;
  /** Only these requests; default: all. */
  readonly method?: 'POST';
  /** The server carries the request out, and answers that it is busy nevertheless. */
  readonly done?: boolean;
};
let busy: Busy | undefined;
let turned = 0;
/** Of each request since the last command began. */
const asked: { readonly what: string; readonly body: string; readonly key: string | null }[] = [];

const terminal = await openTerminal(lab, async (request, answer) => {
  const { pathname, search } = new URL(request.url);
  const { method, headers } = request;
  const body = new Uint8Array(await request.clone().arrayBuffer());
  const key = headers.get('idempotency-key');
  asked.push({ what: `${method} ${pathname}${search}`, body: hex(body), key });
  const meets = busy && turned < busy.times && method === (busy.method ?? method);
  if (!busy || !meets) return answer(request);
  turned++;
  if (busy.done) await answer(request);
  return new Response('busy\n', { status: busy.status ?? 503, headers: busy.headers });
});
after(() => terminal.close());

async function run(args: readonly string[], meets?: Busy) {
  asked.length = 0;
  turned = 0;
  busy = meets;
  return terminal.run(args);
}

const seconds = (...all: number[]): number[] => all.map((one) => one * 1000);
const dateIn = (ms: number): string => new Date(lab.clock.now() + ms).toUTCString();

let devices = 0;
async function enrolment(...more: string[]): Promise<{ out: string; args: string[] }> {
  const name = `busy-${devices++}`;
  const out = join(temporary('cli-busy'), name);
  const secret = await lab.challenge();
  const about = ['--url', `${terminal.url}/scep`, '--challenge', secret, '--subject', `CN=${name}`];
  return { out, args: ['enrol', ...about, '--key', 'ec:P-256', '--out', out, ...more] };
}

describe('enrol and renew at a busy server', () => {
  test('each request is repeated unchanged, when the server said; notes go to stderr', async () => {
    const { out, args } = await enrolment();
    const first = await run(args, { times: 2, headers: { 'retry-after': '30' } });
    assert.equal(first.code, 0, first.err);
    assert.deepEqual(terminal.slept, seconds(30, 30));
    assert.match(first.err, /is busy \(HTTP 503\): asking again in 30s \(waited 30s of 5m\)/);
    assert.doesNotMatch(first.out, /is busy/);
    const [one, two, three] = asked;
    assert.deepEqual([two, three], [one, one]);

    // A renewal: the message that was signed is the one that goes out again.
    const again = ['renew', '--url', `${terminal.url}/scep`, '--out', out];
    const renewed = await run(again, { times: 4, headers: { 'retry-after': '2' }, status: 429 });
    assert.equal(renewed.code, 0, renewed.err);
    assert.match(renewed.err, /is busy \(HTTP 429\)/);
    assert.deepEqual(terminal.slept, seconds(2, 2, 4, 8));
  });

  test('the repeat of a request that was done and answered 503 gets its certificate', async () => {
    const { args } = await enrolment();
    const headers = { 'retry-after': '1' };
    const { code, err } = await run(args, { times: 2, headers, method: 'POST', done: true });
    assert.equal(code, 0, err);
    const posts = asked.filter(({ what }) => what.startsWith('POST'));
    assert.equal(posts.length, 3);
    assert.deepEqual(posts, [posts[0], posts[0], posts[0]], 'the same octets each time');
    const issued = store
      .dump()
      .filter(({ kind, record }) => kind === 'certificate' && 'subject' in record)
      .filter(({ record }) => 'subject' in record && record.subject === `CN=busy-${devices - 1}`);
    assert.equal(issued.length, 1);
  });

  test('a date in Retry-After is read by the clock of the server, in each of its three forms', async () => {
    const date = 'Sun, 06 Nov 1994 08:49:37 GMT';
    for (const later of [
      'Sun, 06 Nov 1994 08:50:07 GMT',
      'Sunday, 06-Nov-94 08:50:07 GMT',
      'Sun Nov  6 08:50:07 1994',
    ]) {
      const { args } = await enrolment();
      const { code, err } = await run(args, { times: 1, headers: { 'retry-after': later, date } });
      assert.equal(code, 0, err);
      assert.deepEqual(terminal.slept, seconds(30), later);
    }
  });

  test('a Retry-After of 0, or in the past, is waited for one second, then two, then four', async () => {
    for (const said of ['0', dateIn(-60_000)]) {
      const { args } = await enrolment();
      const headers = { 'retry-after': said, date: dateIn(0) };
      const { code, err } = await run(args, { times: 5, headers });
      assert.equal(code, 0, err);
      assert.deepEqual(terminal.slept, seconds(1, 2, 4, 8, 16));
    }
  });

  test('all waits together stay within --retry-for', async () => {
    const { args } = await enrolment('--retry-for', '70s');
    const { code, err } = await run(args, { times: 9, headers: { 'retry-after': '30' } });
    assert.equal(code, 5);
    assert.deepEqual(terminal.slept, seconds(30, 30));
    assert.match(
      err,
      /is busy \(HTTP 503\) after 1m of waiting and asks to come again in 30s: --retry-for 1m10s ends before that; its log says why it is busy\n$/,
    );
    const patient = await enrolment();
    const long = await run(patient.args, { times: 99, headers: { 'retry-after': '60' } });
    assert.equal(long.code, 5);
    assert.deepEqual(terminal.slept, seconds(60, 60, 60, 60, 60));
  });

  for (const [said, sentence] of [
    ['86400', /asks to come again in 1d: --retry-for 5m ends before that/],
    ['9'.repeat(400), /asks to come again in 3650d: --retry-for 5m ends before that/],
    ['Fri, 31 Dec 9999 23:59:59 GMT', /asks to come again in 3650d: --retry-for/],
    ...['-5', '1.5', '30s', 'soon', 'Sun, 99 Foo 1994 08:49:37 GMT', ''].map(
      (text) => [text, /is busy \(HTTP 503\): "busy"; the server's log says why\n$/] as const,
    ),
  ] as const) {
    test(`Retry-After "${said.slice(0, 40)}" is not waited for`, async () => {
      const { args } = await enrolment();
      const { code, err } = await run(args, { times: 1, headers: { 'retry-after': said } });
      assert.equal(code, 5);
      assert.match(err, sentence);
      assert.deepEqual(terminal.slept, []);
      assert.equal(asked.length, 1);
    });
  }

  test('--retry-for 0 asks once; a value that is not a duration is exit 2', async () => {
    const { args } = await enrolment('--retry-for', '0');
    const { code, err } = await run(args, { times: 1, headers: { 'retry-after': '1' } });
    assert.equal(code, 5, err);
    assert.equal(asked.length, 1);
    const wrong = await enrolment('--retry-for', 'soon');
    assert.equal((await run(wrong.args)).code, 2);
  });

  test('other failures are not repeated', async () => {
    for (const status of [500, 502, 404, 200]) {
      const { args } = await enrolment();
      const headers = { 'retry-after': '1' };
      assert.notEqual((await run(args, { times: 1, headers, status })).code, 0);
      assert.deepEqual(terminal.slept, []);
    }
  });
});

describe('the admin API at a busy server', () => {
  test('a challenge that was made and answered 503 is made once, under one Idempotency-Key', async () => {
    const count = () => store.dump().filter(({ kind }) => kind === 'challenge').length;
    const before = count();
    const headers = { 'retry-after': '30' };
    const { code, out, err } = await run(['challenge', 'create'], {
      times: 2,
      headers,
      done: true,
    });
    assert.equal(code, 0, err);
    assert.match(out, /^[0-9a-z]{26}\n$/);
    assert.equal(count(), before + 1);
    assert.deepEqual(terminal.slept, seconds(30, 30));
    const keys = asked.map(({ key }) => key);
    assert.equal(keys.length, 3);
    assert.match(keys[0] ?? '', /^[0-9a-f-]{36}$/);
    assert.equal(new Set(keys).size, 1);
    // Another command is another request.
    await run(['challenge', 'create']);
    assert.notEqual(asked[0]?.key, keys[0]);
    assert.equal(count(), before + 2);
  });

  test('a list is waited for, and --retry-for is not sent as a filter', async () => {
    const args = ['txn', 'list', '--retry-for', '1m'];
    const { code, err } = await run(args, { times: 1, headers: { 'retry-after': '45' } });
    assert.equal(code, 0, err);
    assert.deepEqual(terminal.slept, seconds(45));
    assert.deepEqual(new Set(asked.map(({ what }) => what)), new Set([asked[0]?.what]));
    assert.doesNotMatch(asked[0]?.what ?? '', /retry/);
    const late = await run(args, { times: 2, headers: { 'retry-after': '45' } });
    assert.equal(late.code, 5);
    assert.match(late.err, /is busy .* --retry-for 1m ends before that/);
  });
});
