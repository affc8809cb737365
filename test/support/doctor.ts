// scepter doctor as a process, on a server of ours that says of itself that it is somewhere else.

import assert from 'node:assert/strict';
import { run } from './process.ts';

/** @param publicUrl of its configuration, where nothing is: the only fault that may be found */
export async function onlyMisplaced(url: string, publicUrl: string): Promise<void> {
  const { out, err } = await run('bin/scepter.js', ['doctor', url, '--json']);
  assert.ok(out, err);
  const { sections } = JSON.parse(out) as {
    sections: { findings: { check: string; mark: string; says: string }[] }[];
  };
  const troubles = sections
    .flatMap(({ findings }) => findings)
    .filter(({ mark }) => mark !== 'good')
    // What a cloud's own servers do: they end connections, and say what time it is.
    .filter(({ check }) => !['halfClosed', 'clock'].includes(check))
    .map(({ check, mark, says }) => `${check} ${mark} ${says}`);
  assert.equal(troubles.length, 1, troubles.join('\n'));
  assert.ok(troubles[0]?.startsWith(`crl fault ${publicUrl}/crl/`), troubles[0]);
}
