// What is on record, compared with what a log has: an event that only one of them has, a certificate, a request or a challenge
// that no event of the log knows, one that the log knows and that is gone, one that is something else by the log, a CRL
// or an RA certificate of which it does not tell, names that are missing and were never forgotten. What is listed goes
// through memory page by page.

import { visible } from '../../base/text.ts';
import { SYSTEM_LOG } from '../../base/words.ts';
import { callApi } from '../api.ts';
import { CliError, type Io } from '../io.ts';
import { eventPages } from '../log/export.ts';
import { everyPage } from '../pages.ts';
import { counted } from '../text.ts';
import type { Disk } from './disk.ts';
import type {
  AuthorityOnRecord,
  CertificateOnRecord,
  ChallengeOnRecord,
  CrlOnRecord,
  Told,
} from './told.ts';

type Compared = {
  /** The first of them. */
  readonly problems: readonly string[];
  readonly wrong: number;
  /** Events on record that are not in the log yet, or in the one before it. */
  readonly others: number;
  /** Events that the records had lost before the log was recovered. */
  readonly lost: number;
};

/** Differences that are told. */
const MAX_TOLD = 20;

type Where = { readonly log: string; readonly asOf: number; readonly disk: Disk };

/** @param log its name @param asOf when its checkpoint was read */
export async function compareRecords(
  io: Io,
  told: Told,
  { log, asOf, disk }: Where,
): Promise<Compared> {
  const [ca = log] = log.split('.');
  const altered = new Set<string>();
  const problems: string[] = [];
  let wrong = 0;
  const add = (problem: string | undefined): void => {
    if (problem === undefined) return;
    if (problems.length < MAX_TOLD) problems.push(problem);
    wrong += 1;
  };
  // Before the events: that of each of these is in the log by now, or among those that wait.
  const isSystem = ca === SYSTEM_LOG;
  const listed = isSystem
    ? await challengesOf(io, disk, altered)
    : await recordsOf(io, disk, { ca, altered, partitions: told.isRetired ? [] : told.partitions });
  const waiting = disk.map<true>();
  let others = 0;
  for await (const page of eventPages(io, {}, altered)) {
    for (const event of page) {
      if ((event.ca ?? SYSTEM_LOG) !== ca) continue;
      const said = told.event(event, asOf);
      if (said !== 'waits') {
        add(said);
        continue;
      }
      others += 1;
      const { serial, transaction, challengeId, type, partition = '' } = event;
      for (const id of [serial, transaction, challengeId]) if (id) waiting.set(id, true);
      if (type === 'crl.published') waiting.set(`crl ${partition}`, true);
      if (/^(?:ca\.|admin\.acted)/.test(type)) waiting.set('ca', true);
    }
  }
  const isWaiting = (id: string): boolean => waiting.has(id);
  for (const [id, one] of listed.challenges) if (!isWaiting(id)) add(told.challenge(id, one));
  for (const [serial, one] of listed.certificates) {
    if (!isWaiting(serial)) add(told.certificate(serial, one));
  }
  for (const [id, createdAt] of listed.transactions) {
    if (!isWaiting(id)) add(told.transaction(id, createdAt));
  }
  for (const [partition, crl] of listed.crls) {
    if (!isWaiting(`crl ${partition}`)) add(told.crl(ca, partition, crl));
  }
  if (!isSystem && !told.isRetired && !isWaiting('ca')) {
    for (const problem of told.authority(ca, listed.authority)) add(problem);
  }
  for (const name of altered) add(`${name} was changed by another hand`);
  for (const problem of told.missing(io.clock.now(), isWaiting)) add(problem);
  return { problems, wrong, others, lost: told.lost().size };
}

type Listed = {
  readonly challenges: Iterable<readonly [string, ChallengeOnRecord]>;
  readonly certificates: Iterable<readonly [string, CertificateOnRecord]>;
  /** When each was made. */
  readonly transactions: Iterable<readonly [string, string]>;
  /** The newest, by partition. */
  readonly crls: Iterable<readonly [string, CrlOnRecord | null]>;
  readonly authority: AuthorityOnRecord | undefined;
};
const nothing = {
  challenges: [],
  certificates: [],
  transactions: [],
  crls: [],
  authority: undefined,
};

async function challengesOf(io: Io, disk: Disk, altered: Set<string>): Promise<Listed> {
  const challenges = disk.map<ChallengeOnRecord>();
  const wanted = { name: 'GET /challenges', noun: 'challenges' } as const;
  for await (const items of everyPage(io, wanted, altered)) {
    for (const { id, createdAt, state } of items) challenges.set(id, { createdAt, state });
  }
  return { ...nothing, challenges };
}

type Of = {
  readonly ca: string;
  readonly altered: Set<string>;
  readonly partitions: readonly string[];
};

async function recordsOf(io: Io, disk: Disk, { ca, altered, partitions }: Of): Promise<Listed> {
  const certificates = disk.map<CertificateOnRecord>();
  const transactions = disk.map<string>();
  const issued = { name: 'GET /certificates', noun: 'certificates', query: { ca } } as const;
  for await (const items of everyPage(io, issued, altered)) {
    for (const { serial, state, tbsHash, notBefore, revocationReason: reason } of items) {
      const why = reason === undefined ? {} : { reason };
      certificates.set(serial, { state, tbsHash, notBefore, ...why });
    }
  }
  const requests = { name: 'GET /transactions', noun: 'transactions' } as const;
  for await (const items of everyPage(io, requests, altered)) {
    for (const one of items) if (one.ca === ca) transactions.set(one.id, one.createdAt);
  }
  const crls = new Map<string, CrlOnRecord | null>();
  for (const partition of partitions) {
    const query = { limit: 1, ...(partition === '' ? {} : { partition }) };
    const crl = await orMissing(callApi(io, 'GET /crls/{ca}', { params: { ca }, query }));
    crls.set(partition, crl ? { number: crl.number, hash: crl.sha256 } : null);
  }
  const said = await orMissing(callApi(io, 'GET /cas/{ca}', { params: { ca } }));
  const authority = said && {
    own: said.certificate?.sha256,
    generations: said.ra.map(({ id, state, certificate }) => ({
      ...{ id, state, hash: certificate.sha256 },
    })),
  };
  return { ...nothing, certificates, transactions, crls, authority };
}

const orMissing = <T>(asked: Promise<T>): Promise<T | undefined> =>
  asked.catch((error: unknown) => {
    if (error instanceof CliError && error.exit === 'notFound') return undefined;
    throw error;
  });

/** @throws {CliError} verification, with the first difference; others are noted */
export function requireSame(io: Io, { problems: [first, ...more], wrong }: Compared): void {
  if (first === undefined) return;
  for (const one of more) io.note(visible(one));
  const rest = wrong > 1 ? ` (and ${wrong - 1} more)` : '';
  throw new CliError('verification', `${first}${rest}`);
}

export function sameText({ others, lost }: Compared): string {
  const waiting =
    others > 0 ? `; ${counted(others, 'event')} not in this log yet, or in the one before` : '';
  const gone =
    lost > 0 ? `, but for ${counted(lost, 'event')} lost before the log was recovered` : '';
  return `what is on record is what the log has${gone}${waiting}\n`;
}
