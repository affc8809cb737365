// OCSP beside openssl: it answers our request, and we read its answer: whom it is about, by whom, until when.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromPem, fromUtf8, hex } from '../../lib/base/bytes.ts';
import { Malformed } from '../../lib/base/errors.ts';
import { type Certificate, readCertificate } from '../../lib/x509/certificate.ts';
import { encodeOcspRequest, readOcspResponse } from '../../lib/x509/ocsp.ts';
import { withOpenssl } from '../support/openssl.ts';

withOpenssl((openssl) => {
  const newKey = ['-newkey', 'rsa:2048', '-nodes'];
  const path = openssl.path;
  const read = (name: string): Certificate =>
    readCertificate(fromPem('CERTIFICATE', fromUtf8(openssl.read(name)))[0] ?? new Uint8Array(0));
  openssl.run(
    ...['req', '-x509', ...newKey, '-keyout', path('ca.key'), '-out', path('ca.pem')],
    ...['-subj', '/CN=OCSP CA', '-addext', 'basicConstraints=critical,CA:TRUE'],
  );
  const issue = (name: string, extension = 'basicConstraints=CA:FALSE'): Certificate => {
    const files = ['-keyout', path(`${name}.key`), '-out', path(`${name}.csr`)];
    openssl.run('req', ...newKey, ...files, '-subj', `/CN=${name}`);
    openssl.file('ext', extension);
    openssl.run(
      ...['x509', '-req', '-in', path(`${name}.csr`), '-out', path(`${name}.pem`)],
      ...['-CA', path('ca.pem'), '-CAkey', path('ca.key'), '-extfile', path('ext'), '-days', '9'],
    );
    return read(`${name}.pem`);
  };
  const device = issue('device');
  const ca = read('ca.pem');
  issue('delegate', 'extendedKeyUsage=OCSPSigning');
  issue('stranger');
  const by = { issuer: ca, now: Date.now() };

  const answer = (status: string, signer = 'ca') => {
    const revoked = status === 'R' ? '310101000000Z' : '';
    const serial = hex(device.serial).toUpperCase();
    openssl.file('index', `${status}\t391231235959Z\t${revoked}\t${serial}\tunknown\t/CN=device\n`);
    openssl.file('request', encodeOcspRequest(device, ca));
    openssl.run(
      ...[
        'ocsp',
        '-index',
        path('index'),
        '-CA',
        path('ca.pem'),
        '-rsigner',
        path(`${signer}.pem`),
      ],
      ...['-rkey', path(`${signer}.key`), '-reqin', path('request'), '-respout', path('response')],
      ...['-ndays', '3'],
    );
    return openssl.read('response');
  };

  describe('RFC 6960: an OCSP response of openssl to our request', () => {
    test('says that the certificate is good, from when, until when', async () => {
      const before = Date.now() - 60_000;
      const status = await readOcspResponse(answer('V'), device, by);
      assert.ok(typeof status === 'object');
      assert.equal(status.status, 'good');
      assert.equal(status.trusted, true);
      assert.ok(status.thisUpdate > before);
      assert.equal((status.nextUpdate ?? 0) - status.thisUpdate, 3 * 24 * 60 * 60 * 1000);
    });
    test('says that it is revoked', async () => {
      const status = await readOcspResponse(answer('R'), device, by);
      assert.ok(typeof status === 'object');
      assert.equal(status.status, 'revoked');
    });
    for (const [signer, trusted] of [
      ['delegate', true],
      ['stranger', false],
    ] as const) {
      test(`signed by a ${signer}: ${trusted}`, async () => {
        const status = await readOcspResponse(answer('V', signer), device, by);
        assert.ok(typeof status === 'object');
        assert.equal(status.trusted, trusted);
      });
    }
    test('signed by a delegate that is not valid any more, or not yet: not trusted, as nobody would', async () => {
      const response = answer('V', 'delegate');
      for (const days of [-2, 10]) {
        const then = { issuer: ca, now: by.now + days * 86_400_000 };
        const status = await readOcspResponse(response, device, then);
        assert.ok(typeof status === 'object');
        assert.equal(status.trusted, false, `${days} days`);
      }
    });
    test('that was changed is not trusted', async () => {
      const response = answer('V', 'ca');
      const at = Buffer.from(response).indexOf(Buffer.from([0x80, 0x00]));
      response[at] = 0x82;
      const status = await readOcspResponse(response, device, by);
      assert.ok(typeof status === 'object');
      assert.deepEqual([status.status, status.trusted], ['unknown', false]);
    });
    test('about another certificate is refused', async () => {
      const response = answer('V');
      const other = { ...device, serial: Uint8Array.of(7) };
      await assert.rejects(readOcspResponse(response, other, by), Malformed);
    });
    test('that is an error has its name', async () => {
      const tryLater = Uint8Array.of(0x30, 0x03, 0x0a, 0x01, 0x03);
      assert.equal(await readOcspResponse(tryLater, device, by), 'tryLater');
    });
    test('that is none is refused', async () => {
      await assert.rejects(readOcspResponse(Uint8Array.of(0x30, 0x00), device, by), Malformed);
    });
  });
});
