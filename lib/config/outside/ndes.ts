// The part of an endpoint that says who may read one-time challenges from a page as that of Microsoft NDES, for which
// names, and how the page writes them.

import * as z from 'zod/mini';
import { MIN_PAGE_CHALLENGE_BITS } from '../../base/mdm-limits.ts';
import { checkSubject } from '../endpoint/enrolment.ts';
import { patterns } from '../profile.ts';
import { described } from '../schema.ts';
import { secret } from '../secret.ts';

/** How a challenge is written: so many characters, each drawn from these. */
export type ChallengeForm = { readonly alphabet: string; readonly length: number };

type PageAccount = {
  readonly user: string;
  /** A reference: `env:NAME`. */
  readonly password: string;
  /** By attribute type: patterns that the subject must match, of whoever uses a challenge of the account. */
  readonly subject: Readonly<Record<string, string | readonly string[]>>;
};

const charsets = ['utf-16le', 'utf-8'] as const;
export type Charset = (typeof charsets)[number];

export type NdesPage = {
  readonly accounts: readonly PageAccount[];
  readonly charset: Charset;
  readonly form: ChallengeForm;
  readonly perHour: number;
};

const userText = 'must be 1 to 64 visible ASCII characters without ":"';
/** A user of HTTP Basic (RFC 7617 §2). */
export const user = z.string(userText).check(z.regex(/^[!-9;-~]{1,64}$/, userText));

export const boundSubject = described(
  'attribute types that the subject of a request must have, and patterns of which each value must match one',
  z.record(z.string(), patterns),
);

/** Of one account, or of the hook. */
export const perHour = described(
  'challenges that are made in an hour at most, over all instances; as many at once where none were made for an hour',
  z._default(z.int().check(z.gte(1), z.lte(100_000)), 1000),
);

const alphabetText =
  'must be 2 to 64 different letters, digits and signs of ASCII, without those of HTML: < > & " \'';

export const ndes = z.strictObject({
  accounts: described(
    'who may read challenges, by HTTP Basic, each for the subjects that it names',
    z
      .array(z.strictObject({ user, password: secret, subject: boundSubject }))
      .check(z.minLength(1, 'must have at least one account')),
  ),
  charset: described(
    'of the page where it is asked for without ?charset=: "utf-16le" with a byte order mark, as NDES writes it, or "utf-8"',
    z._default(z.enum(charsets), 'utf-16le'),
  ),
  length: described(
    'characters of a challenge: what the MDM expects, such as the challenge length of Workspace ONE',
    z._default(z.int().check(z.gte(1), z.lte(128)), 16),
  ),
  alphabet: described(
    'the characters that a challenge is made of',
    z._default(
      z.string(alphabetText).check(
        z.regex(/^[!#-%(-;=?-~]{2,64}$/, alphabetText),
        z.refine((text) => new Set(text).size === text.length, alphabetText),
      ),
      '0123456789ABCDEF',
    ),
  ),
  perHour,
});

/** What a page of challenges is checked with. */
export type EndpointOf = {
  readonly endpoint: string;
  /** As `enrol.authorize` has them. */
  readonly authorize: readonly string[];
  readonly problems: string[];
};

/** @param field of the endpoint */
export function requireChallenges(field: 'ndes' | 'jamf', asked: EndpointOf): void {
  if (asked.authorize.includes('challenge')) return;
  asked.problems.push(
    `endpoints.${asked.endpoint}.${field}: makes challenges, which this endpoint does not take: add "challenge" to "authorize" of "enrol", or leave this out`,
  );
}

export function checkNdes(
  { accounts, charset, length, alphabet, ...rest }: z.output<typeof ndes>,
  asked: EndpointOf,
): NdesPage {
  const { endpoint, problems } = asked;
  const path = `endpoints.${endpoint}.ndes`;
  requireChallenges('ndes', asked);
  if (endpoint === 'mscep') {
    problems.push(
      `${path}: its page would be below /certsrv/mscep/, where SCEP is: give the endpoint another name`,
    );
  }
  for (const [at, account] of accounts.entries()) {
    const here = `${path}.accounts.${at}`;
    checkSubject(`${here}.subject`, account.subject, problems);
    if (accounts.findIndex((one) => one.user === account.user) !== at) {
      problems.push(`${here}.user: "${account.user}" is there already; leave one out`);
    }
  }
  const bits = length * Math.log2(alphabet.length);
  if (bits < MIN_PAGE_CHALLENGE_BITS) {
    const enough = Math.ceil(MIN_PAGE_CHALLENGE_BITS / Math.log2(alphabet.length));
    problems.push(
      `${path}.length: must be at least ${enough}: ${length} characters of ${alphabet.length} have ${Math.floor(bits)} bits, and ${MIN_PAGE_CHALLENGE_BITS} are needed`,
    );
  }
  return { accounts, charset, form: { alphabet, length }, ...rest };
}
