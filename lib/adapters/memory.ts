// A store that forgets, for tests: the ports' promises kept in Maps.

import { MAX_CHALLENGE_FAILURES } from '../limits.ts';
import type { AdminToken, AdminTokens } from '../ports/admin-tokens.ts';
import type { Authorities, AuthorityRecord, Crl } from '../ports/authorities.ts';
import type { CertificateRecord, Certificates } from '../ports/certificates.ts';
import type { Challenge, Challenges } from '../ports/challenges.ts';
import type { Transaction, Transactions } from '../ports/transactions.ts';

export class MemoryStore {
  readonly #transactions = new Map<string, Transaction>();
  readonly #pointers = new Map<string, string>();
  readonly #certificates = new Map<string, CertificateRecord>();
  readonly #challenges = new Map<string, Challenge>();
  readonly #authorities = new Map<string, AuthorityRecord>();
  readonly #crls = new Map<string, Crl>();
  readonly #tokens = new Map<string, AdminToken>();

  readonly transactions: Transactions = {
    recall: async ({ requestHash, challenges }) => {
      const transaction = this.#transactions.get(this.#pointers.get(requestHash) ?? '');
      const key = challenges.find((candidate) => this.#challenges.has(candidate));
      return {
        transaction,
        certificate:
          transaction && this.#certificates.get(`${transaction.ca}/${transaction.serial}`),
        challenge: this.#challenges.get(key ?? ''),
      };
    },
    intend: async ({ now, transaction, certificate, supersedes }) => {
      const { id, requestHash } = transaction;
      const serial = `${certificate.ca}/${certificate.serial}`;
      if (this.#certificates.has(serial)) return 'serialTaken';
      const pointer = this.#pointers.get(requestHash);
      if (this.#transactions.has(id) || pointer !== supersedes) return 'conflict';
      const challenge = this.#challenges.get(transaction.challenge);
      if (!challenge || challenge.usesLeft < 1 || challenge.expiresAt <= now) return 'conflict';
      if (challenge.failures >= MAX_CHALLENGE_FAILURES) return 'conflict';
      this.#challenges.set(challenge.key, {
        ...challenge,
        usesLeft: challenge.usesLeft - 1,
        holder: { transaction: id, requestHash },
      });
      this.#transactions.set(id, transaction);
      this.#pointers.set(requestHash, id);
      this.#certificates.set(serial, certificate);
      return 'done';
    },
    commit: async (id, serial, der) => {
      const transaction = this.#transactions.get(id);
      const key = `${transaction?.ca}/${serial}`;
      const certificate = this.#certificates.get(key);
      if (transaction?.state !== 'intended' || transaction.serial !== serial) return 'lost';
      if (certificate?.state !== 'intended') return 'lost';
      this.#transactions.set(id, { ...transaction, state: 'issued' });
      this.#certificates.set(key, { ...certificate, state: 'issued', der });
      return 'done';
    },
  };

  readonly certificates: Certificates = {
    find: async (ca, serial) => this.#certificates.get(`${ca}/${serial}`),
  };

  readonly challenges: Challenges = {
    create: async (challenge) => {
      if (this.#challenges.has(challenge.key)) throw new Error('the challenge exists');
      this.#challenges.set(challenge.key, challenge);
    },
    countFailure: async (key) => {
      const challenge = this.#challenges.get(key);
      if (challenge) this.#challenges.set(key, { ...challenge, failures: challenge.failures + 1 });
    },
  };

  readonly authorities: Authorities = {
    find: async (ca) => this.#authorities.get(ca),
    create: async (record) => {
      if (this.#authorities.has(record.ca)) return 'exists';
      this.#authorities.set(record.ca, record);
      return 'done';
    },
    crl: async (ca) => this.#crls.get(ca),
    publishCrl: async (ca, crl) => {
      if ((this.#crls.get(ca)?.number ?? -1) >= crl.number) return 'stale';
      this.#crls.set(ca, crl);
      return 'done';
    },
  };

  readonly tokens: AdminTokens = {
    put: async (token) => {
      this.#tokens.set(token.name, token);
    },
    find: async (hash) => [...this.#tokens.values()].find((token) => token.hash === hash),
  };
}
