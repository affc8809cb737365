// How CAs and endpoints stand: what an operator has to know before a device finds it out. Told from
// records and CRLs; whether the keys can be used is tried.

import { fromBase64, hex } from '../bytes.ts';
import { hash } from '../cms/native.ts';
import type { Endpoint } from '../config.ts';
import { CA_WARNING_MS, CLOCK_SKEW_MS, CRL_LATE_MS, MAX_PAGE, RA_WARNING_MS } from '../limits.ts';
import type { Crl } from '../ports/crls.ts';
import type { AuthorityRecord, RaGenerationState } from '../ports/records.ts';
import { type Certificate, publicKeyOf, readCertificate } from '../x509/certificate.ts';
import { keyName } from '../x509/public-key.ts';
import { browse } from './browse.ts';
import type { Deps } from './deps.ts';
import { View } from './view.ts';

export type Generation = {
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
  readonly generations: readonly Generation[];
  readonly crl: Crl | undefined;
  /** Sentences; none if all is well. */
  readonly warnings: readonly string[];
};

type StatusDeps = Pick<
  Deps,
  'config' | 'store' | 'crls' | 'cas' | 'signer' | 'keyless' | 'clock' | 'log' | 'tally'
>;

export async function caStatus(deps: StatusDeps, id: string): Promise<CaStatus> {
  const view = new View(deps.store);
  await view.load([{ kind: 'authority', key: id }]);
  const record = view.get('authority', id);
  const chain = (record?.chain ?? []).map((text) => readCertificate(fromBase64(text)));
  const [own] = chain;
  const kind = own && publicKeyOf(own)?.kind;
  const generations = generationsOf(record);
  const crl = await deps.crls.newest(id);
  const now = deps.clock.now();
  const warnings = own
    ? [
        ...(await keyWarnings(deps, id)),
        ...(deps.keyless ? [] : ((await deps.signer.warnings?.(record?.keyReference ?? '')) ?? [])),
        ...endWarnings(own, generations, now),
        ...crlWarnings(crl, now),
      ]
    : [
        record
          ? 'it waits for the certificate that its root has to sign'
          : 'it has not been made yet',
      ];
  return { id, chain, key: kind && keyName(kind), generations, crl, warnings };
}

const generationsOf = (record: AuthorityRecord | undefined): Generation[] =>
  (record?.generations ?? []).map(({ id, state, certificate }) => ({
    id,
    state,
    certificate: readCertificate(fromBase64(certificate)),
  }));

async function keyWarnings(
  { cas, keyless, log }: Pick<Deps, 'cas' | 'keyless' | 'log'>,
  id: string,
): Promise<string[]> {
  if (keyless) return [];
  try {
    await cas.of(id);
    return [];
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    log({ event: 'status.keys', severity: 'error', ca: id, detail });
    return ['its keys cannot be used: the log says why'];
  }
}

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

function endWarnings(
  { notAfter }: Certificate,
  generations: readonly Generation[],
  now: number,
): string[] {
  const warnings: string[] = [];
  if (notAfter <= now) warnings.push(`its certificate expired on ${day(notAfter)}`);
  else if (notAfter - now < CA_WARNING_MS) {
    warnings.push(`its certificate expires on ${day(notAfter)}, and what it issues with it`);
  }
  const current = generations.find(({ state }) => state === 'current');
  if (!current) warnings.push('it has no current RA certificate');
  else if (current.certificate.notAfter <= now) {
    warnings.push(`its RA certificate expired on ${day(current.certificate.notAfter)}`);
  } else if (current.certificate.notAfter - now < RA_WARNING_MS) {
    warnings.push(`its RA certificate expires on ${day(current.certificate.notAfter)}`);
  }
  return warnings;
}

/** A CRL is made again after half of its life: one that is older says that nobody is at work. */
function crlWarnings(crl: Crl | undefined, now: number): string[] {
  if (!crl) return ['it has no CRL'];
  const { thisUpdate, nextUpdate } = crl;
  if (nextUpdate <= now) return [`its CRL ended on ${day(nextUpdate)}`];
  if (thisUpdate > now + CLOCK_SKEW_MS) return [`its CRL is of the future: ${day(thisUpdate)}`];
  const due = (thisUpdate + nextUpdate) / 2 + CRL_LATE_MS;
  return due < now ? [`its CRL was to be made again by ${day(due)}`] : [];
}

export type EndpointStatus = {
  readonly id: string;
  readonly ca: string;
  readonly profile: string;
  readonly approval: Endpoint['approval'];
  /** Weak algorithms that it accepts. */
  readonly legacy: readonly string[];
  /** Certificates and requests on its static challenge, as this instance has counted them; undefined
   * where it has none. */
  readonly staticUses: number | undefined;
  /** Requests that wait for an approver, as far as they were counted. */
  readonly pending: number;
  readonly warnings: readonly string[];
};

export type Status = {
  readonly at: number;
  /** Undefined where the store could not be asked. */
  readonly cas: readonly CaStatus[] | undefined;
  readonly endpoints: readonly EndpointStatus[];
  /** Only so many requests that wait are looked at; there are more. */
  readonly morePending: boolean;
};

export async function statusOf(deps: StatusDeps): Promise<Status> {
  const at = deps.clock.now();
  try {
    const ids = [...deps.config.cas.keys()];
    const cas = await Promise.all(ids.map((id) => caStatus(deps, id)));
    const range = { kind: 'transaction', list: 'open', groups: ['pending'] } as const;
    const { records, next } = await browse(deps, range, { limit: MAX_PAGE });
    const waiting = Map.groupBy(records, ({ endpoint }) => endpoint);
    const pendingAt = (id: string): number => waiting.get(id)?.length ?? 0;
    return { at, cas, endpoints: endpointsOf(deps, pendingAt), morePending: next !== undefined };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    deps.log({ event: 'status.store', severity: 'error', detail });
    return { at, cas: undefined, endpoints: endpointsOf(deps, () => 0), morePending: false };
  }
}

const endpointsOf = (
  { config, tally }: Pick<Deps, 'config' | 'tally'>,
  pendingAt: (id: string) => number,
): EndpointStatus[] =>
  [...config.endpoints.values()].map((endpoint) => {
    const { id, ca, profile, approval, enrol } = endpoint;
    const legacy = Object.entries(endpoint.legacy).flatMap(([name, on]) => (on ? [name] : []));
    const uses = tally.staticChallengeUses.get(id) ?? 0;
    const warnings = [
      ...(legacy.length > 0 ? [`it accepts ${legacy.join(', ')}: for old devices only`] : []),
      ...(enrol.staticChallenge ? ['whoever knows its static challenge can enrol'] : []),
    ];
    return {
      ...{ id, ca, profile: profile.id, approval, legacy, pending: pendingAt(id), warnings },
      staticUses: enrol.staticChallenge ? uses : undefined,
    };
  });

/** Hexadecimal. */
export const fingerprints = ({ der }: Certificate) => ({
  sha256: hex(hash('SHA-256', der)),
  sha1: hex(hash('SHA-1', der)),
});
