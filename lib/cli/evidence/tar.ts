// A bundle: the files of a folder in one tar archive (POSIX ustar), as any system packs and unpacks it. Only the places
// of its files are kept in memory.

import { type FileHandle, open } from 'node:fs/promises';
import { type Bytes, concat, fromLatin1, latin1, utf8 } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';

const BLOCK = 512;
/** A year in which no archive was made, so that the same files are the same archive. */
const MADE = 0;

const padded = (octets: Bytes): Bytes[] => [
  octets,
  new Uint8Array((BLOCK - (octets.length % BLOCK)) % BLOCK),
];

/** @param files by their paths, of at most 100 octets */
export const tarOf = (files: ReadonlyMap<string, Bytes>): Bytes =>
  concat([
    ...[...files].flatMap(([path, octets]) => [headerOf(path, octets.length), ...padded(octets)]),
    new Uint8Array(2 * BLOCK),
  ]);

function headerOf(path: string, size: number): Bytes {
  const block = new Uint8Array(BLOCK);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  const put = (at: number, text: string) => block.set(utf8(text), at);
  put(0, path);
  put(100, octal(0o644, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(size, 11));
  put(136, octal(MADE, 11));
  put(148, ' '.repeat(8));
  put(156, '0');
  put(257, 'ustar\0');
  put(263, '00');
  put(148, `${octal(sumOf(block), 6)} `);
  return block;
}

const sumOf = (block: Bytes): number => block.reduce((sum, octet) => sum + octet, 0);

type Place = { readonly at: number; readonly size: number };

/** Octets of one file that is read: a bundle of 256 events has half of it at the most. */
const MAX_FILE_OCTETS = 32 * 1024 * 1024;
/** Files in an archive: those of a log of a hundred million events. */
const MAX_FILES = 1_000_000;
/** Octets of zeros that end it; archivers fill up a record of some kilobytes. */
const MAX_END = 1024 * 1024;
const MAX_EXTENSION = 64 * 1024;

/**
 * Whatever one unpacks from the archive is what was read here: it has plain files and folders only, each name once, and
 * nothing behind its end.
 * @throws {Malformed} where the file is no such archive
 */
export async function openTar(path: string) {
  const file = await open(path);
  try {
    const places = await placesIn(file, path);
    const read = async (name: string): Promise<Bytes | undefined> => {
      const place = places.get(name);
      return place && octetsAt(file, place);
    };
    return { read, names: [...places.keys()], close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** @throws {Malformed} */
export function requireReadable(name: string, size: number): void {
  if (size <= MAX_FILE_OCTETS) return;
  throw new Malformed(
    `${name} has ${size} octets: no file of a log or of evidence has more than ${MAX_FILE_OCTETS}`,
  );
}

async function octetsAt(file: FileHandle, { at, size }: Place): Promise<Bytes> {
  const octets = new Uint8Array(size);
  const { bytesRead } = await file.read(octets, 0, size, at);
  if (bytesRead < size) throw new Malformed('the archive ends too early');
  return octets;
}

/** Of its files, by their paths below the folder that was packed. */
async function placesIn(file: FileHandle, path: string): Promise<ReadonlyMap<string, Place>> {
  const { size: end } = await file.stat();
  const places = new Map<string, Place>();
  for (let at = 0; at + BLOCK <= end; ) {
    const block = await octetsAt(file, { at, size: BLOCK });
    if (block.every((octet) => octet === 0)) {
      await requireEnd(file, path, { at, size: end - at });
      break;
    }
    const { name, type, size } = headerIn(block, path);
    const next = at + BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    if (at + BLOCK + size > end) throw new Malformed(`${path} ends within ${name}`);
    if (type === 'file') {
      requireReadable(name, size);
      if (places.has(name)) throw new Malformed(`${path} has ${name} twice`);
      places.set(name, { at: at + BLOCK, size });
      if (places.size > MAX_FILES) throw new Malformed(`${path} has more than ${MAX_FILES} files`);
    } else if (type === 'extension') {
      if (size > MAX_EXTENSION) throw notPlain(path, name);
      requireHarmless(fromLatin1(await octetsAt(file, { at: at + BLOCK, size })), path);
    }
    at = next;
  }
  return withoutTop(places);
}

function headerIn(block: Bytes, path: string) {
  const text = (from: number, length: number): string =>
    fromLatin1(block.slice(from, from + length)).split('\0', 1)[0] ?? '';
  const number = (from: number, length: number): number =>
    /^ *[0-7]+ *$/.test(text(from, length)) ? Number.parseInt(text(from, length), 8) : Number.NaN;
  const size = number(124, 12);
  const blank = block.slice();
  blank.set(latin1(' '.repeat(8)), 148);
  if (Number.isNaN(size) || sumOf(blank) !== number(148, 8)) {
    throw new Malformed(`${path} is no tar archive (of one that is packed, too: unpack it first)`);
  }
  const name = [text(345, 155), text(0, 100)].filter(Boolean).join('/').replace(/^\.\//, '');
  const types = { '': 'file', '0': 'file', '5': 'folder', x: 'extension', g: 'extension' } as const;
  const type = Object.entries(types).find(([flag]) => flag === text(156, 1))?.[1];
  if (!type || (type === 'folder' && size > 0)) throw notPlain(path, name);
  return { name, type, size };
}

const notPlain = (path: string, name: string): Malformed =>
  new Malformed(
    `${path} has ${name}, which is no plain file: it would unpack to something else than was verified`,
  );

/** What POSIX pax says of the next file, such as its times to the nanosecond: not another name, content or length. */
function requireHarmless(records: string, path: string): void {
  for (const [, key = ''] of records.matchAll(/(?:^|\n)[ \t]*\d+[ \t]+([^=\n]*)=/g)) {
    const harmless =
      /^([acm]time|[ug]id|[ug]name|comment|LIBARCHIVE\.(creation|xattr\..*)|SCHILY\.xattr\..*)$/;
    if (!harmless.test(key)) throw notPlain(path, `a header ${key}`);
  }
}

/** Some unpack what comes behind a block of zeros. */
async function requireEnd(file: FileHandle, path: string, { at, size }: Place): Promise<void> {
  const rest = size > MAX_END ? undefined : await octetsAt(file, { at, size });
  if (rest?.every((octet) => octet === 0)) return;
  throw new Malformed(`${path} goes on behind its end: what is there may be unpacked, too`);
}

/** A folder that was packed as a whole is the first part of all paths. */
function withoutTop(places: ReadonlyMap<string, Place>): ReadonlyMap<string, Place> {
  const tops = new Set<string>();
  for (const name of places.keys()) tops.add(name.slice(0, name.indexOf('/') + 1));
  const [top = ''] = tops;
  if (tops.size !== 1) return places;
  return new Map([...places].map(([name, place]) => [name.slice(top.length), place]));
}
