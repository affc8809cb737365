// Every number that bounds work or memory, with its unit and the reason for its size.
// Numbers that are policy of one deployment live in the configuration, not here.

/** Octets of a request body or a decoded GET message: Intune's with RSA-4096 and a chain has about 14 KiB. */
export const MAX_MESSAGE_OCTETS = 64 * 1024;

/** Octets of an admin API body: a challenge with a few hundred names is far below. */
export const MAX_ADMIN_BODY_OCTETS = 64 * 1024;

/** TLV nesting; TLVs in one encoding. A real PKCSReq reaches 12 inside its certificate bag, and has about 300, one
 * with a chain of four 600. */
export const MAX_DER_DEPTH = 24;
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

/** Milliseconds after which a failure inside an envelope is told, where the keys in it decide how long it
 * takes to find: a verification under the longest key takes one or two, on a slow processor ten. */
export const UNIFORM_ANSWER_MS = 50;

/** Most refused messages of one source at one endpoint that a configuration may allow, and in how many milliseconds
 * they are counted: an attacker who decrypts a message by sending changed ones needs tens of thousands. */
export const MAX_REFUSED_MESSAGES = 10_000;
export const REFUSED_MESSAGES_MS = 10 * 60 * 1000;

/** Seconds that a source of more is answered with 429. */
export const HELD_SOURCE_S = 60;

/** Sources whose refusals an instance remembers: about 2 MB. The oldest is forgotten first. */
export const MAX_REFUSED_SOURCES = 10_000;

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

/** Refused attempts after which a one-time challenge is locked, and one of several uses is warned of. */
export const MAX_CHALLENGE_FAILURES = 10;

/** Refusals of proven requests that all instances together store for each endpoint: fifty at once, for a
 * fleet that a wrong setting sends astray, and five a second, 430,000 a day, for as long as it lasts.
 * Beyond they are only counted: whoever has a key can be refused as often as he likes, and each is
 * three items in the store, which would be his to fill. */
export const REFUSALS_BURST = 50;
export const REFUSALS_PER_SECOND = 5;

/** Places for refusals that an instance takes from that budget at once; milliseconds until it asks again, and until
 * then where it got none: under a flood, 50 instances ask some 5 times a second, and write no more often. */
export const REFUSAL_PLACES = 10;
export const REFUSAL_PLACES_MS = 2000;
export const REFUSAL_PLACES_EMPTY_MS = 10_000;

/** Milliseconds that a refused request is kept: time for a fleet's people to see what is wrong. */
export const REFUSAL_KEPT_MS = 30 * 24 * 60 * 60 * 1000;

/** Octets of a CSR that is kept with its refusal; of a larger one only its hash. One of RSA-4096 with some
 * names has 1,300. */
export const MAX_REFUSED_CSR_OCTETS = 2048;

/** Octets, in JSON, of each text of a stranger in the record of a refusal and its event, and how many of
 * the names that he asked for: with the CSR, 8 kB at most. */
export const MAX_REFUSED_TEXT_OCTETS = 300;
export const MAX_REFUSED_NAMES = 5;

/** Characters of one value in the evidence of a refusal, and of one name that was refused, as they are
 * shown: more than any name that is meant well. */
export const MAX_EVIDENCE_CHARACTERS = 500;

/** Names, purposes or ranges of addresses that a challenge is bound to; names of a CSR's subjectAltName. */
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

/** Milliseconds that a challenge may be made in the future: a clock that is some hours back now refuses no
 * device, and a challenge of one that was ahead lives no more than this longer than it was made for. */
export const CHALLENGE_AHEAD_MS = 24 * 60 * 60 * 1000;

/** Milliseconds between two reads of the RA generations, and the least time between two reads
 * forced by an unknown recipient. */
export const RA_RELOAD_MS = 5 * 60 * 1000;
export const RA_FORCED_RELOAD_MS = 10_000;

/** Milliseconds that an RA generation is prepared before it is announced: then every instance has loaded
 * it, by its own clock, and those of two operators may differ. */
export const RA_PREPARED_MS = 2 * RA_RELOAD_MS;

/** Milliseconds that a previous RA generation is answered for: some clients fetch it once a month. */
export const RA_PREVIOUS_MS = 30 * 24 * 60 * 60 * 1000;

/** Milliseconds that an RA certificate is valid, at most as long as its CA's. */
export const RA_LIFETIME_MS = 5 * 365 * 24 * 60 * 60 * 1000;

/** Milliseconds that an entry stays in the CRL after its certificate has expired: a clock that is ahead by
 * less leaves out nothing that is still trusted. Bought with entries of 40 octets for a month. */
export const EXPIRED_ENTRY_MS = 30 * 24 * 60 * 60 * 1000;

/** Entries of the register of revocations: 20 kB, which one revocation rewrites. */
export const MAX_REGISTER_ENTRIES = 200;
/** The same where a CRL is one of a CA's partitions. */
export const MAX_PARTITION_ENTRIES = 25;

/** CRLs over which the certificates of a CA are spread: each is looked at every minute. */
export const MAX_CRL_PARTITIONS = 1024;

/** Seconds that a cache may keep a CRL: how late a revocation is seen at most. */
export const MAX_CRL_AGE_S = 600;

/** Milliseconds that an instance gives out a CRL from memory: a flood of GETs is one consistent read in that
 * time. They are taken from what caches may keep it, so that MAX_CRL_AGE_S stays true. */
export const CRL_MEMORY_MS = 5000;

/** Milliseconds that a CRL is valid at least: half of it is many times MAX_CRL_AGE_S. */
export const MIN_CRL_VALIDITY_MS = 60 * 60 * 1000;

/** The highest number above which the next CRL can be asked to stand: those after it are exact integers. */
export const MAX_CRL_FLOOR = 2 ** 52;

/** Lifetime of the CRL of a CA that the configuration no longer names, where the last one is lost. */
export const UNNAMED_CRL_VALIDITY_MS = 10 * 24 * 60 * 60 * 1000;

/** How often the write of a new CA is made again when others were made at the same time. */
export const MAX_INIT_ROUNDS = 8;

/** How often a publisher whose CRL came too late makes another: more than publish at once. */
export const MAX_PUBLISH_ROUNDS = 64;

/** How often a request that lost a race to another starts over before its device must. */
export const MAX_ISSUE_ROUNDS = 5;

/** Milliseconds between looks at an identical request that another process is working on: 3 s in all,
 * which is more than an issue takes and less than a client waits. */
export const WAIT_FOR_TWIN_MS: readonly number[] = [20, 50, 130, 300, 500, 800, 1200];

/** transactionIDs and steps that a Transaction remembers, so that its record stays small. */
export const MAX_TRANSACTION_IDS = 16;
export const MAX_TIMELINE = 64;

/** Holders of a multi-use challenge that are listed before finished ones are cleared. */
export const MAX_OPEN_USES = 100;
export const CLEAR_OPEN_USES_AT = 50;

/** Renewals of one certificate that its record lists: the last one counts, the others are for people. */
export const MAX_SUCCESSORS = 4;

/** Renewals of a whole lineage in its window: the first and three more, for replies that got lost. The
 * window is seven days, or this fraction of the certificate's validity where that is shorter: a
 * certificate of one day is renewed every day. */
export const MAX_RECENT_RENEWALS = 4;
export const RENEWAL_WINDOW_MS = 7 * 24 * 60 * 60 * 1000;
export const RENEWAL_WINDOW_FRACTION = 1 / 3;

/** Certificates of a lineage that are good at once: the one that signs, its renewal, and one more. */
export const MAX_GOOD_OF_LINEAGE = 3;

/** Unexpired certificates of a lineage that issuance has revoked. Each is an entry of the CRL, which one
 * device must not fill: a device with more has lost every reply for three weeks. */
export const MAX_SUPERSEDED_OF_LINEAGE = 12;

/** Certificates of a lineage that are followed to revoke what is good among them: a year and a half of
 * four renewals a week. */
export const MAX_LINEAGE_WALK = 300;

/** Milliseconds after the end of its lease until the sweeper voids an attempt, and for which a release gate
 * that cannot be reached is asked again. */
export const SWEEP_AFTER_MS = 60 * 60 * 1000;

/** Transactions that one run of the sweeper takes from a list, about; and pages of as many keys that it
 * looks through for them: 2,000 that another hand made up, in some seconds. */
export const SWEEP_BATCH = 100;
export const SWEEP_PAGES = 20;

/** Octets of a request line with its headers: a GET of an RSA-4096 request with a chain. */
export const MAX_REQUEST_LINE_OCTETS = 32 * 1024;

/** Characters of a path in the log: enough for the longest path of the service; a longer one is cut. */
export const MAX_LOGGED_PATH = 300;

/** Milliseconds in which nothing moves on a connection, after which the server ends it: the longest wait of ours for
 * a slow client, and more than any answer takes but a copy of the database, whose command looks at the file. */
export const STANDSTILL_MS = 5 * 60 * 1000;

/** Milliseconds that a stopping server waits for running requests before it closes their connections; and after
 * which it ends whatever still runs: those who stop a container kill it after ten seconds. */
export const STOP_GRACE_MS = 5000;
export const STOP_LIMIT_MS = 8000;

/** Milliseconds for which a successful try of a write answers `status` and `/readyz` of an instance: one write
 * unit a minute on DynamoDB; and for which a failed one does, so that the end of the trouble is soon seen. */
export const WRITE_TRIED_MS = 60_000;
export const WRITE_FAILED_MS = 5000;

/** Octets of the record that tries whether a file takes writes: an enrolment writes some 30 pages of 4 kB. */
export const TRIED_OCTETS = 128 * 1024;

/** Records that one page of a list has at most; rows that one import into a device list takes. */
export const MAX_PAGE = 100;
export const MAX_IMPORTED = 500;

/** Rounds of reading a list, one query for each shard, until a page is returned although it is not full: only
 * some of the records read may be wanted. Of several lists together, or one round of them all if that is more. */
export const MAX_PAGE_READS = 10;

/** Keys that a round reads at most where most of their records need not be read: some 8 MB of a table's index. */
export const MAX_KEYS_READ = 1000;

/** Milliseconds of one call of a remote store: ordinary ones take 10, a new TLS connection 200; and in which
 * a read or a list is repeated (throttled, unprocessed). */
export const STORE_CALL_MS = 1000;
export const STORE_READ_MS = 1000;

/** Queries of a list that wait for their answers at once. Cloudflare gives a request six connections: what
 * waits for one has its time running, and more than these, from far away, would have none left. */
export const MAX_QUERIES_AT_ONCE = 6;

/** Of what a start reads: milliseconds for it, and octets of a configuration, which an event quotes twice, and of a secret. */
export const START_READ_MS = 5000;
export const MAX_CONFIG_OCTETS = 128 * 1024;

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

/** Milliseconds of one call of KMS on a device's request: ordinary ones take 10 to 100, a new TLS connection 200. */
export const KMS_CALL_MS = 1000;

/** Milliseconds in which a call of KMS is made again on a device's request. With its last call it
 * ends after 4 s, long before the lease of an attempt does. */
export const KMS_REQUEST_MS = 3000;

/** Milliseconds of one call, and in which it is made again, for an operator's command: making keys
 * takes seconds, and so does it until a new one is known to all of KMS. */
export const KMS_OPERATOR_CALL_MS = 30_000;
export const KMS_OPERATOR_MS = 30_000;

/** Characters of an admin token that an operator chooses, at least: 128 bits in hexadecimal. */
export const MIN_ADMIN_TOKEN = 32;

/** Milliseconds between two records of a token's use: one write unit an hour for each token that is used. And
 * how long such a record is kept. */
export const TOKEN_USE_MS = 60 * 60 * 1000;
export const TOKEN_USE_KEPT_MS = 400 * 24 * 60 * 60 * 1000;

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

/** Expired records that one run deletes where the store does not do so itself: three times as many as
 * strangers can make in the minute between two runs at one endpoint, in some tens of milliseconds. */
export const EXPIRE_BATCH = 2000;

/** Words of a Transaction in the index of searches: on DynamoDB each is two write units and half a kB for as long as
 * the record is kept. A device has some six. */
export const MAX_INDEXED_WORDS = 16;

/** Characters and words of one search. */
export const MAX_SEARCH_CHARACTERS = 500;
export const MAX_SEARCH_WORDS = 16;
