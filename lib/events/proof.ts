// C2SP tlog-proof: that an entry is in a log, as a text that is checked offline with the public key of the log.

import { type Bytes, base64, fromBase64 } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { type Checkpoint, openCheckpoint, type Verifier } from './note.ts';
import { HASH_OCTETS } from './tiles.ts';
import { isIncluded, leafHash } from './tree.ts';

const HEAD = 'c2sp.org/tlog-proof@v1';

type Proof = {
  readonly index: number;
  readonly path: readonly Bytes[];
  /** The signed note. */
  readonly checkpoint: string;
};

export const proofText = ({ index, path, checkpoint }: Proof): string =>
  [HEAD, `index ${index}`, ...path.map(base64), '', checkpoint].join('\n');

/** @throws {Malformed} */
function readProof(text: string): Proof {
  const end = text.indexOf('\n\n');
  const lines = text.slice(0, Math.max(end, 0)).split('\n');
  const [head, ...rest] = lines;
  if (rest[0]?.startsWith('extra ')) rest.shift();
  const [, index] = /^index (0|[1-9]\d{0,15})$/.exec(rest.shift() ?? '') ?? [];
  if (head !== HEAD || index === undefined) throw new Malformed('this is no tlog-proof');
  const path = rest.map((line) => {
    const octets = /^[A-Za-z0-9+/]{43}=$/.test(line) ? fromBase64(line) : undefined;
    if (octets?.length !== HASH_OCTETS) throw new Malformed('a hash of a tlog-proof has 32 octets');
    return octets;
  });
  return { index: Number(index), path, checkpoint: text.slice(end + 2) };
}

/**
 * @param entry the event's canonical text, as octets
 * @returns the checkpoint under which the entry is
 * @throws {Malformed} with what does not hold
 */
export async function checkProof(
  text: string,
  entry: Bytes,
  verifier: Verifier,
): Promise<Checkpoint & { readonly index: number }> {
  const { index, path, checkpoint: note } = readProof(text);
  const checkpoint = await openCheckpoint(note, verifier);
  const { size, root } = checkpoint;
  if (!isIncluded(leafHash(entry), { index, size, path }, root)) {
    throw new Malformed('the proof does not lead from this event to the root of the checkpoint');
  }
  return { ...checkpoint, index };
}

/** The log that a proof is of, by its own word. @throws {Malformed} */
export const originIn = (text: string): string =>
  readProof(text).checkpoint.split('\n', 1)[0] ?? '';
