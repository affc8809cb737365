// How each client that was looked at reads GetCACaps and GetCACert, as its own code does: what it will then send,
// or why it does not get that far (docs/doctor.md, what clients do).

import type { ContentCipherName, DigestName } from '../../crypto/algorithms.ts';
import { mediaTypes } from '../../protocol/scep/wire/registry.ts';
import type { KeyUsage } from '../../x509/extensions.ts';

export type Choice = {
  readonly cipher: ContentCipherName;
  readonly digest: DigestName;
  readonly by: 'POST' | 'GET';
};
/** Why the client does not enrol. */
type Refuses = { readonly why: string };

/** A certificate of GetCACert, as far as clients look at it. */
type Listed = {
  readonly isCa: boolean;
  /** Undefined: it has no keyUsage, and may be used for everything. */
  readonly usages: readonly KeyUsage[] | undefined;
  readonly isRsa: boolean;
};
type Bag = { readonly type: string; readonly listed: readonly Listed[] };

type Client = {
  readonly name: string;
  /** A tool for trying out, on which no device depends. */
  readonly isRare?: true;
  /** Absent where it is not known. @param body of GetCACaps; empty where it was refused */
  readonly caps?: (body: string) => Choice | Refuses;
  /** @returns why it stops at what GetCACert gives it */
  readonly bag?: (bag: Bag) => string | undefined;
};

const exactLines = (body: string): ReadonlySet<string> => new Set(body.split(/[\r\n]+/));

type Preference<T> = readonly (readonly [keyword: string, T])[];
const strongest: Preference<DigestName> = [
  ['SHA-512', 'SHA-512'],
  ['SHA-384', 'SHA-384'],
  ['SHA-256', 'SHA-256'],
  ['SHA-224', 'SHA-224'],
  ['SHA-1', 'SHA-1'],
];
const withoutOdd = strongest.filter(([, name]) => name !== 'SHA-384' && name !== 'SHA-224');
const ciphers: Preference<ContentCipherName> = [
  ['AES', 'AES-128'],
  ['DES3', '3DES'],
];
const first = <T>(words: ReadonlySet<string>, preferred: Preference<T>): T | undefined =>
  preferred.find(([word]) => words.has(word))?.[1];

const forBoth: readonly KeyUsage[] = ['digitalSignature', 'keyEncipherment'];
const may = ({ usages }: Listed, wanted: readonly KeyUsage[]): boolean =>
  usages === undefined || wanted.every((usage) => usages.includes(usage));
const withParameters = (type: string): boolean => type.includes(';');

/** What falls back to DES or MD5 is refused by every server that keeps to RFC 8894 §2.9. */
const fallsBack = 'it finds no algorithm that it knows in GetCACaps, and falls back to DES and MD5';

export const clients: readonly Client[] = [
  {
    name: 'Apple',
    caps: (body) => {
      const words = new Set(body.split('\n'));
      const digest = first(words, withoutOdd);
      if (!digest) {
        const ends = body.includes('\r') ? ': lines end in CR LF, and it splits at LF only' : '';
        return { why: `"CA does not have the required capability": no SHA keyword${ends}` };
      }
      const cipher = first(words, ciphers) ?? '3DES';
      return { cipher, digest, by: words.has('POSTPKIOperation') ? 'POST' : 'GET' };
    },
    bag: ({ type, listed }) => {
      if (withParameters(type))
        return 'it compares the Content-Type as a whole, and this one has parameters';
      if (type !== mediaTypes.caRaCert) return undefined;
      const candidates = listed.filter(
        (one) => one.isRsa && (may(one, ['digitalSignature']) || may(one, ['keyEncipherment'])),
      );
      const found =
        candidates.some((one) => may(one, forBoth)) ||
        (candidates.some((one) => may(one, ['digitalSignature'])) &&
          candidates.some((one) => may(one, ['keyEncipherment'])));
      return found
        ? undefined
        : 'errSecKeyUsageIncorrect: no RSA certificate has the keyUsage digitalSignature and keyEncipherment';
    },
  },
  {
    name: 'sscep',
    caps: (body) => {
      const words = exactLines(body);
      const standard = words.has('SCEPStandard');
      const digest = first(words, strongest) ?? (standard ? 'SHA-256' : undefined);
      const cipher = first(words, ciphers) ?? (standard ? 'AES-128' : undefined);
      if (!digest || !cipher) return { why: fallsBack };
      return { cipher, digest, by: standard || words.has('POSTPKIOperation') ? 'POST' : 'GET' };
    },
  },
  {
    name: 'strongSwan 5.9.8',
    caps: (body) => {
      const words = new Set([...exactLines(body)].map((word) => word.toUpperCase()));
      if (!words.has('SHA-256') || !words.has('AES')) {
        return { why: 'SHA-256 and AES are not listed one by one, and it knows no SCEPStandard' };
      }
      return words.has('SHA-384')
        ? { cipher: 'AES-128', digest: 'SHA-256', by: 'POST' }
        : {
            why: '"AES_CBC encryption algorithm not supported by CA": before 5.9.11 it wants SHA-384 listed, too',
          };
    },
  },
  {
    name: 'certmonger',
    caps: (body) => {
      if (body.length > 1024) return { why: 'GetCACaps has more than 1,024 octets' };
      const words = exactLines(body);
      const cipher = !words.has('AES') && words.has('DES3') ? '3DES' : 'AES-256';
      return { cipher, digest: 'SHA-256', by: 'GET' };
    },
    bag: ({ type, listed }) => {
      if (withParameters(type)) return 'it stays unconfigured: the Content-Type has parameters';
      return listed.every(({ isCa }) => isCa)
        ? '"PKCS7 certificate verify error": it needs a certificate of an RA beside that of the CA'
        : undefined;
    },
  },
  {
    name: 'jscep',
    caps: (body) => {
      const words = exactLines(body);
      const standard = words.has('SCEPStandard');
      const digest = first(words, withoutOdd) ?? (standard ? 'SHA-256' : undefined);
      const cipher = first(words, ciphers) ?? (standard ? 'AES-128' : undefined);
      if (!digest || !cipher) return { why: fallsBack };
      return { cipher, digest, by: standard || words.has('POSTPKIOperation') ? 'POST' : 'GET' };
    },
  },
  {
    name: 'micromdm',
    isRare: true,
    // It sends DES and SHA-1 whatever is listed, which only servers for old devices accept.
    bag: ({ type, listed }) => {
      if (withParameters(type))
        return '"malformed tbs certificate": the Content-Type has parameters';
      return listed.every(({ isRsa }) => isRsa)
        ? undefined
        : 'it encrypts to every certificate of GetCACert, and one has no RSA key';
    },
  },
  {
    name: 'Windows',
    bag: ({ type, listed }) => {
      if (type !== mediaTypes.caRaCert) return undefined;
      return listed.some((one) => one.usages !== undefined && may(one, forBoth))
        ? undefined
        : '0x8010002c: no certificate says digitalSignature and keyEncipherment in its keyUsage';
    },
  },
];
