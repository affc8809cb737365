// Faults at the ports: every call of the store, the CA key and the validators is numbered as it
// comes; one of them fails before or after it took effect, or the process dies there.

import type { Signer } from '../../lib/ports/signer.ts';
import type { Store } from '../../lib/ports/store.ts';
import type { Validator } from '../../lib/ports/validator.ts';

export const faultModes = ['fails before', 'fails after', 'dies before', 'dies after'] as const;
export type FaultMode = (typeof faultModes)[number];

/** The process is gone: the call never returns, and whoever waits for it is told by `died`. */
export class Faults {
  calls: string[] = [];
  #at = Number.POSITIVE_INFINITY;
  #mode: FaultMode = 'fails before';
  #tell: () => void = () => {};
  died: Promise<'died'> = new Promise(() => {});

  /** From now on calls are counted from 0, and the one numbered `at` fails. */
  arm(at: number, mode: FaultMode): void {
    this.calls = [];
    this.#at = at;
    this.#mode = mode;
    this.died = new Promise((resolve) => {
      this.#tell = () => resolve('died');
    });
  }

  disarm(): void {
    this.#at = Number.POSITIVE_INFINITY;
    this.died = new Promise(() => {});
  }

  readonly wrapStore = (store: Store): Store => ({
    read: (keys) => this.#call('read', () => store.read(keys)),
    write: (actions) => this.#call('write', () => store.write(actions)),
    list: (query) => this.#call('list', () => store.list(query)),
  });

  readonly wrapSigner = (signer: Signer): Signer => ({
    ...signer,
    sign: (...args) => this.#call('sign', () => signer.sign(...args)),
  });

  readonly wrapValidator = ({ validate, notify, refused }: Validator): Validator => ({
    validate: (request) => this.#call('validate', () => validate(request)),
    ...(refused ? { refused: (notice) => this.#call('refused', () => refused(notice)) } : {}),
    ...(notify ? { notify: (notice) => this.#call('notify', () => notify(notice)) } : {}),
  });

  async #call<T>(name: string, act: () => Promise<T>): Promise<T> {
    const here = this.calls.push(name) - 1 === this.#at ? this.#mode : undefined;
    if (here === 'fails before') throw new Error(`${name} failed before it took effect`);
    if (here === 'dies before') return this.#die();
    const result = await act();
    if (here === 'fails after') throw new Error(`${name} failed after it took effect`);
    if (here === 'dies after') return this.#die();
    return result;
  }

  #die<T>(): Promise<T> {
    this.#tell();
    return new Promise(() => {});
  }
}
