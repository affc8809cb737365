// RFC 5280 §6.3.3 by a verifier that we did not write: a partition's CRL counts for the certificates that name it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bytes, hex, pem } from '../../lib/base/bytes.ts';
import { keepCrls } from '../../lib/ca/revoke/publish-crl.ts';
import { revoke } from '../../lib/ca/revoke/revoke.ts';
import { withOpenssl } from '../support/openssl.ts';
import { held, keys, world } from '../support/world.ts';

withOpenssl((openssl) => {
  test('RFC 5280 §6.3.3: openssl takes the CRL that a certificate names for it, and no other', async () => {
    const cas = { default: { subject: 'CN=Lab CA,O=Lab', crlPartitions: 2 } };
    const w = await world({ config: { publicUrl: 'http://scep.test', cas } });
    const partitionOf = (serial: Bytes) =>
      w.certificates().find((one) => one.serial === hex(serial))?.partition;
    const certificates: { readonly der: Bytes; readonly serial: Bytes }[] = [];
    for (const key of await keys('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h')) {
      const { certificate } = await held(w, key, `CN=device-${certificates.length}`);
      certificates.push({ der: certificate.der, serial: certificate.serial });
    }
    const of = (partition: string) =>
      certificates.find(({ serial }) => partitionOf(serial) === partition) ?? assert.fail();
    const [gone, kept] = [of('1-0'), of('1-1')];
    const asked = { ca: 'default', serial: hex(gone.serial), reason: 'keyCompromise' } as const;
    await revoke(w.lab.deps, { ...asked, actor: { kind: 'admin', id: 'somebody' } });
    await keepCrls(w.lab.deps, await w.lab.deps.cas.issuer('default'));

    const [issuer = assert.fail()] = w.lab.announced.chain;
    const ca = openssl.file('ca.pem', pem('CERTIFICATE', issuer.der));
    const verified = async (der: Bytes, name: string): Promise<string> => {
      const crl = (await w.lab.deps.crls.newest(name)) ?? assert.fail();
      const list = openssl.file('partition.crl', pem('X509 CRL', crl.der));
      const leaf = openssl.file('leaf.pem', pem('CERTIFICATE', der));
      return openssl.attempt('verify', '-crl_check', '-CRLfile', list, '-CAfile', ca, leaf).said;
    };
    const { ra } = w.lab.announced;
    assert.match(await verified(gone.der, 'default/1-0'), /certificate revoked/);
    assert.match(await verified(kept.der, 'default/1-1'), /leaf\.pem: OK/);
    assert.match(await verified(ra.der, 'default'), /leaf\.pem: OK/);
    const apart = /unable to get certificate CRL|different CRL scope/i;
    assert.match(await verified(gone.der, 'default/1-1'), apart);
    assert.match(await verified(gone.der, 'default'), apart);
    assert.match(await verified(kept.der, 'default'), apart);
    assert.match(await verified(ra.der, 'default/1-0'), apart);
  });
});
