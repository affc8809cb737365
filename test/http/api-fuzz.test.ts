// The admin API against whoever has a token and bad intentions, or a bad day: whatever is sent, it is
// answered below 500, as documented, without a secret, and refusals change nothing.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import { routes } from '../../lib/api/api.ts';
import { base64url, hex, utf8 } from '../../lib/base/bytes.ts';
import { MAX_ADMIN_BODY_OCTETS } from '../../lib/base/limits.ts';
import { type Body, call, ok } from '../support/api.ts';
import { deviceKey } from '../support/keys.ts';
import { type Lab, makeLab } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { enrolment } from '../support/messages.ts';

const numRuns = process.env.SLOW ? 20_000 : 2000;

const store = new MemoryStore();
let lab: Lab;
const secrets: string[] = [];
/** Ids and serial numbers that are there. */
const real: string[] = [];
/** Of every list, with its path. */
const cursors: (readonly [string, string])[] = [];

before(async () => {
  lab = await makeLab({
    store,
    staticSecrets: { 'env:SECRET': 'the static secret of this test' },
    config: {
      cas: {
        default: { subject: 'CN=Lab CA,O=Lab', key: 'ec:P-256' },
        second: { subject: 'CN=Second', key: 'ec:P-256' },
      },
      endpoints: {
        default: { ca: 'default' },
        other: { ca: 'second', approval: 'always' },
        static: {
          ca: 'default',
          enrol: {
            authorize: ['staticChallenge'],
            staticChallenge: { secret: 'env:SECRET', subject: { CN: 'device-*' } },
          },
        },
      },
    },
  });
  secrets.push('the static secret of this test', lab.adminToken);
  for (const [i, subject] of ['CN=one', 'CN=<script>,O=x', 'CN=\u202ex'].entries()) {
    const challenge = await lab.challenge();
    secrets.push(challenge);
    const key = await deviceKey(`fuzz ${i}`, { type: 'EC', curve: 'P-256' });
    const sent = await enrolment(lab, { challenge, key, subject });
    await lab.operate(sent.message);
  }
  for (const endpoint of ['default', 'other']) secrets.push(await lab.challenge({ endpoint }));
  for (const macKey of await lab.deps.macKeys.live('challenge')) {
    secrets.push(hex(macKey.key), base64url(macKey.key));
  }
  for (const [path, noun] of [
    ['/challenges', 'challenges'],
    ['/transactions', 'transactions'],
    ['/certificates', 'certificates'],
    ['/events', 'events'],
  ] as const) {
    const { next, ...list } = await ok(lab, 'GET', `${path}?limit=1`);
    assert.ok(next, path);
    cursors.push([path, String(next)]);
    const [one] = list[noun] as Body[];
    real.push(...[one?.id, one?.serial].filter((id) => id !== undefined).map(String));
  }
});

const check = (text: string): void => {
  for (const secret of secrets) assert.ok(!text.includes(secret), `a secret in ${text}`);
};

const odd = fc.oneof(
  fc.constantFrom('', '.', '..', '%', '%00', '%2e%2e', '%2F', '%zz', '%ed%a0%80', '%F0%9F%98%80'),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'null',
    '-1',
    '0',
    '1e9',
    'NaN',
    '\u202e',
    "' OR 1=1--",
  ),
  fc.constantFrom('x'.repeat(5000), '9'.repeat(400), '0'.repeat(26), 'default', 'second', 'other'),
  fc.string({ unit: 'binary', maxLength: 30 }),
);
const anything = fc.oneof(
  odd,
  fc.constantFrom(...['GET', 'true', 'issued', 'pending', 'open', '2030-01-31', '00ff', 'CN=']),
);
const names = [
  ...['endpoint', 'state', 'subject', 'device', 'serial', 'limit', 'cursor', 'ca', 'key', 'from'],
  ...['until', 'type', 'transaction', 'expiringBefore', 'order', 'unknown', '__proto__'],
];

/** Parameters of any form, escaped or not. */
const segment = fc.oneof(odd.map(encodeURIComponentSafely), odd, fc.nat().map(String));
function encodeURIComponentSafely(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

const field = fc
  .tuple(fc.constantFrom(...names), anything)
  .map(([name, value]) => `${name}=${encodeURIComponentSafely(value)}`);
const good = fc.constantFrom(
  ...['', '', 'limit=1', 'endpoint=other', 'state=issued', 'subject=CN%3D', 'ca=second'],
);
const query = fc.oneof(
  good,
  fc.array(field, { maxLength: 3 }).map((fields) => fields.join('&')),
);

const json = fc.oneof(
  fc.json({ stringUnit: 'binary' }),
  fc.constantFrom('', '{', 'null', '[]', '{}', '"\\ud800"', '{"\\udfff":1}', '{"__proto__":{}}'),
  fc.constantFrom('{"reason":"why"}', '{"reason":"superseded"}', '{"uses":2,"san":["dns:a.b"]}'),
  fc
    .record(
      {
        endpoint: anything,
        subject: anything,
        san: fc.oneof(fc.array(anything, { maxLength: 3 }), anything),
        uses: fc.oneof(fc.integer(), fc.double(), anything),
        ttl: anything,
        reason: anything,
        csr: fc.oneof(anything, fc.base64String()),
        challenge: fc.oneof(anything, fc.record({ san: fc.array(anything) })),
        renews: anything,
        unknown: fc.jsonValue({ maxDepth: 1 }),
      },
      { requiredKeys: [] },
    )
    .map((value) => JSON.stringify(value)),
);

describe('requests made up from the schemas', () => {
  test('every made-up request is answered below 500, as documented, and without a secret', async () => {
    const sent = fc.record({
      route: fc.nat(routes.length - 1),
      method: fc.constantFrom('GET', 'GET', 'POST', 'POST', 'DELETE', 'PUT', 'HEAD'),
      segments: fc.array(fc.oneof(segment, fc.constant(undefined)), { minLength: 2, maxLength: 2 }),
      query,
      text: json,
      key: fc.option(fc.string({ unit: 'grapheme-ascii', maxLength: 110 }), { nil: undefined }),
      own: fc.nat(3).map(Boolean),
      which: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(sent, async (one) => {
        let at = 0;
        const route = routes[one.route];
        assert.ok(route);
        const path = route.path.replace(/\{\w+\}/g, () => {
          const written = one.segments[at++];
          return written ?? real[one.which % real.length] ?? 'x';
        });
        const method = one.own ? route.method : one.method;
        const url = `${path}${one.query ? `?${one.query}` : ''}`;
        if (method === 'HEAD') {
          const response = await lab.fetch(`/api/v1${url}`, { method });
          assert.ok(response.status < 500);
          return;
        }
        const headers = one.key === undefined ? {} : { 'idempotency-key': one.key };
        const text = method === 'GET' ? {} : { text: one.text };
        const answer = await call(lab, method, url, { ...text, headers });
        assert.ok(answer.status < 500, `${method} ${url}: ${answer.text}`);
        if (answer.json.challenge !== undefined) secrets.push(String(answer.json.challenge));
        else check(answer.text);
      }),
      { numRuns },
    );
    check(JSON.stringify(store.dump().filter(({ kind }) => kind !== 'token')));
    check(JSON.stringify(lab.log));
  });
});

describe('cursors', () => {
  test('a cursor of another list or other filters, a changed or an invented one is a 422', async () => {
    const before = cursors.length;
    assert.equal(before, 4);
    for (const [path, cursor] of cursors) {
      assert.equal((await call(lab, 'GET', `${path}?limit=1&cursor=${cursor}`)).status, 200);
      assert.equal((await call(lab, 'GET', `${path}?limit=9&cursor=${cursor}`)).status, 200);
      const others = [...cursors.filter(([other]) => other !== path).map(([, other]) => other)];
      const bent = Buffer.from(cursor, 'base64url');
      for (let i = 0; i < bent.length; i += 5) {
        const changed = Buffer.from(bent);
        changed[i] = (changed[i] ?? 0) ^ 1;
        others.push(changed.toString('base64url'));
      }
      others.push(
        cursor.slice(0, -2),
        `${cursor}AAAA`,
        base64url(utf8('0'.repeat(26))),
        'AAAA',
        '-',
      );
      for (const other of others) {
        const { status, json: said } = await call(lab, 'GET', `${path}?limit=1&cursor=${other}`);
        assert.deepEqual(
          [status, said.detail],
          [422, 'cursor: is not a cursor of this list'],
          other,
        );
      }
      const filter = path === '/events' ? 'type=crl.published' : 'endpoint=other';
      const filtered = await call(lab, 'GET', `${path}?limit=1&${filter}&cursor=${cursor}`);
      assert.equal(filtered.status, 422, path);
    }
  });
});

describe('bodies', () => {
  test('a body that is not JSON, or has half a surrogate pair, is a 400; one that is too long a 413', async () => {
    const posts = routes.filter(({ body }) => body);
    for (const { path } of posts) {
      const url = path
        .replace('{id}', '0'.repeat(26))
        .replace('{ca}', 'default')
        .replace('{log}', 'default')
        .replace('{serial}', '00');
      const status = async (text: string) => (await call(lab, 'POST', url, { text })).status;
      for (const text of ['', '{', '{"a":1}}', '\u0000', '{"reason":"\\ud800"}', '{"\\udc00":1}']) {
        assert.equal(await status(text), 400, `${url} ${text}`);
      }
      assert.equal(await status(`"${'x'.repeat(MAX_ADMIN_BODY_OCTETS)}"`), 413, url);
      for (const text of ['null', '[]', '1', '"x"', '{"unknown":1}']) {
        assert.equal(await status(text), 422, `${url} ${text}`);
      }
    }
  });

  test('a field of the query that stands twice is a 422', async () => {
    const { status, json: said } = await call(lab, 'GET', '/events?limit=1&limit=2');
    assert.deepEqual([status, said.detail], [422, 'limit: stands more than once']);
  });
});

test('ids of one endpoint or CA lead nowhere at another', async () => {
  const { id } = await ok(lab, 'POST', '/challenges', { body: { endpoint: 'other' } });
  const { certificates } = await ok(lab, 'GET', '/certificates?ca=default');
  const serial = String((certificates as Body[])[0]?.serial);
  const { transactions } = await ok(lab, 'GET', '/transactions');
  const transaction = String((transactions as Body[])[0]?.id);
  const empty: [string, string][] = [
    [`/transactions?endpoint=other&serial=${serial}`, 'transactions'],
    [`/transactions?endpoint=other&subject=CN%3Done`, 'transactions'],
    [`/certificates?ca=second&serial=${serial}`, 'certificates'],
    [`/certificates?ca=second&subject=CN%3Done`, 'certificates'],
    [`/certificates?endpoint=other&serial=${serial}`, 'certificates'],
  ];
  for (const [path, noun] of empty) assert.deepEqual((await ok(lab, 'GET', path))[noun], [], path);
  for (const path of [
    `/challenges/${id}?endpoint=default`,
    `/certificates/second/${serial}`,
    `/certificates/second/${serial}/renewals`,
    `/challenges/${transaction}`,
    `/transactions/${id}`,
  ]) {
    assert.equal((await call(lab, 'GET', path)).status, 404, path);
  }
  const renews = { endpoint: 'other', csr: 'AAAA', renews: serial };
  assert.equal((await call(lab, 'POST', '/simulate', { body: renews })).status, 422);
});
