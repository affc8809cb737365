// What `scepter backup` and `scepter restore` ask of whoever can reach a data folder.

import type { Bytes } from '../base/bytes.ts';

export type MakeOptions = {
  readonly passphrase: string | undefined;
  /** Has the running server copy its database. @returns the name of the copy */
  readonly askServer: () => Promise<string>;
  readonly sleep: (ms: number) => Promise<void>;
};

export type MadeBackup = {
  readonly path: string;
  readonly size: number;
  readonly madeAt: string;
  readonly records: number;
  /** Of those, the ones that another hand has changed. */
  readonly altered: readonly string[];
  readonly sealed: boolean;
};

export type RestoreOptions = {
  readonly passphrase: string | undefined;
  /** Newest published CRLs, each with what people call it. */
  readonly crls: readonly { readonly name: string; readonly der: Bytes }[];
  readonly withoutCrl: boolean;
};

export type RestoredBackup = {
  readonly dataDir: string;
  readonly madeAt: string;
  readonly records: number;
  readonly cas: readonly {
    readonly ca: string;
    readonly before: number | undefined;
    readonly number: number;
    readonly revoked: readonly string[];
    readonly held: readonly string[];
    /** A published CRL was given. */
    readonly known: boolean;
  }[];
  /** Open ones that were revoked. */
  readonly challenges: number;
};

export type Backups = {
  /** @param target a file that is not there yet, or a folder */
  make(target: string, options: MakeOptions): Promise<MadeBackup>;
  restore(file: string, options: RestoreOptions): Promise<RestoredBackup>;
};
