// Repairs what another hand has changed in the store.

import type { repairRoutes } from '../../api/routes/repair.ts';
import { HttpFailure } from '../../base/errors.ts';
import { iso } from '../../base/text.ts';
import { IssuingCas } from '../../ca/authority/ca-certificates.ts';
import { backUpMacKeys, restoreMacKeys } from '../../ca/authority/mac-keys.ts';
import { type RestoreDone, restoreCa } from '../../ca/authority/restore.ts';
import { recoverLog } from '../../ca/log/recover.ts';
import { publishCrls } from '../../ca/revoke/publish-crl.ts';
import { rebuildRegisters } from '../../ca/revoke/rebuild-register.ts';
import type { Crl } from '../../ports/crls.ts';
import type { HandlersOf } from '../admin/handlers.ts';
import { certificatesIn, shownChain, shownGeneration } from './ca-keys.ts';
import { operated, requireCa } from './operating.ts';

/** Keys in a folder are sealed by nothing. */
const keysAreFiles = (): HttpFailure =>
  new HttpFailure(422, 'the MAC keys are a file here, keys/mac-keys.json: keep a copy of that');

const numbered = ({ number, nextUpdate }: Crl) => ({ number, nextUpdate: iso(nextUpdate) });

export const repairHandlers: HandlersOf<typeof repairRoutes> = {
  'POST /cas/{ca}/restore': (deps, { actor, params: { ca }, body: { chain, key }, once }) =>
    operated(deps, async (operator) => {
      await requireCa(deps, ca);
      const answer = ({ chain: done, generations, isNew }: RestoreDone) => ({
        id: ca,
        chain: shownChain(done),
        ra: generations.map(shownGeneration),
        isNew,
      });
      const options = { key, actor, remembered: once && { once, answer } };
      const restored = await restoreCa(operator, { id: ca }, certificatesIn(chain), options);
      if (restored.kind === 'done') return answer(restored);
      throw new HttpFailure(422, `the CA "${ca}" is not restored: ${restored.why}`);
    }),
  'GET /mac-keys': (deps) =>
    operated(deps, async ({ makeMacKey, store }) => {
      if (!makeMacKey) throw keysAreFiles();
      return backUpMacKeys(store);
    }),
  'POST /mac-keys/restore': (deps, { actor, body }) =>
    operated(deps, async (operator) => {
      if (!operator.makeMacKey) throw keysAreFiles();
      const given = Object.entries(body).filter(([, keys]) => keys !== undefined);
      return { restored: await restoreMacKeys(operator, Object.fromEntries(given), actor) };
    }),
  'POST /crls/{ca}/rebuild': (deps, { actor, params: { ca }, once }) =>
    operated(deps, async (operator) => {
      await requireCa(deps, ca);
      const issuer = await new IssuingCas(operator).issuer(ca);
      const rebuilt = await rebuildRegisters(operator, issuer, actor);
      const answer = (crl: Crl) => ({ ca, rebuilt, ...numbered(crl) });
      const remembered = once && { once, answer };
      return answer(await publishCrls(operator, issuer, { actor }, remembered));
    }),
  'POST /crls/{ca}/floor': (deps, { actor, params: { ca }, body: { above }, once }) =>
    operated(deps, async (operator) => {
      await requireCa(deps, ca);
      const issuer = await new IssuingCas(operator).issuer(ca);
      const answer = (crl: Crl) => ({ ca, ...numbered(crl) });
      const remembered = once && { once, answer };
      return answer(await publishCrls(operator, issuer, { actor, above }, remembered));
    }),
  'POST /logs/{log}/recover': (deps, { actor, params: { log }, body: { newKey = false } }) =>
    operated(deps, async (operator) => {
      const { makeLogKey } = operator;
      const options = { newKey, ...(makeLogKey ? { makeLogKey } : {}) };
      const recovered = await recoverLog({ ...deps, ...operator }, log, actor, options);
      if (!recovered) throw new HttpFailure(404, 'no such log');
      const { name, ...found } = recovered;
      return { ...found, log: name, lost: [...found.lost] };
    }),
};
