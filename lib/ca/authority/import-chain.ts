// Imports the certificates of a CA below an offline root: its own, and its issuers up to that root. They are
// judged as a device would judge them, and a problem is returned as a sentence before anything is changed.

import { base64, equal, fromBase64 } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import type { Authority } from '../../config/config.ts';
import type { Actor } from '../../events/event.ts';
import type { AuthorityRecord } from '../../ports/records/registry.ts';
import { chainOf, chainProblem } from '../../x509/ca-chain.ts';
import {
  type Certificate,
  fingerprint,
  readCertificate,
  subjectKeyIdentifierOf,
} from '../../x509/certificate.ts';
import { nameOf, printName, sameAttributes } from '../../x509/names/name.ts';
import type { LifecycleDeps } from '../deps.ts';
import { loadNew, type Remembered } from '../record/idempotency.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import type { Issuer } from './ca-certificates.ts';
import { changedMeanwhile } from './init-ca.ts';
import { makeGeneration, raEvent, signingKeyOf } from './own-certificates.ts';

export type ImportDone = { readonly kind: 'done'; readonly chain: readonly Certificate[] };
export type Imported = ImportDone | { readonly kind: 'refused'; readonly why: string };

type ImportOptions = {
  readonly actor: Actor;
  readonly remembered?: Remembered<ImportDone> | undefined;
};

/**
 * Puts the chain on record, with a first RA generation if the CA has none.
 * @param found in any order
 * @throws {Outage} when the CA has no key yet, or another operator changed it at the same time
 */
export async function importChain(
  deps: LifecycleDeps,
  authority: Authority,
  found: readonly Certificate[],
  { actor, remembered }: ImportOptions,
): Promise<Imported> {
  const { id } = authority;
  const view = new View(deps.store);
  await loadNew(view, [{ kind: 'authority', key: id }], remembered, deps.clock.now());
  const record = view.get('authority', id);
  if (!record) {
    throw new Outage(`the CA "${id}" has no key yet: run "scepter ca init ${id} --csr"`);
  }
  const now = deps.clock.now();
  const caKey = await signingKeyOf(deps.signer, record.keyReference);
  const chain = await chainOf(caKey.key.spki, found);
  if (typeof chain === 'string') return { kind: 'refused', why: chain };
  const [own] = chain;
  const why = chainProblem(chain, now) ?? nameProblem(own, authority, record);
  const keyIdentifier = subjectKeyIdentifierOf(own);
  if (why !== undefined || !keyIdentifier) return { kind: 'refused', why: why ?? '' };

  const { partitions = [] } = record;
  const issuer: Issuer = { id, ...caKey, certificate: own, keyIdentifier, partitions };
  const first = record.generations.length === 0;
  const made = first ? [await makeGeneration(deps, issuer, { id: 1, state: 'current' }, now)] : [];
  const draft = new Draft(view);
  draft.put('authority', id, {
    ...record,
    chain: chain.map(({ der }) => base64(der)),
    generations: [...record.generations, ...made.map(({ generation }) => generation)],
  });
  const about = { actor, ca: id };
  draft.event(now, deps.random, {
    ...about,
    type: 'ca.chainImported',
    subject: printName(own.subject),
    certificateHash: fingerprint(own.der),
    number: chain.length,
  });
  for (const { generation, requests } of made) {
    const event = raEvent('ca.ra.current', generation);
    draft.event(now, deps.random, { ...about, ...event, ...requests });
  }
  const done = { kind: 'done', chain } as const;
  remembered?.once.remember(draft, now, remembered.answer(done));
  if ((await deps.store.write(draft.actions)) === 'conflict') throw changedMeanwhile(id);
  return done;
}

/** Issued certificates name their issuer octet by octet, so its name must stay the same. */
function nameProblem(
  { subject }: Certificate,
  authority: Authority,
  { chain: [before] }: AuthorityRecord,
): string | undefined {
  if (before !== undefined) {
    const was = readCertificate(fromBase64(before)).subject;
    if (equal(subject, was)) return undefined;
    return `the CA has issued as ${printName(was)} and cannot become ${printName(subject)}`;
  }
  if (sameAttributes(nameOf(subject), nameOf(authority.subject))) return undefined;
  return `it is for ${printName(subject)}, and the configuration has ${printName(authority.subject)}`;
}
