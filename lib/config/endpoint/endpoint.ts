// The part of the configuration that says what stands behind one address: the CA, the profile, who may have a
// certificate, and when a person has the last word.

import * as z from 'zod/mini';
import type { Legacy } from '../../crypto/algorithms.ts';
import { checkJamf, type JamfHook, jamf } from '../outside/jamf.ts';
import { checkNdes, type NdesPage, ndes } from '../outside/ndes.ts';
import { checkNotified, type Outside } from '../outside/validators.ts';
import type { Profile } from '../profile.ts';
import { described, duration, id } from '../schema.ts';
import { type Secrets, type SecretUse, secretProblems } from '../secret.ts';
import {
  checkEnrol,
  type Enrolment,
  enrolSchema,
  type Renewals,
  renewSchema,
} from './enrolment.ts';

const approvals = ['never', 'always', 'firstEnrolment', 'newSubject'] as const;

export type Endpoint = {
  readonly id: string;
  readonly ca: string;
  readonly profile: Profile;
  readonly enrol: Enrolment;
  readonly renew: Renewals;
  /** The names that a key may be certified for: any, or those of its first certificate while that may be
   * good. */
  readonly namesPerKey: 'one' | 'any';
  /** When an approver must also allow a request: for every enrolment but no renewal (firstEnrolment), or
   * where the endpoint has not certified the same subject and names before (newSubject). */
  readonly approval: (typeof approvals)[number];
  /** How many persons must approve a request that waits. */
  readonly approvers: number;
  /** Webhooks that are told of each request that waits. */
  readonly approvalNotice: readonly string[];
  /** How long a request waits for its approver. */
  readonly pendingTtlMs: number;
  /** How long an outcome is kept, so that it answers repeats and polls. */
  readonly repeatMs: number;
  /** How long a challenge lives unless it was made with a time of its own. */
  readonly challengeTtlMs: number;
  readonly legacy: Legacy;
  /** The page on which an MDM finds challenges as NDES has them; absent: there is none. */
  readonly ndes?: NdesPage;
  /** What Jamf Pro and Fleet ask for a challenge; absent: nothing answers them. */
  readonly jamf?: JamfHook;
};

const legacy = z.strictObject({
  sha1: described('SHA-1 digests and signatures of clients', z._default(z.boolean(), false)),
  md5: described('MD5 digests and signatures of clients', z._default(z.boolean(), false)),
  des3: described('triple DES envelopes', z._default(z.boolean(), false)),
  des: described('single DES envelopes', z._default(z.boolean(), false)),
});

export const endpoint = z.strictObject({
  ca: described('the CA that signs, one of "cas"', id),
  profile: described(
    'what its certificates look like, one of "profiles", or "device", which is there by itself',
    z._default(id, 'device'),
  ),
  enrol: described(
    'who may have a first certificate',
    z._default(enrolSchema, { authorize: ['challenge'], signer: 'same' }),
  ),
  renew: described('who may have the next one', z._default(renewSchema, { authorize: [] })),
  namesPerKey: described(
    'for how many names a key is certified: "one": those of its first certificate until that expires or is revoked, at all endpoints of the CA that say so; "any": a device may have several certificates of one key, such as a router with one key pair for two trustpoints, or a renamed one with a key in hardware. With "any" whoever holds a key, with a challenge or certificate of his own, puts his names on it beside those of the device it was taken from',
    z._default(z.enum(['one', 'any']), 'one'),
  ),
  approval: described(
    'when a person has the last word: "firstEnrolment": for enrolments and not for renewals; "newSubject": where no certificate has been issued for this subject, the values of each type in the same order, and these names since the rule was set',
    z._default(z.enum(approvals), 'never'),
  ),
  approvers: described(
    'how many persons must approve: 1 or 2, of whom none made the challenge',
    z._default(z.int().check(z.gte(1), z.lte(2)), 1),
  ),
  approvalNotice: described(
    'webhooks of style "scepter", of "validators", that are told of each request that waits for an approver',
    z._default(z.array(id), []),
  ),
  pendingTtl: described('how long a request waits for its approver', z.prefault(duration, '7d')),
  repeat: described(
    'how long an outcome that rests on something reusable answers the same request again',
    z.prefault(duration, '24h'),
  ),
  challengeTtl: described('how long a challenge lives by default', z.prefault(duration, '1h')),
  legacy: described(
    'weak algorithms that are accepted here, for clients that know nothing else',
    z._default(legacy, { sha1: false, md5: false, des3: false, des: false }),
  ),
  ndes: described(
    'a page of one-time challenges as the one of Microsoft NDES, for MDMs that read that: /certsrv/mscep_admin/ of the endpoint "default", /certsrv/ENDPOINT/mscep_admin/ of another',
    z.optional(ndes),
  ),
  jamf: described(
    'answers the webhook SCEPChallenge of Jamf Pro, and what Fleet calls Smallstep, with a one-time challenge for the device that it names: POST /hooks/jamf/ENDPOINT',
    z.optional(jamf),
  ),
});

type Beside = {
  /** Undefined where that is wrong itself. */
  readonly profile: Profile | undefined;
  /** Looks references to secrets up; without it they are not looked at. */
  readonly secrets: Secrets | undefined;
  readonly outside: Outside;
  readonly problems: string[];
};

/**
 * @param name that of the endpoint
 * @param problems takes a sentence for each field that is wrong
 */
export function checkEndpoint(
  name: string,
  { enrol, renew, ...given }: z.output<typeof endpoint>,
  { profile, secrets, outside, problems }: Beside,
): Endpoint | undefined {
  const enrolment = checkEnrol(enrol, `endpoints.${name}.enrol`, {
    ...{ endpoint: name, renews: renew.authorize, outside, problems },
    ...{ approval: given.approval, approvers: given.approvers },
  });
  const { approval, approvalNotice } = given;
  checkNotified(`endpoints.${name}`, { approval, approvalNotice, outside, problems });
  const { authorize } = enrol;
  const asked = { endpoint: name, authorize, problems };
  const page = given.ndes && checkNdes(given.ndes, asked);
  const hook = given.jamf && checkJamf(given.jamf, asked);
  const pages = { ...(page ? { ndes: page } : {}), ...(hook ? { jamf: hook } : {}) };
  const uses = [{ id: name, enrol: enrolment, ...pages }].flatMap(everySecret);
  if (secrets) problems.push(...secretProblems(uses, secrets));
  if (!profile) return undefined;
  return {
    ...pages,
    ...{ id: name, ca: given.ca, profile, enrol: enrolment },
    renew,
    namesPerKey: given.namesPerKey,
    ...{ approval, approvers: given.approvers, approvalNotice },
    pendingTtlMs: given.pendingTtl,
    repeatMs: given.repeat,
    challengeTtlMs: given.challengeTtl,
    legacy: given.legacy,
  };
}

/** Paths at which MDMs get challenges of an endpoint. */
export const mdmPathsOf = ({ id: name, ndes: page, jamf: hook }: Referring): string[] => [
  ...(page ? [name === 'default' ? '/certsrv/mscep_admin/' : `/certsrv/${name}/mscep_admin/`] : []),
  ...(hook ? [`/hooks/jamf/${name}`] : []),
];

type Referring = Pick<Endpoint, 'id' | 'enrol' | 'ndes' | 'jamf'>;

/** What whoever answers devices has to know of an endpoint. */
export const deviceSecrets = ({ id: name, enrol }: Referring): SecretUse[] =>
  enrol.staticChallenge
    ? [
        {
          path: `endpoints.${name}.enrol.staticChallenge.secret`,
          reference: enrol.staticChallenge.secret,
        },
      ]
    : [];

/** What whoever makes challenges for MDMs has to know of it. */
export const pageSecrets = ({ id: name, ndes: page, jamf: hook }: Referring): SecretUse[] => [
  ...(page?.accounts ?? []).map(({ password }, at) => ({
    path: `endpoints.${name}.ndes.accounts.${at}.password`,
    reference: password,
  })),
  ...(hook
    ? [{ path: `endpoints.${name}.jamf.${hook.login.in}`, reference: hook.login.secret }]
    : []),
];

export const everySecret = (endpoint: Referring): SecretUse[] => [
  ...deviceSecrets(endpoint),
  ...pageSecrets(endpoint),
];
