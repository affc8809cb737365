// scepter ca init, rotate-ra, import-chain: make a CA and rotate its keys. They ask no server: they work on
// the store and the keys, with the credentials of whoever runs them.

import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { fromBase64, fromPem, fromUtf8, pem } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { disagreements } from '../../ca/authority/as-made.ts';
import { importChain } from '../../ca/authority/import-chain.ts';
import { initCa, type Operator, requestCa } from '../../ca/authority/init-ca.ts';
import { everyCa } from '../../ca/authority/known.ts';
import { initMacKeys } from '../../ca/authority/mac-keys.ts';
import { type RotationStep, rotateRa, rotationSteps } from '../../ca/authority/rotation.ts';
import { ownNames } from '../../ca/record/tokens.ts';
import { View } from '../../ca/record/unit-of-work.ts';
import type { Authority } from '../../config/config.ts';
import type { AuthorityRecord, RaGenerationRecord } from '../../ports/records/registry.ts';
import { type Certificate, fingerprint, readCertificate } from '../../x509/certificate.ts';
import { printName } from '../../x509/names/name.ts';
import { CliError, type Io, jsonLine, readStdin } from '../io.ts';
import { type Field, fromNow, seconds, section } from '../text.ts';

const actor = { kind: 'admin', id: ownNames.operator } as const;
const nameText = 'name of the CA';
const stepTexts: Record<RotationStep, string> = {
  prepare: 'make a key that every instance loads and none announces',
  activate: 'announce the prepared one; the one before is still answered',
  retire: 'answer the previous ones no more, and forget their keys',
};

type InitFlags = { readonly key?: string; readonly csr?: true; readonly json?: true };
type RotateFlags = Partial<Record<RotationStep, true>> & {
  readonly force?: boolean;
  readonly json?: true;
};

/** Their names. */
export const keyCommands = ['init', 'import-chain', 'rotate-ra'] as const;

export function addKeyCommands(ca: Command, io: Io): Command {
  ca.command('init')
    .argument('[name]', nameText, 'default')
    .description('make a CA: key, certificate, RA key, and the MAC keys if there are none')
    .option('--key <key>', 'an existing KMS key: its id, ARN or alias')
    .option('--csr', 'print a certificate request for an offline root instead of a self-signed CA')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
With the environment of the functions (SCEPTER_CONFIG, SCEPTER_TABLE, SCEPTER_SEALING_KEY,
SCEPTER_DEPLOYMENT) and your own AWS credentials, or on SCEPTER_DATA_DIR while no server runs.

Examples:
  scepter ca init
  scepter ca init default --key alias/scepter/production/ca/default
  scepter ca init vpn --csr > vpn.csr`,
    )
    .action((name: string, options: InitFlags) =>
      operating(io, (operator) => init(io, operator, name, options)),
    );
  ca.command('import-chain')
    .argument('<file>', 'PEM: the CA\'s certificate and its issuers up to the root; "-" for stdin')
    .argument('[name]', nameText, 'default')
    .description('give a CA the certificate that its root has signed')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  scepter ca import-chain vpn-chain.pem vpn
  cat vpn.pem root.pem | scepter ca import-chain - vpn`,
    )
    .action((file: string, name: string, { json }: { json?: true }) =>
      operating(io, (operator) => importFrom(io, operator, { file, name, json: json === true })),
    );
  const rotating = ca
    .command('rotate-ra')
    .argument('[name]', nameText, 'default')
    .description('take the next step to a new RA key: prepare, activate, retire')
    .option('--force', 'do not wait, although clients and servers may still use the old key')
    .option('--json', 'print one JSON object');
  for (const step of rotationSteps) {
    const others = rotationSteps.filter((other) => other !== step);
    rotating.addOption(new Option(`--${step}`, stepTexts[step]).conflicts(others));
  }
  rotating
    .addHelpText(
      'after',
      `
Examples:
  scepter ca rotate-ra
  scepter ca rotate-ra vpn --activate --json`,
    )
    .action((name: string, options: RotateFlags) =>
      operating(io, (operator) => rotate(io, operator, name, options)),
    );
  return ca;
}

/** The CA's record, and the warnings of the key service about its key. */
export async function withKeyWarnings<
  T extends { readonly id: string; readonly warnings: readonly string[] },
>(io: Io, ca: T): Promise<T> {
  const warnings = new Set(ca.warnings);
  await operating(io, async (operator) => {
    const record = await recordOf(operator, ca.id);
    const found = record && (await operator.signer.warnings?.(record.keyReference));
    for (const warning of found ?? []) warnings.add(warning);
  });
  return { ...ca, warnings: [...warnings] };
}

export async function operating(
  io: Io,
  work: (operator: Operator) => Promise<void>,
): Promise<void> {
  const operator = await io.operator();
  try {
    await work(operator);
  } finally {
    operator.close();
  }
}

function authorityOf({ config }: Operator, name: string): Authority {
  const authority = config.cas.get(name);
  if (authority) return authority;
  const known = [...config.cas.keys()].map((id) => `"${id}"`).join(', ');
  throw new CliError('notFound', `the configuration has no CA "${name}": it has ${known}`);
}

/** Also of one that the configuration does not name any more. @throws {CliError} if there is none */
export async function knownCa(operator: Operator, name: string): Promise<{ readonly id: string }> {
  const known = (await everyCa(operator)).includes(name);
  return known ? { id: name } : authorityOf(operator, name);
}

async function recordOf({ store }: Operator, id: string): Promise<AuthorityRecord | undefined> {
  const view = new View(store);
  await view.load([{ kind: 'authority', key: id }]);
  return view.get('authority', id);
}

async function init(
  io: Io,
  operator: Operator,
  name: string,
  { key, csr, json }: InitFlags,
): Promise<void> {
  const authority = authorityOf(operator, name);
  const { adoptKey, makeMacKey, signer } = operator;
  if (key !== undefined && !adoptKey) {
    throw new CliError('usage', '--key names a KMS key: set SCEPTER_SEALING_KEY, or leave it out');
  }
  const taken =
    key !== undefined && adoptKey ? { takeKey: () => adoptKey(key, authority.key) } : {};
  await operator.begin?.();
  const purposes = makeMacKey ? await initMacKeys(operator, makeMacKey) : [];
  for (const purpose of purposes) io.note(`made the MAC key for "${purpose}"`);
  const request = csr ? await requestCa(operator, authority, { actor, ...taken }) : undefined;
  const made = csr ? undefined : await initCa(operator, authority, { actor, ...taken });
  const record = await recordOf(operator, name);
  const reference = record?.keyReference ?? '';
  const [own] = (record?.chain ?? []).map((text) => readCertificate(fromBase64(text)));
  if (made === 'waiting') {
    throw new CliError(
      'failure',
      `the CA "${name}" waits for its certificate: run "scepter ca import-chain", or print its request again with --csr`,
    );
  }
  const otherwise = (await disagreements(operator)).map(({ ca, said }) => `CA "${ca}": ${said}`);
  for (const said of otherwise) io.note(said);
  const warnings = (await signer.warnings?.(reference)) ?? [];
  const asked = request && pem('CERTIFICATE REQUEST', request);
  const about = {
    id: name,
    key: reference,
    ...(own ? { subject: printName(own.subject), sha256: fingerprint(own.der) } : {}),
  };
  if (json) return io.out(jsonLine({ ...about, made, request: asked, warnings }));
  const fields: Field[] = [
    ['key', reference],
    ['subject', about.subject],
    ['SHA-256', about.sha256],
    ['warning', warnings],
  ];
  const heading = made === 'exists' ? `CA ${name} was there already` : `CA ${name}`;
  // The request is alone on stdout, so that it can be redirected into a file.
  if (asked === undefined) return io.out(section(heading, fields));
  io.note(section(heading, fields).trimEnd());
  io.out(asked);
}

async function importFrom(
  io: Io,
  operator: Operator,
  { file, name, json }: { readonly file: string; readonly name: string; readonly json: boolean },
): Promise<void> {
  const authority = authorityOf(operator, name);
  const found = certificatesIn(file, await textOf(io, file));
  const imported = await importChain(operator, authority, found, actor);
  if (imported.kind === 'refused') {
    throw new CliError('verification', `${file} is not imported: ${imported.why}`);
  }
  const chain = imported.chain.map(({ subject, der }) => ({
    subject: printName(subject),
    sha256: fingerprint(der),
  }));
  if (json) return io.out(jsonLine({ id: name, chain }));
  const lines = chain.map(({ subject, sha256 }) => `${subject}, SHA-256 ${sha256}`);
  io.out(section(`CA ${name}`, [['chain', lines]]));
}

export async function textOf(io: Io, file: string): Promise<string> {
  if (file === '-') return fromUtf8(await readStdin(io));
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new CliError('notFound', error instanceof Error ? error.message : String(error));
  }
}

export function certificatesIn(file: string, text: string): Certificate[] {
  try {
    const found = fromPem('CERTIFICATE', text).map((der) => readCertificate(der));
    if (found.length > 0) return found;
  } catch (error) {
    if (!(error instanceof Malformed || error instanceof SyntaxError)) throw error;
    throw new CliError('usage', `${file} has a certificate that cannot be read: ${error.message}`);
  }
  throw new CliError('usage', `${file} has no certificate in PEM`);
}

async function rotate(
  io: Io,
  operator: Operator,
  name: string,
  { force = false, json, ...flags }: RotateFlags,
): Promise<void> {
  authorityOf(operator, name);
  const step = rotationSteps.find((one) => flags[one]);
  const rotated = await rotateRa(operator, name, { step, force, actor });
  const now = io.clock.now();
  switch (rotated.kind) {
    case 'none':
      throw new CliError('failure', noneTexts[rotated.step]);
    case 'early': {
      const from = new Date(rotated.from).toISOString();
      throw new CliError(
        'failure',
        `too early: --${rotated.step} from ${seconds(from)} on (${fromNow(from, now)}): ${earlyTexts[rotated.step]}; --force does not wait`,
      );
    }
    case 'done': {
      const { generations, next } = rotated;
      const from = next && new Date(next.from).toISOString();
      const shown = generations.map(shownGeneration);
      const then = next && from && { step: next.step, from };
      if (json) return io.out(jsonLine({ id: name, step: rotated.step, ra: shown, next: then }));
      const lines = shown.map(({ id, state, notAfter, sha256 }) => {
        return `${id} ${state}, until ${seconds(notAfter)}, SHA-256 ${sha256}`;
      });
      const due = then && `--${then.step} from ${seconds(then.from)} (${fromNow(then.from, now)})`;
      io.out(
        section(`CA ${name}`, [
          ['RA', lines],
          ['next', due],
        ]),
      );
    }
  }
}

const noneTexts: Record<RotationStep, string> = {
  prepare: 'an RA key is prepared already: go on with --activate',
  activate: 'no RA key is prepared: begin with --prepare',
  retire: 'no RA key is previous: there is nothing to retire',
};
const earlyTexts: Record<RotationStep, string> = {
  prepare: '',
  activate: 'by then every instance has loaded the prepared key',
  retire: 'until then clients may still use the certificate that they have',
};

export function shownGeneration({ id, state, certificate }: RaGenerationRecord) {
  const { der, notAfter } = readCertificate(fromBase64(certificate));
  const until = new Date(notAfter).toISOString();
  return { id, state, notAfter: until, sha256: fingerprint(der) };
}
