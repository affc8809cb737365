// Records what step-ca posts to the webhooks of a SCEP provisioner, for `test/adapters/webhook/step-ca.test.ts`:
// `node test/support/make-webhook-vectors.ts`, with Go and openssl. Keys and secrets are made for it and are public.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { type Bytes, base64, fromPem } from '../../lib/base/bytes.ts';
import { importKey, readCaCertificates } from '../../lib/protocol/scep/client/client.ts';
import { root, tool } from './installed.ts';
import { enrolment } from './messages.ts';
import { freePort } from './process.ts';
import { startStepCa, stepCa } from './scep-peers.ts';

type Recorded = {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

const challenge = 'opensesame-7eg6959cr6gghggwv31frwq4q4';
const secret = base64(crypto.getRandomValues(new Uint8Array(64)));
const token = 'a-token-of-a-test';
const recorded: Recorded[] = [];

const hooksOf = async (folder: string) => {
  const openssl = (...args: readonly string[]) => tool('openssl', args, folder, 'openssl');
  const request = ['-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost'];
  await openssl('req', ...request, '-keyout', 'hook.key', '-out', 'hook.csr');
  writeFileSync(join(folder, 'hook.ext'), 'subjectAltName=DNS:localhost\n');
  const by = ['-CA', 'root.pem', '-CAkey', 'root.key', '-extfile', 'hook.ext', '-days', '1'];
  await openssl('x509', '-req', '-in', 'hook.csr', '-out', 'hook.pem', ...by);
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const server = createServer({ key: read('hook.key'), cert: read('hook.pem') });
  server.on('request', async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    );
    recorded.push({ headers, body: Buffer.concat(parts).toString() });
    response.end(JSON.stringify({ allow: true }));
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  server.unref();
  const url = `https://localhost:${port}/hook`;
  return {
    webhooks: [
      { id: '8509cf3b-c657-4f69-bf78-636be7cd91fc', name: 'ask', url, kind: 'SCEPCHALLENGE' },
      { id: '8509cf3b-c657-4f69-bf78-636be7cd91fc', name: 'tell', url, kind: 'NOTIFYING' },
    ],
    env: { HOOK_SECRET: secret, HOOK_TOKEN: token },
  };
};

/** By what is in them: sections of openssl's configuration. */
const requests: Readonly<Record<string, { key: readonly string[]; config: string }>> = {
  plain: {
    key: ['-newkey', 'rsa:2048'],
    config: '[req]\ndistinguished_name=dn\nattributes=at\nprompt=no\n[dn]\nCN=device-1\n',
  },
  full: {
    key: ['-newkey', 'rsa:2048'],
    config: [
      '[req]\ndistinguished_name=dn\nattributes=at\nprompt=no\nreq_extensions=ex\nutf8=yes',
      '[dn]\nC=DE\nST=Hesse\nL=Frankfurt\nstreet=Zeil 1\npostalCode=60313\n0.O=Exämple & <Söhne>\n1.O=Second',
      'OU=Devices\nserialNumber=SN-17\n0.DC=example\n1.DC=com\nUID=u-1\nCN=device-2.example.com',
      'emailAddress=it@example.com',
      '[ex]\nsubjectAltName=@san\nkeyUsage=critical,digitalSignature,keyEncipherment',
      'extendedKeyUsage=clientAuth,1.3.6.1.5.5.7.3.17\nbasicConstraints=critical,CA:FALSE',
      '[san]\nDNS.1=Device-2.example.com\nDNS.2=device-2\nIP.1=192.0.2.7\nIP.2=2001:db8::7',
      'email=it@example.com\nURI=tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-1001',
      'otherName=1.3.6.1.4.1.311.20.2.3;UTF8:device@example.com\n',
    ].join('\n'),
  },
  nameless: {
    key: ['-newkey', 'rsa:2048', '-subj', '/'],
    config: [
      '[req]\ndistinguished_name=dn\nattributes=at\nprompt=no\nreq_extensions=ex\n[dn]\nCN=none',
      '[ex]\nsubjectAltName=DNS:device-3.example.com\nkeyUsage=dataEncipherment,keyAgreement\n',
    ].join('\n'),
  },
  // step-ca cannot seal its reply for such a key, so it tells a failure.
  'elliptic curve': {
    key: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
    config: '[req]\ndistinguished_name=dn\nattributes=at\nprompt=no\n[dn]\nCN=device-4\n',
  },
};

let folder = '';
const peer = await startStepCa(challenge, (made) => {
  folder = made;
  return hooksOf(made);
});
const vectors: Record<string, readonly Recorded[]> = {};
try {
  const url = `http://127.0.0.1:${peer.port}${peer.path}?operation=`;
  const octets = async (answer: Response): Promise<Bytes> =>
    new Uint8Array(await answer.arrayBuffer());
  const announced = readCaCertificates(await octets(await fetch(`${url}GetCACert`)));
  for (const [name, { key, config }] of Object.entries(requests)) {
    writeFileSync(join(folder, 'req.cnf'), `${config}[at]\nchallengePassword=${challenge}\n`);
    const files = ['-config', 'req.cnf', '-keyout', 'device.key', '-out', 'device.csr'];
    await tool('openssl', ['req', '-new', ...key, '-nodes', ...files], folder, 'openssl');
    const [pkcs8] = fromPem('PRIVATE KEY', readFileSync(join(folder, 'device.key'), 'utf8'));
    const [csr] = fromPem('CERTIFICATE REQUEST', readFileSync(join(folder, 'device.csr'), 'utf8'));
    const deviceKey = pkcs8 && (await importKey(pkcs8));
    if (!csr || !deviceKey) throw new Error('openssl wrote no key or request');
    const options = { plaintext: csr, key: deviceKey, subject: 'CN=device' };
    const sent = await enrolment({ announced, clock: Date }, options);
    const before = recorded.length;
    await fetch(`${url}PKIOperation`, { method: 'POST', body: sent.message });
    vectors[name] = recorded.slice(before);
    console.log(`${name}: ${recorded.length - before} posts`);
  }
} finally {
  await peer.stop();
}
const at = join(root, 'test', 'vectors', 'webhook');
mkdirSync(at, { recursive: true });
const file = { stepCa: stepCa.version, secret, token, challenge, vectors };
writeFileSync(join(at, 'step-ca.json'), `${JSON.stringify(file, null, 2)}\n`);
process.exit(0);
