import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { concat, utf8 } from '../../lib/base/bytes.ts';
import {
  checkpointText,
  logKey,
  openCheckpoint,
  openNote,
  readVerifierKey,
  signedNote,
  verifierKey,
} from '../../lib/events/note.ts';
import { checkProof, proofText } from '../../lib/events/proof.ts';
import { nodesOf } from '../../lib/events/tiles.ts';
import { emptyEdge, grown, inclusionPath, leafHash, rootOf } from '../../lib/events/tree.ts';
import { tilesOf } from '../support/tiles.ts';

const origin = 'ca.example.com/log/default';
function makeLog(namedCurve = 'P-256') {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
  const spki = concat([publicKey.export({ type: 'spki', format: 'der' })]);
  return { spki, sign: (text: string) => concat([sign('sha256', utf8(text), privateKey)]) };
}
const log = makeLog();
const verifier = { name: origin, key: logKey(log.spki) };
const root = leafHash(utf8('x'));
const checkpoint = { origin, size: 7, root, time: Date.parse('2031-01-02T03:04:05.678Z') };
const text = checkpointText(checkpoint);
const note = signedNote(text, verifier, log.sign(text));

test('a checkpoint that the log has signed is read back', async () => {
  assert.deepEqual(await openCheckpoint(note, verifier), checkpoint);
  const lines = text.split('\n');
  assert.deepEqual(lines.slice(0, 2), [origin, '7']);
  assert.equal(lines[3], 'time 2031-01-02T03:04:05.678Z');
});

test('signatures of witnesses beside it are not looked at', async () => {
  const witness = makeLog();
  const other = { name: 'witness.example', key: logKey(witness.spki) };
  const line = signedNote(text, other, witness.sign(text)).split('\n\n')[1];
  assert.deepEqual(await openCheckpoint(`${note}${line}`, verifier), checkpoint);
  await assert.rejects(openNote(`${text}\n${line}`, verifier), /no signature of ca\.example\.com/);
});

test('a changed character of a checkpoint is refused, wherever it stands', async () => {
  for (let i = 0; i < note.length; i++) {
    const changed = `${note.slice(0, i)}${note[i] === 'A' ? 'B' : 'A'}${note.slice(i + 1)}`;
    await assert.rejects(openCheckpoint(changed, verifier), { name: 'Malformed' }, `at ${i}`);
  }
});

test('a note that is cut off, doubled or has control characters is refused', async () => {
  for (const wrong of [
    '',
    '\n',
    text,
    note.slice(0, -1),
    note.replace('\n', '\r\n'),
    `${note}\n`,
    `\0${note}`,
  ]) {
    await assert.rejects(openNote(wrong, verifier), { name: 'Malformed' });
  }
});

test('what the log signs in another form is no checkpoint', async () => {
  const forms = [
    text.replace('\n7\n', '\n07\n'),
    text.replace('\n7\n', '\n-7\n'),
    text.replace(/time .*/, 'time soon'),
    text.replace(/time .*\n/, ''),
    `${text}more\n`,
    text.replace(origin, 'other.example'),
  ];
  for (const form of forms) {
    const signed = signedNote(form, verifier, log.sign(form));
    await assert.rejects(openCheckpoint(signed, verifier), { name: 'Malformed' }, form);
  }
});

test('a verifier key is read back, and refused when a part of it is another', () => {
  const said = verifierKey(verifier);
  assert.equal(verifierKey(readVerifierKey(`${said}\n`)), said);
  const [name = '', id = '', key = ''] = said.split('+');
  for (const wrong of [
    '',
    name,
    `${name}+${id}`,
    `${name}+00000000+${key}`,
    `a b+${id}+${key}`,
    said.slice(0, -8),
  ]) {
    assert.throws(() => readVerifierKey(wrong), { name: 'Malformed' }, wrong);
  }
  assert.throws(() => logKey(makeLog('P-384').spki), /P-256/);
});

test('a proof holds for its own event and no other, and only under the key of the log', async () => {
  const entries = Array.from({ length: 300 }, (_, i) => utf8(`event ${i}`));
  const leaves = entries.map((entry) => leafHash(entry));
  const size = entries.length;
  const said = checkpointText({ ...checkpoint, size, root: rootOf(grown(emptyEdge, leaves)) });
  const signed = signedNote(said, verifier, log.sign(said));
  const path = await inclusionPath(nodesOf(tilesOf(leaves), size), 257, size);
  const proof = proofText({ index: 257, path, checkpoint: signed });
  const [entry = utf8(''), other = utf8('')] = [entries[257], entries[256]];
  assert.equal((await checkProof(proof, entry, verifier)).index, 257);
  const withExtra = proof.replace('\n', '\nextra aGVsbG8=\n');
  assert.equal((await checkProof(withExtra, entry, verifier)).size, 300);
  await assert.rejects(checkProof(proof, other, verifier), /does not lead/);
  await assert.rejects(checkProof(proof.replace('257', '256'), entry, verifier), /does not lead/);
  const stranger = { name: origin, key: logKey(makeLog().spki) };
  await assert.rejects(checkProof(proof, entry, stranger), { name: 'Malformed' });
  for (const wrong of [
    '',
    'x\n\n',
    proof.slice(0, 60),
    proof.replace('@v1', '@v2'),
    proof.replace('index ', 'index 0'),
  ]) {
    await assert.rejects(checkProof(wrong, entry, verifier), { name: 'Malformed' });
  }
});
