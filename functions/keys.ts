// Where the keys are: files in the data folder, or AWS KMS.

import { join } from 'node:path';
import type { KmsKeys } from '../lib/adapters/aws/kms/kms-keys.ts';
import { beginAnew, SoftwareKeys } from '../lib/adapters/software-keys.ts';
import { readMacKeys } from '../lib/ca/authority/mac-keys.ts';
import { ownNames, tokenNameKey } from '../lib/ca/record/tokens.ts';
import { logKey } from '../lib/events/note.ts';
import type { Sequencing } from '../lib/ports/log-files.ts';
import type { MacKeys } from '../lib/ports/mac-keys.ts';
import type { RaKeys } from '../lib/ports/ra-keys.ts';
import type { Signer } from '../lib/ports/signer.ts';
import type { Key, Store } from '../lib/ports/store.ts';
import { type Env, setting } from './env.ts';

type LogKey = Pick<SoftwareKeys['logKey'], 'publicKey' | 'sign'>;

/** What a process has that signs with this key. */
export const sequencingWith = (
  { publicKey, sign }: LogKey,
  kept: Pick<Sequencing, 'files' | 'waiting'>,
): Sequencing => ({ ...kept, sign, key: async () => logKey(await publicKey()) });

export type Keys = {
  readonly signer: Signer;
  readonly raKeys: RaKeys;
  readonly macKeys: MacKeys;
  /** What only an operator does, where they are in KMS. */
  readonly kms?: Pick<KmsKeys, 'adopt' | 'makeMacKey' | 'reload' | 'close'>;
  /** References of the keys of CAs, where they are files. */
  readonly caKeys?: () => Promise<readonly string[]>;
  /** That of the logs; one that is a file can be made. */
  readonly logKey: LogKey & Partial<SoftwareKeys['logKey']>;
};

/** What an operator does with keys in KMS, and with keys in files. */
export const ceremonies = ({ kms, logKey: { make } }: Keys) => ({
  ...(kms ? { adoptKey: kms.adopt.bind(kms), makeMacKey: kms.makeMacKey.bind(kms) } : {}),
  ...(make ? { makeLogKey: make } : {}),
});

/** Records that a server and `ca init` write before and with the first CA. */
const witnesses: readonly Key[] = [
  { kind: 'token', key: tokenNameKey(ownNames.tokenFile) },
  { kind: 'authorities', key: 'all' },
];

/**
 * Looks whether records and keys in files are of each other, before a CA is made: a lost database looks like that
 * of a first start, and a CA made in it would have the name of the one that was lost.
 * @param store guarded with these keys
 * @throws {Error} with what is missing, how to restore it, and how to begin anew
 */
export async function requireTogether(
  { caKeys }: Pick<Keys, 'caKeys'>,
  store: Pick<Store, 'read'>,
  { dataDir, cas }: { readonly dataDir: string; readonly cas: Iterable<string> },
): Promise<void> {
  if (!caKeys) return;
  const authorities = [...cas].map((key) => ({ kind: 'authority', key }) as const);
  const rows = await store.read([...witnesses, ...authorities]);
  if (rows.some((row) => row.record !== undefined || row.later)) return;
  const folder = join(dataDir, 'keys');
  if (rows.length > 0) {
    throw new Error(
      `the records were written with other keys than those in ${folder}: the database and the keys are of different data folders; restore both from one backup, or ${beginAnew}`,
    );
  }
  const made = await caKeys();
  if (made.length === 0) return;
  throw new Error(
    `${folder} has keys of CAs (${made.join(', ')}), and the records know none of them: the database was lost, or is another's; restore it from a backup ("scepter restore"), or ${beginAnew} with a new CA`,
  );
}

export type KeysEnv = Pick<Env, 'dataDir' | 'sealingKey' | 'deployment'> &
  Partial<Pick<Env, 'logKey'>>;

/** The SDK is loaded only where it is used. */
export async function openKeys(
  { dataDir, sealingKey, ...env }: KeysEnv,
  store: Store,
): Promise<Keys> {
  if (sealingKey === undefined) {
    const begins = (await store.read(witnesses)).length === 0;
    return SoftwareKeys.open(join(dataDir, 'keys'), { begins });
  }
  const deployment = setting('SCEPTER_DEPLOYMENT', env.deployment);
  const key = setting('SCEPTER_LOG_KEY', env.logKey);
  const { KmsKeys } = await import('../lib/adapters/aws/kms/kms-keys.ts');
  const kms = new KmsKeys({
    deployment,
    sealingKey,
    readMacKeys: (purpose) => readMacKeys(store, purpose),
  });
  const { signer, raKeys, macKeys } = kms;
  return { signer, raKeys, macKeys, kms, logKey: kms.logKey(key) };
}
