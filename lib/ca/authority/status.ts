// How CAs and endpoints stand: what an operator has to know before a device finds it out. Told from
// records and CRLs; whether the keys can be used is tried where they are.

import { raw } from '../../asn1/reader.ts';
import { fromBase64, hex } from '../../base/bytes.ts';
import { errorText, Outage } from '../../base/errors.ts';
import {
  CA_WARNING_MS,
  CLOCK_SKEW_MS,
  CRL_LATE_MS,
  MAX_PAGE,
  RA_WARNING_MS,
} from '../../base/limits.ts';
import type { RaGenerationState } from '../../base/words.ts';
import { type Endpoint, mdmPathsOf } from '../../config/endpoint/endpoint.ts';
import { outsideOf } from '../../config/endpoint/enrolment.ts';
import { type OutsideValidator, whereIs } from '../../config/outside/validators.ts';
import { hash } from '../../crypto/native.ts';
import type { Crl } from '../../ports/crls.ts';
import type { AuthorityRecord, CrlPartitions } from '../../ports/records/registry.ts';
import type { Store } from '../../ports/store.ts';
import { type Certificate, publicKeyOf, readCertificate } from '../../x509/certificate.ts';
import { keyName } from '../../x509/public-key.ts';
import type { AdminDeps, Deps } from '../deps.ts';
import { browse } from '../query/browse.ts';
import { keyHash } from '../record/keys.ts';
import { View } from '../record/unit-of-work.ts';
import { aboutPartition, crlNamesOf } from '../revoke/partitions.ts';
import { registerChanges, removedFrom } from '../revoke/register.ts';
import { notMade, notNamed, otherwise } from './as-made.ts';
import { isListed, loadCas, servedCas, unnamedIn } from './known.ts';

type GenerationStatus = {
  readonly id: number;
  readonly state: RaGenerationState;
  readonly certificate: Certificate;
};

export type CaStatus = {
  readonly id: string;
  /** Its own certificate first, then its issuers up to the root; empty before it is made. */
  readonly chain: readonly Certificate[];
  /** `RSA-3072`, `P-256`. */
  readonly key: string | undefined;
  readonly generations: readonly GenerationStatus[];
  /** Its own. */
  readonly crl: Crl | undefined;
  readonly partitions: readonly CrlPartitions[];
  /** Sentences; none if all is well. */
  readonly warnings: readonly string[];
};

type CaStatusDeps = Pick<AdminDeps, 'config' | 'store' | 'crls' | 'clock' | 'log' | 'keys'>;
type StatusDeps = CaStatusDeps & Pick<AdminDeps, 'tally' | 'written'>;

export async function caStatus(deps: CaStatusDeps, id: string): Promise<CaStatus> {
  const view = new View(deps.store);
  const ids = await loadCas(deps, view);
  await view.load([{ kind: 'authority', key: id }]);
  if (view.lacks('authority', id) && view.rev('authority', id) !== 0) {
    const warning = `its record was changed by another hand: run "scepter ca restore ${id} --chain FILE"`;
    const nothing = {
      ...{ chain: [], key: undefined, generations: [] },
      ...{ crl: undefined, partitions: [] },
    };
    return { id, ...nothing, warnings: [warning] };
  }
  const record = view.get('authority', id);
  const chain = (record?.chain ?? []).map((text) => readCertificate(fromBase64(text)));
  const [own] = chain;
  const kind = own && publicKeyOf(own)?.kind;
  const generations = generationsOf(record);
  const isServed = record?.retiredAt === undefined;
  const crl = isServed ? await deps.crls.newest(id) : undefined;
  const authority = deps.config.cas.get(id);
  const now = deps.clock.now();
  const warnings = [
    ...(record ? madeWarnings(deps, record) : unmadeWarnings(deps, view, { id, ids })),
    ...(record && !isListed(view, id) ? [notListed(id)] : []),
    ...(record && own && record.retiredAt === undefined
      ? [
          ...(await keyWarnings(deps, record, authority !== undefined)),
          ...endWarnings(own, now),
          // One that the configuration does not name answers no device.
          ...(authority ? raWarnings(generations, now) : []),
          ...(await compromiseWarnings(deps, generations)),
          ...(await crlsWarnings(deps, record, crl)),
        ]
      : []),
  ];
  const { partitions = [] } = record ?? {};
  return { id, chain, key: kind && keyName(kind), generations, crl, partitions, warnings };
}

const madeWarnings = ({ config }: Pick<AdminDeps, 'config'>, record: AuthorityRecord): string[] => {
  const authority = config.cas.get(record.ca);
  if (!authority) return [notNamed(record.ca)];
  return record.chain.length > 0
    ? otherwise(config, authority, record)
    : ['it waits for the certificate that its root has to sign'];
};

function unmadeWarnings(
  { config }: Pick<AdminDeps, 'config'>,
  view: View,
  { id, ids }: { readonly id: string; readonly ids: readonly string[] },
): string[] {
  const said = notMade(id, unnamedIn(config, view, ids));
  return said.length > 0 ? said : ['it has not been made yet'];
}

const notListed = (id: string): string =>
  `the list of CAs, which another hand has changed, does not have it: run "scepter ca init ${id}"`;

const generationsOf = (record: AuthorityRecord | undefined): GenerationStatus[] =>
  (record?.generations ?? []).map(({ id, state, certificate }) => ({
    id,
    state,
    certificate: readCertificate(fromBase64(certificate)),
  }));

async function keyWarnings(
  { keys, log }: Pick<AdminDeps, 'keys' | 'log'>,
  { ca: id, keyReference }: AuthorityRecord,
  answersDevices: boolean,
): Promise<readonly string[]> {
  if (!keys) return [];
  const known = async () => (await keys.signer.warnings?.(keyReference)) ?? [];
  try {
    await (answersDevices ? keys.cas.of(id) : keys.cas.issuer(id));
    return known();
  } catch (error) {
    const detail = errorText(error);
    log({ event: 'status.keys', severity: 'error', ca: id, detail });
    return ['its keys cannot be used: the log says why', ...(await known())];
  }
}

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

function endWarnings({ notAfter }: Certificate, now: number): string[] {
  if (notAfter <= now) return [`its certificate expired on ${day(notAfter)}`];
  return notAfter - now < CA_WARNING_MS
    ? [`its certificate expires on ${day(notAfter)}, and what it issues with it`]
    : [];
}

function raWarnings(generations: readonly GenerationStatus[], now: number): string[] {
  const current = generations.find(({ state }) => state === 'current');
  if (!current) return ['it has no current RA certificate'];
  const { notAfter } = current.certificate;
  if (notAfter <= now) return [`its RA certificate expired on ${day(notAfter)}`];
  return notAfter - now < RA_WARNING_MS ? [`its RA certificate expires on ${day(notAfter)}`] : [];
}

/** An RA certificate that was revoked for keyCompromise stays in use until an operator retires it. */
async function compromiseWarnings(
  { store }: Pick<Deps, 'store'>,
  generations: readonly GenerationStatus[],
): Promise<string[]> {
  const view = new View(store);
  const used = generations
    .filter(({ state }) => state !== 'retired')
    .map(({ id, certificate }) => ({ id, key: keyHash(raw(certificate.spki)) }));
  await view.load(used.map(({ key }) => ({ kind: 'blockedKey', key })));
  return used
    .filter(({ key }) => view.get('blockedKey', key))
    .map(({ id }) => `the key of its RA generation ${id} is compromised: replace it now`);
}

/** About each of its CRLs; what is true of several is said once. */
async function crlsWarnings(
  { store, crls, clock }: Pick<Deps, 'store' | 'crls' | 'clock'>,
  record: AuthorityRecord,
  own: Crl | undefined,
): Promise<string[]> {
  const now = clock.now();
  const names = crlNamesOf(record);
  const partitions = await Promise.all(names.slice(1).map((name) => crls.newest(name)));
  const newest = new Map([own, ...partitions].map((crl, at) => [names[at] ?? record.ca, crl]));
  const faulty = Map.groupBy(names, (name) => faultOf(newest.get(name), now));
  return [
    ...[...faulty].flatMap(([fault, of]) => (fault === undefined ? [] : [warningOf(of, fault)])),
    ...(await registerWarnings(store, newest)),
  ];
}

function warningOf([name = '', ...others]: readonly string[], fault: string): string {
  const { partition } = aboutPartition(name);
  const which = partition === undefined ? 'its CRL' : `its CRL ${partition}`;
  return `${which}${others.length > 0 ? ` and ${others.length} more` : ''} ${fault}`;
}

/** A CRL is replaced after half of its life: an older one shows that no publisher runs. */
function faultOf(crl: Crl | undefined, now: number): string | undefined {
  if (!crl) return 'is missing';
  const { thisUpdate, nextUpdate } = crl;
  if (nextUpdate <= now) return `ended on ${day(nextUpdate)}`;
  if (thisUpdate > now + CLOCK_SKEW_MS) return `is of the future: ${day(thisUpdate)}`;
  const due = (thisUpdate + nextUpdate) / 2 + CRL_LATE_MS;
  return due < now ? `was to be made again by ${day(due)}` : undefined;
}

/** Without its register no CRL is made, so relying parties do not learn of later revocations. */
async function registerWarnings(
  store: Pick<Store, 'read'>,
  crls: ReadonlyMap<string, Crl | undefined>,
): Promise<string[]> {
  try {
    const changes = await registerChanges(store, [...crls.keys()]);
    const behind = [...crls].find(([name, crl]) => changes(name) < (crl?.changes ?? 0));
    return behind ? [removedFrom(behind[0]).message] : [];
  } catch (error) {
    if (!(error instanceof Outage)) throw error;
    return [error.message];
  }
}

type EndpointStatus = {
  readonly id: string;
  readonly ca: string;
  readonly profile: string;
  readonly approval: Endpoint['approval'];
  readonly approvers: number;
  /** Weak algorithms that it accepts. */
  readonly legacy: readonly string[];
  /** Certificates and requests on its static challenge, as this instance has counted them; undefined
   * where it has none. */
  readonly staticUses: number | undefined;
  /** Systems outside that it asks. */
  readonly validators: readonly {
    readonly id: string;
    readonly kind: OutsideValidator['kind'];
    readonly at: string;
  }[];
  /** Paths at which MDMs get challenges of it. */
  readonly pages: readonly string[];
  /** Requests that wait for an approver, as far as they were counted. */
  readonly pending: number;
  readonly warnings: readonly string[];
};

type Status = {
  readonly at: number;
  /** Undefined where the store could not be asked. */
  readonly cas: readonly CaStatus[] | undefined;
  /** Why it takes no writes; undefined where it does. */
  readonly unwritten: string | undefined;
  readonly endpoints: readonly EndpointStatus[];
  /** Only so many requests that wait are looked at; there are more. */
  readonly morePending: boolean;
};

export async function statusOf(deps: StatusDeps): Promise<Status> {
  const at = deps.clock.now();
  const trouble = await deps.written.trouble();
  if (trouble) deps.log({ event: 'status.written', severity: 'error', detail: trouble.message });
  const unwritten = trouble instanceof Outage ? trouble.message : trouble && 'the log says why';
  try {
    const ids = await servedCas(deps);
    const cas = await Promise.all(ids.map((id) => caStatus(deps, id)));
    const range = { kind: 'transaction', list: 'open', groups: ['pending'] } as const;
    const { records, next } = await browse(deps, range, { limit: MAX_PAGE });
    const waiting = Map.groupBy(records, ({ endpoint }) => endpoint);
    const pendingAt = (id: string): number => waiting.get(id)?.length ?? 0;
    const endpoints = endpointsOf(deps, pendingAt);
    return { at, cas, unwritten, endpoints, morePending: next !== undefined };
  } catch (error) {
    const detail = errorText(error);
    deps.log({ event: 'status.store', severity: 'error', detail });
    const endpoints = endpointsOf(deps, () => 0);
    return { at, cas: undefined, unwritten, endpoints, morePending: false };
  }
}

const endpointsOf = (
  { config, tally }: Pick<Deps, 'config' | 'tally'>,
  pendingAt: (id: string) => number,
): EndpointStatus[] =>
  [...config.endpoints.values()].map((endpoint) => {
    const { id, ca, profile, approval, approvers, enrol } = endpoint;
    const legacy = Object.entries(endpoint.legacy).flatMap(([name, on]) => (on ? [name] : []));
    const uses = tally.staticChallengeUses.get(id) ?? 0;
    const warnings = [
      ...(legacy.length > 0 ? [`it accepts ${legacy.join(', ')}: for old devices only`] : []),
      ...(enrol.staticChallenge ? ['whoever knows its static challenge can enrol'] : []),
    ];
    return {
      ...{ id, ca, profile: profile.id, approval, approvers, legacy, warnings },
      validators: outsideOf(endpoint).flatMap((name) => {
        const one = config.validators.get(name);
        return one ? [{ id: name, kind: one.kind, at: whereIs(one) }] : [];
      }),
      pages: mdmPathsOf(endpoint),
      pending: pendingAt(id),
      staticUses: enrol.staticChallenge ? uses : undefined,
    };
  });

/** Hexadecimal. */
export const fingerprints = ({ der }: Certificate) => ({
  sha256: hex(hash('SHA-256', der)),
  sha1: hex(hash('SHA-1', der)),
});
