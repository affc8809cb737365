// The one registry of algorithms: OID, sizes, names in WebCrypto, node:crypto and KMS, capability keyword
// and legacy switch. Other code looks an algorithm up here; it compares OIDs itself only for the fixed
// parts of a scheme (MGF1, PBKDF2, key wrap). GetCACaps is derived from these tables. A weak entry names
// the switch that an endpoint must set before it is accepted.

/** The legacy switches of an endpoint's configuration; all are off unless it says otherwise. */
type LegacySwitch = 'sha1' | 'md5' | 'des3' | 'des';
export type Legacy = Readonly<Record<LegacySwitch, boolean>>;

/** RFC 8894 §3.5.2; `SHA-384` is not in the RFC, strongSwan before 5.9.11 needs it. */
export type Capability = 'AES' | 'DES3' | 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512';

export type DigestName = 'MD5' | 'SHA-1' | 'SHA-224' | 'SHA-256' | 'SHA-384' | 'SHA-512';
export type Digest = {
  readonly name: DigestName;
  readonly oid: string;
  readonly octets: number;
  /** WebCrypto knows it, by `name`; MD5 and SHA-224 go through `crypto/native.ts`. */
  readonly webCrypto: boolean;
  /** The same of node:crypto, and of what KMS signs with. */
  readonly node: string;
  readonly kms: 'SHA_256' | 'SHA_384' | 'SHA_512' | undefined;
  /** Combined OIDs: the digest fixed by a signature algorithm (RFC 8017 A.2.4, RFC 5758 §3). */
  readonly rsaOid: string;
  readonly ecdsaOid: string | undefined;
  /** The digest a CertRep is signed with when the request used this one. */
  readonly reply: DigestName;
  readonly capability: Capability | undefined;
  readonly legacy: LegacySwitch | undefined;
};

const sha2 = <B extends 256 | 384 | 512>(bits: B, arc: number, rsa: number, ecdsa: number) =>
  ({
    name: `SHA-${bits}`,
    oid: `2.16.840.1.101.3.4.2.${arc}`,
    octets: bits / 8,
    webCrypto: true,
    node: `sha${bits}`,
    kms: `SHA_${bits}`,
    rsaOid: `1.2.840.113549.1.1.${rsa}`,
    ecdsaOid: `1.2.840.10045.4.3.${ecdsa}`,
    reply: `SHA-${bits}`,
    capability: `SHA-${bits}`,
    legacy: undefined,
  }) as const;

export const digests = {
  MD5: {
    name: 'MD5',
    oid: '1.2.840.113549.2.5',
    octets: 16,
    webCrypto: false,
    node: 'md5',
    kms: undefined,
    rsaOid: '1.2.840.113549.1.1.4',
    ecdsaOid: undefined,
    reply: 'MD5',
    capability: undefined,
    legacy: 'md5',
  },
  'SHA-1': {
    name: 'SHA-1',
    oid: '1.3.14.3.2.26',
    octets: 20,
    webCrypto: true,
    node: 'sha1',
    kms: undefined,
    rsaOid: '1.2.840.113549.1.1.5',
    ecdsaOid: '1.2.840.10045.4.1',
    reply: 'SHA-1',
    capability: 'SHA-1',
    legacy: 'sha1',
  },
  'SHA-224': {
    name: 'SHA-224',
    oid: '2.16.840.1.101.3.4.2.4',
    octets: 28,
    webCrypto: false,
    node: 'sha224',
    kms: undefined,
    rsaOid: '1.2.840.113549.1.1.14',
    ecdsaOid: '1.2.840.10045.4.3.1',
    reply: 'SHA-256',
    capability: undefined,
    legacy: undefined,
  },
  'SHA-256': sha2(256, 1, 11, 2),
  'SHA-384': sha2(384, 2, 12, 3),
  'SHA-512': sha2(512, 3, 13, 4),
} as const satisfies Record<DigestName, Digest>;

export type ContentCipherName = 'AES-128' | 'AES-192' | 'AES-256' | '3DES' | 'DES';
export type ContentCipher = {
  readonly name: ContentCipherName;
  readonly oid: string;
  /** Octets of the key, and of a block, which is also the length of the IV. All are CBC. */
  readonly keyOctets: number;
  readonly blockOctets: number;
  /** Its name in node:crypto, which has no single DES: 3DES under K, K, K is the same cipher. */
  readonly node: string;
  readonly capability: Capability | undefined;
  readonly legacy: LegacySwitch | undefined;
};

const aesCbc = (bits: 128 | 192 | 256, arc: number): ContentCipher => ({
  name: `AES-${bits}`,
  oid: `2.16.840.1.101.3.4.1.${arc}`,
  keyOctets: bits / 8,
  blockOctets: 16,
  node: `aes-${bits}-cbc`,
  capability: 'AES',
  legacy: undefined,
});

export const contentCiphers = {
  'AES-128': aesCbc(128, 2),
  'AES-192': aesCbc(192, 22),
  'AES-256': aesCbc(256, 42),
  '3DES': {
    name: '3DES',
    oid: '1.2.840.113549.3.7',
    keyOctets: 24,
    blockOctets: 8,
    node: 'des-ede3-cbc',
    capability: 'DES3',
    legacy: 'des3',
  },
  DES: {
    name: 'DES',
    oid: '1.3.14.3.2.7',
    keyOctets: 8,
    blockOctets: 8,
    node: 'des-ede3-cbc',
    capability: undefined,
    legacy: 'des',
  },
} as const satisfies Record<ContentCipherName, ContentCipher>;

export type CurveName = 'P-256' | 'P-384' | 'P-521';
type Curve = {
  readonly name: CurveName;
  readonly oid: string;
  /** Octets of a coordinate, and of each half of a raw ECDSA signature. */
  readonly octets: number;
  /** The curve is y² = x³ - 3x + b modulo the prime (NIST SP 800-186 §3.2.1). */
  readonly prime: bigint;
  readonly b: bigint;
};
export const curves = {
  'P-256': {
    name: 'P-256',
    oid: '1.2.840.10045.3.1.7',
    octets: 32,
    prime: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  },
  'P-384': {
    name: 'P-384',
    oid: '1.3.132.0.34',
    octets: 48,
    prime: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: BigInt(
      '0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef',
    ),
  },
  'P-521': {
    name: 'P-521',
    oid: '1.3.132.0.35',
    octets: 66,
    prime: 2n ** 521n - 1n,
    b: BigInt(
      '0x51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00',
    ),
  },
} as const satisfies Record<CurveName, Curve>;

/** Key algorithms, and the algorithms that fix no digest of their own. */
export const oids = {
  rsaEncryption: '1.2.840.113549.1.1.1',
  rsaesOaep: '1.2.840.113549.1.1.7',
  mgf1: '1.2.840.113549.1.1.8',
  pSpecified: '1.2.840.113549.1.1.9',
  rsassaPss: '1.2.840.113549.1.1.10',
  ecPublicKey: '1.2.840.10045.2.1',
  ed25519: '1.3.101.112',
  pbkdf2: '1.2.840.113549.1.5.12',
  pwriKek: '1.2.840.113549.1.9.16.3.9',
  hmacWithSha256: '1.2.840.113549.2.9',
} as const;

export type KeySpec =
  | { readonly type: 'RSA'; readonly bits: 2048 | 3072 | 4096 }
  | { readonly type: 'EC'; readonly curve: 'P-256' | 'P-384' };
export type SigningAlgorithm = {
  readonly kind: 'RSASSA-PKCS1-v1_5' | 'ECDSA';
  readonly digest: 'SHA-256' | 'SHA-384' | 'SHA-512';
};
type CaKey = {
  readonly spec: KeySpec;
  /** The one signature algorithm that it signs with. */
  readonly algorithm: SigningAlgorithm;
  /** Its KeySpec in KMS. */
  readonly kms: string;
};
const rsaSha256 = { kind: 'RSASSA-PKCS1-v1_5', digest: 'SHA-256' } as const;

/** What a CA key can be, by the names of the configuration. */
export const caKeys = {
  'rsa:2048': { spec: { type: 'RSA', bits: 2048 }, algorithm: rsaSha256, kms: 'RSA_2048' },
  'rsa:3072': { spec: { type: 'RSA', bits: 3072 }, algorithm: rsaSha256, kms: 'RSA_3072' },
  'rsa:4096': { spec: { type: 'RSA', bits: 4096 }, algorithm: rsaSha256, kms: 'RSA_4096' },
  'ec:P-256': {
    spec: { type: 'EC', curve: 'P-256' },
    algorithm: { kind: 'ECDSA', digest: 'SHA-256' },
    kms: 'ECC_NIST_P256',
  },
  'ec:P-384': {
    spec: { type: 'EC', curve: 'P-384' },
    algorithm: { kind: 'ECDSA', digest: 'SHA-384' },
    kms: 'ECC_NIST_P384',
  },
} as const satisfies Record<string, CaKey>;
export const caKeyOf = (spec: KeySpec) =>
  caKeys[spec.type === 'RSA' ? (`rsa:${spec.bits}` as const) : (`ec:${spec.curve}` as const)];
export const caKeyNames = Object.keys(caKeys) as (keyof typeof caKeys)[];

/** What a CA key of this kind signs with; RSA keys of every size with the same. */
export const signingAlgorithmOf = (kind: {
  readonly type: string;
  readonly curve?: string;
}): SigningAlgorithm | undefined =>
  Object.values<CaKey>(caKeys).find(
    ({ spec }) => spec.type === kind.type && (spec.type === 'RSA' || spec.curve === kind.curve),
  )?.algorithm;

function byOid<T extends { readonly oid: string }>(table: Record<string, T>): Map<string, T> {
  return new Map(Object.values(table).map((entry) => [entry.oid, entry]));
}
const digestByOid: ReadonlyMap<string, Digest> = byOid<Digest>(digests);
const cipherByOid: ReadonlyMap<string, ContentCipher> = byOid<ContentCipher>(contentCiphers);
const curveByOid: ReadonlyMap<string, Curve> = byOid<Curve>(curves);
type Combined = { readonly kind: 'RSASSA-PKCS1-v1_5' | 'ECDSA'; readonly digest: Digest };
const combined: ReadonlyMap<string, Combined> = new Map(
  Object.values<Digest>(digests).flatMap((digest): [string, Combined][] => [
    [digest.rsaOid, { kind: 'RSASSA-PKCS1-v1_5', digest }],
    ...(digest.ecdsaOid
      ? [[digest.ecdsaOid, { kind: 'ECDSA', digest }] satisfies [string, Combined]]
      : []),
  ]),
);

/** Each returns undefined for an OID it does not know; the caller knows which refusal that is. */
export const digestOf = (oid: string): Digest | undefined => digestByOid.get(oid);
export const contentCipherOf = (oid: string): ContentCipher | undefined => cipherByOid.get(oid);
export const curveOf = (oid: string): Curve | undefined => curveByOid.get(oid);
export const combinedSignatureOf = (oid: string): Combined | undefined => combined.get(oid);

/** Whether an endpoint with these switches accepts the entry. */
export function accepted(
  entry: { readonly legacy: LegacySwitch | undefined },
  legacy: Legacy,
): boolean {
  return entry.legacy === undefined || legacy[entry.legacy];
}
