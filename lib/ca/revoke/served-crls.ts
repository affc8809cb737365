// The newest CRLs as an instance serves them. Each is read consistently and then kept for some
// seconds, so that a flood of GETs costs one read; a CRL that this instance publishes itself is served at
// once.

import { CRL_MEMORY_MS } from '../../base/limits.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Crl, Crls } from '../../ports/crls.ts';

type Ports = { readonly crls: Crls; readonly clock: Clock };

export class ServedCrls {
  readonly #seen = new SingleFlight<Crl | undefined>();
  /** The number of the CRL that this instance published last, by name. */
  readonly #numbers = new Map<string, number>();

  /** @param maxMs how long ago it may have been the newest; a decision that cannot wait reads it from the port */
  newest(
    { crls, clock }: Ports,
    name: string,
    maxMs: number = CRL_MEMORY_MS,
  ): Promise<Crl | undefined> {
    const age = { now: clock.now(), maxMs };
    return this.#seen.get(name, () => crls.newest(name), age);
  }

  /** Call it with a CRL that this instance has just published. The one with the higher number stays. */
  published(name: string, crl: Crl, now: number): void {
    if ((this.#numbers.get(name) ?? 0) >= crl.number) return;
    this.#numbers.set(name, crl.number);
    this.#seen.set(name, crl, now);
  }
}
