// What does not run in workerd, each with its reason. Two lists: test files about what is never in a
// Worker, which are left out; and tests of what a Worker has that cannot run there. The second list is
// run all the same: an entry that passes, or that no test answers to, fails the suite.

/** By the beginning of the file's name. */
export const elsewhere: Readonly<Record<string, string>> = {
  'cli-': 'the command line is run by Node',
  server: 'the server of `npm start`, as a process of its own',
  'lost-parts': 'the server of `npm start` and its files, some of them lost',
  backup: 'the data folder of `npm start`, backed up and restored',
  'mint-challenge': 'a program of the documents, as a process of its own',
  'production-guide': 'the server and the commands of a guide, as processes of their own',
  upgrade: 'data folders of releases, opened by the server of `npm start`',
  'bad-store': 'the server of `npm start` and its files, spoilt',
  s3: 'S3 is played by a server of HTTP, which cannot listen there',
  'log-files':
    'folders of this machine, and S3, which is played by a server of HTTP that cannot listen there',
  'webhook-server': 'a webhook is a server of HTTPS, which cannot listen there',
  'webhook-program': 'a program of the documents, as a process of its own',
  'roles-anywhere': 'IAM Roles Anywhere is played by a server of HTTP, which cannot listen there',
  sqlite: 'SQLite: node:sqlite has no databases there',
  'http-lambda-events': 'what Lambda hands over, as Requests',
  'ca-history-judge': 'whether the judge of ca-history finds what is broken',
  'issuance-model': 'a model of the writes, which calls nothing of the product',
  'runtime-suite': 'how this suite judges',
  'rfc8894-uniform-work': "watches what Node's modules are asked for",
  'self-test': "makes Node's modules get cryptography wrong",
  boundaries: 'reads the sources of the repository',
  readme: 'reads the documents of the repository',
  'mdm-guides': 'reads the documents of the repository',
  'config-schema': 'reads the documents of the repository',
  openapi: 'reads the documents of the repository',
};

export type Exception = {
  readonly file: string;
  /** A test, or a suite with all its tests; by default all of the file. */
  readonly title?: string;
  readonly reason: string;
};

const openssl = 'asks the openssl program, and no process can be started';
const history =
  'enrol, repeat, renew, poll, approve, deny, revoke, sweep at once, with faults and deaths';
const sqlite = 'SQLite: node:sqlite has no databases there';

export const exceptions: readonly Exception[] = [
  { file: 'openssl-certificates', reason: openssl },
  { file: 'openssl-chain', reason: openssl },
  { file: 'openssl-crl-partitions', reason: openssl },
  { file: 'openssl-describe', reason: openssl },
  { file: 'openssl-enveloped-data', reason: openssl },
  { file: 'openssl-ocsp', reason: openssl },
  { file: 'openssl-other-signer', reason: openssl },
  { file: 'openssl-requests', reason: openssl },
  { file: 'openssl-signed-data', reason: openssl },
  {
    file: 'rfc8894-query',
    title:
      'RFC 8894 §3.3.2.1 [59]: openssl verifies, opens and reads the answers to GetCert and GetCRL',
    reason: openssl,
  },
  {
    file: 'secrets',
    title: 'a variable has the secret itself, or its ARN',
    reason: 'the SDK finds Region and credentials in the environment on Node alone',
  },
  { file: 'api-stores', title: 'admin API: SQLite', reason: sqlite },
  {
    file: 'bad-exchange',
    title: 'RFC 8894 §3.2.1.1 [51]: transactionIDs > SQLite',
    reason: sqlite,
  },
  {
    file: 'ca-approval-notice',
    title: 'notices of requests that wait: SQLite',
    reason: sqlite,
  },
  {
    file: 'ca-history',
    title: `${history} > every promise is kept: SQLite, one step at a time`,
    reason: sqlite,
  },
  {
    file: 'ca-history',
    title: `${history} > every promise is kept: SQLite, all at once`,
    reason: sqlite,
  },
  {
    file: 'bad-input',
    title:
      'bad input > 10,000 of them leave the process where it was, and the next good request works',
    reason: 'workerd does not say how much memory it has',
  },
  {
    file: 'ca-static-challenge',
    title: 'at the start > a real server refuses to start without it, and has made nothing',
    reason: 'starts the server of `npm start` as a process',
  },
  {
    file: 'metrics',
    title: 'the dashboard and the alerts of the guide ask only for metrics that there are',
    reason: 'reads the documents of the repository',
  },
  {
    file: 'log-events',
    title: 'events > every type that the code writes has been written above',
    reason: 'reads the sources of the repository',
  },
  {
    file: 'upkeep',
    title: 'tasks',
    reason: 'the intervals of the server of `npm start`, by mocked timers of node:test',
  },
];
