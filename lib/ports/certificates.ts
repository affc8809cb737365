// Certificates by CA and serial number: the record of what was meant to be signed, was signed, and
// what has become of it since. A serial is never used twice, not even after `voided`.

import type { Bytes } from '../bytes.ts';

export type CertificateState = 'intended' | 'issued' | 'voided' | 'revoked';

export type CertificateRecord = {
  readonly ca: string;
  /** Hexadecimal, as many digits as the INTEGER has in DER. */
  readonly serial: string;
  readonly state: CertificateState;
  /** SHA-256 of the TBSCertificate, hexadecimal. */
  readonly tbsHash: string;
  /** The certificate, DER; only once it is committed. */
  readonly der: Bytes | undefined;
  readonly transaction: string;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
};

export interface Certificates {
  /** A consistent read. */
  find(ca: string, serial: string): Promise<CertificateRecord | undefined>;
}
