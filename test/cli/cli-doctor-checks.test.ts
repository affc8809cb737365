// What the doctor makes of facts, case by case: how clients read keywords and bags of certificates, certificates
// of every kind, replies with one fault each, TLS, and servers that say nothing.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, sign } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createPlainServer, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TlsOptions } from 'node:tls';
import { objectIdentifier, octets, printableString, sequence } from '../../lib/asn1/writer.ts';
import { type Bytes, concat } from '../../lib/base/bytes.ts';
import { certificateFindings } from '../../lib/cli/doctor/checks/certificates.ts';
import { exchangeFindings } from '../../lib/cli/doctor/checks/exchange.ts';
import { hostFindings } from '../../lib/cli/doctor/checks/host.ts';
import { serviceFindings } from '../../lib/cli/doctor/checks/service.ts';
import { clients } from '../../lib/cli/doctor/clients.ts';
import type { EndpointFacts, HostFacts, TlsFacts, Way } from '../../lib/cli/doctor/facts.ts';
import { hostFacts } from '../../lib/cli/doctor/gather.ts';
import type { Observation } from '../../lib/cli/doctor/observation.ts';
import type { ServiceFacts, ServiceSeen } from '../../lib/cli/doctor/service.ts';
import { type Answer, ask, askRaw } from '../../lib/cli/doctor/wire/http.ts';
import { isNear, nearby } from '../../lib/cli/doctor/wire/near.ts';
import { tlsFacts } from '../../lib/cli/doctor/wire/tls.ts';
import { digests } from '../../lib/crypto/algorithms.ts';
import type { PkiRequest } from '../../lib/protocol/scep/client/client.ts';
import { attributeOids } from '../../lib/protocol/scep/wire/registry.ts';
import { signatureAlgorithm } from '../../lib/x509/algorithm.ts';
import {
  type Certificate,
  encodeTbsCertificate,
  readCertificate,
  signed,
} from '../../lib/x509/certificate.ts';
import { caBasicConstraints, type KeyUsage, keyUsage } from '../../lib/x509/extensions.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { deviceKey } from '../support/keys.ts';
import { attribute } from '../support/messages.ts';
import { temporary } from '../support/process.ts';
import { type Knobs, nodeDigests, signedDataOf, signers } from '../support/signed-data.ts';

const now = Date.UTC(2031, 4, 6);
const DAY = 24 * 60 * 60 * 1000;

const found = (findings: readonly Observation[]): string[] =>
  findings.filter(({ mark }) => mark !== 'good').map(({ mark, says }) => `${mark} ${says}`);
const matches = (findings: readonly Observation[], expected: readonly RegExp[]): void => {
  const all = found(findings);
  assert.equal(all.length, expected.length, all.join('\n'));
  expected.forEach((pattern, at) => {
    assert.match(all[at] ?? '', pattern);
  });
};

describe('GetCACaps, as clients read it', () => {
  /** Client by client: cipher, digest and method, or why it stops. */
  const rows: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'AES\nDES3\nPOSTPKIOperation\nRenewal\nSHA-1\nSHA-256\nSHA-384\nSHA-512\nSCEPStandard': {
      Apple: 'AES-128 SHA-512 POST',
      sscep: 'AES-128 SHA-512 POST',
      'strongSwan 5.9.8': 'AES-128 SHA-256 POST',
      certmonger: 'AES-256 SHA-256 GET',
      jscep: 'AES-128 SHA-512 POST',
    },
    'AES\r\nPOSTPKIOperation\r\nSHA-256\r\nSHA-384': {
      Apple: 'no SHA keyword: lines end in CR LF',
      sscep: 'AES-128 SHA-384 POST',
      'strongSwan 5.9.8': 'AES-128 SHA-256 POST',
      certmonger: 'AES-256 SHA-256 GET',
      jscep: 'AES-128 SHA-256 POST',
    },
    SCEPStandard: {
      Apple: 'no SHA keyword',
      sscep: 'AES-128 SHA-256 POST',
      'strongSwan 5.9.8': 'it knows no SCEPStandard',
      certmonger: 'AES-256 SHA-256 GET',
      jscep: 'AES-128 SHA-256 POST',
    },
    GetNextCACert: {
      Apple: 'no SHA keyword',
      sscep: 'falls back to DES and MD5',
      'strongSwan 5.9.8': 'it knows no SCEPStandard',
      certmonger: 'AES-256 SHA-256 GET',
      jscep: 'falls back to DES and MD5',
    },
    'DES3\nSHA-1': {
      Apple: '3DES SHA-1 GET',
      sscep: '3DES SHA-1 GET',
      'strongSwan 5.9.8': 'it knows no SCEPStandard',
      certmonger: '3DES SHA-256 GET',
      jscep: '3DES SHA-1 GET',
    },
    'AES\nSHA-256\nPOSTPKIOperation': {
      Apple: 'AES-128 SHA-256 POST',
      sscep: 'AES-128 SHA-256 POST',
      'strongSwan 5.9.8': 'wants SHA-384 listed',
      certmonger: 'AES-256 SHA-256 GET',
      jscep: 'AES-128 SHA-256 POST',
    },
  };
  for (const [body, expected] of Object.entries(rows)) {
    test(JSON.stringify(body), () => {
      for (const { name, caps } of clients) {
        const choice = caps?.(body);
        if (!choice) continue;
        const said = 'why' in choice ? choice.why : Object.values(choice).join(' ');
        assert.ok(said.includes(expected[name] ?? '?'), `${name}: ${said}`);
      }
    });
  }
  test('certmonger reads no more than 1,024 octets', () => {
    const certmonger = clients.find(({ name }) => name === 'certmonger');
    assert.ok('why' in (certmonger?.caps?.('x'.repeat(1025)) ?? {}));
    assert.ok(!('why' in (certmonger?.caps?.('x'.repeat(1024)) ?? {})));
  });
});

describe('GetCACert, as clients read it', () => {
  const raCert = 'application/x-x509-ca-ra-cert';
  const both: readonly KeyUsage[] = ['digitalSignature', 'keyEncipherment'];
  const ca = { isCa: true, usages: ['keyCertSign', 'cRLSign'], isRsa: true } as const;
  const ra = { isCa: false, usages: both, isRsa: true } as const;
  const signs = { isCa: false, usages: ['digitalSignature'], isRsa: true } as const;
  const opens = { isCa: false, usages: ['keyEncipherment'], isRsa: true } as const;
  const rows = [
    ['RA and CA', raCert, [ra, ca], []],
    ['CA and RA', raCert, [ca, ra], []],
    ['a split RA', raCert, [signs, opens, ca], ['Windows']],
    ['a CA alone', 'application/x-x509-ca-cert', [{ ...ca, usages: both }], ['certmonger']],
    ['a chain and no RA', raCert, [ca, ca], ['Apple', 'certmonger', 'Windows']],
    ['an RA without a keyUsage', raCert, [{ ...ra, usages: undefined }, ca], ['Windows']],
    ['an RA that signs only', raCert, [signs, ca], ['Apple', 'Windows']],
    ['an RA with an EC key', raCert, [{ ...ra, isRsa: false }, ca], ['Apple', 'micromdm']],
    ['a CA with an EC key', raCert, [ra, { ...ca, isRsa: false }], ['micromdm']],
    [
      'a charset',
      `${raCert}; charset=utf-8`,
      [ra, ca],
      ['Apple', 'certmonger', 'micromdm', 'Windows'],
    ],
  ] as const;
  for (const [name, type, listed, stopped] of rows) {
    test(name, () => {
      const all = clients.filter(({ bag }) => bag?.({ type, listed }) !== undefined);
      const names = all.map((one) => one.name);
      assert.deepEqual(
        names,
        stopped.filter((one) => one !== 'Windows' || !type.includes(';')),
      );
    });
  }
});

type Made = {
  readonly subject?: string;
  readonly issuer?: string;
  readonly by?: string;
  readonly key?: 'rsa' | 'ec';
  readonly isCa?: boolean;
  readonly usages?: readonly KeyUsage[];
  readonly from?: number;
  readonly to?: number;
  readonly digest?: 'SHA-1' | 'SHA-256';
};

/** Signed by the key of that name. */
async function certificate({
  subject = 'CN=RA',
  issuer = 'CN=CA',
  by = 'ca',
  key = 'rsa',
  isCa = false,
  usages = isCa ? ['keyCertSign', 'cRLSign'] : ['digitalSignature', 'keyEncipherment'],
  from = now - DAY,
  to = now + 2000 * DAY,
  digest = 'SHA-256',
}: Made): Promise<Certificate> {
  const spec = key === 'ec' ? ({ type: 'EC', curve: 'P-256' } as const) : undefined;
  const { spki } = await deviceKey(isCa ? subject : `${subject} ${key}`, spec);
  const signer = await deviceKey(by);
  const scheme = { kind: 'RSASSA-PKCS1-v1_5', digest: digests[digest] } as const;
  const tbs = encodeTbsCertificate({
    ...{ serial: Uint8Array.of(1), scheme, spki, notBefore: from, notAfter: to },
    ...{ issuer: parseName(issuer), subject: parseName(subject) },
    extensions: [keyUsage(usages), ...(isCa ? [caBasicConstraints(undefined)] : [])],
  });
  const signing = createPrivateKey({
    key: Buffer.from(signer.pkcs8),
    format: 'der',
    type: 'pkcs8',
  });
  return readCertificate(signed(tbs, scheme, concat([sign(nodeDigests[digest], tbs, signing)])));
}

const root = { subject: 'CN=CA', by: 'CN=CA', isCa: true } as const;
const raOf = (more: Made = {}): Made => ({ by: 'CN=CA', ...more });

describe('certificates of GetCACert', () => {
  const judged = async (ra: Made | undefined, ...cas: readonly Made[]): Promise<Observation[]> => {
    const chain = await Promise.all(cas.map(certificate));
    const own = ra ? await certificate(ra) : chain[0];
    assert.ok(own);
    const bag = ra ? [own, ...chain] : chain;
    return certificateFindings({ ca: { ra: own, chain }, bag, now } as unknown as EndpointFacts);
  };
  const rows: Readonly<Record<string, readonly [Made | undefined, readonly Made[], ...RegExp[]]>> =
    {
      'as they are to be': [raOf(), [root]],
      'an RA that has expired': [
        raOf({ to: now - DAY }),
        [root],
        /^fault CN=RA expired on 2031-05-05/,
      ],
      'an RA that expires soon': [
        raOf({ to: now + DAY }),
        [root],
        /^warning CN=RA expires on 2031/,
      ],
      'an RA of the future': [
        raOf({ from: now + DAY }),
        [root],
        /^fault CN=RA is not valid before 2031-05-07/,
      ],
      'an RA with an EC key': [raOf({ key: 'ec' }), [root], /^fault CN=RA has a key of P-256/],
      'an RA that nobody encrypts to': [
        raOf({ usages: ['digitalSignature'] }),
        [root],
        /^fault the keyUsage of CN=RA is digitalSignature, without keyEncipherment/,
      ],
      'an RA that the CA has not certified': [
        raOf({ by: 'another' }),
        [root],
        /^fault CN=RA was not issued by a CA that is announced/,
      ],
      'a CA alone that nobody encrypts to': [
        undefined,
        [root],
        /^fault the keyUsage of CN=CA is keyCertSign, cRLSign, without keyEncipherment/,
      ],
      'a CA alone that opens its messages, below a root that is not announced': [
        undefined,
        [
          {
            ...{ ...root, issuer: 'CN=Root', by: 'CN=Root' },
            usages: ['keyCertSign', 'cRLSign', 'digitalSignature', 'keyEncipherment'],
          },
        ],
        /^warning the root is not announced/,
      ],
      'no CA': [
        raOf(),
        [],
        /^fault CN=RA was not issued/,
        /^fault no certificate of a CA is announced/,
      ],
      'a CA that has expired': [raOf(), [{ ...root, to: now - DAY }], /^fault CN=CA expired on/],
      'a CA that expires soon': [raOf(), [{ ...root, to: now + DAY }], /^warning CN=CA expires on/],
      'a CA that may not certify': [
        raOf(),
        [{ ...root, usages: ['cRLSign'] }],
        /^fault the keyUsage of CN=CA is cRLSign, without keyCertSign/,
      ],
      'a CA that is signed with SHA-1': [
        raOf(),
        [
          { ...root, issuer: 'CN=Root', by: 'CN=Root', digest: 'SHA-1' },
          { subject: 'CN=Root', issuer: 'CN=Root', by: 'CN=Root', isCa: true, digest: 'SHA-1' },
        ],
        /^warning CN=CA is signed with SHA-1/,
      ],
      'no root': [
        raOf(),
        [{ ...root, issuer: 'CN=Root', by: 'root' }],
        /^warning the root is not announced/,
      ],
    };
  for (const [name, [ra, cas, ...expected]] of Object.entries(rows)) {
    test(name, async () => matches(await judged(ra, ...cas), expected));
  }

  test('an RA that does not stand first', async () => {
    const [ra, ca] = [await certificate(raOf()), await certificate(root)];
    const facts = { ca: { ra, chain: [ca] }, bag: [ca, ra], now } as unknown as EndpointFacts;
    matches(await certificateFindings(facts), [
      /^warning the certificate of the RA does not stand/,
    ]);
  });
});

describe('replies', () => {
  const senderNonce = new Uint8Array(16).fill(1);
  const standard = {
    messageType: printableString('3'),
    pkiStatus: printableString('2'),
    failInfo: printableString('4'),
    transactionID: printableString('T'),
    senderNonce: octets(new Uint8Array(16).fill(2)),
    recipientNonce: octets(senderNonce),
  };
  type Attributes = Partial<Record<keyof typeof standard, Bytes | undefined>>;
  const empty = new Uint8Array(0);

  async function judged(changed: Attributes, knobs: Knobs = {}): Promise<Observation[]> {
    const values = Object.entries({ ...standard, ...changed });
    const attributes = values.flatMap(([name, value]) =>
      value ? [attribute(attributeOids[name as keyof typeof standard], value)] : [],
    );
    const body = signedDataOf({
      eContent: empty,
      attributes: (own) => [...Object.values(own), ...attributes],
      ...knobs,
    });
    const request = { transactionID: 'T', senderNonce, digest: 'SHA-256' } as unknown as PkiRequest;
    const headers = new Map([['content-type', 'application/x-pki-message']]);
    const said: Answer = { status: 200, headers, body };
    const exchange = { message: { request, octets: empty }, said };
    const exchanges = new Map<Way, typeof exchange>(
      (
        [
          'post',
          'untyped',
          'get',
          'get4',
          'get6',
          'plus',
          'lines',
          'urlSafe',
          'halfClosed',
        ] as const
      ).map((way) => [way, exchange]),
    );
    const ca = { ra: signers.rsa.certificate, chain: [] };
    return exchangeFindings({ exchanges, ca } as unknown as EndpointFacts);
  }

  const rows: Readonly<Record<string, readonly [Attributes, Knobs, ...RegExp[]]>> = {
    'as they are to be': [{}, {}],
    'another transactionID': [
      { transactionID: printableString('U') },
      {},
      /^fault it is of another transactionID/,
    ],
    'no recipientNonce': [
      { recipientNonce: undefined },
      {},
      /^fault its recipientNonce is missing/,
    ],
    'another recipientNonce': [
      { recipientNonce: octets(new Uint8Array(16)) },
      {},
      /^fault its recipientNonce is not the senderNonce/,
    ],
    'no senderNonce': [{ senderNonce: undefined }, {}, /^fault its senderNonce is missing/],
    'a short senderNonce': [
      { senderNonce: octets(Uint8Array.of(1)) },
      {},
      /^fault its senderNonce has 1 octets/,
    ],
    'our senderNonce': [
      { senderNonce: octets(senderNonce) },
      {},
      /^warning its senderNonce is that of the request/,
    ],
    'no pkiStatus': [{ pkiStatus: undefined }, {}, /^fault it has no pkiStatus/],
    'no failInfo': [{ failInfo: undefined }, {}, /^fault its failInfo is missing/],
    'a failInfo of its own': [{ failInfo: printableString('17') }, {}, /^fault its failInfo is 17/],
    'no content at all': [
      {},
      { encapsulated: sequence(objectIdentifier('1.2.840.113549.1.7.1')) },
      /^fault it has no content, not even an empty one/,
    ],
    'a signature algorithm with its digest': [
      {},
      {
        signatureAlgorithm: signatureAlgorithm({
          kind: 'RSASSA-PKCS1-v1_5',
          digest: digests['SHA-256'],
        }),
      },
      /^fault its SignerInfo names RSASSA-PKCS1-v1_5 with SHA-256/,
    ],
    'another digest': [
      {},
      { digest: 'SHA-1' },
      /^warning it is signed with SHA-1, the request was with SHA-256/,
    ],
    'a signature that is not right': [
      {},
      { sign: () => new Uint8Array(256) },
      /^fault its signature does not verify/,
    ],
    'another signer': [
      {},
      { signer: signers['P-256'] },
      /^fault it is signed by CN=signer, and not by whom GetCACert announces/,
    ],
    'what is no CertRep': [
      { messageType: printableString('19') },
      {},
      /^warning .*|^fault a message that is not granted is answered with HTTP 200 instead/,
    ],
  };
  for (const [name, [changed, knobs, ...expected]] of Object.entries(rows)) {
    test(name, async () => matches(await judged(changed, knobs), expected));
  }
});

describe('a host', () => {
  const caps: Answer = {
    status: 200,
    headers: new Map([['date', new Date(now).toUTCString()]]),
    body: new Uint8Array(0),
  };
  const good: TlsFacts = {
    problem: undefined,
    otherNames: undefined,
    notAfter: now + 60 * DAY,
    versions: ['TLSv1.3', 'TLSv1.2'],
    asksForCertificate: false,
  };
  const host = (more: Partial<HostFacts>): HostFacts => ({
    url: new URL('https://scep.example.com/scep'),
    ...{ now, addresses: ['192.0.2.1'], tls: good, plain: caps, http10: caps, caps },
    ...more,
  });
  const tls = (more: Partial<TlsFacts>) => host({ tls: { ...good, ...more } });
  const said = (status: number, headers: Readonly<Record<string, string>> = {}): Answer => ({
    ...{ status, headers: new Map(Object.entries(headers)), body: new Uint8Array(0) },
  });
  const rows: Readonly<Record<string, readonly [HostFacts, ...RegExp[]]>> = {
    'as it is to be': [host({})],
    'by IPv6 only': [host({ addresses: ['2001:db8::1'] }), /^warning .*no address of IPv4/],
    'of no address': [
      host({ addresses: [], caps: { silence: 'x' }, tls: undefined }),
      /^fault scep\.example\.com does not resolve/,
    ],
    'without the certificates of its issuers': [
      tls({ problem: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }),
      /^fault the certificate is sent without its issuers/,
    ],
    'whose certificate has expired': [
      tls({ problem: 'CERT_HAS_EXPIRED' }),
      /^fault a certificate of the chain has expired/,
    ],
    'of a CA of its own': [
      tls({ problem: 'SELF_SIGNED_CERT_IN_CHAIN' }),
      /^fault the chain ends in a CA that this machine does not trust/,
    ],
    'of another name': [
      tls({ otherNames: 'DNS:other.example.com' }),
      /^fault the certificate is for DNS:other\.example\.com, and not for scep\.example\.com/,
    ],
    'whose certificate ends soon': [
      tls({ notAfter: now + DAY }),
      /^warning the certificate ends 2031-05-07/,
    ],
    'with TLS 1.3 only': [tls({ versions: ['TLSv1.3'] }), /^warning it speaks TLSv1\.3 only/],
    'with TLS 1.1': [
      tls({ versions: ['TLSv1.3', 'TLSv1.2', 'TLSv1.1'] }),
      /^warning it speaks TLSv1\.1, which is broken/,
    ],
    'that wants a certificate of the client': [
      tls({ asksForCertificate: true }),
      /^fault it asks for a certificate of the client/,
    ],
    'without TLS': [host({ tls: { silence: 'wrong version number' } }), /^fault no TLS/],
    'without plain http': [
      host({ plain: { silence: 'nothing listens there' } }),
      /^warning nothing beside TLS: nothing listens there/,
    ],
    'that redirects plain http': [
      host({ plain: said(308, { location: 'https://scep.example.com/' }) }),
      /^warning beside TLS it answers with HTTP 308 to https:\/\/scep\.example\.com\//,
    ],
    'that is chunked for HTTP/1.0': [
      host({ http10: said(200, { 'transfer-encoding': 'chunked' }) }),
      /^fault the answer is chunked/,
    ],
    'that breaks HTTP/1.0 off': [host({ http10: { silence: 'it broke' } }), /^fault it broke/],
    'that has no clock': [host({ caps: said(200) }), /^warning it does not say what time it is/],
    'whose answer is from a cache': [
      host({
        caps: said(200, { date: new Date(now - 3_600_000).toUTCString(), age: '3600' }),
      }),
    ],
    'whose clock is a day ahead': [
      host({ caps: said(200, { date: new Date(now + DAY).toUTCString() }) }),
      /^fault its clock and the one here are 1d apart/,
    ],
    'that does not answer': [
      host({ caps: { silence: 'no answer within 10s' } }),
      /^fault scep\.example\.com: no answer within 10s/,
    ],
  };
  for (const [name, [facts, ...expected]] of Object.entries(rows)) {
    test(name, () => matches(hostFindings(facts), expected));
  }
});

describe('TLS on the wire', () => {
  const folder = temporary('doctor-tls');
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=here'],
      ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
    ],
    { stdio: 'ignore' },
  );
  const facts = async (options: TlsOptions, host = '127.0.0.1') => {
    const files = { cert: readFileSync(cert), key: readFileSync(key) };
    const server = createTlsServer({ ...files, ...options }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      return await tlsFacts(new URL(`https://${host}:${port}/`), 60_000);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  };

  test('its versions, its chain, its names and its end are seen', async () => {
    const seen = await facts({});
    assert.ok('versions' in seen, JSON.stringify(seen));
    assert.deepEqual(seen.versions, ['TLSv1.3', 'TLSv1.2']);
    assert.equal(seen.problem, 'DEPTH_ZERO_SELF_SIGNED_CERT');
    assert.equal(seen.otherNames, undefined);
    assert.equal(seen.asksForCertificate, false);
    assert.ok(seen.notAfter > Date.now());
  });
  test('another name, one version, and a request for a certificate are seen', async () => {
    const options = { requestCert: true, rejectUnauthorized: false } as const;
    const seen = await facts({ ...options, maxVersion: 'TLSv1.2' }, 'localhost');
    assert.ok('versions' in seen, JSON.stringify(seen));
    assert.equal(seen.otherNames, 'IP Address:127.0.0.1');
    assert.deepEqual(seen.versions, ['TLSv1.2']);
    assert.equal(seen.asksForCertificate, true);
  });
  test('plain http is asked for beside it, and not followed', async () => {
    const [files, answer] = [
      { cert: readFileSync(cert), key: readFileSync(key) },
      (_: unknown, response: ServerResponse) => response.writeHead(301, { location: '/x' }).end(),
    ];
    const servers = [createTlsServer(files, answer), createPlainServer(answer)] as const;
    for (const server of servers) await once(server.listen(0, '127.0.0.1'), 'listening');
    try {
      const [tls, plain] = servers.map((server) => (server.address() as AddressInfo).port);
      const asking = { now: () => now, limitMs: 60_000, plainPort: plain, progress: () => {} };
      const seen = await hostFacts(new URL(`https://127.0.0.1:${tls}/scep`), asking);
      for (const said of [seen.caps, seen.plain, seen.http10]) {
        assert.equal(said && 'status' in said && said.status, 301);
      }
    } finally {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    }
  });
  test('old versions are seen', async () => {
    const old = { minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const seen = await facts(old);
    assert.ok('versions' in seen, JSON.stringify(seen));
    assert.deepEqual(seen.versions, ['TLSv1.3', 'TLSv1.2', 'TLSv1.1']);
  });
});

describe('a question ends', () => {
  /** A server that writes this to whoever connects, and then is silent. */
  async function silent<T>(first: string, work: (url: URL) => Promise<T>): Promise<T> {
    const server = createServer((socket) => socket.on('error', () => undefined).write(first));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      return await work(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`));
    } finally {
      server.close();
    }
  }
  const begun = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf';

  for (const [name, first] of [
    ['at a server that says nothing', ''],
    ['at a server that says half of it', begun],
  ] as const) {
    test(name, async () => {
      const silence = { silence: 'no answer within 1s' };
      assert.deepEqual(await silent(first, (url) => ask(url, '/', {}, 1000)), silence);
      const lines = ['GET / HTTP/1.0'];
      assert.deepEqual(await silent(first, (url) => askRaw(url, { lines }, 1000)), silence);
    });
  }
  test('at what speaks no HTTP', async () => {
    const said = await silent('220 mail.example.com ESMTP\r\n', (url) => ask(url, '/', {}, 60_000));
    assert.ok('silence' in said && /what is no HTTP/.test(said.silence), JSON.stringify(said));
  });
  test('at what goes over to another protocol', async () => {
    const over = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n';
    const said = await silent(over, (url) => ask(url, '/', {}, 60_000));
    assert.deepEqual(said, { silence: 'it broke the connection off without an answer' });
  });
  test('with an answer that is longer than any is', async () => {
    const long = `HTTP/1.1 200 OK\r\n\r\n${'a'.repeat(2 * 1024 * 1024)}`;
    const silence = { silence: 'the answer does not end' };
    assert.deepEqual(await silent(long, (url) => ask(url, '/', {}, 60_000)), silence);
    const lines = ['GET / HTTP/1.0'];
    assert.deepEqual(await silent(long, (url) => askRaw(url, { lines }, 60_000)), silence);
  });
  test('with an answer in chunks, whose end is awaited', async () => {
    const chunks =
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n';
    const lines = ['GET / HTTP/1.1'];
    const said = await silent(chunks, (url) => askRaw(url, { lines }, 60_000));
    assert.equal('body' in said && Buffer.from(said.body).toString(), 'abcde');
  });
});

describe('a place that a stranger has named', () => {
  for (const [address, isNearby] of [
    ['127.0.0.1', true],
    ['127.8.9.10', true],
    ['0.0.0.0', true],
    ['169.254.169.254', true],
    ['::1', true],
    ['::', true],
    ['::ffff:127.0.0.1', true],
    ['::ffff:169.254.169.254', true],
    ['fe80::1%eth0', true],
    ['fd00:ec2::254', true],
    ['192.0.2.1', false],
    ['10.0.0.1', false],
    ['2001:db8::1', false],
    ['localhost', false],
  ] as const) {
    test(`${address} is ${isNearby ? '' : 'not '}of this machine or its link`, () => {
      assert.equal(isNear(address), isNearby);
    });
  }
  test('is not asked for there, by its address or by a name of it', async () => {
    const asked: string[] = [];
    const server = createPlainServer(({ headers: { host = '' } }, response) => {
      asked.push(host);
      response.end();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      for (const host of ['127.0.0.1', '2130706433', 'localhost']) {
        const url = new URL(`http://${host}:${port}/`);
        const said = await ask(url, '/', { isGuarded: true }, 60_000);
        assert.deepEqual(said, { silence: nearby }, host);
        assert.deepEqual(asked, []);
      }
      const own = await ask(new URL(`http://127.0.0.1:${port}/`), '/', {}, 60_000);
      assert.equal('status' in own && own.status, 200);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

describe('a service of ours', () => {
  const good: ServiceSeen = {
    ...{
      records: 'http://scep',
      publicUrl: 'http://scep',
      filesUrl: 'http://scep',
      warnings: [],
      time: now,
    },
    ...{ reachable: true, writable: true },
    cas: [{ id: 'default', warnings: [] }],
    endpoints: [{ id: 'default', warnings: [] }],
  };
  const identity = { arn: 'arn:aws:sts::111122223333:assumed-role/operator/me', region: 'eu' };
  const by = (more: Partial<ServiceSeen>): ServiceFacts => ({ service: { ...good, ...more } });
  const rows: Readonly<Record<string, readonly [ServiceFacts, ...RegExp[]]>> = {
    'as it is to be': [by({})],
    'by an operator': [{ identity, service: good }],
    'by the account itself': [
      { identity: { ...identity, arn: 'arn:aws:iam::111122223333:root' }, service: good },
      /^warning these are the credentials of the account itself/,
    ],
    'without a store': [
      by({ reachable: false, writable: false }),
      /^fault http:\/\/scep: its store cannot be reached/,
    ],
    'that takes no writes': [by({ writable: false }), /^fault http:\/\/scep: it takes no writes/],
    'with a wrong clock': [
      by({ time: now + DAY }),
      /^fault its clock and the one here are 1d apart/,
    ],
    'with a CA that needs attention': [
      by({ cas: [{ id: 'default', warnings: ['it has no CRL'] }] }),
      /^fault CA default: it has no CRL/,
    ],
    'with an endpoint for old devices': [
      by({ endpoints: [{ id: 'old', warnings: ['it accepts des: for old devices only'] }] }),
      /^warning endpoint old: it accepts des/,
    ],
    'of a configuration that is not good': [
      { identity, service: { why: 'x', problems: ['publicUrl: must be set', 'cas: must be set'] } },
      /^fault publicUrl: must be set/,
      /^fault cas: must be set/,
    ],
  };
  for (const [name, [facts, ...expected]] of Object.entries(rows)) {
    test(name, () => matches(serviceFindings(facts, now), expected));
  }
});
