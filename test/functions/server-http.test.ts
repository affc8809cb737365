// HTTP/1.1 as Node's server reads it, octet for octet from a socket: targets, Hosts, and a client that
// says that no more will come.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { serverOf } from '../../functions/node/listen.ts';
import { base64, utf8 } from '../../lib/base/bytes.ts';
import { STANDSTILL_MS } from '../../lib/base/limits.ts';
import { checkConfig } from '../../lib/config/config.ts';
import { makeApp } from '../../lib/http/app.ts';
import { forbidden, tooMany, unavailable } from '../../lib/http/respond.ts';
import type { Signer } from '../../lib/ports/signer.ts';
import { memorySigner } from '../support/keys.ts';
import { type Lab, makeLab } from '../support/lab.ts';
import { enrolment } from '../support/messages.ts';

let lab: Lab;
let server: Server;
const listening = async (one: Server): Promise<Server> => {
  one.listen(0, '127.0.0.1');
  await once(one, 'listening');
  return one;
};
let beforeSign = async () => {};
before(async () => {
  const sign: Signer['sign'] = async (...asked) => {
    await beforeSign();
    return memorySigner.sign(...asked);
  };
  lab = await makeLab({ signer: { ...memorySigner, sign } });
  server = await listening(serverOf(makeApp(lab.deps)));
});
after(() => server.close());

type Way = { readonly halfClosed?: boolean; readonly at?: Server };

/** All that comes until the server ends the connection. */
async function raw(request: string | Uint8Array, { halfClosed = false, at = server }: Way = {}) {
  const address = at.address();
  assert.ok(typeof address === 'object' && address);
  // What ends only when it is told to, as a client that waits for its answer.
  const socket = connect({ port: address.port, host: '127.0.0.1', allowHalfOpen: true });
  const parts: Buffer[] = [];
  socket.on('data', (part) => parts.push(part));
  socket.write(request);
  if (halfClosed) socket.end();
  await once(socket, 'end');
  socket.destroy();
  const whole = Buffer.concat(parts);
  const end = whole.indexOf('\r\n\r\n');
  const head = whole.subarray(0, end).toString('latin1');
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]);
  return { status, head, body: whole.subarray(end + 4) };
}

const get = (target: string, host = 'Host: scep.test', more = '') =>
  `GET ${target} HTTP/1.1\r\n${host}\r\n${more}Connection: close\r\n\r\n`;

describe('RFC 9112 §9.6: a client that ends its sending side after the request', () => {
  // Without "Connection: close": what ends the connection is the client's own end.
  const cases: Readonly<Record<string, (message: Uint8Array) => readonly (string | Uint8Array)[]>> =
    {
      'POST with a length': (message) => [
        `POST /scep?operation=PKIOperation HTTP/1.1\r\nHost: x\r\nContent-Length: ${message.length}\r\n\r\n`,
        message,
      ],
      'POST in chunks': (message) => [
        'POST /scep?operation=PKIOperation HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n',
        `${message.length.toString(16)}\r\n`,
        message,
        '\r\n0\r\n\r\n',
      ],
      'POST of HTTP/1.0': (message) => [
        `POST /scep?operation=PKIOperation HTTP/1.0\r\nContent-Length: ${message.length}\r\n\r\n`,
        message,
      ],
      GET: (message) => [
        `GET /scep?operation=PKIOperation&message=${encodeURIComponent(base64(message))} HTTP/1.1\r\nHost: x\r\n\r\n`,
      ],
    };
  for (const [how, parts] of Object.entries(cases)) {
    test(`${how}: gets its certificate, and the connection ends`, async () => {
      const device = await enrolment(lab, { challenge: await lab.challenge() });
      const request = Buffer.concat(parts(device.message).map((part) => Buffer.from(part)));
      const arrived = once(server, 'connection');
      // The CA signs once the server has seen that no more will come.
      beforeSign = async () => {
        const [ours] = await arrived;
        if (!ours.readableEnded) await new Promise((ended) => ours.on('end', ended));
      };
      const { status, body } = await raw(request, { halfClosed: true });
      assert.equal(status, 200);
      beforeSign = async () => {};
      const { pkiStatus } = await device.read(new Uint8Array(body));
      assert.equal(pkiStatus, 'SUCCESS');
    });
  }

  test('two requests, one behind the other, are both answered', async () => {
    const caps = 'GET /scep?operation=GetCACaps HTTP/1.1\r\nHost: x\r\n\r\n';
    const { body } = await raw(caps + caps, { halfClosed: true });
    assert.equal(body.toString('latin1').match(/HTTP\/1\.1 200 OK/g)?.length, 1, 'the second one');
  });

  test('a message cut short is a 400, and a connection without a request ends', async () => {
    const cut =
      'POST /scep?operation=PKIOperation HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nabc';
    assert.equal((await raw(cut, { halfClosed: true })).status, 400);
    assert.equal((await raw('', { halfClosed: true })).body.length, 0);
  });

  for (const good of [0, 1, 2, 3, 8]) {
    test(`a reply that fails behind ${good} parts ends with its connection, not like a whole one`, async () => {
      let left = good;
      const body = () =>
        new ReadableStream({
          pull: (stream) =>
            left-- > 0
              ? stream.enqueue(utf8('part'))
              : stream.error(new Error('the database is gone')),
        });
      const failing = await listening(serverOf({ fetch: () => new Response(body()) }));
      try {
        const answer = await raw('GET / HTTP/1.1\r\nHost: x\r\n\r\n', { at: failing });
        const said = answer.body.toString('latin1');
        assert.doesNotMatch(said, /database/);
        assert.doesNotMatch(said, /\r\n0\r\n\r\n$/);
      } finally {
        failing.close();
      }
    });
  }

  test('a reply of a few words says its length: there are clients that know no chunks', async () => {
    for (const [reply, status] of [
      [forbidden, 403],
      [unavailable, 503],
      [() => tooMany(60), 429],
    ] as const) {
      const short = await listening(serverOf({ fetch: reply }));
      const { head, ...answer } = await raw(get('/'), { at: short });
      short.close();
      assert.equal(answer.status, status);
      assert.match(head, new RegExp(`^content-length: ${answer.body.length}$`, 'im'));
      assert.doesNotMatch(head, /chunked/);
    }
  });

  test('a connection on which nothing moves is ended', () => {
    assert.equal(serverOf({ fetch: () => new Response() }).timeout, STANDSTILL_MS);
  });

  test('a client that disconnects does not stop its request, and causes no outage', async () => {
    const device = await enrolment(lab, { challenge: await lab.challenge() });
    lab.log.length = 0;
    const head = `POST /scep?operation=PKIOperation HTTP/1.1\r\nHost: x\r\nContent-Length: ${device.message.length}\r\n`;
    const address = server.address();
    assert.ok(typeof address === 'object' && address);
    const arrived = once(server, 'connection');
    const socket = connect(address.port, '127.0.0.1');
    const [ours] = await arrived;
    // The CA signs once the server has noticed that the device is gone.
    const signed = new Promise<void>((resolve) => {
      beforeSign = async () => {
        const gone = new Promise((closed) => ours.on('close', closed));
        socket.resetAndDestroy();
        await gone;
        resolve();
      };
    });
    socket.write(Buffer.concat([Buffer.from(`${head}\r\n`), device.message]));
    await signed;
    beforeSign = async () => {};
    const again = Buffer.concat([Buffer.from(`${head}Connection: close\r\n\r\n`), device.message]);
    const { body } = await raw(again);
    assert.equal((await device.read(new Uint8Array(body))).pkiStatus, 'SUCCESS');
    assert.ok(!lab.log.some(({ event }) => event === 'http.outage'));
  });
});

describe('the target', () => {
  const token = () => `Authorization: Bearer ${lab.adminToken}\r\n`;

  test('a target with dot segments is a 400 before anything else reads it', async () => {
    for (const target of [
      '/scep/../api/v1/status',
      '/scep/%2e%2e/api/v1/status',
      '/scep/%2e%2e%2fapi/v1/status',
      '/scep/..;/api/v1/status',
      '/scep\\..\\api/v1/status',
      'http://scep.test/scep/../api/v1/status',
      'http://scep.test\\..\\api/v1/status',
    ]) {
      const { status, body } = await raw(get(target, 'Host: scep.test', token()));
      assert.equal(status, 400, target);
      assert.ok(!body.includes('"store"'), target);
    }
    assert.equal((await raw(get('/api/v1/status', 'Host: scep.test', token()))).status, 200);
  });

  test('RFC 9112 §3.2.2: a target in absolute-form is answered', async () => {
    for (const target of [
      'http://scep.test/scep?operation=GetCACaps',
      'HTTP://name:/scep/?operation=GetCACaps',
      'https://[2001:0DB8:0:0:0:0:0:10]:8443//scep?operation=GetCACaps',
    ]) {
      const { status, body } = await raw(get(target));
      assert.equal(status, 200, target);
      assert.match(body.toString(), /^AES\n/, target);
    }
    assert.equal((await raw(get('http://scep.test'))).status, 404);
  });
});

describe('the Host', () => {
  test('RFC 9110 §4.2.3: an empty port, and IPv6 in any spelling, are answered', async () => {
    for (const host of [
      'name:',
      'name',
      'name:80',
      'name:99999',
      'NAME.',
      '[2001:0DB8:0:0:0:0:0:10]',
      '[2001:0DB8:0:0:0:0:0:10]:8080',
      '[::ffff:10.1.2.3]:80',
      '010.1.2.3',
      'na_me',
      '',
    ]) {
      const { status, body } = await raw(get('/scep?operation=GetCACaps', `Host: ${host}`));
      assert.equal(status, 200, host);
      assert.match(body.toString(), /^AES\n/, host);
    }
    assert.equal((await raw('GET /scep?operation=GetCACaps HTTP/1.0\r\n\r\n')).status, 200);
  });

  test('a Host other than adminHost reaches no admin API, nor does one in the target', async () => {
    const config = checkConfig({ ...lab.config.document, adminHost: 'admin.test' });
    const own = await listening(serverOf(makeApp({ ...lab.deps, config })));
    const more = `Authorization: Bearer ${lab.adminToken}\r\n`;
    const status = async (request: string) => (await raw(request, { at: own })).status;
    try {
      for (const path of ['/api/v1/status', '/openapi.json']) {
        assert.equal(await status(get(path, 'Host: admin.test', more)), 200);
        assert.equal(await status(get(path, 'Host: scep.test', more)), 404);
        for (const two of ['admin.test\r\nHost: scep.test', 'scep.test\r\nHost: admin.test']) {
          assert.equal(await status(get(path, `Host: ${two}`, more)), 404);
        }
        assert.equal(await status(`GET ${path} HTTP/1.0\r\n${more}\r\n`), 404);
        const absolute = (host: string, header: string) =>
          status(get(`http://${host}${path}`, `Host: ${header}`, more));
        assert.equal(await absolute('admin.test', 'scep.test'), 200);
        assert.equal(await absolute('scep.test', 'admin.test'), 404);
      }
      assert.equal(await status(get('/scep?operation=GetCACaps', 'Host: scep.test')), 200);
    } finally {
      own.close();
    }
  });
});
