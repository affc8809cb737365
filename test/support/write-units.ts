// What an enrolment costs in a table of DynamoDB: items and write units, counted.
//
// DynamoDB Local reports wrong sums for transactions (4 units for one small item, 4 for seven), right
// ones for single puts. So every item of a transaction is put once more by itself, into a table of its
// own, and a transaction counts twice that.

import {
  type ConsumedCapacity,
  PutItemCommand,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb';
import { type Item, itemOctets } from '../../lib/adapters/aws/dynamodb/items.ts';
import { sequenceAll, sequenceLog } from '../../lib/ca/log/sequence.ts';
import {
  freshStore,
  freshTable,
  itemsOf,
  outside,
  type Recorded,
  type recorder,
} from './dynamodb.ts';
import { makeLab } from './lab.ts';
import { keptLogs } from './log.ts';
import { enrolment } from './messages.ts';
import { startS3Emulator } from './s3-emulator.ts';

/** One enrolment with a challenge for one name, RSA-3072 in software, in a table of its own. */
export async function enrolmentUnits(
  { client, commands }: ReturnType<typeof recorder>,
  { isLogged }: { readonly isLogged: boolean },
) {
  const { store, table } = await freshStore(client);
  const logs = isLogged ? keptLogs((await startS3Emulator()).logFiles(), store).logs : undefined;
  const lab = await makeLab({ store, caKey: 'rsa:3072', ...(logs ? { logs } : {}) });
  const names = ['dns:device-1.example'];
  const sent = await enrolment(lab, { challenge: await lab.challenge({ names }) });
  if (logs) await sequenceAll({ ...lab.deps, logs });
  const before = await itemsBy(table);
  const [from, calls] = [commands.length, lab.calls.length];
  const answer = await sent.read(await lab.operate(sent.message));
  if (answer.pkiStatus !== 'SUCCESS') throw new Error('the enrolment was refused');
  const made = commands.slice(from);
  const called = lab.calls.slice(calls);
  const written = await weighed(table, before, transactionsIn(made));
  const since = commands.length;
  const sequenced = logs && (await sequenceLog({ ...lab.deps, logs }, 'default'));
  const bySequencer = commands.slice(since);
  const deleted = unitsIn(bySequencer.filter(({ name }) => name === 'BatchWriteItem'));
  const queries = bySequencer.filter(({ name }) => name === 'Query').length;
  return { table, made, called, ...written, sequenced, deleted, queries };
}
type EnrolmentUnits = Awaited<ReturnType<typeof enrolmentUnits>>;

export const itemsIn = ({ sizes }: Pick<EnrolmentUnits, 'sizes'>): number =>
  sizes.reduce((sum, one) => sum + one, 0);

export const withoutLog = ({ sizes, units, indexes }: EnrolmentUnits): readonly string[] => [
  `items per transaction: ${sizes.join(' and ')}`,
  `write units: table ${units}, indexes ${JSON.stringify(indexes)}`,
];
export const withLog = (found: EnrolmentUnits): string => {
  const { units, indexes, deleted, queries } = found;
  return `with a log: ${itemsIn(found)} items, write units: table ${units + deleted.table} (${deleted.table} of deletes), indexes ${JSON.stringify(indexes)} and ${deleted.all - deleted.table} of deletes; ${queries} queries of the sequencer`;
};

export const transactionsIn = (made: readonly Recorded[]): TransactWriteItem[][] =>
  made.flatMap(({ input }) =>
    input.TransactItems ? [input.TransactItems as TransactWriteItem[]] : [],
  );

/** All items of the table, by pk. */
export const itemsBy = async (table: string): Promise<Map<string, Item>> =>
  new Map((await itemsOf(table)).map((item) => [item.pk?.S ?? '', item]));

/** Units of the table, and with those of its indexes. */
export function unitsIn(made: readonly Recorded[]) {
  const consumed = made.flatMap((one) => one.consumed);
  const sum = (of: (one: ConsumedCapacity) => number | undefined): number =>
    consumed.reduce((all, one) => all + (of(one) ?? Number.NaN), 0);
  return {
    table: sum(({ Table }) => Table?.CapacityUnits),
    all: sum(({ CapacityUnits }) => CapacityUnits),
  };
}

/**
 * The units of transactions that were made, as AWS's price has them. An item that was updated in place is afterwards
 * as large as what was written.
 * @param before all items of the table before them, by pk
 */
export async function weighed(
  table: string,
  before: ReadonlyMap<string, Item>,
  transactions: readonly TransactWriteItem[][],
) {
  const now = await itemsBy(table);
  const scratch = await freshTable();
  const putAlone = async (Item: Item | undefined): Promise<ConsumedCapacity | undefined> =>
    (
      await outside.send(
        new PutItemCommand({ TableName: scratch, Item, ReturnConsumedCapacity: 'INDEXES' }),
      )
    ).ConsumedCapacity;
  for (const item of before.values()) await putAlone(item);
  let [units, checked] = [0, 0];
  const indexes = { places: 0, due: 0, subjects: 0, devices: 0 };
  const octets: string[] = [];
  for (const items of transactions) {
    for (const { Put, Update, ConditionCheck } of items) {
      if (ConditionCheck) {
        // Of an item that is not there: the smallest write, twice.
        checked += 1;
        units += 2;
        continue;
      }
      const item = (Put?.Item ?? now.get(Update?.Key?.pk?.S ?? '')) as Item;
      const taken = await putAlone(item);
      octets.push(`${item.pk?.S?.split('#', 1)}: about ${itemOctets(item)} octets`);
      units += 2 * (taken?.Table?.CapacityUnits ?? Number.NaN);
      for (const name of ['places', 'due', 'subjects', 'devices'] as const) {
        indexes[name] += taken?.GlobalSecondaryIndexes?.[name]?.CapacityUnits ?? 0;
      }
    }
  }
  return { sizes: transactions.map((items) => items.length), checked, units, indexes, octets };
}
