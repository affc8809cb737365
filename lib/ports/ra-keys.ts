// RA keys: RSA-2048 pairs that decrypt requests and sign replies. They live in this process's
// memory in clear, and outside of it only sealed.

import type { Bytes } from '../base/bytes.ts';

/** What a sealed key is for. Unsealing with any other context fails. */
export type SealContext = { readonly ca: string; readonly purpose: 'ra' };

export interface RaKeys {
  /**
   * A new key pair: the SubjectPublicKeyInfo (DER) and the private key sealed. Only an operator's
   * command asks for one, never a device's request.
   */
  generate(context: SealContext): Promise<{ readonly spki: Bytes; readonly sealed: Bytes }>;

  /** The private key as PKCS#8, DER. Throws when it was not sealed here with this context. */
  unseal(sealed: Bytes, context: SealContext): Promise<Bytes>;
}
