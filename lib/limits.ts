// Every number that bounds work or memory, with its unit and the reason for its size.
// Numbers that are policy of one deployment live in the configuration, not here.

/** Octets of a request body or a decoded GET message. The largest real one seen is an Intune
 * PKCSReq with an RSA-4096 key and a chain, about 14 KiB. */
export const MAX_MESSAGE_OCTETS = 64 * 1024;

/** Octets of an admin API body: a challenge with a few hundred names is far below. */
export const MAX_ADMIN_BODY_OCTETS = 64 * 1024;

/** TLV nesting. A real PKCSReq reaches 12 inside its certificate bag. */
export const MAX_DER_DEPTH = 24;

/** TLVs in one encoding. A real PKCSReq has about 300, one with a chain of four 600. */
export const MAX_DER_NODES = 2000;

/** Certificates looked at in a request; clients send one, some add their chain. */
export const MAX_MESSAGE_CERTIFICATES = 16;

/** Octets of a transactionID: 78 is the longest seen. It is echoed and recorded whole. */
export const MAX_TRANSACTION_ID_OCTETS = 1024;

/** Octets of a senderNonce: RFC 8894 says 16; some stacks send others, which are echoed. */
export const MAX_SENDER_NONCE_OCTETS = 64;

/** recipientInfos walked. micromdm sends one for each certificate of the GetCACert bag. */
export const MAX_RECIPIENT_INFOS = 16;

/** Octets of a challengePassword: Intune's is an encrypted blob of several kB. */
export const MAX_CHALLENGE_PASSWORD_OCTETS = 16 * 1024;

/** Octets of a challengePassword that may key a password-based envelope: 128 bits. */
export const MIN_PASSWORD_ENVELOPE_OCTETS = 16;

/** PBKDF2 rounds of the password-based envelope. The passwords are 128-bit random values, so
 * stretching adds nothing to them; this only slows a guesser of an operator's static secret. */
export const PASSWORD_ENVELOPE_ITERATIONS = 10_000;

/** PBKDF2 rounds that our own client goes along with. */
export const MAX_PASSWORD_ENVELOPE_ITERATIONS = 1_000_000;

/** Bits of an RSA modulus that is used to verify a signature: below 2048 is refused. */
export const MIN_RSA_BITS = 2048;

/** Bits: above, one verification of a hostile key costs milliseconds. */
export const MAX_RSA_BITS = 8192;

/** Bits of an RSA public exponent: one verification costs as many multiplications, and BoringSSL, which
 * Cloudflare Workers have, takes no longer ones. */
export const MAX_RSA_EXPONENT_BITS = 33;

/** The least public exponent of a key that is certified: FIPS 186-5 §5.1 and NIST SP 800-56B §6.2.1
 * have 2^16 < e; the CA/Browser Forum (BR 6.1.6) demands an odd e from 3 on and asks for this. What
 * only signs a message may have a smaller one. */
export const MIN_CERTIFIED_EXPONENT = 65_537;

/** Prime factors of a modulus are looked for below this (NIST SP 800-89 §5.3.3). */
export const SMALL_FACTOR_BOUND = 752;

/** Rounds of Fermat's factorization that a modulus must withstand (BR 6.1.1.3). */
export const FERMAT_ROUNDS = 100;

/** Octets of a certificate serial number we accept to read: certmonger sends 33. */
export const MAX_SERIAL_OCTETS = 64;

/** Octets of a serial number we draw: 128 bits, top bit clear (RFC 5280 §4.1.2.2 allows 20). */
export const SERIAL_OCTETS = 16;

/** Milliseconds that notBefore lies in the past, for devices whose clock is slow. */
export const BACKDATE_MS = 5 * 60 * 1000;

/** Octets of randomness in a challenge: 128 bits cannot be guessed over a network. */
export const CHALLENGE_OCTETS = 16;

/** Refused attempts with a known challenge after which it is locked. */
export const MAX_CHALLENGE_FAILURES = 10;

/** Refusals of proven requests that one instance stores for each endpoint: fifty at once, for a fleet
 * that a wrong setting sends astray, and five a second, 430,000 a day, for as long as it lasts. Beyond
 * they are only counted: whoever has a key can be refused as often as he likes, and each is two items
 * in the store, which would be his to fill. */
export const REFUSALS_BURST = 50;
export const REFUSALS_PER_SECOND = 5;

/** Characters of one value in the evidence of a refusal, and of one name that was refused, as they are
 * shown: more than any name that is meant well. */
export const MAX_EVIDENCE_CHARACTERS = 500;

/** Names a challenge binding or a CSR's subjectAltName may hold. */
export const MAX_NAMES = 100;

/** Octets of one subject or name: what a CSR may put into a certificate. */
export const MAX_NAME_OCTETS = 4096;

/** Octets of a static challenge: 128 bits where each is random. It also keys envelopes of EC clients. */
export const MIN_STATIC_SECRET_OCTETS = 16;

/** Seconds a client should wait after a 503. */
export const RETRY_AFTER_S = 30;

/** Milliseconds an attempt to issue holds its intent before another may replace it. */
export const LEASE_MS = 10_000;

/** Milliseconds by which the clocks of two servers, or of one before and after it was set, may
 * differ. What lies further in the future than it can have been written was written by a wrong one. */
export const CLOCK_SKEW_MS = 5 * 60 * 1000;

/** Milliseconds between two reads of the RA generations, and the least time between two reads
 * forced by an unknown recipient. */
export const RA_RELOAD_MS = 5 * 60 * 1000;
export const RA_FORCED_RELOAD_MS = 10_000;

/** Milliseconds that an RA generation is prepared before it is announced: then every instance has loaded
 * it, by its own clock, and those of two operators may differ. */
export const RA_PREPARED_MS = 2 * RA_RELOAD_MS;

/** Milliseconds that a previous RA generation is still answered for: some clients keep the certificate in
 * a file, or fetch it once a month. */
export const RA_PREVIOUS_MS = 30 * 24 * 60 * 60 * 1000;

/** Milliseconds that an RA certificate is valid, at most as long as its CA's. */
export const RA_LIFETIME_MS = 5 * 365 * 24 * 60 * 60 * 1000;

/** Entries of the register of revocations in one record: 20 kB, which one revocation rewrites. */
export const MAX_REGISTER_ENTRIES = 200;

/** Seconds that a cache may keep a CRL: how late a revocation is seen at most. */
export const MAX_CRL_AGE_S = 600;

/** Milliseconds that a CRL is valid at least: it is renewed after half of it, by a task that runs once a
 * minute, and caches keep it for MAX_CRL_AGE_S. */
export const MIN_CRL_VALIDITY_MS = 60 * 60 * 1000;

/** How often a publisher whose CRL came too late makes another: more than publish at once. */
export const MAX_PUBLISH_ROUNDS = 64;

/** How often a request that lost a race to another starts over before its device must. */
export const MAX_ISSUE_ROUNDS = 5;

/** Milliseconds between looks at an identical request that somebody else is working on: 3 s in all,
 * which is more than an issue takes and less than a client waits. */
export const WAIT_FOR_TWIN_MS: readonly number[] = [20, 50, 130, 300, 500, 800, 1200];

/** transactionIDs and steps that a Transaction remembers, so that its record stays small. */
export const MAX_TRANSACTION_IDS = 16;
export const MAX_TIMELINE = 64;

/** Holders of a multi-use challenge that are listed before finished ones are cleared. */
export const MAX_OPEN_USES = 100;
export const CLEAR_OPEN_USES_AT = 50;

/** Renewals of one certificate in seven days until one of them is used: the first and three more,
 * for replies that got lost. */
export const MAX_SUCCESSORS = 4;
export const SUCCESSOR_WINDOW_MS = 7 * 24 * 60 * 60 * 1000;

/** Milliseconds after the end of a lease that an attempt nobody repeated is voided by the sweeper,
 * and that a release gate which cannot be reached is asked again. */
export const SWEEP_AFTER_MS = 60 * 60 * 1000;

/** Transactions that one run of the sweeper takes from a list. */
export const SWEEP_BATCH = 100;

/** Octets of a request line with its headers: a GET of an RSA-4096 request with a chain. */
export const MAX_REQUEST_LINE_OCTETS = 32 * 1024;

/** Milliseconds that a server which is told to stop waits for requests that have begun. */
export const STOP_GRACE_MS = 5000;

/** Records of one page of a list. */
export const MAX_PAGE = 100;

/** Reads of a list for one page of those records in it that are asked for. */
export const MAX_PAGE_READS = 10;

/** Milliseconds of one call of a remote store: ordinary ones take 10, a new TLS connection 200. */
export const STORE_CALL_MS = 1000;

/** Milliseconds in which a read or a list of a remote store is repeated (throttled, unprocessed). */
export const STORE_READ_MS = 1000;

/** Queries of a list that wait for their answers at once. Cloudflare gives a request six connections: what
 * waits for one has its time running, and more than these, from far away, would have none left. */
export const MAX_QUERIES_AT_ONCE = 6;

/** Milliseconds in which a start reads its configuration, with all that the SDK tries again. */
export const CONFIG_READ_MS = 5000;

/** Milliseconds in which a write of a remote store is repeated. With its last call and a read to learn
 * what became of it, it ends after 6 s, before the lease of an attempt does. */
export const STORE_WRITE_MS = 3000;

/** Milliseconds that the answer to a request with an Idempotency-Key is kept: longer than anything
 * that repeats its requests goes on doing so. */
export const IDEMPOTENCY_MS = 7 * 24 * 60 * 60 * 1000;

/** Certificates of one chain of renewals that are shown together: ten years of monthly ones. */
export const MAX_RENEWALS = 120;

/** Milliseconds before its end that a certificate of a CA is warned of: devices have to be given the
 * next one, some by hand; and that of an RA, which clients fetch by themselves. */
export const CA_WARNING_MS = 180 * 24 * 60 * 60 * 1000;
export const RA_WARNING_MS = 30 * 24 * 60 * 60 * 1000;

/** Milliseconds that a CRL may be late before it is warned of. */
export const CRL_LATE_MS = 60 * 60 * 1000;

/** Milliseconds of one call of KMS on a device's request: ordinary ones take 10 to 100, a new TLS
 * connection 200. */
export const KMS_CALL_MS = 1000;

/** Milliseconds in which a call of KMS is made again on a device's request. With its last call it
 * ends after 4 s, long before the lease of an attempt does. */
export const KMS_REQUEST_MS = 3000;

/** Milliseconds of one call, and in which it is made again, for an operator's command: making keys
 * takes seconds, and so does it until a new one is known to all of KMS. */
export const KMS_OPERATOR_CALL_MS = 30_000;
export const KMS_OPERATOR_MS = 30_000;

/** Characters of an admin token that somebody has chosen: 128 bits in hexadecimal. */
export const MIN_ADMIN_TOKEN = 32;

/** Seconds after which one of a flood may come again: the longest window of the rate limit binding of
 * Cloudflare Workers. */
export const FLOOD_RETRY_S = 60;

/** Milliseconds between two reads of the MAC keys on record. */
export const MAC_RELOAD_MS = 5 * 60 * 1000;

/** Milliseconds between two runs of a job that is done every minute: a schedule comes a little early or
 * late. And of one that is done every day. */
export const MINUTELY_MS = 45_000;
export const DAILY_MS = 24 * 60 * 60 * 1000;

/** Milliseconds that a run of a job may take: then another instance may begin it, and a function of
 * AWS that is called every minute has ended. */
export const JOB_LIMIT_MS = 50_000;
