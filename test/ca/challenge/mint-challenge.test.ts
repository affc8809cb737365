// The program of docs/signed-challenges.md that signs challenges, run as its readers run it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeSigner } from '../../support/jws.ts';
import { deviceKey } from '../../support/keys.ts';
import { got, world } from '../../support/world.ts';

const signers = [makeSigner('mdm-2026'), makeSigner('edge', 'EdDSA')];
const keys = Object.fromEntries(signers.map(({ kid, publicKey }) => [kid, { publicKey }]));
const enrol = { authorize: ['signedChallenge' as const], signedChallenge: { keys } };

test('docs/mint-challenge.ts signs what is believed', async () => {
  const w = await world({ endpoint: { enrol } });
  w.lab.clock.at = Date.now();
  const folder = mkdtempSync(join(tmpdir(), 'scepter-mint-'));
  try {
    for (const { kid, privateKey } of signers) {
      const file = join(folder, 'key.pem');
      writeFileSync(file, privateKey);
      const bound = JSON.stringify({ subject: 'CN=phone-17,O=Test', device: kid });
      const program = join(import.meta.dirname, '../../../docs/mint-challenge.ts');
      const args = ['--disable-warning=ExperimentalWarning', program, file, kid, 'default', bound];
      const challenge = execFileSync(process.execPath, args, { encoding: 'utf8' }).trim();
      const key = await deviceKey(`mint ${kid}`);
      got(await w.ask({ challenge, key, subject: 'CN=phone-17,O=Test' }));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  assert.deepEqual(
    w
      .certificates()
      .map(({ device }) => device)
      .sort(),
    ['edge', 'mdm-2026'],
  );
});
