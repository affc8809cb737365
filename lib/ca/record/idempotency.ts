// A request of the admin API that may come again under the same Idempotency-Key. Its answer is written in the
// same write as its effect, so a repeat gets the answer without a second effect. A refused request had no
// effect and is not remembered.

import { type Bytes, hex } from '../../base/bytes.ts';
import { canonical, type Json } from '../../base/json.ts';
import { CHALLENGE_OCTETS, IDEMPOTENCY_MS } from '../../base/limits.ts';
import { hash, hmacSha256 } from '../../crypto/native.ts';
import type { MacKey } from '../../ports/mac-keys.ts';
import type { IdempotencyRecord } from '../../ports/records/records.ts';
import type { Key, Store } from '../../ports/store.ts';
import { type Draft, View } from './unit-of-work.ts';

const kind = 'idempotency';

/** The request has been answered already: its effect must not be repeated. */
export class Repeated extends Error {
  override readonly name = 'Repeated';
}

/** The Idempotency-Key belongs to another request by the same token. */
export class OtherRequest extends Error {
  override readonly name = 'OtherRequest';
}

export class Once {
  readonly #by: string;
  readonly #name: string;
  readonly #key: string;
  readonly #request: string;

  /**
   * @param by hash of the token that asks: another token's key is another key, whatever its name
   * @param name the Idempotency-Key
   * @param request everything that makes it the same request
   */
  constructor(by: string, name: string, request: Json) {
    this.#by = by;
    this.#name = name;
    this.#key = hex(hash('SHA-256', canonical(['idempotency', by, name])));
    this.#request = hex(hash('SHA-256', canonical(request)));
  }

  get recordKey() {
    return { kind, key: this.#key } as const;
  }

  /** The stored answer. @throws {OtherRequest} */
  async recalled(store: Pick<Store, 'read'>, now: number): Promise<IdempotencyRecord | undefined> {
    const view = new View(store);
    await view.load([this.recordKey]);
    const record = this.#live(view, now);
    if (record && record.request !== this.#request) throw new OtherRequest();
    return record;
  }

  /** @param view has read the record @throws {Repeated} */
  requireNew(view: View, now: number): void {
    if (this.#live(view, now)) throw new Repeated();
  }

  /** @param answer never holds a secret @param macKey that a challenge was derived with */
  remember(draft: Draft, now: number, answer: Json, macKey?: MacKey): void {
    draft.put(kind, this.#key, {
      request: this.#request,
      answer: JSON.stringify(answer),
      ...(macKey ? { macKey: macKey.id } : {}),
      expiresAt: now + IDEMPOTENCY_MS,
    });
  }

  /**
   * The octets of a challenge, which are stored nowhere and can be told again.
   * @param id of the challenge: a key that is used again one day derives another
   */
  deriveChallenge(macKey: MacKey, id: string): Bytes {
    return this.derive(macKey, 'challenge', id).slice(0, CHALLENGE_OCTETS);
  }

  /** 32 octets for a secret that is stored nowhere and can be told again. @param id of what it is the secret of */
  derive(macKey: MacKey, what: 'challenge' | 'token', id: string): Bytes {
    const message = { by: this.#by, name: this.#name, id };
    return hmacSha256(macKey.key, canonical([`${what} of an Idempotency-Key`, message]));
  }

  #live(view: View, now: number): IdempotencyRecord | undefined {
    const record = view.get(kind, this.#key);
    return record && record.expiresAt > now ? record : undefined;
  }
}

/** A request that may come again, and the function that makes its answer from the result. */
export type Remembered<Outcome> = {
  readonly once: Once;
  readonly answer: (outcome: Outcome) => Json;
};

/**
 * Reads records, and with them whether the request has been answered already.
 * @throws {Repeated}
 */
export async function loadNew(
  view: View,
  keys: readonly Key[],
  remembered: { readonly once: Once } | undefined,
  now: number,
): Promise<void> {
  await view.load([...keys, ...(remembered ? [remembered.once.recordKey] : [])]);
  remembered?.once.requireNew(view, now);
}
