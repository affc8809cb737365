// The store of the embedded default: one SQLite file (node:sqlite, WAL, synchronous=FULL, so that
// what was acknowledged survives the machine). Calls are synchronous inside; each write is one
// immediate transaction whose conditions are its WHERE clauses.

import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { type Bytes, base64, concat, fromBase64 } from '../bytes.ts';
import { MAX_CHALLENGE_FAILURES } from '../limits.ts';
import type { AdminToken, AdminTokens, Role } from '../ports/admin-tokens.ts';
import type { Authorities, AuthorityRecord, Crl, RaGenerationState } from '../ports/authorities.ts';
import type { CertificateRecord, CertificateState, Certificates } from '../ports/certificates.ts';
import type { Binding, Challenge, Challenges } from '../ports/challenges.ts';
import type {
  Intent,
  Lookup,
  Transaction,
  TransactionState,
  Transactions,
} from '../ports/transactions.ts';

/** Milliseconds a statement waits for another process's lock before it fails. */
const BUSY_TIMEOUT_MS = 5000;

/** The schema's version is `user_version`; a file of another version is not touched. */
const SCHEMA_VERSION = 1;
const schema = `
  CREATE TABLE transactions (
    id TEXT PRIMARY KEY, endpoint TEXT, ca TEXT, state TEXT, messageType TEXT, signer TEXT,
    requestHash TEXT, transactionID TEXT, csr BLOB, csrHash TEXT, serial TEXT, leaseUntil INTEGER,
    challenge TEXT, createdAt INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE pointers (requestHash TEXT PRIMARY KEY, "transaction" TEXT) STRICT, WITHOUT ROWID;
  CREATE TABLE certificates (
    ca TEXT, serial TEXT, state TEXT, tbsHash TEXT, der BLOB, "transaction" TEXT, notAfter INTEGER,
    PRIMARY KEY (ca, serial)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE challenges (
    key TEXT PRIMARY KEY, id TEXT UNIQUE, endpoint TEXT, binding TEXT, bindingMac TEXT,
    uses INTEGER, usesLeft INTEGER, createdAt INTEGER, expiresAt INTEGER, failures INTEGER,
    holder TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE authorities (ca TEXT PRIMARY KEY, record TEXT) STRICT, WITHOUT ROWID;
  CREATE TABLE crls (
    ca TEXT PRIMARY KEY, number INTEGER, der BLOB, thisUpdate INTEGER, nextUpdate INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE tokens (name TEXT PRIMARY KEY, hash TEXT UNIQUE, roles TEXT) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

type Row = Record<string, unknown>;

export class SqliteStore {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @throws {Error} with a sentence when the file is of another version */
  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    this.#atomically(() => {
      const version = this.#get('PRAGMA user_version')?.user_version;
      if (version === 0) this.#database.exec(schema);
      else if (version !== SCHEMA_VERSION) {
        throw new Error(`${path} has schema ${version}; this release reads ${SCHEMA_VERSION}`);
      }
    });
  }

  close(): void {
    this.#database.close();
  }

  readonly transactions: Transactions = {
    recall: async ({ requestHash, challenges }: Lookup) => {
      const transaction = this.#get(
        `SELECT t.* FROM pointers p JOIN transactions t ON t.id = p."transaction"
         WHERE p.requestHash = ?`,
        requestHash,
      );
      const known = transaction && transactionOf(transaction);
      const challenge = challenges
        .map((key) => this.#get('SELECT * FROM challenges WHERE key = ?', key))
        .find((row) => row !== undefined);
      return {
        transaction: known,
        certificate: known && this.#certificate(known.ca, known.serial),
        challenge: challenge && challengeOf(challenge),
      };
    },

    intend: async ({ now, transaction, certificate, supersedes }: Intent) =>
      this.#atomically((rollBack) => {
        const { id, requestHash } = transaction;
        if (this.#certificate(certificate.ca, certificate.serial)) return 'serialTaken';
        const pointed = this.#get('SELECT * FROM pointers WHERE requestHash = ?', requestHash);
        if (pointed?.transaction !== supersedes) return 'conflict';
        const taken = this.#run(
          `UPDATE challenges SET usesLeft = usesLeft - 1, holder = ?
           WHERE key = ? AND usesLeft >= 1 AND expiresAt > ? AND failures < ?`,
          JSON.stringify({ transaction: id, requestHash }),
          transaction.challenge,
          now,
          MAX_CHALLENGE_FAILURES,
        );
        const put = this.#insert('transactions', transaction);
        if (taken !== 1 || put !== 1) return rollBack('conflict');
        this.#run('INSERT OR REPLACE INTO pointers VALUES (?, ?)', requestHash, id);
        this.#insert('certificates', certificate);
        return 'done';
      }),

    commit: async (id, serial, der) =>
      this.#atomically((rollBack) => {
        const moved = this.#run(
          `UPDATE transactions SET state = 'issued'
           WHERE id = ? AND serial = ? AND state = 'intended'`,
          id,
          serial,
        );
        const stored = this.#run(
          `UPDATE certificates SET state = 'issued', der = ?
           WHERE serial = ? AND "transaction" = ? AND state = 'intended'`,
          der,
          serial,
          id,
        );
        return moved === 1 && stored === 1 ? 'done' : rollBack('lost');
      }),
  };

  readonly certificates: Certificates = {
    find: async (ca, serial) => this.#certificate(ca, serial),
  };

  readonly challenges: Challenges = {
    create: async (challenge) => {
      const { binding, holder, ...rest } = challenge;
      const created = this.#insert('challenges', {
        ...rest,
        binding: JSON.stringify(binding),
        holder: holder && JSON.stringify(holder),
      });
      if (created !== 1) throw new Error('a challenge with this key or id exists');
    },
    countFailure: async (key) => {
      this.#run('UPDATE challenges SET failures = failures + 1 WHERE key = ?', key);
    },
  };

  readonly authorities: Authorities = {
    find: async (ca) => {
      const row = this.#get('SELECT record FROM authorities WHERE ca = ?', ca);
      return row && authorityOf(String(row.record));
    },
    create: async (record) => {
      const row = { ca: record.ca, record: authorityText(record) };
      return this.#insert('authorities', row) === 1 ? 'done' : 'exists';
    },
    crl: async (ca) => {
      const row = this.#get('SELECT * FROM crls WHERE ca = ?', ca);
      return (
        row && {
          number: Number(row.number),
          der: octetsOf(row.der),
          thisUpdate: Number(row.thisUpdate),
          nextUpdate: Number(row.nextUpdate),
        }
      );
    },
    publishCrl: async (ca, { number, der, thisUpdate, nextUpdate }: Crl) => {
      const stored = this.#run(
        `INSERT INTO crls VALUES (?, ?, ?, ?, ?) ON CONFLICT (ca) DO UPDATE SET
           number = excluded.number, der = excluded.der,
           thisUpdate = excluded.thisUpdate, nextUpdate = excluded.nextUpdate
         WHERE excluded.number > crls.number`,
        ca,
        number,
        der,
        thisUpdate,
        nextUpdate,
      );
      return stored === 1 ? 'done' : 'stale';
    },
  };

  readonly tokens: AdminTokens = {
    put: async ({ name, hash, roles }: AdminToken) => {
      const text = JSON.stringify(roles);
      this.#run('INSERT OR REPLACE INTO tokens VALUES (?, ?, ?)', name, hash, text);
    },
    find: async (hash) => {
      const row = this.#get('SELECT * FROM tokens WHERE hash = ?', hash);
      if (!row) return undefined;
      return { name: String(row.name), hash, roles: JSON.parse(String(row.roles)) as Role[] };
    },
  };

  #certificate(ca: string, serial: string): CertificateRecord | undefined {
    const row = this.#get('SELECT * FROM certificates WHERE ca = ? AND serial = ?', ca, serial);
    return (
      row && {
        ca,
        serial,
        state: String(row.state) as CertificateState,
        tbsHash: String(row.tbsHash),
        der: row.der === null ? undefined : octetsOf(row.der),
        transaction: String(row.transaction),
        notAfter: Number(row.notAfter),
      }
    );
  }

  /** Runs `work` in one transaction; an error, or an answer through `rollBack`, undoes it. */
  #atomically<T>(work: (rollBack: (answer: T) => T) => T): T {
    this.#database.exec('BEGIN IMMEDIATE');
    let end = 'COMMIT';
    try {
      return work((answer) => {
        end = 'ROLLBACK';
        return answer;
      });
    } catch (error) {
      end = 'ROLLBACK';
      throw error;
    } finally {
      this.#database.exec(end);
    }
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }

  #get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#statement(sql).get(...values);
  }

  /** @returns how many rows it changed */
  #run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  /** Puts a row whose columns are the members of `row`, if no row has its keys. */
  #insert(table: string, row: Readonly<Record<string, SQLInputValue | undefined>>): number {
    const columns = Object.keys(row);
    const names = columns.map((column) => `"${column}"`).join(', ');
    const places = columns.map(() => '?').join(', ');
    const sql = `INSERT INTO ${table} (${names}) VALUES (${places}) ON CONFLICT DO NOTHING`;
    return this.#run(sql, ...columns.map((column) => row[column] ?? null));
  }
}

const octetsOf = (value: unknown): Bytes =>
  value instanceof Uint8Array ? concat([value]) : new Uint8Array(0);

function transactionOf(row: Row): Transaction {
  return {
    id: String(row.id),
    endpoint: String(row.endpoint),
    ca: String(row.ca),
    state: String(row.state) as TransactionState,
    messageType: String(row.messageType) as Transaction['messageType'],
    signer: String(row.signer),
    requestHash: String(row.requestHash),
    transactionID: String(row.transactionID),
    csr: octetsOf(row.csr),
    csrHash: String(row.csrHash),
    serial: String(row.serial),
    leaseUntil: Number(row.leaseUntil),
    challenge: String(row.challenge),
    createdAt: Number(row.createdAt),
  };
}

function challengeOf(row: Row): Challenge {
  return {
    key: String(row.key),
    id: String(row.id),
    endpoint: String(row.endpoint),
    binding: JSON.parse(String(row.binding)) as Binding,
    bindingMac: String(row.bindingMac),
    uses: Number(row.uses),
    usesLeft: Number(row.usesLeft),
    createdAt: Number(row.createdAt),
    expiresAt: Number(row.expiresAt),
    failures: Number(row.failures),
    holder: row.holder ? (JSON.parse(String(row.holder)) as Challenge['holder']) : undefined,
  };
}

type StoredAuthority = {
  readonly ca: string;
  readonly keyReference: string;
  readonly chain: readonly string[];
  readonly generations: readonly {
    readonly id: number;
    readonly state: RaGenerationState;
    readonly certificate: string;
    readonly sealedKey: string;
  }[];
};

function authorityText({ ca, keyReference, chain, generations }: AuthorityRecord): string {
  const stored: StoredAuthority = {
    ca,
    keyReference,
    chain: chain.map(base64),
    generations: generations.map(({ id, state, certificate, sealedKey }) => ({
      id,
      state,
      certificate: base64(certificate),
      sealedKey: base64(sealedKey),
    })),
  };
  return JSON.stringify(stored);
}

function authorityOf(text: string): AuthorityRecord {
  const { ca, keyReference, chain, generations } = JSON.parse(text) as StoredAuthority;
  const [own, ...issuers] = chain.map(fromBase64);
  if (!own) throw new Error(`the record of the CA "${ca}" has no certificate`);
  return {
    ca,
    keyReference,
    chain: [own, ...issuers],
    generations: generations.map(({ id, state, certificate, sealedKey }) => ({
      id,
      state,
      certificate: fromBase64(certificate),
      sealedKey: fromBase64(sealedKey),
    })),
  };
}
