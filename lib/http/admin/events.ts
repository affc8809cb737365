// Events: what happened, as it is hashed into the log.

import type { eventRoutes } from '../../api/routes/events.ts';
import { hex } from '../../base/bytes.ts';
import { HttpFailure } from '../../base/errors.ts';
import { iso } from '../../base/text.ts';
import { prove } from '../../ca/log/prove.ts';
import { endedLogs, type LogState, logStates } from '../../ca/log/states.ts';
import { everyEvent, listEvents } from '../../ca/query/events.ts';
import { toldOf } from '../absent.ts';
import { turnOf } from '../request.ts';
import type { HandlersOf } from './handlers.ts';

/** Also in an operator's own process, which has no other events. */
export const logListHandlers: HandlersOf<Pick<typeof eventRoutes, 'GET /logs'>> = {
  async 'GET /logs'(deps) {
    const shown = ({ log, verifierKey, checkpoint: { size, root, time } }: LogState) => ({
      ...{ log, verifierKey, size, root: hex(root), time: iso(time) },
    });
    const ended = (await endedLogs(deps)).map((one) => ({ ...shown(one), ended: true as const }));
    return { logs: [...(await logStates(deps)).map(shown), ...ended] };
  },
};

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
  ...logListHandlers,
};
