// Limits of challenges that a caller signs with a key of its own.

/** Octets of the compact JWS: it travels in a CSR, and old clients have small fields. */
export const MAX_SIGNED_CHALLENGE_OCTETS = 1024;

/** Milliseconds from `iat` to `exp` at most: what is signed offline cannot be revoked one by one before it is used. */
export const MAX_SIGNED_LIFE_MS = 7 * 24 * 60 * 60 * 1000;

/** Milliseconds that `iat` may lie ahead of our clock. */
export const SIGNED_AHEAD_MS = 5 * 60 * 1000;
