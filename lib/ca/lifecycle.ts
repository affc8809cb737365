// The beginning of a CA: its key, its certificate, its first RA generation. Where an offline root
// certifies it, there is only its key at first, and a request for that root.

import type { KeySpec } from '../algorithms.ts';
import { type Bytes, base64, fromBase64 } from '../bytes.ts';
import type { Authority } from '../config.ts';
import { Outage } from '../errors.ts';
import type { Actor } from '../log/event.ts';
import type { MacPurpose, SealedMacKey } from '../ports/mac-keys.ts';
import { readCertificate, signed } from '../x509/certificate.ts';
import { encodeCaRequestInfo } from '../x509/csr.ts';
import { printName } from '../x509/name.ts';
import type { Deps } from './deps.ts';
import { sign } from './issue.ts';
import {
  caExtensions,
  caKeyOf,
  fingerprint,
  makeGeneration,
  raEvent,
  selfSigned,
} from './own-certificates.ts';
import { Draft, View } from './view.ts';

export type LifecycleDeps = Pick<
  Deps,
  'config' | 'store' | 'signer' | 'raKeys' | 'clock' | 'random' | 'log'
>;

/** The store and the keys, opened for an operator's commands. */
export type Operator = LifecycleDeps & {
  /** Takes a key that exists for a CA's; absent where keys are files. @returns its reference */
  readonly adoptKey?: (key: string, spec: KeySpec) => Promise<string>;
  /** Absent where MAC keys make themselves. */
  readonly makeMacKey?: (purpose: MacPurpose) => Promise<SealedMacKey>;
  readonly close: () => void;
};

export type InitOptions = {
  readonly actor?: Actor;
  /** Makes the CA's key, or takes one that is there. @returns its reference */
  readonly takeKey?: () => Promise<string>;
};

const system: Actor = { kind: 'system' };

/**
 * Makes the CA: key, self-signed certificate, one RA generation, which is current at once.
 * @returns `exists` when there is one under this id, `waiting` when it has yet to be given the certificate
 *   that its root signs; nothing was changed then
 */
export async function initCa(
  deps: LifecycleDeps,
  { id, subject, key, validityMs }: Authority,
  { actor = system, takeKey = () => deps.signer.create(id, key) }: InitOptions = {},
): Promise<'done' | 'exists' | 'waiting'> {
  const view = await authorities(deps, id);
  const known = view.get('authority', id);
  if (known) return known.chain.length > 0 ? 'exists' : 'waiting';
  const now = deps.clock.now();
  const keyReference = await own(deps, view, takeKey);
  const caKey = await caKeyOf(deps.signer, keyReference);
  const issuer = await selfSigned(deps, id, caKey, subject, now, now + validityMs);
  const { der } = issuer.certificate;
  const ra = await makeGeneration(deps, issuer, { id: 1, state: 'current' }, now);
  const draft = new Draft(view);
  draft.put('authority', id, { ca: id, keyReference, chain: [base64(der)], generations: [ra] });
  const about = { actor, ca: id };
  draft.event(now, deps.random, { ...about, type: 'ca.key.created', key: keyReference });
  draft.event(now, deps.random, {
    ...about,
    type: 'ca.created',
    subject: printName(subject),
    certificateHash: fingerprint(der),
  });
  draft.event(now, deps.random, { ...about, ...raEvent('ca.ra.current', ra) });
  return (await deps.store.write(draft.actions)) === 'done' ? 'done' : 'exists';
}

/**
 * For a CA that somebody else certifies: its key, if it has none yet, and a PKCS#10 by it, which is the
 * one thing that it signs beside certificates and CRLs. A CA that has its certificate asks for the next
 * one, for the same name and key.
 */
export async function requestCa(
  deps: LifecycleDeps,
  { id, subject: configured, key }: Authority,
  { actor = system, takeKey = () => deps.signer.create(id, key) }: InitOptions = {},
): Promise<Bytes> {
  const view = await authorities(deps, id);
  const known = view.get('authority', id);
  const keyReference = known?.keyReference ?? (await own(deps, view, takeKey));
  const caKey = await caKeyOf(deps.signer, keyReference);
  if (!known) {
    const draft = new Draft(view);
    draft.put('authority', id, { ca: id, keyReference, chain: [], generations: [] });
    const event = { type: 'ca.key.created', actor, ca: id, key: keyReference } as const;
    draft.event(deps.clock.now(), deps.random, event);
    if ((await deps.store.write(draft.actions)) === 'conflict') throw changedMeanwhile(id);
  }
  const [before] = known?.chain ?? [];
  const subject = before === undefined ? configured : readCertificate(fromBase64(before)).subject;
  const info = encodeCaRequestInfo(subject, caKey.key.spki, caExtensions(caKey));
  return signed(info, caKey.scheme, await sign(deps, caKey, info));
}

/** This CA's record, and those of the others of this deployment. */
async function authorities({ store, config }: LifecycleDeps, id: string): Promise<View> {
  const view = new View(store);
  const ids = new Set([id, ...config.cas.keys()]);
  await view.load([...ids].map((key) => ({ kind: 'authority', key })));
  return view;
}

/** @throws {Outage} for a key that is another CA's: what one says, the other would have said too */
async function own(
  { config }: LifecycleDeps,
  view: View,
  takeKey: () => Promise<string>,
): Promise<string> {
  const taken = await takeKey();
  const owner = [...config.cas.keys()].find(
    (id) => view.get('authority', id)?.keyReference === taken,
  );
  if (owner === undefined) return taken;
  throw new Outage(`the key ${taken} is that of the CA "${owner}": name another`);
}

export const changedMeanwhile = (id: string): Outage =>
  new Outage(`somebody else has just changed the CA "${id}": look at it, and run this again`);
