// The record of a refused request (shared design 4.11). Anyone with a key can cause one, so it is small
// whatever was sent, and is kept for a limited time: texts are cut, of a CSR above a few kB only the hash
// is kept, and only a few of many names.

import { base64, utf8 } from '../../base/bytes.ts';
import {
  MAX_REFUSED_CSR_OCTETS,
  MAX_REFUSED_NAMES,
  MAX_REFUSED_TEXT_OCTETS,
  REFUSAL_KEPT_MS,
} from '../../base/limits.ts';
import { visible } from '../../base/text.ts';
import type { Transaction, Verdict } from '../../ports/records/transaction.ts';
import type { Evidence } from '../../refusal/evidence.ts';
import type { Refusal } from '../../refusal/reasons.ts';
import { redact } from '../../x509/csr.ts';
import { printGeneralName } from '../../x509/names/general-name.ts';
import type { Deps } from '../deps.ts';
import { askedNames } from '../policy/policy.ts';
import { moved } from '../record/transition.ts';
import { beginTransaction } from './new-transaction.ts';
import type { EnrolmentRequest } from './request.ts';

/** A stranger's text for a record: harmless to show, and at most `MAX_REFUSED_TEXT_OCTETS` long. */
export function cut(text: string): string {
  let [kept, size] = ['', 0];
  for (const character of visible(text.toWellFormed())) {
    size += utf8(JSON.stringify(character)).length - 2;
    if (size > MAX_REFUSED_TEXT_OCTETS) return `${kept}…`;
    kept += character;
  }
  return kept;
}

/** With what validators said, where they were asked. */
export type JudgedRefusal = Refusal & { readonly verdicts?: readonly Verdict[] };

/** It is for people only: no pointer names it, so no later message is compared with it. */
export function refusedTransaction(
  deps: Deps,
  request: EnrolmentRequest,
  { reason, evidence, verdicts }: JudgedRefusal,
  now: number,
): Transaction<'refused'> {
  const begun = beginTransaction(deps, request, now);
  const csr = redact(request.csr);
  return {
    ...begun,
    ...moved(begun, 'refuse', now),
    transactionIDs: begun.transactionIDs.map(cut),
    subject: cut(begun.subject),
    csr: csr.length > MAX_REFUSED_CSR_OCTETS ? '' : base64(csr),
    names: namesAsked(request),
    reason,
    evidence: cutEvidence(evidence),
    ...(verdicts && verdicts.length > 0 ? { verdicts: verdicts.map(cutVerdict) } : {}),
    repeatUntil: now,
    expiresAt: now + REFUSAL_KEPT_MS,
  };
}

const cutEvidence = (evidence: Evidence): Evidence =>
  Object.fromEntries(
    Object.entries(evidence).map(([name, value]) => [
      name,
      typeof value === 'number' ? value : cut(value),
    ]),
  );

const cutVerdict = ({ says, ...verdict }: Verdict): Verdict =>
  says === undefined ? verdict : { ...verdict, says: cut(says) };

/** The first of those that can be read. */
function namesAsked({ csr }: EnrolmentRequest): string[] {
  try {
    return askedNames(csr)
      .slice(0, MAX_REFUSED_NAMES)
      .map((name) => cut(printGeneralName(name)));
  } catch {
    return []; // hostile octets have a reason of their own
  }
}
