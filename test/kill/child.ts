// A service in a process of its own that is killed at a call of its own choosing: SIGKILL, before the
// call is made or after it has taken effect, so that nothing in here gets to clean up. It is told what
// to do in lines of JSON, and answers in lines of JSON.
//   argv: data folder, configuration; SCEPTER_TABLE: records in DynamoDB; SCEPTER_SEALING_KEY: keys in
//   KMS, as the SCEP function has them, and none of them opened before the first request

import { createInterface } from 'node:readline';
import { openAws } from '../../functions/aws.ts';
import { openEmbedded } from '../../functions/embedded.ts';
import { systemClock } from '../../lib/adapters/system.ts';
import { base64, fromBase64 } from '../../lib/bytes.ts';
import { CaCertificates } from '../../lib/ca/ca-certificates.ts';
import { createChallenge } from '../../lib/ca/challenges.ts';
import type { Deps } from '../../lib/ca/deps.ts';
import { sweep } from '../../lib/ca/jobs.ts';
import { decide } from '../../lib/ca/pending.ts';
import { revoke } from '../../lib/ca/revoke.ts';
import { listTransactions } from '../../lib/ca/transactions.ts';
import { checkConfig } from '../../lib/config.ts';
import { makeApp } from '../../lib/http/app.ts';
import type { Order } from './process.ts';

const [dataDir = '', config = '{}'] = process.argv.slice(2);
const { SCEPTER_TABLE: table, SCEPTER_SEALING_KEY: inKms } = process.env;
const env = { dataDir, table, sealingKey: undefined, deployment: undefined };
const opened = inKms
  ? await openAws({ caKeys: true, raKeys: true }, () => {})
  : (await openEmbedded(env, checkConfig(JSON.parse(config)), () => {})).deps;

let calls = 0;
let killAt = Number.POSITIVE_INFINITY;
let when: 'before' | 'after' = 'before';
let aheadMs = 0;

async function counted<T>(work: () => Promise<T>): Promise<T> {
  const here = calls++ === killAt;
  if (here && when === 'before') process.kill(process.pid, 'SIGKILL');
  const result = await work();
  if (here) process.kill(process.pid, 'SIGKILL');
  return result;
}

/** Files are read once, and what is in memory dies with it. */
const opening: typeof counted = inKms ? counted : (work) => work();

const { store, signer, raKeys, macKeys } = opened;
const ports = {
  store: {
    read: (keys) => counted(() => store.read(keys)),
    write: (actions) => counted(() => store.write(actions)),
    list: (query) => counted(() => store.list(query)),
  },
  signer: {
    create: (...args) => signer.create(...args),
    publicKey: (reference) => opening(() => signer.publicKey(reference)),
    sign: (...args) => counted(() => signer.sign(...args)),
  },
  raKeys: {
    generate: (context) => raKeys.generate(context),
    unseal: (...args) => opening(() => raKeys.unseal(...args)),
  },
  macKeys: { live: (purpose) => opening(() => macKeys.live(purpose)) },
} satisfies Partial<Deps>;
const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
const deps: Deps = {
  ...opened,
  ...ports,
  clock,
  // Standard output is for answers.
  log: () => {},
  cas: new CaCertificates({ config: opened.config, ...ports, clock }),
};
const app = makeApp(deps);
const operator = { kind: 'admin', id: 'operator' } as const;

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'arm':
      calls = 0;
      killAt = order.at ?? Number.POSITIVE_INFINITY;
      when = order.when;
      return undefined;
    case 'calls':
      return calls;
    case 'pass':
      aheadMs += order.ms;
      return undefined;
    case 'bag':
      return base64((await deps.cas.of('default')).bag);
    case 'challenge': {
      const endpoint = deps.config.endpoints.get(order.endpoint);
      if (!endpoint) throw new Error('no such endpoint');
      const wanted = { binding: { names: [] }, uses: 1, ttlMs: endpoint.challengeTtlMs };
      return (await createChallenge(deps, endpoint, wanted, operator)).challenge;
    }
    case 'operate': {
      const url = `http://kill.test/scep/${order.endpoint}?operation=PKIOperation`;
      const body = fromBase64(order.message);
      const response = await app.fetch(new Request(url, { method: 'POST', body }));
      const answer = base64(new Uint8Array(await response.arrayBuffer()));
      return response.status === 200 ? answer : response.status;
    }
    case 'decide': {
      const { transactions } = await listTransactions(deps, { endpoint: 'waiting', limit: 5 });
      const id = transactions[0]?.id ?? '';
      return decide(deps, id, order.verdict, { by: 'operator' });
    }
    case 'revoke':
      return revoke(deps, 'default', order.serial, 'keyCompromise', operator);
    case 'sweep':
      return sweep(deps);
  }
}

process.stdout.write('"ready"\n');
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify((await obey(JSON.parse(line))) ?? null)}\n`);
}
process.exit();
