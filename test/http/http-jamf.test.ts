// POST /hooks/jamf/{endpoint}: Jamf's webhook and Fleet's. A device gets a challenge that is its own; probes and strangers
// get none.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { base64, utf8 } from '../../lib/base/bytes.ts';
import { MAX_HOOK_OCTETS } from '../../lib/base/mdm-limits.ts';
import { checkConfig } from '../../lib/config/config.ts';
import { makeChallengeApp } from '../../lib/http/app.ts';
import { ok, pages } from '../support/api.ts';
import { deviceKey } from '../support/keys.ts';
import { world } from '../support/world.ts';

const password = 'correct horse battery';
const login = { user: 'jamf', password: 'env:JAMF' };
const staticSecrets = { 'env:JAMF': password };
const basic = `Basic ${base64(utf8(`jamf:${password}`))}`;

const fleet = (device?: unknown, webhookEvent = 'SCEPChallenge') => ({
  webhook: { id: 1, name: '', webhookEvent, eventTimestamp: 1_700_000_000_000 },
  event: {
    scepServerUrl: 'https://scep.test/scep',
    payloadIdentifier: 'com.example.scep',
    payloadTypes: ['com.apple.security.scep'],
    ...(device === undefined ? {} : { device }),
  },
});
const mac = { uuid: '6F1C2233-0000', serialNumber: 'C02XL1' };

async function hooked(jamf: object = {}, endpoint: object = {}) {
  const w = await world({
    endpoint: { jamf: { ...login, subject: { CN: '{serialNumber}' }, ...jamf }, ...endpoint },
    staticSecrets,
  });
  const app = makeChallengeApp(w.lab.deps);
  const send = (body: unknown, headers: Record<string, string> = {}, method = 'POST') =>
    app.fetch(
      new Request('https://scep.test/hooks/jamf/default', {
        method,
        body: typeof body === 'string' ? body : JSON.stringify(body),
        headers: { authorization: basic, 'content-type': 'application/json', ...headers },
      }),
    );
  return {
    ...w,
    app,
    send,
    challenge: async (device: unknown = mac) => {
      const answer = await send(fleet(device));
      assert.equal(answer.status, 200);
      return answer.text();
    },
  };
}

describe('the device that the event names gets a challenge', () => {
  test('as bare text, never kept by a cache', async () => {
    const w = await hooked();
    const answer = await w.send(fleet(mac), { 'content-type': 'application/json; charset=utf-8' });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'text/plain');
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    assert.match(await answer.text(), /^[0-9a-z]{26}$/);
  });

  test('by a header of its own, where that is configured', async () => {
    const w = await hooked({
      user: undefined,
      password: undefined,
      header: 'X-Hook-Key',
      value: 'env:JAMF',
    });
    assert.equal((await w.send(fleet(mac))).status, 401, 'Basic is not it');
    assert.equal((await w.send(fleet(mac), { 'x-hook-key': password })).status, 200);
    assert.equal((await w.send(fleet(mac), { 'x-hook-key': `${password}x` })).status, 401);
  });

  test('it is good for one certificate of that device, and for no other', async () => {
    const w = await hooked();
    const challenge = await w.challenge();
    assert.equal((await w.ask({ challenge, subject: 'CN=C02XL2' })).pkiStatus, 'FAILURE');
    assert.equal((await w.ask({ challenge, subject: 'CN=C02XL1' })).pkiStatus, 'SUCCESS');
    const again = { challenge, subject: 'CN=C02XL1', key: await deviceKey('another') };
    assert.equal((await w.ask(again)).pkiStatus, 'FAILURE');
    const [issued] = (await ok(w.lab, 'GET', '/transactions?state=issued')).transactions as {
      device: string;
    }[];
    assert.equal(issued?.device, 'C02XL1');
  });

  test('five minutes, or as configured', async () => {
    const w = await hooked();
    const challenge = await w.challenge();
    w.lab.clock.at += 5 * 60_000;
    assert.equal((await w.ask({ challenge, subject: 'CN=C02XL1' })).pkiStatus, 'FAILURE');
    const longer = await hooked({ ttl: '1h' });
    const late = await longer.challenge();
    longer.lab.clock.at += 59 * 60_000;
    assert.equal(
      (await longer.ask({ challenge: late, subject: 'CN=C02XL1' })).pkiStatus,
      'SUCCESS',
    );
  });

  test("Jamf's targetDevice, and a device that has a uuid only", async () => {
    const w = await hooked({ subject: { CN: ['Mac {uuid}'] } });
    const event = fleet();
    const sent = { ...event, event: { ...event.event, targetDevice: { udid: 'AB-12' } } };
    const challenge = await (await w.send(sent)).text();
    assert.equal((await w.ask({ challenge, subject: 'CN=Mac AB-13' })).pkiStatus, 'FAILURE');
    assert.equal((await w.ask({ challenge, subject: 'CN=Mac AB-12' })).pkiStatus, 'SUCCESS');
  });

  test('where a device list is asked, its row says which names', async () => {
    const enrol = { authorize: ['challenge', 'deviceList'] };
    const w = await hooked({ subject: undefined }, { enrol });
    const rows = [
      { serial: 'C02XL1', subject: 'CN=Ada' },
      { serial: 'C02XL2', subject: 'CN=Bob' },
    ];
    await ok(w.lab, 'POST', '/devices', { body: { list: 'default', rows } });
    const challenge = await w.challenge();
    assert.equal((await w.ask({ challenge, subject: 'CN=Bob' })).pkiStatus, 'FAILURE');
    assert.equal((await w.ask({ challenge, subject: 'CN=Ada' })).pkiStatus, 'SUCCESS');
    const unlisted = await w.challenge({ serialNumber: 'C02XL9' });
    const key = await deviceKey('unlisted');
    assert.equal(
      (await w.ask({ challenge: unlisted, subject: 'CN=Ada', key })).pkiStatus,
      'FAILURE',
    );
  });

  test('the same event again is another challenge, of the same device', async () => {
    const w = await hooked();
    const [one, two] = [await w.challenge(), await w.challenge()];
    assert.notEqual(one, two);
    const all = (await pages(w.lab, '/challenges', 'challenges')).flat();
    assert.deepEqual(
      all.map(({ device }) => device),
      ['C02XL1', 'C02XL1'],
    );
  });
});

describe('nothing that can be used', () => {
  for (const [what, device] of [
    ['a probe, without a device', undefined],
    ['an empty device', {}],
    ['a device without names', { uuid: '', serialNumber: null }],
  ] as const) {
    test(`${what}: the answer has the form of a challenge, and is none`, async () => {
      const w = await hooked();
      w.lab.calls.length = 0;
      const answer = await w.send(fleet(device));
      assert.equal(answer.status, 200);
      const text = await answer.text();
      assert.match(text, /^[0-9a-z]{26}$/);
      assert.deepEqual(w.lab.calls, [], 'the store is not asked');
      assert.equal((await w.ask({ challenge: text, subject: 'CN=C02XL1' })).pkiStatus, 'FAILURE');
      assert.deepEqual(w.challenges(), []);
      assert.equal(w.lab.log.filter(({ event }) => event === 'page.probe').length, 1);
    });
  }

  test('another event: 204', async () => {
    const w = await hooked();
    const answer = await w.send(fleet(mac, 'ComputerCheckIn'));
    assert.deepEqual([answer.status, await answer.text()], [204, '']);
    assert.deepEqual(w.challenges(), []);
  });

  const bad: readonly (readonly [string, unknown, number, Record<string, string>?])[] = [
    ['no JSON', '{', 400],
    ['no event', {}, 400],
    ['JSON without end', '['.repeat(60_000), 400],
    ['deep JSON', '['.repeat(30_000) + ']'.repeat(30_000), 400],
    ['half a character', '{"webhook":{"webhookEvent":"\\ud800"}}', 400],
    ['a body that is too long', 'x'.repeat(MAX_HOOK_OCTETS + 1), 413],
    ['a form', 'a=b', 415, { 'content-type': 'application/x-www-form-urlencoded' }],
    ['XML', '<webhook/>', 415, { 'content-type': 'text/xml' }],
    ['no content type', fleet(mac), 415, { 'content-type': '' }],
    ['a name with a line end', fleet({ serialNumber: 'C02\r\nX' }), 400],
    ['a name that turns the line', fleet({ serialNumber: 'C02\u202eX' }), 400],
    ['a name that stands for others', fleet({ serialNumber: 'C02*' }), 400],
    ['a name that stands for another', fleet({ serialNumber: '{uuid}', uuid: 'x' }), 400],
    ['a name that is too long', fleet({ serialNumber: 'C'.repeat(65) }), 400],
    ['a name that is no text', fleet({ serialNumber: { $ne: '' } }), 400],
    ['a device without what its pattern needs', fleet({ uuid: 'AB-12' }), 400],
    ['a wrong password', fleet(mac), 401, { authorization: `Basic ${base64(utf8('jamf:x'))}` }],
    ['no credentials', fleet(mac), 401, { authorization: '' }],
  ];
  for (const [what, body, status, headers] of bad) {
    test(`${what}: ${status}`, async () => {
      const w = await hooked();
      const answer = await w.send(body, headers);
      assert.equal(answer.status, status);
      const text = await answer.text();
      assert.doesNotMatch(text, /C02|[\u202e]/);
      assert.deepEqual(w.challenges(), []);
      const lines = JSON.stringify(w.lab.log);
      assert.ok(!lines.includes('\u202e') && !lines.includes(password));
    });
  }

  test('other methods, endpoints without a hook', async () => {
    const w = await hooked();
    for (const method of ['PUT', 'DELETE']) {
      const answer = await w.send('', {}, method);
      assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'POST']);
    }
    for (const path of ['/hooks/jamf/none', '/hooks/jamf', '/hooks/jamf/', '/hooks']) {
      const request = new Request(`https://scep.test${path}`, { method: 'POST', body: '{}' });
      assert.equal((await w.app.fetch(request)).status, 404, path);
    }
  });

  test('a flood: 429 once the hour is used up', async () => {
    const w = await hooked({ perHour: 2 });
    await w.challenge();
    await w.challenge();
    const answer = await w.send(fleet(mac));
    assert.deepEqual([answer.status, answer.headers.get('retry-after')], [429, '1800']);
    assert.equal(w.challenges().length, 2);
  });
});

test('where a device is optional, an event without one is bound to the pattern', async () => {
  const w = await hooked({ device: 'optional', subject: { CN: 'mac-*' } });
  const challenge = await (await w.send(fleet())).text();
  assert.equal((await w.ask({ challenge, subject: 'CN=C02XL1' })).pkiStatus, 'FAILURE');
  assert.equal((await w.ask({ challenge, subject: 'CN=mac-1' })).pkiStatus, 'SUCCESS');
});

describe('configurations that do not start', () => {
  const here = 'endpoints.default.jamf';
  const subject = { CN: '{serialNumber}' };
  const noNames = `${here}.subject: is missing, and nothing else says which names a device may have: give it, such as {"CN": "{serialNumber}"}, or add "deviceList" to "authorize" of "enrol" and leave "device" at "required"`;
  const noLogin = `${here}: must have "user" and "password", or "header" and "value"`;
  const withList = { enrol: { authorize: ['challenge', 'deviceList'] } };
  const cases: readonly (readonly [object, string, object?])[] = [
    [login, noNames],
    [{ ...login, device: 'optional' }, noNames, withList],
    [{ subject }, noLogin],
    [{ user: 'jamf', subject }, noLogin],
    [{ ...login, header: 'X-Key', value: 'env:JAMF', subject }, noLogin],
    [
      { header: 'Authorization', value: 'env:JAMF', subject },
      `${here}.header: must be the name of a header of your own, such as "X-Api-Key"`,
    ],
    [{ ...login, subject, ttl: '2h' }, `${here}.ttl: must be at most "1h"`],
    [
      { ...login, subject: { CN: '{name}' } },
      `${here}.subject.CN: "{name}" stands for nothing: it may be {serialNumber} or {uuid}`,
    ],
    [
      { ...login, device: 'optional', subject },
      `${here}.subject.CN: names the device, which "device": "optional" does not ask for: set that to "required", or leave it out`,
    ],
    [
      { ...login, subject: { CN: '*' } },
      `${here}.subject.CN: must say more than "*", which is everything`,
    ],
  ];
  for (const [jamf, sentence, more = {}] of cases) {
    test(`${JSON.stringify(jamf)}: ${sentence}`, () => {
      const document = {
        publicUrl: 'https://scep.test',
        cas: { default: { subject: 'CN=CA' } },
        endpoints: { default: { ca: 'default', jamf, ...more } },
      };
      assert.throws(() => checkConfig(document, () => password), { problems: [sentence] });
    });
  }
});
