// scepter ca retire: the end of a CA.

import type { Command } from 'commander';
import type { AnswerTo } from '../../api/api.ts';
import { callApi } from '../api.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { operating, where } from '../operating.ts';
import { type Field, seconds, section } from '../text.ts';

type Flags = { readonly yes?: true; readonly force?: true; readonly json?: true };

export function addRetire(ca: Command, io: Io): Command {
  ca.command('retire')
    .argument('<name>', 'name of a CA that the configuration does not name any more')
    .description('end a CA that was taken out of the configuration: its CRL, its RA keys, its name')
    .option('--yes', 'do it; without this, only say what would be done')
    .option('--force', 'although certificates of it are valid, and lose their CRL')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
A CA that is taken out of "cas" issues nothing, and its CRL goes on. Retired, its CRL and its certificate are
not served any more, its RA keys are forgotten, and no new CA can have its name. Its certificates are still
found ("cert list"). Its key stays where it is: disable it or schedule its deletion in KMS, or delete its file.
It cannot be undone.
${where}
Examples:
  scepter ca retire old
  scepter ca retire old --yes`,
    )
    .action((name: string, flags: Flags) => operating(io, (asked) => retire(asked, name, flags)));
  return ca;
}

async function retire(io: Io, name: string, { yes, force, json }: Flags): Promise<void> {
  const params = { ca: name };
  const found = await callApi(io, 'GET /cas/{ca}/retirement', { params });
  if (found.valid > 0 && !force) {
    throw new CliError(
      'failure',
      `the CA "${name}" is not retired: ${validText(found)}, and would be without a CRL: wait until then, or add --force`,
    );
  }
  if (yes) await callApi(io, 'POST /cas/{ca}/retire', { params, body: { force } });
  const { subject, key, valid } = found;
  if (json) io.out(jsonLine({ ...found, retired: yes === true }));
  else {
    const fields: Field[] = [
      ['subject', subject],
      ['key', key],
      ['valid', valid > 0 ? validText(found) : 'no certificate of it'],
    ];
    io.out(section(`CA ${name}${yes ? ' is retired' : ''}`, fields));
  }
  if (yes) return;
  throw new CliError(
    'failure',
    `nothing was done: with --yes its CRL ends, its RA keys are forgotten and its name is never used again`,
  );
}

function validText({ valid, more, until = '' }: AnswerTo<'GET /cas/{ca}/retirement'>): string {
  const one = valid === 1 && !more;
  const count = `${valid}${more ? ' or more' : ''} certificate${one ? '' : 's'} of it`;
  return `${count} ${one ? 'is' : 'are'} valid, the last until ${seconds(until)}`;
}
