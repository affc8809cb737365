// scepter ca show, export, and scepter crl show, publish: the CAs and their CRLs.

import { Command } from 'commander';
import type { AnswerTo } from '../../api/api.ts';
import { visible } from '../../base/text.ts';
import { callApi } from '../api.ts';
import { replaceFile } from '../device/folder.ts';
import { type Io, jsonLine } from '../io.ts';
import { noteNext, type PageOptions, pageOptions, pagesOf } from '../pages.ts';
import { outFile, outOption, outputOption, pagerOption, type ShowOptions, show } from '../show.ts';
import { type Field, type FieldList, fromNow, seconds } from '../text.ts';
import { withKeyWarnings } from './ca-keys.ts';

type Ca = AnswerTo<'GET /cas/{ca}'>;
type CrlTimes = NonNullable<Ca['crl']>;

export function caCommand(io: Io): Command {
  const ca = new Command('ca');
  ca.command('show')
    .argument('[name]', 'name of one (default: all)')
    .description('CAs: certificate, fingerprints, RA certificates, CRL, and what to worry about')
    .option('--keys', 'ask KMS itself about their keys, with your own AWS credentials')
    .addOption(outputOption())
    .option('--json', 'print one JSON object')
    .addOption(pagerOption())
    .addHelpText(
      'after',
      `
Examples:
  scepter ca show
  scepter ca show default --json | jq -r .certificate.sha256`,
    )
    .action(async (name: string | undefined, { keys, ...options }: CaShowOptions) => {
      const now = io.clock.now();
      const asked = async (one: Ca): Promise<Ca> => (keys ? withKeyWarnings(io, one) : one);
      if (name !== undefined) {
        const one = await asked(await callApi(io, 'GET /cas/{ca}', { params: { ca: name } }));
        return show(io, options, { json: one, page: () => [[caPart(one, now)]] });
      }
      const found = await callApi(io, 'GET /cas');
      const cas: Ca[] = [];
      for (const one of found.cas) cas.push(await asked(one));
      const page = () => cas.map((one) => [caPart(one, now)]);
      return show(io, options, { json: { ...found, cas }, page });
    });
  ca.command('export')
    .argument('[name]', 'name of the CA', 'default')
    .description("print a CA's certificate and its issuers up to the root as PEM")
    .addOption(outOption())
    .option('--json', 'print one JSON object with the same PEM')
    .addHelpText(
      'after',
      `
Examples:
  scepter ca export > ca.pem
  scepter ca export vpn --out /etc/ssl/vpn-ca.pem`,
    )
    .action((name: string, options: ExportOptions) => exportChain(io, name, options));
  return ca;
}

type CaShowOptions = ShowOptions & { readonly keys?: true };
type ExportOptions = { readonly out?: string; readonly json?: true };

async function exportChain(
  io: Io,
  name: string,
  { out: given, json }: ExportOptions,
): Promise<void> {
  const out = outFile(given);
  const { id, certificate, chain } = await callApi(io, 'GET /cas/{ca}', { params: { ca: name } });
  const all = [...(certificate ? [certificate] : []), ...chain];
  const text = all.map(({ pem }) => pem).join('');
  if (out !== undefined) await replaceFile(out, text);
  if (json) io.out(jsonLine({ id, sha256: all.map(({ sha256 }) => sha256), pem: text }));
  else if (out === undefined) io.out(text);
  if (certificate) io.note(`SHA-256 of the CA certificate: ${certificate.sha256}`);
}

function caPart(ca: Ca, now: number): FieldList {
  const { id, key, certificate, chain, ra, crl, partitions = [], warnings } = ca;
  const own: Field[] = certificate
    ? [
        ['subject', certificate.subject],
        ['issuer', certificate.issuer],
        ['serial', certificate.serial],
        ['notBefore', seconds(certificate.notBefore)],
        ['notAfter', until(certificate.notAfter, now)],
        ['key', key],
        ['SHA-256', certificate.sha256],
        ['SHA-1', certificate.sha1],
      ]
    : [];
  const fields: Field[] = [
    ...own,
    ['issuers', chain.map(({ subject, sha256 }) => `${subject}, SHA-256 ${sha256}`)],
    [
      'RA',
      ra.map((one) => {
        const { notAfter, sha256 } = one.certificate;
        return `${one.id} ${one.state}, until ${until(notAfter, now)}, SHA-256 ${sha256}`;
      }),
    ],
    ['CRL', crl && crlText(crl, now)],
    ['partitions', partitions.map((one) => partitionsText({ id, ...one }))],
    ['warning', warnings],
  ];
  return { heading: `CA ${id}`, fields };
}

type Partitions = NonNullable<Ca['partitions']>[number];

export const partitionsText = ({
  id,
  generation,
  count,
  base,
}: Partitions & { readonly id: string }): string =>
  `${count} CRLs, ${base}/crl/${id}/${generation}-0.crl to ${generation}-${count - 1}.crl`;

const until = (iso: string, now: number): string => `${seconds(iso)} (${fromNow(iso, now)})`;
const crlText = ({ number, thisUpdate, nextUpdate }: CrlTimes, now: number): string =>
  `${number} of ${seconds(thisUpdate)}, next by ${until(nextUpdate, now)}`;

export function crlCommand(io: Io): Command {
  const crl = new Command('crl');
  const show = crl
    .command('show')
    .argument('[ca]', 'name of the CA', 'default')
    .description('the newest CRL of a CA, its entries by serial number')
    .option('--partition <n>', 'that of a partition, as certificates name it, such as 1-17');
  for (const option of pageOptions()) show.addOption(option);
  show
    .addHelpText(
      'after',
      `
Examples:
  scepter crl show
  scepter crl show vpn --partition 1-17
  scepter crl show vpn --all --json | jq -r '.entries[] | select(.reason == "keyCompromise").serial'`,
    )
    .action((ca: string, options: CrlOptions) => showCrl(io, ca, options));
  crl
    .command('publish')
    .argument('[ca]', 'name of the CA', 'default')
    .description('publish all CRLs of a CA now, with everything that has been revoked')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  scepter crl publish
  scepter crl publish vpn --json`,
    )
    .action(async (ca: string, { json }: { json?: true }) => {
      const done = await callApi(io, 'POST /crls/{ca}/publish', { params: { ca } });
      const text = crlText(done, io.clock.now());
      const said = `${done.pending ? 'asked for, within a minute comes the one after ' : ''}CRL ${text}`;
      io.out(json ? jsonLine(done) : `${visible(said)}\n`);
    });
  return crl;
}

const crlHeading = ({ ca, partition }: { ca: string; partition?: string | undefined }): string =>
  partition === undefined ? `of CA ${ca}` : `${partition} of CA ${ca}`;

type CrlOptions = PageOptions & { readonly partition?: string };

async function showCrl(io: Io, ca: string, { partition, ...options }: CrlOptions): Promise<void> {
  const { items, next, first } = await pagesOf(
    io,
    { name: 'GET /crls/{ca}', params: { ca }, query: { partition }, noun: 'entries' },
    options,
  );
  const fields: Field[] = [
    ['number', first.number],
    ['thisUpdate', seconds(first.thisUpdate)],
    ['nextUpdate', until(first.nextUpdate, io.clock.now())],
    ['URL', first.url],
    ['size', `${first.size} octets`],
    ['revoked', first.count],
  ];
  const rows = items.map(({ serial, revokedAt, reason = 'unspecified' }) => [
    serial,
    seconds(revokedAt),
    reason,
  ]);
  const table = { columns: ['SERIAL', 'REVOKED', 'REASON'], rows };
  await show(io, options, {
    json: { ...first, entries: items, next },
    page: () => [
      [
        { heading: `CRL ${crlHeading(first)}`, fields },
        { ...table, nameless: true, indent: 4 },
      ],
    ],
    table: () => table,
  });
  noteNext(io, options, next);
}
