// What a Transaction keeps sealed, so that read access to the records does not reveal it: the password for the
// reply of an EC client, while its request waits; the challenge of a request, for auditors, once nobody can use it any
// more; and what a request brought for validators outside, until they have been told. AES-256-GCM, for this one Transaction.

import { type Bytes, base64, fromBase64, fromUtf8, utf8 } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import type { MacKey } from '../../ports/mac-keys.ts';
import type { Challenge } from '../../ports/records/records.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import { type CertificationRequest, secretOf, unredact } from '../../x509/csr.ts';
import { mac } from '../challenge/challenges.ts';
import type { Deps } from '../deps.ts';

/** @param iv 12 fresh octets */
export const sealPassword = (
  macKey: MacKey,
  id: string,
  password: string,
  iv: Bytes,
): Promise<string> => seal(macKey, { id, purpose: 'seal' }, utf8(password), iv);

/** @throws {Outage} when it cannot be opened */
export async function unsealPassword(
  macKeys: readonly MacKey[],
  { id, sealedPassword }: Transaction,
): Promise<string | undefined> {
  if (sealedPassword === undefined) return undefined;
  const about = { id, purpose: 'seal', name: 'password' } as const;
  return fromUtf8(await unseal(macKeys, about, sealedPassword));
}

/**
 * Keeps the challenge that came in a request, without which its signature does not verify. One that several devices
 * have, and a secret of somebody else, is never shown to anybody, and so it is not kept.
 * @param challenge of this service, that the request has
 */
export async function keepChallenge(
  { macKeys, random }: Pick<Deps, 'macKeys' | 'random'>,
  id: string,
  csr: CertificationRequest,
  challenge: { readonly record: Pick<Challenge, 'uses'> } | undefined,
): Promise<Pick<Transaction, 'sealedChallenge'>> {
  const secret = challenge?.record.uses === 1 ? secretOf(csr) : undefined;
  if (!secret) return {};
  const [macKey] = await macKeys.live('evidence');
  return {
    sealedChallenge: await seal(macKey, { id, purpose: 'evidence' }, secret, random(12)),
  };
}

/** The challengePassword attribute, DER. @throws {Outage} when it cannot be opened */
export const unsealChallenge = (
  macKeys: readonly MacKey[],
  { id }: Transaction,
  sealed: string,
): Promise<Bytes> => unseal(macKeys, { id, purpose: 'evidence', name: 'challenge' }, sealed);

/**
 * Keeps what a request brought in its challengePassword for validators outside, which are told of the request as it came.
 */
export async function keepForOutside(
  { macKeys, random }: Pick<Deps, 'macKeys' | 'random'>,
  id: string,
  csr: CertificationRequest,
): Promise<Pick<Transaction, 'gateChallenge'>> {
  const secret = secretOf(csr);
  if (!secret) return {};
  const [macKey] = await macKeys.live('gate');
  return { gateChallenge: await seal(macKey, { id, purpose: 'gate' }, secret, random(12)) };
}

/** The CSR as it came, DER. @param redacted the same without its challengePassword @throws {Outage} when it does not open */
export async function asItCame(
  { macKeys }: Pick<Deps, 'macKeys'>,
  { id, gateChallenge }: Transaction,
  redacted: Bytes,
): Promise<Bytes> {
  if (redacted.length === 0) throw new Outage(`the request of ${id} is gone`);
  if (gateChallenge === undefined) return redacted;
  const about = { id, purpose: 'gate', name: 'challenge' } as const;
  return unredact(redacted, await unseal(await macKeys.live('gate'), about, gateChallenge));
}

/** A request that ends without a certificate keeps nothing sealed. */
export const withoutSealed = ({
  sealedPassword: _password,
  sealedChallenge: _challenge,
  gateChallenge: _gate,
  ...rest
}: Transaction<'pending' | 'approved'>) => rest;

type About = { readonly id: string; readonly purpose: 'seal' | 'evidence' | 'gate' };

async function seal(macKey: MacKey, about: About, octets: Bytes, iv: Bytes): Promise<string> {
  const parameters = { name: 'AES-GCM', iv, additionalData: utf8(about.id) };
  const key = await keyOf(macKey, about);
  const sealed = await crypto.subtle.encrypt(parameters, key, octets);
  return [macKey.id, base64(iv), base64(new Uint8Array(sealed))].join('.');
}

async function unseal(
  macKeys: readonly MacKey[],
  { name, ...about }: About & { readonly name: string },
  text: string,
): Promise<Bytes> {
  const [keyId, iv = '', sealed = ''] = text.split('.');
  const macKey = macKeys.find((candidate) => candidate.id === keyId);
  if (!macKey) throw new Outage(`the ${name} of ${about.id} is sealed under a key that is gone`);
  try {
    const parameters = { name: 'AES-GCM', iv: fromBase64(iv), additionalData: utf8(about.id) };
    const key = await keyOf(macKey, about);
    return new Uint8Array(await crypto.subtle.decrypt(parameters, key, fromBase64(sealed)));
  } catch {
    throw new Outage(`the ${name} of ${about.id} does not open`);
  }
}

function keyOf(macKey: MacKey, { purpose }: About): Promise<CryptoKey> {
  const key = mac(macKey, purpose, null);
  return crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt']);
}
