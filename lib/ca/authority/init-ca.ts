// Makes a CA: its key, its certificate, its first RA generation. For a CA below an offline root it makes
// only the key at first, and a request to that root.

import { type Bytes, base64, fromBase64 } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { MAX_INIT_ROUNDS } from '../../base/limits.ts';
import type { Authority } from '../../config/config.ts';
import type { Actor } from '../../events/event.ts';
import type { Crls } from '../../ports/crls.ts';
import type { AuthorityRecord, CrlPartitions } from '../../ports/records/registry.ts';
import { fingerprint, readCertificate } from '../../x509/certificate.ts';
import { encodeCaRequestInfo } from '../../x509/csr.ts';
import { printName } from '../../x509/names/name.ts';
import type { LifecycleDeps } from '../deps.ts';
import { loadNew, type Remembered } from '../record/idempotency.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { retiredOn } from './as-made.ts';
import { enterCa, isListed, loadCas } from './known.ts';
import {
  caExtensions,
  makeGeneration,
  raEvent,
  selfSignedCa,
  signingKeyOf,
} from './own-certificates.ts';
import { lintedRequest, requireClean, sign } from './sign.ts';

/** The ports that make a CA; its CRLs show whether it existed before. */
type InitDeps = LifecycleDeps & { readonly crls: Pick<Crls, 'floor'> };

type InitOptions = {
  readonly actor?: Actor;
  /** Makes the CA's key, or adopts an existing one. @returns its reference */
  readonly takeKey?: () => Promise<string>;
  readonly remembered?: Remembered<void> | undefined;
};

const system: Actor = { kind: 'system' };

/**
 * Makes the CA: key, self-signed certificate, one RA generation, which is current at once.
 * @returns `exists` when there is one under this id, `waiting` when it has yet to be given the certificate
 *   that its root signs; nothing was changed then
 * @throws {Outage} if the CA has published CRLs but its record is gone: it was removed by others
 */
export async function initCa(
  deps: InitDeps,
  { id, subject, key, validityMs, crlPartitions }: Authority,
  { actor = system, takeKey = () => deps.signer.create(id, key), remembered }: InitOptions = {},
): Promise<'done' | 'exists' | 'waiting'> {
  const now = deps.clock.now();
  const wasThere = await hasPublished(deps, id, now);
  const view = await authorities(deps, id, remembered);
  const known = view.get('authority', id);
  if (known) {
    requireInService(id, known);
    await list(deps, view, id);
    return known.chain.length > 0 ? 'exists' : 'waiting';
  }
  if (wasThere) throw removed(id);
  const keyReference = await own(deps, view, takeKey);
  const caKey = await signingKeyOf(deps.signer, keyReference);
  const partitions = firstPartitions(deps, crlPartitions);
  const made = { id, partitions, subject, now, until: now + validityMs };
  const { issuer, requests } = await selfSignedCa(deps, caKey, made);
  const { der } = issuer.certificate;
  const ra = await makeGeneration(deps, issuer, { id: 1, state: 'current' }, now);
  const record = {
    ...{ ca: id, keyReference, chain: [base64(der)], generations: [ra.generation] },
    ...(partitions.length > 0 ? { partitions } : {}),
  };
  return enter({ deps, remembered }, view, record, (draft) => {
    const about = { actor, ca: id };
    draft.event(now, deps.random, { ...about, type: 'ca.key.created', key: keyReference });
    draft.event(now, deps.random, {
      ...about,
      type: 'ca.created',
      subject: printName(subject),
      certificateHash: fingerprint(der),
      ...requests,
    });
    draft.event(now, deps.random, {
      ...about,
      ...raEvent('ca.ra.current', ra.generation),
      ...ra.requests,
    });
  });
}

/** Those that a CA is made with. */
const firstPartitions = (
  { config }: Pick<InitDeps, 'config'>,
  count: number | undefined,
): readonly CrlPartitions[] =>
  count === undefined ? [] : [{ generation: 1, count, base: config.filesUrl }];

/** Writes the record of a new CA, and its id into the list of all. Another CA that is made at the same time
 * changes that list, too. */
async function enter(
  { deps, remembered }: { readonly deps: LifecycleDeps } & Pick<InitOptions, 'remembered'>,
  first: View,
  record: AuthorityRecord,
  tell: (draft: Draft) => void,
): Promise<'done' | 'exists'> {
  const { ca: id } = record;
  let view = first;
  for (let round = 0; round < MAX_INIT_ROUNDS; round++) {
    const draft = new Draft(view);
    draft.put('authority', id, record);
    enterCa(draft, id);
    tell(draft);
    remembered?.once.remember(draft, deps.clock.now(), remembered.answer());
    if ((await deps.store.write(draft.actions)) === 'done') return 'done';
    view = await authorities(deps, id, remembered);
    if (view.get('authority', id)) return 'exists';
  }
  throw changedMeanwhile(id);
}

/** Puts a CA that exists into the list of all, if it is not there: the list may have been lost. */
async function list({ store }: LifecycleDeps, view: View, id: string): Promise<void> {
  if (isListed(view, id)) return;
  const draft = new Draft(view);
  enterCa(draft, id);
  // A conflict: another CA is being entered, and this one is at the next time.
  await store.write(draft.actions);
}

function requireInService(id: string, { retiredAt }: AuthorityRecord): void {
  if (retiredAt === undefined) return;
  throw new Outage(`the CA "${id}" ${retiredOn(retiredAt)}; a new CA needs a new name`);
}

/**
 * For a CA below another one: makes its key, if it has none yet, and a PKCS#10 for it, the only thing that
 * the key signs beside certificates and CRLs. A CA that has its certificate requests the next one, for the
 * same name and key.
 */
export async function requestCa(
  deps: InitDeps,
  { id, subject: configured, key, crlPartitions }: Authority,
  { actor = system, takeKey = () => deps.signer.create(id, key), remembered }: InitOptions = {},
): Promise<Bytes> {
  const wasThere = await hasPublished(deps, id, deps.clock.now());
  const view = await authorities(deps, id, remembered);
  const known = view.get('authority', id);
  if (!known && wasThere) throw removed(id);
  if (known) requireInService(id, known);
  const keyReference = known?.keyReference ?? (await own(deps, view, takeKey));
  const caKey = await signingKeyOf(deps.signer, keyReference);
  if (!known) {
    const partitions = firstPartitions(deps, crlPartitions);
    const record = {
      ...{ ca: id, keyReference, chain: [], generations: [] },
      ...(partitions.length > 0 ? { partitions } : {}),
    };
    const event = { type: 'ca.key.created', actor, ca: id, key: keyReference } as const;
    const made = await enter({ deps, remembered }, view, record, (draft) =>
      draft.event(deps.clock.now(), deps.random, event),
    );
    if (made === 'exists') throw changedMeanwhile(id);
  }
  const [before] = known?.chain ?? [];
  const subject = before === undefined ? configured : readCertificate(fromBase64(before)).subject;
  const info = encodeCaRequestInfo(subject, caKey.key.spki, caExtensions(caKey));
  const linted = requireClean('request', lintedRequest(info, caKey, subject));
  const { der, requests } = await sign(deps, caKey, linted);
  const told = new Draft(view);
  const about = { actor, ca: id, subject: printName(subject), ...requests };
  told.event(deps.clock.now(), deps.random, { ...about, type: 'ca.request.signed' });
  await deps.store.write(told.actions);
  return der;
}

/** Asked before its record is looked for: that is there before the first CRL is. */
const hasPublished = async ({ crls }: InitDeps, id: string, now: number): Promise<boolean> =>
  (await crls.floor(id, now)) > 0;

const removed = (id: string): Outage =>
  new Outage(
    `the record of the CA "${id}", which has published CRLs, was removed by another hand: run "scepter ca restore ${id} --chain FILE --key KEY"; a new CA needs another name`,
  );

/** This CA's record, and those of all others. */
async function authorities(
  deps: LifecycleDeps,
  id: string,
  remembered: InitOptions['remembered'],
): Promise<View> {
  const view = new View(deps.store);
  await loadCas(deps, view);
  await loadNew(view, [{ kind: 'authority', key: id }], remembered, deps.clock.now());
  return view;
}

/** @throws {Outage} for the key of another CA, because the two could then sign in each other's name */
async function own(
  deps: LifecycleDeps,
  view: View,
  takeKey: () => Promise<string>,
): Promise<string> {
  const taken = await takeKey();
  const owner = (await loadCas(deps, view)).find(
    (id) => view.get('authority', id)?.keyReference === taken,
  );
  if (owner === undefined) return taken;
  throw new Outage(`the key ${taken} is that of the CA "${owner}": name another`);
}

export const changedMeanwhile = (id: string): Outage =>
  new Outage(`somebody else has just changed the CA "${id}": look at it, and run this again`);
