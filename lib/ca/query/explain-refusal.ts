// A Transaction that was refused, in words for people: what the device sent, which rule refused it,
// what the rule looked at, what to change. From the record alone: it says the same years later.

import { fromBase64 } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { MAX_REFUSED_CSR_OCTETS } from '../../base/limits.ts';
import { visible } from '../../base/text.ts';
import type { TransactionBase } from '../../ports/records/transaction.ts';
import { type Evidence, evidenceLabels } from '../../refusal/evidence.ts';
import { explained } from '../../refusal/explanations.ts';
import { type Reason, reasons } from '../../refusal/reasons.ts';
import { describeRequest } from '../../x509/describe/describe.ts';
import { lintTexts } from '../../x509/lint/text.ts';

export type ExplainedRefusal = {
  /** `SCEP-311`, and what the device was told. */
  readonly code: string;
  readonly text: string;
  /** Where it is decided: a path of the configuration, or a section of a standard. */
  readonly rule: string;
  readonly means: string;
  /** What failed, a line for each thing that the rule looked at. */
  readonly looked: readonly string[];
  /** What the device asked for, a line for each thing; harmless to print. */
  readonly sent: readonly string[];
  readonly evidence: Evidence;
  readonly change: string;
};

/** Subject and names are looked at only where the CSR was too large to be kept. */
type Refused = Pick<TransactionBase, 'evidence' | 'endpoint' | 'profile'> &
  Partial<Pick<TransactionBase, 'subject' | 'names'>> & {
    readonly reason?: string;
    readonly csr?: string;
  };

/** @returns undefined for a Transaction with an unknown reason */
export function explainRefusal(transaction: Refused): ExplainedRefusal | undefined {
  const { reason, evidence = {}, endpoint, profile } = transaction;
  if (reason === undefined || !Object.hasOwn(reasons, reason)) return undefined;
  const { code, text, rule, means, change } = explained(reason as Reason);
  const named = rule.replaceAll('<endpoint>', endpoint).replaceAll('<profile>', profile);
  return {
    code,
    text,
    rule: ruleIn(evidence) ?? named,
    means,
    looked: Object.entries(evidence)
      .filter(([name]) => name !== 'rule')
      .map(([name, value]) => visible(`${evidenceLabels[name] ?? name}: ${value}`)),
    sent: linesOf(transaction).map(visible),
    evidence,
    change: change.replaceAll('<endpoint>', endpoint).replaceAll('<profile>', profile),
  };
}

function ruleIn({ rule, lint, citation }: Evidence): string | undefined {
  if (rule !== undefined) return String(rule);
  if (lint === undefined) return undefined;
  const said = lintTexts[String(lint)];
  return citation === undefined
    ? `${lint}`
    : `lint ${lint} (${citation})${said === undefined ? '' : `: ${said}`}`;
}

/** What people are told of a request of which nothing more is known. */
export const tooLarge = `the request is larger than ${MAX_REFUSED_CSR_OCTETS} octets and kept by its hash`;

/** The record was read once, by our own parser; what can no longer be read is said to be so. */
function linesOf({ csr, subject: asked = '', names: few = [] }: Refused): string[] {
  if (!csr) {
    return [
      `subject: ${asked || '(empty)'}`,
      ...few.map((name) => `subjectAltName: ${name}`),
      tooLarge,
    ];
  }
  try {
    const { subject, names, key, requestedExtensions, challengePassword } = describeRequest(
      fromBase64(csr),
    );
    const secret = challengePassword === 'absent' ? 'none' : 'present, not kept';
    return [
      `subject: ${subject || '(empty)'}`,
      ...names.map((name) => `subjectAltName: ${name}`),
      `key: ${key.algorithm}`,
      `challengePassword: ${secret}`,
      ...requestedExtensions
        .filter(({ name }) => name !== 'subjectAltName')
        .map(({ id, name = id, critical, value }) => {
          const mark = critical ? ' (critical)' : '';
          return `asks for ${name}${mark}: ${value.join(', ') || '(empty)'}`;
        }),
    ];
  } catch (error) {
    if (error instanceof Malformed || error instanceof SyntaxError) return ['what cannot be read'];
    throw error;
  }
}
