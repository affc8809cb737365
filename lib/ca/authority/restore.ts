// Repairs an altered or removed record of a CA, and altered sealed MAC keys, for an operator. Only what is
// proven is taken over from the altered record: the operator gives the chain, the key must fit it, and an
// RA generation is kept if that key has signed its certificate and its own key opens.

import { type Bytes, base64, fromBase64 } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { MAX_CRL_PARTITIONS, MAX_PAGE } from '../../base/limits.ts';
import { raGenerationStates } from '../../base/words.ts';
import type { Authority } from '../../config/config.ts';
import type { Actor } from '../../events/event.ts';
import type { Crls } from '../../ports/crls.ts';
import type {
  AuthorityRecord,
  CrlPartitions,
  RaGenerationRecord,
} from '../../ports/records/registry.ts';
import type { Store } from '../../ports/store.ts';
import { chainOf, chainProblem } from '../../x509/ca-chain.ts';
import {
  type Certificate,
  fingerprint,
  isIssuedBy,
  readCertificate,
  subjectKeyIdentifierOf,
} from '../../x509/certificate.ts';
import { readCrlHead } from '../../x509/crl-head.ts';
import { printName } from '../../x509/names/name.ts';
import type { PublicKey } from '../../x509/public-key.ts';
import type { LifecycleDeps } from '../deps.ts';
import { loadNew, type Remembered } from '../record/idempotency.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { crlNames, filledIn, placedAt, type Seen } from '../revoke/partitions.ts';
import { type Issuer, openGeneration } from './ca-certificates.ts';
import type { ImportDone, Imported } from './import-chain.ts';
import { changedMeanwhile } from './init-ca.ts';
import { enterCa, loadCas } from './known.ts';
import { makeGeneration, signingKeyOf } from './own-certificates.ts';

type Restored = Exclude<Imported, ImportDone> | RestoreDone;
export type RestoreDone = ImportDone & {
  readonly generations: readonly RaGenerationRecord[];
  /** No generation of the record could be proven, so a new one was made. */
  readonly isNew: boolean;
};

/** An operator may be far from the bucket, and what waits for a connection uses up the time of its call. */
const CRLS_AT_ONCE = 32;

type RestoreDeps = LifecycleDeps & { readonly crls: Pick<Crls, 'newestOfKey'> };

type CaRestoreOptions = {
  /** The signer's reference of the CA's key; by default the one in the record, if the chain fits it. */
  readonly key: string | undefined;
  readonly actor: Actor;
  readonly remembered?: Remembered<RestoreDone> | undefined;
};

/**
 * @param found the CA's certificate and its issuers, in any order
 * @throws {Outage} if the record is not altered, or the key of the CA is unknown
 */
export async function restoreCa(
  deps: RestoreDeps,
  { id }: Pick<Authority, 'id'>,
  found: readonly Certificate[],
  { key, actor, remembered }: CaRestoreOptions,
): Promise<Restored> {
  const view = new View(deps.store);
  await loadCas(deps, view);
  await loadNew(view, [{ kind: 'authority', key: id }], remembered, deps.clock.now());
  if (view.unaltered('authority', id)) {
    throw new Outage(`the record of the CA "${id}" holds: there is nothing to restore`);
  }
  const said: Partial<Record<keyof AuthorityRecord, unknown>> = Object(view.said('authority', id));
  const keyReference = key ?? said.keyReference;
  if (typeof keyReference !== 'string') {
    throw new Outage(`nothing says which key the CA "${id}" has: name it with --key`);
  }
  const now = deps.clock.now();
  const caKey = await signingKeyOf(deps.signer, keyReference);
  const chain = await chainOf(caKey.key.spki, found);
  if (typeof chain === 'string') return { kind: 'refused', why: chain };
  const [own] = chain;
  const keyIdentifier = subjectKeyIdentifierOf(own);
  const why = chainProblem(chain, now);
  if (why !== undefined || !keyIdentifier) return { kind: 'refused', why: why ?? '' };
  const partitions = await provenPartitions(deps, id, caKey.key);
  const issuer: Issuer = { id, ...caKey, certificate: own, keyIdentifier, partitions };
  const proven = await provenGenerations(deps, issuer, said.generations);
  const isNew = proven.every(({ state }) => state !== 'current');
  const next = Math.max(0, ...proven.map((one) => one.id)) + 1;
  const made = isNew
    ? [await makeGeneration(deps, issuer, { id: next, state: 'current' }, now)]
    : [];
  const generations = [...proven, ...made.map(({ generation }) => generation)];
  const draft = new Draft(view);
  draft.put('authority', id, {
    ca: id,
    keyReference,
    chain: chain.map(({ der }) => base64(der)),
    generations,
    ...(partitions.length > 0 ? { partitions } : {}),
  });
  enterCa(draft, id);
  draft.event(now, deps.random, {
    type: 'admin.acted',
    actor,
    ca: id,
    key: keyReference,
    subject: printName(own.subject),
    certificateHash: fingerprint(own.der),
    ...made[0]?.requests,
    note: `restored the CA "${id}" with ${generations.length} RA generations`,
  });
  const done = { kind: 'done', chain, generations, isNew } as const;
  remembered?.once.remember(draft, now, remembered.answer(done));
  if ((await deps.store.write(draft.actions)) === 'conflict') throw changedMeanwhile(id);
  return done;
}

/**
 * The partitions that certificates name, or more. Each CRL that the CA has signed says its URL, and records of its
 * newest certificates say which they are in; but another hand may have removed the last of them. So the configuration
 * counts too.
 */
async function provenPartitions(
  { crls, store, config }: RestoreDeps,
  id: string,
  key: PublicKey,
): Promise<CrlPartitions[]> {
  const own = await crls.newestOfKey(id, key);
  if (own && readCrlHead(own)?.distributionPoint.length === 0) return [];
  const named = await newestPartitions(store, id);
  const isSpread = named.every((one) => one !== undefined);
  const count = (isSpread && config.cas.get(id)?.crlPartitions) || 0;
  const least = Math.max(Math.sign(count), ...named.map((one) => Number.parseInt(one ?? '0', 10)));
  const found: Seen[] = [];
  for (let generation = 1; ; generation++) {
    const signed = await signedOf(crls, { id, generation }, key);
    if (!signed.count && generation > least) break;
    found.push(signed);
  }
  return filledIn(found, { count, base: config.filesUrl });
}

/** How far the CRLs of a generation go that the CA has signed, and where they are. */
async function signedOf(
  crls: RestoreDeps['crls'],
  { id, generation }: { readonly id: string; readonly generation: number },
  key: PublicKey,
): Promise<Seen> {
  const most = { generation, count: MAX_CRL_PARTITIONS, base: '' };
  const names = crlNames({ id, partitions: [most] }).slice(1);
  let last: Bytes | undefined;
  for (let from = 0; from < names.length; from += CRLS_AT_ONCE) {
    const some = names.slice(from, from + CRLS_AT_ONCE);
    const signed = await Promise.all(some.map((name) => crls.newestOfKey(name, key)));
    last = signed.findLast((der) => der !== undefined) ?? last;
  }
  const place = last && placedAt(id, readCrlHead(last)?.distributionPoint ?? []);
  return place ? { count: place.number + 1, base: place.base } : {};
}

/** Which partitions the newest certificates of a CA are in; undefined for one of a CA without. */
async function newestPartitions(store: Store, id: string): Promise<(string | undefined)[]> {
  const { keys } = await store.list({
    ...{ list: 'certificates', group: id, limit: MAX_PAGE, reverse: true },
  });
  const view = new View(store);
  await view.load(keys.map((key) => ({ kind: 'certificate', key })));
  const records = keys.map((key) => view.unaltered('certificate', key));
  return records.flatMap((record) => (record?.ca === id ? [record.partition] : []));
}

/** The CA's generations, one of them current: if several or none are, the newest. */
async function provenGenerations(
  deps: LifecycleDeps,
  issuer: Issuer,
  said: unknown,
): Promise<RaGenerationRecord[]> {
  const proven = new Map<number, RaGenerationRecord>();
  for (const one of Array.isArray(said) ? said : []) {
    const generation = await provenGeneration(deps, issuer, one);
    if (generation) proven.set(generation.id, generation);
  }
  const all = [...proven.values()].sort((a, b) => a.id - b.id);
  const usable = all.filter(({ state }) => state === 'current' || state === 'previous');
  const current = usable.findLast(({ state }) => state === 'current') ?? usable.at(-1);
  return all.map((one) => {
    if (one === current) return { ...one, state: 'current' };
    return one.state === 'current' ? { ...one, state: 'previous' } : one;
  });
}

async function provenGeneration(
  { raKeys }: LifecycleDeps,
  issuer: Issuer,
  said: unknown,
): Promise<RaGenerationRecord | undefined> {
  const { id, state: stateSaid, since, certificate, sealedKey } = Object(said);
  const state = raGenerationStates.find((one) => one === stateSaid);
  const isText = typeof certificate === 'string';
  if (!state || !isText || !Number.isSafeInteger(id) || id < 1) return undefined;
  const generation: RaGenerationRecord = {
    ...{ id, state, certificate },
    ...(Number.isSafeInteger(since) ? { since } : {}),
    ...(typeof sealedKey === 'string' && state !== 'retired' ? { sealedKey } : {}),
  };
  try {
    const { subject } = issuer.certificate;
    const read = readCertificate(fromBase64(certificate));
    if (!(await isIssuedBy(read, { subject, key: issuer.key }))) return undefined;
    if (state !== 'retired') await openGeneration(raKeys, issuer.id, generation);
    return generation;
  } catch {
    // A generation that cannot be read or opened is not kept.
    return undefined;
  }
}
