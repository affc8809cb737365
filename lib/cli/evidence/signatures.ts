// What AWS KMS has signed of the certificates of an evidence folder, as CloudTrail has it. AWS does not sign these
// records one by one: what they are held against is what the log has of them.

import { type Bytes, utf8 } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import type { ProvenEvidence } from '../../events/evidence.ts';
import { evidencePaths, fileText, jsonIn, type ReadFile } from '../../events/evidence-files.ts';
import type { LoggedEvent } from '../../events/logged.ts';
import { CliError } from '../io.ts';
import { CloudTrail, type SignCall, signsIn } from '../log/cloudtrail.ts';

/** Milliseconds between a Sign and the event that names it. */
const NEAR_MS = 60_000;

export type Signing = SignCall & { readonly event: string };

/**
 * The records that events of a folder name.
 * @param paths of CloudTrail's files
 */
export async function signingRecords(
  paths: readonly string[],
  events: readonly Pick<LoggedEvent, 'event'>[],
): Promise<{ readonly octets: Bytes; readonly missing: readonly string[] }> {
  const wanted = new Set(events.flatMap(({ event }) => event.kms ?? []));
  const found = new Map<string, unknown>();
  await new CloudTrail().read(paths, ({ requestID }, record) => {
    if (wanted.has(requestID)) found.set(requestID, record);
  });
  const text = JSON.stringify({ Records: [...found.values()] }, null, 1);
  return { octets: utf8(`${text}\n`), missing: [...wanted].filter((id) => !found.has(id)) };
}

/** @throws {Malformed} where a record is none that an event names */
export async function verifySignings(
  read: ReadFile,
  { manifest, events }: ProvenEvidence,
): Promise<readonly Signing[] | undefined> {
  const path = evidencePaths.cloudtrail;
  if (!manifest.cloudtrail) return undefined;
  const calls = inForm(path, signsIn, jsonIn(await fileText(read, path), path));
  return calls.map((call) => {
    const { requestID, at, refused } = call;
    const named = events.find(({ event }) => event.kms?.includes(requestID));
    if (!named) throw new Malformed(`${path} has a request that no event names: ${requestID}`);
    const { id, time } = named.event;
    if (refused)
      throw new Malformed(
        `${path} has a request that KMS refused, and event ${id} names it: ${requestID}`,
      );
    if (Math.abs(Date.parse(time) - at) > NEAR_MS) {
      throw new Malformed(`${path} has a request of another time than event ${id}: ${requestID}`);
    }
    return { ...call, event: id };
  });
}

function inForm<T>(
  path: string,
  read: (content: unknown, where: string) => T,
  content: unknown,
): T {
  try {
    return read(content, path);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    throw new Malformed(error.message);
  }
}
