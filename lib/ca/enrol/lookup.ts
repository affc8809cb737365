// Looks up what the store knows of a request: one consistent read, and a second and third only if the first
// finds an earlier Transaction of the request, or of the one that holds its challenge.

import { type Bytes, fromBase64, hex } from '../../base/bytes.ts';
import type { CertificateRecord } from '../../ports/records/certificate.ts';
import type { Challenge } from '../../ports/records/records.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import { listKeys } from '../authorize/by-list.ts';
import { challengeKeys } from '../challenge/challenges.ts';
import type { Deps } from '../deps.ts';
import { certificateKey, keyHash, keyOwnerKey, pollKey } from '../record/keys.ts';
import { View } from '../record/unit-of-work.ts';
import type { EnrolmentRequest } from './request.ts';

/** The newest Transaction of this very request, and the certificate that it is about. */
export type Recorded = {
  readonly transaction: Transaction | undefined;
  readonly certificate: CertificateRecord | undefined;
};

export type Known = Recorded & {
  /** Everything that was read; a decision may load more records into it. */
  readonly view: View;
  /** The same of it as a renewal, where it may be one. */
  readonly renewal: Recorded | undefined;
  /** Key and record of the challenge that came along, if it is one of this endpoint. */
  readonly challenge: KnownChallenge | undefined;
  /** Why a signed challenge is not believed. */
  readonly unsigned?: string;
  /** The record of the certificate that signed, if this CA issued it. */
  readonly signer: CertificateRecord | undefined;
};

/** `isNew`: a signed one that has no record yet. */
export type KnownChallenge = {
  readonly key: string;
  readonly record: Challenge;
  readonly isNew?: true;
};

export async function lookup(deps: Deps, request: EnrolmentRequest): Promise<Known> {
  const { endpoint, ca, csr, signer, transactionID, requestHash, renewalHash } = request;
  const { keys: candidates, fresh, ...sent } = await challengeSent(deps, request);
  const signerKey = signer.ours ? certificateKey(ca.id, hex(signer.certificate.serial)) : undefined;
  const view = new View(deps.store);
  await view.load([
    { kind: 'request', key: requestHash },
    ...(renewalHash === undefined ? [] : [{ kind: 'request', key: renewalHash } as const]),
    { kind: 'poll', key: pollKey(endpoint.id, signer.key.spki, transactionID) },
    { kind: 'keyOwner', key: keyOwnerKey(ca.id, csr.publicKey.spki) },
    { kind: 'blockedKey', key: keyHash(csr.publicKey.spki) },
    { kind: 'blockedKey', key: keyHash(signer.key.spki) },
    ...candidates.map((key) => ({ kind: 'challenge', key }) as const),
    ...listKeys(endpoint, csr),
    ...(signerKey === undefined ? [] : [{ kind: 'certificate', key: signerKey } as const]),
  ]);
  const ids = [requestHash, renewalHash].map((hash) => view.get('request', hash)?.transaction);
  const [enrolment, renewal] = await loadTransactions(view, ids);
  const key = candidates.find((candidate) => view.get('challenge', candidate));
  const record = view.get('challenge', key);
  return {
    view,
    transaction: enrolment?.transaction,
    certificate: enrolment?.certificate,
    renewal: renewalHash === undefined ? undefined : renewal,
    challenge: challengeOf(key, record, { candidates, fresh }),
    ...sent,
    signer: view.get('certificate', signerKey),
  };
}

type Sent = {
  /** Keys of the record of the challenge, if it is one of this endpoint. */
  readonly keys: readonly string[];
  readonly fresh?: Challenge;
  readonly unsigned?: string;
};

async function challengeSent(
  deps: Deps,
  { endpoint, csr: { challengePassword: sent } }: EnrolmentRequest,
): Promise<Sent> {
  const { authorize, signedChallenge } = endpoint.enrol;
  if (sent && signedChallenge) {
    const { readSigned } = await import('../challenge/signed.ts');
    const signed = await readSigned(deps, endpoint, sent, deps.clock.now());
    return 'wrong' in signed ? { keys: [], unsigned: signed.wrong } : signed;
  }
  if (!sent || !authorize.includes('challenge')) return { keys: [] };
  return { keys: challengeKeys(await deps.macKeys.live('challenge'), endpoint.id, sent) };
}

function challengeOf(
  key: string | undefined,
  record: Challenge | undefined,
  { candidates: [first], fresh }: { candidates: readonly string[]; fresh: Challenge | undefined },
): KnownChallenge | undefined {
  if (key !== undefined && record) return { key, record };
  return first !== undefined && fresh ? { key: first, record: fresh, isNew: true } : undefined;
}

/** The CSR of a Transaction without its challengePassword; empty where it is not kept (any more). */
export async function csrOf(view: View, transaction: Transaction): Promise<Bytes> {
  if (transaction.state === 'refused') return fromBase64(transaction.csr);
  const { requestHash } = transaction;
  await view.load([{ kind: 'request', key: requestHash }]);
  return fromBase64(view.get('request', requestHash)?.csr ?? '');
}

/** A Transaction with the certificate of its current attempt, read into the view. */
export async function loadTransaction(view: View, id: string | undefined): Promise<Recorded> {
  const [found] = await loadTransactions(view, [id]);
  return found ?? { transaction: undefined, certificate: undefined };
}

/** In two reads, however many there are. */
async function loadTransactions(
  view: View,
  ids: readonly (string | undefined)[],
): Promise<Recorded[]> {
  const named = ids.filter((id) => id !== undefined);
  await view.load(named.map((key) => ({ kind: 'transaction', key })));
  const transactions = ids.map((id) => view.get('transaction', id));
  const keys = transactions.map((transaction) =>
    transaction?.serial ? certificateKey(transaction.ca, transaction.serial) : undefined,
  );
  const there = keys.filter((key) => key !== undefined);
  await view.load(there.map((key) => ({ kind: 'certificate', key })));
  return transactions.map((transaction, i) => ({
    transaction,
    certificate: view.get('certificate', keys[i]),
  }));
}

/** The request as a renewal, and what is known of it as one; undefined where it cannot be one. */
export function asRenewal(
  request: EnrolmentRequest,
  known: Known,
): { readonly request: EnrolmentRequest; readonly known: Known } | undefined {
  const { renewalHash } = request;
  if (renewalHash === undefined || !known.renewal) return undefined;
  return {
    request: { ...request, requestHash: renewalHash },
    known: { ...known, ...known.renewal, renewal: undefined },
  };
}

export const pointerTo = ({ requestHash }: EnrolmentRequest) =>
  ({ kind: 'request', key: requestHash }) as const;

/** Whether the lookup of this request is still the newest state, by the records just read. A Transaction that
 * its pointer names and that is gone counts as absent. */
export function isNewest(
  { requestHash }: EnrolmentRequest,
  { view, transaction }: Known,
  pointer = view.get('request', requestHash),
): boolean {
  const named = pointer?.transaction;
  return named === transaction?.id || (named !== undefined && view.lacks('transaction', named));
}
