// Who has read what, and whose access was refused, as events. Reading is told of once an hour for each token and
// address, with the first thing that was asked for: it stands in a remembered answer until then, as the last use of a
// token does. Whoever is refused writes no more than a few events an hour, however often he tries.

import { hex } from '../../base/bytes.ts';
import { errorText } from '../../base/errors.ts';
import { canonical } from '../../base/json.ts';
import { ACCESS_EVENTS, ACCESS_TOLD_MS } from '../../base/log-limits.ts';
import { hash } from '../../crypto/native.ts';
import type { Actor, NamedActor } from '../../events/event.ts';
import type { Deps } from '../deps.ts';
import { isWithin } from '../record/token-use.ts';
import { Draft, View } from '../record/unit-of-work.ts';

const kind = 'idempotency';
const request = 'the last reading by a token';

type AccessDeps = Pick<Deps, 'store' | 'clock' | 'random' | 'log'>;

/** What an instance has told. */
export class Access {
  readonly #deps: AccessDeps;
  readonly #read = new Hourly();
  readonly #refused = new Hourly();

  constructor(deps: AccessDeps) {
    this.#deps = deps;
  }

  /**
   * Never throws: while the disk is full people must find out why.
   * @param token its hash @param source whoever shares an address counts as one @param what method, path and query
   */
  async read(
    actor: NamedActor,
    { token, source, what }: { token: string; source: string; what: string },
  ): Promise<void> {
    const now = this.#deps.clock.now();
    const key = hex(hash('SHA-256', canonical([request, token, source])));
    if (!this.#read.isFirst(token, key, now)) return;
    await this.#tried(async () => {
      const view = new View(this.#deps.store);
      await view.load([{ kind, key }]);
      const before = view.unaltered(kind, key);
      if (before?.request === request && isRecent(Number(before.answer), now)) return;
      const draft = new Draft(view);
      draft.put(kind, key, { request, answer: String(now), expiresAt: now + ACCESS_TOLD_MS });
      draft.event(now, this.#deps.random, { type: 'admin.read', actor, note: what });
      // A conflict: another instance has just told it.
      await this.#deps.store.write(draft.actions);
    });
  }

  /**
   * Never throws: it is refused anyway. Strangers have a budget together, and each token has its own.
   * @param actor with the name of the token, if it was one
   */
  async refused(
    actor: Actor,
    { source, what }: { readonly source: string; readonly what: string },
  ): Promise<void> {
    const now = this.#deps.clock.now();
    const { id = '' } = actor;
    if (!this.#refused.isFirst(id, id === '' ? source : `${source} ${what}`, now)) return;
    const draft = new Draft(new View(this.#deps.store));
    draft.event(now, this.#deps.random, { type: 'admin.refused', actor, note: what });
    await this.#tried(() => this.#deps.store.write(draft.actions));
  }

  async #tried(tell: () => Promise<unknown>): Promise<void> {
    try {
      await tell();
    } catch (error) {
      this.#deps.log({ event: 'access.untold', severity: 'error', detail: errorText(error) });
    }
  }
}

const isRecent = (at: number | undefined, now: number): boolean =>
  isWithin(ACCESS_TOLD_MS, at, now);

/** What was told in the last hour: of each group no more than `ACCESS_EVENTS`. */
class Hourly {
  readonly #groups = new Map<string, Map<string, number>>();

  isFirst(group: string, key: string, now: number): boolean {
    // Most requests are not the first: they look no further.
    if (isRecent(this.#groups.get(group)?.get(key), now)) return false;
    for (const [name, told] of this.#groups) {
      for (const [one, at] of told) if (!isRecent(at, now)) told.delete(one);
      if (told.size === 0) this.#groups.delete(name);
    }
    const told = this.#groups.get(group) ?? new Map<string, number>();
    if (told.size >= ACCESS_EVENTS) return false;
    this.#groups.set(group, told.set(key, now));
    return true;
  }
}
