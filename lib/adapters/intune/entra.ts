// Tokens of Microsoft Entra ID: OAuth 2.0 client credentials (RFC 6749 §4.4), with a secret, or with an assertion that a
// certificate's key signs (RFC 7523 §2.2, and Entra's "certificate credentials").

import { type Bytes, base64url, fromPem, utf8 } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { isText } from '../../base/text.ts';
import { signPs256 } from '../../crypto/jws.ts';
import { hash } from '../../crypto/native.ts';
import { askMicrosoft, type IntuneAnswer, type IntuneDeps, Kept, uuid } from './call.ts';

export type Credential =
  | { readonly kind: 'secret'; readonly secret: string }
  /** PEM: the certificate, and its RSA key as PKCS #8. */
  | { readonly kind: 'certificate'; readonly pem: string };

export type EntraClient = {
  readonly tenant: string;
  readonly clientId: string;
  readonly credential: Credential;
  /** https://login.microsoftonline.com, or that of another cloud. */
  readonly authority: string;
};

type Token = { readonly value: string; readonly lastsMs: number };

/** How long before its end a token is not used any more. */
const AHEAD_S = 60;
/** The longest that one is kept, whatever is said of it. */
const MAX_TOKEN_S = 24 * 60 * 60;
/** Seconds that an assertion is good. */
const ASSERTION_S = 600;

/** What Entra's codes mean to whoever set the app registration up. */
const entraCodes: Readonly<Record<number, string>> = {
  7000215:
    'the client secret is wrong: give the value of a secret of the app registration, not the ID of the secret (Certificates & secrets)',
  7000222:
    'the client secret has expired: add another under Certificates & secrets of the app registration',
  700016:
    'the tenant has no application with this client ID: see "Application (client) ID" and "Directory (tenant) ID" in the overview of the app registration',
  90002:
    'there is no such tenant: see "Directory (tenant) ID" in the overview of the app registration',
  700027:
    "the client assertion is not accepted: upload the certificate under Certificates & secrets of the app registration, see that it has not expired, and that this machine's clock is right",
  700024:
    "the client assertion is not yet, or no longer, good: see that this machine's clock is right",
  7000112: 'the application is disabled in this tenant: enable it under Enterprise applications',
  500011:
    'the tenant does not know the service that the token is for: see that it has a licence of Microsoft Intune',
  70011: 'the scope is wrong: see "scope" in the settings of the validator',
  1002012: 'the scope is wrong: see "scope" in the settings of the validator',
};

/** Gives tokens for one scope. */
export class Tokens {
  readonly #outside: IntuneDeps;
  readonly #client: EntraClient;
  readonly #scope: string;
  readonly #shown: { readonly client_secret: string } | ReturnType<typeof keyPair>;
  readonly kept: Kept<Token>;

  /** @throws {SyntaxError} with a sentence, for a client certificate that is none */
  constructor(outside: IntuneDeps, client: EntraClient, scope: string) {
    const { credential } = client;
    this.#shown =
      credential.kind === 'secret' ? { client_secret: credential.secret } : keyPair(credential.pem);
    this.#outside = outside;
    this.#client = client;
    this.#scope = scope;
    this.kept = new Kept(outside.clock);
  }

  /** @throws {Outage} */
  get(signal: AbortSignal): Promise<Token> {
    return this.kept.get(() => this.#fetch(signal), signal);
  }

  async #fetch(signal: AbortSignal): Promise<Token> {
    const { clientId } = this.#client;
    const url = tokenUrl(this.#client);
    const form = new URLSearchParams({
      client_id: clientId,
      scope: this.#scope,
      grant_type: 'client_credentials',
      ...(await this.#proof(url)),
    });
    const call = {
      of: 'Microsoft Entra ID',
      url,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
      body: form.toString(),
    } as const;
    const answer = await askMicrosoft(this.#outside, call, signal);
    if (answer.status !== 200) throw refusal(answer);
    const { access_token: value, expires_in: seconds } = answer.said;
    if (!isText(value) || !/^[!-~]+$/.test(value) || !(Number(seconds) > 0)) {
      throw new Outage('Microsoft Entra ID answered without a token');
    }
    const lastsS = Math.min(Number(seconds), MAX_TOKEN_S) - AHEAD_S;
    return { value, lastsMs: Math.max(0, lastsS) * 1000 };
  }

  async #proof(audience: string): Promise<Readonly<Record<string, string>>> {
    const { clientId } = this.#client;
    if ('client_secret' in this.#shown) return this.#shown;
    const { certificate, key } = this.#shown;
    const now = Math.floor(this.#outside.clock.now() / 1000);
    const claims = {
      aud: audience,
      iss: clientId,
      sub: clientId,
      jti: uuid(this.#outside.random),
      nbf: now,
      iat: now,
      exp: now + ASSERTION_S,
    };
    const header = { typ: 'JWT', 'x5t#S256': base64url(hash('SHA-256', certificate)) };
    const assertion = await signPs256(key, header, utf8(JSON.stringify(claims))).catch(() => {
      throw new Outage("the client certificate's key must be an RSA key as PKCS #8");
    });
    return {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    };
  }
}

const tokenUrl = ({ authority, tenant }: EntraClient): string =>
  `${authority}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`;

/** @throws {SyntaxError} with a sentence, for another PEM than is wanted */
function keyPair(text: string) {
  const block = (label: string): Bytes => {
    try {
      const [first] = fromPem(label, text);
      if (first) return first;
    } catch {
      // Its base64 is broken, which comes to the same.
    }
    throw new SyntaxError(
      `must be PEM with the certificate and its key (PKCS #8): it has no whole "BEGIN ${label}"`,
    );
  };
  return { certificate: block('CERTIFICATE'), key: block('PRIVATE KEY') };
}

/** With the code that Entra gives, by which its documentation is searched. */
function refusal({ status, said }: IntuneAnswer): Outage {
  const { error_codes: codes, error_description: description } = said;
  const [listed] = Array.isArray(codes) ? codes.map(Number) : [];
  const [, told] = isText(description) ? (/^AADSTS(\d{1,10}):/.exec(description) ?? []) : [];
  const code = listed ?? Number(told);
  if (!Number.isSafeInteger(code)) {
    return new Outage(`Microsoft Entra ID answered HTTP ${status}, and no token`);
  }
  const known = entraCodes[code];
  return new Outage(
    `Microsoft Entra ID gives no token: AADSTS${code}${known ? `: ${known}` : ` (HTTP ${status})`}`,
  );
}
