// The writer: what it writes is DER and reads back as the tree it was made from, and the same tree in
// forms of BER reads as the same tree without the flag.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { content, contextPrimitive, type Element, raw, scan, tag } from '../../lib/asn1/reader.ts';
import {
  bits,
  boolean,
  explicit,
  ia5String,
  integer,
  nullValue,
  objectIdentifier,
  octets,
  printableString,
  sequence,
  setOf,
  tlv,
} from '../../lib/asn1/writer.ts';
import { type Bytes, compare, concat, equal, fromHex } from '../../lib/base/bytes.ts';
import { indefinite } from '../support/messages.ts';
import { runs } from '../support/vectors.ts';

/** A tree to write: the identifier octet with either content or children. */
type Tree = { readonly tag: number; readonly inside: Bytes | readonly Tree[] };

const primitive: fc.Arbitrary<Tree> = fc
  .tuple(
    fc.constantFrom(
      tag.octetString,
      tag.utf8String,
      tag.printableString,
      tag.ia5String,
      tag.bmpString,
      contextPrimitive(0),
      contextPrimitive(30),
      0x41,
      0xc1,
    ),
    fc.oneof(
      fc.uint8Array({ maxLength: 8 }),
      fc.integer({ min: 0, max: 600 }).map((length) => new Uint8Array(length).fill(0x80)),
    ),
  )
  .map(([identifier, inside]) => ({ tag: identifier, inside: concat([inside]) }));
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6, depthSize: 'medium' },
    primitive,
    fc
      .tuple(
        fc.constantFrom(tag.sequence, tag.set, 0xa0, 0xbe, 0x61, 0xe1),
        fc.array(tie('tree'), { maxLength: 5 }),
      )
      .map(([identifier, inside]) => ({ tag: identifier, inside })),
  ),
}));

const isLeaf = (node: Tree): node is { tag: number; inside: Bytes } =>
  node.inside instanceof Uint8Array;
const write = (node: Tree): Bytes =>
  isLeaf(node) ? tlv(node.tag, node.inside) : tlv(node.tag, ...(node.inside as Tree[]).map(write));

/** The tree that was read, for comparison. */
function read(element: Element): Tree {
  const constructed = (element.tag & 0x20) !== 0;
  const inside = constructed ? element.children.map(read) : content(element).slice();
  return { tag: element.tag, inside };
}

/** Depth at most 24 and up to 2000 elements are promised; the trees here stay below. */
const limits = { depth: 24, nodes: 20_000 };

test('X.690 §10: a tree that was written is DER and reads back as the same tree', () => {
  fc.assert(
    fc.property(tree, (node) => {
      const written = write(node);
      const element = scan(written, limits);
      assert.deepEqual(read(element), node);
      assert.equal(element.der, true);
      assert.deepEqual(raw(element), written);
    }),
    runs(200),
  );
});

/** The node with its length in a long form, or of indefinite length where that is possible. */
function writeBer(node: Tree, choices: Iterator<number>): { octets: Bytes; ber: boolean } {
  const choice = choices.next().value ?? 0;
  const children = isLeaf(node)
    ? []
    : (node.inside as Tree[]).map((each) => writeBer(each, choices));
  const inside = isLeaf(node) ? [node.inside] : children.map((child) => child.octets);
  const below = children.some((child) => child.ber);
  if (choice === 1) {
    const length = inside.reduce((sum, part) => sum + part.length, 0);
    const header = [node.tag, 0x84, 0, length >> 16, (length >> 8) & 255, length & 255];
    return { octets: concat([Uint8Array.from(header), ...inside]), ber: true };
  }
  if (choice === 2 && !isLeaf(node)) return { octets: indefinite(node.tag, ...inside), ber: true };
  return { octets: tlv(node.tag, ...inside), ber: below };
}

test('X.690 §8.1.3: the same tree with lengths in forms of BER is the same tree, and not DER', () => {
  fc.assert(
    fc.property(tree, fc.infiniteStream(fc.constantFrom(0, 0, 0, 1, 2)), (node, choices) => {
      const { octets, ber } = writeBer(node, choices);
      const element = scan(octets, limits);
      assert.deepEqual(read(element), node);
      assert.equal(element.der, !ber);
    }),
    runs(200),
  );
});

test('X.690 §10.1: the writer changes from one form of length to the next where DER does', () => {
  for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536, 200_000]) {
    const element = scan(octets(new Uint8Array(length)));
    assert.equal(element.der, true);
    assert.equal(element.contentEnd - element.contentStart, length);
  }
});

test('X.690 §11.6: the elements of a SET OF stand in ascending order of their encodings', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 6 }), { maxLength: 12 }), (values) => {
      const parts = values.map((value) => octets(concat([value])));
      const before = parts.map((part) => part.slice());
      const written = scan(setOf(...parts)).children.map(raw);
      assert.deepEqual(parts, before);
      assert.deepEqual([...written].sort(compare), written);
      for (let i = 1; i < written.length; i++) {
        const [left, right] = [written[i - 1] ?? nullValue, written[i] ?? nullValue];
        assert.ok(Buffer.compare(left, right) <= 0);
      }
      assert.ok(equal(setOf(...[...parts].reverse()), setOf(...parts)));
    }),
    runs(200),
  );
});

test('X.690 §11.6: a shorter encoding stands before the one it starts', () => {
  const [a, b, c] = [
    tlv(0x80, fromHex('00')),
    tlv(0x80, fromHex('0000')),
    tlv(0x80, fromHex('01')),
  ];
  assert.deepEqual(setOf(c, b, a), tlv(tag.set, a, c, b));
  assert.ok(compare(fromHex('01'), fromHex('0100')) < 0);
  assert.ok(compare(fromHex('0100'), fromHex('01')) > 0);
  assert.equal(compare(fromHex('01'), fromHex('01')), 0);
  assert.ok(compare(fromHex('7f'), fromHex('80')) < 0);
});

test('X.690 §8: each small writer gives the octets of its type', () => {
  const cases: [Bytes, string][] = [
    [sequence(), '3000'],
    [sequence(nullValue, nullValue), '300405000500'],
    [explicit(3, nullValue), 'a3020500'],
    [boolean(true), '0101ff'],
    [boolean(false), '010100'],
    [nullValue, '0500'],
    [bits(fromHex('a0'), 5), '030205a0'],
    [bits(new Uint8Array(0)), '030100'],
    [printableString('19'), '13023139'],
    [ia5String('a@b'), '1603614062'],
    [integer(0), '020100'],
    [integer(127), '02017f'],
    [integer(128), '02020080'],
    [integer(fromHex('00ff')), '020200ff'],
    [objectIdentifier('1.2.840.113549.1.7.1'), '06092a864886f70d010701'],
  ];
  for (const [written, expected] of cases) assert.deepEqual(written, fromHex(expected));
});
