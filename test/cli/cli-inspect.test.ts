// scepter inspect: the encodings that it takes, messages of real clients and our answers to them, what
// it leaves alone, and hostile content.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { sequence } from '../../lib/asn1/writer.ts';
import { type Bytes, base64, base64url, concat, hex, pem, utf8 } from '../../lib/base/bytes.ts';
import { Malformed } from '../../lib/base/errors.ts';
import { describePart } from '../../lib/cli/look/encodings.ts';
import { encodeCertsOnly } from '../../lib/cms/certs-only.ts';
import { buildRequest } from '../../lib/protocol/scep/client/client.ts';
import type { DescribedMessage } from '../../lib/protocol/scep/wire/describe.ts';
import { signed } from '../../lib/x509/certificate.ts';
import { encodeTbsCertList } from '../../lib/x509/crl.ts';
import { readCertificationRequest, redact } from '../../lib/x509/csr.ts';
import { describeRequest } from '../../lib/x509/describe/describe.ts';
import { parseGeneralName } from '../../lib/x509/names/general-name.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { openTerminal } from '../support/cli.ts';
import { deviceKey } from '../support/keys.ts';
import { makeLab } from '../support/lab.ts';
import { enrolment, random } from '../support/messages.ts';
import { temporary } from '../support/process.ts';
import { Chance } from '../support/seeded.ts';
import { signedDataOf } from '../support/signed-data.ts';
import { flipped, vector, vectorFiles } from '../support/vectors.ts';

const lab = await makeLab({ now: Date.UTC(2031, 4, 6, 7, 8, 9) });
const terminal = await openTerminal(lab);
after(() => terminal.close());
const inspect = (stdin: string | Bytes, ...args: string[]) =>
  terminal.run(['inspect', '-', ...args], { stdin });

const [ca] = lab.announced.chain;
assert.ok(ca);
const { ra } = lab.announced;
const key = await deviceKey('inspect');
const secret = 'a challenge that nobody may see';
const request = await buildRequest(
  key,
  { subject: parseName('CN=a,O=b'), names: [parseGeneralName('dns:a.example')] },
  secret,
);

/** What would make a terminal do something, or a reader see something else. */
const acts = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

describe('kinds of files', () => {
  const der = ra.der;
  const written: Record<string, string | Bytes> = {
    DER: der,
    PEM: pem('CERTIFICATE', der),
    'PEM with text around it': `Bag Attributes\n  x\n${pem('CERTIFICATE', der)}\nbye`,
    'PEM with CRLF': pem('CERTIFICATE', der).replaceAll('\n', '\r\n'),
    base64: base64(der),
    'base64 in lines': (base64(der).match(/.{1,76}/g) ?? []).join('\n'),
    base64url: base64url(der),
  };
  for (const [name, content] of Object.entries(written)) {
    test(`${name}: the same page from a file and from standard input`, async () => {
      const path = join(temporary('inspect'), 'file');
      writeFileSync(path, content);
      const { code, out, err } = await terminal.run(['inspect', path]);
      assert.equal(code, 0, err);
      assert.equal(err, '');
      assert.deepEqual(await inspect(content), { code, out, err });
      assert.match(out, /^certificate\n {2}subject {17}CN=SCEP RA,O=Lab\n/);
      assert.match(out, /notAfter {16}2036-05-04T07:08:09Z \(in 1825d\)\n/);
      assert.match(out, /extKeyUsage {13}certificateRequestAgent\n/);
    });
  }

  test('a file with several objects shows all of them in their order, with --json as one object', async () => {
    const file = pem('CERTIFICATE', ra.der) + pem('CERTIFICATE REQUEST', request);
    const { out } = await inspect(file);
    assert.match(out, /^certificate\n[\s\S]*\n\ncertification request\n {2}subject/);
    const json = await inspect(file, '--json');
    const { items } = JSON.parse(json.out) as { items: { type: string }[] };
    assert.deepEqual(
      items.map(({ type }) => type),
      ['certificate', 'request'],
    );
    assert.match(json.out, /^[^\n]*\n$/);
  });

  test('a certs-only message as GetCACert answers it shows its certificates', async () => {
    const bag = await lab.fetch('/scep?operation=GetCACert');
    const { out } = await inspect(new Uint8Array(await bag.arrayBuffer()));
    assert.equal(out.match(/^certificate$/gm)?.length, 2);
    assert.equal((await inspect(encodeCertsOnly([]))).out, 'a list without certificates or CRLs\n');
  });
});

describe('requests', () => {
  test('a request with a challengePassword is said to have one, and its value is nowhere', async () => {
    const { out } = await inspect(request);
    assert.match(out, /challengePassword {2}present, not shown\n/);
    assert.match(out, /signature {10}good \(RSASSA-PKCS1-v1_5 with SHA-256\)\n/);
    const { out: json } = await inspect(request, '--json');
    for (const text of [out, json]) assert.ok(!text.includes(secret));
  });

  test('a request from a record, without that value, shows neither a proof nor its digest', async () => {
    const record = redact(readCertificationRequest(request));
    const { challengePassword, proof, sha256, names } = describeRequest(record);
    assert.equal(challengePassword, 'removed');
    assert.equal(proof, undefined);
    assert.equal(sha256, undefined);
    assert.deepEqual(names, ['dns:a.example']);
    const { out } = await inspect(record);
    assert.match(out, /present, removed from the record\n/);
    assert.match(out, /signature {10}RSASSA-PKCS1-v1_5 with SHA-256\n/);
  });
});

describe('pkiMessages', () => {
  const described = async (message: Bytes): Promise<DescribedMessage> => {
    const found = await describePart(message);
    assert.ok(found?.type === 'pkiMessage');
    return found;
  };

  test('a PKCSReq shows everything in clear, and the recipient that can open it', async () => {
    const sent = await enrolment(lab, { transactionID: 'clear', challenge: secret, key });
    const found = await described(sent.message);
    assert.equal(found.messageType, 'PKCSReq');
    assert.equal(found.transactionID, 'clear');
    assert.equal(found.senderNonce, hex(sent.request.senderNonce));
    assert.equal(found.signature, 'good');
    assert.equal(found.digest, 'SHA-256');
    assert.deepEqual(found.envelope?.recipients, [
      `serial ${hex(ra.serial)} of CN=Lab CA,O=Lab, RSAES-PKCS1-v1_5`,
    ]);
    assert.equal(found.envelope?.contentEncryption, 'AES-128-CBC');
    assert.equal(found.signer.subject, 'CN=device-1,O=Test');
    assert.deepEqual(found.otherAttributes, []);
    const { out } = await inspect(base64(sent.message));
    assert.match(out, /^pkiMessage\n {2}messageType {4}PKCSReq\n[\s\S]*\n\nsigner\n {2}subject/);
    assert.ok(!out.includes(secret));
  });

  test('a CertRep shows its envelope on SUCCESS, its failInfo and code on FAILURE', async () => {
    const challenge = await lab.challenge();
    const sent = await enrolment(lab, { challenge, key });
    const success = await described(await lab.operate(sent.message));
    assert.equal(success.messageType, 'CertRep');
    assert.equal(success.pkiStatus, 'SUCCESS');
    assert.equal(success.recipientNonce, hex(sent.request.senderNonce));
    assert.equal(success.signature, 'good');
    assert.equal(success.envelope?.recipients.length, 1);
    const wrong = await enrolment(lab, { challenge: 'no such challenge', key });
    const failure = await described(await lab.operate(wrong.message));
    assert.equal(failure.pkiStatus, 'FAILURE');
    assert.equal(failure.failInfo, 'badRequest');
    assert.match(failure.failInfoText ?? '', /^SCEP-302: /);
    assert.equal(failure.envelope, undefined);
  });

  test('a reply to an EC client shows an envelope under its challengePassword', async () => {
    const ec = await deviceKey('inspect EC', { type: 'EC', curve: 'P-256' });
    const sent = await enrolment(lab, { challenge: await lab.challenge(), key: ec });
    const { envelope, pkiStatus } = await described(await lab.operate(sent.message));
    assert.equal(pkiStatus, 'SUCCESS');
    assert.deepEqual(envelope?.recipients, ['a password (the challengePassword)']);
  });

  test('a message with its signature, content or an attribute changed is said to be wrong', async () => {
    const bend = async (options: Parameters<typeof enrolment>[1]) =>
      (await described((await enrolment(lab, { key, ...options })).message)).signature;
    assert.equal(
      await bend({ attributes: (all) => [...all.values()].slice(1) }),
      'attributesWrong',
    );
    const { message } = await enrolment(lab, { key });
    assert.equal(
      (await described(flipped(message, message.length - 1, 1))).signature,
      'signatureWrong',
    );
  });

  test('a message whose envelope cannot be read is shown with everything else, and why', async () => {
    const { signature, envelope } = await described(
      signedDataOf({ eContent: utf8('no envelope') }),
    );
    assert.equal(signature, 'good');
    assert.match(envelope?.contentEncryption ?? '', /^unreadable: /);
    assert.deepEqual([envelope?.recipients, envelope?.octets], [[], 11]);
  });

  test('every captured message of a real client has a good signature', async () => {
    const files = vectorFiles('captures').filter((name) => /-type\d+\.der$/.test(name));
    assert.ok(files.length >= 17, String(files.length));
    for (const name of files) {
      const found = await described(vector(`captures/${name}`));
      assert.equal(found.signature, 'good', name);
      assert.ok(found.transactionID && found.messageType, name);
      assert.equal(found.envelope?.recipients.length === 0, false, name);
    }
  });
});

describe('CRLs', () => {
  test('a CRL of more entries than a page shows the first ones and their number, and all in the JSON', async () => {
    const revoked = Array.from({ length: 5000 }, (_, i) => ({
      serial: Uint8Array.of(0x10, i >> 8, i & 255),
      revokedAt: 1_700_000_000_000 + i * 1000,
      reason: 'superseded' as const,
    }));
    const tbs = encodeTbsCertList({
      scheme: key.scheme,
      issuer: ca.subject,
      issuerKeyIdentifier: new Uint8Array(20),
      thisUpdate: lab.clock.at - 86_400_000 * 3,
      nextUpdate: lab.clock.at - 86_400_000,
      number: 7,
      revoked,
    });
    const crl = signed(tbs, key.scheme, await key.sign(tbs));
    const { out } = await inspect(pem('X509 CRL', crl));
    assert.match(out, /nextUpdate {14}2031-05-05T07:08:09Z \(1d ago\)\n/);
    assert.match(out, /cRLNumber {15}7\n/);
    assert.match(out, /revoked {17}5000\n {4}100000 {2}2023-11-14T22:13:20Z {2}superseded\n/);
    assert.ok(out.endsWith('    ... and 4980 more: --json has all\n'));
    const { items } = JSON.parse((await inspect(crl, '--json')).out);
    assert.equal(items[0].revoked.length, 5000);
    assert.deepEqual(items[0].revoked[4999], {
      serial: '101387',
      revokedAt: '2023-11-14T23:36:39Z',
      reason: 'superseded',
    });
  });
});

describe('private keys are not read', () => {
  const folded = pem('PRIVATE KEY', key.pkcs8);
  const inside = folded.split('\n').slice(1, -2);
  const silent = ({ out, err }: { out: string; err: string }) => {
    for (const line of inside) assert.ok(!`${out}${err}`.includes(line));
    assert.ok(!`${out}${err}`.includes(hex(key.pkcs8.subarray(40, 60))));
  };
  const forms: Record<string, string | Bytes> = {
    PEM: folded,
    DER: key.pkcs8,
    base64: base64(key.pkcs8),
    'PEM that breaks off': folded.slice(0, 400),
    'PEM with headers': folded.replace('KEY-----\n', 'KEY-----\nProc-Type: 4,ENCRYPTED\n\n'),
  };
  for (const [name, content] of Object.entries(forms)) {
    test(`${name}: exit 1, and how to see the public half`, async () => {
      const finished = await inspect(content);
      assert.equal(finished.code, 1);
      assert.equal(finished.out, '');
      assert.match(finished.err, /holds a private key, which is not read: .*-pubout/);
      silent(finished);
    });
  }

  test('a private key beside a certificate is named on stderr, and the certificate is shown', async () => {
    const finished = await inspect(folded + pem('CERTIFICATE', ra.der));
    assert.equal(finished.code, 0);
    assert.match(finished.out, /^certificate\n/);
    assert.equal(finished.err, 'standard input also holds a private key, which was not read\n');
    silent(finished);
  });
});

describe('unreadable input', () => {
  const cases: [string, string | Bytes, RegExp][] = [
    ['prose', 'hello, world', /is neither PEM, base64 nor DER: base64 must be/],
    ['words', 'not a certificate', /nor DER: its base64 is not DER/],
    ['octets', random(300).fill(0xff, 0, 1), /is neither PEM, base64 nor DER/],
    ['a certificate cut short', ra.der.subarray(0, 300), /cannot be read: /],
    ['a certificate and more', concat([ra.der, Uint8Array.of(0)]), /cannot be read: /],
    ['other DER', sequence(sequence(), sequence()), /cannot be read: not a certificate, request/],
    ['PEM of something else', pem('CERTIFICATE', utf8('hello')), /cannot be read: /],
  ];
  for (const [name, content, said] of cases) {
    test(`${name}: exit 1 and a sentence`, async () => {
      const { code, out, err } = await inspect(content);
      assert.equal(code, 1, out);
      assert.equal(out, '');
      assert.match(err, said);
    });
  }

  test('an empty file: exit 1 and a sentence', async () => {
    const path = join(temporary('inspect'), 'empty.pem');
    writeFileSync(path, '');
    const { code, err } = await terminal.run(['inspect', path]);
    assert.equal(code, 1);
    assert.match(err, /is neither PEM, base64 nor DER: it is empty/);
  });

  test('blocks that begin and never end, however many, cost one pass and hide no whole one', async () => {
    const endless = '-----BEGIN CERTIFICATE-----\n'.repeat(75_000);
    const { code, out, err } = await inspect(`${endless}${pem('CERTIFICATE', ra.der)}`);
    assert.equal(code, 0, err);
    assert.equal(out, (await inspect(ra.der)).out);
  });

  test('a missing file is exit 3, a folder exit 1', async () => {
    const missing = await terminal.run(['inspect', '/no/such\u001b[2Jfile']);
    assert.equal(missing.code, 3);
    assert.match(missing.err, /there is no file \/no\/such\\u001b\[2Jfile/);
    assert.equal((await terminal.run(['inspect', temporary('inspect')])).code, 1);
  });
});

describe('hostile content', () => {
  const name = 'CN=\\1b[2J\\0a01FAKE\\e2\\80\\ae,OU=\\00\\c2\\9b31m,O=Test';

  test('hostile text neither commands a terminal nor begins a line, on the page and in JSON', async () => {
    const sent = await enrolment(lab, {
      subject: name,
      transactionID: 'x\u001b[2J\r\nFAKE\u009b31m\u0000',
      key,
    });
    const csr = await buildRequest(
      key,
      {
        subject: parseName(name),
        names: [parseGeneralName('upn:a\u001b[2J\nFAKE\u202e@b')],
      },
      undefined,
    );
    for (const content of [sent.message, csr]) {
      for (const args of [[], ['--json']]) {
        const { code, out } = await inspect(content, ...args);
        assert.equal(code, 0);
        assert.doesNotMatch(out, acts);
        assert.doesNotMatch(out, /^\s*FAKE/m);
        assert.ok(out.includes('01FAKE'), out);
      }
    }
  });

  test('a subject of 64 KB and 500 names are shown in full', async () => {
    const names = Array.from({ length: 500 }, (_, i) => parseGeneralName(`dns:h${i}.example`));
    const subject = parseName(`CN=${'y'.repeat(65_000)}`);
    const { code, out, err } = await inspect(
      await buildRequest(key, { subject, names }, undefined),
    );
    assert.equal(code, 0, err);
    assert.ok(out.includes('dns:h499.example'));
    assert.match(out, /subject {6}#30/);
  });

  test('a file with any octet changed is described or refused', async () => {
    const chance = new Chance('inspect');
    const { message } = await enrolment(lab, { challenge: secret, key });
    const crl = (await lab.deps.crls.newest('default'))?.der;
    assert.ok(crl);
    for (const whole of [ra.der, request, message, crl]) {
      for (let round = 0; round < 400; round++) {
        const bent = flipped(whole, chance.below(whole.length), 1 << chance.below(8));
        try {
          assert.notEqual(await describePart(bent), null);
        } catch (error) {
          assert.ok(error instanceof Malformed, String(error));
        }
      }
    }
  });
});
