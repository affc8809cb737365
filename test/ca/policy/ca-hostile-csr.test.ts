// Requests that smuggle: each is refused or canonicalised by one rule, which stands at the top of
// `lib/ca/policy/policy.ts`; it is kept, and printed harmlessly; and none of it is ever in a certificate.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { jsonLog } from '../../../lib/adapters/system.ts';
import { extensionOids } from '../../../lib/asn1/oids.ts';
import { context, contextPrimitive, scan, tag } from '../../../lib/asn1/reader.ts';
import {
  boolean,
  explicit,
  integer,
  objectIdentifier,
  octets,
  sequence,
  setOf,
  tlv,
} from '../../../lib/asn1/writer.ts';
import { type Bytes, latin1, utf8 } from '../../../lib/base/bytes.ts';
import { MAX_MESSAGE_OCTETS, MAX_NAMES } from '../../../lib/base/limits.ts';
import { explainRefusal } from '../../../lib/ca/query/explain-refusal.ts';
import type { ConfigDocument } from '../../../lib/config/config.ts';
import { type Certificate, readCertificate } from '../../../lib/x509/certificate.ts';
import { printGeneralName, readGeneralNames } from '../../../lib/x509/names/general-name.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { openTerminal } from '../../support/cli.ts';
import { deviceKey } from '../../support/keys.ts';
import { enrolment } from '../../support/messages.ts';
import { world } from '../../support/world.ts';

/** As much as a profile can leave to the device: what is refused here is refused everywhere. */
const generous: NonNullable<ConfigDocument['profiles']>[string] = {
  names: { dns: 'copy', email: 'copy', uri: 'copy', ip: 'copy', upn: 'copy' },
  sid: 'both',
};
const w = await world({ endpoint: { profile: 'p' }, config: { profiles: { p: generous } } });
const terminal = await openTerminal(w.lab);
after(() => terminal.close());
const key = await deviceKey('hostile csr');

type Asked = {
  readonly subject?: Bytes;
  readonly extensions?: readonly Bytes[];
  /** GeneralNames of a subjectAltName. */
  readonly names?: readonly Bytes[];
};

const oid = objectIdentifier;
const extension = (id: string, value: Bytes, ...critical: Bytes[]): Bytes =>
  sequence(oid(id), ...critical, octets(value));
const attribute = (type: string, value: Bytes): Bytes => sequence(oid(type), setOf(value));

/** A PKCS#10 around its own octets, signed by its key. */
async function requestFor({ subject, extensions = [], names }: Asked, challenge: string) {
  const all = [
    ...(names ? [extension(extensionOids.subjectAltName, sequence(...names))] : []),
    ...extensions,
  ];
  const info = sequence(
    integer(0),
    subject ?? parseName('CN=device-1,O=Test'),
    key.spki,
    tlv(
      context(0),
      attribute('1.2.840.113549.1.9.7', tlv(tag.utf8String, utf8(challenge))),
      ...(all.length > 0 ? [attribute('1.2.840.113549.1.9.14', sequence(...all))] : []),
    ),
  );
  const algorithm = sequence(oid('1.2.840.113549.1.1.11'), tlv(tag.null));
  return sequence(info, algorithm, tlv(tag.bitString, Uint8Array.of(0), await key.sign(info)));
}

const harmless = (text: string, what: string): void =>
  assert.doesNotMatch(text.replaceAll(/\r?\n/g, ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u, what);

/** Everything that people see of the newest Transaction. */
async function shownHarmlessly(id: string): Promise<void> {
  const shown = await terminal.run(['txn', 'show', id]);
  assert.equal(shown.code, 0, shown.err);
  const listed = await terminal.run(['txn', 'list', '--limit', '5']);
  for (const { out, err } of [shown, listed]) harmless(out + err, id);
  jsonLog((line) => harmless(line, line), w.lab.clock)(w.lab.log.at(-1) ?? assert.fail());
  const [transaction] = w.transactions().filter((found) => found.id === id);
  assert.ok(transaction);
  if (transaction.state !== 'refused') return;
  const explained = explainRefusal(transaction);
  assert.ok(explained && explained.sent.length > 1);
  harmless([explained.rule, ...explained.looked, ...explained.sent].join('\n'), id);
}

/** The certificate, or the code of the refusal; what is kept is shown in either case. */
async function outcome(asked: Asked): Promise<Certificate | string> {
  w.lab.clock.at += 1000;
  const challenge = await w.lab.challenge();
  const plaintext = await requestFor(asked, challenge);
  const before = new Set(w.transactions().map(({ id }) => id));
  const answer = await w.send(await enrolment(w.lab, { plaintext, key, challenge }));
  const [kept, ...more] = w.transactions().filter(({ id }) => !before.has(id));
  assert.ok(answer.pkiStatus !== 'PENDING');
  if (answer.pkiStatus === 'FAILURE') {
    const code = (answer.text ?? '').slice(0, 8);
    if (code === 'SCEP-201') assert.equal(kept, undefined, 'what is not proven is not kept');
    else {
      assert.ok(kept?.state === 'refused' && more.length === 0);
      await shownHarmlessly(kept.id);
    }
    w.check();
    return code;
  }
  assert.ok(kept?.state === 'issued' && more.length === 0);
  await shownHarmlessly(kept.id);
  w.check();
  return readCertificate(answer.certificates[0] ?? new Uint8Array(0));
}

const namesIn = ({ extensions }: Certificate): string[] => {
  const value = extensions.get(extensionOids.subjectAltName)?.value;
  return value ? readGeneralNames(scan(value)).map(printGeneralName) : [];
};

/** What a certificate of this profile has, and nothing else. */
function isPlain(certificate: Certificate, more: readonly string[] = []): void {
  const {
    subjectKeyIdentifier,
    keyUsage,
    cRLDistributionPoints,
    authorityKeyIdentifier,
    extKeyUsage,
    authorityInfoAccess,
  } = extensionOids;
  const ours = [
    keyUsage,
    extKeyUsage,
    subjectKeyIdentifier,
    authorityKeyIdentifier,
    cRLDistributionPoints,
    authorityInfoAccess,
  ];
  assert.deepEqual([...certificate.extensions.keys()].sort(), [...ours, ...more].sort());
  const value = (id: string) =>
    Buffer.from(certificate.extensions.get(id)?.value ?? '').toString('hex');
  assert.equal(value(keyUsage), '030205a0', 'digitalSignature and keyEncipherment');
  assert.equal(value(extKeyUsage), '300a06082b06010505070302', 'clientAuth');
  const text = Buffer.from(certificate.der).toString('latin1');
  assert.ok(!text.includes('evil.example'), 'nothing of what was smuggled');
}

describe('an extension other than the names has no effect', () => {
  const purposes = (...ids: string[]) =>
    extension(extensionOids.extKeyUsage, sequence(...ids.map(oid)));
  const url = tlv(contextPrimitive(6), latin1('http://evil.example/'));
  const cases: Record<string, readonly Bytes[]> = {
    'CA:TRUE': [extension(extensionOids.basicConstraints, sequence(boolean(true)), boolean(true))],
    'CA:TRUE with a path length': [
      extension(extensionOids.basicConstraints, sequence(boolean(true), integer(5))),
    ],
    'keyCertSign and cRLSign': [
      extension(extensionOids.keyUsage, tlv(tag.bitString, Uint8Array.of(1, 6)), boolean(true)),
    ],
    'every usage': [
      extension(extensionOids.keyUsage, tlv(tag.bitString, Uint8Array.of(7, 0xff, 0x80))),
    ],
    anyExtendedKeyUsage: [purposes('2.5.29.37.0')],
    OCSPSigning: [purposes('1.3.6.1.5.5.7.3.9')],
    'codeSigning and timeStamping': [purposes('1.3.6.1.5.5.7.3.3', '1.3.6.1.5.5.7.3.8')],
    'Certificate Request Agent and smartcardLogon': [
      purposes('1.3.6.1.4.1.311.20.2.1', '1.3.6.1.4.1.311.20.2.2'),
    ],
    'a critical extension that nobody knows': [
      extension('1.3.6.1.4.1.99999.1', octets(utf8('evil.example')), boolean(true)),
    ],
    'policies, mappings and constraints': [
      extension('2.5.29.32', sequence(sequence(oid('2.5.29.32.0')))),
      extension('2.5.29.33', sequence(sequence(oid('1.2.3'), oid('1.2.4')))),
      extension(
        '2.5.29.30',
        sequence(explicit(0, sequence(tlv(contextPrimitive(2), latin1('evil.example'))))),
      ),
    ],
    'CRL and issuer addresses': [
      extension(
        extensionOids.cRLDistributionPoints,
        sequence(sequence(explicit(0, tlv(context(0), url)))),
      ),
      extension(
        extensionOids.authorityInfoAccess,
        sequence(sequence(oid('1.3.6.1.5.5.7.48.1'), url)),
      ),
    ],
    'key identifiers of others': [
      extension(extensionOids.subjectKeyIdentifier, octets(new Uint8Array(20))),
      extension(
        extensionOids.authorityKeyIdentifier,
        sequence(tlv(contextPrimitive(0), new Uint8Array(20))),
      ),
    ],
    'issuerAltName and subjectDirectoryAttributes': [
      extension('2.5.29.18', sequence(url)),
      extension('2.5.29.9', sequence(attribute('2.5.4.72', utf8('evil.example')))),
    ],
    'OCSP nocheck and TLS feature': [
      extension('1.3.6.1.5.5.7.48.1.5', tlv(tag.null)),
      extension('1.3.6.1.5.5.7.1.24', sequence(integer(5))),
    ],
    'a template name with a line break and a bidi override': [
      extension(
        '1.3.6.1.4.1.311.20.2',
        tlv(tag.bmpString, Uint8Array.of(0, 10, 0x20, 0x2e, 0, 65)),
      ),
    ],
    'octets that are no extension value': [
      extension(extensionOids.basicConstraints, latin1('\u001b]0;evil.example\u0007')),
    ],
    'a hundred extensions': Array.from({ length: 100 }, (_, i) =>
      extension(`1.3.6.1.4.1.99999.${i}`, octets(utf8('evil.example'))),
    ),
  };
  for (const [name, extensions] of Object.entries(cases)) {
    test(name, async () => {
      const certificate = await outcome({ extensions });
      assert.ok(typeof certificate !== 'string', String(certificate));
      isPlain(certificate);
    });
  }

  test('an extension that stands twice makes it no request', async () => {
    const twice = extension(extensionOids.basicConstraints, sequence());
    assert.equal(await outcome({ extensions: [twice, twice] }), 'SCEP-201');
    const names = [tlv(contextPrimitive(2), latin1('a.example'))];
    const more = [extension(extensionOids.subjectAltName, sequence(...names))];
    assert.equal(await outcome({ names, extensions: more }), 'SCEP-201');
  });
});

const [mail, dc] = ['1.2.840.113549.1.9.1', '0.9.2342.19200300.100.1.25'];
const typed = (type: string, stringType: number, value: string): Bytes =>
  sequence(setOf(sequence(oid(type), tlv(stringType, utf8(value)))));
const cn = (value: Bytes): Bytes => sequence(setOf(sequence(oid('2.5.4.3'), value)));
const text = (value: string): Bytes => cn(tlv(tag.utf8String, utf8(value)));

describe('a subject that cannot be certified is refused', () => {
  const cases: Record<string, Bytes> = {
    'a NUL': text('admin\u0000.evil'),
    'a line break': text('a\r\nSet-Cookie: b'),
    'an escape sequence': text('\u001b[2J\u001b]0;x\u0007'),
    'a C1 control': text('a\u009b31mb'),
    'a bidi override': text('\u202egpj.exe'),
    'bidi isolates': text('\u2066admin\u2069'),
    'a zero-width space': text('ad\u200bmin'),
    'a byte order mark': text('\ufeffadmin'),
    'a line separator': text('a\u2028b'),
    'tag characters': text('a\u{e0041}b'),
    'a replacement character': text('a\ufffdb'),
    'nothing but a space': text(' '),
    nothing: text(''),
    'UTF-8 that is none': cn(tlv(tag.utf8String, Uint8Array.of(0x61, 0xff, 0xfe))),
    'overlong UTF-8': cn(tlv(tag.utf8String, Uint8Array.of(0xc0, 0xaf))),
    'half of a surrogate pair': cn(tlv(tag.bmpString, Uint8Array.of(0xd8, 0x3d))),
    'a character cut in the middle': cn(tlv(tag.bmpString, Uint8Array.of(0x41))),
    'a PrintableString of other characters': cn(tlv(tag.printableString, latin1('a<script>b'))),
    'an IA5String beyond ASCII': cn(tlv(tag.ia5String, Uint8Array.of(0x61, 0xe9))),
    'a number': cn(integer(42)),
    'a structure': cn(sequence(tlv(tag.utf8String, utf8('a')))),
    '65 characters': text('x'.repeat(65)),
    '40 kB': text('x'.repeat(40_000)),
    'a country of three letters': parseName('C=DEU,CN=a'),
    'a country of three letters in UTF8String': typed('2.5.4.6', tag.utf8String, 'DEU'),
    'a country in BMPString': sequence(
      setOf(sequence(oid('2.5.4.6'), tlv(tag.bmpString, Uint8Array.of(0, 68, 0, 69)))),
    ),
    'a country in T61String': typed('2.5.4.6', tag.t61String, 'DE'),
    'a country with a Kelvin sign': typed('2.5.4.6', tag.utf8String, '\u212aE'),
    'a serial number of other characters': typed('2.5.4.5', tag.utf8String, 'a_b'),
    'a serial number with a NUL': typed('2.5.4.5', tag.utf8String, 'a\u0000b'),
    'a serial number beyond ASCII': typed('2.5.4.5', tag.utf8String, 'a\u00e9'),
    'a serial number of 65 characters': typed('2.5.4.5', tag.utf8String, '1'.repeat(65)),
    'a mail address beyond ASCII': typed(mail, tag.utf8String, 'j\u00f6rg@a.example'),
    'a mail address with a line break': typed(mail, tag.utf8String, 'a@b.example\r\nBcc: c'),
    'a mail address with a NUL': typed(mail, tag.printableString, 'a@b.example\u0000'),
    'a mail address that is none': typed(mail, tag.utf8String, 'jdoe'),
    'a domain component beyond ASCII': typed(dc, tag.utf8String, 'ex\u00e4mple'),
    'a domain component with a bidi override': typed(dc, tag.utf8String, 'a\u202eb'),
    'a domain component of nothing': typed(dc, tag.printableString, ''),
    'two common names in one RDN': sequence(
      setOf(...['a', 'b'].map((one) => sequence(oid('2.5.4.3'), tlv(tag.utf8String, utf8(one))))),
    ),
    'an RDN of nothing': sequence(setOf()),
    'a set where a sequence belongs': sequence(
      setOf(setOf(oid('2.5.4.3'), tlv(tag.utf8String, utf8('a')))),
    ),
    'three fields in an attribute': sequence(
      setOf(sequence(oid('2.5.4.3'), tlv(tag.utf8String, utf8('a')), integer(1))),
    ),
    '400 attributes': sequence(
      ...Array.from({ length: 400 }, () =>
        setOf(sequence(oid('2.5.4.11'), tlv(tag.utf8String, utf8('a')))),
      ),
    ),
  };
  for (const [name, subject] of Object.entries(cases)) {
    test(`${name}: SCEP-403`, async () => {
      assert.equal(await outcome({ subject }), 'SCEP-403');
    });
  }

  test('no subject and no name: SCEP-404', async () => {
    assert.equal(await outcome({ subject: sequence() }), 'SCEP-404');
  });

  test('64 kB are not read at all: HTTP 413', async () => {
    const challenge = await w.lab.challenge();
    const plaintext = await requestFor(
      { subject: text('x'.repeat(MAX_MESSAGE_OCTETS)) },
      challenge,
    );
    const { message } = await enrolment(w.lab, { plaintext, key });
    const before = w.transactions().length;
    const response = await w.lab.fetch('/scep?operation=PKIOperation', {
      method: 'POST',
      body: message,
    });
    assert.equal(response.status, 413);
    assert.equal(w.transactions().length, before);
  });
});

describe('a subject that only looks odd is certified as it is', () => {
  for (const [name, value] of [
    ['markup', '<script>alert(1)</script>'],
    ['a formula', '=HYPERLINK("http://a.example")'],
    ['a letter that looks like another', '\u0430dmin'],
    ['quotes and separators', '"a",b+c;d\\e'],
    ['a shell', '$(reboot) `id`'],
  ] as const) {
    test(name, async () => {
      const subject = text(value);
      const own = await deviceKey(`odd ${name}`);
      const challenge = await w.lab.challenge();
      w.lab.clock.at += 1000;
      const { buildRequest } = await import('../../../lib/protocol/scep/client/client.ts');
      const plaintext = await buildRequest(own, { subject, names: [] }, challenge);
      const answer = await w.send(await enrolment(w.lab, { plaintext, key: own, challenge }));
      assert.ok(answer.pkiStatus === 'SUCCESS');
      const certificate = readCertificate(answer.certificates[0] ?? new Uint8Array(0));
      assert.deepEqual(certificate.subject, subject);
      await shownHarmlessly(w.transactions().at(-1)?.id ?? '');
    });
  }
});

describe('subjectAltNames', () => {
  const dns = (name: string): Bytes => tlv(contextPrimitive(2), latin1(name));
  const email = (name: string): Bytes => tlv(contextPrimitive(1), latin1(name));
  const uri = (name: string): Bytes => tlv(contextPrimitive(6), latin1(name));
  const upn = (value: Bytes): Bytes =>
    explicit(0, oid('1.3.6.1.4.1.311.20.2.3'), explicit(0, value));
  const refused: Record<string, readonly [string, readonly Bytes[]]> = {
    'a wildcard': ['SCEP-312', [dns('*.example')]],
    'a wildcard inside': ['SCEP-312', [dns('a.*.example')]],
    'nothing but a star': ['SCEP-312', [dns('*')]],
    'an underscore': ['SCEP-403', [dns('a_b.example')]],
    'an IPv4 address as a host': ['SCEP-403', [dns('192.0.2.1')]],
    'an IPv6 address as a host': ['SCEP-403', [dns('2001:db8::1')]],
    'a host with a port': ['SCEP-403', [dns('a.example:443')]],
    'a trailing dot': ['SCEP-403', [dns('a.example.')]],
    'an empty label': ['SCEP-403', [dns('a..example')]],
    'an empty host': ['SCEP-403', [dns('')]],
    'a NUL in a host': ['SCEP-403', [dns('a.example\u0000.evil')]],
    'a line break in a host': ['SCEP-403', [dns('a.example\r\nb')]],
    'a host in UTF-8': ['SCEP-403', [tlv(contextPrimitive(2), utf8('\u00e4.example'))]],
    'a host of 300 characters': ['SCEP-403', [dns(`${'a.'.repeat(150)}example`)]],
    'a mailbox without a host': ['SCEP-403', [email('root')]],
    'a mailbox with a line break': ['SCEP-403', [email('a@b.example\r\nBcc: c')]],
    'two mailboxes': ['SCEP-403', [email('a@b.example,c@d.example')]],
    'what only looks like the URI of Endpoint Manager': [
      'SCEP-403',
      [uri('ID:Microsoft Endpoint Manager:GUID:0f8fad5b-d9cb-469f-a165-70867728950e\u0000')],
    ],
    'a relative URI': ['SCEP-403', [uri('/etc/passwd')]],
    'a URI with a space': ['SCEP-403', [uri('http://a.example/ b')]],
    'an address of five octets': ['SCEP-403', [tlv(contextPrimitive(7), new Uint8Array(5))]],
    'a UPN with a bidi override': [
      'SCEP-403',
      [upn(tlv(tag.utf8String, utf8('a\u202eb@c.example')))],
    ],
    'a UPN with a NUL': ['SCEP-403', [upn(tlv(tag.utf8String, utf8('admin\u0000@c.example')))]],
    'a UPN that is no UTF-8': ['SCEP-403', [upn(tlv(tag.utf8String, Uint8Array.of(0xff)))]],
    'a UPN that is a number': ['SCEP-312', [upn(integer(1))]],
    'an otherName that nobody knows': [
      'SCEP-312',
      [explicit(0, oid('1.2.3.4'), explicit(0, tlv(tag.utf8String, utf8('\u001b[31m'))))],
    ],
    'a directoryName': ['SCEP-312', [explicit(4, parseName('CN=Administrator'))]],
    'a registeredID': ['SCEP-312', [tlv(contextPrimitive(8), Uint8Array.of(42, 3))]],
    "an account's SID that nobody gave": [
      'SCEP-312',
      [uri('tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-500')],
    ],
    'a SID that is none': ['SCEP-312', [uri('tag:microsoft.com,2022-09-14:sid:admin')]],
    'no names in the list': ['SCEP-403', []],
    'a name that is a sequence': ['SCEP-312', [sequence(dns('a.example'))]],
    '500 names': ['SCEP-403', Array.from({ length: 500 }, (_, i) => dns(`h${i}.example`))],
    'one name too many': [
      'SCEP-403',
      Array.from({ length: MAX_NAMES + 1 }, (_, i) => dns(`h${i}.example`)),
    ],
    'a good name beside a bad one': ['SCEP-403', [dns('good.example'), dns('bad_.example')]],
  };
  for (const [name, [code, names]] of Object.entries(refused)) {
    test(`${name}: ${code}`, async () => {
      assert.equal(await outcome({ names }), code);
    });
  }

  test('a list that is no list: SCEP-403', async () => {
    for (const value of [
      tlv(tag.null),
      octets(latin1('a')),
      Uint8Array.of(0x30, 5, 0x82),
      new Uint8Array(0),
    ]) {
      assert.equal(
        await outcome({ extensions: [extension(extensionOids.subjectAltName, value)] }),
        'SCEP-403',
      );
    }
  });

  const canonical: Record<string, readonly [readonly Bytes[], readonly string[]]> = {
    'the same name twice stands once': [
      [dns('a.example'), dns('a.example'), dns('b.example')],
      ['dns:a.example', 'dns:b.example'],
    ],
    'in other letters it is the same host': [
      [dns('A.Example'), dns('a.example')],
      ['dns:a.example'],
    ],
    'an address in two notations is one': [
      [
        tlv(contextPrimitive(7), Uint8Array.of(192, 0, 2, 1)),
        tlv(contextPrimitive(7), Uint8Array.of(192, 0, 2, 1)),
      ],
      ['ip:192.0.2.1'],
    ],
    'as many as may be': [
      Array.from({ length: MAX_NAMES }, (_, i) => dns(`h${i}.example`)),
      Array.from({ length: MAX_NAMES }, (_, i) => `dns:h${i}.example`),
    ],
  };
  for (const [name, [names, expected]] of Object.entries(canonical)) {
    test(name, async () => {
      // A key belongs to the names that it is certified for: each of these takes another subject's key.
      const own = await deviceKey(`canonical ${name}`);
      const challenge = await w.lab.challenge();
      w.lab.clock.at += 1000;
      const info = sequence(
        integer(0),
        parseName('CN=device-1,O=Test'),
        own.spki,
        tlv(
          context(0),
          attribute('1.2.840.113549.1.9.7', tlv(tag.utf8String, utf8(challenge))),
          attribute(
            '1.2.840.113549.1.9.14',
            sequence(extension(extensionOids.subjectAltName, sequence(...names))),
          ),
        ),
      );
      const algorithm = sequence(oid('1.2.840.113549.1.1.11'), tlv(tag.null));
      const signature = tlv(tag.bitString, Uint8Array.of(0), await own.sign(info));
      const plaintext = sequence(info, algorithm, signature);
      const answer = await w.send(await enrolment(w.lab, { plaintext, key: own, challenge }));
      assert.ok(answer.pkiStatus === 'SUCCESS', JSON.stringify(answer));
      const certificate = readCertificate(answer.certificates[0] ?? new Uint8Array(0));
      assert.deepEqual(namesIn(certificate), expected);
      isPlain(certificate, [extensionOids.subjectAltName]);
    });
  }

  test('a wildcard is certified where a challenge is bound to it, and no pattern gives one', async () => {
    const patterned = await w.instance({
      config: { profiles: { p: { names: { dns: { pattern: '*.dev.example' } } } } },
    });
    const own = await deviceKey('wildcard');
    const wanted = { key: own, names: ['dns:*.dev.example'] };
    const self = await enrolment(patterned, { ...wanted, challenge: await patterned.challenge() });
    const answer = await w.send(self, '/scep', patterned);
    assert.ok(answer.pkiStatus === 'FAILURE');
    assert.match(answer.text ?? '', /^SCEP-312: /);
    const bound = await patterned.challenge({ names: ['dns:*.dev.example'] });
    const given = await w.send(
      await enrolment(patterned, { ...wanted, challenge: bound }),
      '/scep',
      patterned,
    );
    assert.ok(given.pkiStatus === 'SUCCESS');
  });
});

test('what is kept of them all: no certificate of any, one event each, exported harmlessly', async () => {
  const refused = w.transactions().filter(({ state }) => state === 'refused');
  assert.ok(refused.length > 60, String(refused.length));
  assert.ok(
    refused.every(({ serial, undo }) => serial === undefined && Object.keys(undo).length === 0),
  );
  const told = w.events().filter(({ type }) => type === 'request.refused');
  assert.deepEqual(
    told.map(({ transaction }) => transaction).sort(),
    refused.map(({ id }) => id).sort(),
  );
  const ders = w
    .certificates()
    .flatMap(({ der = '' }) => Buffer.from(der, 'base64').toString('latin1'));
  for (const der of ders) assert.ok(!der.includes('evil.example'));
  for (const format of ['csv', 'jsonl']) {
    const { code, out, err } = await terminal.run(['log', 'export', '--format', format]);
    assert.equal(code, 0, err);
    harmless(out, format);
  }
  w.check();
});
