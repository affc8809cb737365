// scepter devices import, list, show, remove

import { Command } from 'commander';
import type { AnswerTo } from '../../api/api.ts';
import { visible } from '../../base/text.ts';
import { callApi } from '../api.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { byText } from '../log/happened.ts';
import { type PageOptions, pageOptions, showList } from '../pages.ts';
import { outputOption, pagerOption, type ShowOptions, show } from '../show.ts';
import { counted, type Field, seconds } from '../text.ts';
import { importDevices } from './import.ts';
import { deviceColumns } from './rows.ts';

type InList = { readonly list: string };
type Device = AnswerTo<'GET /devices/{id}'>;

const listFlags = ['--list <name>', 'the device list', 'default'] as const;

export function devicesCommand(io: Io): Command {
  const devices = new Command('devices');
  devices
    .command('import')
    .argument('<file>', 'CSV with a header, or JSON; "-" for standard input')
    .description('put devices into a list: which names each may have')
    .option(...listFlags)
    .option('--restore', 'take devices in again that were removed')
    .option('--remove-missing', 'remove devices of the list that are not in the file')
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  scepter devices import devices.csv --dry-run
  scepter devices import devices.csv --list vpn --remove-missing
  scepter devices import devices.json --restore --json
The columns are ${deviceColumns.slice(0, -1).join(', ')} and ${deviceColumns.at(-1)}. A row has at least one of serial,
udid, mac and name; name, subject-pattern, san and san-pattern may be several columns, and several san in a cell
stand apart by spaces. JSON is an array of objects with these fields (subjectPattern, sanPattern), or
what "devices list --json" prints. All rows are checked first, and what is wrong is said with line and column.
Standard output has a row of CSV for each device that is added, changed or removed. What is in the list as the file
has it is left, so that the same command goes on where it was cut off.`,
    )
    .action(async (file: string, options: InList & Readonly<Record<string, unknown>>) =>
      importDevices(io, file, {
        list: options.list,
        restore: options.restore === true,
        removeMissing: options.removeMissing === true,
        dryRun: options.dryRun === true,
        json: options.json === true,
      }),
    );
  const list = devices
    .command('list')
    .description('devices of a list, by their ids')
    .option(...listFlags);
  for (const option of pageOptions()) list.addOption(option);
  list
    .addHelpText(
      'after',
      `
Examples:
  scepter devices list
  scepter devices list --list vpn --all --json > devices.json`,
    )
    .action(async ({ list: name, ...options }: PageOptions & InList) => {
      const found = await showList(
        io,
        {
          name: 'GET /devices',
          query: { list: name },
          noun: 'devices',
          columns: ['ID', 'STATE', 'ALSO', 'NAMES', 'OWNER'],
          row: (one) => [
            one.id,
            one.state,
            alsoOf(one).join(' '),
            one.state === 'invalid' ? '-' : namesOf(one).join(' ') || 'any',
            one.owner ?? '',
          ],
          none: `no devices in the list ${name}`,
        },
        options,
      );
      requireValid(found);
    });
  devices
    .command('show')
    .argument('<id>', 'its serial number, UDID, MAC address or name')
    .description('one device of a list: its names, its owner, who imported and who removed it')
    .option(...listFlags)
    .addOption(outputOption())
    .option('--json', 'print one JSON object')
    .addOption(pagerOption())
    .addHelpText(
      'after',
      `
Examples:
  scepter devices show C02XL0FYJGH5
  scepter devices show a4:83:e7:00:00:01 --list vpn --json`,
    )
    .action(async (id: string, { list: name, ...options }: ShowOptions & InList) => {
      const query = { list: name };
      const found = await callApi(io, 'GET /devices/{id}', { params: { id }, query });
      await show(io, options, { json: found, page: () => [[{ fields: fieldsOf(found) }]] });
      requireValid([found]);
    });
  devices
    .command('remove')
    .argument('<id>', 'its serial number, UDID, MAC address or name')
    .description('remove a device: it gets no certificate from now on, and stays on record')
    .option(...listFlags)
    .option('--reason <text>', 'why, for the record')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  scepter devices remove C02XL0FYJGH5 --reason "stolen, ticket 4711"
  scepter devices remove printer-7 --list vpn --json
Its certificates stay valid: "cert list --device ID" finds them, "cert revoke" ends them.`,
    )
    .action(async (id: string, options: InList & { reason?: string; json?: true }) => {
      const query = { list: options.list, reason: options.reason };
      const done = await callApi(io, 'DELETE /devices/{id}', { params: { id }, query });
      io.out(options.json ? jsonLine(done) : `${visible(`${done.id} ${done.state}`)}\n`);
    });
  return devices;
}

const alsoOf = ({ id, serial, udid, mac, name }: Device): string[] =>
  [serial, udid, mac, ...name].filter((one) => one !== undefined && one !== id) as string[];

const subjectsOf = ({ subject, subjectPattern = {} }: Device): string[] =>
  subject === undefined
    ? Object.entries(subjectPattern).flatMap(([type, patterns]) =>
        patterns.map((pattern) => `${type}=${pattern}`),
      )
    : [subject];

const namesOf = (one: Device): string[] => [...subjectsOf(one), ...one.san, ...one.sanPattern];

function fieldsOf(one: Device): Field[] {
  const { removedAt, removedBy, state } = one;
  const since = removedAt === undefined ? '' : ` since ${seconds(removedAt)}`;
  return [
    ['device', one.id],
    ['list', one.list],
    ['state', `${state}${since}`],
    ['removed by', removedBy && byText(removedBy)],
    ['serial', one.serial],
    ['UDID', one.udid],
    ['MAC', one.mac],
    ['names', one.name],
    ['subject', subjectsOf(one).length > 0 ? subjectsOf(one) : 'any'],
    ['subjectAltNames', one.san],
    ['may ask for', one.sanPattern],
    ['owner', one.owner],
    ['imported', seconds(one.importedAt)],
    ['imported by', byText(one.importedBy)],
  ];
}

/** @throws {CliError} failure */
function requireValid(devices: readonly Device[]): void {
  const count = devices.filter(({ state }) => state === 'invalid').length;
  if (count === 0) return;
  throw new CliError(
    'failure',
    `${counted(count, 'device')} of which nothing counts: another hand has changed the record or put an older one back; import it with --restore`,
  );
}
