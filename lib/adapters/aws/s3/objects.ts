// Objects of one bucket, asked for within limits of time: a call that was throttled, lost or failed in S3 is made again,
// and a write whose answers are lost is made again on the same condition and looked for.

import { type Bytes, base64 } from '../../../base/bytes.ts';
import { Outage } from '../../../base/errors.ts';
import { hash } from '../../../crypto/native.ts';
import { isPassing, pause, repeated, type Timer, told } from '../aws.ts';
import { SignedService } from '../signed.ts';
import { explain, passing, type S3Access, targetOf } from './s3.ts';

/** Milliseconds of one call, which may be about megabytes, and in which one is repeated; octets of an object at most. */
const CALL_MS = 5000;
const READ_MS = 5000;
const WRITE_MS = 10_000;
const MAX_OCTETS = 128_000_000;

export type Headers = Readonly<Record<string, string>>;

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
  PermanentRedirect: elsewhere,
  'HTTP 301': elsewhere,
  'KMS.DisabledException': keyIsAway,
  'KMS.KMSInvalidStateException': keyIsAway,
  'KMS.NotFoundException': keyIsAway,
};

const actions = { GET: 'GetObject', HEAD: 'HeadObject', PUT: 'PutObject', DELETE: 'DeleteObject' };
type Method = keyof typeof actions;

type More = {
  readonly headers?: Headers;
  readonly body?: Bytes;
  readonly query?: Readonly<Record<string, string>>;
};

export class S3Objects {
  readonly #bucket: string;
  readonly #setting: string;
  readonly #endpoint: string | undefined;
  readonly #service: SignedService;

  /** @param setting which names the bucket @param timer for tests */
  constructor(
    { bucket, setting }: { readonly bucket: string; readonly setting: string },
    { connection, endpoint }: S3Access = {},
    timer?: Timer,
  ) {
    this.#bucket = bucket;
    this.#setting = setting;
    this.#endpoint = endpoint;
    this.#service = new SignedService({
      ...{ service: 's3', connection, explain, uriEscapePath: false, callMs: CALL_MS },
      ...(timer ? { timer } : {}),
    });
  }

  close(): void {
    this.#service.close();
  }

  /** By a consistent read; undefined where there is none. @throws {Outage} */
  async find(method: 'GET' | 'HEAD', key: string) {
    const once = () =>
      this.#ask(method, key).catch((error: unknown) => {
        if (isAbsent(error)) return undefined;
        throw error;
      });
    return this.#repeated(actions[method], key, once);
  }

  /**
   * Puts the object on the condition that its headers name.
   * @param isOurs whether what is there now is what this call has put
   * @returns `stale`: the condition does not hold
   * @throws {Outage}
   */
  async put(
    key: string,
    body: Bytes,
    headers: Headers,
    isOurs: () => Promise<boolean>,
  ): Promise<'done' | 'stale'> {
    const { timer } = this.#service;
    const deadline = timer.now() + WRITE_MS;
    // A bucket that locks what it is given takes nothing without a checksum, and the name of its algorithm.
    const sum = {
      'x-amz-sdk-checksum-algorithm': 'SHA256',
      'x-amz-checksum-sha256': base64(hash('SHA-256', body)),
    };
    for (let tries = 0; ; tries++) {
      try {
        await this.#ask('PUT', key, { headers: { ...headers, ...sum }, body });
        return 'done';
      } catch (error) {
        if (conflicts.has(told(error).name)) return (await isOurs()) ? 'done' : 'stale';
        if (passes(error) && (await pause(timer, tries, deadline))) continue;
        // If reading fails too, the first trouble is the one to report.
        if (await isOurs().catch(() => false)) return 'done';
        throw this.#outage(actions.PUT, key, error);
      }
    }
  }

  /** What is not there is no trouble. @throws {Outage} */
  async delete(key: string): Promise<void> {
    await this.#repeated(actions.DELETE, key, () => this.#ask('DELETE', key));
  }

  /** The keys that begin so, of which there are at most 1,000. @throws {Outage} */
  async keysUnder(prefix: string): Promise<readonly string[]> {
    const query = { 'list-type': '2', prefix };
    const { octets } = await this.#repeated('ListObjectsV2', prefix, () =>
      this.#ask('GET', '', { query }),
    );
    const xml = new TextDecoder().decode(octets);
    return [...xml.matchAll(/<Key>([\w./-]+)<\/Key>/g)].map(([, key = '']) => key);
  }

  #repeated<T>(call: string, key: string, once: () => Promise<T>): Promise<T> {
    const { timer } = this.#service;
    return repeated(timer, timer.now() + READ_MS, passes, once).catch((error: unknown) => {
      throw this.#outage(call, key, error);
    });
  }

  #ask(method: Method, key: string, { headers = {}, body, query = {} }: More = {}) {
    return this.#service.ask((table) => {
      const target = targetOf({ bucket: this.#bucket, key }, table, this.#endpoint);
      return {
        ...{ ...target, method, query, headers: { ...target.headers, ...headers } },
        ...(body ? { body } : {}),
      };
    }, MAX_OCTETS);
  }

  /** For the log: which call, and what came of it. */
  #outage(call: string, key: string, error: unknown): Outage {
    const { name, message } = told(error);
    const about = message === '' || message === name ? name : `${name}: ${message}`;
    const remedy =
      name === 'NoSuchBucket'
        ? `it was deleted, or ${this.#setting} names another`
        : remedies[name];
    const advice = remedy === undefined ? '' : ` (${remedy})`;
    return new Outage(`the bucket ${this.#bucket}: ${call} of ${key} failed: ${about}${advice}`);
  }
}
