// scepter serve: the server, in the terminal or under whatever supervises it.

import { Command } from 'commander';
import type { Io } from '../io.ts';

export function serveCommand(io: Io): Command {
  return new Command('serve')
    .option('--json', 'print one JSON object when it is ready, instead of a page for people')
    .addHelpText(
      'after',
      `
Variables say what it is: HOST and PORT (127.0.0.1, 8080), SCEPTER_DATA_DIR (./.scepter: database, keys and
admin token), SCEPTER_CONFIG (a file, the JSON itself, or s3:BUCKET/KEY). SIGHUP reads the file again. Its log goes
to standard error, a line of JSON each; NODE_ENV=production leaves standard output empty.

Examples:
  scepter serve
  SCEPTER_CONFIG=/etc/scepter.json scepter serve
  PORT=9090 scepter serve --json | head -1`,
    )
    .action(({ json }: { json?: true }) => io.serve(json === true));
}
