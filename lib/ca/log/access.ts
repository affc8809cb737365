// Who has read what, and whose access was refused, as events. Reading is told of once an hour for each token and
// address, with the first thing that was asked for: it stands in a remembered answer until then, as the last use of a
// token does. Whoever is refused writes no more than a few events an hour, however often he tries.

import { hex } from '../../base/bytes.ts';
import { errorText } from '../../base/errors.ts';
import { canonical } from '../../base/json.ts';
import { ACCESS_REFUSALS, ACCESS_TOLD_MS } from '../../base/log-limits.ts';
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
  readonly #read = new Map<string, number>();
  readonly #refused = new Map<string, number>();

  constructor(deps: AccessDeps) {
    this.#deps = deps;
  }

  /**
   * Never throws: while the disk is full people must find out why.
   * @param token its hash @param what method, path and query
   */
  async read(actor: NamedActor, token: string, what: string): Promise<void> {
    const now = this.#deps.clock.now();
    const key = hex(hash('SHA-256', canonical([request, token, actor.from ?? ''])));
    if (isRecent(this.#read.get(key), now)) return;
    forgetOld(this.#read, now);
    this.#read.set(key, now);
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

  /** Never throws: it is refused anyway. @param actor with the name of the token, if it was one */
  async refused(actor: Actor, what: string): Promise<void> {
    const now = this.#deps.clock.now();
    const key = `${actor.id ?? ''} ${actor.from ?? ''}`;
    forgetOld(this.#refused, now);
    if (this.#refused.has(key) || this.#refused.size >= ACCESS_REFUSALS) return;
    this.#refused.set(key, now);
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

function forgetOld(told: Map<string, number>, now: number): void {
  for (const [key, at] of told) if (!isRecent(at, now)) told.delete(key);
}
