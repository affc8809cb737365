// scepter evidence: one folder, by which somebody who trusts nobody here finds out who got a certificate, who allowed it
// and by which rule.

import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { type Bytes, fromPem, fromUtf8, hex, utf8 } from '../../base/bytes.ts';
import { fileFault, Malformed } from '../../base/errors.ts';
import { canonicalText, type Json } from '../../base/json.ts';
import { iso } from '../../base/text.ts';
import { hash } from '../../crypto/native.ts';
import { evidencePaths, manifestText } from '../../events/evidence-files.ts';
import { readVerifierKey } from '../../events/note.ts';
import { readCertificate } from '../../x509/certificate.ts';
import { caOption } from '../certificate/which.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { fileAt } from '../log/source.ts';
import { counted } from '../text.ts';
import { collect } from './collect.ts';
import { evidencePage } from './page.ts';
import { signingRecords } from './signatures.ts';
import { tarOf } from './tar.ts';
import { logHostOf, verifyFiles } from './verify.ts';
import { certificatesWanted } from './which.ts';

type Options = {
  readonly out: string;
  readonly ca?: string;
  readonly configuration?: string;
  readonly cloudtrail?: readonly string[];
  readonly json?: true;
};

export function evidenceCommand(io: Io): Command {
  return new Command('evidence')
    .description(
      'a folder that proves who got a certificate, who allowed it and by which rule; anybody verifies it offline',
    )
    .argument(
      '<certificate>',
      'the serial number of a certificate, or the beginning of one; or a device, by a whole subjectAltName, common name or serial number in its subject: all of its certificates',
    )
    .requiredOption(
      '--out <folder>',
      'a new or empty folder; FILE.tar: one file with the same in it',
    )
    .addOption(caOption())
    .option(
      '--configuration <file>',
      'the configuration that was in force, as it was given to the service: its SHA-256 is in the log',
    )
    .option(
      '--cloudtrail <file...>',
      'log files of CloudTrail, or folders of them: what AWS KMS has signed of it goes along',
    )
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
With a token of the role auditor. In the folder are the certificate and its issuers, the request as it came, every
event of it with the proof that it is in its log, and index.html, which says it all in plain words, for paper too.
"scepter log verify FOLDER --key KEY --ca FILE" verifies it, without the service. Events of the last seconds are
waited for. The request is left out where its challengePassword is a secret that others may have.

Examples:
  scepter evidence 5f1c2a9d3b7e48f0a1b2c3d4e5f60718 --out evidence
  scepter evidence laptop-17.example --out laptop-17.tar
  scepter evidence laptop-17.example --out laptop-17 --configuration scepter.json --cloudtrail AWSLogs/
  scepter log verify evidence --key default.vkey --ca ca.pem`,
    )
    .action((given: string, options: Options) => evidence(io, given, options));
}

async function evidence(io: Io, given: string, options: Options): Promise<void> {
  const { out, ca, configuration, cloudtrail, json } = options;
  const isTar = out.endsWith('.tar');
  if (!isTar) await requireEmpty(out);
  const document = configuration === undefined ? undefined : await documentIn(configuration);
  const wanted = await certificatesWanted(io, given, ca);
  const { files, certificates, events, verifierKeys } = await collect(io, wanted);
  if (document) {
    const known = events.map(({ configHash }) => configHash).filter(Boolean);
    if (!known.includes(document.digest)) {
      throw new CliError(
        'usage',
        `--configuration: ${configuration} has the SHA-256 ${document.digest}, and in force was ${[...new Set(known)].join(', ')}`,
      );
    }
    files.set(evidencePaths.configuration, document.octets);
  }
  if (cloudtrail) {
    const { octets, missing } = await signingRecords(
      cloudtrail,
      events.map((event) => ({ event })),
    );
    for (const id of missing)
      io.note(`CloudTrail's files lack the request ${id}, which an event names`);
    files.set(evidencePaths.cloudtrail, octets);
  }
  const manifest = {
    v: 1,
    made: iso(io.clock.now()),
    of: given,
    certificates,
    events: events.map(({ id }) => id).sort(),
    configuration: document !== undefined,
    cloudtrail: cloudtrail !== undefined,
  } as const;
  files.set(evidencePaths.manifest, utf8(manifestText(manifest)));
  const { page, host } = await shown(files, verifierKeys);
  files.set(evidencePaths.page, utf8(page));
  await write(out, files, isTar);
  if (json)
    return io.out(
      jsonLine({ out, certificates, events: events.length, files: [...files.keys()].sort() }),
    );
  io.note(
    `${counted(certificates.length, 'certificate')} and ${counted(events.length, 'event')} written to ${out}, each event proven by a log of ${host}; to verify it: scepter log verify ${out} --key KEY --ca FILE`,
  );
}

/** What is not proven by its own files is not written. @throws {CliError} verification */
async function shown(files: ReadonlyMap<string, Bytes>, keys: readonly [string, ...string[]]) {
  const read = async (path: string) => files.get(path);
  const [first, ...others] = keys;
  const verifiers = [readVerifierKey(first), ...others.map(readVerifierKey)] as const;
  const chain = fromPem(
    'CERTIFICATE',
    fromUtf8(files.get(evidencePaths.chain) ?? new Uint8Array(0)),
  );
  try {
    const verified = await verifyFiles(read, { verifiers, trusted: chain.map(readCertificate) });
    return {
      page: evidencePage(verified.evidence, verified.signings),
      host: logHostOf(verifiers[0]),
    };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw new CliError(
      'verification',
      `what the service has does not hold, and nothing was written: ${error.message}`,
    );
  }
}

async function documentIn(path: string) {
  const text = await fileAt(path);
  const { parseJsonc } = await import('../../config/schema.ts');
  try {
    const octets = utf8(canonicalText(parseJsonc(fromUtf8(text)) as Json));
    return { octets, digest: hex(hash('SHA-256', octets)) };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    throw new CliError('usage', `--configuration: ${path} is no JSON`);
  }
}

async function requireEmpty(folder: string): Promise<void> {
  try {
    if ((await readdir(folder)).length === 0) return;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw new CliError('failure', `--out: ${fileFault(error) ?? String(error)}`);
  }
  throw new CliError('usage', `--out: ${folder} is not empty: name a new folder`);
}

async function write(
  out: string,
  files: ReadonlyMap<string, Bytes>,
  isTar: boolean,
): Promise<void> {
  try {
    if (isTar) return await writeFile(out, tarOf(files), { flag: 'wx' });
    for (const [path, octets] of files) {
      await mkdir(dirname(join(out, path)), { recursive: true });
      await writeFile(join(out, path), octets);
    }
  } catch (error) {
    throw new CliError('failure', `--out: ${fileFault(error) ?? String(error)}`);
  }
}
