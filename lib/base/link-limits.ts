// Limits of decision links, and of the form that their page sends.

import { IDEMPOTENCY_MS } from './limits.ts';

/** Milliseconds that a link is good unless it was made with a time of its own. */
export const LINK_MS = 24 * 60 * 60 * 1000;

/** Milliseconds at most: that a link was used is remembered as long. */
export const MAX_LINK_MS: number = IDEMPOTENCY_MS;

/** Octets of the form. */
export const MAX_DECISION_OCTETS = 8 * 1024;
