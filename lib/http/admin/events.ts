// Events: what happened, as it is hashed into the log.

import type { eventRoutes } from '../../api/routes/events.ts';
import { hex } from '../../base/bytes.ts';
import { HttpFailure } from '../../base/errors.ts';
import { iso } from '../../base/text.ts';
import { prove } from '../../ca/log/prove.ts';
import { logStates } from '../../ca/log/sequence.ts';
import { everyEvent, listEvents } from '../../ca/query/events.ts';
import { toldOf } from '../absent.ts';
import { turnOf } from '../request.ts';
import type { HandlersOf } from './handlers.ts';

export const eventHandlers: HandlersOf<typeof eventRoutes> = {
  'GET /events': {
    async handle(deps, { path, query }) {
      const { turn: asked, filters: wanted, nextOf } = turnOf(path, query);
      const { events, next, altered } = await listEvents(deps, { ...wanted, ...asked });
      const shown = events.map((one) => JSON.parse(one));
      return { events: shown, next: nextOf(next), ...toldOf(altered) };
    },
    async *lines(deps, { query: { limit: _limit, cursor: _cursor, order: _order, ...wanted } }) {
      for await (const one of everyEvent(deps, wanted)) {
        yield `${typeof one === 'string' ? one : JSON.stringify(one)}\n`;
      }
    },
  },
  async 'GET /events/{event}/proof'(deps, { params: { event } }) {
    const proven = await prove(deps, event);
    if (!proven) throw new HttpFailure(404, 'no such event');
    if (proven === 'waits') {
      throw new HttpFailure(
        409,
        'the event is under no published checkpoint yet: ask again in a minute',
      );
    }
    return proven;
  },
  async 'GET /logs'(deps) {
    const states = await logStates(deps);
    return {
      logs: states.map(({ log, verifierKey, checkpoint: { size, root, time } }) => ({
        ...{ log, verifierKey, size, root: hex(root), time: iso(time) },
      })),
    };
  },
};
