// What every row works with: the server, its certificates fetched once by plain HTTP, folders, and
// the one certmonger.

import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Certmonger } from './clients/certmonger.ts';
import { certificatesIn, hold } from './openssl.ts';
import { openRotation, type Rotation } from './rotation.ts';
import { type ChallengeOptions, type Server, startServer } from './server.ts';

export type Row = {
  /** Of the matrix in the clients' reference, with a letter where a row has several cases. */
  readonly id: string;
  readonly client: string;
  readonly title: string;
  /** @throws when the row fails @returns what was seen, for the table */
  run(lab: Lab): Promise<string>;
};

export type Service = {
  readonly server: Server;
  /** Of GetCACert: files in PEM, and the octets of the bag. */
  readonly ca: string;
  readonly ra: string;
  readonly bag: Buffer;
  challenge(options?: ChallengeOptions): Promise<string>;
};

export type Lab = Service & {
  readonly root: string;
  /** The RA's private key, to read what a client has sealed: a file of the embedded server. */
  readonly raKey: string;
  /** Every challenge made so far; none may be in the log of a server. */
  readonly challenges: readonly string[];
  /** All that were started. */
  readonly servers: readonly Server[];
  /** Two servers over one table and KMS, between one RA key and the next. */
  rotation(): Promise<Rotation>;
  /** Beside the embedded default: a server with `configuration`. */
  configured(): Promise<Service>;
  folder(): Promise<string>;
  certmonger(): Promise<Certmonger>;
  close(): Promise<void>;
};

const legacy = { sha1: true, des3: true, des: true };

/** waits: an approver decides. impatient: not for long. brief: certificates of a few seconds. slow: a CA of few. */
const configuration = {
  cas: {
    default: { subject: 'CN=Configured CA,O=Interop' },
    slow: { subject: 'CN=Slow CA,O=Interop', issuancesPerSecond: 0.1 },
  },
  profiles: { brief: { validity: '5s' } },
  endpoints: {
    default: { ca: 'default', legacy },
    waits: { ca: 'default', approval: 'always', legacy },
    impatient: { ca: 'default', approval: 'always', pendingTtl: '4s', legacy },
    brief: { ca: 'default', profile: 'brief', legacy },
    slow: { ca: 'slow' },
  },
};

export async function openLab(root: string, scratch: string): Promise<Lab> {
  const servers: Server[] = [];
  const challenges: string[] = [];
  const folder = () => mkdtemp(join(scratch, 'row-'));
  let certmonger: Promise<Certmonger> | undefined;
  let configured: Promise<Service> | undefined;
  let rotation: Promise<Rotation> | undefined;
  const close = async () => {
    await rotation?.then(
      (started) => started.close(),
      () => undefined,
    );
    // One that did not start has told its rows why.
    await certmonger?.then(
      (started) => started.stop(),
      () => undefined,
    );
    for (const server of servers) await server.stop();
  };
  const open = async (below: string, config?: object): Promise<Service> => {
    await mkdir(below, { recursive: true });
    const server = await startServer({ root, folder: below, ...(config ? { config } : {}) });
    servers.push(server);
    const challenge = async (options?: ChallengeOptions) => {
      const made = await server.challenge(options);
      challenges.push(made);
      return made;
    };
    return { server, challenge, ...(await fetchCa(server, below)) };
  };
  const daemon = () => {
    certmonger ??= folder().then(Certmonger.start);
    return certmonger;
  };
  try {
    const service = await open(scratch);
    return {
      root,
      ...service,
      raKey: await raKeyIn(service.server),
      challenges,
      folder,
      close,
      servers,
      configured: () => {
        configured ??= open(join(scratch, 'configured'), configuration);
        return configured;
      },
      certmonger: daemon,
      rotation: () => {
        rotation ??= openRotation(root, join(scratch, 'rotation'), daemon);
        return rotation;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** GetCACert into `ra.pem` and `ca.pem`: the RA comes first, then its issuer. */
export async function fetchCa(
  { origin }: Pick<Server, 'origin'>,
  scratch: string,
  endpoint = 'default',
): Promise<{ ca: string; ra: string; bag: Buffer }> {
  const response = await fetch(`${origin}/scep/${endpoint}?operation=GetCACert`);
  hold(response.ok, `GetCACert is answered with 200, not ${response.status}`);
  const bag = Buffer.from(await response.arrayBuffer());
  const [ra, ca, ...more] = await certificatesIn(bag);
  hold(ra !== undefined && ca !== undefined && more.length === 0, 'the bag holds an RA and a CA');
  await mkdir(scratch, { recursive: true });
  const paths = { ca: join(scratch, 'ca.pem'), ra: join(scratch, 'ra.pem') };
  await writeFile(paths.ca, ca);
  await writeFile(paths.ra, ra);
  return { ...paths, bag };
}

async function raKeyIn({ dataDir }: Server): Promise<string> {
  const keys = await readdir(join(dataDir, 'keys'));
  const found = keys.filter((name) => /^ra-.*\.p8$/.test(name));
  const [name] = found;
  hold(name !== undefined && found.length === 1, 'the data folder holds one RA key');
  return join(dataDir, 'keys', name);
}
