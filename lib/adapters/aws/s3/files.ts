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
//
// Expires of a CRL is its nextUpdate: a cache in front of it takes the sooner of that and its own limit.

import { type Bytes, equal } from '../../../base/bytes.ts';
import { Outage } from '../../../base/errors.ts';
import type { Crl, CrlStore, IssuerFiles, StoredCrl } from '../../../ports/crls.ts';
import { isPassing, pause, repeated, type Timer, told } from '../aws.ts';
import { SignedService } from '../signed.ts';
import { explain, passing, type S3Access, targetOf } from './s3.ts';

/** Milliseconds of one call, which may be about megabytes, and in which one is repeated; octets of a file at most. */
const CALL_MS = 5000;
const READ_MS = 5000;
const WRITE_MS = 10_000;
const MAX_OCTETS = 128_000_000;

/** How long a cache may keep the certificate of a CA. */
const MAX_ISSUER_AGE_S = 86_400;

type Headers = Readonly<Record<string, string>>;

const crlKey = (name: string): string => `crl/${name}.crl`;
const meta = (field: string): string => `x-amz-meta-${field}`;
const passes = (error: unknown): boolean => isPassing(error, passing);

/** Somebody else has put an object, or deleted the one that there was. */
const conflicts = new Set(['PreconditionFailed', 'NoSuchKey', 'HTTP 404', 'HTTP 412']);
/** HeadObject is answered without a body. */
const isAbsent = (error: unknown): boolean => /^(?:NoSuchKey|HTTP 404)$/.test(told(error).name);

const notAllowed =
  'the policy of this role, of the bucket, or of the KMS key that the bucket is encrypted with does not allow it';
const keyIsAway =
  'enable the KMS key that the bucket is encrypted with, or give the bucket another';
const elsewhere = 'the bucket is in another region than this process';
/** What to do, by the refusal; of HeadObject its status is all that is known. */
const remedies: Readonly<Record<string, string>> = {
  AccessDenied: notAllowed,
  'HTTP 403': notAllowed,
  NoSuchBucket: 'it was deleted, or SCEPTER_FILES names another',
  PermanentRedirect: elsewhere,
  'HTTP 301': elsewhere,
  'KMS.DisabledException': keyIsAway,
  'KMS.KMSInvalidStateException': keyIsAway,
  'KMS.NotFoundException': keyIsAway,
};

/** What the object says that its CRL's number is. */
const storedOf = (headers: Headers): string => headers[meta('number')] ?? 'none';

export class S3Files implements CrlStore, IssuerFiles {
  readonly #bucket: string;
  readonly #endpoint: string | undefined;
  readonly #service: SignedService;

  /** @param timer for tests */
  constructor(bucket: string, { connection, endpoint }: S3Access = {}, timer?: Timer) {
    this.#bucket = bucket;
    this.#endpoint = endpoint;
    this.#service = new SignedService({
      ...{ service: 's3', connection, explain, uriEscapePath: false, callMs: CALL_MS },
      ...(timer ? { timer } : {}),
    });
  }

  close(): void {
    this.#service.close();
  }

  async newest(name: string): Promise<StoredCrl | undefined> {
    const found = await this.#find('GET', crlKey(name));
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
    const last = (await this.#find('HEAD', key))?.headers;
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
      (await this.#find('HEAD', key))?.headers[meta('attempt')] === attempt;
    return this.#put(key, crl.der, headers, isOurs);
  }

  async keep(ca: string, der: Bytes): Promise<void> {
    const key = `aia/${ca}.cer`;
    const isThere = async (): Promise<boolean> => {
      const found = await this.#find('GET', key);
      return found !== undefined && equal(found.octets, der);
    };
    if (await isThere()) return;
    const headers = {
      'content-type': 'application/pkix-cert',
      'cache-control': `public, max-age=${MAX_ISSUER_AGE_S}`,
    };
    await this.#put(key, der, headers, isThere);
  }

  /** A write whose answers are lost is made again, on the same condition, and looked for. */
  async #put(
    key: string,
    body: Bytes,
    headers: Headers,
    isOurs: () => Promise<boolean>,
  ): Promise<'done' | 'stale'> {
    const { timer } = this.#service;
    const deadline = timer.now() + WRITE_MS;
    for (let tries = 0; ; tries++) {
      try {
        await this.#ask('PUT', key, { headers, body });
        return 'done';
      } catch (error) {
        if (conflicts.has(told(error).name)) return (await isOurs()) ? 'done' : 'stale';
        if (passes(error) && (await pause(timer, tries, deadline))) continue;
        // If reading fails too, the first trouble is the one to report.
        if (await isOurs().catch(() => false)) return 'done';
        throw this.#outage('PutObject', key, error);
      }
    }
  }

  async #find(method: 'GET' | 'HEAD', key: string) {
    const { timer } = this.#service;
    const once = () =>
      this.#ask(method, key).catch((error: unknown) => {
        if (isAbsent(error)) return undefined;
        throw error;
      });
    return repeated(timer, timer.now() + READ_MS, passes, once).catch((error: unknown) => {
      throw this.#outage(method === 'GET' ? 'GetObject' : 'HeadObject', key, error);
    });
  }

  #ask(method: string, key: string, more: { headers?: Headers; body?: Bytes } = {}) {
    const { headers = {}, body } = more;
    return this.#service.ask((table) => {
      const target = targetOf({ bucket: this.#bucket, key }, table, this.#endpoint);
      return {
        ...{ ...target, method, headers: { ...target.headers, ...headers } },
        ...(body ? { body } : {}),
      };
    }, MAX_OCTETS);
  }

  /** For the log: which call, and what came of it. */
  #outage(call: string, key: string, error: unknown): Outage {
    const { name, message } = told(error);
    const about = message === '' || message === name ? name : `${name}: ${message}`;
    const remedy = remedies[name] === undefined ? '' : ` (${remedies[name]})`;
    return new Outage(`the bucket ${this.#bucket}: ${call} of ${key} failed: ${about}${remedy}`);
  }
}
