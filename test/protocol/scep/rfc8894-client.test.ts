// Our own client on a reply: read where it answers what was sent, and refused, with why, where it does not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tag } from '../../../lib/asn1/reader.ts';
import { objectIdentifier, octets, sequence, tlv } from '../../../lib/asn1/writer.ts';
import { type Bytes, latin1, utf8 } from '../../../lib/base/bytes.ts';
import { readCertRep } from '../../../lib/protocol/scep/client/client.ts';
import { attributeOids } from '../../../lib/protocol/scep/wire/registry.ts';
import { deviceKey } from '../../support/keys.ts';
import { attribute } from '../../support/messages.ts';
import { type Knobs, signedDataOf, signers } from '../../support/signed-data.ts';
import { malformed } from '../../support/vectors.ts';

const senderNonce = new Uint8Array(16).fill(7);
const request = {
  ...({ messageType: 'PKCSReq', digest: 'SHA-256', cipher: 'AES-128' } as const),
  ...{ transactionID: 'of this request', senderNonce, plaintext: new Uint8Array(0) },
  ra: signers.rsa.certificate,
  signer: { certificate: signers.rsa.certificate, key: await deviceKey('client') },
};

const printable = (text: string): Bytes => tlv(tag.printableString, latin1(text));
const good: Readonly<Partial<Record<keyof typeof attributeOids, Bytes>>> = {
  messageType: printable('3'),
  transactionID: printable(request.transactionID),
  recipientNonce: octets(senderNonce),
  senderNonce: octets(new Uint8Array(16)),
  pkiStatus: printable('3'),
};

/** A CertRep with these attributes instead, or without them. */
function reply(
  changes: { readonly [K in keyof typeof attributeOids]?: Bytes | undefined },
  knobs: Knobs = {},
) {
  const own = Object.entries({ ...good, ...changes }).flatMap(([name, value]) =>
    value ? [attribute(attributeOids[name as keyof typeof attributeOids], value)] : [],
  );
  return signedDataOf({
    attributes: (standard) => [...Object.values(standard), ...own],
    ...knobs,
  });
}
const read = (der: Bytes) => readCertRep(der, request, undefined);

test('RFC 8894 §3.3.2: a reply that the RA signed for this request is pending, or a failure with its words', async () => {
  assert.deepEqual(await read(reply({})), { pkiStatus: 'PENDING' });
  const failed = { pkiStatus: printable('2'), failInfo: printable('2') };
  assert.deepEqual(await read(reply(failed)), {
    ...{ pkiStatus: 'FAILURE', failInfo: 'badRequest', text: undefined },
  });
  const failInfoText = tlv(tag.utf8String, utf8('not today'));
  const said = await read(reply({ ...failed, failInfoText }));
  assert.deepEqual(said, { pkiStatus: 'FAILURE', failInfo: 'badRequest', text: 'not today' });
});

const others: readonly (readonly [what: string, der: Bytes, sentence: RegExp])[] = [
  ['of another signer', reply({}, { signer: signers['P-256'] }), /is not signed by the RA/],
  [
    'whose signature is of something else',
    reply({}, { sign: () => new Uint8Array(256) }),
    /the signature of the reply does not verify/,
  ],
  [
    'of a signature algorithm that nobody has',
    reply({}, { signatureAlgorithm: sequence(objectIdentifier('1.2.3')) }),
    /the signature of the reply does not verify/,
  ],
  ['that is a request', reply({ messageType: printable('19') }), /not a CertRep/],
  ['of another transaction', reply({ transactionID: printable('another') }), /another transaction/],
  ['without a recipientNonce', reply({ recipientNonce: undefined }), /another nonce/],
  ['to another request', reply({ recipientNonce: octets(new Uint8Array(16)) }), /another nonce/],
  ['with a short senderNonce', reply({ senderNonce: octets(new Uint8Array(8)) }), /no senderNonce/],
  [
    'of no known pkiStatus',
    reply({ pkiStatus: printable('4') }),
    /a pkiStatus that does not exist/,
  ],
  [
    'of no known failInfo',
    reply({ pkiStatus: printable('2'), failInfo: printable('9') }),
    /a failInfo that does not exist/,
  ],
];
for (const [what, der, sentence] of others) {
  test(`RFC 8894 §3.2.1: a reply ${what} is refused`, () =>
    assert.rejects(read(der), malformed(sentence)));
}
