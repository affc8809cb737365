// The Merkle tree over the entries of a log (RFC 6962 §2.1), with SHA-256. A tree of any size is known by its
// edge: the roots of the perfect trees that it consists of, from the largest on.

import { type Bytes, concat, equal } from '../base/bytes.ts';
import { hash } from '../crypto/native.ts';

const prefix = { leaf: Uint8Array.of(0), node: Uint8Array.of(1) };

export const leafHash = (entry: Uint8Array): Bytes => hash('SHA-256', concat([prefix.leaf, entry]));
export const nodeHash = (left: Uint8Array, right: Uint8Array): Bytes =>
  hash('SHA-256', concat([prefix.node, left, right]));

export type Edge = {
  /** Leaves, at most Number.MAX_SAFE_INTEGER. */
  readonly size: number;
  /** One for each bit of `size` that is set. */
  readonly hashes: readonly Bytes[];
};

export const emptyEdge: Edge = { size: 0, hashes: [] };

/** The edge with these leaf hashes added. */
export function grown(edge: Edge, leaves: Iterable<Bytes>): Edge {
  const hashes = [...edge.hashes];
  let { size } = edge;
  for (const leaf of leaves) {
    let node = leaf;
    // Each perfect tree of the same height as what has come is the left half of a larger one.
    for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) {
      node = nodeHash(hashes.pop() ?? node, node);
    }
    hashes.push(node);
    size++;
  }
  return { size, hashes };
}

/** Merkle Tree Hash, 32 octets. */
export function rootOf({ hashes }: Pick<Edge, 'hashes'>): Bytes {
  const [last, ...before] = [...hashes].reverse();
  return last
    ? before.reduce((right, left) => nodeHash(left, right), last)
    : hash('SHA-256', concat([]));
}

/**
 * MTH(D[index * 2^level : (index + 1) * 2^level]): a perfect subtree's root.
 * @throws where what it is read from lacks it
 */
export type NodeAt = (level: number, index: number) => Promise<Bytes>;

/** The level of the largest perfect tree with at most so many leaves. */
function levelWithin(leaves: number): number {
  let level = 0;
  while (2 ** (level + 1) <= leaves) level++;
  return level;
}

/** The edge of D[from:to], where `from` is a multiple of the largest power of two within. */
async function edgeOf(nodeAt: NodeAt, from: number, to: number): Promise<Edge> {
  const hashes: Bytes[] = [];
  for (let at = from; at < to; ) {
    const level = levelWithin(to - at);
    hashes.push(await nodeAt(level, at / 2 ** level));
    at += 2 ** level;
  }
  return { size: to - from, hashes };
}

/** The edge of the tree of the first `size` entries. */
export const edgeAt = (nodeAt: NodeAt, size: number): Promise<Edge> => edgeOf(nodeAt, 0, size);

/** PATH(m, D[n]) (RFC 6962 §2.1.1): from the leaf's sibling up to a child of the root. @param index below `size` */
export async function inclusionPath(nodeAt: NodeAt, index: number, size: number): Promise<Bytes[]> {
  const path: Bytes[] = [];
  for (let [from, to] = [0, size]; to - from > 1; ) {
    const middle = from + 2 ** levelWithin(to - from - 1);
    const [otherFrom, otherTo] = index < middle ? [middle, to] : [from, middle];
    path.unshift(rootOf(await edgeOf(nodeAt, otherFrom, otherTo)));
    [from, to] = index < middle ? [from, middle] : [middle, to];
  }
  return path;
}

/** Whether the path leads from the leaf at `index` to the root of a tree of `size` (RFC 9162 §2.1.3.2). */
export function isIncluded(
  leaf: Bytes,
  { index, size, path }: { index: number; size: number; path: readonly Bytes[] },
  root: Bytes,
): boolean {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) return false;
  let node = leaf;
  let [at, last] = [index, size - 1];
  for (const sibling of path) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      node = nodeHash(sibling, node);
      // On the right edge of the tree a node is its own parent until it is a right child.
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)];
    } else {
      node = nodeHash(node, sibling);
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return last === 0 && equal(node, root);
}
