// Orders to revoke that a validator outside has, such as Intune for a device that was wiped: they are taken, carried out,
// and their results told. An order that is taken twice does no harm: what is revoked stays so.

import { errorText, Outage } from '../../base/errors.ts';
import { OUTSIDE_MS, REVOCATION_BATCH, REVOCATION_BATCHES } from '../../base/mdm-limits.ts';
import { outsideOf } from '../../config/endpoint/enrolment.ts';
import type { RevocationOrder, RevocationQueue, RevocationResult } from '../../ports/validator.ts';
import { printName } from '../../x509/names/name.ts';
import { byValidator } from '../authorize/grounds.ts';
import type { Deps } from '../deps.ts';
import { certificateKey } from '../record/keys.ts';
import { View } from '../record/unit-of-work.ts';
import { revoke } from '../revoke/revoke.ts';

type Carried = { readonly revoked: number; readonly failed: number };

/** @throws {Outage} when the queue gave no answer; what was carried out is told at the next run */
export async function carryOutRevocations(
  deps: Deps,
  validator: string,
  queue: RevocationQueue,
): Promise<Carried> {
  let [revoked, failed] = [0, 0];
  for (const ca of casAsking(deps, validator)) {
    const authority = deps.config.cas.get(ca);
    if (!authority) continue;
    const issuer = printName(authority.subject);
    for (let batch = 0; batch < REVOCATION_BATCHES; batch++) {
      const orders = await queue.take(REVOCATION_BATCH, issuer, deps.clock.now() + OUTSIDE_MS);
      const results: RevocationResult[] = [];
      for (const order of orders) results.push(await carryOut(deps, validator, ca, order));
      await queue.report(results, deps.clock.now() + OUTSIDE_MS);
      const done = results.filter((result) => result.done).length;
      revoked += done;
      failed += results.length - done;
      // Whatever could not be done would only be given again.
      if (orders.length < REVOCATION_BATCH || done === 0) break;
    }
  }
  return { revoked, failed };
}

/** CAs of the endpoints that ask it. */
const casAsking = ({ config }: Deps, validator: string): ReadonlySet<string> =>
  new Set(
    [...config.endpoints.values()]
      .filter((endpoint) => outsideOf(endpoint).includes(validator))
      .map(({ ca }) => ca),
  );

async function carryOut(
  deps: Deps,
  validator: string,
  ca: string,
  { context, serial }: RevocationOrder,
): Promise<RevocationResult> {
  const failed = (
    problem: Extract<RevocationResult, { readonly done: false }>['problem'],
    text: string,
  ): RevocationResult => ({ context, done: false, problem, text });
  try {
    if (!(await isItsOwn(deps, validator, ca, serial))) {
      return failed('notFound', 'no certificate that it has allowed has this serial number');
    }
    const actor = { kind: 'system', id: byValidator(validator) } as const;
    const done = await revoke(deps, { ca, serial, reason: 'unspecified', actor });
    if (done === 'done' || done === 'unchanged') return { context, done: true };
    return failed('unavailable', `the certificate is ${done}`);
  } catch (error) {
    if (!(error instanceof Outage)) throw error;
    return failed('unavailable', errorText(error));
  }
}

/** Nobody outside revokes what was issued without them. */
async function isItsOwn(
  { store }: Deps,
  validator: string,
  ca: string,
  serial: string,
): Promise<boolean> {
  if (!/^[0-9a-f]{1,64}$/.test(serial)) return false;
  const view = new View(store);
  const key = certificateKey(ca, serial);
  await view.load([{ kind: 'certificate', key }]);
  const certificate = view.get('certificate', key);
  if (!certificate) return false;
  await view.load([{ kind: 'transaction', key: certificate.transaction }]);
  const transaction = view.get('transaction', certificate.transaction);
  return transaction?.authorizedBy.includes(byValidator(validator)) === true;
}
