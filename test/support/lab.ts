// A whole service in memory: a CA, its endpoints, a clock that stands until it is set, the log as a
// list, and a record of every port call.

import { systemRandom } from '../../lib/adapters/system.ts';
import { type Bytes, type Random, utf8 } from '../../lib/base/bytes.ts';
import { AnsweringCas } from '../../lib/ca/authority/ca-certificates.ts';
import { initCa } from '../../lib/ca/authority/init-ca.ts';
import { normalBinding, type WantedBinding } from '../../lib/ca/challenge/binding.ts';
import { createChallenge } from '../../lib/ca/challenge/challenges.ts';
import type { LifecycleDeps, Operator, ServerDeps } from '../../lib/ca/deps.ts';
import { logged } from '../../lib/ca/log/outbox.ts';
import { GuardedCrls } from '../../lib/ca/record/guarded-crls.ts';
import { guarded } from '../../lib/ca/record/guarded-store.ts';
import { tokenHash } from '../../lib/ca/record/tokens.ts';
import { TriedWrites } from '../../lib/ca/record/written.ts';
import { keepCrls } from '../../lib/ca/revoke/publish-crl.ts';
import { ServedCrls } from '../../lib/ca/revoke/served-crls.ts';
import { Tally } from '../../lib/ca/tally.ts';
import { type Config, type ConfigDocument, checkConfig } from '../../lib/config/config.ts';
import type { Endpoint } from '../../lib/config/endpoint/endpoint.ts';
import type { Legacy } from '../../lib/crypto/algorithms.ts';
import { hash } from '../../lib/crypto/native.ts';
import { makeAdminApp, makeApp } from '../../lib/http/app.ts';
import type { Connection } from '../../lib/http/client.ts';
import { operatorHandlers } from '../../lib/http/operator/handlers.ts';
import type { CrlStore } from '../../lib/ports/crls.ts';
import type { LogEntry } from '../../lib/ports/log.ts';
import type { Sequencing } from '../../lib/ports/log-files.ts';
import type { MacKeys } from '../../lib/ports/mac-keys.ts';
import type { RaKeys } from '../../lib/ports/ra-keys.ts';
import type { AdminToken } from '../../lib/ports/records/registry.ts';
import type { SearchIndex } from '../../lib/ports/search-index.ts';
import type { Signer } from '../../lib/ports/signer.ts';
import type { Store } from '../../lib/ports/store.ts';
import type { Validator } from '../../lib/ports/validator.ts';
import type { Writing } from '../../lib/ports/writing.ts';
import {
  type CaCertResponse as Announced,
  readCaCertificates,
} from '../../lib/protocol/scep/client/client.ts';
import { memoryMacKeys, memoryRaKeys, memorySigner } from './keys.ts';
import { memoryLogs } from './log.ts';
import { MemoryCrls, MemoryIndex, MemoryStore } from './memory-store.ts';

export type LabOptions = {
  /** Default: that of the store; of a store in memory one in memory. */
  readonly index?: SearchIndex;
  readonly legacy?: Partial<Legacy>;
  readonly caKey?: 'rsa:2048' | 'rsa:3072' | 'ec:P-256' | 'ec:P-384';
  readonly store?: Store;
  /** Default: every try succeeds. */
  readonly writing?: Writing;
  readonly crls?: CrlStore;
  readonly signer?: Signer;
  readonly raKeys?: RaKeys;
  readonly macKeys?: MacKeys;
  readonly validators?: Readonly<Record<string, Validator>>;
  readonly config?: Partial<ConfigDocument>;
  /** Further fields of the endpoint `default`, as the configuration has them. */
  readonly endpoint?: Partial<ConfigDocument['endpoints'][string]>;
  /** Validators of the endpoint `default`, with or without a place in the configuration. */
  readonly authorize?: { readonly enrol?: readonly string[]; readonly renew?: readonly string[] };
  /** By their references. */
  readonly staticSecrets?: Readonly<Record<string, string>>;
  /** CAs that are configured and not made. */
  readonly uninitialised?: readonly string[];
  /** The service is that of a process that administers, and has no key. */
  readonly adminOnly?: true;
  /** The process does what only an operator may, as the embedded server does. */
  readonly operates?: true;
  /** What happens waits for them, from the start on. Default: some for which nothing waits. */
  readonly logs?: Sequencing;
  /** Milliseconds since 1970; default now. */
  readonly now?: number;
  /** Default: the system's. */
  readonly random?: Random;
};

/** Of a server, and of an operator. */
export type LabDeps = ServerDeps & LifecycleDeps;

export type Lab = {
  readonly deps: LabDeps;
  /** The store behind the guard of `deps.store`, as its adapter has it; its calls are in `calls`. */
  readonly unguarded: Store;
  readonly config: Config;
  readonly log: LogEntry[];
  /** `port.method` of every call, in order. */
  readonly calls: string[];
  readonly clock: { now(): number; sleep(ms: number): Promise<void>; at: number };
  readonly announced: Announced;
  readonly adminToken: string;
  endpoint(id?: string): Endpoint;
  fetch(path: string, init?: RequestInit, connection?: Connection): Promise<Response>;
  /** POSTs a pkiMessage and gives the CertRep; anything but a 200 is an error. */
  operate(message: Bytes, path?: string): Promise<Bytes>;
  challenge(options?: ChallengeOptions): Promise<string>;
};

export type ChallengeOptions = Omit<WantedBinding, 'san'> & {
  readonly endpoint?: string;
  readonly names?: readonly string[];
  readonly uses?: number;
  readonly ttlMs?: number;
  readonly decoy?: boolean;
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
  const macKeys = options.macKeys ?? memoryMacKeys;
  const noted = (entry: LogEntry): void => {
    log.push(entry);
  };
  const unguarded = recorded('store', store);
  const believed = guarded(unguarded, macKeys, noted);
  const ports = {
    store: options.logs ? logged(believed) : believed,
    index: recorded('index', options.index ?? indexOf(store)),
    signer: recorded('signer', options.signer ?? memorySigner),
    raKeys: recorded('raKeys', options.raKeys ?? memoryRaKeys),
    macKeys,
    validators: new Map(
      Object.entries(options.validators ?? {}).map(([id, validator]) => [
        id,
        recorded(id, validator),
      ]),
    ),
  };
  const cas = new AnsweringCas({ ...ports, config, clock });
  const keyOf = (id: string) => cas.publicKey(id);
  const unguardedCrls = recorded('crls', options.crls ?? new MemoryCrls());
  const crls = new GuardedCrls(unguardedCrls, { keyOf, macKeys, log: noted });
  const deps: LabDeps = {
    ...ports,
    crlSigner: ports.signer,
    crls,
    config,
    clock,
    staticSecrets: new Map(
      Object.entries(options.staticSecrets ?? {}).map(([reference, secret]) => [
        reference,
        hash('SHA-256', utf8(secret)),
      ]),
    ),
    cas,
    served: new ServedCrls(),
    written: new TriedWrites(options.writing ?? { tryWrite: async () => {} }, clock),
    tally: new Tally(),
    random: options.random ?? systemRandom,
    log: noted,
    logs: options.logs ?? memoryLogs(store).logs,
    ...(options.logs ? { sequencing: options.logs } : {}),
  };
  const { uninitialised = [] } = options;
  const made = [...config.cas.values()].filter(({ id }) => !uninitialised.includes(id));
  for (const authority of made) await initCa(deps, authority);
  for (const authority of made) await keepCrls(deps, await cas.of(authority.id));
  const adminToken = 'a'.repeat(43);
  await putToken(deps.store, adminToken, { name: 'test', roles: ['admin'] });
  const able = options.operates ? { ...deps, operator: operatorOf(deps) } : deps;
  const app = options.adminOnly
    ? makeAdminApp(able)
    : makeApp(able, options.operates ? operatorHandlers : undefined);
  const endpoint = (id = 'default'): Endpoint => {
    const found = config.endpoints.get(id);
    if (!found) throw new Error(`no endpoint ${id}`);
    return found;
  };
  const lab: Lab = {
    deps,
    unguarded,
    config,
    log,
    calls,
    clock,
    announced: uninitialised.includes('default')
      ? (undefined as never)
      : readCaCertificates((await cas.of('default')).bag),
    adminToken,
    endpoint,
    fetch: async (path, init, connection) =>
      app.fetch(new Request(origin + path, init), connection),
    operate: async (message, path = '/scep') => {
      const response = await lab.fetch(`${path}?operation=PKIOperation`, {
        method: 'POST',
        body: message,
      });
      if (response.status !== 200) throw new Error(`HTTP ${response.status}`);
      return new Uint8Array(await response.arrayBuffer());
    },
    challenge: async ({ endpoint: id, names = [], ...options } = {}) => {
      const { uses = 1, ttlMs = 3_600_000, decoy = false, ...asked } = options;
      const binding = normalBinding(endpoint(id).profile, { ...asked, san: names });
      const wanted = { binding, uses, ttlMs, decoy };
      return (await createChallenge(deps, endpoint(id), wanted, { actor: { kind: 'system' } }))
        .challenge;
    },
  };
  log.length = 0;
  calls.length = 0;
  return lab;
}

/** What an operator has, where all of it is in this process. */
export const operatorOf = (deps: LabDeps): Operator => ({
  ...deps,
  reload: () => deps.cas.reload(),
});

/** Stores a token of the admin API, if it is not there. */
export async function putToken(store: Store, token: string, record: AdminToken): Promise<void> {
  await store.write([{ do: 'put', kind: 'token', key: tokenHash(token), rev: 0, record }]);
}

const indexOf = (store: Store & { readonly index?: SearchIndex }): SearchIndex =>
  store.index ?? new MemoryIndex();

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
