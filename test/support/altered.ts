// A small CA whose table somebody else can write: how it came to be, step by step, and the same CA over any
// copy of its rows, changed as the test likes. What it does then is a line of text.

import assert from 'node:assert/strict';
import { raw, tag } from '../../lib/asn1/reader.ts';
import { sequence, tlv } from '../../lib/asn1/writer.ts';
import { type Bytes, equal, hex } from '../../lib/base/bytes.ts';
import { Malformed } from '../../lib/base/errors.ts';
import { AnsweringCas } from '../../lib/ca/authority/ca-certificates.ts';
import { namesOf } from '../../lib/ca/authorize/renew.ts';
import { GuardedCrls } from '../../lib/ca/record/guarded-crls.ts';
import { guarded } from '../../lib/ca/record/guarded-store.ts';
import { doIfDue, type Job } from '../../lib/ca/record/lease.ts';
import { keepCrls } from '../../lib/ca/revoke/publish-crl.ts';
import { ServedCrls } from '../../lib/ca/revoke/served-crls.ts';
import { Tally } from '../../lib/ca/tally.ts';
import { hash } from '../../lib/crypto/native.ts';
import { makeApp } from '../../lib/http/app.ts';
import type { Crl } from '../../lib/ports/crls.ts';
import type { LogEntry } from '../../lib/ports/log.ts';
import type { Action, Row, Store } from '../../lib/ports/store.ts';
import { type Certificate, readCertificate } from '../../lib/x509/certificate.ts';
import { describeCrl } from '../../lib/x509/describe/describe.ts';
import { printName } from '../../lib/x509/names/name.ts';
import { memorySigner } from './keys.ts';
import { type Lab, type LabDeps, makeLab } from './lab.ts';
import { MemoryCrls, MemoryStore } from './memory-store.ts';
import type { Sent } from './messages.ts';

/** All that is stored, at one moment. */
export type Table = { readonly rows: readonly Row[]; readonly crl: Crl | undefined };

export type Copy = {
  readonly deps: LabDeps;
  readonly log: LogEntry[];
  readonly store: MemoryStore;
  /** Names of the rows that were asked for. */
  readonly asked: Set<string>;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  table(): Promise<Table>;
};

export const rowName = ({ kind, key }: { kind: string; key: string }): string => `${kind} ${key}`;

/** A service over a copy of these rows, at the time of the lab. */
export async function over(lab: Lab, { rows, crl }: Table): Promise<Copy> {
  const store = new MemoryStore();
  // Not one by one: a write of everything is one write.
  await store.write(
    rows.map(({ kind, key, record }) => ({ do: 'put', kind, key, rev: 0, record }) as Action),
  );
  const crls = new MemoryCrls();
  if (crl) await crls.publish('default', crl);
  const [log, asked]: [LogEntry[], Set<string>] = [[], new Set()];
  const noted = (entry: LogEntry): void => {
    log.push(entry);
  };
  const noting: Store = {
    read: (keys) => {
      for (const key of keys) asked.add(rowName(key));
      return store.read(keys);
    },
    write: (actions) => store.write(actions),
    list: (query) => store.list(query),
  };
  const { macKeys, signer, raKeys, config, clock } = lab.deps;
  const own = guarded(noting, macKeys, noted);
  const cas = new AnsweringCas({ store: own, signer, raKeys, config, clock });
  const keyOf = (id: string) => cas.publicKey(id);
  const deps: LabDeps = {
    ...lab.deps,
    store: own,
    cas,
    crls: new GuardedCrls(crls, { keyOf, macKeys, log: noted }),
    served: new ServedCrls(),
    tally: new Tally(),
    log: noted,
  };
  const app = makeApp(deps);
  return {
    ...{ deps, log, store, asked },
    fetch: async (path, init) => app.fetch(new Request(`http://scep.test${path}`, init)),
    table: async () => ({ rows: store.dump(), crl: await crls.newest('default') }),
  };
}

/** What a CA here did, in one line that the same deed gives each time. */
export type Probe = { readonly name: string; run(copy: Copy): Promise<string> };

export async function smallCa() {
  const store = new MemoryStore();
  const crls = new MemoryCrls();
  const key = { down: false };
  const signer: typeof memorySigner = {
    ...memorySigner,
    sign: async (...args) => {
      if (key.down) throw new Error('the CA key is down');
      return memorySigner.sign(...args);
    },
  };
  const lab = await makeLab({
    signer,
    store,
    crls,
    config: {
      endpoints: {
        default: { ca: 'default' },
        other: { ca: 'default' },
        asking: { ca: 'default', approval: 'always' },
        knowing: { ca: 'default', approval: 'newSubject' },
      },
    },
  });
  const known: Certificate[] = [];
  const history: Table[] = [];
  const snapshot = async (): Promise<void> => {
    history.push({ rows: store.dump(), crl: await crls.newest('default') });
  };
  const send = async (sent: Sent, path = '/scep') => {
    const answer = await sent.read(await lab.operate(sent.message, path));
    if (answer.pkiStatus === 'SUCCESS') {
      for (const der of answer.certificates) known.push(readCertificate(der));
    }
    await snapshot();
    return answer;
  };
  const got = async (sent: Sent, path?: string): Promise<Certificate> => {
    assert.equal((await send(sent, path)).pkiStatus, 'SUCCESS');
    return known.at(-1) ?? assert.fail();
  };
  const admin = async (path: string, body: object, headers: object = {}): Promise<void> => {
    const response = await lab.fetch(`/api/v1${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { authorization: `Bearer ${lab.adminToken}`, ...headers },
    });
    assert.ok(response.status < 300, await response.text());
    await snapshot();
  };
  const waiting = (): string => {
    const rows = store.dump().filter(({ kind }) => kind === 'transaction');
    const last = rows.findLast(({ record }) => 'state' in record && record.state === 'pending');
    return last?.key ?? assert.fail();
  };
  /** Its attempt is left as a process that died leaves it. */
  const stuck = async (sent: Sent): Promise<void> => {
    key.down = true;
    await assert.rejects(lab.operate(sent.message), /HTTP 503/);
    key.down = false;
    await snapshot();
  };
  return { lab, store, crls, known, history, snapshot, send, got, admin, waiting, stuck };
}

export type SmallCa = Awaited<ReturnType<typeof smallCa>>;

/** A certificate in words: one that was there before by its number, another by what it says. */
export function told(known: readonly Certificate[], der: Bytes): string {
  const at = known.findIndex((one) => equal(one.der, der));
  if (at >= 0) return `certificate ${at}`;
  const certificate = readCertificate(der);
  const { subject, spki, notAfter } = certificate;
  const key = hex(hash('SHA-256', raw(spki))).slice(0, 8);
  const names = namesOf(certificate).join();
  return `a certificate for ${printName(subject)} [${names}] of ${key} until ${notAfter}`;
}

/** A message is sent, and its answer read. */
export const sending = ({ known }: SmallCa, name: string, sent: Sent, path = '/scep'): Probe => ({
  name,
  async run(copy) {
    const response = await copy.fetch(`${path}?operation=PKIOperation`, {
      method: 'POST',
      body: sent.message,
    });
    if (response.status !== 200) return `HTTP ${response.status}`;
    // With a new RA key, what was sealed for the one before is answered in a way its sender cannot take.
    const answer = await sent.read(new Uint8Array(await response.arrayBuffer())).catch((error) => {
      if (error instanceof Malformed) return undefined;
      throw error;
    });
    if (!answer) return 'FAILURE to read it';
    if (answer.pkiStatus === 'PENDING') return 'PENDING';
    if (answer.pkiStatus === 'FAILURE') return `FAILURE ${answer.text?.slice(0, 8)}`;
    return answer.certificates.map((der) => told(known, der)).join();
  },
});

/** Entries of a CRL: serial numbers by what is told of them. */
const entriesOf = (known: readonly Certificate[], der: Bytes): string =>
  describeCrl(der)
    .revoked.map(({ serial, reason = 'unspecified' }) => {
      const at = known.findIndex((one) => hex(one.serial) === serial);
      return `${at >= 0 ? at : serial} ${reason}`;
    })
    .sort()
    .join(', ');

export const fetchingCrl = ({ known }: SmallCa): Probe => ({
  name: 'the CRL that is there',
  async run(copy) {
    const response = await copy.fetch('/crl/default.crl');
    if (response.status !== 200) return `HTTP ${response.status}`;
    return `CRL: ${entriesOf(known, new Uint8Array(await response.arrayBuffer()))}`;
  },
});

/** Half of its life is over: the next one is published. */
export const publishing = ({ known }: SmallCa): Probe => ({
  name: 'the next CRL',
  async run(copy) {
    try {
      const { clock } = copy.deps;
      const later = { ...clock, now: () => clock.now() + 8 * 86_400_000 };
      const ca = await copy.deps.cas.issuer('default');
      const before = await copy.deps.crls.newest('default');
      const [crl] = await keepCrls({ ...copy.deps, clock: later }, ca);
      const higher = crl.number > (before?.number ?? 0) ? 'a higher number' : 'NO higher number';
      return `CRL of ${higher}: ${entriesOf(known, crl.der)}`;
    } catch (error) {
      return `HTTP 503: ${error instanceof Error ? error.message : error}`;
    }
  },
});

/** A job that is done once a day, and was done an hour ago. */
export const working: Probe = {
  name: 'a job that is not due',
  async run({ deps }) {
    return (await doIfDue(deps, daily)) === undefined ? 'HTTP 404: not due' : 'done';
  },
};
export const daily: Job = {
  name: 'daily',
  everyMs: 86_400_000,
  limitMs: 60_000,
  run: async () => ({}),
};

/** A request of the admin API, and what of its answer is always the same. */
export const asking = (
  { known }: SmallCa,
  name: string,
  { token, method = 'GET', path, body, headers = {} }: Asked,
): Probe => ({
  name,
  async run(copy) {
    const response = await copy.fetch(`/api/v1${path}`, {
      method,
      ...(body ? { body: JSON.stringify(body) } : {}),
      headers: { authorization: `Bearer ${token}`, ...headers },
    });
    const text = await response.text();
    if (response.status >= 300) return `HTTP ${response.status}`;
    const found = JSON.parse(text);
    const listed: { serial: string; state: string; endpoint: string }[] = found.certificates ?? [];
    const shown = listed.map((one) => {
      const at = known.findIndex(({ serial }) => hex(serial) === one.serial);
      return `${at} ${one.state} ${one.endpoint}`;
    });
    return `HTTP ${response.status} ${shown.sort().join(', ')} ${found.state ?? ''}`;
  },
});
type Asked = {
  readonly token: string;
  readonly method?: string;
  readonly path: string;
  readonly body?: object;
  readonly headers?: object;
};

/** IssuerAndSerialNumber, of which a serial number has the octets as they stand in a certificate. */
export const issuerAndSerial = (issuer: Bytes, serial: Bytes): Bytes =>
  sequence(issuer, tlv(tag.integer, serial));
