// The configuration: every wrong field is one sentence that names it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkConfig, configSchema } from '../../lib/config/config.ts';
import { parseDuration } from '../../lib/config/duration.ts';
import { deviceSecrets, everySecret, pageSecrets } from '../../lib/config/endpoint/endpoint.ts';
import { ConfigError } from '../../lib/config/error.ts';
import { parseJsonc } from '../../lib/config/schema.ts';
import { caKeyNames, caKeyOf, caKeys } from '../../lib/crypto/algorithms.ts';
import { parseName } from '../../lib/x509/names/name.ts';

const good = () => ({
  publicUrl: 'https://scep.example.com',
  cas: { default: { subject: 'CN=CA' } as Record<string, unknown> },
  profiles: {} as Record<string, unknown>,
  endpoints: { default: { ca: 'default' } as Record<string, unknown> } as Record<string, unknown>,
});

const problems = (document: unknown): readonly string[] => {
  try {
    checkConfig(document);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

type Wrong = [string, (document: ReturnType<typeof good>) => void, string];

/** `enrol` of the endpoint `default`, and the end of the sentence about it. */
const staticCases = (cases: readonly (readonly [string, object, string])[]): Wrong[] =>
  cases.map(([name, enrol, sentence]) => [
    name,
    (d) => {
      d.endpoints.default = { ca: 'default', enrol: { authorize: ['staticChallenge'], ...enrol } };
    },
    `endpoints.default.enrol${sentence}`,
  ]);

describe('configuration', () => {
  test('a duration without a unit: what it may be, what it is, and how days are written', () => {
    const d = {
      ...good(),
      cas: { default: { subject: 'CN=CA', validity: 90 } },
      profiles: { p: { validity: 90 } },
      endpoints: { default: { ca: 'default', pendingTtl: 7, renew: { window: 30 } } },
    };
    const may = 'must be a duration such as "30s", "15m", "1h" or "365d"';
    assert.deepEqual(problems(d), [
      `cas.default.validity: ${may}, not 90: write "90d" for days`,
      `profiles.p.validity: ${may}, not 90: write "90d" for days`,
      'endpoints.default.renew.window: must be a duration such as "30d", or a fraction such as "1/3", at most "1/1", not 30: write "30d" for days',
      `endpoints.default.pendingTtl: ${may}, not 7: write "7d" for days`,
    ]);
  });

  test('the name of a CA key is its type and size, and so is its name in KMS', () => {
    for (const name of caKeyNames) {
      const { spec, kms } = caKeys[name];
      const size = spec.type === 'RSA' ? spec.bits : spec.curve;
      assert.equal(name, `${spec.type.toLowerCase()}:${size}`);
      assert.equal(
        kms,
        spec.type === 'RSA' ? `RSA_${size}` : `ECC_NIST_${spec.curve.replace('-', '')}`,
      );
      assert.equal(caKeyOf(spec), caKeys[name]);
    }
  });

  test('a bound itself is allowed: a CRL for an hour, keys of one size, a purpose of 128 characters', () => {
    const purpose = `1.2${'.3'.repeat(61)}.34`;
    const document = (oid: string) => ({
      ...good(),
      cas: { default: { subject: 'CN=CA', crlValidity: '1h' } },
      profiles: { p: { keys: { rsa: { min: 3072, max: 3072 } }, extKeyUsage: [oid] } },
    });
    assert.deepEqual(problems(document(purpose)), []);
    assert.match(problems(document(`${purpose}5`)).join(), /^profiles\.p\.extKeyUsage\.0: must be/);
  });

  test('the smallest document is completed with its defaults', () => {
    const config = checkConfig(good());
    assert.deepEqual(config.cas.get('default'), {
      id: 'default',
      subject: parseName('CN=CA'),
      key: { type: 'RSA', bits: 3072 },
      validityMs: 3650 * 86_400_000,
      crlValidityMs: 10 * 86_400_000,
      crlPartitions: undefined,
      issuancesPerSecond: undefined,
    });
    assert.deepEqual(config.endpoints.get('default'), {
      id: 'default',
      ca: 'default',
      profile: {
        id: 'device',
        validityMs: 365 * 86_400_000,
        keys: { rsa: { min: 2048, max: 8192 }, ec: ['P-256', 'P-384', 'P-521'], ed25519: true },
        keyUsage: ['digitalSignature', 'keyEncipherment'],
        extKeyUsage: ['1.3.6.1.5.5.7.3.2'],
        subject: { fixed: new Map(), pattern: new Map(), required: [], forbidden: [], once: [] },
        names: {
          dns: { rule: 'bound' },
          email: { rule: 'bound' },
          uri: { rule: 'bound' },
          ip: { rule: 'bound' },
          upn: { rule: 'bound' },
          sid: { rule: 'none' },
        },
        sid: 'none',
        endpointManagerUri: false,
        sameKey: true,
      },
      enrol: {
        ...{ authorize: ['challenge'], signer: 'same', deviceList: 'default' },
        namesAsAsked: false,
      },
      renew: { authorize: [] },
      namesPerKey: 'one',
      approval: 'never',
      approvers: 1,
      approvalNotice: [],
      pendingTtlMs: 7 * 86_400_000,
      repeatMs: 86_400_000,
      challengeTtlMs: 3_600_000,
      legacy: { sha1: false, md5: false, des3: false, des: false },
    });
  });

  test('durations are read in every unit, and nothing else is', () => {
    assert.deepEqual(
      ['30s', '15m', '1h', '365d'].map(parseDuration),
      [30_000, 900_000, 3_600_000, 31_536_000_000],
    );
    for (const text of ['', '0s', '1', 'h', '1.5h', '-1h', '1 h', '1y', '01h', '9999999d']) {
      assert.equal(parseDuration(text), undefined, text);
    }
  });

  test('a renewal window is a duration, a fraction of the validity, or all of it', () => {
    const windowOf = (window?: string) => {
      const renew = window === undefined ? {} : { window };
      const changed = { ...good(), endpoints: { default: { ca: 'default', renew } } };
      return checkConfig(changed).endpoints.get('default')?.renew.window;
    };
    assert.equal(windowOf(), undefined);
    assert.deepEqual(windowOf('30d'), { ms: 30 * 86_400_000 });
    assert.deepEqual(windowOf('1/4'), { fraction: 0.25 });
    assert.deepEqual(windowOf('1/1'), { fraction: 1 });
    const sentence =
      /renew\.window: must be a duration such as "30d", or a fraction such as "1\/3", at most "1\/1"/;
    for (const text of [
      '',
      '3/2',
      '0/3',
      '1/0',
      '01/3',
      '1/03',
      ' 1/3',
      '1/3d',
      '33%',
      '0.3',
      '1/1000',
    ]) {
      assert.throws(() => windowOf(text), sentence, text);
    }
  });

  const wrong: Wrong[] = [
    [
      'publicUrl',
      (d) => {
        d.publicUrl = 'scep.example.com';
      },
      'publicUrl: must be an http or https origin without a path',
    ],
    [
      'publicUrl with a port that is none',
      (d) => {
        d.publicUrl = 'http://scep.example.com:65536';
      },
      'publicUrl: must be an http or https origin without a path',
    ],
    [
      'publicUrl that is not ASCII',
      (d) => {
        d.publicUrl = 'http://exämple.com';
      },
      'publicUrl: must be an http or https origin without a path',
    ],
    [
      'publicUrl with a bracket',
      (d) => {
        d.publicUrl = 'http://[';
      },
      'publicUrl: must be an http or https origin without a path',
    ],
    [
      'a CA by a name that every object has',
      (d) => {
        d.endpoints.default = { ca: 'constructor' };
      },
      'endpoints.default.ca: "constructor" is not defined; it may be "default"',
    ],
    [
      'publicUrl with a path',
      (d) => {
        d.publicUrl = 'https://a/b';
      },
      'publicUrl: must be an http or https origin without a path',
    ],
    [
      'a CA id',
      (d) => {
        Object.assign(d.cas, { 'Not An Id': { subject: 'CN=a' } });
      },
      'cas.Not An Id: must be a name of lower-case letters, digits and "-", at most 32',
    ],
    [
      'a CA without subject',
      (d) => {
        d.cas.default = {};
      },
      'cas.default.subject: is missing; it must be a string',
    ],
    [
      'a subject that is no name',
      (d) => {
        d.cas.default = { subject: 'nonsense' };
      },
      'cas.default.subject: expected TYPE=VALUE at "nonsense"',
    ],
    [
      'an empty subject',
      (d) => {
        d.cas.default = { subject: ' ' };
      },
      'cas.default.subject: must name at least one attribute, such as CN=...',
    ],
    [
      'a CA key',
      (d) => {
        d.cas.default = { subject: 'CN=a', key: 'rsa:1024' };
      },
      'cas.default.key: must be "rsa:2048", "rsa:3072", "rsa:4096", "ec:P-256", "ec:P-384"',
    ],
    [
      'a duration',
      (d) => {
        d.cas.default = { subject: 'CN=a', validity: '10y' };
      },
      'cas.default.validity: must be a duration such as "30s", "15m", "1h" or "365d"',
    ],
    [
      'a key usage',
      (d) => {
        d.profiles.p = { keyUsage: ['keyCertSign'] };
      },
      'profiles.p.keyUsage.0: must be "digitalSignature", "nonRepudiation", "keyEncipherment"',
    ],
    [
      'no purpose',
      (d) => {
        d.profiles.p = { extKeyUsage: [] };
      },
      'profiles.p.extKeyUsage: must name at least one purpose',
    ],
    [
      'a purpose',
      (d) => {
        d.profiles.p = { extKeyUsage: ['any'] };
      },
      'profiles.p.extKeyUsage.0: must be clientAuth, serverAuth, emailProtection, ipsecIKE, smartcardLogon or a dotted OID',
    ],
    [
      'anyExtendedKeyUsage',
      (d) => {
        d.profiles.p = { extKeyUsage: ['2.5.29.37.0'] };
      },
      'profiles.p.extKeyUsage.0: must be clientAuth, serverAuth, emailProtection, ipsecIKE, smartcardLogon or a dotted OID',
    ],
    [
      'a modulus that is too small',
      (d) => {
        d.profiles.p = { keys: { rsa: { min: 1024 } } };
      },
      'profiles.p.keys.rsa.min: must be at least 2048',
    ],
    [
      'sizes the wrong way round',
      (d) => {
        d.profiles.p = { keys: { rsa: { min: 4096, max: 3072 } } };
      },
      'profiles.p.keys.rsa.min: must be at most its "max", 3072',
    ],
    [
      'a curve',
      (d) => {
        d.profiles.p = { keys: { ec: ['secp256k1'] } };
      },
      'profiles.p.keys.ec.0: must be "P-256", "P-384", "P-521"',
    ],
    [
      'no key at all',
      (d) => {
        d.profiles.p = { keys: { rsa: false, ec: [], ed25519: false } };
      },
      'profiles.p.keys: must allow at least one kind of key',
    ],
    [
      'no key usage',
      (d) => {
        d.profiles.p = { keyUsage: [] };
      },
      'profiles.p.keyUsage: must name at least one usage',
    ],
    [
      'an attribute',
      (d) => {
        d.profiles.p = { subject: { required: ['XYZ'] } };
      },
      'profiles.p.subject.required.0: unknown attribute type "XYZ"; a dotted OID works for any',
    ],
    [
      'a fixed attribute',
      (d) => {
        d.profiles.p = { subject: { fixed: { 'X Y': 'a' } } };
      },
      'profiles.p.subject.fixed.X Y: unknown attribute type "X Y"; a dotted OID works for any',
    ],
    [
      'a pattern of an attribute',
      (d) => {
        d.profiles.p = { subject: { pattern: { CN: '' } } };
      },
      'profiles.p.subject.pattern.CN: must be a pattern, or a list of them: text in which "*" stands for some of it',
    ],
    [
      'an attribute that must and must not be there',
      (d) => {
        d.profiles.p = { subject: { required: ['cn'], forbidden: ['O', 'CN'] } };
      },
      'profiles.p.subject.forbidden.1: "CN" is fixed or required too',
    ],
    [
      'an attribute that may stand once and is none',
      (d) => {
        d.profiles.p = { subject: { once: ['CN', 'XY'] } };
      },
      'profiles.p.subject.once.1: unknown attribute type "XY"; a dotted OID works for any',
    ],
    [
      'a fixed mail address where none is certified',
      (d) => {
        d.profiles.p = { subject: { fixed: { E: 'a@b.example' } }, names: { email: 'none' } };
      },
      'profiles.p.subject.fixed.emailAddress: no certificate can have it: names.email is "none"',
    ],
    [
      'a fixed mail address that is none',
      (d) => {
        d.profiles.p = { subject: { fixed: { E: 'jdoe' } } };
      },
      'profiles.p.subject.fixed.emailAddress: no certificate can have it: an email name is no mailbox such as user@host.example',
    ],
    [
      'a fixed host of TLS servers where none is certified',
      (d) => {
        const purposes = { extKeyUsage: ['serverAuth'], names: { dns: 'none' } };
        d.profiles.p = { subject: { fixed: { CN: 'vpn.example' } }, ...purposes };
      },
      'profiles.p.subject.fixed.CN: no certificate can have it: names.dns is "none"',
    ],
    [
      'the URI of Endpoint Manager where no URI is certified',
      (d) => {
        d.profiles.p = { endpointManagerUri: true, names: { uri: 'none' } };
      },
      'profiles.p.endpointManagerUri: certifies nothing while names.uri is "none"',
    ],
    [
      'a rule for names',
      (d) => {
        d.profiles.p = { names: { dns: 'any' } };
      },
      'profiles.p.names.dns: must be "none", "bound", "copy" or {"pattern": [...]}',
    ],
    [
      'no pattern',
      (d) => {
        d.profiles.p = { names: { dns: { pattern: [] } } };
      },
      'profiles.p.names.dns.pattern: must be a pattern, or a list of them: text in which "*" stands for some of it',
    ],
    [
      'a range of addresses',
      (d) => {
        d.profiles.p = { names: { ip: { pattern: ['10.0.0.0/33'] } } };
      },
      'profiles.p.names.ip.pattern: "10.0.0.0/33" has a prefix that is too long',
    ],
    [
      'a type of name',
      (d) => {
        d.profiles.p = { names: { sid: 'copy' } };
      },
      'profiles.p.names: "sid" is not a field that exists here',
    ],
    [
      'a form of the SID',
      (d) => {
        d.profiles.p = { sid: 'copy' };
      },
      'profiles.p.sid: must be "none", "uri", "extension", "both"',
    ],
    [
      'no endpoint',
      (d) => {
        d.endpoints = {};
      },
      'endpoints: must name at least one',
    ],
    [
      'an unknown CA',
      (d) => {
        d.endpoints.default = { ca: 'other' };
      },
      'endpoints.default.ca: "other" is not defined; it may be "default"',
    ],
    [
      'no CA to name',
      (d) => {
        d.cas = {} as never;
      },
      'endpoints.default.ca: "default" is not defined',
    ],
    [
      'an unknown profile',
      (d) => {
        d.endpoints.default = { ca: 'default', profile: 'p' };
      },
      'endpoints.default.profile: "p" is not defined; it may be "device"',
    ],
    [
      'no validator',
      (d) => {
        d.endpoints.default = { ca: 'default', enrol: { authorize: [] } };
      },
      'endpoints.default.enrol.authorize: names no validator, so that anybody would get a certificate; name one, or set "approval" to "always"',
    ],
    [
      'an unknown validator',
      (d) => {
        d.endpoints.default = { ca: 'default', enrol: { authorize: ['none'] } };
      },
      'endpoints.default.enrol.authorize.0: "none" is no validator here; it may be "challenge", "signedChallenge", "staticChallenge", "deviceList"; systems outside are named in "validators"',
    ],
    [
      'an unknown signer',
      (d) => {
        d.endpoints.default = {
          ca: 'default',
          enrol: { authorize: ['challenge'], signer: 'proxy' },
        };
      },
      'endpoints.default.enrol.signer: must be "same", "any"',
    ],
    [
      'a CA in a country that is none',
      (d) => {
        d.cas.default = { subject: 'CN=CA,C=Germany' };
      },
      'cas.default.subject: cannot stand in a certificate: an attribute is longer than RFC 5280 allows it to be',
    ],
    [
      'a CA in a country of digits',
      (d) => {
        d.cas.default = { subject: 'CN=CA,C=12' };
      },
      'cas.default.subject: cannot stand in a certificate: C must be a country code of two letters',
    ],
    [
      'a CA with a blank name',
      (d) => {
        d.cas.default = { subject: 'CN=\\20\\20' };
      },
      'cas.default.subject: cannot stand in a certificate: an attribute is blank, or is no string',
    ],
    [
      'a CA with an empty name',
      (d) => {
        d.cas.default = { subject: 'CN=,O=Example' };
      },
      'cas.default.subject: the value of CN is empty',
    ],
    [
      'a CA with a name that is too long',
      (d) => {
        d.cas.default = { subject: `CN=${'x'.repeat(65)}` };
      },
      'cas.default.subject: cannot stand in a certificate: an attribute is longer than RFC 5280 allows it to be',
    ],
    [
      'a CA with two names',
      (d) => {
        d.cas.default = { subject: 'CN=one,CN=two' };
      },
      'cas.default.subject: cannot stand in a certificate: CN stands more than once, which only the certificate of a client may have',
    ],
    [
      'a CA whose name turns around',
      (d) => {
        d.cas.default = { subject: 'CN=a\u202eb' };
      },
      'cas.default.subject: cannot stand in a certificate: an attribute has control, bidirectional or other invisible characters',
    ],
    [
      'a CRL for a minute',
      (d) => {
        d.cas.default = { subject: 'CN=CA', crlValidity: '59m' };
      },
      'cas.default.crlValidity: must be at least "1h": caches keep a CRL for minutes',
    ],
    [
      'publicUrl with a host that is none',
      (d) => {
        d.publicUrl = 'http://scep..example.com';
      },
      'publicUrl: must be an http or https origin without a path',
    ],
    [
      'usages that serve no purpose',
      (d) => {
        d.profiles.p = { keyUsage: ['keyEncipherment'], keys: { ec: [], ed25519: false } };
      },
      'profiles.p.keyUsage: serves none of the purposes in "extKeyUsage"; add "digitalSignature"',
    ],
    [
      'nonRepudiation for clientAuth',
      (d) => {
        d.profiles.p = { keyUsage: ['nonRepudiation'], keys: { rsa: false } };
      },
      'profiles.p.keyUsage: serves none of the purposes in "extKeyUsage"; add "digitalSignature"',
    ],
    [
      'keyEncipherment where no key can',
      (d) => {
        d.profiles.p = { keyUsage: ['keyEncipherment'], keys: { rsa: false } };
      },
      'profiles.p.keyUsage: "keyEncipherment" is for RSA keys, and "keys" allows none; add "digitalSignature"',
    ],
    [
      'a purpose twice, by name and number',
      (d) => {
        d.profiles.p = { extKeyUsage: ['clientAuth', 'serverAuth', '1.3.6.1.5.5.7.3.2'] };
      },
      'profiles.p.extKeyUsage.2: is listed already; leave it out',
    ],
    [
      'a purpose whose number is written otherwise',
      (d) => {
        d.profiles.p = { extKeyUsage: ['1.3.6.1.5.5.7.3.02'] };
      },
      'profiles.p.extKeyUsage.0: must be clientAuth, serverAuth, emailProtection, ipsecIKE, smartcardLogon or a dotted OID',
    ],
    [
      'OCSPSigning',
      (d) => {
        d.profiles.p = { extKeyUsage: ['clientAuth', '1.3.6.1.5.5.7.3.9'] };
      },
      'profiles.p.extKeyUsage.1: OCSPSigning lets its holder answer for the CA which certificates are good; leave it out',
    ],
    [
      'Certificate Request Agent',
      (d) => {
        d.profiles.p = { extKeyUsage: ['clientAuth', '1.3.6.1.4.1.311.20.2.1'] };
      },
      'profiles.p.extKeyUsage.1: Certificate Request Agent is what the CA has its RA for; leave it out',
    ],
    [
      'a fixed value that no certificate can have',
      (d) => {
        d.profiles.p = { subject: { fixed: { C: 'Germany' } } };
      },
      'profiles.p.subject.fixed.C: no certificate can have it: an attribute is longer than RFC 5280 allows it to be',
    ],
    [
      'a fixed value of nothing',
      (d) => {
        d.profiles.p = { subject: { fixed: { O: '' } } };
      },
      'profiles.p.subject.fixed.O: must not be empty',
    ],
    [
      'a rule for approvals',
      (d) => {
        d.endpoints.default = { ca: 'default', approval: 'sometimes' };
      },
      'endpoints.default.approval: must be "never", "always", "firstEnrolment", "newSubject"',
    ],
    [
      'approvers that nobody asks',
      (d) => {
        d.endpoints.default = { ca: 'default', approvers: 2 };
      },
      'endpoints.default.approvers: must be 1 where "approval" is "never", which asks nobody: set that to another value, or leave this out',
    ],
    [
      'more approvers than two',
      (d) => {
        d.endpoints.default = { ca: 'default', approval: 'always', approvers: 3 };
      },
      'endpoints.default.approvers: must be at most 2',
    ],
    ...staticCases([
      [
        'a secret in place of its reference',
        { staticChallenge: { secret: 'hunter2hunter2hunter2', subject: { CN: 'a-*' } } },
        '.staticChallenge.secret: must be "env:" and the name of an environment variable, never the secret itself',
      ],
      [
        'a variable that cannot be one',
        { staticChallenge: { secret: 'env:A B', subject: { CN: 'a-*' } } },
        '.staticChallenge.secret: must be "env:" and the name of an environment variable, never the secret itself',
      ],
      [
        'a secret in SSM',
        { staticChallenge: { secret: 'ssm:/scep/secret', subject: { CN: 'a-*' } } },
        '.staticChallenge.secret: must be "env:" and the name of an environment variable, which at AWS may hold "secretsmanager:" and the ARN of the secret; "ssm:" is not read here',
      ],
      [
        'a secret in Secrets Manager',
        { staticChallenge: { secret: 'secretsmanager:scep', subject: { CN: 'a-*' } } },
        '.staticChallenge.secret: must be "env:" and the name of an environment variable, which at AWS may hold "secretsmanager:" and the ARN of the secret; "secretsmanager:" is not read here',
      ],
      [
        'no secret',
        { staticChallenge: { subject: { CN: 'a-*' } } },
        '.staticChallenge.secret: is missing; it must be a string',
      ],
      [
        'no subject',
        { staticChallenge: { secret: 'env:A' } },
        '.staticChallenge.subject: is missing; it must be an object',
      ],
      [
        'a subject without attributes',
        { staticChallenge: { secret: 'env:A', subject: {} } },
        '.staticChallenge.subject: must name at least one attribute, such as {"CN": "printer-*"}',
      ],
      [
        'a pattern of everything',
        { staticChallenge: { secret: 'env:A', subject: { CN: ['a-*', '*'] } } },
        '.staticChallenge.subject.CN: must say more than "*", which is everything',
      ],
      [
        'a pattern that is none',
        { staticChallenge: { secret: 'env:A', subject: { CN: [] } } },
        '.staticChallenge.subject.CN: must be a pattern, or a list of them: text in which "*" stands for some of it',
      ],
      [
        'an attribute of a static challenge',
        { staticChallenge: { secret: 'env:A', subject: { XYZ: 'a' } } },
        '.staticChallenge.subject.XYZ: unknown attribute type "XYZ"; a dotted OID works for any',
      ],
      [
        'a field of a static challenge',
        { staticChallenge: { secret: 'env:A', subject: { CN: 'a-*' }, uses: 3 } },
        '.staticChallenge: "uses" is not a field that exists here',
      ],
      [
        'a static challenge that is not there',
        {},
        '.staticChallenge: is missing; "staticChallenge" in "authorize" needs it',
      ],
      [
        'a static challenge that is not asked for',
        { authorize: ['challenge'], staticChallenge: { secret: 'env:A', subject: { CN: 'a-*' } } },
        '.staticChallenge: has no effect without "staticChallenge" in "authorize": add it there, or leave this out',
      ],
      [
        'both kinds of challenge',
        {
          authorize: ['challenge', 'staticChallenge'],
          staticChallenge: { secret: 'env:A', subject: { CN: 'a-*' } },
        },
        '.authorize: a challengePassword cannot be both "challenge" and "staticChallenge"; name one of them',
      ],
      [
        'a signed challenge that is not there',
        { authorize: ['signedChallenge'] },
        '.signedChallenge: is missing; "signedChallenge" in "authorize" needs it',
      ],
      [
        'no key of signed challenges',
        { authorize: ['signedChallenge'], signedChallenge: { keys: {} } },
        '.signedChallenge.keys: must name at least one key',
      ],
      [
        'a key of signed challenges that is none',
        { authorize: ['signedChallenge'], signedChallenge: { keys: { k: { publicKey: 'AAAA' } } } },
        '.signedChallenge.keys.k.publicKey: must be the public key, PEM ("-----BEGIN PUBLIC KEY-----...") or the base64 of its DER: P-256 or Ed25519',
      ],
    ]),
    [
      'a switch',
      (d) => {
        d.endpoints.default = { ca: 'default', legacy: { sha1: 'yes' } };
      },
      'endpoints.default.legacy.sha1: must be a boolean',
    ],
    [
      'proxies that nobody has',
      (d) => {
        Object.assign(d, { trustedProxies: 11 });
      },
      'trustedProxies: must be at most 10',
    ],
    [
      'an endpoint that clients take for a folder of scripts',
      (d) => {
        d.endpoints['cgi-bin'] = { ca: 'default' };
      },
      'endpoints.cgi-bin: cannot be the name of one: clients append it to /scep',
    ],
    [
      'files at a URL with a path',
      (d) => {
        Object.assign(d, { filesUrl: 'http://pki.example.com/files' });
      },
      'filesUrl: must be an http or https origin without a path',
    ],
    [
      'a host of the admin API that is a URL',
      (d) => {
        Object.assign(d, { adminHost: 'https://admin.example.com' });
      },
      'adminHost: must be a host name or address, with or without a port, such as "admin.example.com"',
    ],
    [
      'decision links in clear',
      (d) => {
        Object.assign(d, { decisionUrl: 'http://approve.example.com' });
      },
      'decisionUrl: must be https, or http of this machine',
    ],
    [
      'decision links at a path',
      (d) => {
        Object.assign(d, { decisionUrl: 'https://approve.example.com/here' });
      },
      'decisionUrl: must be an http or https origin without a path',
    ],
    [
      'a proxy without an address',
      (d) => {
        Object.assign(d, { trustedProxies: ['10.0.0.0/33'] });
      },
      'trustedProxies: must be a number from 0 to 10, or a list of addresses and ranges such as "10.0.0.0/8"',
    ],
    [
      'a blocked key',
      (d) => {
        Object.assign(d, { blockedKeys: ['A'.repeat(64), 'a'.repeat(63)] });
      },
      'blockedKeys.1: must be the SHA-256 of a SubjectPublicKeyInfo: 64 hexadecimal digits',
    ],
    [
      'a field that does not exist',
      (d) => {
        d.endpoints.default = { ca: 'default', tls: true };
      },
      'endpoints.default: "tls" is not a field that exists here',
    ],
    [
      'a field at the top',
      (d) => {
        Object.assign(d, { ca: 1 });
      },
      'the configuration: "ca" is not a field that exists here; did you mean "cas"?',
    ],
  ];
  for (const [name, bend, sentence] of wrong) {
    test(`a configuration is refused: ${name}`, () => {
      const document = good();
      bend(document);
      assert.deepEqual(problems(document), [sentence]);
    });
  }

  test('one attribute under two of its names: the second is refused, and does not replace the first', () => {
    const document = good();
    document.profiles.p = {
      subject: { pattern: { CN: 'a-*', '2.5.4.3': '*' }, fixed: { O: 'A', o: 'B' } },
    };
    const staticChallenge = { secret: 'env:X', subject: { CN: 'a-*', cn: '*-b' } };
    const enrol = { authorize: ['staticChallenge'], staticChallenge };
    document.endpoints.default = { ca: 'default', enrol };
    const last = problems(document);
    assert.equal(last.length, 3);
    for (const sentence of last)
      assert.match(sentence, /: the attribute (CN|O) is named already; leave one out$/);
  });

  test('a field called __proto__ is refused wherever it stands, and never left out in silence', () => {
    const document = good();
    document.profiles.p = { subject: { pattern: {}, fixed: {} } };
    const text = JSON.stringify(document);
    const paths = new Map([
      ['"cas":{', 'cas'],
      ['"profiles":{', 'profiles'],
      ['"pattern":{', 'profiles.p.subject.pattern'],
      ['"fixed":{', 'profiles.p.subject.fixed'],
      ['"endpoints":{', 'endpoints'],
    ]);
    for (const [at, path] of paths) {
      const comma = text.includes(`${at}}`) ? '' : ',';
      const bent = JSON.parse(text.replace(at, `${at}"__proto__":"x"${comma}`));
      assert.deepEqual(problems(bent), [`${path}.__proto__: cannot be the name of anything`]);
    }
  });

  test('a document that is not an object is refused', () => {
    for (const document of [null, 1, 'x', []]) {
      assert.deepEqual(problems(document), ['the configuration: must be an object']);
    }
    assert.deepEqual(problems({}), [
      'publicUrl: is missing; it must be a string',
      'cas: is missing; it must be an object',
      'endpoints: is missing; it must be an object',
    ]);
  });

  test('every problem is named, not only the first', () => {
    const document = good();
    document.publicUrl = 'x';
    document.cas.default = { subject: 'CN=a', key: 'x' };
    assert.equal(problems(document).length, 2);
  });

  test('a host is compared, and published, in lower case', () => {
    const document = good();
    document.publicUrl = 'HTTPS://scep.example.com';
    document.profiles.p = { names: { dns: { pattern: 'Cam-*.Example' } } };
    document.endpoints.default = { ca: 'default', profile: 'p' };
    const config = checkConfig(document);
    assert.equal(config.publicUrl, 'https://scep.example.com');
    const { dns } = config.endpoints.get('default')?.profile.names ?? {};
    assert.deepEqual(dns, { rule: 'pattern', patterns: ['cam-*.example'] });
  });
});

describe('a document with several faults', () => {
  const document = {
    publicURL: 'https://scep.example.com',
    cas: {
      default: { subject: 'CN=CA', key: 'rsa2048' },
      other: { subject: '' },
      third: { subject: 'CN=CA', crlValidity: '5m' },
    },
    profiles: { vpn: { validty: '30d' }, wifi: { names: { dns: ['*.*.example'] } } },
    endpoints: {
      default: { ca: 'defalt', aproval: 'always' },
      vpn: { ca: 'other', profile: 'vpm', enrol: { authorize: ['staticChalenge'] } },
      printers: {
        ca: 'default',
        profile: 'vpn',
        enrol: {
          authorize: ['staticChallenge'],
          staticChallenge: { secret: 'env:PRINTERS', subject: { CN: 'p-*' } },
        },
      },
    },
  };

  test('all are found in one round: fields, what refers to something else, and secrets', () => {
    assert.throws(
      () => checkConfig(document, () => undefined),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.deepEqual(error.problems, [
          'publicUrl: is missing; it must be a string',
          'cas.default.key: must be "rsa:2048", "rsa:3072", "rsa:4096", "ec:P-256", "ec:P-384"; did you mean "rsa:2048"?',
          'cas.other.subject: must name at least one attribute, such as CN=...',
          'profiles.vpn: "validty" is not a field that exists here; did you mean "validity"?',
          'profiles.wifi.names.dns: must be "none", "bound", "copy" or {"pattern": [...]}',
          'endpoints.default: "aproval" is not a field that exists here; did you mean "approval"?',
          'the configuration: "publicURL" is not a field that exists here; did you mean "publicUrl"?',
          'cas.third.crlValidity: must be at least "1h": caches keep a CRL for minutes',
          'endpoints.default.ca: "defalt" is not defined; it may be "default", "other", "third"; did you mean "default"?',
          'endpoints.vpn.profile: "vpm" is not defined; it may be "device", "vpn", "wifi"; did you mean "vpn"?',
          'endpoints.vpn.enrol.authorize.0: "staticChalenge" is no validator here; it may be "challenge", "signedChallenge", "staticChallenge", "deviceList"; did you mean "staticChallenge"?',
          'endpoints.printers.enrol.staticChallenge.secret: the environment variable PRINTERS is not set; it must have at least 16 octets',
        ]);
        return true;
      },
    );
  });

  test('a name that is like none is not guessed at', () => {
    const { endpoints: _, ...rest } = good();
    assert.deepEqual(problems({ ...rest, endpoints: { default: { ca: 'zebra' } } }), [
      'endpoints.default.ca: "zebra" is not defined; it may be "default"',
    ]);
  });
});

test('comments and trailing commas are read, and what is no JSON says where', () => {
  const text = '{ // of the plant\n  "a": "http://x" /* and\n so on */, "b": [1,],\n}';
  assert.deepEqual(parseJsonc(text), { a: 'http://x', b: [1] });
  assert.throws(() => parseJsonc('{\n  // one\n  "a": 1\n  "b": 2\n}'), /line 4 column 3/);
});

describe('every field of the document, set to wrong values in turn', () => {
  /** A document with every field that there is. */
  const spki = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----`;
  const whole = {
    $schema: 'x',
    publicUrl: 'https://scep.example.com',
    cas: {
      default: {
        ...{ subject: 'CN=CA', key: 'ec:P-256' },
        ...{ validity: '365d', crlValidity: '10d', crlPartitions: 1024, issuancesPerSecond: 25 },
      },
    },
    profiles: {
      p: {
        validity: '30d',
        keys: { rsa: { min: 2048, max: 4096 }, ec: ['P-256'], ed25519: false },
        keyUsage: ['digitalSignature'],
        extKeyUsage: ['clientAuth', '1.2.3.4'],
        subject: {
          fixed: { O: 'Example' },
          pattern: { CN: ['dev-*'] },
          required: ['CN'],
          forbidden: ['OU'],
          once: ['CN'],
        },
        names: {
          dns: { pattern: ['*.example'] },
          email: 'copy',
          uri: 'none',
          ip: { pattern: ['10.0.0.0/8'] },
          upn: 'bound',
        },
        sid: 'uri',
        endpointManagerUri: false,
        sameKey: false,
      },
    },
    trustedProxies: ['10.0.0.0/8', '2001:db8::1'],
    refusalLimits: { perSource: 200, proxies: [{ addresses: ['10.0.0.0/8'], perSource: 9000 }] },
    filesUrl: 'http://pki.example.com',
    adminHost: 'admin.example.com:8443',
    decisionUrl: 'https://approve.example.com',
    blockedKeys: ['0'.repeat(64)],
    validators: {
      intune: {
        kind: 'intune',
        tenant: 'contoso.onmicrosoft.com',
        clientId: '0000000a-0000-0000-c000-000000000000',
        clientSecret: 'env:INTUNE',
        authority: 'https://login.microsoftonline.us',
        graph: 'https://graph.microsoft.us',
        scope: 'https://api.manage.microsoft.us//.default',
        hosts: ['manage.microsoft.us'],
      },
      other: {
        ...{ kind: 'intune', tenant: 'fabrikam.example', clientId: 'app' },
        clientCertificate: 'env:INTUNE_CERTIFICATE',
      },
      hook: {
        kind: 'webhook',
        style: 'stepca',
        url: 'https://hooks.example.com/scep',
        hookId: 'a1',
        secret: 'env:HOOK',
        bearer: 'env:HOOK_BEARER',
        networks: ['10.0.0.0/8'],
        namesAsAsked: true,
        notify: true,
      },
      assets: {
        kind: 'webhook',
        url: 'https://assets.example.com/',
        secret: 'env:ASSETS',
        basic: { user: 'scepter', password: 'env:ASSETS_PASSWORD' },
      },
    },
    endpoints: {
      laptops: {
        ca: 'default',
        enrol: { authorize: ['intune', 'assets'] },
        renew: { authorize: ['intune', 'hook'] },
      },
      mdm: {
        ca: 'default',
        enrol: {
          authorize: ['signedChallenge'],
          signedChallenge: {
            keys: {
              k: { publicKey: spki, subject: { O: 'Example' }, names: { dns: ['*.example'] } },
            },
          },
        },
      },
      pages: {
        ca: 'default',
        ndes: {
          accounts: [{ user: 'mdm', password: 'env:PAGE', subject: { CN: 'dev-*' } }],
          ...{ charset: 'utf-8', length: 32, alphabet: 'ABCDEFGH', perHour: 500 },
        },
        jamf: {
          ...{ user: 'jamf', password: 'env:JAMF', subject: { CN: '{serialNumber}' } },
          ...{ device: 'required', ttl: '10m', perHour: 500 },
        },
      },
      hooks: {
        ca: 'default',
        jamf: { header: 'X-Key', value: 'env:JAMF', subject: { CN: ['{uuid}'] } },
      },
      default: {
        ca: 'default',
        profile: 'p',
        enrol: {
          authorize: ['staticChallenge', 'deviceList'],
          deviceList: 'fleet',
          signer: 'any',
          staticChallenge: { secret: 'env:SECRET', subject: { CN: 'dev-*' } },
        },
        renew: { window: '30d', authorize: ['deviceList'], supersede: '14d' },
        namesPerKey: 'any',
        approval: 'newSubject',
        approvers: 2,
        approvalNotice: ['assets'],
        pendingTtl: '7d',
        repeat: '24h',
        challengeTtl: '1h',
        legacy: { sha1: true, md5: false, des3: true, des: false },
      },
    },
  };
  const junk: readonly unknown[] = [
    ...[
      null,
      true,
      -1,
      1.5,
      1e21,
      '',
      ' ',
      'x',
      '*',
      'x\u0000\u202e\r\n\u001b[31m',
      'x'.repeat(100_000),
    ],
    ...[
      [],
      ['x'],
      [null],
      [[]],
      {},
      { x: 1 },
      { x: { x: 'x' } },
      { constructor: 1, toString: 'x' },
    ],
  ];
  type Path = readonly string[];

  const pathsOf = (node: unknown, at: Path = []): Path[] =>
    node !== null && typeof node === 'object'
      ? Object.entries(node).flatMap(([name, value]) => [
          [...at, name],
          ...pathsOf(value, [...at, name]),
        ])
      : [];

  const bent = (path: Path, value: unknown): unknown => {
    const document = structuredClone(whole);
    let node: Record<string, unknown> = document;
    for (const name of path.slice(0, -1)) node = node[name] as Record<string, unknown>;
    node[path.at(-1) ?? ''] = value;
    return document;
  };

  test('the whole document is good, and every field of the schema is in it', () => {
    assert.deepEqual(problems(whole), []);
    const named = new Set(pathsOf(whole).map((path) => path.at(-1)));
    const walk = (node: unknown): void => {
      const { properties = {}, additionalProperties, anyOf = [], oneOf = [] } = Object(node);
      for (const [name, field] of Object.entries(properties)) {
        assert.ok(named.has(name), `${name} is not tried`);
        walk(field);
      }
      for (const option of [...anyOf, ...oneOf]) walk(option);
      if (additionalProperties) walk(additionalProperties);
    };
    walk(configSchema());
  });

  test('a wrong value is refused with a sentence that names the field', () => {
    let refused = 0;
    for (const path of pathsOf(whole)) {
      const field = path.join('.');
      let here = 0;
      for (const value of junk) {
        const found = problems(bent(path, value));
        for (const said of found) {
          assert.match(said, /^[^:\s]+(?: \S+)*: .{8,}$|^the configuration: .{8,}$/u, field);
          assert.doesNotMatch(said, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u, field);
          assert.ok(said.length <= 1000, field);
        }
        if (found.length === 0) continue;
        here++;
        const [top = '', name = ''] = path;
        const names = found.some(
          (said) =>
            said.startsWith(`${top}.${name}`) ||
            field.startsWith(said.slice(0, said.indexOf(': '))) ||
            // The fields that refer to it are reported too.
            /^endpoints\.(?:default|laptops)\./.test(said) ||
            said.startsWith('the configuration: '),
        );
        assert.ok(names, `${field} = ${JSON.stringify(value)?.slice(0, 60)}: ${found}`);
      }
      assert.ok(here > junk.length / 2 || field === '$schema' || here >= 8, `${field}: ${here}`);
      refused += here;
    }
    assert.ok(refused > 1000, String(refused));
  });

  test('a missing field takes its default, or is named as missing', () => {
    for (const path of pathsOf(whole)) {
      const found = problems(bent(path, undefined));
      for (const said of found)
        assert.match(
          said,
          /is missing|is not defined|is no validator|needs it|must |serves none|has no effect|knows no certificate/,
        );
    }
  });

  test('a secret in the place of its reference is not repeated in the sentence', () => {
    const secret = 'hunter2hunter2hunter2';
    for (const value of [secret, `ssm:${secret}`, `env:${secret}!`, [secret], { secret }]) {
      const found = problems(
        bent(['endpoints', 'default', 'enrol', 'staticChallenge', 'secret'], value),
      );
      assert.equal(found.length, 1);
      assert.ok(!found.join().includes(secret), found.join());
    }
  });
});

test('what answers devices is not told the passwords of pages, and what makes challenges not the static one', () => {
  const subject = { CN: 'device-*' };
  const { endpoints } = checkConfig({
    publicUrl: 'http://scep.test',
    cas: { default: { subject: 'CN=CA' } },
    endpoints: {
      a: {
        ca: 'default',
        enrol: { authorize: ['staticChallenge'], staticChallenge: { secret: 'env:S', subject } },
      },
      b: {
        ca: 'default',
        ndes: { accounts: [{ user: 'mdm', password: 'env:N', subject }] },
        jamf: { header: 'X-Key', value: 'env:J', subject },
      },
    },
  });
  const used = (uses: typeof everySecret) =>
    [...endpoints.values()].flatMap(uses).map(({ path, reference }) => `${path} ${reference}`);
  const ofDevices = ['endpoints.a.enrol.staticChallenge.secret env:S'];
  const ofPages = ['endpoints.b.ndes.accounts.0.password env:N', 'endpoints.b.jamf.value env:J'];
  assert.deepEqual(used(deviceSecrets), ofDevices);
  assert.deepEqual(used(pageSecrets), ofPages);
  assert.deepEqual(used(everySecret), [...ofDevices, ...ofPages]);
});
