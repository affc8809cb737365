// /certsrv/mscep_admin/: who gets a challenge there, what it is good for, and what floods come to.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { base64, hex, utf8 } from '../../lib/base/bytes.ts';
import { HELD_SOURCE_S } from '../../lib/base/limits.ts';
import { NDES_CHALLENGE_MS } from '../../lib/base/mdm-limits.ts';
import { Tally } from '../../lib/ca/tally.ts';
import { checkConfig } from '../../lib/config/config.ts';
import { hash } from '../../lib/crypto/native.ts';
import { makeApp, makeChallengeApp } from '../../lib/http/app.ts';
import { isForDevices } from '../../lib/http/target.ts';
import { pages } from '../support/api.ts';
import { deviceKey } from '../support/keys.ts';
import { asFleet } from '../support/scrapers.ts';
import { world } from '../support/world.ts';

const password = 'correct horse battery';
const other = 'another staple of words';
const accounts = [
  { user: 'mdm', password: 'env:MDM', subject: { CN: 'device-*' } },
  { user: 'CORP\\printers', password: 'env:PRINTERS', subject: { CN: ['printer-*'], O: 'Print' } },
];
const staticSecrets = { 'env:MDM': password, 'env:PRINTERS': other };

const basic = (user: string, secret: string) => `Basic ${base64(utf8(`${user}:${secret}`))}`;
const mdm = { authorization: basic('mdm', password) };

type Page = NonNullable<Parameters<typeof pagesOf>[0]>;
async function pagesOf(ndes: object = {}, config: object = {}) {
  const w = await world({ endpoint: { ndes: { accounts, ...ndes } }, staticSecrets, config });
  const app = makeChallengeApp({ ...w.lab.deps, cas: w.lab.deps.cas });
  const get = (path = '/certsrv/mscep_admin/', headers: Record<string, string> = mdm, init = {}) =>
    app.fetch(new Request(`https://scep.test${path}`, { headers, ...init }), {
      hops: ['192.0.2.7'],
    });
  const octets = async (answer: Response | Promise<Response>) =>
    new Uint8Array(await (await answer).arrayBuffer());
  return { ...w, app, get, octets, scraped: async () => asFleet(await octets(get())) ?? '' };
}

describe('a page for whoever has an account', () => {
  test('16 upper-case hexadecimal characters, UTF-16LE with a mark, never kept by a cache', async () => {
    const w = await pagesOf();
    const answer = await w.get();
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'text/html');
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    const page = await w.octets(answer);
    assert.deepEqual([...page.subarray(0, 2)], [0xff, 0xfe]);
    const text = new TextDecoder('utf-16le').decode(page);
    assert.match(text, /password is: <B> [0-9A-F]{16} <\/B>/);
    const { der } = await w.lab.deps.cas.certificate('default');
    const groups = hex(hash('MD5', der)).toUpperCase().match(/.{8}/g) ?? [];
    assert.ok(text.includes(`the CA certificate is: <B> ${groups.join(' ')} </B>`));
  });

  test('UTF-8 where it is asked for, or configured', async () => {
    const w = await pagesOf();
    for (const query of ['?charset=utf-8', '?charset=UTF8']) {
      const answer = await w.get(`/certsrv/mscep_admin/${query}`);
      assert.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8');
      assert.match(await answer.text(), /^<HTML>[\s\S]*password is: <B> [0-9A-F]{16} /);
    }
    const configured = await pagesOf({ charset: 'utf-8' });
    assert.match(await (await configured.get()).text(), /^<HTML>/);
    const asked = await configured.octets(configured.get('/certsrv/mscep_admin?charset=utf-16'));
    assert.match(asFleet(asked) ?? '', /^[0-9A-F]{16}$/);
  });

  test('length and alphabet are what is configured, each character as often as any other', async () => {
    const w = await pagesOf({ length: 50, alphabet: 'abc' });
    let all = '';
    for (let i = 0; i < 40; i++) all += await w.scraped();
    assert.match(all, /^[abc]{2000}$/);
    for (const one of 'abc') {
      const times = all.split(one).length - 1;
      // Six standard deviations of 2000 draws.
      assert.ok(Math.abs(times - 2000 / 3) < 6 * Math.sqrt(2000 * (2 / 9)), `${one}: ${times}`);
    }
  });

  test('paths in any spelling that MDMs use, and those of other endpoints', async () => {
    const vpn = { ca: 'default', ndes: { accounts } };
    const w = await pagesOf({}, {});
    for (const path of [
      '/certsrv/mscep_admin',
      '/certsrv/mscep_admin/',
      '/CertSrv/mscep_admin/',
      '/CERTSRV/MSCEP_ADMIN',
      '//certsrv//mscep_admin//',
      '/certsrv/default/mscep_admin/',
    ]) {
      assert.equal((await w.get(path)).status, 200, path);
    }
    const two = await pagesOf({}, { endpoints: { default: { ca: 'default' }, vpn } });
    assert.equal((await two.get('/certsrv/vpn/mscep_admin')).status, 200);
    for (const path of [
      '/certsrv/mscep_admin',
      '/certsrv/no/mscep_admin',
      '/certsrv/mscep_admin/x',
    ]) {
      assert.equal((await two.get(path)).status, 404, path);
    }
  });

  test('only GET makes a challenge', async () => {
    const w = await pagesOf();
    for (const method of ['HEAD', 'POST', 'PUT', 'DELETE']) {
      const answer = await w.get(undefined, mdm, { method });
      assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'GET'], method);
    }
    assert.deepEqual(w.challenges(), []);
  });

  test('it is for https: no server opens its path over plain http', () => {
    for (const path of [
      '/certsrv/mscep_admin/',
      '/CertSrv/mscep_admin',
      '/certsrv/vpn/mscep_admin',
      '/hooks/jamf/x',
    ]) {
      assert.ok(!isForDevices(path), path);
    }
  });

  test('in the whole service the page is beside SCEP, which stays where it is', async () => {
    const w = await pagesOf();
    const app = makeApp(w.lab.deps);
    const get = (path: string) =>
      app.fetch(new Request(`https://scep.test${path}`, { headers: mdm }));
    assert.equal((await get('/certsrv/mscep_admin/')).status, 200);
    const scep = await get('/certsrv/mscep/mscep.dll?operation=GetCACaps');
    assert.match(await scep.text(), /SCEPStandard/);
  });
});

describe('what a challenge of the page is good for', () => {
  test('one certificate, for what fits the pattern of its account', async () => {
    const w = await pagesOf();
    const challenge = await w.scraped();
    const enrolled = await w.ask({ challenge, subject: 'CN=device-1' });
    assert.equal(enrolled.pkiStatus, 'SUCCESS');
    assert.equal((await w.ask({ challenge, subject: 'CN=device-2' })).pkiStatus, 'FAILURE');
    const wrong = await w.scraped();
    assert.equal((await w.ask({ challenge: wrong, subject: 'CN=printer-1' })).pkiStatus, 'FAILURE');
    assert.equal((await w.ask({ challenge: wrong, subject: 'O=Print' })).pkiStatus, 'FAILURE');
    const key = await deviceKey('of device-3');
    const right = await w.ask({ challenge: wrong, subject: 'CN=device-3', key });
    assert.equal(right.pkiStatus, 'SUCCESS');
  });

  test('each account has its own pattern', async () => {
    const w = await pagesOf();
    const page = await w.octets(
      w.get(undefined, { authorization: basic('CORP\\printers', other) }),
    );
    const challenge = asFleet(page) ?? '';
    assert.equal((await w.ask({ challenge, subject: 'CN=device-1' })).pkiStatus, 'FAILURE');
    assert.equal(
      (await w.ask({ challenge, subject: 'CN=printer-1,O=Print' })).pkiStatus,
      'SUCCESS',
    );
  });

  test('60 minutes', async () => {
    const w = await pagesOf();
    const challenge = await w.scraped();
    w.lab.clock.at += NDES_CHALLENGE_MS;
    assert.equal((await w.ask({ challenge, subject: 'CN=device-1' })).pkiStatus, 'FAILURE');
  });

  test('the API lists it with who made it, from where; and nothing has its text', async () => {
    const w = await pagesOf();
    const challenge = await w.scraped();
    const one = (await pages(w.lab, '/challenges', 'challenges'))[0]?.[0];
    assert.deepEqual(one?.madeBy, { by: 'ndes mdm', from: '192.0.2.7', auth: 'password' });
    assert.deepEqual(one?.subjectPattern, { CN: ['device-*'] });
    const kept = JSON.stringify([w.store.dump(), w.lab.log]);
    assert.ok(!kept.includes(challenge) && !kept.includes(password));
  });
});

describe('who is no account', () => {
  test('is asked for Basic, without a line in the log', async () => {
    const w = await pagesOf();
    for (const headers of [
      {},
      { authorization: 'NTLM TlRMTVNTUAAB' },
      { authorization: 'Negotiate x' },
    ]) {
      const answer = await w.get(undefined, headers as Record<string, string>);
      assert.equal(answer.status, 401);
      assert.equal(
        answer.headers.get('www-authenticate'),
        'Basic realm="Scepter", charset="UTF-8"',
      );
    }
    assert.deepEqual(w.lab.log, []);
  });

  const wrong = [
    ['mdm', other],
    ['mdm', ''],
    ['', ''],
    ['', password],
    ['MDM', password],
    ['CORP\\printers', password],
    ['mdm\u0000', password],
    ['mdm', `${password} `],
  ] as const;
  for (const [user, secret] of wrong) {
    test(`${JSON.stringify(user)} with ${JSON.stringify(secret)}`, async () => {
      const w = await pagesOf();
      const answer = await w.get(undefined, { authorization: basic(user, secret) });
      assert.equal(answer.status, 401);
      assert.match(answer.headers.get('www-authenticate') ?? '', /^Basic /);
      assert.deepEqual(w.challenges(), []);
    });
  }

  test('headers that are no credentials are answered alike', async () => {
    const w = await pagesOf();
    for (const text of [
      'Basic',
      'Basic ',
      'Basic !!!!',
      'Basic bWRt',
      'Basic A',
      `Basic ${'A'.repeat(9000)}`,
      'Bearer x',
    ]) {
      assert.equal((await w.get(undefined, { authorization: text })).status, 401, text);
    }
    assert.deepEqual(w.challenges(), []);
  });

  test('is told of in the log once a minute, with how often; and its source is held back', async () => {
    const w = await pagesOf({}, { refusalLimits: { perSource: 5 } });
    const bad = { authorization: basic('mdm', 'wrong wrong wrong') };
    const answers = [];
    for (let i = 0; i < 8; i++) answers.push((await w.get(undefined, bad)).status);
    assert.deepEqual(answers, [401, 401, 401, 401, 401, 401, 429, 429]);
    const lines = w.lab.log.filter(({ event }) => event === 'page.wrongLogin');
    assert.deepEqual(
      lines.map(({ number, client, detail }) => ({ number, client, detail })),
      [
        { number: 1, client: '192.0.2.7', detail: undefined },
        { number: undefined, client: '192.0.2.7', detail: 'the source is held back' },
      ],
    );
    assert.equal((await w.get()).status, 429, 'good credentials from there wait, too');
    w.lab.clock.at += HELD_SOURCE_S * 1000;
    assert.equal((await w.get()).status, 200);
    await w.get(undefined, bad);
    assert.equal(w.lab.log.at(-1)?.number, 6);
  });
});

describe('a flood of challenges', () => {
  const full = async (w: Awaited<ReturnType<typeof pagesOf>>) => {
    const answer = await w.get();
    assert.equal(answer.status, 200);
    return new TextDecoder('utf-16le')
      .decode(await w.octets(answer))
      .includes('The password cache is full.');
  };

  test('ends with the page of NDES once the account has had its hour, and goes on as the hour passes', async () => {
    const w = await pagesOf({ perHour: 60 });
    for (let i = 0; i < 60; i++) assert.ok(!(await full(w)), String(i));
    for (let i = 0; i < 500; i++) assert.ok(await full(w));
    assert.equal(w.challenges().length, 60);
    assert.equal(w.lab.log.filter(({ event }) => event === 'page.full').length, 1);
    // One more a minute, and no more than the hour has.
    w.lab.clock.at += 60_000;
    assert.ok(!(await full(w)));
    assert.ok(await full(w));
    w.lab.clock.at += 10 * NDES_CHALLENGE_MS;
    for (let i = 0; i < 60; i++) assert.ok(!(await full(w)));
    assert.ok(await full(w));
  });

  test('writes nothing, and reads once a second', async () => {
    const w = await pagesOf({ perHour: 1 });
    assert.ok(!(await full(w)));
    assert.ok(await full(w));
    w.lab.calls.length = 0;
    for (let i = 0; i < 100; i++) assert.ok(await full(w));
    assert.deepEqual(w.lab.calls, []);
  });

  test('of one account is not that of another', async () => {
    const w = await pagesOf({ perHour: 1 });
    assert.ok(!(await full(w)));
    assert.ok(await full(w));
    const page = await w.octets(
      w.get(undefined, { authorization: basic('CORP\\printers', other) }),
    );
    assert.match(asFleet(page) ?? '', /^[0-9A-F]{16}$/);
  });

  test('over all instances it is the same hour', async () => {
    const w = await pagesOf({ perHour: 30 });
    const apps = Array.from({ length: 5 }, () =>
      makeChallengeApp({ ...w.lab.deps, tally: new Tally() }),
    );
    const given: string[] = [];
    const asks = async (app: (typeof apps)[number]) => {
      for (let i = 0; i < 20; i++) {
        const request = new Request('https://scep.test/certsrv/mscep_admin', { headers: mdm });
        const found = asFleet(await w.octets(app.fetch(request)));
        if (found !== undefined) given.push(found);
      }
    };
    await Promise.all(apps.map(asks));
    assert.equal(given.length, 30);
    assert.equal(new Set(given).size, 30);
  });

  test('a store that cannot be asked is an outage, and no page', async () => {
    const w = await pagesOf();
    const app = makeChallengeApp({
      ...w.lab.deps,
      store: { ...w.lab.deps.store, write: () => Promise.reject(new Error('down')) },
    });
    const request = new Request('https://scep.test/certsrv/mscep_admin', { headers: mdm });
    assert.equal((await app.fetch(request)).status, 503);
  });
});

describe('configurations that do not start', () => {
  const problems = (ndes: Page, more: object = {}, name = 'default'): readonly string[] => {
    const document = {
      publicUrl: 'https://scep.test',
      cas: { default: { subject: 'CN=CA' } },
      endpoints: { [name]: { ca: 'default', ndes, ...more } },
    };
    try {
      checkConfig(document, (variable) => ({ MDM: password, SHORT: 'short' })[variable]);
      return [];
    } catch (error) {
      return (error as { problems: readonly string[] }).problems;
    }
  };
  const one = (more: object) => ({
    accounts: [{ user: 'mdm', password: 'env:MDM', subject: { CN: 'device-*' }, ...more }],
  });
  const here = 'endpoints.default.ndes';
  const pattern = 'must name at least one attribute, such as {"CN": "printer-*"}';
  const cases: readonly (readonly [Page, string, object?, string?])[] = [
    [{ accounts: [] }, `${here}.accounts: must have at least one account`],
    [one({ subject: {} }), `${here}.accounts.0.subject: ${pattern}`],
    [
      one({ subject: { CN: '*' } }),
      `${here}.accounts.0.subject.CN: must say more than "*", which is everything`,
    ],
    [
      one({ subject: { CN: ['device-*', '**'] } }),
      `${here}.accounts.0.subject.CN: must say more than "*", which is everything`,
    ],
    [
      one({ user: 'a:b' }),
      `${here}.accounts.0.user: must be 1 to 64 visible ASCII characters without ":"`,
    ],
    [
      one({ password: 'env:SHORT' }),
      `${here}.accounts.0.password: the environment variable SHORT is too short; it must have at least 16 octets`,
    ],
    [
      one({ password: 'env:NONE' }),
      `${here}.accounts.0.password: the environment variable NONE is not set; it must have at least 16 octets`,
    ],
    [
      { accounts: [...one({}).accounts, ...one({}).accounts] },
      `${here}.accounts.1.user: "mdm" is there already; leave one out`,
    ],
    [
      { ...one({}), length: 15 },
      `${here}.length: must be at least 16: 15 characters of 16 have 60 bits, and 64 are needed`,
    ],
    [
      { ...one({}), length: 16, alphabet: '0123456789' },
      `${here}.length: must be at least 20: 16 characters of 10 have 53 bits, and 64 are needed`,
    ],
    [
      { ...one({}), alphabet: 'aab' },
      `${here}.alphabet: must be 2 to 64 different letters, digits and signs of ASCII, without those of HTML: < > & " '`,
    ],
    [
      { ...one({}), alphabet: 'ab<' },
      `${here}.alphabet: must be 2 to 64 different letters, digits and signs of ASCII, without those of HTML: < > & " '`,
    ],
    [
      one({}),
      `${here}: makes challenges, which this endpoint does not take: add "challenge" to "authorize" of "enrol", or leave this out`,
      { approval: 'always', enrol: { authorize: [] } },
    ],
    [
      one({}),
      'endpoints.mscep.ndes: its page would be below /certsrv/mscep/, where SCEP is: give the endpoint another name',
      {},
      'mscep',
    ],
  ];
  for (const [ndes, sentence, more, name] of cases) {
    test(sentence, () => assert.deepEqual(problems(ndes, more, name), [sentence]));
  }

  test('one account, and nothing else, is enough', () => {
    assert.deepEqual(problems(one({})), []);
  });
});
