// A webhook at a real HTTPS server: good answers, bad ones, and none. No bad answer is a yes.

import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { connect, Socket } from 'node:net';
import { after, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  pinnedHttps as pinned,
  systemNetwork,
} from '../../../lib/adapters/webhook/pinned-https.ts';
import { plainFetch } from '../../../lib/adapters/webhook/plain-fetch.ts';
import { base64, fromBase64 } from '../../../lib/base/bytes.ts';
import { NoAnswer } from '../../../lib/base/errors.ts';
import { parseIpRange } from '../../../lib/x509/names/general-name.ts';
import { withOpenssl } from '../../support/openssl.ts';
import { freePort } from '../../support/process.ts';
import { vectorText } from '../../support/vectors.ts';
import {
  type Handler,
  hookHost,
  hookSecret,
  publicAddress,
  serverCertificate,
  startHook,
  type Taken,
} from '../../support/webhook.ts';

const { challenge, vectors } = JSON.parse(vectorText('webhook/step-ca.json'));
const csr = fromBase64(JSON.parse(vectors.full[0].body).x509CertificateRequest.raw);
const certificate = fromBase64(JSON.parse(vectors.full[1].body).x509Certificate.raw);

/** Of style scepter, as docs/webhooks.md says it. */
const digestOf = ({ headers, body }: Taken): string =>
  createHash('sha256').update(`${headers['scepter-timestamp']}.${body}`).digest('hex');
const says =
  (answer: object): Handler =>
  (response, taken) =>
    response.end(JSON.stringify({ digest: digestOf(taken), ...answer }));
const raw =
  (status: number, body: string | Uint8Array, headers: Record<string, string> = {}): Handler =>
  (response) =>
    response.writeHead(status, headers).end(body);

withOpenssl((openssl) =>
  describe('a webhook at an HTTPS server', async () => {
    const names = `DNS:${hookHost},IP:10.1.2.3`;
    const identity = await serverCertificate(openssl.path(''), openssl.run, names);
    const server = await startHook(identity);
    after(() => server.close());
    const { clock } = server;
    const request = () => ({
      ...{ requestHash: 'ab'.repeat(32), endpoint: 'mdm', transactionID: 'T-1', csr },
      until: clock.at + 8000,
    });
    const outage = (sentence: RegExp) => ({ name: 'Outage', message: sentence });

    test('a good yes, asked with one look-up of the name, by that name', async () => {
      server.answer(says({ allow: true, reason: 'known' }));
      const answer = await server.hook().validate(request());
      assert.deepEqual(answer, { allow: true, note: 'known' });
      assert.deepEqual(server.looked, [hookHost]);
      assert.deepEqual(server.connected, [`${publicAddress} 443`]);
      const [taken] = server.taken;
      assert.equal(taken?.method, 'POST');
      assert.equal(taken?.url, '/scep?a=b');
      assert.equal(taken?.headers.host, hookHost);
      assert.equal(taken?.servername, hookHost);
      assert.deepEqual(
        server.limits.map(({ ms }) => ms),
        [3000],
      );
    });

    test('the body and the signature of style scepter are what docs/webhooks.md says', async () => {
      server.answer(says({ allow: true }));
      await server.hook({ bearer: 'token' }).validate(request());
      const [taken] = server.taken;
      assert.ok(taken);
      const { headers } = taken;
      assert.equal(headers['content-type'], 'application/json');
      assert.equal(headers.authorization, 'Bearer token');
      assert.equal(headers['scepter-webhook'], 'hook');
      assert.equal(headers['scepter-timestamp'], `${clock.at / 1000}`);
      const text = `${headers['scepter-timestamp']}.${taken.body}`;
      const signature = createHmac('sha256', fromBase64(hookSecret)).update(text).digest('hex');
      assert.equal(headers['scepter-signature'], signature);
      const { requestedExtensions, ...body } = JSON.parse(taken.body);
      assert.deepEqual(body, {
        ...{ event: 'validate', endpoint: 'mdm', transactionID: 'T-1' },
        ...{ requestHash: 'ab'.repeat(32), csr: base64(csr), challenge, key: 'RSA-2048' },
        subject:
          'emailAddress=it@example.com,CN=device-2.example.com,UID=u-1,DC=com,DC=example,' +
          'serialNumber=SN-17,OU=Devices,O=Second,O=Exämple & \\<Söhne\\>,2.5.4.17=60313,' +
          'STREET=Zeil 1,L=Frankfurt,ST=Hesse,C=DE',
        names: [
          ...['dns:device-2.example.com', 'dns:device-2', 'ip:192.0.2.7', 'ip:2001:db8::7'],
          ...['email:it@example.com', 'sid:S-1-5-21-1-2-3-1001', 'upn:device@example.com'],
        ],
      });
      assert.deepEqual(requestedExtensions[1], {
        ...{ id: '2.5.29.15', name: 'keyUsage', critical: true },
        value: ['digitalSignature', 'keyEncipherment'],
      });
    });

    test('credentials are sent as Basic where they are a user and a password', async () => {
      server.answer(says({ allow: true }));
      await server.hook({ basic: { user: 'ü', password: 'p:w' } }).validate(request());
      const sent = Buffer.from('ü:p:w').toString('base64');
      assert.equal(server.taken[0]?.headers.authorization, `Basic ${sent}`);
    });

    test('it is told what was issued, which it may hold back, and what was refused', async () => {
      const { notify, refused } = server.hook();
      const issued = { serial: '0a', certificate };
      server.answer(says({ allow: true }));
      assert.equal(await notify?.({ ...request(), ...issued }), 'release');
      const told = JSON.parse(server.taken[0]?.body ?? '');
      assert.equal(told.event, 'issued');
      assert.equal(told.serial, '0a');
      assert.equal(told.certificate, base64(certificate));
      assert.ok(!('challenge' in told));
      server.answer(says({ allow: false }));
      assert.equal(await notify?.({ ...request(), ...issued }), 'refuse');
      server.answer(raw(200, '{}'));
      const unsaid = outage(/no allow/);
      await assert.rejects(async () => notify?.({ ...request(), ...issued }), unsaid);
      server.answer(says({ allow: true }));
      const notice = { reason: 'badChallenge' as never, text: 'the challenge is not known' };
      await refused?.({ ...request(), ...notice });
      const heard = JSON.parse(server.taken[0]?.body ?? '');
      assert.equal(heard.event, 'refused');
      assert.equal(heard.text, 'the challenge is not known');
      const { notify: none, refused: nor } = server.hook({ notify: false });
      assert.deepEqual([none, nor], [undefined, undefined]);
    });

    test('it is told what waits for an approver, in style scepter alone, and nothing in confidence', async () => {
      server.answer(says({ allow: true }));
      const notice = {
        ...{ id: '01J', endpoint: 'mdm', subject: 'CN=phone-17', names: ['dns:a.example.com'] },
        ...{ expiresAt: clock.at, decisionUrl: undefined, until: clock.at + 8000 },
      };
      await server.hook({ notify: false }).waiting?.(notice);
      assert.deepEqual(JSON.parse(server.taken[0]?.body ?? ''), {
        ...{ event: 'waiting', id: '01J', endpoint: 'mdm', subject: 'CN=phone-17' },
        ...{ names: ['dns:a.example.com'], decisionUrl: null },
        expiresAt: new Date(clock.at).toISOString(),
      });
      server.answer(raw(200, '{}'));
      await assert.rejects(async () => server.hook().waiting?.(notice), outage(/no allow/));
      assert.equal(server.hook({ style: 'stepca' }).waiting, undefined);
    });

    const noes: readonly (readonly [string, 'stepca' | 'scepter', Handler, string | undefined])[] =
      [
        ['no', 'scepter', says({ allow: false }), undefined],
        ['no, with a reason', 'scepter', says({ allow: false, reason: 'lost' }), 'lost'],
        ['no', 'stepca', raw(200, '{"allow":false}'), undefined],
        [
          'no, with an error',
          'stepca',
          raw(200, '{"allow":false,"error":{"code":"x","message":"not known"}}'),
          'not known (x)',
        ],
        ['an object without allow', 'stepca', raw(200, '{"data":{}}'), undefined],
        ['allow of null', 'stepca', raw(200, '{"allow":null}'), undefined],
        ['HTTP 400', 'stepca', raw(400, 'no'), 'HTTP 400'],
        ['HTTP 403', 'stepca', raw(403, '{"allow":true}'), 'HTTP 403'],
        ['HTTP 422', 'stepca', raw(422, ''), 'HTTP 422'],
      ];
    for (const [what, style, answer, note] of noes) {
      test(`style ${style}: ${what} is a refusal`, async () => {
        server.answer(answer);
        const given = await server.hook({ style }).validate(request());
        assert.deepEqual(given, note === undefined ? { allow: false } : { allow: false, note });
        assert.equal(server.taken.length, 1);
      });
    }

    const html = '<!doctype html><title>Sign in</title>';
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const ofOther: Handler = (response) =>
      response.end(JSON.stringify({ allow: true, digest: '0'.repeat(64) }));
    const both = ['stepca', 'scepter'] as const;
    const troubles: readonly (readonly [
      string,
      readonly ('stepca' | 'scepter')[],
      Handler,
      RegExp,
    ])[] = [
      ['a page', both, raw(200, html, { 'content-type': 'text/html' }), /no JSON/],
      ['nothing', both, raw(200, ''), /no JSON/],
      ['204', ['stepca'], raw(204, ''), /no JSON/],
      ['204', ['scepter'], raw(204, ''), /answered 204/],
      ['a list', both, raw(200, '[true]'), /no JSON object/],
      ['true', both, raw(200, 'true'), /no JSON object/],
      ['null', both, raw(200, 'null'), /no JSON object/],
      ['half of a yes', both, raw(200, '{"allow":tr'), /no JSON/],
      ['two answers', both, raw(200, '{"allow":true}{"allow":true}'), /no JSON/],
      ['no UTF-8', both, raw(200, Buffer.from('{"allow":true,"a":"\xff"}', 'latin1')), /no JSON/],
      ['allow as text', ['stepca'], raw(200, '{"allow":"true"}'), /neither true nor false/],
      ['allow of 1', ['stepca'], raw(200, '{"allow":1}'), /neither true nor false/],
      ['allow as text', ['scepter'], says({ allow: 'true' }), /no allow/],
      ['no allow', ['scepter'], says({}), /no allow/],
      ['another name of allow', ['scepter'], says({ Allow: true }), /no allow/],
      ['a yes without a digest', ['scepter'], raw(200, '{"allow":true}'), /digest/],
      ['a no without a digest', ['scepter'], raw(200, '{"allow":false}'), /digest/],
      ['a digest of another request', ['scepter'], ofOther, /digest/],
      ['a redirect', both, raw(307, '', { location: 'https://1.1.1.1/' }), /307: redirects/],
      ['a redirect that says yes', both, raw(302, '{"allow":true}'), /302: redirects/],
      ['no entry', both, raw(401, '{"allow":true}'), /answered 401/],
      ['HTTP 403', ['scepter'], raw(403, '{"allow":false}'), /answered 403/],
      ['no such page', both, raw(404, '{"allow":true}'), /answered 404/],
      ['too many requests', both, raw(429, ''), /answered 429/],
      ['200 of a status of 201', ['scepter'], raw(201, '{"allow":true}'), /answered 201/],
      ['65,537 octets', both, raw(200, `{"allow":true}${' '.repeat(65_523)}`), /more than 65536/],
      ['a bomb', both, raw(200, bomb, { 'content-encoding': 'gzip' }), /compressed/],
      ['a bomb undeclared', both, raw(200, bomb), /no JSON|more than/],
    ];
    for (const [what, styles, answer, sentence] of troubles) {
      for (const style of styles) {
        test(`style ${style}: ${what} is an outage, and is not asked for again`, async () => {
          server.answer(answer);
          await assert.rejects(server.hook({ style }).validate(request()), outage(sentence));
          assert.equal(server.taken.length, 1);
        });
      }
    }

    test('an answer of 65,536 octets is read', async () => {
      server.answer(raw(200, `{"allow":true}${' '.repeat(65_522)}`));
      const given = await server.hook({ style: 'stepca' }).validate(request());
      assert.deepEqual(given, { allow: true });
    });

    test('a replayed answer, to the same device a second later, is an outage', async () => {
      let first: string | undefined;
      server.answer((response, taken) => {
        first ??= JSON.stringify({ allow: true, digest: digestOf(taken) });
        response.end(first);
      });
      const hook = server.hook();
      assert.deepEqual(await hook.validate(request()), { allow: true });
      clock.at += 1000;
      await assert.rejects(hook.validate(request()), outage(/digest/));
    });

    test('5xx is asked once more, a second later, with the same octets', async () => {
      server.answer((response, taken) => {
        if (server.taken.length === 1) response.writeHead(503).end();
        else says({ allow: true })(response, taken);
      });
      assert.deepEqual(await server.hook().validate(request()), { allow: true });
      assert.deepEqual(server.slept, [1000]);
      const [one, two] = server.taken;
      assert.equal(one?.body, two?.body);
      assert.equal(one?.headers['scepter-signature'], two?.headers['scepter-signature']);
    });

    test('a connection that is cut is asked for once more; a second one is an outage', async () => {
      server.answer((response, taken) => {
        if (server.taken.length === 1) response.destroy();
        else says({ allow: true })(response, taken);
      });
      assert.deepEqual(await server.hook().validate(request()), { allow: true });
      server.answer((response) => response.destroy());
      await assert.rejects(server.hook().validate(request()), outage(/no answer/));
      assert.equal(server.taken.length, 2);
      server.answer(raw(500, ''));
      await assert.rejects(server.hook().validate(request()), outage(/answered 500/));
      assert.equal(server.taken.length, 2);
    });

    test('101, after which nothing comes, is an outage at once', async () => {
      server.answer((response) => {
        response.socket?.end(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n',
        );
      });
      await assert.rejects(server.hook().validate(request()), outage(/without an answer/));
    });

    test('what speaks of the request says nothing about the next one', async () => {
      for (const status of [400, 403, 409, 422, 401, 404, 429, 500]) {
        server.answer(raw(status, ''));
        const aboutRequest = [400, 403, 409, 422].includes(status);
        await assert.rejects(
          server.hook().validate(request()),
          (error) => error instanceof NoAnswer === aboutRequest,
        );
      }
    });

    test('where there is no time for it, it is not asked again, or not at all', async () => {
      server.answer(raw(503, ''));
      const soon = { ...request(), until: clock.at + 1000 };
      await assert.rejects(server.hook().validate(soon), outage(/answered 503/));
      assert.equal(server.taken.length, 1);
      assert.deepEqual(
        server.limits.map(({ ms }) => ms),
        [1000],
      );
      server.answer(says({ allow: true }));
      const late = { ...request(), until: clock.at };
      await assert.rejects(server.hook().validate(late), outage(/no time left/));
      assert.equal(server.looked.length, 0);
    });

    const silences: readonly (readonly [string, Handler])[] = [
      ['never answers', () => server.limits[0]?.end.abort()],
      [
        'begins an answer and stops',
        (response) => {
          response.writeHead(200).write('{"allow":', () => server.limits[0]?.end.abort());
        },
      ],
    ];
    for (const [what, handler] of silences) {
      test(`one that ${what} is an outage once its time is over, and is not asked again`, async () => {
        server.answer(handler);
        const late = outage(/took longer than 3000 ms/);
        await assert.rejects(server.hook({ style: 'stepca' }).validate(request()), late);
        assert.equal(server.taken.length, 1);
      });
    }

    test('a name that is never found is an outage once its time is over', async () => {
      server.answer(says({ allow: true }));
      const resolve = () => {
        server.limits[0]?.end.abort();
        return new Promise<never>(() => {});
      };
      const silent = pinned({ ...server.network, resolve });
      await assert.rejects(server.hook({}, silent).validate(request()), outage(/took longer/));
    });

    test('a name that leads elsewhere at the next look-up is connected to where it was checked', async () => {
      server.answer(says({ allow: true }), [[publicAddress], ['10.0.0.1']]);
      const hook = server.hook();
      assert.deepEqual(await hook.validate(request()), { allow: true });
      assert.deepEqual(server.looked, [hookHost]);
      assert.deepEqual(server.connected, [`${publicAddress} 443`]);
      const sentence = outage(
        /10\.0\.0\.1, which is not connected to: private, and its "networks" do not open it/,
      );
      await assert.rejects(hook.validate(request()), sentence);
      assert.deepEqual(server.connected, [`${publicAddress} 443`]);
    });

    const inside = ['127.0.0.1', '169.254.169.254', '::1', '::ffff:10.0.0.1', 'fd00:ec2::254'];
    for (const address of inside) {
      test(`a name of ${address}, alone or beside a public one, is not connected to`, async () => {
        for (const found of [[address], [publicAddress, address]]) {
          server.answer(says({ allow: true }), [found]);
          await assert.rejects(server.hook().validate(request()), outage(/not connected to/));
          assert.deepEqual(server.connected, []);
          assert.equal(server.looked.length, 1);
        }
      });

      test(`nor is a URL that has ${address} for its host`, async () => {
        server.answer(says({ allow: true }));
        const url = `https://${address.includes(':') ? `[${address}]` : address}/`;
        await assert.rejects(server.hook({ url }).validate(request()), outage(/not connected to/));
        assert.deepEqual([server.looked, server.connected], [[], []]);
      });
    }

    test('a private address is connected to where its network is opened, by name and as itself', async () => {
      const networks = [parseIpRange('10.1.0.0/16')];
      for (const url of [`https://${hookHost}:8443/`, 'https://10.1.2.3:8443/']) {
        server.answer(says({ allow: true }), [['10.1.2.3']]);
        await assert.rejects(server.hook({ url }).validate(request()), outage(/private/));
        assert.deepEqual(await server.hook({ url, networks }).validate(request()), { allow: true });
        assert.deepEqual(server.connected, ['10.1.2.3 8443']);
      }
    });

    test('a server without a certificate for the name is not spoken to', async () => {
      server.answer(says({ allow: true }));
      const other = server.hook({ url: 'https://other.example.com/' });
      await assert.rejects(other.validate(request()), outage(/other\.example\.com/));
      const { roots: _, ...untrusting } = server.network;
      const strict = server.hook({}, pinned(untrusting));
      await assert.rejects(strict.validate(request()), outage(/trusts .*NODE_EXTRA_CA_CERTS/));
      assert.equal(server.taken.length, 0);
    });

    test("the machine's own resolver and network lead to an outage at a name of this machine", async () => {
      const hook = server.hook({ url: 'https://localhost/' }, pinned(systemNetwork));
      await assert.rejects(hook.validate(request()), outage(/this machine/));
    });

    test('nothing that it was sent in confidence is in what it, or the network, says', async () => {
      const bearer = 'the-bearer-token';
      const reason = `${challenge} the-bearer-token ${hookSecret} \u202e\n${'x'.repeat(500)}`;
      server.answer(says({ allow: false, reason }));
      const { note = '' } = await server.hook({ bearer }).validate(request());
      assert.match(note, /^\*\*\* \*\*\* \*\*\* \\u202e\\u000ax+$/);
      assert.equal(note.length, 200);
      const basic = { user: 'me', password: 'the-password' };
      const encoded = Buffer.from('me:the-password').toString('base64');
      server.answer(says({ allow: false, reason: `${encoded} the-password` }));
      const { note: other } = await server.hook({ basic }).validate(request());
      assert.equal(other, '*** ***');
      const resolve = () => Promise.reject(new Error(`no ${challenge} the-bearer-token`));
      const failing = pinned({ ...server.network, resolve });
      const hidden = outage(/no \*\*\* \*\*\*$/);
      await assert.rejects(server.hook({ bearer }, failing).validate(request()), hidden);
    });

    test('what it says is Unicode, also where it is cut, or was none', async () => {
      for (const reason of ['\ud800 half', `${'x'.repeat(199)}\u{1f600}`]) {
        server.answer((response, taken) => {
          const text = JSON.stringify({ allow: false, digest: digestOf(taken), reason });
          response.end(text);
        });
        const { note = '' } = await server.hook().validate(request());
        assert.ok(note.isWellFormed() && note.length <= 200 && note.length > 5);
      }
    });

    test('nobody listens: an outage, after a second try', async () => {
      server.answer(says({ allow: true }));
      const port = await freePort();
      let tries = 0;
      const closed = pinned({
        ...server.network,
        connect: () => {
          tries++;
          return connect({ host: '127.0.0.1', port });
        },
      });
      await assert.rejects(server.hook({}, closed).validate(request()), outage(/ECONNREFUSED/));
      assert.equal(tries, 2);
    });

    test('a connection that is never made is given up with its time', async () => {
      server.answer(says({ allow: true }));
      const socket = new Socket();
      const endless = () => {
        setImmediate(() => server.limits[0]?.end.abort());
        return socket;
      };
      const hook = server.hook({}, pinned({ ...server.network, connect: endless }));
      await assert.rejects(hook.validate(request()), outage(/took longer/));
      while (!socket.destroyed) await new Promise(setImmediate);
    });

    test('a redirect, or what is compressed, leaves no connection behind', async () => {
      const sockets: Socket[] = [];
      const kept = pinned({
        ...server.network,
        connect: (...asked) => {
          const socket = server.network.connect(...asked);
          sockets.push(socket);
          return socket;
        },
      });
      for (const head of [{ location: '/' }, { 'content-encoding': 'gzip' }]) {
        const status = 'location' in head ? 302 : 200;
        // It never ends by itself.
        server.answer((response) => void response.writeHead(status, head).write('a'));
        await assert.rejects(server.hook({}, kept).validate(request()), { name: 'Outage' });
      }
      assert.equal(sockets.length, 2);
      for (const socket of sockets) {
        while (!socket.destroyed) await new Promise(setImmediate);
      }
    });

    describe('in a Worker', () => {
      const fetching = (answer: Response, calls: (string | RequestInit | undefined)[] = []) =>
        server.hook(
          { style: 'stepca' },
          plainFetch(async (url, init) => {
            calls.push(String(url), init);
            return answer;
          }),
        );

      test('it is fetched, and redirects are not followed', async () => {
        const calls: (string | RequestInit | undefined)[] = [];
        const answer = new Response('{"allow":true}');
        assert.deepEqual(await fetching(answer, calls).validate(request()), { allow: true });
        const [url, init] = calls as [string, RequestInit];
        assert.equal(url, `https://${hookHost}/scep?a=b`);
        assert.equal(init.redirect, 'manual');
        assert.ok(init.signal);
        const away = new Response('', { status: 302, headers: { location: 'http://10.0.0.1/' } });
        await assert.rejects(fetching(away).validate(request()), outage(/302: redirects/));
      });

      test('an answer that is too long, or compressed, is none', async () => {
        const long = new Response(`{"allow":true}${' '.repeat(65_523)}`);
        await assert.rejects(fetching(long).validate(request()), outage(/more than 65536/));
        const headers = { 'content-encoding': 'br' };
        const packed = new Response('{"allow":true}', { headers });
        await assert.rejects(fetching(packed).validate(request()), outage(/compressed/));
      });

      for (const host of ['10.0.0.1', '1.1.1.1', '[::1]', '2130706433', 'localhost', 'metadata']) {
        test(`a URL of ${host} is not fetched`, async () => {
          const hook = server.hook(
            { url: `https://${host}/` },
            plainFetch(() => assert.fail('it was fetched')),
          );
          await assert.rejects(hook.validate(request()), outage(/full name of a host/));
        });
      }
    });

    const settings: readonly (readonly [string, Parameters<typeof server.hook>[0], RegExp])[] = [
      ['a secret that is no base64', { secret: 'not base64!' }, /hook\.secret: .* base64/],
      ['a secret of a length that base64 has not', { secret: 'short' }, /hook\.secret: .* base64/],
      ['a secret of 15 octets', { style: 'stepca', secret: 'MTIzNDU2Nzg5MDEyMzQ1' }, /at least 16/],
      ['a token of two lines', { bearer: 'a\r\nb' }, /hook\.bearer/],
    ];
    for (const [what, wrong, sentence] of settings) {
      test(`${what} is refused before anything is asked`, () => {
        assert.throws(() => server.hook(wrong), { name: 'SyntaxError', message: sentence });
      });
    }
  }),
);
