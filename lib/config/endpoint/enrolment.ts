// The part of the configuration that says who may have a certificate at an endpoint, the first and the next: the validators,
// the static challenge with its restrictions, and what becomes of a certificate that was renewed.

import * as z from 'zod/mini';
import { parseDuration } from '../duration.ts';
import { givesNames, type Outside } from '../outside/validators.ts';
import { byAttribute, patterns } from '../profile.ts';
import { described, didYouMean, durationOrFraction, id } from '../schema.ts';
import { secret } from '../secret.ts';
import {
  checkSignedChallenge,
  type SignedChallenges,
  signedChallenge,
} from './signed-challenge.ts';

/** Built-in validators: they check what the request itself brings. `signedChallenge` is one that a caller has signed,
 * `staticChallenge` one secret for many devices; `deviceList` says which names a device may have, and proves nothing. */
export const ownValidators = [
  'challenge',
  'signedChallenge',
  'staticChallenge',
  'deviceList',
] as const;

const signers = ['same', 'any'] as const;

/** One of these, or the id of a validator outside. */
type ValidatorId = string;
const isOwn = (id: ValidatorId): boolean => ownValidators.some((own) => own === id);
export const isOutside = (id: ValidatorId): boolean => !isOwn(id);

type Asking = { readonly authorize: readonly ValidatorId[] };
const isOwnSecret = (id: ValidatorId): boolean => isOwn(id) && id !== 'deviceList';
/** The challengePassword of a request is for validators of this service: nobody outside is told it. */
export const keepsChallenge = ({ authorize }: Asking): boolean => authorize.some(isOwnSecret);
/** Those outside that an endpoint asks, of enrolments or of renewals. */
export const outsideOf = ({ enrol, renew }: { readonly enrol: Asking; readonly renew: Asking }) => [
  ...new Set([...enrol.authorize, ...renew.authorize].filter(isOutside)),
];

export type StaticChallenge = {
  /** A reference: `env:NAME`. */
  readonly secret: string;
  /** By dotted OID: attributes that the subject must have; each value must match one of the patterns. */
  readonly subject: ReadonlyMap<string, readonly string[]>;
};

export type Enrolment = {
  readonly authorize: readonly ValidatorId[];
  /** Which key may sign the pkiMessage: the one that a certificate is asked for, or any. */
  readonly signer: (typeof signers)[number];
  /** Present if and only if `authorize` names it. */
  readonly staticChallenge?: StaticChallenge;
  readonly signedChallenge?: SignedChallenges;
  /** The name of the device list that `deviceList` asks. */
  readonly deviceList: string;
  /** What its validators outside allow may have the names that it asks for, as if a challenge were bound to them. */
  readonly namesAsAsked: boolean;
};

const staticChallenge = z.strictObject({
  secret,
  subject: described(
    'attribute types that the subject of a request must have, and patterns of which each value must match one',
    z.record(z.string(), patterns),
  ),
});

export const enrolSchema = z.strictObject({
  authorize: described(
    'validators, all of which must allow: "challenge", "signedChallenge", "staticChallenge", "deviceList", and names of "validators"; none, if an approver decides about every request',
    z.array(z.string()),
  ),
  signer: described(
    'whose key signs a first request: "same": the key that it asks a certificate for; "any": also another one, for agents that keep their key in a TPM, RouterOS, and proxies of an MDM. The reply goes to whoever signed',
    z._default(z.enum(signers), 'same'),
  ),
  staticChallenge: described(
    'one secret that all devices of the endpoint know, for clients that can carry nothing else: whoever knows it can enrol',
    z.optional(staticChallenge),
  ),
  signedChallenge: described(
    'challenges that a caller signs with a key of its own, such as an MDM that can make no call for each device',
    z.optional(signedChallenge),
  ),
  deviceList: described(
    'the device list that "deviceList" in "authorize" asks, here and in "renew"; the one with the name of the endpoint if absent',
    z.optional(id),
  ),
});

/** A device that was off, or lost the reply, asks again with the old certificate. */
const MIN_SUPERSEDE_MS = 7 * 24 * 60 * 60 * 1000;
const supersedeText =
  'must be "used", or a duration of at least 7 days such as "14d": a device whose reply was lost needs its old certificate to ask again';
const supersede = z.pipe(
  z
    .string(supersedeText)
    .check(
      z.refine(
        (text) => text === 'used' || (parseDuration(text) ?? 0) >= MIN_SUPERSEDE_MS,
        supersedeText,
      ),
    ),
  z.transform((text): { readonly afterMs?: number } => {
    const afterMs = parseDuration(text);
    return afterMs === undefined ? {} : { afterMs };
  }),
);

export const renewSchema = z.strictObject({
  authorize: described(
    'validators that must allow a renewal beside the certificate that signs it: "deviceList", so that a device which is removed from the list, or has other names there, cannot renew; and names of "validators"',
    z._default(z.array(z.string()), []),
  ),
  window: described(
    'how long before its end a certificate may be renewed: a duration, or a fraction of each certificate\'s validity such as "1/3", which is its last third; all of its life if absent',
    z.optional(durationOrFraction),
  ),
  supersede: described(
    'when a certificate that was renewed is revoked (superseded): "used": once the new one has signed a message; a duration of at least 7 days: then, or that long after the renewal if the old one has signed nothing since. It stays good until its end if absent',
    z.optional(supersede),
  ),
});

export type Renewals = {
  /** In addition to the certificate that signs, which must always be good. */
  readonly authorize: readonly ValidatorId[];
  /** How long before its end a certificate may be renewed: milliseconds, or a part of its validity;
   * undefined: during all of its life. */
  readonly window?: { readonly ms: number } | { readonly fraction: number } | undefined;
  /** The old certificate is revoked once the new one has signed, or so many milliseconds later while itself has not. */
  readonly supersede?: { readonly afterMs?: number } | undefined;
};

type Beside = {
  /** The name of the endpoint; what it has as `approval`, `approvers` and `renew.authorize`. */
  readonly endpoint: string;
  readonly approval: string;
  readonly approvers: number;
  readonly renews: readonly string[];
  readonly outside: Outside;
  readonly problems: string[];
};

/**
 * @param path where it stands in the configuration, such as `endpoints.default.enrol`
 * @param problems takes a sentence for each field that is wrong
 */
export function checkEnrol(
  { authorize, signer, deviceList, ...given }: z.output<typeof enrolSchema>,
  path: string,
  { endpoint, approval, approvers, renews, outside, problems }: Beside,
): Enrolment {
  if (approvers > 1 && approval === 'never') {
    problems.push(
      `endpoints.${endpoint}.approvers: must be 1 where "approval" is "never", which asks nobody: set that to another value, or leave this out`,
    );
  }
  const renewing = path.replace(/enrol$/, 'renew');
  requireKnownValidators(
    `${path}.authorize`,
    authorize,
    [...ownValidators, ...outside.named],
    problems,
  );
  requireKnownValidators(
    `${renewing}.authorize`,
    renews,
    ['deviceList', ...outside.named],
    problems,
  );
  const asked = authorize.flatMap((one) => outside.validators.get(one) ?? []);
  for (const { kind, id } of asked) {
    if (kind !== 'intune' || renews.includes(id)) continue;
    problems.push(
      `${renewing}.authorize: must name "${id}" too: Intune is asked of every certificate, and a device that it no longer knows could renew for ever`,
    );
  }
  for (const id of renews) {
    if (outside.validators.get(id)?.kind !== 'intune' || authorize.includes(id)) continue;
    problems.push(
      `${renewing}.authorize: "${id}" knows no certificate that it did not allow at first: name it in "authorize" of "enrol" too, or leave it out`,
    );
  }
  const proofs = authorize.filter((one) => one !== 'deviceList');
  if (proofs.length === 0 && proofs.length < authorize.length && approval !== 'always') {
    problems.push(
      `${path}.authorize: "deviceList" says which names a device may have, and proves nothing; name "challenge" or "signedChallenge" too, or set "approval" to "always"`,
    );
  }
  if (
    deviceList !== undefined &&
    !authorize.includes('deviceList') &&
    !renews.includes('deviceList')
  ) {
    problems.push(
      `${path}.deviceList: has no effect without "deviceList" in "authorize": add it there, or leave this out`,
    );
  }
  if (authorize.length === 0 && approval !== 'always') {
    problems.push(
      `${path}.authorize: names no validator, so that anybody would get a certificate; name one, or set "approval" to "always"`,
    );
  }
  const ofPassword = (one: string): boolean =>
    isOwnSecret(one) || outside.validators.get(one)?.kind === 'intune';
  const [first, second] = authorize.filter(ofPassword);
  if (second !== undefined) {
    problems.push(
      `${path}.authorize: a challengePassword cannot be both "${first}" and "${second}"; name one of them`,
    );
  }
  const signs = checkUsed(
    'signedChallenge',
    { authorize, given: given.signedChallenge },
    path,
    problems,
  );
  const keys =
    given.signedChallenge &&
    checkSignedChallenge(given.signedChallenge, `${path}.signedChallenge`, problems);
  const signed = signs && keys ? { signedChallenge: keys } : {};
  const { staticChallenge } = given;
  const wanted = checkUsed(
    'staticChallenge',
    { authorize, given: staticChallenge },
    path,
    problems,
  );
  const checked = {
    ...{ authorize, signer, deviceList: deviceList ?? endpoint },
    namesAsAsked: asked.some(givesNames),
    ...signed,
  };
  if (!staticChallenge || !wanted) return checked;
  const here = `${path}.staticChallenge.subject`;
  const subject = checkSubject(here, staticChallenge.subject, problems);
  return { ...checked, staticChallenge: { secret: staticChallenge.secret, subject } };
}

/** What bounds whoever knows a secret: patterns of which each attribute named must match one, by dotted OID. */
export function checkSubject(
  path: string,
  given: Readonly<Record<string, string | readonly string[]>>,
  problems: string[],
): ReadonlyMap<string, readonly string[]> {
  const entries = Object.entries(given);
  if (entries.length === 0) {
    problems.push(`${path}: must name at least one attribute, such as {"CN": "printer-*"}`);
  }
  for (const [name, value] of entries) {
    if ([value].flat().some((pattern) => /^\*+$/.test(pattern))) {
      problems.push(`${path}.${name}: must say more than "*", which is everything`);
    }
  }
  return byAttribute(path, given, (value) => [value].flat(), problems);
}

function requireKnownValidators(
  path: string,
  named: readonly string[],
  allowed: readonly string[],
  problems: string[],
): void {
  for (const [i, one] of named.entries()) {
    if (allowed.includes(one)) continue;
    const all = allowed.map((name) => `"${name}"`).join(', ');
    const more = didYouMean(one, allowed) || '; systems outside are named in "validators"';
    problems.push(`${path}.${i}: "${one}" is no validator here; it may be ${all}${more}`);
  }
}

/** Whether the validator is named and has what it needs. */
function checkUsed(
  name: (typeof ownValidators)[number],
  { authorize, given }: { readonly authorize: readonly string[]; readonly given: unknown },
  path: string,
  problems: string[],
): boolean {
  const wanted = authorize.includes(name);
  if (wanted && given === undefined) {
    problems.push(`${path}.${name}: is missing; "${name}" in "authorize" needs it`);
  }
  if (!wanted && given !== undefined) {
    problems.push(
      `${path}.${name}: has no effect without "${name}" in "authorize": add it there, or leave this out`,
    );
  }
  return wanted && given !== undefined;
}
