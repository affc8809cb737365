// Why a request was refused, on a page: what its device was told, the rule, what it looked at, and
// what to change.

import { type ExplainedRefusal, explainRefusal } from '../ca/explain-refusal.ts';
import { type Evidence, type Reason, reasons } from '../errors.ts';
import type { Field } from './text.ts';

/** The reason that a code, its digits or its name stand for. */
export function reasonOf(text: string): Reason | undefined {
  const wanted = text.toLowerCase().replace(/^(scep-?)?(?=\d{3}$)/, 'scep-');
  return (Object.keys(reasons) as Reason[]).find(
    (reason) => reason.toLowerCase() === wanted || reasons[reason].code.toLowerCase() === wanted,
  );
}

export type Refused = {
  readonly reason?: string;
  readonly evidence?: Evidence;
  readonly endpoint: string;
  readonly profile: string;
  /** DER in base64. */
  readonly csr: string;
};

/** @returns undefined for what is no refusal of ours */
export function refusalFields(refused: Refused): Field[] | undefined {
  const explained = explainRefusal(refused);
  return explained && fieldsOf(explained);
}

const fieldsOf = ({ code, text, rule, means, looked, change }: ExplainedRefusal): Field[] => [
  ['code', `${code}: ${text}`],
  ['means', means],
  ['rule', rule],
  ['looked at', looked],
  ['change', change],
];
