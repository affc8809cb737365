// Lists the tokens of the admin API, in any process that has it: to read them takes no right of an operator.

import type { tokenRoutes } from '../../api/routes/tokens.ts';
import { iso } from '../../base/text.ts';
import { isExpired, type ListedToken, listTokens } from '../../ca/record/tokens.ts';
import type { AdminToken } from '../../ports/records/registry.ts';
import { toldOf } from '../absent.ts';
import type { HandlersOf } from '../admin/handlers.ts';
import { turnOf } from '../request.ts';

export const shownToken = ({ name, person = name, roles, createdAt, expiresAt }: AdminToken) => ({
  ...{ name, person },
  roles,
  ...(createdAt === undefined ? {} : { createdAt: iso(createdAt) }),
  ...(expiresAt === undefined ? {} : { expiresAt: iso(expiresAt) }),
});

const listed = (one: ListedToken, now: number) => ({
  ...shownToken(one),
  state: isExpired(one, now) ? ('expired' as const) : ('live' as const),
  ...(one.usedAt === undefined ? {} : { usedAt: iso(one.usedAt) }),
});

export const tokenListHandlers: HandlersOf<Pick<typeof tokenRoutes, 'GET /tokens'>> = {
  async 'GET /tokens'(deps, { path, query }) {
    const { turn: asked, nextOf } = turnOf(path, query);
    const { tokens, next, altered } = await listTokens(deps, asked);
    const now = deps.clock.now();
    const shown = tokens.map((one) => listed(one, now));
    return { tokens: shown, next: nextOf(next), ...toldOf(altered) };
  },
};
