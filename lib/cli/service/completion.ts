// scepter completion: what a shell offers on TAB, written from the table of commands itself.

import { Argument, Command } from 'commander';
import { type Io, jsonLine } from '../io.ts';

/** A command as completion sees it. */
type Node = {
  /** `scepter txn list` */
  readonly path: string;
  readonly commands: readonly Word[];
  readonly options: readonly Word[];
  /** Options that take a value, each with the few words that it may be, or none. */
  readonly values: readonly (readonly [option: string, words: readonly string[]])[];
  /** What its argument may be, if it is one of a few words. */
  readonly choices: readonly string[];
  /** Its argument may be a file. */
  readonly file: boolean;
};
type Word = { readonly word: string; readonly text: string };

function tableOf(command: Command, path: string): Node[] {
  const options = command.createHelp().visibleOptions(command);
  const { commands: children, registeredArguments: taken } = command;
  const nameOf = ({ long, short }: (typeof options)[number]): string => long ?? short ?? '';
  const choices = taken.flatMap(({ argChoices }) => argChoices ?? []);
  const node: Node = {
    path,
    commands: children.map((child) => ({ word: child.name(), text: child.description() })),
    options: options.map((option) => ({ word: nameOf(option), text: option.description })),
    values: options
      .filter(({ required, optional }) => required || optional)
      .map((option) => [nameOf(option), option.argChoices ?? []]),
    choices,
    file: taken.length > 0 && choices.length === 0,
  };
  return [node, ...children.flatMap((child) => tableOf(child, `${path} ${child.name()}`))];
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const list = (words: readonly string[]): string => quoted(words.join(' '));
const wordsOf = ({ commands, options, choices }: Node): string[] => [
  ...[...commands, ...options].map(({ word }) => word),
  ...choices,
];

/** The commands on the line so far become `at`: bash and zsh alike. */
const walk = (nodes: readonly Node[], words: string): string => `\
  for word in "\${${words}}"; do
    case "$at $word" in
      ${nodes.map(({ path }) => quoted(path)).join('|')}) at="$at $word" ;;
    esac
  done`;

function bash(nodes: readonly Node[]): string {
  const values = nodes.flatMap(({ path, values: all }) =>
    all.map(([option, words]) => `    ${quoted(`${path} ${option}`)}) words=${list(words)} ;;`),
  );
  const cases = nodes.map((node) => {
    const files = node.file ? ' files=1' : '';
    return `      ${quoted(node.path)}) words=${list(wordsOf(node))}${files} ;;`;
  });
  return `\
_scepter() {
  local at=scepter word words= files= current="\${COMP_WORDS[COMP_CWORD]}"
${walk(nodes, 'COMP_WORDS[@]:1:COMP_CWORD-1')}
  case "$at \${COMP_WORDS[COMP_CWORD-1]}" in
${values.join('\n')}
    *) case "$at" in
${cases.join('\n')}
    esac ;;
  esac
  case "$files$current" in 1|1[!-]*) words= ;; esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _scepter scepter
`;
}

function zsh(nodes: readonly Node[]): string {
  const described = ({ word, text }: Word): string => quoted(`${word}:${text}`);
  const values = nodes.flatMap(({ path, values: all }) =>
    all.map(([option, words]) => {
      const offer = words.length > 0 ? `compadd -- ${words.map(quoted).join(' ')}` : '_files';
      return `    ${quoted(`${path} ${option}`)}) ${offer}; return ;;`;
    }),
  );
  const cases = nodes.map(({ path, commands, options, choices, file }) => {
    const all = [...commands, ...options, ...choices.map((word) => ({ word, text: '' }))];
    return `    ${quoted(path)}) offers=(${all.map(described).join(' ')})${file ? ' files=1' : ''} ;;`;
  });
  return `\
#compdef scepter
_scepter() {
  local at=scepter word files=
  local -a offers
${walk(nodes, '(@)words[2,CURRENT-1]')}
  case "$at \${words[CURRENT-1]}" in
${values.join('\n')}
  esac
  case "$at" in
${cases.join('\n')}
  esac
  if [[ -n $files && \${words[CURRENT]} != -* ]]; then _files; return; fi
  _describe scepter offers
}
if [ "$funcstack[1]" = _scepter ]; then _scepter; else compdef _scepter scepter; fi
`;
}

function fish(nodes: readonly Node[]): string {
  const text = (words: string): string =>
    `'${words.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = nodes.flatMap(({ path, commands, options, values, choices }) => {
    const here = `complete -c scepter -n ${text(`test (__scepter_at) = "${path}"`)}`;
    const option = ({ word, text: said }: Word): string => {
      const name = word.startsWith('--') ? `-l ${word.slice(2)}` : `-s ${word.slice(1)}`;
      const words = values.find(([taker]) => taker === word)?.[1];
      const value = words && (words.length > 0 ? ` -x -a ${text(words.join(' '))}` : ' -r');
      return `${here} ${name} -d ${text(said)}${value ?? ''}`;
    };
    return [
      ...commands.map(({ word, text: said }) => `${here} -f -a ${text(word)} -d ${text(said)}`),
      ...options.map(option),
      ...(choices.length > 0 ? [`${here} -f -a ${text(choices.join(' '))}`] : []),
    ];
  });
  return `\
function __scepter_at
  set -l at scepter
  for word in (commandline -opc)[2..-1]
    switch "$at $word"
      case ${nodes.map(({ path }) => text(path)).join(' ')}
        set at "$at $word"
    end
  end
  echo $at
end
${lines.join('\n')}
`;
}

const shells = { bash, zsh, fish } as const;
type Shell = keyof typeof shells;

/** @param program returns all commands, including this one, once the table is complete */
export function completionCommand(io: Io, program: () => Command): Command {
  return new Command('completion')
    .description('print a script that lets a shell complete commands and options')
    .addArgument(new Argument('<shell>', 'the shell that it is for').choices(Object.keys(shells)))
    .option('--json', 'print the table of commands that the scripts are made of')
    .addHelpText(
      'after',
      `
Examples:
  source <(scepter completion bash)
  scepter completion zsh > "\${fpath[1]}/_scepter"
  scepter completion fish > ~/.config/fish/completions/scepter.fish`,
    )
    .action((shell: Shell, { json }: { json?: true }) => {
      const commands = tableOf(program(), 'scepter');
      io.out(json ? jsonLine({ commands }) : shells[shell](commands));
    });
}
