// The record of a certificate, from the intent to issue it until its end, and of the key it is for.

import { type CertificateState, type RevocationReason, releasedStates } from '../../base/words.ts';
import type { Profile } from '../../config/profile.ts';
import type { Lineage } from './lineage.ts';

/** The record of a certificate in one of these states; without a parameter, in any. */
export type CertificateRecord<S extends CertificateState = CertificateState> = {
  readonly [K in S]: CertificateBase & { readonly state: K } & CertificateIn[K];
}[S];

/** What the record has in each state beside `CertificateBase`. */
type CertificateIn = {
  readonly intended: Unsigned & NotRevoked;
  readonly signed: Signed & NotRevoked;
  readonly issued: Signed & NotRevoked;
  readonly voided: Unsigned & NotRevoked;
  readonly held: Signed & {
    readonly revokedAt: number;
    readonly revocationReason: 'certificateHold';
    readonly supersededBy?: never;
    readonly unseen?: never;
  };
  readonly revoked: Signed & {
    readonly revokedAt: number;
    readonly revocationReason: RevocationReason;
    /** Serial of the renewal that superseded it, by its intent or later. A certificate that a person revokes has
     * none, whatever the reason. */
    readonly supersededBy?: string;
    /** Revoked by its release gate: it must never be handed out. */
    readonly unseen?: true;
  };
};
/** The certificate, DER. */
type Signed = { readonly der: string };
type Unsigned = { readonly der?: never };
type NotRevoked = {
  readonly revokedAt?: never;
  readonly revocationReason?: never;
  readonly supersededBy?: never;
  readonly unseen?: never;
};

/** What a challenge, or a request that a validator outside judged, has made less of than its profile allows; renewals
 * keep it. */
export type Narrowing = {
  /** Some of those of the profile. */
  readonly keyUsage?: Profile['keyUsage'];
  /** Dotted OIDs, some of those of the profile. */
  readonly extKeyUsage?: readonly string[];
  /** Lifetime, at most that of the profile. */
  readonly validityMs?: number;
};

type CertificateBase = {
  readonly ca: string;
  /** As many digits as the INTEGER has in DER. */
  readonly serial: string;
  readonly endpoint: string;
  readonly transaction: string;
  /** RFC 4514 text, for people. */
  readonly subject: string;
  /** SHA-256 of the TBSCertificate, and of the SubjectPublicKeyInfo in it. */
  readonly tbsHash: string;
  readonly keyHash: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** It has signed a renewal, or a query where its renewal is to be superseded: its device has it. */
  readonly confirmed: boolean;
  /** When it signed a query last, about, while it has renewals that supersede it. */
  readonly signedAt?: number;
  /** Renewals of it by serial, oldest first, voided ones removed; the latest `MAX_SUCCESSORS`. All but the
   * last are superseded, or were never released. */
  readonly successors: Readonly<Record<string, { readonly at: number }>>;
  readonly lineage: Lineage;
  /** `GENERATION-NUMBER` of the CRL partition that its cRLDistributionPoints name; absent: the CA's own CRL. */
  readonly partition?: string;
  readonly narrowing?: Narrowing;
  /** What its owner calls the device, such as the number on its label: of its challenge, and kept by renewals. */
  readonly device?: string;
};

/** For which names a key is certified. */
export type KeyOwner = {
  /** Hash over subject and names. */
  readonly names: string;
  readonly expiresAt: number;
  /** Of the certificate, and the request that it came from. */
  readonly serial: string;
  readonly requestHash: string;
};

const released: ReadonlySet<CertificateState> = new Set(releasedStates);

/** It has been given to no device. */
export const isUnreleased = (
  certificate: CertificateRecord,
): certificate is CertificateRecord<'intended' | 'signed' | 'voided'> =>
  !released.has(certificate.state);

/** It may have been handed out, so it may be shown. */
export const isReleased = ({
  state,
  unseen,
}: Pick<CertificateRecord, 'state' | 'unseen'>): boolean => released.has(state) && !unseen;
