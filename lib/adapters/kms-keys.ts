// Keys in AWS KMS: CA keys that never leave it, RA and MAC keys that it made and sealed.
//
//   signer    create      CreateKey (SIGN_VERIFY), GetPublicKey               an operator's command
//             adopt       DescribeKey (CA key, sealing key), GetPublicKey     an operator's command
//             publicKey   GetPublicKey                                        once per instance
//             sign        Sign, of a digest                                   each certificate and CRL
//             warnings    DescribeKey, GetKeyPolicy, of it and the sealing key  where permitted
//   raKeys    generate    GenerateDataKeyPairWithoutPlaintext (RSA_2048)      an operator's command
//             unseal      Decrypt                                             once per instance and key
//   macKeys   makeMacKey  GenerateDataKeyWithoutPlaintext (32 octets)         an operator's command
//             live        Decrypt                                             once per instance and key
//
// What is sealed opens only with the same EncryptionContext:
//
//   RA key    deployment, ca, purpose `ra`
//   MAC key   deployment, purpose `mac-challenge`, `mac-pending`, `mac-approval`
//
// So who can write records cannot move a sealed key to another CA or put it to another use, and a
// function's policy says by a condition which purposes it may open.

import type { KMSClient } from '@aws-sdk/client-kms';
import type { KeySpec } from '../algorithms.ts';
import type { MacKeys, MacPurpose, SealedMacKey } from '../ports/mac-keys.ts';
import type { RaKeys } from '../ports/ra-keys.ts';
import type { Signer } from '../ports/signer.ts';
import type { Timer } from './aws.ts';
import { KmsCalls, makeClient } from './kms-keys-calls.ts';
import { KmsSealed } from './kms-keys-sealed.ts';
import { KmsSigner } from './kms-keys-signer.ts';

export type KmsSettings = {
  /** Which deployment of Scepter this is: what one has sealed another does not open. */
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
  constructor(settings: KmsSettings, client: KMSClient = makeClient(), time?: Timer) {
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
   * Takes a key that exists for a CA's.
   * @param key its id, ARN or alias
   * @returns its reference: the ARN, whatever the alias names later
   * @throws {Outage} with a sentence when it is not what a CA's key has to be
   */
  adopt(key: string, spec: KeySpec): Promise<string> {
    return this.#signer.adopt(key, spec);
  }

  /** A new MAC key, sealed, to be put on record. Only an operator's command asks for one. */
  makeMacKey(purpose: MacPurpose): Promise<SealedMacKey> {
    return this.#sealed.makeMacKey(purpose);
  }

  close(): void {
    this.#calls.close();
  }
}
