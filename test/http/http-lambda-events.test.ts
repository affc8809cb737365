// HTTP through each form of event that a Lambda function may be given, there and back: what a client
// sends is what the handlers read, octet for octet, and what they answer is what it gets.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { serveEvents } from '../../functions/lambda/instance.ts';
import { type ConfigDocument, checkConfig } from '../../lib/config/config.ts';
import { makeApp } from '../../lib/http/app.ts';
import { type Connection, connectionOf } from '../../lib/http/client.ts';
import { replyOf, requestOf } from '../../lib/http/lambda-event.ts';
import { octetsResponse } from '../../lib/http/respond.ts';
import { parseOperation } from '../../lib/protocol/scep/wire/operation.ts';
import { makeLab } from '../support/lab.ts';
import { type Form, forms, fromReply, type Http, toEvent } from '../support/lambda-ingress.ts';
import { enrolment } from '../support/messages.ts';

const lab = await makeLab({ config: { publicUrl: 'http://scep.test', trustedProxies: 1 } });
const app = makeApp(lab.deps);

/** A request through an ingress, our service, and back out. */
async function through(form: Form, http: Http) {
  const event = JSON.parse(JSON.stringify(toEvent(form, http)));
  const { request, connection } = requestOf(event);
  const reply = await replyOf(event, await app.fetch(request, connection));
  return fromReply(form, JSON.parse(JSON.stringify(reply)));
}

const vector = (name: string): object =>
  JSON.parse(
    readFileSync(
      join(import.meta.dirname, '..', 'vectors', 'lambda-events', `${name}.json`),
      'utf8',
    ),
  );
const shown = ({ request, connection }: ReturnType<typeof requestOf>) => [
  request.method,
  request.url.replace('https://lambda.invalid', ''),
  connection.hops,
];
const queryOf = ({ url }: Request): string => url.split('?').slice(1).join('?');

describe('events as AWS documents them', () => {
  const body = Buffer.from('30030201ff', 'hex');
  const forwarded = ['203.0.113.9', '198.51.100.7'];
  const [peer] = forwarded.slice(1);
  const expected: Readonly<Record<string, readonly unknown[]>> = {
    'function-url-post': ['POST', '/scep/VPN/pkiclient.exe?operation=PKIOperation', forwarded],
    'http-api-stage-get': ['GET', '/scep?operation=GetCACaps&message=a+b%2Fc', [peer]],
    'rest-get': ['GET', '/scep?operation=GetCACaps&message=a%20b%2Fc%3D', forwarded],
    'alb-post': ['POST', '/scep?operation=PKIOperation', forwarded],
    'alb-multi-get': ['GET', '/scep?operation=GetCACaps&message=a+b%2Fc==', [peer]],
  };
  for (const [name, wanted] of Object.entries(expected)) {
    test(`the event ${name} is read, and answered in its form`, async () => {
      const event = requestOf(vector(name));
      assert.deepEqual(shown(event), wanted);
      assert.equal(event.request.headers.get('user-agent'), 'pki/5.9.8');
      const read = Buffer.from(await event.request.arrayBuffer());
      assert.deepEqual(read, wanted[0] === 'POST' ? body : Buffer.alloc(0));
      assert.equal(event.request.headers.get('content-type'), null);
      const reply = await replyOf(
        vector(name),
        octetsResponse(body, 'application/x-pki-message', ''),
      );
      assert.deepEqual([reply.isBase64Encoded, reply.body], [true, 'MAMCAf8=']);
      assert.equal(reply.multiValueHeaders !== undefined, /rest|multi/.test(name));
    });
  }

  test('whom the ingress has authenticated is told: by IAM, by a JWT, and nobody by anything else', () => {
    const userArn = 'arn:aws:sts::111122223333:assumed-role/approvers/alice';
    const claims = { iss: 'https://idp.example', sub: 'alice\u0007' };
    const said: readonly (readonly [unknown, string | undefined])[] = [
      [{ iam: { userArn } }, `iam ${userArn}`],
      [{ jwt: { claims } }, 'jwt https://idp.example alice\\u0007'],
      [{ iam: { userArn: 'x'.repeat(500) } }, `iam ${'x'.repeat(196)}`],
      ...[
        undefined,
        null,
        'iam',
        { iam: { userArn: 1 } },
        { jwt: { claims: { sub: 'alice' } } },
      ].map((other) => [other, undefined] as const),
    ];
    for (const [authorizer, identity] of said) {
      const { requestContext, ...event } = Object(vector('function-url-post'));
      const asked = { ...event, requestContext: { ...requestContext, authorizer } };
      assert.equal(requestOf(asked).connection.identity, identity);
    }
  });

  test('an event that is not an HTTP request is refused by name', () => {
    for (const event of [
      ...[{}, null, 'x', { key1: 'value1' }, { version: '2.0', rawPath: '/' }],
      ...[
        { httpMethod: 'GET', path: '/' },
        { httpMethod: 'GET', requestContext: {} },
      ],
      { path: '/', requestContext: {} },
    ]) {
      assert.throws(() => requestOf(event), /^TypeError: the event is not one of a Function URL/);
    }
  });
});

describe('octet for octet', () => {
  const property = { numRuns: 300 };
  const anyForm = fc.constantFrom(...forms);
  const read = async (form: Form, http: Http) => {
    const { request } = requestOf(JSON.parse(JSON.stringify(toEvent(form, http))));
    return { request, body: Buffer.from(await request.arrayBuffer()) };
  };

  test('a body of any binary media type, or of none, keeps its octets', async () => {
    const types = fc.constantFrom(
      undefined,
      'application/x-pki-message',
      'application/octet-stream',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'nonsense',
    );
    const anyBody = fc.uint8Array({ maxLength: 600 });
    const check = fc.asyncProperty(anyForm, types, anyBody, async (form, type, body) => {
      const headers = type === undefined ? [] : [['Content-Type', type] as const];
      const got = await read(form, { method: 'POST', target: '/scep', headers, body });
      assert.deepEqual(got.body, Buffer.from(body));
      assert.equal(got.request.headers.get('content-type'), type ?? null);
      assert.equal(got.request.method, 'POST');
    });
    await fc.assert(check, property);
  });

  test('a query keeps its octets where the event has it as sent', () => {
    const characters = 'ABCxyz019-._~!$()*+,;:@/?=&%'.split('');
    const query = fc.string({ unit: fc.constantFrom(...characters), minLength: 1 });
    const raw = fc.constantFrom<Form>('function-url', 'http-api', 'http-api stage');
    const check = fc.property(raw, query, (form, sent) => {
      const { request } = requestOf(toEvent(form, { method: 'GET', target: `/scep?${sent}` }));
      assert.equal(request.url, `https://lambda.invalid/scep?${sent}`);
    });
    fc.assert(check, property);
  });

  const escapes: Readonly<Record<string, (message: Buffer) => string>> = {
    'as it is, with "+"': (message) => message.toString('base64'),
    escaped: (message) => encodeURIComponent(message.toString('base64')),
    'escaped in lower case': (message) =>
      encodeURIComponent(message.toString('base64')).replace(/%../g, (one) => one.toLowerCase()),
    'URL-safe': (message) => message.toString('base64url'),
    'in lines': (message) =>
      encodeURIComponent(message.toString('base64').replace(/.{1,64}/g, '$&\r\n')),
  };
  for (const [how, escaped] of Object.entries(escapes)) {
    test(`the base64 message of a GET, ${how}`, () => {
      const anyMessage = fc.uint8Array({ minLength: 1, maxLength: 200 });
      const check = fc.property(anyForm, anyMessage, (form, octetsSent) => {
        const message = Buffer.from(octetsSent);
        const target = `/scep?operation=PKIOperation&message=${escaped(message)}`;
        const { request } = requestOf(toEvent(form, { method: 'GET', target }));
        const operation = parseOperation('GET', queryOf(request));
        assert.ok(operation.name === 'PKIOperation' && operation.message);
        assert.deepEqual(Buffer.from(operation.message), message);
      });
      fc.assert(check, property);
    });
  }

  test('a reply of any media type keeps its octets', async () => {
    const types = fc.constantFrom('text/plain', 'application/json', 'application/pkix-crl');
    const anyBody = fc.uint8Array({ maxLength: 600 });
    const check = fc.asyncProperty(anyForm, types, anyBody, async (form, type, body) => {
      const event = toEvent(form, { method: 'GET', target: '/' });
      const reply = await replyOf(event, octetsResponse(new Uint8Array(body), type, 'no-store'));
      const got = fromReply(form, JSON.parse(JSON.stringify(reply)));
      assert.deepEqual(got.body, Buffer.from(body));
      assert.equal(got.headers['content-type'], type);
      assert.equal(got.headers['cache-control'], 'no-store');
    });
    await fc.assert(check, property);
  });

  test('a reply of more octets than a call may have arguments is sent whole', async () => {
    const text = 'x'.repeat(1_000_000);
    const reply = await replyOf(vector('function-url-post'), new Response(text));
    assert.equal(reply.body, text);
  });

  test('a text body is read, and a binary one that the ingress took for text is refused', async () => {
    const headers = [['Content-Type', 'application/json']] as const;
    for (const form of forms) {
      const json = { method: 'POST', target: '/', headers, body: Buffer.from('{"é":"€ 😀"}') };
      assert.deepEqual((await read(form, json)).body, json.body, form);
      assert.equal(requestOf(toEvent(form, json)).damaged, false, form);
      const binary = { ...json, body: Uint8Array.of(0x30, 0x82, 0xff) };
      assert.equal(requestOf(toEvent(form, binary)).damaged, !form.startsWith('rest'), form);
    }
  });
});

describe('what an event cannot change', () => {
  const url = (form: Form, target: string): string =>
    requestOf(toEvent(form, { method: 'GET', target })).request.url;

  test('the path keeps its case and its end, without the stage', () => {
    for (const form of forms) {
      const target = '/SCEP/Vpn/Mscep.DLL';
      assert.equal(url(form, target), `https://lambda.invalid${target}`, form);
      assert.equal(url(form, '/'), 'https://lambda.invalid/', form);
      assert.equal(url(form, '/production/x'), 'https://lambda.invalid/production/x', form);
    }
    const alone = toEvent('http-api stage', { method: 'GET', target: '/' });
    const { request } = requestOf({ ...alone, rawPath: '/prod' });
    assert.equal(request.url, 'https://lambda.invalid/');
  });

  test('characters that an ingress has decoded do not end the path or begin another host', () => {
    for (const form of forms) {
      const target = '/scep/a%3Foperation=x%23y%5Cz?operation=GetCACaps';
      assert.equal(
        queryOf(requestOf(toEvent(form, { method: 'GET', target })).request),
        'operation=GetCACaps',
        form,
      );
      assert.match(url(form, target), /^https:\/\/lambda\.invalid\/scep\/a%3F/i, form);
      assert.match(url(form, '//evil.example/scep'), /^https:\/\/lambda\.invalid\/\/evil/, form);
    }
    const event = toEvent('alb', { method: 'OPTIONS', target: '*' });
    assert.equal(requestOf(event).request.url, 'https://lambda.invalid/*');
  });

  test('the Host header does not change the URL', () => {
    for (const form of forms) {
      const headers = [['Host', 'evil.example/api/v1/challenges?x=']] as const;
      const { request } = requestOf(toEvent(form, { method: 'GET', target: '/scep', headers }));
      assert.equal(request.url, 'https://lambda.invalid/scep', form);
    }
  });

  test('Content-Length is the length of the body, and impossible headers are left out', async () => {
    for (const form of forms) {
      const headers = [
        ['Content-Length', '1'],
        ['Transfer-Encoding', 'chunked'],
        ['bad name', 'x'],
        ['X-Wide', '\u{1f600}'],
        ['X-Line', 'a\r\nb'],
        ['X-Latin', 'é'],
      ] as const;
      const body = new Uint8Array(3);
      const event = toEvent(form, { method: 'POST', target: '/scep', headers, body });
      const { request } = requestOf(event);
      assert.equal(request.headers.get('content-length'), '3', form);
      assert.equal(request.headers.get('transfer-encoding'), null, form);
      assert.equal(request.headers.get('x-latin'), 'é', form);
      for (const name of ['x-wide', 'x-line']) assert.equal(request.headers.get(name), null, form);
    }
  });

  test('a body of GET and HEAD is not read, and unknown methods are refused', async () => {
    for (const form of forms) {
      const body = new Uint8Array(3);
      const target = '/scep?operation=GetCACaps';
      for (const method of ['GET', 'HEAD']) {
        assert.equal((await through(form, { method, target, body })).status, 200, form);
      }
      for (const method of ['TRACE', 'CONNECT', 'PUT', 'PURGE']) {
        assert.equal((await through(form, { method, target })).status, 405, `${form} ${method}`);
      }
    }
  });
});

describe('the service behind each form', () => {
  for (const form of forms) {
    test(`${form}: capabilities, HEAD, certificates, an enrolment by POST and one by GET`, async () => {
      const target = '/scep?operation=GetCACaps';
      const caps = await through(form, { method: 'GET', target });
      assert.match(caps.body.toString(), /^POSTPKIOperation$/m);
      assert.equal(caps.headers['content-type'], 'text/plain');
      const head = await through(form, { method: 'HEAD', target });
      assert.deepEqual([head.status, head.body.length], [200, 0]);
      assert.equal(head.headers['content-type'], 'text/plain');
      const bag = await through(form, { method: 'GET', target: '/Scep/?operation=GetCACert' });
      const { bag: sent } = await lab.deps.cas.of('default');
      assert.deepEqual(bag.body, Buffer.from(sent));
      for (const type of [
        undefined,
        'application/x-pki-message',
        'application/x-www-form-urlencoded',
      ]) {
        const device = await enrolment(lab, { challenge: await lab.challenge() });
        const reply = await through(form, {
          method: 'POST',
          target: '/scep/pkiclient.exe?operation=PKIOperation',
          headers: type === undefined ? [] : [['Content-Type', type]],
          body: device.message,
        });
        assert.equal(reply.headers['content-type'], 'application/x-pki-message');
        const { pkiStatus } = await device.read(new Uint8Array(reply.body));
        assert.equal(pkiStatus, 'SUCCESS', `${form} ${type}`);
      }
      const device = await enrolment(lab, { challenge: await lab.challenge() });
      const message = Buffer.from(device.message).toString('base64');
      const reply = await through(form, {
        method: 'GET',
        target: `/scep?operation=PKIOperation&message=${message}`,
      });
      assert.equal((await device.read(new Uint8Array(reply.body))).pkiStatus, 'SUCCESS');
    });
  }
});

describe('the address of a client', () => {
  type Way = Pick<Connection, 'hops' | 'viaProxies'>;
  /** What the log says about a request that is refused. */
  async function client(
    form: Form,
    trustedProxies: ConfigDocument['trustedProxies'],
    forwarded: string | undefined,
    way: Way = { viaProxies: true },
  ) {
    const log: unknown[] = [];
    const config = checkConfig({ ...lab.config.document, trustedProxies });
    const own = makeApp({ ...lab.deps, config, log: ({ client }) => log.push(client) });
    const headers = forwarded === undefined ? [] : [['X-Forwarded-For', forwarded] as const];
    const http = { method: 'GET', target: '/nothing', headers, peer: '198.51.100.7' };
    const { request, connection } = requestOf(toEvent(form, http));
    assert.equal((await own.fetch(request, { ...connection, ...way })).status, 404);
    return log[0];
  }

  test('the address is that of the connection without trusted proxies, whatever the client says', async () => {
    for (const form of forms) {
      for (const forged of [
        undefined,
        '10.0.0.1',
        '10.0.0.1, 10.0.0.2',
        '198.51.100.7',
        ',,',
        ' ',
      ]) {
        for (const none of [0, []]) {
          assert.equal(await client(form, none, forged), '198.51.100.7', `${form} ${forged}`);
        }
      }
    }
  });

  test('the address is the one that the outermost trusted proxy saw; entries before it are ignored', async () => {
    for (const form of forms) {
      assert.equal(await client(form, 1, '203.0.113.9'), '203.0.113.9', form);
      assert.equal(await client(form, 1, '10.0.0.1, 203.0.113.9'), '203.0.113.9', form);
      assert.equal(await client(form, 2, '203.0.113.9, 192.0.2.1'), '203.0.113.9', form);
    }
  });

  test('a client that comes around a number of proxies has the address of its connection', async () => {
    for (const form of forms) {
      assert.equal(await client(form, 1, undefined), '198.51.100.7', form);
      assert.equal(await client(form, 3, '10.0.0.1'), '198.51.100.7', form);
      for (const forged of ['10.0.0.1', '10.0.0.1, 10.0.0.2', '10.0.0.1, 198.51.100.7']) {
        for (const count of [1, 2, 3]) {
          const said = await client(form, count, forged, {});
          assert.equal(said, '198.51.100.7', `${form} ${count} ${forged}`);
        }
      }
    }
  });

  test('the client is the last address that is not a proxy, where proxies are known by address', async () => {
    const proxies = ['198.51.100.0/24', '2001:db8:5::/48', '10.0.0.1'];
    const cases: readonly (readonly [string | undefined, string])[] = [
      [undefined, '198.51.100.7'],
      ['203.0.113.9', '203.0.113.9'],
      ['192.0.2.66, 203.0.113.9', '203.0.113.9'],
      ['192.0.2.66, 203.0.113.9, 10.0.0.1, 2001:db8:5::9', '203.0.113.9'],
      ['192.0.2.66, [2001:DB8:0:0::9]:443, 10.0.0.1:8080', '2001:db8::9'],
      ['::ffff:203.0.113.9', '203.0.113.9'],
      ['fe80::1%eth0', 'fe80::1'],
      ['10.0.0.1, 198.51.100.8', '10.0.0.1'],
      // A proxy that forwards what the client wrote, or does not say an address.
      ['192.0.2.66, unknown', '198.51.100.7'],
      ['192.0.2.66, <script>, 10.0.0.1', '10.0.0.1'],
    ];
    for (const form of forms) {
      for (const [forwarded, wanted] of cases) {
        for (const viaProxies of [true, false]) {
          const said = await client(form, proxies, forwarded, { viaProxies });
          assert.equal(said, wanted, `${form} ${forwarded}`);
        }
      }
      const around = await client(form, ['10.0.0.0/8'], '192.0.2.66, 10.0.0.1');
      assert.equal(around, '198.51.100.7', form);
    }
  });

  test('a function invoked without an ingress knows no client address, whatever the header says', async () => {
    const event = {
      version: '2.0',
      rawPath: '/',
      rawQueryString: '',
      headers: { 'x-forwarded-for': '10.9.9.9' },
      requestContext: { http: { method: 'GET' } },
      isBase64Encoded: false,
    };
    assert.deepEqual(requestOf(event).connection.hops, []);
  });

  test('the log entries of a PKIOperation have the client address', async () => {
    lab.log.length = 0;
    const device = await enrolment(lab, { challenge: 'wrong-wrong-wrong' });
    const event = toEvent('rest', {
      method: 'POST',
      target: '/scep?operation=PKIOperation',
      headers: [['X-Forwarded-For', '10.9.9.9, 203.0.113.9']],
      body: device.message,
    });
    const { request, connection } = requestOf(event);
    await app.fetch(request, { ...connection, viaProxies: true });
    const [line] = lab.log;
    assert.deepEqual([line?.event, line?.client], ['scep.pkiOperation', '203.0.113.9']);
  });

  test('a text that is not an address is never taken for one', async () => {
    for (const forwarded of ['9'.repeat(5000), '999.1.1.1', 'localhost', '1::2::3', '[::1', '%']) {
      assert.equal(await client('alb', 1, forwarded), '198.51.100.7', forwarded);
      assert.equal(await client('alb', ['198.51.100.7'], forwarded), '198.51.100.7', forwarded);
    }
  });
});

test('a function believes a number of proxies only for requests that show an origin secret', async () => {
  const log: unknown[] = [];
  const own = makeApp({ ...lab.deps, log: ({ client }) => log.push(client) });
  const serve = (secrets: readonly string[]) =>
    serveEvents(
      async () => own,
      () => {},
      async () => secrets,
    );
  const headers = [
    ['X-Forwarded-For', '203.0.113.9'],
    ['X-Scepter-Origin', 'secret'],
  ] as const;
  const event = toEvent('function-url', { method: 'GET', target: '/nothing', headers });
  assert.equal((await serve(['secret'])(event)).statusCode, 404);
  assert.equal((await serve([])(event)).statusCode, 404);
  assert.deepEqual(log, ['203.0.113.9', '198.51.100.7']);
});

test('a server believes a number of proxies only for connections from its own machine', async () => {
  const log: unknown[] = [];
  const own = makeApp({ ...lab.deps, log: ({ client }) => log.push(client) });
  for (const peer of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '10.0.0.5', '::ffff:10.0.0.5']) {
    const headers = { 'x-forwarded-for': '203.0.113.9' };
    const request = new Request('http://scep.test/nothing', { headers });
    await own.fetch(request, connectionOf(request, peer));
  }
  assert.deepEqual(log, ['203.0.113.9', '203.0.113.9', '203.0.113.9', '10.0.0.5', '10.0.0.5']);
});
