// The padding of content (RFC 5652 §6.3): taken off when it is right, left on when it is wrong, so that
// the next step sees octets that are not a request, and never an error of its own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Bytes, concat, fromHex } from '../../lib/base/bytes.ts';
import { unpadBlocks } from '../../lib/cms/enveloped-data.ts';
import { type ContentCipherName, contentCiphers } from '../../lib/crypto/algorithms.ts';
import { cbcDecrypt, cbcEncrypt } from '../../lib/crypto/native.ts';
import { runs, tally, wycheproof } from '../support/vectors.ts';

type Group = { readonly keySize: 128 | 192 | 256; readonly ivSize: number };
type Vector = {
  readonly key: string;
  readonly iv: string;
  readonly msg: string;
  readonly ct: string;
};

test('RFC 5652 §6.3: AES-CBC content is unpadded, or left whole, as Wycheproof asks', () => {
  const ran = tally();
  for (const { keySize, tests } of wycheproof<Group, Vector>('aes_cbc_pkcs5')) {
    for (const { tcId, key, iv, msg, ct, result, flags } of tests) {
      const cipher = contentCiphers[`AES-${keySize}`];
      assert.equal(fromHex(key).length, cipher.keyOctets);
      const blocks = cbcDecrypt(cipher.name, fromHex(key), fromHex(iv), fromHex(ct));
      const plaintext = unpadBlocks(blocks, cipher.blockOctets);
      const expected = result === 'valid' ? fromHex(msg) : blocks;
      assert.deepEqual(plaintext, expected, `vector ${tcId}`);
      if (result === 'valid') assert.equal(blocks.length, fromHex(ct).length);
      ran.count(`${keySize} ${result} ${flags.join()}`);
    }
  }
  assert.deepEqual(ran.of, {
    '128 valid Pseudorandom': 24,
    '128 invalid NoPadding': 1,
    '128 invalid BadPadding': 47,
    '192 valid Pseudorandom': 24,
    '192 invalid NoPadding': 1,
    '192 invalid BadPadding': 47,
    '256 valid Pseudorandom': 24,
    '256 invalid NoPadding': 1,
    '256 invalid BadPadding': 47,
  });
});

const sizes = [8, 16];

test('RFC 5652 §6.3: every length of padding from one octet to a whole block is taken off', () => {
  for (const size of sizes) {
    for (let padding = 1; padding <= size; padding++) {
      const text = new Uint8Array(3 * size - padding).fill(0x41);
      const blocks = concat([text, new Uint8Array(padding).fill(padding)]);
      assert.deepEqual(unpadBlocks(blocks, size), text);
    }
    assert.deepEqual(unpadBlocks(new Uint8Array(size).fill(size), size), new Uint8Array(0));
  }
});

test('RFC 5652 §6.3: a last octet of zero or above a block leaves the blocks whole', () => {
  for (const size of sizes) {
    for (const last of [0, ...Array.from({ length: 255 - size }, (_, i) => size + 1 + i)]) {
      const blocks = new Uint8Array(2 * size).fill(last);
      assert.deepEqual(unpadBlocks(blocks, size), blocks, `last octet ${last}`);
    }
  }
});

test('RFC 5652 §6.3: any octet of the padding changed leaves the blocks whole', () => {
  for (const size of sizes) {
    for (let padding = 2; padding <= size; padding++) {
      for (let at = 2; at <= padding; at++) {
        const blocks = new Uint8Array(2 * size).fill(padding);
        blocks[blocks.length - at] = padding ^ 0x10;
        assert.deepEqual(unpadBlocks(blocks, size), blocks, `${padding} octets, wrong at -${at}`);
      }
    }
  }
});

test('RFC 5652 §6.3: any blocks give what the standard reads in them', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...sizes),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.integer({ min: 0, max: 20 }),
      fc.integer({ min: 0, max: 20 }),
      (size, block, count, value) => {
        const blocks: Bytes = concat([block, block]);
        blocks.fill(value, blocks.length - Math.min(count, size));
        const last = blocks.at(-1) ?? 0;
        const padding = blocks.subarray(blocks.length - last);
        const right = last >= 1 && last <= size && padding.every((octet) => octet === last);
        assert.deepEqual(
          unpadBlocks(blocks, size),
          right ? blocks.slice(0, blocks.length - last) : blocks,
        );
      },
    ),
    runs(500),
  );
});

test('RFC 5652 §6.3: every cipher of the registry decrypts what it encrypted', () => {
  for (const name of Object.keys(contentCiphers) as ContentCipherName[]) {
    const { keyOctets, blockOctets } = contentCiphers[name];
    const key = Uint8Array.from({ length: keyOctets }, (_, i) => 7 * i + 1);
    const iv = new Uint8Array(blockOctets).fill(0x33);
    const blocks = Uint8Array.from({ length: 5 * blockOctets }, (_, i) => i);
    const encrypted = cbcEncrypt(name, key, iv, blocks);
    assert.equal(encrypted.length, blocks.length);
    assert.notDeepEqual(encrypted, blocks);
    assert.deepEqual(cbcDecrypt(name, key, iv, encrypted), blocks);
  }
});

test('FIPS 46-3: single DES is the DES of the standard', () => {
  // The worked example of textbooks: key, plaintext and ciphertext of one block.
  const encrypted = cbcEncrypt(
    'DES',
    fromHex('133457799bbcdff1'),
    new Uint8Array(8),
    fromHex('0123456789abcdef'),
  );
  assert.deepEqual(encrypted, fromHex('85e813540f0ab405'));
});
