// When a token was last used, so that an operator finds those that nobody uses. It is written at most once an
// hour for each token, and read at most once an hour by each instance: an ordinary request costs nothing more.
//
// It stands in a remembered answer, which every process that serves the admin API may write: a record of a kind
// of its own would be a permission more for the role of each, and none of them may write a token.

import { hex } from '../../base/bytes.ts';
import { errorText } from '../../base/errors.ts';
import { canonical } from '../../base/json.ts';
import { TOKEN_USE_KEPT_MS, TOKEN_USE_MS } from '../../base/limits.ts';
import { hash } from '../../crypto/native.ts';
import type { Deps } from '../deps.ts';
import { Draft, View } from './unit-of-work.ts';

const kind = 'idempotency';
const request = 'the last use of a token';

/** No Idempotency-Key leads to it. @param token its hash */
export const useKey = (token: string) =>
  ({ kind, key: hex(hash('SHA-256', canonical([request, token]))) }) as const;

/** Milliseconds since 1970. @param view has read the record */
export function useOf(view: View, token: string): number | undefined {
  const record = view.unaltered(kind, useKey(token).key);
  const at: unknown = record?.request === request ? JSON.parse(record.answer) : undefined;
  return typeof at === 'number' ? at : undefined;
}

/** The uses that an instance has seen. */
export class TokenUses {
  readonly #deps: Pick<Deps, 'store' | 'clock' | 'log'>;
  readonly #seen = new Map<string, number>();

  constructor(deps: Pick<Deps, 'store' | 'clock' | 'log'>) {
    this.#deps = deps;
  }

  /** Never throws: what was asked for does not wait for this to succeed. @param token its hash */
  async used(token: string): Promise<void> {
    const { clock, log } = this.#deps;
    const now = clock.now();
    if (isRecent(this.#seen.get(token), now)) return;
    // Also where it cannot be written: then it is tried again in an hour.
    this.#seen.set(token, now);
    try {
      await this.#write(token, now);
    } catch (error) {
      const detail = errorText(error);
      log({ event: 'token.useLost', severity: 'warning', detail });
    }
  }

  async #write(token: string, now: number): Promise<void> {
    const { store } = this.#deps;
    const key = useKey(token);
    const view = new View(store);
    await view.load([key]);
    if (isRecent(useOf(view, token), now)) return;
    const draft = new Draft(view);
    const answer = JSON.stringify(now);
    draft.put(kind, key.key, { request, answer, expiresAt: now + TOKEN_USE_KEPT_MS });
    // A conflict: another instance has just written it.
    await store.write(draft.actions);
  }
}

/** A time in the future came from a wrong clock. */
export const isWithin = (ms: number, at: number | undefined, now: number): boolean =>
  at !== undefined && at <= now && now - at < ms;
const isRecent = (at: number | undefined, now: number): boolean => isWithin(TOKEN_USE_MS, at, now);
