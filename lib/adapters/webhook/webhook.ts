// A webhook of the operator's, asked whether a device may have a certificate. Whatever is no well-formed yes is a no or an
// outage, for which the device is told 503: never a certificate.

import { type Bytes, base64, fromBase64, utf8 } from '../../base/bytes.ts';
import { errorText, NoAnswer, Outage } from '../../base/errors.ts';
import { visible } from '../../base/text.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Validator } from '../../ports/validator.ts';
import { readCertificationRequest } from '../../x509/csr.ts';
import { scepterStyle } from './scepter.ts';
import { type HookReply, type Send, Unanswerable } from './send.ts';
import { stepCaStyle } from './step-ca.ts';
import type { HookMessage, WebhookSettings } from './style.ts';

/** Milliseconds that one try may take, and between two. */
const TRY_MS = 3000;
const AGAIN_MS = 1000;

const MIN_SECRET_OCTETS = 16;

/** Characters of what a webhook says that are kept. */
const MAX_SAID = 200;

type WebhookWorld = {
  readonly clock: Clock;
  readonly send: Send;
  /** Aborts after that many milliseconds. */
  readonly limit: (ms: number) => AbortSignal;
};

/** @throws {SyntaxError} with a sentence, for settings that nothing could be sent with */
export function makeWebhook(settings: WebhookSettings, world: WebhookWorld): Validator {
  const { id } = settings;
  const style = (settings.style === 'stepca' ? stepCaStyle : scepterStyle)(
    settings,
    keyOf(settings),
  );
  const post = poster(settings, world);
  /** @param about has secrets that must not be in what is said of it */
  const exchange = async <T>(
    message: HookMessage,
    about: { readonly until: number; readonly csr?: Bytes },
    read: (reply: HookReply, message: HookMessage) => T,
  ): Promise<T> => {
    try {
      return read(await post(message, about.until), message);
    } catch (error) {
      if (!(error instanceof Outage)) throw error;
      const said = withoutSecrets(error.message, settings, about.csr);
      const Kind = error instanceof NoAnswer ? NoAnswer : Outage;
      throw new Kind(`the webhook "${id}" gave no answer: ${said}`);
    }
  };
  const now = () => world.clock.now();
  const { waiting: waitingFor } = style;
  return {
    validate: async (request) => {
      const message = style.validation(request, now());
      const { allow, note } = await exchange(message, request, style.answer);
      if (note === undefined) return { allow };
      return { allow, note: withoutSecrets(note, settings, request.csr) };
    },
    ...(settings.notify
      ? {
          notify: (notice) => exchange(style.issued(notice, now()), notice, style.receipt),
          refused: async (notice) => {
            await exchange(style.refused(notice, now()), notice, style.receipt);
          },
        }
      : {}),
    ...(waitingFor
      ? {
          waiting: async (notice) => {
            await exchange(waitingFor(notice, now()), notice, style.receipt);
          },
        }
      : {}),
  };
}

/** @throws {SyntaxError} */
function keyOf({ id, secret }: WebhookSettings): Bytes {
  try {
    const key = fromBase64(secret);
    if (key.length >= MIN_SECRET_OCTETS) return key;
  } catch {
    // Neither says more than the sentence below.
  }
  throw new SyntaxError(
    `validators.${id}.secret: the variable that it names must hold base64 of at least ${MIN_SECRET_OCTETS} octets, such as "openssl rand -base64 32" prints`,
  );
}

/** Sends a message, and once more when the network fails or the answer is 5xx, while there is time. */
function poster(settings: WebhookSettings, { clock, send, limit }: WebhookWorld) {
  const url = new URL(settings.url);
  const authorization = authorizationOf(settings);
  const { networks } = settings;
  return async ({ body, headers }: HookMessage, until: number): Promise<HookReply> => {
    const post = {
      ...{ url, networks, body: utf8(body) },
      headers: { 'Content-Type': 'application/json', ...headers, ...authorization },
    };
    for (let isLast = false; ; isLast = true) {
      const ms = Math.min(TRY_MS, until - clock.now());
      if (ms <= 0) throw new Outage('there was no time left to ask it');
      const signal = limit(ms);
      const got = await send({ ...post, signal }).catch((error: unknown) => {
        if (error instanceof Unanswerable) throw error;
        if (signal.aborted) throw new Outage(`it took longer than ${ms} ms`);
        return new Outage(networkProblem(error));
      });
      const isFailure = got instanceof Outage;
      if (!isFailure && got.status < 500) return got;
      if (isLast || clock.now() + AGAIN_MS >= until) {
        throw isFailure ? got : new Outage(`it answered ${got.status}`);
      }
      await clock.sleep(AGAIN_MS);
    }
  };
}

/** What OpenSSL calls a chain that does not end at a CA that this process trusts. */
const untrusted = [
  ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'],
  ...['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'],
];

/** Node says what is wrong in the cause of an error, or, of several addresses, in its code alone. */
function networkProblem(error: unknown): string {
  const { cause = error } = Object(error) as { cause?: unknown };
  const { code } = Object(cause) as { code?: unknown };
  if (untrusted.includes(String(code))) {
    return `its certificate is not of a CA that this process trusts (${code}): send the whole chain, and for a CA of your own start with NODE_EXTRA_CA_CERTS, the file with its PEM`;
  }
  if (code === 'CERT_HAS_EXPIRED') return 'its certificate, or one of its chain, has expired';
  return errorText(cause) || String(code);
}

/** @throws {SyntaxError} */
function authorizationOf({ id, bearer, basic }: WebhookSettings): Readonly<Record<string, string>> {
  if (basic) return { Authorization: `Basic ${base64(utf8(`${basic.user}:${basic.password}`))}` };
  if (bearer === undefined) return {};
  if (!/^[\x21-\x7e]+$/.test(bearer)) {
    throw new SyntaxError(
      `validators.${id}.bearer: the variable that it names must hold visible ASCII characters`,
    );
  }
  return { Authorization: `Bearer ${bearer}` };
}

/** What a webhook, or the network, says: safe to show, and without what it was sent in confidence. */
function withoutSecrets(text: string, settings: WebhookSettings, csr: Bytes | undefined): string {
  const { challengePassword = '' } = csr ? readCertificationRequest(csr) : {};
  const [, credentials = ''] = authorizationOf(settings).Authorization?.split(' ') ?? [];
  const hidden = [challengePassword, settings.secret, credentials, settings.basic?.password ?? '']
    .filter((value) => value !== '')
    .reduce((rest, value) => rest.replaceAll(value, '***'), text);
  return visible(hidden).slice(0, MAX_SAID).toWellFormed();
}
