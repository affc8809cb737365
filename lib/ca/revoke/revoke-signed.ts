// Revokes a certificate without a good record (RFC 5280 §5): one of the CA's own RA, or one whose record was
// altered, deleted or put
// back. Its signature proves that the CA issued it, so the certificate itself is enough; only
// the register is written, and the next CRL has it. A certificate with a good record is revoked like any
// other.

import { base64, fromBase64, hex } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { MAX_ISSUE_ROUNDS } from '../../base/limits.ts';
import type { RaGenerationState, RegisterReason } from '../../base/words.ts';
import type { Actor } from '../../events/event.ts';
import { isUnreleased } from '../../ports/records/certificate.ts';
import {
  type Certificate,
  fingerprint,
  isIssuedBy,
  publicKeyOf,
  readCertificate,
} from '../../x509/certificate.ts';
import { printName } from '../../x509/names/name.ts';
import type { Deps } from '../deps.ts';
import { loadNew, type Remembered } from '../record/idempotency.ts';
import { certificateKey, keyHash } from '../record/keys.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { partitionOf } from './partitions.ts';
import { enter, listed, list as putIn } from './register.ts';
import { revoke } from './revoke.ts';
import { standing } from './standing.ts';

type SignedRevocation = {
  readonly ca: string;
  readonly certificate: Certificate;
  readonly reason: RegisterReason;
  readonly actor: Actor;
};

export type RevokedSigned = {
  readonly ca: string;
  readonly serial: string;
  readonly subject: string;
  readonly notAfter: number;
  /** Its entry in the register now. */
  readonly reason: RegisterReason;
  /** It was so already. */
  readonly unchanged?: true;
  /** For an RA certificate: its generation, which stays in use until an operator retires it. */
  readonly generation?: { readonly id: number; readonly state: RaGenerationState };
};

/** Why nothing was done. */
export type NotRevoked =
  /** A certificate of another CA, or the CA's own, which its CRL cannot revoke. */
  | 'foreign'
  | 'own'
  /** It is revoked, and can neither be held nor released. */
  | 'revoked'
  /** An RA generation that is announced, or will be: devices would get a revoked RA certificate. */
  | 'announced';

/** @throws {Outage} when our own side failed; asking again is safe @throws {Repeated} */
export async function revokeSigned(
  deps: Deps,
  { ca, certificate, reason, actor }: SignedRevocation,
  remembered?: Remembered<RevokedSigned>,
): Promise<RevokedSigned | NotRevoked> {
  const issuer = await deps.cas.certificate(ca);
  const key = publicKeyOf(issuer);
  const spki = publicKeyOf(certificate)?.spki;
  if (!(await isIssuedBy(certificate, { subject: issuer.subject, key }))) return 'foreign';
  if (!spki || (key && keyHash(key.spki) === keyHash(spki))) return 'own';
  const { notAfter } = certificate;
  const serial = hex(certificate.serial);
  const subject = printName(certificate.subject);
  const blocked = { kind: 'blockedKey', key: keyHash(spki) } as const;
  for (let round = 0; round < MAX_ISSUE_ROUNDS; round++) {
    const now = deps.clock.now();
    const view = new View(deps.store);
    const keys = [
      { kind: 'certificate', key: certificateKey(ca, serial) },
      { kind: 'authority', key: ca },
      blocked,
    ] as const;
    await loadNew(view, keys, remembered, now);
    const generation = generationOf(view, ca, serial);
    const done: RevokedSigned = {
      ...{ ca, serial, notAfter, subject, reason },
      ...(generation ? { generation } : {}),
    };
    const kept = remembered && { once: remembered.once, answer: () => remembered.answer(done) };
    const kin = view.get('certificate', certificateKey(ca, serial));
    if (kin && !isUnreleased(kin)) {
      const said = await revoke(deps, { ca, serial, reason, actor }, kept);
      if (said === 'done') return done;
      if (said === 'unchanged') {
        return { ...done, reason: kin.revocationReason ?? reason, unchanged: true };
      }
      if (said === 'revoked') return said;
      continue;
    }
    const compromised = reason === 'keyCompromise';
    const announced = generation?.state === 'current' || generation?.state === 'prepared';
    if (announced && !compromised) return 'announced';
    const { partitions = [] } = view.get('authority', ca) ?? {};
    const partition = partitionOf({ id: ca, partitions }, certificate);
    const about = { ca, serial, notAfter, ...(partition === undefined ? {} : { partition }) };
    const before = await listed(view, about);
    const blocks = compromised && view.unaltered('blockedKey', blocked.key) === undefined;
    const how = standing(before?.reason, reason);
    if (how === 'excluded') return 'revoked';
    if (how === 'unchanged' && !blocks) {
      return { ...done, reason: before?.reason ?? reason, unchanged: true };
    }
    const draft = new Draft(view);
    const told = {
      actor,
      ca,
      serial,
      subject,
      reason,
      certificateHash: fingerprint(certificate.der),
    };
    if (blocks) {
      draft.put('blockedKey', blocked.key, { ca, serial, at: now });
      draft.event(now, deps.random, { ...told, type: 'key.blocked', keyHash: blocked.key });
    }
    if (how !== 'unchanged') {
      const at = how === 'raised' ? Math.min(before?.at ?? now, now) : now;
      // One that nobody has been given, and whoever asks has: another hand has put an earlier record back.
      if (!kin) putIn(draft, about, reason, at);
      else {
        const der = base64(certificate.der);
        enter(draft, { ...kin, ...about, state: 'signed', der }, { reason, at });
      }
      const usual = eventTypes[reason] ?? 'certificate.revoked';
      const type = how === 'raised' ? 'certificate.reasonRaised' : usual;
      draft.event(now, deps.random, { ...told, type });
    }
    remembered?.once.remember(draft, now, remembered.answer(done));
    if ((await deps.store.write(draft.actions)) === 'done') return done;
  }
  throw new Outage(`${serial} kept changing while it was to be revoked`);
}

const eventTypes: Partial<Record<RegisterReason, 'certificate.held' | 'certificate.released'>> = {
  certificateHold: 'certificate.held',
  removeFromCRL: 'certificate.released',
};

/** The RA generation with this serial number, unless it is retired and so not in use. */
function generationOf(view: View, ca: string, serial: string): RevokedSigned['generation'] {
  const found = view
    .get('authority', ca)
    ?.generations.find(
      ({ state, certificate }) =>
        state !== 'retired' && hex(readCertificate(fromBase64(certificate)).serial) === serial,
    );
  return found && { id: found.id, state: found.state };
}
