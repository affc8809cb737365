// Whether the store takes writes. One that is full, throttled, or closed to this process may still answer every
// read, so a read proves nothing about it.

export interface Writing {
  /**
   * Writes a small record in place of the one that the last call wrote, in the way in which an enrolment is
   * recorded: it needs the same permission and, where the store is a file, as much space.
   * @throws {Outage} as `Store.write` does
   */
  tryWrite(): Promise<void>;
}
