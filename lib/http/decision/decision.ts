// What a decision link opens: GET shows what is asked for and changes nothing, so a scanner of mails may fetch it; only
// POST decides, from our own page. Nothing else is served here, and nothing is said without a link that this service made.

import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HttpFailure } from '../../base/errors.ts';
import { MAX_DECISION_OCTETS } from '../../base/link-limits.ts';
import { iso, verdictText } from '../../base/text.ts';
import { isByRule } from '../../ca/approve/approval-mac.ts';
import { decide, waits } from '../../ca/approve/decide.ts';
import { authorBy, type DecisionLink, readLink, useOfLink } from '../../ca/approve/link.ts';
import type { Deps } from '../../ca/deps.ts';
import { csrOf } from '../../ca/enrol/lookup.ts';
import { findTransaction } from '../../ca/query/transactions.ts';
import { Repeated } from '../../ca/record/idempotency.ts';
import { View } from '../../ca/record/unit-of-work.ts';
import { purposeName } from '../../config/purposes.ts';
import type { Author, Transaction } from '../../ports/records/transaction.ts';
import { describeRequest } from '../../x509/describe/describe.ts';
import { notApprovable, whyNot } from '../admin/transactions.ts';
import { clientOf } from '../client.ts';
import { decisionForm, type Fact, factsTable, htmlPage, paragraph } from './page.ts';

const path = '/decide';
const DAY_MS = 86_400_000;
const done = { approve: 'approved', deny: 'denied' } as const;

/** @param decisionUrl the origin of the pages */
export function decisionRoutes(deps: Deps, decisionUrl: string): Hono {
  const app = new Hono();
  const own = new URL(decisionUrl).origin;
  app.get(path, async (c) => {
    const text = c.req.query('link') ?? '';
    const found = await followed(deps, text);
    return found instanceof Response ? found : asking(deps, found, text);
  });
  app.post(
    path,
    bodyLimit({ maxSize: MAX_DECISION_OCTETS, onError: () => failed(413, 'That is too long.') }),
    async (c) => {
      if (c.req.header('origin') !== own) {
        return failed(403, 'A decision is taken only from the page that the link opens.');
      }
      const form = new URLSearchParams(await c.req.text());
      const verdict = form.get('verdict') ?? '';
      const found = await followed(deps, form.get('link') ?? '');
      if (found instanceof Response) return found;
      if (verdict !== 'approve' && verdict !== 'deny') {
        return failed(422, 'The decision must be to approve, or to deny.');
      }
      const reason = (form.get('reason') ?? '').trim().slice(0, 500);
      return deciding(deps, found, { c, verdict, reason });
    },
  );
  app.all(path, (c) => {
    throw new HttpFailure(405, `the method ${c.req.method} is not allowed here`);
  });
  return app;
}

/** `2031-05-06 07:08:09 UTC` */
const timeText = (ms: number): string => `${iso(ms).slice(0, 19).replace('T', ' ')} UTC`;

const failed = (status: number, text: string): Response =>
  htmlPage(status, 'This link decides nothing', paragraph(text));

type Followed = { readonly link: DecisionLink; readonly transaction: Transaction };

/** What the link is about; or a page that says why it is good no more, and tells nothing else. */
async function followed(deps: Deps, text: string): Promise<Followed | Response> {
  const link = await readLink(deps, text);
  if (!link) return failed(404, 'It is not whole, or none of this service.');
  const now = deps.clock.now();
  if (link.expiresAt <= now) return failed(410, 'It has expired: ask for another one.');
  if (await useOfLink(link).recalled(deps.store, now)) return usedPage();
  const transaction = await findTransaction(deps, link.transaction);
  if (!transaction || transaction.csrHash !== link.csrHash) {
    return failed(410, 'The request is no longer on record.');
  }
  if (waits(deps, transaction)) return { link, transaction };
  return failed(410, `The request waits no more: it is ${transaction.state}.`);
}

const usedPage = (): Response => failed(410, 'It has been used: each is good for one decision.');

async function asking(
  deps: Deps,
  { link, transaction }: Followed,
  text: string,
): Promise<Response> {
  const { approvers = 1 } = deps.config.endpoints.get(transaction.endpoint) ?? {};
  const two =
    approvers > 1
      ? [paragraph(`${approvers} persons must approve it. One of them alone can deny it.`)]
      : [];
  return htmlPage(
    200,
    'May this device have a certificate?',
    [
      paragraph(
        `You decide as ${link.person}, by a link that ${link.by} made. It is good for one decision, until ${timeText(link.expiresAt)}.`,
      ),
      ...two,
      factsTable(await factsOf(deps, transaction)),
      decisionForm(text),
    ].join(''),
  );
}

const who = ({ by, person = by, from, auth }: Author): string =>
  [person, from && `from ${from}`, auth && `(${auth})`].filter(Boolean).join(' ');

async function factsOf(deps: Deps, one: Transaction): Promise<readonly Fact[]> {
  const { approval, votes = [], client, challengeBy } = one;
  const profile = deps.config.endpoints.get(one.endpoint)?.profile;
  const { extKeyUsage = [], validityMs = 0 } = { ...profile, ...one.narrowing };
  const csr = await csrOf(new View(deps.store), one);
  const key = csr.length > 0 ? describeRequest(csr).key : undefined;
  const approved = approval && !isByRule(one) ? [...(approval.votes ?? []), approval] : votes;
  return [
    ['Subject', one.subject || '(empty)'],
    ['Names', one.names],
    ['Device', one.device],
    [
      'Asks for',
      one.renews === undefined ? one.asked : `${one.asked}, of the certificate ${one.renews}`,
    ],
    ['Endpoint', `${one.endpoint} (CA ${one.ca}, profile ${one.profile})`],
    ['Purposes', extKeyUsage.map(purposeName)],
    ['Good for', `${Number((validityMs / DAY_MS).toFixed(2))} days`],
    ['Key', key && `${key.algorithm}, SHA-256 ${key.sha256}`],
    ['CSR SHA-256', one.csrHash],
    ['Asked at', timeText(one.createdAt)],
    ['From', client?.from],
    ['Client', client?.agent],
    ['Validators', one.verdicts?.map(verdictText)],
    ['Challenge by', challengeBy && who(challengeBy)],
    ['Approved by', approved.map((each) => `${who(each)}, ${timeText(each.at)}`)],
    ['Waits until', one.expiresAt === undefined ? undefined : timeText(one.expiresAt)],
    ['Transaction', one.id],
  ];
}

type Said = {
  readonly c: Context;
  readonly verdict: keyof typeof done;
  readonly reason: string;
};

async function deciding(
  deps: Deps,
  { link, transaction: { id, subject } }: Followed,
  { c, verdict, reason }: Said,
): Promise<Response> {
  const from = clientOf(deps, c);
  const once = useOfLink(link);
  try {
    const said = await decide(deps, id, done[verdict], {
      ...authorBy(link),
      ...(from === undefined ? {} : { from }),
      ...(reason === '' ? {} : { reason }),
      remembered: { once, answer: () => verdict },
    }).catch(notApprovable);
    if (said === 'missing') return failed(410, 'The request is no longer on record.');
    if (said !== 'done') return failed(409, `${whyNot(said, link.person)}.`);
  } catch (error) {
    if (error instanceof Repeated) return usedPage();
    if (error instanceof HttpFailure) return failed(error.status, `${error.message}.`);
    throw error;
  }
  if (verdict === 'deny') {
    const told = `${subject}: its device is told when it next asks.`;
    return htmlPage(200, 'Denied', paragraph(told));
  }
  const after = await findTransaction(deps, id);
  const next =
    after && waits(deps, after)
      ? 'another person has to approve it, too.'
      : 'its device gets the certificate when it next asks.';
  return htmlPage(200, 'Approved', paragraph(`${subject}: ${next}`));
}
