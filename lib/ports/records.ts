// What the store holds: every kind of record, and its key; `places.ts` has the lists they stand in.
// Records are JSON values; octets in them are base64, digests and serial numbers hexadecimal, times
// milliseconds since 1970. Each is written with `RECORD_VERSION`, because records outlive releases.

import type { ContentCipherName, DigestName } from '../algorithms.ts';
import type { Evidence, Reason } from '../errors.ts';

/** A store refuses, with a sentence, records of a later version than it knows. */
export const RECORD_VERSION = 1;

export type Records = {
  /** Key: its ULID. */
  readonly transaction: Transaction;
  /** Key: the request hash. What is known of that request. */
  readonly request: RequestPointer;
  /** Key: hash over endpoint, signer key and transactionID. Latest wins. */
  readonly poll: PollPointer;
  /** Key: `endpoint/MAC key id/MAC`. */
  readonly challenge: Challenge;
  /** Key: `ca/hash of the SubjectPublicKeyInfo`. */
  readonly keyOwner: KeyOwner;
  /** Key: `ca/endpoint/hash over subject and names`. Where the approval rule asks for it. */
  readonly subject: SubjectRecord;
  /** Key: `ca/serial`. */
  readonly certificate: CertificateRecord;
  /** Key: `ca/last digit of the serials`. */
  readonly register: RegisterShard;
  /** Key: the shard's and `/number`. */
  readonly registerPage: RegisterPage;
  /** Key: its ULID. Never changed. */
  readonly event: EventRecord;
  /** Key: `shard/ULID of the event`. Deleted by the sequencer that has put the event into a log. */
  readonly outbox: OutboxEntry;
  /** Key: the CA's id. */
  readonly authority: AuthorityRecord;
  /** Key: the purpose (`MacPurpose`). */
  readonly macKeys: MacKeysRecord;
  /** Key: SHA-256 of the token. */
  readonly token: AdminToken;
  /** Key: hash over who asked and the Idempotency-Key. */
  readonly idempotency: IdempotencyRecord;
  /** Key: the name of the job. */
  readonly lease: Lease;
  /** Key: the CA's id. Removed by who has published. */
  readonly crlRequest: CrlRequest;
};
export type Kind = keyof Records;

export const transactionStates = [
  'pending',
  'approved',
  'denied',
  'expired',
  'intended',
  'signed',
  'issued',
  'voided',
  'revoked',
  /** Proven, and not allowed: kept for people, no message ever meets it again. */
  'refused',
] as const;
export type TransactionState = (typeof transactionStates)[number];

export type Transaction = {
  readonly id: string;
  readonly endpoint: string;
  readonly ca: string;
  readonly state: TransactionState;
  readonly messageType: 'PKCSReq' | 'RenewalReq';
  /** `key:` and the hash of the signer's key, or `certificate:` and the fingerprint if it is ours. */
  readonly signer: string;
  readonly requestHash: string;
  /** As sent, one character per octet; at most `MAX_TRANSACTION_IDS`. */
  readonly transactionIDs: readonly string[];
  /** RFC 4514 text, for people. */
  readonly subject: string;
  /** The CSR without its challengePassword; SHA-256 of the CSR as it came. */
  readonly csr: string;
  readonly csrHash: string;
  /** `TYPE:VALUE`: the subjectAltNames that the certificate has or will have. */
  readonly names: readonly string[];
  readonly profile: string;
  /** What allowed it: `challenge <id>`, `static challenge of endpoint <id>`, `renewal of <serial>`,
   * `approved by <name>`; for people. */
  readonly authorizedBy: readonly string[];
  /** Of the current attempt: its certificate, and until when it holds what it holds. */
  readonly serial?: string;
  readonly leaseUntil?: number;
  /** What an end of the current attempt has to give back. */
  readonly undo: Undo;
  /** Present when an approver allowed it; an attempt that is voided goes back to `approved`. */
  readonly approval?: Approval;
  /** Validators that have to be told before the certificate of the current attempt is released. */
  readonly gates?: readonly string[];
  /** Why it was refused, denied, revoked or voided: a code of `errors.ts`, or an approver's words. */
  readonly reason?: string;
  /** Of a refusal: what the rule looked at. */
  readonly evidence?: Evidence;
  /** Serial of the certificate that it renews. */
  readonly renews?: string;
  /** When a pending or approved one expires. */
  readonly expiresAt?: number;
  /** Made by who proved the request, over what an approver is going to see. */
  readonly pendingMac?: string;
  /** Until when the outcome answers the same request and its polls. */
  readonly repeatUntil: number;
  /** The original request's algorithms, for answers to polls. */
  readonly reply: { readonly digest: DigestName; readonly cipher: ContentCipherName };
  /** The challengePassword of an EC client, sealed, for the answers to its polls: one that got lost is
   * asked for again, so it stays until there is nothing more to give out. */
  readonly sealedPassword?: string;
  /** At most `MAX_TIMELINE`. */
  readonly timeline: readonly TimelineEntry[];
  readonly createdAt: number;
};

export type TimelineEntry = {
  readonly at: number;
  readonly state: TransactionState;
  /** Who did it, where it was not the device. */
  readonly by?: string;
};

export type Undo = {
  /** Key of the challenge whose use it holds. */
  readonly challenge?: string;
  /** What stood at the KeyOwner before. */
  readonly keyOwner?: { readonly key: string; readonly previous: KeyOwner | null };
  /** Serial of the certificate that signed a renewal, which lists ours as a successor. */
  readonly signer?: string;
};

export type Approval = {
  readonly by: string;
  readonly at: number;
  /** Over pendingMac, approver and time: a changed record approves nothing. */
  readonly mac: string;
};

export type RequestPointer = {
  /** The newest Transaction of the request. */
  readonly transaction?: string;
  /** It was refused, and that has been counted against its challenge: for this reason, where the
   * refusal was kept. */
  readonly refused?: Reason | true;
};
export type PollPointer = { readonly transaction: string };

/** What a certificate issued on a challenge may say. Absent means: as the profile allows. */
export type Binding = {
  /** RFC 4514 text; the CSR must have the same attributes with the same values. */
  readonly subject?: string;
  /** `TYPE:VALUE`; all of them go into the certificate, and the CSR may ask for no other. */
  readonly names: readonly string[];
};

export type Challenge = {
  /** A ULID, for people: logs, lists, revocation. */
  readonly id: string;
  readonly endpoint: string;
  readonly binding: Binding;
  /** Over key, id, endpoint, binding, uses and expiry: a changed record authorizes nothing. */
  readonly bindingMac: string;
  /** How often it may be used in all, and how often it still may. */
  readonly uses: number;
  readonly usesLeft: number;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Refused attempts so far; as many as lock it once it is revoked. */
  readonly failures: number;
  readonly revokedAt?: number;
  /** Transactions that hold a use, and their request hashes; finished ones until somebody clears
   * them. A one-time challenge keeps its only one. */
  readonly open: Readonly<Record<string, string>>;
};

export type KeyOwner = {
  /** Hash over subject and names. */
  readonly names: string;
  readonly expiresAt: number;
  /** Of the certificate, and the request that it came from. */
  readonly serial: string;
  readonly requestHash: string;
};

/** A certificate was issued for this subject and these names. */
export type SubjectRecord = {
  readonly serial: string;
  /** Over key and serial. */
  readonly mac: string;
};

/** CRLReason (RFC 5280 §5.3.1) by name, those that are final; beside them there is a hold. */
export const revocationReasons = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'privilegeWithdrawn',
  'aACompromise',
] as const;
export type RevocationReason = (typeof revocationReasons)[number];

/** signed: waits for the release gate; nobody may see it yet. */
export const certificateStates = [
  'intended',
  'signed',
  'issued',
  'voided',
  'held',
  'revoked',
] as const;
export type CertificateState = (typeof certificateStates)[number];

export type CertificateRecord = {
  readonly ca: string;
  /** As many digits as the INTEGER has in DER. */
  readonly serial: string;
  readonly state: CertificateState;
  readonly endpoint: string;
  readonly transaction: string;
  /** RFC 4514 text, for people. */
  readonly subject: string;
  /** SHA-256 of the TBSCertificate. */
  readonly tbsHash: string;
  /** The certificate, once it is committed. */
  readonly der?: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** It has signed a renewal: its device has it. */
  readonly confirmed: boolean;
  /** Renewals of it by serial, voided ones removed; at most `MAX_SUCCESSORS`. */
  readonly successors: Readonly<Record<string, { readonly at: number }>>;
  readonly revokedAt?: number;
  /** Revoked by its release gate: nobody may ever see it. */
  readonly unseen?: true;
  readonly revocationReason?: RevocationReason | 'certificateHold';
};

/** One shard of a CA's register of revocations: its latest entries. */
export type RegisterShard = {
  readonly changes: number;
  /** Full pages before these entries. */
  readonly pages: number;
  readonly entries: RegisterPage['entries'];
};

/** Written once. */
export type RegisterPage = {
  readonly entries: Readonly<
    Record<
      string,
      {
        readonly at: number;
        readonly reason: RevocationReason | 'certificateHold' | 'removeFromCRL';
        /** Of the certificate. */
        readonly notAfter: number;
      }
    >
  >;
};

export type EventRecord = {
  /** RFC 8785 text of the event: what is hashed into a log, kept as it was hashed. */
  readonly body: string;
  /** The Transaction that it is about. */
  readonly transaction?: string;
};
export type OutboxEntry = { readonly event: string };

/** prepared: loaded everywhere, not announced; current: announced; previous: still answered. */
export type RaGenerationState = 'prepared' | 'current' | 'previous' | 'retired';

export type AuthorityRecord = {
  readonly ca: string;
  /** What the `Signer` port calls the CA's key. */
  readonly keyReference: string;
  /** The CA's certificate first, then its issuers up to the root; empty while it waits for the one that
   * its root has to sign. */
  readonly chain: readonly string[];
  readonly generations: readonly RaGenerationRecord[];
};

export type RaGenerationRecord = {
  /** Counted from 1. */
  readonly id: number;
  readonly state: RaGenerationState;
  /** When it came into this state. */
  readonly since?: number;
  readonly certificate: string;
  /** The private key as the `RaKeys` port sealed it; a retired one has none any more. */
  readonly sealedKey?: string;
};

/** MAC keys that are sealed by what keeps keys; the one that makes new MACs first. */
export type MacKeysRecord = {
  readonly keys: readonly { readonly id: string; readonly sealedKey: string }[];
};

export const roles = ['admin', 'approver', 'challenger', 'auditor'] as const;
export type Role = (typeof roles)[number];

export type AdminToken = {
  /** For people and events: who acted. */
  readonly name: string;
  readonly roles: readonly Role[];
};

/** What a request was answered that may come again. */
export type IdempotencyRecord = {
  /** Hash of the request. */
  readonly request: string;
  /** JSON; of a new challenge all but the challenge. */
  readonly answer: string;
  /** Id of the MAC key that the challenge was derived with. */
  readonly macKey?: string;
  readonly expiresAt: number;
};

const released: ReadonlySet<CertificateState> = new Set(['issued', 'held', 'revoked']);

/** Somebody may have been given it: it may be shown. */
export const isReleased = ({
  state,
  unseen,
}: Pick<CertificateRecord, 'state' | 'unseen'>): boolean => released.has(state) && !unseen;

/** Of a job that one instance at a time does. */
export type Lease = {
  /** Before that nobody begins it: somebody is at it, or it is not due. */
  readonly until: number;
};

/** Somebody who may not use the CA's key wants a CRL to be published. */
export type CrlRequest = { readonly by: string; readonly at: number };
