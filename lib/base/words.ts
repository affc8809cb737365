// The lists of words that records, events, the admin API and the commands have in common: states, reasons,
// roles. Each list stands once, here, so that a word that is added is known everywhere or does not compile.

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

/** What a request says that it asks for. What it becomes is decided by what it proves: whoever signs with a
 * certificate of ours may get a renewal without asking for one. */
export const requestKinds = ['enrolment', 'renewal'] as const;
export type RequestKind = (typeof requestKinds)[number];

/** Kinds of clients, as far as a message tells. */
export const clientFamilies = [
  'apple',
  'windows',
  'cisco',
  'strongswan',
  'certmonger',
  'micromdm',
  'sscep',
  'jscep',
] as const;
export type ClientFamily = (typeof clientFamilies)[number];

/** signed: waits for the release gate, and must not be handed out yet. */
const certificateStates = ['intended', 'signed', 'issued', 'voided', 'held', 'revoked'] as const;
export type CertificateState = (typeof certificateStates)[number];

/** Of a certificate that may have been handed out. */
export const releasedStates = ['issued', 'held', 'revoked'] as const satisfies CertificateState[];

/** What people are told: an issued one that is past its end is expired (openssl's index: V, E, R). Held and
 * revoked ones stay what they are. */
export const shownStates = [...certificateStates, 'expired'] as const;
export type ShownState = (typeof shownStates)[number];
export const listedStates = ['issued', 'expired', 'held', 'revoked'] as const;
export type ListedState = (typeof listedStates)[number];

/** invalid: it allows nothing, because another hand has changed it or put an older one back. */
export const deviceStates = ['listed', 'removed', 'invalid'] as const;
export type DeviceState = (typeof deviceStates)[number];

/** revoked: by a person. locked: a one-time one, after too many refused attempts. invalid: it lets nobody in,
 * because another hand has changed or made it, or its MAC key is gone. */
export const challengeStates = [
  'open',
  'spent',
  'expired',
  'locked',
  'revoked',
  'invalid',
] as const;
export type ChallengeState = (typeof challengeStates)[number];

/** prepared: loaded everywhere, not announced; current: announced; previous: still answered. */
export const raGenerationStates = ['prepared', 'current', 'previous', 'retired'] as const;
export type RaGenerationState = (typeof raGenerationStates)[number];

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

/** With the hold, and its end. */
export const registerReasons = [...revocationReasons, 'certificateHold', 'removeFromCRL'] as const;
export type RegisterReason = (typeof registerReasons)[number];

/** Roles of a token of the admin API; `admin` has the rights of all. */
export const roles = ['admin', 'approver', 'challenger', 'auditor'] as const;
export type Role = (typeof roles)[number];

/** What a MAC key is for: `ports/mac-keys.ts` says who makes and who checks such MACs. */
export const macPurposes = [
  'challenge',
  'pending',
  'approval',
  'evidence',
  'gate',
  'record',
  'registry',
] as const;
export type MacPurpose = (typeof macPurposes)[number];

/** Why a request is not told as it came: no certificate came of it; its record is gone, or that of a later message with
 * another signature took its place; its challengePassword is none of ours for one use, so that others may have it, and it
 * is never told; its challenge could still be used. */
export const withheldWords = ['notIssued', 'notKept', 'secret', 'live'] as const;
export type Withheld = (typeof withheldWords)[number];

/** Why a recorded request is not judged under another configuration: its record, its challenge or the certificate that
 * signed it is gone; what it brought is not on record, or is not what the configuration asks for; a validator outside was
 * not asked then; our own trouble. */
export const notReplayedWords = [
  'requestGone',
  'challengeGone',
  'certificateGone',
  'proofUnknown',
  'validatorUnasked',
  'trouble',
] as const;
export type NotReplayed = (typeof notReplayedWords)[number];

/** The steps to another RA key. */
export const rotationSteps = ['prepare', 'activate', 'retire'] as const;
export type RotationStep = (typeof rotationSteps)[number];

/** The log of what is of no CA. No CA has this id. */
export const SYSTEM_LOG = 'system';

export const actorKinds = ['device', 'admin', 'system'] as const;

/** Types of events are never renamed, only added. The noun first, then what happened to it. */
export const eventTypes = [
  'ca.created',
  'ca.chainImported',
  'ca.key.created',
  'ca.request.signed',
  'ca.ra.prepared',
  'ca.ra.current',
  'ca.ra.retired',
  'ca.retired',
  'challenge.created',
  'challenge.refused',
  'challenge.reused',
  'challenge.decoyUsed',
  'challenge.locked',
  'challenge.revoked',
  'devices.imported',
  'devices.removed',
  'request.pending',
  'link.created',
  'request.voted',
  'request.approved',
  'request.denied',
  'request.expired',
  'request.refused',
  'certificate.intended',
  'certificate.signed',
  'certificate.issued',
  'certificate.voided',
  'certificate.revoked',
  'certificate.superseded',
  'certificate.held',
  'certificate.released',
  'certificate.reasonRaised',
  'crl.published',
  'crl.discarded',
  'log.recovered',
  'log.forgotten',
  'admin.acted',
  'admin.read',
  'admin.refused',
  'config.applied',
  'key.blocked',
] as const;
export type EventType = (typeof eventTypes)[number];
