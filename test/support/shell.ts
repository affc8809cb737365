// Just enough of a shell to read the command lines of examples and transcripts: words and quotes.

/** The words of a command line. Quotes are taken off; nothing is expanded. */
export function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [, bare] of line.matchAll(/((?:"[^"]*"|'[^']*'|\\.|[^\s"'\\])+)/g)) {
    if (bare === undefined) continue;
    words.push(
      bare.replace(/"([^"]*)"|'([^']*)'|\\(.)/g, (_, double, single, escaped) => {
        return double ?? single ?? escaped ?? '';
      }),
    );
  }
  return words;
}

/** The commands of a line, each of which reads what the one before it writes. */
export const pipelineOf = (line: string): string[] =>
  (line.match(/(?:"[^"]*"|'[^']*'|[^|"'])+/g) ?? []).map((part) => part.trim());
