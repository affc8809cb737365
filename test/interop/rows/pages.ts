// Challenges as MDMs get them: from the page of NDES and by Jamf's webhook, read by programs that are not ours, and used by
// real SCEP clients. The page is read as docs/mdm-challenges.md reads it.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as micromdm from '../clients/micromdm.ts';
import * as strongswan from '../clients/strongswan.ts';
import { lastLines, must, plainEnv } from '../command.ts';
import { blocksIn } from '../guides.ts';
import { fetchCa, type Lab, type Row } from '../lab.ts';
import { checkCertificate, hold } from '../openssl.ts';
import { type Server, startServer } from '../server.ts';

const env = { WORKSPACE_ONE: 'a password of the page', JAMF: 'a password of the hook' };
const config = {
  cas: { default: { subject: 'CN=Pages CA,O=Interop' } },
  endpoints: {
    default: {
      ca: 'default',
      // scepclient knows nothing else.
      legacy: { sha1: true, des: true },
      ndes: {
        accounts: [
          { user: 'workspace-one', password: 'env:WORKSPACE_ONE', subject: { CN: 'device-*' } },
        ],
      },
      jamf: { user: 'jamf', password: 'env:JAMF', subject: { CN: '{serialNumber}' } },
    },
  },
};

/** What waits for the 401 before it says who it is, and reads UTF-16 only. */
const reader = `
import re, sys, urllib.request
url, password = sys.argv[1:]
known = urllib.request.HTTPPasswordMgrWithDefaultRealm()
known.add_password(None, url, 'workspace-one', password)
opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(known))
page = opener.open(url).read().decode('utf-16')
print(re.search('challenge password is: <B> ([0-9A-F]+) </B>', page).group(1))
`;

async function served(lab: Lab, work: (server: Server) => Promise<string>): Promise<string> {
  const server = await startServer({ root: lab.root, folder: await lab.folder(), config, env });
  try {
    const said = await work(server);
    const log = await server.log();
    for (const secret of Object.values(env)) hold(!log.includes(secret), 'no password in the log');
    return said;
  } finally {
    await server.stop();
  }
}

/** What the guide prints. */
async function asDocumented({ root }: Lab, { origin }: Server): Promise<string> {
  const guide = 'docs/mdm-challenges.md';
  const [block] = blocksIn(guide, await readFile(join(root, guide), 'utf8')).get('ndes') ?? [];
  hold(block !== undefined, `${guide} has a block "sh interop=ndes"`);
  const text = block.text.replaceAll('http://127.0.0.1:8080', origin);
  const printed = await must('bash', ['-euo', 'pipefail', '-c', text], { env: plainEnv(env) });
  return String(printed).trim();
}

async function enrolled(lab: Lab, { origin }: Server, cn: string, password: string) {
  const folder = await lab.folder();
  const ca = await fetchCa({ origin }, folder);
  const dn = `O=Interop, CN=${cn}`;
  const done = await strongswan.enrol({ url: `${origin}/scep`, ca, folder, dn, password });
  return { ...done, ca: ca.ca, subject: `CN=${cn},O=Interop` };
}

export const pageRows: readonly Row[] = [
  {
    id: 'ndes',
    client: 'strongswan',
    title:
      'the NDES page by curl and iconv; its challenge is good once, for what its account may have',
    run: (lab) =>
      served(lab, async (server) => {
        const challenge = await asDocumented(lab, server);
        hold(/^[0-9A-F]{16}$/.test(challenge), `16 hexadecimal characters, not "${challenge}"`);
        const other = await enrolled(lab, server, 'printer-1', challenge);
        hold(other.ran.code !== 0, 'another name is refused');
        const done = await enrolled(lab, server, 'device-1', challenge);
        hold(done.ran.code === 0, `pki --scep ends with 0: ${lastLines(done.ran.stderr)}`);
        await checkCertificate(done);
        const again = await enrolled(lab, server, 'device-2', challenge);
        hold(again.ran.code !== 0, 'a second use is refused');
        return 'curl, iconv';
      }),
  },
  {
    id: 'ndes',
    client: 'micromdm',
    title: 'the NDES page by Python, which is asked for Basic and reads UTF-16',
    run: (lab) =>
      served(lab, async ({ origin }) => {
        const page = `${origin}/CertSrv/mscep_admin/`;
        const read = await must('python3', ['-c', reader, page, env.WORKSPACE_ONE]);
        const challenge = String(read).trim();
        const [folder, cn] = [await lab.folder(), 'device-3'];
        const url = `${origin}/certsrv/mscep/mscep.dll`;
        const done = await micromdm.enrol({ url, folder, cn, challenge });
        hold(done.ran.code === 0, `scepclient ends with 0: ${lastLines(done.ran.stderr)}`);
        const { ca } = await fetchCa({ origin }, folder);
        await checkCertificate({ ...done, ca, subject: micromdm.subjectOf(cn) });
        return 'urllib';
      }),
  },
  {
    id: 'jamf',
    client: 'strongswan',
    title: "Fleet's event by curl; its challenge is good for the device that it names",
    run: (lab) =>
      served(lab, async (server) => {
        const asked = async (device?: object): Promise<string> => {
          const webhook = { id: 1, name: '', webhookEvent: 'SCEPChallenge', eventTimestamp: 1 };
          const event = { scepServerUrl: `${server.origin}/scep`, ...(device ? { device } : {}) };
          const url = `${server.origin}/hooks/jamf/default`;
          const args = ['--fail', '--silent', '--user', `jamf:${env.JAMF}`, '--json', '@-', url];
          const input = JSON.stringify({ webhook, event });
          return String(await must('curl', args, { input }));
        };
        const challenge = await asked({ uuid: '6F1C', serialNumber: 'C02XL1' });
        const other = await enrolled(lab, server, 'C02XL2', challenge);
        hold(other.ran.code !== 0, 'another device is refused');
        const done = await enrolled(lab, server, 'C02XL1', challenge);
        hold(done.ran.code === 0, `pki --scep ends with 0: ${lastLines(done.ran.stderr)}`);
        await checkCertificate(done);
        const probe = await enrolled(lab, server, 'C02XL3', await asked());
        hold(probe.ran.code !== 0, "a probe's answer lets nobody in");
        return 'curl';
      }),
  },
];
