// What a bundle in workerd tells the process that started it: lines of its output with a mark before.

import type { Registered } from './node-test.ts';

export const mark = 'scepter-runtime ';

export type Message =
  | { readonly kind: 'registered'; readonly tests: readonly Registered[] }
  | (Registered & {
      readonly kind: 'result';
      readonly error?: string;
      readonly diagnostics: readonly string[];
    })
  /** The file itself could not be evaluated, or something outside a test failed. */
  | { readonly kind: 'fault'; readonly error: string }
  | { readonly kind: 'end' };
