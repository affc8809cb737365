// The envelope of a reply to a client whose key cannot encrypt: keyed by the challengePassword, opened
// with that and with nothing else.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Element, oid, scan, smallInteger } from '../../lib/asn1/reader.ts';
import {
  explicit,
  integer,
  nullValue,
  objectIdentifier,
  octets,
  sequence,
  setOf,
  tlv,
} from '../../lib/asn1/writer.ts';
import { type Bytes, concat, equal, utf8 } from '../../lib/base/bytes.ts';
import { PASSWORD_ENVELOPE_ITERATIONS } from '../../lib/base/limits.ts';
import { readEnvelopedData } from '../../lib/cms/enveloped-data.ts';
import { openPasswordEnvelope, sealForPassword } from '../../lib/cms/password-envelope.ts';
import { type ContentCipherName, contentCiphers, oids } from '../../lib/crypto/algorithms.ts';
import { random, seal } from '../support/messages.ts';
import { cmsOids, signers } from '../support/signed-data.ts';
import { flipped, malformed, offsetOf, runs } from '../support/vectors.ts';

const password = utf8('correct horse battery staple');
const text = utf8('thirty-five octets, not whole blocks');
const names = Object.keys(contentCiphers) as ContentCipherName[];

test('RFC 8894 §3.1 [44]: what is sealed for a password opens with it, for each cipher', async () => {
  for (const name of names) {
    const message = await sealForPassword(text, name, password, random);
    assert.deepEqual(await openPasswordEnvelope(message, password), text);
    const { cipher, recipients } = readEnvelopedData(message);
    assert.equal(cipher?.name, name);
    assert.equal(recipients.length, 0);
    assert.equal(scan(message).der, true);
  }
});

test('RFC 5652 §6.2.4: a wrong password is refused', async () => {
  const message = await sealForPassword(text, 'AES-128', password, random);
  for (const wrong of [
    utf8(''),
    utf8('correct horse battery stapl'),
    utf8('correct horse battery staple '),
    utf8('Correct horse battery staple'),
  ]) {
    await assert.rejects(openPasswordEnvelope(message, wrong), malformed(/password does not fit/));
  }
});

test('RFC 5652 §6.2.4: content and passwords of any octets go through', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 100 }),
      fc.uint8Array({ minLength: 1, maxLength: 100 }),
      fc.constantFrom(...names),
      async (content, secret, name) => {
        const message = await sealForPassword(content, name, concat([secret]), random);
        assert.ok(equal(await openPasswordEnvelope(message, concat([secret])), content));
      },
    ),
    runs(20),
  );
});

const child = (element: Element | undefined, ...path: number[]): Element => {
  const found = path.reduce((at, i) => at?.children[i], element);
  assert.ok(found);
  return found;
};

test('RFC 5652 §6.2.4: PBKDF2 with HMAC-SHA-256 and the wrap of RFC 3211 are named in the envelope', async () => {
  const message = await sealForPassword(text, 'AES-256', password, random);
  const envelopedData = child(scan(message), 1, 0);
  // §6.1: the version is 3 because of the PasswordRecipientInfo.
  assert.equal(smallInteger(child(envelopedData, 0)), 3);
  const recipients = child(envelopedData, 1);
  assert.equal(recipients.children.length, 1);
  const info = child(recipients, 0);
  assert.equal(info.tag, 0xa3);
  assert.equal(smallInteger(child(info, 0)), 0);
  const derivation = child(info, 1);
  assert.equal(derivation.tag, 0xa0);
  assert.equal(oid(child(derivation, 0)), oids.pbkdf2);
  assert.equal(smallInteger(child(derivation, 1, 1)), PASSWORD_ENVELOPE_ITERATIONS);
  assert.equal(smallInteger(child(derivation, 1, 2)), 32);
  assert.equal(oid(child(derivation, 1, 3, 0)), oids.hmacWithSha256);
  assert.equal(oid(child(info, 2, 0)), oids.pwriKek);
  assert.equal(oid(child(info, 2, 1, 0)), contentCiphers['AES-256'].oid);
  const encryptedKey = child(info, 3);
  assert.equal(encryptedKey.contentEnd - encryptedKey.contentStart, 48);
});

test('RFC 5652 §6.2.4: salt, keys and IVs are drawn anew for each envelope', async () => {
  const drawn: number[] = [];
  const counting = (length: number) => {
    drawn.push(length);
    return random(length);
  };
  const first = await sealForPassword(text, 'AES-128', password, counting);
  const second = await sealForPassword(text, 'AES-128', password, counting);
  // Key, salt, IV of the wrap, padding of the wrap, IV of the content.
  assert.deepEqual(drawn, [16, 16, 16, 12, 16, 16, 16, 16, 12, 16]);
  assert.equal(first.length, second.length);
  const different = first.filter((octet, i) => octet !== second[i]).length;
  assert.ok(different > 100, `${different} octets differ`);
});

test('RFC 3211 §2.3.2: a changed octet of the wrapped key is refused or gives no content', async () => {
  const message = await sealForPassword(text, 'AES-128', password, random);
  const info = child(scan(message), 1, 0, 1, 0);
  const { contentStart, contentEnd } = child(info, 3);
  for (let at = contentStart; at < contentEnd; at++) {
    const opened = await openPasswordEnvelope(flipped(message, at, 0x40), password).catch(
      (error: Error) => {
        assert.equal(error.name, 'Malformed', `octet ${at}: ${error.message}`);
        return undefined;
      },
    );
    assert.notDeepEqual(opened, text);
  }
});

test('RFC 5652 §6.2.4: a changed octet of the salt is a wrong password', async () => {
  const message = await sealForPassword(text, 'AES-128', password, random);
  const { contentStart, contentEnd } = child(scan(message), 1, 0, 1, 0, 1, 1, 0);
  for (let at = contentStart; at < contentEnd; at++) {
    await assert.rejects(openPasswordEnvelope(flipped(message, at, 1), password), malformed(/fit/));
  }
});

test('RFC 5652 §6.2.4: an envelope without a PasswordRecipientInfo is refused', async () => {
  const message = seal(text, signers.rsa.certificate);
  await assert.rejects(
    openPasswordEnvelope(message, password),
    malformed(/no PasswordRecipientInfo/),
  );
});

type Parts = {
  readonly wrapIv?: Bytes;
  readonly iterations?: number;
  readonly derivation?: string;
  readonly encryption?: string;
  readonly wrap?: string;
  readonly prf?: Bytes;
};

/** An envelope whose wrapped key is the octets given. */
function withWrapped(wrapped: Bytes, parts: Parts = {}): Bytes {
  const { wrapIv = random(16), iterations = 1000 } = parts;
  const { derivation = oids.pbkdf2, encryption = oids.pwriKek } = parts;
  const { wrap = contentCiphers['AES-256'].oid } = parts;
  const { prf = sequence(objectIdentifier(oids.hmacWithSha256), nullValue) } = parts;
  const info = tlv(
    0xa3,
    integer(0),
    tlv(
      0xa0,
      objectIdentifier(derivation),
      sequence(octets(random(16)), integer(iterations), integer(32), prf),
    ),
    sequence(objectIdentifier(encryption), sequence(objectIdentifier(wrap), octets(wrapIv))),
    octets(wrapped),
  );
  const encrypted = sequence(
    objectIdentifier(cmsOids.data),
    sequence(objectIdentifier(contentCiphers['AES-128'].oid), octets(random(16))),
    tlv(0x80, random(48)),
  );
  return sequence(
    objectIdentifier(cmsOids.envelopedData),
    explicit(0, sequence(integer(3), setOf(info), encrypted)),
  );
}

test('RFC 3211 §2.3.2: a wrapped key or IV of broken blocks is refused', async () => {
  const itself = /^(?!not PBKDF2|more PBKDF2)/;
  for (const length of [0, 1, 15, 16, 17, 31, 33, 47, 49]) {
    const message = withWrapped(random(length));
    await assert.rejects(openPasswordEnvelope(message, password), malformed(itself), `${length}`);
  }
  for (const length of [0, 8, 15, 17]) {
    const message = withWrapped(random(48), { wrapIv: random(length) });
    await assert.rejects(
      openPasswordEnvelope(message, password),
      malformed(itself),
      `IV ${length}`,
    );
  }
});

test('RFC 5652 §6.2.4: other algorithms are refused, and more iterations than a million before any is made', async () => {
  const sha1 = sequence(objectIdentifier('1.2.840.113549.2.7'), nullValue);
  const others: Parts[] = [
    { derivation: oids.pwriKek },
    { encryption: oids.pbkdf2 },
    { wrap: contentCiphers['AES-128'].oid },
    { prf: sha1 },
  ];
  for (const parts of others) {
    const message = withWrapped(random(48), parts);
    await assert.rejects(openPasswordEnvelope(message, password), malformed(/^not PBKDF2 with/));
  }
  const many = withWrapped(random(48), { iterations: 1_000_001 });
  await assert.rejects(openPasswordEnvelope(many, password), malformed(/^more PBKDF2 iterations/));
});

test('RFC 3211 §2.3.2: a wrapped key of another length than the cipher asks for is refused', async () => {
  // Sealed for AES-128 and then said to be AES-256: the unwrapped key does not fit the cipher.
  const message = await sealForPassword(text, 'AES-128', password, random);
  const [aes128, aes256] = [contentCiphers['AES-128'].oid, contentCiphers['AES-256'].oid];
  const renamed = message.slice();
  renamed.set(objectIdentifier(aes256), offsetOf(message, objectIdentifier(aes128)));
  await assert.rejects(openPasswordEnvelope(renamed, password), malformed(/./));
});

test('RFC 5652 §6.2.4: no iterations, a negative number, or other parameters are refused', async () => {
  const message = await sealForPassword(text, 'AES-128', password, random);
  const iterations = child(scan(message), 1, 0, 1, 0, 1, 1, 1);
  const changed = message.slice();
  changed.fill(0xff, iterations.contentStart, iterations.contentEnd);
  await assert.rejects(openPasswordEnvelope(changed, password), malformed(/./));
  const zero = message.slice();
  zero.fill(0, iterations.contentStart, iterations.contentEnd);
  await assert.rejects(openPasswordEnvelope(zero, password), malformed(/./));
  for (const body of [sequence(), nullValue]) {
    await assert.rejects(openPasswordEnvelope(body, password), malformed(/./));
  }
});
