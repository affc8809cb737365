// What an event tells, as one object: of both its bodies.

import type { EventRecord } from '../../lib/ports/records/records.ts';

// biome-ignore lint/suspicious/noExplicitAny: JSON that tests look into
type Told = Record<string, any>;

export function eventIn(record: object): Told {
  const { body, personal = '{}' } = record as EventRecord;
  const event = JSON.parse(body) as Told;
  const { salt: personalSalt, ...more } = JSON.parse(personal) as Told;
  return { ...event, ...more, personalSalt, actor: { ...event.actor, ...more.actor } };
}
