// Makes and revokes tokens of the admin API.

import type { tokenRoutes } from '../../api/routes/tokens.ts';
import { HttpFailure } from '../../base/errors.ts';
import {
  type DatedToken,
  findToken,
  isOwnName,
  makeToken,
  ownNames,
  revokeToken,
  tellAgain,
} from '../../ca/record/tokens.ts';
import { View } from '../../ca/record/unit-of-work.ts';
import type { HandlersOf } from '../admin/handlers.ts';
import { operated } from './operating.ts';
import { shownToken } from './token-list.ts';

/** What is remembered of a token that was made. */
type Kept = ReturnType<typeof shownToken>;
const datedOf = ({ createdAt = '', expiresAt, ...rest }: Kept): DatedToken => ({
  ...rest,
  createdAt: Date.parse(createdAt),
  ...(expiresAt === undefined ? {} : { expiresAt: Date.parse(expiresAt) }),
});

/** @throws {HttpFailure} 422 */
function endOf(now: number, ttl: number | undefined, until: number | undefined) {
  if (ttl !== undefined && until !== undefined) {
    throw new HttpFailure(422, 'expiresAt: not together with ttl');
  }
  const expiresAt = ttl === undefined ? until : now + ttl;
  if (expiresAt !== undefined && expiresAt <= now) {
    throw new HttpFailure(422, 'expiresAt: is over already');
  }
  return expiresAt === undefined ? {} : { expiresAt };
}

export const tokenHandlers: HandlersOf<Omit<typeof tokenRoutes, 'GET /tokens'>> = {
  'POST /tokens': {
    handle: (deps, { actor, body: { name, person, roles, ttl, expiresAt }, once }) =>
      operated(deps, async (operator) => {
        if (isOwnName(name)) {
          const why = `"${name}" is a name that Scepter itself acts by: take another`;
          throw new HttpFailure(422, `name: ${why}`);
        }
        const of = person === undefined || person === name ? {} : { person };
        const wanted = { name, ...of, roles, ...endOf(deps.clock.now(), ttl, expiresAt) };
        const remembered = once && { once, answer: shownToken };
        const made = await makeToken(operator, wanted, { actor, remembered });
        if (made) return { ...shownToken(made), token: made.token };
        const why = `"${name}" is the name of another token`;
        throw new HttpFailure(409, `name: ${why}: take another name, or revoke that token first`);
      }),
    async repeat(deps, once, kept) {
      const made = JSON.parse(kept.answer) as Kept;
      const token = await tellAgain(deps, once, kept.macKey, datedOf(made));
      if (token !== undefined) return { ...made, token };
      throw new HttpFailure(
        409,
        'the token that was made under this Idempotency-Key can no longer be told: its MAC key is gone',
      );
    },
  },
  'POST /tokens/revoke': (deps, { actor, body: { name, token }, once }) =>
    operated(deps, async (operator) => {
      if ((name === undefined) === (token === undefined)) {
        throw new HttpFailure(422, 'the body: must have either name or token');
      }
      const wanted = token === undefined ? { name: name ?? '' } : { token };
      const { replaceTokenFile } = operator;
      const found = await findToken(new View(deps.store), wanted);
      if (found?.token.name === ownNames.tokenFile && replaceTokenFile) {
        // The next start would bring back the token of the file: the file gets another.
        await replaceTokenFile(actor);
        return { ...shownToken(found.token), replaced: true as const };
      }
      const remembered = once && { once, answer: shownToken };
      const gone = await revokeToken(operator, wanted, { actor, remembered });
      if (gone) return shownToken(gone);
      const unknown = 'this token is unknown, or revoked already';
      throw new HttpFailure(404, name === undefined ? unknown : `no token has the name "${name}"`);
    }),
};
