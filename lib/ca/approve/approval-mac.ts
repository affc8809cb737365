// Protects a waiting request: a MAC over what was proven, and a MAC over the approval. So write access to the
// records is not enough to have anything issued.

import { type Bytes, equalSecret, hex, utf8 } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import type { Endpoint } from '../../config/endpoint/endpoint.ts';
import { hash } from '../../crypto/native.ts';
import type { MacKey } from '../../ports/mac-keys.ts';
import type {
  Approval,
  Transaction,
  TransactionBase,
  Vote,
} from '../../ports/records/transaction.ts';
import { byValidator, isValidators } from '../authorize/grounds.ts';
import { mac } from '../challenge/challenges.ts';

/** `MAC key id.hexadecimal` */
export const tagged = ({ id }: MacKey, value: Bytes): string => `${id}.${hex(value)}`;

export function holds(
  macKeys: readonly MacKey[],
  tag: string,
  make: (key: MacKey) => string,
): boolean {
  const [id] = tag.split('.');
  const macKey = macKeys.find((candidate) => candidate.id === id);
  return macKey !== undefined && equalSecret(utf8(make(macKey)), utf8(tag));
}

/** That somebody approved it: who, the approval says, and the second body of its event, which can be forgotten. */
export const APPROVAL = 'approval';

/** What allowed it before it waited. */
export const provenBy = ({
  authorizedBy,
  judgedBy = [],
}: Pick<TransactionBase, 'authorizedBy' | 'judgedBy'>): string[] => [
  ...authorizedBy.filter((by) => by !== APPROVAL && !isValidators(by)),
  ...judgedBy.map(byValidator),
];

/** A rule has approved it, and no person. */
export const isByRule = ({ approval }: Pick<TransactionBase, 'approval'>): boolean =>
  approval?.turn !== undefined;

/** Over everything that the certificate will be made of, and what its approver goes by.
 * @param redacted the CSR without its challengePassword */
export function makePendingMac(
  macKey: MacKey,
  transaction: TransactionBase,
  redacted: Bytes,
): string {
  const { id, endpoint, ca, csrHash, names, profile, signer, requestHash, renews } = transaction;
  const { asked, subject, expiresAt, createdAt, challengeBy, narrowing, device } = transaction;
  const { judgedBy } = transaction;
  const csr = hex(hash('SHA-256', redacted));
  const proven = {
    id,
    endpoint,
    ca,
    csr,
    csrHash,
    names,
    profile,
    signer,
    requestHash,
    renews,
    narrowing,
    device,
    judgedBy,
  };
  const shown = { asked, subject, expiresAt, createdAt, challengeBy, by: provenBy(transaction) };
  const fields = { ...proven, ...shown };
  return tagged(macKey, mac(macKey, 'pending', fields));
}

export const makeApproval = (
  macKey: MacKey,
  { id, pendingMac }: Pick<Transaction<'pending'>, 'id' | 'pendingMac'>,
  given: Omit<Approval, 'mac'>,
): Approval => ({
  ...given,
  mac: tagged(macKey, mac(macKey, 'approval', { id, pendingMac, ...given })),
});

export const makeVote = (
  macKey: MacKey,
  { id, pendingMac }: Pick<Transaction<'pending'>, 'id' | 'pendingMac'>,
  given: Omit<Vote, 'mac'>,
): Vote => ({
  ...given,
  mac: tagged(macKey, mac(macKey, 'vote', { id, pendingMac, ...given })),
});

/** Approved, and by fewer persons than the endpoint asks for by now: it waits for another one. */
export function lacksPersons(
  transaction: Pick<TransactionBase, 'approval'>,
  { approval: when, approvers }: Pick<Endpoint, 'approval' | 'approvers'>,
): boolean {
  if (isByRule(transaction)) return when !== 'never';
  const { approval } = transaction;
  return approval !== undefined && (approval.votes?.length ?? 0) + 1 < approvers;
}

/** Approved, or an attempt of an approved one. */
export type ApprovedTransaction =
  | Transaction<'approved'>
  | Extract<Transaction<'intended'>, { readonly approval: Approval }>;

export const isApproved = (transaction: Transaction): transaction is ApprovedTransaction =>
  transaction.state === 'approved' ||
  (transaction.state === 'intended' && transaction.approval !== undefined);

/** @throws {Outage} for a record that says something else than what was proven and approved */
export function requireApproval(
  macKeys: { readonly pending: readonly MacKey[]; readonly approval: readonly MacKey[] },
  transaction: TransactionBase,
  csr: Bytes,
): void {
  const { id, approval, pendingMac = '' } = transaction;
  const proven = holds(macKeys.pending, pendingMac, (key) => makePendingMac(key, transaction, csr));
  const { mac: tag = '', ...given } = approval ?? {};
  const approved =
    approval !== undefined &&
    holds(
      macKeys.approval,
      tag,
      (key) => makeApproval(key, { id, pendingMac }, given as Approval).mac,
    );
  if (!proven || !approved) throw new Outage(`the approval of ${id} does not hold`);
}
