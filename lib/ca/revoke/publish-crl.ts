// The CRLs of a CA, each all of its register, signed, with a number that only rises. The first publisher to notice
// makes a new one when the register has changed, half of its life is over, or an operator has asked for it.

import { hex } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import {
  CLOCK_SKEW_MS,
  EXPIRED_ENTRY_MS,
  MAX_PUBLISH_ROUNDS,
  UNNAMED_CRL_VALIDITY_MS,
} from '../../base/limits.ts';
import { hash } from '../../crypto/native.ts';
import type { Actor, NamedActor } from '../../events/event.ts';
import type { Crl } from '../../ports/crls.ts';
import type { Records } from '../../ports/records/records.ts';
import { validity } from '../../x509/certificate.ts';
import { encodeTbsCertList } from '../../x509/crl.ts';
import { readCrlHead } from '../../x509/crl-head.ts';
import { crlEntries, readCrlEntry } from '../../x509/describe/describe.ts';
import type { Issuer } from '../authority/ca-certificates.ts';
import { lintedCrl, requireClean, type Signed, sign } from '../authority/sign.ts';
import type { PublishDeps } from '../deps.ts';
import { loadNew, type Remembered } from '../record/idempotency.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { aboutPartition, crlNames, distributionPointOf } from './partitions.ts';
import { keeps, type Register, readRegister, registerChanges, removedFrom } from './register.ts';

type CrlDeps = Pick<
  PublishDeps,
  'config' | 'store' | 'crls' | 'served' | 'crlSigner' | 'clock' | 'random' | 'log'
>;

const system: Actor = { kind: 'system' };

/** How long the CRLs of a CA with partitions are taken to be as this process has last seen them, unless their registers
 * have changed: to ask for each of them every minute would cost more than all else of upkeep. */
export const CRL_LOOK_MS = 10 * 60 * 1000;

/**
 * Publishes each CRL anew that is missing, lacks a change, has half of its life behind it, or was asked for. One that
 * cannot be made, because another hand has changed its register, keeps no other from being published; and a run that
 * is cut off is gone on with by the next.
 * @returns those in force, the CA's own first
 * @throws {Outage} the first, if there was any
 */
export async function keepCrls(deps: CrlDeps, ca: Issuer): Promise<readonly [Crl, ...Crl[]]> {
  const view = new View(deps.store);
  await view.load([{ kind: 'crlRequest', key: ca.id }]);
  const asked = view.get('crlRequest', ca.id);
  const actor = asked ? askerOf(asked) : system;
  const names = crlNames(ca);
  const maxMs = names.length === 1 ? 0 : CRL_LOOK_MS;
  const last = await Promise.all(names.map((name) => deps.served.newest(deps, name, maxMs)));
  const changes = await registerChanges(deps.store, names);
  const askedAt = asked ? believed(asked.at, deps.clock.now()) : 0;
  const kept: Crl[] = [];
  const failures: unknown[] = [];
  for (const [at, name] of names.entries()) {
    const crl = last[at];
    try {
      const isGood =
        crl &&
        (!asked || crl.thisUpdate > askedAt) &&
        crl.changes === changes(name) &&
        isFresh(crl, deps.clock.now()) &&
        tellsOf(crl, distributionPointOf(ca, name));
      kept.push(isGood ? crl : await publishCrl(deps, ca, { name, actor }));
    } catch (error) {
      failures.push(error);
    }
  }
  const [own, ...partitions] = kept;
  if (failures.length > 0 || !own) throw failures[0];
  const draft = new Draft(view);
  draft.remove('crlRequest', ca.id);
  // A wish that changed meanwhile stays: it is newer than the state that these CRLs were made from.
  if (asked) await deps.store.write(draft.actions);
  return [own, ...partitions];
}

/** A wish of the future came from a wrong clock, and no CRL would be later than it. */
const believed = (at: number, now: number): number =>
  at <= now + CLOCK_SKEW_MS ? at : now - CLOCK_SKEW_MS;

/** A thisUpdate in the future came from a wrong clock, and relying parties refuse it: such a CRL is replaced. */
const isFresh = ({ thisUpdate, nextUpdate }: Crl, now: number): boolean =>
  thisUpdate <= now + CLOCK_SKEW_MS && now < (thisUpdate + nextUpdate) / 2;

const askerOf = ({ by, from }: Records['crlRequest']): Actor => ({
  kind: 'admin',
  id: by,
  ...(from === undefined ? {} : { from }),
});

/** The CA's own CRL gets a URL more where a new generation of partitions has another one. */
function tellsOf({ der }: Crl, urls: readonly string[]): boolean {
  const said = readCrlHead(der)?.distributionPoint ?? [];
  return said.length === urls.length && urls.every((url) => said.includes(url));
}

/**
 * For processes that may not use the CA's key: the next run of `keepCrls`, in one that may, publishes.
 * @throws {Outage} when too many ask at once @throws {Repeated}
 */
export async function askForCrl(
  { store, clock }: Pick<CrlDeps, 'store' | 'clock'>,
  ca: string,
  { id: by, from }: NamedActor,
  remembered?: Remembered<void>,
): Promise<void> {
  for (let round = 0; round < MAX_PUBLISH_ROUNDS; round++) {
    const now = clock.now();
    const view = new View(store);
    await loadNew(view, [{ kind: 'crlRequest', key: ca }], remembered, now);
    const draft = new Draft(view);
    draft.put('crlRequest', ca, { by, at: now, ...(from === undefined ? {} : { from }) });
    remembered?.once.remember(draft, now, remembered.answer());
    if ((await store.write(draft.actions)) === 'done') return;
  }
  throw new Outage(`too many ask for the CRLs of ${ca} at once`);
}

type Publishing = {
  /** Of the CRL; the CA's own by default. */
  readonly name?: string;
  readonly actor: Actor;
  /** The number that its own must exceed, where one higher than the last on record has been published. */
  readonly above?: number;
};

/**
 * Publishes a CRL with every revocation that was acknowledged before the call, or finds one that another
 * publisher has just made. Publishing twice for one request does no harm: the later CRL says the same.
 * @throws {Outage} when too many publish at once, or our own side fails
 */
export async function publishCrl(
  deps: CrlDeps,
  ca: Issuer,
  { name = ca.id, actor, above = 0 }: Publishing,
  remembered?: Remembered<Crl>,
): Promise<Crl> {
  for (let round = 0; round < MAX_PUBLISH_ROUNDS; round++) {
    const last = await deps.crls.newest(name);
    const now = deps.clock.now();
    // RFC 5280 §3.3: an entry stays for one CRL after its certificate has expired. The clock of the last CRL
    // or of this one may be ahead: an entry leaves only if the certificate has expired by both.
    const over = Math.min(last?.thisUpdate ?? 0, now) - EXPIRED_ENTRY_MS;
    const { changes, revoked, latest } = await readRegister(deps.store, name, over);
    // It was read after the last CRL, has changed at least as often as that one tells, and lost nothing of it.
    const entries = last ? crlEntries(last.der) : [];
    const isWhole = entries.every((octets) => keeps(latest, readCrlEntry(octets)));
    if (last && (changes < last.changes || !isWhole)) throw removedFrom(name);
    const before = Math.max(above, last?.number ?? (await deps.crls.floor(name, now)));
    const lifetimeMs = deps.config.cas.get(ca.id)?.crlValidityMs ?? lifetimeOf(last);
    const contents = { name, number: before + 1, changes, revoked, lifetimeMs };
    const { crl, requests } = await make(deps, ca, contents, now);
    const signed = { ca: ca.id, name, crl, requests, actor, now };
    if ((await deps.crls.publish(name, crl)) === 'done') {
      deps.served.published(name, crl, now);
      await tell(deps, signed, remembered);
      const { number } = crl;
      deps.log({
        event: 'crl.published',
        severity: 'info',
        ca: ca.id,
        ...aboutPartition(name),
        number,
        entries: revoked.length,
      });
      return crl;
    }
    await tellDiscarded(deps, signed);
    const newest = await deps.crls.newest(name);
    if (newest && newest.changes >= changes && newest.number > above) return newest;
  }
  throw new Outage(`too many publish the CRL ${name} at once`);
}

/** All CRLs of a CA, as `publishCrl` does one. @returns its own */
export async function publishCrls(
  deps: CrlDeps,
  ca: Issuer,
  publishing: Omit<Publishing, 'name'>,
  remembered?: Remembered<Crl>,
): Promise<Crl> {
  for (const name of crlNames(ca)) {
    if (name !== ca.id) await publishCrl(deps, ca, { ...publishing, name });
  }
  return publishCrl(deps, ca, publishing, remembered);
}

type SignedCrl = Pick<Signed, 'requests'> & {
  readonly ca: string;
  readonly name: string;
  readonly crl: Crl;
  readonly actor: Actor;
  readonly now: number;
};

/** Records the event of a published CRL, with the answer, unless the same request has one already. */
async function tell(
  { store, random }: CrlDeps,
  signed: SignedCrl,
  remembered: Remembered<Crl> | undefined,
): Promise<void> {
  const { now } = signed;
  const view = new View(store);
  if (remembered) await view.load([remembered.once.recordKey]);
  for (const kept of remembered ? [remembered, undefined] : [undefined]) {
    const draft = new Draft(view);
    draft.event(now, random, { type: 'crl.published', ...about(signed) });
    kept?.once.remember(draft, now, kept.answer(signed.crl));
    if ((await store.write(draft.actions)) === 'done') return;
  }
}

const about = ({ ca, name, crl, requests, actor }: SignedCrl) => ({
  ...{ actor, ca, number: crl.number, crlHash: hex(hash('SHA-256', crl.der)) },
  ...aboutPartition(name),
  ...requests,
});

/** Another publisher was first. A key service has this signature on record, so the log has it, too. */
async function tellDiscarded({ store, random }: CrlDeps, signed: SignedCrl): Promise<void> {
  if (signed.requests.kms === undefined) return;
  const draft = new Draft(new View(store));
  draft.event(signed.now, random, { type: 'crl.discarded', ...about(signed) });
  await store.write(draft.actions);
}

/** The CRL of a CA that the configuration does not name lives as long as the one before. */
const lifetimeOf = (last: Crl | undefined): number =>
  last ? last.nextUpdate - last.thisUpdate : UNNAMED_CRL_VALIDITY_MS;

type Contents = Pick<Crl, 'number'> &
  Pick<Register, 'changes' | 'revoked'> & { readonly name: string; readonly lifetimeMs: number };

async function make(
  deps: CrlDeps,
  ca: Issuer,
  { name, number, changes, revoked, lifetimeMs }: Contents,
  now: number,
): Promise<{ readonly crl: Crl } & Pick<Signed, 'requests'>> {
  const { notBefore: thisUpdate, notAfter: nextUpdate } = validity(now, now + lifetimeMs);
  const context = {
    scheme: ca.scheme,
    issuer: ca.certificate.subject,
    issuerKeyIdentifier: ca.keyIdentifier,
    distributionPoint: distributionPointOf(ca, name),
  };
  // A revocation that a wrong clock has dated ahead counts from now: a CRL announces none for the future.
  const entries = revoked.map((entry) => ({
    ...entry,
    revokedAt: Math.min(entry.revokedAt, thisUpdate),
  }));
  const tbs = encodeTbsCertList({ ...context, thisUpdate, nextUpdate, number, revoked: entries });
  const { der, requests } = await sign(
    { signer: deps.crlSigner },
    ca,
    requireClean('CRL', lintedCrl(tbs, context)),
  );
  return { crl: { number, changes, der, thisUpdate, nextUpdate }, requests };
}
