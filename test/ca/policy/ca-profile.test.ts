// Profiles (shared design 4.7): which keys and names an endpoint certifies, whoever asks, and that
// nothing of one endpoint or CA counts at another.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { extensionOids } from '../../../lib/asn1/oids.ts';
import { scan, tag } from '../../../lib/asn1/reader.ts';
import { objectIdentifier, octets, sequence, setOf, tlv } from '../../../lib/asn1/writer.ts';
import { type Bytes, concat, hex, latin1, utf8 } from '../../../lib/base/bytes.ts';
import { MAX_NAMES } from '../../../lib/base/limits.ts';
import type { ConfigDocument } from '../../../lib/config/config.ts';
import { hash } from '../../../lib/crypto/native.ts';
import { buildRequest, type ClientKey } from '../../../lib/protocol/scep/client/client.ts';
import { type Certificate, readCertificate } from '../../../lib/x509/certificate.ts';
import { securityIdentifier } from '../../../lib/x509/extensions.ts';
import {
  parseGeneralName,
  printGeneralName,
  readGeneralNames,
  readSecurityIdentifier,
} from '../../../lib/x509/names/general-name.ts';
import { parseName, printName } from '../../../lib/x509/names/name.ts';
import { deviceKey } from '../../support/keys.ts';
import { type ChallengeOptions, type Lab, makeLab } from '../../support/lab.ts';
import { type EnrolOptions, enrolment } from '../../support/messages.ts';

type ProfileDocument = NonNullable<ConfigDocument['profiles']>[string];

const labs = new Map<string, Promise<Lab>>();
function labOf(profile: ProfileDocument): Promise<Lab> {
  const name = JSON.stringify(profile);
  const made =
    labs.get(name) ?? makeLab({ endpoint: { profile: 'p' }, config: { profiles: { p: profile } } });
  labs.set(name, made);
  return made;
}

async function ask(lab: Lab, options: EnrolOptions, binding: ChallengeOptions = {}) {
  // A key belongs to the names it is certified for first: other names, another key.
  const key =
    options.key ??
    (await deviceKey(hex(hash('SHA-256', latin1(JSON.stringify([options, binding]))))));
  const sent = await enrolment(lab, { challenge: await lab.challenge(binding), ...options, key });
  return sent.read(await lab.operate(sent.message));
}

/** Names of the certificate, or the code of the refusal. */
async function outcome(
  profile: ProfileDocument,
  options: EnrolOptions,
  binding?: ChallengeOptions,
) {
  const answer = await ask(await labOf(profile), options, binding);
  if (answer.pkiStatus === 'FAILURE') return (answer.text ?? '').slice(0, 8);
  assert.equal(answer.pkiStatus, 'SUCCESS');
  const certificate = readCertificate(answer.certificates[0] ?? new Uint8Array(0));
  return namesOf(certificate);
}

function namesOf({ extensions }: Certificate): string[] {
  const names = extensions.get(extensionOids.subjectAltName)?.value;
  return names ? readGeneralNames(scan(names)).map(printGeneralName) : [];
}

describe('keys', () => {
  const cases: [string, ProfileDocument['keys'], string, boolean][] = [
    ['RSA-2048 where 3072 is the least', { rsa: { min: 3072 } }, 'rsa:2048', false],
    ['RSA-3072 where 3072 is the least', { rsa: { min: 3072 } }, 'rsa:3072', true],
    ['RSA-3072 where 2048 is the most', { rsa: { max: 2048 } }, 'rsa:3072', false],
    ['RSA where only curves are', { rsa: false }, 'rsa:2048', false],
    ['P-256 where only P-384 is', { ec: ['P-384'] }, 'P-256', false],
    ['P-384 where only P-384 is', { ec: ['P-384'] }, 'P-384', true],
    ['P-256 where only RSA is', { ec: [], ed25519: false }, 'P-256', false],
  ];
  const keyOf = (name: string): Promise<ClientKey> =>
    deviceKey(
      'of this kind',
      name.startsWith('rsa:')
        ? { type: 'RSA', bits: Number(name.slice(4)) }
        : { type: 'EC', curve: name as 'P-256' | 'P-384' },
    );
  for (const [name, rules, spec, allowed] of cases) {
    test(`RFC 8894 §7.1 [73]: ${name}: ${allowed ? 'certified' : 'badAlg'}`, async () => {
      const answer = await ask(await labOf({ keys: rules ?? {} }), { key: await keyOf(spec) });
      if (allowed) assert.equal(answer.pkiStatus, 'SUCCESS');
      else {
        assert.ok(answer.pkiStatus === 'FAILURE' && answer.failInfo === 'badAlg');
        assert.match(answer.text ?? '', /^SCEP-402: /);
      }
    });
  }
});

describe('subject', () => {
  const rules: ProfileDocument = {
    subject: {
      fixed: { O: 'Example' },
      pattern: { cn: ['dev-*', 'lab *'] },
      required: ['CN'],
      forbidden: ['OU', '2.5.4.5'],
    },
  };
  for (const [subject, expected] of [
    ['CN=dev-1,O=Example', []],
    ['O=Example,CN=lab 7', []],
    ['CN=dev-1,O=Example,L=Here', []],
    ['CN=dev-1', 'SCEP-314'],
    ['CN=dev-1,O=example', 'SCEP-314'],
    ['CN=dev-1,O=Example,O=Other', 'SCEP-314'],
    ['CN=dev-1,O=Example,O=Example', 'SCEP-314'],
    ['CN=other,O=Example', 'SCEP-314'],
    ['CN=dev-1+CN=other,O=Example', 'SCEP-314'],
    ['O=Example', 'SCEP-314'],
    ['CN=dev-1,O=Example,OU=x', 'SCEP-314'],
    ['CN=dev-1,O=Example,serialNumber=1', 'SCEP-314'],
  ] as const) {
    test(`"${subject}": ${expected.length === 0 ? 'certified' : expected}`, async () => {
      assert.deepEqual(await outcome(rules, { subject }), expected);
    });
  }

  test('a binding to a subject that the profile refuses does not help', async () => {
    const subject = 'CN=other,O=Example';
    const lab = await labOf(rules);
    await assert.rejects(lab.challenge({ subject }), {
      name: 'SyntaxError',
      message: `"${subject}": the profile "p" certifies no such subject: CN is "other", and profiles.p.subject.pattern allows dev-*, lab *`,
    });
    // The profile may have been made stricter since.
    const before = await makeLab({ store: lab.unguarded, now: lab.clock.at });
    const challenge = await before.challenge({ subject });
    const answer = await ask(lab, { subject, challenge });
    assert.ok(answer.pkiStatus === 'FAILURE');
    assert.match(answer.text ?? '', /^SCEP-314: /);
  });

  test('RFC 6125 §6.4.4: several common names are certified, unless the profile has them once or serves TLS', async () => {
    const subject = 'CN=Jane Doe,CN=Users,DC=corp,DC=local';
    assert.deepEqual(await outcome({}, { subject }), []);
    assert.deepEqual(await outcome({}, { subject }, { subject }), []);
    assert.equal(
      await outcome({}, { subject: 'CN=Users,CN=Jane Doe,DC=corp,DC=local' }, { subject }),
      'SCEP-311',
    );
    assert.equal(await outcome({ subject: { once: ['cn'] } }, { subject }), 'SCEP-314');
    assert.deepEqual(
      await outcome({ subject: { once: ['cn'] } }, { subject: 'CN=a,OU=b,OU=c' }),
      [],
    );
    assert.equal(await outcome({ subject: { once: ['DC'] } }, { subject }), 'SCEP-314');
    assert.equal(
      await outcome({ extKeyUsage: ['serverAuth', 'clientAuth'] }, { subject }),
      'SCEP-403',
    );
    const patterned = { subject: { pattern: { CN: 'Jane *' } } };
    assert.equal(await outcome(patterned, { subject }), 'SCEP-314');
  });
});

test('RFC 5280 A.1: an attribute whose value is no string is refused, not passed on to the lint', async () => {
  const key = await deviceKey('no string');
  for (const value of ['0e0178', '0d0181', '180378797a', '0f0178', '0500', '02012a']) {
    const lab = await labOf({});
    const answer = await ask(lab, { key, subject: `CN=#${value}` });
    assert.ok(answer.pkiStatus === 'FAILURE', value);
    assert.match(answer.text ?? '', /^SCEP-403: /);
  }
});

describe('names', () => {
  const rules: ProfileDocument = {
    names: {
      dns: { pattern: ['*.dev.example', 'fixed.example'] },
      email: 'copy',
      uri: 'none',
      ip: { pattern: ['10.0.0.0/8', '2001:db8::/33', '192.0.2.7'] },
    },
  };
  for (const [names, expected] of [
    [
      ['dns:a.dev.example', 'dns:FIXED.example'],
      ['dns:a.dev.example', 'dns:fixed.example'],
    ],
    [['email:a@b.example'], ['email:a@b.example']],
    [
      ['ip:10.255.0.1', 'ip:2001:db8:7fff::1', 'ip:192.0.2.7'],
      ['ip:10.255.0.1', 'ip:2001:db8:7fff::1', 'ip:192.0.2.7'],
    ],
    [['dns:a.b.dev.example'], 'SCEP-312'],
    [['dns:a.dev.example', 'dns:evil.example'], 'SCEP-312'],
    [['ip:11.0.0.1'], 'SCEP-312'],
    [['ip:2001:db8:8000::1'], 'SCEP-312'],
    [['ip:192.0.2.8'], 'SCEP-312'],
    [['uri:https://a.example/'], 'SCEP-312'],
    [['upn:a@b.example'], 'SCEP-312'],
    [['sid:S-1-5-21-1-2-3-1001'], 'SCEP-312'],
  ] as const) {
    test(`${names.join(', ')}: ${typeof expected === 'string' ? expected : 'certified'}`, async () => {
      assert.deepEqual(await outcome(rules, { names }), expected);
    });
  }

  test('a binding that names anything names all', async () => {
    const bound = { names: ['dns:bound.example'] };
    assert.deepEqual(await outcome(rules, {}, bound), ['dns:bound.example']);
    const wider = { names: ['dns:bound.example', 'email:a@b.example'] };
    assert.equal(await outcome(rules, wider, bound), 'SCEP-312');
  });

  test('RFC 5280 §4.1.2.6: a mail address of the subject is a name like any other, and certified as one', async () => {
    const subject = 'CN=x,emailAddress=A@b.example';
    const certified = ['email:A@b.example'];
    assert.deepEqual(await outcome(rules, { subject }), certified);
    assert.deepEqual(await outcome(rules, { subject, names: certified }), certified);
    assert.equal(await outcome({}, { subject }), 'SCEP-312');
    assert.deepEqual(await outcome({}, { subject }, { subject }), certified);
    assert.deepEqual(await outcome({}, { subject }, { names: certified }), certified);
    assert.equal(await outcome({}, { subject }, { names: ['email:b@b.example'] }), 'SCEP-312');
    assert.equal(await outcome(rules, { subject: 'CN=x,emailAddress=nobody' }), 'SCEP-403');
    const lab = await labOf({ names: { email: 'none' } });
    await assert.rejects(lab.challenge({ subject }), {
      message: `"${subject}": the profile "p" certifies no names of type email`,
    });
  });

  test('a challenge cannot be made for what the profile certifies for nobody', async () => {
    const lab = await labOf(rules);
    await assert.rejects(lab.challenge({ names: ['uri:https://a.example/'] }), {
      name: 'SyntaxError',
      message: '"uri:https://a.example/": the profile "p" certifies no names of type uri',
    });
  });

  test('a renewal keeps names that nobody has to give again, and ends where the profile does', async () => {
    const key = await deviceKey('profile-renewal');
    const lab = await labOf(rules);
    const first = await ask(lab, { key, names: ['email:r@b.example'] });
    assert.ok(first.pkiStatus === 'SUCCESS');
    const certificate = readCertificate(first.certificates[0] ?? new Uint8Array(0));
    const renew = async (from: Lab, names: readonly string[]) => {
      const sent = await enrolment(from, { key, signer: { certificate, key }, names });
      return sent.read(await from.operate(sent.message));
    };
    const renewed = await renew(lab, []);
    assert.ok(renewed.pkiStatus === 'SUCCESS');
    const [der = new Uint8Array(0)] = renewed.certificates;
    assert.deepEqual(namesOf(readCertificate(der)), ['email:r@b.example']);
    const stricter = await makeLab({
      store: lab.unguarded,
      endpoint: { profile: 'p' },
      config: { profiles: { p: { names: { email: 'none' } } } },
      now: lab.clock.at,
    });
    const refused = await renew(stricter, ['email:r@b.example']);
    assert.ok(refused.pkiStatus === 'FAILURE');
    assert.match(refused.text ?? '', /^SCEP-313: /);
  });
});

describe('a common name that TLS clients take for the host', () => {
  const server: ProfileDocument = { extKeyUsage: ['serverAuth', 'clientAuth'] };
  const patterned: ProfileDocument = {
    ...server,
    names: { dns: { pattern: '*.corp.example' }, ip: { pattern: '10.0.0.0/8' } },
  };
  const hosts = {
    'bank.example': 'dns:bank.example',
    'Bank.Example.': 'dns:bank.example',
    '*.bank.example': 'dns:*.bank.example',
    '192.0.2.7': 'ip:192.0.2.7',
    '2001:db8::7': 'ip:2001:db8::7',
  };
  for (const [text, name] of Object.entries(hosts)) {
    test(`${text}: refused unless the subject or the name is bound, then a subjectAltName`, async () => {
      const subject = `CN=${text},O=Test`;
      assert.equal(await outcome(server, { subject }), 'SCEP-318');
      assert.equal(await outcome(patterned, { subject }), 'SCEP-318');
      assert.equal(
        await outcome(server, { subject }, { names: ['dns:other.example'] }),
        'SCEP-318',
      );
      assert.deepEqual(await outcome(server, { subject }, { subject }), [name]);
      assert.deepEqual(await outcome(server, { subject }, { names: [name] }), [name]);
      const mixed = { subject, names: ['dns:other.example'] };
      assert.deepEqual(await outcome(server, { subject }, mixed), ['dns:other.example', name]);
      // Of clients nobody looks a host up in it.
      assert.deepEqual(await outcome({}, { subject }), []);
    });
  }

  test('a rule of the profile allows such a common name, which is then a subjectAltName too', async () => {
    for (const [subject, expected] of [
      ['CN=a.corp.example', ['dns:a.corp.example']],
      ['CN=10.1.2.3,O=Test', ['ip:10.1.2.3']],
      ['CN=a.b.corp.example', 'SCEP-318'],
      ['CN=11.1.2.3', 'SCEP-318'],
      // A wildcard is the names of others.
      ['CN=*.corp.example', 'SCEP-318'],
    ] as const) {
      assert.deepEqual(await outcome(patterned, { subject }), expected, subject);
    }
    const twice = { subject: 'CN=a.corp.example', names: ['dns:A.corp.example'] };
    assert.deepEqual(await outcome(patterned, twice), ['dns:a.corp.example']);
    const none: ProfileDocument = { ...server, names: { dns: 'none' } };
    assert.equal(await outcome(none, { subject: 'CN=bank.example' }), 'SCEP-318');
  });

  test('a part of a label as wildcard is refused: OpenSSL takes it for many hosts', async () => {
    for (const text of ['f*.bank.example', '*f.bank.example', 'f*.bank.example.']) {
      const subject = `CN=${text},O=Test`;
      assert.equal(await outcome(server, { subject }), 'SCEP-403', text);
      assert.deepEqual(await outcome({}, { subject }), []);
    }
  });

  test('what is no host stays text', async () => {
    for (const text of ['server', 'Jane Doe', 'a_b.example', 'v1.2', 'bank..example', 'J. Doe']) {
      assert.deepEqual(await outcome(server, { subject: `CN=${text}` }), [], text);
    }
    assert.deepEqual(await outcome(server, { subject: 'CN=x,OU=bank.example' }), []);
  });

  test('such a common name is looked for under every purpose by which OpenSSL takes a certificate for a server', async () => {
    const subject = 'CN=bank.example';
    for (const purpose of [
      '1.3.6.1.5.5.7.3.1',
      '1.3.6.1.4.1.311.10.3.3',
      '2.16.840.1.113730.4.1',
    ]) {
      assert.equal(await outcome({ extKeyUsage: [purpose] }, { subject }), 'SCEP-318', purpose);
    }
  });

  test('a static challenge allows none: its pattern is for texts', async () => {
    const lab = await makeLab({
      endpoint: {
        profile: 'p',
        enrol: {
          authorize: ['staticChallenge'],
          staticChallenge: { secret: 'env:S', subject: { CN: ['text', '*.example'] } },
        },
      },
      config: { profiles: { p: server } },
      staticSecrets: { 'env:S': 'a secret that many know' },
    });
    const asked = { challenge: 'a secret that many know', subject: 'CN=bank.example' };
    const answer = await ask(lab, asked);
    assert.ok(answer.pkiStatus === 'FAILURE');
    assert.match(answer.text ?? '', /^SCEP-318: /);
    assert.equal((await ask(lab, { ...asked, subject: 'CN=text' })).pkiStatus, 'SUCCESS');
  });

  test('a renewal keeps it, and makes no host of what was a text', async () => {
    const key = await deviceKey('renewal of a host');
    const lab = await labOf(server);
    const subject = 'CN=keep.example';
    const renew = async (from: Lab, der: Bytes, more: EnrolOptions = {}) => {
      const certificate = readCertificate(der);
      const wanted = { key, subject, signer: { certificate, key }, ...more };
      const sent = await enrolment(from, wanted);
      return sent.read(await from.operate(sent.message));
    };
    const first = await ask(lab, { key, subject }, { subject });
    assert.ok(first.pkiStatus === 'SUCCESS');
    const renewed = await renew(lab, first.certificates[0] ?? new Uint8Array(0));
    assert.ok(renewed.pkiStatus === 'SUCCESS');
    const [der = new Uint8Array(0)] = renewed.certificates;
    assert.deepEqual(namesOf(readCertificate(der)), ['dns:keep.example']);

    // Of a client first; then the profile begins to serve TLS.
    const before = await makeLab({ endpoint: { profile: 'p' }, config: { profiles: { p: {} } } });
    const text = await ask(before, { key, subject });
    assert.ok(text.pkiStatus === 'SUCCESS');
    const later = await makeLab({
      store: before.unguarded,
      endpoint: { profile: 'p' },
      config: { profiles: { p: server } },
      now: before.clock.at,
    });
    const [old = new Uint8Array(0)] = text.certificates;
    const refused = await renew(later, old);
    assert.ok(refused.pkiStatus === 'FAILURE');
    assert.match(refused.text ?? '', /^SCEP-318: /);
    // A challenge along with it makes it an enrolment: the key is held for other names still.
    const helped = await deviceKey('renewal of a host, another key');
    const challenge = await later.challenge({ subject });
    const plaintext = await buildRequest(
      helped,
      { subject: parseName(subject), names: [] },
      challenge,
    );
    const certified = await renew(later, old, { plaintext, challenge, messageType: 'RenewalReq' });
    assert.ok(certified.pkiStatus === 'SUCCESS', JSON.stringify(certified));
    const [last = new Uint8Array(0)] = certified.certificates;
    assert.deepEqual(namesOf(readCertificate(last)), ['dns:keep.example']);
  });
});

describe('RFC 5280 A.1: string types that clients write', () => {
  const types = {
    C: '2.5.4.6',
    serialNumber: '2.5.4.5',
    dnQualifier: '2.5.4.46',
    DC: '0.9.2342.19200300.100.1.25',
    emailAddress: '1.2.840.113549.1.9.1',
    CN: '2.5.4.3',
  };
  const rdn = (type: keyof typeof types, identifier: number, text: string): Bytes =>
    setOf(sequence(objectIdentifier(types[type]), tlv(identifier, utf8(text))));
  const { utf8String, printableString, ia5String } = tag;
  const cases: [string, Bytes, Bytes][] = [
    ...(
      [
        ['emailAddress', utf8String, 'a@b.example', ia5String],
        ['emailAddress', printableString, 'a@b.example', ia5String],
        ['DC', printableString, 'corp', ia5String],
        ['DC', utf8String, 'corp', ia5String],
        ['C', utf8String, 'de', printableString],
        ['C', ia5String, 'DE', printableString],
        ['serialNumber', utf8String, 'SN 4711-a', printableString],
        ['dnQualifier', utf8String, 'q', printableString],
      ] as const
    ).map(([type, asked, text, written]): [string, Bytes, Bytes] => [
      `${type} of string type ${asked}`,
      sequence(rdn(type, asked, text), rdn('CN', printableString, 'x')),
      sequence(rdn(type, written, text), rdn('CN', printableString, 'x')),
    ]),
    [
      'two in one RDN, which is sorted anew',
      sequence(
        setOf(
          rdn('C', utf8String, 'DE').subarray(2),
          rdn('serialNumber', utf8String, '1').subarray(2),
        ),
      ),
      sequence(
        setOf(
          rdn('C', printableString, 'DE').subarray(2),
          rdn('serialNumber', printableString, '1').subarray(2),
        ),
      ),
    ],
  ];
  for (const [name, asked, written] of cases) {
    test(`${name}: certified in the type of the RFC, repeated, renewed and bound by value`, async () => {
      const lab = await makeLab({
        endpoint: { profile: 'p', approval: 'newSubject' },
        config: { profiles: { p: {} } },
      });
      const approved = await makeLab({
        store: lab.unguarded,
        endpoint: { profile: 'p' },
        config: { profiles: { p: {} } },
        now: lab.clock.at,
      });
      const key = await deviceKey(`string type ${name}`);
      const challenge = await approved.challenge({ subject: printName(written) });
      const plaintext = await buildRequest(key, { subject: asked, names: [] }, challenge);
      const sent = await enrolment(approved, { key, plaintext, challenge });
      const answer = await sent.read(await approved.operate(sent.message));
      assert.ok(answer.pkiStatus === 'SUCCESS', JSON.stringify(answer));
      const [der = new Uint8Array(0)] = answer.certificates;
      const certificate = readCertificate(der);
      assert.deepEqual(certificate.subject, written);
      const again = await sent.read(await approved.operate(sent.message));
      assert.ok(again.pkiStatus === 'SUCCESS');
      assert.deepEqual(again.certificates, answer.certificates);
      // Whatever the device writes, its renewal is for the same subject.
      for (const subject of [asked, written]) {
        const next = await buildRequest(key, { subject, names: [] }, undefined);
        const signer = { certificate, key };
        const renewal = await enrolment(lab, { key, signer, plaintext: next });
        const renewed = await renewal.read(await lab.operate(renewal.message));
        assert.ok(renewed.pkiStatus === 'SUCCESS', JSON.stringify(renewed));
        const [second = new Uint8Array(0)] = renewed.certificates;
        assert.deepEqual(readCertificate(second).subject, written);
      }
    });
  }

  test('everything else of a subject is copied octet for octet', async () => {
    const bmp = concat([Uint8Array.from(Buffer.from('Test', 'utf16le').swap16())]);
    for (const [i, subject] of [
      sequence(rdn('CN', printableString, 'a'), rdn('CN', utf8String, 'b')),
      sequence(setOf(sequence(objectIdentifier('2.5.4.10'), tlv(tag.bmpString, bmp)))),
      sequence(rdn('CN', ia5String, 'a@b'), rdn('C', printableString, 'DE')),
    ].entries()) {
      const lab = await labOf({});
      const key = await deviceKey(`octet for octet ${i}`);
      const challenge = await lab.challenge();
      const plaintext = await buildRequest(key, { subject, names: [] }, challenge);
      const answer = await ask(lab, { key, plaintext, challenge });
      assert.ok(answer.pkiStatus === 'SUCCESS', JSON.stringify(answer));
      const [der = new Uint8Array(0)] = answer.certificates;
      assert.deepEqual(readCertificate(der).subject, subject);
    }
  });
});

describe('the URI with spaces that Intune writes for Cisco ISE', () => {
  const name = 'uri:ID:Microsoft Endpoint Manager:GUID:0f8fad5b-d9cb-469f-a165-70867728950e';
  const on: ProfileDocument = { endpointManagerUri: true };

  test('the switch of the profile certifies the URI verbatim: bound, asked for, renewed', async () => {
    const names = [name];
    assert.deepEqual(await outcome(on, {}, { names }), names);
    assert.deepEqual(await outcome(on, { names }, { names }), names);
    assert.deepEqual(await outcome({ ...on, names: { uri: 'copy' } }, { names }), names);
    const pattern = 'ID:Microsoft Endpoint Manager:GUID:*';
    assert.deepEqual(await outcome({ ...on, names: { uri: { pattern } } }, { names }), names);
    const lab = await labOf(on);
    const key = await deviceKey('endpoint manager');
    const first = await ask(lab, { key }, { names });
    assert.ok(first.pkiStatus === 'SUCCESS');
    const certificate = readCertificate(first.certificates[0] ?? new Uint8Array(0));
    assert.ok(Buffer.from(certificate.der).includes(name.slice('uri:'.length)));
    const sent = await enrolment(lab, { key, signer: { certificate, key }, names });
    const renewed = await sent.read(await lab.operate(sent.message));
    assert.ok(renewed.pkiStatus === 'SUCCESS');
    assert.deepEqual(namesOf(readCertificate(renewed.certificates[0] ?? certificate.der)), names);
  });

  test('the switch alone allows the name to no device: names.uri says which may have it', async () => {
    assert.equal(await outcome(on, { names: [name] }), 'SCEP-312');
    const other = name.replace(/e$/, 'f');
    assert.equal(await outcome(on, { names: [other] }, { names: [name] }), 'SCEP-312');
  });

  test('the URI is refused without the switch, by the switch, and no challenge is made for it', async () => {
    for (const uri of ['bound', 'copy'] as const) {
      const lab = await labOf({ names: { uri } });
      assert.equal(await outcome({ names: { uri } }, { names: [name] }), 'SCEP-313');
      await assert.rejects(lab.challenge({ names: [name] }), {
        name: 'SyntaxError',
        message: `"${name}": a URI has no spaces; to certify this one, which Cisco ISE reads, set profiles.p.endpointManagerUri to true`,
      });
    }
  });

  test('no other text with spaces is a URI, switch or no switch', async () => {
    const free: ProfileDocument = { ...on, names: { uri: 'copy' } };
    const lab = await labOf(free);
    for (const text of [`${name} `, `${name}0`, name.replace('GUID', 'guid'), 'uri:ID:a b:c']) {
      await assert.rejects(lab.challenge({ names: [text] }), /printable ASCII without spaces/);
    }
  });
});

test('RFC 5280 §4.2.1.6: no more names are certified than can be read again', async () => {
  const names = Array.from({ length: MAX_NAMES }, (_, i) => `dns:h${i}.example`);
  const subject = 'CN=x,emailAddress=a@b.example';
  assert.equal((await outcome({}, {}, { names })).length, MAX_NAMES);
  await assert.rejects((await labOf({})).challenge({ subject, names }), {
    message: `"${subject}": no certificate can have it: more than 100 names`,
  });
  const copy: ProfileDocument = { names: { dns: 'copy', email: 'copy' } };
  assert.equal(await outcome(copy, { subject, names }), 'SCEP-403');
});

describe("a Windows account's SID", () => {
  const sid = 'S-1-5-21-1004336348-1177238915-682003330-512';
  const uri = `tag:microsoft.com,2022-09-14:sid:${sid}`;
  const extensionOf = ({ extensions }: Certificate) => {
    const value = extensions.get(extensionOids.securityIdentifier)?.value;
    return value && readSecurityIdentifier(scan(value)).value;
  };
  for (const [form, inNames, inExtension] of [
    ['uri', [`sid:${sid}`], undefined],
    ['extension', [], sid],
    ['both', [`sid:${sid}`], sid],
  ] as const) {
    test(`bound, in the form "${form}"; a renewal keeps it`, async () => {
      const lab = await labOf({ sid: form });
      const key = await deviceKey(`sid-${form}`);
      const first = await ask(lab, { key }, { names: [`sid:${sid}`] });
      assert.ok(first.pkiStatus === 'SUCCESS');
      const certificate = readCertificate(first.certificates[0] ?? new Uint8Array(0));
      const sent = await enrolment(lab, { key, signer: { certificate, key } });
      const second = await sent.read(await lab.operate(sent.message));
      assert.ok(second.pkiStatus === 'SUCCESS');
      const renewed = readCertificate(second.certificates[0] ?? new Uint8Array(0));
      for (const each of [certificate, renewed]) {
        assert.deepEqual(namesOf(each), inNames);
        assert.equal(extensionOf(each), inExtension);
        assert.equal(Buffer.from(each.der).includes(uri), inNames.length > 0);
      }
    });
  }

  test('what a CSR asks for must be what the challenge is bound to, in either form', async () => {
    const both: ProfileDocument = { sid: 'both', names: { uri: 'copy' } };
    const bound = { names: [`sid:${sid}`] };
    const other = 'sid:S-1-5-21-1004336348-1177238915-682003330-500';
    assert.deepEqual(await outcome(both, { names: [`sid:${sid}`] }, bound), [`sid:${sid}`]);
    assert.equal(await outcome(both, { names: [other] }, bound), 'SCEP-312');
    assert.equal(await outcome(both, { names: [other] }), 'SCEP-312');
    assert.equal(await outcome(both, { names: [`uri:${uri}`] }), 'SCEP-312');
    assert.equal(await outcome(both, { names: [`uri:${uri.replace('tag', 'TAG')}`] }), 'SCEP-312');
  });

  test('a certificate that has each of two SIDs in an extension is refused, and is no outage', async () => {
    const names = [`sid:${sid}`, 'sid:S-1-5-21-1004336348-1177238915-682003330-500'];
    const lab = await labOf({ sid: 'uri' });
    const key = await deviceKey('two SIDs');
    const first = await ask(lab, { key }, { names });
    assert.ok(first.pkiStatus === 'SUCCESS');
    const certificate = readCertificate(first.certificates[0] ?? new Uint8Array(0));
    assert.deepEqual(namesOf(certificate), names);
    for (const form of ['extension', 'both'] as const) {
      const later = await makeLab({
        store: lab.unguarded,
        endpoint: { profile: 'p' },
        config: { profiles: { p: { sid: form } } },
        now: lab.clock.at,
      });
      const sent = await enrolment(later, { key, signer: { certificate, key } });
      const answer = await sent.read(await later.operate(sent.message));
      assert.ok(answer.pkiStatus === 'FAILURE');
      assert.match(answer.text ?? '', /^SCEP-313: /);
    }
  });

  test('a SID is not certified where the profile does not say how', async () => {
    await assert.rejects((await labOf({})).challenge({ names: [`sid:${sid}`] }), {
      message: `"sid:${sid}": the profile "p" certifies no names of type sid`,
    });
  });

  test('text and octets', () => {
    const value = scan(securityIdentifier(sid)).children[1];
    assert.ok(value);
    assert.deepEqual(parseGeneralName(`uri:${uri}`), { kind: 'sid', value: sid });
    for (const text of ['sid:S-1', 'sid:s-1-5-1', 'sid:S-1-5-x', `sid:${sid}-`, `uri:${uri}x`]) {
      assert.throws(() => parseGeneralName(text), SyntaxError, text);
    }
    const notOne = (der: Bytes) => assert.throws(() => readSecurityIdentifier(scan(der)));
    notOne(sequence());
    notOne(sequence(objectIdentifier('1.2.3'), octets(latin1(sid))));
  });
});
