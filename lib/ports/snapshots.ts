// A consistent copy of everything that the store holds, taken while it is in use, for `scepter backup`.

export interface Snapshots {
  /**
   * Copies all records and CRLs, as they are at one moment, into a file beside the database, which only the
   * owner of the data folder reads. It takes the place of the copy before.
   * @returns the name of the file
   */
  snapshot(): Promise<string>;
}
