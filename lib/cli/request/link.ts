// scepter txn link: a link by which one person decides about one request.

import { Command } from 'commander';
import { callApi } from '../api.ts';
import { durationOf } from '../busy.ts';
import { type Io, jsonLine } from '../io.ts';
import { seconds } from '../text.ts';
import { transactionId } from './which.ts';

type Options = { readonly person: string; readonly ttl?: string; readonly json?: true };

export const linkCommand = (io: Io): Command =>
  new Command('link')
    .argument('<id>', 'of a pending transaction, or the beginning of one')
    .description('make a link by which one person, without a token, decides about a request, once')
    .requiredOption('--person <person>', 'who decides by it, as tokens name persons')
    .option('--ttl <duration>', 'how long it is good, at most 7d (default: 24h)')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Whoever has the link decides as that person: hand it to that person alone. It needs "decisionUrl" in the configuration.

Examples:
  scepter txn link 01K4QD6W6ZJ5S5M0V1X7TB2C3D --person alice@example.com
  scepter txn link 01K4QD6W6ZJ5S5M0V1X7TB2C3D --person alice@example.com --ttl 2h --json | jq -r .url`,
    )
    .action(async (given: string, { person, ttl, json }: Options) => {
      if (ttl !== undefined) durationOf(ttl);
      const id = await transactionId(io, given);
      const made = await callApi(io, 'POST /transactions/{id}/link', {
        params: { id },
        body: { person, ttl },
      });
      if (json) return io.out(jsonLine(made));
      io.note(
        `for ${made.person}, once, until ${seconds(made.expiresAt)}; it cannot be shown again:`,
      );
      io.out(`${made.url}\n`);
    });
