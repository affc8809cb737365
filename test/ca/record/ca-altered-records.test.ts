// Whoever can write the table changes one field of one record behind the service's back, every field of
// every record in turn. What the service then does must be what it would have done over some earlier state
// of the table, or with that record gone; an outage must end by the command that is named for it.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { hex } from '../../../lib/base/bytes.ts';
import { LEASE_MS } from '../../../lib/base/limits.ts';
import { restoreCa } from '../../../lib/ca/authority/restore.ts';
import { doIfDue } from '../../../lib/ca/record/lease.ts';
import { askForCrl, publishCrl } from '../../../lib/ca/revoke/publish-crl.ts';
import { rebuildRegisters } from '../../../lib/ca/revoke/rebuild-register.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import { placesOf } from '../../../lib/ports/records/places.ts';
import type { Kind } from '../../../lib/ports/records/records.ts';
import type { Row } from '../../../lib/ports/store.ts';
import {
  asking,
  type Copy,
  daily,
  fetchingCrl,
  issuerAndSerial,
  over,
  type Probe,
  publishing,
  rowName,
  type SmallCa,
  sending,
  smallCa,
  type Table,
  working,
} from '../../support/altered.ts';
import { deviceKey } from '../../support/keys.ts';
import { putToken } from '../../support/lab.ts';
import { enrolment } from '../../support/messages.ts';

const auditor = 'auditor'.padEnd(43, 'x');
const approver = 'approver'.padEnd(43, 'x');

/** A CA with something of every kind on record, and what it is asked then. */
type Populated = SmallCa & { readonly compromised: readonly string[] };

async function populated(): Promise<{ ca: Populated; probes: readonly Probe[] }> {
  const ca = await smallCa();
  const { lab, got, send, admin } = ca;
  const keyOf = (name: string) => deviceKey(`altered ${name}`);
  const sent = async (name: string, more: Parameters<typeof enrolment>[1]) =>
    enrolment(lab, { key: await keyOf(name), subject: `CN=${name}`, ...more });
  await putToken(lab.deps.store, auditor, { name: 'auditor', roles: ['auditor'] });
  await putToken(lab.deps.store, approver, { name: 'approver', roles: ['approver'] });
  const once = await lab.challenge();
  const often = await lab.challenge({ uses: 3 });
  const bound = await lab.challenge({ subject: 'CN=bound', names: ['dns:bound.example'] });
  await ca.snapshot();
  const first = await sent('a', { challenge: once });
  const a = { certificate: await got(first), key: await keyOf('a') };
  const c = {
    certificate: await got(await sent('c', { challenge: often })),
    key: await keyOf('c'),
  };
  const d = {
    certificate: await got(await sent('d', { challenge: often })),
    key: await keyOf('d'),
  };
  const withdraw = async ({ certificate: { serial } }: typeof a, reason: string) =>
    admin(`/certificates/default/${hex(serial)}/revoke`, { reason });
  await withdraw(c, 'cessationOfOperation');
  await withdraw(d, 'certificateHold');
  const m = { certificate: await got(await sent('m', { challenge: await lab.challenge() })) };
  await withdraw({ ...m, key: await keyOf('m') }, 'keyCompromise');
  await admin('/crls/default/publish', {});
  const remembered = { 'idempotency-key': 'once' };
  const made = { endpoint: 'default' };
  await admin('/challenges', made, remembered);
  assert.equal((await send(await sent('r', { challenge: 'unknown' }))).pkiStatus, 'FAILURE');
  await doIfDue(lab.deps, daily);
  await askForCrl(lab.deps, 'default', { kind: 'admin', id: 'somebody' });
  const challengeAt = (endpoint: string) => lab.challenge({ endpoint });
  const waits = await sent('w', { challenge: await challengeAt('asking') });
  const allowed = await sent('x', { challenge: await challengeAt('asking') });
  assert.equal((await send(allowed, '/scep/asking')).pkiStatus, 'PENDING');
  await admin(`/transactions/${ca.waiting()}/approve`, {});
  assert.equal((await send(waits, '/scep/asking')).pkiStatus, 'PENDING');
  const pendingId = ca.waiting();
  const knownOnce = await sent('k', { challenge: await challengeAt('knowing') });
  assert.equal((await send(knownOnce, '/scep/knowing')).pkiStatus, 'PENDING');
  await admin(`/transactions/${ca.waiting()}/approve`, {});
  await got(knownOnce, '/scep/knowing');
  const lapsed = await sent('l', { challenge: await lab.challenge() });
  await ca.stuck(lapsed);
  lab.clock.at += LEASE_MS;
  const ofKnown = await challengeAt('knowing');
  const fresh = await lab.challenge();
  await ca.snapshot();

  const at = (name: string, message: Awaited<ReturnType<typeof sent>>, path?: string) =>
    sending(ca, name, message, path);
  const renewal = { messageType: 'RenewalReq' } as const;
  const get = async (signer: typeof a, wanted: typeof a) =>
    enrolment(lab, {
      signer,
      messageType: 'GetCert',
      plaintext: issuerAndSerial(
        (lab.announced.chain[0] ?? assert.fail()).subject,
        wanted.certificate.serial,
      ),
    });
  const poll = async (name: string) =>
    sent(name, {
      messageType: 'CertPoll',
      plaintext: issuerAndSerial(lab.announced.ra.subject, Uint8Array.of(1)),
    });
  const certificates = '/certificates?ca=default';
  const revoking = `/certificates/default/${hex(a.certificate.serial)}/revoke`;
  const approving = `/transactions/${pendingId}/approve`;
  const probes = [
    at('a repeats', first),
    at('another key, a spent challenge', await sent('e', { challenge: once })),
    at('another key, the last use of three', await sent('f', { challenge: often })),
    at('another key, a fresh challenge', await sent('g', { challenge: fresh })),
    at('a challenge of another endpoint', await sent('h', { challenge: ofKnown })),
    at('a bound challenge, another subject', await sent('i', { challenge: bound })),
    at('a bound challenge', await sent('bound', { challenge: bound })),
    at("a's key for another name", await sent('a', { challenge: fresh, subject: 'CN=other' })),
    at('a renews', await sent('a2', { signer: a, subject: 'CN=a', ...renewal })),
    at(
      'a renews elsewhere',
      await sent('a3', { signer: a, subject: 'CN=a', ...renewal }),
      '/scep/other',
    ),
    at('a renews for another name', await sent('a4', { signer: a, subject: 'CN=b', ...renewal })),
    at('one that is revoked renews', await sent('c2', { signer: c, subject: 'CN=c', ...renewal })),
    at('one that is held renews', await sent('d2', { signer: d, subject: 'CN=d', ...renewal })),
    at('one that waits polls', await poll('w'), '/scep/asking'),
    at('one that is approved polls', await poll('x'), '/scep/asking'),
    at('one that is approved repeats', allowed, '/scep/asking'),
    at(
      'a known subject',
      await sent('k2', { challenge: ofKnown, subject: 'CN=k' }),
      '/scep/knowing',
    ),
    at('a lapsed attempt repeats', lapsed),
    at('a compromised key, a fresh challenge', await sent('m', { challenge: fresh })),
    at('another unknown challenge', await sent('s', { challenge: 'unknown too' })),
    working,
    asking(ca, 'an admin makes the same challenge again', {
      ...{ token: lab.adminToken, method: 'POST', path: '/challenges' },
      ...{ body: made, headers: remembered },
    }),
    at('a gets the certificate of c', await get(a, c)),
    at('c, which is revoked, gets that of a', await get(c, a)),
    fetchingCrl(ca),
    publishing(ca),
    asking(ca, 'an auditor lists', { token: auditor, path: certificates }),
    asking(ca, 'an auditor approves', {
      token: auditor,
      method: 'POST',
      path: approving,
      body: {},
    }),
    asking(ca, 'an approver approves', {
      token: approver,
      method: 'POST',
      path: approving,
      body: {},
    }),
    asking(ca, 'an approver revokes', {
      ...{ token: approver, method: 'POST', path: revoking },
      body: { reason: 'superseded' },
    }),
    asking(ca, 'nobody lists', { token: 'nobody'.padEnd(43, 'x'), path: certificates }),
    asking(ca, 'an admin revokes', {
      ...{ token: lab.adminToken, method: 'POST', path: revoking },
      body: { reason: 'superseded' },
    }),
  ];
  return { ca: { ...ca, compromised: [hex(m.certificate.serial)] }, probes };
}

type Json = null | boolean | number | string | Json[] | { [member: string]: Json };
type Path = readonly (string | number)[];

/** Ways to every value in it. */
function pathsIn(value: Json, path: Path = []): Path[] {
  if (value === null || typeof value !== 'object') return [path];
  return [
    ...(path.length > 0 ? [path] : []),
    ...Object.entries(value).flatMap(([name, member]) => {
      return pathsIn(member, [...path, name]);
    }),
  ];
}

const valueAt = (value: Json, path: Path): Json | undefined =>
  path.reduce<Json | undefined>(
    (at, name) =>
      at && typeof at === 'object' ? (at as { [name: string]: Json })[name] : undefined,
    value,
  );

/** A copy in which the value there is another; undefined: none. */
function withValue(value: Json, [name, ...rest]: Path, changed: Json | undefined): Json {
  if (name === undefined) return changed ?? null;
  const copy = (Array.isArray(value) ? [...value] : { ...Object(value) }) as {
    [name: string]: Json;
  };
  const member = rest.length === 0 ? changed : withValue(copy[name] ?? null, rest, changed);
  if (member === undefined) delete copy[name];
  else copy[name] = member;
  return copy;
}

/** Other values that somebody might write there. */
function others(value: Json): (Json | undefined)[] {
  if (typeof value === 'number') return [value + 1_000_000, value * 1000, 0];
  if (typeof value === 'boolean') return [!value];
  if (typeof value === 'string') {
    const last = value.at(-1) === 'A' ? 'B' : 'A';
    return [`${value.slice(0, -1)}${last}`];
  }
  return [undefined];
}

type Altered = { readonly what: string; readonly row: Row; readonly record: Json };

/** Each field of each row, changed alone; and in the place of each, its fellow's of another row. */
function alterations(rows: readonly Row[]): Altered[] {
  return rows.flatMap((row) => {
    const record = row.record as unknown as Json;
    const fellows = rows.filter((one) => one.kind === row.kind && one.key !== row.key);
    const whole = fellows.slice(-1).map((fellow): Altered => {
      return { what: `all of ${rowName(fellow)}`, row, record: fellow.record as unknown as Json };
    });
    const fields = pathsIn(record).flatMap((path) => {
      const was = valueAt(record, path) ?? null;
      const fellow = fellows
        .map((one) => valueAt(one.record as unknown as Json, path))
        .find((value) => value !== undefined && JSON.stringify(value) !== JSON.stringify(was));
      const values = [...others(was), ...(fellow === undefined ? [] : [fellow])];
      return values.map((value) => ({
        what: `${path.join('.')}: ${JSON.stringify(value)?.slice(0, 60)}`,
        row,
        record: withValue(record, path, value),
      }));
    });
    return [...fields, ...whole];
  });
}

/** Nobody gains by what is denied: only what is granted has to have been there before. */
const isDenial = (said: string): boolean => /^(FAILURE|PENDING|HTTP [45])/.test(said);

/** All that the service can tell of a changed row: what it reads there, and the lists that name the row. */
async function seen(ca: Populated, table: Table, { kind, key, record }: Row): Promise<string> {
  const { deps } = await over(ca.lab, table);
  const [row] = await deps.store.read([{ kind, key }]);
  // A store counts the uses of a challenge in the record itself.
  const counted = kind === 'challenge' ? record : undefined;
  return JSON.stringify([row?.rev, row?.record, counted, listed(kind, key, record)]);
}
function listed(...[kind, key, record]: Parameters<typeof placesOf>): unknown {
  try {
    return placesOf(kind, key, record);
  } catch (error) {
    return String(error);
  }
}

/** What an operator does about an outage. */
async function repaired(ca: Populated, copy: Copy): Promise<Table> {
  const { deps } = copy;
  const actor = { kind: 'admin', id: 'operator' } as const;
  const authority = ca.lab.config.cas.get('default') ?? assert.fail();
  const chain = ca.lab.announced.chain[0] ?? assert.fail();
  const record = await deps.store.read([{ kind: 'authority', key: 'default' }]);
  if (record[0]?.record === undefined) {
    const key = undefined;
    const first = await restoreCa(deps, authority, [chain], { key, actor }).catch(() => undefined);
    if (first?.kind !== 'done') {
      const named = { key: 'ca default rsa2048', actor };
      assert.equal((await restoreCa(deps, authority, [chain], named)).kind, 'done');
    }
  }
  const issuer = await deps.cas.issuer('default');
  await rebuildRegisters(deps, issuer, actor);
  for (const serial of ca.compromised) {
    await revoke(deps, { ca: 'default', serial, reason: 'keyCompromise', actor });
  }
  await publishCrl(deps, issuer, { actor });
  return copy.table();
}

describe('one field of one record is changed by another hand', () => {
  let ca: Populated;
  let probes: readonly Probe[] = [];
  let now: Table = { rows: [], crl: undefined };
  /** By probe: the rows it reads, and what it may say. */
  const reads = new Map<Probe, ReadonlySet<string>>();
  const good = new Map<Probe, Set<string>>();

  before(async () => {
    ({ ca, probes } = await populated());
    now = ca.history.at(-1) ?? assert.fail();
    for (const probe of probes) {
      const said = new Set<string>();
      for (const [i, table] of ca.history.entries()) {
        const copy = await over(ca.lab, table);
        said.add(await probe.run(copy));
        if (i === ca.history.length - 1) reads.set(probe, copy.asked);
      }
      good.set(probe, said);
    }
  });

  /** Every kind there is: changed here, or in the test file that is named. */
  const kinds: Readonly<
    Record<
      Kind,
      | 'here'
      | 'ca-repair'
      | 'cli-ca-keys'
      | 'keep-index'
      | 'sequence'
      | 'configuration'
      | 'ca-device-list'
      | 'ca-turns'
    >
  > = {
    ...{ transaction: 'here', request: 'here', poll: 'here', challenge: 'here', keyOwner: 'here' },
    ...{ blockedKey: 'here', subject: 'here', certificate: 'here', register: 'here' },
    ...{ event: 'here', authority: 'here', authorities: 'here', token: 'here' },
    ...{ idempotency: 'here' },
    ...{ lease: 'here', crlRequest: 'here', refusalBudget: 'here' },
    turns: 'ca-turns',
    registerPage: 'ca-repair',
    macKeys: 'cli-ca-keys',
    indexed: 'keep-index',
    unlogged: 'sequence',
    logHead: 'sequence',
    configuration: 'configuration',
    device: 'ca-device-list',
    deviceVersion: 'ca-device-list',
  };
  for (const [kind, where] of Object.entries(kinds)) {
    if (where !== 'here') continue;
    test(`${kind}: nothing comes of it that was not there before`, async () => {
      const rows = now.rows.filter((row) => row.kind === kind);
      assert.ok(rows.length > 0, `the CA has a ${kind}`);
      const altered = alterations(rows);
      assert.ok(altered.length > 0);
      const gone = new Map<string, string>();
      /** By row, probe and what is seen of the change: other octets that look the same are the same. */
      const heard = new Map<string, string>();
      for (const { what, row, record } of altered) {
        const others = now.rows.filter((one) => one !== row);
        const bent = { ...row, record } as unknown as Row;
        const table = { ...now, rows: [...others, bent] };
        const sight = await seen(ca, table, bent);
        let whole: Table | undefined;
        for (const probe of probes.filter((one) => reads.get(one)?.has(rowName(row)))) {
          const where = `${rowName(row)}, ${what}: ${probe.name}`;
          const name = `${rowName(row)} ${probe.name}`;
          const heardAs = `${name} ${sight}`;
          const said = heard.get(heardAs) ?? (await probe.run(await over(ca.lab, table)));
          heard.set(heardAs, said);
          if (!gone.has(name)) {
            gone.set(name, await probe.run(await over(ca.lab, { ...now, rows: others })));
          }
          const usual = [...(good.get(probe) ?? [])].at(-1) ?? '';
          const right = isDenial(said) || good.get(probe)?.has(said) || gone.get(name) === said;
          assert.ok(
            right,
            `${where} said ${said}, not ${[...(good.get(probe) ?? [])].join(' or ')}`,
          );
          if (!/^HTTP 5/.test(said) || /^HTTP 5/.test(usual)) continue;
          // What was written there helps an operator: each change is repaired.
          whole ??= await repaired(ca, await over(ca.lab, table));
          const after = await probe.run(await over(ca.lab, whole));
          assert.doesNotMatch(after, /^HTTP 5/, `${where} is still an outage`);
          assert.ok(
            isDenial(after) || good.get(probe)?.has(after) || gone.get(name) === after,
            `${where} said ${after}`,
          );
        }
      }
    });
  }
});
