// Endpoints with several validators, all of which must allow; what each said is on record. And those with none.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LEASE_MS } from '../../../lib/base/limits.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import type { Validator } from '../../../lib/ports/validator.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { enrolment } from '../../support/messages.ts';
import { got, keys, refusedWith, world } from '../../support/world.ts';

const saying = (allow: boolean, note?: string): Validator & { asked: number } => {
  const validator = {
    asked: 0,
    validate: async () => {
      validator.asked++;
      return { allow, ...(note === undefined ? {} : { note }) };
    },
  };
  return validator;
};
const enrol = ['challenge', 'mdm', 'assets'];

/** What is in the log beside codes. */
const notesOf = (w: Awaited<ReturnType<typeof world>>) =>
  w.events().flatMap(({ note }) => note ?? []);

test('all must allow; what each said stands on the Transaction', async () => {
  const validators = { mdm: saying(true, 'enrolled on Monday'), assets: saying(true) };
  const w = await world({ validators, authorize: { enrol } });
  got(await w.ask({ challenge: await w.lab.challenge() }));
  const [transaction] = w.transactions();
  const by = `challenge ${w.challenges()[0]?.id}`;
  assert.deepEqual(transaction?.authorizedBy, [by, 'validator mdm', 'validator assets']);
  assert.deepEqual(transaction?.verdicts, [
    { validator: 'challenge', allows: true, says: by },
    { validator: 'mdm', allows: true, says: 'enrolled on Monday' },
    { validator: 'assets', allows: true },
  ]);
  // The record is deleted one day; the event, which can be proven, says it, too.
  assert.deepEqual(notesOf(w), ['mdm allows: enrolled on Monday']);
  w.check();
});

test('one that refuses ends it: no other is asked, and the refusal has what each said', async () => {
  const [mdm, assets] = [saying(false, 'unknown\u001b[2J'), saying(true)];
  const validators = { mdm, assets };
  const w = await world({ validators, authorize: { enrol } });
  const challenge = await w.lab.challenge();
  refusedWith('SCEP-331', await w.ask({ challenge }));
  assert.deepEqual([mdm.asked, assets.asked], [1, 0]);
  const [refused] = w.transactions();
  assert.deepEqual(refused?.verdicts, [
    { validator: 'challenge', allows: true, says: `challenge ${w.challenges()[0]?.id}` },
    { validator: 'mdm', allows: false, says: 'unknown\\u001b[2J' },
  ]);
  assert.deepEqual(notesOf(w), ['mdm refuses: unknown\\u001b[2J']);
  assert.deepEqual(w.certificates(), []);
});

test('a challenge that refuses ends it before anybody outside is asked', async () => {
  const mdm = saying(true);
  const w = await world({
    validators: { mdm },
    authorize: { enrol: ['challenge', 'mdm'] },
  });
  refusedWith('SCEP-302', await w.ask({ challenge: 'x'.repeat(26) }));
  assert.equal(mdm.asked, 0);
  assert.deepEqual(w.transactions()[0]?.verdicts, [
    {
      validator: 'challenge',
      allows: false,
      says: 'SCEP-302: the challengePassword is not known at this endpoint',
    },
  ]);
});

test('a renewal has what its own validators said', async () => {
  const validators = { mdm: saying(true, 'still there') };
  const w = await world({ validators, authorize: { enrol: ['challenge'], renew: ['mdm'] } });
  const [first, second] = await keys('v1', 'v2');
  assert.ok(first && second);
  const certificate = got(await w.ask({ challenge: await w.lab.challenge(), key: first }));
  const signer = { key: first, certificate: readCertificate(certificate) };
  got(await w.ask({ signer, key: second, messageType: 'RenewalReq' }));
  const renewal = w.transactions().find(({ renews }) => renews !== undefined);
  assert.deepEqual(renewal?.verdicts, [
    { validator: 'certificate', allows: true, says: `renewal of ${renewal?.renews}` },
    { validator: 'mdm', allows: true, says: 'still there' },
  ]);
});

test('a certificate is kept from its device while the configuration has lost the validator that it waits for', async () => {
  const notify = async () => {
    throw new Error('away');
  };
  const mdm = { ...saying(true), notify };
  const w = await world({ validators: { mdm }, authorize: { enrol: ['challenge', 'mdm'] } });
  const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
  const outage = async () => {
    await assert.rejects(w.send(sent), /HTTP 503/);
    return String(w.lab.log.findLast(({ event }) => event === 'http.outage')?.detail);
  };
  assert.match(await outage(), /a release gate did not answer: away/);
  (w.lab.deps.validators as Map<string, Validator>).delete('mdm');
  assert.match(await outage(), /no validator "mdm" .*: name it there again until none waits/);
  assert.deepEqual(
    w.certificates().map(({ state }) => state),
    ['signed'],
  );
});

test('an endpoint without a validator: an approver decides about every request', async () => {
  const w = await world({ endpoint: { enrol: { authorize: [] }, approval: 'always' } });
  const sent = await enrolment(w.lab, {});
  assert.equal((await w.send(sent)).pkiStatus, 'PENDING');
  const [waiting] = w.transactions();
  assert.deepEqual(waiting?.authorizedBy, []);
  await assert.doesNotReject(decide(w.lab.deps, waiting?.id ?? '', 'approved', { by: 'jane' }));
  got(await w.poll());
  assert.deepEqual(w.transactions()[0]?.authorizedBy, ['approval']);
  // Names are those that the profile lets a request give itself, as with a challenge that is bound to none.
  const [key] = await keys('v3');
  assert.ok(key);
  refusedWith('SCEP-312', await w.ask({ key, names: ['dns:a.example'] }));
  w.check();
});

describe('a validator that came into the configuration while a request waited for a person', () => {
  const waiting = async (asset: Validator) => {
    const mdm = saying(true, 'enrolled on Monday');
    const validators = { mdm, assets: asset };
    const before = { validators, authorize: { enrol: ['challenge', 'mdm'] } };
    const w = await world({ ...before, endpoint: { approval: 'always' } });
    const sent = await enrolment(w.lab, { challenge: await w.lab.challenge() });
    assert.equal((await w.send(sent)).pkiStatus, 'PENDING');
    const id = w.transactions()[0]?.id ?? '';
    await decide(w.lab.deps, id, 'approved', { by: 'somebody' });
    const next = await w.instance({
      ...{ validators, authorize: { enrol } },
      endpoint: { approval: 'always' },
    });
    return { w, sent, next, mdm };
  };

  test('is asked before it is issued, and may refuse', async () => {
    const { w, sent, next, mdm } = await waiting(saying(false, 'sold in May'));
    refusedWith('SCEP-331', await w.send(sent, '/scep', next));
    assert.equal(w.transactions()[0]?.state, 'denied');
    assert.deepEqual([mdm.asked, w.certificates()], [1, []]);
    w.check();
  });

  test('that allows it stands beside those that were asked before, once', async () => {
    const assets = saying(true);
    const { w, sent, next, mdm } = await waiting(assets);
    w.key.down = true;
    await assert.rejects(w.send(sent, '/scep', next), /HTTP 503/);
    w.key.down = false;
    next.clock.at += LEASE_MS;
    got(await w.send(sent, '/scep', next));
    assert.deepEqual([mdm.asked, assets.asked], [1, 2]);
    const [issued] = w.transactions();
    assert.deepEqual(issued?.authorizedBy.slice(1), [
      ...['validator mdm', 'approval', 'validator assets'],
    ]);
    assert.deepEqual(
      issued?.verdicts?.map(({ validator }) => validator),
      enrol,
    );
    w.check();
  });
});
