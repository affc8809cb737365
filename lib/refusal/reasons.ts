// Every reason that a request is refused for, in one table: its code, what its device is told, and whether it
// counts against the challenge (what operators are told of it is in `explanations.ts`). In no protocol's words:
// each front door has a table of its own from these reasons to the failures of its protocol.
//
// 1xx: visible in clear. 2xx: the one uniform answer. 3xx: authorization. 4xx: what was asked for. 5xx:
// queries.

import { authorizationReasons } from './authorization.ts';
import { bounded, type Evidence } from './evidence.ts';
import { messageReasons } from './message.ts';
import { requestReasons } from './request.ts';
import type { ReasonRow } from './row.ts';

const table = { ...messageReasons, ...authorizationReasons, ...requestReasons };
export type Reason = keyof typeof table;
export const reasons: Readonly<Record<Reason, ReasonRow>> = table;

/** A request is refused, and whoever sent it can be told so by the front door that it came through. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly reason: Reason;
  readonly evidence: Evidence;
  constructor(reason: Reason, evidence: Evidence = {}) {
    super(reasons[reason].text);
    this.reason = reason;
    this.evidence = bounded(evidence);
  }
}
