// One message with an RSA signature and one with ECDSA, each bit of them changed in turn: in what is
// signed, in the content and in the signature nothing is ever good again, and no change anywhere in
// the message gives another error than a refusal.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { objectIdentifier, octets, printableString } from '../../lib/asn1/writer.ts';
import { type Bytes, equal } from '../../lib/base/bytes.ts';
import { readSignedData, type SignedData, verifySignedData } from '../../lib/cms/signed-data.ts';
import { attribute } from '../support/messages.ts';
import { signedDataOf, signers } from '../support/signed-data.ts';
import { flipped, offsetOf, unlessMalformed } from '../support/vectors.ts';

async function verdict(message: Bytes): Promise<string> {
  const signedData = unlessMalformed(() => readSignedData(message));
  if (!signedData) return 'refused';
  const { key, scheme } = signedData;
  return key && scheme ? verifySignedData(signedData, key, scheme) : 'no scheme';
}

type Part = 'signedAttrs' | 'eContent' | 'signature' | 'digestAlgorithm';

const messages = {
  RSA: message('rsa'),
  ECDSA: message('P-256'),
};
function message(signer: 'rsa' | 'P-256'): Bytes {
  return signedDataOf({
    signer: signers[signer],
    attributes: (all) => [
      ...Object.values(all),
      attribute('2.16.840.1.113733.1.9.2', printableString('19')),
      attribute('2.16.840.1.113733.1.9.7', printableString('transaction')),
      attribute('2.16.840.1.113733.1.9.5', octets(new Uint8Array(16).fill(0xa5))),
    ],
  });
}

/** Where the content octets of a part are in the message. */
function rangeOf(octetsOfMessage: Bytes, part: Part): { from: number; to: number } {
  const read = readSignedData(octetsOfMessage);
  const sought: Record<Part, Bytes> = {
    // The identifier octet differs: [0] in the message, SET in what is signed.
    signedAttrs: read.signedAttrs.subarray(1),
    eContent: read.eContent ?? new Uint8Array(0),
    signature: read.signature,
    digestAlgorithm: objectIdentifier('2.16.840.1.101.3.4.2.1'),
  };
  if (part === 'digestAlgorithm') {
    // The one in the SignerInfo, behind the one in digestAlgorithms.
    const at = Buffer.from(octetsOfMessage).lastIndexOf(sought.digestAlgorithm);
    return { from: at, to: at + sought.digestAlgorithm.length };
  }
  const from = offsetOf(octetsOfMessage, sought[part]);
  return { from, to: from + sought[part].length };
}

/** The verdicts on all messages with one bit of the range changed, and how often each came. */
async function verdicts(whole: Bytes, from: number, to: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let at = from; at < to; at++) {
    const flips = [1, 2, 4, 8, 16, 32, 64, 128, 255].map((mask) => flipped(whole, at, mask));
    for (const said of await Promise.all(flips.map(verdict))) {
      counts[said] = (counts[said] ?? 0) + 1;
    }
  }
  return counts;
}
const sum = (counts: Record<string, number>) =>
  Object.values(counts).reduce((total, count) => total + count, 0);

for (const [name, whole] of Object.entries(messages)) {
  test(`RFC 5652 §5.6: no changed bit of the signed attributes is ever good, ${name}`, async () => {
    assert.equal(await verdict(whole), 'good');
    const { from, to } = rangeOf(whole, 'signedAttrs');
    // From the identifier octet on.
    const { good = 0, ...others } = await verdicts(whole, from - 1, to);
    assert.equal(good, 0);
    assert.equal(sum(others), 9 * (to - from + 1));
    assert.ok((others.signatureWrong ?? 0) > 0 && (others.refused ?? 0) > 0);
  });

  test(`RFC 5652 §5.6: every changed bit of the content is a wrong digest, ${name}`, async () => {
    const { from, to } = rangeOf(whole, 'eContent');
    assert.deepEqual(await verdicts(whole, from, to), { digestWrong: 9 * (to - from) });
  });

  test(`RFC 5652 §5.6: every changed bit of the signature is a wrong signature, ${name}`, async () => {
    const { from, to } = rangeOf(whole, 'signature');
    assert.deepEqual(await verdicts(whole, from, to), { signatureWrong: 9 * (to - from) });
  });

  test(`RFC 5652 §5.3: no changed bit of the digest algorithm is ever good, ${name}`, async () => {
    const { from, to } = rangeOf(whole, 'digestAlgorithm');
    const { good = 0, ...others } = await verdicts(whole, from, to);
    assert.equal(good, 0);
    assert.equal(sum(others), 9 * (to - from));
  });

  test(`RFC 5652 §5: a changed bit anywhere is a refusal, a verdict, or without effect, ${name}`, async () => {
    const original = readSignedData(whole);
    const { key, scheme } = original;
    assert.ok(key && scheme);
    const says = ({ eContent, attributes, signedAttrs, contentType }: SignedData) =>
      JSON.stringify([
        contentType,
        [...attributes.keys()],
        [...(eContent ?? [])],
        [...signedAttrs],
      ]);
    const spki = key.spki;
    for (let at = 0; at < whole.length; at++) {
      for (const mask of [0x01, 0x80, 0xff]) {
        const changed = flipped(whole, at, mask);
        if ((await verdict(changed)) !== 'good') continue;
        // Versions, algorithm sets and the unsigned parts of the certificate; never what is said,
        // nor by whom.
        const read = readSignedData(changed);
        assert.equal(says(read), says(original), `octet ${at} ^ ${mask}`);
        assert.ok(read.key && equal(read.key.spki, spki), `octet ${at} ^ ${mask}`);
      }
    }
  });
}
