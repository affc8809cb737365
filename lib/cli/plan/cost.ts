// scepter cost: what a fleet costs a month, before anything is deployed.

import { Command, InvalidArgumentError, Option } from 'commander';
import type { Io } from '../io.ts';
import { formatOf, outputOption, pagerOption, type ShowOptions, show } from '../show.ts';
import type { Table } from '../text.ts';
import {
  billOf,
  countsOf,
  enrolmentsIn,
  type Fleet,
  parts,
  privateCa,
  type TableClass,
  tableClassOf,
  targets,
  totalOf,
} from './arithmetic.ts';
import { MAX_FUNCTION_REPLY } from './prices.ts';
import { raisedFor, stormOf } from './storm.ts';

type Options = Fleet & ShowOptions & { readonly storm?: number };

/** A number, or a share in percent. */
function amount(text: string): number {
  const [, digits, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text) ?? [];
  const value = Number(digits) / (percent ? 100 : 1);
  if (!Number.isFinite(value)) throw new InvalidArgumentError('give a number, or a share as 1%');
  return value;
}

function share(text: string): number {
  const value = amount(text);
  if (value > 1) throw new InvalidArgumentError('give a share of the devices, as 1% or 0.01');
  return value;
}

function many(text: string): number {
  const value = Number(text.replace(/[,_]/g, ''));
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('give a whole number, 1 or more');
}

type Parse = (text: string) => number;
const option = (flags: string, what: string, parse: Parse, value: number) =>
  new Option(flags, what).argParser(parse).default(value);

export function costCommand(io: Io): Command {
  return new Command('cost')
    .addOption(
      new Option('--devices <count>', 'devices that have a certificate')
        .argParser(many)
        .makeOptionMandatory(),
    )
    .addOption(option('--renewals <count>', 'renewals of a device a year', amount, 1))
    .addOption(option('--new <share>', 'devices that are enrolled anew in a year', amount, 0.2))
    .addOption(option('--revoked <share>', 'certificates that the CRL lists', share, 0))
    .addOption(option('--crl-fetches <count>', 'fetches of the CRL for a device a day', amount, 1))
    .addOption(option('--years <count>', 'years that records are kept', amount, 3))
    .addOption(option('--partitions <count>', '"crlPartitions" of the CA', many, 1))
    .addOption(
      new Option('--storm <share>', 'also: rates where so many devices enrol on one day').argParser(
        share,
      ),
    )
    .addOption(outputOption())
    .option('--json', 'print one JSON object')
    .addOption(pagerOption())
    .addHelpText(
      'after',
      `
US dollars, list prices in us-east-1 of August 2026, without free tiers but those of CloudFront, of AWS's traffic
and of Workers Paid; with CloudFront, CRLs come from its distribution for files ("filesUrl"), by http. The class of the
table is the cheaper one (input tableClass). What is measured by tests and what is assumed: docs/costs.md, docs/scale.md.

Examples:
  scepter cost --devices 10,000
  scepter cost --devices 1000000 --renewals 4 --revoked 1% --partitions 128
  scepter cost --devices 10000000 --revoked 1% --partitions 128 --storm 10%
  scepter cost --devices 500 --json | jq '.cloudfront.total'`,
    )
    .action((options: Options) => cost(io, options));
}

const dollars = (value: number, digits = 2): string =>
  value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
const whole = (value: number): string => dollars(value, 0);

const stormTable = (rates: ReturnType<typeof stormOf>): Table => ({
  columns: ['A SECOND OF THE STORM', 'needed', 'by default', 'AWS', 'raise'],
  rows: rates.map((rate) => [
    rate.what,
    whole(rate.perSecond),
    rate.ours === undefined ? '' : whole(rate.ours),
    rate.aws === undefined ? '' : whole(rate.aws),
    raisedFor(rate),
  ]),
  numbers: true,
});

const shown: Readonly<Record<TableClass, string>> = {
  STANDARD: 'standard',
  STANDARD_INFREQUENT_ACCESS: 'standard-IA',
};

async function cost(io: Io, options: Options): Promise<void> {
  const { output, json, pager, storm, ...fleet } = options;
  const rates = storm === undefined ? undefined : stormOf(fleet, storm);
  const counts = countsOf(fleet);
  const bills = targets.map((target) => {
    const tableClass = tableClassOf(fleet, target);
    const bill = billOf(fleet, target, { tableClass });
    const unfree = totalOf(billOf(fleet, target, { tableClass, cloudFrontFree: false }));
    return { target, tableClass, bill, unfree };
  });
  const connector = privateCa(enrolmentsIn(counts));
  const each = bills.map(({ target, bill }) => [target, { ...bill, total: totalOf(bill) }]);
  const by = (name: 'tableClass' | 'unfree') =>
    Object.fromEntries(bills.map((one) => [one.target, one[name]]));
  const month =
    `A month: ${whole(counts.first)} first enrolments, ${whole(counts.renewals)} renewals, ` +
    `${whole(counts.crlFetches)} fetches of a CRL of ${dollars(counts.crlOctets / 1000, 1)} kB (${whole(counts.listed / fleet.partitions)} certificates)`;
  const rows = parts.map((part) => [part, ...bills.map(({ bill }) => dollars(bill[part]))]);
  const total = ['total', ...bills.map(({ bill }) => dollars(totalOf(bill)))];
  const table: Table = {
    columns: ['US DOLLARS', ...targets],
    rows: [
      ...rows,
      total,
      ["without CloudFront's free tier", ...bills.map(({ unfree }) => dollars(unfree))],
      ['class of the table', ...bills.map(({ tableClass }) => shown[tableClass])],
    ],
    numbers: true,
  };
  await show(io, options, {
    json: {
      ...fleet,
      month: counts,
      ...Object.fromEntries(each),
      withoutCloudFrontFree: by('unfree'),
      tableClass: by('tableClass'),
      awsPrivateCa: connector,
      ...(rates ? { storm: rates } : {}),
    },
    page: () => [
      [{ lines: [month] }],
      [table],
      [{ lines: [`AWS Private CA with its Connector for SCEP: ${dollars(connector)}`] }],
      ...(rates ? [[stormTable(rates)]] : []),
    ],
    table: () => table,
  });
  if (counts.crlOctets > MAX_FUNCTION_REPLY && formatOf(options) !== 'json') {
    io.note(
      'a CRL of more than 6 MB does not fit into the answer of a function: spread certificates over several (--partitions)',
    );
  }
}
