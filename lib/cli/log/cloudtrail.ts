// CloudTrail as AWS delivers it: log files ({"Records": [...]}), gzipped or not, one in memory at a time, and digest files, if
// they are there. Whoever can write such files may have written anything: what is not of their form is said, by its file.

import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { fileFault } from '../../base/errors.ts';
import { isText } from '../../base/text.ts';
import { CliError } from '../io.ts';

/** A request to sign with a key of KMS. */
export type SignCall = {
  readonly eventID: string;
  readonly requestID: string;
  /** Milliseconds since 1970; CloudTrail has whole seconds. */
  readonly at: number;
  readonly key: string;
  /** The ARN of the role, or of whoever it was. */
  readonly role: string;
  /** It was refused: nothing was signed. */
  readonly refused: boolean;
};

/** @param record all that CloudTrail has of the call */
type OnSign = (call: SignCall, record: unknown) => void;

type Span = { readonly from: number; readonly until: number };

/** What an export can prove something about. */
export type Coverage = {
  /** Of the first and the last event, or of the digests. */
  readonly whole: Span | undefined;
  /** Inside of it: the times that events are missing of, for all that can be seen. */
  readonly gaps: readonly Span[];
  /** What the digests say against it. */
  readonly wrong: readonly string[];
};

/** One file; far more than CloudTrail puts into any. */
const MAX_OCTETS = 512 * 1024 * 1024;
const HOUR_MS = 3_600_000;

type Digest = Span & {
  readonly path: string;
  readonly hash: string;
  /** Hashes of the digest before it, and of its log files. */
  readonly previous: string | undefined;
  readonly logFiles: readonly string[];
};

/** The files of an export, read one after another. */
export class CloudTrail {
  readonly #hours = new Set<number>();
  readonly #hashes = new Set<string>();
  readonly #digests: Digest[] = [];
  #first = Number.POSITIVE_INFINITY;
  #last = Number.NEGATIVE_INFINITY;

  /**
   * @param paths files, or folders of them
   * @param sign gets each Sign of a key of KMS
   * @throws {CliError} that names the file that is none of CloudTrail
   */
  async read(paths: readonly string[], sign: OnSign): Promise<void> {
    for (const given of paths) {
      for (const path of await filesAt(given)) {
        const { hash, content } = await contentOf(path);
        const file = new Member(content, path);
        if (file.has('digestStartTime')) {
          this.#digests.push(digestOf(file, path, hash));
          continue;
        }
        this.#hashes.add(hash);
        for (const one of file.list('Records')) this.#add(one, sign);
      }
    }
  }

  #add(event: Member, sign: OnSign): void {
    const at = event.time('eventTime');
    this.#first = Math.min(this.#first, at);
    this.#last = Math.max(this.#last, at);
    this.#hours.add(Math.floor(at / HOUR_MS));
    const call = signIn(event);
    if (call) sign(call, event.value);
  }

  coverage(): Coverage {
    return this.#digests.length > 0 ? this.#byDigests() : this.#byHours();
  }

  /** An hour without any event, of whatever service, is one that events are missing of. */
  #byHours(): Coverage {
    if (this.#hours.size === 0) return { whole: undefined, gaps: [], wrong: [] };
    const hours = [...this.#hours].sort((a, b) => a - b);
    const gaps = hours.flatMap((hour, at) => {
      const next = hours[at + 1];
      return next === undefined || next === hour + 1
        ? []
        : [{ from: (hour + 1) * HOUR_MS, until: next * HOUR_MS }];
    });
    return { whole: { from: this.#first, until: this.#last }, gaps, wrong: [] };
  }

  /** Each digest names the log files of its hour by their hashes, and has the hash of the one before. */
  #byDigests(): Coverage {
    const digests = [
      ...new Map(
        this.#digests.sort((a, b) => a.from - b.from).map((digest) => [digest.hash, digest]),
      ).values(),
    ];
    const gaps: Span[] = [];
    const wrong: string[] = [];
    const named = new Set(digests.flatMap(({ logFiles }) => logFiles));
    for (const [at, digest] of digests.entries()) {
      const before = digests[at - 1];
      if (before && before.until < digest.from) {
        gaps.push({ from: before.until, until: digest.from });
      } else if (before && digest.previous !== before.hash) {
        wrong.push(`${before.path} is not the digest that ${digest.path} has the hash of`);
      }
      if (digest.logFiles.some((name) => !this.#hashes.has(name)))
        gaps.push({ from: digest.from, until: digest.until });
    }
    const strange = [...this.#hashes].filter((hash) => !named.has(hash)).length;
    if (strange > 0) wrong.push(`${strange} log files are in no digest, or were changed`);
    const [first, last] = [digests[0], digests.at(-1)];
    const whole = first && last && { from: first.from, until: last.until };
    return { whole, gaps, wrong };
  }
}

function signIn(event: Member): SignCall | undefined {
  if (event.text('eventSource') !== 'kms.amazonaws.com') return undefined;
  if (event.text('eventName') !== 'Sign') return undefined;
  const who = event.member('userIdentity');
  const issuer = who?.member('sessionContext')?.member('sessionIssuer');
  const keys = event.has('resources') ? event.list('resources') : [];
  const arn = keys.map((key) => key.maybe('ARN')).find((name) => name?.includes(':key/'));
  return {
    eventID: event.text('eventID'),
    requestID: event.text('requestID'),
    at: event.time('eventTime'),
    key: arn ?? event.member('requestParameters')?.maybe('keyId') ?? '',
    role: issuer?.maybe('arn') ?? who?.maybe('arn') ?? who?.maybe('principalId') ?? 'nobody',
    refused: event.has('errorCode'),
  };
}

/** The requests to sign in a text of CloudTrail's form. @throws {CliError} that names what is none */
export function signsIn(content: unknown, where: string): readonly SignCall[] {
  return new Member(content, where).list('Records').flatMap((one) => signIn(one) ?? []);
}

/** Of a folder as the bucket has it: all files below it. */
async function filesAt(path: string): Promise<readonly string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = await readdir(path, { recursive: true });
    return names
      .filter((name) => /\.json(\.gz)?$/.test(name))
      .sort()
      .map((name) => join(path, name));
  } catch (error) {
    throw new CliError('notFound', `--cloudtrail: ${fileFault(error) ?? String(error)}`);
  }
}

/** Hashes are of what is in the file, without gzip, as digests have them. */
async function contentOf(path: string): Promise<{ hash: string; content: unknown }> {
  const octets = await readFile(path);
  const isGzip = octets[0] === 0x1f && octets[1] === 0x8b;
  try {
    const plain = isGzip ? gunzipSync(octets, { maxOutputLength: MAX_OCTETS }) : octets;
    const hash = createHash('sha256').update(plain).digest('hex');
    return { hash, content: JSON.parse(plain.toString('utf8')) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError('failure', `--cloudtrail: ${path} is no JSON of CloudTrail: ${why}`);
  }
}

const digestOf = (file: Member, path: string, hash: string): Digest => ({
  ...{ path, hash },
  from: file.time('digestStartTime'),
  until: file.time('digestEndTime'),
  previous: file.maybe('previousDigestHashValue'),
  logFiles: file.list('logFiles').map((one) => one.text('hashValue')),
});

/** The longest text that is read of an event. */
const MAX_CHARACTERS = 2048;

/** An object of a file, of which nothing is believed; null is as good as absent. */
class Member {
  readonly value: unknown;
  readonly #members: ReadonlyMap<string, unknown>;
  readonly #where: string;

  /** @throws {CliError} if it is no object */
  constructor(value: unknown, where: string) {
    this.#where = where;
    this.value = value;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.#wrong('an object');
    }
    this.#members = new Map(Object.entries(value).filter(([, member]) => member !== null));
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  maybe(name: string): string | undefined {
    return this.has(name) ? this.text(name) : undefined;
  }

  text(name: string): string {
    const value = this.#members.get(name);
    if (isText(value) && value.length <= MAX_CHARACTERS) return value;
    throw this.#wrong('a text', name);
  }

  /** Milliseconds since 1970. */
  time(name: string): number {
    const text = this.text(name);
    const at = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(text) ? Date.parse(text) : Number.NaN;
    if (Number.isNaN(at)) throw this.#wrong('a time', name);
    return at;
  }

  member(name: string): Member | undefined {
    return this.has(name) ? new Member(this.#members.get(name), this.#of(name)) : undefined;
  }

  list(name: string): Member[] {
    const value = this.#members.get(name);
    if (!Array.isArray(value)) throw this.#wrong('a list', name);
    return value.map((one: unknown, at) => new Member(one, this.#of(`${name}[${at}]`)));
  }

  #of(name: string): string {
    return `${this.#where}: ${name}`;
  }

  #wrong(what: string, name?: string): CliError {
    const where = name === undefined ? this.#where : this.#of(name);
    return new CliError('failure', `--cloudtrail: ${where}: ${what} is expected of CloudTrail`);
  }
}
