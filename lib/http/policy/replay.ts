// Recorded requests under another configuration: a page of them judged again, and whose outcome would differ.

import type { simulateRoutes } from '../../api/routes/simulate.ts';
import { HttpFailure } from '../../base/errors.ts';
import { iso } from '../../base/text.ts';
import { ulid } from '../../base/ulid.ts';
import type { NotReplayed } from '../../base/words.ts';
import type { Deps } from '../../ca/deps.ts';
import { browse } from '../../ca/query/browse.ts';
import { explainRefusal } from '../../ca/query/explain-refusal.ts';
import { type Config, checkConfig } from '../../config/config.ts';
import { ConfigError } from '../../config/error.ts';
import { isGone } from '../../ports/records/expiry.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import { type Ruling, replay } from '../../protocol/scep/server/replay.ts';
import { reasons } from '../../refusal/reasons.ts';
import { toldOf } from '../absent.ts';
import type { HandlersOf } from '../admin/handlers.ts';

export const replayHandlers: HandlersOf<Pick<typeof simulateRoutes, 'POST /replay'>> = {
  async 'POST /replay'(deps, { body: { config: document, since, endpoint, limit, cursor } }) {
    const config = changedConfig(deps, document);
    if (endpoint !== undefined && !deps.config.endpoints.has(endpoint)) {
      throw new HttpFailure(422, `endpoint: "${endpoint}" does not exist`);
    }
    const groups = endpoint === undefined ? [...deps.config.endpoints.keys()] : [endpoint];
    const range = { kind: 'transaction', list: 'transactions', groups, reverse: true } as const;
    const until = ulid(Math.max(0, since), new Uint8Array(10));
    const turn = { limit, ...(cursor === undefined ? {} : { cursor }) };
    const { records, next = null, altered } = await browse(deps, { ...range, until }, turn);
    const now = deps.clock.now();
    const differing = [];
    const notReplayed: Partial<Record<NotReplayed, number>> = {};
    let compared = 0;
    for (const one of records) {
      if (isGone('transaction', one, now)) continue;
      const found = await replay(deps, config, one);
      if ('not' in found) {
        notReplayed[found.not] = (notReplayed[found.not] ?? 0) + 1;
        continue;
      }
      compared++;
      const { was, would } = found;
      if (was.decision === would.decision) continue;
      const { id, subject, createdAt } = one;
      differing.push({
        ...{ id, endpoint: one.endpoint, subject, createdAt: iso(createdAt) },
        was: shownOutcome(was),
        would: { ...shownOutcome(would), ...ruleOf(config, one, would) },
      });
    }
    return { compared, differing, notReplayed, next, ...toldOf(altered) };
  },
};

/** @throws {HttpFailure} 422 with a sentence for each field that is wrong */
function changedConfig({ config: { cas } }: Deps, document: unknown): Config {
  try {
    const config = checkConfig(document);
    const problems = [...config.endpoints.values()].flatMap(({ id, ca }) =>
      cas.has(ca) ? [] : [`endpoints.${id}.ca: this server has no CA "${ca}"`],
    );
    if (problems.length > 0) throw new ConfigError(problems);
    return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new HttpFailure(422, error.problems.map((one) => `config.${one}`).join('; '));
  }
}

function shownOutcome({ decision, reason }: Ruling) {
  if (decision !== 'deny') return { decision };
  if (reason === undefined) return { decision, text: 'there is no such endpoint' };
  const { code, text } = reasons[reason];
  return { decision, code, text };
}

function ruleOf(config: Config, { endpoint }: Transaction, { reason, evidence = {} }: Ruling) {
  if (reason === undefined) return {};
  const profile = config.endpoints.get(endpoint)?.profile.id ?? '';
  const { rule } = explainRefusal({ reason, evidence, endpoint, profile }) ?? {};
  return { evidence, ...(rule === undefined ? {} : { rule }) };
}
