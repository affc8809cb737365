// What the two styles of webhook have in common: what is asked and told, and how an answer is read.

import { fromUtf8 } from '../../base/bytes.ts';
import { NoAnswer, Outage } from '../../base/errors.ts';
import type {
  IssuedNotice,
  RefusedNotice,
  ValidationRequest,
  Validator,
  WaitingNotice,
} from '../../ports/validator.ts';
import type { IpRange } from '../../x509/names/general-name.ts';
import type { HookReply } from './send.ts';

export type WebhookSettings = {
  /** The validator's name. */
  readonly id: string;
  readonly style: 'stepca' | 'scepter';
  /** https, without user and password. */
  readonly url: string;
  /** X-Smallstep-Webhook-ID; by default the validator's name. */
  readonly hookId?: string | undefined;
  /** What posts are signed with: base64. */
  readonly secret: string;
  /** Its credentials, if it wants any: one of the two. */
  readonly bearer?: string | undefined;
  readonly basic?: { readonly user: string; readonly password: string } | undefined;
  /** Private addresses that it may be at. */
  readonly networks: readonly IpRange[];
  /** It is told of certificates and refusals, too. */
  readonly notify: boolean;
};

export type HookVerdict = Awaited<ReturnType<Validator['validate']>>;

/** What is posted: the same again where it is tried again. */
export type HookMessage = {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What its answer has to name. */
  readonly digest?: string;
};

export interface Style {
  validation(request: ValidationRequest, now: number): HookMessage;
  issued(notice: IssuedNotice, now: number): HookMessage;
  refused(notice: RefusedNotice, now: number): HookMessage;
  /** Absent where the style has no such notice. */
  waiting?(notice: WaitingNotice, now: number): HookMessage;

  /** Of a validation. @throws {Outage} when it is no answer */
  answer(reply: HookReply, message: HookMessage): HookVerdict;
  /** Of a notice. @throws {Outage} when it is no answer */
  receipt(reply: HookReply, message: HookMessage): 'release' | 'refuse';
}

/** With which a webhook speaks about what it was sent; with all others about itself, or the way to it. */
export const aboutRequest: readonly number[] = [400, 403, 409, 422];

export const unanswered = (status: number): Outage =>
  new (aboutRequest.includes(status) ? NoAnswer : Outage)(`it answered ${status}`);

/** The members of a JSON object. @throws {Outage} */
export function membersOf({ body }: HookReply): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(body));
  } catch {
    throw new Outage('its answer is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Outage('its answer is no JSON object');
  }
  return value as Readonly<Record<string, unknown>>;
}
