// A SCEP profile of the fake Intune: the challengePasswords that it makes, the PKCS#10 of a device that obeys it, and how
// Intune judges one. What judges is pkijs, and no code of ours.

import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import {
  Certificate,
  CertificationRequest,
  type Extension,
  Extensions,
  type GeneralName,
  RelativeDistinguishedNames,
} from 'pkijs';
import type { intuneCodes } from '../../../lib/adapters/intune/codes.ts';
import { tag } from '../../../lib/asn1/reader.ts';
import {
  bits,
  explicit,
  integer,
  objectIdentifier,
  sequence,
  setOf,
  tlv,
} from '../../../lib/asn1/writer.ts';
import { type Bytes, concat, utf8 } from '../../../lib/base/bytes.ts';
import {
  extKeyUsage,
  type KeyUsage,
  keyUsage,
  keyUsages,
  subjectAltName,
} from '../../../lib/x509/extensions.ts';
import { parseGeneralName } from '../../../lib/x509/names/general-name.ts';
import { parseName } from '../../../lib/x509/names/name.ts';

const CHALLENGE = '1.2.840.113549.1.9.7';
const EXTENSIONS = '1.2.840.113549.1.9.14';
const UPN = '1.3.6.1.4.1.311.20.2.3';

export type ScepProfile = {
  /** RFC 4514. */
  readonly subject: string;
  /** `email:`, `upn:`, `uri:` or `dns:` before each. */
  readonly names: readonly string[];
  readonly keyUsage: readonly KeyUsage[];
  /** OIDs. */
  readonly purposes: readonly string[];
  readonly keyBits: 1024 | 2048 | 4096;
  readonly hashes: readonly ('SHA-1' | 'SHA-2')[];
};

export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

export const commonProfile: ScepProfile = {
  subject: 'CN=alice',
  names: ['upn:alice@contoso.example'],
  keyUsage: ['digitalSignature', 'keyEncipherment'],
  purposes: [CLIENT_AUTH],
  keyBits: 2048,
  hashes: ['SHA-2'],
};

export type IntuneCode = keyof typeof intuneCodes | 'Success';

/** What a challengePassword says to Intune. */
export type Challenge = {
  readonly requestId: string;
  readonly deviceId: string;
  readonly userId: string;
  readonly profile: ScepProfile;
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
};

/** What the service knows beside the challenge. */
export type Known = {
  readonly now: number;
  readonly key: Buffer;
  readonly requests: ReadonlySet<string>;
  readonly devices: ReadonlySet<string>;
  readonly users: ReadonlySet<string>;
  /** Requests whose profile is assigned to their device no longer. */
  readonly untargeted: ReadonlySet<string>;
};

/** A challengePassword: several kB of base64 that only the key opens. */
export function sealChallenge(challenge: Challenge | string, key: Buffer): string {
  const text = typeof challenge === 'string' ? challenge : JSON.stringify(challenge).padEnd(3000);
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  const sealed = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([sealed, cipher.getAuthTag()]).toString('base64');
}

function openChallenge(text: string, key: Buffer): Challenge | IntuneCode {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return 'ChallengeDecodingError';
  const octets = Buffer.from(text, 'base64');
  if (octets.length < 28) return 'ChallengeDecodingError';
  let json: string;
  try {
    const cipher = createDecipheriv('aes-256-gcm', key, octets.subarray(0, 12));
    cipher.setAuthTag(octets.subarray(-16));
    json = Buffer.concat([cipher.update(octets.subarray(12, -16)), cipher.final()]).toString();
  } catch {
    return 'ChallengeDecryptionError';
  }
  try {
    return JSON.parse(json) as Challenge;
  } catch {
    return 'ChallengeDeserializationError';
  }
}

/** The device's side: what its request may have otherwise than the profile says. */
export type Bent = Partial<Omit<ScepProfile, 'keyBits' | 'hashes'>> & {
  readonly hash?: 'sha1' | 'sha256';
  readonly brokenSignature?: true;
};

/** A PKCS#10, DER. */
export function deviceRequest(
  key: KeyObject,
  profile: ScepProfile,
  challenge: string | undefined,
  bent: Bent = {},
): Bytes {
  const { subject, names, keyUsage: usages, purposes } = { ...profile, ...bent };
  const hash = bent.hash ?? (profile.hashes.includes('SHA-2') ? 'sha256' : 'sha1');
  const spki = concat([createPublicKey(key).export({ type: 'spki', format: 'der' })]);
  const asked = [
    ...(usages.length > 0 ? [keyUsage(usages)] : []),
    ...(purposes.length > 0 ? [extKeyUsage(purposes)] : []),
    ...(names.length > 0 ? [subjectAltName(names.map(parseGeneralName), false)] : []),
  ];
  const attributes = [
    ...(challenge === undefined
      ? []
      : [attribute(CHALLENGE, tlv(tag.printableString, utf8(challenge)))]),
    ...(asked.length > 0 ? [attribute(EXTENSIONS, sequence(...asked))] : []),
  ];
  const info = sequence(integer(0), parseName(subject), spki, explicit(0, ...attributes));
  const signature = concat([sign(hash, info, key)]);
  if (bent.brokenSignature) signature[9] = (signature[9] ?? 0) ^ 1;
  const algorithm = { sha1: '1.2.840.113549.1.1.5', sha256: '1.2.840.113549.1.1.11' }[hash];
  return sequence(info, sequence(objectIdentifier(algorithm), tlv(tag.null)), bits(signature));
}

const attribute = (type: string, value: Bytes): Bytes =>
  sequence(objectIdentifier(type), setOf(value));

/** Intune's word on a PKCS#10. */
export async function judge(der: Buffer, known: Known): Promise<IntuneCode> {
  const request = read(der);
  if (!request) return 'CertificateRequestDecodingFailed';
  const text = challengeOf(request);
  if (!text) return 'ChallengePasswordMissing';
  const challenge = openChallenge(text, known.key);
  if (typeof challenge === 'string') return challenge;
  const { requestId, deviceId, userId, profile, from, to } = challenge;
  if (!(from <= known.now)) return 'ChallengeInvalidTimestamp';
  if (known.now > to) return 'ChallengeExpired';
  if (!known.requests.has(requestId)) return 'BadCertificateRequestIdInChallenge';
  if (!known.devices.has(deviceId)) return 'BadDeviceIdInChallenge';
  if (!known.users.has(userId)) return 'BadUserIdInChallenge';
  if (known.untargeted.has(requestId)) return 'ScepProfileNoLongerTargetedToTheClient';
  const hash =
    request.signatureAlgorithm.algorithmId === '1.2.840.113549.1.1.5' ? 'SHA-1' : 'SHA-2';
  const verified = await request.verify().catch(() => false);
  if (!verified || !profile.hashes.includes(hash)) return 'SignatureValidationFailed';
  return judgeProperties(request, profile);
}

function judgeProperties(request: CertificationRequest, profile: ScepProfile): IntuneCode {
  const subject = attributesOf(request.subject);
  const wanted = RelativeDistinguishedNames.fromBER(parseName(profile.subject));
  if (subject.length === 0) return 'SubjectNameMissing';
  if (!same(subject, attributesOf(wanted))) return 'SubjectNameMismatch';
  const extensions = extensionsOf(request);
  const names = altNamesOf(extensions.get('2.5.29.17'));
  if (names.length === 0 && profile.names.length > 0) return 'SubjectAltNameMissing';
  if (!same(names, profile.names)) return 'SubjectAltNameMismatch';
  if (!same(usagesOf(extensions.get('2.5.29.15')), profile.keyUsage)) return 'KeyUsageMismatch';
  const purposes = purposesOf(extensions.get('2.5.29.37'));
  if (purposes.length === 0 && profile.purposes.length > 0) return 'EnhancedKeyUsageMissing';
  if (!same(purposes, profile.purposes)) return 'EnhancedKeyUsageMismatch';
  const spki = Buffer.from(request.subjectPublicKeyInfo.toSchema().toBER());
  const { asymmetricKeyDetails } = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  return asymmetricKeyDetails?.modulusLength === profile.keyBits ? 'Success' : 'KeyLengthMismatch';
}

function read(der: Buffer): CertificationRequest | undefined {
  try {
    return CertificationRequest.fromBER(new Uint8Array(der));
  } catch {
    return undefined;
  }
}

const same = (a: readonly string[], b: readonly string[]): boolean =>
  a.toSorted().join('\n') === b.toSorted().join('\n');

const attributesOf = ({ typesAndValues }: RelativeDistinguishedNames): string[] =>
  typesAndValues.map(({ type, value }) => `${type}=${value.valueBlock.value}`);

function challengeOf({ attributes = [] }: CertificationRequest): string | undefined {
  const [value] = attributes.find(({ type }) => type === CHALLENGE)?.values ?? [];
  return value?.valueBlock.value;
}

/** What the extensionRequest asks for, by OID. */
function extensionsOf({ attributes = [] }: CertificationRequest): ReadonlyMap<string, Extension> {
  const [schema] = attributes.find(({ type }) => type === EXTENSIONS)?.values ?? [];
  const list = schema ? new Extensions({ schema }).extensions : [];
  return new Map(list.map((one) => [one.extnID, one]));
}

/** The names of a certificate, DER, as `ScepProfile` has them. */
export function certifiedNames(der: Uint8Array): string[] {
  const { extensions = [] } = Certificate.fromBER(concat([der]));
  return altNamesOf(extensions.find(({ extnID }) => extnID === '2.5.29.17'));
}

function altNamesOf(extension: Extension | undefined): string[] {
  const { altNames = [] } = (extension?.parsedValue ?? {}) as { altNames?: GeneralName[] };
  return altNames.map(({ type, value }) => {
    if (type === 1) return `email:${value}`;
    if (type === 2) return `dns:${value}`;
    if (type === 6) return `uri:${value}`;
    // An otherName: its type, and [0] with a UTF8String.
    const [id, wrapped] = value.valueBlock?.value ?? [];
    const [text] = wrapped?.valueBlock?.value ?? [];
    const kind = id?.valueBlock?.toString() === UPN ? 'upn' : 'other';
    return `${kind}:${text?.valueBlock?.value}`;
  });
}

function usagesOf(extension: Extension | undefined): string[] {
  const { valueBlock } = (extension?.parsedValue ?? {}) as { valueBlock?: { valueHexView: Bytes } };
  const octet = valueBlock?.valueHexView[0] ?? 0;
  return keyUsages.filter((_, bit) => octet & (0x80 >> bit));
}

const purposesOf = (extension: Extension | undefined): readonly string[] =>
  ((extension?.parsedValue ?? {}) as { keyPurposes?: string[] }).keyPurposes ?? [];
