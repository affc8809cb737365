// Retires a CA that the configuration does not name any more: from then on no CRL of it is published or served,
// its RA keys are forgotten, and its name is never used again. Its certificates stay found, and its keys are
// no device's.

import { fromBase64 } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { MAX_PAGE } from '../../base/limits.ts';
import type { Actor } from '../../events/event.ts';
import { dueBefore } from '../../ports/records/places.ts';
import type { RaGenerationRecord } from '../../ports/records/registry.ts';
import { fingerprint, readCertificate } from '../../x509/certificate.ts';
import { printName } from '../../x509/names/name.ts';
import type { Deps } from '../deps.ts';
import { browse } from '../query/browse.ts';
import { loadNew, type Remembered } from '../record/idempotency.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { retiredOn } from './as-made.ts';
import { changedMeanwhile } from './init-ca.ts';

type RetireDeps = Pick<Deps, 'config' | 'store' | 'clock' | 'random'>;

export type Retiring = {
  readonly id: string;
  /** Absent before it had a certificate. */
  readonly subject: string | undefined;
  readonly keyReference: string;
  /** Certificates of it that are good or held and have not expired, as far as they were counted. */
  readonly valid: number;
  /** There are more. */
  readonly more: boolean;
  /** When the last of them ends; milliseconds since 1970. */
  readonly until: number | undefined;
};

/**
 * What retiring it would end.
 * @throws {Outage} if it cannot be retired: the configuration names it, it does not exist, or it was retired before
 */
export async function lookAtRetiring(deps: RetireDeps, id: string): Promise<Retiring> {
  const { record } = await retirable(deps, id);
  const until = dueBefore(deps.clock.now());
  const list = { kind: 'certificate', list: 'expiring', groups: [id], reverse: true } as const;
  const { records, next } = await browse(deps, { ...list, until }, { limit: MAX_PAGE });
  const [own] = record.chain.map((text) => readCertificate(fromBase64(text)));
  return {
    id,
    subject: own && printName(own.subject),
    keyReference: record.keyReference,
    valid: records.length,
    more: next !== undefined,
    until: records[0]?.notAfter,
  };
}

/** @throws {Outage} as above, or if somebody else has just changed it */
export async function retireCa(
  deps: RetireDeps,
  id: string,
  actor: Actor,
  remembered?: Remembered<void>,
): Promise<void> {
  const { record, view } = await retirable(deps, id, remembered);
  const now = deps.clock.now();
  const retired = ({ sealedKey: _forgotten, ...one }: RaGenerationRecord): RaGenerationRecord =>
    one.state === 'retired' ? one : { ...one, state: 'retired', since: now };
  const draft = new Draft(view);
  draft.put('authority', id, {
    ...record,
    generations: record.generations.map(retired),
    retiredAt: now,
  });
  const [own] = record.chain;
  draft.event(now, deps.random, {
    type: 'ca.retired',
    actor,
    ca: id,
    key: record.keyReference,
    ...(own === undefined ? {} : { certificateHash: fingerprint(fromBase64(own)) }),
  });
  remembered?.once.remember(draft, now, remembered.answer());
  if ((await deps.store.write(draft.actions)) === 'conflict') throw changedMeanwhile(id);
}

async function retirable(
  { config, store, clock }: RetireDeps,
  id: string,
  remembered?: Remembered<void>,
) {
  if (config.cas.has(id)) {
    throw new Outage(
      `the configuration names the CA "${id}": take it and its endpoints out first; without them it issues nothing, and its CRL goes on`,
    );
  }
  const view = new View(store);
  await loadNew(view, [{ kind: 'authority', key: id }], remembered, clock.now());
  const record = view.get('authority', id);
  if (!record) throw new Outage(`there is no CA "${id}"`);
  if (record.retiredAt !== undefined) {
    throw new Outage(`the CA "${id}" ${retiredOn(record.retiredAt)}`);
  }
  return { record, view };
}
