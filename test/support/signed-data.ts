// A SignedData with one signer, built from parts that can each be replaced: what the encoders of lib/
// never write and of which the reader must still be sure. Keys are made once per process.

import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { context, raw, tag } from '../../lib/asn1/reader.ts';
import {
  explicit,
  integer,
  objectIdentifier,
  octets,
  sequence,
  setOf,
  tlv,
} from '../../lib/asn1/writer.ts';
import { type Bytes, concat, fromPem, utf8 } from '../../lib/base/bytes.ts';
import { type CurveName, type DigestName, digests } from '../../lib/crypto/algorithms.ts';
import { hash } from '../../lib/crypto/native.ts';
import {
  digestAlgorithm,
  rsaEncryption,
  type SignatureScheme,
  signatureAlgorithm,
} from '../../lib/x509/algorithm.ts';
import {
  type Certificate,
  encodeTbsCertificate,
  readCertificate,
  signed,
} from '../../lib/x509/certificate.ts';
import { subjectKeyIdentifier } from '../../lib/x509/extensions.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { attribute } from './messages.ts';
import { vectorText } from './vectors.ts';

export const nodeDigests: Record<DigestName, string> = {
  MD5: 'md5',
  'SHA-1': 'sha1',
  'SHA-224': 'sha224',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
};

export type TestSigner = {
  readonly privateKey: KeyObject;
  readonly spki: Bytes;
  readonly certificate: Certificate;
};

export const keyIdentifierOf = (spki: Bytes): Bytes => hash('SHA-1', spki);

type CertificateOptions = {
  readonly name?: string;
  readonly serial?: number;
  /** Replaces the extensions, which are a subjectKeyIdentifier. */
  readonly extensions?: Bytes[];
};

/** A certificate of the key, signed by `privateKey` in a way that nobody here looks at. */
export function certify(spki: Bytes, privateKey: KeyObject, options: CertificateOptions): Bytes {
  const { name = 'CN=signer', serial = 0x1234 } = options;
  const scheme: SignatureScheme = { kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-256'] };
  const tbs = encodeTbsCertificate({
    serial: Uint8Array.of(serial >> 8, serial & 255),
    scheme,
    issuer: parseName(name),
    subject: parseName(name),
    spki,
    notBefore: Date.UTC(2026, 0, 1),
    notAfter: Date.UTC(2027, 0, 1),
    extensions: options.extensions ?? [subjectKeyIdentifier(keyIdentifierOf(spki))],
  });
  const digest = privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  return signed(tbs, scheme, concat([sign(digest, tbs, privateKey)]));
}

function signerFrom(privateKey: KeyObject, spki: Bytes): TestSigner {
  return { privateKey, spki, certificate: readCertificate(certify(spki, privateKey, {})) };
}
const generated = ({ privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject }) =>
  signerFrom(privateKey, concat([publicKey.export({ type: 'spki', format: 'der' })]));

const [ra = new Uint8Array(0)] = fromPem('CERTIFICATE', vectorText('captures/pki/ra.pem'));
export const signers = {
  rsa: signerFrom(
    createPrivateKey(vectorText('captures/pki/ra.key')),
    raw(readCertificate(ra).spki),
  ),
  'P-256': generated(generateKeyPairSync('ec', { namedCurve: 'P-256' })),
  'P-384': generated(generateKeyPairSync('ec', { namedCurve: 'P-384' })),
  'P-521': generated(generateKeyPairSync('ec', { namedCurve: 'P-521' })),
  Ed25519: generated(generateKeyPairSync('ed25519')),
} satisfies Record<CurveName | 'rsa' | 'Ed25519', TestSigner>;

export const cmsOids = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  envelopedData: '1.2.840.113549.1.7.3',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingTime: '1.2.840.113549.1.9.5',
} as const;
const oid = objectIdentifier;

/** What a test may replace; everything else is as it should be. */
export type Knobs = {
  readonly signer?: TestSigner;
  readonly digest?: DigestName;
  readonly eContent?: Bytes;
  readonly eContentType?: string;
  /** The whole encapContentInfo. */
  readonly encapsulated?: Bytes;
  readonly sid?: Bytes;
  readonly digestAlgorithm?: Bytes;
  readonly attributes?: (standard: StandardAttributes) => readonly Bytes[];
  /** What stands for `[0] signedAttrs`, given as it should be; nothing leaves it out. */
  readonly signedAttrs?: (implicit: Bytes) => readonly Bytes[];
  readonly signatureAlgorithm?: Bytes;
  readonly sign?: (signedAttrs: Bytes) => Bytes;
  readonly unsignedAttrs?: Bytes;
  /** What stands between encapContentInfo and signerInfos. */
  readonly bag?: readonly Bytes[];
  readonly signerInfos?: (signerInfo: Bytes) => readonly Bytes[];
};
export type StandardAttributes = { readonly contentType: Bytes; readonly messageDigest: Bytes };

export const content = utf8('the content of the message');
export const sidOf = ({ issuer, serial }: Certificate): Bytes =>
  sequence(issuer, tlv(tag.integer, serial));
export const bagOf = (...certificates: readonly Bytes[]): Bytes => tlv(context(0), ...certificates);

export function signerInfoOf(knobs: Knobs = {}): Bytes {
  const { signer = signers.rsa, digest = 'SHA-256', eContent = content } = knobs;
  const standard = {
    contentType: attribute(cmsOids.contentType, oid(cmsOids.data)),
    messageDigest: attribute(cmsOids.messageDigest, octets(hash(digest, eContent))),
  };
  const signedAttrs = setOf(...(knobs.attributes?.(standard) ?? Object.values(standard)));
  const implicit = concat([Uint8Array.of(context(0)), signedAttrs.subarray(1)]);
  const { privateKey, certificate } = signer;
  const node = privateKey.asymmetricKeyType === 'ed25519' ? null : nodeDigests[digest];
  const signature = knobs.sign?.(signedAttrs) ?? concat([sign(node, signedAttrs, privateKey)]);
  return sequence(
    integer(1),
    knobs.sid ?? sidOf(certificate),
    knobs.digestAlgorithm ?? digestAlgorithm(digests[digest]),
    ...(knobs.signedAttrs?.(implicit) ?? [implicit]),
    knobs.signatureAlgorithm ?? algorithmOf(signer, digest),
    octets(signature),
    ...(knobs.unsignedAttrs ? [knobs.unsignedAttrs] : []),
  );
}

/** As clients write it: `rsaEncryption`, or the algorithm with the digest in it. */
export function algorithmOf({ privateKey }: TestSigner, digest: DigestName): Bytes {
  switch (privateKey.asymmetricKeyType) {
    case 'rsa':
      return rsaEncryption;
    case 'ec':
      return signatureAlgorithm({ kind: 'ECDSA', digest: digests[digest] });
    default:
      return signatureAlgorithm({ kind: 'Ed25519', digest: digests['SHA-512'] });
  }
}

/** As ContentInfo. */
export function signedDataOf(knobs: Knobs = {}): Bytes {
  const { signer = signers.rsa, digest = 'SHA-256', eContent = content } = knobs;
  const type = oid(knobs.eContentType ?? cmsOids.data);
  const signerInfo = signerInfoOf(knobs);
  return sequence(
    oid(cmsOids.signedData),
    explicit(
      0,
      sequence(
        integer(1),
        setOf(digestAlgorithm(digests[digest])),
        knobs.encapsulated ?? sequence(type, explicit(0, octets(eContent))),
        ...(knobs.bag ?? [bagOf(signer.certificate.der)]),
        tlv(tag.set, ...(knobs.signerInfos?.(signerInfo) ?? [signerInfo])),
      ),
    ),
  );
}
