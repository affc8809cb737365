// What the store holds: every kind of record, and its key; `places.ts` has the lists they stand in.
// Records are JSON values; octets in them are base64, digests and serial numbers hexadecimal, times
// milliseconds since 1970. Each is written with `RECORD_VERSION`, because records outlive releases.

import type { Reason } from '../../refusal/reasons.ts';
import type { CertificateRecord, KeyOwner, Narrowing } from './certificate.ts';
import type { DeviceRecord, DeviceVersion } from './device.ts';
import type { RegisterPage, RegisterShard } from './register.ts';
import type { AdminToken, AuthorityRecord, MacKeysRecord } from './registry.ts';
import type { Author, Transaction } from './transaction.ts';

/** A store refuses, with a sentence, records of a later version than it knows. */
export const RECORD_VERSION = 1;

/** The members of a record from its text; undefined if the text is not a JSON object or array. */
export function recordIn(text: string | undefined): object | undefined {
  try {
    const read: unknown = JSON.parse(text ?? '');
    return typeof read === 'object' && read !== null ? read : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export type Records = {
  /** Key: its ULID. */
  readonly transaction: Transaction;
  /** Key: the request hash. What is known of that request. */
  readonly request: RequestPointer;
  /** Key: hash over endpoint, the signer's SubjectPublicKeyInfo and transactionID. It names the Transaction
   * that polls ask about; a later request with the same key replaces it. */
  readonly poll: { readonly transaction: string };
  /** Key: `endpoint/MAC key id/MAC`. */
  readonly challenge: Challenge;
  /** Key: `list/identifier`, as `deviceKey` has it. */
  readonly device: DeviceRecord;
  readonly deviceVersion: DeviceVersion;
  /** Key: `ca/hash of the SubjectPublicKeyInfo`. */
  readonly keyOwner: KeyOwner;
  /** Key: hash of the SubjectPublicKeyInfo alone, because a compromised key is blocked at every CA. */
  readonly blockedKey: BlockedKey;
  /** Key: `ca/endpoint/hash over subject and names`. Where the approval rule asks for it. */
  readonly subject: SubjectRecord;
  /** Key: `ca/serial`. */
  readonly certificate: CertificateRecord;
  /** Key: `ca/last digit of the serials`. */
  readonly register: RegisterShard;
  /** Key: the shard's and `/number`. */
  readonly registerPage: RegisterPage;
  /** Key: its ULID. Never changed, but for what is forgotten of it. */
  readonly event: EventRecord;
  /** Key: the log, and the id of the first event: events of one write that are under no published checkpoint. */
  readonly unlogged: { readonly log: string; readonly events: readonly string[] };
  /** Key: the log. */
  readonly logHead: LogHead;
  /** Key: `current`. Of the configuration that was told of last. */
  readonly configuration: { readonly digest: string };
  /** Key: the CA's id. */
  readonly authority: AuthorityRecord;
  /** Key: `all`. The ids of all CAs that were ever made here. */
  readonly authorities: { readonly cas: readonly string[] };
  /** Key: the purpose (`MacPurpose`). */
  readonly macKeys: MacKeysRecord;
  /** Key: SHA-256 of the token; `name:` and its name, which leads to that hash. */
  readonly token: AdminToken;
  /** Key: hash over the token that asked and the Idempotency-Key. */
  readonly idempotency: IdempotencyRecord;
  /** Key: the name of a job that one instance at a time runs. None begins it before `until`: an instance runs
   * it, or it is not due. */
  readonly lease: { readonly until: number };
  /** Key: `fresh`, `late`. The last event up to which the index of searches has been written. */
  readonly indexed: { readonly upTo: string };
  /** Key: the endpoint, or the account of a page. Places that are left for refusals, or challenges, and when that was
   * counted. */
  readonly refusalBudget: { readonly places: number; readonly at: number };
  /** Key: the CA's id. When its next turn to issue is, where its rate is limited: milliseconds since 1970. */
  readonly turns: { readonly next: number };
  /** Key: the CA's id. A wish for a CRL by a process that may not use the CA's key; the publisher removes
   * it. */
  readonly crlRequest: { readonly by: string; readonly from?: string; readonly at: number };
};
export type Kind = keyof Records;

export type RequestPointer = {
  /** The newest Transaction of the request, and its CSR without the challengePassword. */
  readonly transaction?: string;
  readonly csr?: string;
  /** It was refused, and that has been counted against its challenge: for this reason, where the
   * refusal was kept. */
  readonly refused?: Reason | true;
  /** Where there is no Transaction: until when that counts. */
  readonly expiresAt?: number;
};

/** What a certificate issued on a challenge may say, and to whom. Absent means: as the profile allows. */
export type Binding = {
  /** RFC 4514 text; the CSR must have the same attributes with the same values. */
  readonly subject?: string;
  /** By attribute type, such as `CN`: it must be there, and each of its values match one of the patterns. */
  readonly subjectPattern?: Readonly<Record<string, readonly string[]>>;
  /** `TYPE:VALUE`; all of them go into the certificate, and the CSR may ask for no other. */
  readonly names: readonly string[];
  /** `rsa`, `rsa:BITS`, `ec`, `ec:CURVE` or `ed25519`; SHA-256 of the one SubjectPublicKeyInfo, hexadecimal. */
  readonly key?: string;
  readonly keyHash?: string;
  /** Addresses and ranges that the request must come from, as `printIpRange` has them. */
  readonly sources?: readonly string[];
  /** The profile that the endpoint must have. */
  readonly profile?: string;
  /** What its owner calls the device. */
  readonly device?: string;
} & Narrowing;

export type Challenge = {
  /** A ULID, for people: logs, lists, revocation. */
  readonly id: string;
  readonly endpoint: string;
  readonly binding: Binding;
  readonly madeBy?: Author;
  /** Over key, id, endpoint, binding, uses, expiry and maker: a changed record authorizes nothing. */
  readonly bindingMac: string;
  /** How often it may be used in all, and how often it still may. */
  readonly uses: number;
  readonly usesLeft: number;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Refused attempts so far; as many as lock it once it is revoked. */
  readonly failures: number;
  readonly revokedAt?: number;
  /** It lets nobody in: whoever uses it has read what was none of their business. */
  readonly decoy?: true;
  /** `kid` of the key that signed it: it was not made here, and has a record since it was first used. */
  readonly signedBy?: string;
  /** Transactions that hold a use, and their request hashes; finished ones until they are cleared. A
   * one-time challenge keeps its only one. */
  readonly open: Readonly<Record<string, string>>;
};

/** A certificate of this key was revoked for keyCompromise: it is never certified again. It never expires. */
type BlockedKey = {
  readonly ca: string;
  readonly serial: string;
  readonly at: number;
};

/** A certificate was issued for this subject and these names. */
type SubjectRecord = {
  readonly serial: string;
};

export type EventRecord = {
  /** RFC 8785 text of the event: what is hashed into a log, kept as it was hashed. */
  readonly body: string;
  /** RFC 8785 text of what names persons and devices in it, until it is forgotten: the event has its hash. */
  readonly personal?: string;
  /** The Transaction that it is about. */
  readonly transaction?: string;
};

/** What was signed last of a log. */
type LogHead = {
  /** Under which its files are: that of the log, and `LOG.2` after it has ended once. */
  readonly name: string;
  /** As it stands in checkpoints: fixed when the log begins. */
  readonly origin: string;
  /** A signed note (C2SP tlog-checkpoint), empty until the first; and the one before it. */
  readonly checkpoint: string;
  readonly before: string;
  /** Keys of the `unlogged` whose events this checkpoint brought. */
  readonly taken: readonly string[];
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
