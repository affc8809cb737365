// The files of an evidence folder: where they are, and each as strictly as it was written, so that nothing hides in one.

import { type Bytes, fromPem, fromUtf8, pem } from '../base/bytes.ts';
import { Malformed } from '../base/errors.ts';
import { canonicalText, type Json } from '../base/json.ts';
import { type Withheld, withheldWords } from '../base/words.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';

/** @returns undefined where there is no such file */
export type ReadFile = (path: string) => Promise<Bytes | undefined>;

/** Where its files are. */
export const evidencePaths = {
  manifest: 'evidence.json',
  page: 'index.html',
  chain: 'chain.pem',
  configuration: 'configuration.json',
  cloudtrail: 'cloudtrail.json',
  certificate: (serial: string) => `${serial}/certificate.pem`,
  request: (serial: string) => `${serial}/request.pem`,
  event: (id: string) => `events/${id}.json`,
  personal: (id: string) => `events/${id}.personal.json`,
  proof: (id: string) => `events/${id}.tlog-proof`,
} as const;

/** What is in the folder. */
export type EvidenceContents = {
  readonly v: 1;
  /** When it was made, ISO 8601: by its own word. */
  readonly made: string;
  /** Whom it was asked for: a serial number, or a device. */
  readonly of: string;
  readonly certificates: readonly {
    readonly serial: string;
    /** `whole`: as it came; or why it is not in the folder. */
    readonly request: 'whole' | Withheld;
  }[];
  /** Their ids. */
  readonly events: readonly string[];
  readonly configuration: boolean;
  readonly cloudtrail: boolean;
};

/** All files that may be in the folder. */
export const filesNamed = (contents: EvidenceContents): ReadonlySet<string> =>
  new Set([
    ...[evidencePaths.manifest, evidencePaths.page, evidencePaths.chain],
    ...contents.certificates.flatMap(({ serial, request }) => [
      evidencePaths.certificate(serial),
      ...(request === 'whole' ? [evidencePaths.request(serial)] : []),
    ]),
    ...contents.events.flatMap((id) => [
      ...[evidencePaths.event(id), evidencePaths.personal(id), evidencePaths.proof(id)],
    ]),
    ...(contents.configuration ? [evidencePaths.configuration] : []),
    ...(contents.cloudtrail ? [evidencePaths.cloudtrail] : []),
  ]);

export const manifestText = (manifest: EvidenceContents): string => `${canonicalText(manifest)}\n`;

/** @throws {Malformed} where it is missing, or no text in UTF-8 */
export async function fileText(read: ReadFile, path: string): Promise<string> {
  const octets = await read(path);
  if (!octets) {
    const { manifest } = evidencePaths;
    throw wrong(path, path === manifest ? 'is missing' : `is missing, and ${manifest} needs it`);
  }
  try {
    return fromUtf8(octets);
  } catch {
    throw new Malformed(`${path} is no text in UTF-8`);
  }
}

/** @throws {Malformed} that begins with the file */
export const wrong = (path: string, why: string): Malformed => new Malformed(`${path} ${why}`);

const isSerial = (text: unknown): text is string =>
  typeof text === 'string' && /^([0-9a-f]{2}){1,20}$/.test(text);
const isUlid = (text: unknown): text is string =>
  typeof text === 'string' && /^[0-9A-HJKMNP-TV-Z]{26}$/.test(text);

export function readManifest(text: string): EvidenceContents {
  const path = evidencePaths.manifest;
  let said: EvidenceContents;
  try {
    said = Object(JSON.parse(text));
  } catch {
    throw wrong(path, 'is no JSON');
  }
  const { v, made, of, certificates, events, configuration, cloudtrail } = said;
  if (v !== 1) throw wrong(path, 'is of another form than this release knows');
  const words: readonly unknown[] = ['whole', ...withheldWords];
  const good =
    typeof made === 'string' &&
    typeof of === 'string' &&
    Array.isArray(certificates) &&
    certificates.length > 0 &&
    certificates.every((one) => isSerial(Object(one).serial) && words.includes(one.request)) &&
    Array.isArray(events) &&
    events.every(isUlid) &&
    typeof configuration === 'boolean' &&
    typeof cloudtrail === 'boolean';
  if (!good) throw wrong(path, 'is no list of what is in such a folder');
  const read: EvidenceContents = { v, made, of, certificates, events, configuration, cloudtrail };
  if (`${canonicalIn(read, path)}\n` !== text) throw wrong(path, 'is not as it was written');
  for (const all of [certificates.map(({ serial }) => serial), events]) {
    if (new Set(all).size < all.length) throw wrong(path, 'has something twice');
  }
  return read;
}

/** The one thing that the file has, written as it is written here: nothing hides beside it. */
export async function pemOf<T>(
  read: ReadFile,
  path: string,
  label: string,
  parse: (der: Bytes) => T,
): Promise<T> {
  const text = await fileText(read, path);
  try {
    const [der, ...more] = fromPem(label, text);
    if (!der || more.length > 0 || pem(label, der) !== text) throw new SyntaxError('PEM');
    return parse(der);
  } catch (error) {
    if (!(error instanceof Malformed || error instanceof SyntaxError)) throw error;
    throw wrong(path, `is not one ${label} in PEM, and nothing else`);
  }
}

export async function readChain(read: ReadFile): Promise<readonly Certificate[]> {
  const path = evidencePaths.chain;
  const text = await fileText(read, path);
  try {
    const found = fromPem('CERTIFICATE', text);
    if (found.map((der) => pem('CERTIFICATE', der)).join('') !== text) throw new SyntaxError('PEM');
    return found.map(readCertificate);
  } catch (error) {
    if (!(error instanceof Malformed || error instanceof SyntaxError)) throw error;
    throw wrong(path, 'has something else than certificates in PEM');
  }
}

/** @throws {Malformed} */
export function jsonIn(text: string, path: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw wrong(path, 'is no JSON');
  }
}

/** @throws {Malformed} for text that is no Unicode */
function canonicalIn(value: Json, path: string): string {
  try {
    return canonicalText(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw wrong(path, 'has text that is no Unicode');
  }
}
