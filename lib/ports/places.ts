// Where each kind of record stands in the lists: a function of its content, so that a write moves it.

import {
  type CertificateState,
  deviceOf,
  dueBefore,
  type Kind,
  type Place,
  type Records,
  searchText,
} from './records.ts';

const byTime = (at: number, key: string): string => `${dueBefore(at)}/${key}`;

const seen: ReadonlySet<CertificateState> = new Set(['issued', 'held', 'revoked']);

const placesByKind: {
  readonly [K in Kind]?: (record: Records[K], key: string) => readonly Place[];
} = {
  transaction: (record, key) => {
    const { endpoint, ca, state, leaseUntil, expiresAt } = record;
    const due = {
      intended: leaseUntil,
      signed: leaseUntil,
      pending: expiresAt,
      approved: expiresAt,
    };
    const at = state in due ? due[state as keyof typeof due] : undefined;
    return [
      { list: 'transactions', group: endpoint, sort: key },
      { list: 'subjects', group: ca, sort: `${searchText(record.subject)}/${key}` },
      { list: 'devices', group: ca, sort: `${searchText(deviceOf(record))}/${key}` },
      ...(at === undefined ? [] : [{ list: 'open', group: state, sort: byTime(at, key) } as const]),
    ];
  },
  certificate: ({ ca, state, notBefore, notAfter, unseen }, key) => [
    ...(seen.has(state) && !unseen
      ? [{ list: 'certificates', group: ca, sort: byTime(notBefore, key) } as const]
      : []),
    ...(state === 'issued' || state === 'held'
      ? [{ list: 'expiring', group: ca, sort: byTime(notAfter, key) } as const]
      : []),
  ],
  challenge: ({ id, endpoint }) => [{ list: 'challenges', group: endpoint, sort: id }],
  event: ({ transaction }, key) => [
    { list: 'events', group: 'all', sort: key },
    ...(transaction === undefined
      ? []
      : [{ list: 'timeline', group: transaction, sort: key } as const]),
  ],
  outbox: (_, key) => {
    const [shard = '', id = ''] = key.split('/');
    return [{ list: 'outbox', group: shard, sort: id }];
  },
};

export function placesOf<K extends Kind>(
  kind: K,
  key: string,
  record: Records[K],
): readonly Place[] {
  return placesByKind[kind]?.(record, key) ?? [];
}
