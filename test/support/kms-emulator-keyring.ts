// The keys of the KMS emulator: what they are, how they are named, what is said of them.

import { type Input, KmsRefusal, notFound, textOf } from './kms-emulator-input.ts';
import { type Pair, pairOf, signingAlgorithmsOf } from './kms-emulator-keys.ts';

export type State = 'Enabled' | 'Disabled' | 'PendingDeletion';
export type Tag = { readonly TagKey: string; readonly TagValue: string };

export type Key = {
  readonly id: string;
  readonly arn: string;
  readonly keySpec: string;
  readonly keyUsage: string;
  readonly description: string;
  readonly createdAt: number;
  readonly pair?: Pair;
  readonly secret: Uint8Array;
  state: State;
  deletionDate?: number;
  policy: string;
  tags: readonly Tag[];
};

export class Keyring {
  readonly region: string;
  readonly account: string;
  readonly keys = new Map<string, Key>();
  /** Of names that begin with `alias/`, to key ids. */
  readonly aliases = new Map<string, string>();
  #pairs = 0;

  constructor(region: string, account: string) {
    this.region = region;
    this.account = account;
  }

  /** The same multi-Region keys, as `ReplicateKey` puts them into another region. */
  replica(region: string): Keyring {
    const there = new Keyring(region, this.account);
    for (const key of this.keys.values()) {
      const arn = key.arn.replace(`:${this.region}:`, `:${region}:`);
      if (key.id.startsWith('mrk-')) there.keys.set(key.id, { ...key, arn });
    }
    return there;
  }

  get prefix(): string {
    return `arn:aws:kms:${this.region}:${this.account}:`;
  }

  nextPair(keySpec: string): Pair {
    return pairOf(keySpec, this.#pairs++);
  }

  /** The key that a request names; by alias only where the action takes one. @throws {KmsRefusal} */
  of(input: Input, { alias = false } = {}): Key {
    return this.find(textOf(input, 'KeyId'), alias);
  }

  find(named: string, alias: boolean): Key {
    const arn = /^arn:aws:kms:([^:]*):([^:]*):(.*)$/.exec(named);
    const [, region, account, rest] = arn ?? [];
    if (region !== undefined && region !== this.region) throw notFound(`Invalid arn ${region}`);
    if (account !== undefined && account !== this.account) {
      const said = `The key ${named} does not exist in this Region, or nobody allows access to it`;
      throw new KmsRefusal('AccessDeniedException', said);
    }
    const name = rest ?? named;
    if (alias && name.startsWith('alias/')) {
      const target = this.keys.get(this.aliases.get(name) ?? '');
      if (!target) throw notFound(`Alias ${this.prefix}${name} is not found.`);
      return target;
    }
    const id = arn ? name.replace(/^key\//, '') : name;
    const key = this.keys.get(id);
    if (key) return key;
    const isId = /^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$/.test(id);
    throw notFound(
      isId ? `Key '${this.prefix}key/${id}' does not exist` : `Invalid keyId '${named}'`,
    );
  }

  /** What a reply says that a key can do. */
  algorithms({ keySpec, keyUsage }: Key): object {
    return keyUsage === 'SIGN_VERIFY'
      ? { SigningAlgorithms: signingAlgorithmsOf(keySpec) }
      : {
          EncryptionAlgorithms:
            keySpec === 'SYMMETRIC_DEFAULT'
              ? ['SYMMETRIC_DEFAULT']
              : ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'],
        };
  }

  metadata(key: Key): object {
    return {
      AWSAccountId: this.account,
      Arn: key.arn,
      CreationDate: key.createdAt,
      CustomerMasterKeySpec: key.keySpec,
      ...(key.deletionDate === undefined ? {} : { DeletionDate: key.deletionDate }),
      Description: key.description,
      Enabled: key.state === 'Enabled',
      ...this.algorithms(key),
      KeyId: key.id,
      KeyManager: 'CUSTOMER',
      KeySpec: key.keySpec,
      KeyState: key.state,
      KeyUsage: key.keyUsage,
      MultiRegion: key.id.startsWith('mrk-'),
      Origin: 'AWS_KMS',
    };
  }

  get defaultPolicy(): string {
    const statement = {
      Sid: 'Enable IAM User Permissions',
      Effect: 'Allow',
      Principal: { AWS: `arn:aws:iam::${this.account}:root` },
      Action: 'kms:*',
      Resource: '*',
    };
    return JSON.stringify({
      Version: '2012-10-17',
      Id: 'key-default-1',
      Statement: [statement],
    });
  }
}
