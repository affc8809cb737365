// A CRL of that many entries, in a process of its own, so that its memory is that of the CRL:
//   node test/bench/crl.ts 100000
// Prints one JSON object: milliseconds and CPU milliseconds of making and publishing it from the
// register in SQLite, octets, and by how much the process grew (peak of the resident set, MB).

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SqliteStore } from '../../lib/adapters/sqlite/sqlite.ts';
import { hex } from '../../lib/base/bytes.ts';
import { MAX_REGISTER_ENTRIES } from '../../lib/base/limits.ts';
import { revocationReasons } from '../../lib/base/words.ts';
import { publishCrl } from '../../lib/ca/revoke/publish-crl.ts';
import type { RegisterPage } from '../../lib/ports/records/register.ts';
import type { Action } from '../../lib/ports/store.ts';
import { makeLab } from '../support/lab.ts';
import { random } from '../support/messages.ts';
import { temporary } from '../support/process.ts';

const entries = Number(process.argv[2] ?? 100_000);
const folder = temporary('crl');
const store = new SqliteStore(join(folder, 'scepter.db'));
const lab = await makeLab({ store, crls: store, caKey: 'rsa:3072' });

/** The register as that many revocations leave it (`ca/revoke/register`): full pages and a head per shard. */
for (const digit of '0123456789abcdef') {
  const pages = Math.floor(entries / 16 / MAX_REGISTER_ENTRIES);
  const page = (count: number): RegisterPage['entries'] =>
    Object.fromEntries(
      Array.from({ length: count }, (_, i) => [
        `4${hex(random(19)).slice(0, 38)}${digit}`,
        {
          at: lab.clock.at,
          reason: revocationReasons[i % revocationReasons.length] ?? 'unspecified',
          notAfter: lab.clock.at + 86_400_000,
        },
      ]),
    );
  const rest = Math.round(entries / 16) - pages * MAX_REGISTER_ENTRIES;
  const head = { changes: Math.round(entries / 16), pages, entries: page(rest) };
  const writes: Action[] = Array.from({ length: pages }, (_, i) => ({
    do: 'put',
    kind: 'registerPage',
    key: `default/${digit}/${i}`,
    rev: 0,
    record: { entries: page(MAX_REGISTER_ENTRIES) },
  }));
  writes.push({ do: 'put', kind: 'register', key: `default/${digit}`, rev: 0, record: head });
  if ((await lab.deps.store.write(writes)) !== 'done')
    throw new Error('the register was not written');
}

globalThis.gc?.();
const grownFrom = process.memoryUsage().rss;
const cpuFrom = process.cpuUsage();
const from = performance.now();
const crl = await publishCrl(lab.deps, await lab.deps.cas.of('default'), {
  actor: { kind: 'system' },
});
const ms = performance.now() - from;
const { user, system } = process.cpuUsage(cpuFrom);
const peak = process.resourceUsage().maxRSS * 1024;

const served = performance.now();
const answer = await lab.fetch('/crl/default.crl');
const octets = (await answer.arrayBuffer()).byteLength;
const servedMs = performance.now() - served;

// What did not write it reads it: as many entries, and a good signature.
const [crlPath, caPath] = [join(folder, 'ca.crl'), join(folder, 'ca.cer')];
writeFileSync(crlPath, crl.der);
writeFileSync(caPath, new Uint8Array(await (await lab.fetch('/aia/default.cer')).arrayBuffer()));
const openssl = (...args: string[]): string => {
  const { status, stdout, stderr } = spawnSync('openssl', args, {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`);
  return stdout + stderr;
};
writeFileSync(`${caPath}.pem`, openssl('x509', '-in', caPath, '-inform', 'DER'));
const verdict = openssl(
  ...['crl', '-in', crlPath, '-inform', 'DER', '-CAfile', `${caPath}.pem`, '-noout'],
);
if (!verdict.includes('verify OK')) throw new Error(verdict);
const text = openssl('crl', '-in', crlPath, '-inform', 'DER', '-noout', '-text');
const listed = text.split('Serial Number:').length - 1;
if (listed !== Math.round(entries / 16) * 16 || octets !== crl.der.length) {
  throw new Error(`${listed} entries, ${octets} octets`);
}
store.close();
process.stdout.write(
  `${JSON.stringify({
    entries: listed,
    ms: Math.round(ms),
    cpuMs: Math.round((user + system) / 1000),
    servedMs: Math.round(servedMs),
    octets,
    grewMB: Math.round((peak - grownFrom) / 1e6),
    rssMB: Math.round(peak / 1e6),
  })}\n`,
);
