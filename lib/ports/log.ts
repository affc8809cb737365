// The structured operational log: one object, one line. It is for operators and may be sampled or
// lost; what must never be lost is an event, which the store keeps.
//
// An entry never holds a challenge, a key or the octets of a request. Values may be attacker's text:
// the adapter writes JSON, so that no value can end a line or begin another.

export type LogEntry = {
  /** Dotted and stable, such as `scep.pkiOperation`. */
  readonly event: string;
  readonly severity: 'info' | 'warning' | 'error';
  readonly [key: string]: string | number | undefined;
};

/** Never throws and never blocks. */
export type Log = (entry: LogEntry) => void;
