// The program of docs/webhooks.md that answers as a webhook, run as its readers run it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../../support/installed.ts';
import { withOpenssl } from '../../support/openssl.ts';
import { freePort } from '../../support/process.ts';
import {
  hookHost,
  hookSecret,
  knownSubject,
  requireAnswers,
  serverCertificate,
} from '../../support/webhook.ts';

withOpenssl((openssl) =>
  test('docs/answer-webhook.ts verifies what it is asked, and is believed', async () => {
    const names = `DNS:${hookHost}`;
    const identity = await serverCertificate(openssl.path(''), openssl.run, names);
    const port = await freePort();
    const program = join(root, 'docs', 'answer-webhook.ts');
    const args = [`${port}`, openssl.path('pem'), openssl.path('key'), knownSubject];
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', program, ...args],
      { env: { ...process.env, HOOK_SECRET: hookSecret }, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    try {
      await once(child.stdout, 'data');
      await requireAnswers(port, identity.root);
    } finally {
      child.kill();
    }
  }),
);
