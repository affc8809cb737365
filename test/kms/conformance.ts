// What KMS does, as far as Scepter rests on it: one list of checks, run against the emulator that all
// other tests use and against implementations by others. Where one of those differs from KMS, its
// entry says how; the check must then fail, so that no entry outlives its reason.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeKmsClient } from '../../lib/adapters/aws/kms/calls.ts';
import { keyChecks } from './keys.ts';
import { sealedChecks } from './sealed.ts';
import { signatureChecks } from './signatures.ts';

const checks = { ...keyChecks, ...signatureChecks, ...sealedChecks };

export type Peer = {
  readonly name: string;
  /** As the SDK reads its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Checks that it fails, by title: what it does instead. */
  readonly differs: Readonly<Record<string, string>>;
};

/** @throws {TypeError} when the suite was not started as it should be */
export function startedPeer(name: string): Peer['env'] {
  const env = process.env[`KMS_PEER_${name}`];
  if (env === undefined) throw new TypeError('run me with npm run test:kms');
  return JSON.parse(env);
}

export function conformance({ name, env, differs }: Peer): void {
  const kms = makeKmsClient({
    endpoint: env.AWS_ENDPOINT_URL_KMS ?? '',
    region: env.AWS_REGION ?? '',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  describe(name, () => {
    for (const [title, check] of Object.entries(checks)) {
      const difference = differs[title];
      if (difference === undefined) test(title, () => check(kms));
      else {
        test(`${title}: not so here, ${difference}`, async () => {
          await assert.rejects(check(kms), 'it does what KMS does: remove the entry');
        });
      }
    }
    test('every difference is one of a check', () => {
      for (const title of Object.keys(differs)) assert.ok(title in checks, title);
    });
  });
}
