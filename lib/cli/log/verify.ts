// scepter log proof, verify, check: a log is proven with its public key alone, and nothing else of the service.

import { writeFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { type Bytes, fromUtf8, hex } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { IDLE_CHECKPOINT_MS, LOG_LATE_MS } from '../../base/log-limits.ts';
import { iso } from '../../base/text.ts';
import { evidencePaths } from '../../events/evidence-files.ts';
import {
  type Checkpoint,
  openCheckpoint,
  readVerifierKey,
  type Verifier,
} from '../../events/note.ts';
import { checkProof } from '../../events/proof.ts';
import { verifyTree } from '../../events/verify.ts';
import { callApi } from '../api.ts';
import { verifyFolder } from '../evidence/verify.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { compareRecords, requireSame, sameText } from '../records/compare.ts';
import { Disk } from '../records/disk.ts';
import { Entries, Told } from '../records/told.ts';
import { outOption } from '../show.ts';
import { counted } from '../text.ts';
import { type Completeness, Signatures } from './completeness.ts';
import { fileAt, isUrl, noteText, type Opened, openSource } from './source.ts';

const keyOption = (): Option =>
  new Option(
    '--key <key>',
    'verifier key of the log, or a file with it: had from "scepter log key" once, and kept apart; of evidence from before and after the key was lost, --key twice',
  )
    .argParser((key: string, before: readonly string[] = []) => [...before, key])
    .makeOptionMandatory();

export function addVerifying(log: Command, io: Io): void {
  log
    .command('proof')
    .description('the proof that an event is in its log (C2SP tlog-proof), for "log check"')
    .argument('<event>', 'its id, as "log export" has it')
    .addOption(
      outOption(': NAME.tlog-proof, and the event beside it as NAME.json').makeOptionMandatory(),
    )
    .addHelpText(
      'after',
      `
Examples:
  scepter log proof 01J3Z0V6Q8M4T2R7X5N9KAYDCE --out approval
  scepter log check approval --key default.vkey`,
    )
    .option('--json', 'print one JSON object')
    .action((id: string, options: ProofOptions) => writeProof(io, id, options));
  log
    .command('check')
    .description('checks a proof, offline')
    .argument('<name>', 'NAME.tlog-proof and NAME.json, as "log proof" wrote them')
    .addOption(keyOption())
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Exit code 6: the proof does not hold.

Examples:
  scepter log check approval --key default.vkey`,
    )
    .action((name: string, options: KeyOptions) => check(io, name, options));
  log
    .command('verify')
    .description(
      'verifies a whole log, or the evidence of certificates: every signature, event and hash; the first that is wrong is named',
    )
    .argument('<log>', 'URL of a log; folder of a log or of evidence, or such a folder as FILE.tar')
    .addOption(keyOption())
    .option(
      '--since <file>',
      'a checkpoint that was kept before: nothing up to it may have changed since',
    )
    .option('--keep <file>', 'write the checkpoint there, for --since of the next time')
    .option(
      '--cloudtrail <file...>',
      'log files of CloudTrail, and its digest files, or folders of them: compare what the keys in AWS KMS have signed',
    )
    .option('--kms-key <arn...>', 'with --cloudtrail: a key that no event of this log names')
    .option('--ca <file>', 'of evidence: the certificate of its CA, or of one above it, PEM or DER')
    .option('--records', 'compare what is on record with it, too: with a token of the role auditor')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
A URL gives everybody the hashes, and its entries only with a token of the role auditor.
Exit code 6: it does not hold.

Examples:
  scepter log verify https://ca.example.com/log/default --key default.vkey --keep today.checkpoint
  scepter log verify https://ca.example.com/log/default --key default.vkey --since today.checkpoint
  scepter log verify .scepter/log/default --key default.vkey
  scepter log verify evidence --key default.vkey --ca ca.pem
  scepter log verify https://ca.example.com/log/default --key default.vkey --cloudtrail AWSLogs/
  scepter log verify https://ca.example.com/log/default --key default.vkey --records`,
    )
    .action((where: string, options: VerifyOptions) => verify(io, where, options));
}

type KeyOptions = { readonly key: readonly string[]; readonly json?: true };
type VerifyOptions = KeyOptions & {
  readonly since?: string;
  readonly keep?: string;
  readonly cloudtrail?: readonly string[];
  readonly kmsKey?: readonly string[];
  readonly records?: true;
  readonly ca?: string;
};

type ProofOptions = { readonly out: string; readonly json?: true };

async function writeProof(io: Io, id: string, { out, json }: ProofOptions): Promise<void> {
  const { event, log, proof } = await callApi(io, 'GET /events/{event}/proof', {
    params: { event: id },
  });
  await writeFile(`${out}.json`, event);
  await writeFile(`${out}.tlog-proof`, proof);
  const files = { event: `${out}.json`, proof: `${out}.tlog-proof` };
  if (json) return io.out(jsonLine({ log, ...files }));
  io.note(`${files.event} and ${files.proof}: the event is in the log "${log}"`);
}

/** A key, or the name of a file with one. */
async function verifierOf(given: string): Promise<Verifier> {
  const text = /\+[0-9a-f]{8}\+/.test(given) ? given : fromUtf8(await fileAt(given));
  try {
    return readVerifierKey(text);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw new CliError('usage', `--key: ${error.message}`);
  }
}

/** @throws {CliError} verification: the log has stopped or ended, or an old one is served */
function requireRecent({ time }: Checkpoint, now: number): void {
  if (now - time <= IDLE_CHECKPOINT_MS + LOG_LATE_MS) return;
  throw new CliError(
    'verification',
    `the newest checkpoint was signed at ${iso(time)}, and a log that goes on has one every hour: nothing puts events into it any more, it has ended and goes on under another name ("scepter log key --json"), or an old one is shown`,
  );
}

/** Where one key is all there is. @throws {CliError} usage */
async function oneVerifier([key = '', ...more]: readonly string[]): Promise<Verifier> {
  if (more.length === 0) return verifierOf(key);
  throw new CliError('usage', '--key: a log has one, and only evidence may need several');
}

/** What does not hold is the answer, and no fault of the command. */
async function held<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw new CliError('verification', error.message);
  }
}

const shown = ({ origin, size, root, time }: Checkpoint) => ({
  origin,
  size,
  root: hex(root),
  time: iso(time),
});

async function check(io: Io, name: string, { key, json }: KeyOptions): Promise<void> {
  const verifier = await oneVerifier(key);
  const proof = fromUtf8(await fileAt(`${name}.tlog-proof`));
  const event = await fileAt(`${name}.json`);
  const found = await held(() => checkProof(proof, event, verifier));
  if (json) return io.out(jsonLine({ ...shown(found), index: found.index }));
  const { size, time } = shown(found);
  io.out(
    `the event is number ${found.index} of ${counted(size, 'event')} under the checkpoint that ${verifier.name} signed at ${time}\n`,
  );
}

async function verify(io: Io, where: string, options: VerifyOptions): Promise<void> {
  const source = await held(() => openSource(io, where));
  try {
    const isEvidence = !isUrl(where) && (await held(() => source.read(evidencePaths.manifest)));
    if (isEvidence) {
      const { ca, json = false, since, keep, cloudtrail, records } = options;
      if (since ?? keep ?? cloudtrail ?? records) {
        throw new CliError('usage', `${where} is evidence, which takes --key, --ca and --json`);
      }
      if (ca === undefined) {
        throw new CliError(
          'usage',
          `${where} is evidence: --ca FILE has the certificate of its CA`,
        );
      }
      const [first = '', ...others] = options.key;
      const verifiers = [
        await verifierOf(first),
        ...(await Promise.all(others.map(verifierOf))),
      ] as const;
      return await held(() => verifyFolder(io, source, { verifiers, ca, json }));
    }
    if (options.ca !== undefined) {
      const lacks = `${where} has no ${evidencePaths.manifest}`;
      throw new CliError('usage', `--ca is for evidence, and ${lacks}`);
    }
    const verifier = await oneVerifier(options.key);
    await verifyLog(io, { where, source, verifier }, options);
  } finally {
    await source.close();
  }
}

type Given = { readonly where: string; readonly source: Opened; readonly verifier: Verifier };

async function verifyLog(
  io: Io,
  { where, source, verifier }: Given,
  { since, keep, cloudtrail, kmsKey = [], records, json }: VerifyOptions,
): Promise<void> {
  const note = await source.read('checkpoint');
  if (!note)
    throw new CliError(
      'notFound',
      `${where} has no checkpoint: it is no log, or none that has begun`,
    );
  const checkpoint = await held(() => openCheckpoint(noteText(note), verifier));
  const asOf = io.clock.now();
  // A copy in a folder is as old as it is; of a log that goes on there is one every hour.
  if (isUrl(where) || records) requireRecent(checkpoint, asOf);
  const older = since && fromUtf8(await fileAt(since));
  const before = older ? await held(() => openCheckpoint(older, verifier)) : undefined;
  if ((cloudtrail || records) && !source.entries) {
    const option = cloudtrail ? '--cloudtrail' : '--records';
    throw new CliError('notAllowed', `${option} needs a token of the role auditor`);
  }
  const signatures = cloudtrail && new Signatures(kmsKey);
  const disk = await Disk.open();
  const entries = new Entries(disk);
  const told = records && new Told(disk);
  const each = (entry: Bytes): void => {
    const added = entries.add(entry);
    told?.add(added);
    signatures?.add(entry);
  };
  const progress =
    io.progress && ((done: number) => io.progress?.(`${done} of ${checkpoint.size}`));
  const compare = async () => {
    try {
      await held(() =>
        verifyTree(source, checkpoint, { since: before, ...(progress ? { progress } : {}), each }),
      );
      if (keep !== undefined) await writeFile(keep, note);
      const log = verifier.name.slice(verifier.name.lastIndexOf('/') + 1);
      return told && (await compareRecords(io, told, { log, asOf, disk }));
    } finally {
      io.progress?.('');
      disk.close();
    }
  };
  const compared = await compare();
  const { size, time } = shown(checkpoint);
  const kms = cloudtrail && (await signatures?.compare(cloudtrail, checkpoint.time));
  if (json) {
    const found = { ...(kms ? { kms } : {}), ...(compared ? { records: compared } : {}) };
    io.out(jsonLine({ ...shown(checkpoint), entries: source.entries, ...found }));
    if (compared) requireSame(io, compared);
    return kms && requireComplete(io, kms);
  }
  const what = source.entries
    ? 'every event and every hash'
    : 'every hash (the events were not there)';
  const sinceThen = before
    ? `, nothing of the first ${before.size} changed since ${shown(before).time}`
    : '';
  io.out(
    `${verifier.name}: ${what} of ${counted(size, 'event')} holds${sinceThen}; signed at ${time}\n`,
  );
  if (compared) {
    requireSame(io, compared);
    io.out(sameText(compared));
  }
  if (!kms) return;
  for (const gap of kms.gaps) {
    io.out(`CloudTrail lacks ${gap.from} to ${gap.until}: nothing is proven for that time\n`);
  }
  requireComplete(io, kms);
  io.out(
    `${counted(kms.signs, 'signature')} of AWS KMS from ${kms.from} to ${kms.until}: events tell of all but ${kms.explained}, which tries without an answer explain\n`,
  );
}

/** Of a comparison with much that is wrong. */
const MAX_NAMED = 100;

/** @throws {CliError} with the first that is wrong */
function requireComplete(io: Io, { wrong: [first, ...more], from }: Completeness): void {
  for (const one of more.slice(0, MAX_NAMED)) io.note(one);
  if (first !== undefined) throw new CliError('verification', first);
  if (from === undefined) {
    throw new CliError(
      'verification',
      'CloudTrail has nothing of the time of this log: nothing is proven',
    );
  }
}
