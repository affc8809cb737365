// What every row works with: the server, its certificates fetched once by plain HTTP, folders, and
// the one certmonger.

import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Certmonger } from './clients/certmonger.ts';
import { certificatesIn, hold } from './openssl.ts';
import { type ChallengeOptions, type Server, startServer } from './server.ts';

export type Row = {
  /** Of the matrix in the clients' reference, with a letter where a row has several cases. */
  readonly id: string;
  readonly client: string;
  readonly title: string;
  /** @throws when the row fails @returns what was seen, for the table */
  run(lab: Lab): Promise<string>;
};

export type Lab = {
  readonly root: string;
  readonly server: Server;
  /** Of GetCACert: files in PEM, and the octets of the bag. */
  readonly ca: string;
  readonly ra: string;
  readonly bag: Buffer;
  /** The RA's private key, to read what a client has sealed: a file of the embedded server. */
  readonly raKey: string;
  /** Every challenge made so far; none may be in the server's log. */
  readonly challenges: readonly string[];
  challenge(options?: ChallengeOptions): Promise<string>;
  folder(): Promise<string>;
  certmonger(): Promise<Certmonger>;
  close(): Promise<void>;
};

export async function openLab(root: string, scratch: string): Promise<Lab> {
  const server = await startServer({ root, folder: scratch });
  let certmonger: Promise<Certmonger> | undefined;
  const challenges: string[] = [];
  const folder = () => mkdtemp(join(scratch, 'row-'));
  const close = async () => {
    // One that did not start has told its rows why.
    await certmonger?.then(
      (started) => started.stop(),
      () => undefined,
    );
    await server.stop();
  };
  try {
    const files = await fetchCa(server, scratch);
    return {
      root,
      server,
      ...files,
      raKey: await raKeyIn(server),
      challenges,
      folder,
      close,
      challenge: async (options) => {
        const challenge = await server.challenge(options);
        challenges.push(challenge);
        return challenge;
      },
      certmonger: () => {
        certmonger ??= folder().then(Certmonger.start);
        return certmonger;
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
): Promise<{ ca: string; ra: string; bag: Buffer }> {
  const response = await fetch(`${origin}/scep?operation=GetCACert`);
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
