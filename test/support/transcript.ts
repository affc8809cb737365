// Transcripts: command lines and what they print, as plain text in test/transcripts/. A transcript is
// played against a service of its own (a store in a file, HTTP, the same chance, a clock that goes a
// second with each command) and must come out as it is written; `npm run transcripts` writes what comes out.
//
//   # a remark
//   % pass 1h                        the clock goes forward
//   $ scepter txn show ID1           a command; pipes work, and `echo TEXT` and `cat FILE` before one
//   what it prints to stdout, with > for an empty line
//   ! what it prints to stderr
//   [exit 3]                         where it is not 0
//
// What is random is printed as a name that stands for the same value from then on, also in commands:
// ID1 a ULID, SERIAL1, DIGEST1, KEYID1, SALT1 hexadecimal of 32, 64, 40, 24 digits, SECRET1 a challenge, CURSOR1.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SqliteStore } from '../../lib/adapters/sqlite/sqlite.ts';
import type { ConfigDocument } from '../../lib/config/config.ts';
import { parseDuration } from '../../lib/config/duration.ts';
import { openTerminal, type Terminal } from './cli.ts';
import { type Lab, makeLab, putToken } from './lab.ts';
import { temporary } from './process.ts';
import { Chance } from './seeded.ts';
import { pipelineOf, wordsOf } from './shell.ts';

export const folder = join(import.meta.dirname, '..', 'transcripts');
export const transcripts = (): string[] =>
  readdirSync(folder).filter((name) => name.endsWith('.txt'));

const config: Partial<ConfigDocument> = {
  cas: { default: { subject: 'CN=Example CA,O=Example', key: 'rsa:2048' } },
  profiles: {
    web: { validity: '90d', names: { dns: { pattern: '*.example.com' }, upn: 'none' } },
  },
  endpoints: {
    default: { ca: 'default' },
    vpn: { ca: 'default', approval: 'always' },
    office: { ca: 'default', approval: 'always', approvers: 2 },
    web: { ca: 'default', profile: 'web' },
  },
};

/** Values that differ from one playing to the next, and the names they go by. */
class Names {
  readonly #byValue = new Map<string, string>();
  readonly #byName = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  of(kind: string, value: string): string {
    const known = this.#byValue.get(value);
    if (known) return known;
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    const name = `${kind}${count}`;
    this.#byValue.set(value, name);
    this.#byName.set(name, value);
    return name;
  }

  /** A command with the values for the names in it. */
  filled(line: string): string {
    return line.replace(/\b(?:ID|SERIAL|SALT|DIGEST|KEYID|SECRET|CURSOR)\d+\b/g, (name) => {
      const value = this.#byName.get(name);
      if (value === undefined) throw new Error(`${name} has not been printed yet: ${line}`);
      return value;
    });
  }

  /** As wide as what it stands for, so that tables stay tables. */
  hidden(text: string): string {
    const hide = (kind: string) => (value: string) =>
      this.of(kind, value).padEnd(value.length, '.');
    return text
      .replace(/-----BEGIN [A-Z ]+-----\n[^-]+-----END [A-Z ]+-----\n/g, '(PEM)\n')
      .replace(/(?<="(?:csr|der|certificate)":")[A-Za-z0-9+/=]{100,}/g, '(DER)')
      .replace(/(?<=--cursor |"next":")[\w-]{20,}/g, (value) => this.of('CURSOR', value))
      .replace(/\b[0-9A-HJKMNP-TV-Z]{26}\b/g, hide('ID'))
      .replace(/\b[0-9a-hjkmnp-tv-z]{26}\b/g, hide('SECRET'))
      .replace(/\b[0-9a-f]{64}\b/g, hide('DIGEST'))
      .replace(/\b[0-9a-f]{40}\b/g, hide('KEYID'))
      .replace(/\b[0-9a-f]{32}\b/g, hide('SERIAL'))
      .replace(/\b[0-9a-f]{24}\b/g, hide('SALT'));
  }
}

/** Persons, whose tokens are in NAME.token. */
const approvers = ['alice', 'bernard'];

/** What a transcript is, played. */
export async function play(name: string): Promise<string> {
  const store = new SqliteStore(join(temporary('transcript'), 'scepter.db'));
  const now = Date.UTC(2031, 4, 6, 7, 8, 9);
  const random = new Chance(name).octets;
  const lab = await makeLab({ store, crls: store, config, now, random });
  const terminal = await openTerminal(lab);
  const before = process.cwd();
  process.chdir(temporary('transcript'));
  mkdirSync('examples');
  for (const file of readdirSync(join(folder, 'files'))) {
    writeFileSync(file, readFileSync(join(folder, 'files', file)));
  }
  for (const name of approvers) {
    const token = name.repeat(16).slice(0, 43);
    await putToken(lab.deps.store, token, { name, roles: ['approver', 'auditor'] });
    writeFileSync(`${name}.token`, `${token}\n`);
  }
  try {
    const names = new Names();
    const played: string[] = [];
    for (const line of readFileSync(join(folder, name), 'utf8').split('\n')) {
      if (/^(#|$)/.test(line)) played.push(line);
      if (line.startsWith('% ')) {
        pass(lab, line);
        played.push(line);
      }
      if (!line.startsWith('$ ')) continue;
      played.push(line, ...(await run(terminal, names, line.slice(2))));
      lab.clock.at += 1000;
    }
    return played.join('\n');
  } finally {
    process.chdir(before);
    await terminal.close();
    store.close();
  }
}

function pass(lab: Lab, line: string): void {
  const ms = parseDuration(/^% pass (\S+)$/.exec(line)?.[1] ?? '');
  if (ms === undefined) throw new Error(`no such direction: ${line}`);
  lab.clock.at += ms;
}

async function run(terminal: Terminal, names: Names, line: string): Promise<string[]> {
  let [stdin, err, code] = ['', '', 0 as number | null];
  for (const command of pipelineOf(names.filled(line))) {
    const [program = '', ...args] = wordsOf(command.replaceAll('http://server', terminal.url));
    if (program === 'echo') stdin = `${args.join(' ')}\n`;
    else if (program === 'cat') stdin = args.map((file) => readFileSync(file, 'utf8')).join('');
    else if (program === 'scepter') {
      const finished = await terminal.run(args, { stdin });
      stdin = finished.out;
      err += finished.err;
      code = finished.code;
    } else throw new Error(`no such program: ${line}`);
  }
  const shown = (text: string) =>
    names
      .hidden(text.replaceAll(terminal.url, 'http://server'))
      .split('\n')
      .slice(0, -1)
      .map((printed) => printed || '>');
  return [
    ...shown(stdin),
    ...shown(err).map((text) => `! ${text}`),
    ...(code === 0 ? [] : [`[exit ${code}]`]),
  ];
}

if (import.meta.main) {
  for (const name of transcripts()) writeFileSync(join(folder, name), await play(name));
}
