// Keys in AWS KMS: CA keys that never leave it, RA and MAC keys that it made and sealed.
//
//   signer    create      CreateKey (SIGN_VERIFY), GetPublicKey               an operator's command
//             adopt       DescribeKey (CA key, sealing key), GetPublicKey     an operator's command
//             publicKey   GetPublicKey                                        once per instance
//             sign        Sign, of a digest                                   each certificate, CRL and checkpoint
//             warnings    DescribeKey, GetKeyPolicy, of it and the sealing key  where permitted
//   raKeys    generate    GenerateDataKeyPairWithoutPlaintext (RSA_2048)      an operator's command
//             unseal      Decrypt                                             once per instance and key
//   macKeys   makeMacKey  GenerateDataKeyWithoutPlaintext (32 octets)         an operator's command
//             live        Decrypt                                             once per instance and key
//
// What is sealed opens only with the same EncryptionContext:
//
//   RA key    deployment, ca, purpose `ra`
//   MAC key   deployment, purpose `mac-` and that of the key (`MacPurpose`)
//
// So whoever can write records still cannot move a sealed key to another CA or another use; and a
// function's policy allows, by a condition on the context, only the purposes that it needs.

import type { KMSClient } from '@aws-sdk/client-kms';
import type { Bytes } from '../../../base/bytes.ts';
import type { MacPurpose } from '../../../base/words.ts';
import type { KeySpec } from '../../../crypto/algorithms.ts';
import type { MacKeys, SealedMacKey } from '../../../ports/mac-keys.ts';
import type { RaKeys } from '../../../ports/ra-keys.ts';
import type { Signer } from '../../../ports/signer.ts';
import type { Timer } from '../aws.ts';
import { KmsCalls, makeKmsClient } from './calls.ts';
import { KmsSealed } from './sealed.ts';
import { KmsSigner } from './signer.ts';

export type KmsSettings = {
  /** The name of this deployment. One deployment cannot open what another has sealed. */
  readonly deployment: string;
  /** The symmetric key that seals: its id, ARN or alias. */
  readonly sealingKey: string;
  /** The sealed MAC keys on record, the one that makes new MACs first. */
  readonly readMacKeys: (purpose: MacPurpose) => Promise<readonly SealedMacKey[]>;
};

export class KmsKeys {
  readonly signer: Signer;
  readonly raKeys: RaKeys;
  readonly macKeys: MacKeys;
  readonly #calls: KmsCalls;
  readonly #signer: KmsSigner;
  readonly #sealed: KmsSealed;

  /**
   * @param client by default for the region, endpoint and credentials that the SDK finds in the
   * process's environment
   * @param time for tests
   */
  constructor(settings: KmsSettings, client: KMSClient = makeKmsClient(), time?: Timer) {
    this.#calls = new KmsCalls(client, time);
    const signer = new KmsSigner(this.#calls, settings);
    const sealed = new KmsSealed(this.#calls, settings);
    this.#signer = signer;
    this.#sealed = sealed;
    this.signer = {
      create: (ca, spec) => signer.create(ca, spec),
      publicKey: (reference) => signer.publicKey(reference),
      sign: (reference, algorithm, tbs) => signer.sign(reference, algorithm, tbs),
      warnings: (reference) => signer.warnings(reference),
    };
    this.raKeys = {
      generate: (context) => sealed.generate(context),
      unseal: (blob, context) => sealed.unseal(blob, context),
    };
    this.macKeys = { live: (purpose) => sealed.live(purpose) };
  }

  /**
   * Makes an existing key a CA's key.
   * @param key its id, ARN or alias
   * @returns its reference: the ARN, whatever the alias names later
   * @throws {Outage} with a sentence when it is not what a CA's key has to be
   */
  adopt(key: string, spec: KeySpec): Promise<string> {
    return this.#signer.adopt(key, spec);
  }

  /** The key of the logs. @param key its ARN */
  logKey(key: string) {
    return {
      /** SubjectPublicKeyInfo, DER. */
      publicKey: (): Promise<Bytes> => this.#signer.publicKey(key),
      sign: async (text: Bytes): Promise<Bytes> =>
        (await this.#signer.sign(key, { kind: 'ECDSA', digest: 'SHA-256' }, text)).octets,
    };
  }

  /** A new MAC key, sealed, to be put on record. Only an operator's command asks for one. */
  makeMacKey(purpose: MacPurpose): Promise<SealedMacKey> {
    return this.#sealed.makeMacKey(purpose);
  }

  /** Forgets which MAC keys are on record, because they have been changed. */
  reload(): void {
    this.#sealed.reload();
  }

  close(): void {
    this.#calls.close();
  }
}
