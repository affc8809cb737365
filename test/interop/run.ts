// npm run test:interop: real clients against a plain `npm start`, then the commands of README and docs/enrol.md.
// With arguments only the rows named by them run (`3a`, `micromdm`, `"7 certmonger"`).

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NotRun } from './command.ts';
import { guideReports } from './guides.ts';
import { openLab, type Row } from './lab.ts';
import { required } from './required.ts';
import { aftermathRows } from './rows/aftermath.ts';
import { cliRows } from './rows/cli.ts';
import { conformanceRows } from './rows/conformance.ts';
import { discoveryRows } from './rows/discovery.ts';
import { doctorRows } from './rows/doctor.ts';
import { getRows } from './rows/get.ts';
import { legacyRows } from './rows/legacy.ts';
import { logRows } from './rows/log.ts';
import { mdmRows } from './rows/mdm.ts';
import { pageRows } from './rows/pages.ts';
import { pathClientRows } from './rows/path-clients.ts';
import { pathRows } from './rows/paths.ts';
import { pendingRows } from './rows/pending.ts';
import { postRows } from './rows/post.ts';
import { refusalRows } from './rows/refusal.ts';
import { renewalRows } from './rows/renewal.ts';
import { revokedRows } from './rows/revoked.ts';
import { rotationRows } from './rows/rotation.ts';
import { siemRows } from './rows/siem.ts';
import { signedRows } from './rows/signed.ts';
import { signerRows } from './rows/signer.ts';
import { stormRows } from './rows/storm.ts';
import { webhookRows } from './rows/webhook.ts';
import { type Report, report, verdict } from './table.ts';

const root = join(import.meta.dirname, '..', '..');
const asked = process.argv.slice(2);
const wanted = (name: string): boolean =>
  asked.length === 0 || asked.some((word) => word === name || name.split(' ').includes(word));

const rows: readonly Row[] = [
  ...discoveryRows,
  ...postRows,
  ...getRows,
  ...legacyRows,
  ...refusalRows,
  ...pendingRows,
  ...renewalRows,
  ...signerRows,
  ...revokedRows,
  ...pathRows,
  ...pathClientRows,
  ...conformanceRows,
  ...cliRows,
  ...doctorRows,
  ...rotationRows,
  ...logRows,
  ...siemRows,
  ...signedRows,
  ...pageRows,
  ...webhookRows,
  ...stormRows,
  ...mdmRows,
  ...aftermathRows,
];

async function runRows(scratch: string): Promise<Report[]> {
  const chosen = rows.filter(({ id, client }) => wanted(`${id} ${client}`));
  if (chosen.length === 0) return [];
  const lab = await openLab(root, scratch);
  const reports: Report[] = [];
  try {
    for (const row of chosen) {
      reports.push(await report(`${row.id} ${row.client}`, row.title, () => row.run(lab)));
    }
  } finally {
    await lab.close();
  }
  return reports;
}

const scratch = await mkdtemp(join(tmpdir(), 'scepter-interop-'));
const reports: Report[] = [];
for (const part of [runRows, (folder: string) => guideReports(root, folder, wanted)]) {
  try {
    reports.push(...(await part(scratch)));
  } catch (error) {
    // Its rows will be missing below, and the others still get to report.
    const why = error instanceof Error ? error.message : String(error);
    console.log(error instanceof NotRun ? `NOT RUN: interop (${why})` : `stopped: ${why}`);
  }
}
const passed = verdict(reports, required.filter(wanted));
if (asked.length > 0) console.log(`only ${asked.join(', ')}: not a verdict on the whole`);
if (passed) await rm(scratch, { recursive: true });
else console.log(`everything that was written is in ${scratch}`);
process.exitCode = passed ? 0 : 1;
