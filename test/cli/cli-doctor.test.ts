// scepter doctor against a server with one fault at a time, and against every ingress of Lambda: each fault is
// named, with whom it hits, and nothing else is.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { raw, scan, tag } from '../../lib/asn1/reader.ts';
import { explicit, objectIdentifier, octets, sequence, tlv } from '../../lib/asn1/writer.ts';
import { type Bytes, latin1 } from '../../lib/base/bytes.ts';
import { checks, type Section } from '../../lib/cli/doctor/observation.ts';
import { encodeCertsOnly } from '../../lib/cms/certs-only.ts';
import { digests } from '../../lib/crypto/algorithms.ts';
import { makeApp } from '../../lib/http/app.ts';
import { replyOf, requestOf } from '../../lib/http/lambda-event.ts';
import { decodePkiMessage } from '../../lib/protocol/scep/wire/decode.ts';
import { messageTypes } from '../../lib/protocol/scep/wire/registry.ts';
import { encodeTbsCertificate, signed } from '../../lib/x509/certificate.ts';
import { encodeTbsCertList } from '../../lib/x509/crl.ts';
import { keyUsage } from '../../lib/x509/extensions.ts';
import {
  type Answered,
  type Asked,
  type Fault,
  startBrokenServer,
} from '../support/broken-server.ts';
import { openTerminal } from '../support/cli.ts';
import { memorySigner } from '../support/keys.ts';
import { bridge } from '../support/lambda-bridge.ts';
import { forms } from '../support/lambda-ingress.ts';
import { unlessMalformed } from '../support/vectors.ts';

const server = await startBrokenServer();
const { lab } = server;
const terminal = await openTerminal(lab);
after(async () => {
  await terminal.close();
  await server.close();
});

type Report = { readonly faults: number; readonly sections: readonly Section[] };

async function examined(fault: Fault, ...options: readonly string[]) {
  server.arm(fault);
  const { code, out, err } = await terminal.run(
    ['doctor', `${server.url}/scep`, '--json', ...options],
    {},
  );
  return { code, err, findings: findingsIn(out), troubles: troublesIn(out) };
}

const findingsIn = (out: string) =>
  (JSON.parse(out) as Report).sections.flatMap(({ findings }) => findings);
const troublesIn = (out: string) => findingsIn(out).filter(({ mark }) => mark !== 'good');

const text = (body: string): Partial<Answered> => ({ body: Buffer.from(body) });
const typed = ({ headers }: Answered, type: string): Partial<Answered> => ({
  headers: { ...headers, 'content-type': type },
});
const plain = (status: number, body = ''): Answered => ({
  status,
  headers: { 'content-type': 'text/plain' },
  body: Buffer.from(body),
});
const at = (operation: string, change: (answered: Answered) => Partial<Answered>): Fault => ({
  after: (answered, asked) => (asked.operation === operation ? change(answered) : undefined),
});
const messageOf = ({ target }: Asked): string => /[?&]message=([^&]*)/.exec(target)?.[1] ?? '';
const byGet = ({ method, operation }: Asked): boolean =>
  method === 'GET' && operation === 'PKIOperation';
/** The messageType of a PKIOperation. */
const typeOf = ({ method, body }: Asked): string | undefined =>
  method === 'POST' && body.length > 0
    ? unlessMalformed(() => decodePkiMessage(new Uint8Array(body)).messageType)
    : undefined;
const refusedIf = (refuses: (asked: Asked) => boolean, status: number): Fault => ({
  before: (asked) => (refuses(asked) ? plain(status) : undefined),
});
const caps = 'AES\nSHA-256\nSHA-384\nSHA-512\nPOSTPKIOperation\nRenewal\nSCEPStandard';

/** What the server does; which checks it is found by, each with its mark; what is said. */
const faults: Readonly<Record<string, readonly [Fault, readonly string[], RegExp]>> = {
  'every answer is a redirect': [
    {
      before: ({ target }) => ({
        ...plain(301),
        headers: { location: `https://scep.example${target}` },
      }),
    },
    ['http10 fault', 'caps fault', 'cert fault'],
    /a redirect to https:\/\/scep\.example\/scep.*body of a POST is lost/s,
  ],
  'another server answers with pages': [
    { before: () => ({ ...plain(200, '<html>'), headers: { 'content-type': 'text/html' } }) },
    ['caps fault', 'cert fault', 'cert fault'],
    /page of HTML/,
  ],
  'nothing but GetCACaps is there': [
    refusedIf(({ operation }) => operation !== 'GetCACaps', 404),
    ['cert fault'],
    /HTTP 404/,
  ],
  'capabilities in lines of CR LF': [
    at('GetCACaps', () => text(caps.replaceAll('\n', '\r\n'))),
    ['caps fault', 'clients fault'],
    /Apple: "CA does not have the required capability"/,
  ],
  'no SHA-384': [
    at('GetCACaps', () => text(caps.replace('SHA-384\n', ''))),
    ['clients fault'],
    /strongSwan 5\.9\.8: "AES_CBC encryption algorithm not supported by CA"/,
  ],
  'SCEPStandard alone': [
    at('GetCACaps', () => text('SCEPStandard')),
    ['caps fault', 'caps warning', 'caps warning', 'clients fault', 'clients fault'],
    /POSTPKIOperation is not listed.*Apple: .*no SHA keyword.*strongSwan 5\.9\.8/s,
  ],
  'keywords in other letters': [
    at('GetCACaps', () => text(caps.toLowerCase())),
    [
      'caps fault',
      'caps fault',
      'caps warning',
      'caps warning',
      'clients fault',
      'clients fault',
      'clients fault',
    ],
    /POSTPKIOperation.* is not spelt so/,
  ],
  'capabilities that are too long': [
    at('GetCACaps', () => text(`${caps}\n${'COM.EXAMPLE.WORD\n'.repeat(80)}`)),
    ['caps fault', 'clients fault'],
    /certmonger: GetCACaps has more than 1,024 octets/,
  ],
  'no Renewal': [
    at('GetCACaps', () => text(caps.replace('Renewal\n', ''))),
    ['caps warning'],
    /strongSwan does not renew/,
  ],
  'GetNextCACert that is listed, and not there': [
    at('GetCACaps', () => text(`${caps}\nGetNextCACert`)),
    ['next warning'],
    /listed, and answered with HTTP 40\d/,
  ],
  'a charset behind the type of GetCACert': [
    at('GetCACert', (answered) => typed(answered, 'application/x-x509-ca-ra-cert; charset=utf-8')),
    ['cert fault', 'clients fault', 'clients fault', 'clients warning'],
    /Apple: it compares the Content-Type.*certmonger: .*micromdm: "malformed tbs/s,
  ],
  'GetCACert of a type that no client knows': [
    at('GetCACert', (answered) => typed(answered, 'application/octet-stream')),
    ['cert fault'],
    /say application\/x-x509-ca-ra-cert/,
  ],
  'a PKCS#7 by the name of a certificate': [
    at('GetCACert', (answered) => typed(answered, 'application/x-x509-ca-cert')),
    ['cert fault'],
    /a PKCS#7 as application\/x-x509-ca-cert/,
  ],
  'GetCACert that is half there': [
    at('GetCACert', ({ body }) => ({ body: body.subarray(0, 700) })),
    ['cert fault'],
    /no certificate can be read in it \(700 octets/,
  ],
  'answers that are compressed unasked': [
    at('GetCACert', ({ headers }) => ({ headers: { ...headers, 'content-encoding': 'gzip' } })),
    ['cert fault'],
    /compressed \(gzip\)/,
  ],
  'a CA that must be named': [
    refusedIf(({ target }) => /message=(default|0)$/.test(target), 404),
    ['message fault'],
    /not answered with message="default", "0"/,
  ],
  'nothing below the path': [
    refusedIf(({ target }) => target.includes('pkiclient.exe'), 404),
    ['path fault'],
    /Windows and Cisco IOS append it/,
  ],
  ...Object.fromEntries(
    [403, 404, 405, 411, 413, 415, 501, 502].map((status) => [
      `a POST that is answered with ${status} on its way`,
      [
        refusedIf(({ method }) => method === 'POST', status),
        ['post fault'],
        new RegExp(`^HTTP ${status} clients report that the server is not there`),
      ],
    ]),
  ),
  'a server that has no answer to a CertPoll': [
    { before: (asked) => (typeOf(asked) === messageTypes.CertPoll ? plain(500) : undefined) },
    [],
    /^$/,
  ],
  'a proxy that drops bodies': [
    { before: ({ method }) => (method === 'POST' ? { body: Buffer.alloc(0) } : undefined) },
    ['post fault'],
    /a GET is answered with a CertRep, the same by POST with HTTP 400/,
  ],
  'a proxy that takes bodies for text': [
    {
      before: ({ method, body }) =>
        method === 'POST' ? { body: Buffer.from(body.toString('utf8')) } : undefined,
    },
    ['post fault'],
    /takes it for text/,
  ],
  'no POST without a Content-Type': [
    refusedIf(
      ({ method, incoming }) => method === 'POST' && !incoming.headers['content-type'],
      415,
    ),
    ['post fault'],
    /sscep and strongSwan send none/,
  ],
  'half-closed connections are closed': [
    {
      before: (asked) => {
        // The raw request is the one with capitals in the names of its headers.
        if (asked.incoming.rawHeaders.includes('Content-Length')) asked.incoming.socket.destroy();
        return undefined;
      },
    },
    ['halfClosed warning'],
    /ends its half of the connection/,
  ],
  'no GET': [refusedIf(byGet, 405), ['get fault'], /certmonger and Cisco IOS send all by GET/],
  'targets of up to 4,000 characters': [
    refusedIf((asked) => byGet(asked) && asked.target.length > 4000, 414),
    ['get fault', 'get warning'],
    /GET of 4 kB: HTTP 414.*GET of 6 kB: HTTP 414/s,
  ],
  'targets of up to 5,000 characters': [
    refusedIf((asked) => byGet(asked) && asked.target.length > 5000, 414),
    ['get warning'],
    /GET of 6 kB: HTTP 414.*4096 bits/s,
  ],
  '"+" in a query is a space': [
    refusedIf((asked) => byGet(asked) && messageOf(asked).includes('+'), 400),
    ['get fault'],
    /macOS and jscep/,
  ],
  'base64 in one line only': [
    refusedIf((asked) => byGet(asked) && messageOf(asked).includes('%0A'), 400),
    ['get fault'],
    /sscep, strongSwan and Cisco IOS break base64/,
  ],
  'parameters in one order only': [
    refusedIf((asked) => byGet(asked) && /\?message=/.test(asked.target), 400),
    ['get warning'],
    /scepclient 2\.1\.0/,
  ],
  'a charset behind the type of replies': [
    at('PKIOperation', (answered) => typed(answered, 'application/x-pki-message; charset=utf-8')),
    ['reply fault'],
    /certmonger compares it as a whole/,
  ],
  'replies as plain text': [
    at('PKIOperation', (answered) => typed(answered, 'text/plain')),
    ['reply fault'],
    /sscep, certmonger and jscep refuse it/,
  ],
  'replies with HTTP 400': [
    at('PKIOperation', () => ({ status: 400 })),
    ['reply fault'],
    /it comes with HTTP 400/,
  ],
  'no reply, but an HTTP error': [
    {
      after: ({ status }, { operation }) =>
        operation === 'PKIOperation' ? plain(500, `failed ${status}`) : undefined,
    },
    ['reply fault'],
    /HTTP 500 instead of a CertRep/,
  ],
  'the same HTTP error to everything': [
    { after: (_, { operation }) => (operation === 'PKIOperation' ? plain(500) : undefined) },
    ['post warning', 'reply fault'],
    /cannot be told from here/,
  ],
  'a reply that was changed on the way': [
    at('PKIOperation', ({ body }) => ({
      body: Buffer.from(body.map((octet, at) => (at === body.length - 1 ? octet ^ 1 : octet))),
    })),
    ['reply fault'],
    /its signature does not verify \(signatureWrong\)/,
  ],
  'a clock that is an hour late': [
    {
      after: ({ headers }) => ({
        headers: { ...headers, date: new Date(lab.clock.now() - 3_600_000).toUTCString() },
      }),
    },
    ['clock fault'],
    /1h.* apart/,
  ],
  'HTTP/1.0 is refused': [
    refusedIf(({ incoming }) => incoming.httpVersion === '1.0', 505),
    ['http10 fault'],
    /HTTP 505.*Cisco IOS/s,
  ],
  'no CRL': [
    refusedIf(({ target }) => target.startsWith('/crl/'), 404),
    ['crl fault'],
    /crl\/default\.crl: HTTP 404/,
  ],
  'a CRL in PEM': [
    {
      after: ({ body }, { target }) =>
        target.startsWith('/crl/')
          ? text(`-----BEGIN X509 CRL-----\n${body.toString('base64')}\n-----END X509 CRL-----\n`)
          : undefined,
    },
    ['crl fault'],
    /is in PEM/,
  ],
  'a page in place of the CRL': [
    { after: (_, { target }) => (target.startsWith('/crl/') ? text('<html>') : undefined) },
    ['crl fault'],
    /is no CRL/,
  ],
  'a CRL that was changed': [
    {
      after: ({ body }, { target }) =>
        target.startsWith('/crl/')
          ? {
              body: Buffer.from(
                body.map((octet, at) => (at === body.length - 1 ? octet ^ 1 : octet)),
              ),
            }
          : undefined,
    },
    ['crl fault'],
    /is not signed by CN=Lab CA,O=Lab/,
  ],
};

test('a server without a fault has none, and exit code 0', async () => {
  const { code, err, findings, troubles } = await examined({});
  assert.deepEqual(troubles, []);
  assert.equal(code, 0, err);
  const seen = new Set(findings.map(({ check }) => check));
  for (const check of ['clients', 'ra', 'chain', 'post', 'get', 'halfClosed', 'reply', 'crl']) {
    assert.ok(
      [...seen].some((one) => one === check),
      check,
    );
  }
});

describe('a fault is named, and nothing else is', () => {
  for (const [name, [fault, expected, said]] of Object.entries(faults)) {
    test(name, async () => {
      const { code, troubles } = await examined(fault);
      assert.deepEqual(
        troubles.map(({ check, mark }) => `${check} ${mark}`),
        expected,
        JSON.stringify(troubles),
      );
      const all = troubles.map(({ says, means, fix }) => `${says} ${means} ${fix}`).join('\n');
      assert.match(all, said);
      assert.equal(code, expected.some((one) => one.endsWith('fault')) ? 1 : 0);
    });
  }
});

/** What a server of AWS does with connections is not known here. */
const inFront = ['halfClosed'];

describe('certificates and lists of the CA itself', async () => {
  const [ca] = lab.announced.chain;
  const { ra } = lab.announced;
  assert.ok(ca);
  const scheme = { kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-256'] } as const;
  const sign = async (tbs: Bytes) => {
    const algorithm = { kind: scheme.kind, digest: 'SHA-256' } as const;
    return (await memorySigner.sign('ca default rsa2048', algorithm, tbs)).octets;
  };
  const named = (findings: readonly { check: string; mark: string; says: string }[]): string[] =>
    findings.map(({ check, mark, says }) => `${check} ${mark} ${says}`);

  /** The RA's certificate made anew, with these ends and this OCSP responder. */
  async function announced(notAfter: number, ...ocsp: readonly string[]): Promise<Fault> {
    const access = ocsp.map((url) =>
      sequence(objectIdentifier('1.3.6.1.5.5.7.48.1'), tlv(0x86, latin1(url))),
    );
    const aia = sequence(objectIdentifier('1.3.6.1.5.5.7.1.1'), octets(sequence(...access)));
    const tbs = encodeTbsCertificate({
      ...{ serial: Uint8Array.of(7), scheme, issuer: ra.issuer, subject: ra.subject },
      ...{ spki: raw(ra.spki), notBefore: ra.notBefore, notAfter },
      extensions: [
        keyUsage(['digitalSignature', 'keyEncipherment']),
        ...(ocsp.length > 0 ? [aia] : []),
      ],
    });
    const bag = encodeCertsOnly([signed(tbs, scheme, await sign(tbs)), ca?.der ?? tbs]);
    return at('GetCACert', () => ({ body: Buffer.from(bag) }));
  }
  test('a certificate that names hundreds of places sends the doctor to a few of them', async () => {
    const places = Array.from({ length: 300 }, (_, n) => `${server.url}/ocsp/${n}`);
    const bag = await announced(second(lab.clock.now()) + 1e10 * 20, ...places);
    let asked = 0;
    const { findings } = await examined({
      after: (answered, one) => {
        if (!one.target.startsWith('/ocsp/')) return bag.after?.(answered, one) as undefined;
        asked++;
        return plain(404);
      },
    });
    assert.ok(asked > 0 && asked <= 16, String(asked));
    assert.match(
      named(findings).join('\n'),
      /^crl warning the certificates name 28\d more CRLs and OCSP responders, which were not asked$/m,
    );
  });

  const second = (ms: number): number => Math.floor(ms / 1000) * 1000;

  test('an RA that has expired', async () => {
    const { code, troubles } = await examined(await announced(second(lab.clock.now() - 60_000)));
    assert.match(named(troubles)[0] ?? '', /^ra fault .* expired on /);
    assert.equal(code, 1);
  });

  for (const [name, from, to, said] of [
    ['that has ended', -20, -1, /^crl fault http\S+ ended on /],
    ['of the future', 1, 2, /^crl fault http\S+ is of the future/],
    ['that lists the RA', -1, 1, /^crl fault http\S+ lists CN=SCEP RA,O=Lab itself/],
  ] as const) {
    test(`a CRL ${name}`, async () => {
      const day = (days: number) => second(lab.clock.now()) + days * 24 * 60 * 60 * 1000;
      const lists = name.includes('RA')
        ? [{ serial: ra.serial, revokedAt: day(-1), reason: 'keyCompromise' as const }]
        : [];
      const tbs = encodeTbsCertList({
        ...{ scheme, issuer: ca.subject, issuerKeyIdentifier: new Uint8Array(20), number: 1 },
        ...{ thisUpdate: day(from), nextUpdate: day(to), revoked: lists },
      });
      const crl = Buffer.from(signed(tbs, scheme, await sign(tbs)));
      const { code, troubles } = await examined({
        after: (_, { target }) => (target.startsWith('/crl/') ? { body: crl } : undefined),
      });
      assert.equal(troubles.length, 1, JSON.stringify(troubles));
      assert.match(named(troubles)[0] ?? '', said);
      assert.equal(code, 1);
    });
  }

  for (const [name, status, from, to, said] of [
    ['that says good', 0x80, -1, 1, /^ocsp good http\S+: .* is good$/],
    ['that says revoked', 0xa1, -1, 1, /^ocsp fault http\S+ says that .* is revoked$/],
    ['that has ended', 0x80, -3, -1, /^ocsp fault http\S+ ended on /],
  ] as const) {
    test(`an OCSP response ${name}`, async () => {
      const time = (days: number): Bytes => {
        const text = new Date(second(lab.clock.now()) + days * 86_400_000).toISOString();
        return tlv(tag.generalizedTime, latin1(text.replace(/\.\d+|[-:T]/g, '')));
      };
      const answer = async (request: Uint8Array<ArrayBuffer>): Promise<Buffer> => {
        // OCSPRequest, tbsRequest, requestList, Request, reqCert.
        const asked = scan(request).children[0]?.children[0]?.children[0]?.children[0];
        assert.ok(asked);
        const state = status === 0x80 ? tlv(status) : tlv(status, time(-2));
        const single = sequence(raw(asked), state, time(from), explicit(0, time(to)));
        const data = sequence(explicit(1, ca.subject), time(from), sequence(single));
        const basic = signed(data, scheme, await sign(data));
        const bytes = sequence(objectIdentifier('1.3.6.1.5.5.7.48.1.1'), octets(basic));
        return Buffer.from(sequence(tlv(tag.enumerated, Uint8Array.of(0)), explicit(0, bytes)));
      };
      const bag = await announced(second(lab.clock.now()) + 1e10 * 20, `${server.url}/ocsp`);
      const { findings } = await examined({
        after: async (answered, asked) =>
          asked.target === '/ocsp'
            ? { status: 200, body: await answer(new Uint8Array(asked.body)) }
            : ((await bag.after?.(answered, asked)) as Partial<Answered> | undefined),
      });
      const seen = named(findings.filter(({ check }) => check === 'ocsp'));
      assert.equal(seen.length, 1, seen.join('\n'));
      assert.match(seen[0] ?? '', said);
    });
  }

  test('an OCSP responder that answers with an error, and one that is silent, are told as what they did', async () => {
    for (const [does, said] of [
      [plain(500), /^ocsp fault http\S+: HTTP 500$/],
      ['closed', /^ocsp fault http\S+: (?!HTTP)\S/],
    ] as const) {
      const bag = await announced(second(lab.clock.now()) + 1e10 * 20, `${server.url}/ocsp`);
      const { findings } = await examined({
        after: (answered, asked) =>
          asked.target === '/ocsp' ? does : bag.after?.(answered, asked),
      });
      const seen = named(findings.filter(({ check }) => check === 'ocsp'));
      assert.equal(seen.length, 1, seen.join('\n'));
      assert.match(seen[0] ?? '', said);
    }
  });
});

describe('the service has no fault behind', () => {
  for (const form of forms) {
    test(`the ingress ${form} of Lambda`, async () => {
      server.arm({});
      const app = makeApp(lab.deps);
      const invoke = async (event: unknown) => {
        const { request, connection } = requestOf(JSON.parse(JSON.stringify(event)));
        return JSON.parse(
          JSON.stringify(await replyOf(event, await app.fetch(request, connection))),
        );
      };
      const ingress = await bridge(form, { invoke });
      try {
        const { out } = await terminal.run(['doctor', `${ingress.origin}/scep`, '--json']);
        assert.deepEqual(
          troublesIn(out).filter(({ check }) => !inFront.includes(check)),
          [],
        );
      } finally {
        ingress.stop();
      }
    });
  }
});

describe('with a challenge', () => {
  test('a certificate is had and looked at', async () => {
    const challenge = await lab.challenge({ subject: 'CN=probe' });
    const { code, findings, troubles } = await examined(
      {},
      ...['--challenge', challenge, '--subject', 'CN=probe'],
    );
    assert.deepEqual(troubles, []);
    assert.equal(code, 0);
    const enrolled = findings.find(({ check }) => check === 'enrol');
    assert.match(enrolled?.says ?? '', /^CN=probe, serial [0-9a-f]{32}, until .*to be revoked$/);
  });
  test('that is wrong, the refusal is said', async () => {
    const { code, troubles } = await examined({}, '--challenge', 'x'.repeat(26));
    assert.deepEqual(
      troubles.map(({ check, mark }) => `${check} ${mark}`),
      ['enrol fault'],
    );
    assert.match(troubles[0]?.says ?? '', /^refused: badRequest: SCEP-\d+/);
    assert.equal(code, 1);
  });
  test('without one, and whatever it sends, nothing is issued, refused or kept', async () => {
    lab.calls.length = 0;
    await examined({});
    assert.deepEqual(
      lab.calls.filter((call) => /\.(write|sign|unseal)$/.test(call)),
      [],
    );
  });
});

describe('without a URL', () => {
  test('the service is looked at from inside, and then at each of its endpoints', async () => {
    server.arm({});
    const { code, out, err } = await terminal.run(['doctor', '--json']);
    assert.equal(code, 0, err);
    assert.deepEqual(troublesIn(out), []);
    assert.deepEqual(
      (JSON.parse(out) as Report).sections.map(({ about }) => about),
      [
        'service',
        new URL(server.url).host,
        ...['', '/other'].map((path) => `${server.url}/scep${path}`),
      ],
    );
    const [first] = findingsIn(out);
    assert.equal(first?.says, `${terminal.url}, Scepter 0.1.0, at ${server.url}`);
  });
  test('whoever has no token there cannot run it', async () => {
    const { code, err } = await terminal.run(['doctor'], { token: 'x'.repeat(43) });
    assert.equal(code, 2);
    assert.match(err, /^scepter: http:\/\/127\.0\.0\.1:\d+: /);
  });
  test('nobody can enrol at all endpoints at once', async () => {
    const { code, err } = await terminal.run(['doctor', '--challenge', 'x'.repeat(26)]);
    assert.equal(code, 2);
    assert.equal(err, 'scepter: a challenge is of one endpoint: give its SCEP URL, too\n');
  });
});

describe('exit code 2 where it could not be run', () => {
  test('nothing listens there', async () => {
    const { code, out, err } = await terminal.run(['doctor', 'http://127.0.0.1:1/scep']);
    assert.equal(code, 2);
    assert.match(out, /✗ {2}GetCACaps .*127\.0\.0\.1:1: nothing listens there/);
    assert.equal(err, 'scepter: nothing could be asked at http://127.0.0.1:1\n');
  });
  test('there is no such name', async () => {
    const { code, out } = await terminal.run(['doctor', 'https://nowhere.invalid/scep']);
    assert.equal(code, 2);
    assert.match(out, /✗ {2}DNS .*nowhere\.invalid does not resolve/);
  });
  test('it is no address', async () => {
    const { code, err } = await terminal.run(['doctor', 'scep.example.com']);
    assert.equal(code, 2);
    assert.match(err, /it has no scheme/);
  });
});

test('the guide says of every check what it looks at', () => {
  const guide = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'doctor.md'), 'utf8');
  const [, table = ''] = /^## What it looks at\n([\s\S]*?)^## /m.exec(guide) ?? [];
  const named = [...table.matchAll(/^\| ([^|]+?) \| /gm)].map(([, name]) => name);
  assert.deepEqual(named.slice(1).sort(), Object.values(checks).sort());
});
