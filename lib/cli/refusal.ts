// Why a request was refused, in words: the code, the rule and what it looked at.

import { type Evidence, type Reason, reasons } from '../errors.ts';
import type { Field } from './text.ts';

/** The reason that a code, its digits or its name stand for. */
export function reasonOf(text: string): Reason | undefined {
  const wanted = text.toLowerCase().replace(/^(scep-?)?(?=\d{3}$)/, 'scep-');
  return (Object.keys(reasons) as Reason[]).find(
    (reason) => reason.toLowerCase() === wanted || reasons[reason].code.toLowerCase() === wanted,
  );
}

/** What the rule looked at, under words; whatever has none stands under its own name. */
const words: Readonly<Record<string, string>> = {
  rule: 'rule',
  value: 'was sent',
  allowed: 'allowed',
  challengeId: 'challenge',
};

export function refusalFields(reason: Reason, evidence: Evidence = {}): Field[] {
  const { code, text } = reasons[reason];
  const looked = Object.entries(evidence).map(
    ([name, value]): Field => [words[name] ?? name, String(value)],
  );
  return [['code', `${code}: ${text}`], ...looked];
}
