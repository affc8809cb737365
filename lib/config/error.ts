// How a configuration is refused. It stands apart from the schemas, which are loaded only by whoever checks one.

import { visible } from '../base/text.ts';

/** Characters of a sentence about one field. */
const MAX_PROBLEM_CHARACTERS = 1000;

/** The document is refused; `problems` are whole sentences, one for each field. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    // The sentence repeats what was written in the document, which may be of any length.
    const lines = problems.map((problem) => visible(problem).slice(0, MAX_PROBLEM_CHARACTERS));
    super(lines.join('\n'));
    this.problems = lines;
  }
}
