// Certificates: listed, searched, shown, revoked and released from a hold, with their renewals.

import type { certificateRoutes } from '../../api/routes/certificates.ts';
import { fromBase64, pem } from '../../base/bytes.ts';
import { HttpFailure } from '../../base/errors.ts';
import { iso } from '../../base/text.ts';
import { everyCa } from '../../ca/authority/known.ts';
import type { Deps } from '../../ca/deps.ts';
import {
  findCertificate,
  goodOfKey,
  listCertificates,
  renewalsOf,
  stateAt,
} from '../../ca/query/certificates.ts';
import { certificateKey } from '../../ca/record/keys.ts';
import { revoke } from '../../ca/revoke/revoke.ts';
import { type RevokedTogether, revokeWithRenewals } from '../../ca/revoke/revoke-renewals.ts';
import { type CertificateRecord, isReleased } from '../../ports/records/certificate.ts';
import { describeCertificate } from '../../x509/describe/describe.ts';
import { absent, toldOf } from '../absent.ts';
import { turnOf, wordsOf } from '../request.ts';
import type { HandlersOf } from './handlers.ts';

function shownCertificate(record: CertificateRecord, now: number) {
  const { ca, endpoint, transaction, subject, tbsHash, keyHash, confirmed } = record;
  const { successors, lineage, supersededBy, revokedAt, revocationReason } = record;
  const { root, endedBy } = lineage;
  return {
    ca,
    serial: record.serial,
    state: stateAt(record, now),
    endpoint,
    transaction,
    subject,
    ...(record.device === undefined ? {} : { device: record.device }),
    notBefore: iso(record.notBefore),
    notAfter: iso(record.notAfter),
    tbsHash,
    keyHash,
    confirmed,
    successors: Object.keys(successors),
    lineage: root,
    ...(supersededBy === undefined ? {} : { supersededBy }),
    ...(endedBy === undefined ? {} : { endedBy }),
    ...(revokedAt === undefined ? {} : { revokedAt: iso(revokedAt) }),
    ...(revocationReason === undefined ? {} : { revocationReason }),
  };
}

type OfKey = {
  readonly now: number;
  /** Certificates of its key, where that was compromised. */
  readonly ofKey: readonly CertificateRecord[] | undefined;
};

const shownRevoked = (one: CertificateRecord, { now, ofKey }: OfKey) => ({
  ...shownCertificate(one, now),
  ...(ofKey
    ? {
        sameKey: ofKey
          .filter((other) => !isSame(other, one))
          .map((other) => shownCertificate(other, now)),
      }
    : {}),
});
const isSame = (a: CertificateRecord, b: CertificateRecord): boolean =>
  a.ca === b.ca && a.serial === b.serial;

const shownTogether = (
  { certificate: one, others, unchanged }: RevokedTogether,
  { now, ofKey }: OfKey,
) => ({
  ...(unchanged ? { unchanged } : {}),
  ...shownRevoked(one, {
    now,
    ofKey: ofKey?.filter(({ ca, serial: other }) => ca !== one.ca || !others.includes(other)),
  }),
  withRenewals: [...others],
});

const noSuch = (deps: Deps, ca: string, number: string): Promise<never> => {
  const record = { kind: 'certificate', key: certificateKey(ca, number) } as const;
  return absent(deps, record, 'the certificate itself can be revoked: "cert revoke --file"');
};

const existing = async (deps: Deps, ca: string, number: string): Promise<CertificateRecord> =>
  (await findCertificate(deps, ca, number)) ?? noSuch(deps, ca, number);

export const certificateHandlers: HandlersOf<typeof certificateRoutes> = {
  async 'GET /certificates'(deps, { path, query }) {
    const { turn: asked, filters, nextOf } = turnOf(path, query);
    const { search, ...others } = filters;
    const { ca, endpoint } = filters;
    if (ca !== undefined && !(await everyCa(deps)).includes(ca)) {
      throw new HttpFailure(422, `ca: "${ca}" does not exist`);
    }
    if (endpoint !== undefined && !deps.config.endpoints.has(endpoint)) {
      throw new HttpFailure(422, `endpoint: "${endpoint}" does not exist`);
    }
    const wanted = { ...others, ...wordsOf(deps, search), ...asked };
    const { certificates, next, altered } = await listCertificates(deps, wanted);
    const now = deps.clock.now();
    return {
      ...toldOf(altered),
      certificates: certificates.map((one) => shownCertificate(one, now)),
      next: nextOf(next),
    };
  },
  async 'GET /certificates/{ca}/{serial}'(deps, { params }) {
    const found = await existing(deps, params.ca, params.serial);
    const shown = shownCertificate(found, deps.clock.now());
    if (!found.der || !isReleased(found)) return shown;
    const octets = fromBase64(found.der);
    const inWords = { pem: pem('CERTIFICATE', octets), decoded: describeCertificate(octets) };
    return { ...shown, der: found.der, ...inWords };
  },
  async 'GET /certificates/{ca}/{serial}/renewals'(deps, { params }) {
    const { ca, serial: number } = params;
    const found = (await renewalsOf(deps, ca, number)) ?? (await noSuch(deps, ca, number));
    const { certificates, more, altered } = found;
    return {
      ...toldOf(altered),
      certificates: certificates.map(({ renews, ...record }) => ({
        ...shownCertificate(record, deps.clock.now()),
        ...(renews === undefined ? {} : { renews }),
      })),
      more,
    };
  },
  async 'POST /certificates/{ca}/{serial}/revoke'(
    deps,
    { actor, params: { ca, serial: number }, body: asked, once },
  ) {
    const { reason } = asked;
    const wanted = { ca, serial: number, reason, actor };
    const { keyHash } = await existing(deps, ca, number);
    const ofKey = reason === 'keyCompromise' ? await goodOfKey(deps, keyHash) : undefined;
    const about = { now: deps.clock.now(), ofKey };
    if (asked.withRenewals) {
      const answered = (done: RevokedTogether) => shownTogether(done, about);
      const said = await revokeWithRenewals(deps, wanted, once && { once, answer: answered });
      if (typeof said === 'object') return answered(said);
      if (said === 'missing') return noSuch(deps, ca, number);
      throw new HttpFailure(409, `the certificate is ${said}`);
    }
    const answered = (done: CertificateRecord) => shownRevoked(done, about);
    const remembered = once && { once, answer: answered };
    const said = await revoke(deps, wanted, remembered);
    if (said === 'missing') return noSuch(deps, ca, number);
    if (said !== 'done' && said !== 'unchanged') {
      throw new HttpFailure(409, `the certificate is ${said}`);
    }
    const done = answered(await existing(deps, ca, number));
    return said === 'unchanged' ? { ...done, unchanged: true as const } : done;
  },
};
