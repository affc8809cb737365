// Whether the hook of an endpoint answers Jamf Pro, or Fleet: its event is posted through the public URL, by the
// credentials that the webhook must have, once as a probe and once for a device that nobody has.

import { allWithin, base64, fromUtf8, utf8 } from '../../../base/bytes.ts';
import { errorText } from '../../../base/errors.ts';
import { mdmPathsOf } from '../../../config/endpoint/endpoint.ts';
import type { JamfHook } from '../../../config/outside/jamf.ts';
import { variableOf } from '../../../config/secret.ts';
import { CliError, type Io } from '../../io.ts';
import { QUESTION_MS } from '../gather.ts';
import { fault, good, type Observation, type Section } from '../observation.ts';

const MAX_ANSWER_OCTETS = 64 * 1024;
const DEVICE = { serialNumber: 'SCEPTER-DOCTOR', uuid: '00000000-0000-0000-0000-000000000000' };

/** @throws {CliError} where the endpoint has no hook, or its secret is not here */
export async function jamfSections(io: Io, name: string): Promise<Section[]> {
  const { config, secrets } = await io.pages().catch((error: unknown) => {
    throw new CliError('usage', errorText(error));
  });
  const endpoint = config.endpoints.get(name);
  if (!endpoint?.jamf) {
    throw new CliError('usage', `--endpoint: the configuration has no endpoints.${name}.jamf`);
  }
  const { login } = endpoint.jamf;
  const secret = secrets(variableOf(login.secret));
  if (!secret) {
    throw new CliError(
      'usage',
      `endpoints.${name}.jamf.${login.in}: the environment variable ${variableOf(login.secret)} is not set here`,
    );
  }
  const path = mdmPathsOf(endpoint).find((one) => one.startsWith('/hooks/')) ?? '';
  const url = `${config.publicUrl}${path}`;
  io.progress?.(`asking ${url}`);
  const post = (event: object) => posted(io, url, { headers: headersOf(login, secret), event });
  const probe = problemOf(await post({}), endpoint.jamf);
  const findings: Observation[] = [
    probe ?? good('hook', 'a probe, which names no device, is answered with a text'),
  ];
  if (!probe) {
    const made = problemOf(await post({ targetDevice: DEVICE }), endpoint.jamf);
    const life = `it is for the device ${DEVICE.serialNumber}, and ends by itself`;
    findings.push(
      made ?? good('hook', `an event for a device is answered with a challenge: ${life}`),
    );
  }
  return [{ about: url, findings }];
}

function headersOf(login: JamfHook['login'], secret: string): Record<string, string> {
  return login.in === 'password'
    ? { authorization: `Basic ${base64(utf8(`${login.user}:${secret}`))}` }
    : { [login.header]: secret };
}

type Heard = { readonly status: number; readonly type: string; readonly text: string } | Error;

async function posted(
  io: Io,
  url: string,
  { headers, event }: { readonly headers: Record<string, string>; readonly event: object },
): Promise<Heard> {
  const body = JSON.stringify({
    webhook: { id: 1, name: 'scepter doctor', webhookEvent: 'SCEPChallenge' },
    event: { payloadTypes: ['com.apple.security.scep'], ...event },
  });
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(io.timeoutMs ?? QUESTION_MS),
    });
    const octets = await allWithin(MAX_ANSWER_OCTETS, response.body);
    const type = response.headers.get('content-type') ?? '';
    return { status: response.status, type, text: fromUtf8(octets ?? new Uint8Array(0)) };
  } catch (error) {
    const { cause = error } = Object(error) as { cause?: unknown };
    return new Error(errorText(cause));
  }
}

const nobody = 'no device gets a challenge: Jamf Pro puts an empty one, or none, into its profile';

function problemOf(heard: Heard, { login }: JamfHook): Observation | undefined {
  const wrong = (says: string, fix: string) => fault('hook', says, nobody, fix);
  if (heard instanceof Error) {
    return wrong(
      `nothing answers: ${heard.message}`,
      'see that the name of publicUrl leads here by https, from where Jamf Pro is, too',
    );
  }
  const { status, type, text } = heard;
  switch (status) {
    case 200:
      return /^text\/plain\b/.test(type) && /^[\x21-\x7e]+$/.test(text)
        ? undefined
        : wrong(
            `it answered ${type || 'without a type'}, and no bare text`,
            'see what stands between devices and this service, and changes answers',
          );
    case 401:
    case 403: {
      const what =
        login.in === 'password'
          ? '"Basic Authentication" with the user and password of the configuration'
          : `"Header Authentication" with the header ${login.header} of the configuration`;
      return wrong(
        `it does not take these credentials (HTTP ${status})`,
        `in Jamf Pro, Settings > Global > Webhooks, the authentication type must be ${what}; a variable that changed counts after a restart`,
      );
    }
    case 404:
      return wrong(
        'there is no hook at this address (HTTP 404)',
        'deploy the configuration that has it; at AWS with challengePages (challenge_pages) on',
      );
    case 429:
      return wrong(
        'its challenges of this hour are used up (HTTP 429)',
        'wait, or raise "perHour" of the hook',
      );
    default:
      return wrong(
        `HTTP ${status}`,
        status >= 500
          ? 'the log of the service says why'
          : 'see what stands between devices and this service: it must let POST requests to /hooks/ through',
      );
  }
}
