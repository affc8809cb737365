// What the decisions of this room need from outside, as one plain object, which `functions/` builds. Its type
// says what a process may do: administer, publish CRLs too, enrol, or all of it.

import type { Bytes, Random } from '../base/bytes.ts';
import type { MacPurpose } from '../base/words.ts';
import type { Config } from '../config/config.ts';
import type { KeySpec } from '../crypto/algorithms.ts';
import type { Actor } from '../events/event.ts';
import type { Clock } from '../ports/clock.ts';
import type { Crls, IssuerFiles } from '../ports/crls.ts';
import type { Log } from '../ports/log.ts';
import type { Logs, Sequencing } from '../ports/log-files.ts';
import type { MacKeys, SealedMacKey } from '../ports/mac-keys.ts';
import type { RaKeys } from '../ports/ra-keys.ts';
import type { Expiring } from '../ports/records/expiry.ts';
import type { AdminToken } from '../ports/records/registry.ts';
import type { SearchIndex } from '../ports/search-index.ts';
import type { Signer } from '../ports/signer.ts';
import type { Snapshots } from '../ports/snapshots.ts';
import type { Store } from '../ports/store.ts';
import type { Validator } from '../ports/validator.ts';
import type { AnsweringCas, CaCertificates, IssuingCas } from './authority/ca-certificates.ts';
import type { Metrics } from './metrics.ts';
import type { TriedWrites } from './record/written.ts';
import type { ServedCrls } from './revoke/served-crls.ts';
import type { Tally } from './tally.ts';

/** Enough to administer: no key of a CA or of its RA is in reach. */
export type Deps = {
  readonly config: Config;
  readonly store: Store;
  readonly index: SearchIndex;
  readonly crls: Crls;
  readonly macKeys: MacKeys;
  /** Absent where this service serves them itself. */
  readonly issuerFiles?: IssuerFiles;
  /** Absent where the store deletes by itself what has expired. */
  readonly expiring?: Expiring;
  /** Absent where the records are not in a file of this process. */
  readonly snapshots?: Snapshots;
  readonly logs: Logs;
  /** Absent where another process puts events into the logs. */
  readonly sequencing?: Sequencing;
  /** Those outside, by the id that the configuration gives them. */
  readonly validators: ReadonlyMap<string, Validator>;
  /** SHA-256 of the static challenges, by the reference that the configuration has for them. */
  readonly staticSecrets: ReadonlyMap<string, Bytes>;
  /** Tokens of the admin API beside those in the store, by the same hash. */
  readonly tokens?: ReadonlyMap<string, AdminToken>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The public part of the CAs. */
  readonly cas: CaCertificates;
  /** The CRLs that this instance gives out. */
  readonly served: ServedCrls;
  /** Whether the store takes writes, as this instance has tried. */
  readonly written: TriedWrites;
  /** What this instance counts. */
  readonly tally: Tally;
  /** What it counts for Prometheus; absent where instances come and go. */
  readonly metrics?: Metrics;
};

/** Makes challenges for MDMs, and nothing else. */
export type ChallengeDeps = Pick<
  Deps,
  | 'config'
  | 'store'
  | 'macKeys'
  | 'staticSecrets'
  | 'clock'
  | 'random'
  | 'log'
  | 'tally'
  | 'metrics'
> & {
  readonly cas: Pick<CaCertificates, 'certificate'>;
};

/** May sign CRLs, and nothing else. */
export type PublishDeps = Deps & {
  readonly crlSigner: Pick<Signer, 'sign'>;
  readonly cas: IssuingCas;
};

/** May sign certificates. */
export type EnrolDeps = Deps & { readonly signer: Pick<Signer, 'sign'> };

/** Serves devices: signs, and opens what is sealed for the RAs of its CAs. */
export type ServerDeps = PublishDeps &
  EnrolDeps & {
    readonly signer: Omit<Signer, 'create'>;
    readonly raKeys: Pick<RaKeys, 'unseal'>;
    readonly cas: AnsweringCas;
  };

/** Makes CAs and their keys. */
export type LifecycleDeps = Pick<Deps, 'config' | 'store' | 'clock' | 'random' | 'log'> & {
  readonly signer: Signer;
  readonly raKeys: RaKeys;
  /** No other process has this store open: nobody else has to learn of a change before it counts. */
  readonly alone?: boolean;
};

/** The store and the keys of a process that does what an operator asks. */
export type Operator = LifecycleDeps &
  Pick<PublishDeps, 'crls' | 'served' | 'crlSigner' | 'macKeys'> & {
    /** Takes a key that exists for a CA's; absent where keys are files. @returns its reference */
    readonly adoptKey?: (key: string, spec: KeySpec) => Promise<string>;
    /** Before a CA is made, where keys are files: whether the records are of these keys. @throws {Error} if not */
    readonly begin?: () => Promise<void>;
    /** Absent where MAC keys make themselves. */
    readonly makeMacKey?: (purpose: MacPurpose) => Promise<SealedMacKey>;
    /** Makes the key of the logs where it is missing; absent where it is in KMS. */
    readonly makeLogKey?: () => Promise<void>;
    /** Replaces the token that is kept in a file; absent where there is none. */
    readonly replaceTokenFile?: (actor: Actor) => Promise<void>;
    /** Forgets what this process has loaded of CAs and keys: from now on a change counts here. */
    readonly reload: () => void;
  };

/** What the admin API works with: `keys` where its process also serves devices, `operator` where it may do what
 * only an operator does: make and revoke tokens, make CAs and change their keys. */
export type AdminDeps = Deps & {
  readonly operator?: Operator;
  readonly keys?: Pick<ServerDeps, 'crlSigner' | 'signer' | 'cas'>;
};
