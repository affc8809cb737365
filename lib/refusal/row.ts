// What there is to say of a reason.

export type ReasonRow = {
  /** Stable: operators search for it, `explain` explains it. */
  readonly code: `SCEP-${number}`;
  /** What the device is told, beside the code. */
  readonly text: string;
  /** The request counts as a failed attempt with its challenge: ten lock one that is good for one use. */
  readonly countsAgainstChallenge?: true;
};

/** What operators are told. */
export type Explanation = {
  /** The setting or the section of a standard; `<endpoint>` and `<profile>` stand for their names. */
  readonly rule: string;
  /** What happened. */
  readonly means: string;
  /** What to change, on the device or here. */
  readonly change: string;
};
