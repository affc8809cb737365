// Whether the log has everything that the keys of its CAs have signed, by what AWS KMS says of itself in CloudTrail: each
// Sign is named by one event, and each that an event names was made. One that no event names is explained only by a try
// that got no answer, of the same role and within a minute, one for one.

import { type Bytes, fromUtf8 } from '../../base/bytes.ts';
import { iso } from '../../base/text.ts';
import type { EventFields } from '../../events/event.ts';
import { CloudTrail, type Coverage, type SignCall } from './cloudtrail.ts';

/** An event is under a checkpoint, and a Sign near the try it is of, within this. */
const NEAR_MS = 60_000;

type Logged = EventFields & { readonly id: string; readonly time: string };
/** Tries whose answer never came: each explains one Sign. */
type Unanswered = {
  readonly at: number;
  /** A request of the same call that was answered: it tells the role. Undefined: an attempt that was cut off. */
  readonly near: string | undefined;
  left: number;
};

export type Completeness = {
  /** What is wrong, a sentence each: what the keys have signed and no event names first. */
  readonly wrong: readonly string[];
  /** Signatures of the keys that were looked at, and how many of them an unanswered try explains. */
  readonly signs: number;
  readonly explained: number;
  /** The time that something is proven for; undefined: none. */
  readonly from?: string | undefined;
  readonly until?: string | undefined;
  /** Times that nothing is proven for. */
  readonly gaps: readonly { readonly from: string; readonly until: string }[];
};

export class Signatures {
  readonly #keys = new Set<string>();
  /** Of each request id that an event names: that event, and when. */
  readonly #named = new Map<string, { readonly event: string; readonly at: number }>();
  readonly #unanswered: Unanswered[] = [];
  /** By serial number: intents whose certificate no event tells of. */
  readonly #open = new Map<string, number>();
  readonly #twice: string[] = [];
  #began = Number.POSITIVE_INFINITY;

  /** @param keys ARNs of keys beside those that events name */
  constructor(keys: readonly string[]) {
    for (const key of keys) this.#keys.add(anyRegion(key));
  }

  /** Takes an event of the log, as it was hashed. */
  add(entry: Bytes): void {
    const event = JSON.parse(fromUtf8(entry)) as Logged;
    const { id, type, key, serial, kms = [], unanswered = 0 } = event;
    const at = Date.parse(event.time);
    this.#began = Math.min(this.#began, at);
    if (key?.startsWith('arn:') && (type === 'ca.key.created' || type === 'admin.acted')) {
      this.#keys.add(anyRegion(key));
    }
    for (const request of kms) {
      const before = this.#named.get(request);
      if (before)
        this.#twice.push(`the events ${before.event} and ${id} name one request, ${request}`);
      this.#named.set(request, { event: id, at });
    }
    if (unanswered > 0) this.#unanswered.push({ at, near: kms.at(-1), left: unanswered });
    if (serial === undefined) return;
    if (type === 'certificate.intended') this.#open.set(serial, at);
    if (type === 'certificate.issued' || type === 'certificate.signed') this.#open.delete(serial);
  }

  /**
   * @param paths of CloudTrail's files
   * @param signedAt of the checkpoint, milliseconds since 1970
   */
  async compare(paths: readonly string[], signedAt: number): Promise<Completeness> {
    const trail = new CloudTrail();
    const found = new Map<string, SignCall>();
    const strangers: SignCall[] = [];
    const seen = new Set<string>();
    // What is yet to come into the log, and what came into the log before this one.
    const looked = { from: this.#began - NEAR_MS, until: signedAt - NEAR_MS };
    await trail.read(paths, (call) => {
      if (!this.#keys.has(anyRegion(call.key)) || seen.has(call.eventID)) return;
      seen.add(call.eventID);
      if (this.#named.has(call.requestID) && !found.has(call.requestID)) {
        found.set(call.requestID, call);
      } else if (!call.refused && call.at >= looked.from && call.at <= looked.until) {
        strangers.push(call);
      }
    });
    const foreign = this.#unexplained(strangers, found);
    const coverage = trail.coverage();
    const proven = overlap(coverage.whole, looked);
    return {
      wrong: [
        ...foreign.map(
          ({ at, requestID, key, role }) =>
            `${role} signed at ${iso(at)} with ${key}, and no event tells of it: request ${requestID}`,
        ),
        ...this.#twice,
        ...this.#missing(found, coverage),
        ...coverage.wrong,
      ],
      signs: [...found.values()].filter(({ refused }) => !refused).length + strangers.length,
      explained: strangers.length - foreign.length,
      ...(proven ? { from: iso(proven.from), until: iso(proven.until) } : {}),
      gaps: coverage.gaps.map(({ from, until }) => ({ from: iso(from), until: iso(until) })),
    };
  }

  /** Of the Signs that no event names: those that no unanswered try explains. */
  #unexplained(
    strangers: readonly SignCall[],
    found: ReadonlyMap<string, SignCall>,
  ): readonly SignCall[] {
    const tries = [
      ...this.#unanswered,
      ...[...this.#open.values()].map((at) => ({ at, near: undefined, left: 1 })),
    ];
    const roles = new Set([...found.values()].map(({ role }) => role));
    const explains = ({ at, near, left }: Unanswered, call: SignCall): boolean => {
      const known = near === undefined ? undefined : found.get(near);
      if (left === 0 || (near !== undefined && !known)) return false;
      const isRole = known ? known.role === call.role : roles.has(call.role);
      return isRole && Math.abs((known?.at ?? at) - call.at) <= NEAR_MS;
    };
    return [...strangers]
      .sort((a, b) => a.at - b.at)
      .filter((call) => {
        const one = tries.find((candidate) => explains(candidate, call));
        if (one) one.left--;
        return !one;
      });
  }

  /** Requests that events name and that are not in an export that has their time. */
  #missing(found: ReadonlyMap<string, SignCall>, { whole, gaps }: Coverage): string[] {
    if (!whole) return [];
    return [...this.#named].flatMap(([request, { event, at }]) => {
      const near = { from: at - NEAR_MS, until: at + NEAR_MS };
      const isThere = near.from >= whole.from && near.until <= whole.until;
      if (found.has(request) || !isThere || gaps.some((gap) => overlap(gap, near))) return [];
      return [`the event ${event} names the request ${request}, and CloudTrail has none of it`];
    });
  }
}

const overlap = <T extends { readonly from: number; readonly until: number }>(
  one: T | undefined,
  other: T,
) => {
  if (!one) return undefined;
  const [from, until] = [Math.max(one.from, other.from), Math.min(one.until, other.until)];
  return from < until ? { from, until } : undefined;
};

/** A multi-Region key is one, in whichever region it has signed. */
const anyRegion = (arn: string): string =>
  arn.replace(/^(arn:[\w-]+:kms:)[\w-]+(:\d{12}:key\/mrk-)/, '$1*$2');
