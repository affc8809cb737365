// The functions of a deployment over one table, put together as they are deployed, each with a client that
// refuses what its policy in infra/policies does, and notes what its function writes.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { doAll } from '../../functions/upkeep.ts';
import { makeDynamoDbClient } from '../../lib/adapters/aws/dynamodb/calls.ts';
import { DynamoStore } from '../../lib/adapters/aws/dynamodb/dynamodb.ts';
import type { S3Files } from '../../lib/adapters/aws/s3/files.ts';
import { sequence } from '../../lib/asn1/writer.ts';
import { Outage } from '../../lib/base/errors.ts';
import { LEASE_MS } from '../../lib/base/limits.ts';
import { AnsweringCas, CaCertificates } from '../../lib/ca/authority/ca-certificates.ts';
import { logged } from '../../lib/ca/log/outbox.ts';
import { sequenceAll } from '../../lib/ca/log/sequence.ts';
import { GuardedCrls } from '../../lib/ca/record/guarded-crls.ts';
import { guarded } from '../../lib/ca/record/guarded-store.ts';
import { TriedWrites } from '../../lib/ca/record/written.ts';
import { makeAdminApp, makeChallengeApp, makeDeviceApp } from '../../lib/http/app.ts';
import type { CrlStore, IssuerFiles } from '../../lib/ports/crls.ts';
import type { LogFiles, Sequencing } from '../../lib/ports/log-files.ts';
import type { Kind } from '../../lib/ports/records/records.ts';
import type { Transaction } from '../../lib/ports/records/transaction.ts';
import { readCertificate } from '../../lib/x509/certificate.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { ofDynamoDb } from '../infra/gate.ts';
import { allowed, type Policy } from '../infra/iam.ts';
import { ok } from './api.ts';
import { freshTable, outside, rowsOf } from './dynamodb.ts';
import { root } from './installed.ts';
import { memorySigner } from './keys.ts';
import { type LabDeps, type LabOptions, makeLab } from './lab.ts';
import { keptLogs } from './log.ts';
import { type EnrolOptions, enrolment, type Sent } from './messages.ts';
import { startS3Emulator } from './s3-emulator.ts';
import { patient } from './timers.ts';
import { notingSites } from './write-sites.ts';

export const functions = {
  scep: 'functions/scep-lambda.ts',
  admin: 'functions/admin-lambda.ts',
  maintenance: 'functions/maintenance-lambda.ts',
  sequencer: 'functions/sequencer-lambda.ts',
  challenges: 'functions/challenges-lambda.ts',
  operator: 'functions/node/operator.ts',
} as const;
export type Role = keyof typeof functions;
export const roles = Object.keys(functions) as Role[];

export const writes = [
  ...['PutItem', 'UpdateItem', 'DeleteItem', 'ConditionCheckItem', 'BatchWriteItem'],
].map((name) => `dynamodb:${name}`);
/** Of records, and of words, which are none. */
export const kinds = Object.keys({
  ...{ transaction: 1, request: 1, poll: 1, challenge: 1, keyOwner: 1, blockedKey: 1, subject: 1 },
  ...{ certificate: 1, register: 1, registerPage: 1, event: 1, authority: 1, authorities: 1 },
  ...{
    macKeys: 1,
    token: 1,
    idempotency: 1,
    lease: 1,
    indexed: 1,
    word: 1,
    crlRequest: 1,
    refusalBudget: 1,
    turns: 1,
    unlogged: 1,
    logHead: 1,
    configuration: 1,
    device: 1,
    deviceVersion: 1,
  },
} satisfies Record<Kind | 'word', 1>);

export const tableArn = 'arn:aws:dynamodb:eu-central-1:111122223333:table/scepter';
const filesArn = 'arn:aws:s3:::scepter-files';
export const ofFiles = (action: 'GetObject' | 'PutObject', folder: 'crl' | 'aia') => ({
  action: `s3:${action}`,
  resource: `${filesArn}/${folder}/default`,
  context: {},
});

export const logsArn = 'arn:aws:s3:::scepter-logs';
/** The kinds of files of a log, each by one of them. */
export const logFiles = {
  checkpoint: 'default/checkpoint',
  staged: 'default/staged/1',
  tile: 'default/tile/0/000',
  'partial tile': 'default/tile/0/000.p/1',
  entries: 'default/tile/entries/000',
  'partial entries': 'default/tile/entries/000.p/1',
} as const;
export type LogFile = keyof typeof logFiles;
export const ofLogs = (action: 'GetObject' | 'PutObject' | 'DeleteObject', file: LogFile) => ({
  action: `s3:${action}`,
  resource: `${logsArn}/log/${logFiles[file]}`,
  context: {},
});

function logFileIn(path: string): LogFile {
  if (/\/(?:checkpoint|staged\/.+)$/.test(path))
    return path.endsWith('t') ? 'checkpoint' : 'staged';
  const kind = path.includes('/entries/') ? 'entries' : 'tile';
  return path.includes('.p/') ? `partial ${kind}` : kind;
}

/** As it is deployed, as far as the table and the files go. */
const policyOf = (name: Role | 'worker' | 'read-logs' | 'worker-logs'): Policy => {
  const file = readFileSync(join(root, 'infra', 'policies', `${name}.json`), 'utf8');
  return JSON.parse(
    file
      .replace(/\$\{TableArn\}/g, tableArn)
      .replace(/\$\{FilesBucketArn\}/g, filesArn)
      .replace(/\$\{LogBucketArn\}/g, logsArn),
  );
};
/** What somebody has beside his own. */
const more: Readonly<Partial<Record<Role | 'worker', 'read-logs' | 'worker-logs'>>> = {
  ...{ scep: 'read-logs', admin: 'read-logs', operator: 'read-logs', worker: 'worker-logs' },
};
export const may = (
  name: Role | 'worker',
  request: ReturnType<typeof ofDynamoDb>[number],
): boolean => {
  const policies = [name, more[name] ?? []].flat().map(policyOf);
  return allowed([policies], { ...request, principal: name });
};

/** Actions of writes and kinds, by who made them; places in the code; what was refused. */
export const wrote = new Map(roles.map((role) => [role, new Set<string>()]));
export const sites = new Map(roles.map((role) => [role, new Set<string>()]));
export const refused = new Set<string>();

/** A client of a function, in whose stead DynamoDB refuses what its policy does not allow. */
function clientOf(role: Role): DynamoDBClient {
  const client = makeDynamoDbClient();
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        const call = commandName.replace(/Command$/, '');
        for (const request of ofDynamoDb(call, args.input as never, tableArn)) {
          const [key = ''] = request.context['dynamodb:LeadingKeys'] ?? [];
          const line = `${request.action} ${key.split('#', 1)[0]}`;
          if (writes.includes(request.action)) wrote.get(role)?.add(line);
          if (may(role, request)) continue;
          refused.add(`${role} ${line}`);
          throw Object.assign(new Error('not authorized'), { name: 'AccessDeniedException' });
        }
        return next(args);
      },
    { step: 'initialize' },
  );
  return client;
}

/** The same for the files. */
function filesOf(role: Role, files: S3Files): CrlStore & IssuerFiles {
  const ask = (action: 'GetObject' | 'PutObject', folder: 'crl' | 'aia'): void => {
    const request = ofFiles(action, folder);
    const line = `${request.action} ${folder}`;
    if (action === 'PutObject') wrote.get(role)?.add(line);
    if (may(role, request)) return;
    refused.add(`${role} ${line}`);
    throw new Outage(`${line}: AccessDenied`);
  };
  return {
    newest: async (name) => {
      ask('GetObject', 'crl');
      return files.newest(name);
    },
    publish: async (name, crl, spoilt) => {
      ask('PutObject', 'crl');
      return files.publish(name, crl, spoilt);
    },
    keep: async (ca, der) => {
      ask('PutObject', 'aia');
      return files.keep(ca, der);
    },
  };
}

/** The same for the files of logs. */
function logFilesOf(role: Role, files: LogFiles): LogFiles {
  const ask = (action: 'GetObject' | 'PutObject' | 'DeleteObject', path: string): void => {
    const line = `s3:${action} ${logFileIn(path)}`;
    if (action !== 'GetObject') wrote.get(role)?.add(line);
    if (may(role, ofLogs(action, logFileIn(path)))) return;
    refused.add(`${role} ${line}`);
    throw new Outage(`${line}: AccessDenied`);
  };
  return {
    read: async (path) => {
      ask('GetObject', path);
      return files.read(path);
    },
    write: async (path, octets) => {
      ask('PutObject', path);
      return files.write(path, octets);
    },
    swap: async (path, octets, expected) => {
      ask('PutObject', path);
      return files.swap(path, octets, expected);
    },
    remove: async (path) => {
      ask('DeleteObject', path);
      return files.remove(path);
    },
  };
}

export const does = <T>(role: Role, work: () => Promise<T>): Promise<T> =>
  notingSites(sites.get(role) ?? new Set(), work);

/** One deployment: its functions over one table, and a CA key that can be down. */
export async function deployed(options: LabOptions = {}) {
  const table = await freshTable();
  const setup = new DynamoStore(outside, table, patient);
  const key = { down: false };
  const signer = {
    ...memorySigner,
    sign: async (...args: Parameters<typeof memorySigner.sign>) => {
      if (key.down) throw new Error('the CA key is down');
      return memorySigner.sign(...args);
    },
  };
  const s3 = await startS3Emulator();
  const [files, logFiles] = [s3.files(), s3.logFiles()];
  const { logs } = keptLogs(logFiles, setup);
  const lab = await makeLab({ ...options, store: setup, crls: files, signer, logs });
  const depsOf = (role: Role): LabDeps => {
    const store = new DynamoStore(clientOf(role), table, patient);
    // Events are put into the logs by one function alone.
    const { sequencing: _, ...shared } = lab.deps;
    const { macKeys, log } = shared;
    const written = new TriedWrites(store, lab.deps.clock);
    const ports = {
      ...shared,
      ...{ written, index: store.index, store: logged(guarded(store, macKeys, log)) },
      logs: logsOf(role),
    };
    const cas = new AnsweringCas(ports);
    const keyOf = (id: string) => cas.publicKey(id);
    const issuerFiles = filesOf(role, files);
    const crls = new GuardedCrls(issuerFiles, { keyOf, macKeys, log });
    return { ...ports, cas, crls, issuerFiles };
  };
  const logsOf = (role: Role): Sequencing => ({
    ...logs,
    files: logFilesOf(role, logFiles),
    waiting: new DynamoStore(clientOf(role), table, patient),
  });
  const devices = makeDeviceApp(depsOf('scep'));
  const {
    signer: _signer,
    crlSigner: _crlSigner,
    raKeys: _raKeys,
    ...administers
  } = depsOf('admin');
  const admins = makeAdminApp({ ...administers, cas: new CaCertificates(administers) });
  const api = {
    ...lab,
    fetch: (path: string, init?: RequestInit) =>
      does('admin', async () => admins.fetch(new Request(`http://scep.test${path}`, init))),
  };
  const mdms = makeChallengeApp(depsOf('challenges'));
  const maintenance = depsOf('maintenance');
  const send = (sent: Sent, path = '/scep') =>
    does('scep', async () => {
      const url = `http://scep.test${path}?operation=PKIOperation`;
      const reply = await devices.fetch(new Request(url, { method: 'POST', body: sent.message }));
      assert.equal(reply.status, 200);
      return sent.read(new Uint8Array(await reply.arrayBuffer()));
    });
  const message = (wanted: EnrolOptions) => enrolment(lab, wanted);
  const ask = async (wanted: EnrolOptions, path?: string) => send(await message(wanted), path);
  const enrolled = async (wanted: EnrolOptions, path?: string) => {
    const answer = await ask(wanted, path);
    assert.ok(answer.pkiStatus === 'SUCCESS', JSON.stringify(answer));
    return readCertificate(answer.certificates[0] ?? new Uint8Array(0));
  };
  return {
    lab,
    setup,
    files,
    table,
    maintenance,
    message,
    ask,
    enrolled,
    /** An attempt that got no further than its intent; its lease is over. */
    stuck: async (wanted: EnrolOptions, path = '/scep'): Promise<void> => {
      const { message: body } = await message(wanted);
      key.down = true;
      const request = new Request(`http://scep.test${path}?operation=PKIOperation`, {
        method: 'POST',
        body,
      });
      assert.equal((await does('scep', async () => devices.fetch(request))).status, 503);
      key.down = false;
      lab.clock.at += LEASE_MS;
    },
    poll: (wanted: EnrolOptions = {}, path?: string) =>
      ask(
        {
          messageType: 'CertPoll',
          plaintext: sequence(lab.announced.ra.subject, parseName('CN=device-1,O=Test')),
          ...wanted,
        },
        path,
      ),
    isReady: async (): Promise<boolean> =>
      (await does('scep', async () => devices.fetch(new Request('http://scep.test/readyz')))).ok,
    admin: (method: string, path: string, body?: object, headers = {}) =>
      ok(api, method, path, { ...(body ? { body } : {}), headers }),
    /** What an MDM sends. */
    mdm: (path: string, init: RequestInit) =>
      does('challenges', async () => mdms.fetch(new Request(`https://scep.test${path}`, init))),
    /** What a browser of an approver sends. */
    decide: (headers: Record<string, string>, body: URLSearchParams) =>
      api.fetch('/decide', { method: 'POST', headers, body }),
    upkeep: () => does('maintenance', () => doAll(maintenance)),
    operator: () => ({ ...depsOf('operator'), logs: logsOf('operator') }),
    sequence: () =>
      does('sequencer', () => sequenceAll({ ...depsOf('sequencer'), logs: logsOf('sequencer') })),
    logFiles,
    transactions: async (state: Transaction['state']): Promise<Transaction[]> =>
      (await rowsOf(table))
        .filter(({ kind }) => kind === 'transaction')
        .map(({ record }) => record as Transaction)
        .filter((one) => one.state === state),
  };
}
export type Deployed = Awaited<ReturnType<typeof deployed>>;
