// Collects what evidence of certificates is made of from the admin API: certificates, requests, events and their proofs.

import type { AnswerTo } from '../../api/api.ts';
import { type Bytes, fromBase64, pem, utf8 } from '../../base/bytes.ts';
import { canonicalText } from '../../base/json.ts';
import { LOG_LATE_MS } from '../../base/log-limits.ts';
import { iso } from '../../base/text.ts';
import { timeOfUlid } from '../../base/ulid.ts';
import type { Withheld } from '../../base/words.ts';
import { type EvidenceContents, evidencePaths } from '../../events/evidence-files.ts';
import { callApi } from '../api.ts';
import { CliError, type Io } from '../io.ts';
import { eventPages } from '../log/export.ts';
import type { EventBody } from '../log/happened.ts';
import { requireUnaltered } from '../pages.ts';
import { counted } from '../text.ts';
import { isApproval } from './told.ts';
import type { WantedCertificate } from './which.ts';

type Collected = {
  readonly files: Map<string, Bytes>;
  readonly certificates: EvidenceContents['certificates'];
  /** Those that are proven. */
  readonly events: readonly EventBody[];
  /** Verifier key of one of the logs, as the service has it. */
  /** Of the logs of the service. */
  readonly verifierKeys: readonly [string, ...string[]];
};

type Query = Parameters<typeof eventPages>[1];
type PagesOf = (query: Query) => ReturnType<typeof eventPages>;

/** Milliseconds between two looks whether a log has taken what it lacks, and for how long. */
const LOOK_MS = 3000;
const WAIT_MS = 2 * LOG_LATE_MS;

/** @throws {CliError} where no log has begun, or an event is under no checkpoint */
export async function collect(io: Io, wanted: readonly WantedCertificate[]): Promise<Collected> {
  const { logs } = await callApi(io, 'GET /logs');
  const [first, ...others] = logs.map(({ verifierKey }) => verifierKey);
  if (first === undefined)
    throw new CliError('failure', 'no log has begun yet: ask again in a minute');
  const files = new Map<string, Bytes>();
  const required = new Map<string, EventBody>();
  const chain = new Map<string, string>();
  const certificates: EvidenceContents['certificates'][number][] = [];
  const altered = new Set<string>();
  const pagesOf: PagesOf = (query) => eventPages(io, query, altered);
  const eventsOf = async (query: Query): Promise<readonly EventBody[]> => {
    const found: EventBody[] = [];
    for await (const page of pagesOf(query)) found.push(...page);
    return found;
  };
  for (const { ca, serial } of wanted) {
    io.progress?.(`${certificates.length} of ${counted(wanted.length, 'certificate')}`);
    const params = { ca, serial };
    const {
      pem: certificate,
      transaction,
      state,
    } = await callApi(io, 'GET /certificates/{ca}/{serial}', {
      params,
    });
    if (certificate === undefined) {
      throw new CliError('notFound', `the certificate ${serial} was never handed out`);
    }
    files.set(evidencePaths.certificate(serial), utf8(certificate));
    for (const one of await issuersOf(io, ca)) chain.set(one, one);
    certificates.push({ serial, request: await requestOf(io, files, serial, transaction) });
    const about = [...(await eventsOf({ transaction })), ...(await eventsOf({ serial }))];
    for (const event of about) required.set(event.id, event);
    noteLacking(io, { serial, state }, about);
  }
  const helpful = await beforeThem([...required.values()], pagesOf);
  requireUnaltered(io, [...altered]);
  files.set(evidencePaths.chain, utf8([...chain.keys()].join('')));
  const proven = await proveAll(io, files, [...required.values()], helpful);
  io.progress?.('');
  return { files, certificates, events: proven, verifierKeys: [first, ...others] };
}

/** An event that was removed from the records stands in the log all the same, and not in the folder. */
function noteLacking(
  io: Io,
  { serial, state }: { readonly serial: string; readonly state: string },
  about: readonly EventBody[],
): void {
  const types = new Set(about.map(({ type }) => type));
  const ends = ['revoked', 'superseded', 'reasonRaised', 'held'] as const;
  const isEnded = state === 'revoked' || state === 'held';
  const said = about.filter(({ type }) => isApproval(type));
  const persons = said.findLast(({ type }) => type === 'request.approved')?.number ?? 1;
  const isApproved = about.some(({ authorizedBy = [] }) => authorizedBy.includes('approval'));
  const lacking = [
    ...(isApproved && !types.has('request.approved') ? ['who approved it'] : []),
    ...(said.length > 0 && said.length < persons ? ['who approved it first'] : []),
    ...(isEnded && !ends.some((end) => types.has(`certificate.${end}`))
      ? [`that it is ${state}`]
      : []),
  ];
  for (const what of lacking) {
    io.note(
      `${serial}: no event on record tells ${what}, so the folder does not: "scepter log verify --records" says whether one was removed`,
    );
  }
}

/** The CA's certificate and those above it, PEM each. */
async function issuersOf(io: Io, ca: string): Promise<readonly string[]> {
  const { certificate, chain } = await callApi(io, 'GET /cas/{ca}', { params: { ca } });
  return [...(certificate ? [certificate] : []), ...chain].map(({ pem: text }) => text);
}

async function requestOf(
  io: Io,
  files: Map<string, Bytes>,
  serial: string,
  id: string,
): Promise<EvidenceContents['certificates'][number]['request']> {
  const { csr, withheld = 'notKept' } = await callApi(io, 'GET /transactions/{id}/request', {
    params: { id },
  }).catch((error: unknown): { csr?: string; withheld?: Withheld } => {
    // Its record was changed by another hand: what the log has is proven all the same.
    if (!(error instanceof CliError && error.exit === 'failure')) throw error;
    io.note(`${error.message}; the request is left out`);
    return {};
  });
  if (csr === undefined) return withheld;
  files.set(evidencePaths.request(serial), utf8(pem('CERTIFICATE REQUEST', fromBase64(csr))));
  return 'whole';
}

/** Of the challenges that allowed them, and of the configurations that were in force. */
async function beforeThem(
  events: readonly EventBody[],
  pagesOf: PagesOf,
): Promise<readonly EventBody[]> {
  const found = new Map<string, EventBody>();
  const find = async (query: Query, is: (one: EventBody) => boolean): Promise<void> => {
    for await (const page of pagesOf(query)) {
      const one = page.find(is);
      if (one) found.set(one.id, one);
      if (one) return;
    }
  };
  const challenges = new Set(
    events.flatMap(({ authorizedBy = [] }) =>
      authorizedBy.flatMap((by) => /^challenge ([0-9A-Z]{26})$/.exec(by)?.[1] ?? []),
    ),
  );
  for (const id of challenges) {
    const at = timeOfUlid(id);
    const made = { type: 'challenge.created', from: iso(at), until: iso(at + 1) } as const;
    await find(made, ({ challengeId }) => challengeId === id);
  }
  for (const { type, configHash, id } of events) {
    if (type !== 'certificate.intended') continue;
    const until = iso(timeOfUlid(id) + 1);
    const applied = { type: 'config.applied', order: 'newest', until } as const;
    await find(applied, (one) => one.configHash === configHash && one.id < id);
  }
  return [...found.values()];
}

type Proof = AnswerTo<'GET /events/{event}/proof'>;

/**
 * Adds the files of each event, with its proof.
 * @param helpful those that are left out where they are in no log
 * @returns those that are proven
 */
async function proveAll(
  io: Io,
  files: Map<string, Bytes>,
  required: readonly EventBody[],
  helpful: readonly EventBody[],
): Promise<readonly EventBody[]> {
  const proven: EventBody[] = [];
  const prove = async (event: EventBody): Promise<boolean> => {
    const proof = await proofOf(io, event.id);
    if (!proof) return false;
    files.set(evidencePaths.event(event.id), utf8(proof.event));
    files.set(evidencePaths.proof(event.id), utf8(proof.proof));
    if (event.personal) {
      files.set(evidencePaths.personal(event.id), utf8(canonicalText(event.personal)));
    }
    proven.push(event);
    io.progress?.(`${proven.length} of ${counted(required.length + helpful.length, 'event')}`);
    return true;
  };
  const until = io.clock.now() + WAIT_MS;
  let left = required;
  for (let noted = false; ; noted = true) {
    const still: EventBody[] = [];
    for (const event of left) if (!(await prove(event))) still.push(event);
    left = still;
    const [first] = left;
    if (!first) break;
    if (io.clock.now() >= until) {
      throw new CliError(
        'failure',
        `event ${first.id} (${first.type}) is under no checkpoint of its log: nothing puts events into it any more ("scepter status" says so), or its files are lost`,
      );
    }
    if (!noted)
      io.note(
        `${counted(left.length, 'event')} under no checkpoint yet: a log takes them within a minute`,
      );
    await io.clock.sleep(LOOK_MS);
  }
  for (const event of helpful) {
    if (await prove(event)) continue;
    io.note(`event ${event.id} (${event.type}) is in no log, and left out`);
  }
  return proven;
}

/** Undefined: it is under no published checkpoint yet. */
async function proofOf(io: Io, event: string): Promise<Proof | undefined> {
  try {
    return await callApi(io, 'GET /events/{event}/proof', { params: { event } });
  } catch (error) {
    if (error instanceof CliError && error.exit === 'failure') return undefined;
    throw error;
  }
}
