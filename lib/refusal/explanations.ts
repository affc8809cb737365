// Of every reason in `reasons.ts`, what operators are told. Devices are answered without it, so that the function
// that answers them does not load it.

import { authorizationExplained } from './explained/authorization.ts';
import { messageExplained } from './explained/message.ts';
import { requestExplained } from './explained/request.ts';
import { type Reason, reasons } from './reasons.ts';
import type { Explanation, ReasonRow } from './row.ts';

const explanations: Readonly<Record<Reason, Explanation>> = {
  ...messageExplained,
  ...authorizationExplained,
  ...requestExplained,
};

export const explained = (reason: Reason): ReasonRow & Explanation => ({
  ...reasons[reason],
  ...explanations[reason],
});
