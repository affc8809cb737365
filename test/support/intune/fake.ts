// Microsoft Intune as a SCEP server of another maker sees it: Entra's token endpoint, Graph's discovery, ScepActions and the
// queue of revocations, of one tenant, behind one `fetch`. Strict in what it takes, as Microsoft's own Java client sends it
// (test/vectors/intune), and able to fail.

import { createHash, randomBytes, randomUUID, X509Certificate } from 'node:crypto';
import { compactVerify } from 'jose';
import {
  type Challenge,
  commonProfile,
  judge,
  type ScepProfile,
  sealChallenge,
} from './profile.ts';

/** Where something can go wrong. */
export type Place = 'token' | 'graph' | Action;
type Action =
  | 'validateRequest'
  | 'successNotification'
  | 'failureNotification'
  | 'downloadRevocationRequests'
  | 'uploadRevocationResults';

/** silent: no answer, until whoever asked gives up. `{ status }` with `{ body }` or none: as it says. */
export type Failure =
  | 'silent'
  | 'huge'
  | 'redirect'
  | 'cut'
  | { readonly status: number; readonly body?: string };

export type Call = {
  readonly place: Place;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

type Order = {
  readonly requestContext: string;
  readonly serialNumber: string;
  readonly issuerName: string;
  readonly caConfiguration: string;
};

type Result = {
  readonly requestContext: string;
  readonly succeeded: boolean;
  readonly errorCode: string;
  readonly errorMessage?: string;
};

export type Notice = Readonly<Record<string, string | number>>;

const LOGIN = 'login.microsoftonline.com';
const GRAPH = 'graph.microsoft.com';
const UNIT = 'fef.msua01.manage.microsoft.com';
const scep = `https://${UNIT}/RACerts/ScepRequestValidationFEService/Gateway/StatelessScepRequestValidationService`;
const pki = `https://${UNIT}/RACerts/StatelessPkiConnectorService/Gateway/StatelessPkiConnectorService`;
const scopes = {
  graph: `https://${GRAPH}/.default`,
  intune: 'https://api.manage.microsoft.com//.default',
};

const actions: Readonly<Record<Action, { path: string; version: string }>> = {
  validateRequest: { path: `${scep}/ScepActions/validateRequest`, version: '2018-02-20' },
  successNotification: { path: `${scep}/ScepActions/successNotification`, version: '2018-02-20' },
  failureNotification: { path: `${scep}/ScepActions/failureNotification`, version: '2018-02-20' },
  downloadRevocationRequests: {
    path: `${pki}/CertificateAuthorityRequests/downloadRevocationRequests`,
    version: '5019-05-05',
  },
  uploadRevocationResults: {
    path: `${pki}/CertificateAuthorityRequests/uploadRevocationResults`,
    version: '5019-05-05',
  },
};

type Options = {
  readonly now: () => number;
  /** PEM of the certificate that is uploaded to the app registration. */
  readonly certificate?: string;
};

export type FakeIntune = ReturnType<typeof fakeIntune>;

export function fakeIntune({ now, certificate }: Options) {
  const key = randomBytes(32);
  const failures = new Map<Place, Failure[]>();
  const always = new Map<Place, Failure>();
  const tokens = new Map<string, { scope: string; endsAt: number }>();
  const orders: Order[] = [];
  const known = {
    requests: new Set<string>(),
    devices: new Set(['device-1']),
    users: new Set(['user-1']),
    untargeted: new Set<string>(),
  };
  const fake = {
    tenant: '11111111-2222-3333-4444-555555555555',
    clientId: '66666666-7777-8888-9999-000000000000',
    /** Secrets of the app registration that are good. */
    secrets: new Set(['a secret of the app registration']),
    permissions: new Set(['Application.Read.All', 'scep_challenge_provider']),
    /** What Graph names, by service. */
    services: new Map([
      ['ScepRequestValidationFEService', scep],
      ['PkiConnectorFEService', pki],
    ]),
    tokenSeconds: 3599,
    ...known,
    orders,
    calls: [] as Call[],
    successes: [] as Notice[],
    failed: [] as Notice[],
    results: [] as Result[],

    /** The next so many calls there fail; without a number, all of them until `heal`. */
    fail(place: Place, failure: Failure, times?: number): void {
      if (times === undefined) always.set(place, failure);
      else
        failures.set(
          place,
          Array.from({ length: times }, () => failure),
        );
    },
    heal(): void {
      failures.clear();
      always.clear();
    },
    /** All tokens that were given out are over. */
    expireTokens(): void {
      tokens.clear();
    },
    /** A challengePassword for a device. */
    challenge(profile: ScepProfile = commonProfile, told: Partial<Challenge> = {}): string {
      const requestId = told.requestId ?? randomUUID();
      if (told.requestId === undefined) known.requests.add(requestId);
      const times = { from: now(), to: now() + 60 * 60 * 1000 };
      const device = { deviceId: 'device-1', userId: 'user-1' };
      return sealChallenge({ ...device, ...times, ...told, requestId, profile }, key);
    },
    /** One that holds this and no challenge. */
    sealed: (text: string): string => sealChallenge(text, key),

    fetch: (async (input, init) => {
      const request = new Request(input, init);
      const place = placeOf(request);
      if (!place) return answer(404, { error: `there is nothing at ${request.url}` });
      const body = await request.text();
      const headers = Object.fromEntries(request.headers);
      fake.calls.push({ place, method: request.method, url: request.url, headers, body });
      const failure = failures.get(place)?.shift() ?? always.get(place);
      return failure ? fails(failure, request) : served(place, request, body);
    }) as typeof globalThis.fetch,
  };

  function placeOf({ url }: Request): Place | undefined {
    const { host, pathname } = new URL(url);
    if (host === LOGIN && pathname === `/${fake.tenant}/oauth2/v2.0/token`) return 'token';
    const graph = '/v1.0/servicePrincipals/appId=0000000a-0000-0000-c000-000000000000/endpoints';
    if (host === GRAPH && pathname === graph) return 'graph';
    const found = Object.entries(actions).find(([, { path }]) => path === url);
    return found?.[0] as Action | undefined;
  }

  async function served(place: Place, request: Request, body: string): Promise<Response> {
    if (place === 'token') return token(request, new URLSearchParams(body));
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(header(request, 'client-request-id'))) {
      return answer(400, { error: 'no client-request-id' });
    }
    const scope = place === 'graph' ? scopes.graph : scopes.intune;
    const held = tokens.get(header(request, 'authorization').replace(/^Bearer /, ''));
    if (held?.scope !== scope || held.endsAt <= now()) {
      return answer(401, { error: { code: 'InvalidAuthenticationToken', message: 'Expired.' } });
    }
    if (place === 'graph') return discovery(request);
    if (!fake.permissions.has('scep_challenge_provider')) {
      return answer(403, { error: { code: 'Forbidden', message: 'No role.' } });
    }
    if (
      request.method !== 'POST' ||
      !header(request, 'content-type').startsWith('application/json') ||
      header(request, 'api-version') !== actions[place].version
    ) {
      return answer(400, { error: 'a header is not what it must be' });
    }
    return act(place, body);
  }

  async function token(request: Request, form: URLSearchParams): Promise<Response> {
    const scope = (form.get('scope') ?? '').split(' ').find((one) => one.endsWith('/.default'));
    const wrong = request.method !== 'POST' || form.get('grant_type') !== 'client_credentials';
    if (wrong || !Object.values(scopes).includes(scope ?? '')) {
      return refused(400, 'invalid_scope', 1002012);
    }
    if (form.get('client_id') !== fake.clientId) return refused(400, 'unauthorized_client', 700016);
    const assertion = form.get('client_assertion');
    if (assertion === null) {
      const secret = form.get('client_secret') ?? '';
      if (!fake.secrets.has(secret)) return refused(401, 'invalid_client', 7000215);
    } else if (!(await isGoodAssertion(assertion, form.get('client_assertion_type')))) {
      return refused(401, 'invalid_client', 700027);
    }
    const value = `eyJ0.${randomBytes(300).toString('base64url')}.${randomBytes(32).toString('base64url')}`;
    const seconds = fake.tokenSeconds;
    tokens.set(value, { scope: scope ?? '', endsAt: now() + seconds * 1000 });
    const lasts = { expires_in: seconds, ext_expires_in: seconds };
    return answer(200, { token_type: 'Bearer', ...lasts, access_token: value });
  }

  /** Entra's rules for certificate credentials. */
  async function isGoodAssertion(assertion: string, type: string | null): Promise<boolean> {
    if (type !== 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' || !certificate)
      return false;
    const uploaded = new X509Certificate(certificate);
    const read = await compactVerify(assertion, uploaded.publicKey, {
      algorithms: ['PS256'],
    }).catch(() => undefined);
    if (!read) return false;
    const claims = JSON.parse(new TextDecoder().decode(read.payload));
    const thumbprint = createHash('sha256').update(uploaded.raw).digest('base64url');
    return (
      read.protectedHeader.typ === 'JWT' &&
      read.protectedHeader['x5t#S256'] === thumbprint &&
      claims.aud === `https://${LOGIN}/${fake.tenant}/oauth2/v2.0/token` &&
      claims.iss === fake.clientId &&
      claims.sub === fake.clientId &&
      typeof claims.jti === 'string' &&
      claims.nbf * 1000 <= now() &&
      now() < claims.exp * 1000 &&
      claims.exp - claims.nbf <= 600
    );
  }

  function discovery(request: Request): Response {
    if (request.method !== 'GET') return answer(405, { error: 'GET it' });
    if (!fake.permissions.has('Application.Read.All')) {
      const message = 'Insufficient privileges to complete the operation.';
      return answer(403, { error: { code: 'Authorization_RequestDenied', message } });
    }
    const value = [...fake.services].map(([providerName, uri]) => ({
      ...{ id: randomUUID(), capability: providerName, providerId: null },
      ...{ providerName, uri, providerResourceId: null },
    }));
    return answer(200, { '@odata.context': `https://${GRAPH}/v1.0/$metadata`, value });
  }

  async function act(action: Action, text: string): Promise<Response> {
    const body = parsed(text);
    const of = (envelope: string, shape: Shape) => membersOf(body?.[envelope], shape);
    if (action === 'validateRequest') {
      const request = of('request', shapes.request);
      if (!request) return answer(400, { error: 'no such request' });
      const csr = Buffer.from(String(request.certificateRequest), 'base64');
      return said(await judge(csr, { ...known, key, now: now() }));
    }
    if (action === 'successNotification' || action === 'failureNotification') {
      const isSuccess = action === 'successNotification';
      const notice = of('notification', isSuccess ? shapes.success : shapes.failure);
      if (!notice || String(notice.errorDescription ?? '').length > 255) {
        return answer(400, { error: 'no such notification' });
      }
      (isSuccess ? fake.successes : fake.failed).push(notice);
      return said('Success');
    }
    if (action === 'downloadRevocationRequests') {
      const asked = of('downloadParameters', shapes.download);
      const most = Number(asked?.maxRequests);
      if (!asked || !(most >= 1 && most <= 500))
        return answer(400, { error: 'no such parameters' });
      const issuer = asked.issuerName;
      const wanted = orders.filter(({ issuerName }) => issuer === null || issuerName === issuer);
      return answer(200, { value: wanted.slice(0, most) });
    }
    const results = (body?.results ?? []) as Result[];
    if (!Array.isArray(results) || results.length === 0 || !results.every(isResult)) {
      return answer(400, { error: 'no such results' });
    }
    for (const result of results) {
      fake.results.push(result);
      const at = orders.findIndex(({ requestContext }) => requestContext === result.requestContext);
      // From 4100 on the order stands and is given out again.
      if (at >= 0 && Number(result.errorCode) < 4100) orders.splice(at, 1);
    }
    return answer(200, { value: true });
  }

  return fake;
}

type Shape = Readonly<Record<string, readonly string[]>>;

/** Members of a body, and the types that each may have; `?` may be absent. */
const text = ['string'];
const perhaps = ['string', 'undefined'];
const common = { transactionId: text, certificateRequest: text, callerInfo: text };
const shapes = {
  request: common,
  success: {
    ...common,
    certificateThumbprint: text,
    certificateSerialNumber: text,
    certificateExpirationDateUtc: text,
    issuingCertificateAuthority: text,
    caConfiguration: perhaps,
    certificateAuthority: perhaps,
  },
  failure: { ...common, hResult: ['number'], errorDescription: text },
  download: { maxRequests: ['number'], issuerName: ['string', 'object'] },
} as const satisfies Record<string, Shape>;

/** @returns undefined for anything but exactly these members */
function membersOf(value: unknown, shape: Shape): Record<string, string | number> | undefined {
  const members = Object(value) as Record<string, string | number>;
  const names = Object.keys(members);
  const whole = Object.entries(shape).every(([name, types]) =>
    types.includes(typeof members[name]),
  );
  return whole && names.every((name) => name in shape) ? members : undefined;
}

const isResult = ({ requestContext, succeeded, errorCode, errorMessage }: Result): boolean =>
  typeof requestContext === 'string' &&
  (succeeded ? errorCode === '0' && errorMessage === undefined : /^4[01]0[0-7]$/.test(errorCode));

const header = ({ headers }: Request, name: string): string => headers.get(name) ?? '';

function parsed(json: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

const answer = (status: number, body: object): Response => Response.json(body, { status });
const said = (code: string): Response => answer(200, { code, errorDescription: '' });

/** As Entra refuses: its description goes on with ids and the time. */
const refused = (status: number, error: string, code: number): Response =>
  answer(status, {
    error,
    error_description: `AADSTS${code}: it is wrong. Trace ID: ${randomUUID()} Correlation ID: ${randomUUID()}`,
    error_codes: [code],
  });

function fails(failure: Failure, { signal }: Request): Response | Promise<Response> {
  if (typeof failure === 'object') {
    return new Response(failure.body ?? null, { status: failure.status });
  }
  if (failure === 'huge') return new Response(new Uint8Array(2 * 1024 * 1024).fill(0x20));
  if (failure === 'redirect') {
    return new Response(null, { status: 307, headers: { location: 'https://elsewhere.example/' } });
  }
  if (failure === 'cut') {
    const error = new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } });
    return Promise.reject(error);
  }
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}
