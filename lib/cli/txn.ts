// scepter txn list, show, approve, deny: requests and what has become of them.

import { Command, InvalidArgumentError, Option } from 'commander';
import { type Reason, reasons } from '../errors.ts';
import { MAX_PAGE } from '../limits.ts';
import type { TransactionState } from '../ports/records.ts';
import { visible } from '../visible.ts';
import { callApi, type Io, jsonLine } from './io.ts';
import { aligned, type Field, rowsOf, seconds, shortened } from './text.ts';

/** A Transaction as the admin API shows it. */
type Transaction = {
  readonly id: string;
  readonly endpoint: string;
  readonly ca: string;
  readonly profile: string;
  readonly state: TransactionState;
  readonly messageType: string;
  readonly signer: string;
  readonly transactionIDs: readonly string[];
  readonly subject: string;
  readonly names: readonly string[];
  readonly authorizedBy: readonly string[];
  readonly csrHash: string;
  readonly serial?: string;
  readonly renews?: string;
  readonly reason?: string;
  readonly expiresAt?: string;
  readonly createdAt: string;
  readonly timeline: readonly {
    readonly at: string;
    readonly state: TransactionState;
    readonly by?: string;
  }[];
};

type Page = { readonly transactions: readonly Transaction[]; readonly next: string | null };

type ListOptions = {
  readonly endpoint: string;
  readonly state?: TransactionState;
  readonly limit: number;
  readonly cursor?: string;
  readonly all?: true;
  readonly json?: true;
};

const states = {
  pending: 'waits for an approver',
  approved: 'waits for its device to ask again',
  denied: '',
  expired: 'nobody approved it in time',
  intended: 'its certificate is being made',
  signed: 'its certificate waits for a validator to release it',
  issued: '',
  voided: 'its certificate was never released',
  revoked: '',
  refused: '',
} as const satisfies Record<TransactionState, string>;

export function txnCommand(io: Io): Command {
  const txn = new Command('txn').description('transactions: requests and what became of them');
  txn
    .command('list')
    .description('transactions of an endpoint, newest first; open ones by when they are due')
    .option('--endpoint <name>', 'the endpoint that was asked', 'default')
    .addOption(
      new Option('--state <state>', 'only those in this state').choices(Object.keys(states)),
    )
    .option('--limit <n>', `how many to look at, up to ${MAX_PAGE}`, limitOf, 20)
    .option('--cursor <cursor>', 'go on where another list ended')
    .addOption(new Option('--all', 'to the end of the list').conflicts('limit'))
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  scepter txn list --state pending
  scepter txn list --endpoint vpn --limit 100
  scepter txn list --state denied --all --json | jq -r '.transactions[].subject'`,
    )
    .action((options: ListOptions) => list(io, options));
  txn
    .command('show')
    .argument('<id>', 'as "txn list" prints it')
    .description('one transaction: what was asked, by whom, and what happened when')
    .option('--json', 'print one JSON object, with the CSR in base64')
    .addHelpText(
      'after',
      `
Examples:
  scepter txn show 01K4QD6W6ZJ5S5M0V1X7TB2C3D
  scepter txn show 01K4QD6W6ZJ5S5M0V1X7TB2C3D --json | jq -r .csr | base64 -d | openssl req -inform DER -text`,
    )
    .action(async (id: string, { json }: { json?: true }) => {
      const transaction = await callApi<Transaction>(io, 'GET', pathOf(id));
      io.out(json ? jsonLine(transaction) : page(transaction));
    });
  for (const verdict of ['approve', 'deny'] as const) txn.addCommand(decide(io, verdict));
  return txn;
}

const pathOf = (id: string): string => `/transactions/${encodeURIComponent(id)}`;

function limitOf(text: string): number {
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > MAX_PAGE) {
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_PAGE}.`);
  }
  return limit;
}

async function list(io: Io, options: ListOptions): Promise<void> {
  const { endpoint, state, all, json } = options;
  const limit = all ? MAX_PAGE : options.limit;
  const transactions: Transaction[] = [];
  let cursor: string | null = options.cursor ?? null;
  do {
    const query = { endpoint, limit, ...(state ? { state } : {}), ...(cursor ? { cursor } : {}) };
    const text = Object.entries(query).map(([name, value]) => [name, String(value)]);
    const found: Page = await callApi(io, 'GET', `/transactions?${new URLSearchParams(text)}`);
    transactions.push(...found.transactions);
    cursor = found.next;
    // A page can hold none of the state that is asked for, and the next one some.
  } while (cursor !== null && (all || transactions.length === 0));
  io.out(json ? jsonLine({ transactions, next: cursor }) : table(transactions));
  if (transactions.length === 0) {
    io.note(`no ${state ? `${state} ` : ''}transactions at endpoint ${endpoint}`);
  }
  if (cursor !== null && !json) io.note(`there are more: add --all, or --cursor ${cursor}`);
}

function table(transactions: readonly Transaction[]): string {
  if (transactions.length === 0) return '';
  const rows = transactions.map(({ id, state, createdAt, endpoint, subject }) => [
    id,
    state,
    seconds(createdAt),
    endpoint,
    shortened(subject),
  ]);
  return aligned([['ID', 'STATE', 'CREATED', 'ENDPOINT', 'SUBJECT'], ...rows]);
}

function page(transaction: Transaction): string {
  const { id, endpoint, ca, profile, state, messageType, reason, expiresAt } = transaction;
  const waits = state === 'pending' || state === 'approved';
  const known = reason !== undefined && Object.hasOwn(reasons, reason);
  const why = known ? reasons[reason as Reason] : undefined;
  const fields: Field[] = [
    ['transaction', id],
    ['state', states[state] ? `${state}: ${states[state]}` : state],
    ['reason', why ? `${why.code}: ${why.text}` : reason],
    ['subject', transaction.subject],
    ['names', transaction.names],
    ['endpoint', `${endpoint} (CA ${ca}, profile ${profile})`],
    ['request', messageType],
    ['transactionID', transaction.transactionIDs],
    ['signer', transaction.signer],
    ['CSR SHA-256', transaction.csrHash],
    ['authorized by', transaction.authorizedBy],
    ['renews', transaction.renews],
    ['serial', transaction.serial],
    ['created', seconds(transaction.createdAt)],
    ['expires', waits && expiresAt ? seconds(expiresAt) : undefined],
  ];
  const steps = transaction.timeline.map(({ at, state: reached, by }) => [
    '',
    seconds(at),
    reached,
    by ? `by ${by}` : '',
  ]);
  return `${aligned(rowsOf(fields))}timeline\n${aligned(steps)}`;
}

function decide(io: Io, verdict: 'approve' | 'deny'): Command {
  const approves = verdict === 'approve';
  return new Command(verdict)
    .argument('<id>', 'of a pending transaction')
    .description(
      approves
        ? 'allow a pending request; its device gets the certificate when it next asks'
        : 'refuse a pending request; its device is told when it next asks',
    )
    .option('--reason <text>', 'why; kept in the event, not told to the device')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  scepter txn ${verdict} 01K4QD6W6ZJ5S5M0V1X7TB2C3D
  scepter txn ${verdict} 01K4QD6W6ZJ5S5M0V1X7TB2C3D --reason "${approves ? 'ticket 4711' : 'device was stolen'}" --json`,
    )
    .action(async (id: string, { reason, json }: { reason?: string; json?: true }) => {
      const done = await callApi<Transaction>(io, 'POST', `${pathOf(id)}/${verdict}`, { reason });
      io.out(
        json ? jsonLine(done) : visible(`${done.id} ${done.state}: ${done.subject}`).concat('\n'),
      );
    });
}
