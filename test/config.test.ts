// The configuration: every wrong field is one sentence that names it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError, checkConfig } from '../lib/config.ts';
import { parseDuration } from '../lib/schema.ts';
import { parseName } from '../lib/x509/name.ts';

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

describe('configuration', () => {
  test('the least there can be, with its defaults', () => {
    const config = checkConfig(good());
    assert.deepEqual(config.cas.get('default'), {
      id: 'default',
      subject: parseName('CN=CA'),
      key: { type: 'RSA', bits: 3072 },
      validityMs: 3650 * 86_400_000,
      crlValidityMs: 10 * 86_400_000,
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
        subject: { fixed: new Map(), pattern: new Map(), required: [], forbidden: [] },
        names: {
          dns: { rule: 'bound' },
          email: { rule: 'bound' },
          uri: { rule: 'bound' },
          ip: { rule: 'bound' },
          upn: { rule: 'bound' },
          sid: { rule: 'none' },
        },
        sid: 'none',
        sameKey: true,
      },
      enrol: { authorize: ['challenge'] },
      renew: { authorize: [], windowMs: undefined },
      approval: 'never',
      pendingTtlMs: 7 * 86_400_000,
      repeatMs: 86_400_000,
      challengeTtlMs: 3_600_000,
      legacy: { sha1: false, md5: false, des3: false, des: false },
    });
  });

  test('durations', () => {
    assert.deepEqual(
      ['30s', '15m', '1h', '365d'].map(parseDuration),
      [30_000, 900_000, 3_600_000, 31_536_000_000],
    );
    for (const text of ['', '0s', '1', 'h', '1.5h', '-1h', '1 h', '1y', '01h', '9999999d']) {
      assert.equal(parseDuration(text), undefined, text);
    }
  });

  const wrong: [string, (document: ReturnType<typeof good>) => void, string][] = [
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
      'endpoints.default.enrol.authorize: must name at least one validator',
    ],
    [
      'an unknown validator',
      (d) => {
        d.endpoints.default = { ca: 'default', enrol: { authorize: ['none'] } };
      },
      'endpoints.default.enrol.authorize.0: must be "challenge", "staticChallenge"',
    ],
    [
      'a switch',
      (d) => {
        d.endpoints.default = { ca: 'default', legacy: { sha1: 'yes' } };
      },
      'endpoints.default.legacy.sha1: must be a boolean',
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
      'the configuration: "ca" is not a field that exists here',
    ],
  ];
  for (const [name, bend, sentence] of wrong) {
    test(`wrong: ${name}`, () => {
      const document = good();
      bend(document);
      assert.deepEqual(problems(document), [sentence]);
    });
  }

  test('not an object', () => {
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
});
