// scepter cert list, show, renewals: certificates as they are found and shown.

import { Command, InvalidArgumentError, Option } from 'commander';
import type { AnswerTo } from '../../api/api.ts';
import { fromBase64 } from '../../base/bytes.ts';
import { type ListedState, listedStates } from '../../base/words.ts';
import { parseDuration } from '../../config/duration.ts';
import { callApi } from '../api.ts';
import { CliError, type Io } from '../io.ts';
import { certificateFields } from '../look/decoded.ts';
import { describeFile, fileOctets } from '../look/inspect.ts';
import { type PageOptions, pageOptions, requireUnaltered, searchHelp, showList } from '../pages.ts';
import { outputOption, pagerOption, type ShowOptions, show } from '../show.ts';
import { type Field, type Sheet, seconds, type Table } from '../text.ts';
import { holdCommand, releaseCommand, revokeCommand } from './cert-revoke.ts';
import { caOption, isWhole, paramsOf } from './which.ts';

type Whole = AnswerTo<'GET /certificates/{ca}/{serial}'>;
type Renewal = AnswerTo<'GET /certificates/{ca}/{serial}/renewals'>['certificates'][number];

type ListOptions = PageOptions & {
  readonly ca?: string;
  readonly endpoint?: string;
  readonly state?: ListedState;
  readonly search?: string;
  readonly subject?: string;
  readonly device?: string;
  readonly serial?: string;
  readonly key?: string;
  /** Milliseconds. */
  readonly expiring?: number;
};
type One = ShowOptions & { readonly ca?: string };

export function certCommand(io: Io): Command {
  const cert = new Command('cert');
  cert.addCommand(listCommand(io));
  cert
    .command('show')
    .argument('<serial>', 'hexadecimal, as "cert list" prints it, or the beginning of it')
    .description('one certificate: its state, and all that is in it')
    .addOption(caOption())
    .addOption(new Option('--pem', 'print the certificate itself').conflicts(['json', 'output']))
    .addOption(outputOption())
    .option('--json', 'print one JSON object, with the certificate as DER and PEM')
    .addOption(pagerOption())
    .addHelpText(
      'after',
      `
Examples:
  scepter cert show 5f1c2a9d3b7e48f0a1b2c3d4e5f60718
  scepter cert show 5f1c2a9d3b7e48f0a1b2c3d4e5f60718 --pem | openssl x509 -text -noout`,
    )
    .action((serial: string, options: One & { pem?: true }) => showOne(io, serial, options));
  cert.addCommand(revokeCommand(io));
  cert.addCommand(holdCommand(io));
  cert.addCommand(releaseCommand(io));
  cert
    .command('renewals')
    .argument('<serial>', 'hexadecimal, as "cert list" prints it, or the beginning of it')
    .description('a certificate among its renewals: what it renews, and what renews it')
    .addOption(caOption())
    .addOption(outputOption())
    .option('--json', 'print one JSON object')
    .addOption(pagerOption())
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
    .description(
      'certificates, newest first; by their end if they expire or have expired; or what a search finds',
    )
    .option('--ca <name>', 'only of this CA')
    .option('--endpoint <name>', 'only of this endpoint')
    .addOption(new Option('--state <state>', 'only those in this state').choices(listedStates))
    .option('--search <words>', searchHelp)
    .option('--subject <text>', 'how the subject begins, as "cert show" prints it, in any case')
    .option('--device <text>', 'how the first subjectAltName begins, or else the common name')
    .option('--serial <hex>', 'how the serial number begins, of whatever CA')
    .option(
      '--key <key>',
      'of this key, whatever they say: a file with the certificate, the request or the public key, or the SHA-256 of its SubjectPublicKeyInfo ("inspect" says it)',
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
  scepter cert list --state expired
  scepter cert list --search 'laptop-17 berlin'
  scepter cert list --device laptop-17
  scepter cert list --key device-1/cert.pem
  scepter cert list --state revoked --all --json | jq -r '.certificates[].serial'`,
    )
    .action(async ({ expiring, ...options }: ListOptions) => {
      const { ca, endpoint, state, search, subject, device, serial: given, ...page } = options;
      const serial = given && (isWhole(given) ? { serial: given } : { serialPrefix: given });
      const key = options.key && (await keyHashOf(io, options.key));
      const until = expiring === undefined ? undefined : io.clock.now() + expiring;
      const expiringBefore = until === undefined ? undefined : new Date(until).toISOString();
      await showList(
        io,
        {
          name: 'GET /certificates',
          query: {
            ...{ ca, endpoint, state, search, subject, device, key, expiringBefore },
            ...(serial || {}),
          },
          noun: 'certificates',
          columns: ['SERIAL', 'STATE', 'FROM', 'UNTIL', 'CA', 'SUBJECT'],
          row: (one) => [
            one.serial,
            one.state,
            seconds(one.notBefore),
            seconds(one.notAfter),
            one.ca,
            one.subject,
          ],
          none: 'no such certificates',
        },
        page,
      );
    });
}

/** @param key its hash, or a file that it is in @throws {CliError} */
async function keyHashOf(io: Io, key: string): Promise<string> {
  const digits = key.replaceAll(':', '');
  if (/^[0-9a-f]{64}$/i.test(digits)) return digits.toLowerCase();
  const found = (await describeFile(await fileOctets(io, key), key)).find(
    (item) => item && 'key' in item,
  );
  if (found && 'key' in found) return found.key.sha256;
  throw new CliError('failure', `${key} holds no certificate, request or public key`);
}

function durationOf(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('It must be a duration such as 12h or 30d.');
  return ms;
}

async function showOne(io: Io, serial: string, { ca, pem, ...options }: One & { pem?: true }) {
  const params = await paramsOf(io, serial, ca);
  const whole = await callApi(io, 'GET /certificates/{ca}/{serial}', { params });
  if (!pem) {
    const { describeCertificate } = await import('../../x509/describe/describe.ts');
    const described = whole.der ? describeCertificate(fromBase64(whole.der)) : undefined;
    const decoded = described && certificateFields(described, io.clock.now());
    return show(io, options, { json: whole, page: () => page(whole, decoded) });
  }
  if (whole.pem) return io.out(whole.pem);
  throw new CliError('failure', `it is not handed out while the certificate is ${whole.state}`);
}

function page(whole: Whole, decoded: Field[] | undefined): Sheet {
  const { ca, state, endpoint, transaction, revokedAt, revocationReason } = whole;
  const since = revokedAt ? ` since ${seconds(revokedAt)}, ${revocationReason}` : '';
  const fields: Field[] = [
    ['serial', whole.serial],
    ['state', `${state}${since}`],
    ['subject', whole.subject],
    ['CA', ca],
    ['endpoint', endpoint],
    ['transaction', transaction],
    ['lineage', whole.lineage === whole.serial ? undefined : `of ${whole.lineage}`],
    ['renewed by', whole.successors],
    ['superseded', whole.supersededBy && `by ${whole.supersededBy}`],
    ['ended', whole.endedBy && `${whole.endedBy}, which it renews, was revoked or suspended`],
    ['seen in use', whole.confirmed ? 'yes: it has signed a renewal or a query' : undefined],
  ];
  return [[{ fields }, ...(decoded ? [{ heading: 'certificate', fields: decoded }] : [])]];
}

async function renewals(io: Io, serial: string, { ca, ...options }: One): Promise<void> {
  const params = await paramsOf(io, serial, ca);
  const answer = await callApi(io, 'GET /certificates/{ca}/{serial}/renewals', { params });
  const { certificates } = answer;
  await show(io, options, {
    json: answer,
    page: () => [[tree(certificates, params.serial)]],
    table: () => ({
      columns: ['SERIAL', 'STATE', 'FROM', 'UNTIL', 'SUBJECT', 'RENEWS'],
      rows: certificates.map((one) => [one.serial, ...aboutOf(one), one.renews ?? '']),
    }),
  });
  if (answer.more) io.note('there are more than these');
  requireUnaltered(io, answer.altered);
}

/** Each below the one that it renews; a star at the one that was asked for. */
function tree(certificates: readonly Renewal[], asked: string): Table {
  const plain = asked.replaceAll(':', '').toLowerCase();
  const known = new Set(certificates.map(({ serial }) => serial));
  const below = (serial: string | undefined, depth: number): string[][] =>
    certificates
      .filter(
        ({ renews }) => (renews !== undefined && known.has(renews) ? renews : undefined) === serial,
      )
      .flatMap((one) => [
        [`${'  '.repeat(depth)}${one.serial}${one.serial === plain ? ' *' : ''}`, ...aboutOf(one)],
        ...below(one.serial, depth + 1),
      ]);
  const columns = ['SERIAL', 'STATE', 'FROM', 'UNTIL', 'SUBJECT'];
  return { columns, rows: below(undefined, 0) };
}

const aboutOf = ({ state, notBefore, notAfter, subject }: Renewal): string[] => [
  state,
  seconds(notBefore),
  seconds(notAfter),
  subject,
];
