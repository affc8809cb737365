// What would become of a request, by the functions that answer a device's: from its lookup to the signature, with ports
// that change nothing: a store that only reads, a signer that only looks at what it should sign.

import type { Bytes } from '../../../base/bytes.ts';
import type { Deps } from '../../../ca/deps.ts';
import { enrol } from '../../../ca/enrol/enrol.ts';
import type { JudgedRefusal } from '../../../ca/enrol/refused-record.ts';
import type { EnrolmentRequest } from '../../../ca/enrol/request.ts';
import { requireGoodKeys } from '../../../ca/policy/good-key.ts';
import { Tally } from '../../../ca/tally.ts';
import type { Config } from '../../../config/config.ts';
import type { Verdict } from '../../../ports/records/transaction.ts';
import type { Action, Row, Store } from '../../../ports/store.ts';
import type { Validator } from '../../../ports/validator.ts';
import type { Evidence } from '../../../refusal/evidence.ts';
import { type Reason, Refusal } from '../../../refusal/reasons.ts';

/** What is as it is given, whatever the store and the validators would say. */
export type Given = {
  /** In the place of records of the store; undefined: there is no such record. */
  readonly rows: ReadonlyMap<string, Row | undefined>;
  readonly staticSecrets: Deps['staticSecrets'];
  readonly validators: ReadonlyMap<string, Validator>;
};

/** By kind and key, as `Given.rows` has them. */
export const rowName = ({ kind, key }: Pick<Row, 'kind' | 'key'>): string => `${kind} ${key}`;

type Judgement = { readonly verdicts: readonly Verdict[] } & (
  | { readonly decision: 'grant'; readonly tbs: Bytes }
  | { readonly decision: 'pend' }
  | { readonly decision: 'deny'; readonly reason: Reason; readonly evidence: Evidence }
);

/** Thrown where the CA's key would be asked. */
class Unsigned extends Error {
  readonly tbs: Bytes;
  constructor(tbs: Bytes) {
    super('nothing is signed here');
    this.tbs = tbs;
  }
}

/** @throws {Outage} when the service failed, or another request is using the same certificate or key; and whatever a
 * validator throws that is given */
export async function judge(
  deps: Deps,
  request: EnrolmentRequest,
  given: Given,
): Promise<Judgement> {
  const written: Action[] = [];
  const verdicts = (): readonly Verdict[] =>
    written.flatMap((action) =>
      action.do === 'put' && action.kind === 'transaction' && 'verdicts' in action.record
        ? (action.record.verdicts ?? [])
        : [],
    );
  try {
    requireGoodKeys(deps.config, request.ca, request.csr.publicKey, request.signer.key);
    const outcome = await enrol(
      {
        ...deps,
        config: withoutTurns(deps.config),
        store: reading(deps.store, given.rows, written),
        signer: { sign: (_reference, _algorithm, tbs) => Promise.reject(new Unsigned(tbs)) },
        validators: given.validators,
        // A request that is not kept may be protected by any key; an approver's process has no permission to open
        // the real one.
        macKeys: {
          live: async (purpose) =>
            purpose === 'pending' || purpose === 'gate'
              ? [{ id: 'simulated', key: deps.random(32) }]
              : deps.macKeys.live(purpose),
        },
        staticSecrets: given.staticSecrets,
        log: () => {},
        tally: new Tally(),
      },
      request,
    );
    if (outcome.kind === 'refused') throw new Refusal(outcome.reason, outcome.evidence);
    return { decision: 'pend', verdicts: verdicts() };
  } catch (error) {
    if (error instanceof Unsigned) {
      return { decision: 'grant', tbs: error.tbs, verdicts: verdicts() };
    }
    if (!(error instanceof Refusal)) throw error;
    const { reason, evidence, verdicts: said = [] } = error as JudgedRefusal;
    return { decision: 'deny', reason, evidence, verdicts: said };
  }
}

/** It is judged as if nobody else asked. */
const withoutTurns = (config: Config): Config => ({
  ...config,
  cas: new Map([...config.cas].map(([id, ca]) => [id, { ...ca, issuancesPerSecond: undefined }])),
});

/** What is in the store, but for what is given; every write succeeds and changes nothing. */
const reading = (store: Store, rows: Given['rows'], written: Action[]): Store => ({
  read: async (keys) => {
    const ours = keys.flatMap((key) => rows.get(rowName(key)) ?? []);
    const others = keys.filter((key) => !rows.has(rowName(key)));
    return others.length === 0 ? ours : [...ours, ...(await store.read(others))];
  },
  write: async (actions) => {
    written.push(...actions);
    return 'done';
  },
  list: (query) => store.list(query),
});
