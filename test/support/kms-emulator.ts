// AWS KMS in this process, for the real SDK: its JSON protocol over HTTP, its semantics
// (`kms-emulator-actions.ts`), faults on demand, and a record of every call in the terms of IAM
// policies. `npm run test:kms` holds it against other implementations.
//
// It checks no signatures and no permissions; the access key of a call is recorded as its caller.

import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { KmsActions } from './kms-emulator-actions.ts';
import { type Input, KmsRefusal } from './kms-emulator-input.ts';
import { Keyring } from './kms-emulator-keyring.ts';

/** One call, as an IAM policy sees it. */
export type KmsCall = {
  /** `kms:Sign` */
  readonly action: string;
  /** The key's ARN; `*` where a call is about no key yet. */
  readonly resource: string;
  /** IAM's condition keys that the request sets, such as `kms:EncryptionContext:purpose`. */
  readonly conditions: Readonly<Record<string, string>>;
  /** The access key that the request is signed with. */
  readonly caller: string;
};

/** What CloudTrail would have of a call that came. */
export type TrailEntry = {
  readonly requestID: string;
  readonly action: string;
  readonly resource: string;
  /** Of a call that had no effect. */
  readonly errorCode?: string;
};

const refusals = {
  throttled: [400, 'ThrottlingException', 'Rate exceeded'],
  denied: [400, 'AccessDeniedException', 'User is not authorized to perform this on this resource'],
  'internal error': [500, 'KMSInternalException', ''],
  'dependency timeout': [503, 'DependencyTimeoutException', ''],
  /** As of a key that was made a moment ago. */
  'not known yet': [400, 'NotFoundException', 'Key does not exist'],
  /** What our own clock brings about when it is an hour late; the SDK learns the time from it. */
  'clock late': [400, 'InvalidSignatureException', 'Signature expired'],
} as const;

/** `after`: KMS has done its work, and nobody hears of it. */
export type KmsFault =
  | keyof typeof refusals
  | 'lost before'
  | 'lost after'
  | 'cut after'
  | 'silent before'
  | 'silent after'
  | 'internal error after'
  /** One bit of the signature, the key or the sealed blob in the answer is another. */
  | 'corrupted'
  /** The answer is one that this action gave before, about something else. */
  | 'mixed up';

/** What may befall a call and pass. */
export const passingFaults: readonly KmsFault[] = [
  ...(['throttled', 'internal error', 'dependency timeout', 'clock late', 'lost before'] as const),
  ...(['lost after', 'cut after', 'internal error after'] as const),
];

type FaultOf = (call: KmsCall, at: number) => KmsFault | undefined;
const never: FaultOf = () => undefined;

export type KmsEmulator = {
  readonly url: string;
  readonly region: string;
  readonly account: string;
  readonly keyring: Keyring;
  /** What a process needs to find it, as the SDK reads its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Every call, in the order in which they came. */
  readonly calls: KmsCall[];
  /** The same without those that never came. */
  readonly trail: TrailEntry[];
  /** From now on each call is befallen by what this says; calls are counted from 0. */
  arm(fault: FaultOf): void;
  disarm(): void;
  /** When it listens no longer. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
};

export type KmsEmulatorOptions = {
  readonly port?: number;
  readonly region?: string;
  readonly account?: string;
  /** Whose multi-Region keys are there, too. */
  readonly replicaOf?: KmsEmulator;
};

export async function startKmsEmulator(options: KmsEmulatorOptions = {}): Promise<KmsEmulator> {
  const { port = 0, region = 'eu-central-1', account = '111122223333' } = options;
  const keyring = options.replicaOf?.keyring.replica(region) ?? new Keyring(region, account);
  const actions = new KmsActions(keyring);
  const calls: KmsCall[] = [];
  const trail: TrailEntry[] = [];
  const faults = { of: never, at: 0 };
  const given = new Map<string, object | undefined>();

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const requestID = randomUUID();
    response.setHeader('x-amzn-requestid', requestID);
    const { action, input, caller } = await readRequest(request);
    const call = callOf(action, actions.resourceOf(input), input, caller);
    calls.push(call);
    const fault = faults.of(call, faults.at++);
    const entry = { requestID, action, resource: call.resource };
    if (fault && fault in refusals) {
      trail.push({ ...entry, errorCode: fault });
      return refuse(response, fault as keyof typeof refusals);
    }
    if (fault === 'silent before') return;
    if (fault === 'lost before') return void request.socket.destroy();
    const output = actions.act(action, input);
    trail.push(entry);
    const before = given.get(action);
    given.set(action, output);
    switch (fault) {
      case 'silent after':
        return;
      case 'lost after':
        return void request.socket.destroy();
      case 'cut after':
        response.writeHead(200, { ...headers, 'content-length': '4096' });
        response.write('{', () => request.socket.destroy());
        return;
      case 'internal error after':
        return refuse(response, 'internal error');
      case 'corrupted':
        return send(response, 200, corrupted(output ?? {}));
      case 'mixed up':
        if (!before) throw new Error(`no ${action} has been answered before`);
        return send(response, 200, before);
      default:
        return send(response, 200, output);
    }
  };

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      const { name, message, status } =
        error instanceof KmsRefusal
          ? error
          : new KmsRefusal('KMSInternalException', String(error), 500);
      send(response, status, { __type: name, message });
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const ended = new Promise<void>((resolve) => server.once('close', () => resolve()));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    region,
    account,
    keyring,
    env: {
      AWS_ENDPOINT_URL_KMS: url,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
    },
    calls,
    trail,
    arm: (fault) => Object.assign(faults, { of: fault, at: 0 }),
    disarm: () => Object.assign(faults, { of: never }),
    ended,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await ended;
    },
  };
}

/** @throws {KmsRefusal} for what is no request of KMS's protocol */
async function readRequest(request: IncomingMessage) {
  const body = await text(request);
  const [, action = ''] = /^TrentService\.(\w+)$/.exec(header(request, 'x-amz-target')) ?? [];
  if (!action) throw new KmsRefusal('UnknownOperationException', '');
  const [, caller = ''] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\//.exec(header(request, 'authorization')) ?? [];
  if (!caller) {
    throw new KmsRefusal('MissingAuthenticationTokenException', 'Missing Authentication Token');
  }
  try {
    return { action, caller, input: JSON.parse(body) as Input };
  } catch {
    throw new KmsRefusal('SerializationException', '');
  }
}

const header = (request: IncomingMessage, name: string): string =>
  String(request.headers[name] ?? '');

/** Members of a request that IAM has a condition key for, which has the same name. */
const conditionMembers = [
  ...['SigningAlgorithm', 'MessageType', 'EncryptionAlgorithm'],
  ...['KeySpec', 'KeyUsage', 'ScheduleKeyDeletionPendingWindowInDays'],
];

function callOf(
  action: string,
  resource: string | undefined,
  input: Input,
  caller: string,
): KmsCall {
  const conditions: Record<string, string> = {};
  for (const member of conditionMembers) {
    if (input[member] !== undefined) conditions[`kms:${member}`] = String(input[member]);
  }
  if (input.KeyPairSpec) conditions['kms:DataKeyPairSpec'] = String(input.KeyPairSpec);
  if (action === 'Sign' || action === 'Verify') conditions['kms:MessageType'] ??= 'RAW';
  for (const [name, value] of Object.entries(input.EncryptionContext ?? {})) {
    conditions[`kms:EncryptionContext:${name}`] = String(value);
  }
  for (const { TagKey, TagValue } of (input.Tags ?? []) as Record<string, string>[]) {
    conditions[`aws:RequestTag/${TagKey}`] = String(TagValue);
  }
  return { action: `kms:${action}`, resource: resource ?? '*', conditions, caller };
}

const headers = { 'content-type': 'application/x-amz-json-1.1' };

function send(response: ServerResponse, status: number, body: object | undefined, more = {}): void {
  response.writeHead(status, { ...headers, ...more });
  response.end(body === undefined ? '' : JSON.stringify(body));
}

function refuse(response: ServerResponse, kind: keyof typeof refusals): void {
  const [status, name, message] = refusals[kind];
  const ahead = kind === 'clock late' ? 60 * 60 * 1000 : 0;
  const date = new Date(Date.now() + ahead).toUTCString();
  send(response, status, { __type: name, message }, { date });
}

/** Octets that the core or the adapter has to find out are wrong. */
function corrupted(output: object): object {
  const changed = { ...output } as Record<string, unknown>;
  for (const name of ['Signature', 'Plaintext', 'PublicKey', 'CiphertextBlob']) {
    if (typeof changed[name] !== 'string') continue;
    const octets = Buffer.from(changed[name], 'base64');
    // Of a key that is in the modulus: OpenSSL does without the numbers that only make it faster.
    const at = octets.length >> 3;
    octets[at] = (octets[at] ?? 0) ^ 1;
    changed[name] = octets.toString('base64');
  }
  return changed;
}
