// The part of an endpoint that says by what Jamf Pro, or Fleet, shows itself when it asks for the challenge of a device,
// and what binds the challenge to the device.

import * as z from 'zod/mini';
import { MAX_HOOK_CHALLENGE_MS } from '../../base/mdm-limits.ts';
import { checkSubject } from '../endpoint/enrolment.ts';
import { described, duration } from '../schema.ts';
import { secret } from '../secret.ts';
import { boundSubject, type EndpointOf, perHour, requireChallenges, user } from './ndes.ts';

/** By HTTP Basic, or by a header of its own. `secret` is a reference: `env:NAME`. */
type HookLogin =
  | { readonly in: 'password'; readonly user: string; readonly secret: string }
  | { readonly in: 'value'; readonly header: string; readonly secret: string };

export type JamfHook = {
  readonly login: HookLogin;
  /** By attribute type, patterns in which `{serialNumber}` and `{uuid}` stand for what the event says. */
  readonly subject?: Readonly<Record<string, string | readonly string[]>> | undefined;
  /** Whether an event that names no device gets a challenge that can be used. */
  readonly device: 'required' | 'optional';
  readonly ttlMs: number;
  readonly perHour: number;
};

const headerText = 'must be the name of a header of your own, such as "X-Api-Key"';

export const jamf = z.strictObject({
  user: described('of HTTP Basic, as the webhook has it', z.optional(user)),
  password: z.optional(secret),
  header: described(
    'instead of user and password: a header that the webhook sends ("Header Authentication")',
    z.optional(
      z.string(headerText).check(
        z.regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, headerText),
        z.refine((name) => !/^(?:authorization|host|cookie|content-.*)$/i.test(name), headerText),
      ),
    ),
  ),
  value: z.optional(secret),
  subject: described(
    'attribute types that the subject of the request must have, and patterns of which each value must match one; {serialNumber} and {uuid} stand for those of the device that the event names. Needed unless "deviceList" says which names the device may have',
    z.optional(boundSubject),
  ),
  device: described(
    'whether an event must name its device: "required": one that does not is taken for a probe, and gets a text that is no challenge; "optional": it gets a challenge for whatever fits "subject"',
    z._default(z.enum(['required', 'optional']), 'required'),
  ),
  ttl: described('how long a challenge lives, at most 1h', z.prefault(duration, '5m')),
  perHour,
});

/** What stands for something in a pattern. */
const placeholder = /\{([^{}]*)\}/g;

/** The pattern for this device; undefined where the event does not say what it needs. */
export function filled(
  pattern: string,
  device: Readonly<Partial<Record<string, string>>>,
): string | undefined {
  let whole = true;
  const text = pattern.replace(placeholder, (_, name: string) => {
    const value = device[name];
    if (value === undefined) whole = false;
    return value ?? '';
  });
  return whole ? text : undefined;
}

const namedIn = (pattern: string): string[] =>
  [...pattern.matchAll(placeholder)].map(([, name = '']) => name);

export function checkJamf(
  { ttl, user: name, password, header, value, ...given }: z.output<typeof jamf>,
  asked: EndpointOf,
): JamfHook | undefined {
  const { endpoint, authorize, problems } = asked;
  const path = `endpoints.${endpoint}.jamf`;
  requireChallenges('jamf', asked);
  const { subject, device } = given;
  if (subject) {
    checkSubject(`${path}.subject`, subject, problems);
    for (const [type, listed] of Object.entries(subject)) {
      const named = [listed].flat().flatMap(namedIn);
      const unknown = named.find((one) => one !== 'serialNumber' && one !== 'uuid');
      if (unknown !== undefined) {
        problems.push(
          `${path}.subject.${type}: "{${unknown}}" stands for nothing: it may be {serialNumber} or {uuid}`,
        );
      } else if (named.length > 0 && device === 'optional') {
        problems.push(
          `${path}.subject.${type}: names the device, which "device": "optional" does not ask for: set that to "required", or leave it out`,
        );
      }
    }
  } else if (device === 'optional' || !authorize.includes('deviceList')) {
    problems.push(
      `${path}.subject: is missing, and nothing else says which names a device may have: give it, such as {"CN": "{serialNumber}"}, or add "deviceList" to "authorize" of "enrol" and leave "device" at "required"`,
    );
  }
  if (ttl > MAX_HOOK_CHALLENGE_MS) problems.push(`${path}.ttl: must be at most "1h"`);
  const login: HookLogin | undefined =
    name !== undefined && password !== undefined && header === undefined && value === undefined
      ? { in: 'password', user: name, secret: password }
      : header !== undefined && value !== undefined && name === undefined && password === undefined
        ? { in: 'value', header, secret: value }
        : undefined;
  if (!login) problems.push(`${path}: must have "user" and "password", or "header" and "value"`);
  return login && { ...given, login, ttlMs: ttl };
}
