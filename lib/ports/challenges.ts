// One-time challenges: 128 bits, an expiry, and what they may be used for.

/** What a certificate issued on a challenge may say. Absent means: as the profile allows. */
export type Binding = {
  /** RFC 4514 text; the CSR must have the same attributes with the same values. */
  readonly subject?: string;
  /** `TYPE:VALUE`; all of them go into the certificate, and the CSR may ask for no other. */
  readonly names: readonly string[];
};

export type Challenge = {
  /** `endpoint/keyId/MAC`: the challenge itself is stored nowhere. */
  readonly key: string;
  /** A ULID, for people: logs, lists, revocation. */
  readonly id: string;
  readonly endpoint: string;
  readonly binding: Binding;
  /** Over key, id, endpoint, binding, uses and expiry: a changed record authorizes nothing. */
  readonly bindingMac: string;
  /** How often it may be used in all, and how often it still may. */
  readonly uses: number;
  readonly usesLeft: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Refused attempts so far. */
  readonly failures: number;
  /** The Transaction that took the last use, and its request hash. */
  readonly holder: { readonly transaction: string; readonly requestHash: string } | undefined;
};

export interface Challenges {
  /** Stores a new challenge, durably when it returns. Throws if the key or the id exists. */
  create(challenge: Challenge): Promise<void>;

  /** Adds one to `failures`. A key that does not exist (any more) is no error. */
  countFailure(key: string): Promise<void>;
}
