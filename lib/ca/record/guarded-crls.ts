// The CRLs as callers above the adapter see them: only a CRL of that name that the CA has signed counts, its number and
// times are read from it, and the number of the register's changes is under a MAC (RFC 5280 §5). Of one
// that was altered, removed or put back the last good one that this instance has seen is in force, and the next
// publication takes its place, whatever number it has.

import { type Bytes, hex } from '../../base/bytes.ts';
import { hash } from '../../crypto/native.ts';
import type { Crl, CrlStore, Crls, StoredCrl } from '../../ports/crls.ts';
import type { Log } from '../../ports/log.ts';
import type { MacKey, MacKeys } from '../../ports/mac-keys.ts';
import { readCrlHead } from '../../x509/crl-head.ts';
import { type PublicKey, verifySignature } from '../../x509/public-key.ts';
import { holds, tagged } from '../approve/approval-mac.ts';
import { mac } from '../challenge/challenges.ts';
import { caOfCrl, isOfName } from '../revoke/partitions.ts';

/** Returns the public key of a CA, by the CA's id. */
type KeyOf = (ca: string) => Promise<PublicKey>;

/** More changes than any register has, so that the next look at the register publishes a new CRL. */
const UNKNOWN_CHANGES = -1;

const tagOf = (macKey: MacKey, name: string, { der, changes }: Pick<Crl, 'der' | 'changes'>) =>
  tagged(macKey, mac(macKey, 'crl', [name, hex(hash('SHA-256', der)), changes]));

/** One that was put back is earlier by number and no later by time: only by number is one of an operator who has restored the
 * table, and by time alone one of a clock that was wrong. */
const isBefore = (one: Crl, other: Crl | undefined): boolean =>
  other !== undefined && one.number < other.number && one.thisUpdate <= other.thisUpdate;

export class GuardedCrls implements Crls {
  readonly #store: CrlStore;
  readonly #ports: { readonly keyOf: KeyOf; readonly macKeys: MacKeys; readonly log: Log };
  /** The newest good CRL that this instance has seen, by name. */
  readonly #good = new Map<string, Crl>();

  constructor(store: CrlStore, ports: { keyOf: KeyOf; macKeys: MacKeys; log: Log }) {
    this.#store = store;
    this.#ports = ports;
  }

  async newest(name: string): Promise<Crl | undefined> {
    const stored = await this.#store.newest(name);
    const found = stored && (await this.#verified(name, stored));
    const good = this.#good.get(name);
    if (!good || (found && !isBefore(found, good))) return found;
    // What only this instance remembers is given out, and published anew.
    return { ...good, changes: UNKNOWN_CHANGES };
  }

  async newestOfKey(name: string, key: PublicKey): Promise<Bytes | undefined> {
    const stored = await this.#store.newest(name);
    return stored && (await readSigned(name, stored.der, key)) && stored.der;
  }

  async publish(name: string, crl: Crl): Promise<'done' | 'stale'> {
    const stored = await this.#store.newest(name);
    const last = stored && (await this.#verified(name, stored));
    if (last && last.number >= crl.number) return 'stale';
    // A CRL stored under another number than its own counts as altered, because it would block the next one.
    const spoilt = stored && (!last || String(last.number) !== stored.stored);
    const [macKey] = await this.#ports.macKeys.live('record');
    const sealed = { ...crl, mac: tagOf(macKey, name, crl) };
    const answer = await this.#store.publish(name, sealed, spoilt ? stored.stored : undefined);
    if (answer === 'done') this.#keep(name, crl);
    return answer;
  }

  async floor(name: string, now: number): Promise<number> {
    // No CA publishes more than one CRL a second, so no published number is higher than that.
    return (await this.#store.newest(name)) ? Math.floor(now / 1000) : 0;
  }

  async #verified(name: string, stored: StoredCrl): Promise<Crl | undefined> {
    const { der, changes, mac: tag = '' } = stored;
    const signed = await readSigned(name, der, await this.#ports.keyOf(caOfCrl(name)));
    if (!signed) {
      this.#ports.log({ event: 'record.altered', severity: 'error', kind: 'crl', key: name });
      return undefined;
    }
    const live = await this.#ports.macKeys.live('record');
    const told = holds(live, tag, (macKey) => tagOf(macKey, name, { der, changes }));
    if (!told)
      this.#ports.log({ event: 'record.altered', severity: 'error', kind: 'crl', key: name });
    const crl = { ...signed, der, changes: told ? changes : UNKNOWN_CHANGES };
    this.#keep(name, crl);
    return crl;
  }

  #keep(name: string, crl: Crl): void {
    if (!isBefore(crl, this.#good.get(name))) this.#good.set(name, crl);
  }
}

/** Number and times of a CRL of this name that this key has signed: that of another partition tells of no
 * certificate that names this one. */
async function readSigned(name: string, der: Bytes, key: PublicKey) {
  const head = readCrlHead(der);
  if (!head || !isOfName(name, head.distributionPoint)) return undefined;
  const { tbs, scheme, signature, distributionPoint: _same, ...times } = head;
  return (await verifySignature(key, scheme, tbs, signature)) ? times : undefined;
}
