// Makes CAs, imports their chains, and takes the steps to other RA keys.

import type { AnswerTo } from '../../api/api.ts';
import type { caKeyRoutes } from '../../api/routes/ca-keys.ts';
import { fromBase64, fromPem, pem } from '../../base/bytes.ts';
import { HttpFailure, Malformed } from '../../base/errors.ts';
import { iso } from '../../base/text.ts';
import type { RotationStep } from '../../base/words.ts';
import { disagreements } from '../../ca/authority/as-made.ts';
import { importChain } from '../../ca/authority/import-chain.ts';
import { initCa, requestCa } from '../../ca/authority/init-ca.ts';
import { initMacKeys } from '../../ca/authority/mac-keys.ts';
import { lookAtRetiring, type Retiring, retireCa } from '../../ca/authority/retire.ts';
import { type Rotated, type RotationDone, rotateRa } from '../../ca/authority/rotation.ts';
import type { Operator } from '../../ca/deps.ts';
import { View } from '../../ca/record/unit-of-work.ts';
import { raisePartitions } from '../../ca/revoke/raise-partitions.ts';
import type {
  AuthorityRecord,
  CrlPartitions,
  RaGenerationRecord,
} from '../../ports/records/registry.ts';
import { type Certificate, fingerprint, readCertificate } from '../../x509/certificate.ts';
import { printName } from '../../x509/names/name.ts';
import type { HandlersOf } from '../admin/handlers.ts';
import { authorityOf, operated, requireCa } from './operating.ts';

export const shownChain = (chain: readonly Certificate[]) =>
  chain.map(({ subject, der }) => ({ subject: printName(subject), sha256: fingerprint(der) }));

export function shownGeneration({ id, state, certificate }: RaGenerationRecord) {
  const { der, notAfter } = readCertificate(fromBase64(certificate));
  return { id, state, notAfter: iso(notAfter), sha256: fingerprint(der) };
}

/** @throws {HttpFailure} 422 */
export function certificatesIn(text: string): Certificate[] {
  try {
    const found = fromPem('CERTIFICATE', text).map((der) => readCertificate(der));
    if (found.length > 0) return found;
  } catch (error) {
    if (!(error instanceof Malformed || error instanceof SyntaxError)) throw error;
    throw new HttpFailure(422, `chain: has a certificate that cannot be read: ${error.message}`);
  }
  throw new HttpFailure(422, 'chain: has no certificate in PEM');
}

const shownRotation =
  (id: string) =>
  ({ step, generations, next }: RotationDone) => ({
    id,
    step,
    ra: generations.map(shownGeneration),
    ...(next ? { next: { step: next.step, from: iso(next.from) } } : {}),
  });

const noneTexts: Record<RotationStep, string> = {
  prepare: 'an RA key is prepared already: go on with --activate',
  activate: 'no RA key is prepared: begin with --prepare',
  retire: 'no RA key is previous: there is nothing to retire',
};
const earlyTexts: Record<RotationStep, string> = {
  prepare: '',
  activate: 'by then every instance has loaded the prepared key',
  retire: 'until then clients may still use the certificate that they have',
};

function notRotated(rotated: Exclude<Rotated, RotationDone>): HttpFailure {
  const { kind, step } = rotated;
  if (kind === 'none') return new HttpFailure(409, noneTexts[step]);
  const why = `too early: --${step} from ${iso(rotated.from)} on: ${earlyTexts[step]}; --force does not wait`;
  return new HttpFailure(409, why);
}

async function recordOf({ store }: Operator, id: string): Promise<AuthorityRecord | undefined> {
  const view = new View(store);
  await view.load([{ kind: 'authority', key: id }]);
  return view.get('authority', id);
}

/** What is remembered of it; the rest is as it is. */
type KeptInit = {
  readonly id: string;
  readonly csr: boolean;
  readonly macKeys: Initialised['macKeys'];
};
type Initialised = AnswerTo<'POST /cas/{ca}/init'>;

/** What a CA is after `init`. */
async function initialised(
  operator: Operator,
  id: string,
  more: Pick<Initialised, 'made' | 'request' | 'macKeys'>,
): Promise<Initialised> {
  const record = await recordOf(operator, id);
  const key = record?.keyReference ?? '';
  const [own] = (record?.chain ?? []).map((text) => readCertificate(fromBase64(text)));
  const about = own ? { subject: printName(own.subject), sha256: fingerprint(own.der) } : {};
  const warnings = (await operator.signer.warnings?.(key)) ?? [];
  const otherwise = (await disagreements(operator)).map(({ ca, said }) => `CA "${ca}": ${said}`);
  return { id, key, ...about, ...more, otherwise, warnings };
}

const shownRetiring = ({ id, subject, keyReference: key, valid, more, until }: Retiring) => ({
  id,
  ...(subject === undefined ? {} : { subject }),
  ...{ key, valid, more },
  ...(until === undefined ? {} : { until: iso(until) }),
});

export const caKeyHandlers: HandlersOf<typeof caKeyRoutes> = {
  'POST /cas/{ca}/init': {
    handle: (deps, { actor, params: { ca }, body: { key, csr }, once }) =>
      operated(deps, async (operator) => {
        const authority = authorityOf(deps, ca);
        const { adoptKey, makeMacKey } = operator;
        if (key !== undefined && !adoptKey) {
          const why = 'names a KMS key: set SCEPTER_SEALING_KEY, or leave it out';
          throw new HttpFailure(422, `--key ${why}`);
        }
        const taken =
          key !== undefined && adoptKey ? { takeKey: () => adoptKey(key, authority.key) } : {};
        await operator.begin?.();
        const macKeys = makeMacKey ? await initMacKeys(operator, makeMacKey, actor) : [];
        const remembered = once && {
          once,
          answer: (): KeptInit => ({ id: ca, csr: csr ?? false, macKeys }),
        };
        const options = { actor, remembered, ...taken };
        if (csr) {
          const request = pem('CERTIFICATE REQUEST', await requestCa(operator, authority, options));
          return initialised(operator, ca, { request, macKeys });
        }
        const made = await initCa(operator, authority, options);
        if (made !== 'waiting') return initialised(operator, ca, { made, macKeys });
        throw new HttpFailure(
          409,
          `the CA "${ca}" waits for its certificate: run "scepter ca import-chain", or print its request again with --csr`,
        );
      }),
    repeat: (deps, _once, { answer }) =>
      operated(deps, async (operator) => {
        const { id, csr, macKeys } = JSON.parse(answer) as KeptInit;
        if (!csr) return initialised(operator, id, { made: 'done', macKeys });
        const request = await requestCa(operator, authorityOf(deps, id));
        return initialised(operator, id, { request: pem('CERTIFICATE REQUEST', request), macKeys });
      }),
  },
  'POST /cas/{ca}/chain': (deps, { actor, params: { ca }, body: { chain }, once }) =>
    operated(deps, async (operator) => {
      const authority = authorityOf(deps, ca);
      const answer = ({ chain: done }: { readonly chain: readonly Certificate[] }) => ({
        id: ca,
        chain: shownChain(done),
      });
      const options = { actor, remembered: once && { once, answer } };
      const imported = await importChain(operator, authority, certificatesIn(chain), options);
      if (imported.kind === 'done') return answer(imported);
      throw new HttpFailure(422, `the chain is not imported: ${imported.why}`);
    }),
  'POST /cas/{ca}/rotate-ra': (deps, { actor, params: { ca }, body, once }) =>
    operated(deps, async (operator) => {
      authorityOf(deps, ca);
      const { step, force = false } = body;
      const answer = shownRotation(ca);
      const remembered = once && { once, answer };
      const rotated = await rotateRa(operator, ca, { step, force, actor, remembered });
      if (rotated.kind !== 'done') throw notRotated(rotated);
      return answer(rotated);
    }),
  'POST /crls/{ca}/partition': (deps, { actor, params: { ca }, once }) =>
    operated(deps, async (operator) => {
      const answer = (raised: CrlPartitions) => ({ id: ca, ...raised });
      const remembered = once && { once, answer };
      return answer(await raisePartitions(operator, authorityOf(deps, ca), actor, remembered));
    }),
  'GET /cas/{ca}/retirement': (deps, { params: { ca } }) =>
    operated(deps, async (operator) => {
      await requireCa(deps, ca);
      return shownRetiring(await lookAtRetiring(operator, ca));
    }),
  'POST /cas/{ca}/retire': (deps, { actor, params: { ca }, body: { force }, once }) =>
    operated(deps, async (operator) => {
      await requireCa(deps, ca);
      const found = await lookAtRetiring(operator, ca);
      if (found.valid > 0 && !force) {
        throw new HttpFailure(409, `the CA "${ca}" is not retired: certificates of it are valid`);
      }
      const remembered = once && { once, answer: () => shownRetiring(found) };
      await retireCa(operator, ca, actor, remembered);
      return shownRetiring(found);
    }),
  'GET /cas/{ca}/key': (deps, { params: { ca } }) =>
    operated(deps, async (operator) => {
      await requireCa(deps, ca);
      const record = await recordOf(operator, ca);
      const key = record?.keyReference ?? '';
      const warnings = record ? await operator.signer.warnings?.(key) : [];
      return { id: ca, key, warnings: warnings ?? [] };
    }),
};
