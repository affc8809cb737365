// What only an operator does, for a process that may do it: the embedded server, which has its store and its
// keys alone, or an operator's own command. A function of AWS and a Worker may not, whoever asks them.

import { HttpFailure, Outage } from '../../base/errors.ts';
import { everyCa } from '../../ca/authority/known.ts';
import type { AdminDeps, Operator } from '../../ca/deps.ts';
import type { Authority } from '../../config/config.ts';
import { noRight } from './no-right.ts';

/**
 * Does what an operator asks. Trouble is told in its own words, because nobody but the operator can end it.
 * @throws {HttpFailure} 409
 */
export async function operated<T>(
  { operator }: AdminDeps,
  work: (operator: Operator) => Promise<T>,
): Promise<T> {
  if (!operator) throw noRight();
  try {
    return await work(operator);
  } catch (error) {
    if (isTold(error)) throw new HttpFailure(409, error.message);
    throw error;
  } finally {
    operator.reload();
  }
}

/** An outage, or an error of the system or of a folder of keys; anything else is a fault of the code. */
const isTold = (error: unknown): error is Error =>
  error instanceof Outage || (error instanceof Error && error.constructor === Error);

/** Also of one that the configuration does not name any more. @throws {HttpFailure} 404 */
export async function requireCa(deps: AdminDeps, name: string): Promise<void> {
  if (!(await everyCa(deps)).includes(name)) authorityOf(deps, name);
}

/** @throws {HttpFailure} 404 */
export function authorityOf({ config }: AdminDeps, name: string): Authority {
  const authority = config.cas.get(name);
  if (authority) return authority;
  const known = [...config.cas.keys()].map((id) => `"${id}"`).join(', ');
  throw new HttpFailure(404, `the configuration has no CA "${name}": it has ${known}`);
}
