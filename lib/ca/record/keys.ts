// The keys of records, and the hashes that make two requests, two polls or two owners the same.

import { type Bytes, hex } from '../../base/bytes.ts';
import { canonical, type Json } from '../../base/json.ts';
import { hash } from '../../crypto/native.ts';
import { attributesOf, nameOf, rdnsByType } from '../../x509/names/name.ts';

const digest = (...parts: Json[]): string => hex(hash('SHA-256', canonical(parts)));
const fingerprint = (octets: Bytes): string => hex(hash('SHA-256', octets));

/** Identifies the signer: by its certificate if this CA issued it, else by its key. */
export const certificateIdentity = (der: Bytes): string => `certificate:${fingerprint(der)}`;
export const keyIdentity = (spki: Bytes): string => `key:${fingerprint(spki)}`;

/**
 * Two pkiMessages with the same hash ask for the same thing (a retry, a lost reply).
 * @param identity of an enrolment the key that it asks for, of a renewal the certificate that signed
 */
export const requestKey = (endpoint: string, identity: string, info: Bytes): string =>
  digest('request', endpoint, identity, fingerprint(info));

/** A transactionID is the client's own and opaque: it is found only together with the signer's key. */
export const pollKey = (endpoint: string, spki: Bytes, transactionID: string): string =>
  digest('poll', endpoint, fingerprint(spki), transactionID);

/** @param serial hexadecimal */
export const certificateKey = (ca: string, serial: string): string => `${ca}/${serial}`;

/** The hash by which a blocked key, and the certificates of a key, are found. */
export const keyHash = (spki: Bytes): string => fingerprint(spki);

export const keyOwnerKey = (ca: string, spki: Bytes): string => `${ca}/${fingerprint(spki)}`;

/**
 * That a certificate was issued for this subject and these names. Types may stand in any order, the
 * values of one type only in theirs: OU=Users,OU=Admins is not OU=Admins,OU=Users.
 * @param subject Name, DER
 */
export const subjectKey = (
  ca: string,
  endpoint: string,
  subject: Bytes,
  names: readonly string[],
): string =>
  `${ca}/${endpoint}/${digest('subject', rdnsByType(nameOf(subject)), [...names].sort())}`;

/** Hash over the subject and names of a certificate, in any order. @param subject Name, DER */
export const namesHash = (subject: Bytes, names: readonly string[]): string =>
  digest('names', attributesOf(nameOf(subject)), [...names].sort());
