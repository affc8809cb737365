// The validators outside, such as an MDM: each is asked, and each must allow.

import { errorText, Outage } from '../../base/errors.ts';
import type { Config } from '../../config/config.ts';
import type { Endpoint } from '../../config/endpoint/endpoint.ts';
import { isOutside, keepsChallenge } from '../../config/endpoint/enrolment.ts';
import { givesNames } from '../../config/outside/validators.ts';
import type { Transaction, Verdict } from '../../ports/records/transaction.ts';
import type { ValidationRequest, Validator } from '../../ports/validator.ts';
import { shortened } from '../../refusal/evidence.ts';
import { type Reason, reasons } from '../../refusal/reasons.ts';
import { redact } from '../../x509/csr.ts';
import { asItCame } from '../approve/sealed.ts';
import type { Deps } from '../deps.ts';
import type { EnrolmentRequest } from '../enrol/request.ts';
import { byValidator, type Denied, deny, type Grounds } from './grounds.ts';

/**
 * @param list the endpoint's: those outside among it are asked
 * @throws {Outage} when one gave no answer
 */
export async function askValidators(
  deps: Deps,
  question: ValidationRequest,
  list: readonly string[],
  grounds: Omit<Grounds, 'gates'>,
): Promise<{ readonly kind: 'allow'; readonly grounds: Grounds } | Denied> {
  const by = [...grounds.by];
  const verdicts: Verdict[] = [...(grounds.verdicts ?? [])];
  const gates: string[] = [];
  for (const id of list.filter(isOutside)) {
    const validator = validatorOf(deps, id);
    const { allow, note } = await validator.validate(question);
    const says = note ? { says: shortened(note) } : {};
    verdicts.push({ validator: id, allows: allow, ...says });
    if (!allow) {
      const refused = deny('validatorRefused', { validator: id, ...(note ? { note } : {}) });
      return { ...refused, verdicts };
    }
    by.push(byValidator(id));
    if (validator.notify) gates.push(id);
  }
  return { kind: 'allow', grounds: { ...grounds, by, verdicts, gates } };
}

/**
 * Ids of the validators that gate an endpoint's certificates.
 * @throws {Outage} for an unknown validator, because it might have been a gate
 */
export const gatesOf = (deps: Pick<Deps, 'validators'>, list: readonly string[]): string[] =>
  list.filter((id) => isOutside(id) && validatorOf(deps, id).notify !== undefined);

/** Whether what a device may use its certificate for is the word of a validator outside, and is so of renewals, too. */
export const areJudgedWhole = ({ validators }: Config, { enrol, renew }: Endpoint): boolean =>
  !keepsChallenge(enrol) &&
  renew.authorize.some((id) => {
    const one = validators.get(id);
    return one !== undefined && givesNames(one);
  });

export const questionOf = ({
  endpoint,
  transactionID,
  requestHash,
  csr,
  until,
}: EnrolmentRequest): ValidationRequest => ({
  requestHash,
  endpoint: endpoint.id,
  transactionID,
  csr: keepsChallenge(endpoint.enrol) ? redact(csr) : csr.der,
  until,
});

/**
 * Of a request that is on record, as it was first asked about: a challengePassword of theirs says what it is about.
 * @param csr as it is kept @throws {Outage} when what is sealed of it does not open
 */
export async function questionAbout(
  deps: Pick<Deps, 'macKeys'>,
  transaction: Transaction,
  { csr, until }: Pick<ValidationRequest, 'csr' | 'until'>,
): Promise<ValidationRequest> {
  const { requestHash, endpoint, transactionIDs } = transaction;
  const der = await asItCame(deps, transaction, csr);
  return { requestHash, endpoint, transactionID: transactionIDs[0] ?? '', csr: der, until };
}

/**
 * Tells those that want to know that no certificate comes of a request. Nothing hangs on it: what could not be told is a
 * line of the log.
 */
export async function tellRefused(
  { validators, log }: Pick<Deps, 'validators' | 'log'>,
  ids: readonly string[],
  question: ValidationRequest,
  reason: Reason,
): Promise<void> {
  for (const id of ids) {
    try {
      await validators.get(id)?.refused?.({ ...question, reason, text: reasons[reason].text });
    } catch (error) {
      const { endpoint, transactionID } = question;
      const detail = `the validator "${id}" was not told of a refusal: ${errorText(error)}`;
      log({ event: 'validator.untold', severity: 'warning', endpoint, transactionID, detail });
    }
  }
}

function validatorOf({ validators }: Pick<Deps, 'validators'>, id: string): Validator {
  const validator = validators.get(id);
  if (!validator) throw new Outage(`the validator "${id}" is not there`);
  return validator;
}
