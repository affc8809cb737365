// A service in a process of its own that is killed at a call of its own choosing: SIGKILL, before the
// call is made or after it has taken effect, so that nothing in here gets to clean up. It is told what
// to do in lines of JSON, and answers in lines of JSON.
//   argv: data folder, configuration; SCEPTER_TABLE: records in DynamoDB; SCEPTER_SEALING_KEY: keys in
//   KMS, as the SCEP function has them, and none of them opened before the first request

import { createInterface } from 'node:readline';
import { readEnv } from '../../functions/env.ts';
import { openService } from '../../functions/lambda/aws.ts';
import { openEmbedded } from '../../functions/node/embedded.ts';
import { systemClock } from '../../lib/adapters/system.ts';
import { base64, fromBase64 } from '../../lib/base/bytes.ts';
import { decide } from '../../lib/ca/approve/decide.ts';
import { AnsweringCas } from '../../lib/ca/authority/ca-certificates.ts';
import { createChallenge } from '../../lib/ca/challenge/challenges.ts';
import type { ServerDeps } from '../../lib/ca/deps.ts';
import { sweep } from '../../lib/ca/jobs.ts';
import { listTransactions } from '../../lib/ca/query/transactions.ts';
import { revoke } from '../../lib/ca/revoke/revoke.ts';
import { checkConfig } from '../../lib/config/config.ts';
import { makeApp } from '../../lib/http/app.ts';
import type { Order } from './process.ts';

const [dataDir = '', config = '{}'] = process.argv.slice(2);
const { table, files, logs, s3Endpoint } = readEnv();
const { SCEPTER_SEALING_KEY: inKms } = process.env;
const env = {
  ...{ dataDir, table, files, logs, s3Endpoint },
  ...{ sealingKey: undefined, deployment: undefined },
};
const opened = inKms
  ? await openService(() => {})
  : (await openEmbedded(env, checkConfig(JSON.parse(config)), () => {})).deps;

let calls = 0;
let writes: number[] = [];
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
    write: (actions) => {
      writes.push(calls);
      return counted(() => store.write(actions));
    },
    list: (query) => counted(() => store.list(query)),
  },
  signer: {
    publicKey: (reference) => opening(() => signer.publicKey(reference)),
    sign: (...args) => counted(() => signer.sign(...args)),
  },
  raKeys: {
    unseal: (...args) => opening(() => raKeys.unseal(...args)),
  },
  macKeys: { live: (purpose) => opening(() => macKeys.live(purpose)) },
} satisfies Partial<ServerDeps>;
const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
const deps: ServerDeps = {
  ...opened,
  ...ports,
  crlSigner: ports.signer,
  clock,
  // Standard output is for answers.
  log: () => {},
  cas: new AnsweringCas({ config: opened.config, ...ports, clock }),
};
// Places for every refusal: how many are left must not decide how many calls a request takes.
for (const id of deps.config.endpoints.keys()) {
  const places = async () => ({ places: 1e6, pauseMs: 0 });
  await deps.tally.takeRefusal(id, deps.clock.now(), places);
}
const app = makeApp(deps);
const operator = { kind: 'admin', id: 'operator' } as const;

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'arm':
      calls = 0;
      writes = [];
      killAt = order.at ?? Number.POSITIVE_INFINITY;
      when = order.when;
      return undefined;
    case 'calls':
      return { calls, writes };
    case 'pass':
      aheadMs += order.ms;
      return undefined;
    case 'bag':
      return base64((await deps.cas.of('default')).bag);
    case 'challenge': {
      const endpoint = deps.config.endpoints.get(order.endpoint);
      if (!endpoint) throw new Error('no such endpoint');
      const wanted = { binding: { names: [] }, uses: 1, ttlMs: endpoint.challengeTtlMs };
      return (await createChallenge(deps, endpoint, wanted, { actor: operator })).challenge;
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
      return decide(deps, id, order.verdict, { by: 'approver' });
    }
    case 'revoke':
      return revoke(deps, {
        ca: 'default',
        serial: order.serial,
        reason: 'keyCompromise',
        actor: operator,
      });
    case 'sweep':
      return sweep(deps);
  }
}

process.stdout.write('"ready"\n');
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify((await obey(JSON.parse(line))) ?? null)}\n`);
}
process.exit();
