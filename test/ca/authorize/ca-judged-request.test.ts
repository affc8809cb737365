// An endpoint whose validator outside judges the whole request, as Intune does: its word gives the names and usages
// that the request asks for, and it is told of the request as it came, whatever becomes of it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { extensionOids, extKeyUsages } from '../../../lib/asn1/oids.ts';
import { boolean, objectIdentifier, octets, sequence } from '../../../lib/asn1/writer.ts';
import { type Bytes, hex, utf8 } from '../../../lib/base/bytes.ts';
import { LEASE_MS, SWEEP_AFTER_MS } from '../../../lib/base/limits.ts';
import { OUTSIDE_MS } from '../../../lib/base/mdm-limits.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { sweep } from '../../../lib/ca/jobs.ts';
import type {
  IssuedNotice,
  RefusedNotice,
  ValidationRequest,
  Validator,
} from '../../../lib/ports/validator.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { readCertificationRequest } from '../../../lib/x509/csr.ts';
import { describeCertificate } from '../../../lib/x509/describe/describe.ts';
import { extKeyUsage, type KeyUsage, keyUsage } from '../../../lib/x509/extensions.ts';
import { deviceKey } from '../../support/keys.ts';
import type { LabOptions } from '../../support/lab.ts';
import { type AskedRequest, requestFor } from '../../support/requests.ts';
import { got, keys, refusedWith, type World, world } from '../../support/world.ts';

type Told = {
  readonly validated: ValidationRequest[];
  readonly notified: IssuedNotice[];
  readonly denied: RefusedNotice[];
};

/** Allows everything and releases everything, unless it is told to do something else. */
function mdm(
  says: Partial<{
    validate: Validator['validate'];
    notify: NonNullable<Validator['notify']>;
    refused: NonNullable<Validator['refused']>;
  }> = {},
): Validator & Told {
  const told: Told = { validated: [], notified: [], denied: [] };
  return {
    ...told,
    validate: async (request) => {
      told.validated.push(request);
      return says.validate ? says.validate(request) : { allow: true };
    },
    notify: async (notice) => {
      told.notified.push(notice);
      return says.notify ? says.notify(notice) : 'release';
    },
    refused: async (notice) => {
      told.denied.push(notice);
      await says.refused?.(notice);
    },
  };
}

type ProfileDocument = NonNullable<NonNullable<LabOptions['config']>['profiles']>[string];

const judgedBy = (
  validator: Validator,
  profile: ProfileDocument = {},
  more: LabOptions['endpoint'] = {},
): LabOptions => ({
  validators: { mdm: validator },
  config: {
    validators: {
      mdm: { kind: 'intune', tenant: 'contoso.example', clientId: 'c', clientSecret: 'env:SECRET' },
    },
    profiles: { device: profile },
  },
  endpoint: { enrol: { authorize: ['mdm'] }, renew: { authorize: ['mdm'] }, ...more },
});

const blob = 'A signed and encrypted blob. '.repeat(80);

async function asking(asked: AskedRequest = {}) {
  const key = await deviceKey();
  return { key, plaintext: await requestFor(key, { challenge: blob, ...asked }) };
}

const SID = 'uri:tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-1001';

const shown = (der: Bytes): string => JSON.stringify(describeCertificate(der));

describe('names', () => {
  const names = [
    'dns:device-1.example',
    'upn:ada@contoso.example',
    'email:ada@contoso.example',
    SID,
  ];

  test('what the validator allows is certified: subject, DNS, UPN, mail and the SID as a URI', async () => {
    const validator = mdm();
    const w = await world(judgedBy(validator, { sid: 'uri' }));
    const der = got(await w.ask(await asking({ names })));
    const [transaction] = w.transactions();
    assert.deepEqual(transaction?.names, [
      'dns:device-1.example',
      'upn:ada@contoso.example',
      'email:ada@contoso.example',
      'sid:S-1-5-21-1-2-3-1001',
    ]);
    assert.ok(Buffer.from(der).includes(SID.slice('uri:'.length)));
    assert.deepEqual(transaction?.authorizedBy, ['validator mdm']);
    w.check();
  });

  test('what it refuses is not', async () => {
    const validator = mdm({
      validate: async () => ({ allow: false, note: 'SubjectNameMismatch' }),
    });
    const w = await world(judgedBy(validator, { sid: 'uri' }));
    refusedWith('SCEP-331', await w.ask(await asking({ names })));
    assert.deepEqual(w.certificates(), []);
    // It knows by itself.
    assert.equal(validator.denied.length, 0);
  });

  test('a type that the profile never certifies is refused before it is asked, and it is told', async () => {
    const validator = mdm();
    const w = await world(judgedBy(validator, { names: { upn: 'none' }, sid: 'uri' }));
    refusedWith('SCEP-313', await w.ask(await asking({ names })));
    assert.equal(validator.validated.length, 0);
    assert.equal(validator.denied[0]?.reason, 'nameNotAllowed');
  });

  test('beside a challenge, the challenge gives the names', async () => {
    const w = await world({
      validators: { hook: mdm() },
      config: {
        validators: {
          hook: {
            kind: 'webhook',
            url: 'https://hook.example',
            secret: 'env:S',
            namesAsAsked: true,
          },
        },
      },
      endpoint: { enrol: { authorize: ['challenge', 'hook'] } },
    });
    const challenge = await w.lab.challenge({ names: ['dns:device-2.example'] });
    const wanted = await asking({ challenge, names: ['dns:device-1.example'] });
    refusedWith('SCEP-312', await w.ask(wanted));
  });
});

describe('a challenge of this service is no business of a validator outside', () => {
  for (const own of ['challenge', 'staticChallenge'] as const) {
    test(`${own}: it is told none, whether the request is allowed or refused`, async () => {
      const hook = mdm();
      const secret = 'a secret of many devices';
      const w = await world({
        validators: { hook },
        staticSecrets: { 'env:STATIC': secret },
        config: {
          validators: {
            hook: { kind: 'webhook', url: 'https://hook.example', secret: 'env:S', notify: true },
          },
        },
        endpoint: {
          enrol: {
            authorize: [own, 'hook'],
            ...(own === 'staticChallenge'
              ? { staticChallenge: { secret: 'env:STATIC', subject: { CN: '*-1' } } }
              : {}),
          },
        },
      });
      const challenge = () => (own === 'challenge' ? w.lab.challenge() : secret);
      const good = await challenge();
      got(await w.ask(await asking({ challenge: good })));
      const names = ['dns:a.example'];
      const bad = await challenge();
      refusedWith('SCEP-312', await w.ask(await asking({ challenge: bad, names })));
      const told = [...hook.validated, ...hook.notified, ...hook.denied];
      assert.deepEqual(
        [hook.validated.length, hook.notified.length, hook.denied.length],
        [1, 1, 1],
      );
      for (const { csr } of told) {
        const { challengePassword, subject } = readCertificationRequest(csr);
        assert.equal(challengePassword, '');
        assert.ok(subject.length > 2);
        for (const one of [good, bad]) assert.ok(!Buffer.from(csr).includes(one));
      }
      assert.deepEqual(hook.notified[0]?.csr, hook.validated[0]?.csr);
      w.check();
    });
  }
});

const { clientAuth, emailProtection, serverAuth } = extKeyUsages;
const profile = { extKeyUsage: ['clientAuth', 'emailProtection'] };

describe('usages', () => {
  const usages = (...names: KeyUsage[]) => keyUsage(names);

  test('those that are asked for are certified, and no others', async () => {
    const w = await world(judgedBy(mdm(), profile));
    const extensions = [usages('digitalSignature'), extKeyUsage([clientAuth])];
    const der = got(await w.ask(await asking({ extensions })));
    const { extensions: has } = readCertificate(der);
    assert.equal(hex(has.get(extensionOids.keyUsage)?.value ?? new Uint8Array(0)), '03020780');
    assert.ok(shown(der).includes('clientAuth'));
    assert.ok(!shown(der).includes('emailProtection'));
    w.check();
  });

  test('a request without any gets those of the profile', async () => {
    const w = await world(judgedBy(mdm(), profile));
    const der = got(await w.ask(await asking()));
    assert.match(shown(der), /digitalSignature.*keyEncipherment/);
    assert.match(shown(der), /clientAuth.*emailProtection/);
  });

  for (const [what, extensions, said] of [
    [
      'an extended key usage',
      [extKeyUsage([serverAuth])],
      /profiles.device.extKeyUsage.*serverAuth/,
    ],
    ['one beside an allowed one', [extKeyUsage([clientAuth, serverAuth])], /serverAuth/],
    [
      'a key usage',
      [usages('digitalSignature', 'dataEncipherment')],
      /profiles.device.keyUsage.*dataEncipherment/,
    ],
    ['keyCertSign', [usages('keyCertSign')], /keyCertSign/],
    [
      'a usage that serves none of the purposes',
      [usages('keyEncipherment'), extKeyUsage([clientAuth])],
      /keyEncipherment/,
    ],
  ] as const) {
    test(`${what} that the profile does not have is refused, and the validator is told`, async () => {
      const validator = mdm();
      const w = await world(judgedBy(validator, profile));
      refusedWith('SCEP-335', await w.ask(await asking({ extensions })));
      assert.match(JSON.stringify(w.transactions()[0]?.evidence), said);
      assert.deepEqual(
        validator.denied.map(({ reason, text }) => [reason, text.length > 0]),
        [['usageNotAllowed', true]],
      );
      assert.deepEqual(w.certificates(), []);
    });
  }

  test('octets that are no usages are refused', async () => {
    for (const id of [extensionOids.keyUsage, extensionOids.extKeyUsage]) {
      const w = await world(judgedBy(mdm(), profile));
      const extensions = [sequence(objectIdentifier(id), boolean(true), octets(utf8('?')))];
      refusedWith('SCEP-335', await w.ask(await asking({ extensions })));
    }
  });

  test('a renewal has the usages that it asks for, and the validator is asked of it too', async () => {
    const validator = mdm();
    const w = await world(judgedBy(validator, profile));
    const [first, second] = await keys('j1', 'j2');
    assert.ok(first && second);
    const old = got(
      await w.ask({
        key: first,
        plaintext: await requestFor(first, {
          challenge: blob,
          extensions: [extKeyUsage([clientAuth])],
        }),
      }),
    );
    const signer = { key: first, certificate: readCertificate(old) };
    const extensions = [extKeyUsage([emailProtection])];
    const der = got(
      await w.ask({
        signer,
        key: second,
        messageType: 'RenewalReq',
        plaintext: await requestFor(second, { challenge: blob, extensions }),
      }),
    );
    assert.ok(shown(der).includes('emailProtection') && !shown(der).includes('clientAuth'));
    assert.equal(validator.validated.length, 2);
    w.check();
  });
});

describe('a renewal has no more than the certificate that signs it', () => {
  const hook = { kind: 'webhook', url: 'https://h.example', secret: 'env:S', namesAsAsked: true };
  const setUp = (own: readonly string[], renew: readonly string[]) =>
    world({
      validators: { hook: mdm() },
      config: {
        validators: { hook: hook as { kind: 'webhook'; url: string; secret: string } },
        profiles: { device: profile },
      },
      endpoint: { enrol: { authorize: [...own, 'hook'] }, renew: { authorize: [...renew] } },
    });
  const renewing = async (w: World, challenge: string, asks: readonly string[]) => {
    const [first, second] = await keys('j1', 'j2');
    assert.ok(first && second);
    const extensions = [extKeyUsage([...asks])];
    const old = got(
      await w.ask({ key: first, plaintext: await requestFor(first, { challenge, extensions }) }),
    );
    const more = [extKeyUsage([clientAuth, emailProtection])];
    const der = got(
      await w.ask({
        signer: { key: first, certificate: readCertificate(old) },
        ...{ key: second, messageType: 'RenewalReq' },
        plaintext: await requestFor(second, { extensions: more }),
      }),
    );
    w.check();
    return { old, der };
  };

  test('where nobody judges renewals', async () => {
    const { der } = await renewing(await setUp([], []), blob, [clientAuth]);
    assert.ok(shown(der).includes('clientAuth') && !shown(der).includes('emailProtection'));
  });

  test('where a challenge said how long, and for what', async () => {
    const w = await setUp(['challenge'], ['hook']);
    const challenge = await w.lab.challenge({ extKeyUsage: ['clientAuth'], validity: 3_600_000 });
    const { old, der } = await renewing(w, challenge, [clientAuth]);
    assert.ok(!shown(der).includes('emailProtection'));
    const ends = [old, der].map((one) => readCertificate(one).notAfter);
    assert.equal(ends[0], ends[1]);
    assert.ok((ends[0] ?? 0) <= w.lab.clock.at + 3_600_000);
  });
});

describe('what it is told', () => {
  test('the octets of the request are the same when it judges and when it is told, and are kept no longer', async () => {
    const validator = mdm();
    const w = await world(judgedBy(validator));
    const sent = await asking();
    got(await w.ask(sent));
    const [judged, told] = [validator.validated[0], validator.notified[0]];
    assert.deepEqual(judged?.csr, sent.plaintext);
    assert.deepEqual(told?.csr, sent.plaintext);
    assert.equal(told?.serial, w.certificates()[0]?.serial);
    const until = w.lab.clock.now() + OUTSIDE_MS;
    assert.deepEqual([judged?.until, told?.until], [until, until]);
    assert.ok(!JSON.stringify(w.store.dump()).includes('gateChallenge'));
  });

  test('while a gate does not answer, its challenge is on record sealed only, and the sweeper opens it', async () => {
    let up = false;
    const validator = mdm({
      notify: async () => {
        if (!up) throw new Error('not reachable');
        return 'release';
      },
    });
    const w = await world(judgedBy(validator));
    const sent = await asking();
    await assert.rejects(w.ask(sent), /HTTP 503/);
    const records = JSON.stringify(w.store.dump());
    assert.ok(records.includes('gateChallenge') && !records.includes('encrypted blob'));
    assert.ok(!records.includes(Buffer.from('encrypted blob').toString('base64').slice(2, 12)));
    w.lab.clock.at += LEASE_MS;
    up = true;
    assert.equal((await sweep(w.lab.deps)).released, 1);
    assert.deepEqual(validator.notified.at(-1)?.csr, sent.plaintext);
    assert.equal(validator.validated.length, 1);
    got(await w.ask(sent));
    w.check();
  });

  test('a refusal at the gate is told with the request, and nothing is given out', async () => {
    const validator = mdm({ notify: async () => 'refuse' });
    const w = await world(judgedBy(validator));
    const sent = await asking();
    refusedWith('SCEP-353', await w.ask(sent));
    assert.deepEqual(
      validator.denied.map(({ reason, csr }) => [reason, csr]),
      [['releaseRefused', sent.plaintext]],
    );
    assert.equal(w.certificates()[0]?.state, 'revoked');
    w.check();
  });

  test('after an hour without an answer the certificate is revoked, and the validator is told', async () => {
    const validator = mdm({ notify: () => Promise.reject(new Error('silent')) });
    const w = await world(judgedBy(validator));
    const sent = await asking();
    await assert.rejects(w.ask(sent), /HTTP 503/);
    w.lab.clock.at += LEASE_MS + SWEEP_AFTER_MS;
    assert.equal((await sweep(w.lab.deps)).released, 1);
    assert.equal(w.certificates()[0]?.state, 'revoked');
    assert.deepEqual(validator.denied[0]?.csr, sent.plaintext);
    w.check();
  });

  test('a waiting request keeps what it brought until it is issued, and loses it when it is denied', async () => {
    for (const verdict of ['approved', 'denied'] as const) {
      const validator = mdm();
      const w = await world(judgedBy(validator, {}, { approval: 'always' }));
      const sent = await asking();
      await w.ask(sent);
      const [waiting] = w.transactions();
      assert.ok(waiting?.gateChallenge);
      await decide(w.lab.deps, waiting.id, verdict, { by: 'somebody' });
      if (verdict === 'approved') {
        got(await w.ask(sent));
        assert.deepEqual(validator.notified[0]?.csr, sent.plaintext);
      }
      assert.equal(w.transactions()[0]?.gateChallenge, undefined);
      w.check();
    }
  });

  test('one that cannot be told of a refusal changes nothing: a line of the log says so', async () => {
    const validator = mdm({ refused: () => Promise.reject(new Error('no way')) });
    const w = await world(judgedBy(validator, { names: { dns: 'none' } }));
    refusedWith('SCEP-313', await w.ask(await asking({ names: ['dns:device-1.example'] })));
    const line = w.lab.log.find(({ event }) => event === 'validator.untold');
    assert.match(String(line?.detail), /the validator "mdm" was not told of a refusal: no way/);
  });

  test('beyond the budget for recorded refusals it is not called', async () => {
    const validator = mdm();
    const w = await world(judgedBy(validator, { names: { dns: 'none' } }));
    for (let i = 0; i < 60; i++) {
      refusedWith('SCEP-313', await w.ask(await asking({ names: [`dns:d${i}.example`] })));
    }
    const recorded = w.transactions().length;
    assert.ok(recorded < 60);
    assert.equal(validator.denied.length, recorded);
  });
});
