// What the decisions of this room need from outside, as one plain object. `functions/` builds it.

import type { Config } from '../config.ts';
import type { Authorities } from '../ports/authorities.ts';
import type { Certificates } from '../ports/certificates.ts';
import type { Challenges } from '../ports/challenges.ts';
import type { Clock, Random } from '../ports/clock-and-random.ts';
import type { Log } from '../ports/log.ts';
import type { MacKeys } from '../ports/mac-keys.ts';
import type { RaKeys } from '../ports/ra-keys.ts';
import type { Signer } from '../ports/signer.ts';
import type { Transactions } from '../ports/transactions.ts';
import type { CaCertificates } from './ca-certificates.ts';

export type Deps = {
  readonly config: Config;
  readonly transactions: Transactions;
  readonly challenges: Challenges;
  readonly certificates: Certificates;
  readonly authorities: Authorities;
  readonly signer: Signer;
  readonly raKeys: RaKeys;
  readonly macKeys: MacKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The CAs as loaded by this instance. */
  readonly cas: CaCertificates;
};
