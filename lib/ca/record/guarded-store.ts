// The store between the decisions and the adapter: a record counts only if this service wrote it. Each record
// that allows or forbids something is written with a MAC over its kind, its key and its content; without the
// right MAC it is not believed (shared design 4.17). So write access to the table is enough to delete and
// restore records, but not to make new ones.
//
// An altered record counts as absent, at its `rev`, so that the next write replaces it. A CA, its register of
// revocations and a blocked key never count as absent, because more would be allowed without them than with
// them: that is an outage. SECURITY.md names the command that ends each of these.

import type { Json } from '../../base/json.ts';
import { isTexts } from '../../base/text.ts';
import type { MacPurpose } from '../../base/words.ts';
import type { Log } from '../../ports/log.ts';
import type { MacKey, MacKeys } from '../../ports/mac-keys.ts';
import type { Kind } from '../../ports/records/records.ts';
import {
  type Action,
  type AlteredRow,
  type Key,
  type Row,
  SPOILT_REV,
  type Store,
} from '../../ports/store.ts';
import { holds, tagged } from '../approve/approval-mac.ts';
import { mac, provable } from '../challenge/challenges.ts';

/** The MAC key of each kind of record, and why some kinds have none. */
const guards: Readonly<Record<Kind, MacPurpose | undefined>> = {
  transaction: 'record',
  request: 'record',
  poll: 'record',
  device: 'record',
  deviceVersion: 'record',
  keyOwner: 'record',
  blockedKey: 'record',
  subject: 'record',
  certificate: 'record',
  register: 'record',
  registerPage: 'record',
  idempotency: 'record',
  lease: 'record',
  indexed: 'record',
  crlRequest: 'record',
  refusalBudget: 'record',
  turns: 'record',
  event: 'record',
  unlogged: 'record',
  logHead: 'record',
  configuration: 'record',
  token: 'registry',
  authority: 'registry',
  authorities: 'registry',
  // It has a MAC of its own over what it allows; stores count its uses.
  challenge: undefined,
  // Sealed by the key service, which is as good as a MAC.
  macKeys: undefined,
};

/** A record without a MAC over all of it must at least have the right form; otherwise it is not believed. */
const forms: Partial<Record<Kind, (row: Said) => boolean>> = {
  challenge: ({ rev, record: { binding, open, madeBy, revokedAt = 0, ...record } }) =>
    // A store counts its uses, from the count of its writes on.
    rev !== SPOILT_REV &&
    isTexts([record.id, record.bindingMac, record.endpoint, Object(binding).subject ?? '']) &&
    isTexts(Object(binding).names) &&
    (madeBy === undefined || isAuthor(Object(madeBy))) &&
    [record.uses, record.usesLeft, record.failures].every(Number.isFinite) &&
    [record.createdAt, record.expiresAt, revokedAt].every(isTime) &&
    typeof open === 'object' &&
    open !== null &&
    isTexts(Object.values(open)),
};
type Said = Pick<Row, 'key' | 'rev'> & { readonly record: Readonly<Record<string, unknown>> };

const isAuthor = ({ by, person = '', from = '', auth = '' }: Record<string, unknown>): boolean =>
  isTexts([by, person, from, auth]);

/** What has a date: others could not even be shown. */
const isTime = (said: unknown): boolean =>
  typeof said === 'number' && Number.isFinite(new Date(said).getTime());

type Stored = { readonly mac?: unknown };
type Members = { readonly [member: string]: Json };

const tagOf = (macKey: MacKey, { kind, key }: Key, record: Json): string =>
  tagged(macKey, mac(macKey, 'stored', [kind, key, record]));

/** The MAC of a stored record; content that is not a record has none. */
function apart(stored: unknown): { readonly tag: string; readonly record: Json } | undefined {
  if (typeof stored !== 'object' || stored === null) return undefined;
  const { mac: tag, ...record } = stored as Stored;
  return typeof tag === 'string' ? { tag, record } : undefined;
}

/**
 * @param store the adapter's; the records in it carry their MACs
 * @param macKeys read once for each read or write that needs them, never for each record
 */
export function guarded(store: Store, macKeys: MacKeys, log: Log): Store {
  const keysOf = async (all: readonly Key[]): Promise<ReadonlyMap<MacPurpose, Live>> => {
    const live = new Map<MacPurpose, Live>();
    for (const { kind } of all) {
      const purpose = guards[kind];
      if (purpose && !live.has(purpose)) live.set(purpose, await macKeys.live(purpose));
    }
    return live;
  };
  const opened = (row: Row | AlteredRow, live: ReadonlyMap<MacPurpose, Live>): Row | AlteredRow => {
    const { kind, key, rev } = row;
    const purpose = guards[kind];
    const form = forms[kind];
    const found = apart(row.record);
    const tells = (): boolean =>
      purpose === undefined
        ? !form || form({ key, rev, record: Object(row.record) })
        : found !== undefined &&
          holds(live.get(purpose) ?? [], found.tag, (one) => tagOf(one, row, found.record));
    if (row.record !== undefined && provable(tells)) {
      return purpose === undefined ? row : ({ ...row, record: found?.record } as Row);
    }
    log({ event: 'record.altered', severity: 'error', kind, key });
    if (row.record === undefined) return row;
    return { kind, key, rev, record: undefined, said: row.record };
  };
  const closed = (action: Action, live: ReadonlyMap<MacPurpose, Live>): Action => {
    const [macKey] = live.get(guards[action.kind] ?? 'record') ?? [];
    if (action.do !== 'put' || guards[action.kind] === undefined || !macKey) return action;
    // Of a record that was read with its MAC the next one is made anew. Members that JSON leaves out are
    // under no MAC.
    const { mac: _old, ...record }: Stored & Members = { ...action.record };
    const withMac: object = { ...record, mac: tagOf(macKey, action, record) };
    return { ...action, record: withMac } as Action;
  };
  return {
    async read(keys) {
      const rows = await store.read(keys);
      const live = await keysOf(rows);
      return rows.map((row) => opened(row, live));
    },
    async write(actions) {
      const live = await keysOf(actions.filter((action) => action.do === 'put'));
      return store.write(actions.map((action) => closed(action, live)));
    },
    list: (query) => store.list(query),
  };
}
type Live = readonly [MacKey, ...MacKey[]];
