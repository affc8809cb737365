// The part of the configuration that says which systems outside have a say in who may have a certificate, such as an MDM:
// where each is, and by what it knows this service. Endpoints name them in `authorize`.

import * as z from 'zod/mini';
import { type IpRange, parseIpRange } from '../../x509/names/general-name.ts';
import { described, parsed } from '../schema.ts';
import { type Reference, reference, type SecretUse } from '../secret.ts';

type IntuneValidator = {
  readonly kind: 'intune';
  readonly id: string;
  readonly tenant: string;
  readonly clientId: string;
  /** One of the two. */
  readonly clientSecret?: Reference | undefined;
  readonly clientCertificate?: Reference | undefined;
  /** Origins of Microsoft's sign-in and Graph, the scope of a token for Intune, and suffixes of the hosts that its
   * services may have. */
  readonly authority: string;
  readonly graph: string;
  readonly scope: string;
  readonly hosts: readonly string[];
};

type WebhookValidator = {
  readonly kind: 'webhook';
  readonly id: string;
  readonly style: 'scepter' | 'stepca';
  readonly url: string;
  readonly hookId?: string | undefined;
  readonly secret: Reference;
  readonly bearer?: Reference | undefined;
  readonly basic?: { readonly user: string; readonly password: Reference } | undefined;
  readonly networks: readonly IpRange[];
  readonly namesAsAsked: boolean;
  readonly notify: boolean;
};

export type OutsideValidator = IntuneValidator | WebhookValidator;

/** The validators outside of a document: those that it names, and of these the ones that are right in themselves. */
export type Outside = {
  readonly named: readonly string[];
  readonly validators: ReadonlyMap<string, OutsideValidator>;
};

/** Whom one asks: the tenant of Intune, or the host of a hook. */
export const whereIs = (one: OutsideValidator): string =>
  one.kind === 'intune' ? one.tenant : new URL(one.url).host;

/** Its word makes the names that a request asks for those of its device. */
export const givesNames = (validator: OutsideValidator): boolean =>
  validator.kind === 'intune' || validator.namesAsAsked;

const httpsText = 'must be an https URL without a user, a password and a fragment';
const isHttps = (text: string): boolean => {
  const url = URL.parse(text);
  return url?.protocol === 'https:' && `${url.username}${url.password}${url.hash}` === '';
};
const httpsUrl = z.string(httpsText).check(z.refine(isHttps, httpsText));
const originText = 'must be an https origin without a path, such as "https://graph.microsoft.com"';
const httpsOrigin = z
  .string(originText)
  .check(z.refine((text) => isHttps(text) && new URL(text).origin === text, originText));
const hostText = 'must be the end of a host name, such as "manage.microsoft.com"';
const host = z.string(hostText).check(z.regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/, hostText));
const wordText = 'must be letters, digits, "." and "-", at most 128';
const word = z.string(wordText).check(z.regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,127}$/, wordText));

const intune = z.strictObject({
  kind: described('Microsoft Intune, which validates its own challenges', z.literal('intune')),
  tenant: described('the tenant of Microsoft Entra: its id, or a domain of it', word),
  clientId: described('Application (client) ID of the app registration', word),
  clientSecret: described(
    'where its client secret is: "env:" and the name of an environment variable',
    z.optional(reference),
  ),
  clientCertificate: described(
    'instead of a secret: where the PEM of its certificate and private key (PKCS #8) is',
    z.optional(reference),
  ),
  authority: described(
    'where Microsoft signs in, another in national clouds',
    z._default(httpsOrigin, 'https://login.microsoftonline.com'),
  ),
  graph: described(
    'where Microsoft Graph is, which tells where the services of Intune are',
    z._default(httpsOrigin, 'https://graph.microsoft.com'),
  ),
  scope: described(
    'of the token for Intune; the two slashes belong there',
    z._default(z.string(), 'https://api.manage.microsoft.com//.default'),
  ),
  hosts: described(
    'ends of the host names that services of Intune may have: no token goes to another host',
    z._default(z.array(host), ['manage.microsoft.com']),
  ),
});

const webhook = z.strictObject({
  kind: described('a hook that is asked by https', z.literal('webhook')),
  style: described(
    '"scepter": signed with its time, and the answer names what it answers; "stepca": as step-ca asks, for hooks that exist',
    z._default(z.enum(['scepter', 'stepca']), 'scepter'),
  ),
  url: described('where it is asked; no other host is, and no redirect is followed', httpsUrl),
  hookId: described('the id that step-ca gives the hook', z.optional(word)),
  secret: described(
    'where the secret is that signs what it is asked: "env:" and the name of an environment variable, which holds base64 of at least 16 octets',
    reference,
  ),
  bearer: described('where a bearer token for it is', z.optional(reference)),
  basic: described(
    'a user and where the password is',
    z.optional(z.strictObject({ user: z.string(), password: reference })),
  ),
  networks: described(
    'private networks that it may be in, such as ["10.1.0.0/16"]; this machine, its link and the metadata of a cloud are never asked',
    z.prefault(z.array(parsed(parseIpRange)), []),
  ),
  namesAsAsked: described(
    'what it allows may have the names that it asks for, as if a challenge were bound to them; otherwise the profile, or a challenge beside it, decides on names',
    z._default(z.boolean(), false),
  ),
  notify: described(
    'it is also told of each certificate, which is given out only after it has answered, and of refusals',
    z._default(z.boolean(), false),
  ),
});

export const validator = z.discriminatedUnion('kind', [intune, webhook], {
  error: ({ code }) =>
    code === 'invalid_union'
      ? 'must be "intune" or "webhook"'
      : 'must be an object whose "kind" is "intune" or "webhook"',
});

type Named = ReadonlyMap<string, z.output<typeof validator>>;

/**
 * @param own names that cannot be given to one
 * @param problems takes a sentence for each field that is wrong
 */
export function checkValidators(
  given: Named,
  own: readonly string[],
  problems: string[],
): ReadonlyMap<string, OutsideValidator> {
  const checked = new Map<string, OutsideValidator>();
  for (const [name, one] of given) {
    const path = `validators.${name}`;
    if (own.includes(name)) {
      problems.push(`${path}: this name is that of a validator of this service: take another`);
    }
    if (one.kind === 'intune') {
      if ((one.clientSecret === undefined) === (one.clientCertificate === undefined)) {
        problems.push(`${path}: must have "clientSecret" or "clientCertificate", and not both`);
      }
    } else {
      if (one.style === 'stepca' && one.hookId === undefined) {
        problems.push(`${path}.hookId: is missing; a hook of step-ca is asked under its id`);
      }
      if (one.style === 'scepter' && one.hookId !== undefined) {
        problems.push(`${path}.hookId: has no effect without "style": "stepca": leave it out`);
      }
      if (one.bearer !== undefined && one.basic !== undefined) {
        problems.push(`${path}.bearer: cannot stand beside "basic": leave one out`);
      }
    }
    checked.set(name, { ...one, id: name });
  }
  return checked;
}

type Notified = {
  readonly approval: string;
  readonly approvalNotice: readonly string[];
  readonly outside: Outside;
  readonly problems: string[];
};

/** @param path of the endpoint */
export function checkNotified(
  path: string,
  { approval, approvalNotice, outside: { named, validators }, problems }: Notified,
): void {
  if (approval === 'never' && approvalNotice.length > 0) {
    problems.push(
      `${path}.approvalNotice: has no effect while "approval" is "never": leave it out`,
    );
  }
  const isHook = (name: string): boolean => {
    const one = validators.get(name);
    return one?.kind === 'webhook' && one.style === 'scepter';
  };
  for (const [i, one] of approvalNotice.entries()) {
    // One that is wrong in itself has its own sentence.
    const isWrong = named.includes(one) && !validators.has(one);
    if (isHook(one) || isWrong) continue;
    const known = named.filter(isHook).map((name) => `"${name}"`);
    const wanted = known.length > 0 ? known.join(', ') : 'one of "validators"';
    problems.push(`${path}.approvalNotice.${i}: must be a webhook of style "scepter": ${wanted}`);
  }
}

/** What whoever asks it has to know. */
export function validatorSecrets(one: OutsideValidator): SecretUse[] {
  const all =
    one.kind === 'intune'
      ? { clientSecret: one.clientSecret, clientCertificate: one.clientCertificate }
      : { secret: one.secret, bearer: one.bearer, 'basic.password': one.basic?.password };
  return Object.entries(all).flatMap(([field, at]) =>
    at === undefined ? [] : [{ path: `validators.${one.id}.${field}`, reference: at, least: 1 }],
  );
}
