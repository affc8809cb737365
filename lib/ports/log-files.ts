// The files of logs (C2SP tlog-tiles), apart from the records: `LOG/checkpoint`, `LOG/tile/...`, and under
// `LOG/staged/` what has been signed and not published yet.

import type { Bytes } from '../base/bytes.ts';
import type { PublicKey } from '../x509/public-key.ts';

export interface LogFiles {
  /** @returns undefined where there is none */
  read(path: string): Promise<Bytes | undefined>;

  /** Writes the file whole, durably. A path has one content for ever: writing it once more does no harm. */
  write(path: string, octets: Bytes): Promise<void>;

  /**
   * Replaces the file, durably, if it has still this content; undefined: if there is none. It is the only way in
   * which a checkpoint changes, so that none takes the place of a later one.
   * @returns whether it was replaced
   */
  swap(path: string, octets: Bytes, expected: Bytes | undefined): Promise<boolean>;

  /** The file, or with a slash at its end the folder with all that is in it: what was staged, and partial tiles that
   * are full now. */
  remove(path: string): Promise<void>;
}

/** Where events wait for their logs. */
export interface WaitingEvents {
  /** Deletes these records of the kind `unlogged`, each by itself. They are written once: of one that is gone there is
   * nothing to do. */
  forget(keys: readonly string[]): Promise<void>;
}

/** What every process has of the logs. */
export type Logs = {
  readonly files: Pick<LogFiles, 'read'>;
  /** ECDSA on P-256. @throws {Outage} */
  readonly key: () => Promise<PublicKey>;
  readonly waiting: WaitingEvents;
};

/** What a process has that puts events into logs. */
export type Sequencing = Logs & {
  readonly files: LogFiles;
  /** ECDSA on P-256 with SHA-256, Ecdsa-Sig-Value, DER. */
  readonly sign: (text: Bytes) => Promise<Bytes>;
};
