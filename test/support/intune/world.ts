// The adapter of Intune, the fake Intune that it asks, and a clock that both go by.

import type { Credential } from '../../../lib/adapters/intune/entra.ts';
import { makeIntune } from '../../../lib/adapters/intune/intune.ts';
import { systemRandom } from '../../../lib/adapters/system.ts';
import type { Bytes } from '../../../lib/base/bytes.ts';
import { rsaPrivateKey } from '../rsa-keys.ts';
import { type FakeIntune, fakeIntune } from './fake.ts';
import { deviceRequest, type ScepProfile } from './profile.ts';

type WorldOptions = {
  /** Default: a good secret. */
  readonly credential?: Credential;
  /** PEM of what is uploaded to the app registration. */
  readonly certificate?: string;
  readonly fetch?: typeof globalThis.fetch;
};

/** Settings of a validator, as the configuration gives them for a tenant of Microsoft's public cloud. */
export const settingsOf = ({ tenant, clientId, secrets }: FakeIntune) => ({
  tenant,
  clientId,
  credential: { kind: 'secret', secret: [...secrets][0] ?? '' } as Credential,
  authority: 'https://login.microsoftonline.com',
  graph: 'https://graph.microsoft.com',
  scope: 'https://api.manage.microsoft.com//.default',
  hosts: ['manage.microsoft.com'],
});

export function intuneWorld({ credential, certificate, fetch }: WorldOptions = {}) {
  const clock = { at: Date.UTC(2026, 10, 30, 15), now: () => clock.at };
  const intune = fakeIntune({ now: clock.now, ...(certificate ? { certificate } : {}) });
  const settings = { ...settingsOf(intune), ...(credential ? { credential } : {}) };
  const outside = { fetch: fetch ?? intune.fetch, clock, random: systemRandom };
  const key = rsaPrivateKey(2048);
  return {
    clock,
    intune,
    settings,
    key,
    validator: makeIntune(settings, outside),
    /** @param ms until whoever asks gives up */
    question: (csr: Bytes, ms = 8000) => ({
      requestHash: 'hash',
      endpoint: 'phones',
      transactionID: '9F3C1D5B8A7E6F4D2C1B0A998877665544332211',
      csr,
      until: clock.at + ms,
    }),
    good: (profile: ScepProfile) => deviceRequest(key, profile, intune.challenge(profile)),
  };
}
