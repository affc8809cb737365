// transactionIDs that are not meant kindly, and messages that come twice, late, or from somebody
// else: nobody gets another's certificate or learns that it exists, and nothing that is stored,
// logged or listed does anything but stand there.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import { SqliteStore } from '../../../lib/adapters/sqlite/sqlite.ts';
import { jsonLog } from '../../../lib/adapters/system.ts';
import { content, type Element, raw, scan } from '../../../lib/asn1/reader.ts';
import { sequence } from '../../../lib/asn1/writer.ts';
import { type Bytes, concat, equal, hex, latin1 } from '../../../lib/base/bytes.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { keyIdentity } from '../../../lib/ca/record/keys.ts';
import { readSignedData } from '../../../lib/cms/signed-data.ts';
import type { Store } from '../../../lib/ports/store.ts';
import type { ClientKey } from '../../../lib/protocol/scep/client/client.ts';
import { attributeOids } from '../../../lib/protocol/scep/wire/registry.ts';
import { publicKeyOf, readCertificate } from '../../../lib/x509/certificate.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { makeLab } from '../../support/lab.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { enrolment, random } from '../../support/messages.ts';
import { temporary } from '../../support/process.ts';
import { got, held, keys, refusedWith, type World, world } from '../../support/world.ts';

const slow = process.env.SLOW === '1';

const unkind: Record<string, string> = {
  spaces: '  a  b  ',
  'one space': ' ',
  'slashes and dots': '../../etc/passwd/',
  backslashes: '..\\..\\',
  quotes: '"\'`',
  SQL: "'; DROP TABLE records; --",
  JSON: '","state":"issued","x":"',
  'a key of a record': 'default/00 poll transaction',
  'line ends': 'a\r\nb\nc\r{"event":"forged"}\n',
  'a terminal sequence': '\x1b[2J\x1b]0;title\x07\x9b31m',
  'a spreadsheet formula': '=HYPERLINK("http://x.example","y")',
  markup: '<script>alert(1)</script>&amp;',
  'percent escapes': '%00%0d%0a%2e%2e%2f',
  NUL: '\0a\0',
  'high octets': '\x80\x85\xa0\xad\xff',
  'octets that look like UTF-8': '\xe2\x80\xae\xc3\xa9',
  'a prototype': '__proto__',
  '1,024 octets': 'x'.repeat(1024),
  '1,024 octets that JSON escapes': '\0'.repeat(1024),
};

describe('RFC 8894 §3.2.1.1 [51]: transactionIDs', () => {
  const stores: Record<string, () => Store> = {
    memory: () => new MemoryStore(),
    SQLite: () => new SqliteStore(join(temporary('exchange'), 'scepter.db')),
  };
  for (const [kind, open] of Object.entries(stores)) {
    describe(kind, () => {
      let store: Store;
      before(() => {
        store = open();
      });
      const lines: string[] = [];

      for (const [name, transactionID] of Object.entries(unkind)) {
        test(`${name}: through pending, list, show, approval, poll and the log, as it is and harmlessly`, async () => {
          const lab = await makeLab({ store, endpoint: { approval: 'always' } });
          const [key] = await keys('unkind');
          assert.ok(key);
          // Challenge, request and key are new each time; only the transactionID is tried.
          const challenge = await lab.challenge();
          const sent = await enrolment(lab, { challenge, key, transactionID });
          const send = async (what = sent) => what.read(await lab.operate(what.message));
          const plaintext = sequence(lab.announced.ra.subject, parseName('CN=device-1,O=Test'));
          const polling = { messageType: 'CertPoll', plaintext, key } as const;
          const poll = await enrolment(lab, { ...polling, transactionID });
          assert.equal((await send()).pkiStatus, 'PENDING');
          assert.equal((await send(poll)).pkiStatus, 'PENDING');
          for (const near of [`${transactionID}\0`, `${transactionID} `, transactionID.slice(1)]) {
            if (near === '' || near.length > 1024) continue;
            const other = await enrolment(lab, { ...polling, transactionID: near });
            assert.equal((await send(other)).pkiStatus, 'FAILURE', 'another transactionID');
          }
          const call = async (path: string, init: RequestInit = {}) => {
            const headers = { authorization: `Bearer ${lab.adminToken}` };
            const response = await lab.fetch(`/api/v1/transactions${path}`, { headers, ...init });
            assert.equal(response.status, 200);
            return response.json();
          };
          type Shown = { readonly id: string; readonly transactionIDs: readonly string[] };
          const listed = (await call('?state=pending')) as { transactions: readonly Shown[] };
          const [shown] = listed.transactions;
          assert.deepEqual(shown?.transactionIDs, [transactionID]);
          const one = (await call(`/${shown?.id}`)) as Shown;
          assert.deepEqual(one.transactionIDs, [transactionID]);
          await call(`/${shown?.id}/approve`, { method: 'POST', body: '{}' });
          const certificate = await send(poll);
          assert.equal(certificate.pkiStatus, 'SUCCESS');
          assert.deepEqual(await send(), certificate);
          const log = jsonLog((line) => lines.push(line), lab.clock);
          lines.length = 0;
          for (const entry of lab.log) log(entry);
          const about = lines.filter((line) => JSON.parse(line).transactionID === transactionID);
          assert.equal(about.length, 4, 'request, poll, poll, request');
          for (const line of lines) assert.match(line, /^\{[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*\}$/u);
        });
      }
    });
  }

  test('1,025 octets, 20 KB and none are an HTTP 400, before anything is read', async () => {
    const lab = await makeLab();
    for (const transactionID of ['x'.repeat(1025), '\0'.repeat(20_000), '']) {
      const { message } = await enrolment(lab, { transactionID });
      const init = { method: 'POST', body: message };
      assert.equal((await lab.fetch('/scep?operation=PKIOperation', init)).status, 400);
    }
    assert.deepEqual(lab.calls, []);
  });

  test('any octets at all', async () => {
    const lab = await makeLab();
    const octets = fc.uint8Array({ minLength: 1, maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(octets, async (id) => {
        const transactionID = [...id].map((octet) => String.fromCharCode(octet)).join('');
        const sent = await enrolment(lab, { transactionID, challenge: 'nobody made this one' });
        // The strict client compares what comes back with what it sent.
        refusedWith('SCEP-302', await sent.read(await lab.operate(sent.message)));
      }),
      { numRuns: slow ? 2000 : 60 },
    );
  });
});

async function two(options: Parameters<typeof world>[0] = {}) {
  const w = await world(options);
  const [a, b] = await keys('device a', 'device b');
  assert.ok(a && b);
  return { w, a, b };
}
const names = { a: 'CN=device-a', b: 'CN=device-b' };

/** The certificate is of this key. */
const isOf = (der: Bytes, key: ClientKey): boolean =>
  equal(publicKeyOf(readCertificate(der))?.spki ?? new Uint8Array(0), key.spki);

describe('messages of two devices', () => {
  test("A's request replayed by B gets what A got, sealed for A: B cannot open it, nothing more is issued", async () => {
    const { w, a, b } = await two();
    const sent = await enrolment(w.lab, { challenge: await w.lab.challenge(), key: a });
    const first = got(await w.send(sent));
    const replayed = await w.lab.operate(sent.message);
    const asB = { ...sent.request, signer: { ...sent.request.signer, key: b } };
    const { readCertRep } = await import('../../../lib/protocol/scep/client/client.ts');
    await assert.rejects(readCertRep(replayed, asB, undefined));
    assert.deepEqual(got(await sent.read(replayed)), first);
    assert.equal(w.certificates().length, 1);
    w.check();
  });

  test("A's CertRep played to A again, for another request or transaction, is not taken", async () => {
    const { w, a } = await two();
    const challenge = await w.lab.challenge({ uses: 3 });
    const first = await enrolment(w.lab, { challenge, key: a });
    const old = await w.lab.operate(first.message);
    const again = await enrolment(w.lab, { challenge, key: a });
    await assert.rejects(again.read(old), /another nonce/);
    const { senderNonce } = first.request;
    const other = await enrolment(w.lab, { challenge, key: a, senderNonce, transactionID: 'x' });
    await assert.rejects(other.read(old), /another transaction/);
  });

  test("A's waiting transaction is to B as one that does not exist: same answer, same length, same work", async () => {
    const { w, a, b } = await two({ endpoint: { approval: 'always' } });
    const transactionID = 'of device a';
    await w.ask({ challenge: await w.lab.challenge(), key: a, transactionID });
    const observed = async (id: string, path = '/scep') => {
      const plaintext = sequence(w.lab.announced.ra.subject, parseName('CN=device-1,O=Test'));
      const options = { messageType: 'CertPoll', plaintext, key: b, transactionID: id } as const;
      const { message } = await enrolment(w.lab, options);
      w.lab.calls.length = 0;
      w.lab.log.length = 0;
      const answer = await w.lab.operate(message, path);
      const [entry] = w.lab.log;
      return [answer.length, [...w.lab.calls], { ...entry, transactionID: '', endpoint: '' }];
    };
    const none = await observed('of nobody aa');
    for (const path of ['/scep', '/scep/other']) {
      assert.deepEqual(await observed('of device  a', path), none);
    }
    await decide(w.lab.deps, w.transactions()[0]?.id ?? '', 'approved', { by: 'somebody' });
    got(await w.poll({ key: a, transactionID }));
    // Of the same length as the others, and now issued.
    assert.deepEqual(await observed(transactionID), await observed('of nobody a'));
  });

  test('both use one transactionID at once: each polls, and gets, its own', async () => {
    const { w, a, b } = await two({ endpoint: { approval: 'always' } });
    const transactionID = 'one for both';
    for (const key of [a, b]) {
      await w.ask({ challenge: await w.lab.challenge(), key, transactionID });
    }
    const approve = (key: ClientKey) => {
      const mine = w.transactions().find(({ signer }) => signer === keyIdentity(key.spki));
      return decide(w.lab.deps, mine?.id ?? '', 'approved', { by: 'somebody' });
    };
    await approve(a);
    const first = isOf(got(await w.poll({ key: a, transactionID })), a);
    assert.ok(first);
    assert.equal((await w.poll({ key: b, transactionID })).pkiStatus, 'PENDING');
    await approve(b);
    assert.ok(isOf(got(await w.poll({ key: b, transactionID })), b));
    assert.ok(isOf(got(await w.poll({ key: a, transactionID })), a));
    w.check();
  });

  test("A's PKCS#10 in B's message, B's self-signed certificate in A's name: the uniform answer", async () => {
    const { w, a, b } = await two();
    const challenge = await w.lab.challenge();
    const sent = await enrolment(w.lab, { challenge, key: a, subject: names.a });
    const { plaintext } = sent.request;
    refusedWith('SCEP-201', await w.ask({ plaintext, key: b, subject: names.a }));
    assert.equal(w.challenges()[0]?.usesLeft, 1);
    got(await w.send(sent));
  });

  test("A's certificate in B's message, signed with B's key", async () => {
    const { w, a, b } = await two();
    const signer = await held(w, a, names.a);
    const forged = { certificate: signer.certificate, key: b };
    for (const messageType of ['RenewalReq', 'PKCSReq', 'GetCert', 'GetCRL', 'CertPoll'] as const) {
      refusedWith('SCEP-101', await w.ask({ signer: forged, key: b, messageType }));
    }
    assert.equal(w.certificates().length, 1);
  });

  test('old messages after a renewal: the enrolment repeats its own certificate, the renewal too, and nothing is new', async () => {
    const { w, a, b } = await two();
    const enrol = await enrolment(w.lab, { challenge: await w.lab.challenge(), key: a });
    const first = got(await w.send(enrol));
    const signer = { key: a, certificate: readCertificate(first) };
    const renewal = await enrolment(w.lab, { signer, key: b, messageType: 'RenewalReq' });
    const second = got(await w.send(renewal));
    assert.ok(isOf(second, b));
    for (let i = 0; i < 3; i++) {
      assert.deepEqual(got(await w.send(enrol)), first);
      assert.deepEqual(got(await w.send(renewal)), second);
    }
    assert.equal(w.certificates().length, 2);
    w.check();
  });

  test('a part of one message in another: envelope, signed attributes, certificate bag', async () => {
    const { w, a, b } = await two();
    const [ofA, ofB] = await Promise.all(
      [a, b].map(async (key, i) =>
        enrolment(w.lab, {
          challenge: await w.lab.challenge(),
          key,
          subject: names[i ? 'b' : 'a'],
        }),
      ),
    );
    assert.ok(ofA && ofB);
    const crossed = crossings(ofA.message, ofB.message);
    assert.ok(crossed.length >= 6);
    for (const message of crossed) {
      const response = await w.lab.fetch('/scep?operation=PKIOperation', {
        method: 'POST',
        body: message,
      });
      if (response.status === 400) continue;
      assert.equal(response.status, 200);
      const { attributes } = readSignedData(new Uint8Array(await response.arrayBuffer()));
      const status = attributes.get(attributeOids.pkiStatus)?.[0]?.[0];
      assert.deepEqual(status && content(status), latin1('2'));
    }
    assert.equal(w.certificates().length, 0);
    assert.ok(isOf(got(await w.send(ofB)), b));
    assert.ok(isOf(got(await w.send(ofA)), a));
    w.check();
  });

  test('six devices, everything twice and in any order: each its own, once', async () => {
    const w = await world({ endpoint: { approval: 'always' } });
    const devices = await keys(...Array.from({ length: 6 }, (_, i) => `order ${i}`));
    const plaintext = sequence(w.lab.announced.ra.subject, parseName('CN=x'));
    const messages = await Promise.all(
      devices.flatMap(async (key, i) => {
        const transactionID = `T${i % 3}`;
        const subject = `CN=device-${i}`;
        const challenge = await w.lab.challenge();
        const request = await enrolment(w.lab, { challenge, key, subject, transactionID });
        const poll = await enrolment(w.lab, {
          messageType: 'CertPoll',
          plaintext,
          key,
          transactionID,
        });
        return [request, poll, request, poll].map((sent) => ({ sent, key }));
      }),
    );
    const order = shuffled(messages.flat());
    const pass = (sent: World['send'] extends (one: infer S) => unknown ? S : never) =>
      w.send(sent);
    for (const { sent } of order) await pass(sent);
    for (const { id } of w.transactions()) {
      await decide(w.lab.deps, id, 'approved', { by: 'somebody' });
    }
    const certificates = new Map<ClientKey, Set<string>>();
    for (const { sent, key } of shuffled(order)) {
      const der = got(await pass(sent));
      assert.ok(isOf(der, key));
      certificates.set(key, (certificates.get(key) ?? new Set()).add(hex(der)));
    }
    assert.deepEqual(
      [...certificates.values()].map(({ size }) => size),
      Array(6).fill(1),
    );
    w.check();
  });

  test('RFC 8894 §3.2.1.5 [56]: every answer, of whatever kind, has the nonce that came and one that never was', async () => {
    const { w, a, b } = await two({ endpoint: { approval: 'always' } });
    const seen = new Set<string>();
    const exchange = async (sent: Awaited<ReturnType<typeof enrolment>>) => {
      const answer = await w.lab.operate(sent.message);
      const { attributes } = readSignedData(answer);
      const nonce = (oid: string) => hex(content(only(attributes.get(oid))));
      assert.equal(nonce(attributeOids.recipientNonce), hex(sent.request.senderNonce));
      const own = nonce(attributeOids.senderNonce);
      assert.equal(own.length, 32);
      assert.ok(!seen.has(own) && own !== hex(sent.request.senderNonce));
      seen.add(own);
      return sent.read(answer);
    };
    const challenge = await w.lab.challenge();
    const request = await enrolment(w.lab, { challenge, key: a });
    const poll = await enrolment(w.lab, { messageType: 'CertPoll', key: a });
    await exchange(request);
    await exchange(poll);
    await exchange(await enrolment(w.lab, { challenge, key: b }));
    await exchange(await enrolment(w.lab, { messageType: 'GetCert', key: b }));
    await exchange(await enrolment(w.lab, { plaintext: random(64), key: b }));
    const waiting = w.transactions().find(({ state }) => state === 'pending');
    await decide(w.lab.deps, waiting?.id ?? '', 'approved', { by: 'somebody' });
    for (const sent of [poll, poll, request]) {
      assert.equal((await exchange(sent)).pkiStatus, 'SUCCESS');
    }
    assert.equal(seen.size, 8);
  });
});

function only(values: readonly (readonly Element[])[] | undefined): Element {
  const value = values?.[0]?.[0];
  return value ?? assert.fail('an attribute is missing');
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => [Math.random(), item] as const)
    .sort(([x], [y]) => x - y)
    .map(([, item]) => item);
}

/** A's message with one part of B's in its place: content, certificates, and what is in SignerInfo. */
function crossings(a: Bytes, b: Bytes): Bytes[] {
  const paths = [
    [1, 0, 2],
    [1, 0, 3],
    [1, 0, 4],
    [1, 0, 4, 0, 1],
    [1, 0, 4, 0, 3],
    [1, 0, 4, 0, 5],
  ];
  const at = (root: Element, path: readonly number[]): Element =>
    path.reduce((element, i) => element.children[i] ?? assert.fail('no such part'), root);
  return paths.map((path) => replaced(scan(a), at(scan(a), path), raw(at(scan(b), path))));
}

/** The encoding of `root` with the element at this place replaced. */
function replaced(root: Element, target: Element, by: Bytes): Bytes {
  if (root.start === target.start && root.end === target.end) return by;
  const inside = root.start <= target.start && target.end <= root.end;
  if (!inside || root.children.length === 0) return raw(root);
  const body = concat(root.children.map((child) => replaced(child, target, by)));
  const length = body.length < 0x80 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return concat([Uint8Array.of(root.tag, ...length), body]);
}
