// A recorded request, judged once more under another configuration, at the time when it came, by the functions that
// answer a device's (`judge.ts`). What nobody can know again is as it was found then: that its challenge was good, or why
// it was not; what validators outside said; that the certificate which signed could renew. What was not found then, it
// does not guess: such a request is not replayed. Device lists, and whose a key is that was refused for it, are those of now.

import type { Bytes } from '../../../base/bytes.ts';
import { Outage } from '../../../base/errors.ts';
import { OUTSIDE_MS } from '../../../base/mdm-limits.ts';
import { ulid } from '../../../base/ulid.ts';
import type { NotReplayed } from '../../../base/words.ts';
import { isByRule } from '../../../ca/approve/approval-mac.ts';
import type { Ca } from '../../../ca/authority/ca-certificates.ts';
import { findChallenge } from '../../../ca/challenge/challenge-list.ts';
import type { Deps } from '../../../ca/deps.ts';
import { csrOf } from '../../../ca/enrol/lookup.ts';
import type { MessageSigner } from '../../../ca/enrol/request.ts';
import {
  certificateKey,
  keyHash,
  keyIdentity,
  keyOwnerKey,
  subjectKey,
} from '../../../ca/record/keys.ts';
import { View } from '../../../ca/record/unit-of-work.ts';
import type { Config } from '../../../config/config.ts';
import type { Endpoint } from '../../../config/endpoint/endpoint.ts';
import { outsideOf } from '../../../config/endpoint/enrolment.ts';
import { accepted, contentCiphers, digests } from '../../../crypto/algorithms.ts';
import type { CertificateRecord } from '../../../ports/records/certificate.ts';
import { newLineage } from '../../../ports/records/lineage.ts';
import type { Transaction } from '../../../ports/records/transaction.ts';
import type { Row } from '../../../ports/store.ts';
import type { Validator } from '../../../ports/validator.ts';
import type { Evidence } from '../../../refusal/evidence.ts';
import { type Reason, reasons } from '../../../refusal/reasons.ts';
import { type ProvenRequest, readCertificationRequest } from '../../../x509/csr.ts';
import { imagine } from './imagined-challenge.ts';
import { type Given, judge, rowName } from './judge.ts';
import { heldSigner, selfSigner } from './signers.ts';

export type Ruling = {
  readonly decision: 'grant' | 'pend' | 'deny';
  /** Of a refusal; undefined where the configuration has no such endpoint. */
  readonly reason?: Reason | undefined;
  readonly evidence?: Evidence | undefined;
};

type Replayed =
  | { readonly was: Ruling; readonly would: Ruling }
  | { readonly was: Ruling; readonly not: NotReplayed };

/** What the request brought was not good, whatever the endpoint's rules. */
const ofTheChallenge: ReadonlySet<string | undefined> = new Set<Reason>([
  'challengeMissing',
  'challengeUnknown',
  'challengeExpired',
  'challengeSpent',
  'challengeLocked',
  'challengeRevoked',
]);

/** What was on record of the certificate that signed: it is judged as an enrolment, as it was then, too. */
const ofTheSigner: ReadonlySet<string | undefined> = new Set<Reason>([
  'renewalUnknown',
  'renewalExpired',
  'renewalRevoked',
  'renewalDone',
  'renewalTooOften',
  'renewalHeld',
  'renewalEnded',
  'renewalSpent',
]);

/** What keys are like, or how the message was sealed: no configuration changes it. */
const whateverIsConfigured: ReadonlySet<string | undefined> = new Set<Reason>([
  'keyCompromised',
  'keyExponentRefused',
  'keyHasSmallFactor',
  'keyHasClosePrimes',
  'keyIsRoca',
  'keyNotOnCurve',
  'keyIsOurs',
  'requestRevoked',
  'passwordEnvelopeImpossible',
  'signerCannotDecrypt',
]);

class CannotTell extends Error {
  readonly why: NotReplayed;
  constructor(why: NotReplayed) {
    super(why);
    this.why = why;
  }
}

/** @param config the other configuration, whose CAs this service has */
export async function replay(
  deps: Deps,
  config: Config,
  transaction: Transaction,
): Promise<Replayed> {
  const was = wasOf(transaction);
  if (whateverIsConfigured.has(was.reason)) return { was, would: was };
  const endpoint = config.endpoints.get(transaction.endpoint);
  if (!endpoint) return { was, would: { decision: 'deny' } };
  try {
    return { was, would: await judgedAgain(deps, { config, endpoint, transaction, was }) };
  } catch (error) {
    if (error instanceof CannotTell) return { was, not: error.why };
    if (error instanceof Outage) return { was, not: 'trouble' };
    throw error;
  }
}

/** What came of it by the rules, whatever an approver has made of it, and whatever became of its certificate. */
function wasOf(transaction: Transaction): Ruling {
  if (transaction.state === 'refused') {
    const { reason, evidence } = transaction;
    return { decision: 'deny', reason, evidence };
  }
  // One that waited for its turn in a storm was allowed at once.
  const waited = transaction.pendingMac !== undefined && !isByRule(transaction);
  return { decision: waited ? 'pend' : 'grant' };
}

type Asked = {
  readonly config: Config;
  readonly endpoint: Endpoint;
  readonly transaction: Transaction;
  readonly was: Ruling;
};

async function judgedAgain(deps: Deps, asked: Asked): Promise<Ruling> {
  const { config, endpoint, transaction, was } = asked;
  const { createdAt: at, reply, client } = transaction;
  const then = {
    ...deps,
    config,
    clock: { now: () => at, sleep: (ms: number) => deps.clock.sleep(ms) },
  };
  const view = new View(deps.store);
  const ca = await deps.cas.ca(endpoint.ca);
  const csr = await requestOf(view, transaction);
  const refused = messageRefused(asked, csr);
  if (refused) return refused;
  const renewed = ofTheSigner.has(was.reason) ? undefined : await renewedBy(view, transaction);
  const proof = renewed ? undefined : await proofOf(then, asked);
  if (proof === 'asItWas') return was;
  const signer = renewed ? heldSigner(renewed) : selfSigner(csr, ca, at);
  const requestHash = (): string => `replayed ${ulid(at, deps.random(10))}`;
  const judged = await judge(
    then,
    {
      ...{ endpoint: proof?.endpoint ?? endpoint, ca, signer, transactionID: 'replayed' },
      kept: { asked: transaction.asked, reply, ...(client ? { client } : {}) },
      csr: { ...csr, challengePassword: proof?.secret },
      until: at + OUTSIDE_MS,
      requestHash: requestHash(),
      renewalHash: signer.ours ? requestHash() : undefined,
    },
    {
      rows: new Map([
        ...(await asTheyWere(view, asked, { csr, ca, signer, renewed })),
        ...(proof?.rows ?? []),
      ]),
      staticSecrets: proof?.staticSecrets ?? new Map(),
      validators: answered(asked),
    },
  );
  if (judged.decision !== 'deny') return { decision: judged.decision };
  // It would name a challenge that is not there.
  const { challengeId: _none, ...evidence } = judged.evidence;
  return { decision: 'deny', reason: judged.reason, evidence };
}

/** Its signature was verified then, with the challengePassword that is not kept. */
async function requestOf(view: View, transaction: Transaction): Promise<ProvenRequest> {
  const der: Bytes = await csrOf(view, transaction);
  if (der.length === 0) throw new CannotTell('requestGone');
  const csr = readCertificationRequest(der);
  if (!csr.publicKey) throw new CannotTell('requestGone');
  return { ...csr, publicKey: csr.publicKey };
}

/** Of the message around it what is on record: its algorithms, and whether the requested key signed it. */
function messageRefused(
  { endpoint: { id, legacy, enrol }, transaction: { reply, signer } }: Asked,
  { scheme, publicKey }: ProvenRequest,
): Ruling | undefined {
  const deny = (reason: Reason, field: string): Ruling => ({
    decision: 'deny',
    reason,
    evidence: { rule: `endpoints.${id}.${field}` },
  });
  if (!accepted(digests[reply.digest], legacy)) return deny('digestRefused', 'legacy');
  if (!accepted(contentCiphers[reply.cipher], legacy)) return deny('cipherRefused', 'legacy');
  if (scheme?.digest && !accepted(scheme.digest, legacy)) return deny('envelopeRejected', 'legacy');
  const other = signer.startsWith('key:') && signer !== keyIdentity(publicKey.spki);
  return other && enrol.signer === 'same' ? deny('envelopeRejected', 'enrol.signer') : undefined;
}

/** The certificate that signed a renewal, as it was: good, and not renewed yet. */
async function renewedBy(
  view: View,
  { ca, renews, verdicts = [], evidence }: Transaction,
): Promise<CertificateRecord<'issued'> | undefined> {
  const by = verdicts.find(({ validator }) => validator === 'certificate')?.says;
  const [, said] = /^renewal of ([0-9a-f]+)$/.exec(by ?? '') ?? [];
  const serial = renews ?? said ?? evidence?.renews;
  if (serial === undefined) return undefined;
  const key = certificateKey(ca, String(serial));
  await view.load([{ kind: 'certificate', key }]);
  const record = view.get('certificate', key);
  if (!record?.der) throw new CannotTell('certificateGone');
  const { revokedAt: _a, revocationReason: _b, supersededBy: _c, unseen: _d, ...rest } = record;
  const good = { state: 'issued', der: record.der } as const;
  return { ...rest, ...good, successors: {}, lineage: newLineage(record) };
}

/** What proves a first request, as good as it was found then; `asItWas`: it was not. */
async function proofOf(deps: Deps, { endpoint, transaction, was }: Asked) {
  const proofIn = (names: readonly string[]) => names.find((name) => /challenge$/i.test(name));
  const wanted = proofIn(endpoint.enrol.authorize);
  if (wanted === undefined) return undefined;
  const { verdicts = [], evidence, endpoint: id, createdAt: now } = transaction;
  if (proofIn(verdicts.map(({ validator }) => validator)) !== wanted) {
    throw new CannotTell('proofUnknown');
  }
  const { asEnrolment } = evidence ?? {};
  const refused = asEnrolment === undefined ? was.reason : reasonOf(String(asEnrolment));
  if (ofTheChallenge.has(refused)) return 'asItWas';
  if (wanted === 'staticChallenge') return imagine(deps, { endpoint, binding: { names: [] }, now });
  const says = verdicts.find(({ validator }) => validator === wanted)?.says ?? '';
  const [, by] = /^challenge ([0-9A-Z]{26})$/.exec(says) ?? [];
  const challenge = await findChallenge(deps, String(by ?? evidence?.challengeId), id);
  if (!challenge || challenge.state === 'invalid') throw new CannotTell('challengeGone');
  const { binding, signedBy } = challenge;
  return imagine(deps, { endpoint, binding, signedBy, now });
}

const reasonOf = (code: string): string | undefined =>
  Object.entries(reasons).find(([, row]) => row.code === code)?.[0];

type Found = {
  readonly csr: ProvenRequest;
  readonly ca: Ca;
  readonly signer: MessageSigner;
  readonly renewed: CertificateRecord<'issued'> | undefined;
};

/** Records that have changed since, because of this very request or of others, as they were. */
async function asTheyWere(
  view: View,
  { endpoint, transaction, was }: Asked,
  { csr, ca, signer, renewed }: Found,
): Promise<Given['rows']> {
  const { spki } = csr.publicKey;
  const rows = new Map<string, Row | undefined>();
  const absent = (kind: Row['kind'], key: string) => rows.set(rowName({ kind, key }), undefined);
  for (const key of [spki, signer.key.spki]) absent('blockedKey', keyHash(key));
  if (was.reason !== 'keyOwned') absent('keyOwner', keyOwnerKey(ca.id, spki));
  if (renewed) {
    const key = certificateKey(renewed.ca, renewed.serial);
    const row: Row = { kind: 'certificate', key, rev: 1, record: renewed };
    rows.set(rowName(row), row);
  }
  // The subject was known, unless it has been since this very request.
  const key = subjectKey(ca.id, endpoint.id, csr.subject, transaction.names);
  await view.load([{ kind: 'subject', key }]);
  if (view.get('subject', key)?.serial === transaction.serial) absent('subject', key);
  return rows;
}

/** The validators outside, saying what they said then. */
function answered({ endpoint, transaction: { verdicts = [] } }: Asked): Map<string, Validator> {
  const validatorOf = (id: string): Validator => ({
    async validate() {
      const said = verdicts.find(({ validator }) => validator === id);
      if (!said) throw new CannotTell('validatorUnasked');
      return { allow: said.allows, ...(said.says === undefined ? {} : { note: said.says }) };
    },
  });
  return new Map(outsideOf(endpoint).map((id) => [id, validatorOf(id)]));
}
