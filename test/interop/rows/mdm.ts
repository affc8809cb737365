// What `scepter mdm` writes for other systems, judged by programs that are not ours, and enrolled with.

import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import * as strongswan from '../clients/strongswan.ts';
import { lastLines, must, plainEnv, run } from '../command.ts';
import { fetchCa, type Lab, type Row } from '../lab.ts';
import { checkCertificate, derOf, fingerprintOf, hold, openssl, same } from '../openssl.ts';
import { type Server, startServer } from '../server.ts';

/** What `scepter mdm` prints about the server of the lab. */
function mdm(lab: Lab, args: readonly string[], input = ''): Promise<Buffer> {
  const command = [join(lab.root, 'bin/scepter.js'), 'mdm', ...args];
  const env = plainEnv({ SCEPTER_URL: lab.server.origin, SCEPTER_DATA_DIR: lab.server.dataDir });
  return must('node', command, { env, input });
}

/** Writes a file by `scepter mdm apple-profile` in a folder of its own. */
async function appleProfile(lab: Lab, args: readonly string[], input = ''): Promise<string> {
  const file = join(await lab.folder(), 'profile.mobileconfig');
  await mdm(lab, ['apple-profile', ...args, '--out', file], input);
  return file;
}

type Profile = { readonly PayloadContent: readonly Payload[] };
type Payload = { readonly PayloadType: string; readonly PayloadContent: string | Scep };
type Scep = {
  readonly URL: string;
  readonly Subject: readonly (readonly (readonly [string, string])[])[];
  readonly SubjectAltName: Readonly<Record<string, string>>;
  readonly Challenge: string;
  readonly CAFingerprint: string;
  readonly 'Key Usage': number;
};

type Console = {
  readonly places: readonly {
    readonly fields: readonly { readonly label: string; readonly value: string }[];
  }[];
};

/** A server with a webhook. */
const hooked = {
  config: {
    cas: { default: { subject: 'CN=Hooked CA,O=Interop' } },
    endpoints: {
      default: {
        ca: 'default',
        jamf: { user: 'jamf', password: 'env:JAMF', subject: { CN: '{serialNumber}' } },
        ndes: { accounts: [{ user: 'fleet', password: 'env:FLEET', subject: { CN: 'host-*' } }] },
      },
    },
  },
  env: { JAMF: 'a password of the hook', FLEET: 'a password of the page' },
};

const script = join(import.meta.dirname, '..', 'mdm', 'profile.py');

/** Also for names with what is markup. */
const subject = 'CN=<jane & \\"mac\\">,OU=a\\,b,O=Interop';
const san = 'dns:jane-mac.example.test';

const rows: readonly Row[] = [
  {
    id: 'mdm-apple',
    client: 'python',
    title:
      'plistlib reads the profile: keys and kinds of values are those of Apple, and it is exact',
    async run(lab) {
      const challenge = await lab.challenge({ subject: 'CN=jane-mac,O=Interop', san: [san] });
      const asked = ['--subject', 'CN=jane-mac,O=Interop', '--san', san, '--challenge-stdin'];
      const file = await appleProfile(lab, asked, challenge);
      const json = String(await must('python3', [script, file], { env: plainEnv() }));
      const [root, scep, ...more] = (JSON.parse(json) as Profile).PayloadContent;
      hold(root !== undefined && scep !== undefined && more.length === 0, 'it has two payloads');
      same('the first payload', root.PayloadType, 'com.apple.security.root');
      same('its certificate', `${root.PayloadContent}`, (await derOf(lab.ca)).toString('hex'));
      const { PayloadContent: asks } = scep;
      hold(typeof asks === 'object', 'the second is the SCEP payload');
      same('CAFingerprint', asks.CAFingerprint, await fingerprintOf(lab.ca, 'sha1'));
      same('Key Usage', `${asks['Key Usage']}`, '5');
      // What a device makes of it, strongSwan asks for.
      const dn = asks.Subject.map((rdn) => rdn.map((pair) => pair.join('='))).join(', ');
      const { ran, ...files } = await strongswan.enrol({
        ...{ url: asks.URL, ca: lab, folder: await lab.folder(), dn },
        ...{ san: Object.values(asks.SubjectAltName), password: asks.Challenge },
      });
      hold(ran.code === 0, `pki --scep ends with 0: ${lastLines(ran.stderr)}`);
      const names = ['DNS:jane-mac.example.test'];
      await checkCertificate({
        ...files,
        ca: lab.ca,
        subject: 'CN=jane-mac,O=Interop',
        san: names,
      });
      return dn;
    },
  },
  {
    id: 'mdm-apple',
    client: 'plistutil',
    title: 'libplist takes the profile, with markup in its names, for a property list',
    async run(lab) {
      const file = await appleProfile(lab, ['--subject', subject]);
      const binary = `${file}.bin`;
      await must('plistutil', ['-i', file, '-f', 'bin', '-o', binary]);
      const back = String(await must('plistutil', ['-i', binary, '-f', 'xml']));
      hold(back.includes('<string>&lt;jane &amp; "mac"&gt;</string>'), 'the name has come through');
      hold(back.includes('<string>a,b</string>'), 'an escaped comma is part of its value');
      const json = String(await must('python3', [script, file], { env: plainEnv() }));
      hold(json.includes('<jane & \\"mac\\">'), 'plistlib reads the same');
      return 'plistutil: XML to binary and back';
    },
  },
  {
    id: 'mdm-apple',
    client: 'openssl',
    title: 'openssl verifies a signed profile, by a chain of two and with keys of both kinds',
    async run(lab) {
      const folder = await lab.folder();
      const [rootKey, root] = [join(folder, 'root.key'), join(folder, 'root.pem')];
      const fresh = ['-newkey', 'rsa:2048', '-nodes', '-keyout', rootKey];
      await openssl(['req', '-x509', ...fresh, '-subj', '/CN=Profiles', '-out', root]);
      for (const kind of ['rsa:2048', 'ec']) {
        const name = join(folder, kind.slice(0, 2));
        const issued = await signerCertificate(name, kind, { rootKey, root });
        const file = await appleProfile(lab, ['--sign-cert', issued, '--sign-key', `${name}.key`]);
        const out = `${name}.xml`;
        const content = ['-inform', 'DER', '-in', file, '-CAfile', root, '-out', out];
        await openssl(['cms', '-verify', '-purpose', 'any', ...content]);
        await must('python3', [script, out], { env: plainEnv() });
        const printed = await openssl(['cms', '-cmsout', '-inform', 'DER', '-in', file, '-print']);
        same('certificates in it', `${printed.toString().split('cert_info:').length - 1}`, '2');
      }
      return 'CMS Verification successful, RSA and EC';
    },
  },
  {
    id: 'mdm-windows',
    client: 'xmllint',
    title:
      'libxml reads the SyncML: one Atomic block whose last command is Enroll, with the values asked for',
    async run(lab) {
      const file = join(await lab.folder(), 'scep.xml');
      const asked = ['--subject', subject, '--san', san, '--challenge-stdin'];
      const text = String(await mdm(lab, ['windows-csp', ...asked], 'abc-123'));
      await writeFile(file, text);
      await must('xmllint', ['--nonet', '--noout', file]);
      // XPath has no default namespaces.
      await writeFile(file, text.replace(/ xmlns="[^"]*"/g, ''));
      const at = async (path: string) =>
        String(await must('xmllint', ['--nonet', '--xpath', `string(${path})`, file])).trimEnd();
      const value = (node: string) => at(`//Add[contains(.//LocURI,'/Install/${node}')]//Data`);
      same('the blocks', await at('count(//Atomic)'), '1');
      const last = '//Atomic/*[last()]';
      same('the last command', await at(`name(${last})`), 'Exec');
      const enroll = await at(`${last}//LocURI`);
      hold(enroll.endsWith('/SCEP/scepter-default/Install/Enroll'), `it is Enroll: ${enroll}`);
      same('other Execs', await at('count(//Exec)'), '1');
      same('ServerURL', await value('ServerURL'), `${lab.server.origin}/scep`);
      same('Challenge', await value('Challenge'), 'abc-123');
      const name = 'CN="<jane & ""mac"">",OU="a,b",O=Interop';
      same('SubjectName', await value('SubjectName'), name);
      same(
        'SubjectAlternativeNames',
        await value('SubjectAlternativeNames'),
        '3+jane-mac.example.test',
      );
      const sha1 = (await fingerprintOf(lab.ca, 'sha1')).toUpperCase();
      same('CAThumbprint', await value('CAThumbprint'), sha1);
      const root = await at(`//Add[contains(.//LocURI,'/Root/${sha1}/EncodedCertificate')]//Data`);
      same('the root', root, (await derOf(lab.ca)).toString('base64'));
      return enroll;
    },
  },
  {
    id: 'mdm-jamf',
    client: 'curl',
    title:
      'the webhook as `mdm jamf` has it gives a challenge for the subject that it has, filled in',
    run: (lab) =>
      withHook(lab, async (server) => {
        const value = await shownBy(server, 'jamf');
        const serial = 'C02XL0FYJGH5';
        const event = { scepServerUrl: value('URL'), device: { serialNumber: serial } };
        const password = await asked(value('Webhook URL'), value('Username'), event);
        const folder = await lab.folder();
        const ca = await fetchCa(server, folder);
        same('Fingerprint', value('Fingerprint').toLowerCase(), await fingerprintOf(ca.ca, 'sha1'));
        const dn = value('Subject').replace('$SERIALNUMBER', serial);
        const done = await strongswan.enrol({ url: value('URL'), ca, folder, dn, password });
        hold(done.ran.code === 0, `pki --scep ends with 0: ${lastLines(done.ran.stderr)}`);
        await checkCertificate({ ...done, ca: ca.ca, subject: `CN=${serial}` });
        return value('Subject');
      }),
  },
  {
    id: 'mdm-fleet',
    client: 'curl',
    title: 'the webhook and the page as `mdm fleet` has them give challenges',
    run: (lab) =>
      withHook(lab, async (server) => {
        const value = await shownBy(server, 'fleet');
        const event = { device: { uuid: '6F1C', serialNumber: 'C02XL0FYJGH5' } };
        const challenge = await asked(value('Challenge URL'), value('Username'), event);
        hold(/^\w{20,}$/.test(challenge), 'the hook answers with a challenge');
        const page = ['--fail', '--silent', '--user', `fleet:${hooked.env.FLEET}`];
        const text = (await must('curl', [...page, value('Admin URL')])).toString('utf16le');
        hold(/challenge password is: <B> \w{16} /.test(text), 'the page shows a challenge');
        return value('Admin URL').replace(server.origin, '');
      }),
  },
  ...(['strongswan', 'certmonger'] as const).map(
    (client): Row => ({
      id: 'mdm-foreign',
      client,
      title: 'the script sends nothing to a server that has another CA at that address',
      async run(lab) {
        const foreign = await lab.configured();
        const folder = await lab.folder();
        const url = `${foreign.server.origin}/scep`;
        const challenge = await foreign.challenge();
        const asked = ['--subject', 'CN=foreign', '--scep-url', url, '--challenge-stdin'];
        const text = await mdm(lab, [client, ...asked], challenge);
        const before = await operations(foreign.server);
        const options = { cwd: folder, input: text };
        const ran =
          client === 'strongswan'
            ? await run('bash', ['-s'], options)
            : await (await lab.certmonger()).script(text, folder);
        hold(ran.code !== 0, 'the script fails');
        same('messages sent', `${(await operations(foreign.server)) - before}`, '0');
        return lastLines(ran.stderr, 1);
      },
    }),
  ),
  {
    id: 'mdm-impostor',
    client: 'strongswan',
    title:
      'the script sends nothing where an RA that the CA has not certified comes beside the right CA',
    run: async (lab) => {
      const folder = await lab.folder();
      const { impostor, operations } = await startImpostor(lab, folder);
      try {
        const { port } = impostor.address() as AddressInfo;
        const url = `http://127.0.0.1:${port}/scep`;
        const asked = ['--subject', 'CN=a', '--scep-url', url, '--challenge-stdin'];
        const input = await mdm(lab, ['strongswan', ...asked], 'a challenge of the lab');
        const ran = await run('bash', ['-s'], { cwd: folder, input });
        const said = `${ran.stdout}${ran.stderr}`;
        hold(
          ran.code !== 0 && /certificate untrusted/.test(said),
          `it says so: ${lastLines(said)}`,
        );
        same('what it was asked', operations.join(), 'GetCACert');
        return 'certificate untrusted';
      } finally {
        impostor.close();
      }
    },
  },
];

/** A server that shows the CA of the lab, and an RA certificate by another CA of that name. */
async function startImpostor(lab: Lab, folder: string) {
  const [caKey, ca] = [join(folder, 'false-ca.key'), join(folder, 'false-ca.pem')];
  const [key, csr, ra] = [
    join(folder, 'ra.key'),
    join(folder, 'ra.csr'),
    join(folder, 'false.pem'),
  ];
  const fresh = (file: string) => ['-newkey', 'rsa:2048', '-nodes', '-keyout', file];
  await openssl(['req', '-x509', ...fresh(caKey), '-subj', '/O=Scepter/CN=Scepter CA', '-out', ca]);
  await openssl(['req', ...fresh(key), '-subj', '/O=Scepter/CN=RA', '-out', csr]);
  const extensions = join(folder, 'extensions');
  await writeFile(extensions, 'keyUsage=critical,digitalSignature,keyEncipherment\n');
  const signer = ['-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-extfile', extensions];
  await openssl(['x509', '-req', '-in', csr, ...signer, '-out', ra]);
  const bag = join(folder, 'bag.p7');
  const both = ['-certfile', ra, '-certfile', lab.ca];
  await openssl(['crl2pkcs7', '-nocrl', ...both, '-outform', 'DER', '-out', bag]);
  const octets = await readFile(bag);
  const operations: string[] = [];
  const impostor = createServer(({ url = '' }, response) => {
    const operation = new URL(url, 'http://x').searchParams.get('operation') ?? '';
    operations.push(operation);
    response.setHeader('content-type', 'application/x-x509-ca-ra-cert');
    response.end(operation === 'GetCACert' ? octets : 'AES\nPOSTPKIOperation\nSHA-256\nSHA-384\n');
  });
  await new Promise<void>((listening) => impostor.listen(0, '127.0.0.1', listening));
  return { impostor, operations };
}

async function withHook(lab: Lab, work: (server: Server) => Promise<string>): Promise<string> {
  const server = await startServer({ root: lab.root, folder: await lab.folder(), ...hooked });
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

/** What a console is shown for a label, the first time that it is named. */
async function shownBy(server: Server, vendor: string): Promise<(label: string) => string> {
  const { places } = (await server.cli('mdm', vendor)) as Console;
  const fields = places.flatMap((place) => place.fields);
  return (label) => fields.find((one) => one.label === label)?.value ?? '';
}

/** A challenge, by the event of a device. */
async function asked(url: string, user: string, event: object): Promise<string> {
  const webhook = { id: 1, name: '', webhookEvent: 'SCEPChallenge', eventTimestamp: 1 };
  const login = ['--user', `${user}:${hooked.env.JAMF}`];
  const args = ['--fail', '--silent', ...login, '--json', '@-', url];
  return String(await must('curl', args, { input: JSON.stringify({ webhook, event }) }));
}

/** PKIOperations that a server has answered. */
const operations = async (server: Server): Promise<number> =>
  (await server.log()).split('"scep.pkiOperation"').length;

/** A certificate by an intermediate CA, with that behind it, and its key. @returns the file */
async function signerCertificate(
  name: string,
  kind: string,
  { rootKey, root }: { readonly rootKey: string; readonly root: string },
): Promise<string> {
  const kinds = kind === 'ec' ? ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] : [kind];
  const issue = async (subject: string, out: string, ca: string, caKey: string, ext: string) => {
    await writeFile(`${out}.ext`, ext);
    const request = ['-newkey', ...kinds, '-nodes', '-keyout', `${out}.key`, '-out', `${out}.csr`];
    await openssl(['req', ...request, '-subj', subject]);
    const signer = ['-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-extfile', `${out}.ext`];
    await openssl(['x509', '-req', '-in', `${out}.csr`, ...signer, '-out', `${out}.pem`]);
    return String(await openssl(['x509', '-in', `${out}.pem`]));
  };
  const ca = await issue(
    '/CN=Middle',
    `${name}-ca`,
    root,
    rootKey,
    'basicConstraints=critical,CA:TRUE\n',
  );
  const leaf = await issue(
    '/CN=Signer',
    name,
    `${name}-ca.pem`,
    `${name}-ca.key`,
    'basicConstraints=CA:FALSE\n',
  );
  const both = `${name}-chain.pem`;
  await writeFile(both, leaf + ca);
  return both;
}

export const mdmRows = rows;
