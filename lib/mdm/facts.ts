// What is written for other systems is made of this: an endpoint as the service has it, and what a device is to ask
// it for.

import { type Bytes, equal } from '../base/bytes.ts';
import type { Endpoint } from '../config/endpoint/endpoint.ts';
import type { OutsideValidator } from '../config/outside/validators.ts';
import type { Profile } from '../config/profile.ts';
import type { Certificate } from '../x509/certificate.ts';
import type { GeneralName } from '../x509/names/general-name.ts';

export type CaFacts = {
  readonly certificate: Certificate;
  /** Fingerprints of its DER, hexadecimal in lower case. */
  readonly sha1: string;
  readonly sha256: string;
};

export type MdmFacts = {
  readonly endpoint: Endpoint;
  /** Where devices reach the endpoint. */
  readonly url: string;
  /** Where they reach the service: an origin. */
  readonly publicUrl: string;
  /** Systems outside that it asks about enrolments. */
  readonly outside: readonly OutsideValidator[];
  readonly ca: CaFacts;
  /** Its issuers, up to the root. */
  readonly issuers: readonly CaFacts[];
};

export type DeviceRequest = {
  /** Name, DER. */
  readonly subject: Bytes | undefined;
  readonly names: readonly GeneralName[];
  readonly challenge: string | undefined;
};

/** The SCEP URL of an endpoint. @param publicUrl an origin */
export const scepUrl = (publicUrl: string, endpoint: string): string =>
  endpoint === 'default' ? `${publicUrl}/scep` : `${publicUrl}/scep/${endpoint}`;

export const isRoot = ({ certificate: { subject, issuer } }: CaFacts): boolean =>
  equal(subject, issuer);

/**
 * The smallest RSA key that the profile certifies, of those that clients offer to make.
 * @throws {SyntaxError} where there is none
 */
export function rsaBits({ id, keys: { rsa } }: Profile): 2048 | 4096 {
  const bits = ([2048, 4096] as const).find((one) => rsa && one >= rsa.min && one <= rsa.max);
  if (bits) return bits;
  throw new SyntaxError(
    `the profile "${id}" certifies no RSA keys of 2048 or 4096 bits, and this client makes no others: change profiles.${id}.keys.rsa`,
  );
}
