// The adapter of Microsoft Intune against the fake one: what it makes of each answer, of each failure, and how often it asks.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Kept } from '../../../lib/adapters/intune/call.ts';
import { intuneCodes } from '../../../lib/adapters/intune/codes.ts';
import { hresultOf, hresults } from '../../../lib/adapters/intune/hresults.ts';
import { pem } from '../../../lib/base/bytes.ts';
import { NoAnswer, Outage } from '../../../lib/base/errors.ts';
import { generateKey, selfSigned } from '../../../lib/protocol/scep/client/client.ts';
import { reasons } from '../../../lib/refusal/reasons.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import type { Failure, Place } from '../../support/intune/fake.ts';
import {
  type Bent,
  type Challenge,
  CLIENT_AUTH,
  commonProfile,
  deviceRequest,
  type IntuneCode,
} from '../../support/intune/profile.ts';
import { intuneWorld } from '../../support/intune/world.ts';
import { random } from '../../support/messages.ts';
import { rsaPrivateKey } from '../../support/rsa-keys.ts';
import { vectorText } from '../../support/vectors.ts';

type World = ReturnType<typeof intuneWorld>;

const certificate = Buffer.from(
  JSON.parse(vectorText('intune/java-client.json')).certificate,
  'base64',
);

const issued = (world: World, csr = world.good(commonProfile)) => ({
  ...world.question(csr),
  serial: '4a0b1c2d3e4f5061728394a5b6c7d8e9',
  certificate: new Uint8Array(certificate),
});

const count = ({ intune }: World, place: Place): number =>
  intune.calls.filter((call) => call.place === place).length;

/** What is said of it. @throws unless it is an Outage */
async function outage(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => assert.fail('it was answered'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Outage, String(error));
  return error.message;
}

describe('Intune judges a request', () => {
  test('one that is as its profile says is allowed', async () => {
    const world = intuneWorld();
    const csr = world.good(commonProfile);
    assert.deepEqual(await world.validator.validate(world.question(csr)), { allow: true });
    const sent = JSON.parse(world.intune.calls.at(-1)?.body ?? '').request;
    assert.deepEqual(Buffer.from(sent.certificateRequest, 'base64'), Buffer.from(csr));
  });

  const bent: Readonly<Record<string, readonly [IntuneCode, Bent, Partial<Challenge>?]>> = {
    'another subject': ['SubjectNameMismatch', { subject: 'CN=bob' }],
    'no subject': ['SubjectNameMissing', { subject: '' }],
    'another name': ['SubjectAltNameMismatch', { names: ['upn:bob@contoso.example'] }],
    'one name more': [
      'SubjectAltNameMismatch',
      { names: [...commonProfile.names, 'dns:server.contoso.example'] },
    ],
    'no name': ['SubjectAltNameMissing', { names: [] }],
    'another key usage': ['KeyUsageMismatch', { keyUsage: ['digitalSignature'] }],
    'no purpose': ['EnhancedKeyUsageMissing', { purposes: [] }],
    'one purpose more': [
      'EnhancedKeyUsageMismatch',
      { purposes: [CLIENT_AUTH, '1.3.6.1.5.5.7.3.1'] },
    ],
    'a signature with SHA-1': ['SignatureValidationFailed', { hash: 'sha1' }],
    'a broken signature': ['SignatureValidationFailed', { brokenSignature: true }],
    'a challenge of an hour ago': ['ChallengeExpired', {}, { to: Date.UTC(2026, 10, 30, 14) }],
    'a challenge of tomorrow': [
      'ChallengeInvalidTimestamp',
      {},
      { from: Date.UTC(2026, 11, 1), to: Date.UTC(2026, 11, 2) },
    ],
    'a challenge for an unknown device': ['BadDeviceIdInChallenge', {}, { deviceId: 'x' }],
    'a challenge for an unknown user': ['BadUserIdInChallenge', {}, { userId: 'x' }],
    'a challenge of an unknown request': [
      'BadCertificateRequestIdInChallenge',
      {},
      { requestId: 'x' },
    ],
  };
  for (const [title, [code, change, told]] of Object.entries(bent)) {
    test(`${title}: ${code}`, async () => {
      const world = intuneWorld();
      const challenge = world.intune.challenge(commonProfile, told);
      const csr = deviceRequest(world.key, commonProfile, challenge, change);
      const answer = await world.validator.validate(world.question(csr));
      assert.equal(answer.allow, false);
      assert.ok(answer.note?.startsWith(`${code}: `), answer.note);
    });
  }

  test('a key of 1024 bits where the profile says 2048: KeyLengthMismatch', async () => {
    const world = intuneWorld();
    const csr = deviceRequest(rsaPrivateKey(1024), commonProfile, world.intune.challenge());
    const { note } = await world.validator.validate(world.question(csr));
    assert.match(note ?? '', /^KeyLengthMismatch: /);
  });

  const challenges: Readonly<Record<string, (world: World) => string | undefined>> = {
    ChallengePasswordMissing: () => undefined,
    ChallengeDecodingError: () => 'not base64 at all!',
    ChallengeDecryptionError: () => intuneWorld().intune.challenge(),
    ChallengeDeserializationError: ({ intune }) => intune.sealed('no JSON'),
    ScepProfileNoLongerTargetedToTheClient: ({ intune }) => {
      intune.requests.add('withdrawn');
      intune.untargeted.add('withdrawn');
      return intune.challenge(commonProfile, { requestId: 'withdrawn' });
    },
  };
  for (const [code, challenge] of Object.entries(challenges)) {
    test(`its challengePassword: ${code}`, async () => {
      const world = intuneWorld();
      const csr = deviceRequest(world.key, commonProfile, challenge(world));
      const { allow, note } = await world.validator.validate(world.question(csr));
      assert.equal(allow, false);
      assert.ok(note?.startsWith(`${code}: `), note);
    });
  }

  test('every code of Microsoft’s client but Success refuses, in a sentence of its own', async () => {
    const world = intuneWorld();
    const notes = new Set<string>();
    for (const [code, sentence] of Object.entries(intuneCodes)) {
      const body = JSON.stringify({ code, errorDescription: 'a secret of Intune' });
      world.intune.fail('validateRequest', { status: 200, body }, 1);
      const answer = await world.validator.validate(world.question(world.good(commonProfile)));
      assert.deepEqual(answer, { allow: false, note: `${code}: ${sentence}` });
      notes.add(sentence);
    }
    assert.equal(notes.size, Object.keys(intuneCodes).length);
    assert.equal(notes.size, 24);
  });

  for (const code of [
    'success',
    'SUCCESS',
    'Success ',
    'NewCodeOf2027',
    'a code\nof two lines',
    '',
  ]) {
    test(`the unknown code ${JSON.stringify(code)} refuses`, async () => {
      const world = intuneWorld();
      const [body, csr] = [JSON.stringify({ code }), world.good(commonProfile)];
      world.intune.fail('validateRequest', { status: 200, body });
      world.intune.fail('successNotification', { status: 200, body });
      const { allow, note } = await world.validator.validate(world.question(csr));
      assert.equal(allow, false);
      assert.match(note ?? '', /^(\w+: )?a code of Intune that is not known here$/);
      assert.equal(await world.validator.notify(issued(world, csr)), 'refuse');
    });
  }
});

describe('Intune is told what becomes of a request', () => {
  test('of the certificate, before the device has it', async () => {
    const world = intuneWorld();
    const csr = world.good(commonProfile);
    assert.equal(await world.validator.notify(issued(world, csr)), 'release');
    const [{ certificateRequest, callerInfo, ...rest } = {}] = world.intune.successes;
    assert.deepEqual(Buffer.from(String(certificateRequest), 'base64'), Buffer.from(csr));
    assert.match(String(callerInfo), /^Scepter \d+\.\d+\.\d+$/);
    const { notAfter } = readCertificate(new Uint8Array(certificate));
    assert.deepEqual(rest, {
      transactionId: '9F3C1D5B8A7E6F4D2C1B0A998877665544332211',
      certificateThumbprint: 'C5DBB1B6512AC1337D5A8BFAAB57F24F8F95716A',
      certificateSerialNumber: '4A0B1C2D3E4F5061728394A5B6C7D8E9',
      certificateExpirationDateUtc: new Date(notAfter).toISOString(),
      issuingCertificateAuthority: 'CN=Lab CA,O=Lab',
      certificateAuthority: 'CN=Lab CA,O=Lab',
      caConfiguration: 'phones',
    });
  });

  test('a certificate that Intune does not want is withdrawn', async () => {
    const world = intuneWorld();
    const body = JSON.stringify({ code: 'ScepProfileNoLongerTargetedToTheClient' });
    world.intune.fail('successNotification', { status: 200, body });
    assert.equal(await world.validator.notify(issued(world)), 'refuse');
  });

  test('of a refusal, with its HRESULT and at most 255 characters', async () => {
    const world = intuneWorld();
    const reason = 'subjectNotAllowed' as const;
    const text = `${'x'.repeat(254)}\u{1f511} and more`;
    await world.validator.refused({ ...world.question(world.good(commonProfile)), reason, text });
    const [notice] = world.intune.failed;
    assert.equal(notice?.hResult, -1610611948);
    assert.equal(Number(notice?.hResult) >>> 0, 0xa0000314);
    assert.equal(notice?.errorDescription, `${'x'.repeat(254)}\ufffd`);
  });

  test('an HRESULT shows the digits of its reason’s code', () => {
    assert.deepEqual(Object.keys(hresults).toSorted(), Object.keys(reasons).toSorted());
    for (const [reason, { code }] of Object.entries(reasons)) {
      const hresult = hresultOf(reason as keyof typeof hresults);
      assert.equal((hresult >>> 0).toString(16), `a0000${code.slice('SCEP-'.length)}`);
      assert.equal(hresult, hresult | 0);
    }
  });
});

describe('Intune does not answer, or not as it should', () => {
  const places: readonly Place[] = ['token', 'graph', 'validateRequest'];
  const failures: Readonly<Record<string, Failure>> = {
    silence: 'silent',
    'HTTP 500': { status: 500, body: '{"error":"trouble"}' },
    'HTTP 503 with a page': { status: 503, body: '<html>' },
    'HTTP 429': { status: 429 },
    'HTTP 400': { status: 400, body: '{}' },
    'HTTP 401': { status: 401, body: '{}' },
    'HTTP 403': { status: 403, body: '{}' },
    'HTTP 404': { status: 404 },
    'HTTP 204': { status: 204 },
    'a page': { status: 200, body: '<html>Success</html>' },
    'half of an answer': { status: 200, body: '{"code":"Succ' },
    'a text': { status: 200, body: '"Success"' },
    'a list': { status: 200, body: '[{"code":"Success"}]' },
    'an empty object': { status: 200, body: '{}' },
    'a code that is no text': { status: 200, body: '{"code":["Success"]}' },
    'two MB': 'huge',
    'a redirect': 'redirect',
    'a broken connection': 'cut',
  };
  for (const place of places) {
    for (const [title, failure] of Object.entries(failures)) {
      test(`${place}: ${title} is an outage, and is over when it is over`, async () => {
        const world = intuneWorld();
        world.intune.fail(place, failure);
        const csr = world.good(commonProfile);
        const ms = failure === 'silent' ? 20 : 8000;
        const said = await outage(world.validator.validate(world.question(csr, ms)));
        requireHarmless(world, said);
        world.intune.heal();
        assert.deepEqual(await world.validator.validate(world.question(csr)), { allow: true });
      });
    }
  }

  for (const [title, failure] of Object.entries(failures)) {
    test(`successNotification: ${title} releases nothing and refuses nothing`, async () => {
      const world = intuneWorld();
      world.intune.fail('successNotification', failure);
      const notice = issued(world);
      const until = failure === 'silent' ? world.clock.at + 20 : notice.until;
      requireHarmless(world, await outage(world.validator.notify({ ...notice, until })));
      world.intune.heal();
      assert.equal(await world.validator.notify(notice), 'release');
    });
  }

  test('nothing is asked when there is no time left', async () => {
    const world = intuneWorld();
    const said = await outage(
      world.validator.validate(world.question(world.good(commonProfile), 0)),
    );
    assert.match(said, /no time left/);
    assert.deepEqual(world.intune.calls, []);
  });

  test('whoever waits for a token that another one fetches waits no longer than for its own', async () => {
    const world = intuneWorld();
    world.intune.fail('token', 'silent', 1);
    const csr = world.good(commonProfile);
    const patient = outage(world.validator.validate(world.question(csr, 200)));
    const hasty = await outage(world.validator.validate(world.question(csr, 20)));
    assert.match(hasty, /too long/);
    // What hangs is forgotten: the next one fetches it anew.
    assert.deepEqual(await world.validator.validate(world.question(csr)), { allow: true });
    await patient;
  });

  test('whoever has no time left waits for nothing that another one fetches', async () => {
    const kept = new Kept<{ lastsMs: number }>({ now: () => 0 });
    const never = new Promise<never>(() => {});
    assert.match(await outage(kept.get(() => never, AbortSignal.abort())), /too long/);
  });

  /** What is said has nothing of what was sent or answered. */
  function requireHarmless({ intune, settings }: World, said: string): void {
    const bodies = intune.calls.map(({ body }) => body).join();
    const bearers = intune.calls.flatMap(({ headers }) => headers.authorization?.slice(7) ?? []);
    const secret = settings.credential.kind === 'secret' ? settings.credential.secret : '';
    for (const hidden of [secret, encodeURIComponent(secret), ...bearers]) {
      assert.ok(hidden.length > 20 && !said.includes(hidden), said);
    }
    assert.ok(said.length < 500 && !bodies.includes(said));
  }
});

describe('what an operator is told', () => {
  const told: Readonly<Record<string, readonly [(world: World) => void, RegExp]>> = {
    'a wrong secret': [({ intune }) => intune.secrets.clear(), /AADSTS7000215: the client secret/],
    'no right at Graph': [
      ({ intune }) => intune.permissions.delete('Application.Read.All'),
      /Graph answered HTTP 403: add Microsoft Graph's application permission "Application\.Read\.All"/,
    ],
    'no right at Intune': [
      ({ intune }) => intune.permissions.delete('scep_challenge_provider'),
      /answered HTTP 403 \(client-request-id [0-9a-f-]{36}\): add Intune's application permission "scep_challenge_provider"/,
    ],
    'no service': [
      ({ intune }) => intune.services.delete('ScepRequestValidationFEService'),
      /names no ScepRequestValidationFEService: .*scep_challenge_provider.*licence/,
    ],
    'an expired secret': [
      ({ intune }) => {
        const body = JSON.stringify({
          error: 'invalid_client',
          error_description: 'AADSTS7000222: The provided client secret keys are expired.',
        });
        intune.fail('token', { status: 401, body });
      },
      /AADSTS7000222: the client secret has expired/,
    ],
    'a code that is not known here': [
      ({ intune }) => {
        intune.fail('token', { status: 400, body: '{"error_codes":[53003]}' });
      },
      /AADSTS53003 \(HTTP 400\)/,
    ],
  };
  for (const [title, [bend, sentence]] of Object.entries(told)) {
    test(title, async () => {
      const world = intuneWorld();
      bend(world);
      const said = await outage(
        world.validator.validate(world.question(world.good(commonProfile))),
      );
      assert.match(said, sentence);
    });
  }

  for (const uri of [
    'http://fef.msua01.manage.microsoft.com/x',
    'https://fef.msua01.manage.microsoft.com:8443/x',
    'https://manage.microsoft.com.example/x',
    'https://xmanage.microsoft.com/x',
    'https://user@fef.manage.microsoft.com/x',
    'https://fef.manage.microsoft.com/x?y',
    'https://127.0.0.1/x',
    'not a URL',
  ]) {
    test(`Graph names ${uri}: no token goes there`, async () => {
      const world = intuneWorld();
      world.intune.services.set('ScepRequestValidationFEService', uri);
      const said = await outage(
        world.validator.validate(world.question(world.good(commonProfile))),
      );
      assert.match(said, /another place .* than https on a host under manage\.microsoft\.com/);
      assert.ok(world.intune.calls.every(({ url }) => !url.startsWith(uri)));
    });
  }
});

describe('tokens and addresses are asked for once', () => {
  const validate = (world: World) =>
    world.validator.validate(world.question(world.good(commonProfile)));

  test('for all requests at once, and after one another', async () => {
    const world = intuneWorld();
    const all = await Promise.all(Array.from({ length: 20 }, () => validate(world)));
    assert.ok(all.every(({ allow }) => allow));
    await validate(world);
    // Two tokens: one for Graph, one for Intune.
    assert.deepEqual([count(world, 'token'), count(world, 'graph')], [2, 1]);
  });

  test('a token is renewed 60 seconds before it ends', async () => {
    const world = intuneWorld();
    world.intune.tokenSeconds = 600;
    await validate(world);
    world.clock.at += 539_999;
    await validate(world);
    assert.equal(count(world, 'token'), 2);
    world.clock.at += 1;
    await validate(world);
    assert.equal(count(world, 'token'), 3);
  });

  test('addresses are asked for again after an hour', async () => {
    const world = intuneWorld();
    await validate(world);
    world.clock.at += 3_600_000;
    await validate(world);
    assert.equal(count(world, 'graph'), 2);
  });

  test('addresses are asked for again after a failure: a tenant may have been moved', async () => {
    const world = intuneWorld();
    await validate(world);
    const moved = 'https://fef.msub02.manage.microsoft.com/x';
    world.intune.services.set('ScepRequestValidationFEService', moved);
    world.intune.fail('validateRequest', { status: 500 }, 1);
    await outage(validate(world));
    await outage(validate(world));
    assert.equal(count(world, 'graph'), 2);
  });

  test('and not after 400, which speaks of the request: a stranger could send such all day', async () => {
    const world = intuneWorld();
    await validate(world);
    world.intune.fail('validateRequest', { status: 400, body: '{}' }, 1);
    await assert.rejects(validate(world), NoAnswer);
    await validate(world);
    assert.equal(count(world, 'graph'), 1);
  });

  test('a token that is refused is fetched anew, once', async () => {
    const world = intuneWorld();
    await validate(world);
    world.intune.expireTokens();
    assert.deepEqual(await validate(world), { allow: true });
    assert.equal(count(world, 'token'), 3);
    world.intune.permissions.delete('scep_challenge_provider');
    await outage(validate(world));
    assert.deepEqual([count(world, 'token'), count(world, 'validateRequest')], [4, 5]);
  });
});

describe('a client certificate', async () => {
  const key = await generateKey({ type: 'RSA', bits: 2048 });
  const now = Date.UTC(2026, 10, 30, 15);
  const own = await selfSigned(key, parseName('CN=scepter'), now, random);
  const certificatePem = pem('CERTIFICATE', own.der);
  const keyPem = pem('PRIVATE KEY', key.pkcs8);
  const with_ = (text: string, uploaded = certificatePem) =>
    intuneWorld({ credential: { kind: 'certificate', pem: text }, certificate: uploaded });

  test('gives tokens, with an assertion for each', async () => {
    const world = with_(certificatePem + keyPem);
    const csr = world.good(commonProfile);
    assert.deepEqual(await world.validator.validate(world.question(csr)), { allow: true });
    const forms = world.intune.calls.flatMap(({ place, body }) =>
      place === 'token' ? new URLSearchParams(body) : [],
    );
    assert.ok(forms.every((form) => !form.has('client_secret')));
    assert.equal(new Set(forms.map((form) => form.get('client_assertion'))).size, 2);
  });

  test('that is not uploaded is told in Entra’s words', async () => {
    const world = with_(keyPem + certificatePem, certificatePem);
    const other = await selfSigned(key, parseName('CN=other'), now, random);
    const renewed = with_(pem('CERTIFICATE', other.der) + keyPem);
    assert.deepEqual(await world.validator.validate(world.question(world.good(commonProfile))), {
      allow: true,
    });
    const question = renewed.question(renewed.good(commonProfile));
    const said = await outage(renewed.validator.validate(question));
    assert.match(
      said,
      /AADSTS700027: the client assertion is not accepted: upload the certificate/,
    );
  });

  for (const [title, text, sentence] of [
    ['without its key', certificatePem, /it has no whole "BEGIN PRIVATE KEY"/],
    ['without itself', keyPem, /it has no whole "BEGIN CERTIFICATE"/],
    [
      'whose key is no base64',
      certificatePem + keyPem.replace(/^MII/m, '!!!'),
      /no whole "BEGIN PRIVATE/,
    ],
  ] as const) {
    test(`${title} is refused before anything is asked, without the key`, () => {
      assert.throws(
        () => with_(text),
        (error) =>
          error instanceof SyntaxError &&
          sentence.test(error.message) &&
          !error.message.includes('MII'),
      );
    });
  }

  test('with a key that is not RSA is told so, without the key', async () => {
    const ec = await generateKey({ type: 'EC', curve: 'P-256' });
    const world = with_(certificatePem + pem('PRIVATE KEY', ec.pkcs8));
    const said = await outage(world.validator.validate(world.question(world.good(commonProfile))));
    assert.match(said, /an RSA key/);
    assert.ok(!said.includes('MII'));
    assert.deepEqual(world.intune.calls, []);
  });
});

describe('the queue of revocations', () => {
  const order = (context: string, serialNumber: string, issuerName = 'CN=Lab CA,O=Lab') => ({
    ...{ requestContext: context, serialNumber, issuerName },
    caConfiguration: 'phones',
  });
  const until = ({ clock }: World) => clock.at + 8000;

  test('orders are taken, and their serial numbers are as our records have them', async () => {
    const world = intuneWorld();
    world.intune.orders.push(order('1', '4A0B1C'), order('2', '00 ff:10', 'CN=Other'));
    const { revocations } = world.validator;
    assert.deepEqual(await revocations.take(500, undefined, until(world)), [
      { context: '1', serial: '4a0b1c', issuer: 'CN=Lab CA,O=Lab' },
      { context: '2', serial: '00ff10', issuer: 'CN=Other' },
    ]);
    const ofOne = await revocations.take(10, 'CN=Other', until(world));
    assert.deepEqual(
      ofOne.map(({ context }) => context),
      ['2'],
    );
  });

  test('never more than 500, which may be longer than other answers', async () => {
    const world = intuneWorld();
    const numbers = Array.from({ length: 600 }, (_, i) => i.toString(16).padStart(400, '0'));
    world.intune.orders.push(...numbers.map((number) => order(number, 'ab')));
    const taken = await world.validator.revocations.take(10_000, undefined, until(world));
    assert.equal(taken.length, 500);
  });

  test('results are told by Microsoft’s codes, and what can be done later stays', async () => {
    const world = intuneWorld();
    world.intune.orders.push(...['a', 'b', 'c', 'd', 'e'].map((context) => order(context, 'ab')));
    const no = (context: string, problem: 'notFound' | 'already' | 'unavailable' | 'other') => ({
      ...{ context, problem, text: problem },
      done: false as const,
    });
    await world.validator.revocations.report(
      [
        { context: 'a', done: true },
        no('b', 'notFound'),
        no('c', 'already'),
        no('d', 'unavailable'),
        no('e', 'other'),
      ],
      until(world),
    );
    assert.deepEqual(
      world.intune.results.map(({ errorCode, errorMessage }) => [errorCode, errorMessage]),
      [
        ['0', undefined],
        ['4004', 'notFound'],
        ['4005', 'already'],
        ['4101', 'unavailable'],
        ['4000', 'other'],
      ],
    );
    assert.deepEqual(
      world.intune.orders.map(({ requestContext }) => requestContext),
      ['d'],
    );
  });

  test('no results are no call', async () => {
    const world = intuneWorld();
    await world.validator.revocations.report([], until(world));
    assert.deepEqual(world.intune.calls, []);
  });

  for (const body of ['{"value":false}', '{"value":"true"}', '{}', '{"value":{}}']) {
    test(`the answer ${body} is an outage of both calls`, async () => {
      const world = intuneWorld();
      world.intune.fail('downloadRevocationRequests', { status: 200, body });
      world.intune.fail('uploadRevocationResults', { status: 200, body });
      const { revocations } = world.validator;
      await outage(revocations.take(1, undefined, until(world)));
      await outage(revocations.report([{ context: 'a', done: true }], until(world)));
    });
  }

  test('an order that cannot be answered is left out, one with a strange number is not', async () => {
    const world = intuneWorld();
    const value = [
      null,
      'x',
      {},
      order('', 'ab'),
      order('1', 'no number'),
      { requestContext: '2' },
    ];
    world.intune.fail('downloadRevocationRequests', {
      status: 200,
      body: JSON.stringify({ value }),
    });
    assert.deepEqual(await world.validator.revocations.take(9, undefined, until(world)), [
      { context: '1', serial: 'nonumber', issuer: 'CN=Lab CA,O=Lab' },
      { context: '2', serial: '', issuer: '' },
    ]);
  });
});
