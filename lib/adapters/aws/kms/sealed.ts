// Keys that KMS made and sealed: RA key pairs and MAC keys. They are kept on record sealed, opened
// once per instance, and in clear only in its memory.

import {
  DecryptCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  GenerateDataKeyWithoutPlaintextCommand,
} from '@aws-sdk/client-kms';
import { type Bytes, base64, concat, hex } from '../../../base/bytes.ts';
import { Outage } from '../../../base/errors.ts';
import { MAC_RELOAD_MS } from '../../../base/limits.ts';
import { SingleFlight } from '../../../base/single-flight.ts';
import type { MacPurpose } from '../../../base/words.ts';
import type { MacKey, MacKeys, SealedMacKey } from '../../../ports/mac-keys.ts';
import type { RaKeys, SealContext } from '../../../ports/ra-keys.ts';
import { given, type KmsCalls, title } from './calls.ts';

const MAC_KEY_OCTETS = 32;

type Settings = {
  readonly deployment: string;
  readonly sealingKey: string;
  readonly readMacKeys: (purpose: MacPurpose) => Promise<readonly SealedMacKey[]>;
};
/** The encryption context of a sealed key, and its name in a log line. */
type Sealing = { readonly context: Record<string, string>; readonly about: string };

export class KmsSealed implements RaKeys, MacKeys {
  readonly #calls: KmsCalls;
  readonly #settings: Settings;
  readonly #unsealed = new SingleFlight<Bytes>();
  readonly #live = new SingleFlight<[MacKey, ...MacKey[]]>();

  constructor(calls: KmsCalls, settings: Settings) {
    this.#calls = calls;
    this.#settings = settings;
  }

  async generate(wanted: SealContext): Promise<{ spki: Bytes; sealed: Bytes }> {
    const key = this.#settings.sealingKey;
    const { context, about } = this.#raSealing(wanted);
    const call = { action: 'GenerateDataKeyPairWithoutPlaintext', key, about };
    const command = new GenerateDataKeyPairWithoutPlaintextCommand({
      KeyId: key,
      KeyPairSpec: 'RSA_2048',
      EncryptionContext: context,
    });
    const made = await this.#calls.operator(call, (kms, options) => kms.send(command, options));
    return {
      spki: concat([given(made.PublicKey, call, 'a public key')]),
      sealed: concat([given(made.PrivateKeyCiphertextBlob, call, 'a sealed key')]),
    };
  }

  unseal(sealed: Bytes, context: SealContext): Promise<Bytes> {
    return this.#unseal(sealed, this.#raSealing(context), isRaKey);
  }

  async makeMacKey(purpose: MacPurpose): Promise<SealedMacKey> {
    const key = this.#settings.sealingKey;
    const { context, about } = this.#macSealing(purpose);
    const call = { action: 'GenerateDataKeyWithoutPlaintext', key, about };
    const command = new GenerateDataKeyWithoutPlaintextCommand({
      KeyId: key,
      NumberOfBytes: MAC_KEY_OCTETS,
      EncryptionContext: context,
    });
    const made = await this.#calls.operator(call, (kms, options) => kms.send(command, options));
    return {
      id: hex(crypto.getRandomValues(new Uint8Array(4))),
      sealed: concat([given(made.CiphertextBlob, call, 'a sealed key')]),
    };
  }

  live(purpose: MacPurpose): ReturnType<MacKeys['live']> {
    const age = { now: this.#calls.timer.now(), maxMs: MAC_RELOAD_MS };
    return this.#live.get(purpose, () => this.#onRecord(purpose), age);
  }

  /** The keys on record have been changed. */
  reload(): void {
    this.#live.clear();
  }

  async #onRecord(purpose: MacPurpose): Promise<[MacKey, ...MacKey[]]> {
    const sealing = this.#macSealing(purpose);
    const found = await this.#settings.readMacKeys(purpose);
    const [first, ...rest] = await Promise.all(
      found.map(async ({ id, sealed }) => ({
        id,
        key: await this.#unseal(sealed, sealing, isMacKey),
      })),
    );
    if (!first) throw new Outage(`${sealing.about} is not on record: ${remedy}`);
    return [first, ...rest];
  }

  /** Opened once for each sealed key and context, and kept for the life of this instance. */
  #unseal(
    sealed: Bytes,
    { context, about }: Sealing,
    isRight: (opened: Bytes) => Promise<boolean>,
  ): Promise<Bytes> {
    return this.#unsealed.get(JSON.stringify([context, base64(sealed)]), async () => {
      const key = this.#settings.sealingKey;
      const call = { action: 'Decrypt', key, about };
      const command = new DecryptCommand({
        // The key is named, so that KMS refuses what another key has sealed.
        KeyId: key,
        CiphertextBlob: sealed,
        EncryptionContext: context,
      });
      const { Plaintext } = await this.#calls.request(call, (kms, options) =>
        kms.send(command, options),
      );
      const opened = concat([given(Plaintext, call, 'a key')]);
      if (await isRight(opened)) return opened;
      throw new Outage(`${title(call)} gave something else than such a key: restore the record`);
    });
  }

  #raSealing({ ca, purpose }: SealContext): Sealing {
    const { deployment } = this.#settings;
    return { context: { deployment, ca, purpose }, about: `the RA key of the CA "${ca}"` };
  }

  #macSealing(purpose: MacPurpose): Sealing {
    const { deployment } = this.#settings;
    const context = { deployment, purpose: `mac-${purpose}` };
    return { context, about: `the MAC key for "${purpose}"` };
  }
}

const remedy = 'run "scepter ca init", or, if it was removed, "scepter ca mac-keys --restore FILE"';

const isMacKey = async (opened: Bytes): Promise<boolean> => opened.length === MAC_KEY_OCTETS;

/** PKCS#8 of an RSA-2048 key. */
async function isRaKey(opened: Bytes): Promise<boolean> {
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('pkcs8', opened, algorithm, false, ['sign']).then(
    (imported) => imported.algorithm as { modulusLength?: number },
    () => undefined,
  );
  return key?.modulusLength === 2048;
}
