// GetCert and GetCRL (RFC 8894 §3.3.4, §4.5, §4.6): for holders of a good certificate of this CA, and
// one answer for everything that does not lead to what was asked for.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { content, scan, tag } from '../../../lib/asn1/reader.ts';
import {
  integer,
  objectIdentifier,
  printableString,
  sequence,
  setOf,
  tlv,
} from '../../../lib/asn1/writer.ts';
import {
  type Bytes,
  concat,
  equal,
  fromBase64,
  fromHex,
  hex,
  pem,
} from '../../../lib/base/bytes.ts';
import { Outage } from '../../../lib/base/errors.ts';
import { CRL_MEMORY_MS } from '../../../lib/base/limits.ts';
import { keepCrls } from '../../../lib/ca/revoke/publish-crl.ts';
import { readSignedData } from '../../../lib/cms/signed-data.ts';
import type { CertificateRecord } from '../../../lib/ports/records/certificate.ts';
import { type ClientKey, selfSigned } from '../../../lib/protocol/scep/client/client.ts';
import { attributeOids } from '../../../lib/protocol/scep/wire/registry.ts';
import { type Certificate, readCertificate } from '../../../lib/x509/certificate.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { deviceKey } from '../../support/keys.ts';
import { type LabOptions, makeLab } from '../../support/lab.ts';
import {
  type EnrolOptions,
  enrolment,
  random,
  rsaRaw,
  type SealOptions,
  seal,
} from '../../support/messages.ts';
import { withOpenssl } from '../../support/openssl.ts';
import { held, keys, type World, world } from '../../support/world.ts';

type Held = { readonly key: ClientKey; readonly certificate: Certificate };
type Query = 'GetCert' | 'GetCRL';
const queries: readonly Query[] = ['GetCert', 'GetCRL'];

const issuerAndSerial = (issuer: Bytes, serial: Bytes): Bytes =>
  sequence(issuer, tlv(tag.integer, serial));

/** A lab with two devices; the first asks. */
async function asking(options: LabOptions = {}) {
  const w = await world(options);
  const [a, b] = await keys('query a', 'query b');
  assert.ok(a && b);
  const signer = await held(w, a, 'CN=asks');
  const other = await held(w, b, 'CN=asked for');
  const [ca] = w.lab.announced.chain;
  assert.ok(ca);
  const ask = async (messageType: Query, more: EnrolOptions = {}) => {
    const plaintext = issuerAndSerial(ca.subject, other.certificate.serial);
    return w.ask({ messageType, signer, key: signer.key, plaintext, ...more });
  };
  return { w, ca, signer, other, ask };
}

async function badCertId(answer: Promise<Awaited<ReturnType<World['ask']>>>): Promise<void> {
  const said = await answer;
  assert.ok(said.pkiStatus === 'FAILURE', said.pkiStatus);
  assert.equal(said.failInfo, 'badCertId');
  assert.match(said.text ?? '', /^SCEP-502: /);
}

describe('RFC 8894 §4.5: GetCert', () => {
  test('[59][68] a holder gets the certificate asked for, and nothing else, in a certs-only message', async () => {
    const { other, signer, ask, ca } = await asking();
    for (const { certificate } of [other, signer]) {
      const plaintext = issuerAndSerial(ca.subject, certificate.serial);
      const answer = await ask('GetCert', { plaintext });
      assert.ok(answer.pkiStatus === 'SUCCESS');
      assert.deepEqual(answer.certificates, [certificate.der]);
      assert.deepEqual(answer.crls, []);
    }
  });

  test('[68] one that is revoked, suspended or has expired is given too', async () => {
    const { w, other, ask } = await asking();
    for (const change of [
      { state: 'revoked', revokedAt: w.lab.clock.at },
      { state: 'held', revokedAt: w.lab.clock.at },
      { state: 'issued', notAfter: w.lab.clock.at - 1 },
    ] as const) {
      await record(w, other, change);
      assert.equal((await ask('GetCert')).pkiStatus, 'SUCCESS');
    }
  });

  test('[68] one of another endpoint of the same CA is not, nor is its holder one here', async () => {
    const { w, ask, ca } = await asking();
    const [key] = await keys('elsewhere');
    assert.ok(key);
    const challenge = await w.lab.challenge({ endpoint: 'other' });
    const sent = await enrolment(w.lab, { challenge, key, subject: 'CN=elsewhere' });
    const made = await w.send(sent, '/scep/other');
    assert.ok(made.pkiStatus === 'SUCCESS');
    const certificate = readCertificate(made.certificates[0] ?? new Uint8Array(0));
    const plaintext = issuerAndSerial(ca.subject, certificate.serial);
    await badCertId(ask('GetCert', { plaintext }));
    for (const messageType of queries) {
      await badCertId(ask(messageType, { plaintext, signer: { certificate, key }, key }));
    }
  });

  test('the issuer may be named by the subject of the RA (sscep)', async () => {
    const { w, other, ask } = await asking();
    const plaintext = issuerAndSerial(w.lab.announced.ra.subject, other.certificate.serial);
    for (const messageType of queries) {
      assert.equal((await ask(messageType, { plaintext })).pkiStatus, 'SUCCESS');
    }
  });

  test('GetCert and GetCRL are answered in the algorithms of the request', async () => {
    const { ask, w, signer, ca } = await asking({ legacy: { sha1: true, des3: true } });
    for (const [digest, cipher] of [
      ['SHA-1', '3DES'],
      ['SHA-512', 'AES-256'],
    ] as const) {
      assert.equal((await ask('GetCert', { digest, cipher })).pkiStatus, 'SUCCESS');
      const plaintext = issuerAndSerial(ca.subject, signer.certificate.serial);
      const { message } = await enrolment(w.lab, {
        messageType: 'GetCRL',
        signer,
        plaintext,
        digest,
        cipher,
      });
      const { digest: used } = readSignedData(await w.lab.operate(message));
      assert.equal(used?.name, digest);
    }
  });

  test('[68] a certificate of another CA is never given, by its own issuer or by ours', async () => {
    const config = {
      cas: {
        default: { subject: 'CN=Lab CA,O=Lab', key: 'rsa:2048' },
        second: { subject: 'CN=Second CA,O=Lab', key: 'rsa:2048' },
      },
      endpoints: { default: { ca: 'default' }, other: { ca: 'second' } },
    } as const;
    const { w, ask, ca } = await asking({ config });
    const { bag } = await w.lab.deps.cas.of('second');
    const { readCaCertificates } = await import('../../../lib/protocol/scep/client/client.ts');
    const announced = readCaCertificates(bag);
    const [key] = await keys('second CA');
    assert.ok(key);
    const challenge = await w.lab.challenge({ endpoint: 'other' });
    const sent = await enrolment({ ...w.lab, announced }, { challenge, key });
    const made = await w.send(sent, '/scep/other');
    assert.ok(made.pkiStatus === 'SUCCESS');
    const foreign = readCertificate(made.certificates[0] ?? new Uint8Array(0));
    for (const issuer of [foreign.issuer, ca.subject, announced.ra.subject]) {
      await badCertId(ask('GetCert', { plaintext: issuerAndSerial(issuer, foreign.serial) }));
    }
    // And its holder is a stranger here.
    for (const messageType of queries) {
      const signer = { certificate: foreign, key };
      await badCertId(ask(messageType, { signer, key }));
    }
  });

  test('an EC key has no challengePassword to get its reply under: told so before anything is opened', async () => {
    const { w, ask } = await asking();
    const key = await deviceKey('query ec', { type: 'EC', curve: 'P-256' });
    const signer = await held(w, key, 'CN=ec');
    for (const messageType of queries) {
      const answer = await ask(messageType, { signer, key });
      assert.ok(answer.pkiStatus === 'FAILURE' && answer.failInfo === 'badRequest');
      assert.match(answer.text ?? '', /^SCEP-401: /);
    }
  });
});

describe('RFC 8894 §4.6: GetCRL', () => {
  test('[59][69] a holder gets the newest CRL in crls, and no certificate', async () => {
    const { w, ask } = await asking();
    const first = await w.lab.deps.crls.newest('default');
    const numbers: number[] = [];
    for (let i = 0; i < 2; i++) {
      const newest = await w.lab.deps.crls.newest('default');
      assert.ok(newest);
      numbers.push(newest.number);
      const answer = await ask('GetCRL');
      assert.ok(answer.pkiStatus === 'SUCCESS');
      assert.deepEqual(answer.certificates, []);
      assert.deepEqual(answer.crls, [newest.der]);
      w.lab.clock.at = (newest.thisUpdate + newest.nextUpdate) / 2;
      await keepCrls(w.lab.deps, await w.lab.deps.cas.of('default'));
    }
    assert.deepEqual(numbers, [first?.number, (first?.number ?? 0) + 1]);
  });

  test('[69] whatever serial number it names: the CRL is of all', async () => {
    const { ask, ca } = await asking();
    for (const serial of [fromHex('01'), random(20).fill(0x11, 0, 1)]) {
      const plaintext = issuerAndSerial(ca.subject, serial);
      assert.equal((await ask('GetCRL', { plaintext })).pkiStatus, 'SUCCESS');
    }
  });

  test('no CRL that can be read is an outage, not a refusal', async () => {
    let lost = false;
    const newest = async () => {
      if (lost) throw new Outage('the CRLs do not answer');
      return undefined;
    };
    const { w, ask } = await asking({ crls: { newest, publish: async () => 'done' as const } });
    lost = true;
    // This instance has published one, and gives it out from memory so long.
    w.lab.clock.at += CRL_MEMORY_MS;
    await assert.rejects(ask('GetCRL'), /HTTP 503/);
    assert.equal((await ask('GetCert')).pkiStatus, 'SUCCESS');
  });
});

/** Changes the record of this certificate. */
async function record(w: World, of: Held, change: Partial<CertificateRecord>): Promise<Held> {
  const serial = hex(of.certificate.serial);
  const row = w.store.dump().find(({ key }) => key === `default/${serial}`);
  assert.ok(row);
  const changed = { ...(row.record as CertificateRecord), ...change } as CertificateRecord;
  const put = {
    do: 'put',
    kind: 'certificate',
    key: row.key,
    rev: row.rev,
    record: changed,
  } as const;
  assert.equal(await w.lab.deps.store.write([put]), 'done');
  return of;
}

describe('RFC 8894 §7.8: a stranger', () => {
  /** Signers that are refused, and how they come to be. */
  const strangers: [string, (w: World, signer: Held) => Promise<Held>][] = [
    [
      'self-signed',
      async (w) => {
        const key = await deviceKey('query stranger');
        const name = parseName('CN=stranger');
        return { key, certificate: await selfSigned(key, name, w.lab.clock.at, random) };
      },
    ],
    [
      'self-signed in the name of the CA',
      async (w) => {
        const key = await deviceKey('query stranger');
        const name = parseName('CN=Lab CA,O=Lab');
        return { key, certificate: await selfSigned(key, name, w.lab.clock.at, random) };
      },
    ],
    [
      'of another CA of the same name',
      async () => {
        const foreign = await makeLab();
        const key = await deviceKey('query foreign');
        const sent = await enrolment(foreign, { challenge: await foreign.challenge(), key });
        const answer = await sent.read(await foreign.operate(sent.message));
        assert.ok(answer.pkiStatus === 'SUCCESS');
        return { key, certificate: readCertificate(answer.certificates[0] ?? random(0)) };
      },
    ],
    ['revoked', (w, signer) => record(w, signer, { state: 'revoked' })],
    ['voided', (w, signer) => record(w, signer, { state: 'voided' })],
    ['not released yet', (w, signer) => record(w, signer, { state: 'signed' })],
    ['recorded as another', (w, signer) => record(w, signer, { der: 'MAA=' })],
    [
      'expired',
      async (w, signer) => {
        w.lab.clock.at = signer.certificate.notAfter;
        return signer;
      },
    ],
    [
      'not on record',
      async (w, signer) => {
        const row = w.store
          .dump()
          .find(({ key }) => key === `default/${hex(signer.certificate.serial)}`);
        assert.ok(row);
        await w.store.write([{ do: 'delete', kind: 'certificate', key: row.key, rev: row.rev }]);
        return signer;
      },
    ],
  ];
  for (const [name, make] of strangers) {
    test(`[68][77] ${name}: badCertId before a key of ours is used, whatever the envelope`, async () => {
      const { w, signer, ask } = await asking();
      const stranger = await make(w, signer);
      let used = 0;
      for (const generation of (await w.lab.deps.cas.of('default')).generations) {
        const { decryptionKey } = generation;
        Object.defineProperty(generation, 'decryptionKey', {
          get: () => {
            used++;
            return decryptionKey;
          },
        });
      }
      for (const messageType of queries) {
        for (const envelope of [undefined, random(50), 'absent'] as const) {
          w.lab.calls.length = 0;
          const by = { signer: stranger, key: stranger.key };
          await badCertId(ask(messageType, { ...by, ...(envelope ? { envelope } : {}) }));
          assert.ok(w.lab.calls.every((call) => call === 'store.read') && w.lab.calls.length <= 1);
        }
      }
      assert.equal(used, 0);
      // The probe itself works: a request that is opened uses it.
      await w.ask({ challenge: await w.lab.challenge(), key: await deviceKey('query probe') });
      assert.ok(used > 0);
    });
  }
});

describe('design 4.4: one badCertId for unwrap, parsing and not found', () => {
  type Bend = (query: Bytes, w: World, other: Held) => Bytes | SealOptions | Promise<Bytes>;
  const serialOf = (octets: string | Bytes): Bend => {
    const serial = typeof octets === 'string' ? fromHex(octets) : octets;
    return (_, w) => issuerAndSerial(w.lab.announced.chain[0]?.subject ?? sequence(), serial);
  };
  const encryptedKey = (bend: (block: Bytes) => void) => (_: Bytes, w: World) => {
    const block = concat([
      Uint8Array.of(0, 2),
      new Uint8Array(237).fill(0x55),
      Uint8Array.of(0),
      random(16),
    ]);
    bend(block);
    return { encryptedKey: rsaRaw(block, w.lab.announced.ra) };
  };
  /** For both: what cannot be opened or read. */
  const unreadable: Record<string, Bend> = {
    'a bad block type': encryptedKey((block) => block.fill(1, 1, 2)),
    'no separator': encryptedKey((block) => block.fill(0x55, 239, 240)),
    'a key of another length': () => ({ contentKey: random(24) }),
    'another key': encryptedKey(() => undefined),
    'padding of zero': () => ({
      blocks: (padded) => concat([padded.subarray(0, -1), Uint8Array.of(0)]),
    }),
    'nothing inside': () => new Uint8Array(0),
    noise: () => random(60),
    'no SEQUENCE': () => integer(7),
    'no serial number': (_, w) => sequence(w.lab.announced.ra.subject),
    'a serial number that is no INTEGER': (_, w) =>
      sequence(w.lab.announced.ra.subject, tlv(tag.octetString, random(16))),
    'a third element': (query) => sequence(content(scan(query)), integer(1)),
    'octets behind it': (query) => concat([query, Uint8Array.of(0)]),
    'cut short': (query) => query.slice(0, -1),
    'another issuer': (_, __, other) =>
      issuerAndSerial(parseName('CN=Other CA'), other.certificate.serial),
    'an issuer that is no name': (_, __, other) =>
      issuerAndSerial(sequence(integer(1)), other.certificate.serial),
    'a serial number of 65 octets': serialOf(new Uint8Array(65).fill(1)),
    'a serial number of 3,000 octets': serialOf(new Uint8Array(3000).fill(1)),
  };
  /** Another serial number, on record in this state. */
  const recordedAs =
    (state: CertificateRecord['state'], last: string): Bend =>
    async (query, w, other) => {
      const serial = hex(other.certificate.serial);
      const row = w.store.dump().find(({ key }) => key === `default/${serial}`);
      assert.ok(row);
      const { der, ...rest } = row.record as CertificateRecord;
      const at = `${serial.slice(0, -2)}${last}`;
      const kept = state === 'signed' && der !== undefined ? { der } : {};
      const changed = { ...rest, ...kept, state, serial: at } as CertificateRecord;
      const put = { do: 'put', kind: 'certificate', key: `default/${at}`, rev: 0 } as const;
      await w.lab.deps.store.write([{ ...put, record: changed }]);
      return serialOf(at)(query, w, other) as Bytes;
    };
  /** For GetCert: what is not there, or not to be seen. */
  const notFound: Record<string, Bend> = {
    'a serial number that was never used': serialOf('4f'.repeat(16)),
    'a serial number of 20 octets': serialOf('4f'.repeat(20)),
    'a serial number of 21 octets': serialOf(`00${'ff'.repeat(20)}`),
    'a negative serial number': serialOf('ff'.repeat(16)),
    zero: serialOf('00'),
    'the serial number of the CA itself': (_, w) =>
      issuerAndSerial(w.lab.announced.ra.subject, w.lab.announced.chain[0]?.serial ?? random(0)),
    'an intended one': recordedAs('intended', '00'),
    'a voided one': recordedAs('voided', '01'),
    'one that waits for its release': recordedAs('signed', '02'),
  };

  for (const messageType of queries) {
    const bends = { ...unreadable, ...(messageType === 'GetCert' ? notFound : {}) };
    test(`RFC 8894 §3.2.1.4 [54][68], ${messageType}: ${Object.keys(bends).length} ways to fail, one exchange`, async () => {
      const { w, signer, other, ca } = await asking();
      const query = issuerAndSerial(ca.subject, other.certificate.serial);
      const fixed = { messageType, signer, transactionID: 'uniform', senderNonce: random(16) };
      const seen = new Map<string, string>();
      for (const [name, bend] of Object.entries(bends)) {
        const bent = await bend(query, w, other);
        const isBytes = bent instanceof Uint8Array;
        const { ra } = w.lab.announced;
        const envelope = isBytes ? seal(bent, ra) : seal(query, ra, bent);
        const { message } = await enrolment(w.lab, { ...fixed, envelope });
        seen.set(JSON.stringify(await observed(w, message)), name);
        assert.equal(seen.size, 1, `told apart: ${[...seen.values()].join(' / ')}`);
      }
      const [one = ''] = seen.keys();
      const { calls, status } = JSON.parse(one) as { calls: string[]; status: number };
      assert.equal(status, 200);
      const reads = messageType === 'GetCert' ? 2 : 1;
      assert.deepEqual(calls, Array<string>(reads).fill('store.read'));
      await badCertId(w.ask({ ...fixed, plaintext: random(60) }));
      const zeros = concat([new Uint8Array(2), other.certificate.serial]);
      const printable = sequence(
        setOf(sequence(objectIdentifier('2.5.4.10'), printableString('Lab'))),
        setOf(sequence(objectIdentifier('2.5.4.3'), printableString('LAB  CA'))),
      );
      for (const plaintext of [
        query,
        concat([Uint8Array.of(0x30, 0x80), content(scan(query)), Uint8Array.of(0, 0)]),
        issuerAndSerial(ca.subject, zeros),
        issuerAndSerial(printable, other.certificate.serial),
      ]) {
        assert.equal((await w.ask({ ...fixed, plaintext })).pkiStatus, 'SUCCESS');
      }
    });
  }
});

/** All that its sender or an onlooker can tell of an exchange; nonce and signature masked. */
async function observed(w: World, message: Bytes) {
  w.lab.log.length = 0;
  w.lab.calls.length = 0;
  const init = { method: 'POST', body: message };
  const response = await w.lab.fetch('/scep?operation=PKIOperation', init);
  const body = new Uint8Array(await response.arrayBuffer());
  const { attributes, signature } = readSignedData(body);
  const nonce = attributes.get(attributeOids.senderNonce)?.[0]?.[0];
  const fresh = [nonce ? content(nonce) : assert.fail('no senderNonce'), signature].map(hex);
  return {
    status: response.status,
    headers: [...response.headers],
    body: fresh.reduce((text, part) => text.replace(part, ''), hex(body)),
    log: [...w.lab.log],
    calls: [...w.lab.calls],
  };
}

withOpenssl((openssl) => {
  test('RFC 8894 §3.3.2.1 [59]: openssl verifies, opens and reads the answers to GetCert and GetCRL', async () => {
    const { w, ca, signer, other } = await asking();
    const plaintext = issuerAndSerial(ca.subject, other.certificate.serial);
    const caFile = openssl.file('ca.pem', pem('CERTIFICATE', ca.der));
    const recip = openssl.file('signer.pem', pem('CERTIFICATE', signer.certificate.der));
    const inkey = openssl.file('signer.key', pem('PRIVATE KEY', signer.key.pkcs8));
    const bagOf = async (messageType: Query): Promise<string> => {
      const { message } = await enrolment(w.lab, { messageType, signer, plaintext });
      const reply = openssl.file('reply.der', await w.lab.operate(message));
      const der = ['-inform', 'DER', '-in'];
      const envelope = openssl.run(
        'cms',
        '-verify',
        '-binary',
        ...der,
        reply,
        '-CAfile',
        caFile,
        '-purpose',
        'any',
      );
      const path = openssl.file('envelope.der', envelope);
      const bag = openssl.run(
        'cms',
        '-decrypt',
        '-binary',
        ...der,
        path,
        '-recip',
        recip,
        '-inkey',
        inkey,
      );
      return openssl.file(`${messageType}.der`, bag);
    };
    const certificates = openssl.run(
      'pkcs7',
      '-inform',
      'DER',
      '-in',
      await bagOf('GetCert'),
      '-print_certs',
    );
    const [block = ''] =
      /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/.exec(
        Buffer.from(certificates).toString(),
      ) ?? [];
    const body = block.replace(/-----[^-]*-----|\s/g, '');
    assert.ok(equal(fromBase64(body), other.certificate.der));
    const path = await bagOf('GetCRL');
    const bag = openssl.run('pkcs7', '-inform', 'DER', '-in', path, '-print_certs');
    const [crl = ''] =
      /-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/.exec(Buffer.from(bag).toString()) ?? [];
    const crlFile = openssl.file('crl.pem', `${crl}\n`);
    const verdict = openssl.attempt('crl', '-in', crlFile, '-noout', '-verify', '-CAfile', caFile);
    assert.ok(verdict.ok && /verify OK/.test(verdict.said), verdict.said);
    const newest = await w.lab.deps.crls.newest('default');
    assert.ok(newest && equal(fromBase64(crl.replace(/-----[^-]*-----|\s/g, '')), newest.der));
  });
});
