// The release gate: a certificate that a validator must be told of is committed as `signed`, and is handed
// out only after every such validator has answered `release`. A third write releases it; a definite
// refusal, or an hour without an answer, revokes it before anyone has seen it.

import { type Bytes, fromBase64 } from '../../base/bytes.ts';
import { errorText, Outage } from '../../base/errors.ts';
import { SWEEP_AFTER_MS } from '../../base/limits.ts';
import type { Actor } from '../../events/event.ts';
import type { CertificateRecord } from '../../ports/records/certificate.ts';
import type { Transaction } from '../../ports/records/transaction.ts';
import type { ValidationRequest } from '../../ports/validator.ts';
import { readCertificate } from '../../x509/certificate.ts';
import { questionAbout, tellRefused } from '../authorize/validators.ts';
import type { Deps } from '../deps.ts';
import { noteSubject } from '../enrol/issued-subjects.ts';
import { csrOf, loadTransaction } from '../enrol/lookup.ts';
import { certificateKey } from '../record/keys.ts';
import { eventOf } from '../record/transaction-event.ts';
import { moved } from '../record/transition.ts';
import { Draft, View } from '../record/unit-of-work.ts';
import { enter, loadRegister } from '../revoke/register.ts';

type Asking = {
  readonly actor: Actor;
  /** Milliseconds since 1970: the gates have until then. */
  readonly until: number;
};

/**
 * Asks every gate that was on record when the certificate was signed, even if the configuration has changed,
 * and writes the result.
 * @returns `lost` when another process has settled it in the meantime: nothing was written here; the caller
 *   reads the Transaction again and answers by what that says
 * @throws {Outage} when a gate could not say, and its hour is not over
 */
export async function release(
  deps: Deps,
  transaction: Transaction<'signed'>,
  certificate: CertificateRecord<'signed'>,
  { actor, until }: Asking,
): Promise<'issued' | 'revoked' | 'lost'> {
  const now = deps.clock.now();
  let question: ValidationRequest | undefined;
  let verdict: 'issued' | 'revoked';
  try {
    const csr = await csrOf(new View(deps.store), transaction);
    question = await questionAbout(deps, transaction, { csr, until });
    const goes = certificate.lineage.endedBy === undefined;
    const der = fromBase64(certificate.der);
    verdict = goes && (await asked(deps, transaction, question, der)) ? 'issued' : 'revoked';
  } catch (error) {
    if (now < transaction.leaseUntil + SWEEP_AFTER_MS) {
      throw new Outage(`a release gate did not answer: ${errorText(error)}`);
    }
    verdict = 'revoked';
  }
  const settled = await settle(deps, transaction, verdict, actor);
  if (settled === 'revoked' && question) {
    await tellRefused(deps, transaction.gates, question, 'releaseRefused');
  }
  return settled;
}

async function asked(
  { validators }: Deps,
  { id: transaction, gates, serial }: Transaction<'signed'>,
  question: ValidationRequest,
  certificate: Bytes,
): Promise<boolean> {
  if (gates.length === 0) throw new Outage(`${transaction} waits for a gate that is not named`);
  for (const id of gates) {
    const answer = await validators.get(id)?.notify?.({ ...question, serial, certificate });
    if (answer === undefined)
      throw new Outage(
        `the configuration has no validator "${id}" that is told of certificates, as it had when this one was signed: name it there again until none waits`,
      );
    if (answer === 'refuse') return false;
  }
  return true;
}

/** The third write, from `signed`. */
async function settle(
  deps: Deps,
  { id, serial }: Transaction<'signed'>,
  said: 'issued' | 'revoked',
  actor: Actor,
): Promise<'issued' | 'revoked' | 'lost'> {
  for (;;) {
    const now = deps.clock.now();
    const view = new View(deps.store);
    const { transaction, certificate } = await loadTransaction(view, id);
    if (transaction?.state !== 'signed' || transaction.serial !== serial) return 'lost';
    if (certificate?.state !== 'signed') return 'lost';
    const blocked = { kind: 'blockedKey', key: certificate.keyHash } as const;
    await loadRegister(view, [certificate], [blocked]);
    // What it renews may have been revoked while the gates were asked, or its key blocked.
    const stopped =
      certificate.lineage.endedBy !== undefined || view.get(blocked.kind, blocked.key);
    const verdict = stopped ? 'revoked' : said;
    const draft = new Draft(view);
    draft.hold(blocked.kind, blocked.key);
    const by = actor.kind === 'device' ? undefined : { by: actor.kind };
    const { gateChallenge: _gate, ...told } = transaction;
    let next: Transaction<'issued' | 'revoked'>;
    if (verdict === 'revoked') {
      const { sealedPassword: _sealed, ...others } = told;
      next = { ...others, ...moved(transaction, 'revoke', now, by), reason: 'releaseRefused' };
      enter(draft, certificate, { reason: 'unspecified', at: now, unseen: true });
    } else {
      next = { ...told, ...moved(transaction, 'issue', now, by) };
      const issued: CertificateRecord<'issued'> = { ...certificate, state: verdict };
      draft.put('certificate', certificateKey(next.ca, certificate.serial), issued);
      const { subject } = readCertificate(fromBase64(certificate.der));
      await noteSubject(deps, draft, next, subject);
    }
    draft.put('transaction', id, next);
    const type = verdict === 'issued' ? 'certificate.issued' : 'certificate.revoked';
    draft.event(now, deps.random, { ...eventOf(next), type, actor });
    if ((await deps.store.write(draft.actions)) === 'done') return verdict;
  }
}
