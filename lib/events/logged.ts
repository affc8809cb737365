// An event with the proof that it is in its log, as three files: the body that was hashed, the one that names persons
// and devices, and a C2SP tlog-proof.

import { type Bytes, fromUtf8, hex } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { SYSTEM_LOG } from '../base/words.ts';
import { hash } from '../crypto/native.ts';
import type { Actor, EventFields } from './event.ts';
import { evidencePaths, fileText, type ReadFile } from './evidence-files.ts';
import { type Checkpoint, firstNameOf, isSignedWith, type Verifier } from './note.ts';
import { checkProof, originIn } from './proof.ts';

export type LoggedEvent = {
  readonly event: Omit<EventFields, 'actor' | 'subject' | 'names' | 'note' | 'transactionID'> & {
    readonly id: string;
    readonly time: string;
    readonly actor: Pick<Actor, 'kind' | 'id'>;
    readonly personalHash?: string;
  };
  /** Absent where it was forgotten, or there is nothing of the kind. */
  readonly personal: Personal | undefined;
  /** Under which it is, and at which place. */
  readonly proof: Checkpoint & { readonly index: number };
};

type Personal = Pick<EventFields, 'transactionID' | 'subject' | 'names' | 'note'> & {
  readonly actor?: Omit<Actor, 'kind'>;
};

/** @param verifiers of logs of one service: those that are not among them are signed with the keys of these
 * @throws {Malformed} that begins with the file that is wrong */
export async function readLogged(
  read: ReadFile,
  id: string,
  verifiers: readonly [Verifier, ...Verifier[]],
): Promise<LoggedEvent> {
  const [path, proofPath, personalPath] = [
    evidencePaths.event(id),
    evidencePaths.proof(id),
    evidencePaths.personal(id),
  ];
  const body = await fileText(read, path);
  const proofText = await fileText(read, proofPath);
  const entry = (await read(path)) as Bytes;
  let event: LoggedEvent['event'];
  try {
    event = JSON.parse(body);
  } catch {
    throw new Malformed(`${path} is no event`);
  }
  const named = await within(proofPath, () => originIn(proofText));
  const { ca = SYSTEM_LOG } = Object(event) as LoggedEvent['event'];
  const host = verifiers[0].name.slice(0, verifiers[0].name.lastIndexOf('/') + 1);
  if (firstNameOf(named) !== `${host}${ca}`)
    throw new Malformed(`${proofPath} is of the log ${named}, and not of ${host}${ca}`);
  // The key of a log is the one that is named in its checkpoint: of a lost one another takes the place.
  const own = verifiers.find(({ key }) => isSignedWith(proofText, key)) ?? verifiers[0];
  const proof = await within(`${path} is not proven by ${proofPath}`, () =>
    checkProof(proofText, entry, { name: named, key: own.key }),
  );
  if (event.id !== id) throw new Malformed(`${path} is the event ${event.id}`);
  const octets = await read(personalPath);
  if (octets && hex(hash('SHA-256', octets)) !== event.personalHash) {
    throw new Malformed(`${personalPath} is not what the event has the hash of`);
  }
  const personal = octets && (JSON.parse(fromUtf8(octets)) as Personal);
  return { event, personal, proof };
}

/** Says before what is wrong of which file it is. */
async function within<T>(file: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw new Malformed(`${file}: ${error.message}`);
  }
}
