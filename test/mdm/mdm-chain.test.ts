// An endpoint whose CA is below a root: what is written for MDMs has both, each where it belongs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRandom } from '../../lib/adapters/system.ts';
import { type Bytes, base64, fromHex, hex, pem } from '../../lib/base/bytes.ts';
import { checkConfig } from '../../lib/config/config.ts';
import { hash } from '../../lib/crypto/native.ts';
import { appleProfile } from '../../lib/mdm/apple-profile.ts';
import { intuneConsole } from '../../lib/mdm/consoles.ts';
import type { CaFacts, MdmFacts } from '../../lib/mdm/facts.ts';
import { certmongerScript, strongswanScript } from '../../lib/mdm/linux.ts';
import { cspNodes } from '../../lib/mdm/windows-csp.ts';
import { type ClientKey, generateKey } from '../../lib/protocol/scep/client/client.ts';
import {
  encodeTbsCertificate,
  readCertificate,
  signed,
  validity,
} from '../../lib/x509/certificate.ts';
import { parseName } from '../../lib/x509/names/name.ts';

const root = parseName('CN=Root,O=Example');
const below = parseName('CN=Device CA,O=Example');
const key = await generateKey({ type: 'EC', curve: 'P-256' });

async function caFacts(subject: Bytes, { scheme, sign, spki }: ClientKey): Promise<CaFacts> {
  const { notBefore, notAfter } = validity(0, 86_400_000);
  const tbs = encodeTbsCertificate({
    ...{ serial: systemRandom(8).fill(1, 0, 1), scheme, issuer: root, subject },
    ...{ notBefore, notAfter, spki, extensions: [] },
  });
  const der = signed(tbs, scheme, await sign(tbs));
  const certificate = readCertificate(der);
  return { certificate, sha1: hex(hash('SHA-1', der)), sha256: hex(hash('SHA-256', der)) };
}

const { endpoints, publicUrl } = checkConfig({
  publicUrl: 'https://scep.example.com',
  cas: { default: { subject: 'CN=Device CA,O=Example' } },
  endpoints: { default: { ca: 'default' } },
});
const endpoint = endpoints.get('default');
assert.ok(endpoint);
const [ca, issuer] = [await caFacts(below, key), await caFacts(root, key)];
const facts: MdmFacts = {
  ...{ endpoint, publicUrl, url: `${publicUrl}/scep`, outside: [], ca, issuers: [issuer] },
};
const request = { subject: parseName('CN=a'), names: [], challenge: 'x' };
const upper = ({ sha1 }: CaFacts): string => sha1.toUpperCase();

test('a profile for Apple has the root as root, the CA as another certificate, and pins the CA', () => {
  const text = appleProfile(facts, request, () => crypto.randomUUID());
  const types = [...text.matchAll(/com\.apple\.security\.\w+/g)].map(([type]) => type);
  assert.deepEqual(types, [
    'com.apple.security.pkcs1',
    'com.apple.security.root',
    'com.apple.security.scep',
  ]);
  const pinned = base64(fromHex(ca.sha1));
  const [, data] = /CAFingerprint<\/key>\s*<data>([^<]*)</.exec(text) ?? [];
  assert.equal(data, pinned);
});

test('Windows trusts the root in Root and the CA in CA, and compares the root', () => {
  const { trust, enrol } = cspNodes(facts, request, { store: 'Device', id: 'a' });
  const at = './Device/Vendor/MSFT/RootCATrustedCertificates';
  assert.deepEqual(
    trust.map(({ uri }) => uri),
    [`${at}/CA/${upper(ca)}/EncodedCertificate`, `${at}/Root/${upper(issuer)}/EncodedCertificate`],
  );
  const thumbprint = enrol.find(({ uri }) => uri.endsWith('/CAThumbprint'));
  assert.equal(thumbprint?.value, upper(issuer));
});

test('Intune gets a trusted certificate for each', () => {
  const stores = intuneConsole(facts).places.flatMap(({ fields }) =>
    fields.filter(([label]) => label === 'Destination store').map(([, value]) => value),
  );
  assert.deepEqual(stores, [
    'Computer certificate store - Intermediate',
    'Computer certificate store - Root',
  ]);
});

test('strongSwan has both as files, and certmonger may know either', () => {
  const script = strongswanScript(facts, request);
  for (const [file, one] of [
    ['ca.pem', ca],
    ['ca-1.pem', issuer],
  ] as const) {
    const text = pem('CERTIFICATE', one.certificate.der);
    assert.ok(script.includes(`cat > ${file} <<'PEM'\n${text}PEM\n`), file);
  }
  assert.ok(script.includes('pki --verify --in ra.pem --cacert ca.pem --cacert ca-1.pem\n'));
  const known = [ca, issuer].map((one) => `*'${upper(one).match(/.{8}/g)?.join(' ')}'`).join('|');
  assert.ok(certmongerScript(facts, request).includes(`  ${known}) ;;\n`));
});
