// scepter mdm: what it writes is of the running service, hostile text stays text, and what a client cannot do is said.
// Programs of others judge the same in test/interop/rows/mdm.ts.

import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { systemRandom } from '../../lib/adapters/system.ts';
import { fromUtf8, pem } from '../../lib/base/bytes.ts';
import { readSignedData, verifySignedData } from '../../lib/cms/signed-data.ts';
import { generateKey, selfSigned } from '../../lib/protocol/scep/client/client.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { openTerminal } from '../support/cli.ts';
import { makeLab } from '../support/lab.ts';
import { temporary } from '../support/process.ts';

const lab = await makeLab({
  config: {
    cas: { default: { subject: 'CN=Example & Sons CA,O=Example' }, unmade: { subject: 'CN=None' } },
    profiles: {
      elliptic: { keys: { rsa: false } },
      strong: { keys: { rsa: { min: 3072, max: 4096 } }, keyUsage: ['digitalSignature'] },
    },
    endpoints: {
      default: { ca: 'default' },
      vpn: { ca: 'default', profile: 'strong' },
      elliptic: { ca: 'default', profile: 'elliptic' },
      unmade: { ca: 'unmade' },
    },
  },
  uninitialised: ['unmade'],
});
const terminal = await openTerminal(lab);
after(() => terminal.close());
const folder = temporary('mdm');
let count = 0;

async function apple(args: readonly string[], stdin = '') {
  count += 1;
  const file = join(folder, `${count}.mobileconfig`);
  const ran = await terminal.run(['mdm', 'apple-profile', ...args, '--out', file], { stdin });
  return { ...ran, file, text: ran.code === 0 ? readFileSync(file, 'latin1') : '' };
}

/** The value of a key, as it is written. */
const entryOf = (text: string, key: string): string | undefined =>
  new RegExp(`<key>${key}</key>\\s*<(\\w+)>([^<]*)</\\1>`).exec(text)?.[2];

describe('apple-profile', () => {
  test('its values are those of the running service', async () => {
    const ca = JSON.parse((await terminal.run(['ca', 'show', 'default', '--json'])).out);
    const { code, err, text } = await apple(['--endpoint', 'vpn']);
    assert.equal(code, 0, err);
    assert.equal(entryOf(text, 'URL'), 'http://scep.test/scep/vpn');
    const fingerprint = Buffer.from(ca.certificate.sha1, 'hex').toString('base64');
    assert.equal(entryOf(text, 'CAFingerprint'), fingerprint);
    assert.equal(entryOf(text, 'Keysize'), '4096', 'the profile certifies none of 2048');
    assert.equal(entryOf(text, 'Key Usage'), '1', 'the profile gives no keyEncipherment');
    assert.equal(entryOf(text, 'PayloadIdentifier'), 'test.scep.scepter.vpn');
    assert.ok(text.includes(`<data>${ca.certificate.der}</data>`));
    assert.ok(text.includes('Example &amp; Sons CA'));
    assert.doesNotMatch(text, /<key>(Challenge|Subject|SubjectAltName)</);
    assert.match(err, /it has no challenge/);
  });

  test('a subject is a list of RDNs of pairs, by short names or OIDs; names of one type are a list', async () => {
    const asked = [
      '--subject',
      'CN=%SerialNumber%+UID=4,OU=<b>&,O=Example',
      '--san',
      'upn:jane@corp',
    ];
    const { text, err } = await apple([
      ...asked,
      '--san',
      'dns:a.example',
      '--san',
      'dns:b.example',
    ]);
    const flat = text.replace(/\s*\n\s*/g, '');
    const pair = (type: string, value: string) =>
      `<array><string>${type}</string><string>${value}</string></array>`;
    const rdn = (...pairs: string[]) => `<array>${pairs.join('')}</array>`;
    const both = [pair('0.9.2342.19200300.100.1.1', '4'), pair('CN', '%SerialNumber%')];
    const subjects = [both, [...both].reverse()].map(
      (last) =>
        `<key>Subject</key><array>${rdn(pair('O', 'Example'))}${rdn(pair('OU', '&lt;b&gt;&amp;'))}${rdn(...last)}</array>`,
    );
    assert.ok(
      subjects.some((one) => flat.includes(one)),
      flat + err,
    );
    assert.ok(flat.includes('<key>ntPrincipalName</key><string>jane@corp</string>'));
    const names = '<array><string>a.example</string><string>b.example</string></array>';
    assert.ok(flat.includes(`<key>dNSName</key>${names}`));
  });

  test('with a challenge only its owner reads the file, and nothing prints it', async () => {
    const { file, text, out, err } = await apple(['--challenge-stdin', '--json'], 'S3cret <&>\n');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(entryOf(text, 'Challenge'), 'S3cret &lt;&amp;&gt;');
    assert.doesNotMatch(out + err, /S3cret/);
    assert.equal(JSON.parse(out).challenge, true);
    assert.equal(statSync((await apple([])).file).mode & 0o777, 0o644);
  });

  test('two profiles replace each other: one identifier, other UUIDs', async () => {
    const [one, other] = [await apple([]), await apple([])];
    for (const key of ['PayloadIdentifier', 'PayloadUUID']) {
      const [a, b] = [entryOf(one.text, key), entryOf(other.text, key)];
      assert.equal(a === b, key === 'PayloadIdentifier', key);
    }
  });

  for (const [what, args, said] of [
    ['a control character in a name', ['--subject', 'CN=a\\1bb'], /has a control character/],
    ['a value that is no text', ['--subject', 'CN=#0500'], /is no text/],
    ['a name that Apple has no key for', ['--san', 'ip:10.0.0.1'], /no place for names of type ip/],
    ['a profile without RSA', ['--endpoint', 'elliptic'], /profiles\.elliptic\.keys\.rsa/],
    ['no distinguished name', ['--subject', 'jane'], /expected TYPE=VALUE/],
    ['an address that is none', ['--scep-url', 'scep.example'], /it has no scheme/],
    ['a key without its certificate', ['--sign-key', 'k.pem'], /--sign-cert and --sign-key/],
    ['a file that is not there', ['--sign-key', 'k', '--sign-cert', 'c'], /c is not there/],
  ] as const) {
    test(`${what} is exit 2 with a sentence, and no file`, async () => {
      const { code, out, err, file } = await apple(args);
      assert.equal(code, 2, err);
      assert.equal(out, '');
      assert.match(err, said);
      assert.throws(() => statSync(file));
    });
  }

  test('a variable of an MDM takes the place of the address', async () => {
    const { text } = await apple(['--scep-url', '$FLEET_VAR_NDES_SCEP_PROXY_URL']);
    assert.equal(entryOf(text, 'URL'), '$FLEET_VAR_NDES_SCEP_PROXY_URL');
  });

  test('an unknown endpoint is exit 3 with those that there are; a CA that is not made is said', async () => {
    const unknown = await apple(['--endpoint', 'office']);
    assert.equal(unknown.code, 3);
    assert.match(
      unknown.err,
      /no endpoint "office": the service has default, vpn, elliptic, unmade/,
    );
    const unmade = await apple(['--endpoint', 'unmade']);
    assert.equal(unmade.code, 1);
    assert.match(
      unmade.err,
      /CA unmade has no certificate yet\nto know more: scepter ca init unmade/,
    );
  });

  test('a signed profile verifies and holds the same; another key is refused', async () => {
    const key = await generateKey({ type: 'EC', curve: 'P-256' });
    const der = (await selfSigned(key, parseName('CN=Signer'), lab.clock.now(), systemRandom)).der;
    const [cert, own, other] = ['cert.pem', 'key.pem', 'other.pem'].map((name) =>
      join(folder, name),
    );
    assert.ok(cert && own && other);
    writeFileSync(cert, pem('CERTIFICATE', der));
    writeFileSync(own, pem('PRIVATE KEY', key.pkcs8));
    const foreign = await generateKey({ type: 'EC', curve: 'P-256' });
    writeFileSync(other, pem('PRIVATE KEY', foreign.pkcs8));
    const { code, file, err } = await apple(['--sign-cert', cert, '--sign-key', own]);
    assert.equal(code, 0, err);
    const found = readSignedData(new Uint8Array(readFileSync(file)));
    assert.ok(found.key && found.scheme && found.eContent);
    assert.equal(await verifySignedData(found, found.key, found.scheme), 'good');
    assert.match(fromUtf8(found.eContent), /^<\?xml[\s\S]*com\.apple\.security\.scep/);
    const wrong = await apple(['--sign-cert', cert, '--sign-key', other]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /is not the key of the first certificate/);
  });
});
