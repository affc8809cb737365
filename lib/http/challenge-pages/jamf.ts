// POST /hooks/jamf/{endpoint}: the webhook SCEPChallenge of Jamf Pro, and Fleet's. The answer is the challenge itself,
// bound to the device that the event names, and put into its profile as it is. What names no device is a probe, and gets
// a text of the same form that lets nobody in: nothing is written for it.

import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HttpFailure } from '../../base/errors.ts';
import { MAX_HOOK_OCTETS, PAGE_LINE_MS } from '../../base/mdm-limits.ts';
import { freshText } from '../../ca/challenge/challenges.ts';
import type { ChallengeDeps } from '../../ca/deps.ts';
import type { Endpoint } from '../../config/endpoint/endpoint.ts';
import { filled, type JamfHook } from '../../config/outside/jamf.ts';
import { type EventDevice, readWebhookEvent } from '../../mdm/scep-challenge-event.ts';
import { bodyOf } from '../request.ts';
import { octetsResponse, tooMany } from '../respond.ts';
import { loginOf } from './logins.ts';
import { makeFor } from './make.ts';

const path = '/hooks/jamf/:endpoint';
const HOUR_S = 3600;

export function jamfRoutes(deps: ChallengeDeps): Hono {
  const app = new Hono();
  const limited = bodyLimit({
    maxSize: MAX_HOOK_OCTETS,
    onError: () => {
      throw new HttpFailure(413, 'the event is too long');
    },
  });
  app.post(path, limited, async (c) => {
    const endpoint = deps.config.endpoints.get(c.req.param('endpoint'));
    if (!endpoint?.jamf) throw new HttpFailure(404, 'no such endpoint, or it has no hook');
    return answer(deps, endpoint, endpoint.jamf, c);
  });
  app.all(path, (c) => {
    throw new HttpFailure(405, `the method ${c.req.method} is not allowed here`, 'POST');
  });
  return app;
}

async function answer(
  deps: ChallengeDeps,
  endpoint: Endpoint,
  { login, ...hook }: JamfHook,
  c: Context,
): Promise<Response> {
  const page = {
    ...{ name: 'jamf', endpoint: endpoint.id },
    ...(login.in === 'value' ? { header: login.header } : {}),
  };
  const found = loginOf(deps, page, [login], c);
  if (found instanceof Response) return found;
  if (!/^application\/(?:[\w.-]+\+)?json *(?:;|$)/i.test(c.req.header('content-type') ?? '')) {
    throw new HttpFailure(
      415,
      'the event is not JSON: set the content type of the webhook to JSON',
    );
  }
  const event = readWebhookEvent(await bodyOf(c));
  if (event.kind === 'other') return new Response(null, { status: 204 });
  const { device } = event;
  if (!device && hook.device === 'required') {
    const now = deps.clock.now();
    const number = deps.tally.lineDue(`probe ${endpoint.id}`, now, PAGE_LINE_MS);
    if (number !== undefined) {
      const detail = 'the event names no device, so its answer is a text that is no challenge';
      deps.log({ event: 'page.probe', severity: 'info', endpoint: endpoint.id, detail, number });
    }
    return bare(freshText(deps.random));
  }
  const made = await makeFor(deps, endpoint, {
    ...{ by: login.in === 'password' ? `jamf ${login.user}` : 'jamf', c },
    ...{ perHour: hook.perHour, ttlMs: hook.ttlMs },
    binding: bindingOf(hook, device),
  });
  return made === undefined ? tooMany(Math.ceil(HOUR_S / hook.perHour)) : bare(made);
}

/** It goes into a profile as it is: without quotes, without an end of line. */
const bare = (text: string): Response => octetsResponse(text, 'text/plain', 'no-store');

/** @throws {HttpFailure} 400 where the event does not say what a pattern needs */
function bindingOf(
  { subject }: Pick<JamfHook, 'subject'>,
  { serialNumber, uuid }: EventDevice = {},
) {
  const device = serialNumber ?? uuid;
  const said = { ...(serialNumber ? { serialNumber } : {}), ...(uuid ? { uuid } : {}) };
  const pattern = (text: string): string => {
    const whole = filled(text, said);
    if (whole !== undefined) return whole;
    throw new HttpFailure(400, `the event does not say what stands in the pattern "${text}"`);
  };
  const patterns =
    subject &&
    Object.fromEntries(
      Object.entries(subject).map(([type, value]) => [type, [value].flat().map(pattern)]),
    );
  return {
    ...(device === undefined ? {} : { device }),
    ...(patterns ? { subjectPattern: patterns } : {}),
  };
}
