// What commands that list or show print: tables in the width of a terminal, pages, JSON, CSV; colours and a
// pager on a terminal, and neither anywhere else.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { hex, pem } from '../../lib/base/bytes.ts';
import { csvLine } from '../../lib/cli/show.ts';
import { pageText, type Sheet } from '../../lib/cli/text.ts';
import { readCertificate } from '../../lib/x509/certificate.ts';
import { openTerminal } from '../support/cli.ts';
import { deviceKey } from '../support/keys.ts';
import { makeLab } from '../support/lab.ts';
import { enrolment } from '../support/messages.ts';
import { type Finished, temporary } from '../support/process.ts';

const lab = await makeLab({ now: Date.UTC(2031, 4, 6, 7, 8, 9) });
const terminal = await openTerminal(lab);
after(() => terminal.close());

const subject = `CN=${'n'.repeat(60)},OU=${'u'.repeat(40)},O=a \\"quoted\\" name`;
const sent = await enrolment(lab, {
  key: await deviceKey('output'),
  subject,
  challenge: await lab.challenge({ endpoint: 'default' }),
});
const answer = await sent.read(await lab.operate(sent.message));
assert.equal(answer.pkiStatus, 'SUCCESS', JSON.stringify(answer));
const [der] = answer.pkiStatus === 'SUCCESS' ? answer.certificates : [];
assert.ok(der);
const serial = hex(readCertificate(der).serial);
const file = join(temporary('output'), 'cert.pem');
writeFileSync(file, pem('CERTIFICATE', der));
const { transactions } = JSON.parse((await terminal.run(['txn', 'list', '--json'])).out);
const id: string = transactions[0].id;

/** The rows of a CSV document (RFC 4180), by rules of its own. */
function rowsIn(csv: string): string[][] {
  const rows: string[][] = [];
  for (let at = 0; at < csv.length; ) {
    const row: string[] = [];
    for (;;) {
      assert.equal(csv[at], '"', csv.slice(at, at + 40));
      let cell = '';
      for (at++; csv[at] !== '"' || csv[at + 1] === '"'; at++) {
        if (csv[at] === '"') at++;
        cell += csv[at];
      }
      row.push(cell);
      at++;
      if (csv[at] !== ',') break;
      at++;
    }
    assert.equal(csv.slice(at, at + 2), '\r\n');
    at += 2;
    rows.push(row);
  }
  return rows;
}

describe('-o', () => {
  const shows: readonly (readonly [columns: string, ...args: string[]])[] = [
    ['ID,STATE,USES LEFT,CREATED,EXPIRES,ENDPOINT,FOR', 'challenge', 'list'],
    ['ID,STATE,APPROVALS,CREATED,ENDPOINT,SUBJECT', 'txn', 'list'],
    ['SECTION,FIELD,VALUE', 'txn', 'show', id],
    ['SERIAL,STATE,FROM,UNTIL,CA,SUBJECT', 'cert', 'list'],
    ['SECTION,FIELD,VALUE', 'cert', 'show', serial],
    ['SERIAL,STATE,FROM,UNTIL,SUBJECT,RENEWS', 'cert', 'renewals', serial],
    ['SERIAL,REVOKED,REASON', 'crl', 'show'],
    ['SECTION,FIELD,VALUE', 'ca', 'show'],
    ['SECTION,FIELD,VALUE', 'ca', 'show', 'default'],
    ['NAME,PERSON,ROLES,CREATED,LAST USE,EXPIRES', 'token', 'list'],
    ['SECTION,FIELD,VALUE', 'status'],
    ['CODE,REASON,FAILINFO,TEXT', 'explain', '--list'],
    ['SECTION,FIELD,VALUE', 'explain', '311'],
    ['SECTION,FIELD,VALUE', 'inspect', file],
    ['US DOLLARS,functionUrl,httpApi,cloudfront,workers', 'cost', '--devices', '10'],
  ];

  for (const [columns, ...args] of shows) {
    const name = args.filter((word) => /^[a-z-]+$/.test(word)).join(' ');
    test(`${name}: csv has rows of ${columns}; json is what --json is`, async () => {
      const csv = await terminal.run([...args, '-o', 'csv']);
      assert.equal(csv.code, 0, csv.err);
      const [head = [], ...rows] = rowsIn(csv.out);
      assert.equal(head.join(','), columns);
      assert.ok(rows.length > 0 || args[0] === 'crl', 'there is something to list');
      for (const row of rows) assert.equal(row.length, head.length, row.join());
      const json = await terminal.run([...args, '-o', 'json']);
      assert.deepEqual(
        Object.keys(JSON.parse(json.out)),
        Object.keys(JSON.parse((await terminal.run([...args, '--json'])).out)),
      );
      const table = await terminal.run([...args, '-o', 'table']);
      assert.equal(table.out, (await terminal.run(args)).out);
    });
  }

  test('csv has every value in full, where a table without a terminal cuts the last one', async () => {
    const whole: string = transactions[0].subject;
    assert.ok(whole.length > 80);
    for (const noun of ['txn', 'cert']) {
      const { out } = await terminal.run([noun, 'list', '-o', 'csv']);
      assert.equal(rowsIn(out)[1]?.at(-1), whole);
      const table = (await terminal.run([noun, 'list'])).out;
      assert.ok(table.includes(`${whole.slice(0, 80)}…\n`), table);
    }
  });

  test('csv of an empty list is its columns, and how to go on is said on stderr', async () => {
    const none = await terminal.run(['txn', 'list', '--state', 'denied', '-o', 'csv']);
    assert.equal(rowsIn(none.out).length, 1);
    assert.match(none.err, /no denied transactions/);
    await terminal.run(['challenge', 'create']);
    const first = await terminal.run(['challenge', 'list', '--limit', '1', '-o', 'csv']);
    assert.equal(rowsIn(first.out).length, 2);
    assert.match(first.err, /^there are more: add --all, or --cursor /);
  });

  test('what a spreadsheet would calculate, or a terminal obey, is text in csv', () => {
    assert.equal(
      csvLine(['=1+1', '-2', '@x', 'a"b', 'a\r\n=b', undefined, 7]),
      `"'=1+1","'-2","'@x","a""b","a\\u000d\\u000a=b","","7"\r\n`,
    );
  });

  test('log tail has one event a row, with the columns of log export', async () => {
    const { out } = await terminal.run(['log', 'tail', '-n', '2', '-o', 'csv']);
    const rows = rowsIn(out);
    assert.equal(rows.length, 3);
    assert.equal(rows[0]?.[0], 'eventTime');
    const exported = await terminal.run(['log', 'export', '--format', 'csv']);
    assert.deepEqual(rowsIn(exported.out)[0], rows[0]);
  });

  test('--json with another -o, and an unknown one, are exit 2 with the way out', async () => {
    const both = await terminal.run(['cert', 'list', '--json', '-o', 'csv']);
    assert.equal(both.code, 2);
    assert.match(both.err, /--json is -o json: give it or -o csv, not both/);
    const unknown = await terminal.run(['cert', 'list', '-o', 'yaml']);
    assert.equal(unknown.code, 2);
    assert.match(unknown.err, /Allowed choices are table, json, csv/);
  });
});

describe('a table on a terminal', () => {
  const page: Sheet = [
    [
      {
        columns: ['SERIAL', 'STATE', 'FROM', 'UNTIL', 'SUBJECT'],
        rows: [
          [
            '5f1c2a9d3b7e48f0a1b2c3d4e5f60718',
            'issued',
            '2031-05-06T07:08:09Z',
            '2032-05-06T07:08:09Z',
            'CN=東京の端末,O=例',
          ],
          ['00', 'revoked', '2031-05-06T07:08:09Z', '-', 'CN=a\u001b[31mb'],
        ],
      },
    ],
  ];
  const style = (tone: string, text: string) => `\u001b[3${tone.length % 7}m${text}\u001b[39m`;
  /** Columns that a terminal needs for a line, by rules of its own. */
  const widthOf = (line: string): number =>
    [...line].reduce((sum, one) => sum + (/[\u3040-\u30ff\u4e00-\u9fff]/.test(one) ? 2 : 1), 0);

  test('no line is wider than the terminal, down to what no column can do without', () => {
    const whole = Math.max(...pageText(page).split('\n').map(widthOf));
    for (let columns = 48; columns < whole + 5; columns++) {
      const lines = pageText(page, { columns, style: (_, text) => text }).split('\n');
      for (const line of lines) assert.ok(widthOf(line) <= columns, `${columns}: ${line}`);
      if (columns >= whole) assert.deepEqual(lines, pageText(page).split('\n'));
    }
  });

  test('a name of nothing but marks is cut like any, however long it is', () => {
    const marks = `a${'\u0301'.repeat(300_000)}${'b'.repeat(100)}`;
    const page: Sheet = [[{ columns: ['NAME', 'MORE'], rows: [[marks, 'more']] }]];
    const [, line = ''] = pageText(page, { columns: 60, style: (_, text) => text }).split('\n');
    assert.match(line, /^a\u0301+b+… +more$/);
  });

  test('times become days before anything is cut', () => {
    const [, line = ''] = pageText(page, { columns: 90, style: (_, text) => text }).split('\n');
    assert.match(
      line,
      /^5f1c2a9d3b7e48f0a1b2c3d4e5f60718 {2}issued {3}2031-05-06 {2}2032-05-06 {2}CN=東京の端末,O=例$/,
    );
    const [, narrow = ''] = pageText(page, { columns: 70, style: (_, text) => text }).split('\n');
    assert.match(narrow, /^5f1c2a9d3b7e\w*… +issued +2031-05-06 +2032-05-06 +CN=東/);
  });

  test('states have their colours, which move no column; and no text of others acts on the terminal', () => {
    const seen: string[] = [];
    const coloured = pageText(page, {
      columns: undefined,
      style: (tone, text) => {
        seen.push(`${tone} ${text}`);
        return style(tone, text);
      },
    });
    assert.deepEqual(seen, ['good issued', 'bad revoked']);
    assert.equal(stripVTControlCharacters(coloured), pageText(page));
    assert.ok(coloured.includes('CN=a\\u001b[31mb'));
  });

  test('marks, warnings and a state with its reason have colours on a page; the rest has none', () => {
    const seen: string[] = [];
    const note = (tone: string, text: string) => {
      seen.push(`${tone} ${text}`);
      return text;
    };
    pageText(
      [
        [
          {
            fields: [
              ['state', 'revoked since noon'],
              ['subject', 'revoked'],
              ['warning', ['soon', 'late']],
            ],
          },
          {
            columns: ['', 'CHECK'],
            rows: [
              ['✓', 'DNS'],
              ['✗', 'TLS'],
              ['!', 'clock'],
            ],
          },
        ],
      ],
      { columns: undefined, style: note },
    );
    assert.deepEqual(seen, [
      'bad revoked since noon',
      'warning soon',
      'warning late',
      'good ✓',
      'bad ✗',
      'warning !',
    ]);
  });
});

const root = join(import.meta.dirname, '..', '..');
const cli = `'${process.execPath}' '${join(root, 'bin', 'scepter.js')}'`;
/** No more than a shell needs: NO_COLOR, CI, PAGER and their like would have the command do other things. */
const { PATH = '', HOME = '' } = process.env;
async function onTerminal(command: string, more: Record<string, string> = {}): Promise<Finished> {
  const child = spawn('script', ['-qefc', `stty rows 12 cols 70; ${command}`, '/dev/null'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH, HOME, TERM: 'xterm-256color', ...more },
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, out, err };
}
const isThere = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0;

describe('a real terminal', { skip: isThere ? false : 'there is no script(1) here' }, () => {
  const long = `${cli} explain --list`;
  const sed = "sed 's/^/> /'";
  const shown = async (command: string, more: Record<string, string>) => {
    const { code, out } = await onTerminal(command, more);
    assert.equal(code, 0, out);
    return out;
  };

  test('what is longer than the screen goes through SCEPTER_PAGER, or else PAGER; what is not does not', async () => {
    const paged = await shown(long, { SCEPTER_PAGER: sed, PAGER: 'false' });
    assert.match(paged, /^> CODE/);
    assert.match(paged, /\r\n> SCEP-502/);
    assert.match(await shown(long, { PAGER: sed }), /^> CODE/);
    assert.match(await shown(`${cli} explain 311`, { PAGER: sed }), /^SCEP-311/);
  });

  test('--no-pager, an empty SCEPTER_PAGER and a pager that is not there print it at once', async () => {
    assert.match(await shown(`${long} --no-pager`, { PAGER: sed }), /^CODE/);
    assert.match(await shown(long, { SCEPTER_PAGER: '', PAGER: sed }), /^CODE/);
    const missing = await shown(long, { SCEPTER_PAGER: 'no-such-pager-at-all' });
    assert.match(missing, /\r\nCODE[\s\S]*SCEP-502/);
  });

  test('a pager that is left early is no failure', async () => {
    assert.match(await shown(long, { PAGER: 'head -n 1' }), /^CODE[^\n]*\n$/);
  });

  test('a pipe has neither pager nor width', async () => {
    const piped = await shown(`${long} | cat`, { PAGER: sed });
    assert.match(piped, /^CODE[\s\S]* the messageDigest attribute does not match the content\r\n/);
  });

  test('colours are for terminals, unless NO_COLOR or FORCE_COLOR say otherwise', async () => {
    const list = `${cli} txn list --url ${terminal.url}`;
    const token = { SCEPTER_TOKEN: lab.adminToken, PAGER: '' };
    for (const [command, more, coloured] of [
      [list, {}, true],
      [list, { NO_COLOR: '1' }, false],
      [`${list} | cat`, {}, false],
      [`${list} | cat`, { FORCE_COLOR: '1' }, true],
    ] as const) {
      const out = await shown(command, { ...token, ...more });
      assert.match(out, /issued/);
      assert.equal(out.includes('\u001b[32missued\u001b[39m'), coloured, out);
    }
  });
});
