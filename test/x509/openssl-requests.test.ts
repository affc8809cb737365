// PKCS#10 against openssl, both ways: requests with every kind of key, signature, name and string that
// it makes are read and proven; ours it verifies and prints.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { oid, scan, tag } from '../../lib/asn1/reader.ts';
import { type Bytes, fromUtf8, pem, utf8 } from '../../lib/base/bytes.ts';
import { buildRequest } from '../../lib/protocol/scep/client/client.ts';
import { type CertificationRequest, readCertificationRequest, redact } from '../../lib/x509/csr.ts';
import {
  parseGeneralName,
  printGeneralName,
  readGeneralNames,
} from '../../lib/x509/names/general-name.ts';
import { parseName, printName } from '../../lib/x509/names/name.ts';
import { keyName, verifySignature } from '../../lib/x509/public-key.ts';
import { deviceKey } from '../support/keys.ts';
import { withOpenssl } from '../support/openssl.ts';
import { signers, type TestSigner } from '../support/signed-data.ts';
import { flipped } from '../support/vectors.ts';

async function proven(csr: CertificationRequest): Promise<boolean> {
  const { publicKey, scheme, info, signature } = csr;
  return !!publicKey && !!scheme && verifySignature(publicKey, scheme, info, signature);
}
const namesOf = ({ subjectAltName }: CertificationRequest): string[] =>
  subjectAltName ? readGeneralNames(scan(subjectAltName)).map(printGeneralName) : [];

/** The string type of the challengePassword. */
function challengeTag({ der }: CertificationRequest): number | undefined {
  const attributes = scan(der).children[0]?.children[3]?.children ?? [];
  const attribute = attributes.find(({ children: [type] }) => {
    return type && oid(type) === '1.2.840.113549.1.9.7';
  });
  return attribute?.children[1]?.children[0]?.tag;
}

withOpenssl((openssl) => {
  const keys = Object.fromEntries(
    Object.entries<TestSigner>(signers).map(([name, { privateKey }]) => [
      name,
      openssl.file(`${name}.key`, privateKey.export({ type: 'pkcs8', format: 'pem' })),
    ]),
  ) as Record<keyof typeof signers, string>;

  type Options = {
    readonly key?: keyof typeof signers;
    readonly subject?: string;
    readonly challenge?: string;
    readonly mask?: string;
    readonly san?: readonly string[];
    readonly more?: string;
    readonly args?: readonly string[];
  };
  function request(options: Options = {}): CertificationRequest {
    const {
      key = 'rsa',
      subject = 'CN = device',
      challenge,
      mask = 'utf8only',
      san = [],
    } = options;
    const config = openssl.file(
      'request.cnf',
      `[req]
prompt = no
utf8 = yes
string_mask = ${mask}
distinguished_name = dn
attributes = attributes
${san.length > 0 || options.more ? 'req_extensions = extensions' : ''}
[dn]
${subject}
[attributes]
${challenge === undefined ? '' : `challengePassword = ${challenge}`}
[extensions]
${san.length > 0 ? 'subjectAltName = @san' : ''}
${options.more ?? ''}
[san]
${san.join('\n')}
[directory]
CN = directory
`,
    );
    const args = ['-new', '-config', config, '-key', keys[key], '-outform', 'DER'];
    return readCertificationRequest(openssl.run('req', ...args, ...(options.args ?? [])));
  }

  test('RFC 2986 §4: requests of openssl are proven, for each kind of key and digest', async () => {
    for (const [key, kind] of [
      ['rsa', 'RSA-2048'],
      ['P-256', 'P-256'],
      ['P-384', 'P-384'],
      ['P-521', 'P-521'],
    ] as const) {
      for (const digest of ['sha1', 'sha224', 'sha256', 'sha384', 'sha512']) {
        const csr = request({ key, args: [`-${digest}`] });
        assert.equal(csr.publicKey && keyName(csr.publicKey.kind), kind);
        assert.equal(csr.scheme?.digest.name, digest.replace('sha', 'SHA-'));
        assert.ok(await proven(csr), `${key} ${digest}`);
      }
    }
    const ed25519 = request({ key: 'Ed25519' });
    assert.equal(ed25519.publicKey && keyName(ed25519.publicKey.kind), 'Ed25519');
    assert.ok(await proven(ed25519));
  });

  test('RFC 4055 §3: requests that openssl signed with RSASSA-PSS are proven', async () => {
    const pss = ['-sigopt', 'rsa_padding_mode:pss'];
    for (const digest of ['sha1', 'sha256', 'sha384', 'sha512']) {
      for (const salt of ['digest', '0', '20']) {
        const args = [`-${digest}`, ...pss, '-sigopt', `rsa_pss_saltlen:${salt}`];
        const csr = request({ args });
        assert.equal(csr.scheme?.kind, 'RSA-PSS');
        assert.ok(await proven(csr), `${digest} ${salt}`);
      }
    }
    const mixed = request({ args: ['-sha256', ...pss, '-sigopt', 'rsa_mgf1_md:sha1'] });
    assert.equal(mixed.scheme, undefined);
  });

  test('RFC 2985 §5.4.1: challengePasswords of openssl are read in each string type', async () => {
    const seen = new Set<number | undefined>();
    for (const [mask, challenge, type] of [
      ['utf8only', 'secret', tag.utf8String],
      ['utf8only', 'sécret@1', tag.utf8String],
      ['nombstr', 'secret', tag.printableString],
      ['nombstr', 'secret@1', tag.ia5String],
      ['nombstr', 'sécret@1', tag.t61String],
      ['pkix', 'sécret@1', tag.bmpString],
      ['MASK:0x800', 'sécret@1', tag.bmpString],
    ] as const) {
      const csr = request({ mask, challenge, subject: 'CN = device' });
      assert.equal(csr.challengePassword, challenge, `${mask} ${challenge}`);
      assert.equal(challengeTag(csr), type, `${mask} ${challenge}`);
      assert.ok(await proven(csr));
      seen.add(challengeTag(csr));
    }
    assert.equal(seen.size, 5);
  });

  test('RFC 5280 §4.2.1.6: subjectAltNames of openssl are read, each of its kinds', () => {
    const csr = request({
      san: [
        'DNS.1 = Host.Example',
        'DNS.2 = *.example',
        'email.1 = User@Example',
        'URI.1 = tag:microsoft.com,2022-09-14:sid:S-1-5-21-1',
        'IP.1 = 10.0.0.1',
        'IP.2 = 2001:db8::1',
        'otherName.1 = 1.3.6.1.4.1.311.20.2.3;UTF8:user@example',
        'RID.1 = 1.2.3.4',
        'dirName.1 = directory',
        'otherName.2 = 1.2.3.4;UTF8:other',
      ],
    });
    const names = namesOf(csr);
    assert.deepEqual(names.slice(0, 7), [
      'dns:host.example',
      'dns:*.example',
      'email:User@Example',
      'sid:S-1-5-21-1',
      'ip:10.0.0.1',
      'ip:2001:db8::1',
      'upn:user@example',
    ]);
    assert.equal(names.length, 10);
    assert.ok(names.slice(7).every((name) => name.startsWith('other:')));
  });

  test('RFC 2985 §5.4.2: extensions that openssl asks for are named, without effect', () => {
    const more = 'keyUsage = critical, keyCertSign\nbasicConstraints = CA:TRUE\n1.2.3.4 = DER:0500';
    const csr = request({ san: ['DNS = a.example'], more });
    assert.deepEqual(
      [...csr.requestedExtensions.keys()],
      ['2.5.29.17', '2.5.29.15', '2.5.29.19', '1.2.3.4'],
    );
    assert.deepEqual(namesOf(csr), ['dns:a.example']);
  });

  test('RFC 4514 §2: subjects of openssl print as openssl prints them', () => {
    for (const subject of [
      'C = DE\nO = Test\nCN = device',
      'O = Test, Inc.\nCN = a+b=c',
      'O = "quoted"\nCN = <a>',
      'CN = söme ☃ 🔑',
      'CN = \\#hash',
      '0.DC = example\n1.DC = test\nUID = user',
      'C = DE\nO = Test\nCN = device\n+serialNumber = 17',
      'CN = back\\\\slash',
      'emailAddress = a@b.example\nCN = x',
    ]) {
      const csr = request({ subject });
      const path = openssl.file('printed', csr.der);
      const options = ['-noout', '-subject', '-nameopt', 'RFC2253,utf8,-esc_msb', '-in', path];
      const printed = fromUtf8(openssl.run('req', '-inform', 'DER', ...options));
      const text = /^subject=(.*)\n$/.exec(printed)?.[1] ?? '';
      // RFC 4514 lets "=" and "#" be escaped or not, and fixes no order within an RDN.
      const plain = (name: string) =>
        name
          .replace(/\\([=#])/g, '$1')
          .split(',')
          .map((rdn) => rdn.split('+').sort().join('+'));
      assert.deepEqual(plain(printName(csr.subject)), plain(text), subject);
      assert.equal(printName(parseName(text)), printName(csr.subject), subject);
    }
  });

  test('RFC 2986 §4.2: a request of openssl with a changed octet is not proven', async () => {
    const { der } = request({ key: 'P-256', challenge: 'secret' });
    for (let at = 0; at < der.length; at++) {
      let csr: CertificationRequest;
      try {
        csr = readCertificationRequest(flipped(der, at, 0x20));
      } catch (error) {
        assert.equal((error as Error).name, 'Malformed');
        continue;
      }
      assert.equal(await proven(csr), false, `octet ${at}`);
    }
  });

  const printed = (der: Bytes): string => {
    const path = openssl.file('ours', der);
    return fromUtf8(openssl.run('req', '-inform', 'DER', '-noout', '-text', '-in', path));
  };

  test('RFC 2986 §4: openssl verifies the requests of our client and prints what they ask for', async () => {
    for (const spec of [
      { type: 'RSA', bits: 2048 },
      { type: 'EC', curve: 'P-256' },
      { type: 'EC', curve: 'P-384' },
      { type: 'EC', curve: 'P-521' },
    ] as const) {
      const key = await deviceKey('openssl', spec);
      const names = ['dns:host.example', 'ip:2001:db8::1', 'email:a@b', 'uri:urn:x', 'upn:u@d'];
      const asked = { subject: parseName('CN=söme,O=Test'), names: names.map(parseGeneralName) };
      const der = await buildRequest(key, asked, 'sécret@1');
      const path = openssl.file('csr', der);
      const { ok, said } = openssl.attempt(
        'req',
        '-inform',
        'DER',
        '-verify',
        '-noout',
        '-in',
        path,
      );
      assert.ok(ok && /verify OK/.test(said), said);
      const text = printed(der);
      for (const expected of [
        'O = Test, CN = s\\C3\\B6me',
        'challengePassword        :sécret@1',
        'DNS:host.example, IP Address:2001:DB8:0:0:0:0:0:1, email:a@b, URI:urn:x, othername: UPN::u@d',
      ]) {
        assert.ok(text.includes(expected), `${expected} in ${text}`);
      }
    }
  });

  test('RFC 2986 §4.2: openssl does not verify a request of our client with a changed octet', async () => {
    const key = await deviceKey('openssl', { type: 'EC', curve: 'P-256' });
    const der = await buildRequest(key, { subject: parseName('CN=a'), names: [] }, undefined);
    const path = openssl.file('csr', flipped(der, 15, 1));
    const { said } = openssl.attempt('req', '-inform', 'DER', '-verify', '-noout', '-in', path);
    assert.doesNotMatch(said, /verify OK/);
  });

  test('RFC 8894 §7.3: openssl reads the copy for the record, with an empty challengePassword', () => {
    const csr = request({ challenge: 'hunter2', san: ['DNS = a.example'] });
    const text = printed(redact(csr));
    assert.doesNotMatch(text, /hunter2/);
    assert.match(text, /challengePassword +:\n/);
    assert.match(text, /DNS:a\.example/);
  });

  test('RFC 7468 §7: what openssl writes as PEM is what it writes as DER', () => {
    const csr = request({ challenge: 'secret' });
    const path = openssl.file('csr', csr.der);
    const text = openssl.run('req', '-inform', 'DER', '-in', path, '-outform', 'PEM');
    assert.deepEqual(text, utf8(pem('CERTIFICATE REQUEST', csr.der)));
  });
});
