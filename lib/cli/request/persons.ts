// How many persons have approved what waits, and how many must.

import type { AnswerTo } from '../../api/api.ts';

type Waiting = Pick<AnswerTo<'GET /transactions/{id}'>, 'approval' | 'votes' | 'approvers'>;

const given = ({ approval, votes = [] }: Waiting): number => votes.length + (approval ? 1 : 0);

/** Somebody has approved it, and another person has to, too. */
export const waitsForAnother = (one: Waiting): boolean =>
  given(one) > 0 && given(one) < (one.approvers ?? 1);

/** `1 of 2`; undefined where one is enough, or nothing waits. */
export const approvalsText = (one: Waiting): string | undefined =>
  (one.approvers ?? 1) > 1 ? `${given(one)} of ${one.approvers}` : undefined;
