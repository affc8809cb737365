// What the quick start's app is told with `-c name=value`: one sentence for what is missing, wrong or
// unknown.

import type { Node } from 'constructs';
import { described, fail, type Setting, settings } from './settings.ts';

/** Of `cdk acknowledge` and `cdk cli-telemetry`, which write into the project's or the user's context. */
const ofToolkit: readonly string[] = ['acknowledged-issue-numbers', 'cli-telemetry'];

export class Context {
  readonly #node: Node;
  readonly #names: readonly string[];

  /**
   * @param names of the settings that the app has
   * @throws {Error} naming an unknown setting
   */
  constructor(node: Node, names: readonly string[] = Object.keys(settings)) {
    this.#node = node;
    this.#names = names;
    for (const name of Object.keys(node.getAllContext())) {
      // The toolkit's own settings have one of these in their names, or are what its commands have written.
      if (!/[:@]/.test(name) && !names.includes(name) && !ofToolkit.includes(name)) {
        fail(name, `is not a setting; these are: ${names.join(', ')}`);
      }
    }
  }

  /** Whether the app has it. */
  has(name: Setting): boolean {
    return this.#names.includes(name);
  }

  text(name: Setting): string | undefined {
    const value: unknown = this.#node.tryGetContext(name);
    if (value === undefined) return undefined;
    const text = String(value).trim();
    return text === '' ? fail(name, 'must not be empty') : text;
  }

  required(name: Setting): string {
    return this.text(name) ?? fail(name, `is missing: -c ${name}=..., ${described[name]}`);
  }

  account(): string | undefined {
    const text = this.text('account');
    if (text === undefined || /^\d{12}$/.test(text)) return text;
    return fail('account', `must be the twelve digits of an AWS account, not "${text}"`);
  }

  region(): string | undefined {
    const text = this.text('region');
    if (text === undefined || /^[a-z]{2,}(-[a-z]+)+-\d+$/.test(text)) return text;
    return fail('region', `must be the name of an AWS region, not "${text}"`);
  }

  /** An ARN of a service, `sns:...`, as a pattern. */
  arn(name: Setting, pattern: string, what: string): string | undefined {
    const text = this.text(name);
    if (text === undefined || new RegExp(`^arn:aws[a-z-]*:${pattern}$`).test(text)) return text;
    return fail(name, `must be the ARN of ${what}, not "${text}"`);
  }

  /** Refuses a setting that would have no effect, because its author relies on one. */
  refuse(sentence: string, ...names: readonly Setting[]): void {
    for (const name of names) if (this.text(name) !== undefined) fail(name, sentence);
  }

  list(name: Setting): string[] | undefined {
    return this.text(name)
      ?.split(',')
      .map((one) => one.trim())
      .filter((one) => one !== '');
  }

  number(name: Setting): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    return /^\d{1,10}$/.test(text) ? Number(text) : fail(name, `must be a number, not "${text}"`);
  }

  flag(name: Setting): boolean | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (text === 'true' || text === 'false') return text === 'true';
    return fail(name, `must be true or false, not "${text}"`);
  }
}
