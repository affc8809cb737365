// Certificates name CRLs and issuers where the configuration has files, and doctor looks there.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { extensionOids } from '../../../lib/asn1/oids.ts';
import { filesFindings } from '../../../lib/cli/doctor/checks/files.ts';
import { filesFacts } from '../../../lib/cli/doctor/gather.ts';
import { checkConfig } from '../../../lib/config/config.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { readCrlHead } from '../../../lib/x509/crl-head.ts';
import { type Lab, makeLab } from '../../support/lab.ts';
import { held, keys, world } from '../../support/world.ts';

const filesUrl = 'http://pki.example.com';
const cas = { default: { subject: 'CN=Lab CA,O=Lab', key: 'ec:P-256' as const } };

const namedIn = (der: Uint8Array<ArrayBuffer>): string[] => {
  const { extensions } = readCertificate(der);
  return [extensionOids.cRLDistributionPoints, extensionOids.authorityInfoAccess].flatMap((oid) => {
    const text = Buffer.from(extensions.get(oid)?.value ?? []).toString('latin1');
    return /http:\/\/[ -~]+/.exec(text)?.[0] ?? [];
  });
};

describe('filesUrl', () => {
  test('certificates of devices and of the RA name it, for the CRL and for the issuer', async () => {
    const w = await world({ config: { filesUrl, cas } });
    const expected = [`${filesUrl}/crl/default.crl`, `${filesUrl}/aia/default.cer`];
    const [key = assert.fail()] = await keys('files url');
    const { certificate: device } = await held(w, key);
    assert.deepEqual(namedIn(device.der), expected);
    assert.deepEqual(namedIn(w.lab.announced.ra.der), expected);
  });

  test('partitions are there, in certificates and in the CRLs themselves', async () => {
    const spread = { default: { ...cas.default, crlPartitions: 2 } };
    const w = await world({ config: { filesUrl, cas: spread } });
    const [key = assert.fail()] = await keys('files url');
    const { certificate: device } = await held(w, key);
    const [url = ''] = namedIn(device.der);
    assert.match(url, /^http:\/\/pki\.example\.com\/crl\/default\/1-[01]\.crl$/);
    const crl = await w.lab.fetch(new URL(url).pathname);
    const head = readCrlHead(new Uint8Array(await crl.arrayBuffer()));
    assert.deepEqual(head?.distributionPoint, [url]);
  });

  test('without it publicUrl is the place', () => {
    const document = {
      publicUrl: 'https://a.example',
      cas,
      endpoints: { default: { ca: 'default' } },
    };
    assert.equal(checkConfig(document).filesUrl, 'https://a.example');
    assert.throws(
      () => checkConfig({ ...document, filesUrl: 'ftp://a' }),
      /filesUrl: must be an http/,
    );
  });
});

/** What doctor finds at an address that answers as this says. */
async function found(lab: Lab, answer: (path: string) => Promise<Response>) {
  const { createServer } = await import('node:http');
  const server = createServer((request, response) => {
    answer(request.url ?? '').then(async (reply) => {
      response.writeHead(reply.status).end(Buffer.from(await reply.arrayBuffer()));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  try {
    const facts = await filesFacts(`http://127.0.0.1:${port}`, ['default'], {
      limitMs: 60_000,
      progress: () => {},
    });
    const all = await filesFindings(facts, lab.clock.now());
    return all.map(({ mark, says }) => `${mark} ${says.replaceAll(String(port), 'P')}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('doctor finds the CRL and the certificate of each CA there, or says what is wrong', async () => {
  const lab = await makeLab();
  const at = 'http://127.0.0.1:P';
  const good = await found(lab, (path) => lab.fetch(path));
  assert.equal(good[0], `good ${at}/aia/default.cer: the certificate of the CA`);
  assert.match(
    good[1] ?? '',
    /^good http:\/\/127\.0\.0\.1:P\/crl\/default\.crl: 0 revoked, next by /,
  );
  const gone = async () => new Response('gone', { status: 404 });
  assert.deepEqual(await found(lab, gone), [
    `fault ${at}/aia/default.cer: HTTP 404, and no certificate`,
  ]);
  const noCrl = (path: string) => (path.endsWith('.crl') ? gone() : lab.fetch(path));
  assert.deepEqual((await found(lab, noCrl)).at(-1), `fault ${at}/crl/default.crl: HTTP 404`);
  const other = await makeLab({ config: { cas } });
  const mixed = (path: string) => (path.endsWith('.crl') ? other.fetch(path) : lab.fetch(path));
  assert.match((await found(lab, mixed)).at(-1) ?? '', /is not signed by /);
});
