// Imports rows into a device list: what is new or other is written, what is on record already is left. So the same rows
// again go on where an import was cut off. Each write has its event.

import { hex } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { canonical, canonicalText, type Json } from '../../base/json.ts';
import { MAX_ISSUE_ROUNDS } from '../../base/limits.ts';
import { hash } from '../../crypto/native.ts';
import type { Actor } from '../../events/event.ts';
import type { DeviceRecord } from '../../ports/records/device.ts';
import { deviceKey } from '../../ports/records/places.ts';
import type { Deps } from '../deps.ts';
import { Unusable } from '../policy/wanted.ts';
import { authorOf } from '../record/transition.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { normalRow, type RowContent, type WantedRow } from './row.ts';
import { isDeviceKey, isDropped, isInvalid, keysOf, rowAt, rowKeys } from './standing.ts';

/** removed: it was removed by a person, and stays so. */
type RowResult = 'added' | 'changed' | 'unchanged' | 'removed';

/** What is wrong with a row, counted from 0. */
type RowFault = {
  readonly row: number;
  /** Absent where it is of several. */
  readonly field?: string;
  readonly said: string;
};

export class UnusableRows extends Error {
  readonly faults: readonly RowFault[];
  constructor(faults: readonly RowFault[]) {
    super('rows that no list can hold');
    this.faults = faults;
  }
}

type Import = {
  readonly list: string;
  readonly rows: readonly WantedRow[];
  /** Devices that were removed, or whose rows another hand has changed, are taken in again. */
  readonly restore: boolean;
  readonly dryRun: boolean;
  readonly actor: Actor;
};

/** Records in one write: DynamoDB takes a hundred actions, and the event and what puts it into the log are two. */
const MAX_WRITTEN = 96;

/** @throws {UnusableRows} before anything is written @throws {Outage} */
export async function importRows(deps: Deps, asked: Import): Promise<RowResult[]> {
  const rows = checkedRows(asked);
  let results: readonly RowResult[] | undefined;
  for (let round = 0; round < MAX_ISSUE_ROUNDS; round++) {
    const view = new View(deps.store);
    const keys = rows.flatMap(({ identifiers }) => keysOf(asked.list, identifiers));
    await view.load(keys.flatMap(rowKeys));
    const diffs = diff(view, rows, asked);
    // Of several rounds the first says what was changed.
    results ??= diffs.map(({ result }) => result);
    const due = diffs.filter(({ result }) => result === 'added' || result === 'changed');
    if (asked.dryRun || due.length === 0) return [...results];
    await loadOldKeys(view, due);
    if (await writeAll(deps, view, due, asked)) return [...results];
  }
  throw new Outage('the device list kept changing while rows were imported into it');
}

function checkedRows({ list, rows }: Import): RowContent[] {
  const faults: RowFault[] = [];
  const seen = new Map<string, number>();
  const checked = rows.map((wanted, row) => {
    try {
      const content = normalRow(wanted);
      for (const key of keysOf(list, content.identifiers)) {
        if (seen.has(key)) {
          faults.push({ row, said: `has an identifier of row ${seen.get(key)}, too` });
        }
        if (!isDeviceKey(key)) faults.push({ row, said: 'has an identifier that is too long' });
        seen.set(key, row);
      }
      return content;
    } catch (error) {
      if (!(error instanceof Unusable)) throw error;
      faults.push({ row, field: error.field, said: error.message });
      return undefined;
    }
  });
  if (faults.length > 0) throw new UnusableRows(faults);
  return checked.filter((row) => row !== undefined);
}

type Diff = {
  readonly result: RowResult;
  readonly content: RowContent;
  /** As the device is in the list. */
  readonly before: DeviceRecord | undefined;
};

const contentOf = ({ id, identifiers, allows, owner }: RowContent): string =>
  canonicalText({ id, identifiers, allows, ...(owner === undefined ? {} : { owner }) } as Json);

/** @throws {UnusableRows} */
function diff(view: View, rows: readonly RowContent[], { list, restore }: Import): Diff[] {
  const faults: RowFault[] = [];
  const diffs = rows.map((content, row): Diff => {
    const keys = keysOf(list, content.identifiers);
    for (const key of keys) {
      const held = rowAt(view, key);
      if (held && !held.removed && deviceKey(list, held.id) !== keys[0]) {
        const said = `one of its identifiers is that of the device ${held.id}, which is in the list`;
        faults.push({ row, said });
      }
      if (!restore && isInvalid(view, key)) {
        const said = 'its record was changed by another hand: --restore imports it all the same';
        faults.push({ row, said });
      }
    }
    const isRemoved = keys.some((key) => {
      const one = rowAt(view, key);
      return one?.removed && !isDropped(one);
    });
    const found = rowAt(view, keys[0] ?? '');
    const before = found?.removed ? undefined : found;
    if (isRemoved && !restore) return { result: 'removed', content, before };
    const whole = keys.every((key) => {
      const one = rowAt(view, key);
      return one && !one.removed && contentOf(one) === contentOf(content);
    });
    if (before && whole) return { result: 'unchanged', content, before };
    return { result: before ? 'changed' : 'added', content, before };
  });
  if (faults.length > 0) throw new UnusableRows(faults);
  return diffs;
}

/** Those under which a changed device stood and no longer does. */
const loadOldKeys = (view: View, diffs: readonly Diff[]): Promise<void> =>
  view.load(
    diffs
      .flatMap(({ before }) => (before ? keysOf(before.list, before.identifiers) : []))
      .flatMap(rowKeys),
  );

/** @returns false where a record has changed since it was read */
async function writeAll(
  { store, clock, random }: Deps,
  view: View,
  diffs: readonly Diff[],
  { list, actor }: Import,
): Promise<boolean> {
  const now = clock.now();
  const by = authorOf(actor);
  for (const part of inParts(diffs, list)) {
    const draft = new Draft(view);
    for (const { content, before } of part) {
      const keys = keysOf(list, content.identifiers);
      const row = { list, ...content, at: now, by };
      for (const key of keys) putRow(draft, key, row);
      for (const key of before ? keysOf(list, before.identifiers) : []) {
        if (before && !keys.includes(key))
          putRemoved(draft, key, before, { ...by, at: now, identifier: true });
      }
    }
    const counted = (wanted: RowResult) => part.filter(({ result }) => result === wanted).length;
    const rows = part.map(({ content }) => content) as unknown as Json;
    draft.event(now, random, {
      ...{ type: 'devices.imported', actor, list, number: part.length },
      rowsHash: hex(hash('SHA-256', canonical(rows))),
      note: `${counted('added')} added, ${counted('changed')} changed`,
    });
    if ((await store.write(draft.actions)) !== 'done') return false;
  }
  return true;
}

/** As many rows as one write takes. */
function inParts(diffs: readonly Diff[], list: string): Diff[][] {
  const parts: Diff[][] = [];
  let room = 0;
  for (const one of diffs) {
    const { identifiers } = one.content;
    const old = one.before ? keysOf(list, one.before.identifiers) : [];
    const records = 2 * new Set([...keysOf(list, identifiers), ...old]).size;
    if (parts.length === 0 || records > room) {
      parts.push([]);
      room = MAX_WRITTEN;
    }
    parts.at(-1)?.push(one);
    room -= records;
  }
  return parts;
}

function putRow(draft: Draft, key: string, row: Omit<DeviceRecord, 'version'>): void {
  const { view } = draft;
  const newest = view.unaltered('deviceVersion', key)?.version ?? 0;
  const version = Math.max(newest, view.unaltered('device', key)?.version ?? 0) + 1;
  draft.put('device', key, { ...row, version });
  draft.put('deviceVersion', key, { version });
}

/** Under this key the device is in the list no longer. */
export function putRemoved(
  draft: Draft,
  key: string,
  { version: _version, ...row }: DeviceRecord,
  removed: DeviceRecord['removed'],
): void {
  putRow(draft, key, { ...row, ...(removed ? { removed } : {}) });
}
