// A Transaction that was refused, in words for people: what the device sent, which rule refused it,
// what the rule looked at, what to change. From the record alone: it says the same years later.

import { fromBase64 } from '../bytes.ts';
import { type Evidence, Malformed, type Reason, reasons } from '../errors.ts';
import { explanations } from '../explain.ts';
import type { Transaction } from '../ports/records.ts';
import { visible } from '../visible.ts';
import { describeRequest } from '../x509/describe.ts';
import { lintTexts } from '../x509/lint-text.ts';

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

type Refused = Pick<Transaction, 'reason' | 'evidence' | 'csr' | 'endpoint' | 'profile'>;

/** @returns undefined for a Transaction that has no reason of ours */
export function explainRefusal(transaction: Refused): ExplainedRefusal | undefined {
  const { reason, evidence = {}, endpoint, profile } = transaction;
  if (reason === undefined || !Object.hasOwn(reasons, reason)) return undefined;
  const { code, text } = reasons[reason as Reason];
  const { rule, means, change } = explanations[reason as Reason];
  const named = rule.replaceAll('<endpoint>', endpoint).replaceAll('<profile>', profile);
  return {
    code,
    text,
    rule: ruleIn(evidence) ?? named,
    means,
    looked: Object.entries(evidence)
      .filter(([name]) => name !== 'rule')
      .map(([name, value]) => visible(`${labels[name] ?? name}: ${value}`)),
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

/** What the entries of the evidence are called. */
const labels: Readonly<Record<string, string>> = {
  octets: 'octets of the challengePassword',
  value: 'asked for',
  allowed: 'allowed',
  challengeId: 'challenge',
  asEnrolment: 'as an enrolment it would be refused with',
  renews: 'certificate that signed',
  notAfter: 'which ends',
  opens: 'which may be renewed from',
  revokedAt: 'revoked at',
  revocationReason: 'revoked for',
  successor: 'its renewal',
  ownedBy: 'the key is of certificate',
  spkiHash: 'SHA-256 of the key',
  keyOf: 'whose key',
  expiresAt: 'expired at',
};

/** The record was read once, by our own parser; what can no longer be read is said to be so. */
function linesOf({ csr }: Refused): string[] {
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
