// The same deployment served by plain Node and by a Worker: what one answers the other answers too, octet
// by octet but for what is drawn anew each time (nonce, key, IV) and what follows from that.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Element, oid, scan, tag } from '../../lib/asn1/reader.ts';
import { sequence, tlv } from '../../lib/asn1/writer.ts';
import { type Bytes, hex } from '../../lib/base/bytes.ts';
import { readSignedData } from '../../lib/cms/signed-data.ts';
import type { ClientKey } from '../../lib/protocol/scep/client/client.ts';
import { attributeOids } from '../../lib/protocol/scep/wire/registry.ts';
import { type Certificate, readCertificate } from '../../lib/x509/certificate.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { deviceKey } from '../support/keys.ts';
import { type EnrolOptions, random, seal } from '../support/messages.ts';
import { freePort, type Running, startServer, temporary } from '../support/process.ts';
import { flipped } from '../support/vectors.ts';
import { adminToken, type WorkerWorld, workerWorld } from './world.ts';

let world: WorkerWorld;
let node: Running;
let origins: readonly [string, string];

before(async () => {
  world = await workerWorld();
  const worker = await world.isolate();
  const [PORT, SCEPTER_DATA_DIR] = [String(await freePort()), temporary('alike')];
  node = await startServer({ ...world.env, PORT, SCEPTER_DATA_DIR });
  origins = [`http://127.0.0.1:${PORT}`, worker.url];
});
after(() => node?.stop());

type Reply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Bytes;
};

/** Of the connection, and of the moment. */
const notCompared = new Set(['connection', 'keep-alive', 'transfer-encoding', 'date']);

/** What Node answers, then what the Worker does. */
async function both(path: string, init: RequestInit = {}): Promise<readonly [Reply, Reply]> {
  const ask = async (origin: string): Promise<Reply> => {
    const response = await fetch(`${origin}${path}`, { redirect: 'manual', ...init });
    const headers = [...response.headers].filter(([name]) => !notCompared.has(name)).sort();
    return {
      status: response.status,
      headers: Object.fromEntries(headers),
      body: new Uint8Array(await response.arrayBuffer()),
    };
  };
  return [await ask(origins[0]), await ask(origins[1])];
}

/** Without the id by which a refusal is found in the log. */
const withoutId = (body: Bytes): string =>
  Buffer.from(body)
    .toString('latin1')
    .replace(/(\(|"id":")01[0-9A-HJKMNP-TV-Z]{24}/g, '$1');

async function alike(path: string, init?: RequestInit): Promise<void> {
  const [here, there] = await both(path, init);
  assert.equal(there.status, here.status);
  assert.deepEqual(there.headers, here.headers);
  assert.equal(withoutId(there.body), withoutId(here.body));
}

const pki = '/scep?operation=PKIOperation';

describe("HTTP answers have the same status, headers and octets as plain Node's", () => {
  const requests: readonly (readonly [path: string, init?: RequestInit])[] = [
    ...['/', '/healthz', '/readyz', '/nothing', '/openapi.json'].map((path) => [path] as const),
    ['/scep'],
    ['/SCEP/DEFAULT/pkiclient.exe?operation=GetCACaps'],
    ['/scep/legacy?operation=GetCACaps'],
    ['/cgi-bin/pkiclient.exe?operation=GetCACert&message=x'],
    ['/certsrv/mscep/mscep.dll/pkiclient.exe?operation=GetCACert'],
    ['/scep/nobody?operation=GetCACaps'],
    ...['GetNextCACert', 'Nothing', ''].map((name) => [`/scep?operation=${name}`] as const),
    [pki],
    ...['', '%zz', 'AAAA', 'A'.repeat(8000)].map((text) => [`${pki}&message=${text}`] as const),
    ['/scep?operation=GetCACaps', { method: 'HEAD' }],
    ['/scep?operation=GetCACaps', { method: 'PUT', body: 'x' }],
    ['/scep?operation=GetCACaps', { method: 'POST', body: 'x' }],
    ...['', 'x', 'A'.repeat(70_000)].map((body) => [pki, { method: 'POST', body }] as const),
    ['/crl/default.crl'],
    ['/crl/default.crl', { headers: { 'if-none-match': '"1"' } }],
    ['/crl/nobody.crl'],
    ['/aia/default.cer'],
    ['/api/v1/nothing'],
    ['/api/v1/challenges'],
    ['/api/v1/challenges', { headers: { authorization: `Bearer ${'wrong'.repeat(8)}` } }],
    ['/api/v1/challenges', { method: 'PATCH' }],
  ];
  for (const [path, init = {}] of requests) {
    const { method = 'GET', body, headers } = init;
    const more = body === undefined ? '' : ` of ${String(body).length}`;
    const title = `${method} ${path.slice(0, 60)}${more}${headers ? ' with a header' : ''}`;
    test(`${title} is answered alike`, () => alike(path, init));
  }
});

test('the admin API gives the same JSON and sentences for the same records', async () => {
  await world.lab.challenge({ subject: 'CN=alike', names: ['dns:alike.example.com'] });
  const headers = {
    authorization: `Bearer ${world.lab.adminToken}`,
    'content-type': 'application/json',
  };
  for (const list of [
    'challenges?limit=5',
    'transactions',
    'certificates',
    'events?limit=3',
    'cas',
  ]) {
    const [here] = await both(`/api/v1/${list}`, { headers });
    assert.equal(here.status, 200, list);
    await alike(`/api/v1/${list}`, { headers });
  }
  const lines = { ...headers, accept: 'application/x-ndjson' };
  await alike('/api/v1/events', { headers: lines });
  for (const body of ['{"endpoint": 7, "uses": -1}', '{"endpoint": "nobody"}', '{', '[]']) {
    await alike('/api/v1/challenges', { method: 'POST', headers, body });
  }
});

/** RFC 5652 §11.2, §11.3. */
const messageDigest = '1.2.840.113549.1.9.4';
const signingTime = '1.2.840.113549.1.9.5';

/**
 * Octets of a CertRep as text, with zeros for what is drawn anew, and for what follows from that: the
 * senderNonce, the signingTime, the signature; where there is an envelope, its keys, salts, IV and
 * content, and the digest of it all.
 */
function masked(certRep: Bytes): string {
  const copy = certRep.slice();
  const zero = (element: Element): void => {
    copy.fill(0, element.contentStart, element.contentEnd);
  };
  const [, [signedData] = []] = scan(copy).children.map(({ children }) => children);
  const [, , encapsulated, , signerInfos] = signedData?.children ?? [];
  const [signerInfo] = signerInfos?.children ?? [];
  const [, , , attributes, , signature] = signerInfo?.children ?? [];
  const envelope = encapsulated?.children[1]?.children[0];
  assert.ok(attributes && signature && envelope);
  const sealed = envelope.contentEnd > envelope.contentStart;
  const fresh = [attributeOids.senderNonce, signingTime, ...(sealed ? [messageDigest] : [])];
  for (const { children } of attributes.children) {
    const [type, values] = children;
    if (type && fresh.includes(oid(type))) values?.children.forEach(zero);
  }
  zero(signature);
  if (sealed) {
    const [from, until] = [envelope.contentStart, envelope.contentEnd];
    const inner = certRep.slice(from, until);
    const walk = ({ children, tag: type, contentStart, contentEnd }: Element): void => {
      children.forEach(walk);
      if (type === tag.octetString || type === 0x80) inner.fill(0, contentStart, contentEnd);
    };
    walk(scan(inner));
    copy.set(inner, from);
  }
  return hex(copy);
}

/** Where they begin to differ. */
function differing(one: string, other: string): string {
  const at = [...one].findIndex((digit, i) => digit !== other[i]);
  return `at octet ${at / 2}: ${one.slice(at, at + 40)}, and ${other.slice(at, at + 40)}`;
}

type Held = { readonly key: ClientKey; readonly certificate: Certificate };

/** Both answer the same, and what they have sealed is the same. */
async function answeredAlike(options: EnrolOptions, path = '/scep', change = (m: Bytes) => m) {
  const sent = await world.message(options);
  const body = change(sent.message);
  const [here, there] = await both(`${path}?operation=PKIOperation`, { method: 'POST', body });
  assert.deepEqual([there.status, here.status], [200, 200]);
  assert.deepEqual(there.headers, here.headers);
  const [one, other] = [masked(here.body), masked(there.body)];
  assert.ok(one === other, differing(one, other));
  assert.notEqual(hex(there.body), hex(here.body), 'each draws its own nonce');
  const answer = await sent.read(here.body);
  assert.deepEqual(await sent.read(there.body), answer);
  return answer;
}

const enrolled = async (options: EnrolOptions, path?: string): Promise<Held> => {
  const answer = await answeredAlike(options, path);
  assert.ok(answer.pkiStatus === 'SUCCESS', JSON.stringify(answer));
  const [der = new Uint8Array(0)] = answer.certificates;
  return { key: options.key ?? (await deviceKey()), certificate: readCertificate(der) };
};

async function refusedWith(code: string, options: EnrolOptions, change?: (m: Bytes) => Bytes) {
  const answer = await answeredAlike(options, '/scep', change);
  assert.ok(answer.pkiStatus === 'FAILURE', answer.pkiStatus);
  assert.match(answer.text ?? '', new RegExp(`^${code}`));
}

describe("CertReps differ from plain Node's only in random values", () => {
  const fresh = (name: string, endpoint = 'default') =>
    Promise.all([world.lab.challenge({ endpoint }), deviceKey(`alike ${name}`)]).then(
      ([challenge, key]) => ({ challenge, key }),
    );

  test('an enrolment is answered alike over each transport, digest and cipher', async () => {
    for (const more of [
      {},
      { transport: 'oaep-sha1' },
      { transport: 'oaep-sha256', digest: 'SHA-512', cipher: 'AES-256' },
      { digest: 'SHA-384', cipher: 'AES-192' },
      { digest: 'SHA-224' },
    ] as const) {
      await enrolled({ ...(await fresh(JSON.stringify(more))), ...more });
    }
    const old = await fresh('old', 'legacy');
    await enrolled({ ...old, digest: 'SHA-1', cipher: '3DES' }, '/scep/legacy');
    const older = await fresh('older', 'legacy');
    await enrolled({ ...older, digest: 'SHA-1', cipher: 'DES' }, '/scep/legacy');
  });

  test('an enrolment of a key that cannot encrypt is answered alike, in a password-based envelope', async () => {
    for (const curve of ['P-256', 'P-384', 'P-521'] as const) {
      const key = await deviceKey('alike', { type: 'EC', curve });
      await enrolled({ challenge: await world.lab.challenge(), key });
    }
  });

  test('a renewal, GetCert and GetCRL are answered alike', async () => {
    const signer = await enrolled({ ...(await fresh('holder')), subject: 'CN=holder' });
    const [ca] = world.announced.chain;
    assert.ok(ca);
    const serial = tlv(tag.integer, signer.certificate.serial);
    const plaintext = sequence(ca.subject, serial);
    for (const messageType of ['GetCert', 'GetCRL'] as const) {
      const answer = await answeredAlike({ messageType, plaintext, signer, key: signer.key });
      assert.equal(answer.pkiStatus, 'SUCCESS');
    }
    const key = await deviceKey('alike renewed');
    await enrolled({ messageType: 'RenewalReq', signer, key, subject: 'CN=holder' });
  });

  test('a waiting request, its poll and its approval at the Worker are answered alike', async () => {
    const asked = { ...(await fresh('waits', 'waits')), subject: 'CN=waits' };
    assert.equal((await answeredAlike(asked, '/scep/waits')).pkiStatus, 'PENDING');
    const plaintext = sequence(world.announced.ra.subject, parseName(asked.subject));
    const poll = { ...asked, messageType: 'CertPoll', plaintext } as const;
    assert.equal((await answeredAlike(poll, '/scep/waits')).pkiStatus, 'PENDING');
    const headers = { authorization: `Bearer ${adminToken}` };
    const transactions = `${origins[1]}/api/v1/transactions`;
    const listed = await fetch(`${transactions}?endpoint=waits&state=pending`, { headers });
    const { transactions: [waiting] = [] } = (await listed.json()) as {
      transactions?: readonly { readonly id: string }[];
    };
    const approve = { method: 'POST', headers, body: '{"reason":"alike"}' };
    assert.equal((await fetch(`${transactions}/${waiting?.id}/approve`, approve)).status, 200);
    assert.equal((await answeredAlike(poll, '/scep/waits')).pkiStatus, 'SUCCESS');
    const lost = { ...poll, transactionID: 'unknown' };
    assert.equal((await answeredAlike(lost, '/scep/waits')).pkiStatus, 'FAILURE');
  });

  test('a decision link shows and decides at the Worker', async () => {
    const asked = { ...(await fresh('linked', 'waits')), subject: 'CN=linked' };
    assert.equal((await answeredAlike(asked, '/scep/waits')).pkiStatus, 'PENDING');
    const headers = { authorization: `Bearer ${adminToken}` };
    const api = `${origins[1]}/api/v1/transactions`;
    const listed = await fetch(`${api}?endpoint=waits&state=pending`, { headers });
    const { transactions: [waiting] = [] } = (await listed.json()) as {
      transactions?: readonly { readonly id: string }[];
    };
    const wanted = { method: 'POST', headers, body: '{"person":"alice"}' };
    const made = await fetch(`${api}/${waiting?.id}/link`, wanted);
    const { url } = (await made.json()) as { url: string };
    const link = new URL(url).searchParams.get('link') ?? '';
    const page = await fetch(`${origins[1]}/decide?link=${link}`);
    assert.match(await page.text(), /You decide as alice, by a link that worker-secret made\./);
    const origin = { origin: 'https://approve.scep.test' };
    const body = new URLSearchParams({ link, verdict: 'approve' });
    const decided = await fetch(`${origins[1]}/decide`, { method: 'POST', headers: origin, body });
    assert.equal(decided.status, 200, await decided.text());
    assert.equal((await answeredAlike(asked, '/scep/waits')).pkiStatus, 'SUCCESS');
  });

  test('refusals in clear and behind the envelope are answered alike', async () => {
    const good = await fresh('refused');
    await refusedWith('SCEP-', { ...good, messageType: '18' });
    await refusedWith('SCEP-', { ...good, digest: 'SHA-1' });
    await refusedWith('SCEP-', { ...good, digest: 'MD5' });
    await refusedWith('SCEP-', { ...good, cipher: 'DES' });
    await refusedWith('SCEP-', { ...good, envelope: 'absent' });
    await refusedWith('SCEP-', { ...good, challenge: 'a'.repeat(26) });
    await refusedWith('SCEP-', { key: good.key });
    const last = (message: Bytes) => flipped(message, message.length - 1, 1);
    await refusedWith('SCEP-', good, last);
    const { ra } = world.announced;
    const plaintext = random(600);
    for (const envelope of [
      seal(plaintext, ra),
      seal(plaintext, ra, { transport: 'oaep-sha256' }),
      seal(plaintext, ra, { encryptedKey: new Uint8Array(256).fill(0x11) }),
      seal(plaintext, ra, { encryptedKey: new Uint8Array(256).fill(0xff) }),
      seal(plaintext, ra, { contentKey: random(24) }),
    ]) {
      await refusedWith('SCEP-', { ...good, envelope });
    }
    const readable = readSignedData((await world.message(good)).message);
    assert.ok(readable.key, 'the message that was bent is one that can be read');
  });
});
