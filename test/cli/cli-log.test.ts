// scepter log: every event, whole, in its order, whatever is in it and whatever happens on the way.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { canonicalText } from '../../lib/base/json.ts';
import { eventKinds } from '../../lib/cli/log/kinds.ts';
import { type EventFields, eventText, makeEvent } from '../../lib/events/event.ts';
import type { EventRecord } from '../../lib/ports/records/records.ts';
import { type Answer, openTerminal, type TerminalOptions } from '../support/cli.ts';
import { makeLab } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { enrolment, random } from '../support/messages.ts';
import { temporary } from '../support/process.ts';

const store = new MemoryStore();
const lab = await makeLab({
  store,
  endpoint: { approval: 'always' },
  now: Date.UTC(2031, 4, 6, 7, 8, 9),
});
let between: ((request: Request, answer: Answer) => Promise<Response>) | undefined;
const terminal = await openTerminal(lab, async (request, answer) =>
  between ? between(request, answer) : answer(request),
);
after(() => terminal.close());
const log = (args: string[], options: TerminalOptions = {}) =>
  terminal.run(['log', ...args], options);

const hostile = '=HYPERLINK("http://x","y")\u001b[2J\r\n01FAKE\u202e';
async function put(fields: Omit<EventFields, 'actor'>, at = lab.clock.at): Promise<string> {
  const actor = { kind: 'admin', id: '@admin' } as const;
  const { id, ...record } = makeEvent(at, random(34), { actor, ...fields });
  await lab.deps.store.write([{ do: 'put', kind: 'event', key: id, rev: 0, record }]);
  return id;
}

/** Of everything that happened, oldest first. */
const bodies = (): string[] =>
  store
    .dump()
    .filter(({ kind }) => kind === 'event')
    .map(({ record }) => canonicalText(JSON.parse(eventText(record as EventRecord))))
    .sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
const idOf = (body: string): string => JSON.parse(body).id;

// A life: a request that waits, is approved, fetched; and many events beside it, some of them hostile.
const challenge = await lab.challenge();
const sent = await enrolment(lab, { challenge, transactionID: 'one' });
await lab.operate(sent.message);
lab.clock.at += 60_000;
const [{ transaction = '' } = {}] = bodies().flatMap((body) => {
  const event = JSON.parse(body) as EventFields;
  return event.type === 'request.pending' ? [event] : [];
});
await terminal.run(['txn', 'approve', transaction, '--reason', hostile]);
// Whoever reads is told of once an hour: here, and not by what is tested below.
await terminal.run(['log', 'tail', '-n', '1']);
for (let n = 0; n < 250; n++) {
  lab.clock.at += 1000;
  await put({ type: 'crl.published', ca: 'default', number: n, note: `event ${n}` });
}
lab.clock.at += 1000;
await put({ type: 'request.refused', subject: hostile, names: ['dns:a', '+1'], code: 'SCEP-311' });
lab.clock.at += 1000;

/** What would make a terminal do something, or a reader see something else. */
const acts = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** RFC 4180, strictly: every cell quoted, CRLF at the end of every row. */
function rowsOf(csv: string): string[][] {
  assert.match(csv, /^("([^"]|"")*"(,"([^"]|"")*")*\r\n)*$/);
  return csv
    .split('\r\n')
    .slice(0, -1)
    .map((line) =>
      [...line.matchAll(/"((?:[^"]|"")*)"/g)].map(([, cell = '']) => cell.replaceAll('""', '"')),
    );
}

describe('log export', () => {
  test('jsonl has every event, oldest first, octet for octet what was hashed', async () => {
    const { code, out, err } = await log(['export']);
    assert.equal(code, 0, err);
    assert.equal(
      out,
      bodies()
        .map((body) => `${body}\n`)
        .join(''),
    );
    assert.equal(err, `${bodies().length} events\n`);
  });

  test('csv has the same events, a row and a line each, under their headings', async () => {
    const { out, err } = await log(['export', '--format', 'csv']);
    const [headings = [], ...rows] = rowsOf(out);
    assert.equal(err, `${bodies().length} events\n`);
    assert.equal(rows.length, bodies().length);
    for (const [i, row] of rows.entries()) {
      const event = JSON.parse(bodies()[i] ?? '');
      const cells = Object.fromEntries(headings.map((heading, at) => [heading, row[at]]));
      assert.equal(cells.eventTime, event.time);
      assert.equal(cells.eventName, event.type);
      assert.equal(cells.eventID, event.id);
      assert.equal(cells.requestID, event.transaction ?? '');
      assert.equal(cells.errorCode, event.code ?? '');
      assert.equal(cells.userIdentityType, event.actor.kind);
      assert.equal(cells.number, String(event.number ?? ''));
      assert.equal(cells.salt, event.salt);
      assert.equal(cells.userName?.replace(/^'@/, '@'), event.personal?.actor?.id ?? '');
      assert.equal(cells.transactionID, event.personal?.transactionID ?? '');
      assert.equal(cells.personalHash, event.personalHash ?? '');
      for (const heading of headings) assert.equal(typeof cells[heading], 'string', heading);
    }
  });

  test('csv has no cell that is a formula or acts on a terminal', async () => {
    const { out } = await log(['export', '--format', 'csv']);
    const cells = rowsOf(out).flat();
    assert.equal(cells.filter((cell) => /^[=+\-@\t\r\n]/.test(cell)).length, 0);
    assert.doesNotMatch(out.replaceAll('\r\n', '\n'), acts);
    const shown = `'=HYPERLINK("http://x","y")\\u001b[2J\\u000d\\u000a01FAKE\\u202e`;
    assert.equal(cells.filter((cell) => cell === shown).length, 2);
    assert.ok(cells.includes("'@admin"));
    assert.ok(cells.includes('dns:a +1'));
  });

  test('ocsf has the same events, a line each: what happened, who did it, and all the rest of it', async () => {
    const { out, err } = await log(['export', '--format', 'ocsf']);
    assert.equal(err, `${bodies().length} events\n`);
    assert.doesNotMatch(out, acts);
    const lines = out.split('\n').slice(0, -1);
    assert.equal(lines.length, bodies().length);
    for (const [i, line] of lines.entries()) {
      const [event, ocsf] = [JSON.parse(bodies()[i] ?? ''), JSON.parse(line)];
      assert.equal(ocsf.time, Date.parse(event.time));
      assert.equal(ocsf.metadata.uid, event.id);
      assert.equal(ocsf.metadata.event_code, event.type);
      assert.equal(ocsf.type_uid, ocsf.class_uid * 100 + ocsf.activity_id);
      assert.equal(ocsf.actor.user.name, event.personal?.actor?.id ?? event.actor.kind);
      assert.equal(ocsf.unmapped.salt, event.salt);
      const { note } = event.personal ?? {};
      if (ocsf.class_uid === 3004) assert.equal(ocsf.comment, note);
      else assert.ok(ocsf.message.includes(note ?? ''), ocsf.message);
      if (event.type === 'request.refused') assert.equal(ocsf.entity.name, hostile);
    }
    const approved = lines
      .map((line) => JSON.parse(line))
      .find(({ type_uid }) => type_uid === 300406);
    assert.equal(approved.metadata.event_code, 'request.pending');
    assert.equal(approved.entity.uid, transaction);
  });

  test('cef has the same events, a line each, and no value of one begins another', async () => {
    const { out, err } = await log(['export', '--format', 'cef']);
    assert.equal(err, `${bodies().length} events\n`);
    assert.doesNotMatch(out, acts);
    const lines = out.split('\n').slice(0, -1);
    assert.equal(lines.length, bodies().length);
    for (const [i, line] of lines.entries()) {
      const event = JSON.parse(bodies()[i] ?? '');
      const [cef, vendor, product, version, type, ...rest] = line.split('|');
      assert.deepEqual(
        [cef, vendor, product, version, type],
        ['CEF:0', 'Scepter', 'Scepter', '1', event.type],
      );
      const [, severity, extension = ''] = rest;
      assert.match(severity ?? '', /^[1368]$/);
      assert.ok(extension.startsWith(`externalId=${event.id} rt=${Date.parse(event.time)} act=`));
    }
    const refused = lines.find((line) => line.includes('|request.refused|')) ?? '';
    const shown = String.raw`cs5Label=Subject cs5=\=HYPERLINK("http://x","y")\\u001b[2J\r\n01FAKE\\u202e `;
    assert.ok(refused.includes(shown), refused);
  });

  test('a heading needs no escape in a header of CEF', () => {
    for (const { name } of Object.values(eventKinds)) assert.match(name, /^[^|\\\r\n]+$/);
  });

  test('export selects by time, type and transaction; a duration means that long ago', async () => {
    const exported = async (...args: string[]) =>
      (await log(['export', ...args])).out.split('\n').slice(0, -1).map(idOf);
    const all = bodies();
    const wanted = (
      fits: (event: { time: string; type: string; transaction?: string }) => boolean,
    ) => all.filter((body) => fits(JSON.parse(body))).map(idOf);
    assert.deepEqual(
      await exported('--type', 'request.refused'),
      wanted(({ type }) => type === 'request.refused'),
    );
    assert.deepEqual(
      await exported('--transaction', transaction),
      wanted((event) => event.transaction === transaction),
    );
    const [from, until] = ['2031-05-06T07:10:00Z', '2031-05-06T07:11:00.000Z'];
    const inside = wanted(({ time }) => time >= '2031-05-06T07:10:00.000Z' && time < until);
    assert.equal(inside.length, 60);
    assert.deepEqual(await exported('--from', from, '--until', until), inside);
    const latest = new Date(lab.clock.at - 30_000).toISOString();
    assert.deepEqual(
      await exported('--from', '30s'),
      wanted(({ time }) => time >= latest),
    );
    const [, second = ''] = all.map(idOf);
    assert.deepEqual(await exported('--after', second), all.map(idOf).slice(2));
  });

  test('an event that happens during the export is not in it', async () => {
    let later = '';
    between = async (request, answer) => {
      between = undefined;
      const page = await answer(request);
      later = await put({ type: 'admin.acted' }, lab.clock.at + 5000);
      return page;
    };
    const { out } = await log(['export']);
    assert.ok(later !== '' && !out.includes(later));
    lab.clock.at += 10_000;
    assert.ok((await log(['export'])).out.includes(later));
  });

  test('a page that does not come at once is asked for again', async () => {
    let asked = 0;
    between = async (request, answer) =>
      ++asked === 2 || asked === 3 ? new Response('', { status: 503 }) : answer(request);
    const before = lab.clock.at;
    const { code, out, err } = await log(['export']);
    between = undefined;
    lab.clock.at = before;
    assert.equal(code, 0);
    assert.deepEqual(terminal.slept, [500, 1000]);
    assert.equal(err.match(/asking again/g)?.length, 2);
    assert.equal(
      out,
      bodies()
        .map((body) => `${body}\n`)
        .join(''),
    );
  });
});

describe('log export --out', () => {
  const target = () => join(temporary('export'), 'events');
  const formats = ['jsonl', 'csv', 'ocsf', 'cef'] as const;
  const whole = { jsonl: '', csv: '', ocsf: '', cef: '' };
  before(async () => {
    for (const format of formats) {
      whole[format] = (await log(['export', '--format', format])).out;
    }
  });
  for (const format of formats) {
    test(`${format}: the file is there when it is complete, and nobody else may read it`, async () => {
      const out = target();
      let seen: boolean | undefined;
      between = async (request, answer) => {
        seen = existsSync(out);
        return answer(request);
      };
      const { code, out: said, err } = await log(['export', '--format', format, '--out', out]);
      between = undefined;
      assert.equal(code, 0, err);
      assert.equal(seen, false);
      assert.equal(said, '');
      assert.equal(err, `${bodies().length} events written to ${out}\n`);
      assert.equal(readFileSync(out, 'utf8'), whole[format]);
      assert.equal(existsSync(`${out}.part`), false);
    });

    for (const cut of [0, 1, 2]) {
      test(`${format}: interrupted after ${cut} pages, even inside a line, it goes on to the same file`, async () => {
        const out = target();
        let pages = 0;
        between = async (request, answer) => {
          if (pages++ === cut) return new Response('{"detail":"no"}', { status: 403 });
          return answer(request);
        };
        const args = ['export', '--format', format, '--out', out];
        const first = await log(args);
        between = undefined;
        assert.equal(first.code, 4, first.err);
        assert.equal(existsSync(out), false);
        const part = readFileSync(`${out}.part`, 'utf8');
        assert.ok(whole[format].startsWith(part));
        assert.ok(part === '' || part.endsWith('\n'));
        if (cut > 0) assert.match(first.err, /^\d00 events written; to go on: .* --continue\n/);
        // What a killed process leaves: half of a line.
        writeFileSync(`${out}.part`, whole[format].slice(0, part.length + 37));
        const again = await log(args);
        assert.equal(again.code, 1);
        assert.match(again.err, /\.part is from an export that was interrupted: add --continue/);
        const { code, err } = await log([...args, '--continue']);
        assert.equal(code, 0, err);
        assert.equal(readFileSync(out, 'utf8'), whole[format]);
        assert.equal(existsSync(`${out}.part`), false);
      });
    }
  }

  test('an export stopped by its user is exit 1, leaves whole lines and says how to go on', async () => {
    const out = target();
    const stop = new AbortController();
    between = async (request, answer) => {
      stop.abort();
      return answer(request);
    };
    const { code, err } = await log(['export', '--out', out], { stop: stop.signal });
    assert.equal(code, 1);
    assert.equal(
      err,
      '100 events written; to go on: the same command with --continue\nscepter: interrupted\n',
    );
    assert.match(readFileSync(`${out}.part`, 'utf8'), /^([^\n]+\n){100}$/);
    const stdout = await log(['export'], { stop: stop.signal });
    between = undefined;
    const [, id = ''] = /with --after (\S+)\n/.exec(stdout.err) ?? [];
    const rest = await log(['export', '--after', id]);
    assert.equal(stdout.out + rest.out, whole.jsonl);
  });

  test('an export that gets SIGINT twice, as from a terminal, ends the same way', async () => {
    const out = target();
    const cli = join(import.meta.dirname, '..', '..', 'functions', 'cli.ts');
    const child = spawn(
      process.execPath,
      // This process has the machine's time, the lab its own.
      [cli, 'log', 'export', '--out', out, '--until', '2040-01-01'],
      { env: { SCEPTER_URL: terminal.url, SCEPTER_TOKEN: lab.adminToken } },
    );
    let pages = 0;
    between = async (request, answer) => {
      const page = await answer(request);
      if (++pages === 2) for (const signal of ['SIGINT', 'SIGINT'] as const) child.kill(signal);
      return page;
    };
    const ended = new Promise((resolve) => child.once('close', resolve));
    const [err, code] = await Promise.all([text(child.stderr), ended]);
    between = undefined;
    assert.equal(code, 1, err);
    assert.match(err, /^\d+ events written; to go on: .* --continue\nscepter: interrupted\n$/);
    assert.equal((await log(['export', '--out', out, '--continue'])).code, 0);
    assert.equal(readFileSync(out, 'utf8'), whole.jsonl);
  });

  test('an export whose server stays silent ends with exit 130 when its user insists', async () => {
    const cli = join(import.meta.dirname, '..', '..', 'functions', 'cli.ts');
    const child = spawn(process.execPath, [cli, 'log', 'export'], {
      env: { SCEPTER_URL: terminal.url, SCEPTER_TOKEN: lab.adminToken },
    });
    const ended = new Promise((resolve) => child.once('close', resolve));
    let insisting: NodeJS.Timeout | undefined;
    between = async () => {
      // The first signal lets it wait for its page; one that comes long after it does not.
      insisting ??= setInterval(() => child.kill('SIGINT'), 100);
      await ended;
      return new Response(null, { status: 503 });
    };
    assert.equal(await ended, 130);
    clearInterval(insisting);
    between = undefined;
  });

  test('export --out --json prints what was written as one object', async () => {
    const out = target();
    const { out: said } = await log(['export', '--out', out, '--json']);
    const last = idOf(bodies().at(-1) ?? '');
    assert.deepEqual(JSON.parse(said), { events: bodies().length, file: out, last });
  });

  const wrong: [string, string[], number, RegExp][] = [
    ['--continue without a file', ['--continue'], 2, /--continue needs --out/],
    ['--continue on stdout', ['--continue', '--out', '-'], 2, /--continue needs --out/],
    ['--json without a file', ['--json'], 2, /--json needs --out/],
    ['--after what is no id', ['--after', 'x'], 2, /"x" is not the id of an event/],
    ['a time that is none', ['--from', 'yesterday'], 2, /from: must be a time such as/],
    ['a type that is none', ['--type', 'request'], 2, /Allowed choices are ca\.created/],
    ['a folder that is not there', ['--out', '/no/such/x'], 1, /x\.part cannot be written: ENOENT/],
  ];
  for (const [name, args, code, said] of wrong) {
    test(`${name}: exit ${code} and a sentence`, async () => {
      const finished = await log(['export', ...args]);
      assert.equal(finished.code, code, finished.err);
      assert.match(finished.err, said);
      assert.equal(finished.out, '');
    });
  }

  test('--continue with a file that is not an export of this format is refused', async () => {
    const out = target();
    writeFileSync(`${out}.part`, whole.jsonl);
    const { code, err } = await log(['export', '--out', out, '--continue', '--format', 'csv']);
    assert.equal(code, 1, err);
    assert.match(err, /is not an export in this format/);
    assert.equal(readFileSync(`${out}.part`, 'utf8'), whole.jsonl);
    for (const [format, other] of [
      ...['no JSON\n', 'null\n', '{"id":1}\n', whole.csv, whole.ocsf].map((text) => [
        'jsonl',
        text,
      ]),
      ['ocsf', whole.jsonl],
      ['cef', whole.csv],
    ] as const) {
      writeFileSync(`${out}.part`, other ?? '');
      const args = ['--continue', '--format', format ?? ''];
      const finished = await log(['export', '--out', out, ...args]);
      assert.match(
        finished.err,
        /^scepter: --continue: the file is not an export in this format: give the --format it was begun with\n/,
      );
      assert.equal(readFileSync(`${out}.part`, 'utf8'), other);
    }
  });
});

describe('log tail', () => {
  test('tail prints the last events, the newest last, each on a line that commands no terminal', async () => {
    const { code, out, err } = await log(['tail', '-n', '3']);
    assert.equal(code, 0, err);
    const lines = out.split('\n').slice(0, -1);
    assert.equal(lines.length, 3);
    assert.equal(
      lines[0],
      '2031-05-06T07:13:19Z  crl.published          @admin  default, number 249, "event 249"',
    );
    assert.equal(
      lines[1],
      '2031-05-06T07:13:20Z  request.refused        @admin  =HYPERLINK("http://x","y")\\u001b[2J\\u000d\\u000a01FAKE\\u202e, SCEP-311: the subject is not the one this challengePassword was made for',
    );
    assert.doesNotMatch(out, acts);
  });

  test('tail --json prints the events as lines of JSON', async () => {
    const { out } = await log(['tail', '-n', '3', '--json']);
    const events = out.split('\n').slice(0, -1).map(idOf);
    assert.deepEqual(events, bodies().slice(-3).map(idOf));
    assert.doesNotMatch(out, acts);
  });

  test('tail -f prints every event from then on once, also one that comes late', async () => {
    const notes = [...Array(4).keys()].map((n) => `followed ${n}`);
    const { out } = await log(['tail', '-f', '-n', '1', '--type', 'admin.acted'], {
      waits: async (count) => {
        const [at, note = ''] = [lab.clock.at, notes[count - 1]];
        if (count === 5) throw new Error('enough');
        // Another server's clock is three seconds behind.
        await put({ type: 'admin.acted', note }, count === 3 ? at - 3000 : at);
        await put({ type: 'crl.published', note: 'another' });
      },
    });
    const said = [...out.matchAll(/"(.*?)"/g)].map(([, note]) => note);
    assert.deepEqual(said, notes);
  });

  test('tail -f goes on where an event is of the future, as of a clock that was ahead', async () => {
    const ahead = await put(
      { type: 'ca.retired', note: 'of the future' },
      lab.clock.at + 7 * 86_400_000,
    );
    const { out } = await log(['tail', '-f', '-n', '1', '--type', 'ca.retired'], {
      waits: async (count) => {
        if (count === 4) throw new Error('enough');
        await put({ type: 'ca.retired', note: `now ${count}` }, lab.clock.at);
      },
    });
    const said = [...out.matchAll(/"(.*?)"/g)].map(([, note]) => note);
    assert.deepEqual(said, ['of the future', 'now 1', 'now 2', 'now 3']);
    await store.write([{ do: 'delete', kind: 'event', key: ahead, rev: 1 }]);
  });

  test('tail of an empty log says so on stderr', async () => {
    const { code, out, err } = await log(['tail', '--type', 'ca.ra.retired']);
    assert.deepEqual({ code, out, err }, { code: 0, out: '', err: 'no such events\n' });
  });
});
