// A configuration document, from its file.

import { existsSync, readFileSync } from 'node:fs';
import { parseJsonc } from '../../../../lib/config/schema.ts';

/** A configuration document in a file. */
export class ConfigFile {
  /**
   * @param path of a file with JSON, comments and trailing commas allowed. What it says is checked with the other props.
   * @throws {Error} with a sentence: there is no such file, or it is no JSON
   */
  static read(path: string): { readonly [name: string]: unknown } {
    if (!existsSync(path)) throw new Error(`config: there is no file ${path}`);
    try {
      return parseJsonc(readFileSync(path, 'utf8')) as { readonly [name: string]: unknown };
    } catch (error) {
      const why = error instanceof Error ? error.message : error;
      throw new Error(`config: ${path} is no JSON: ${why}`);
    }
  }

  private constructor() {}
}
