// One POST to a webhook, and what may come back. How it is sent differs by platform (`pinned-https.ts`, `plain-fetch.ts`);
// what is taken as an answer does not.

import { allWithin, type Bytes } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import type { IpRange } from '../../x509/names/general-name.ts';

/** Octets of an answer. */
const MAX_ANSWER_OCTETS = 64 * 1024;

export type Post = {
  /** https, without user and password. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Bytes;
  /** Private addresses that may be connected to. */
  readonly networks: readonly IpRange[];
  /** Ends everything, from the look-up of the name to the last octet of the answer. */
  readonly signal: AbortSignal;
};

export type HookReply = { readonly status: number; readonly body: Bytes };

/** @throws {Unanswerable} for what another try will not mend @throws any other error of the network */
export type Send = (post: Post) => Promise<HookReply>;

/** There is no answer, and there would be none if the same were asked again at once. */
export class Unanswerable extends Outage {}

type Incoming = {
  readonly status: number;
  readonly contentEncoding: string | null | undefined;
  readonly body: AsyncIterable<Uint8Array> | null;
};

/** @throws {Unanswerable} for a redirect, an answer that is compressed, or one that is too long */
export async function readHookReply({
  status,
  contentEncoding,
  body,
}: Incoming): Promise<HookReply> {
  if (status >= 300 && status < 400) {
    throw new Unanswerable(`it answered ${status}: redirects are not followed`);
  }
  if (contentEncoding && contentEncoding.toLowerCase() !== 'identity') {
    throw new Unanswerable('its answer is compressed, which was not asked for');
  }
  const octets = await allWithin(MAX_ANSWER_OCTETS, body);
  if (octets) return { status, body: octets };
  throw new Unanswerable(`its answer has more than ${MAX_ANSWER_OCTETS} octets`);
}
