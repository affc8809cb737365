// Keys for tests: one for each name and kind in a process, held in memory, handed to every lab.

import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type Bytes, concat, fromUtf8, utf8 } from '../../lib/base/bytes.ts';
import { macPurposes } from '../../lib/base/words.ts';
import type { KeySpec } from '../../lib/crypto/algorithms.ts';
import type { MacKeys } from '../../lib/ports/mac-keys.ts';
import type { RaKeys } from '../../lib/ports/ra-keys.ts';
import type { Signer } from '../../lib/ports/signer.ts';
import {
  type ClientKey,
  type ClientKeySpec,
  generateKey,
  importKey,
} from '../../lib/protocol/scep/client/client.ts';
import { rsaPrivateKey } from './rsa-keys.ts';

type Pair = { readonly spki: Bytes; readonly pkcs8: Bytes; readonly privateKey: KeyObject };
const pairs = new Map<string, Pair>();

function pair(name: string, spec: KeySpec): Pair {
  const known = pairs.get(name);
  if (known) return known;
  const privateKey =
    spec.type === 'RSA'
      ? rsaPrivateKey(spec.bits)
      : generateKeyPairSync('ec', { namedCurve: spec.curve }).privateKey;
  const made = {
    spki: concat([createPublicKey(privateKey).export({ type: 'spki', format: 'der' })]),
    pkcs8: concat([privateKey.export({ type: 'pkcs8', format: 'der' })]),
    privateKey,
  };
  pairs.set(name, made);
  return made;
}

const nameOf = (spec: KeySpec) => (spec.type === 'RSA' ? `rsa${spec.bits}` : spec.curve);
const digestNames = { 'SHA-256': 'sha256', 'SHA-384': 'sha384', 'SHA-512': 'sha512' } as const;

export const memorySigner: Signer = {
  create: async (ca, spec) => {
    pair(`ca ${ca} ${nameOf(spec)}`, spec);
    return `ca ${ca} ${nameOf(spec)}`;
  },
  publicKey: async (reference) => {
    const known = pairs.get(reference);
    if (!known) throw new Error(`no key ${reference}`);
    return known.spki;
  },
  sign: async (reference, { digest }, tbs) => {
    const known = pairs.get(reference);
    if (!known) throw new Error(`no key ${reference}`);
    return { octets: concat([sign(digestNames[digest], tbs, known.privateKey)]), requests: {} };
  },
};

export const memoryRaKeys: RaKeys = {
  generate: async ({ ca }) => {
    const name = `ra ${ca}`;
    return { spki: pair(name, { type: 'RSA', bits: 2048 }).spki, sealed: utf8(name) };
  },
  unseal: async (sealed) => {
    const known = pairs.get(fromUtf8(sealed));
    if (!known) throw new Error('no such RA key');
    return known.pkcs8;
  },
};

/** Another key for each purpose: a caller that takes the wrong one does not get through. */
export const memoryMacKeys: MacKeys = {
  live: async (purpose) => [
    { id: 'test', key: new Uint8Array(32).fill(7 + macPurposes.indexOf(purpose)) },
  ],
};

const clientKeys = new Map<string, Promise<ClientKey>>();

/** A device's key; the same name and kind give the same key. */
export function deviceKey(
  name = 'device',
  spec: ClientKeySpec = { type: 'RSA', bits: 2048 },
): Promise<ClientKey> {
  const id = `${name} ${JSON.stringify(spec)}`;
  const known = clientKeys.get(id) ?? newKey(spec);
  clientKeys.set(id, known);
  return known;
}

async function newKey(spec: ClientKeySpec): Promise<ClientKey> {
  if (spec.type !== 'RSA') return generateKey(spec);
  const pkcs8 = rsaPrivateKey(spec.bits).export({ type: 'pkcs8', format: 'der' });
  const key = await importKey(concat([pkcs8]));
  if (!key) throw new Error('a key of the pool cannot be imported');
  return key;
}
