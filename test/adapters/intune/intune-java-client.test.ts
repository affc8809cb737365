// The exchanges that Microsoft's own Java client had with the fake Intune (test/vectors/README.md): ours sends the same
// requests, and reads the same answers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeIntune } from '../../../lib/adapters/intune/intune.ts';
import { systemRandom } from '../../../lib/adapters/system.ts';
import { fakeIntune } from '../../support/intune/fake.ts';
import { settingsOf } from '../../support/intune/world.ts';
import { vectorText } from '../../support/vectors.ts';

type Fields = Readonly<Record<string, string>>;
type Sent = {
  readonly method: string;
  readonly url: string;
  readonly headers: Fields;
  readonly body?: Readonly<Record<string, Fields>> | Fields;
};
type Exchange = {
  readonly name: string;
  readonly request: Sent;
  readonly response: { readonly status: number; readonly body: object };
};

const recorded = JSON.parse(vectorText('intune/java-client.json')) as {
  readonly certificate: string;
  readonly exchanges: readonly Exchange[];
};
const octets = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'));

/** Parameters that MSAL adds to what a client asks for, and that are for tokens of people. */
const ofMsal = ['client_info'];
const forPeople = ['openid', 'profile', 'offline_access'];

/** Without what is another each time, and without what libraries add of themselves. */
function plain({ method, url, headers, body }: Sent): Sent {
  const {
    'client-request-id': id,
    authorization,
    'return-client-request-id': _asked,
    'content-type': type,
    ...rest
  } = headers;
  const isToken = url.endsWith('/token');
  return {
    method,
    url,
    headers: {
      ...rest,
      ...(id && !isToken ? { 'client-request-id': id.replace(/^[0-9a-f-]{36}$/, '<uuid>') } : {}),
      ...(authorization ? { authorization } : {}),
      ...(type ? { 'content-type': type.replace(/;.*/, '') } : {}),
      ...(rest.useragent ? { useragent: rest.useragent.replace(/\d.*/, '<version>') } : {}),
    },
    ...(body ? { body: isToken ? form(body as Fields) : versionless(body) } : {}),
  };
}

const form = (fields: Fields): Fields =>
  Object.fromEntries(
    Object.entries(fields)
      .filter(([name]) => !ofMsal.includes(name))
      .map(([name, value]) => {
        if (name !== 'scope') return [name, value];
        return [
          name,
          value
            .split(' ')
            .filter((one) => !forPeople.includes(one))
            .join(' '),
        ];
      }),
  );

const versionless = (body: object) =>
  JSON.parse(
    JSON.stringify(body).replace(
      /"callerInfo":"Scepter [\d.]+"/,
      '"callerInfo":"Scepter <version>"',
    ),
  );

/** The service that has only the recorded answers; and what our client asked it for. */
function replayed() {
  const sent: Sent[] = [];
  const left = [...recorded.exchanges];
  const fetch = (async (input, init) => {
    const request = new Request(input, init);
    const text = await request.text();
    const isForm = request.url.endsWith('/token');
    const body = isForm ? Object.fromEntries(new URLSearchParams(text)) : text && JSON.parse(text);
    const headers = Object.fromEntries(request.headers);
    const one = plain({ method: request.method, url: request.url, headers, ...(body && { body }) });
    sent.push(one);
    const at = left.findIndex((exchange) => exchange.request.url === request.url);
    const [exchange] = left.splice(at, 1);
    assert.ok(exchange, `nothing is recorded for ${request.url}`);
    return Response.json(exchange.response.body, { status: exchange.response.status });
  }) as typeof globalThis.fetch;
  return { sent, fetch, left };
}

test('our client sends what Microsoft’s sends, and reads what it is answered', async () => {
  const { sent, fetch, left } = replayed();
  const clock = { now: () => Date.UTC(2026, 10, 30, 15) };
  const settings = settingsOf(fakeIntune(clock));
  const { validate, notify, refused, revocations } = makeIntune(settings, {
    ...{ fetch, clock, random: systemRandom },
  });
  const of = (name: string) =>
    recorded.exchanges.find((one) => one.name === name)?.request.body as Record<string, Fields>;
  const asked = of('validateRequest').request;
  const success = of('successNotification').notification;
  const failure = of('failureNotification').notification;
  assert.ok(asked?.certificateRequest && asked.transactionId && success && failure);
  const until = clock.now() + 8000;
  const question = {
    ...{ requestHash: 'hash', endpoint: success.caConfiguration ?? '', until },
    transactionID: asked.transactionId,
    csr: octets(asked.certificateRequest),
  };
  assert.deepEqual(await validate(question), { allow: true });
  const certificate = octets(recorded.certificate);
  const serial = success.certificateSerialNumber?.toLowerCase() ?? '';
  assert.equal(await notify({ ...question, serial, certificate }), 'release');
  const text = failure.errorDescription ?? '';
  await refused({ ...question, reason: 'subjectNotAllowed', text });
  const orders = await revocations.take(500, undefined, until);
  assert.deepEqual(
    orders.map(({ context, serial, issuer }) => `${context} ${serial} ${issuer}`),
    [
      'order-1 4a0b1c2d3e4f5061728394a5b6c7d8e9 CN=Lab CA,O=Lab',
      'order-2 0102 CN=Other CA',
      'order-3 0304 CN=Lab CA,O=Lab',
    ],
  );
  assert.equal((await revocations.take(10, 'CN=Lab CA,O=Lab', until)).length, 2);
  const no = { done: false } as const;
  await revocations.report(
    [
      { context: 'order-1', done: true },
      {
        ...no,
        context: 'order-2',
        problem: 'notFound',
        text: 'no certificate has this serial number',
      },
      { ...no, context: 'order-3', problem: 'unavailable', text: 'the store does not answer' },
    ],
    until,
  );
  assert.deepEqual(left, []);
  assert.deepEqual(
    sent,
    recorded.exchanges.map(({ request }) => plain(request)),
  );
});
