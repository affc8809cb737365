// What the decisions of this room need from outside, as one plain object. `functions/` builds it.

import type { Bytes } from '../bytes.ts';
import type { Config } from '../config.ts';
import type { Clock, Random } from '../ports/clock-and-random.ts';
import type { Crls } from '../ports/crls.ts';
import type { Log } from '../ports/log.ts';
import type { MacKeys } from '../ports/mac-keys.ts';
import type { RaKeys } from '../ports/ra-keys.ts';
import type { AdminToken } from '../ports/records.ts';
import type { Signer } from '../ports/signer.ts';
import type { Store } from '../ports/store.ts';
import type { Validator } from '../ports/validator.ts';
import type { CaCertificates } from './ca-certificates.ts';
import type { Tally } from './tally.ts';

export type Deps = {
  readonly config: Config;
  readonly store: Store;
  readonly crls: Crls;
  readonly signer: Signer;
  readonly raKeys: RaKeys;
  readonly macKeys: MacKeys;
  /** This process may use no key of a CA or of its RA: `signer` and `raKeys` refuse. */
  readonly keyless?: true;
  /** Those outside, by the id that the configuration gives them. */
  readonly validators: ReadonlyMap<string, Validator>;
  /** SHA-256 of the static challenges, by the reference that the configuration has for them. */
  readonly staticSecrets: ReadonlyMap<string, Bytes>;
  /** Tokens of the admin API beside those in the store, by the same hash. */
  readonly tokens?: ReadonlyMap<string, AdminToken>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The CAs as loaded by this instance. */
  readonly cas: CaCertificates;
  /** What this instance counts. */
  readonly tally: Tally;
};
