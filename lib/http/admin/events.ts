// Events: what happened, as it is hashed into the log.

import type { eventRoutes } from '../../api/routes/events.ts';
import { everyEvent, listEvents } from '../../ca/query/events.ts';
import { turnOf } from '../request.ts';
import type { HandlersOf } from './handlers.ts';

export const eventHandlers: HandlersOf<typeof eventRoutes> = {
  'GET /events': {
    async handle(deps, { path, query }) {
      const { turn: asked, filters: wanted, nextOf } = turnOf(path, query);
      const { events, next } = await listEvents(deps, { ...wanted, ...asked });
      return { events: events.map((one) => JSON.parse(one)), next: nextOf(next) };
    },
    async *lines(deps, { query: { limit: _limit, cursor: _cursor, order: _order, ...wanted } }) {
      for await (const one of everyEvent(deps, wanted)) yield `${one}\n`;
    },
  },
};
