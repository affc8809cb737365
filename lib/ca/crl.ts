// The CRL of a CA: all of its register, signed, with a number that only rises. It is made again when
// the register has changed, half of its life is over or somebody asks for it, by whoever comes first.

import { Outage } from '../errors.ts';
import { CLOCK_SKEW_MS, MAX_PUBLISH_ROUNDS } from '../limits.ts';
import type { Actor } from '../log/event.ts';
import type { Crl } from '../ports/crls.ts';
import { signed, validity } from '../x509/certificate.ts';
import { encodeTbsCertList } from '../x509/crl.ts';
import { lintTbsCertList } from '../x509/lint-crl.ts';
import type { Issuer } from './ca-certificates.ts';
import type { Deps } from './deps.ts';
import type { Remembered } from './idempotency.ts';
import { requireClean, sign } from './issue.ts';
import { readRegister, registerChanges } from './register.ts';
import { Draft, View } from './view.ts';

type CrlDeps = Pick<Deps, 'config' | 'store' | 'crls' | 'signer' | 'clock' | 'random' | 'log'>;

const system: Actor = { kind: 'system' };

/**
 * Publishes a new CRL when there is none, it lacks a change, half of its life is over, or it was asked
 * for. @returns the one in force
 */
export async function keepCrl(deps: CrlDeps, ca: Issuer): Promise<Crl> {
  const last = await deps.crls.newest(ca.id);
  const half = last && (last.thisUpdate + last.nextUpdate) / 2;
  const now = deps.clock.now();
  // One of the future is of a clock that was wrong: nobody takes it until then.
  const dated = last !== undefined && last.thisUpdate <= now + CLOCK_SKEW_MS;
  const fresh = dated && half !== undefined && now < half;
  const view = new View(deps.store);
  await view.load([{ kind: 'crlRequest', key: ca.id }]);
  const asked = view.get('crlRequest', ca.id);
  if (fresh && !asked && last.changes === (await registerChanges(deps.store, ca.id))) return last;
  const crl = await publishCrl(deps, ca, asked ? { kind: 'admin', id: asked.by } : system);
  const draft = new Draft(view);
  draft.remove('crlRequest', ca.id);
  // One that was changed meanwhile stays: it is newer than what was read for this CRL.
  if (asked) await deps.store.write(draft.actions);
  return crl;
}

/** For who may not use the CA's key: `keepCrl`, by who may, publishes with its next run. */
export async function askForCrl(
  { store, clock }: Pick<CrlDeps, 'store' | 'clock'>,
  ca: string,
  by: string,
): Promise<void> {
  const view = new View(store);
  await view.load([{ kind: 'crlRequest', key: ca }]);
  const draft = new Draft(view);
  draft.put('crlRequest', ca, { by, at: clock.now() });
  if ((await store.write(draft.actions)) === 'done') return;
  throw new Outage(`somebody else was asking for the CRL of ${ca}`);
}

/**
 * Publishes a CRL with everything that was acknowledged before the call, or finds that somebody else
 * just has. Who publishes twice for one request does no harm: the later one says the same.
 * @throws {Outage} when too many publish at once, or our own side fails
 */
export async function publishCrl(
  deps: CrlDeps,
  ca: Issuer,
  actor: Actor,
  remembered?: Remembered<Crl>,
): Promise<Crl> {
  for (let round = 0; round < MAX_PUBLISH_ROUNDS; round++) {
    const last = await deps.crls.newest(ca.id);
    const now = deps.clock.now();
    // RFC 5280 §3.3: an entry stays for one CRL after its certificate has expired.
    const { changes, revoked } = await readRegister(deps.store, ca.id, last?.thisUpdate ?? 0);
    const crl = await make(deps, ca, { number: (last?.number ?? 0) + 1, changes, revoked }, now);
    if ((await deps.crls.publish(ca.id, crl)) === 'done') {
      await tell(deps, ca, crl, actor, now, remembered);
      const { number } = crl;
      deps.log({
        event: 'crl.published',
        severity: 'info',
        ca: ca.id,
        number,
        entries: revoked.length,
      });
      return crl;
    }
    const newest = await deps.crls.newest(ca.id);
    if (newest && newest.changes >= changes) return newest;
  }
  throw new Outage(`too many publish the CRL of ${ca.id} at once`);
}

/** The event of a CRL that is out; with it the answer, unless a twin has one already. */
async function tell(
  { store, random }: CrlDeps,
  ca: Issuer,
  crl: Crl,
  actor: Actor,
  now: number,
  remembered: Remembered<Crl> | undefined,
): Promise<void> {
  const view = new View(store);
  if (remembered) await view.load([remembered.once.recordKey]);
  for (const kept of remembered ? [remembered, undefined] : [undefined]) {
    const draft = new Draft(view);
    draft.event(now, random, { type: 'crl.published', actor, ca: ca.id, number: crl.number });
    kept?.once.remember(draft, now, kept.answer(crl));
    if ((await store.write(draft.actions)) === 'done') return;
  }
}

type Contents = Omit<Crl, 'der' | 'thisUpdate' | 'nextUpdate'> &
  Pick<Awaited<ReturnType<typeof readRegister>>, 'revoked'>;

async function make(
  deps: CrlDeps,
  ca: Issuer,
  { number, changes, revoked }: Contents,
  now: number,
): Promise<Crl> {
  const lifetimeMs = deps.config.cas.get(ca.id)?.crlValidityMs ?? 0;
  const { notBefore: thisUpdate, notAfter: nextUpdate } = validity(now, now + lifetimeMs);
  const context = {
    scheme: ca.scheme,
    issuer: ca.certificate.subject,
    issuerKeyIdentifier: ca.keyIdentifier,
  };
  const tbs = encodeTbsCertList({ ...context, thisUpdate, nextUpdate, number, revoked });
  requireClean('CRL', lintTbsCertList(tbs, context));
  const der = signed(tbs, ca.scheme, await sign(deps, ca, tbs));
  return { number, changes, der, thisUpdate, nextUpdate };
}
