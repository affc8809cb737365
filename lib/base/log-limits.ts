// Limits of events and of the verifiable logs.

/** Milliseconds between two runs of the sequencer: an event is under a published checkpoint within a minute. */
export const LOG_EVERY_MS = 20_000;
/** The same between a call of a schedule that comes every minute, and a second run of that call. */
export const LOG_AGAIN_MS = 30_000;

/** Records of waiting events that a sequencer takes into one checkpoint, those that it reads at once, and checkpoints that
 * one run makes. The record of a log's head names all of one checkpoint: an item of DynamoDB has 400 kB at most. */
export const SEQUENCE_ROWS = 2000;
export const SEQUENCE_PAGE = 500;
export const SEQUENCE_STEPS = 50;

/** Milliseconds between two checkpoints of a log that has no new events. */
export const IDLE_CHECKPOINT_MS = 60 * 60 * 1000;

/** Milliseconds in which one event tells that a token reads from an address, or is refused there. */
export const ACCESS_TOLD_MS = 60 * 60 * 1000;

/** Events of access that an instance writes in that time for a token, and for all strangers together. */
export const ACCESS_EVENTS = 60;

/** Milliseconds after which an event is late that is under no published checkpoint. */
export const LOG_LATE_MS = 60_000;
