// Evidence of certificates: a folder that is verified with the public key of the log and the certificate of the CA
// alone. Whatever it says is proven by its own files: what nobody can prove is not in it.

import { raw } from '../asn1/reader.ts';
import { equal, hex, utf8 } from '../base/bytes.ts';
import { visible } from '../base/text.ts';
import type { Withheld } from '../base/words.ts';
import { hash } from '../crypto/native.ts';
import { type Certificate, fingerprint, readCertificate } from '../x509/certificate.ts';
import { type CertificationRequest, readCertificationRequest } from '../x509/csr.ts';
import { issuersOf } from '../x509/issuers.ts';
import { printName } from '../x509/names/name.ts';
import { verifySignature } from '../x509/public-key.ts';
import {
  type EvidenceContents,
  evidencePaths,
  fileText,
  pemOf,
  type ReadFile,
  readChain,
  readManifest,
  wrong,
} from './evidence-files.ts';
import { type LoggedEvent, readLogged } from './logged.ts';
import type { Verifier } from './note.ts';

export type CertificateEvidence = {
  readonly serial: string;
  readonly certificate: Certificate;
  /** Its issuers, as far as the folder has them. */
  readonly issuers: readonly Certificate[];
  readonly request: CertificationRequest | Withheld;
  readonly transaction: string;
  /** The one by which it was handed out. */
  readonly issued: LoggedEvent;
  readonly intended: LoggedEvent;
  /** All that are about it or its request, oldest first. */
  readonly events: readonly LoggedEvent[];
};

export type ProvenEvidence = {
  readonly manifest: EvidenceContents;
  readonly certificates: readonly CertificateEvidence[];
  /** All, oldest first. */
  readonly events: readonly LoggedEvent[];
  /** Of the document that is in it, whose digest an event has. */
  readonly configuration: { readonly digest: string } | undefined;
};

type Trust = {
  /** One of a log is enough, and one for each key where that was lost and replaced. */
  readonly verifiers: readonly [Verifier, ...Verifier[]];
  /** CAs, or roots above them. */
  readonly trusted: readonly Certificate[];
};

/** @throws {Malformed} that names the first file that is wrong, and why */
export async function verifyEvidence(read: ReadFile, trust: Trust): Promise<ProvenEvidence> {
  const manifest = readManifest(await fileText(read, evidencePaths.manifest));
  const logged: LoggedEvent[] = [];
  for (const id of manifest.events) logged.push(await readLogged(read, id, trust.verifiers));
  const events = logged.sort((a, b) => (a.event.id < b.event.id ? -1 : 1));
  for (const one of events) requireRemembered(one, events);
  const chain = await readChain(read);
  const certificates: CertificateEvidence[] = [];
  for (const { serial, request } of manifest.certificates) {
    certificates.push(await readOne(read, { serial, request, events, chain, trust }));
  }
  requireUsed(chain, certificates);
  for (const one of events) requireRelated(one, certificates);
  const configuration = manifest.configuration
    ? await readConfiguration(read, certificates)
    : undefined;
  return { manifest, certificates, events, configuration };
}

type One = EvidenceContents['certificates'][number] & {
  readonly events: readonly LoggedEvent[];
  readonly chain: readonly Certificate[];
  readonly trust: Trust;
};

async function readOne(
  read: ReadFile,
  { serial, request: kept, events, chain, trust: { trusted } }: One,
): Promise<CertificateEvidence> {
  const path = evidencePaths.certificate(serial);
  const certificate = await pemOf(read, path, 'CERTIFICATE', readCertificate);
  if (hex(certificate.serial) !== serial) {
    throw wrong(path, `is the certificate ${hex(certificate.serial)}, and not ${serial}`);
  }
  const about = events.filter(({ event }) => event.serial === serial);
  const issued = only(about, 'certificate.issued', path);
  const intended = only(about, 'certificate.intended', path);
  // Where others are told of it before it is handed out, an event before that has its hash.
  const signed = issued.event.certificateHash ? issued : only(about, 'certificate.signed', path);
  const { transaction = '', csrHash } = issued.event;
  if (signed.event.certificateHash !== fingerprint(certificate.der)) {
    throw wrong(path, `is not the certificate of which event ${signed.event.id} has the hash`);
  }
  const issuers = await issuersOf(certificate, chain);
  await requireWhole(issuers, serial, trusted);
  const anchored = await issuersOf(certificate, [...trusted, ...chain]);
  const isTrusted = anchored.some((one) => trusted.some(({ der }) => equal(der, one.der)));
  if (!isTrusted) throw wrong(path, 'was not issued by the CA, or by one below it');
  const isSame =
    intended.event.tbsHash === fingerprint(certificate.tbs) &&
    intended.event.transaction === transaction &&
    intended.event.csrHash === csrHash;
  if (!isSame) {
    throw wrong(
      evidencePaths.event(intended.event.id),
      `tells of another certificate than ${serial}`,
    );
  }
  for (const { event, personal } of [intended, issued]) {
    const { subject = '' } = personal ?? {};
    if (personal && subject !== printName(certificate.subject)) {
      throw wrong(path, `is of another subject than event ${event.id} names: ${visible(subject)}`);
    }
  }
  const request = kept === 'whole' ? await readRequest(read, serial, certificate, csrHash) : kept;
  return {
    ...{ serial, certificate, issuers, request, transaction, issued, intended },
    events: events.filter(({ event }) => isAbout(event, serial, transaction)),
  };
}

const isAbout = (event: LoggedEvent['event'], serial: string, transaction: string): boolean =>
  event.serial === serial || event.transaction === transaction;

function only(events: readonly LoggedEvent[], type: string, path: string): LoggedEvent {
  const [one, ...more] = events.filter(({ event }) => event.type === type);
  if (one && more.length === 0) return one;
  throw wrong(path, `has ${one ? 'several events' : 'no event'} ${type}`);
}

/** It is what came, its key is that of the certificate, and whoever sent it had the private key. */
async function readRequest(
  read: ReadFile,
  serial: string,
  certificate: Certificate,
  csrHash: string | undefined,
): Promise<CertificationRequest> {
  const path = evidencePaths.request(serial);
  const csr = await pemOf(read, path, 'CERTIFICATE REQUEST', readCertificationRequest);
  if (!equal(raw(csr.spki), raw(certificate.spki))) {
    throw wrong(path, 'asks for another key than the certificate has');
  }
  if (fingerprint(csr.der) !== csrHash) throw wrong(path, 'is not the request that came');
  const { publicKey, scheme, info, signature } = csr;
  const proven = publicKey && scheme && (await verifySignature(publicKey, scheme, info, signature));
  if (!proven) throw wrong(path, 'is not signed with the key that it asks for');
  return csr;
}

/** The chain goes on from the certificate to one that signed itself, or that a trusted one has issued. */
async function requireWhole(
  issuers: readonly Certificate[],
  serial: string,
  trusted: readonly Certificate[],
): Promise<void> {
  const top = issuers.at(-1);
  if (top && (await issuersOf(top, [top, ...trusted])).length > 0) return;
  throw wrong(evidencePaths.chain, `does not lead from the certificate ${serial} to a CA`);
}

/** All of the chain are issuers of a certificate, up to one that signed itself. */
function requireUsed(
  chain: readonly Certificate[],
  certificates: readonly CertificateEvidence[],
): void {
  const used = new Set(certificates.flatMap(({ issuers }) => issuers));
  const other = chain.find((one) => !used.has(one));
  if (other) {
    const name = visible(printName(other.subject));
    throw wrong(evidencePaths.chain, `has a certificate that issued none of these: ${name}`);
  }
}

/** The second body is there, or an event tells that it was forgotten. */
function requireRemembered({ event, personal }: LoggedEvent, events: readonly LoggedEvent[]): void {
  if (personal || event.personalHash === undefined) return;
  const forgotten = events.some(
    ({ event: { id, type, transaction } }) =>
      type === 'log.forgotten' && transaction === event.transaction && id > event.id,
  );
  if (event.transaction === undefined || !forgotten) {
    const path = evidencePaths.personal(event.id);
    throw wrong(path, 'is missing, and no event log.forgotten tells that it was forgotten');
  }
}

/** It is about one of the certificates, about its challenge, or about the configuration. */
function requireRelated(
  { event }: LoggedEvent,
  certificates: readonly CertificateEvidence[],
): void {
  const related = certificates.some(({ serial, transaction, issued, intended }) => {
    const { authorizedBy = [] } = issued.event;
    return (
      isAbout(event, serial, transaction) ||
      authorizedBy.includes(`challenge ${event.challengeId}`) ||
      (event.type === 'config.applied' && event.configHash === intended.event.configHash)
    );
  });
  if (!related) throw wrong(evidencePaths.event(event.id), 'is about none of these certificates');
}

async function readConfiguration(
  read: ReadFile,
  certificates: readonly CertificateEvidence[],
): Promise<ProvenEvidence['configuration']> {
  const path = evidencePaths.configuration;
  // As it was hashed: a member that stands in it twice would be another to whoever reads it.
  const digest = hex(hash('SHA-256', utf8(await fileText(read, path))));
  if (certificates.some(({ intended }) => intended.event.configHash === digest)) {
    return { digest };
  }
  throw wrong(path, 'is not the configuration by which a certificate was issued');
}
