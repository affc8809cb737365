// npm run test:certificates: a thousand certificates over all profiles, judged by tools that are not
// ours (openssl, GnuTLS' certtool, pkilint) and by our own lint.
//   --count N   fewer, for a quick look

import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bytes, pem } from '../../lib/base/bytes.ts';
import { generateKey, selfSigned } from '../../lib/protocol/scep/client/client.ts';
import { readCertificate } from '../../lib/x509/certificate.ts';
import { lintTbsCertificate } from '../../lib/x509/lint/certificate.ts';
import { parseName } from '../../lib/x509/names/name.ts';
import { fetching, tool as program, root } from '../support/installed.ts';
import { random } from '../support/messages.ts';
import { temporary } from '../support/process.ts';
import { enrolFleet } from './fleet.ts';

const at = process.argv.indexOf('--count');
const count = at > 0 ? Number(process.argv[at + 1]) : 1000;
const cache = join(root, 'node_modules', '.cache', 'pkilint');
const PKILINT = 'pkilint==0.13.3';

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const tool = (command: string, args: readonly string[]) =>
  spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 });

/** The Python of an environment that has pkilint; undefined where none can be made. */
async function pkilint(): Promise<string | undefined> {
  const python = join(cache, 'bin', 'python');
  try {
    if (!existsSync(join(cache, 'bin', 'lint_pkix_cert'))) {
      await program('python3', ['-m', 'venv', cache], root, 'Python 3 with its module venv');
      await fetching(python, ['-m', 'pip', 'install', '--quiet', PKILINT], root, PKILINT);
    }
    return python;
  } catch {
    return undefined;
  }
}

const python = await pkilint();
const missing = [
  ...['openssl', 'certtool'].filter((name) => tool(name, ['--version']).error !== undefined),
  ...(python === undefined ? ['pkilint: Python 3 with venv, and its packages'] : []),
];
if (missing.length > 0 || python === undefined) {
  say(`NOT RUN: certificates (${missing.join(', ')})`);
  process.exit(1);
}

type File = { readonly ca: string; readonly der: Bytes; readonly path: string };
const folder = temporary('certificates');
const { lab, issued, cas } = await enrolFleet(count, (done) => say(`${done} issued`));
const written = (ca: string, name: string, der: Bytes): File => {
  const path = join(folder, name);
  writeFileSync(`${path}.der`, der);
  writeFileSync(`${path}.pem`, pem('CERTIFICATE', der));
  return { ca, der, path };
};
const files = issued.map(({ ca, profile, der }, i) =>
  written(ca, `${String(i).padStart(4, '0')}-${profile}-${ca}`, der),
);
for (const [ca, der] of cas) written(ca, ca, der);
const caPem = (ca: string): string => join(folder, `${ca}.pem`);

/** A hexadecimal extension value as openssl prints it. */
const printed = (extension: string, text: string): string | undefined =>
  new RegExp(`X509v3 ${extension}: ?\\n\\s+(?:keyid:)?([0-9A-F:]+)`).exec(text)?.[1];
const opensslText = (path: string) =>
  tool('openssl', ['x509', '-in', `${path}.pem`, '-noout', '-text', '-serial']);
const subjectKeyOf = new Map(
  [...cas.keys()].map((ca) => [
    ca,
    printed('Subject Key Identifier', opensslText(join(folder, ca)).stdout),
  ]),
);

/**
 * What pkilint takes for wrong and is not: tag URIs (RFC 4151; Microsoft's form of a SID, KB5014754),
 * URNs (RFC 8141), wildcards (RFC 6125, which RFC 5280 leaves alone). And what is wrong and wanted: the
 * URI with spaces that a switch of the profile certifies for Cisco ISE.
 */
const right =
  /invalid_uri_syntax .* "(tag:microsoft\.com,2022-09-14:sid:|urn:uuid:|ID:Microsoft Endpoint Manager:GUID:)|invalid_domain_name_syntax .* "\*\.[a-z]/;

/** Each judge: what it finds wrong with these, one text for each, beginning with its path. */
const judges: Record<string, (all: readonly File[]) => Promise<string[]> | string[]> = {
  'openssl x509 and verify -x509_strict; serials, AKI = SKI of the CA': (all) => {
    const serials = new Set<string>();
    const verified = new Set(
      [...cas.keys()].flatMap((id) => {
        const paths = all.filter(({ ca }) => ca === id).map(({ path }) => `${path}.pem`);
        if (paths.length === 0) return [];
        const strict = ['verify', '-x509_strict', '-CAfile', caPem(id), ...paths];
        return tool('openssl', strict).stdout.split('\n');
      }),
    );
    return all.flatMap(({ ca, path }) => {
      const shown = opensslText(path);
      const [, serial = ''] = /^serial=([0-9A-F]+)$/m.exec(shown.stdout) ?? [];
      const again = serial === '' || serials.has(serial);
      serials.add(serial);
      const authorityKey = printed('Authority Key Identifier', shown.stdout);
      const wrong = [
        ...(shown.status === 0 && shown.stderr === '' ? [] : [shown.stderr]),
        ...(verified.has(`${path}.pem: OK`) ? [] : ['it does not verify']),
        ...(again ? [`the serial number ${serial} again`] : []),
        ...(authorityKey === subjectKeyOf.get(ca) ? [] : [`AKI ${authorityKey}`]),
      ];
      return wrong.length > 0 ? [`${path}: ${wrong.join('; ')}`] : [];
    });
  },
  'certtool --certificate-info and --verify': (all) =>
    all.flatMap(({ ca, path }) => {
      const shown = tool('certtool', ['--certificate-info', '--infile', `${path}.pem`]);
      const chain = ['--verify', '--load-ca-certificate', caPem(ca), '--infile', `${path}.pem`];
      const { stdout } = tool('certtool', chain);
      const good =
        shown.status === 0 &&
        !/error|invalid/i.test(shown.stderr) &&
        stdout.includes('Chain verification output: Verified');
      return good ? [] : [`${path}: ${shown.stderr}${stdout}`];
    }),
  'pkilint, RFC 5280, notices and above': (all) => {
    const script = join(import.meta.dirname, 'rfc5280_lint.py');
    const { stdout, stderr } = tool(python, [
      '-B',
      script,
      ...all.map(({ path }) => `${path}.der`),
    ]);
    if (!stdout.endsWith(`${all.length} linted\n`)) throw new Error(`pkilint: ${stderr}`);
    const findings = stdout.trimEnd().split('\n').slice(0, -1);
    return findings.filter((finding) => !right.test(finding));
  },
  'our lint': async (all) => {
    const found: string[] = [];
    for (const { ca: id, der, path } of all) {
      const ca = await lab.deps.cas.of(id);
      const finding = lintTbsCertificate(readCertificate(der).tbs, ca.scheme, {
        role: 'endEntity',
        issuer: ca.certificate.subject,
        issuerKeyIdentifier: ca.keyIdentifier,
        issuerNotBefore: ca.certificate.notBefore,
        issuerNotAfter: ca.certificate.notAfter,
      });
      if (finding) found.push(`${path}: ${finding.id}`);
    }
    return found;
  },
};

// A judge that finds nothing wrong with this one would find nothing wrong with anything.
const [ca = ''] = cas.keys();
const key = await generateKey({ type: 'EC', curve: 'P-256' });
const bad = await selfSigned(key, parseName('CN=bad,C=XYZ'), Date.now(), random);
const control = written(ca, 'bad', bad.der);
let failed = issued.length !== count;
for (const [name, judge] of Object.entries(judges)) {
  if ((await judge([control])).length === 0) throw new Error(`${name}: the control passed`);
  const problems = await judge(files);
  say(`${name}: ${files.length} certificates, ${problems.length} problems`);
  for (const problem of problems.slice(0, 20)) say(`  ${problem}`);
  failed ||= problems.length > 0;
}
process.exitCode = failed ? 1 : 0;
