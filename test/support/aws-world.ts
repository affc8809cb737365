// A CA with its records in DynamoDB Local and its keys in the KMS emulator, messages for it, and a look
// at all that it has on record. What serves it is the test's.

import assert from 'node:assert/strict';
import type { DynamoStore } from '../../lib/adapters/aws/dynamodb/dynamodb.ts';
import { systemClock, systemRandom } from '../../lib/adapters/system.ts';
import type { Bytes } from '../../lib/base/bytes.ts';
import type { MacPurpose } from '../../lib/base/words.ts';
import { initMacKeys, readMacKeys } from '../../lib/ca/authority/mac-keys.ts';
import type { CertificateRecord } from '../../lib/ports/records/certificate.ts';
import { readCaCertificates } from '../../lib/protocol/scep/client/client.ts';
import { checkCa } from './check-ca.ts';
import { freshStore } from './dynamodb.ts';
import { deviceKey } from './keys.ts';
import { openKms } from './kms.ts';
import { type LabOptions, makeLab } from './lab.ts';
import { type EnrolOptions, enrolment, type Sent } from './messages.ts';
import { startS3Emulator } from './s3-emulator.ts';

/** How the settings of a deployment read their MAC keys. */
export const recordsOf = (store: DynamoStore) => ({
  readMacKeys: (purpose: MacPurpose) => readMacKeys(store, purpose),
});

type Reply = { readonly status: number; readonly body: Bytes };

export async function awsWorld(options: LabOptions = {}) {
  const [kms, { table, store, rows }] = [await openKms(), await freshStore()];
  const operator = kms.keys(recordsOf(store));
  const { signer, raKeys, macKeys } = operator;
  const deps = { store, clock: systemClock, random: systemRandom };
  await initMacKeys(deps, (purpose) => operator.makeMacKey(purpose), {
    kind: 'system',
  });
  const s3 = await startS3Emulator();
  const crls = s3.files();
  const lab = await makeLab({ ...options, store, crls, signer, raKeys, macKeys });
  const announced = readCaCertificates((await lab.deps.cas.of('default')).bag);
  const delivered: Bytes[] = [];
  const message = (wanted: EnrolOptions): Promise<Sent> =>
    enrolment({ announced, clock: lab.clock }, wanted);
  return {
    lab,
    kms,
    s3,
    table,
    announced,
    message,
    /** An enrolment of that device with a fresh challenge. */
    sent: async (name: string): Promise<Sent> =>
      message({ challenge: await lab.challenge(), key: await deviceKey(name) }),
    /** The answer must be a certificate. @param said what to tell if it is not */
    enrolled: async (sent: Sent, { status, body }: Reply, said: () => string): Promise<void> => {
      assert.equal(status, 200, said());
      const answer = await sent.read(body);
      assert.ok(answer.pkiStatus === 'SUCCESS', JSON.stringify(answer));
      delivered.push(...answer.certificates);
    },
    /** States of its certificates, and everything that must be true of them. */
    checked: async (): Promise<string[]> => {
      const all = await rows();
      checkCa(all, delivered);
      return all
        .filter(({ kind }) => kind === 'certificate')
        .map(({ record }) => (record as CertificateRecord).state)
        .sort();
    },
  };
}
