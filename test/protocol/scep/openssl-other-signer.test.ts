// A request of which openssl has made everything that it can: the PKCS#10 of an EC key, the temporary RSA
// certificate that signs, the envelope, and with openssl the reply is verified and opened.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pem } from '../../../lib/base/bytes.ts';
import { readSignedData } from '../../../lib/cms/signed-data.ts';
import { importKey } from '../../../lib/protocol/scep/client/client.ts';
import { publicKeyOf, readCertificate } from '../../../lib/x509/certificate.ts';
import { readCertificationRequest } from '../../../lib/x509/csr.ts';
import { enrolment } from '../../support/messages.ts';
import { withOpenssl } from '../../support/openssl.ts';
import { world } from '../../support/world.ts';

const requestConfig = (challenge: string): string => `
[req]
prompt = no
distinguished_name = name
attributes = attributes
[name]
CN = device-1
O = Test
[attributes]
challengePassword = ${challenge}
`;

withOpenssl((openssl) => {
  test('RFC 8894 §2.3: openssl, an EC key in the request and a temporary RSA signer: certified, and openssl opens the reply', async () => {
    const w = await world({ endpoint: { enrol: { authorize: ['challenge'], signer: 'any' } } });
    const config = openssl.file('request.cnf', requestConfig(await w.lab.challenge()));
    const ecKey = openssl.path('ec.key');
    openssl.run('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', ecKey);
    const csr = openssl.run('req', '-new', '-key', ecKey, '-config', config, '-outform', 'DER');
    const rsaKey = openssl.path('rsa.key');
    openssl.run('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', rsaKey);
    const self = ['-subj', '/CN=temporary', '-days', '1', '-outform', 'DER'];
    const certificate = readCertificate(openssl.run('req', '-x509', '-key', rsaKey, ...self));
    const pkcs8 = openssl.run('pkcs8', '-topk8', '-nocrypt', '-in', rsaKey, '-outform', 'DER');
    const key = await importKey(pkcs8);
    assert.ok(key);
    const ra = openssl.file('ra.pem', pem('CERTIFICATE', w.lab.announced.ra.der));
    const clear = openssl.file('csr.der', csr);
    const sealing = ['-binary', '-aes256', '-outform', 'DER', '-in', clear];
    const envelope = openssl.run('cms', '-encrypt', ...sealing, ra);
    const { message } = await enrolment(w.lab, { signer: { key, certificate }, key, envelope });

    const reply = await w.lab.operate(message);
    const signed = openssl.file('reply.der', reply);
    const der = ['-inform', 'DER'];
    const verified = ['-verify', ...der, '-in', signed, '-certfile', ra, '-noverify', '-binary'];
    const sealed = openssl.file('sealed.der', openssl.run('cms', ...verified));
    const { eContent } = readSignedData(reply);
    assert.deepEqual(openssl.read('sealed.der'), eContent);
    const opened = openssl.run(
      'cms',
      '-decrypt',
      ...der,
      '-in',
      sealed,
      '-inkey',
      rsaKey,
      '-binary',
    );
    const bag = openssl.file('bag.der', opened);
    const printed = openssl.run('pkcs7', ...der, '-in', bag, '-print_certs', '-outform', 'PEM');
    const issued = openssl.run(
      'x509',
      '-in',
      openssl.file('issued.pem', printed),
      '-outform',
      'DER',
    );
    const { spki } = publicKeyOf(readCertificate(issued)) ?? {};
    assert.deepEqual(spki, readCertificationRequest(csr).publicKey?.spki);
    w.check();
  });
});
