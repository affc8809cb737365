// The files of logs in a bucket of S3. The key of an object is the path of its URL, `log/LOG/...`.
//
//   read     GetObject, which is consistent
//   write    PutObject
//   swap     GetObject; PutObject on condition that the object is still that one, or that there is still none
//   remove   DeleteObject; of a folder ListObjectsV2 before
//
// The bucket keeps every version of every object under Object Lock as long as its default retention says: what is written
// over or removed here is still there for whoever looks at versions. Only a role that may bypass the lock can delete one.

import { type Bytes, equal } from '../../../base/bytes.ts';
import { MAX_QUERIES_AT_ONCE } from '../../../base/limits.ts';
import type { LogFiles } from '../../../ports/log-files.ts';
import type { Timer } from '../aws.ts';
import { S3Objects } from './objects.ts';
import type { S3Access } from './s3.ts';

const keyOf = (path: string): string => `log/${path}`;

const typeOf = (path: string): string =>
  path.endsWith('/checkpoint') ? 'text/plain; charset=utf-8' : 'application/octet-stream';

export class S3LogFiles implements LogFiles {
  readonly #objects: S3Objects;

  /** @param timer for tests */
  constructor(bucket: string, access: S3Access = {}, timer?: Timer) {
    this.#objects = new S3Objects({ bucket, setting: 'SCEPTER_LOGS' }, access, timer);
  }

  close(): void {
    this.#objects.close();
  }

  async read(path: string): Promise<Bytes | undefined> {
    return (await this.#objects.find('GET', keyOf(path)))?.octets;
  }

  async write(path: string, octets: Bytes): Promise<void> {
    await this.#put(path, octets, {});
  }

  async swap(path: string, octets: Bytes, expected: Bytes | undefined): Promise<boolean> {
    if (!expected) return this.#put(path, octets, { 'if-none-match': '*' });
    const found = await this.#objects.find('GET', keyOf(path));
    if (!found || !equal(found.octets, expected)) return false;
    return this.#put(path, octets, { 'if-match': found.headers.etag ?? '' });
  }

  async remove(path: string): Promise<void> {
    const key = keyOf(path);
    const keys = (path.endsWith('/') ? await this.#objects.keysUnder(key) : [key]).values();
    const lane = async (): Promise<void> => {
      for (const one of keys) await this.#objects.delete(one);
    };
    await Promise.all(Array.from({ length: MAX_QUERIES_AT_ONCE }, lane));
  }

  async #put(path: string, octets: Bytes, condition: Record<string, string>): Promise<boolean> {
    const isOurs = async (): Promise<boolean> => {
      const there = await this.read(path);
      return there !== undefined && equal(there, octets);
    };
    const headers = { 'content-type': typeOf(path), ...condition };
    return (await this.#objects.put(keyOf(path), octets, headers, isOurs)) === 'done';
  }
}
