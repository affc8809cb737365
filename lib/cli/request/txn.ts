// scepter txn list, show: requests and what has become of them.

import { Command, Option } from 'commander';
import type { AnswerTo } from '../../api/api.ts';
import { fromBase64 } from '../../base/bytes.ts';
import { verdictText } from '../../base/text.ts';
import type { TransactionState } from '../../base/words.ts';
import { tooLarge } from '../../ca/query/explain-refusal.ts';
import { describeRequest } from '../../x509/describe/describe.ts';
import { callApi } from '../api.ts';
import { wholeSerial } from '../certificate/which.ts';
import type { Io } from '../io.ts';
import { byText, inOrder, stepRow } from '../log/happened.ts';
import { requestFields } from '../look/decoded.ts';
import { type PageOptions, pageOptions, requireUnaltered, searchHelp, showList } from '../pages.ts';
import { outputOption, pagerOption, type ShowOptions, show } from '../show.ts';
import { type Field, type Sheet, seconds, spoken } from '../text.ts';
import { decideCommand } from './decide.ts';
import { linkCommand } from './link.ts';
import { approvalsText, waitsForAnother } from './persons.ts';
import { refusalFields } from './refusal.ts';
import { watchCommand } from './watch.ts';
import { transactionId } from './which.ts';

type Story = AnswerTo<'GET /transactions/{id}'>;

type ListOptions = PageOptions & {
  readonly endpoint?: string;
  readonly state?: TransactionState;
  readonly search?: string;
  readonly subject?: string;
  readonly device?: string;
  readonly serial?: string;
};

const states = {
  pending: 'waits for an approver',
  approved: 'waits for its device to ask again',
  denied: '',
  expired: 'no approver allowed it in time',
  intended: 'its certificate is being made',
  signed: 'its certificate waits for a validator to release it',
  issued: '',
  voided: 'its certificate was never released',
  revoked: '',
  refused: '',
} as const satisfies Record<TransactionState, string>;

export function txnCommand(io: Io): Command {
  const txn = new Command('txn');
  const list = txn
    .command('list')
    .description(
      'transactions, newest first, open ones by when they are due; or those that a search finds',
    )
    .option('--endpoint <name>', 'only of this endpoint')
    .addOption(
      new Option('--state <state>', 'only those in this state').choices(Object.keys(states)),
    )
    .option('--search <words>', searchHelp)
    .option('--subject <text>', 'how the subject begins, as "txn show" prints it, in any case')
    .option('--device <text>', 'how the first subjectAltName begins, or else the common name')
    .option('--serial <hex>', 'what the certificate with this serial number came from');
  for (const option of pageOptions()) list.addOption(option);
  list
    .addHelpText(
      'after',
      `
Examples:
  scepter txn list --state pending
  scepter txn list --search 'laptop-17 berlin'
  scepter txn list --device laptop-17
  scepter txn list --endpoint vpn --limit 100
  scepter txn list --state denied --all --json | jq -r '.transactions[].subject'`,
    )
    .action((options: ListOptions) => listTransactions(io, options));
  txn
    .command('show')
    .argument('<id>', 'as "txn list" prints it, or the beginning of one')
    .description('one transaction: what was asked, by whom, and what happened when')
    .addOption(outputOption())
    .option('--json', 'print one JSON object, with the CSR in base64')
    .addOption(pagerOption())
    .addHelpText(
      'after',
      `
Examples:
  scepter txn show 01K4QD6W6ZJ5S5M0V1X7TB2C3D
  scepter txn show 01K4QD6W6ZJ5S5M0V1X7TB2C3D --json | jq -r .csr | base64 -d | openssl req -inform DER -text`,
    )
    .action(async (given: string, options: ShowOptions) => {
      const id = await transactionId(io, given);
      const story = await callApi(io, 'GET /transactions/{id}', { params: { id } });
      await show(io, options, { json: story, page: () => page(story) });
      requireUnaltered(io, story.altered);
    });
  for (const verdict of ['approve', 'deny'] as const) txn.addCommand(decideCommand(io, verdict));
  txn.addCommand(linkCommand(io));
  txn.addCommand(watchCommand(io));
  return txn;
}

async function listTransactions(
  io: Io,
  { endpoint, state, search, subject, device, serial: given, ...options }: ListOptions,
): Promise<void> {
  const serial = given && (await wholeSerial(io, given));
  await showList(
    io,
    {
      name: 'GET /transactions',
      query: { endpoint, state, search, subject, device, serial },
      noun: 'transactions',
      columns: ['ID', 'STATE', 'APPROVALS', 'CREATED', 'ENDPOINT', 'SUBJECT'],
      row: (one) => [
        one.id,
        one.state,
        approvalsText(one) ?? '-',
        seconds(one.createdAt),
        one.endpoint,
        one.subject,
      ],
      none: `no ${state ? `${state} ` : ''}transactions ${
        (search ?? subject ?? device ?? serial ?? endpoint) === undefined ? '' : 'were found'
      }`.trim(),
    },
    options,
  );
}

function page(story: Story): Sheet {
  const { id, endpoint, ca, profile, state, messageType, reason, expiresAt, moreEvents } = story;
  const { challengeBy, approval, votes = [] } = story;
  const approvals = approval ? [...votes, approval] : votes;
  const refused = refusalFields(story);
  const means = waitsForAnother(story) ? 'waits for another person to approve it' : states[state];
  const waits = state === 'pending' || state === 'approved';
  const fields: Field[] = [
    ['transaction', id],
    ['state', means ? `${state}: ${means}` : state],
    ['reason', refused ? undefined : reason],
    ['subject', story.subject],
    ['names', story.names],
    ['device', story.device],
    ['usages', story.keyUsage],
    ['purposes', story.extKeyUsage],
    ['validity', story.validitySeconds && spoken(story.validitySeconds * 1000)],
    ['endpoint', `${endpoint} (CA ${ca}, profile ${profile})`],
    ['request', messageType],
    ['transactionID', story.transactionIDs],
    ['signer', story.signer],
    ['address', story.client?.from],
    ['client', [story.family, story.client?.agent].filter((said) => said !== undefined)],
    ['CSR SHA-256', story.csrHash],
    ['authorized by', story.authorizedBy],
    ['validators', story.verdicts?.map(verdictText)],
    ['challenge by', challengeBy && byText(challengeBy)],
    ['approved by', approvals.map((one) => `${byText(one)}, ${seconds(one.at)}`)],
    ['its turn', approval?.turn && seconds(approval.turn)],
    ['approvals', approvalsText(story)],
    ['renews', story.renews],
    ['supersedes it', story.supersedeAt && `from ${seconds(story.supersedeAt)}`],
    ['serial', story.serial],
    ['configuration', story.configHash],
    ['created', seconds(story.createdAt)],
    ['expires', waits && expiresAt ? seconds(expiresAt) : undefined],
  ];
  const sent: readonly Field[] =
    story.csr === ''
      ? [['request', tooLarge]]
      : requestFields(describeRequest(fromBase64(story.csr)));
  return [
    [
      { fields },
      { heading: 'what the device sent', fields: sent },
      ...(refused ? [{ heading: 'why it was refused', fields: refused }] : []),
      {
        heading: 'timeline',
        columns: ['TIME', 'TYPE', 'WHO', 'WHAT'],
        rows: inOrder(story.events).map(stepRow),
        nameless: true,
      },
      {
        lines: moreEvents ? [`  ... and more: scepter log export --transaction ${id}`] : [],
      },
    ],
  ];
}
