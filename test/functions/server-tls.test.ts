// TLS by the server itself: what it serves where, wrong files, and a new certificate without a restart.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { readDocument } from '../../functions/config/default-config.ts';
import { readEnv } from '../../functions/env.ts';
import { freePort, run, startServer, temporary } from '../support/process.ts';

const folder = temporary('tls');
/** A certificate for this machine and its key. */
function made(name: string): { readonly cert: string; readonly key: string } {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const files = ['-keyout', key, '-out', cert, '-days', '30'];
  execFileSync('openssl', ['req', ...kind, ...subject, ...files], { stdio: 'ignore' });
  return { cert, key };
}
const [first, second] = [made('first'), made('second')];

/** @returns the status, and who the server said it is */
const asked = (url: string, token?: string): Promise<{ status: number; name: string }> =>
  new Promise((resolve, reject) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const ca = [readFileSync(first.cert), readFileSync(second.cert)];
    get(url, { ca, headers, agent: false }, (response) => {
      const name = String((response.socket as TLSSocket).getPeerCertificate().subject.CN);
      response.resume().on('end', () => resolve({ status: response.statusCode ?? 0, name }));
    }).on('error', reject);
  });

const settings = async () => {
  const [port, httpPort] = [await freePort(), await freePort()];
  const [cert, key] = [join(folder, 'served.pem'), join(folder, 'served.key')];
  copyFileSync(first.cert, cert);
  copyFileSync(first.key, key);
  const document = {
    publicUrl: `http://127.0.0.1:${httpPort}`,
    cas: { default: { subject: 'CN=TLS CA', key: 'ec:P-256' } },
    endpoints: { default: { ca: 'default' } },
  };
  return {
    PORT: String(port),
    SCEPTER_HTTP_PORT: String(httpPort),
    SCEPTER_TLS_CERT: cert,
    SCEPTER_TLS_KEY: key,
    SCEPTER_DATA_DIR: join(folder, 'data'),
    SCEPTER_CONFIG: JSON.stringify(document),
  };
};

test('TLS serves all, plain http beside it serves devices only, and SIGHUP takes a new certificate', async () => {
  const env = await settings();
  const server = await startServer(env);
  const secure = `https://127.0.0.1:${env.PORT}`;
  const plain = `http://127.0.0.1:${env.SCEPTER_HTTP_PORT}`;
  try {
    const token = readFileSync(join(folder, 'data', 'token'), 'utf8').trim();
    assert.deepEqual(await asked(`${secure}/api/v1/status`, token), { status: 200, name: 'first' });
    assert.equal((await asked(`${secure}/scep?operation=GetCACaps`)).status, 200);
    for (const path of ['/scep?operation=GetCACaps', '/crl/default.crl', '/aia/default.cer']) {
      assert.equal((await fetch(plain + path)).status, 200, path);
    }
    const headers = { authorization: `Bearer ${token}` };
    for (const path of ['/api/v1/status', '/metrics', '/openapi.json', '//api/v1/status']) {
      assert.equal((await fetch(plain + path, { headers })).status, 403, path);
    }
    const { code, out } = await run('bin/scepter.js', ['status'], {
      env: { ...env, NODE_EXTRA_CA_CERTS: first.cert },
    });
    assert.equal(code, 0, 'the command on this machine speaks TLS to it');
    assert.match(out, /https:/);
    const stranger = await run('bin/scepter.js', ['status'], { env });
    assert.equal(stranger.code, 5);
    assert.match(
      stranger.err,
      /no CA that is known here has issued its certificate: NODE_EXTRA_CA/,
    );

    const heard = async (event: string): Promise<void> => {
      for (let count = server.logged().split(event).length; ; ) {
        server.child.kill('SIGHUP');
        while (server.logged().split(event).length === count) {
          await new Promise((resolve) => server.child.stderr?.once('data', resolve));
        }
        return;
      }
    };
    copyFileSync(second.cert, env.SCEPTER_TLS_CERT);
    await heard('tls.notReloaded');
    assert.match(server.logged(), /is not the key of the certificate/);
    assert.equal((await asked(`${secure}/healthz`)).name, 'first', 'a half renewal is not taken');
    copyFileSync(second.key, env.SCEPTER_TLS_KEY);
    await heard('tls.reloaded');
    assert.equal((await asked(`${secure}/healthz`)).name, 'second');
  } finally {
    await server.stop();
  }
});

test('files that TLS cannot use refuse the start with a sentence', async () => {
  const env = { ...(await settings()), SCEPTER_DATA_DIR: join(folder, 'never') };
  const text = join(folder, 'text');
  writeFileSync(text, 'no PEM');
  for (const [change, sentence] of [
    [{ SCEPTER_TLS_CERT: join(folder, 'none') }, /SCEPTER_TLS_CERT: ENOENT/],
    [{ SCEPTER_TLS_CERT: text }, /SCEPTER_TLS_CERT: .* must be a certificate and its issuers/],
    [{ SCEPTER_TLS_KEY: text }, /SCEPTER_TLS_KEY: .* must be a private key in PEM/],
    [{ SCEPTER_TLS_KEY: second.key }, /is not the key of the certificate in/],
  ] as const) {
    const { code, err } = await run('functions/server.ts', [], { env: { ...env, ...change } });
    assert.equal(code, 1);
    assert.match(err, sentence);
  }
});

test('half a setting for TLS is refused', () => {
  const cert = { SCEPTER_TLS_CERT: 'a' };
  assert.throws(() => readEnv(cert), /SCEPTER_TLS_CERT is set without SCEPTER_TLS_KEY/);
  assert.throws(() => readEnv({ SCEPTER_TLS_KEY: 'a' }), /KEY is set without SCEPTER_TLS_CERT/);
  assert.throws(() => readEnv({ SCEPTER_HTTP_PORT: '80' }), /plain http beside TLS/);
  const both = { ...cert, SCEPTER_TLS_KEY: 'b', SCEPTER_HTTP_PORT: '99999' };
  assert.throws(() => readEnv(both), /SCEPTER_HTTP_PORT must be a number/);
});

test('without a configuration, publicUrl is where plain http is spoken, and else of the scheme that the port speaks', async () => {
  const files = { SCEPTER_TLS_CERT: 'a', SCEPTER_TLS_KEY: 'b', PORT: '8443' };
  const all = { HOST: '0.0.0.0' };
  for (const [env, expected] of [
    [{ PORT: '81' }, 'http://127.0.0.1:81'],
    [files, 'https://127.0.0.1:8443'],
    [{ ...files, SCEPTER_HTTP_PORT: '80' }, 'http://127.0.0.1'],
    [{ ...files, ...all }, `https://${hostname().toLowerCase()}:8443`],
    [{ ...files, ...all, SCEPTER_HTTP_PORT: '81' }, `http://${hostname().toLowerCase()}:81`],
    [{ ...files, HOST: '::1' }, 'https://[::1]:8443'],
  ] as const) {
    const { document } = await readDocument(readEnv(env));
    assert.equal((document as { publicUrl: string }).publicUrl, expected);
  }
});
