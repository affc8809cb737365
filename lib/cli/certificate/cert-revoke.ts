// scepter cert revoke, hold, release: what is to become of a certificate. Each can be asked for again.

import { Command, Option } from 'commander';
import { visible } from '../../base/text.ts';
import { type RegisterReason, registerReasons } from '../../base/words.ts';
import { callApi } from '../api.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { dryRunOption, fromOption, manyHelp } from '../many/run.ts';
import { seconds } from '../text.ts';
import { caOption, paramsOf } from './which.ts';

type RevokeOptions = {
  readonly ca?: string;
  readonly json?: true;
  readonly reason: RegisterReason;
  readonly withRenewals?: true;
  readonly file?: string;
  readonly from?: string;
  readonly dryRun?: true;
};

export function revokeCommand(io: Io): Command {
  return new Command('revoke')
    .argument('[serial]', 'hexadecimal, as "cert list" prints it; of an RA as "ca show" does')
    .description('revoke a certificate, at once and for good ("cert hold" can end)')
    .addOption(
      new Option(
        '--reason <reason>',
        'the reason (RFC 5280, 5.3.1); certificateHold and removeFromCRL are "cert hold" and "cert release"',
      )
        .choices(registerReasons)
        .default('unspecified'),
    )
    .option('--with-renewals', 'the same for every other good certificate of its lineage')
    .addOption(
      new Option(
        '--file <file>',
        'the certificate itself, for one without a good record',
      ).conflicts('withRenewals'),
    )
    .addOption(fromOption('serial numbers').conflicts('file'))
    .addOption(dryRunOption())
    .addOption(caOption())
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
The command does not ask for confirmation; it prints what it did. What is so already is no failure. A reason
can be raised afterwards (unspecified, then the others, then aACompromise and cACompromise, then keyCompromise)
and is never lowered; the date stays. The reason keyCompromise also blocks the key, at every CA and for ever;
after any other reason the key is free for other names. From then on renewal and GetCert refuse the
certificate; the next CRL has it, which the server publishes within a minute.

A device may have several good certificates: the one that it renewed, and its renewal. Revoking or holding
a certificate in use ends its lineage: none of its certificates can renew any more. The others stay good
until they expire, unless --with-renewals revokes them too. A certificate is no longer in use once its
renewal has itself renewed; revoking it then stops nothing else. After the reason superseded, its own
renewal may go on.
${manyHelp}The columns of such a file are serial, ca and reason; "cert list -o csv" prints one.

Examples:
  scepter cert revoke 5f1c2a9d3b7e48f0a1b2c3d4e5f60718 --reason cessationOfOperation --with-renewals
  scepter cert revoke 5f1c2a9d3b7e48f0a1b2c3d4e5f60718 --reason keyCompromise
  scepter cert revoke --file ra.pem --reason keyCompromise
  scepter cert list --endpoint lab --all -o csv > lab.csv
  scepter cert revoke --from lab.csv --reason cessationOfOperation --dry-run`,
    )
    .action((serial: string | undefined, options: RevokeOptions) => revoke(io, serial, options));
}

/** @param reason what the verb does */
const plainCommand = (io: Io, verb: string, reason: RegisterReason): Command =>
  new Command(verb)
    .argument('<serial>', 'hexadecimal, as "cert list" prints it, or the beginning of it')
    .option('--with-renewals', 'the same for every other certificate of its lineage')
    .addOption(caOption())
    .option('--json', 'print one JSON object')
    .action((serial: string, options: Omit<RevokeOptions, 'reason'>) =>
      revoke(io, serial, { ...options, reason }),
    );

export const holdCommand = (io: Io): Command =>
  plainCommand(io, 'hold', 'certificateHold')
    .description('suspend a certificate until "cert release" or "cert revoke" (certificateHold)')
    .addHelpText(
      'after',
      `
While it is held, renewal and GetCert refuse it, and the CRL lists it. One that is held already stays so, and
one that is revoked cannot be held.

Examples:
  scepter cert hold 5f1c2a9d3b7e48f0a1b2c3d4e5f60718
  scepter cert hold 5f1c2a9d3b7e48f0a1b2c3d4e5f60718 --with-renewals`,
    );

export const releaseCommand = (io: Io): Command =>
  plainCommand(io, 'release', 'removeFromCRL')
    .description('end the hold of a certificate, which is good again (removeFromCRL)')
    .addHelpText(
      'after',
      `
One that is good already stays so, and one that is revoked cannot be released.

Examples:
  scepter cert release 5f1c2a9d3b7e48f0a1b2c3d4e5f60718
  scepter cert release 5f1c2a9d3b7e48f0a1b2c3d4e5f60718 --with-renewals`,
    );

async function revoke(io: Io, serial: string | undefined, options: RevokeOptions) {
  const { ca, reason, withRenewals, file, from, dryRun, json } = options;
  const plainly = { reason, json: json === true };
  if ([serial, file, from].filter((one) => one !== undefined).length !== 1) {
    throw new CliError(
      'usage',
      'name either a serial number or, with --file, the certificate, or with --from a file of many',
    );
  }
  if (from === undefined && dryRun) throw new CliError('usage', '--dry-run needs --from');
  if (from !== undefined) {
    const { revokeMany } = await import('./cert-many.ts');
    return revokeMany(io, from, { ...plainly, ca, withRenewals, dryRun: dryRun === true });
  }
  const { revokeFile, revokeOfRa, saidOf } = await import('./cert-signed.ts');
  if (file !== undefined) return revokeFile(io, file, ca, plainly);
  if (serial === undefined) return;
  const params = await paramsOf(io, serial, ca).catch((error: unknown) => {
    if (error instanceof CliError) return error;
    throw error;
  });
  if (ca !== undefined || params instanceof CliError) {
    if (await revokeOfRa(io, serial, ca, plainly)) return;
  }
  if (params instanceof CliError) throw params;
  // The lineage is read first, so that a failure to read it cannot hide that the revocation was done.
  const lineage = withRenewals
    ? []
    : (await callApi(io, 'GET /certificates/{ca}/{serial}/renewals', { params })).certificates;
  const done = await callApi(io, 'POST /certificates/{ca}/{serial}/revoke', {
    params,
    body: { reason, withRenewals },
  });
  const said = saidOf({ ...done, reason });
  const others = (done.withRenewals ?? []).map((one) => `${one} of its lineage too`);
  io.out(json ? jsonLine(done) : [said, ...others].map((line) => `${visible(line)}\n`).join(''));
  if (reason === 'keyCompromise') {
    io.note('its key is blocked: no CA here certifies it again');
    for (const { ca: at, serial: other, state, notAfter } of done.sameKey ?? []) {
      const until = `${state}, until ${seconds(notAfter)}`;
      io.note(`of the same key, and as compromised: ${other} of CA ${at} (${until})`);
    }
  }
  if (reason === 'removeFromCRL') return;
  const now = io.clock.now();
  const good = lineage.filter(
    (one) => one.serial !== done.serial && one.state === 'issued' && Date.parse(one.notAfter) > now,
  );
  if (good.length === 0) return;
  for (const one of good) {
    io.note(`still good, of the same lineage: ${one.serial} until ${seconds(one.notAfter)}`);
  }
  const verb = reason === 'certificateHold' ? 'hold' : 'revoke';
  const why = verb === 'hold' ? '' : ` --reason ${reason}`;
  io.note(`to ${verb} all of it: scepter cert ${verb} ${done.serial}${why} --with-renewals`);
}
