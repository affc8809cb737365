// A CA that can be made to have trouble: its key goes down, its reads are torn between two moments,
// other instances share its store. And short words for what tests ask of it.

import assert from 'node:assert/strict';
import { sequence } from '../../lib/asn1/writer.ts';
import type { Bytes } from '../../lib/base/bytes.ts';
import type { CertificateRecord } from '../../lib/ports/records/certificate.ts';
import type { Challenge, Kind, Records } from '../../lib/ports/records/records.ts';
import type { Transaction } from '../../lib/ports/records/transaction.ts';
import type { Action, Store } from '../../lib/ports/store.ts';
import type { ClientKey } from '../../lib/protocol/scep/client/client.ts';
import { readCertificate } from '../../lib/x509/certificate.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { checkCa } from './check-ca.ts';
import { eventIn } from './event-in.ts';
import { deviceKey, memorySigner } from './keys.ts';
import { type LabOptions, makeLab } from './lab.ts';
import { MemoryStore } from './memory-store.ts';
import { type EnrolOptions, enrolment, type Sent } from './messages.ts';

export const HOUR = 3_600_000;

/** A lab whose CA key can be down, and whose next batch read can be torn in two. */
export async function world(options: LabOptions = {}) {
  const store = new MemoryStore();
  const key = { down: false };
  const tear: { kind?: Kind; meanwhile?: () => Promise<unknown> } = {};
  const torn: Store = {
    write: (actions) => store.write(actions),
    list: (query) => store.list(query),
    /** Everything but one kind, then what happens meanwhile, then that kind. */
    read: async (keys) => {
      const { kind, meanwhile } = tear;
      if (!meanwhile || !keys.some((wanted) => wanted.kind === kind)) return store.read(keys);
      delete tear.meanwhile;
      const first = await store.read(keys.filter((wanted) => wanted.kind !== kind));
      await meanwhile();
      return [...first, ...(await store.read(keys.filter((wanted) => wanted.kind === kind)))];
    },
  };
  const signer = {
    ...memorySigner,
    sign: async (...args: Parameters<typeof memorySigner.sign>) => {
      if (key.down) throw new Error('the CA key is down');
      return memorySigner.sign(...args);
    },
  };
  const lab = await makeLab({ store: torn, index: store.index, signer, ...options });
  const delivered: Bytes[] = [];
  const all = <K extends Kind>(kind: K): Records[K][] =>
    store
      .dump()
      .filter((row) => row.kind === kind)
      .map(({ record }) => record as Records[K]);
  const send = async (sent: Sent, path = '/scep', through = lab) => {
    const answer = await sent.read(await through.operate(sent.message, path));
    if (answer.pkiStatus === 'SUCCESS') delivered.push(...answer.certificates);
    return answer;
  };
  return {
    lab,
    store,
    key,
    send,
    ask: async (wanted: EnrolOptions) => send(await enrolment(lab, wanted)),
    poll: async (wanted: EnrolOptions = {}) => {
      const plaintext = sequence(lab.announced.ra.subject, parseName('CN=device-1,O=Test'));
      return send(await enrolment(lab, { messageType: 'CertPoll', plaintext, ...wanted }));
    },
    /** The record of this kind, changed as the service itself would, under a good MAC. */
    bend: async <K extends Kind>(kind: K, change: (record: Records[K]) => Partial<Records[K]>) => {
      const row = store.dump().find((found) => found.kind === kind);
      assert.ok(row);
      const record = { ...row.record, ...change(row.record as Records[K]) };
      const put = { do: 'put', kind, key: row.key, rev: row.rev, record } as Action;
      assert.equal(await lab.deps.store.write([put]), 'done');
    },
    /** The same, as whoever can write the table but has no MAC key would change it. */
    forge: async <K extends Kind>(kind: K, change: (record: Records[K]) => Partial<Records[K]>) => {
      const row = store.dump().find((found) => found.kind === kind);
      assert.ok(row);
      const record = { ...row.record, ...change(row.record as Records[K]) };
      const put = { do: 'put', kind, key: row.key, rev: row.rev, record } as Action;
      assert.equal(await store.write([put]), 'done');
    },
    /** In the next read, records of this kind are as they are after `meanwhile`. */
    tear: (kind: Kind, meanwhile: () => Promise<unknown>) =>
      Object.assign(tear, { kind, meanwhile }),
    stuck: async (sent: Sent) => {
      key.down = true;
      await assert.rejects(lab.operate(sent.message), /HTTP 503/);
      key.down = false;
    },
    /** Another instance over the same store. */
    instance: (other: LabOptions) =>
      makeLab({ store, signer, ...options, ...other, now: lab.clock.at }),
    /** @param skewMs how wrong the clock has been */
    check: (skewMs?: number) => checkCa(store.dump(), delivered, skewMs),
    transactions: (): Transaction[] => all('transaction').sort((x, y) => (x.id < y.id ? -1 : 1)),
    certificates: (): CertificateRecord[] => all('certificate'),
    challenges: (): Challenge[] => all('challenge'),
    events: () => all('event').map(eventIn),
    delivered,
  };
}
export type World = Awaited<ReturnType<typeof world>>;

export const got = (answer: Awaited<ReturnType<World['send']>>): Bytes => {
  assert.ok(answer.pkiStatus === 'SUCCESS', JSON.stringify(answer));
  return answer.certificates[0] ?? new Uint8Array(0);
};
export const refusedWith = (code: string, answer: Awaited<ReturnType<World['send']>>) => {
  assert.ok(answer.pkiStatus === 'FAILURE', answer.pkiStatus);
  assert.match(answer.text ?? '', new RegExp(`^${code}: `));
};
export const keys = (...names: string[]): Promise<ClientKey[]> =>
  Promise.all(names.map((name) => deviceKey(`hostile ${name}`)));

/** A certificate with its key, by a challenge of its own. */
export async function held(w: World, key: ClientKey, subject = 'CN=device-1,O=Test') {
  const answer = await w.ask({ challenge: await w.lab.challenge(), key, subject });
  return { key, certificate: readCertificate(got(answer)) };
}
