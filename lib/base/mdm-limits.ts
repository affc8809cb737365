// Limits of what MDMs ask, the pages and hooks from which they get challenges, and of what they are asked.

/** Bits of a challenge that a page makes, at least: NDES has 64, and one is good for an hour and ten guesses. */
export const MIN_PAGE_CHALLENGE_BITS = 64;

/** Milliseconds that a challenge of the NDES page lives: the page says so. */
export const NDES_CHALLENGE_MS: number = 60 * 60 * 1000;

/** Milliseconds that a challenge of the hook lives at most: Jamf and Fleet hand it on at once. */
export const MAX_HOOK_CHALLENGE_MS: number = 60 * 60 * 1000;

/** Octets of an event of Jamf's: it has some hundred, and what it says of a device some thousand. */
export const MAX_HOOK_OCTETS: number = 64 * 1024;

/** Challenges that an instance takes from the hour of an account at once, at most; and what part of the hour. */
export const CHALLENGE_PLACES = 10;
export const CHALLENGE_PLACES_PART = 100;

/** How often a request asks for places while others take them: each time ten of those that wait get one. */
export const MAX_PLACE_ROUNDS = 20;

/** Milliseconds until an instance asks again for an account that has had all of its hour. */
export const CHALLENGE_PLACES_EMPTY_MS = 1000;

/** Milliseconds between two lines of the log about the same of one page: wrong credentials, an hour that is used up, probes. */
export const PAGE_LINE_MS: number = 60 * 1000;

/** Milliseconds that all calls about one request may take: a device waits no longer for its answer. */
export const OUTSIDE_MS = 8000;

/** So many failures in a row within so many milliseconds, and a validator is not asked for so many. Sooner where it
 * was waited for: an instance that serves one request at a time would never see so many of a silent one. */
export const OUTSIDE_FAILURES = 5;
export const OUTSIDE_FAILURES_MS = 30_000;
export const OUTSIDE_WAITED_MS = 12_000;
export const OUTSIDE_REST_MS = 15_000;

/** Orders to revoke that are taken from a validator outside at once, and how often in one run. */
export const REVOCATION_BATCH = 100;
export const REVOCATION_BATCHES = 10;
