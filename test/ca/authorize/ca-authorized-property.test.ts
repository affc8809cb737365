// Whatever configuration, signer, challenge, device list and answers of validators outside come together: no certificate
// exists without a recorded Authorization, all of whose validators allowed; what is refused leaves nothing issued. What
// should have come of each request is told here from what was drawn, by no code of the product; and so is what would come
// of it under another configuration (`policy replay`).
// `SLOW=1` goes on for longer; a failure names its seed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { extensionOids } from '../../../lib/asn1/oids.ts';
import { sequence } from '../../../lib/asn1/writer.ts';
import { type Bytes, equal, fromBase64, hex, utf8 } from '../../../lib/base/bytes.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { namesOf } from '../../../lib/ca/authorize/renew.ts';
import { revokeChallenge } from '../../../lib/ca/challenge/challenge-list.ts';
import { removeDevice } from '../../../lib/ca/devices/device-list.ts';
import { importRows } from '../../../lib/ca/devices/import.ts';
import { keyHash } from '../../../lib/ca/record/keys.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import type { CertificateRecord } from '../../../lib/ports/records/certificate.ts';
import type { Validator } from '../../../lib/ports/validator.ts';
import { type ClientKey, importKey } from '../../../lib/protocol/scep/client/client.ts';
import { replay } from '../../../lib/protocol/scep/server/replay.ts';
import {
  encodeTbsCertificate,
  publicKeyOf,
  readCertificate,
  signed,
} from '../../../lib/x509/certificate.ts';
import { caBasicConstraints } from '../../../lib/x509/extensions.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { forged, makeSigner, signed as signedBy } from '../../support/jws.ts';
import { deviceKey, memoryRaKeys, memorySigner } from '../../support/keys.ts';
import type { ChallengeOptions, Lab, LabOptions } from '../../support/lab.ts';
import { type EnrolOptions, enrolment, type Sent } from '../../support/messages.ts';
import { HOUR, type World, world } from '../../support/world.ts';

const slow = process.env.SLOW === '1';
const STEPS = 6;
const actor = { kind: 'admin', id: 'somebody' } as const;
const address = '192.0.2.7';
const staticSecret = 'known to every device of the endpoint';
const outsiders = ['mdm', 'assets'] as const;

const mdm = makeSigner('mdm');
const stranger = makeSigner('mdm');

const subjectOf = (i: number) => `CN=device-${i},O=Test`;
const nameOf = (i: number) => `dns:device-${i}.example`;
const keyOf = (what: string, i: number) => deviceKey(`authorized ${what} ${i}`);
await memorySigner.create('foreign', { type: 'EC', curve: 'P-256' });

// What is drawn.

const proofs = ['challenge', 'signedChallenge', 'staticChallenge', 'none'] as const;
const [byOurs, bySigned, ...otherProofs] = proofs;
const some = fc.subarray([...outsiders]);
const setups = fc
  .record({
    proof: fc.constantFrom(byOurs, byOurs, byOurs, bySigned, bySigned, bySigned, ...otherProofs),
    list: fc.boolean(),
    outside: some,
    renewList: fc.boolean(),
    renewOutside: some,
    approval: fc.constantFrom('never', 'never', 'always', 'firstEnrolment', 'newSubject'),
  })
  .map((one) => accepted(one));
type Setup = typeof setups extends fc.Arbitrary<infer T> ? T : never;
/** Without a proof no other rule is accepted. */
function accepted<T extends { readonly proof: (typeof proofs)[number] }>(one: T) {
  return one.proof === 'none' ? { ...one, approval: 'always' as const } : one;
}

const signers = [
  'self',
  'own',
  'expired',
  'revoked',
  'held',
  'foreign',
  'otherEndpoint',
  'ra',
  'subCa',
] as const;

/** A challengePassword; the binding of one that may be good. `made` by whoever makes challenges here. */
type Credential = {
  readonly good: boolean;
  readonly bound?: (i: number, key: ClientKey) => ChallengeOptions;
  /** It is good only where this stands in the certificate; a renewal of one without is none. */
  readonly gives?: (i: number) => string;
  readonly device?: true;
};
const credentials = {
  none: { good: false },
  empty: { good: false },
  wrong: { good: false },
  good: { good: true },
  expired: { good: false },
  spent: { good: false },
  revoked: { good: false },
  decoy: { good: false },
  otherEndpoint: { good: false },
  otherKind: { good: false },
  unsigned: { good: false },
  otherKey: { good: false },
  subject: { good: true, bound: (i) => ({ subject: subjectOf(i) }) },
  otherSubject: { good: false, bound: () => ({ subject: 'CN=somebody else,O=Test' }) },
  pattern: { good: true, bound: () => ({ subjectPattern: { CN: 'device-*', O: 'Test' } }) },
  otherPattern: { good: false, bound: () => ({ subjectPattern: { CN: 'printer-*' } }) },
  san: { good: true, bound: (i) => ({ names: [nameOf(i)] }), gives: nameOf },
  kind: { good: true, bound: () => ({ key: 'rsa:2048' }) },
  otherKeyKind: { good: false, bound: () => ({ key: 'ec' }) },
  key: { good: true, bound: (_, { spki }) => ({ keyHash: keyHash(spki) }) },
  otherKeyHash: { good: false, bound: () => ({ keyHash: 'ab'.repeat(32) }) },
  source: { good: true, bound: () => ({ sources: ['192.0.2.0/24'] }) },
  otherSource: { good: false, bound: () => ({ sources: ['198.51.100.0/24'] }) },
  profile: { good: true, bound: () => ({ profile: 'device' }) },
  purpose: { good: true, bound: () => ({ extKeyUsage: ['clientAuth'] }) },
  validity: { good: true, bound: () => ({ validity: 24 * HOUR }) },
  device: { good: true, bound: (i) => ({ device: `SN-${i}` }), device: true },
  otherDevice: { good: true, bound: () => ({ device: 'SN-nobody' }), device: true },
} satisfies Record<string, Credential>;
type CredentialName = keyof typeof credentials;
const credentialNames = Object.keys(credentials) as CredentialName[];

const often = <T>(usual: T, all: readonly T[]) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant(usual) },
    { weight: 2, arbitrary: fc.constantFrom(...all) },
  );
const rows = ['listed', 'named', 'otherName', 'removed', 'absent'] as const;
const answers = ['allow', 'refuse', 'throw'] as const;
const answer = often('allow' as (typeof answers)[number], answers);

const steps = fc.record({
  messageType: fc.constantFrom('PKCSReq' as const, 'RenewalReq' as const),
  signer: often('self' as (typeof signers)[number], signers),
  credential: often('good' as CredentialName, credentialNames),
  row: often('listed' as (typeof rows)[number], rows),
  says: fc.record({ mdm: answer, assets: answer }),
  decision: fc.constantFrom(
    'approve' as const,
    'approve' as const,
    'deny' as const,
    'wait' as const,
  ),
});
type Step = typeof steps extends fc.Arbitrary<infer T> ? T : never;

// What should come of it.

/** By what it is judged, or that it is refused whatever else is so. */
function pathOf(
  { proof }: Setup,
  { signer, credential }: Step,
  i: number,
): 'renewal' | 'enrolment' | 'none' {
  if (signer === 'ra') return 'none';
  const { good, gives }: Credential = credentials[credential];
  // Its challenge would give the renewal a name that its certificate does not have.
  const other = good && gives?.(i) !== undefined && usable(proof, credential) && looksUp(proof);
  return signer === 'own' && !other ? 'renewal' : 'enrolment';
}

const looksUp = (proof: Setup['proof']) => proof === 'challenge' || proof === 'signedChallenge';

/** Whether such a challenge can be made for the endpoint at all; if not, it is sent as one of no endpoint. */
function usable(proof: Setup['proof'], credential: CredentialName): boolean {
  if (looksUp(proof)) return true;
  return credential === 'good';
}

function proven({ proof }: Setup, { credential }: Step): boolean {
  return proof === 'none' || (credentials[credential].good && usable(proof, credential));
}

function listed({ row, credential }: Step, named: boolean): boolean {
  if (named && credential === 'otherDevice') return false;
  return row === 'listed' || row === 'named';
}

type Expected = 'SUCCESS' | 'PENDING' | 'FAILURE' | '503';

function expectedOf(setup: Setup, step: Step, i: number): Expected {
  const { proof, approval } = setup;
  const path = pathOf(setup, step, i);
  if (path === 'none') return 'FAILURE';
  const renews = path === 'renewal';
  if (!renews && !proven(setup, step)) return 'FAILURE';
  const { list, outside } = renews ? { list: setup.renewList, outside: setup.renewOutside } : setup;
  if (list && !listed(step, !renews && looksUp(proof))) return 'FAILURE';
  for (const id of outsiders.filter((one) => outside.includes(one))) {
    if (step.says[id] === 'refuse') return 'FAILURE';
    if (step.says[id] === 'throw') return '503';
  }
  const waits = approval === 'always' || (approval !== 'never' && !renews);
  return waits ? 'PENDING' : 'SUCCESS';
}

const decisionOf = { SUCCESS: 'grant', PENDING: 'pend', FAILURE: 'deny', '503': 'none' } as const;

// How it is done.

function documentOf({ proof, approval, list, renewList }: Setup) {
  const enrol = {
    authorize: [...(proof === 'none' ? [] : [proof]), ...(list ? ['deviceList' as const] : [])],
    ...(proof === 'staticChallenge'
      ? { staticChallenge: { secret: 'env:SECRET', subject: { CN: 'device-*' } } }
      : {}),
    ...(proof === 'signedChallenge'
      ? {
          signedChallenge: {
            keys: { mdm: { publicKey: mdm.publicKey, names: { dns: '*.example' } } },
          },
        }
      : {}),
  };
  return {
    enrol,
    renew: { authorize: renewList ? ['deviceList' as const] : [] },
    approval,
  } as const;
}

const listsOf = ({ proof, list, outside, renewList, renewOutside }: Setup) => {
  const listing = (on: boolean) => (on ? ['deviceList'] : []);
  const ordered = (ids: readonly string[]) => outsiders.filter((one) => ids.includes(one));
  return {
    enrol: [...(proof === 'none' ? [] : [proof]), ...listing(list), ...ordered(outside)],
    renew: [...listing(renewList), ...ordered(renewOutside)],
  };
};

type Says = Record<string, Step['says']['mdm']>;
type Allowed = ReadonlyMap<string, Set<string>>;

class Life {
  readonly setup: Setup;
  readonly w: World;
  /** The same endpoint as it was before: challenges are spent, and certificates issued, without any other rule. */
  readonly #before: Lab;
  readonly #says: Says;
  /** By validator: the requests that it allowed. */
  readonly #allowed: Allowed;
  #jti = 0;
  /** Of the last answer. */
  #latest: Bytes | undefined;
  /** By this configuration. */
  readonly #judged = new Map<string, { readonly step: Step; readonly i: number }>();

  static async begin(setup: Setup): Promise<Life> {
    const says: Says = {};
    const allowed = new Map(outsiders.map((id) => [id as string, new Set<string>()]));
    const validator = (id: string): Validator => ({
      validate: async ({ requestHash }) => {
        if (says[id] === 'throw') throw new Error('no answer');
        if (says[id] === 'allow') allowed.get(id)?.add(requestHash);
        return { allow: says[id] === 'allow' };
      },
    });
    const options = {
      caKey: 'ec:P-256',
      now: 1_900_000_000_000,
      staticSecrets: { 'env:SECRET': staticSecret },
    } satisfies LabOptions;
    const w = await world({
      ...options,
      validators: Object.fromEntries(outsiders.map((id) => [id, validator(id)])),
      endpoint: documentOf(setup),
      authorize: listsOf(setup),
      config: { profiles: { device: { extKeyUsage: ['clientAuth', 'emailProtection'] } } },
    });
    const proof = setup.proof === 'none' ? 'challenge' : setup.proof;
    const alone = { ...setup, proof, list: false, renewList: false, approval: 'never' } as const;
    const before = await w.instance({
      ...options,
      validators: {},
      authorize: listsOf({ ...alone, outside: [], renewOutside: [] }),
      endpoint: { ...documentOf(alone), profile: 'short' },
      config: { profiles: { short: { validity: '12h' } } },
    });
    return new Life(setup, w, before, says, allowed);
  }

  private constructor(setup: Setup, w: World, before: Lab, says: Says, allowed: Allowed) {
    this.setup = setup;
    this.w = w;
    this.#before = before;
    this.#says = says;
    this.#allowed = allowed;
  }

  async act(step: Step, i: number): Promise<void> {
    const { setup, w } = this;
    const newKey = await keyOf('new', i);
    await this.#list(step, i);
    const signer = await this.#signer(step, i, newKey);
    const challenge = await this.#challenge(step, i, newKey);
    Object.assign(this.#says, step.says);
    const known = new Set(w.certificates().map(({ serial }) => serial));
    const recorded = new Set(w.transactions().map(({ id }) => id));
    const made = () => w.certificates().filter(({ serial }) => !known.has(serial));
    const asked: EnrolOptions = {
      ...{ messageType: step.messageType, key: newKey, subject: subjectOf(i) },
      ...{ transactionID: `device ${i}`, ...(challenge === undefined ? {} : { challenge }) },
      ...(signer ? { signer } : {}),
    };
    let answer = await this.#send(await enrolment(w.lab, asked));
    const expected = expectedOf(setup, step, i);
    assert.equal(answer, expected, 'the answer');
    const waiting = w.transactions().find(({ state }) => state === 'pending');
    assert.equal(waiting !== undefined, expected === 'PENDING', 'what waits');
    if (waiting) {
      assert.deepEqual(made(), [], 'nothing is issued before an approver has decided');
      if (step.decision !== 'wait') {
        const verdict = step.decision === 'approve' ? 'approved' : 'denied';
        await decide(w.lab.deps, waiting.id, verdict, { by: 'jane' });
      }
      const plaintext = sequence(w.lab.announced.ra.subject, parseName(subjectOf(i)));
      answer = await this.#send(
        await enrolment(w.lab, { ...asked, messageType: 'CertPoll', plaintext }),
      );
      const then = { approve: 'SUCCESS', deny: 'FAILURE', wait: 'PENDING' } as const;
      assert.equal(answer, then[step.decision], 'the answer to its poll');
      // It is out of the way of the next.
      if (step.decision === 'wait') await decide(w.lab.deps, waiting.id, 'denied', { by: 'jane' });
    }
    const [one, ...others] = made();
    assert.deepEqual(others, []);
    assert.equal(one !== undefined, answer === 'SUCCESS', 'what was issued');
    if (one) this.#requireAuthorized(one, step, { i, newKey, waited: waiting !== undefined });
    for (const { id } of w.transactions()) {
      if (!recorded.has(id)) this.#judged.set(id, { step, i });
    }
    const what = `${expected}, then ${answer}`;
    reached.set(what, (reached.get(what) ?? 0) + 1);
  }

  /** Judged once more, under the same configuration or another one, all come to what they should. */
  async replay(under = this.setup): Promise<void> {
    const { deps } = this.w.lab;
    const { config } =
      under === this.setup
        ? this.w.lab
        : await this.w.instance({ endpoint: documentOf(under), authorize: listsOf(under) });
    const before = this.w.store.dump();
    for (const transaction of this.w.transactions()) {
      const judged = this.#judged.get(transaction.id);
      if (!judged) continue;
      const { step, i } = judged;
      const found = await replay(deps, config, transaction);
      const what = 'not' in found ? `not replayed: ${found.not}` : 'replayed';
      reached.set(what, (reached.get(what) ?? 0) + 1);
      // Of one that was no renewal for what its challenge gave, the record does not have whose certificate signed.
      if ('not' in found || pathOf(under, step, i) !== pathOf(this.setup, step, i)) continue;
      const expected = decisionOf[expectedOf(under, step, i)];
      assert.equal(
        found.would.decision,
        expected,
        `${JSON.stringify(step)} under ${JSON.stringify(under)}`,
      );
    }
    assert.deepEqual(this.w.store.dump(), before, 'nothing is written');
  }

  /** That the record says who allowed it, that these are all who must, and that they did. */
  #requireAuthorized(
    { serial, transaction: id, der = '', device }: CertificateRecord,
    step: Step,
    {
      i,
      newKey,
      waited,
    }: { readonly i: number; readonly newKey: ClientKey; readonly waited: boolean },
  ): void {
    const { setup, w } = this;
    const transaction = w.transactions().find((one) => one.id === id);
    assert.ok(transaction?.serial === serial, 'it has a Transaction');
    const renews = pathOf(setup, step, i) === 'renewal';
    assert.equal(transaction.renews !== undefined, renews);
    const lists = listsOf(setup);
    const must = renews ? ['certificate', ...lists.renew] : lists.enrol;
    assert.deepEqual(
      (transaction.verdicts ?? []).map(({ validator, allows }) => [validator, allows]),
      must.map((validator) => [validator, true]),
      'all that must allow have allowed, and no other was asked',
    );
    for (const validator of outsiders.filter((one) => must.includes(one))) {
      assert.ok(
        this.#allowed.get(validator)?.has(transaction.requestHash),
        `${validator} was asked`,
      );
    }
    assert.equal(transaction.approval?.by, waited ? 'jane' : undefined);
    assert.equal(transaction.authorizedBy.includes('approval'), waited);
    const certificate = readCertificate(fromBase64(der));
    assert.ok(equal(publicKeyOf(certificate)?.spki ?? new Uint8Array(0), newKey.spki), 'its key');
    assert.ok(equal(certificate.subject, parseName(subjectOf(i))), 'its subject');
    // What is bound is in the certificate, and nothing that is not.
    const { gives, bound }: Credential = credentials[step.credential];
    const counts = !renews && looksUp(setup.proof);
    const inRow =
      !renews && setup.list && setup.proof !== 'staticChallenge' && step.row === 'named';
    const names = (counts && gives) || inRow ? [nameOf(i)] : [];
    assert.deepEqual(namesOf(certificate), names);
    if (!counts) return;
    const binding: ChallengeOptions = bound?.(i, newKey) ?? {};
    if (binding.validity !== undefined) {
      assert.ok(certificate.notAfter <= w.lab.clock.at + binding.validity);
    }
    if (binding.device !== undefined) assert.equal(device, binding.device);
    const purposes = certificate.extensions.get(extensionOids.extKeyUsage)?.value;
    assert.equal(purposes?.length, binding.extKeyUsage ? 12 : 22, 'its purposes');
  }

  async #send({ message, read }: Sent, path = '/scep', lab = this.w.lab): Promise<Expected> {
    const url = `${path}?operation=PKIOperation`;
    const response = await lab.fetch(url, { method: 'POST', body: message }, { hops: [address] });
    if (response.status === 503) return '503';
    assert.equal(response.status, 200);
    const answer = await read(new Uint8Array(await response.arrayBuffer()));
    if (answer.pkiStatus === 'SUCCESS') {
      this.w.delivered.push(...answer.certificates);
      this.#latest = answer.certificates[0];
    }
    return answer.pkiStatus;
  }

  /** What the device list says of the device. */
  async #list({ row }: Step, i: number): Promise<void> {
    if (row === 'absent') return;
    const wanted = {
      ...{ serial: `SN-${i}`, name: [`device-${i}`] },
      subject: row === 'otherName' ? 'CN=somebody else' : subjectOf(i),
      ...(row === 'named' ? { san: [nameOf(i)] } : {}),
    };
    const { deps } = this.w.lab;
    const about = { list: 'default', rows: [wanted], restore: false, dryRun: false, actor };
    await importRows(deps, about);
    if (row === 'removed')
      await removeDevice(deps, 'default', `SN-${i}`, { actor, reason: 'lost' });
  }

  /** A certificate from before; its key is another one. @param path its endpoint */
  async #held(i: number, path = '/scep'): Promise<NonNullable<EnrolOptions['signer']>> {
    this.#before.clock.at = this.w.lab.clock.at;
    const key = await keyOf('held', i);
    const challenge =
      path === '/scep'
        ? await this.#good(this.#before)
        : await this.#before.challenge({ endpoint: 'other' });
    const sent = await enrolment(this.#before, { key, challenge, subject: subjectOf(i) });
    assert.equal(await this.#send(sent, path, this.#before), 'SUCCESS');
    return { key, certificate: readCertificate(this.#latest ?? new Uint8Array(0)) };
  }

  async #signer({ signer }: Step, i: number, newKey: ClientKey): Promise<EnrolOptions['signer']> {
    const { clock, announced, deps } = this.w.lab;
    const withdrawn = async (reason: 'unspecified' | 'certificateHold') => {
      const held = await this.#held(i);
      const serial = hex(held.certificate.serial);
      assert.equal(await revoke(deps, { ca: 'default', serial, reason, actor }), 'done');
      return held;
    };
    switch (signer) {
      case 'self':
        return undefined;
      case 'own':
        return this.#held(i);
      case 'expired': {
        const held = await this.#held(i);
        clock.at += 13 * HOUR;
        return held;
      }
      case 'revoked':
        return withdrawn('unspecified');
      case 'held':
        return withdrawn('certificateHold');
      case 'otherEndpoint':
        return this.#held(i, '/scep/other');
      case 'ra': {
        const about = { ca: 'default', purpose: 'ra' } as const;
        const key = await importKey(await memoryRaKeys.unseal(utf8('ra default'), about));
        assert.ok(key);
        return { key, certificate: announced.ra };
      }
      case 'foreign':
        return {
          key: newKey,
          certificate: await this.#certificate('ca foreign P-256', i, newKey, []),
        };
      case 'subCa': {
        const key = await keyOf('subCa', i);
        const isCa = [caBasicConstraints(undefined)];
        return { key, certificate: await this.#certificate('ca default P-256', i, key, isCa) };
      }
    }
  }

  /** In the name of the CA, by this key. */
  async #certificate(by: string, i: number, { spki }: ClientKey, extensions: readonly Bytes[]) {
    const { certificate, scheme } = await this.w.lab.deps.cas.of('default');
    const { at } = this.w.lab.clock;
    const tbs = encodeTbsCertificate({
      ...{ serial: Uint8Array.of(1, i), scheme, issuer: certificate.subject, spki, extensions },
      ...{ subject: parseName(subjectOf(i)), notBefore: at - HOUR, notAfter: at + HOUR },
    });
    const { octets } = await memorySigner.sign(
      by,
      { name: 'ECDSA', digest: 'SHA-256' } as never,
      tbs,
    );
    return readCertificate(signed(tbs, scheme, octets));
  }

  /** A challengePassword that this endpoint takes. */
  async #good(lab: Lab, bound: ChallengeOptions = {}): Promise<string> {
    switch (this.setup.proof) {
      case 'staticChallenge':
        return staticSecret;
      case 'signedChallenge':
        return signedBy(mdm, this.#claims(bound));
      default:
        return lab.challenge(bound);
    }
  }

  #claims({ names, validity, ...bound }: ChallengeOptions = {}, more: object = {}): object {
    const iat = Math.floor(this.w.lab.clock.at / 1000);
    return {
      ...{ aud: 'default', iat, exp: iat + 3600, jti: `challenge-${this.#jti++}`, ...bound },
      ...(names ? { san: names } : {}),
      ...(validity === undefined ? {} : { validity: `${validity / HOUR}h` }),
      ...more,
    };
  }

  async #challenge(
    { credential }: Step,
    i: number,
    newKey: ClientKey,
  ): Promise<string | undefined> {
    const { setup, w } = this;
    const { lab } = w;
    const unknown = `${'x'.repeat(20)}${i}`;
    if (credential === 'none') return undefined;
    if (credential === 'empty') return '';
    if (!usable(setup.proof, credential)) return unknown;
    const isSigned = setup.proof === 'signedChallenge';
    const { bound }: Credential = credentials[credential];
    switch (credential) {
      case 'wrong':
        return unknown;
      case 'otherKind':
        return isSigned ? lab.challenge() : signedBy(mdm, this.#claims());
      case 'unsigned':
        return forged(mdm, this.#claims(), 'none');
      case 'otherKey':
        return signedBy(stranger, this.#claims());
      case 'otherEndpoint':
        return isSigned
          ? signedBy(mdm, this.#claims({}, { aud: 'other' }))
          : lab.challenge({ endpoint: 'other' });
      case 'decoy':
        return isSigned ? unknown : lab.challenge({ decoy: true });
      case 'expired': {
        const challenge = await this.#good(lab);
        lab.clock.at += HOUR;
        return challenge;
      }
      case 'spent':
      case 'revoked': {
        const known = new Set(w.challenges().map(({ id }) => id));
        const challenge = await this.#good(lab);
        const made = w.challenges().find(({ id }) => !known.has(id));
        if (credential === 'revoked' && made) {
          await revokeChallenge(lab.deps, made.id, 'default', actor);
          return challenge;
        }
        this.#before.clock.at = lab.clock.at;
        const key = await keyOf('spender', i);
        const sent = await enrolment(this.#before, { key, challenge, subject: subjectOf(i) });
        assert.equal(await this.#send(sent, '/scep', this.#before), 'SUCCESS');
        return challenge;
      }
      default:
        return this.#good(lab, bound?.(i, newKey));
    }
  }
}

const reached = new Map<string, number>();

const usual: Step = {
  ...{ messageType: 'PKCSReq', signer: 'self', credential: 'good', row: 'listed' },
  ...{ says: { mdm: 'allow', assets: 'allow' }, decision: 'approve' },
};
const stepsFor = (proof: Setup['proof']): readonly Step[] => [
  usual,
  ...signers.map((signer) => ({ ...usual, signer })),
  ...credentialNames
    .filter((one) => looksUp(proof) || ['none', 'empty', 'wrong'].includes(one))
    .map((credential) => ({ ...usual, credential })),
  ...rows.map((row) => ({ ...usual, row })),
  ...rows.map((row) => ({ ...usual, signer: 'own' as const, row })),
  ...answers.map((mdm) => ({ ...usual, says: { ...usual.says, mdm } })),
  ...answers.map((assets) => ({ ...usual, says: { ...usual.says, assets } })),
];

describe('no certificate without a recorded Authorization whose validators all allowed:', () => {
  for (const proof of proofs) {
    test(`${proof}, each kind of signer, challenge, row and answer alone`, async () => {
      const approval = proof === 'none' ? 'always' : 'never';
      const all = {
        list: true,
        outside: [...outsiders],
        renewList: true,
        renewOutside: [...outsiders],
      };
      const life = await Life.begin({ proof, approval, ...all });
      for (const [i, step] of stepsFor(proof).entries()) await life.act(step, i);
      life.w.check();
      await life.replay();
    });
  }

  test('whatever comes together', async () => {
    reached.clear();
    const many = fc.array(steps, { minLength: STEPS, maxLength: STEPS });
    const property = fc.asyncProperty(setups, many, setups, async (setup, all, other) => {
      const life = await Life.begin(setup);
      for (const [i, step] of all.entries()) await life.act(step, i);
      life.w.check();
      await life.replay();
      await life.replay(other);
      await life.replay(accepted({ ...other, proof: setup.proof }));
    });
    await fc.assert(property, { numRuns: slow ? 2_000 : 20, ...(slow ? {} : { seed: 17 }) });
    const wanted = ['replayed', 'SUCCESS, then SUCCESS', 'FAILURE, then FAILURE', '503, then 503'];
    for (const then of ['SUCCESS', 'FAILURE', 'PENDING']) wanted.push(`PENDING, then ${then}`);
    for (const what of wanted) assert.ok(reached.has(what), `none was ${what}`);
  });
});
