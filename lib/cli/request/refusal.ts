// A page on why a request was refused: what its device was told, the rule, what the rule compared, and
// what to change.

import { type ExplainedRefusal, explainRefusal } from '../../ca/query/explain-refusal.ts';
import type { Evidence } from '../../refusal/evidence.ts';
import { type Reason, reasons } from '../../refusal/reasons.ts';
import type { Field } from '../text.ts';

/** The reason that a code, its digits or its name stand for. */
export function reasonOf(text: string): Reason | undefined {
  const wanted = text.toLowerCase().replace(/^(scep-?)?(?=\d{3}$)/, 'scep-');
  return (Object.keys(reasons) as Reason[]).find(
    (reason) => reason.toLowerCase() === wanted || reasons[reason].code.toLowerCase() === wanted,
  );
}

type RefusedRequest = {
  readonly reason?: string;
  readonly evidence?: Evidence;
  readonly endpoint: string;
  readonly profile: string;
  /** DER in base64. */
  readonly csr: string;
};

/** @returns undefined for a text that is not a refusal of this service */
export function refusalFields(refused: RefusedRequest): Field[] | undefined {
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
