// What the KMS emulator does, action by action, and what it refuses in KMS's own names. Where KMS's
// order of checks is not documented it is: what the request looks like, the key, its state, its usage,
// the algorithm, the rest.

import { randomBytes, randomUUID } from 'node:crypto';
import {
  blobOf,
  constraint,
  contextOf,
  type Input,
  invalid,
  KmsRefusal,
  notHere,
  octetsOf,
  oneOf,
  policyOf,
  textOf,
} from './kms-emulator-input.ts';
import type { Key, Keyring, State, Tag } from './kms-emulator-keyring.ts';
import {
  digestOctets,
  digestOf,
  openBlob,
  pairSpecs,
  sealBlob,
  sealerOf,
  signDigest,
  signingAlgorithmsOf,
  verifyDigest,
} from './kms-emulator-keys.ts';

const keySpecs = ['SYMMETRIC_DEFAULT', ...Object.keys(pairSpecs)];
const usagesOf = (keySpec: string): string[] =>
  keySpec === 'SYMMETRIC_DEFAULT'
    ? ['ENCRYPT_DECRYPT']
    : keySpec.startsWith('RSA')
      ? ['ENCRYPT_DECRYPT', 'SIGN_VERIFY']
      : ['SIGN_VERIFY'];
const allAlgorithms = [...new Set(keySpecs.flatMap(signingAlgorithmsOf))];

export class KmsActions {
  readonly #ring: Keyring;

  constructor(ring: Keyring) {
    this.#ring = ring;
  }

  /** The ARN of the key that a request is about, for who records it; never refuses. */
  resourceOf(input: Input): string | undefined {
    const blob = input.CiphertextBlob;
    const id = input.KeyId ?? input.TargetKeyId ?? (blob ? sealerOf(octetsOf(blob)) : undefined);
    if (typeof id !== 'string') return undefined;
    try {
      return this.#ring.find(id, true).arn;
    } catch {
      return id;
    }
  }

  /** @throws {KmsRefusal} */
  act(action: string, input: Input): object | undefined {
    const run = this.#actions[action];
    if (!run) throw new KmsRefusal('UnknownOperationException', '');
    return run(input);
  }

  readonly #actions: Readonly<Record<string, (input: Input) => object | undefined>> = {
    CreateKey: (input) => {
      const keySpec = oneOf(input, 'KeySpec', keySpecs, 'SYMMETRIC_DEFAULT');
      const keyUsage = oneOf(
        input,
        'KeyUsage',
        ['ENCRYPT_DECRYPT', 'SIGN_VERIFY'],
        'ENCRYPT_DECRYPT',
      );
      if (!usagesOf(keySpec).includes(keyUsage)) {
        throw invalid(`KeyUsage ${keyUsage} is not compatible with KeySpec ${keySpec}`);
      }
      const id = input.MultiRegion ? `mrk-${randomUUID().replaceAll('-', '')}` : randomUUID();
      const key: Key = {
        id,
        arn: `${this.#ring.prefix}key/${id}`,
        keySpec,
        keyUsage,
        description: textOf(input, 'Description', ''),
        createdAt: Date.now() / 1000,
        ...(keySpec in pairSpecs ? { pair: this.#ring.nextPair(keySpec) } : {}),
        secret: randomBytes(32),
        state: 'Enabled',
        policy: policyOf(textOf(input, 'Policy', this.#ring.defaultPolicy)),
        tags: (input.Tags as Tag[] | undefined) ?? [],
      };
      this.#ring.keys.set(id, key);
      return { KeyMetadata: this.#ring.metadata(key) };
    },
    DescribeKey: (input) => ({
      KeyMetadata: this.#ring.metadata(this.#ring.of(input, { alias: true })),
    }),
    ListKeys: () => ({
      Keys: [...this.#ring.keys.values()].map(({ id, arn }) => ({ KeyId: id, KeyArn: arn })),
      Truncated: false,
    }),
    GetPublicKey: (input) => {
      const key = this.#ring.of(input, { alias: true });
      requireEnabled(key);
      const { pair, keySpec, keyUsage } = key;
      if (!pair) {
        const message = `${key.arn} key spec is ${keySpec} which is not valid for GetPublicKey.`;
        throw new KmsRefusal('UnsupportedOperationException', message);
      }
      return {
        KeyId: key.arn,
        PublicKey: pair.publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
        KeySpec: keySpec,
        CustomerMasterKeySpec: keySpec,
        KeyUsage: keyUsage,
        ...this.#ring.algorithms(key),
      };
    },
    Sign: (input) => {
      const { key, pair, algorithm, digest } = this.#signing(input, 'Sign');
      const signature = signDigest(key.keySpec, pair, algorithm, digest);
      return {
        KeyId: key.arn,
        Signature: Buffer.from(signature).toString('base64'),
        SigningAlgorithm: algorithm,
      };
    },
    Verify: (input) => {
      const signature = blobOf(input, 'Signature', 6144);
      const { key, pair, algorithm, digest } = this.#signing(input, 'Verify');
      if (!verifyDigest(key.keySpec, pair, algorithm, digest, signature)) {
        throw new KmsRefusal('KMSInvalidSignatureException', '');
      }
      return { KeyId: key.arn, SignatureValid: true, SigningAlgorithm: algorithm };
    },
    Encrypt: (input) => {
      const plaintext = blobOf(input, 'Plaintext', 4096);
      const key = this.#sealing(input, 'Encrypt');
      return {
        KeyId: key.arn,
        CiphertextBlob: this.#sealed(key, input, plaintext),
        EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      };
    },
    Decrypt: (input) => {
      const blob = blobOf(input, 'CiphertextBlob', 6144);
      const named = input.KeyId === undefined ? undefined : this.#ring.of(input, { alias: true });
      if (named && named.keyUsage !== 'ENCRYPT_DECRYPT') throw wrongUsage(named, 'Decrypt');
      const sealer = this.#ring.keys.get(sealerOf(blob) ?? '');
      if (!sealer) throw new KmsRefusal('InvalidCiphertextException', '');
      if (named && named !== sealer) {
        const message =
          'The key ID in the request does not identify a CMK that can perform this operation.';
        throw new KmsRefusal('IncorrectKeyException', message);
      }
      requireEnabled(sealer);
      const opened = openBlob(sealer.secret, contextOf(input), blob);
      if (!opened) throw new KmsRefusal('InvalidCiphertextException', '');
      return {
        KeyId: sealer.arn,
        Plaintext: opened.toString('base64'),
        EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      };
    },
    GenerateDataKey: (input) => this.#dataKey(input, 'GenerateDataKey'),
    GenerateDataKeyWithoutPlaintext: (input) => {
      const { Plaintext: _plaintext, ...rest } = this.#dataKey(
        input,
        'GenerateDataKeyWithoutPlaintext',
      );
      return rest;
    },
    GenerateDataKeyPairWithoutPlaintext: (input) => {
      const keyPairSpec = oneOf(input, 'KeyPairSpec', Object.keys(pairSpecs));
      const key = this.#sealing(input, 'GenerateDataKeyPairWithoutPlaintext');
      const { publicKey, privateKey } = this.#ring.nextPair(keyPairSpec);
      return {
        KeyId: key.arn,
        KeyPairSpec: keyPairSpec,
        PublicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
        PrivateKeyCiphertextBlob: this.#sealed(
          key,
          input,
          privateKey.export({ type: 'pkcs8', format: 'der' }),
        ),
      };
    },
    EnableKey: (input) => this.#setState(input, 'Enabled'),
    DisableKey: (input) => this.#setState(input, 'Disabled'),
    ScheduleKeyDeletion: (input) => {
      const days = Number(input.PendingWindowInDays ?? 30);
      if (!(days >= 7 && days <= 30)) {
        throw invalid('PendingWindowInDays must be between 7 and 30');
      }
      const key = this.#ring.of(input);
      requireNotPending(key);
      key.state = 'PendingDeletion';
      key.deletionDate = Date.now() / 1000 + days * 86_400;
      return {
        KeyId: key.arn,
        DeletionDate: key.deletionDate,
        KeyState: key.state,
        PendingWindowInDays: days,
      };
    },
    CancelKeyDeletion: (input) => {
      const key = this.#ring.of(input);
      if (key.state !== 'PendingDeletion') {
        throw new KmsRefusal('KMSInvalidStateException', `${key.arn} is not pending deletion.`);
      }
      key.state = 'Disabled';
      delete key.deletionDate;
      return { KeyId: key.arn };
    },
    GetKeyPolicy: (input) => ({ Policy: this.#ring.of(input).policy, PolicyName: 'default' }),
    PutKeyPolicy: (input) => {
      this.#ring.of(input).policy = policyOf(textOf(input, 'Policy'));
      return undefined;
    },
    TagResource: (input) => {
      const key = this.#ring.of(input);
      requireNotPending(key);
      const added = input.Tags as Tag[];
      const names = new Set(added.map(({ TagKey }) => TagKey));
      key.tags = [...key.tags.filter(({ TagKey }) => !names.has(TagKey)), ...added];
      return undefined;
    },
    ListResourceTags: (input) => ({ Tags: this.#ring.of(input).tags, Truncated: false }),
    CreateAlias: (input) => {
      const name = textOf(input, 'AliasName');
      if (!/^alias\/(?!aws\/)[\w/-]{1,250}$/.test(name)) {
        throw new KmsRefusal('InvalidAliasNameException', 'Alias must not be of that form');
      }
      const key = this.#ring.of({ KeyId: input.TargetKeyId });
      requireNotPending(key);
      if (this.#ring.aliases.has(name)) {
        const message = `An alias with the name ${this.#ring.prefix}${name} already exists`;
        throw new KmsRefusal('AlreadyExistsException', message);
      }
      this.#ring.aliases.set(name, key.id);
      return undefined;
    },
    ListAliases: () => ({
      Aliases: [...this.#ring.aliases].map(([AliasName, TargetKeyId]) => ({
        AliasName,
        AliasArn: this.#ring.prefix + AliasName,
        TargetKeyId,
      })),
      Truncated: false,
    }),
  };

  #setState(input: Input, state: State): undefined {
    const key = this.#ring.of(input);
    requireNotPending(key);
    key.state = state;
  }

  #signing(input: Input, action: string) {
    const algorithm = oneOf(input, 'SigningAlgorithm', allAlgorithms);
    const type = oneOf(input, 'MessageType', ['RAW', 'DIGEST'], 'RAW');
    const message = blobOf(input, 'Message', 4096);
    const key = this.#ring.of(input, { alias: true });
    requireEnabled(key);
    const { pair, keySpec } = key;
    if (key.keyUsage !== 'SIGN_VERIFY' || !pair) throw wrongUsage(key, action);
    if (!signingAlgorithmsOf(keySpec).includes(algorithm)) {
      const said = `Algorithm ${algorithm} is incompatible with key spec ${keySpec}.`;
      throw new KmsRefusal('InvalidKeyUsageException', said);
    }
    if (type === 'DIGEST' && message.length !== digestOctets(algorithm)) {
      throw invalid(`Digest is invalid length for algorithm ${algorithm}.`);
    }
    if (algorithm.startsWith('RSASSA_PSS')) throw notHere(algorithm);
    return {
      key,
      pair,
      algorithm,
      digest: type === 'DIGEST' ? message : digestOf(algorithm, message),
    };
  }

  #sealing(input: Input, action: string): Key {
    const key = this.#ring.of(input, { alias: true });
    requireEnabled(key);
    if (key.keyUsage !== 'ENCRYPT_DECRYPT') throw wrongUsage(key, action);
    if (key.keySpec !== 'SYMMETRIC_DEFAULT') {
      if (action !== 'Encrypt') {
        const message = `${key.arn} key spec is ${key.keySpec} which is not valid for ${action}.`;
        throw new KmsRefusal('UnsupportedOperationException', message);
      }
      throw notHere('RSAES_OAEP');
    }
    return key;
  }

  #sealed(key: Key, input: Input, plaintext: Uint8Array): string {
    return sealBlob(key.id, key.secret, contextOf(input), plaintext).toString('base64');
  }

  #dataKey(input: Input, action: string) {
    const { KeySpec, NumberOfBytes } = input;
    if ((KeySpec === undefined) === (NumberOfBytes === undefined)) {
      throw invalid('Please specify either number of bytes or key spec.');
    }
    if (KeySpec !== undefined) oneOf(input, 'KeySpec', ['AES_256', 'AES_128']);
    const octets = KeySpec === undefined ? Number(NumberOfBytes) : KeySpec === 'AES_256' ? 32 : 16;
    if (!(octets >= 1 && octets <= 1024))
      throw constraint('numberOfBytes', NumberOfBytes, '1 to 1024');
    const key = this.#sealing(input, action);
    const plaintext = randomBytes(octets);
    return {
      KeyId: key.arn,
      CiphertextBlob: this.#sealed(key, input, plaintext),
      Plaintext: plaintext.toString('base64'),
    };
  }
}

const wrongUsage = ({ arn, keyUsage }: Key, action: string) =>
  new KmsRefusal(
    'InvalidKeyUsageException',
    `${arn} key usage is ${keyUsage} which is not valid for ${action}.`,
  );

function requireEnabled({ arn, state }: Key): void {
  if (state === 'Disabled') throw new KmsRefusal('DisabledException', `${arn} is disabled.`);
  requireNotPending({ arn, state });
}

function requireNotPending({ arn, state }: Pick<Key, 'arn' | 'state'>): void {
  if (state !== 'PendingDeletion') return;
  throw new KmsRefusal('KMSInvalidStateException', `${arn} is pending deletion.`);
}
