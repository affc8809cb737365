// scepter explain: every code there is, by whatever name people have it.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { failInfoOf } from '../../lib/protocol/scep/wire/fail-info.ts';
import { explained } from '../../lib/refusal/explanations.ts';
import { type Reason, reasons } from '../../lib/refusal/reasons.ts';
import { openTerminal } from '../support/cli.ts';
import { makeLab } from '../support/lab.ts';

const terminal = await openTerminal(await makeLab());
after(() => terminal.close());
const explain = (...args: string[]) => terminal.run(['explain', ...args]);
const all = Object.keys(reasons) as Reason[];

test('every code has what the device was told, what it means, the rule, what to change', async () => {
  for (const reason of all) {
    const { code, text, rule, means, change } = explained(reason);
    const { code: exit, out, err } = await explain(code);
    assert.equal(exit, 0, err);
    assert.ok(out.startsWith(`${code} ${reason}\n  told    failInfo ${failInfoOf[reason]} (`), out);
    for (const said of [text, rule, means, change]) {
      assert.ok(out.includes(said), `${code}: ${said}`);
    }
  }
});

test('a code, its digits and its name, in any case, give the same page', async () => {
  const { out } = await explain('SCEP-311');
  for (const name of ['scep-311', '311', 'SCEP311', 'subjectNotBound', 'SUBJECTNOTBOUND']) {
    assert.equal((await explain(name)).out, out, name);
  }
});

test('explain --list prints a line for each code, --json all of it as data', async () => {
  const lines = (await explain('--list')).out.split('\n').slice(1, -1);
  assert.deepEqual(
    lines.map((line) => line.split(/\s+/).slice(0, 2)),
    all.map((reason) => [reasons[reason].code, reason]),
  );
  const { codes } = JSON.parse((await explain('--list', '--json')).out);
  assert.deepEqual(
    codes,
    all.map((reason) => {
      const { code, text, rule, means, change } = explained(reason);
      return { reason, failInfo: failInfoOf[reason], code, text, rule, means, change };
    }),
  );
  assert.deepEqual(
    JSON.parse((await explain('302', '--json')).out),
    codes[all.indexOf('challengeUnknown')],
  );
});

test('an unknown code is exit 3, whatever it is', async () => {
  for (const code of ['SCEP-999', '12', '', 'toString', '__proto__', '\u001b[2J']) {
    const { code: exit, out, err } = await explain(code);
    assert.equal(exit, 3, code);
    assert.equal(out, '');
    assert.match(err, /^scepter: there is no code ".*"; --list prints all codes\n$/);
  }
});

test('explain asks no server', async () => {
  const other = await openTerminal(await makeLab(), async () => {
    throw new Error('it asked');
  });
  assert.equal((await other.run(['explain', '311'])).code, 0);
  assert.equal((await other.run(['explain', '--list'])).code, 0);
  await other.close();
});
