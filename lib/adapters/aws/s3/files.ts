// The files that relying parties fetch, in a bucket of S3: the newest CRL of each name, and the certificate of each CA.
// The key of an object is the path of its URL, so that CloudFront serves it as it is.
//
//   crl/CA.crl, crl/CA/GENERATION-NUMBER.crl   the CRL; in its metadata what a `Crl` has beside its DER, and the
//                                              id of the write that it is from
//   aia/CA.cer                                 the certificate
//
//   newest    GetObject, which is consistent
//   publish   HeadObject; PutObject on condition that the object is still that one, or that there is still none
//   keep      GetObject; PutObject if it is another
//   issuer    GetObject
//
// Expires of a CRL is its nextUpdate: a cache in front of it takes the sooner of that and its own limit.

import { type Bytes, equal } from '../../../base/bytes.ts';
import type { Crl, CrlStore, IssuerFiles, StoredCrl } from '../../../ports/crls.ts';
import type { Timer } from '../aws.ts';
import { type Headers, S3Objects } from './objects.ts';
import type { S3Access } from './s3.ts';

/** How long a cache may keep the certificate of a CA. */
const MAX_ISSUER_AGE_S = 86_400;

const crlKey = (name: string): string => `crl/${name}.crl`;
const issuerKey = (ca: string): string => `aia/${ca}.cer`;
const meta = (field: string): string => `x-amz-meta-${field}`;

/** What the object says that its CRL's number is. */
const storedOf = (headers: Headers): string => headers[meta('number')] ?? 'none';

export class S3Files implements CrlStore, IssuerFiles {
  readonly #objects: S3Objects;

  /** @param timer for tests */
  constructor(bucket: string, access: S3Access = {}, timer?: Timer) {
    this.#objects = new S3Objects({ bucket, setting: 'SCEPTER_FILES' }, access, timer);
  }

  close(): void {
    this.#objects.close();
  }

  async newest(name: string): Promise<StoredCrl | undefined> {
    const found = await this.#objects.find('GET', crlKey(name));
    if (!found) return undefined;
    const { headers, octets: der } = found;
    const said = (field: string): number => Number(headers[meta(field)] ?? Number.NaN);
    const mac = headers[meta('mac')];
    return {
      ...{ stored: storedOf(headers), der, number: said('number'), changes: said('changes') },
      ...{ thisUpdate: said('this-update'), nextUpdate: said('next-update') },
      ...(mac === undefined ? {} : { mac }),
    };
  }

  async publish(name: string, crl: Crl, spoilt?: string): Promise<'done' | 'stale'> {
    const key = crlKey(name);
    const last = (await this.#objects.find('HEAD', key))?.headers;
    const isOver = last && storedOf(last) === spoilt;
    if (last && !isOver && !(Number(storedOf(last)) < crl.number)) return 'stale';
    const attempt = crypto.randomUUID();
    const headers = {
      'content-type': 'application/pkix-crl',
      expires: new Date(crl.nextUpdate).toUTCString(),
      [meta('number')]: String(crl.number),
      [meta('changes')]: String(crl.changes),
      [meta('this-update')]: String(crl.thisUpdate),
      [meta('next-update')]: String(crl.nextUpdate),
      [meta('attempt')]: attempt,
      ...(crl.mac === undefined ? {} : { [meta('mac')]: crl.mac }),
      ...(last ? { 'if-match': last.etag ?? '' } : { 'if-none-match': '*' }),
    };
    const isOurs = async (): Promise<boolean> =>
      (await this.#objects.find('HEAD', key))?.headers[meta('attempt')] === attempt;
    return this.#objects.put(key, crl.der, headers, isOurs);
  }

  /** @returns DER; undefined where none was kept */
  async issuer(ca: string): Promise<Bytes | undefined> {
    return (await this.#objects.find('GET', issuerKey(ca)))?.octets;
  }

  async keep(ca: string, der: Bytes): Promise<void> {
    const key = issuerKey(ca);
    const isThere = async (): Promise<boolean> => {
      const found = await this.#objects.find('GET', key);
      return found !== undefined && equal(found.octets, der);
    };
    if (await isThere()) return;
    const headers = {
      'content-type': 'application/pkix-cert',
      'cache-control': `public, max-age=${MAX_ISSUER_AGE_S}`,
    };
    await this.#objects.put(key, der, headers, isThere);
  }
}
