// The emulator of IAM Roles Anywhere, held against AWS's own client of it: it takes what that client signs, and nothing
// that is changed. So what it takes of ours (test/adapters/roles-anywhere.test.ts) is signed as AWS wants it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { withOpenssl } from '../support/openssl.ts';
import { requireSigned, startRolesAnywhere } from '../support/roles-anywhere.ts';

const helper = process.env.AWS_SIGNING_HELPER;
if (!helper) throw new TypeError('run me with npm run test:kms');

const region = 'eu-central-1';
const of = (kind: string) => `arn:aws:rolesanywhere:${region}:111122223333:${kind}/1`;

withOpenssl((openssl) => {
  const kinds = {
    ECDSA: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
    RSA: ['-newkey', 'rsa:2048'],
  };
  for (const [kind, key] of Object.entries(kinds)) {
    const path = (name: string) => openssl.path(`${kind}-${name}`);
    openssl.run(
      ...['req', '-x509', '-nodes', ...key, '-keyout', path('root.key'), '-out', path('root.pem')],
      ...['-subj', '/CN=root', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
    );
    openssl.run(
      ...['req', '-x509', '-nodes', ...key, '-keyout', path('key'), '-out', path('pem')],
      ...['-subj', '/CN=scepter', '-CA', path('root.pem'), '-CAkey', path('root.key')],
      ...['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'keyUsage=digitalSignature'],
    );
    const anchor = {
      region,
      trustAnchor: of('trust-anchor'),
      profile: of('profile'),
      role: 'arn:aws:iam::111122223333:role/worker',
      certificate: readFileSync(path('root.pem'), 'utf8'),
      commonName: 'scepter',
    };
    const asks = (endpoint: string) =>
      promisify(execFile)(helper, [
        ...['credential-process', '--endpoint', endpoint, '--region', region],
        ...['--certificate', path('pem'), '--private-key', path('key')],
        ...['--trust-anchor-arn', anchor.trustAnchor, '--profile-arn', anchor.profile],
        ...['--role-arn', anchor.role],
      ]);

    test(`AWS's client has a session by a key of ${kind}`, async () => {
      const given = { accessKeyId: 'ASIA1', secretAccessKey: 'secret', sessionToken: 'token' };
      const server = await startRolesAnywhere(anchor, () => given);
      try {
        const { stdout } = await asks(server.url);
        assert.equal(JSON.parse(stdout).AccessKeyId, 'ASIA1');
        assert.equal(server.made.length, 1);
      } finally {
        server.stop();
      }
    });

    test(`of what it sends with a key of ${kind}, nothing can be changed`, async () => {
      const { request, body } = await sentBy(asks);
      const { method, url, headers } = request;
      const sent = { method, url, headers };
      requireSigned(sent, body, anchor);
      assert.throws(() => requireSigned(sent, `${body} `, anchor));
      assert.throws(() => requireSigned({ ...sent, url: `${url}1` }, body, anchor));
      const { authorization = '' } = headers;
      for (const [name, value] of Object.entries({
        ...headers,
        authorization: authorization.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
        'x-amz-date': String(headers['x-amz-date']).replace('Z', ''),
      })) {
        const isSigned =
          name === 'authorization' || new RegExp(`[=;]${name}[;,]`).test(authorization);
        if (!isSigned) continue;
        const changed = name === 'authorization' ? value : `${value}x`;
        const other = { ...sent, headers: { ...headers, [name]: changed } };
        assert.throws(() => requireSigned(other, body, anchor), name);
      }
    });
  }
});

/** What a client sends to somebody who answers nothing. */
async function sentBy(asks: (endpoint: string) => Promise<unknown>) {
  const kept: { request: IncomingMessage; body: string }[] = [];
  const server = createServer(async (request, response) => {
    kept.push({ request, body: await text(request) });
    response.writeHead(403).end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await assert.rejects(asks(`http://127.0.0.1:${port}`));
  server.close();
  return kept[0] ?? assert.fail('nothing was sent');
}
