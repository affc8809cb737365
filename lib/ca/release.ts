// The release gate: a certificate that a validator has to be told of is committed as `signed`, and
// nobody sees it before every such validator has answered `release`. A third write releases it; a
// definite refusal, or an hour without an answer, revokes it unseen.

import { type Bytes, fromBase64 } from '../bytes.ts';
import { isOutside } from '../enrolment.ts';
import { Outage } from '../errors.ts';
import { SWEEP_AFTER_MS } from '../limits.ts';
import type { Actor } from '../log/event.ts';
import type { CertificateRecord, Transaction } from '../ports/records.ts';
import { readCertificate } from '../x509/certificate.ts';
import { moved } from './attempt.ts';
import type { Deps } from './deps.ts';
import { eventOf } from './issue.ts';
import { certificateKey } from './keys.ts';
import { noteSubject } from './known-subject.ts';
import { loadTransaction } from './recall.ts';
import { enter, registerKeys } from './register.ts';
import { Draft, View } from './view.ts';

/**
 * Ids of the validators that gate an endpoint's certificates.
 * @throws {Outage} for one that is not there: nobody knows whether it would have been a gate
 */
export function gatesOf({ validators }: Deps, list: readonly string[]): string[] {
  return list.filter((id) => {
    if (!isOutside(id)) return false;
    const validator = validators.get(id);
    if (!validator) throw new Outage(`the validator "${id}" is not there`);
    return validator.notify !== undefined;
  });
}

/**
 * Asks every gate that was on record when the certificate was signed, whatever the configuration says
 * by now, and writes what they said.
 * @returns `lost` when somebody else has written it in the meantime
 * @throws {Outage} when a gate could not say, and its hour is not over
 */
export async function release(
  deps: Deps,
  transaction: Transaction,
  certificate: CertificateRecord,
  actor: Actor,
): Promise<'issued' | 'revoked' | 'lost'> {
  const der = fromBase64(certificate.der ?? '');
  const now = deps.clock.now();
  let verdict: 'issued' | 'revoked';
  try {
    verdict = (await asked(deps, transaction, der)) ? 'issued' : 'revoked';
  } catch (error) {
    if (now < (transaction.leaseUntil ?? 0) + SWEEP_AFTER_MS) {
      throw new Outage(
        `a release gate did not answer: ${error instanceof Error ? error.message : error}`,
      );
    }
    verdict = 'revoked';
  }
  return settle(deps, transaction, verdict, actor);
}

async function asked(
  { validators }: Deps,
  transaction: Transaction,
  certificate: Bytes,
): Promise<boolean> {
  const { gates = [] } = transaction;
  if (gates.length === 0) throw new Outage(`${transaction.id} waits for a gate that is not named`);
  for (const id of gates) {
    const answer = await validators.get(id)?.notify?.({
      requestHash: transaction.requestHash,
      endpoint: transaction.endpoint,
      transactionID: transaction.transactionIDs[0] ?? '',
      csr: fromBase64(transaction.csr),
      serial: transaction.serial ?? '',
      certificate,
    });
    if (answer === undefined) throw new Outage(`the validator "${id}" is not there`);
    if (answer === 'refuse') return false;
  }
  return true;
}

/** The third write, from `signed`. */
async function settle(
  deps: Deps,
  { id, serial }: Transaction,
  verdict: 'issued' | 'revoked',
  actor: Actor,
): Promise<'issued' | 'revoked' | 'lost'> {
  for (;;) {
    const now = deps.clock.now();
    const view = new View(deps.store);
    const { transaction, certificate } = await loadTransaction(view, id);
    if (transaction?.state !== 'signed' || transaction.serial !== serial || !certificate)
      return 'lost';
    await view.load(registerKeys(transaction.ca, [certificate.serial]));
    const draft = new Draft(view);
    const { sealedPassword: _sealed, ...rest } = transaction;
    const left = verdict === 'issued' ? transaction : rest;
    const next = moved(left, verdict, now, actor.kind === 'device' ? undefined : actor.kind);
    draft.put(
      'transaction',
      id,
      verdict === 'issued' ? next : { ...next, reason: 'releaseRefused' },
    );
    if (verdict === 'revoked') {
      enter(draft, { ...certificate, unseen: true }, 'unspecified', now);
    } else {
      const key = certificateKey(next.ca, certificate.serial);
      draft.put('certificate', key, { ...certificate, state: verdict });
      const { subject } = readCertificate(fromBase64(certificate.der ?? ''));
      await noteSubject(deps, view, draft, next, subject);
    }
    const type = verdict === 'issued' ? 'certificate.issued' : 'certificate.revoked';
    draft.event(now, deps.random, { ...eventOf(next), type, actor });
    if ((await deps.store.write(draft.actions)) === 'done') return verdict;
  }
}
