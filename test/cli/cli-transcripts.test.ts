// Sessions at the command line as they are written down in test/transcripts/, played again.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { folder, play, transcripts } from '../support/transcript.ts';

for (const name of transcripts()) {
  test(`${name} comes out as it is written ("npm run transcripts" writes it anew)`, async () => {
    assert.equal(await play(name), readFileSync(join(folder, name), 'utf8'));
  });
}

test('no transcript holds a challenge or a key', () => {
  for (const name of transcripts()) {
    const text = readFileSync(join(folder, name), 'utf8');
    assert.doesNotMatch(text, /\b[0-9a-hjkmnp-tv-z]{26}\b|PRIVATE KEY-----\n/, name);
  }
});
