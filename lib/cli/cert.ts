// scepter cert list, show, revoke, renewals: certificates, and what is to become of them.

import { Command, InvalidArgumentError, Option } from 'commander';
import { fromBase64 } from '../bytes.ts';
import { type CertificateState, revocationReasons } from '../ports/records.ts';
import { parseDuration } from '../schema.ts';
import { visible } from '../visible.ts';
import { describeCertificate } from '../x509/describe.ts';
import { certificateFields } from './decoded.ts';
import { CliError, callApi, type Io, jsonLine } from './io.ts';
import { type PageOptions, pageOptions, showList, withQuery } from './pages.ts';
import { aligned, type Field, rowsOf, seconds, section, shortened } from './text.ts';

/** A certificate as the admin API lists it. */
type Certificate = {
  readonly ca: string;
  readonly serial: string;
  readonly state: CertificateState;
  readonly endpoint: string;
  readonly transaction: string;
  readonly subject: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly confirmed: boolean;
  readonly successors: readonly string[];
  readonly revokedAt?: string;
  readonly revocationReason?: string;
};
type Whole = Certificate & { readonly der?: string; readonly pem?: string };
type Renewal = Certificate & { readonly renews?: string };

type ListOptions = PageOptions & {
  readonly ca?: string;
  readonly endpoint?: string;
  readonly state?: CertificateState;
  readonly subject?: string;
  readonly device?: string;
  readonly serial?: string;
  readonly key?: string;
  /** Milliseconds. */
  readonly expiring?: number;
};
type One = { readonly ca?: string; readonly json?: true };

const released: readonly CertificateState[] = ['issued', 'held', 'revoked'];
const caOption = (): Option =>
  new Option('--ca <name>', 'the CA that issued it (default: whichever has this serial number)');

export function certCommand(io: Io): Command {
  const cert = new Command('cert').description('certificates that were issued');
  cert.addCommand(listCommand(io));
  cert
    .command('show')
    .argument('<serial>', 'hexadecimal, as "cert list" prints it')
    .description('one certificate: its state, and all that is in it')
    .addOption(caOption())
    .addOption(new Option('--pem', 'print the certificate itself').conflicts('json'))
    .option('--json', 'print one JSON object, with the certificate as DER and PEM')
    .addHelpText(
      'after',
      `
Examples:
  scepter cert show 5f1c2a9d3b7e48f0a1b2c3d4e5f60718
  scepter cert show 5f1c2a9d3b7e48f0a1b2c3d4e5f60718 --pem | openssl x509 -text -noout`,
    )
    .action((serial: string, options: One & { pem?: true }) => show(io, serial, options));
  cert.addCommand(revokeCommand(io));
  cert
    .command('renewals')
    .argument('<serial>', 'hexadecimal, as "cert list" prints it')
    .description('a certificate among its renewals: what it renews, and what renews it')
    .addOption(caOption())
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  scepter cert renewals 5f1c2a9d3b7e48f0a1b2c3d4e5f60718
  scepter cert renewals 5f1c2a9d3b7e48f0a1b2c3d4e5f60718 --json | jq -r '.certificates[-1].serial'`,
    )
    .action((serial: string, options: One) => renewals(io, serial, options));
  return cert;
}

function listCommand(io: Io): Command {
  const list = new Command('list')
    .description('certificates, newest first; expiring ones by their end; or what a search finds')
    .option('--ca <name>', 'only of this CA')
    .option('--endpoint <name>', 'only of this endpoint')
    .addOption(new Option('--state <state>', 'only those in this state').choices(released))
    .option('--subject <text>', 'how the subject begins, as "cert show" prints it, in any case')
    .option('--device <text>', 'how the first subjectAltName begins, or else the common name')
    .option('--serial <hex>', 'with this serial number, of whatever CA')
    .option(
      '--key <sha256>',
      'for this key: SHA-256 of its SubjectPublicKeyInfo ("inspect" says it)',
    )
    .addOption(
      new Option('--expiring <duration>', 'good ones that expire within it, such as 30d').argParser(
        durationOf,
      ),
    );
  for (const option of pageOptions()) list.addOption(option);
  return list
    .addHelpText(
      'after',
      `
Examples:
  scepter cert list --expiring 30d
  scepter cert list --device laptop-17
  scepter cert list --state revoked --all --json | jq -r '.certificates[].serial'`,
    )
    .action(({ expiring, ...options }: ListOptions) => {
      const { ca, endpoint, state, subject, device, serial, key, ...page } = options;
      const until = expiring === undefined ? undefined : io.clock.now() + expiring;
      const expiringBefore = until === undefined ? undefined : new Date(until).toISOString();
      return showList<Certificate>(
        io,
        {
          path: '/certificates',
          query: { ca, endpoint, state, subject, device, serial, key, expiringBefore },
          noun: 'certificates',
          columns: ['SERIAL', 'STATE', 'FROM', 'UNTIL', 'CA', 'SUBJECT'],
          row: (one) => [
            one.serial,
            one.state,
            seconds(one.notBefore),
            seconds(one.notAfter),
            one.ca,
            shortened(one.subject),
          ],
          none: 'no such certificates',
        },
        page,
      );
    });
}

function durationOf(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('It must be a duration such as 12h or 30d.');
  return ms;
}

function revokeCommand(io: Io): Command {
  return new Command('revoke')
    .argument('<serial>', 'hexadecimal, as "cert list" prints it')
    .description('revoke a certificate, at once and for good; or hold it, or end a hold')
    .addOption(
      new Option(
        '--reason <reason>',
        'why; certificateHold is not for good, removeFromCRL ends it (RFC 5280, 5.3.1)',
      )
        .choices([...revocationReasons, 'certificateHold', 'removeFromCRL'])
        .default('unspecified'),
    )
    .addOption(caOption())
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Nothing is asked: what was done is printed. Renewal and GetCert refuse the certificate from then on;
the CRL has it as soon as one is published, which the server does within a minute.

Examples:
  scepter cert revoke 5f1c2a9d3b7e48f0a1b2c3d4e5f60718 --reason keyCompromise
  scepter cert revoke 5f1c2a9d3b7e48f0a1b2c3d4e5f60718 --reason certificateHold
  scepter cert revoke 5f1c2a9d3b7e48f0a1b2c3d4e5f60718 --reason removeFromCRL`,
    )
    .action(async (serial: string, { ca, reason, json }: One & { reason: string }) => {
      const path = `${await pathOf(io, serial, ca)}/revoke`;
      const done = await callApi<Certificate>(io, 'POST', path, { reason });
      const said = `${done.serial} of CA ${done.ca} is ${done.state} (${reason}): ${done.subject}`;
      io.out(json ? jsonLine(done) : `${visible(said)}\n`);
    });
}

/** Where a certificate is; which CA it is of is looked up where nobody says so. */
async function pathOf(io: Io, serial: string, ca: string | undefined): Promise<string> {
  const path = (name: string) =>
    `/certificates/${encodeURIComponent(name)}/${encodeURIComponent(serial)}`;
  if (ca !== undefined) return path(ca);
  const found = await callApi<{ readonly certificates: readonly Certificate[] }>(
    io,
    'GET',
    withQuery('/certificates', { serial }),
  );
  const [first, ...others] = found.certificates;
  if (!first) throw new CliError('notFound', `no CA has issued a certificate ${serial}`);
  if (others.length > 0) {
    const names = found.certificates.map((one) => one.ca).join(', ');
    throw new CliError('usage', `several CAs have it: add --ca with one of ${names}`);
  }
  return path(first.ca);
}

async function show(io: Io, serial: string, { ca, pem, json }: One & { pem?: true }) {
  const whole = await callApi<Whole>(io, 'GET', await pathOf(io, serial, ca));
  if (json) io.out(jsonLine(whole));
  else if (!pem) io.out(page(whole, io.clock.now()));
  else if (whole.pem) io.out(whole.pem);
  else throw new CliError('failure', `nobody may have it: the certificate is ${whole.state}`);
}

function page(whole: Whole, now: number): string {
  const { ca, state, endpoint, transaction, revokedAt, revocationReason, der } = whole;
  const since = revokedAt ? ` since ${seconds(revokedAt)}, ${revocationReason}` : '';
  const fields: Field[] = [
    ['serial', whole.serial],
    ['state', `${state}${since}`],
    ['subject', whole.subject],
    ['CA', ca],
    ['endpoint', endpoint],
    ['transaction', transaction],
    ['renewed by', whole.successors],
    ['seen in use', whole.confirmed ? 'yes: it has signed a renewal' : undefined],
  ];
  const decoded = der && certificateFields(describeCertificate(fromBase64(der)), now);
  return `${aligned(rowsOf(fields))}${decoded ? section('certificate', decoded) : ''}`;
}

async function renewals(io: Io, serial: string, { ca, json }: One): Promise<void> {
  const path = await pathOf(io, serial, ca);
  const answer = await callApi<{
    readonly certificates: readonly Renewal[];
    readonly more: boolean;
  }>(io, 'GET', `${path}/renewals`);
  if (json) io.out(jsonLine(answer));
  else io.out(tree(answer.certificates, serial));
  if (answer.more) io.note('there are more than these');
}

/** Each below the one that it renews; a star at the one that was asked for. */
function tree(certificates: readonly Renewal[], asked: string): string {
  const plain = asked.replaceAll(':', '').toLowerCase();
  const known = new Set(certificates.map(({ serial }) => serial));
  const below = (serial: string | undefined, depth: number): string[][] =>
    certificates
      .filter(
        ({ renews }) => (renews !== undefined && known.has(renews) ? renews : undefined) === serial,
      )
      .flatMap((one) => [
        [
          `${'  '.repeat(depth)}${one.serial}${one.serial === plain ? ' *' : ''}`,
          one.state,
          seconds(one.notBefore),
          seconds(one.notAfter),
          shortened(one.subject),
        ],
        ...below(one.serial, depth + 1),
      ]);
  return aligned([['SERIAL', 'STATE', 'FROM', 'UNTIL', 'SUBJECT'], ...below(undefined, 0)]);
}
