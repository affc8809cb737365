// scepter devices: files into lists, checked whole before anything is written, gone on with after they were cut off.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { openTerminal } from '../support/cli.ts';
import { makeLab } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { temporary } from '../support/process.ts';

const store = new MemoryStore();
const lab = await makeLab({
  store,
  endpoint: { enrol: { authorize: ['challenge', 'deviceList'] } },
});
let between: ((request: Request) => Response | undefined) | undefined;
const posted: number[] = [];
const terminal = await openTerminal(lab, async (request, answer) => {
  const { rows } =
    request.method === 'POST' ? ((await request.clone().json()) as { rows: [] }) : { rows: [] };
  if (request.method === 'POST') posted.push(rows.length);
  return between?.(request) ?? answer(request);
});
after(() => terminal.close());
beforeEach(() => {
  between = undefined;
  posted.length = 0;
});

const folder = temporary('devices');
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const run = (...args: string[]) => terminal.run(['devices', ...args]);
/** Of CSV, without its quotes. */
const lines = (text: string): string[] => text.replaceAll('"', '').trim().split('\r\n');

const csv = `serial,mac,name,subject,san,owner
C1,A4-83-E7-00-00-01,printer-1,"CN=printer-1,O=Example",dns:printer-1.example.com dns:p1.example.com,Jane
C2,,printer-2,,,
`;

test('a file of CSV: tried, imported, found by each identifier; the same again changes nothing', async () => {
  const path = file('a.csv', csv);
  const tried = await run('import', path, '--dry-run');
  assert.equal(tried.code, 0, tried.err);
  assert.deepEqual(lines(tried.out), ['line,device,result,detail', '2,C1,added,', '3,C2,added,']);
  assert.match(tried.err, /nothing was done/);
  assert.match((await run('list')).err, /no devices in the list default/);
  const done = await run('import', path);
  assert.equal(done.out, tried.out);
  assert.match(done.err, /list default, 2 devices: 2 added, 0 changed, 0 removed, 0 unchanged/);
  for (const id of ['c1', 'a483.e700.0001', 'printer-1']) {
    const { out } = await run('show', id);
    assert.match(out, /device\s+C1\n/);
    assert.match(out, /dns:p1\.example\.com/);
  }
  const again = await run('import', path, '--json');
  const { unchanged, added } = JSON.parse(again.out);
  assert.deepEqual([unchanged, added], [2, 0]);
});

test('JSON, such as the list itself prints; what is not in the file goes only if it is said', async () => {
  const path = file('b.csv', 'serial\nL1\nL2\nL3\n');
  await run('import', path, '--list', 'json');
  const { out } = await run('list', '--list', 'json', '--all', '--json');
  const all = JSON.parse(out);
  all.devices[0].owner = 'Joe';
  const other = file('b.json', JSON.stringify({ devices: all.devices.slice(0, 2) }, null, 2));
  const kept = await run('import', other, '--list', 'json', '--dry-run');
  assert.match(kept.err, /1 changed, 0 removed, 1 unchanged/);
  const gone = await run('import', other, '--list', 'json', '--remove-missing');
  assert.ok(lines(gone.out).includes(',L3,removed,not in the file'));
  assert.match((await run('show', 'L3', '--list', 'json')).out, /state\s+removed since/);
  const back = await run('import', path, '--list', 'json');
  assert.ok(lines(back.out).includes('4,L3,removed,it was removed before, and stays so'));
  const restored = await run('import', path, '--list', 'json', '--restore');
  assert.ok(lines(restored.out).includes('4,L3,added,'));
});

describe('bad rows are told by line and column, all at once, and nothing is written', () => {
  for (const [what, text, said] of [
    ['csv: a MAC', 'serial,mac\nQ1,\nQ2,xx\n', /line 3, column mac: "xx" is no MAC address/],
    ['csv: a name', 'serial,san\nQ1,printer\n', /line 2, column san: .*TYPE:VALUE/],
    [
      'csv: a pattern',
      'serial,subject-pattern\nQ1,CN=*\n',
      /line 2, column subject-pattern: CN: must say more/,
    ],
    [
      'csv: no TYPE',
      'serial,subject-pattern\nQ1,printer\n',
      /line 2, column subject-pattern: "printer" is not TYPE=PATTERN/,
    ],
    ['csv: a column', 'serial,colour\nQ1,red\n', /line 1, column colour: is none of serial/],
    ['csv: twice', 'serial,name\nQ1,a\nQ2,A\n', /line 3: has an identifier of line 2, too/],
    [
      'csv: a column twice',
      'serial,serial\nQ1,Q2\n',
      /line 2, column serial: stands more than once/,
    ],
    ['csv: nothing to find it by', 'owner\nJane\n', /line 2, column serial: has to have a serial/],
    ['csv: too long', `serial\n${'x'.repeat(129)}\n`, /line 2, column serial: must be 1 to 128/],
    [
      'json: a field',
      '[\n{"serial": "Q1"},\n{"serial": "Q2", "san": "x"}\n]',
      /line 3, column san/,
    ],
    ['json: none', '[\n{"serial": }\n]', /bad is not JSON: /],
    ['json: an item', '[\n{"serial": "Q1"},\n5\n]', /must be an object/],
    ['json: no list', '{"serial": "Q1"}', /must be an array of devices/],
  ] as const) {
    test(what, async () => {
      const before = store.dump().length;
      const { code, err, out } = await run('import', file('bad', text));
      assert.equal(code, 2, err);
      assert.match(err, said);
      assert.match(err, /nothing was done/);
      assert.equal(out, '');
      assert.equal(store.dump().length, before);
    });
  }
});

test('pages have at most 500 rows and 64 KiB; an import that is cut off goes on with the rest', async () => {
  const rows = Array.from({ length: 1200 }, (_, i) => `S${i},host-${i}`);
  const path = file('many.csv', `serial,name\n${rows.join('\n')}\n`);
  let writes = 0;
  between = ({ method }) => {
    // Three to check, then those that write.
    if (method === 'POST' && ++writes === 5)
      return new Response('{"detail":"no"}', { status: 403 });
    return undefined;
  };
  const cut = await run('import', path, '--list', 'many');
  assert.equal(cut.code, 4, cut.err);
  assert.match(cut.err, /500 of 1200 written; the same command goes on with the rest/);
  assert.ok(posted.every((count) => count <= 500));
  between = undefined;
  const rest = await run('import', path, '--list', 'many');
  assert.equal(rest.code, 0, rest.err);
  assert.match(rest.err, /700 added, 0 changed, 0 removed, 500 unchanged/);
  const long = Array.from({ length: 300 }, (_, i) => `T${i},"CN=${'x'.repeat(500)},OU=${i}"`);
  posted.length = 0;
  const big = await run(
    'import',
    file('long.csv', `serial,subject\n${long.join('\n')}\n`),
    '--list',
    'big',
  );
  assert.equal(big.code, 0, big.err);
  assert.ok(posted.length > 4 && posted.every((count) => count < 300));
});

test('remove says it, and keeps it on record; an unknown device is exit code 3', async () => {
  await run('import', file('r.csv', 'serial,name\nR1,r-host\n'));
  const { out } = await run('remove', 'r-host', '--reason', 'stolen');
  assert.equal(out, 'R1 removed\n');
  const shown = await run('show', 'R1');
  assert.match(shown.out, /state\s+removed since 2/);
  assert.match(shown.out, /removed by\s+\S/);
  const log = await terminal.run(['log', 'tail', '--type', 'devices.removed', '--json']);
  assert.match(log.out, /"note":"stolen"/);
  for (const verb of ['show', 'remove']) assert.equal((await run(verb, 'nobody')).code, 3);
});
