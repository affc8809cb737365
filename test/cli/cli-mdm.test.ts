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
import { pipelineOf, wordsOf } from '../support/shell.ts';

const lab = await makeLab({
  config: {
    cas: { default: { subject: 'CN=Example & Sons CA,O=Example' }, unmade: { subject: 'CN=None' } },
    validators: {
      intune: {
        kind: 'intune',
        tenant: 'example.com',
        clientId: 'app-1',
        clientSecret: 'env:INTUNE',
      },
    },
    profiles: {
      elliptic: { keys: { rsa: false } },
      strong: { keys: { rsa: { min: 3072, max: 4096 } }, keyUsage: ['digitalSignature'] },
    },
    endpoints: {
      default: { ca: 'default' },
      vpn: { ca: 'default', profile: 'strong' },
      routers: {
        ca: 'default',
        enrol: { authorize: ['challenge'], signer: 'any' },
        legacy: { sha1: true, des3: true, md5: true, des: true },
      },
      fleet: {
        ca: 'default',
        enrol: {
          authorize: ['challenge'],
        },
        jamf: {
          user: 'fleet',
          password: 'env:FLEET',
          subject: { CN: '{serialNumber}', O: 'Example' },
        },
        ndes: { accounts: [{ user: 'pages', password: 'env:PAGES', subject: { CN: 'pc-*' } }] },
      },
      one: {
        ca: 'default',
        enrol: {
          authorize: ['staticChallenge'],
          staticChallenge: { secret: 'env:ONE', subject: { CN: 'pc-*' } },
        },
      },
      pcs: { ca: 'default', enrol: { authorize: ['intune'] }, renew: { authorize: ['intune'] } },
      elliptic: { ca: 'default', profile: 'elliptic' },
      unmade: { ca: 'unmade' },
    },
  },
  uninitialised: ['unmade'],
  staticSecrets: { 'env:ONE': 'one secret for all' },
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
      /no endpoint "office": the service has default, vpn, routers, fleet, one, pcs, elliptic, unmade/,
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

const mdm = (...args: readonly string[]) => terminal.run(['mdm', ...args]);
const given = (stdin: string, ...args: readonly string[]) =>
  terminal.run(['mdm', ...args, '--challenge-stdin'], { stdin });

describe('consoles', () => {
  for (const vendor of ['intune', 'jamf', 'fleet']) {
    test(`${vendor}: the address of the endpoint, and the same fields for programs`, async () => {
      const { code, out, err } = await mdm(vendor, '--endpoint', 'fleet');
      assert.equal(code, 0, err);
      assert.match(out, / {2}http:\/\/scep\.test\/scep\/fleet\n/);
      const { out: json } = await mdm(vendor, '--endpoint', 'fleet', '--json');
      const found = JSON.parse(json);
      assert.equal(found.url, 'http://scep.test/scep/fleet');
      assert.match(found.ca.sha1, /^[0-9a-f]{40}$/);
      for (const { place, fields } of found.places) {
        assert.ok(out.includes(`${place}\n`));
        for (const { label, value } of fields)
          for (const text of [value].flat()) assert.ok(out.includes(text), `${label}: ${text}`);
      }
      assert.match(
        (await mdm(vendor, '--endpoint', 'fleet', '-o', 'csv')).out,
        /^"SECTION","FIELD","VALUE"\r\n/,
      );
    });
  }

  test('jamf and intune have the fingerprint of the CA; the values are those that the profile allows', async () => {
    const { out: json } = await mdm('jamf', '--endpoint', 'vpn', '--json');
    const { ca, places } = JSON.parse(json);
    const [, { fields }] = places;
    const values = Object.fromEntries(
      fields.map(({ label, value }: { label: string; value: string }) => [label, value]),
    );
    assert.equal(values.Fingerprint, ca.sha1.toUpperCase());
    assert.equal(values['Key Size'], '4096');
    assert.equal(values['Use for key encipherment'], 'not checked');
    const { out } = await mdm('intune', '--endpoint', 'vpn');
    assert.ok(out.includes(ca.sha1.toUpperCase()));
    assert.match(out, /Key usage +Digital signature\n +Key size \(bits\) +4096\n/);
  });

  test('intune: the app registration that the endpoint asks with', async () => {
    const { out, err } = await mdm('intune', '--endpoint', 'pcs');
    assert.match(
      out,
      /Application \(client\) ID +app-1\n +Directory \(tenant\) ID +example\.com\n/,
    );
    assert.equal(err, '');
    assert.match((await mdm('intune')).err, /the endpoint default does not ask Intune/);
  });

  test('jamf: the webhook that the endpoint answers, and a subject that its challenges fit', async () => {
    const { out, err } = await mdm('jamf', '--endpoint', 'fleet');
    for (const line of [
      /Webhook URL +http:\/\/scep\.test\/hooks\/jamf\/fleet\n/,
      /Username +fleet\n +Password +the value of FLEET\n/,
      /Subject +CN=\$SERIALNUMBER,O=Example\n +Challenge Type +Dynamic\n/,
    ]) {
      assert.match(out, line);
    }
    assert.equal(err, '');
    const without = await mdm('jamf');
    assert.match(without.out, /Challenge Type +Static\n/);
    assert.match(without.err, /endpoints\.default\.jamf is not there/);
  });

  test('fleet: every kind of CA that the endpoint answers, with its variables', async () => {
    const { out } = await mdm('fleet', '--endpoint', 'fleet');
    assert.match(out, /Add CA > Smallstep\n +Name +SCEPTER_FLEET\n/);
    assert.match(out, /Challenge URL +http:\/\/scep\.test\/hooks\/jamf\/fleet\n/);
    assert.match(out, /Admin URL +http:\/\/scep\.test\/certsrv\/fleet\/mscep_admin\/\n/);
    assert.match(out, /Challenge +\$FLEET_VAR_SMALLSTEP_SCEP_CHALLENGE_SCEPTER_FLEET\n/);
    assert.match(out, /URL +\$FLEET_VAR_NDES_SCEP_PROXY_URL\n/);
    assert.match(
      out,
      /Subject +CN=%SerialNumber%,O=Example,OU=\$FLEET_VAR_CERTIFICATE_RENEWAL_ID\n/,
    );
    assert.match(out, /Subject +CN=pc-%SerialNumber%,OU=/);
    const custom = await mdm('fleet', '--endpoint', 'one');
    assert.match(custom.out, /Add CA > Custom SCEP\n[\s\S]* Challenge +the value of ONE\n/);
    const none = await mdm('fleet');
    assert.match(none.err, /the endpoint default gives Fleet no challenges/);
  });

  test('the command that fleet names writes the profile with those variables', async () => {
    const { out: json } = await mdm('fleet', '--endpoint', 'fleet', '--json');
    const { places } = JSON.parse(json);
    for (const { fields } of places.slice(1, 2)) {
      const of = (label: string) =>
        fields.find((one: { label: string }) => one.label === label).value;
      const [echo = '', command = ''] = pipelineOf(of('written by'));
      const file = join(folder, 'fleet.mobileconfig');
      const args = wordsOf(command).slice(1);
      const { code, err } = await terminal.run([...args.slice(0, -1), file], {
        stdin: wordsOf(echo)[1] ?? '',
      });
      assert.equal(code, 0, err);
      const text = readFileSync(file, 'utf8');
      assert.equal(entryOf(text, 'URL'), of('URL'));
      assert.equal(entryOf(text, 'Challenge'), of('Challenge'));
      assert.ok(text.includes('<string>%SerialNumber%</string>'));
    }
  });
});

describe('routers', () => {
  const asked = ['--subject', 'CN=r1,O=Example', '--san', 'dns:r1.example.com'];

  test('cisco: a trustpoint with the address and the fingerprint', async () => {
    const { code, out, err } = await given('s3cret', 'cisco', '--endpoint', 'routers', ...asked);
    assert.equal(code, 0, err);
    const { certificate } = JSON.parse(
      (await terminal.run(['ca', 'show', 'default', '--json'])).out,
    );
    for (const line of [
      ' enrollment url http://scep.test/scep/routers',
      ' subject-name CN=r1,O=Example',
      ' fqdn r1.example.com',
      ' password s3cret',
      ` fingerprint ${certificate.sha1.toUpperCase()}`,
    ]) {
      assert.ok(out.includes(`${line}\n`), line);
    }
    assert.match(err, /unstructuredName=r1\.example\.com/);
    assert.doesNotMatch(err, /MD5/);
  });

  test('routeros: quotes are escaped; what the endpoint lacks is said', async () => {
    const names = [
      '--subject',
      'CN=a\\"b$c,O=x\\\\y',
      '--san',
      'ip:10.0.0.1',
      '--san',
      'dns:r.example',
    ];
    const { out, err } = await mdm('routeros', ...names);
    assert.ok(out.includes('common-name="a\\"b\\$c"'), out);
    assert.ok(out.includes('organization="x\\\\y"'), out);
    assert.ok(out.includes('subject-alt-name=IP:10.0.0.1,DNS:r.example '), out);
    assert.match(err, /CHALLENGE stands for what this prints: scepter challenge create --subject/);
    assert.match(err, /endpoints\.default\.enrol\.signer to "any"/);
    assert.match(err, /legacy\.sha1 and \.des3/);
    const good = await given('s3cret', 'routeros', '--endpoint', 'routers', ...asked);
    assert.equal(good.err, '');
  });
});

describe('hostile text is no command', () => {
  for (const vendor of ['cisco', 'strongswan', 'certmonger']) {
    for (const value of ['a;reload', 'a\\\\,O=b', 'a\\"b', 'a\\0ab', 'a\\+b']) {
      test(`${vendor}: CN=${value} is exit 2 with a sentence`, async () => {
        const { code, out, err } = await mdm(vendor, '--subject', `CN=${value}`);
        assert.equal(code, 2, out);
        assert.equal(out, '');
        assert.match(err, /--subject: /);
      });
    }
  }

  test('a shell script takes a subject, a challenge and an address as they are', async () => {
    const subject = "CN=$(touch x)'`id`,O=Example";
    for (const vendor of ['strongswan', 'certmonger']) {
      const { code, out, err } = await given("a'b$c", vendor, '--subject', subject);
      assert.equal(code, 0, err);
      assert.ok(out.includes(`challenge='a'\\''b$c'\n`), out);
      assert.ok(out.includes("CN=$(touch x)'\\''`id`'"), out);
    }
  });

  test('certmonger by plain HTTP is warned of, and by https is not', async () => {
    const asked = ['certmonger', '--subject', 'CN=a'];
    assert.match((await mdm(...asked)).err, /by plain HTTP whoever is on the way can read/);
    assert.equal((await mdm(...asked, '--scep-url', 'https://scep.example.com/scep')).err, '');
    assert.equal((await mdm('strongswan', '--subject', 'CN=a')).err, '');
  });

  test('two lines are no challenge, and a quotation mark is in no address', async () => {
    const two = await given('one\n password two', 'cisco', '--subject', 'CN=r1');
    assert.equal(two.code, 2);
    assert.match(two.err, /is more than one line/);
    const url = await mdm('cisco', '--subject', 'CN=r1', '--scep-url', 'http://a/\n reload');
    assert.equal(url.code, 2);
    assert.match(url.err, /a character that no URL has/);
  });

  for (const [vendor, san] of [
    ['cisco', 'email:a@b.example'],
    ['routeros', 'upn:a@b'],
    ['strongswan', 'uri:https://a.example'],
    ['certmonger', 'sid:S-1-5-21-1'],
    ['windows-csp', 'uri:https://a.example/;b'],
  ] as const) {
    test(`${vendor} cannot ask for ${san}, and says so`, async () => {
      const { code, err } = await mdm(vendor, '--subject', 'CN=a', '--san', san);
      assert.equal(code, 2);
      assert.ok(err.includes(`--san ${san}: `), err);
    });
  }
});

describe('windows-csp', () => {
  test('the list of OMA-URIs is what the SyncML sets, with Enroll last', async () => {
    const names = ['--san', 'upn:jane@corp', '--san', 'sid:S-1-5-21-1-2-3-1001'];
    const { out, err } = await mdm('windows-csp', '--subject', 'CN=pc-1', ...names, '--json');
    const { nodes, syncml } = JSON.parse(out);
    const { command, uri } = nodes.at(-1);
    assert.equal(command, 'Exec');
    assert.equal(
      uri,
      './Device/Vendor/MSFT/ClientCertificateInstall/SCEP/scepter-default/Install/Enroll',
    );
    for (const one of nodes) assert.ok(syncml.includes(`<LocURI>${one.uri}</LocURI>`), one.uri);
    const san = nodes.find((one: { uri: string }) => one.uri.endsWith('/SubjectAlternativeNames'));
    assert.equal(san.value, '11+jane@corp;7+tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-1001');
    assert.match(err, /it has no challenge/);
    assert.ok(nodes.every((one: { uri: string }) => !one.uri.endsWith('/Challenge')));
  });

  test('--user and --id choose store and name; markup in a name stays text', async () => {
    const asked = [
      '--subject',
      'CN=<&>',
      '--user',
      '--id',
      '$FLEET_VAR_SCEP_WINDOWS_CERTIFICATE_ID',
    ];
    const { out } = await mdm('windows-csp', ...asked);
    assert.ok(out.includes('./User/Vendor/MSFT/ClientCertificateInstall/SCEP/$FLEET_VAR_SCEP_'));
    assert.ok(out.includes('<Data>CN="&lt;&amp;&gt;"</Data>'), out);
  });

  test('a challenge that Windows cannot send, and an attribute that it has no name for, are exit 2', async () => {
    const { code, err } = await given('under_score', 'windows-csp', '--subject', 'CN=pc-1');
    assert.equal(code, 2);
    assert.match(err, /has a character that Windows refuses/);
    const other = await mdm('windows-csp', '--subject', 'CN=pc-1,unstructuredName=a');
    assert.match(other.err, /Windows has no name for unstructuredName/);
    const id = await mdm('windows-csp', '--subject', 'CN=pc-1', '--id', 'a/b');
    assert.match(id.err, /--id: "a\/b" must be letters/);
    const none = await mdm('windows-csp');
    assert.match(none.err, /give --subject/);
  });
});
