// Bearer tokens of the admin API. The store holds only their hashes.

export const roles = ['admin', 'approver', 'challenger', 'auditor'] as const;
export type Role = (typeof roles)[number];

export type AdminToken = {
  /** For people and events: who acted. */
  readonly name: string;
  /** SHA-256 of the token, hexadecimal. */
  readonly hash: string;
  readonly roles: readonly Role[];
};

export interface AdminTokens {
  /** Stores a token; the same name again replaces it. */
  put(token: AdminToken): Promise<void>;

  find(hash: string): Promise<AdminToken | undefined>;
}
