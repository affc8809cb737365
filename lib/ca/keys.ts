// The keys of records, and the hashes that make two requests, two polls or two owners the same.

import { type Bytes, hex } from '../bytes.ts';
import { hash } from '../cms/native.ts';
import { canonical, type Json } from '../log/canonical.ts';
import { attributesOf, nameOf } from '../x509/name.ts';

const digest = (...parts: Json[]): string => hex(hash('SHA-256', canonical(parts)));
const fingerprint = (octets: Bytes): string => hex(hash('SHA-256', octets));

/** Who signed: the certificate if this CA issued it, else the key. */
export const certificateIdentity = (der: Bytes): string => `certificate:${fingerprint(der)}`;
export const keyIdentity = (spki: Bytes): string => `key:${fingerprint(spki)}`;

/** Two pkiMessages with the same hash ask for the same thing (a retry, a lost reply). */
export const requestKey = (endpoint: string, signer: string, info: Bytes): string =>
  digest('request', endpoint, signer, fingerprint(info));

/** A transactionID is the client's own and opaque: it is found only together with the signer's key. */
export const pollKey = (endpoint: string, spki: Bytes, transactionID: string): string =>
  digest('poll', endpoint, fingerprint(spki), transactionID);

/** @param serial hexadecimal */
export const certificateKey = (ca: string, serial: string): string => `${ca}/${serial}`;

export const keyOwnerKey = (ca: string, spki: Bytes): string => `${ca}/${fingerprint(spki)}`;

/** That a certificate was issued for this subject and these names. @param subject Name, DER */
export const subjectKey = (
  ca: string,
  endpoint: string,
  subject: Bytes,
  names: readonly string[],
): string => `${ca}/${endpoint}/${namesHash(subject, names)}`;

/** What a key is certified for. @param subject Name, DER */
export const namesHash = (subject: Bytes, names: readonly string[]): string =>
  digest('names', attributesOf(nameOf(subject)), [...names].sort());
