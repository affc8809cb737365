// Transactions as an approver and an auditor see them: with `scepter txn`.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { answered } from '../support/server-process.ts';
import { hold, same } from './openssl.ts';
import type { Server } from './server.ts';

export type Transaction = {
  readonly id: string;
  readonly state: string;
  readonly subject: string;
  readonly messageType: string;
  readonly serial?: string;
  readonly renews?: string;
  readonly reason?: string;
  readonly timeline: readonly { readonly state: string; readonly by?: string }[];
};

async function list(server: Server, endpoint: string, ...more: string[]): Promise<Transaction[]> {
  const found = await server.cli('txn', 'list', '--endpoint', endpoint, ...more);
  return (found as { transactions: Transaction[] }).transactions;
}

/** The one under this subject, as soon as there is one; by then it may wait no longer. */
export const begun = (server: Server, endpoint: string, subject: string): Promise<Transaction> =>
  answered(async () => {
    const found = (await list(server, endpoint)).filter(
      (transaction) => transaction.subject === subject,
    );
    const [only] = found;
    hold(
      only !== undefined && found.length === 1,
      `there is one request at ${endpoint} under ${subject}, not ${found.length}`,
    );
    return only;
  });

export async function decide(
  server: Server,
  id: string,
  verdict: 'approve' | 'deny',
): Promise<void> {
  // Whoever made the challenge approves nothing on it.
  const made = await server.cli('token', 'create', `approver-of-${id}`, '--role', 'approver');
  const file = join(server.dataDir, `${id}.token`);
  await writeFile(file, String((made as { token?: unknown }).token), { mode: 0o600 });
  const as = ['--reason', 'interop', '--token-file', file];
  const decided = (await server.cli('txn', verdict, id, ...as)) as Transaction;
  same('the state', decided.state, verdict === 'approve' ? 'approved' : 'denied');
}

export type Story = {
  /** States, in their order. */
  readonly states: string;
  readonly serial?: string;
  readonly renews?: string;
  readonly reason?: string;
  readonly messageType?: 'PKCSReq' | 'RenewalReq';
};

/** What is on record about a Transaction now. */
export async function checkStory(server: Server, id: string, story: Story): Promise<void> {
  const shown = (await server.cli('txn', 'show', id)) as Transaction;
  const { states, ...fields } = story;
  const found = shown.timeline.map(({ state }) => state).join(' ');
  same('the timeline', found, states);
  same('the state', shown.state, states.split(' ').at(-1) ?? '');
  for (const [name, wanted] of Object.entries(fields)) {
    same(`the ${name} on record`, `${shown[name as keyof Transaction]}`, wanted);
  }
}

/** The Transaction that a certificate came from. */
export async function transactionOf(
  server: Server,
  endpoint: string,
  serial: string,
): Promise<Transaction> {
  const found = (await list(server, endpoint, '--limit', '50')).filter(
    (transaction) => transaction.serial === serial,
  );
  const [only] = found;
  hold(only !== undefined && found.length === 1, `one transaction has the serial ${serial}`);
  return only;
}
