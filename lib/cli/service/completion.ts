// scepter completion: what a shell offers on TAB, written from the table of commands itself.

import { Argument, Command, Option } from 'commander';
import { shellWord } from '../../base/text.ts';
import { reasons } from '../../refusal/reasons.ts';
import { CliError, jsonLine } from '../io.ts';
import type { CommandParts } from '../nouns.ts';
import { kinds, type OfferKind, offersOf } from './offers.ts';

/** A command as completion sees it. */
type Node = {
  /** `scepter txn list` */
  readonly path: string;
  readonly commands: readonly Word[];
  readonly options: readonly Word[];
  /** Options that take a value, each with the few words that it may be, or what the server is asked for. */
  readonly values: readonly (readonly [
    option: string,
    words: readonly string[],
    asks: OfferKind | undefined,
  ])[];
  /** What its argument may be, if it is one of a few words. */
  readonly choices: readonly string[];
  /** What the server is asked for to know what its argument may be. */
  readonly asks: OfferKind | undefined;
  /** Its argument may be a file. */
  readonly file: boolean;
};

/** What the server is asked for where an option takes a value. */
const optionAsks: Readonly<Record<string, OfferKind>> = {
  '--endpoint': 'endpoint',
  '--ca': 'ca',
  '--serial': 'serial',
  '--renews': 'serial',
  '--transaction': 'transaction',
};
/** And for an argument, by the noun before it, or by the whole command. */
const argumentAsks: Readonly<Record<string, OfferKind>> = {
  'scepter ca name': 'ca',
  'scepter crl ca': 'ca',
  'scepter cert serial': 'serial',
  'scepter challenge id': 'challenge',
  'scepter txn id': 'transaction',
  'scepter txn approve id': 'pending',
  'scepter txn deny id': 'pending',
  'scepter txn watch id': 'pending',
};
/** Words of an argument that its help would be too long with. */
const argumentWords: Readonly<Record<string, readonly string[]>> = {
  'scepter explain': Object.values(reasons).map(({ code }) => code),
};
type Word = { readonly word: string; readonly text: string; readonly short?: string | undefined };

function tableOf(command: Command, path: string): Node[] {
  const options = command.createHelp().visibleOptions(command);
  const { commands: children, registeredArguments: taken } = command;
  const nameOf = ({ long, short }: (typeof options)[number]): string => long ?? short ?? '';
  const choices = argumentWords[path] ?? taken.flatMap(({ argChoices }) => argChoices ?? []);
  const [argument] = taken;
  const noun = path.slice(0, path.lastIndexOf(' '));
  const asks = argument
    ? [path, noun].flatMap((before) => argumentAsks[`${before} ${argument.name()}`] ?? [])[0]
    : undefined;
  const node: Node = {
    path,
    commands: children.map((child) => ({ word: child.name(), text: child.description() })),
    options: options.map((option) => ({
      ...{ word: nameOf(option), text: option.description },
      short: option.long && option.short,
    })),
    values: options
      .filter(({ required, optional }) => required || optional)
      .flatMap(({ long, short, argChoices: words = [] }) =>
        [long, short].flatMap((name) => (name ? [[name, words, optionAsks[name]] as const] : [])),
      ),
    choices,
    asks,
    file: taken.length > 0 && choices.length === 0 && asks === undefined,
  };
  return [node, ...children.flatMap((child) => tableOf(child, `${path} ${child.name()}`))];
}

const list = (words: readonly string[]): string => shellWord(words.join(' '));
const wordsOf = ({ commands, options, choices }: Node): string[] => [
  ...[...commands, ...options].map(({ word }) => word),
  ...choices,
];

/** The commands on the line so far become `at`: bash and zsh alike. */
const walk = (nodes: readonly Node[], words: string): string => `\
  for word in "\${${words}}"; do
    case "$at $word" in
      ${nodes.map(({ path }) => shellWord(path)).join('|')}) at="$at $word" ;;
    esac
  done`;

function bash(nodes: readonly Node[]): string {
  const values = nodes.flatMap(({ path, values: all }) =>
    all.map(
      ([option, words, asks]) =>
        `    ${shellWord(`${path} ${option}`)}) words=${list(words)}${asks ? ` asks=${asks}` : ''} ;;`,
    ),
  );
  const cases = nodes.map((node) => {
    const files = node.file ? ' files=1' : '';
    const found = node.asks ? ` found=${node.asks}` : '';
    return `      ${shellWord(node.path)}) words=${list(wordsOf(node))}${files}${found} ;;`;
  });
  return `\
_scepter() {
  local at=scepter word words= files= asks= found= current="\${COMP_WORDS[COMP_CWORD]}"
${walk(nodes, 'COMP_WORDS[@]:1:COMP_CWORD-1')}
  case "$at \${COMP_WORDS[COMP_CWORD-1]}" in
${values.join('\n')}
    *) case "$at" in
${cases.join('\n')}
    esac ;;
  esac
  case "$files$current" in 1|1[!-]*) words= ;; esac
  case "$found/$current" in /*|*/-*) ;; *) asks=$found ;; esac
  if [[ -n $asks ]]; then
    words=$(command scepter completion bash --values "$asks" -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    compopt +o default 2>/dev/null
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _scepter scepter
`;
}

function zsh(nodes: readonly Node[]): string {
  const described = ({ word, text }: Word): string => shellWord(`${word}:${text}`);
  const values = nodes.flatMap(({ path, values: all }) =>
    all.map(([option, words, asks]) => {
      const known = words.length > 0 ? `compadd -- ${words.map(shellWord).join(' ')}` : '_files';
      const offer = asks ? `_scepter_values ${asks}` : known;
      return `    ${shellWord(`${path} ${option}`)}) ${offer}; return ;;`;
    }),
  );
  const cases = nodes.map(({ path, commands, options, choices, file, asks }) => {
    const all = [...commands, ...options, ...choices.map((word) => ({ word, text: '' }))];
    const more = `${file ? ' files=1' : ''}${asks ? ` found=${asks}` : ''}`;
    return `    ${shellWord(path)}) offers=(${all.map(described).join(' ')})${more} ;;`;
  });
  return `\
#compdef scepter
_scepter_values() {
  local -a values
  values=("\${(@f)$(command scepter completion zsh --values $1 -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n $values ]]; then _describe $1 values; fi
}
_scepter() {
  local at=scepter word files= found=
  local -a offers
${walk(nodes, '(@)words[2,CURRENT-1]')}
  case "$at \${words[CURRENT-1]}" in
${values.join('\n')}
  esac
  case "$at" in
${cases.join('\n')}
  esac
  if [[ -n $files && \${words[CURRENT]} != -* ]]; then _files; return; fi
  if [[ -n $found && \${words[CURRENT]} != -* ]]; then _scepter_values $found; return; fi
  _describe scepter offers
}
if [ "$funcstack[1]" = _scepter ]; then _scepter; else compdef _scepter scepter; fi
`;
}

function fish(nodes: readonly Node[]): string {
  const text = (words: string): string =>
    `'${words.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const asked = (kind: OfferKind): string => `'(__scepter_values ${kind})'`;
  const lines = nodes.flatMap(({ path, commands, options, values, choices, asks }) => {
    const here = `complete -c scepter -n ${text(`__scepter_at ${path}`)}`;
    const option = ({ word, short, text: said }: Word): string => {
      const names = [word, short ?? ''].map((one) =>
        one.replace(/^--/, '-l ').replace(/^-(?=\w$)/, '-s '),
      );
      const name = names.join(' ').trim();
      const [, words, kind] = values.find(([taker]) => taker === word) ?? [];
      const known = words && (words.length > 0 ? ` -x -a ${text(words.join(' '))}` : ' -r');
      const value = kind ? ` -x -a ${asked(kind)}` : known;
      return `${here} ${name} -d ${text(said)}${value ?? ''}`;
    };
    return [
      ...commands.map(({ word, text: said }) => `${here} -f -a ${text(word)} -d ${text(said)}`),
      ...options.map(option),
      ...(choices.length > 0 ? [`${here} -f -a ${text(choices.join(' '))}`] : []),
      ...(asks ? [`${here} -f -a ${asked(asks)}`] : []),
    ];
  });
  return `\
function __scepter_at
  set -l line (commandline -opc)
  if test "$line" != "$__scepter_line"
    set -g __scepter_line "$line"
    set -g __scepter_is scepter
    for word in $line[2..-1]
      switch "$__scepter_is $word"
        case ${nodes.map(({ path }) => text(path)).join(' ')}
          set __scepter_is "$__scepter_is $word"
      end
    end
  end
  test "$__scepter_is" = "$argv"
end
function __scepter_values
  string match -q -- '-*' (commandline -ct); and return
  command scepter completion fish --values $argv[1] -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null
end
${lines.join('\n')}
`;
}

const shells = { bash, zsh, fish } as const;
type Shell = keyof typeof shells;

/** A word on a line, and what the shell shows beside it. */
const offerLines: Readonly<Record<Shell, (offer: Word) => string>> = {
  bash: ({ word }) => word,
  zsh: ({ word, text }) => `${word}:${text}`,
  fish: ({ word, text }) => `${word}\t${text}`,
};

type Options = { readonly json?: true; readonly values?: OfferKind };

export function completionCommand({ io, program, run }: CommandParts): Command {
  return new Command('completion')
    .addArgument(new Argument('<shell>', 'the shell that it is for').choices(Object.keys(shells)))
    .option('--json', 'print the table of commands that the scripts are made of')
    .addOption(
      new Option('--values <kind>', 'what such a script asks for, with the words of a line')
        .choices(Object.keys(kinds))
        .hideHelp(),
    )
    .allowExcessArguments()
    .addHelpText(
      'after',
      `
The scripts offer commands, options and their words by themselves. Names of endpoints and CAs, serial numbers and
identifiers come from the server, the newest hundred that begin as typed, with the token that the command would
use; where none answers in a second, nothing is offered.

Examples:
  source <(scepter completion bash)
  scepter completion zsh > "\${fpath[1]}/_scepter"
  scepter completion fish > ~/.config/fish/completions/scepter.fish`,
    )
    .action(async (shell: Shell, { json, values }: Options, command: Command) => {
      const line = command.args.slice(1);
      if (values) {
        const offers = await offersOf({ io, run }, values, line);
        return io.out(offers.map((offer) => `${offerLines[shell](offer)}\n`).join(''));
      }
      if (line.length > 0) throw new CliError('usage', 'name one shell');
      const commands = tableOf(await program(), 'scepter');
      io.out(json ? jsonLine({ commands }) : shells[shell](commands));
    });
}
