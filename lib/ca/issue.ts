// An authorized request becomes one certificate: prepare, intend, sign, verify, commit. Nothing is
// signed that was not recorded before, and only the process that built a TBSCertificate signs it.

import { type Bytes, hex } from '../bytes.ts';
import { hash } from '../cms/native.ts';
import { Outage, ScepFailure } from '../errors.ts';
import { LEASE_MS, SERIAL_OCTETS } from '../limits.ts';
import { ulid } from '../ulid.ts';
import { signed } from '../x509/certificate.ts';
import { redact } from '../x509/csr.ts';
import { lintTbsCertificate } from '../x509/lint.ts';
import { verifySignature } from '../x509/public-key.ts';
import type { Authorization } from './authorize.ts';
import type { Ca } from './ca-certificates.ts';
import type { Deps } from './deps.ts';
import { buildTbsCertificate } from './policy.ts';

export type Issued = {
  readonly transaction: string;
  /** Hexadecimal. */
  readonly serial: string;
  /** The certificate, DER. */
  readonly der: Bytes;
};

/**
 * @returns `conflict` when something changed since recall: recall and authorize again
 * @throws {ScepFailure} requestLint for names that cannot be certified
 * @throws {Outage} when our own side failed; the request may simply be sent again
 */
export async function issue(
  deps: Deps,
  authorization: Authorization,
  now: number,
): Promise<Issued | 'conflict'> {
  const { request, challenge, supersedes } = authorization;
  const { ca, csr } = request;
  const { serial, tbs, notAfter } = prepare(deps, authorization, now);
  const id = ulid(now, deps.random(10));
  const intended = await deps.transactions.intend({
    now,
    supersedes,
    transaction: {
      id,
      endpoint: request.endpoint.id,
      ca: ca.id,
      state: 'intended',
      messageType: request.messageType,
      signer: request.signer.identity,
      requestHash: request.requestHash,
      transactionID: request.message.transactionID,
      csr: redact(csr),
      csrHash: hex(hash('SHA-256', csr.der)),
      serial,
      leaseUntil: now + LEASE_MS,
      challenge: challenge.key,
      createdAt: now,
    },
    certificate: {
      ca: ca.id,
      serial,
      state: 'intended',
      tbsHash: hex(hash('SHA-256', tbs)),
      der: undefined,
      transaction: id,
      notAfter,
    },
  });
  // 128 random bits that are taken are a broken generator or a broken store, not bad luck.
  if (intended === 'serialTaken') throw new Outage('a fresh serial number is taken already');
  if (intended === 'conflict') return 'conflict';
  const der = signed(tbs, ca.scheme, await sign(deps, ca, tbs));
  const committed = await deps.transactions.commit(id, serial, der);
  return committed === 'lost' ? 'conflict' : { transaction: id, serial, der };
}

/** The TBSCertificate, linted. Nothing is written. */
function prepare(deps: Deps, { request, names }: Authorization, now: number) {
  const { ca, csr, endpoint } = request;
  const serial = drawSerial(deps.random(SERIAL_OCTETS));
  if (now >= ca.certificate.notAfter) throw new Outage(`the CA "${ca.id}" has expired`);
  const built = buildTbsCertificate(deps.config, ca, endpoint.profile, names, csr, serial, now);
  const finding = lintTbsCertificate(built.tbs, ca.scheme, {
    issuer: ca.certificate.subject,
    issuerKeyIdentifier: ca.keyIdentifier,
    issuerNotBefore: ca.certificate.notBefore,
    issuerNotAfter: ca.certificate.notAfter,
  });
  if (finding?.blame === 'request') throw new ScepFailure('requestLint', { lint: finding.id });
  if (finding) throw new Outage(`lint ${finding.id} (${finding.citation}) of our own certificate`);
  return { ...built, serial: hex(serial) };
}

/** Positive and of full length: the top bit clear, the next one set. */
export function drawSerial(random: Bytes): Bytes {
  random[0] = ((random[0] ?? 0) & 0x7f) | 0x40;
  return random;
}

/** A signature of the CA over `tbs`, verified: a faulty one would be worse than none. */
export async function sign(deps: Pick<Deps, 'signer'>, ca: CaKey, tbs: Bytes): Promise<Bytes> {
  const signature = await deps.signer.sign(ca.keyReference, ca.algorithm, tbs);
  if (!(await verifySignature(ca.key, ca.scheme, tbs, signature))) {
    throw new Outage('the CA key gave a signature that does not verify');
  }
  return signature;
}
export type CaKey = Pick<Ca, 'keyReference' | 'algorithm' | 'key' | 'scheme'>;
