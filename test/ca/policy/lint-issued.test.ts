// The lint of what a CA issues by the hundred is quicker than the full lint, and no weaker: it accepts
// what the full lint accepts, for whatever profile, key and names; and it refuses each certificate that
// differs from the first of its shape where only the profile and the CA decide.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import { contextPrimitive, type Element, raw, scan, tag } from '../../../lib/asn1/reader.ts';
import {
  boolean,
  explicit,
  integer,
  nullValue,
  objectIdentifier,
  octets,
  sequence,
  setOf,
  timeOf,
  tlv,
} from '../../../lib/asn1/writer.ts';
import { type Bytes, concat, equal, latin1, utf8 } from '../../../lib/base/bytes.ts';
import { Malformed } from '../../../lib/base/errors.ts';
import {
  buildTbsCertificate,
  type Contents,
  issuedOf,
} from '../../../lib/ca/policy/build-certificate.ts';
import { checkConfig } from '../../../lib/config/config.ts';
import type { Profile } from '../../../lib/config/profile.ts';
import { digests } from '../../../lib/crypto/algorithms.ts';
import { signatureAlgorithm } from '../../../lib/x509/algorithm.ts';
import { caBasicConstraints, subjectKeyIdentifier } from '../../../lib/x509/extensions.ts';
import { lintTbsCertificate } from '../../../lib/x509/lint/certificate.ts';
import { type Issued, lintIssued, type Templates } from '../../../lib/x509/lint/issued.ts';
import { type GeneralName, parseGeneralName } from '../../../lib/x509/names/general-name.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { readPublicKey } from '../../../lib/x509/public-key.ts';
import { signers } from '../../support/signed-data.ts';
import { runs } from '../../support/vectors.ts';

const now = Date.UTC(2026, 5, 1);
const ca = {
  id: 'default',
  scheme: { kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-256'] },
  keyIdentifier: new Uint8Array(20).fill(0xca),
  partitions: [],
  certificate: {
    subject: parseName('CN=Lint CA,O=Test'),
    notBefore: Date.UTC(2026, 0, 1),
    notAfter: Date.UTC(2060, 0, 1),
  },
} as const;

const free = { dns: 'copy', email: 'copy', uri: 'copy', ip: 'copy', upn: 'copy' } as const;
const profiles = {
  plain: {},
  servers: { extKeyUsage: ['serverAuth'], names: free, sid: 'extension' },
  people: { extKeyUsage: ['emailProtection', 'smartcardLogon'], names: free, sid: 'both' },
  long: {
    validity: '12000d',
    keyUsage: ['digitalSignature'],
    sid: 'uri',
    endpointManagerUri: true,
  },
} as const;
const config = checkConfig({
  publicUrl: 'https://scep.example',
  cas: { default: { subject: 'CN=Lint CA,O=Test' } },
  endpoints: Object.fromEntries(
    Object.keys(profiles).map((profile) => [
      profile,
      { ca: 'default', profile, enrol: { authorize: ['challenge'] } },
    ]),
  ),
  profiles,
} as never);
const profileList: readonly Profile[] = [...config.endpoints.values()].map(
  ({ profile }) => profile,
);

const keys = (['rsa', 'P-256', 'P-384', 'P-521', 'Ed25519'] as const).map((name) => {
  const spki = scan(signers[name].spki);
  const publicKey = readPublicKey(spki);
  assert.ok(publicKey);
  return { spki, publicKey };
});
const [rsa = assert.fail(), ec = assert.fail()] = keys;

const contents = (more: Partial<Contents>): Contents => ({
  config,
  ca,
  profile: profileList[0] ?? assert.fail(),
  names: { subject: parseName('CN=device-1,O=Test'), names: [] },
  csr: rsa,
  ...more,
});
const serial = new Uint8Array(16).fill(0x5a);
function issued(all: Contents): Issued {
  return issuedOf(all, buildTbsCertificate(all, serial, now));
}
const full = ({ tbs, scheme, context }: Issued) => lintTbsCertificate(tbs, scheme, context);

/** With one certificate of each shape, which is good. */
async function primed(): Promise<Templates> {
  const templates: Templates = new Map();
  const names = [[], ['dns:a.example'], ['sid:S-1-5-21-1-2-3-1001']];
  for (const profile of profileList) {
    for (const csr of keys) {
      for (const subject of ['CN=a', '']) {
        for (const list of [...names, names.flat()]) {
          const certified = { subject: parseName(subject), names: list.map(parseGeneralName) };
          await lintIssued(issued(contents({ profile, csr, names: certified })), templates);
        }
      }
    }
  }
  return templates;
}
const templates = await primed();

test('the template of a shape is made by a certificate that the full lint passes, and by no other', async () => {
  const made: Templates = new Map();
  const nameless = contents({ names: { subject: sequence(), names: [] } });
  assert.equal((await lintIssued(issued(nameless), made))?.id, 'nameless');
  assert.equal(made.size, 0);
  assert.equal(await lintIssued(issued(contents({})), made), undefined);
  assert.equal(made.size, 1);
  assert.equal(await lintIssued(issued(contents({ csr: ec })), made), undefined);
  assert.equal(made.size, 2);
});

const printable = fc.string({ unit: 'grapheme-ascii', maxLength: 70 });
const text = fc.oneof(
  { weight: 4, arbitrary: fc.stringMatching(/^[a-z0-9.-]{1,20}$/) },
  printable,
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '*.a.example',
    'f*.a.example',
    '10.0.0.1',
    'DE',
    'a b',
    ' a ',
    '#a',
    'a,b+c',
    'a\u202eb',
  ),
);
const stringType = fc.oneof(
  { weight: 4, arbitrary: fc.constant<number>(tag.utf8String) },
  fc.constantFrom<number>(tag.printableString, tag.ia5String, tag.t61String, tag.bmpString),
);
const octetsOf = (type: number, value: string): Bytes =>
  type === tag.utf8String ? utf8(value.toWellFormed()) : latin1(value.replace(/[^\0-\xff]/gu, '?'));
const attribute = fc
  .tuple(
    fc.constantFrom(
      ...['2.5.4.3', '2.5.4.3', '2.5.4.10', '2.5.4.6', '2.5.4.5', '2.5.4.9', '2.5.4.97', '1.2.3.4'],
      ...['0.9.2342.19200300.100.1.25', '1.2.840.113549.1.9.1'],
    ),
    stringType,
    text,
  )
  .map(([type, string, value]) =>
    sequence(objectIdentifier(type), tlv(string, octetsOf(string, value))),
  );
const subject = fc
  .array(fc.array(attribute, { minLength: 1, maxLength: 2 }), { maxLength: 4 })
  .map((rdns) => sequence(...rdns.map((attributes) => setOf(...attributes))));

const ascii = text.map((value) => value.replace(/[^\x20-\x7e]/gu, '') || 'a');
const name: fc.Arbitrary<GeneralName> = fc.oneof(
  fc.record({ kind: fc.constantFrom('dns', 'email', 'uri'), value: ascii }),
  fc.record({ kind: fc.constant('upn'), value: text.map((value) => value.toWellFormed() || 'a') }),
  fc
    .constantFrom(
      ...[
        'dns:host.example',
        'dns:*.host.example',
        "email:o'neil@host.example",
        'email:a@b.example',
      ],
      ...['ip:10.0.0.1', 'ip:2001:db8::1', 'ip:::ffff:10.0.0.1', 'uri:https://a.example/b?c=d,e'],
      ...['upn:user@corp.example', 'sid:S-1-5-21-1-2-3-1001', 'sid:S-1-5-21-1-2-3-1002'],
    )
    .map(parseGeneralName),
) as fc.Arbitrary<GeneralName>;

/** Undefined for a subject that is no Name: no request brings one this far. */
function ofRequest<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

test('the lint of issued certificates finds what the full lint finds, for any profile, key and names', async () => {
  const seen = { passed: 0, refused: 0 };
  const asked = fc.record({
    profile: fc.constantFrom(...profileList),
    csr: fc.constantFrom(...keys),
    names: fc.record({ subject, names: fc.array(name, { maxLength: 4 }) }),
  });
  await fc.assert(
    fc.asyncProperty(asked, async (more) => {
      const one = ofRequest(() => issued(contents(more)));
      fc.pre(one !== undefined);
      const expected = full(one);
      const found = await lintIssued(one, templates);
      assert.deepEqual(found && { ...found, holds: 0 }, expected && { ...expected, holds: 0 });
      seen[expected ? 'refused' : 'passed']++;
    }),
    runs(400),
  );
  assert.ok(seen.passed > 10 && seen.refused > 10, JSON.stringify(seen));
});

/** A TBSCertificate of which the fields, or the extensions, are changed. */
type Change = (parts: Bytes[]) => readonly Bytes[];
const partsOf = (element: Element | undefined): Bytes[] =>
  (element?.children ?? []).map((child) => raw(child).slice());
const fields =
  (change: Change): ((tbs: Bytes) => Bytes) =>
  (tbs) =>
    sequence(...change(partsOf(scan(tbs))));
const extensions = (change: Change) =>
  fields((all) => {
    const list = scan(all[7] ?? assert.fail()).children[0];
    return [...all.slice(0, 7), explicit(3, sequence(...change(partsOf(list))))];
  });
const field = (at: number, value: Bytes) => fields((all) => all.with(at, value));
const extension = (at: number, change: (value: Bytes, type: Bytes) => Bytes) =>
  extensions((all) => {
    const { children } = scan(all[at] ?? assert.fail());
    const [type = assert.fail(), value = assert.fail()] = [children[0], children.at(-1)];
    return all.with(at, change(raw(value).slice(), raw(type).slice()));
  });

/** A certificate with keyUsage, extKeyUsage, SKI, AKI, SAN, SID, CDP and AIA. */
const faults: Readonly<Record<string, (tbs: Bytes) => Bytes>> = {
  'extensions in another order': extensions(
    ([a, b, ...more]) => [b ?? [], a ?? [], ...more] as Bytes[],
  ),
  'two extensions in another order, both of each certificate': extensions((all) =>
    all.with(4, all[5] ?? assert.fail()).with(5, all[4] ?? assert.fail()),
  ),
  'an extension twice': extensions((all) => [...all, all[6] ?? assert.fail()]),
  'a subjectAltName twice': extensions((all) => all.toSpliced(5, 0, all[4] ?? assert.fail())),
  'an extension less': extensions((all) => all.slice(0, -1)),
  'an extension more': extensions((all) => [
    ...all,
    sequence(objectIdentifier('1.2.3'), octets(nullValue)),
  ]),
  'a CA': extensions((all) => [...all, caBasicConstraints(0)]),
  'keyUsage not critical': extension(0, (value, type) => sequence(type, value)),
  'keyUsage with another bit': extension(0, (_, type) =>
    sequence(type, boolean(true), octets(Uint8Array.of(3, 2, 4, 0xb0))),
  ),
  'extKeyUsage critical': extension(1, (value, type) => sequence(type, boolean(true), value)),
  'another purpose': extension(1, (_, type) =>
    sequence(type, octets(sequence(objectIdentifier('1.3.6.1.5.5.7.3.9')))),
  ),
  'subjectKeyIdentifier critical': extension(2, (value, type) =>
    sequence(type, boolean(true), value),
  ),
  'subjectKeyIdentifier of another key': extensions((all) =>
    all.with(2, subjectKeyIdentifier(new Uint8Array(20))),
  ),
  'subjectKeyIdentifier with octets behind it': extension(2, (value, type) =>
    sequence(type, octets(concat([scan(value).source.subarray(2), nullValue]))),
  ),
  'authorityKeyIdentifier of another CA': extension(3, (_, type) =>
    sequence(type, octets(sequence(tlv(contextPrimitive(0), new Uint8Array(20))))),
  ),
  'subjectAltName critical': extension(4, (value, type) => sequence(type, boolean(true), value)),
  'subjectAltName says it is not critical': extension(4, (value, type) =>
    sequence(type, boolean(false), value),
  ),
  'subjectAltName of no names': extension(4, (_, type) => sequence(type, octets(sequence()))),
  'a SID that is none': extension(5, (_, type) => sequence(type, octets(nullValue))),
  'a CRL elsewhere': extension(6, (_, type) =>
    sequence(
      type,
      octets(sequence(sequence(explicit(0, explicit(0, tlv(0x86, latin1('http://x/'))))))),
    ),
  ),
  'extensions in two lists': fields((all) => {
    const list = partsOf(scan(all[7] ?? assert.fail()).children[0]);
    return all.with(7, explicit(3, sequence(...list.slice(0, 4)), sequence(...list.slice(4))));
  }),
  'an extension with a field more': extension(6, (value, type) => sequence(type, value, nullValue)),
  'validity beyond the CA': field(4, sequence(timeOf(now), timeOf(ca.certificate.notAfter + 1000))),
  'validity before the CA': field(
    4,
    sequence(timeOf(ca.certificate.notBefore - 1000), timeOf(now)),
  ),
  'validity backwards': field(4, sequence(timeOf(now), timeOf(now - 1000))),
  'validity with a third time': field(4, sequence(timeOf(now), timeOf(now + 1), timeOf(now))),
  'version 1': field(0, explicit(0, integer(0))),
  'a serial number of one octet': field(1, integer(5)),
  'a negative serial number': field(1, tlv(tag.integer, new Uint8Array(16).fill(0x85))),
  'another signature algorithm': field(
    2,
    signatureAlgorithm({ kind: 'RSASSA-PKCS1-v1_5', digest: digests['SHA-512'] }),
  ),
  'another issuer': field(3, parseName('CN=Lint CA')),
  'another key': field(6, ec.publicKey.spki),
  'another key of the same kind': fields((all) => {
    const key = (all[6] ?? assert.fail()).slice();
    const at = key.length - 40;
    key[at] = (key[at] ?? 0) ^ 1;
    return all.with(6, key);
  }),
  'a unique identifier': fields((all) => [
    ...all.slice(0, 7),
    tlv(contextPrimitive(1), Uint8Array.of(0, 1)),
    ...all.slice(7),
  ]),
  'a field behind the extensions': fields((all) => [...all, nullValue]),
  'octets behind it': (tbs) => concat([tbs, nullValue]),
  'an octet less': (tbs) => tbs.subarray(0, -1),
  'a length in more octets than it takes': field(1, concat([Uint8Array.of(2, 0x81, 16), serial])),
};

describe('a certificate that the builder got wrong is refused, and it is our fault:', () => {
  let good: Issued;
  before(async () => {
    const profile = profileList.find(({ id }) => id === 'people');
    const names = ['dns:a.example', 'upn:user@corp', 'sid:S-1-5-21-1-2-3-1001'];
    const certified = { subject: parseName('CN=a'), names: names.map(parseGeneralName) };
    good = issued(contents({ ...(profile ? { profile } : {}), names: certified }));
    assert.equal(await lintIssued(good, templates), undefined);
  });

  for (const [what, fault] of Object.entries(faults)) {
    test(what, async () => {
      const tbs = fault(good.tbs);
      assert.ok(!equal(tbs, good.tbs));
      const finding = await lintIssued({ ...good, tbs }, templates);
      assert.equal(finding?.blame, 'ours', finding?.id);
    });
  }

  test('one octet, anywhere but where certificates differ', async () => {
    const [, number, , , validity, subjectField] = scan(good.tbs).children;
    const list = scan(good.tbs).children[7]?.children[0]?.children ?? [];
    const own = [number, validity, subjectField, list[4], list[5]];
    const flip = fc.tuple(fc.nat(good.tbs.length - 1), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(flip, async ([at, mask]) => {
        const tbs = good.tbs.slice();
        tbs[at] = (tbs[at] ?? 0) ^ mask;
        const finding = await lintIssued({ ...good, tbs }, templates);
        if (!finding) assert.equal(full({ ...good, tbs }), undefined);
        const differs = own.some((part) => part && at >= part.start && at < part.end);
        if (!differs) assert.equal(finding?.blame, 'ours', `octet ${at}`);
      }),
      runs(400),
    );
  });
});
