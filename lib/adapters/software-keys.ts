// Keys in files of mode 0600, for the embedded default: CA keys, RA keys, MAC keys. Nothing here is
// sealed against whoever can read the folder, which is why a production start refuses it.

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { type Bytes, concat, fromHex, fromUtf8, utf8 } from '../base/bytes.ts';
import { Outage } from '../base/errors.ts';
import { digests, type KeySpec, type SigningAlgorithm } from '../crypto/algorithms.ts';
import type { MacKey, MacKeys } from '../ports/mac-keys.ts';
import type { RaKeys, SealContext } from '../ports/ra-keys.ts';
import type { Signer } from '../ports/signer.ts';

const LOG_KEY = 'log';
const makePair = promisify(generateKeyPair);
const signAsync = promisify(sign);

export class SoftwareKeys {
  readonly #folder: string;
  readonly #begins: boolean;
  readonly #signing = new Map<string, Promise<KeyObject>>();
  #macKeys: Promise<readonly [MacKey, ...MacKey[]]> | undefined;

  private constructor(folder: string, begins: boolean) {
    this.#folder = folder;
    this.#begins = begins;
  }

  /**
   * @param folder is made with mode 0700 if it does not exist
   * @param begins nothing has been written with its MAC keys yet: they may be made
   * @throws {Error} when its MAC keys are damaged, or were lost
   */
  static async open(folder: string, { begins = true } = {}): Promise<SoftwareKeys> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    const keys = new SoftwareKeys(folder, begins);
    // It is made before any other key of the folder: if it is missing beside other keys, it was lost.
    await keys.macKeys.live('record');
    return keys;
  }

  readonly signer: Signer = {
    create: async (ca: string, spec: KeySpec) => {
      const reference = `ca-${ca}-${randomBytes(4).toString('hex')}`;
      await this.#generate(reference, spec);
      return reference;
    },
    // From the private key: without it the CA could not sign.
    publicKey: async (reference) => {
      const key = createPublicKey(await this.#signingKey(reference));
      return concat([key.export({ type: 'spki', format: 'der' })]);
    },
    sign: async (reference, { digest }: SigningAlgorithm, tbs) => {
      const key = await this.#signingKey(reference);
      return { octets: concat([await signAsync(digests[digest].node, tbs, key)]), requests: {} };
    },
  };

  readonly raKeys: RaKeys = {
    generate: async ({ ca, purpose }) => {
      const reference = `${purpose}-${ca}-${randomBytes(4).toString('hex')}`;
      const spki = await this.#generate(reference, { type: 'RSA', bits: 2048 });
      return { spki, sealed: utf8(reference) };
    },
    unseal: async (sealed, { ca, purpose }: SealContext) => {
      const reference = fromUtf8(sealed);
      if (!new RegExp(`^${purpose}-${ca}-[0-9a-f]{8}$`).test(reference)) {
        throw new Error(`"${reference}" is not a key of the CA "${ca}"`);
      }
      const path = `${reference}.p8`;
      const remedy = `, or replace it: "scepter ca rotate-ra ${ca} --force", three times`;
      const pkcs8 = await this.#readKey(path, remedy);
      this.#parsed(path, pkcs8);
      return pkcs8;
    },
  };

  /** The key of the logs: ECDSA on P-256. */
  readonly logKey = {
    /** SubjectPublicKeyInfo, DER. @throws {Outage} where it was lost */
    publicKey: async (): Promise<Bytes> => {
      if (await this.#has(`${LOG_KEY}.p8`)) return this.signer.publicKey(LOG_KEY);
      throw new Outage(
        `${join(this.#folder, `${LOG_KEY}.p8`)}, the key of the logs, is missing, and nothing gets into them: restore it from a backup; if it is lost, "scepter log recover NAME --new-key" of each log (system, and every CA) ends that one and begins the next under another key`,
      );
    },
    /** Makes it where it is missing: all that was signed with the one before has to have ended. */
    make: async (): Promise<void> => {
      if (await this.#has(`${LOG_KEY}.p8`)) return;
      this.#signing.delete(LOG_KEY);
      await this.#generate(LOG_KEY, { type: 'EC', curve: 'P-256' });
    },
    /** Whether there was one: it may be lost. */
    wasMade: (): Promise<boolean> => this.#has(`${LOG_KEY}.spki`),
    sign: async (text: Bytes): Promise<Bytes> =>
      (await this.signer.sign(LOG_KEY, { kind: 'ECDSA', digest: 'SHA-256' }, text)).octets,
  };

  /** References of the keys that were made for CAs. */
  readonly caKeys = async (): Promise<readonly string[]> => {
    const files = await readdir(this.#folder);
    return files.flatMap((name) => /^(ca-.+)\.p8$/.exec(name)?.[1] ?? []).sort();
  };

  /** One key for all purposes: whoever has this folder has every key anyway. */
  readonly macKeys: MacKeys = {
    live: () => {
      this.#macKeys ??= this.#loadMacKeys().catch((error) => {
        this.#macKeys = undefined; // the next request tries again
        throw error;
      });
      return this.#macKeys;
    },
  };

  async #has(name: string): Promise<boolean> {
    return (await readdir(this.#folder)).includes(name);
  }

  async #generate(reference: string, spec: KeySpec): Promise<Bytes> {
    const pair =
      spec.type === 'RSA'
        ? await makePair('rsa', { modulusLength: spec.bits })
        : await makePair('ec', { namedCurve: spec.curve });
    const privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'der' });
    const publicKey = pair.publicKey.export({ type: 'spki', format: 'der' });
    await this.#write(`${reference}.p8`, privateKey);
    await this.#write(`${reference}.spki`, publicKey);
    return concat([publicKey]);
  }

  #signingKey(reference: string): Promise<KeyObject> {
    const known = this.#signing.get(reference);
    if (known) return known;
    const name = `${reference}.p8`;
    const key = this.#readKey(name).then((pkcs8) => this.#parsed(name, pkcs8));
    this.#signing.set(reference, key);
    key.catch(() => this.#signing.delete(reference));
    return key;
  }

  async #loadMacKeys(): Promise<readonly [MacKey, ...MacKey[]]> {
    const name = 'mac-keys.json';
    try {
      return parseMacKeys(fromUtf8(await this.#read(name)));
    } catch (error) {
      const damaged = error instanceof SyntaxError || error instanceof TypeError;
      if (damaged)
        throw new Error(`${join(this.#folder, name)} is damaged: restore it from a backup`);
      if (!isMissing(error)) throw error;
    }
    // With a fresh MAC key every record would look altered.
    if (!this.#begins || (await readdir(this.#folder)).some((file) => file.endsWith('.p8'))) {
      throw new Error(
        `${join(this.#folder, name)} is missing: the records were written with it; restore the folder of keys from a backup, or ${beginAnew}`,
      );
    }
    const stored = { id: randomBytes(4).toString('hex'), key: randomBytes(32).toString('hex') };
    await this.#write(name, utf8(JSON.stringify([stored])));
    return [restore(stored)];
  }

  /** The records may be a shared or restored table whose keys are in another folder. */
  async #readKey(name: string, remedy = ''): Promise<Bytes> {
    // An operator may name a key through a server.
    if (basename(name) !== name) throw new Error(`${name} is not the name of a key`);
    try {
      return await this.#read(name);
    } catch (error) {
      if (!isMissing(error)) throw error;
      throw new Error(
        `${join(this.#folder, name)} is missing: restore it from a backup, or set SCEPTER_DATA_DIR to the folder of these records' keys${remedy}`,
      );
    }
  }

  #parsed(name: string, pkcs8: Bytes): KeyObject {
    try {
      return createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
    } catch {
      throw new Error(`${join(this.#folder, name)} is damaged: restore it from a backup`);
    }
  }

  async #read(name: string): Promise<Bytes> {
    return concat([await readFile(join(this.#folder, name))]);
  }

  /** Writes the file whole or not at all: a half-written key would make earlier records unreadable. */
  async #write(name: string, octets: Uint8Array): Promise<void> {
    const path = join(this.#folder, name);
    await writeFile(`${path}.new`, octets, { mode: 0o600, flush: true });
    await rename(`${path}.new`, path);
  }
}

/** What an operator does to start afresh. */
export const beginAnew = 'set SCEPTER_DATA_DIR to an empty folder to begin anew';

type Stored = { readonly id: string; readonly key: string };
const restore = ({ id, key }: Stored): MacKey => {
  if (key.length !== 64) throw new SyntaxError('a MAC key has 32 octets');
  return { id, key: fromHex(key) };
};

/** @throws {SyntaxError|TypeError} */
function parseMacKeys(text: string): [MacKey, ...MacKey[]] {
  const [first, ...rest] = (JSON.parse(text) as Stored[]).map(restore);
  if (!first) throw new SyntaxError('no key');
  return [first, ...rest];
}
const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';
