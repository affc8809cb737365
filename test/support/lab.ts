// A whole service in memory: a CA, its endpoints, a clock that stands until it is set, the log as a
// list, and a record of every port call.

import { MemoryCrls, MemoryStore } from '../../lib/adapters/memory.ts';
import { systemRandom } from '../../lib/adapters/system.ts';
import type { Legacy } from '../../lib/algorithms.ts';
import { type Bytes, utf8 } from '../../lib/bytes.ts';
import { CaCertificates } from '../../lib/ca/ca-certificates.ts';
import { createChallenge } from '../../lib/ca/challenges.ts';
import { keepCrl } from '../../lib/ca/crl.ts';
import type { Deps } from '../../lib/ca/deps.ts';
import { initCa } from '../../lib/ca/lifecycle.ts';
import { normalBinding } from '../../lib/ca/policy.ts';
import { Tally } from '../../lib/ca/tally.ts';
import { tokenHash } from '../../lib/ca/tokens.ts';
import { hash } from '../../lib/cms/native.ts';
import { type Config, type ConfigDocument, checkConfig, type Endpoint } from '../../lib/config.ts';
import { makeApp } from '../../lib/http/app.ts';
import type { Random } from '../../lib/ports/clock-and-random.ts';
import type { Crls } from '../../lib/ports/crls.ts';
import type { LogEntry } from '../../lib/ports/log.ts';
import type { MacKeys } from '../../lib/ports/mac-keys.ts';
import type { RaKeys } from '../../lib/ports/ra-keys.ts';
import type { AdminToken } from '../../lib/ports/records.ts';
import type { Signer } from '../../lib/ports/signer.ts';
import type { Store } from '../../lib/ports/store.ts';
import type { Validator } from '../../lib/ports/validator.ts';
import { type CaCertificates as Announced, readCaCertificates } from '../../lib/scep/client.ts';
import { memoryMacKeys, memoryRaKeys, memorySigner } from './keys.ts';

export type LabOptions = {
  readonly legacy?: Partial<Legacy>;
  readonly caKey?: 'rsa:2048' | 'rsa:3072' | 'ec:P-256' | 'ec:P-384';
  readonly store?: Store;
  readonly crls?: Crls;
  readonly signer?: Signer;
  readonly raKeys?: RaKeys;
  readonly macKeys?: MacKeys;
  readonly validators?: Readonly<Record<string, Validator>>;
  readonly config?: Partial<ConfigDocument>;
  /** Further fields of the endpoint `default`, as the configuration has them. */
  readonly endpoint?: Partial<ConfigDocument['endpoints'][string]>;
  /** Validators of the endpoint `default` that no configuration can name yet. */
  readonly authorize?: { readonly enrol?: readonly string[]; readonly renew?: readonly string[] };
  /** By their references. */
  readonly staticSecrets?: Readonly<Record<string, string>>;
  /** CAs that are configured and not made. */
  readonly uninitialised?: readonly string[];
  /** Milliseconds since 1970; default now. */
  readonly now?: number;
  /** Default: the system's. */
  readonly random?: Random;
};

export type Lab = {
  readonly deps: Deps;
  readonly config: Config;
  readonly log: LogEntry[];
  /** `port.method` of every call, in order. */
  readonly calls: string[];
  readonly clock: { now(): number; sleep(ms: number): Promise<void>; at: number };
  readonly announced: Announced;
  readonly adminToken: string;
  endpoint(id?: string): Endpoint;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** POSTs a pkiMessage and gives the CertRep; anything but a 200 is an error. */
  operate(message: Bytes, path?: string): Promise<Bytes>;
  challenge(options?: ChallengeOptions): Promise<string>;
};

export type ChallengeOptions = {
  readonly endpoint?: string;
  readonly subject?: string;
  readonly names?: readonly string[];
  readonly uses?: number;
  readonly ttlMs?: number;
};

const origin = 'http://scep.test';

export async function makeLab(options: LabOptions = {}): Promise<Lab> {
  const { legacy = {}, caKey = 'rsa:2048', store = new MemoryStore() } = options;
  const config = withValidators(
    checkConfig({
      publicUrl: origin,
      cas: { default: { subject: 'CN=Lab CA,O=Lab', key: caKey } },
      endpoints: {
        default: { ca: 'default', legacy, ...options.endpoint },
        other: { ca: 'default' },
      },
      ...options.config,
    }),
    options.authorize,
  );
  const clock = {
    at: options.now ?? Math.floor(Date.now() / 1000) * 1000,
    now: () => clock.at,
    // The clock stands still; only the order of things matters.
    sleep: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms / 10)),
  };
  const calls: string[] = [];
  const log: LogEntry[] = [];
  const recorded = <T extends object>(port: string, target: T): T =>
    recordCalls(calls, port, target);
  const ports = {
    store: recorded('store', store),
    crls: recorded('crls', options.crls ?? new MemoryCrls()),
    signer: recorded('signer', options.signer ?? memorySigner),
    raKeys: recorded('raKeys', options.raKeys ?? memoryRaKeys),
    macKeys: options.macKeys ?? memoryMacKeys,
    validators: new Map(
      Object.entries(options.validators ?? {}).map(([id, validator]) => [
        id,
        recorded(id, validator),
      ]),
    ),
  };
  const cas = new CaCertificates({ ...ports, config, clock });
  const deps: Deps = {
    ...ports,
    config,
    clock,
    staticSecrets: new Map(
      Object.entries(options.staticSecrets ?? {}).map(([reference, secret]) => [
        reference,
        hash('SHA-256', utf8(secret)),
      ]),
    ),
    cas,
    tally: new Tally(),
    random: options.random ?? systemRandom,
    log: (entry) => {
      log.push(entry);
    },
  };
  const { uninitialised = [] } = options;
  const made = [...config.cas.values()].filter(({ id }) => !uninitialised.includes(id));
  for (const authority of made) await initCa(deps, authority);
  for (const authority of made) await keepCrl(deps, await cas.of(authority.id));
  const adminToken = 'a'.repeat(43);
  await putToken(store, adminToken, { name: 'test', roles: ['admin'] });
  const app = makeApp(deps);
  const endpoint = (id = 'default'): Endpoint => {
    const found = config.endpoints.get(id);
    if (!found) throw new Error(`no endpoint ${id}`);
    return found;
  };
  const lab: Lab = {
    deps,
    config,
    log,
    calls,
    clock,
    announced: uninitialised.includes('default')
      ? (undefined as never)
      : readCaCertificates((await cas.of('default')).bag),
    adminToken,
    endpoint,
    fetch: async (path, init) => app.fetch(new Request(origin + path, init)),
    operate: async (message, path = '/scep') => {
      const response = await lab.fetch(`${path}?operation=PKIOperation`, {
        method: 'POST',
        body: message,
      });
      if (response.status !== 200) throw new Error(`HTTP ${response.status}`);
      return new Uint8Array(await response.arrayBuffer());
    },
    challenge: async ({ endpoint: id, subject, names = [], uses = 1, ttlMs = 3_600_000 } = {}) => {
      const binding = normalBinding(endpoint(id).profile, subject, names);
      const wanted = { binding, uses, ttlMs };
      return (await createChallenge(deps, endpoint(id), wanted, { kind: 'system' })).challenge;
    },
  };
  log.length = 0;
  calls.length = 0;
  return lab;
}

/** Stores a token of the admin API, if it is not there. */
export async function putToken(store: Store, token: string, record: AdminToken): Promise<void> {
  await store.write([{ do: 'put', kind: 'token', key: tokenHash(token), rev: 0, record }]);
}

function withValidators(config: Config, authorize: LabOptions['authorize']): Config {
  const endpoint = config.endpoints.get('default');
  if (!endpoint || !authorize) return config;
  const changed: Endpoint = {
    ...endpoint,
    enrol: { ...endpoint.enrol, authorize: authorize.enrol ?? endpoint.enrol.authorize },
    renew: { ...endpoint.renew, authorize: authorize.renew ?? endpoint.renew.authorize },
  };
  return { ...config, endpoints: new Map([...config.endpoints, ['default', changed]]) };
}

function recordCalls<T extends object>(calls: string[], port: string, target: T): T {
  return new Proxy(target, {
    get(object, name, receiver) {
      const member: unknown = Reflect.get(object, name, receiver);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        calls.push(`${port}.${String(name)}`);
        return member.apply(object, args);
      };
    },
  });
}
