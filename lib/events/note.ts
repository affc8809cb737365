// Signed notes (C2SP signed-note) and the checkpoint of a log (C2SP tlog-checkpoint), signed with ECDSA P-256 and
// SHA-256: signature type 0x02, whose key ID is of the SubjectPublicKeyInfo alone.

import { scan } from '../asn1/reader.ts';
import {
  type Bytes,
  base64,
  concat,
  equal,
  fromBase64,
  fromHex,
  hex,
  utf8,
} from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { iso } from '../base/text.ts';
import { digests } from '../crypto/algorithms.ts';
import { hash } from '../crypto/native.ts';
import { type PublicKey, readPublicKey, verifySignature } from '../x509/public-key.ts';
import { HASH_OCTETS } from './tiles.ts';

/** ECDSA with SHA-256 over the text of a note. */
const noteScheme = { kind: 'ECDSA', digest: digests['SHA-256'] } as const;
const ECDSA_TYPE = 0x02;
const KEY_ID_OCTETS = 4;

export type Verifier = {
  /** The origin of the log. */
  readonly name: string;
  readonly key: PublicKey;
};

const keyIdOf = ({ spki }: Pick<PublicKey, 'spki'>): Bytes =>
  hash('SHA-256', spki).slice(0, KEY_ID_OCTETS);

/**
 * The name, or the origin, with which a log began: one that has ended goes on as NAME.2, whose origin has eight digits
 * more that no other has.
 */
export const firstNameOf = (name: string): string =>
  name.replace(/\.[1-9]\d*(?:-[0-9a-f]{8})?$/, '');

/** In hexadecimal digits, as verifier keys have it. */
export const keyId = (key: Pick<PublicKey, 'spki'>): string => hex(keyIdOf(key));

/** No space and no plus: they separate the parts of lines and of verifier keys. */
const isKeyName = (name: string): boolean => /^[^\s+]+$/u.test(name);

/** @param spki SubjectPublicKeyInfo, DER @throws {Malformed} when it is no key on P-256 */
export function logKey(spki: Bytes): PublicKey {
  const key = readPublicKey(scan(spki));
  if (key?.kind.type !== 'EC' || key.kind.curve !== 'P-256') {
    throw new Malformed('the key of a log is an ECDSA key on P-256');
  }
  return key;
}

/** `NAME+HEX+BASE64`, as verifiers are configured with it. */
export const verifierKey = ({ name, key }: Verifier): string =>
  `${name}+${keyId(key)}+${base64(concat([Uint8Array.of(ECDSA_TYPE), key.spki]))}`;

/** @throws {Malformed} */
export function readVerifierKey(text: string): Verifier {
  const [name = '', id = '', encoded = ''] = text.trim().split(/\+([0-9a-f]{8})\+/);
  const octets = decoded(encoded);
  const key = octets?.[0] === ECDSA_TYPE ? logKey(octets.slice(1)) : undefined;
  if (!isKeyName(name) || !key || !equal(keyIdOf(key), fromHex(id))) {
    throw new Malformed('not the verifier key of a log: NAME+8 hexadecimal digits+base64, ECDSA');
  }
  return { name, key };
}

function decoded(text: string): Bytes | undefined {
  try {
    const octets = fromBase64(text);
    return base64(octets) === text ? octets : undefined;
  } catch {
    return undefined;
  }
}

/** @param text ends in a newline @param signature over it, Ecdsa-Sig-Value, DER */
export const signedNote = (text: string, { name, key }: Verifier, signature: Bytes): string =>
  `${text}\n— ${name} ${base64(concat([keyIdOf(key), signature]))}\n`;

/** Whether a note says that this key has signed it, which its id does not prove. */
export const isSignedWith = (note: string, key: Pick<PublicKey, 'spki'>): boolean =>
  note.split('\n').some((line) => {
    const octets = decoded(/^— \S+ (\S+)$/u.exec(line)?.[1] ?? '');
    return octets !== undefined && equal(octets.slice(0, KEY_ID_OCTETS), keyIdOf(key));
  });

/**
 * The text of a note that this key has signed. Signatures of others are not looked at.
 * @throws {Malformed} when it is no note, or the key has not signed it
 */
export async function openNote(note: string, { name, key }: Verifier): Promise<string> {
  const end = note.lastIndexOf('\n\n') + 1;
  const text = note.slice(0, end);
  const lines = note.slice(end + 1).split('\n');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a note has none but newlines
  if (end === 0 || lines.pop() !== '' || /[\0-\x09\x0b-\x1f]/.test(note)) {
    throw new Malformed('this is no signed note');
  }
  let signed = false;
  for (const line of lines) {
    const [, signer, encoded = ''] = /^— ([^\s+]+) (\S+)$/u.exec(line) ?? [];
    const octets = decoded(encoded);
    if (signer === undefined || !octets || octets.length <= KEY_ID_OCTETS) {
      throw new Malformed('this is no signature of a note');
    }
    const isOurs = signer === name && equal(octets.slice(0, KEY_ID_OCTETS), keyIdOf(key));
    if (!isOurs) continue;
    const signature = octets.slice(KEY_ID_OCTETS);
    if (!(await verifySignature(key, noteScheme, utf8(text), signature))) {
      throw new Malformed(`the signature of ${name} is not of this note and this key`);
    }
    signed = true;
  }
  if (!signed) throw new Malformed(`the note has no signature of ${name} with this key`);
  return text;
}

export type Checkpoint = {
  readonly origin: string;
  /** Entries in the log. */
  readonly size: number;
  /** Merkle Tree Hash. */
  readonly root: Bytes;
  /** Milliseconds since 1970, when the log signed it: an extension line. */
  readonly time: number;
};

export const checkpointText = ({ origin, size, root, time }: Checkpoint): string =>
  `${origin}\n${size}\n${base64(root)}\ntime ${iso(time)}\n`;

/** @throws {Malformed} for a text that this service does not sign */
function readCheckpoint(text: string): Checkpoint {
  const [origin = '', size = '', root = '', extension = ''] = text.split('\n');
  const [, at = ''] = /^time (\S+)$/.exec(extension) ?? [];
  const read = { origin, size: Number(size), root: decoded(root), time: Date.parse(at) };
  if (
    !(Number.isSafeInteger(read.size) && read.size >= 0) ||
    read.root?.length !== HASH_OCTETS ||
    Number.isNaN(read.time)
  ) {
    throw new Malformed('this is no checkpoint');
  }
  const checkpoint = { ...read, root: read.root };
  if (checkpointText(checkpoint) !== text)
    throw new Malformed('this is no checkpoint of this form');
  return checkpoint;
}

/** @throws {Malformed} when it is no checkpoint of this log, signed with its key */
export async function openCheckpoint(note: string, verifier: Verifier): Promise<Checkpoint> {
  const checkpoint = readCheckpoint(await openNote(note, verifier));
  if (checkpoint.origin !== verifier.name) {
    throw new Malformed(`a checkpoint of ${checkpoint.origin}, and not of ${verifier.name}`);
  }
  return checkpoint;
}
