// The webhook event SCEPChallenge of Jamf Pro, which Fleet sends in the same shape: what it says of the device that is
// to get a challenge. Jamf names it `targetDevice`, Fleet `device`; its probe of a configuration names none.

import { Malformed } from '../base/errors.ts';

/** What the event says of a device, as far as it says it. */
export type EventDevice = { readonly serialNumber?: string; readonly uuid?: string };

type WebhookEvent =
  | { readonly kind: 'challenge'; readonly device?: EventDevice }
  /** One that asks for no challenge. */
  | { readonly kind: 'other' };

/** Visible, no control or bidirectional characters, and nothing that means something in a pattern. */
const identifier = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}*{}]{1,64}$/u;

type Members = Readonly<Record<string, unknown>>;

const membersOf = (value: unknown): Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {};

/** @throws {Malformed} of a device that can be bound to nothing, and of what is no event */
export function readWebhookEvent(body: unknown): WebhookEvent {
  const { webhook, event } = membersOf(body);
  const { webhookEvent } = membersOf(webhook);
  if (typeof webhookEvent !== 'string') {
    throw new Malformed('the body is no webhook event: webhook.webhookEvent is missing');
  }
  if (webhookEvent !== 'SCEPChallenge') return { kind: 'other' };
  const { device, targetDevice } = membersOf(event);
  const said = membersOf(device ?? targetDevice);
  const serialNumber = identifierIn(said, 'serialNumber');
  const uuid = identifierIn(said, 'uuid') ?? identifierIn(said, 'udid');
  if (serialNumber === undefined && uuid === undefined) return { kind: 'challenge' };
  return {
    kind: 'challenge',
    device: {
      ...(serialNumber === undefined ? {} : { serialNumber }),
      ...(uuid === undefined ? {} : { uuid }),
    },
  };
}

/** @returns undefined where it is absent or empty */
function identifierIn(device: Members, name: string): string | undefined {
  const value = device[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'string' && identifier.test(value)) return value;
  throw new Malformed(
    `the ${name} of the device is not 1 to 64 visible characters without "*" and braces`,
  );
}
