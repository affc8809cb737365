// GET /api/v1/transactions as its users meet it: pages that are filtered, and what they may write
// wrongly.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { base64url, concat, hex, utf8 } from '../../lib/base/bytes.ts';
import { canonical } from '../../lib/base/json.ts';
import { MAX_PAGE } from '../../lib/base/limits.ts';
import { decide } from '../../lib/ca/approve/decide.ts';
import { indexFresh } from '../../lib/ca/query/keep-index.ts';
import { hash } from '../../lib/crypto/native.ts';
import { makeEvent } from '../../lib/events/event.ts';
import { readCertificate } from '../../lib/x509/certificate.ts';
import * as api from '../support/api.ts';
import { deviceKey } from '../support/keys.ts';
import { enrolment, random } from '../support/messages.ts';
import { got, type World, world } from '../support/world.ts';

type Body = {
  readonly transactions: readonly { readonly id: string; readonly subject: string }[];
  readonly next: string | null;
  readonly detail: string;
};

async function call(w: World, path: string, init: { method?: string; body?: string } = {}) {
  const { method = 'GET', body } = init;
  const answered = await api.call(w.lab, method, path, body === undefined ? {} : { text: body });
  return { status: answered.status, json: answered.json as unknown as Body };
}

/** Requests that wait, one a millisecond, at these endpoints in turn. */
async function waiting(count: number, ...endpoints: string[]) {
  const w = await world({
    config: {
      endpoints: Object.fromEntries(
        ['default', 'other'].map((id) => [id, { ca: 'default', approval: 'always' as const }]),
      ),
    },
  });
  const key = await deviceKey('list ec', { type: 'EC', curve: 'P-256' });
  for (let i = 0; i < count; i++) {
    w.lab.clock.at += 1;
    const endpoint = endpoints[i % endpoints.length] ?? 'default';
    const challenge = await w.lab.challenge({ endpoint });
    const sent = await enrolment(w.lab, { challenge, key, subject: `CN=${endpoint}-${i}` });
    await w.send(sent, `/scep/${endpoint}`);
  }
  return w;
}

/** All pages, one after the other. */
async function all(w: World, query: string): Promise<Body['transactions'][]> {
  const pages: Body['transactions'][] = [];
  let next = '';
  for (let i = 0; i < 100; i++) {
    const { status, json } = await call(w, `/transactions?${query}${next}`);
    assert.equal(status, 200);
    pages.push(json.transactions);
    if (json.next === null) return pages;
    next = `&cursor=${encodeURIComponent(json.next)}`;
  }
  return assert.fail('no end');
}

describe('pages of a list', () => {
  test('requests that wait at one endpoint are not hidden behind those of another', async () => {
    const w = await waiting(12, 'other', 'other', 'other', 'default');
    const pages = await all(w, 'state=pending&limit=2&endpoint=default');
    assert.deepEqual(
      pages.flat().map(({ subject }) => subject),
      ['CN=default-3', 'CN=default-7', 'CN=default-11'],
    );
    const every = (await all(w, 'limit=5')).flat().map(({ subject }) => subject);
    const newest = Array.from({ length: 12 }, (_, i) => 11 - i);
    assert.deepEqual(
      every,
      newest.map((i) => `CN=${i % 4 === 3 ? 'default' : 'other'}-${i}`),
    );
    assert.equal((await all(w, 'state=pending&limit=100')).flat().length, 12);
    assert.deepEqual(
      pages.map(({ length }) => length),
      [2, 1],
    );
  });

  test('the few Transactions of a state among many others are all listed, each once', async () => {
    const w = await waiting(9, 'default');
    const [oldest] = w.transactions();
    await decide(w.lab.deps, oldest?.id ?? '', 'denied', { by: 'somebody' });
    const pages = await all(w, 'state=denied&limit=1');
    assert.deepEqual(
      pages.flat().map(({ id }) => id),
      [oldest?.id],
    );
    const every = (await all(w, 'limit=4')).flat().map(({ id }) => id);
    assert.deepEqual(
      every,
      w
        .transactions()
        .map(({ id }) => id)
        .reverse(),
    );
  });
});

describe('searches and one Transaction', () => {
  test('Transactions are found by subject, device and serial number, at one endpoint or at all', async () => {
    const w = await world();
    const subjects: [string, string, string[]][] = [
      ['CN=Printer-1,O=X', 'default', []],
      ['CN=printer-2,O=X', 'other', ['dns:Two.example', 'dns:zwei.example']],
      ['CN=phone\\, red,O=X', 'default', []],
    ];
    const serials: string[] = [];
    for (const [i, [subject, endpoint, names]] of subjects.entries()) {
      const key = await deviceKey(`search ${i}`, { type: 'EC', curve: 'P-256' });
      const challenge = await w.lab.challenge({ endpoint, names });
      const path = endpoint === 'default' ? '/scep' : `/scep/${endpoint}`;
      const sent = await enrolment(w.lab, { challenge, key, subject });
      serials.push(hex(readCertificate(got(await w.send(sent, path))).serial));
    }
    const found = async (query: string) => (await all(w, query)).flat().map((one) => one.subject);
    const [one, two, three] = subjects.map(([subject]) => subject);
    assert.deepEqual(await found('subject=cn%3DPRINTER'), [one, two]);
    assert.deepEqual(await found('subject=cn%3Dprinter&limit=1'), [one, two]);
    assert.deepEqual(await found('subject=CN%3Dprinter&endpoint=other'), [two]);
    assert.deepEqual(await found('subject=CN%3Dprinter&state=denied'), []);
    assert.deepEqual(await found('device=two.ex'), [two]);
    assert.deepEqual(await found('device=zwei'), [], 'the first name is what it is called');
    assert.deepEqual(await found('device=phone'), [three]);
    assert.deepEqual(await found('subject=CN%3D&device=phone'), [three]);
    assert.deepEqual(await found(`serial=${serials[1]}`), [two]);
    assert.deepEqual(await found(`serial=${serials[1]?.toUpperCase()}`), [two]);
    assert.deepEqual(await found(`serial=${serials[1]}&endpoint=default`), []);
    assert.deepEqual(await found('subject=%25'), []);
    assert.deepEqual(await found('subject=~'), []);
  });

  test('Transactions and certificates are found by words of their names, in any order, page by page', async () => {
    const w = await world();
    const serials: string[] = [];
    for (const [i, city] of ['Berlin', 'Bern', 'Oslo'].entries()) {
      const key = await deviceKey(`words ${i}`, { type: 'EC', curve: 'P-256' });
      const endpoint = i === 1 ? 'other' : 'default';
      const names = ['dns:other.example', `dns:laptop-${i}.${city.toLowerCase()}.example`];
      const challenge = await w.lab.challenge({ endpoint, names });
      const sent = await enrolment(w.lab, { challenge, key, subject: `CN=${i},OU=${city} Staff` });
      const answer = await w.send(sent, endpoint === 'default' ? '/scep' : '/scep/other');
      serials.push(hex(readCertificate(got(answer)).serial));
      w.lab.clock.at += 1;
    }
    w.lab.clock.at += 60_000;
    await indexFresh(w.lab.deps);
    const subjects = async (search: string, more = ''): Promise<string[]> =>
      (await all(w, `search=${encodeURIComponent(search)}${more}`))
        .flat()
        .map((one) => String(one.subject))
        .sort();
    const [berlin, bern, oslo] = [
      'CN=0,OU=Berlin Staff',
      'CN=1,OU=Bern Staff',
      'CN=2,OU=Oslo Staff',
    ];
    assert.deepEqual(await subjects('laptop'), [berlin, bern, oslo]);
    assert.deepEqual(await subjects('laptop', '&limit=1'), [berlin, bern, oslo]);
    assert.deepEqual(await subjects('ber STAFF'), [berlin, bern]);
    assert.deepEqual(await subjects('OU=Bern Staff,CN=1'), [bern]);
    assert.deepEqual(await subjects('ber', '&endpoint=other'), [bern]);
    assert.deepEqual(await subjects('ber', '&subject=cn%3D0'), [berlin]);
    assert.deepEqual(await subjects('ber', `&serial=${serials[0]}`), [berlin]);
    assert.deepEqual(await subjects('oslo', `&serial=${serials[0]}`), []);
    assert.deepEqual(await subjects('*aptop-2'), [oslo]);
    assert.deepEqual(await subjects('ber', '&state=refused'), []);
    const certificates = async (query: string): Promise<unknown[]> => {
      const { json } = await api.call(w.lab, 'GET', `/certificates?${query}`);
      return (json.certificates as api.Body[]).map(({ subject }) => subject).sort();
    };
    assert.deepEqual(await certificates('search=laptop-1'), [bern]);
    assert.deepEqual(await certificates('search=ber&endpoint=default'), [berlin]);
    assert.deepEqual(await certificates(`search=ber&serial=${serials[1]}`), [bern]);
    assert.deepEqual(await certificates(`search=oslo&serial=${serials[1]}`), []);
    const path = `/certificates/default/${serials[0]}/revoke`;
    await api.ok(w.lab, 'POST', path, { body: { reason: 'superseded' } });
    assert.deepEqual(await certificates('search=staff&state=revoked'), [berlin]);
    const { keyHash } = (await api.ok(
      w.lab,
      'GET',
      `/certificates/default/${serials[0]}`,
    )) as api.Body;
    assert.deepEqual(await certificates(`search=ber&key=${keyHash}`), [berlin]);
    assert.deepEqual(await certificates(`search=oslo&key=${keyHash}`), []);
  });

  test('a search that asks for nothing, or for too much, is refused with a sentence', async () => {
    const w = await world();
    const wrong: [string, RegExp][] = [
      ['', /^search: must not be empty$/],
      ['-%20%2C', /^search: has no letter or digit to look for$/],
      ['*ab', /^search: "\*ab" is too short: inside words, 3 characters or more are sought$/],
      ['x'.repeat(501), /^search: must have at most 500 characters$/],
    ];
    for (const list of ['transactions', 'certificates']) {
      for (const [search, sentence] of wrong) {
        const { status, json } = await api.call(w.lab, 'GET', `/${list}?search=${search}`);
        assert.equal(status, 422);
        assert.match(String(json.detail), sentence);
      }
    }
  });

  test('a Transaction is shown with its request in words, its certificate and its events in order', async () => {
    const w = await world({ endpoint: { approval: 'always' } });
    await w.ask({ challenge: await w.lab.challenge() });
    const [{ id } = { id: '' }] = w.transactions();
    w.lab.clock.at += 1;
    const headers = { authorization: `Bearer ${w.lab.adminToken}` };
    const approve = { method: 'POST', body: '{"reason":"known to me"}', headers };
    const path = `/api/v1/transactions/${id}/approve`;
    assert.equal((await w.lab.fetch(path, approve, { hops: ['192.0.2.9'] })).status, 200);
    w.lab.clock.at += 1;
    assert.equal((await w.poll()).pkiStatus, 'SUCCESS');
    const { json } = await api.call(w.lab, 'GET', `/transactions/${id}`);
    const events = json.events as api.Body[];
    assert.deepEqual(
      events.map(({ type, personal }) => [type, (personal as api.Body).note]).slice(0, 2),
      [
        ['request.pending', undefined],
        ['request.approved', 'known to me'],
      ],
    );
    assert.deepEqual(Object(events[1]?.personal).actor, {
      auth: 'token',
      from: '192.0.2.9',
      id: 'test',
    });
    assert.deepEqual(
      events
        .slice(2)
        .map(({ type }) => type)
        .sort(),
      ['certificate.intended', 'certificate.issued'],
    );
    const { subject, challengePassword } = json.request as api.Body;
    assert.deepEqual([subject, challengePassword], ['CN=device-1,O=Test', 'removed']);
    assert.equal(json.certificate, w.certificates()[0]?.der);
    for (const secret of ['sealedPassword', 'pendingMac', '"mac"', 'undo']) {
      assert.ok(!JSON.stringify(json).includes(secret), secret);
    }
  });

  test('a Transaction says who made its challenge, who decided on it, from which addresses, and how each was authenticated', async () => {
    const w = await world({ endpoint: { approval: 'always' } });
    const headers = { authorization: `Bearer ${w.lab.adminToken}` };
    const approver = `Bearer ${await api.tokenOf(w.lab.deps.store, 'approver')}`;
    const post = async (path: string, from: string, body = '{}'): Promise<api.Body> => {
      const made = path === '/challenges';
      const init = { method: 'POST', body, headers: made ? headers : { authorization: approver } };
      const connection = { hops: [from], ...(made ? {} : { identity }) };
      const answer = await w.lab.fetch(`/api/v1${path}`, init, connection);
      assert.equal(answer.status < 300, true, path);
      return (await answer.json()) as api.Body;
    };
    const identity = 'iam arn:aws:iam::111122223333:user/approver';
    const shown: Record<string, api.Body> = {};
    for (const [n, verdict] of ['approve', 'deny'].entries()) {
      const made = await post('/challenges', '192.0.2.7');
      const asked = { challenge: String(made.challenge), subject: `CN=${verdict}` };
      const key = await deviceKey(`author ${verdict}`);
      await w.ask({ ...asked, key, transactionID: verdict });
      const { id = '' } = w.transactions().find(({ subject }) => subject === asked.subject) ?? {};
      assert.deepEqual((await api.ok(w.lab, 'GET', `/challenges/${made.id}`)).madeBy, {
        by: 'test',
        from: '192.0.2.7',
        auth: 'token',
      });
      await post(`/transactions/${id}/${verdict}`, `192.0.2.${n + 8}`);
      const poll = { key, transactionID: verdict };
      assert.equal((await w.poll(poll)).pkiStatus, n === 0 ? 'SUCCESS' : 'FAILURE');
      shown[verdict] = await api.ok(w.lab, 'GET', `/transactions/${id}`);
    }
    const { approve = {}, deny = {} } = shown;
    const maker = { by: 'test', from: '192.0.2.7', auth: 'token' };
    const auth = `token, ${identity}`;
    assert.deepEqual([approve.challengeBy, deny.challengeBy], [maker, maker]);
    const { at: _at, ...approval } = approve.approval as api.Body;
    assert.deepEqual(approval, { by: 'approver', from: '192.0.2.8', auth });
    const decided = (story: api.Body): api.Body | undefined =>
      (story.timeline as api.Body[]).find(
        ({ state }) => state === 'denied' || state === 'approved',
      );
    assert.deepEqual(
      [decided(approve), decided(deny)].map((step) => [step?.by, step?.from, step?.auth]),
      [
        ['approver', '192.0.2.8', auth],
        ['approver', '192.0.2.9', auth],
      ],
    );
  });

  test('a refused Transaction is shown with the reason in words', async () => {
    const w = await world();
    const challenge = await w.lab.challenge({ subject: 'CN=right' });
    await w.ask({ challenge, subject: 'CN=wrong' });
    const [{ id, state } = { id: '', state: '' }] = w.transactions();
    assert.equal(state, 'refused');
    const { json } = await api.call(w.lab, 'GET', `/transactions/${id}`);
    const { code, evidence, sent, change } = json.refusal as api.Body;
    assert.equal(code, 'SCEP-311');
    assert.match(JSON.stringify([evidence, sent]), /CN=right.*CN=wrong/);
    assert.ok(change);
    assert.deepEqual(
      (json.events as api.Body[]).map(({ type }) => type),
      ['request.refused'],
    );
  });

  test('a Transaction with more events than a page shows the first ones and says that there are more', async () => {
    const w = await waiting(1, 'default');
    const [{ id: transaction } = { id: '' }] = w.transactions();
    for (let i = 0; i < MAX_PAGE; i++) {
      const event = { type: 'admin.acted', actor: { kind: 'system' }, transaction } as const;
      const { id, body } = makeEvent(w.lab.clock.at + i, random(34), event);
      const record = { body, transaction };
      await w.lab.deps.store.write([{ do: 'put', kind: 'event', key: id, rev: 0, record }]);
    }
    const { json } = await api.call(w.lab, 'GET', `/transactions/${transaction}`);
    assert.deepEqual([(json.events as []).length, json.moreEvents], [MAX_PAGE, true]);
  });
});

describe('wrong input', () => {
  const wrong: Record<string, RegExp> = {
    'limit=2.5': /^limit: must be a whole number$/,
    'limit=0': /^limit: /,
    'limit=': /^limit: /,
    'limit=1e3': /^limit: /,
    'limit=NaN': /^limit: /,
    [`limit=${MAX_PAGE + 1}`]: /^limit: /,
    'cursor=': /^cursor: is not a cursor of this list$/,
    'cursor=%00': /^cursor: is not a cursor of this list$/,
    'cursor=0': /^cursor: is not a cursor of this list$/,
    [`cursor=${'9'.repeat(2049)}`]: /^cursor: is not a cursor of this list$/,
    'subject=': /^subject: must not be empty$/,
    'device=': /^device: must not be empty$/,
    'state=PENDING': /^state: /,
    'endpoint=__proto__': /^endpoint: "__proto__" does not exist$/,
    'order=asc': /"order" is not a field that exists here/,
  };
  const nothing = world();
  for (const [query, said] of Object.entries(wrong)) {
    test(`?${query.slice(0, 20)}: a 422 that says so`, async () => {
      const w = await nothing;
      const { status, json } = await call(w, `/transactions?${query}`);
      assert.equal(status, 422, JSON.stringify(json));
      assert.match(json.detail, said);
    });
  }

  test('a cursor made by hand that points outside its list is refused', async () => {
    const w = await world();
    for (const place of ['', 'x'.repeat(1025)]) {
      const list = canonical(['/api/v1/transactions', { subject: 'CN' }]);
      const bound = hash('SHA-256', concat([list, utf8(`\n${place}`)])).slice(0, 12);
      const cursor = base64url(concat([bound, utf8(place)]));
      const { status, json } = await call(w, `/transactions?subject=CN&cursor=${cursor}`);
      assert.equal(status, 422, JSON.stringify(json));
      assert.equal(json.detail, 'cursor: is not a cursor of this list');
    }
  });

  test('a malformed id is a 404, and the store is not asked', async () => {
    const w = await world();
    // The first request notes when its token was used.
    assert.equal((await call(w, '/transactions')).status, 200);
    const ids = ['x', '%00', '01ARZ3NDEKTSV4RRFFQ69G5FAU', 'a'.repeat(4000), '%F0%9F%98%80'];
    for (const id of ids) {
      w.lab.calls.length = 0;
      assert.equal((await call(w, `/transactions/${id}`)).status, 404, id);
      for (const act of ['approve', 'deny']) {
        const init = { method: 'POST', body: '{}' };
        assert.equal((await call(w, `/transactions/${id}/${act}`, init)).status, 404, id);
      }
      assert.deepEqual([...new Set(w.lab.calls)], ['store.read'], 'the token only');
      assert.equal(w.lab.calls.length, 3);
    }
  });

  test('text that is not Unicode is a 400, and nothing is decided by it', async () => {
    const w = await waiting(1, 'default');
    const [{ id } = { id: '' }] = w.transactions();
    for (const [path, body] of [
      [`/transactions/${id}/deny`, '{"reason":"\\ud800"}'],
      [`/transactions/${id}/approve`, '{"\\udc00":1}'],
      ['/challenges', '{"subject":"CN=\\ud83d"}'],
      ['/challenges', '{"san":["dns:\\udfff"]}'],
    ] as const) {
      const { status } = await call(w, path, { method: 'POST', body });
      assert.ok([400, 422].includes(status), `${path}: ${status}`);
    }
    assert.equal(w.transactions()[0]?.state, 'pending');
  });

  test('a reason in any script is kept unchanged', async () => {
    const w = await waiting(1, 'default');
    const [{ id } = { id: '' }] = w.transactions();
    const reason = 'nein \u0000 \u202e Ünïcödé 🔑';
    const init = { method: 'POST', body: JSON.stringify({ reason }) };
    assert.equal((await call(w, `/transactions/${id}/deny`, init)).status, 200);
    const denied = w.events().find(({ type }) => type === 'request.denied');
    assert.equal(denied?.note, reason);
  });
});

describe('an approval that could not be carried out is refused', () => {
  const server = { extKeyUsage: ['serverAuth'] };
  const cases: [string, Parameters<World['instance']>[0], string][] = [
    [
      'the profile is another one',
      {
        endpoint: { profile: 'q', approval: 'always' },
        config: { profiles: { p: {}, q: {} } },
      },
      'it would be refused although approved: its endpoint has another CA or profile by now, or is gone; deny it',
    ],
    [
      'the profile certifies the subject no longer',
      { config: { profiles: { p: { subject: { forbidden: ['O'] } } } } },
      'it would be refused although approved: the subject is not one that this endpoint certifies (profiles.p.subject.forbidden); deny it',
    ],
    [
      'the profile certifies the key no longer',
      { config: { profiles: { p: { keys: { rsa: false } } } } },
      'it would be refused although approved: the requested key is of a type or size that is not accepted here (profiles.p.keys); deny it',
    ],
    [
      'its certificates are for TLS servers by now, and its common name is a host',
      { config: { profiles: { p: server } } },
      'it would be refused although approved: the common name is a host name or an address, which TLS clients go by, and not one that this challengePassword or the profile allows (profiles.p.names.dns); deny it',
    ],
  ];
  for (const [what, changed, detail] of cases) {
    test(`${what}: 422 with the reason, and the request still waits; approved before, it is refused`, async () => {
      const w = await world({
        endpoint: { profile: 'p', approval: 'always' },
        config: { profiles: { p: {} } },
      });
      const subject = 'CN=bank.example,O=Test';
      const [a, b] = await Promise.all([deviceKey('approvable a'), deviceKey('approvable b')]);
      const early = { challenge: await w.lab.challenge(), subject, key: a };
      const late = { challenge: await w.lab.challenge(), subject, key: b };
      for (const wanted of [early, late]) {
        w.lab.clock.at += 1;
        await w.ask(wanted);
      }
      const [first, second] = w.transactions();
      assert.ok(first && second);
      assert.equal((await call(w, `/transactions/${first.id}/approve`, post)).status, 200);
      const later = await w.instance(changed);
      const answer = await api.call(later, 'POST', `/transactions/${second.id}/approve`, {
        body: {},
      });
      assert.deepEqual([answer.status, answer.json.detail], [422, detail]);
      assert.equal(w.transactions()[1]?.state, 'pending');
      const sent = await enrolment(later, early);
      const refused = await w.send(sent, '/scep', later);
      assert.ok(refused.pkiStatus === 'FAILURE', JSON.stringify(refused));
      assert.equal(w.transactions()[0]?.state, 'denied');
      assert.deepEqual(w.certificates(), []);
      const denied = await api.call(later, 'POST', `/transactions/${second.id}/deny`, { body: {} });
      assert.equal(denied.status, 200);
      w.check();
    });
  }
  const post = { method: 'POST', body: '{}' };
});
