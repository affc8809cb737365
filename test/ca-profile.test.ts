// Profiles (shared design 4.7): which keys and names an endpoint certifies, whoever asks, and that
// nothing of one endpoint or CA counts at another.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Bytes, hex, latin1 } from '../lib/bytes.ts';
import { scan } from '../lib/cms/der.ts';
import { objectIdentifier, octets, sequence } from '../lib/cms/der-writer.ts';
import { hash } from '../lib/cms/native.ts';
import type { ConfigDocument } from '../lib/config.ts';
import { type ClientKey, generateKey } from '../lib/scep/client.ts';
import { type Certificate, readCertificate } from '../lib/x509/certificate.ts';
import { extensionOids, securityIdentifier } from '../lib/x509/extensions.ts';
import {
  parseGeneralName,
  printGeneralName,
  readGeneralNames,
  readSecurityIdentifier,
} from '../lib/x509/general-name.ts';
import { deviceKey } from './support/keys.ts';
import { type ChallengeOptions, type Lab, makeLab } from './support/lab.ts';
import { type EnrolOptions, enrolment } from './support/messages.ts';

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
  const keys = new Map<string, Promise<ClientKey>>();
  const keyOf = (name: string) => {
    const spec = name.startsWith('rsa:')
      ? ({ type: 'RSA', bits: Number(name.slice(4)) } as const)
      : ({ type: 'EC', curve: name as 'P-256' | 'P-384' } as const);
    const key = keys.get(name) ?? generateKey(spec);
    keys.set(name, key);
    return key;
  };
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
    assert.equal(await outcome(rules, { subject }, { subject }), 'SCEP-314');
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
      store: lab.deps.store,
      endpoint: { profile: 'p' },
      config: { profiles: { p: { names: { email: 'none' } } } },
      now: lab.clock.at,
    });
    const refused = await renew(stricter, ['email:r@b.example']);
    assert.ok(refused.pkiStatus === 'FAILURE');
    assert.match(refused.text ?? '', /^SCEP-313: /);
  });
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

  test('is not certified where the profile does not say how', async () => {
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
