import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bytes, fromHex, hex, utf8 } from '../../lib/base/bytes.ts';
import {
  bundleOf,
  entriesIn,
  hashesIn,
  nodesOf,
  tileAt,
  tilePath,
} from '../../lib/events/tiles.ts';
import {
  edgeAt,
  emptyEdge,
  grown,
  inclusionPath,
  isIncluded,
  leafHash,
  nodeHash,
  rootOf,
} from '../../lib/events/tree.ts';
import { tilesOf } from '../support/tiles.ts';

/** The leaves and roots that implementations of RFC 6962 have in common. */
const leaves = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const roots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

test('the roots of the common test tree are those of other implementations of RFC 6962', () => {
  const hashes = leaves.map((leaf) => leafHash(fromHex(leaf)));
  for (const [size, root] of roots.entries()) {
    assert.equal(hex(rootOf(grown(emptyEdge, hashes.slice(0, size)))), root);
  }
});

const many = Array.from({ length: 1100 }, (_, i) => leafHash(utf8(`entry ${i}`)));

/** RFC 6962 §2.1, word for word: slow, and of another form than what is tested. */
function mth(hashes: readonly Bytes[]): Bytes {
  const [only = leafHash(utf8(''))] = hashes;
  if (hashes.length === 1) return only;
  let k = 1;
  while (2 * k < hashes.length) k *= 2;
  return nodeHash(mth(hashes.slice(0, k)), mth(hashes.slice(k)));
}

test('a tree that grows in steps has the root that RFC 6962 defines', () => {
  for (const size of [1, 2, 3, 7, 255, 256, 257, 511, 700, 1024, 1025, 1100]) {
    const some = grown(emptyEdge, many.slice(0, Math.floor(size / 3)));
    const whole = grown(some, many.slice(Math.floor(size / 3), size));
    assert.equal(whole.size, size);
    assert.deepEqual(rootOf(whole), mth(many.slice(0, size)));
  }
});

test('every entry is proven by a path from the tiles, and by no other entry, index, size or root', async () => {
  for (const size of [1, 2, 3, 5, 256, 257, 513, 1100]) {
    const nodeAt = nodesOf(tilesOf(many.slice(0, size)), size);
    const root = rootOf(grown(emptyEdge, many.slice(0, size)));
    for (const index of new Set([0, 1, Math.floor(size / 2), size - 2, size - 1])) {
      const leaf = many[index];
      if (!leaf || index < 0 || index >= size) continue;
      const path = await inclusionPath(nodeAt, index, size);
      const said = { index, size, path };
      assert.ok(isIncluded(leaf, said, root), `${index} of ${size}`);
      assert.ok(!isIncluded(leafHash(utf8('other')), said, root));
      assert.ok(!isIncluded(leaf, said, leaf) || size === 1);
      assert.ok(!isIncluded(leaf, { ...said, path: [...path, root] }, root));
      if (path.length > 0) {
        assert.ok(!isIncluded(leaf, { ...said, path: path.slice(1) }, root));
        assert.ok(!isIncluded(leaf, { ...said, index: index === 0 ? 1 : index - 1 }, root));
      }
      for (const wrong of [-1, size, 0.5, Number.NaN]) {
        assert.ok(!isIncluded(leaf, { ...said, index: wrong }, root));
      }
    }
  }
});

test('the edge that tiles give is the one that the entries give, at every earlier size', async () => {
  const nodeAt = nodesOf(tilesOf(many), many.length);
  for (const size of [0, 1, 255, 256, 300, 512, 1024, 1100]) {
    assert.deepEqual(await edgeAt(nodeAt, size), grown(emptyEdge, many.slice(0, size)));
  }
});

test('tiles have the paths and widths of C2SP tlog-tiles', () => {
  assert.equal(tilePath({ level: 0, index: 1_234_067, width: 256 }), 'tile/0/x001/x234/067');
  assert.equal(tilePath({ level: 'entries', index: 0, width: 3 }), 'tile/entries/000.p/3');
  assert.equal(tilePath({ level: 2, index: 1000, width: 1 }), 'tile/2/x001/000.p/1');
  assert.deepEqual(tileAt('entries', 300, 70_000), { level: 'entries', index: 1, width: 256 });
});

test('a bundle gives back its entries, and what is cut off or too long is refused', () => {
  const entries = ['', 'a', 'b'.repeat(70), 'c'.repeat(65_535)].map((text) => utf8(text));
  const octets = bundleOf(entries);
  assert.deepEqual(entriesIn(octets), entries);
  for (const end of [1, 3, 70, octets.length - 1]) {
    assert.throws(() => entriesIn(octets.slice(0, end)), /ends too early/);
  }
  assert.throws(() => hashesIn(octets, 2), /2 hashes are expected/);
});
