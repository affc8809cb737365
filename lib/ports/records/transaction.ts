// A Transaction: one request for a certificate and what became of it, by its state. What it has in each
// state its type says; which state may follow which is in `ca/record/transition.ts`.

import type {
  ClientFamily,
  RequestKind,
  RevocationReason,
  TransactionState,
} from '../../base/words.ts';
import type { ContentCipherName, DigestName } from '../../crypto/algorithms.ts';
import type { Evidence } from '../../refusal/evidence.ts';
import type { Reason } from '../../refusal/reasons.ts';
import type { KeyOwner, Narrowing } from './certificate.ts';

/** A Transaction in one of these states; without a parameter, in any. */
export type Transaction<S extends TransactionState = TransactionState> = {
  readonly [K in S]: TransactionBase & { readonly state: K } & InState[K];
}[S];

/** What a Transaction has in each state beside `TransactionBase`. */
type InState = {
  readonly pending: NoAttempt & NoReason & Waiting;
  /** An attempt of it that is voided goes back to this state. */
  readonly approved: NoAttempt & NoReason & Approved;
  readonly denied: NoAttempt & Waiting & Ended;
  readonly expired: NoAttempt & Waiting & Ended;
  readonly intended: Attempt & NoReason & (Approved | { readonly approval?: never });
  readonly signed: Attempt & NoReason;
  readonly issued: Attempt & NoReason;
  readonly voided: Attempt & NoReason;
  readonly revoked: Attempt & { readonly reason: RevocationReason | 'releaseRefused' };
  readonly refused: NoAttempt & Ended & Refused;
};

/** Of the current attempt: its certificate, until when it holds what it holds, and the validators that have
 * to be told before the certificate is released. */
type Attempt = {
  readonly serial: string;
  readonly leaseUntil: number;
  readonly gates: readonly string[];
};
type NoAttempt = { readonly serial?: never; readonly leaseUntil?: never };

/** When it expires; the MAC was made when the request was proven, over what an approver is going to see. */
type Waiting = { readonly expiresAt: number; readonly pendingMac: string };
type Approved = Waiting & { readonly approval: Approval };

/** Why it was refused, denied or revoked, and what the rule looked at. */
type Ended = { readonly reason: Reason; readonly evidence?: Evidence };
/** Its CSR without the challengePassword, empty where it is too large to be kept; kept until `expiresAt`. */
type Refused = {
  readonly csr: string;
  readonly evidence: Evidence;
  readonly expiresAt: number;
};
type NoReason = { readonly reason?: never };

export type TransactionBase = {
  readonly id: string;
  readonly endpoint: string;
  readonly ca: string;
  /** For people: it decides nothing. */
  readonly asked: RequestKind;
  /** `key:` and the hash of the signer's key, or `certificate:` and the fingerprint if it is ours. */
  readonly signer: string;
  readonly requestHash: string;
  /** As sent, one character per octet; at most `MAX_TRANSACTION_IDS`. */
  readonly transactionIDs: readonly string[];
  /** RFC 4514 text, for people. */
  readonly subject: string;
  /** SHA-256 of the CSR as it came; `RequestPointer` has it without its challengePassword. */
  readonly csrHash: string;
  /** `TYPE:VALUE`: the subjectAltNames that the certificate has or will have. */
  readonly names: readonly string[];
  readonly profile: string;
  /** What allowed it: `challenge <id>`, `static challenge of endpoint <id>`, `renewal of <serial>`,
   * `approval`; for people, and naming none. */
  readonly authorizedBy: readonly string[];
  /** What each validator said, in the order in which they were asked: after one that refuses, no other. */
  readonly verdicts?: readonly Verdict[];
  /** Whoever made its challenge. */
  readonly challengeBy?: Author;
  /** By its challenge, or by the certificate that it renews. */
  readonly narrowing?: Narrowing;
  /** What its owner calls the device, by the same. */
  readonly device?: string;
  /** The validators outside that had allowed it before it waited, for a person or its turn: all others of the endpoint are
   * asked when it is issued, whoever approves. */
  readonly judgedBy?: readonly string[];
  /** What an end of the current attempt has to give back. */
  readonly undo: Undo;
  /** Serial of the certificate that it renews. */
  readonly renews?: string;
  /** When that is revoked, while this one is issued: `Renewals.supersede`. */
  readonly supersedeAt?: number;
  /** From the time when it waited for an approver, in every later state. */
  readonly expiresAt?: number;
  readonly pendingMac?: string;
  readonly approval?: Approval;
  /** While it waits for another person, and of one that was denied or expired then. */
  readonly votes?: readonly Vote[];
  /** Webhooks that are yet to be told that it waits; of one that was decided first, those that were not. */
  readonly untold?: readonly string[];
  /** Of the latest attempt, in every later state. */
  readonly gates?: readonly string[];
  readonly evidence?: Evidence;
  /** Until when the outcome answers the same request and its polls. */
  readonly repeatUntil: number;
  /** Where the request came from, until that is forgotten. */
  readonly client?: Client;
  /** The kind of client that it came from, as far as its message told. */
  readonly family?: ClientFamily;
  /** Of the configuration under which it was decided last (`Config.digest`). */
  readonly configHash: string;
  /** The original request's algorithms, for answers to polls. */
  readonly reply: { readonly digest: DigestName; readonly cipher: ContentCipherName };
  /** The challengePassword of an EC client, sealed, for the answers to its polls: one that got lost is
   * asked for again, so it stays until there is nothing more to give out. */
  readonly sealedPassword?: string;
  /** The challengePassword attribute of its CSR, sealed, where it is a challenge of ours for one use: with it the CSR
   * is again as it came. Kept until the request has ended without a certificate. */
  readonly sealedChallenge?: string;
  /** The same attribute, whoever made it, sealed for the validators outside that are yet to be asked or told. Kept until
   * the certificate is released, or the request ends without one. */
  readonly gateChallenge?: string;
  /** At most `MAX_TIMELINE`. */
  readonly timeline: readonly TimelineEntry[];
  readonly createdAt: number;
};

/** Stands as the validator of a renewal: the certificate that signed it. */
export const BY_CERTIFICATE = 'certificate';

export type Verdict = {
  /** As `authorize` names it, or `BY_CERTIFICATE`. */
  readonly validator: string;
  readonly allows: boolean;
  /** For people. */
  readonly says?: string;
};

/** The address, where it is known, and what the client calls itself. */
export type Client = { readonly from?: string; readonly agent?: string };

/** The name of an administrator's token, or `system`; the person whose token it is, where that is not its name; the
 * address that the request came from, if known; and how whoever sent it was authenticated (`Actor`). */
export type Author = {
  readonly by: string;
  readonly person?: string;
  readonly from?: string;
  readonly auth?: string;
};

/** By the actor, unless it was the device. */
export type TimelineEntry = {
  readonly at: number;
  readonly state: TransactionState;
} & Partial<Author>;

export type Undo = {
  /** Key of the challenge whose use it holds. */
  readonly challenge?: string;
  /** What stood at the KeyOwner before. */
  readonly keyOwner?: { readonly key: string; readonly previous: KeyOwner | null };
  /** Serial of the certificate that signed a renewal, which lists ours as a successor; and the times of
   * its lineage's renewals before ours. */
  readonly signer?: string;
  readonly recent?: readonly number[];
};

type Approver = Author & { readonly at: number };

export type Approval = Approver & {
  /** When its turn is, where a rule approved it, and no person. */
  readonly turn?: number;
  /** Persons who had approved it before. */
  readonly votes?: readonly Approver[];
  /** Over pendingMac, approvers and times: a changed record approves nothing. */
  readonly mac: string;
};

/** The approval by a person where another one has to approve it too. */
export type Vote = Omit<Approval, 'votes'>;
