// CA keys in KMS: SIGN_VERIFY keys, by their ARN. A digest goes there, a signature comes back; the
// core verifies every one before it uses it.

import {
  CreateKeyCommand,
  DescribeKeyCommand,
  GetPublicKeyCommand,
  type KeyMetadata,
  SignCommand,
} from '@aws-sdk/client-kms';
import { type Bytes, concat } from '../../../base/bytes.ts';
import { Outage } from '../../../base/errors.ts';
import { SingleFlight } from '../../../base/single-flight.ts';
import {
  caKeyOf,
  caKeys,
  digests,
  type KeySpec,
  type SigningAlgorithm,
} from '../../../crypto/algorithms.ts';
import type { Signature, Signer, SignRequests } from '../../../ports/signer.ts';
import { told } from '../aws.ts';
import { given, type KmsCalls } from './calls.ts';
import { type Purpose, warningsOf } from './warnings.ts';

const keySpecs: ReadonlySet<string> = new Set(Object.values(caKeys).map(({ kms }) => kms));

const algorithmOf = ({ kind, digest }: SigningAlgorithm) =>
  `${kind === 'ECDSA' ? 'ECDSA' : 'RSASSA_PKCS1_V1_5'}_${digests[digest].kms}` as const;

type Settings = { readonly deployment: string; readonly sealingKey: string };

export class KmsSigner implements Signer {
  readonly #calls: KmsCalls;
  readonly #settings: Settings;
  readonly #publicKeys = new SingleFlight<Bytes>();

  constructor(calls: KmsCalls, settings: Settings) {
    this.#calls = calls;
    this.#settings = settings;
  }

  async create(ca: string, spec: KeySpec): Promise<string> {
    const { deployment } = this.#settings;
    const call = { action: 'CreateKey', about: `a key for the CA "${ca}"` };
    const command = new CreateKeyCommand({
      KeySpec: caKeyOf(spec).kms,
      KeyUsage: 'SIGN_VERIFY',
      Description: `Scepter: the key of the CA "${ca}" of "${deployment}"`,
      Tags: [
        { TagKey: 'scepter:deployment', TagValue: deployment },
        { TagKey: 'scepter:ca', TagValue: ca },
      ],
    });
    // A call whose answer was lost may have made a key, which costs money. It is not repeated; an operator
    // finds the key by its tags and decides.
    const { KeyMetadata } = await this.#calls.once(call, (kms, options) =>
      kms.send(command, options),
    );
    const key = given(KeyMetadata?.Arn, call, 'an ARN');
    await this.#publicKey(key, 'settled');
    return key;
  }

  async adopt(key: string, spec: KeySpec): Promise<string> {
    const found = await this.#describe(key);
    const sealing = await this.#describe(this.#settings.sealingKey);
    const problem = problemOf(found, caKeyOf(spec).kms, sealing);
    if (problem) throw new Outage(`the KMS key ${key} cannot be a CA's: ${problem}`);
    const reference = given(found.Arn, { action: 'DescribeKey', key }, 'an ARN');
    await this.#publicKey(reference, 'operator');
    return reference;
  }

  publicKey(reference: string): Promise<Bytes> {
    return this.#publicKey(reference, 'request');
  }

  async sign(reference: string, algorithm: SigningAlgorithm, tbs: Bytes): Promise<Signature> {
    const call = { action: 'Sign', key: reference };
    const tries = new Tries();
    const command = new SignCommand({
      KeyId: reference,
      Message: new Uint8Array(await crypto.subtle.digest(algorithm.digest, tbs)),
      // MessageType RAW allows 4,096 octets at most, and a CRL can be longer.
      MessageType: 'DIGEST',
      SigningAlgorithm: algorithmOf(algorithm),
    });
    const { Signature } = await this.#calls.request(call, (kms, options) =>
      tries.noted(kms.send(command, options)),
    );
    return { octets: concat([given(Signature, call, 'a signature')]), requests: tries.requests };
  }

  async warnings(reference: string): Promise<readonly string[]> {
    const { sealingKey } = this.#settings;
    const all = await Promise.all([
      warningsOf(this.#calls, reference, {
        usage: 'SIGN_VERIFY',
        specs: keySpecs,
        action: 'kms:Sign',
      }),
      warningsOf(this.#calls, sealingKey, sealing),
    ]);
    return all.flat();
  }

  /** KMS is asked once for each key, however many callers wait. */
  #publicKey(reference: string, how: 'request' | 'operator' | 'settled'): Promise<Bytes> {
    return this.#publicKeys.get(reference, async () => {
      const call = { action: 'GetPublicKey', key: reference };
      const command = new GetPublicKeyCommand({ KeyId: reference });
      const found = await this.#calls[how](call, (kms, options) => kms.send(command, options));
      const { KeyUsage = 'unknown', KeySpec = 'unknown', PublicKey } = found;
      if (KeyUsage !== 'SIGN_VERIFY' || !keySpecs.has(KeySpec)) {
        throw new Outage(
          `the KMS key ${reference} cannot sign here: its usage is ${KeyUsage} and its spec ${KeySpec}: restore the CA's record, or name another key of the logs`,
        );
      }
      return concat([given(PublicKey, call, 'a public key')]);
    });
  }

  async #describe(key: string) {
    const call = { action: 'DescribeKey', key };
    const command = new DescribeKeyCommand({ KeyId: key });
    const { KeyMetadata } = await this.#calls.operator(call, (kms, options) =>
      kms.send(command, options),
    );
    return given(KeyMetadata, call, 'a description');
  }
}

/** The tries of one call. Each is one request, which CloudTrail has under its id. */
class Tries {
  readonly #ids: string[] = [];
  #unanswered = 0;

  async noted<T extends { readonly $metadata: { readonly requestId?: string | undefined } }>(
    asked: Promise<T>,
  ): Promise<T> {
    try {
      const answer = await asked;
      this.#note(answer.$metadata.requestId);
      return answer;
    } catch (error) {
      const { requestId, unanswered, status } = told(error);
      if (unanswered || status !== undefined) this.#note(requestId);
      throw error;
    }
  }

  /** An answer without an id is none: nobody will find its request. */
  #note(id: string | undefined): void {
    if (id === undefined) this.#unanswered++;
    else this.#ids.push(id);
  }

  get requests(): SignRequests {
    const unanswered = this.#unanswered;
    return { kms: this.#ids, ...(unanswered > 0 ? { unanswered } : {}) };
  }
}

const sealing: Purpose = {
  usage: 'ENCRYPT_DECRYPT',
  specs: new Set(['SYMMETRIC_DEFAULT']),
  action: 'kms:Decrypt',
};

/** Why a key cannot be a CA's, and what to do; undefined when it can. */
function problemOf(
  { KeyUsage, KeySpec, KeyState, AWSAccountId }: KeyMetadata,
  wanted: string,
  sealing: KeyMetadata,
): string | undefined {
  if (KeyUsage !== 'SIGN_VERIFY') {
    return `its usage is ${KeyUsage} and not SIGN_VERIFY: name another`;
  }
  if (KeySpec !== wanted) {
    return `its spec is ${KeySpec} and the configuration has ${wanted}: name another, or change that`;
  }
  if (AWSAccountId !== sealing.AWSAccountId) {
    return `it is of the account ${AWSAccountId} and the sealing key of ${sealing.AWSAccountId}: name one of that`;
  }
  if (KeyState !== 'Enabled') {
    return `its state is ${KeyState} and not Enabled: enable it, or name another`;
  }
  return undefined;
}
