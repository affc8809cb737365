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

/** @throws {Malformed} where the file is no such archive */
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

async function octetsAt(file: FileHandle, { at, size }: Place): Promise<Bytes> {
  const octets = new Uint8Array(size);
  const { bytesRead } = await file.read(octets, 0, size, at);
  if (bytesRead < size) throw new Malformed('the archive ends too early');
  return octets;
}

/** Of its regular files, by their paths below the folder that was packed. */
async function placesIn(file: FileHandle, path: string): Promise<ReadonlyMap<string, Place>> {
  const { size: end } = await file.stat();
  const places = new Map<string, Place>();
  for (let at = 0; at + BLOCK <= end; ) {
    const block = await octetsAt(file, { at, size: BLOCK });
    if (block.every((octet) => octet === 0)) break;
    const text = (from: number, length: number): string =>
      fromLatin1(block.slice(from, from + length)).split('\0', 1)[0] ?? '';
    const size = Number.parseInt(text(124, 12), 8);
    const sum = Number.parseInt(text(148, 8), 8);
    const blank = block.slice();
    blank.set(latin1(' '.repeat(8)), 148);
    if (!(size >= 0) || sumOf(blank) !== sum) {
      throw new Malformed(
        `${path} is no tar archive (of one that is packed, too: unpack it first)`,
      );
    }
    const name = [text(345, 155), text(0, 100)].filter(Boolean).join('/').replace(/^\.\//, '');
    if (/^[0\0]?$/.test(text(156, 1))) {
      if (places.has(name)) throw new Malformed(`${path} has ${name} twice`);
      places.set(name, { at: at + BLOCK, size });
    }
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return withoutTop(places);
}

/** A folder that was packed as a whole is the first part of all paths. */
function withoutTop(places: ReadonlyMap<string, Place>): ReadonlyMap<string, Place> {
  const tops = new Set([...places.keys()].map((name) => name.slice(0, name.indexOf('/') + 1)));
  const [top = ''] = tops;
  if (tops.size !== 1) return places;
  return new Map([...places].map(([name, place]) => [name.slice(top.length), place]));
}
