// scepter log verify, of an evidence folder: offline, with the verifier key of the log and the certificate of the CA.

import { fromPem, fromUtf8 } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { visible } from '../../base/text.ts';
import { type ProvenEvidence, verifyEvidence } from '../../events/evidence.ts';
import { evidencePaths, filesNamed, fileText, type ReadFile } from '../../events/evidence-files.ts';
import type { Verifier } from '../../events/note.ts';
import { type Certificate, readCertificate } from '../../x509/certificate.ts';
import { printName } from '../../x509/names/name.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import { fileAt } from '../log/source.ts';
import { counted } from '../text.ts';
import { evidencePage } from './page.ts';
import { type Signing, verifySignings } from './signatures.ts';
import { allowedTexts, notProven, withheldTexts } from './told.ts';

type Verified = {
  readonly evidence: ProvenEvidence;
  readonly signings: readonly Signing[] | undefined;
};

/** Of the logs of a service. */
export const logHostOf = ({ name }: Verifier): string => name.slice(0, name.indexOf('/'));

type Given = {
  readonly verifiers: readonly [Verifier, ...Verifier[]];
  readonly ca: string;
  readonly json: boolean;
};

/** With which a certificate in DER begins (X.690 §8.9). */
const DER_SEQUENCE = 0x30;

/** All but the page. @throws {Malformed} that names the first file that is wrong */
export async function verifyFiles(
  read: ReadFile,
  trust: Parameters<typeof verifyEvidence>[1],
): Promise<Verified> {
  const evidence = await verifyEvidence(read, trust);
  return { evidence, signings: await verifySignings(read, evidence) };
}

/** @param ca file with certificates, PEM, or one in DER @throws {CliError} usage */
async function trustedIn(ca: string): Promise<readonly Certificate[]> {
  try {
    const octets = await fileAt(ca);
    const isDer = octets[0] === DER_SEQUENCE;
    const ders = isDer ? [octets] : fromPem('CERTIFICATE', fromUtf8(octets));
    const found = ders.map(readCertificate);
    if (found.length > 0) return found;
  } catch (error) {
    if (
      !(error instanceof Malformed || error instanceof SyntaxError || error instanceof TypeError)
    ) {
      throw error;
    }
  }
  throw new CliError('usage', `--ca: ${ca} has no certificate, in PEM or DER`);
}

/** @throws {Malformed} */
export async function verifyFolder(
  io: Io,
  { read, names }: { readonly read: ReadFile; readonly names: () => Promise<readonly string[]> },
  { verifiers, ca, json }: Given,
): Promise<void> {
  const { evidence, signings } = await verifyFiles(read, {
    verifiers,
    trusted: await trustedIn(ca),
  });
  if ((await fileText(read, evidencePaths.page)) !== evidencePage(evidence, signings)) {
    throw new Malformed(
      `${evidencePaths.page} does not say what ${evidencePaths.manifest} and the files that it names say`,
    );
  }
  const { manifest, certificates, events, configuration } = evidence;
  const known = filesNamed(manifest);
  const other = (await names()).find((name) => !known.has(name));
  if (other !== undefined)
    throw new Malformed(`${other} is no part of the evidence: put it elsewhere`);
  const limits = notProven(evidence, signings !== undefined);
  if (json) {
    return io.out(
      jsonLine({
        ...{ of: manifest.of, made: manifest.made, events: events.length },
        certificates: certificates.map((one) => ({
          serial: one.serial,
          subject: printName(one.certificate.subject),
          request: typeof one.request === 'string' ? one.request : 'proven',
          authorizedBy: one.issued.event.authorizedBy ?? [],
          configHash: one.intended.event.configHash,
          events: one.events.length,
        })),
        configuration: configuration !== undefined,
        ...(signings ? { signatures: signings.length } : {}),
        notProven: limits,
      }),
    );
  }
  for (const one of certificates) {
    const whole = 'The request is as it came, and is signed with the key of the certificate.';
    io.out(`certificate ${one.serial}: ${visible(printName(one.certificate.subject))}\n`);
    io.out(
      `  ${typeof one.request === 'string' ? `The request: ${withheldTexts[one.request]}` : whole}\n`,
    );
    for (const line of allowedTexts(one, evidence)) io.out(`  ${visible(line)}\n`);
  }
  io.out(
    `every file holds: ${counted(certificates.length, 'certificate')}, ${counted(events.length, 'event')}, each in a log of ${logHostOf(verifiers[0])}\n`,
  );
  io.out('What this does not prove:\n');
  for (const line of limits) io.out(`- ${line}\n`);
}
