// IAM Roles Anywhere: AWS credentials that end by themselves, for a process outside AWS that has a certificate of a CA
// which the account trusts, and its key. Its API is asked with a signature of that key ("Signing process" and
// "CreateSession" of its user guide), which the SDK does not make.

import { type Bytes, base64, fromPem, hex, utf8 } from '../../base/bytes.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import { isText } from '../../base/text.ts';
import { hash, verifyNatively } from '../../crypto/native.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { type Certificate, publicKeyOf, readCertificate } from '../../x509/certificate.ts';
import { derEcdsa, type KeyKind, type PublicKey } from '../../x509/public-key.ts';
import { isPassing, repeated, type Session, systemTimer, told } from './aws.ts';

/** Seconds of a session that are asked for: a role allows as many without being told to. */
const SESSION_S = 3600;
/** Milliseconds of one call; and until one that failed is made again while the session before is good. */
const CALL_MS = 2000;
const PAUSE_MS = 30_000;

export type RolesAnywhere = {
  readonly region: string;
  /** PEM: the process's own, then those between it and the trust anchor. */
  readonly certificate: string;
  /** PEM of PKCS #8. */
  readonly key: string;
  /** ARNs. */
  readonly trustAnchor: string;
  readonly profile: string;
  readonly role: string;
  /** Other than AWS's, for development. */
  readonly endpoint: string | undefined;
};

type Identity = {
  readonly certificate: Certificate;
  /** Base64 of DER, between commas; empty where the certificate is the trust anchor's own. */
  readonly chain: string;
  readonly algorithm: 'ECDSA' | 'RSA';
  readonly sign: (message: Bytes) => Promise<Bytes>;
};

/** Refusals that had no effect and are temporary, beside all of 5xx. */
const passing = new Set(['ThrottlingException', 'TooManyRequestsException']);

/** What an operator can do about what it says. */
const remedies: Readonly<Record<string, string>> = {
  AccessDeniedException:
    "see that the certificate is of the trust anchor's CA and neither over nor revoked, that its CN is the one in the role's trust policy, that anchor and profile are enabled, and that the profile names the role",
  ResourceNotFoundException: 'see the ARNs of trust anchor, profile and role, and AWS_REGION',
  ValidationException: 'see the ARNs of trust anchor, profile and role',
};

/**
 * @returns what gives the credentials: made at the first call, shared by all, and made anew once half of their time
 * is over, by one caller at a time, for whom nobody waits; while that fails they are given out until they end, and the
 * log says so
 */
export function rolesAnywhere(
  settings: RolesAnywhere,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): () => Promise<Session> {
  const flights = new SingleFlight<Session>();
  const identity = new SingleFlight<Identity>();
  let last: (Session & { readonly renewMs: number; readonly renewAt: number }) | undefined;
  let quietUntil = 0;
  const make = async (): Promise<Session> => {
    const own = await identity.get('identity', () => readIdentity(settings));
    const began = clock.now();
    const session = await createSession(settings, own, began);
    const halfMs = Math.min(session.expiration.getTime() - began, SESSION_S * 1000) / 2;
    // Even by a clock that is wrong a session is not made for each call.
    const renewMs = Math.max(halfMs, PAUSE_MS);
    last = { ...session, renewMs, renewAt: began + renewMs };
    return last;
  };
  return async () => {
    const now = clock.now();
    const good = last && now < last.expiration.getTime() ? last : undefined;
    if (good && now < quietUntil && quietUntil <= now + PAUSE_MS) return good;
    if (good && now >= good.renewAt) quietUntil = now + PAUSE_MS;
    try {
      return await flights.get('session', make, { now, maxMs: last?.renewMs ?? PAUSE_MS });
    } catch (error) {
      if (!good) throw error;
      quietUntil = now + PAUSE_MS;
      log({ event: 'credentials.notRenewed', severity: 'warning', detail: told(error).message });
      return good;
    }
  };
}

/** An error that `told` understands, and that says nothing of the call that the credentials were for. */
const trouble = (sentence: string): Error =>
  Object.assign(new Error(sentence), { name: 'RolesAnywhereError' });

async function readIdentity({ certificate, key }: RolesAnywhere): Promise<Identity> {
  const [first, ...rest] = fromPem('CERTIFICATE', certificate);
  const [pkcs8] = fromPem('PRIVATE KEY', key);
  if (!first || !pkcs8) throw trouble('ROLES_ANYWHERE_CERTIFICATE or _KEY is no whole PEM');
  const own = readCertificate(first);
  const publicKey = publicKeyOf(own);
  const sign = publicKey && (await signerOf(publicKey.kind, pkcs8));
  if (!sign) {
    throw trouble(
      'ROLES_ANYWHERE_KEY must be a key of P-256, P-384 or RSA, as its certificate says',
    );
  }
  await requirePair(publicKey, sign);
  return {
    certificate: own,
    chain: rest.map(base64).join(','),
    algorithm: publicKey.kind.type === 'RSA' ? 'RSA' : 'ECDSA',
    sign,
  };
}

/** @returns undefined for a key of another kind than its certificate says, or than Roles Anywhere takes */
async function signerOf(kind: KeyKind, pkcs8: Bytes): Promise<Identity['sign'] | undefined> {
  if (kind.type === 'Ed25519') return undefined;
  const algorithm =
    kind.type === 'EC'
      ? { name: 'ECDSA', namedCurve: kind.curve, hash: 'SHA-256' }
      : { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const key = await crypto.subtle
    .importKey('pkcs8', pkcs8, algorithm, false, ['sign'])
    .catch(() => undefined);
  return (
    key &&
    (async (message) => {
      const signature = new Uint8Array(await crypto.subtle.sign(algorithm, key, message));
      return kind.type === 'EC' ? derEcdsa(signature) : signature;
    })
  );
}

async function requirePair(publicKey: PublicKey, sign: Identity['sign']): Promise<void> {
  const message = utf8('of one pair');
  if (verifyNatively('SHA-256', publicKey.native(), message, await sign(message))) return;
  throw trouble('ROLES_ANYWHERE_KEY is not the key of ROLES_ANYWHERE_CERTIFICATE');
}

/** @returns credentials, of which `expiration` is as AWS says it */
async function createSession(
  settings: RolesAnywhere,
  identity: Identity,
  now: number,
): Promise<Session> {
  const { trustAnchor, profile, role, region, endpoint } = settings;
  const suffix = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const url = new URL('/sessions', endpoint ?? `https://rolesanywhere.${region}.${suffix}`);
  const body = JSON.stringify({
    durationSeconds: SESSION_S,
    profileArn: profile,
    roleArn: role,
    trustAnchorArn: trustAnchor,
  });
  const headers = await signedHeaders({ region, url, body, now }, identity);
  const once = async (): Promise<Session> => {
    const signal = systemTimer.limit(CALL_MS);
    // What is signed for one address is of no use at another.
    const redirect = 'manual';
    const response = await fetch(url, { method: 'POST', headers, body, signal, redirect });
    const text = await response.text();
    return response.status === 201 ? sessionIn(text) : Promise.reject(refusal(response, text));
  };
  const deadline = systemTimer.now() + 3 * CALL_MS;
  try {
    return await repeated(systemTimer, deadline, (error) => isPassing(error, passing), once);
  } catch (error) {
    const { name, message, unanswered } = told(error);
    const remedy = unanswered ? 'see the route to it, and AWS_REGION' : remedies[name];
    const said = [...new Set([name, message])].filter((one) => one !== '').join(', ');
    throw trouble(`IAM Roles Anywhere gives no credentials: ${said}${remedy ? `: ${remedy}` : ''}`);
  }
}

type Asked = {
  readonly region: string;
  readonly url: URL;
  readonly body: string;
  readonly now: number;
};

/** SigV4 but for the algorithm, the key, and the serial number of the certificate where the access key's id is. */
async function signedHeaders({ region, url, body, now }: Asked, identity: Identity) {
  const { certificate, chain, algorithm, sign } = identity;
  const date = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');
  const sent = {
    'content-type': 'application/json',
    'x-amz-date': date,
    'x-amz-x509': base64(certificate.der),
    ...(chain === '' ? {} : { 'x-amz-x509-chain': chain }),
  };
  const signed = Object.entries({ ...sent, host: url.host }).toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  );
  const names = signed.map(([name]) => name).join(';');
  const digest = (text: string): string => hex(hash('SHA-256', utf8(text)));
  const lines = signed.map(([name, value]) => `${name}:${value}\n`).join('');
  const canonical = ['POST', url.pathname, '', lines, names, digest(body)].join('\n');
  const scope = [date.slice(0, 8), region, 'rolesanywhere', 'aws4_request'].join('/');
  const scheme = `AWS4-X509-${algorithm}-SHA256`;
  const signature = hex(await sign(utf8([scheme, date, scope, digest(canonical)].join('\n'))));
  const serial = BigInt(`0x${hex(certificate.serial)}`);
  const parts = [
    `Credential=${serial}/${scope}`,
    `SignedHeaders=${names}`,
    `Signature=${signature}`,
  ];
  return { ...sent, authorization: `${scheme} ${parts.join(', ')}` };
}

/** @throws {Error} that says nothing of what the answer has */
function sessionIn(text: string): Session {
  const { credentialSet } = Object(parsed(text)) as { credentialSet?: unknown };
  const [set] = Array.isArray(credentialSet) ? credentialSet : [];
  const { credentials } = Object(set) as { credentials?: unknown };
  const said = Object(credentials) as Readonly<Record<string, unknown>>;
  const texts = [said.accessKeyId, said.secretAccessKey, said.sessionToken].filter(isVisible);
  const [accessKeyId, secretAccessKey, sessionToken] = texts;
  const expiration = new Date(isText(said.expiration) ? said.expiration : '');
  if (accessKeyId && secretAccessKey && sessionToken && !Number.isNaN(expiration.getTime())) {
    return { accessKeyId, secretAccessKey, sessionToken, expiration };
  }
  throw refusalOf(REFUSED, 'an answer without credentials', '');
}

/** What a header can carry. */
const isVisible = (said: unknown): said is string => isText(said) && /^[!-~]+$/.test(said);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The status of what is not asked for again at once. */
const REFUSED = 400;

const refusalOf = (httpStatusCode: number, name: string, message: string): Error =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode } });

/** It says it in JSON, and what kind it is in a header. */
function refusal({ status, headers }: Response, text: string): Error {
  const [kind = `HTTP ${status}`] = (headers.get('x-amzn-errortype') ?? '').split(':');
  const [, message = ''] = /"message"\s*:\s*"([^"\\]*)"/i.exec(text) ?? [];
  return refusalOf(Math.max(status, REFUSED), kind === '' ? `HTTP ${status}` : kind, message);
}
