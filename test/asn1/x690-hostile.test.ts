// Hostile octets: whatever comes, `scan` gives a tree or refuses with `Malformed`, and it looks at no
// more octets than a small multiple of what came. Work is counted in octets read, never timed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Element, octetString, oid, scan, smallInteger } from '../../lib/asn1/reader.ts';
import { readTime } from '../../lib/asn1/time.ts';
import { octets, sequence, tlv } from '../../lib/asn1/writer.ts';
import { type Bytes, concat } from '../../lib/base/bytes.ts';
import { MAX_DER_DEPTH, MAX_DER_NODES, MAX_MESSAGE_OCTETS } from '../../lib/base/limits.ts';
import { flipped, malformed, runs, unlessMalformed, vector } from '../support/vectors.ts';

/** The octets behind a counter of how many of them were looked at. */
function counted(bytes: Bytes): { readonly source: Bytes; reads(): number } {
  let reads = 0;
  const source = new Proxy(bytes, {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) reads++;
      return Reflect.get(target, key, target);
    },
  });
  return { source, reads: () => reads };
}

const count = (element: Element): number =>
  element.children.reduce((sum, child) => sum + count(child), 1);
const depth = (element: Element): number =>
  1 + element.children.reduce((most, child) => Math.max(most, depth(child)), 0);

/** Scans and checks everything that is promised about any input. */
function bounded(bytes: Bytes): Element | undefined {
  const { source, reads } = counted(bytes);
  const element = unlessMalformed(() => scan(source));
  // Twelve octets for each header; the content of an OBJECT IDENTIFIER twice.
  assert.ok(reads() <= 12 * (MAX_DER_NODES + 1) + 2 * bytes.length, `${reads()} octets read`);
  if (element) {
    assert.ok(count(element) <= MAX_DER_NODES);
    assert.ok(depth(element) <= MAX_DER_DEPTH + 1);
    assert.equal(element.end, bytes.length);
  }
  return element && scan(bytes);
}

/** Every reader of a value gives one or refuses with `Malformed`. */
function readAll(element: Element): void {
  for (const read of [octetString, oid, smallInteger, readTime]) {
    unlessMalformed(() => read(element));
  }
  element.children.forEach(readAll);
}

test('X.690 §8.1: random octets are a tree or refused, in bounded work', () => {
  const header = fc.constantFrom(0x30, 0x31, 0xa0, 0x24, 0x04, 0x02, 0x03, 0x06, 0x05, 0x80, 0);
  const likely = fc.array(fc.oneof(header, fc.integer({ min: 0, max: 255 })), { maxLength: 60 });
  const any = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    likely.map((list) => Uint8Array.from(list)),
  );
  fc.assert(
    fc.property(any, (bytes) => {
      const element = bounded(concat([bytes]));
      if (element) readAll(element);
    }),
    runs(2000),
  );
});

const messages = [
  'captures/strongswan-pki/pss-sha256-type19.der',
  'captures/strongswan-pki/aes128-sha256-type19.plain.der',
  'captures/micromdm-scepclient/des-sha1-type19.der',
  'captures/certmonger/get-des3-sha256-type19.der',
].map(vector);

test('X.690 §8.1: every truncation of a real message is refused', () => {
  for (const message of messages) {
    assert.ok(bounded(message));
    for (let length = 0; length < message.length; length += 7) {
      assert.throws(() => scan(message.slice(0, length)), malformed(/./), `${length} octets`);
    }
  }
});

test('X.690 §8.1: a real message with bits flipped is a tree or refused, in bounded work', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...messages),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), {
        minLength: 1,
        maxLength: 4,
      }),
      (message, flips) => {
        let changed = message;
        for (const [at, mask] of flips) changed = flipped(changed, at % message.length, mask);
        const element = bounded(changed);
        if (element) readAll(element);
      },
    ),
    runs(300),
  );
});

test('X.690 §8.1: octets cut out of or put into a real message never break the gate', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...messages),
      fc.nat(),
      fc.nat({ max: 40 }),
      fc.uint8Array({ maxLength: 20 }),
      (message, from, cut, put) => {
        const at = from % message.length;
        bounded(concat([message.subarray(0, at), put, message.subarray(at + cut)]));
      },
    ),
    runs(200),
  );
});

const size = MAX_MESSAGE_OCTETS;
const repeated = (...pattern: number[]): Bytes =>
  Uint8Array.from({ length: size }, (_, i) => pattern[i % pattern.length] ?? 0);

test('X.690 §8.1.1.3: 64 KiB of nesting are refused at the limit of depth', () => {
  for (const pattern of [
    [0x30, 0x80],
    [0x24, 0x80],
    [0xa0, 0x80],
    [0x31, 0x80],
  ]) {
    const bomb = repeated(...pattern);
    const { source, reads } = counted(bomb);
    assert.throws(() => scan(source), malformed(/nested below 24/));
    assert.ok(reads() <= 12 * (MAX_DER_DEPTH + 1), `${reads()} octets read`);
  }
  // The same with definite lengths that all end where the message ends.
  let exact: Bytes = octets(new Uint8Array(1));
  while (exact.length < size - 5) exact = tlv(0x30, exact);
  const { source, reads } = counted(exact);
  assert.throws(() => scan(source), malformed(/nested below 24/));
  assert.ok(reads() <= 12 * (MAX_DER_DEPTH + 1), `${reads()} octets read`);
});

test('X.690 §8.1.1.3: 64 KiB of elements side by side are refused at the limit of their number', () => {
  for (const pattern of [
    [0x05, 0x00],
    [0x30, 0x00],
    [0x04, 0x00],
    [0x30, 0x80, 0x00, 0x00],
  ]) {
    const bomb = sequence(repeated(...pattern));
    const { source, reads } = counted(bomb);
    assert.throws(() => scan(source), malformed(/more than 2000 elements/));
    assert.ok(reads() <= 12 * (MAX_DER_NODES + 1), `${reads()} octets read`);
  }
});

test('X.690 §8.1.3: lengths that promise more than came are refused at their header', () => {
  for (const length of ['7fffffff', 'ffffffff', '80000000', '0000ffff', '00010000']) {
    for (const identifier of [0x04, 0x30, 0x02, 0x06, 0x24, 0xa0]) {
      const header = Uint8Array.from([identifier, 0x84, ...Buffer.from(length, 'hex')]);
      const bomb = concat([header, new Uint8Array(size - 100)]);
      const { source, reads } = counted(bomb);
      assert.throws(() => scan(source), malformed(/reaches beyond/));
      assert.ok(reads() <= 12, `${reads()} octets read`);
    }
  }
});

test('X.690 §8.3 §8.19: an INTEGER or OBJECT IDENTIFIER of 64 KiB is never turned into a number', () => {
  const long = new Uint8Array(size - 10).fill(0x7f);
  for (const identifier of [0x02, 0x0a, 0x06, 0x03]) {
    const bomb = tlv(identifier, identifier === 0x03 ? new Uint8Array(1) : new Uint8Array(0), long);
    const element = bounded(bomb);
    assert.ok(element);
    if (identifier === 0x06) assert.throws(() => oid(element), malformed(/not an OID/));
    else assert.throws(() => smallInteger(element), malformed(/not a small INTEGER/));
  }
});

test('X.690 §8.7.3: a string in as many segments as are allowed is joined, one more is refused', () => {
  const segments = (number: number) =>
    tlv(0x24, concat(Array(number).fill(octets(new Uint8Array(1)))));
  assert.equal(octetString(scan(segments(MAX_DER_NODES - 1))).length, MAX_DER_NODES - 1);
  assert.throws(() => scan(segments(MAX_DER_NODES)), malformed(/more than 2000 elements/));
});

test('X.690 §8.19.1: object identifiers around object identifiers are not walked at every level', () => {
  let bomb: Bytes = octets(new Uint8Array(size - 200).fill(0x7f));
  for (let level = 0; level < MAX_DER_DEPTH; level++) bomb = tlv(0x26, bomb);
  assert.equal(bounded(bomb), undefined);
});
