// The file that `scepter backup` writes: a tar archive (POSIX ustar) that begins with `manifest.json`, which
// has the size and SHA-256 of everything after it. With a passphrase the whole archive is sealed: a key from
// scrypt (RFC 7914), AES-256-GCM over all of it. Nothing of a backup is in use before it was read to its end.

import { createCipheriv, createDecipheriv, createHash, randomBytes, scrypt } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Bytes, concat, fromUtf8, hex, utf8 } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';

export type BackupEntry = { readonly name: string; readonly size: number; readonly sha256: string };

export type Manifest = {
  readonly form: 1;
  /** The release that made it. */
  readonly release: string;
  readonly madeAt: string;
  readonly records: number;
  /** How many of them this service had not written. */
  readonly altered: number;
  readonly files: readonly BackupEntry[];
};

const BLOCK = 512;
const MAX_MANIFEST_OCTETS = 4_000_000;
const FORM = 1;
const sealedMark = utf8('scepter sealed backup 1\n');
const SALT_OCTETS = 16;
const NONCE_OCTETS = 12;
const TAG_OCTETS = 16;
const cost = { N: 2 ** 17, r: 8, p: 1, maxmem: 2 ** 28 };
/** What a backup may hold, so that none of its names leaves the folder that it is restored into. */
const names =
  /^(?:scepter\.db|token|keys\/[A-Za-z0-9][A-Za-z0-9._-]{0,200}|log\/[a-z0-9][a-z0-9.-]{0,40}\/(?:checkpoint|verifier-key|tile\/(?:entries|\d{1,2})\/(?:x\d{3}\/)*\d{3}(?:\.p\/\d{1,3})?))$/;

const scryptAsync = promisify<string, Uint8Array, number, typeof cost, Uint8Array>(scrypt);
const keyOf = (passphrase: string, salt: Uint8Array): Promise<Uint8Array> =>
  scryptAsync(passphrase.normalize('NFC'), salt, 32, cost);

/** Of a file as it is now. */
export async function entryOf(name: string, path: string): Promise<BackupEntry> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { name, size, sha256: hash.digest('hex') };
}

type Writing = {
  readonly manifest: Manifest;
  /** Where each of its files is. */
  readonly pathOf: (name: string) => string;
  readonly passphrase: string | undefined;
};

/** Writes the file whole or not at all, mode 0600. @throws {Error} if there is one of this name */
export async function writeBackup(target: string, what: Writing): Promise<void> {
  if (await stat(target).catch(() => undefined)) throw new Error(`${target} is there already`);
  const half = `${target}.part`;
  await rm(half, { force: true });
  const file = await open(half, 'wx', 0o600);
  try {
    await writeTo(file, what);
    await file.sync();
    await file.close();
    await rename(half, target);
    await syncFolder(dirname(target));
  } catch (error) {
    await file.close().catch(() => {});
    await rm(half, { force: true });
    throw error;
  }
}

async function writeTo(file: FileHandle, { manifest, pathOf, passphrase }: Writing): Promise<void> {
  const put = async (octets: Uint8Array): Promise<void> => {
    await file.writeFile(octets);
  };
  if (passphrase === undefined) {
    for await (const octets of archiveOf(manifest, pathOf)) await put(octets);
    return;
  }
  const salt = randomBytes(SALT_OCTETS);
  const head = concat([sealedMark, salt, randomBytes(NONCE_OCTETS)]);
  const key = await keyOf(passphrase, salt);
  const cipher = createCipheriv('aes-256-gcm', key, head.subarray(-NONCE_OCTETS)).setAAD(head);
  await put(head);
  for await (const octets of archiveOf(manifest, pathOf)) await put(cipher.update(octets));
  await put(cipher.final());
  await put(cipher.getAuthTag());
}

async function* archiveOf(
  manifest: Manifest,
  pathOf: Writing['pathOf'],
): AsyncGenerator<Uint8Array, void> {
  const text = utf8(`${JSON.stringify(manifest, undefined, 2)}\n`);
  const seconds = Math.floor(Date.parse(manifest.madeAt) / 1000);
  yield concat([header('manifest.json', text.length, seconds), text, padding(text.length)]);
  for (const { name, size } of manifest.files) {
    yield header(name, size, seconds);
    let sent = 0;
    for await (const chunk of createReadStream(pathOf(name))) {
      sent += chunk.length;
      yield chunk;
    }
    if (sent !== size) throw new Error(`${name} has changed while it was copied: run this again`);
    yield padding(size);
  }
  yield new Uint8Array(2 * BLOCK);
}

const padding = (size: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);

/** POSIX.1-1988 "ustar"; a size beyond its eleven octal digits is in base 256, as GNU tar writes it. */
function header(name: string, size: number, seconds: number): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK);
  const put = (at: number, text: string) => block.set(utf8(text), at);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0');
  put(0, name);
  put(100, `${octal(0o600, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`);
  if (size < 8 ** 11) put(124, `${octal(size, 11)}\0`);
  else {
    block[124] = 0x80;
    new DataView(block.buffer).setBigUint64(128, BigInt(size));
  }
  put(136, `${octal(seconds, 11)}\0        0`);
  put(257, 'ustar\x0000');
  put(
    148,
    `${octal(
      block.reduce((sum, octet) => sum + octet, 0),
      6,
    )}\0 `,
  );
  return block;
}

async function all(octets: AsyncIterable<Uint8Array>): Promise<Bytes> {
  const pieces: Uint8Array[] = [];
  for await (const piece of octets) pieces.push(piece);
  return concat(pieces);
}

/** What is wrong with a file that is to be a backup, in a sentence that goes on after its name. */
const notOne = (why: string): Malformed => new Malformed(why);
const truncated = (): Malformed => notOne('ends too early: it is a part of a backup');

/**
 * Reads all of a backup, and writes its files into a folder where one is given.
 * @throws {Malformed} with a sentence that goes on after the file's name
 */
export async function readBackup(
  path: string,
  passphrase: string | undefined,
  folder?: string,
): Promise<Manifest> {
  const source = new Source(await clear(path, passphrase));
  const first = await source.header();
  if (first.name !== 'manifest.json' || first.size > MAX_MANIFEST_OCTETS) {
    throw notOne('is no backup of this service');
  }
  const manifest = manifestIn(await all(source.body(first.size)));
  for (const entry of manifest.files) {
    const { name, size } = await source.header();
    if (name !== entry.name || size !== entry.size) throw notOne('does not hold what it says');
    if ((await copy(source.body(size), folder, name)) !== entry.sha256) {
      throw notOne(`is damaged: ${name} is not what was backed up`);
    }
  }
  await source.end();
  return manifest;
}

/** @returns the SHA-256 of what it was given */
async function copy(
  body: AsyncIterable<Uint8Array>,
  folder: string | undefined,
  name: string,
): Promise<string> {
  const hash = createHash('sha256');
  const path = folder === undefined ? undefined : join(folder, name);
  if (path !== undefined) await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = path === undefined ? undefined : await open(path, 'wx', 0o600);
  try {
    for await (const octets of body) {
      hash.update(octets);
      await file?.writeFile(octets);
    }
    await file?.sync();
  } finally {
    await file?.close();
  }
  return hash.digest('hex');
}

function manifestIn(octets: Bytes): Manifest {
  const read = (): Manifest => {
    try {
      return Object(JSON.parse(fromUtf8(octets)));
    } catch {
      throw notOne('is no backup of this service');
    }
  };
  const manifest = read();
  const { form, release, madeAt, records, altered, files } = manifest;
  if (form !== FORM) {
    throw notOne(`was made by another release (${String(release)}): restore it with that`);
  }
  const good =
    [records, altered].every(Number.isSafeInteger) &&
    isTime(madeAt) &&
    Array.isArray(files) &&
    files.map(Object).every(({ name }) => typeof name === 'string' && names.test(name));
  if (!good || !files.some(({ name }) => name === 'scepter.db')) {
    throw notOne('does not hold the files of a data folder');
  }
  return manifest;
}

/** It goes into an event. */
const isTime = (text: unknown): boolean =>
  typeof text === 'string' && /^[\dT:.-]{20,26}Z$/.test(text) && !Number.isNaN(Date.parse(text));

/** The archive as octets, unsealed where it is sealed; its end is proven when it is reached. */
async function clear(
  path: string,
  passphrase: string | undefined,
): Promise<AsyncIterable<Uint8Array>> {
  const { size } = await stat(path);
  const head = await all(
    createReadStream(path, { end: sealedMark.length + SALT_OCTETS + NONCE_OCTETS - 1 }),
  );
  const isSealed = hex(head.subarray(0, sealedMark.length)) === hex(sealedMark);
  if (!isSealed) {
    if (passphrase !== undefined) throw notOne('is not sealed: leave --passphrase-file out');
    return createReadStream(path);
  }
  if (passphrase === undefined) throw notOne('is sealed: give its passphrase, --passphrase-file');
  const end = size - TAG_OCTETS;
  if (end <= head.length) throw truncated();
  const tag = await all(createReadStream(path, { start: end }));
  const salt = head.subarray(sealedMark.length, sealedMark.length + SALT_OCTETS);
  const key = await keyOf(passphrase, salt);
  const decipher = createDecipheriv('aes-256-gcm', key, head.subarray(-NONCE_OCTETS))
    .setAAD(head)
    .setAuthTag(tag);
  const unsealed = async function* () {
    for await (const chunk of createReadStream(path, { start: head.length, end: end - 1 })) {
      yield decipher.update(chunk);
    }
    try {
      decipher.final();
    } catch {
      throw wrongKey();
    }
  };
  return unsealed();
}

const wrongKey = (): Malformed =>
  notOne('does not open: the passphrase is another, or the file is damaged');

/** Octets as they come, taken in the pieces that tar has. */
class Source {
  readonly #octets: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(octets: AsyncIterable<Uint8Array>) {
    this.#octets = octets[Symbol.asyncIterator]();
  }

  async header(): Promise<{ readonly name: string; readonly size: number }> {
    const block = await all(this.#take(BLOCK));
    const text = (from: number, to: number) =>
      String.fromCharCode(...block.subarray(from, to)).replace(/\0.*$/s, '');
    // What was unsealed with another key is no archive.
    if (text(257, 262) !== 'ustar')
      throw notOne(
        'does not open: it is no backup of this service, it is damaged, or its passphrase is another',
      );
    const size =
      block[124] === 0x80
        ? Number(new DataView(block.buffer).getBigUint64(128))
        : Number.parseInt(text(124, 136), 8);
    if (!Number.isSafeInteger(size)) throw notOne('is damaged');
    return { name: text(0, 100), size };
  }

  async *body(size: number): AsyncGenerator<Uint8Array, void> {
    yield* this.#take(size);
    for await (const _ of this.#take(padding(size).length)) {
      // What fills the last block says nothing.
    }
  }

  /** Reads to the end, where a sealed archive proves that it is whole. */
  async end(): Promise<void> {
    for await (const _ of this.#take(2 * BLOCK)) {
      // Two empty blocks end a tar archive.
    }
    const { done } = await this.#octets.next();
    if (!done || this.#rest.length > 0) throw notOne('has more than a backup has');
  }

  async *#take(count: number): AsyncGenerator<Uint8Array, void> {
    for (let left = count; left > 0; ) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#octets.next();
        if (done) throw truncated();
        this.#rest = value;
      }
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      if (piece.length > 0) yield piece;
    }
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  // Windows and some network file systems cannot.
  await folder.sync().catch(() => {});
  await folder.close();
}
