// A service whose keys are in the KMS emulator, over a memory store: one instance that is at work, and
// as many more as a test wants, which have asked KMS for nothing yet.

import assert from 'node:assert/strict';
import type { Timer } from '../../lib/adapters/aws/aws.ts';
import type { KmsKeys, KmsSettings } from '../../lib/adapters/aws/kms/kms-keys.ts';
import { systemClock, systemRandom } from '../../lib/adapters/system.ts';
import type { Bytes } from '../../lib/base/bytes.ts';
import { AnsweringCas } from '../../lib/ca/authority/ca-certificates.ts';
import { initMacKeys, readMacKeys } from '../../lib/ca/authority/mac-keys.ts';
import { guarded } from '../../lib/ca/record/guarded-store.ts';
import { makeApp } from '../../lib/http/app.ts';
import type { LogEntry } from '../../lib/ports/log.ts';
import type { Kind, Records } from '../../lib/ports/records/records.ts';
import type { Action } from '../../lib/ports/store.ts';
import { readCaCertificates } from '../../lib/protocol/scep/client/client.ts';
import { checkCa } from './check-ca.ts';
import { openKms } from './kms.ts';
import { type Lab, type LabDeps, type LabOptions, makeLab } from './lab.ts';
import { MemoryCrls, MemoryStore } from './memory-store.ts';
import { type EnrolOptions, enrolment, type Sent } from './messages.ts';

/** Two CAs, each with an endpoint of its name. */
export const twoCas = {
  config: {
    cas: {
      default: { subject: 'CN=Lab CA,O=Lab', key: 'rsa:2048' },
      second: { subject: 'CN=Second CA,O=Lab', key: 'ec:P-256' },
    },
    endpoints: { default: { ca: 'default' }, second: { ca: 'second' } },
  },
} as const satisfies LabOptions;

export type Reply = {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: Bytes;
};

export type Instance = {
  readonly deps: LabDeps;
  readonly log: LogEntry[];
  get(path: string): Promise<number>;
  post(sent: Sent, path?: string): Promise<Reply>;
  /** What the log says of the outages so far. */
  outages(): string[];
};

export type KmsWorld = Awaited<ReturnType<typeof kmsWorld>>;

export async function kmsWorld(options: LabOptions = {}) {
  const kms = await openKms();
  const [store, crls] = [new MemoryStore(), new MemoryCrls()];
  const records = {
    readMacKeys: (purpose: Parameters<KmsSettings['readMacKeys']>[0]) =>
      readMacKeys(store, purpose),
  };
  const open = (settings: Partial<KmsSettings> = {}, time?: Timer): KmsKeys =>
    kms.keys({ ...records, ...settings }, time);
  const operator = open();
  const deps = { store, clock: systemClock, random: systemRandom };
  await initMacKeys(deps, (purpose) => operator.makeMacKey(purpose), { kind: 'system' });
  const { signer, raKeys, macKeys } = operator;
  const lab = await makeLab({ signer, raKeys, macKeys, ...options, store, crls });
  const delivered: Bytes[] = [];

  /** It has asked KMS for nothing yet, and has the clock of the lab. */
  const instance = (settings: Partial<KmsSettings> = {}, time?: Timer): Instance => {
    const keys = open(settings, time);
    const log: LogEntry[] = [];
    const ports = { signer: keys.signer, raKeys: keys.raKeys, macKeys: keys.macKeys };
    const { config, clock } = lab.deps;
    const noted = (entry: LogEntry): void => {
      log.push(entry);
    };
    const guardedStore = guarded(lab.unguarded, keys.macKeys, noted);
    const own: LabDeps = {
      ...lab.deps,
      ...ports,
      crlSigner: keys.signer,
      store: guardedStore,
      cas: new AnsweringCas({ config, store: guardedStore, ...ports, clock }),
      log: noted,
    };
    const app = makeApp(own);
    const request = (path: string, init?: RequestInit) =>
      app.fetch(new Request(`http://scep.test${path}`, init));
    return {
      deps: own,
      log,
      get: async (path) => (await request(path)).status,
      post: async ({ message }, path = '/scep') => {
        const reply = await request(`${path}?operation=PKIOperation`, {
          method: 'POST',
          body: message,
        });
        return {
          status: reply.status,
          retryAfter: reply.headers.get('retry-after'),
          body: new Uint8Array(await reply.arrayBuffer()),
        };
      },
      outages: () =>
        log.flatMap(({ event, detail }) => (event === 'http.outage' ? [String(detail)] : [])),
    };
  };

  const rowOf = (kind: Kind, key: string) => {
    const row = store.dump().find((found) => found.kind === kind && found.key === key);
    assert.ok(row, `${kind} ${key}`);
    return row;
  };
  return {
    kms,
    lab,
    instance,
    /** A message for an endpoint of this CA. */
    message: async (wanted: EnrolOptions, ca = 'default'): Promise<Sent> => {
      const announced = readCaCertificates((await lab.deps.cas.of(ca)).bag);
      return enrolment({ ...lab, announced } as Lab, wanted);
    },
    /** The answer must be a certificate, which it gives. */
    certificate: async (sent: Sent, { status, body }: Reply): Promise<Bytes> => {
      assert.equal(status, 200);
      const answer = await sent.read(body);
      assert.ok(answer.pkiStatus === 'SUCCESS', JSON.stringify(answer));
      delivered.push(...answer.certificates);
      return answer.certificates[0] ?? new Uint8Array(0);
    },
    read: <K extends Kind>(kind: K, key: string): Records[K] =>
      rowOf(kind, key).record as Records[K],
    /** As the service itself would change one, under a good MAC. */
    bend: async <K extends Kind>(kind: K, key: string, change: (was: Records[K]) => Records[K]) => {
      const { rev, record } = rowOf(kind, key);
      const put = { do: 'put', kind, key, rev, record: change(record as Records[K]) } as Action;
      assert.equal(await lab.deps.store.write([put]), 'done');
    },
    all: <K extends Kind>(kind: K): Records[K][] =>
      store.dump().flatMap((row) => (row.kind === kind ? [row.record as Records[K]] : [])),
    check: () => checkCa(store.dump(), delivered),
    delivered,
  };
}
