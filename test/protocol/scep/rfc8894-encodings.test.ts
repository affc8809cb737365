// What clients write in other octets than ours and mean the same by: names in other string types, numbers
// with a zero before, versions, attributes in another order. Each enrols; what means something else does
// not.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { extensionOids } from '../../../lib/asn1/oids.ts';
import { content, context, raw, scan, tag } from '../../../lib/asn1/reader.ts';
import {
  explicit,
  integer,
  objectIdentifier,
  octets,
  sequence,
  setOf,
  tlv,
} from '../../../lib/asn1/writer.ts';
import { type Bytes, concat, hex } from '../../../lib/base/bytes.ts';
import { type ClientKey, selfSigned } from '../../../lib/protocol/scep/client/client.ts';
import { type Certificate, readCertificate, signed } from '../../../lib/x509/certificate.ts';
import { parseName, printName } from '../../../lib/x509/names/name.ts';
import { deviceKey } from '../../support/keys.ts';
import { makeLab } from '../../support/lab.ts';
import { type EnrolOptions, enrolment, indefinite, random } from '../../support/messages.ts';

const lab = await makeLab();
const { ra } = lab.announced;
const key = await deviceKey('encodings');
const subject = parseName('CN=device-1,O=Test');

async function enrol(options: EnrolOptions) {
  const sent = await enrolment(lab, { challenge: await lab.challenge(), ...options });
  return sent.read(await lab.operate(sent.message));
}
const issued = async (options: EnrolOptions, what?: string): Promise<Certificate> => {
  const answer = await enrol(options);
  assert.ok(answer.pkiStatus === 'SUCCESS', `${what}: ${JSON.stringify(answer)}`);
  return readCertificate(answer.certificates[0] ?? new Uint8Array(0));
};
const refused = async (code: string, options: EnrolOptions, what?: string) => {
  const answer = await enrol(options);
  assert.ok(answer.pkiStatus === 'FAILURE', `${what} was issued`);
  assert.match(answer.text ?? '', new RegExp(`^${code}: `), what);
};
const unanswerable = async (options: EnrolOptions, what?: string) => {
  const { message } = await enrolment(lab, options);
  const init = { method: 'POST', body: message };
  assert.equal((await lab.fetch('/scep?operation=PKIOperation', init)).status, 400, what);
};

/** The Name with every string in this type, as this text. */
function rewritten(name: Bytes, identifier: number, text = (one: string) => one): Bytes {
  const encode = (value: string): Buffer => {
    const utf16 = Buffer.from(value, 'utf16le');
    return identifier === tag.bmpString ? utf16.swap16() : Buffer.from(value, 'utf8');
  };
  const rdns = scan(name).children.map(({ children }) =>
    setOf(
      ...children.map(({ children: [type, value] }) => {
        assert.ok(type && value);
        const written = encode(text(Buffer.from(content(value)).toString('utf8')));
        return sequence(raw(type), tlv(identifier, written));
      }),
    ),
  );
  return sequence(...rdns);
}

const spellings: Readonly<Record<string, (name: Bytes) => Bytes>> = {
  PrintableString: (name) => rewritten(name, tag.printableString),
  T61String: (name) => rewritten(name, tag.t61String),
  BMPString: (name) => rewritten(name, tag.bmpString),
  'another case': (name) => rewritten(name, tag.utf8String, (text) => text.toUpperCase()),
  'more spaces': (name) =>
    rewritten(name, tag.utf8String, (text) => `  ${text.replaceAll(' ', '   ')} `),
};
const others: Readonly<Record<string, (name: Bytes) => Bytes>> = {
  'another letter': (name) => rewritten(name, tag.utf8String, (text) => text.replace(/[ae]/, 'é')),
  'one letter more': (name) => rewritten(name, tag.utf8String, (text) => `${text}x`),
  'one RDN less': (name) => sequence(...scan(name).children.slice(1).map(raw)),
  'another order': (name) => sequence(...[...scan(name).children].reverse().map(raw)),
  'no strings': (name) => rewritten(name, tag.octetString),
  nothing: () => sequence(),
};

const signedBy = async (certificate = selfSigned(key, subject, lab.clock.at, random)) => ({
  key,
  signer: { key, certificate: await certificate },
});
const identifier = (issuer: Bytes, serial: Bytes): Bytes =>
  sequence(issuer, tlv(tag.integer, serial));

describe('RFC 5280 §7.1: what identifies a certificate is compared by value', () => {
  for (const [how, spelt] of Object.entries(spellings)) {
    test(`issuer names in ${how}: of the recipient and of the signer`, async () => {
      const own = await signedBy();
      await issued({ ...own, rid: identifier(spelt(ra.issuer), ra.serial) }, 'recipient');
      const { issuer, serial } = own.signer.certificate;
      await issued({ ...own, shell: { sid: identifier(spelt(issuer), serial) } }, 'signer');
    });
  }

  test('issuer names that are others name nothing', async () => {
    for (const [how, other] of Object.entries(others)) {
      const own = await signedBy();
      await refused('SCEP-123', { ...own, rid: identifier(other(ra.issuer), ra.serial) }, how);
      const { issuer, serial } = own.signer.certificate;
      await unanswerable({ ...own, shell: { sid: identifier(other(issuer), serial) } }, how);
    }
  });

  test('serial numbers with zeros before them; others name nothing', async () => {
    const zeros = (serial: Bytes, count: number) => concat([new Uint8Array(count), serial]);
    const own = await signedBy();
    const { issuer, serial } = own.signer.certificate;
    for (const count of [1, 2, 20]) {
      await issued({ ...own, rid: identifier(ra.issuer, zeros(ra.serial, count)) });
      await issued({ ...own, shell: { sid: identifier(issuer, zeros(serial, count)) } });
    }
    const negative = concat([Uint8Array.of(0xff), serial]);
    for (const other of [concat([serial, Uint8Array.of(0)]), serial.slice(1), negative]) {
      await unanswerable({ ...own, shell: { sid: identifier(issuer, other) } });
      await refused('SCEP-123', { ...own, rid: identifier(ra.issuer, other) });
    }
  });

  test('two certificates that a sid names by value, and that are two, leave open which one speaks', async () => {
    const own = await signedBy();
    const { certificate } = own.signer;
    const upper = spellings['another case']?.(certificate.issuer) ?? random(0);
    const twin = await remade(certificate, (tbs) =>
      sequence(
        ...scan(tbs).children.map((field, at) => (at === 3 || at === 5 ? upper : raw(field))),
      ),
    );
    await unanswerable({ ...own, shell: { certificates: [certificate.der, twin.der] } });
  });
});

/** The certificate with another TBSCertificate, signed by the same key. */
async function remade(certificate: Certificate, change: (tbs: Bytes) => Bytes) {
  const tbs = change(certificate.tbs);
  return readCertificate(signed(tbs, key.scheme, await key.sign(tbs)));
}

describe('the certificate that signs', () => {
  const withVersion = async (version: number) => {
    const { signer } = await signedBy();
    return signedBy(
      remade(signer.certificate, (tbs) =>
        sequence(explicit(0, integer(version)), ...scan(tbs).children.slice(1).map(raw)),
      ),
    );
  };

  test('a certificate with a version of 3, by which its device means v3, is answered', async () => {
    for (const version of [0, 1, 2, 3]) await issued(await withVersion(version), String(version));
    await assert.rejects(withVersion(4), /a certificate after v3/);
  });

  test('a message is answered whose certificate stands twice in the bag, or three times', async () => {
    const own = await signedBy();
    const { der } = own.signer.certificate;
    await issued({ ...own, shell: { certificates: [der, der] } });
    await issued({ ...own, shell: { certificates: [der, ra.der, der, der] } });
  });
});

describe('RFC 5652 §5.4: signed attributes that are signed as DER', () => {
  const children = (set: Bytes): Bytes[] => scan(set).children.map(raw);
  const long = (identifier: number, ...parts: Bytes[]): Bytes => {
    const inside = concat(parts);
    const length = inside.length;
    return concat([Uint8Array.of(identifier, 0x83, 0, length >> 8, length & 255), inside]);
  };
  /** Attributes, SETs and values with long or indefinite lengths all the way down. */
  const loose = (element: ReturnType<typeof scan>, wrap: typeof long): Bytes =>
    (element.tag & 0x20) === 0
      ? long(element.tag, content(element))
      : wrap(element.tag, ...element.children.map((one) => loose(one, wrap)));
  const sent: Readonly<Record<string, (set: Bytes) => Bytes>> = {
    'in reverse order': (set) => tlv(context(0), ...children(set).reverse()),
    'in the order of their lengths': (set) =>
      tlv(context(0), ...children(set).sort((a, b) => a.length - b.length)),
    'with long lengths': (set) => long(context(0), ...children(set)),
    'with an indefinite length': (set) => indefinite(context(0), ...children(set)),
    'with long lengths inside': (set) =>
      tlv(context(0), ...scan(set).children.map((one) => loose(one, long))),
    'with indefinite lengths inside, in reverse order': (set) =>
      indefinite(
        context(0),
        ...scan(set)
          .children.map((one) => loose(one, indefinite))
          .reverse(),
      ),
  };
  for (const [how, signedAttrs] of Object.entries(sent)) {
    test(`signed attributes sent ${how} are read and verified`, async () => {
      const own = await signedBy();
      await issued({ ...own, shell: { signedAttrs } });
      // Repeated as DER it is the same request.
      const nonce = random(16);
      const fixed = { ...own, challenge: await lab.challenge(), senderNonce: nonce };
      const first = await issued({ ...fixed, shell: { signedAttrs } });
      assert.equal(hex((await issued(fixed)).serial), hex(first.serial));
    });
  }

  test('signed attributes sent with any value changed, or one added, dropped or doubled, are refused', async () => {
    const own = await signedBy();
    const changes: Readonly<Record<string, (parts: Bytes[]) => Bytes[]>> = {
      dropped: (parts) => parts.slice(0, -1),
      doubled: (parts) => [...parts, ...parts.slice(-1)],
      added: (parts) => [...parts, sequence(objectIdentifier('1.2.3'), setOf(octets(random(3))))],
      changed: (parts) =>
        parts.map((part, at) => {
          const copy = part.slice();
          const last = copy.length - 1;
          if (at === 0) copy[last] = (copy[last] ?? 0) ^ 1;
          return copy;
        }),
    };
    for (const [how, change] of Object.entries(changes)) {
      for (const wrap of [tlv, long, indefinite]) {
        const signedAttrs = (set: Bytes) => wrap(context(0), ...change(children(set)).reverse());
        const { message } = await enrolment(lab, { ...own, shell: { signedAttrs } });
        const init = { method: 'POST', body: message };
        const response = await lab.fetch('/scep?operation=PKIOperation', init);
        if (response.status === 400) continue;
        await refused('SCEP-10[1-3]', { ...own, shell: { signedAttrs } }, how);
      }
    }
  });
});

describe('the PKCS#10', () => {
  /** Signed anew with another version or other attributes. */
  const request = async (change: (fields: Bytes[]) => Bytes[], challenge: string | undefined) => {
    const { request: asked } = await enrolment(lab, {
      key,
      ...(challenge === undefined ? {} : { challenge }),
    });
    const [info] = scan(asked.plaintext).children;
    const changed = sequence(...change((info?.children ?? []).map(raw)));
    return signed(changed, key.scheme, await key.sign(changed));
  };
  const version = (number: number) => async () => {
    const plaintext = await request(
      ([, ...more]) => [integer(number), ...more],
      await lab.challenge(),
    );
    return { ...(await signedBy()), plaintext };
  };

  test('RFC 2986 §4.1: has a version of 1 or 2, by which its device means v1: it is certified', async () => {
    for (const number of [0, 1, 2]) await issued(await version(number)(), String(number));
  });

  test('a PKCS#10 of a later version gets the one answer of all that cannot be read', async () => {
    for (const number of [3, 4, 127]) await refused('SCEP-201', await version(number)());
  });

  test('a renewal with an empty challengePassword is done as without one', async () => {
    const first = await issued(await signedBy());
    const next: ClientKey = await deviceKey('encodings next');
    const { request: asked } = await enrolment(lab, { key: next });
    const fields = scan(asked.plaintext).children[0]?.children.slice(0, 3).map(raw) ?? [];
    const challengePassword = objectIdentifier('1.2.840.113549.1.9.7');
    for (const empty of [setOf(), setOf(tlv(tag.printableString))]) {
      const attributes = tlv(context(0), sequence(challengePassword, empty));
      const info = sequence(...fields, attributes);
      const plaintext = signed(info, next.scheme, await next.sign(info));
      const signer = { key, certificate: first };
      const renewal = { messageType: 'RenewalReq', key: next, signer, plaintext } as const;
      const certificate = await issued(renewal);
      assert.equal(printName(certificate.subject), printName(first.subject));
    }
    const attributes = tlv(context(0), sequence(challengePassword, setOf()));
    const info = sequence(...fields, attributes);
    const plaintext = signed(info, next.scheme, await next.sign(info));
    await refused('SCEP-301', { key: next, plaintext });
  });
});

test('RFC 4291 §2.5.5.2: an IPv4-mapped address is certified as its 16 octets, in any spelling of it', async () => {
  const mapped = `${'00'.repeat(10)}ffff0a010203`;
  for (const spelt of ['::ffff:10.1.2.3', '::FFFF:a01:203', '0:0:0:0:0:ffff:10.1.2.3']) {
    const challenge = await lab.challenge({ names: [`ip:${spelt}`] });
    const own = { key: await deviceKey('encodings mapped'), challenge };
    await refused('SCEP-312', { ...own, names: ['ip:10.1.2.3'] });
    const certificate = await issued({ ...own, names: ['ip:::ffff:10.1.2.3'] });
    const value = certificate.extensions.get(extensionOids.subjectAltName)?.value;
    assert.equal(hex(value ?? random(0)), `30128710${mapped}`);
  }
});
