// Shared design 4.4: from unwrap to proof of possession there is one answer. Every way to fail in
// that window is listed here, and the whole exchange is compared: status, headers, body with nonce
// and signature masked, log lines, port calls.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { content, scan, tag } from '../../../lib/asn1/reader.ts';
import { octets, sequence, tlv } from '../../../lib/asn1/writer.ts';
import { type Bytes, concat, equal, fromHex, hex } from '../../../lib/base/bytes.ts';
import { revokeChallenge } from '../../../lib/ca/challenge/challenge-list.ts';
import { removeDevice } from '../../../lib/ca/devices/device-list.ts';
import { importRows } from '../../../lib/ca/devices/import.ts';
import { readSignedData } from '../../../lib/cms/signed-data.ts';
import {
  buildRequest,
  type ClientKey,
  readCertRep,
} from '../../../lib/protocol/scep/client/client.ts';
import { attributeOids } from '../../../lib/protocol/scep/wire/registry.ts';
import { type Reason, reasons } from '../../../lib/refusal/reasons.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { forged, makeSigner, signed } from '../../support/jws.ts';
import { deviceKey } from '../../support/keys.ts';
import { type ChallengeOptions, type Lab, type LabOptions, makeLab } from '../../support/lab.ts';
import {
  type EnrolOptions,
  enrolment,
  random,
  rsaRaw,
  type SealOptions,
  seal,
} from '../../support/messages.ts';
import { refusedWith, type World, world } from '../../support/world.ts';

type Transport = 'pkcs1' | 'oaep-sha1' | 'oaep-sha256';
type Failure = {
  readonly name: string;
  readonly transports: readonly Transport[];
  /** The PKCS#10 as it should be, and what to seal instead of sealing it as it should be. */
  envelope(lab: Lab, csr: Bytes, transport: Transport): Bytes | Promise<Bytes>;
};

const all: readonly Transport[] = ['pkcs1', 'oaep-sha1', 'oaep-sha256'];
const pkcs1: readonly Transport[] = ['pkcs1'];
const oaep: readonly Transport[] = ['oaep-sha1', 'oaep-sha256'];

/** EM of RSAES-PKCS1-v1_5 for a 2048-bit key and a 16-octet message. */
function encodedKey(bend: (block: Bytes) => void): Bytes {
  const block = concat([
    Uint8Array.of(0, 2),
    new Uint8Array(237).fill(0x55),
    Uint8Array.of(0),
    random(16),
  ]);
  bend(block);
  return block;
}

const bentBlock = (name: string, bend: (block: Bytes) => void): Failure => ({
  name,
  transports: pkcs1,
  envelope: ({ announced: { ra } }, csr) =>
    seal(csr, ra, { encryptedKey: rsaRaw(encodedKey(bend), ra) }),
});

const sealed = (
  name: string,
  transports: readonly Transport[],
  options: (lab: Lab) => SealOptions,
): Failure => ({
  name,
  transports,
  envelope: (lab, csr, transport) => seal(csr, lab.announced.ra, { transport, ...options(lab) }),
});

const content10 = (
  name: string,
  bend: (csr: Bytes, lab: Lab) => Bytes | Promise<Bytes>,
): Failure => ({
  name,
  transports: all,
  envelope: async (lab, csr, transport) =>
    seal(await bend(csr, lab), lab.announced.ra, { transport }),
});

/** The PKCS#10 with one octet of one of its three parts changed. */
function flipped(csr: Bytes, part: 0 | 1 | 2, fromEnd: number): Bytes {
  const bent = csr.slice();
  const element = scan(csr).children[part];
  const at = (element?.end ?? 0) - fromEnd;
  bent[at] = (bent[at] ?? 0) ^ 1;
  return bent;
}

const request = async (key: ClientKey, challenge: string | undefined): Promise<Bytes> =>
  buildRequest(key, { subject: parseName('CN=device-1,O=Test'), names: [] }, challenge);

const failures: readonly Failure[] = [
  // RSAES-PKCS1-v1_5 (RFC 8017 §7.2.2)
  bentBlock('the first octet is not zero', (block) => {
    block[0] = 1;
  }),
  bentBlock('block type 1', (block) => {
    block[1] = 1;
  }),
  bentBlock('block type 0', (block) => {
    block[1] = 0;
  }),
  bentBlock('a zero among the first eight padding octets', (block) => {
    block[5] = 0;
  }),
  bentBlock('a zero late in the padding: a longer key', (block) => {
    block[230] = 0;
  }),
  bentBlock('no separator', (block) => {
    block[239] = 0x55;
  }),
  bentBlock('all zeros', (block) => {
    block.fill(0);
  }),
  sealed('an encrypted key of random octets', pkcs1, () => ({
    encryptedKey: concat([Uint8Array.of(0), random(255)]),
  })),
  sealed('an encrypted key beyond the modulus', all, () => ({
    encryptedKey: new Uint8Array(256).fill(0xff),
  })),
  sealed('an encrypted key of zero', all, () => ({ encryptedKey: new Uint8Array(256) })),
  // RSAES-OAEP (RFC 8017 §7.1.2)
  sealed('an OAEP block of random octets', oaep, () => ({
    encryptedKey: concat([Uint8Array.of(0), random(255)]),
  })),
  sealed('an OAEP block whose first octet is not zero', oaep, ({ announced: { ra } }) => ({
    encryptedKey: rsaRaw(concat([Uint8Array.of(1), random(255)]), ra),
  })),
  // the content-encryption key
  sealed('a content key that is too short', all, () => ({ contentKey: random(8) })),
  sealed('a content key that is too long', all, () => ({ contentKey: random(24) })),
  sealed('an empty content key', all, () => ({ contentKey: new Uint8Array(0) })),
  // CBC (RFC 5652 §6.3)
  sealed('padding of zero', all, () => ({
    blocks: (padded) => concat([padded.subarray(0, -1), Uint8Array.of(0)]),
  })),
  sealed('padding longer than a block', all, () => ({
    blocks: (padded) => concat([padded.subarray(0, -1), Uint8Array.of(17)]),
  })),
  sealed('padding of unequal octets', all, () => ({
    blocks: (padded) => concat([padded.subarray(0, -16), new Uint8Array(14), Uint8Array.of(9, 3)]),
  })),
  sealed('the last block changed', all, () => ({
    encryptedContent: (encrypted) => {
      const bent = encrypted.slice();
      bent[bent.length - 20] = (bent[bent.length - 20] ?? 0) ^ 0x40;
      return bent;
    },
  })),
  sealed('the first block changed', all, () => ({
    encryptedContent: (encrypted) => {
      const bent = encrypted.slice();
      bent[0] = (bent[0] ?? 0) ^ 0x40;
      return bent;
    },
  })),
  // not a PKCS#10 (RFC 2986)
  content10('nothing inside', () => new Uint8Array(0)),
  content10('random octets inside', () => random(600)),
  content10('an IssuerAndSubject inside', () => sequence(parseName('CN=a'), parseName('CN=b'))),
  content10('a request cut short', (csr) => csr.slice(0, -7)),
  content10('an octet after the request', (csr) => concat([csr, Uint8Array.of(0)])),
  content10('a second element after the request', (csr) => concat([csr, sequence()])),
  content10('a request in BER', (csr) =>
    concat([Uint8Array.of(0x30, 0x80), content(scan(csr)), Uint8Array.of(0, 0)]),
  ),
  content10('two challengePasswords', async (_, lab) => {
    const key = await deviceKey();
    const csr = await request(key, await lab.challenge());
    const [info, algorithm, signature] = scan(csr).children;
    const [version, subject, spki, attributes] = info?.children ?? [];
    if (!version || !subject || !spki || !attributes || !algorithm || !signature)
      throw new Error('csr');
    const raw = (element: { start: number; end: number }) => csr.slice(element.start, element.end);
    const twice = tlv(0xa0, content(attributes), content(attributes));
    const bent = sequence(raw(version), raw(subject), raw(spki), twice);
    return sequence(
      bent,
      raw(algorithm),
      tlv(tag.bitString, Uint8Array.of(0), await key.sign(bent)),
    );
  }),
  // proof of possession
  content10('the request signature changed', (csr) => flipped(csr, 2, 20)),
  content10('the signed request changed', (csr) => flipped(csr, 0, 1)),
  content10('an unknown signature algorithm in the request', (csr) => flipped(csr, 1, 3)),
  content10('a request of another key', async (_, lab) =>
    request(await deviceKey('thief'), await lab.challenge()),
  ),
  content10('a request of an EC key', async (_, lab) =>
    request(await deviceKey('ec', { type: 'EC', curve: 'P-256' }), await lab.challenge()),
  ),
  content10('an OCTET STRING around the request', (csr) => octets(csr)),
];

/** Everything an onlooker or the sender can observe of one exchange. */
async function exchange(lab: Lab, message: Bytes) {
  lab.log.length = 0;
  lab.calls.length = 0;
  const response = await lab.fetch('/scep?operation=PKIOperation', {
    method: 'POST',
    body: message,
  });
  const body = new Uint8Array(await response.arrayBuffer());
  return {
    status: response.status,
    headers: [...response.headers],
    body: masked(body),
    log: lab.log.slice(),
    calls: lab.calls.slice(),
  };
}

/** The CertRep with the octets of senderNonce and signature zeroed. */
function masked(certRep: Bytes): string {
  const { attributes, signature } = readSignedData(certRep);
  const nonce = attributes.get(attributeOids.senderNonce)?.[0]?.[0];
  if (!nonce) throw new Error('no senderNonce in the reply');
  const text = hex(certRep);
  const fresh = [content(nonce), signature].map(hex);
  for (const secret of fresh) assert.equal(text.split(secret).length, 2, 'found exactly once');
  return fresh.reduce((all, secret) => all.replace(secret, '0'.repeat(secret.length)), text);
}

describe('RFC 8894 §3.2.1.4, design 4.4: one answer from unwrap to proof of possession', () => {
  for (const messageType of ['19', '17'] as const) {
    test(`RFC 8894 §7.6 [75]: messageType ${messageType}: every failure is the same exchange`, async () => {
      const lab = await makeLab();
      const fixed = { transactionID: 'uniform', senderNonce: random(16), messageType };
      const challenge = await lab.challenge();
      const seen = new Map<string, string>();
      let count = 0;
      for (const failure of failures) {
        for (const transport of failure.transports) {
          const csr = await request(await deviceKey(), challenge);
          const envelope = await failure.envelope(lab, csr, transport);
          const { message, read } = await enrolment(lab, { ...fixed, envelope, transport });
          const observed = await exchange(lab, message);
          seen.set(JSON.stringify(observed), `${failure.name} (${transport})`);
          assert.equal(seen.size, 1, `told apart: ${[...seen.values()].join(' / ')}`);
          const answer = await read(await lab.operate(message));
          assert.ok(answer.pkiStatus === 'FAILURE' && answer.failInfo === 'badMessageCheck');
          count++;
        }
      }
      assert.equal(
        count,
        failures.reduce((sum, { transports }) => sum + transports.length, 0),
      );
      const [observed = '{}'] = seen.keys();
      const { log, calls } = JSON.parse(observed) as { log: unknown[]; calls: unknown[] };
      assert.deepEqual(calls, [], 'no port is called inside the window');
      assert.equal(log.length, 1);
      // The challenge that came with them all is as good as new.
      const good = await enrolment(lab, { challenge, messageType });
      assert.equal((await good.read(await lab.operate(good.message))).pkiStatus, 'SUCCESS');
    });
  }

  test('a message that opens is told apart from the uniform answer', async () => {
    const lab = await makeLab();
    const fixed = { transactionID: 'uniform', senderNonce: random(16) };
    const bad = await enrolment(lab, { ...fixed, plaintext: random(500) });
    const good = await enrolment(lab, { ...fixed, challenge: 'unknown-challenge' });
    const [one, other] = [await exchange(lab, bad.message), await exchange(lab, good.message)];
    assert.notDeepEqual(one, other);
    assert.ok(!equal(bad.message, good.message));
  });
});

describe('design 4.8: what a stranger cannot tell apart', () => {
  const mdm = makeSigner('mdm');
  const signing = {
    enrol: {
      authorize: ['signedChallenge'],
      signedChallenge: { keys: { mdm: { publicKey: mdm.publicKey } } },
    },
  } satisfies LabOptions['endpoint'];
  const listing = {
    enrol: { authorize: ['challenge', 'deviceList'] },
  } satisfies LabOptions['endpoint'];
  const fixed = { transactionID: 'stranger', senderNonce: random(16), subject: 'CN=device-1' };

  /** What is on the wire, of the same request with each of these. */
  async function onTheWire(
    w: World,
    requests: Readonly<Record<string, EnrolOptions>>,
  ): Promise<Map<string, string[]>> {
    const seen = new Map<string, string[]>();
    for (const [name, wanted] of Object.entries(requests)) {
      const { message, read } = await enrolment(w.lab, { ...fixed, ...wanted });
      const { status, headers, body } = await exchange(w.lab, message);
      const answer = JSON.stringify({ status, headers, body });
      seen.set(answer, [...(seen.get(answer) ?? []), name]);
      refusedWith('SCEP-302', await read(await w.lab.operate(message)));
    }
    assert.deepEqual(w.certificates(), []);
    return seen;
  }

  test('an unknown challenge, a decoy, one of another endpoint, one that was changed, one that was signed', async () => {
    const w = await world();
    const changed = await w.lab.challenge();
    await w.forge('challenge', () => ({ usesLeft: 2, uses: 2 }));
    const seen = await onTheWire(w, {
      unknown: { challenge: 'x'.repeat(26) },
      'shorter and unknown': { challenge: 'x' },
      decoy: { challenge: await w.lab.challenge({ decoy: true }) },
      'of another endpoint': { challenge: await w.lab.challenge({ endpoint: 'other' }) },
      changed: { challenge: changed },
      signed: { challenge: signed(mdm, { aud: 'default' }) },
    });
    assert.equal(seen.size, 1, [...seen.values()].join(' / '));
  });

  test('whatever is wrong with a signed challenge, and one that is none', async () => {
    const w = await world({ endpoint: signing });
    const iat = Math.floor(w.lab.clock.at / 1000);
    const good = { aud: 'default', iat, exp: iat + 3600, jti: 'challenge-1' };
    const seen = await onTheWire(w, {
      unknown: { challenge: 'x'.repeat(26) },
      'made here': { challenge: await w.lab.challenge() },
      'of another key': { challenge: signed(makeSigner('mdm'), good) },
      'of an unknown key': { challenge: signed({ ...mdm, kid: 'other' }, good) },
      unsigned: { challenge: forged(mdm, good, 'none') },
      'of another endpoint': { challenge: signed(mdm, { ...good, aud: 'other' }) },
      'of the future': { challenge: signed(mdm, { ...good, iat: iat + 900 }) },
      'for ever': { challenge: signed(mdm, { ...good, exp: iat + 900_000 }) },
    });
    assert.equal(seen.size, 1, [...seen.values()].join(' / '));
  });

  test('which devices are in a list, were removed from it, or have which names there', async () => {
    const w = await world({ endpoint: listing });
    const actor = { kind: 'admin', id: 'jane' } as const;
    const rows = [{ name: ['listed'] }, { name: ['other'], subject: 'CN=x' }, { name: ['gone'] }];
    const about = { list: 'default', restore: false, dryRun: false, actor };
    await importRows(w.lab.deps, { ...about, rows });
    await removeDevice(w.lab.deps, 'default', 'gone', { actor, reason: 'lost' });
    const challenge = 'x'.repeat(26);
    const subjects = ['listed', 'other', 'gone', 'absent'].map((name) => `CN=${name}`);
    const requests = subjects.map((subject) => [subject, { subject, challenge }]);
    const seen = await onTheWire(w, Object.fromEntries(requests));
    assert.equal(seen.size, 1, [...seen.values()].join(' / '));
  });

  test('whoever has the challenge is told the reason, and nothing else differs', async () => {
    const validators = { mdm: { validate: async () => ({ allow: false, note: 'stolen' }) } };
    const w = await world({ endpoint: listing });
    const strict = await w.instance({
      validators,
      authorize: { enrol: ['challenge', 'mdm'], renew: [] },
    });
    const open = await w.instance({ endpoint: {} });
    const spent = await w.lab.challenge();
    await enrolment(open, { challenge: spent, key: await deviceKey('spender') }).then(
      ({ message }) => open.operate(message),
    );
    const locked = await w.lab.challenge({ subject: 'CN=right' });
    for (let i = 0; i < 10; i++) {
      await w.ask({ challenge: locked, subject: `CN=wrong ${i}` });
    }
    const known = w.challenges().map(({ id }) => id);
    const revoked = await w.lab.challenge();
    const made = w.challenges().find(({ id }) => !known.includes(id));
    await revokeChallenge(w.lab.deps, made?.id ?? '', 'default', { kind: 'system' });
    const expired = await w.lab.challenge({ ttlMs: 1 });
    w.lab.clock.at += 1;
    strict.clock.at += 1;
    const bound = (options: ChallengeOptions) => w.lab.challenge(options);
    const cases: readonly (readonly [Reason, string | undefined, Lab?])[] = [
      ['challengeMissing', undefined],
      ['challengeUnknown', 'x'.repeat(26)],
      ['challengeSpent', spent],
      ['challengeLocked', locked],
      ['challengeRevoked', revoked],
      ['challengeExpired', expired],
      ['subjectNotBound', await bound({ subject: 'CN=x' })],
      ['subjectNotBound', await bound({ subjectPattern: { CN: 'x-*' } })],
      ['keyNotBound', await bound({ key: 'ec' })],
      ['keyNotBound', await bound({ keyHash: 'ab'.repeat(32) })],
      ['sourceNotBound', await bound({ sources: ['192.0.2.0/24'] })],
      ['deviceUnlisted', await bound({})],
      ['validatorRefused', await bound({}), strict],
    ];
    const seen = new Map<string, string>();
    for (const [reason, challenge, lab = w.lab] of cases) {
      const { message, request } = await enrolment(lab, {
        ...fixed,
        ...(challenge === undefined ? {} : { challenge }),
      });
      const { status, headers, body } = await exchange(lab, message);
      const answer = fromHex(body);
      const { attributes, eContent, certificate } = readSignedData(answer);
      const { code, text } = reasons[reason];
      const result = await readCertRep(await lab.operate(message), request, undefined);
      assert.ok(result.pkiStatus === 'FAILURE');
      assert.equal(result.text, `${code}: ${text}`);
      const [said] = attributes.get(attributeOids.failInfoText)?.flat() ?? [];
      const [digest] = attributes.get('1.2.840.113549.1.9.4')?.flat() ?? [];
      assert.ok(said && digest);
      const rest = [...attributes]
        .filter(([type]) => type !== attributeOids.failInfoText)
        .map(([type, values]) => [type, values.flat().map((value) => hex(content(value)))])
        .sort();
      const others = headers.filter(([name]) => name !== 'content-length');
      const all = { status, others, rest, eContent: eContent?.length, ra: hex(certificate.der) };
      seen.set(JSON.stringify(all), reason);
      assert.equal(seen.size, 1, `told apart by more than its reason: ${[...seen.values()]}`);
    }
  });
});
