// scepter ca retire: the end of a CA. It asks no server: it works on the store, with the credentials of whoever
// runs it.

import type { Command } from 'commander';
import type { Operator } from '../../ca/authority/init-ca.ts';
import { lookAtRetiring, type Retiring, retireCa } from '../../ca/authority/retire.ts';
import { ownNames } from '../../ca/record/tokens.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { type Field, seconds, section } from '../text.ts';
import { knownCa, operating } from './ca-keys.ts';

const actor = { kind: 'admin', id: ownNames.operator } as const;

/** Its name. */
export const retireCommands = ['retire'] as const;

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

With the environment of the functions (SCEPTER_CONFIG, SCEPTER_TABLE, SCEPTER_SEALING_KEY,
SCEPTER_DEPLOYMENT) and your own AWS credentials, or on SCEPTER_DATA_DIR while no server runs.

Examples:
  scepter ca retire old
  scepter ca retire old --yes`,
    )
    .action((name: string, flags: Flags) =>
      operating(io, (operator) => retire(io, operator, name, flags)),
    );
  return ca;
}

async function retire(
  io: Io,
  operator: Operator,
  name: string,
  { yes, force, json }: Flags,
): Promise<void> {
  const { id } = await knownCa(operator, name);
  const found = await lookAtRetiring(operator, id);
  if (found.valid > 0 && !force) {
    throw new CliError(
      'failure',
      `the CA "${name}" is not retired: ${validText(found)}, and would be without a CRL: wait until then, or add --force`,
    );
  }
  if (yes) await retireCa(operator, name, actor);
  const { subject, keyReference: key, valid, more, until } = found;
  const last = until === undefined ? undefined : new Date(until).toISOString();
  const about = { id: name, subject, key, valid, more, ...(last ? { until: last } : {}) };
  if (json) io.out(jsonLine({ ...about, retired: yes === true }));
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

function validText({ valid, more, until = 0 }: Retiring): string {
  const one = valid === 1 && !more;
  const count = `${valid}${more ? ' or more' : ''} certificate${one ? '' : 's'} of it`;
  return `${count} ${one ? 'is' : 'are'} valid, the last until ${seconds(new Date(until).toISOString())}`;
}
