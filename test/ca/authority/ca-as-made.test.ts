// A CA goes on as it was made, whatever the configuration says of it afterwards, until an operator retires it:
// what the two disagree about is said, and nothing is made or ended silently.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hex } from '../../../lib/base/bytes.ts';
import { Outage } from '../../../lib/base/errors.ts';
import { CA_WARNING_MS } from '../../../lib/base/limits.ts';
import { disagreements, warnOfDisagreements } from '../../../lib/ca/authority/as-made.ts';
import { initCa, requestCa } from '../../../lib/ca/authority/init-ca.ts';
import { lookAtRetiring, retireCa } from '../../../lib/ca/authority/retire.ts';
import { casOfJobs, jobsOf } from '../../../lib/ca/jobs.ts';
import { View } from '../../../lib/ca/record/unit-of-work.ts';
import type { ConfigDocument } from '../../../lib/config/config.ts';
import { readCaCertificates } from '../../../lib/protocol/scep/client/client.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { crlEntries } from '../../../lib/x509/describe/describe.ts';
import { type Body, call, ok } from '../../support/api.ts';
import { deviceKey } from '../../support/keys.ts';
import { makeLab } from '../../support/lab.ts';
import { MemoryCrls, MemoryStore } from '../../support/memory-store.ts';
import { enrolment } from '../../support/messages.ts';

type Cas = ConfigDocument['cas'];
const DAY = 86_400_000;
const actor = { kind: 'admin', id: 'somebody' } as const;
const one = { subject: 'CN=One,O=X', key: 'ec:P-256', crlValidity: '4d' } as const;
const two = { subject: 'CN=Two,O=X', key: 'ec:P-256', crlValidity: '6d' } as const;
const endpointsOf = (cas: Cas) =>
  Object.fromEntries(Object.keys(cas).map((ca) => [ca === 'one' ? 'default' : ca, { ca }]));

/** A service that is started again and again over the same records. */
function service() {
  const shared = { store: new MemoryStore(), crls: new MemoryCrls() };
  const now = Date.UTC(2031, 0, 1);
  // The lab announces its CA "default", which is none of these.
  return (cas: Cas, unmade: readonly string[] = []) =>
    makeLab({
      ...shared,
      now,
      uninitialised: ['default', ...unmade],
      config: { cas, endpoints: endpointsOf(cas) },
    });
}
type Lab = Awaited<ReturnType<typeof makeLab>>;

const saidOf = async ({ deps }: Lab) =>
  (await disagreements(deps)).map(({ ca, said }) => [ca, said]);
const warningsOf = async (lab: Lab) => (await ok(lab, 'GET', '/status')).warnings as string[];

async function enrolAt(lab: Lab, endpoint: string, name: string): Promise<string> {
  const ca = lab.config.endpoints.get(endpoint)?.ca ?? '';
  const announced = readCaCertificates((await lab.deps.cas.of(ca)).bag);
  const challenge = await lab.challenge({ endpoint });
  const key = await deviceKey(name, { type: 'EC', curve: 'P-256' });
  const sent = await enrolment({ ...lab, announced }, { challenge, key });
  const answer = await sent.read(await lab.operate(sent.message, `/scep/${endpoint}`));
  assert.ok(answer.pkiStatus === 'SUCCESS', JSON.stringify(answer));
  const [der] = answer.certificates;
  return hex(readCertificate(der ?? assert.fail()).serial);
}

const authorityOf = async ({ deps }: Lab, id: string) => {
  const view = new View(deps.store);
  await view.load([{ kind: 'authority', key: id }]);
  return view.get('authority', id);
};

describe('a CA that is configured otherwise than it was made', () => {
  const said = (field: string, wanted: string, made: string) =>
    `the configuration has the ${field} "${wanted}", and it was made with "${made}": it goes on as it was made; write that again, or give a new CA a new name`;

  test('one that is configured as it was made is said nothing about, whatever its kind of key', async () => {
    for (const key of ['rsa:2048', 'rsa:3072', 'ec:P-256', 'ec:P-384'] as const) {
      const start = service();
      const lab = await start({ one: { ...one, key, validity: '400d' } });
      assert.deepEqual(await saidOf(lab), [], key);
      assert.deepEqual(await warningsOf(lab), [], key);
    }
  });

  const changes: [string, Partial<Cas[string]>, string][] = [
    ['subject', { subject: 'CN=One,O=Y' }, said('subject', 'CN=One,O=Y', 'CN=One,O=X')],
    ['case of the subject', { subject: 'CN=ONE,O=X' }, said('subject', 'CN=ONE,O=X', 'CN=One,O=X')],
    ['key', { key: 'rsa:3072' }, said('key', 'rsa:3072', 'ec:P-256')],
    ['curve', { key: 'ec:P-384' }, said('key', 'ec:P-384', 'ec:P-256')],
    ['validity', { validity: '90d' }, said('validity', '90d', '3650d')],
    ['validity by an hour', { validity: '87601h' }, said('validity', '87601h', '3650d')],
  ];
  for (const [what, change, sentence] of changes) {
    test(`another ${what} is said at start and in status, and the CA goes on as it was made`, async () => {
      const start = service();
      const before = await start({ one });
      const made = await authorityOf(before, 'one');
      const lab = await start({ one: { ...one, ...change } });
      assert.deepEqual(await authorityOf(lab, 'one'), made);
      assert.deepEqual(await warningsOf(lab), [`CA "one": ${sentence}`]);
      assert.deepEqual(((await ok(lab, 'GET', '/cas/one')) as Body).warnings, [sentence]);
      await warnOfDisagreements(lab.deps);
      const entry = { event: 'ca.warning', severity: 'warning', ca: 'one', detail: sentence };
      assert.deepEqual(lab.log, [entry]);
      await enrolAt(lab, 'default', 'as made');
    });
  }

  test('the same validity in other units, or another lifetime of CRLs, is no disagreement', async () => {
    const start = service();
    await start({ one });
    const lab = await start({ one: { ...one, validity: '87600h', crlValidity: '20d' } });
    assert.deepEqual(await saidOf(lab), []);
  });

  test('of one that waits for its root nothing can be said yet', async () => {
    const start = service();
    const lab = await start({ one }, ['one']);
    await requestCa(lab.deps, lab.config.cas.get('one') ?? assert.fail());
    assert.deepEqual(await saidOf(lab), []);
    assert.deepEqual(await warningsOf(lab), [
      'CA "one": it waits for the certificate that its root has to sign',
    ]);
  });
});

describe('a CA that is taken out of the configuration', () => {
  const sentence =
    'the configuration does not name it: it issues nothing and its CRL goes on; put it back into "cas" as it was, or end it with "scepter ca retire two"';

  /** A certificate was issued by both, then the second CA was taken out. */
  async function takenOut() {
    const start = service();
    const before = await start({ one, two });
    const serial = await enrolAt(before, 'two', 'taken out');
    const lab = await start({ one });
    return { start, lab, serial, before };
  }

  test("its CRL and certificate are served on, its certificates found, its keys nobody else's, and status says so", async () => {
    const { lab, serial, before } = await takenOut();
    assert.equal((await lab.fetch('/crl/two.crl')).status, 200);
    assert.equal((await lab.fetch('/aia/two.cer')).status, 200);
    assert.equal((await lab.fetch('/crl/three.crl')).status, 404);
    assert.equal((await lab.fetch('/readyz')).status, 200);
    assert.deepEqual(await warningsOf(lab), [`CA "two": ${sentence}`]);
    const cas = (await ok(lab, 'GET', '/cas')).cas as Body[];
    assert.deepEqual(
      cas.map(({ id, warnings }) => [id, warnings]),
      [
        ['one', []],
        ['two', [sentence]],
      ],
    );
    for (const query of ['', '?ca=two', `?serial=${serial}`, '?subject=CN%3D']) {
      const found = (await ok(lab, 'GET', `/certificates${query}`)).certificates as Body[];
      assert.deepEqual(
        found.map((found) => found.serial),
        [serial],
        query,
      );
    }
    const events = (await ok(lab, 'GET', `/events?serial=${serial}`)).events as Body[];
    assert.ok(events.length > 0);
    const [was, is] = [await before.deps.cas.of('one'), await lab.deps.cas.of('one')];
    assert.deepEqual(is.ownKeys, was.ownKeys);
  });

  test('a revocation is in its next CRL, which lives as long as the one before; its RA does not matter any more', async () => {
    const { lab, serial } = await takenOut();
    const body = { reason: 'keyCompromise' };
    await ok(lab, 'POST', `/certificates/two/${serial}/revoke`, { body });
    const jobs = jobsOf(lab.deps, await casOfJobs(lab.deps));
    assert.deepEqual(
      jobs.map(({ name }) => name).filter((name) => / (one|two)$/.test(name)),
      ['crl one', 'expiry one', 'lint one', 'crl two', 'expiry two'],
    );
    await jobs.find(({ name }) => name === 'crl two')?.run();
    const crl = (await lab.deps.crls.newest('two')) ?? assert.fail();
    assert.equal(crl.number, 2);
    assert.equal(crl.nextUpdate - crl.thisUpdate, 6 * DAY);
    assert.equal(crlEntries(crl.der).length, 1);
    await ok(lab, 'POST', '/crls/two/publish');
    lab.clock.at += 1000 * DAY;
    for (const job of jobsOf(lab.deps, await casOfJobs(lab.deps))) {
      if (job.name.startsWith('crl')) await job.run();
    }
    const said = (await warningsOf(lab)).filter((one) => one.startsWith('CA "two"'));
    assert.deepEqual(said, [`CA "two": ${sentence}`]);
    lab.clock.at += 2650 * DAY - CA_WARNING_MS + DAY;
    assert.match((await warningsOf(lab)).join(), /CA "two": its certificate expires on/);
  });

  test('one that is put back goes on where it was', async () => {
    const { start, before } = await takenOut();
    const lab = await start({ one, two });
    assert.deepEqual(await authorityOf(lab, 'two'), await authorityOf(before, 'two'));
    assert.deepEqual(await warningsOf(lab), []);
    await enrolAt(lab, 'two', 'put back');
  });

  test('a list of CAs that another hand has removed or changed is said, and ca init puts a CA back into it', async () => {
    const { lab } = await takenOut();
    for (const spoil of ['delete', 'put'] as const) {
      const [row] = await lab.unguarded.read([{ kind: 'authorities', key: 'all' }]);
      const where = { kind: 'authorities', key: 'all', rev: row?.rev ?? 0 } as const;
      const record = { cas: ['two', 'three'] };
      await lab.unguarded.write([
        spoil === 'put' ? { do: 'put', ...where, record } : { do: 'delete', ...where },
      ]);
      const said =
        'the list of CAs, which another hand has changed, does not have it: run "scepter ca init one"';
      assert.deepEqual(await warningsOf(lab), [`CA "one": ${said}`]);
      assert.equal(await initCa(lab.deps, lab.config.cas.get('one') ?? assert.fail()), 'exists');
      assert.deepEqual(await warningsOf(lab), []);
    }
  });
});

describe('a CA that is renamed in the configuration', () => {
  const missing =
    'it has not been made, because "one" exists and the configuration does not name it: if that was renamed, give it its name back; if this is a new CA, run "scepter ca init new"';

  test('the new name is said to be no CA, and the old one to be one still', async () => {
    const start = service();
    await start({ one });
    const lab = await start({ new: one }, ['new']);
    assert.deepEqual(
      (await disagreements(lab.deps)).map(({ ca, goesOn }) => [ca, goesOn]),
      [
        ['new', undefined],
        ['one', true],
      ],
    );
    const [first, second, ...others] = await warningsOf(lab);
    assert.deepEqual([first, others], [`CA "new": ${missing}`, []]);
    assert.match(second ?? '', /^CA "one": the configuration does not name it: /);
    assert.equal((await lab.fetch('/crl/one.crl')).status, 200);
    // An operator who asks for it gets a new CA.
    assert.equal(await initCa(lab.deps, lab.config.cas.get('new') ?? assert.fail()), 'done');
    assert.equal(
      (await warningsOf(lab)).some((said) => said.startsWith('CA "new"')),
      true,
    );
  });

  test('a CA that is added beside one that is named is no disagreement', async () => {
    const start = service();
    await start({ one });
    const lab = await start({ one, two }, ['two']);
    assert.deepEqual(await saidOf(lab), []);
    assert.deepEqual(await warningsOf(lab), ['CA "two": it has not been made yet']);
  });
});

describe('retiring a CA', () => {
  const events = async (lab: Lab) =>
    ((await ok(lab, 'GET', '/events?type=ca.retired')).events as Body[]).map(
      ({ type, ca, actor: by, personal }) => [
        type,
        ca,
        { ...Object(by), ...Object(personal).actor },
      ],
    );

  test('a CA that is retired has no CRL, no RA key and no successor of its name; one event tells it', async () => {
    const start = service();
    const before = await start({ one, two });
    await enrolAt(before, 'two', 'retired');
    const lab = await start({ one });
    const found = await lookAtRetiring(lab.deps, 'two');
    assert.deepEqual([found.valid, found.more, found.subject], [1, false, 'CN=Two,O=X']);
    await retireCa(lab.deps, 'two', actor);
    const record = await authorityOf(lab, 'two');
    assert.equal(record?.retiredAt, lab.clock.at);
    assert.deepEqual(
      record?.generations.map(({ state, sealedKey }) => [state, sealedKey]),
      [['retired', undefined]],
    );
    assert.deepEqual(await events(lab), [['ca.retired', 'two', actor]]);
    const later = await start({ one });
    for (const path of ['/crl/two.crl', '/aia/two.cer']) {
      assert.equal((await later.fetch(path)).status, 404, path);
    }
    assert.equal((await call(later, 'GET', '/cas/two')).status, 404);
    assert.deepEqual(await warningsOf(later), []);
    assert.ok(
      jobsOf(later.deps, await casOfJobs(later.deps)).every(({ name }) => !name.endsWith(' two')),
    );
    // What it has issued is found, and its keys are no device's.
    assert.equal(((await ok(later, 'GET', '/certificates')).certificates as Body[]).length, 1);
    assert.deepEqual(
      (await later.deps.cas.of('one')).ownKeys,
      (await before.deps.cas.of('one')).ownKeys,
    );
    const again = await start({ one, two }, ['one', 'two']);
    const said = /^the CA "two" was retired on 2031-01-01; a new CA needs a new name$/;
    const authority = again.config.cas.get('two') ?? assert.fail();
    for (const make of [initCa, requestCa]) {
      await assert.rejects(make(again.deps, authority), (error: Error) => {
        assert.ok(error instanceof Outage);
        return said.test(error.message);
      });
    }
    assert.deepEqual(await warningsOf(again), [
      'CA "two": it was retired on 2031-01-01: take it out of "cas"; a new CA needs a new name',
    ]);
    assert.equal((await again.fetch('/scep/two?operation=GetCACert')).status, 503);
  });

  test('a long-running server makes no CRL of a CA that was retired beside it', async () => {
    const start = service();
    await start({ one, two });
    const lab = await start({ one });
    const jobs = jobsOf(lab.deps, await casOfJobs(lab.deps));
    await retireCa(lab.deps, 'two', actor);
    lab.clock.at += 10 * DAY;
    assert.deepEqual(await jobs.find(({ name }) => name === 'crl two')?.run(), {});
    assert.ok(lab.log.every(({ event }) => event !== 'crl.published'));
  });

  const refusals: [string, Cas, string, RegExp][] = [
    [
      'the configuration names',
      { one, two },
      'two',
      /^the configuration names the CA "two": take it and/,
    ],
    ['there never was', { one }, 'nobody', /^there is no CA "nobody"$/],
  ];
  for (const [what, cas, name, said] of refusals) {
    test(`a CA that ${what} is not retired`, async () => {
      const start = service();
      await start({ one, two });
      const lab = await start(cas);
      await assert.rejects(lookAtRetiring(lab.deps, name), { message: said });
      await assert.rejects(retireCa(lab.deps, name, actor), { message: said });
      assert.deepEqual(await events(lab), []);
    });
  }

  test('certificates that have expired or were revoked are not in its way, and it is retired once', async () => {
    const start = service();
    const before = await start({ one, two });
    const revoked = await enrolAt(before, 'two', 'retire revoked');
    await ok(before, 'POST', `/certificates/two/${revoked}/revoke`, {
      body: { reason: 'superseded' },
    });
    await enrolAt(before, 'two', 'retire expired');
    const lab = await start({ one });
    assert.equal((await lookAtRetiring(lab.deps, 'two')).valid, 1);
    lab.clock.at += 366 * DAY;
    assert.deepEqual(
      (({ valid, until }) => [valid, until])(await lookAtRetiring(lab.deps, 'two')),
      [0, undefined],
    );
    await retireCa(lab.deps, 'two', actor);
    await assert.rejects(retireCa(lab.deps, 'two', actor), {
      message: /^the CA "two" was retired on /,
    });
  });
});

test('CAs that are made at the same time are all in the list', async () => {
  const start = service();
  const names = ['a', 'b', 'c', 'd'];
  const cas = Object.fromEntries(names.map((name) => [name, { ...one, subject: `CN=${name}` }]));
  const lab = await start(cas, names);
  const all = [...lab.config.cas.values()].map((authority) => initCa(lab.deps, authority));
  assert.deepEqual(await Promise.all(all), ['done', 'done', 'done', 'done']);
  assert.deepEqual(
    await warningsOf(lab).then((said) => said.filter((one) => /list/.test(one))),
    [],
  );
});
