// Events for auditors: all of them, in their order, as they were written. The list of a remote store lags
// by a moment: events of the last seconds may appear a little later.

import { CLOCK_SKEW_MS, MAX_PAGE } from '../../base/limits.ts';
import { ulid } from '../../base/ulid.ts';
import type { EventType } from '../../base/words.ts';
import { eventText } from '../../events/event.ts';
import type { EventRecord } from '../../ports/records/records.ts';
import { everyCa } from '../authority/known.ts';
import type { Deps } from '../deps.ts';
import { View } from '../record/unit-of-work.ts';
import { type Altered, browse, type Range, type Turn } from './browse.ts';
import { certificatesOf } from './search.ts';

type EventQuery = {
  /** Milliseconds since 1970: from the one on, before the other. */
  readonly from?: number | undefined;
  readonly until?: number | undefined;
  readonly type?: EventType | undefined;
  readonly transaction?: string | undefined;
  /** Hexadecimal: of a certificate of any CA. */
  readonly serial?: string | undefined;
  /** Oldest first, if absent. */
  readonly order?: 'oldest' | 'newest' | undefined;
};

type EventDeps = Pick<Deps, 'store' | 'config' | 'clock'>;

/** JSON texts (`eventText`). */
type EventPage = Altered & { readonly events: readonly string[]; readonly next?: string };

export async function listEvents(
  deps: EventDeps,
  { limit, cursor, ...query }: EventQuery & Turn,
): Promise<EventPage> {
  const range = await rangeOf(deps, query);
  const turn = { limit, ...(cursor === undefined ? {} : { cursor }) };
  const { records, ...rest } = await browse(deps, range, turn);
  return { events: records.map(eventText), ...rest };
}

/** All of them up to now, page by page; at the end, if there are any, the names of those that were altered. */
export async function* everyEvent(
  deps: EventDeps,
  query: EventQuery,
): AsyncGenerator<string | Required<Altered>, void> {
  const until = query.until ?? deps.clock.now() + CLOCK_SKEW_MS;
  const range = await rangeOf(deps, { ...query, until });
  const names = new Set<string>();
  for (let cursor: string | undefined; ; ) {
    const turn = { limit: MAX_PAGE, ...(cursor === undefined ? {} : { cursor }) };
    const { records, next, altered = [] } = await browse(deps, range, turn);
    for (const name of altered) names.add(name);
    yield* records.map(eventText);
    if (next === undefined) break;
    cursor = next;
  }
  if (names.size > 0) yield { altered: [...names] };
}

async function rangeOf(
  deps: EventDeps,
  { from, until, type, transaction, serial, order }: EventQuery,
): Promise<Range<'event'>> {
  const kind = 'event';
  const reverse = order === 'newest';
  const [first, last] = reverse ? [until, from] : [from, until];
  const bounds = {
    reverse,
    ...(first === undefined ? {} : { from: firstEvent(first) }),
    ...(last === undefined ? {} : { until: firstEvent(last) }),
  };
  const about = (name: 'type' | 'serial', wanted: string | undefined) => (body: EventBody) =>
    wanted === undefined || body[name] === wanted;
  const [ofType, ofSerial] = [about('type', type), about('serial', serial)];
  const filtered = type !== undefined || serial !== undefined;
  const keep = ({ body }: EventRecord): boolean => {
    const event = JSON.parse(body) as EventBody;
    return ofType(event) && ofSerial(event);
  };
  const more = { ...bounds, ...(filtered ? { keep } : {}) };
  if (transaction === undefined && serial === undefined) {
    return { kind, list: 'events', groups: ['all'], ...more };
  }
  if (serial === undefined) {
    return { kind, list: 'timeline', groups: [transaction ?? ''], ...more };
  }
  const certificates = await certificatesOf(new View(deps.store), await everyCa(deps), [serial]);
  const groups = certificates
    .map((certificate) => certificate.transaction)
    .filter((id) => transaction === undefined || id === transaction);
  return { kind, list: 'timeline', groups, ...more };
}

type EventBody = { readonly type: string; readonly serial?: string };

const LAST_MS = 2 ** 48 - 1;

/** The sort value just before every event of this time or later. */
export const firstEvent = (at: number): string =>
  ulid(Math.min(Math.max(at, 0), LAST_MS), new Uint8Array(10)).slice(0, 10);
