// The CRLs as callers above the adapter see them: only a CRL that the CA has signed counts, its number and
// times are read from it, and the number of the register's changes is under a MAC (RFC 5280 §5). An altered
// one is not served: the instance serves the last good one that it has seen, and the next publication
// replaces the altered one, whatever number that has.

import { type Bytes, hex } from '../../base/bytes.ts';
import { hash } from '../../crypto/native.ts';
import type { Crl, CrlStore, Crls, StoredCrl } from '../../ports/crls.ts';
import type { Log } from '../../ports/log.ts';
import type { MacKey, MacKeys } from '../../ports/mac-keys.ts';
import { readCrlHead } from '../../x509/crl-head.ts';
import { type PublicKey, verifySignature } from '../../x509/public-key.ts';
import { holds, tagged } from '../approve/approval-mac.ts';
import { mac } from '../challenge/challenges.ts';

/** Returns the public key of a CA, by the CA's id. */
type KeyOf = (ca: string) => Promise<PublicKey>;

/** More changes than any register has, so that the next look at the register publishes a new CRL. */
const UNKNOWN_CHANGES = -1;

const tagOf = (macKey: MacKey, ca: string, { der, changes }: Pick<Crl, 'der' | 'changes'>) =>
  tagged(macKey, mac(macKey, 'crl', [ca, hex(hash('SHA-256', der)), changes]));

export class GuardedCrls implements Crls {
  readonly #store: CrlStore;
  readonly #ports: { readonly keyOf: KeyOf; readonly macKeys: MacKeys; readonly log: Log };
  /** The newest good CRL that this instance has seen, by CA. */
  readonly #good = new Map<string, Crl>();

  constructor(store: CrlStore, ports: { keyOf: KeyOf; macKeys: MacKeys; log: Log }) {
    this.#store = store;
    this.#ports = ports;
  }

  async newest(ca: string): Promise<Crl | undefined> {
    const stored = await this.#store.newest(ca);
    return stored && ((await this.#verified(ca, stored)) ?? this.#good.get(ca));
  }

  async publish(ca: string, crl: Crl): Promise<'done' | 'stale'> {
    const stored = await this.#store.newest(ca);
    const last = stored && (await this.#verified(ca, stored));
    if (last && last.number >= crl.number) return 'stale';
    // A CRL stored under another number than its own counts as altered, because it would block the next one.
    const spoilt = stored && (!last || String(last.number) !== stored.stored);
    const [macKey] = await this.#ports.macKeys.live('record');
    const sealed = { ...crl, mac: tagOf(macKey, ca, crl) };
    return this.#store.publish(ca, sealed, spoilt ? stored.stored : undefined);
  }

  async floor(ca: string, now: number): Promise<number> {
    // No CA publishes more than one CRL a second, so no published number is higher than that.
    return (await this.#store.newest(ca)) ? Math.floor(now / 1000) : 0;
  }

  async #verified(ca: string, stored: StoredCrl): Promise<Crl | undefined> {
    const { der, changes, mac: tag = '' } = stored;
    const signed = await readSigned(der, await this.#ports.keyOf(ca));
    const last = this.#good.get(ca);
    if (!signed) {
      this.#ports.log({ event: 'record.altered', severity: 'error', kind: 'crl', key: ca });
      return undefined;
    }
    const live = await this.#ports.macKeys.live('record');
    const told = holds(live, tag, (macKey) => tagOf(macKey, ca, { der, changes }));
    if (!told)
      this.#ports.log({ event: 'record.altered', severity: 'error', kind: 'crl', key: ca });
    const crl = { ...signed, der, changes: told ? changes : UNKNOWN_CHANGES };
    if (!last || last.number <= crl.number) this.#good.set(ca, crl);
    return crl;
  }
}

/** Number and times of a CRL that this key has signed. */
async function readSigned(der: Bytes, key: PublicKey) {
  const head = readCrlHead(der);
  if (!head) return undefined;
  const { tbs, scheme, signature, ...times } = head;
  return (await verifySignature(key, scheme, tbs, signature)) ? times : undefined;
}
