// Microsoft's test matrix for SCEP servers (doc/TestMatrix.csv of microsoft/Intune-Resource-Access), row by row, through a whole
// service: a device's message, the adapter, and the fake Intune, whose profile says what the row is about.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';
import { makeIntune } from '../../../lib/adapters/intune/intune.ts';
import { systemRandom } from '../../../lib/adapters/system.ts';
import { extensionOids } from '../../../lib/asn1/oids.ts';
import { type Bytes, concat, hex } from '../../../lib/base/bytes.ts';
import { LEASE_MS, SWEEP_AFTER_MS } from '../../../lib/base/limits.ts';
import { sweep } from '../../../lib/ca/jobs.ts';
import { type ClientKey, importKey } from '../../../lib/protocol/scep/client/client.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { fakeIntune } from '../../support/intune/fake.ts';
import {
  type Bent,
  CLIENT_AUTH,
  certifiedNames,
  commonProfile,
  deviceRequest,
  type ScepProfile,
} from '../../support/intune/profile.ts';
import { settingsOf } from '../../support/intune/world.ts';
import { type EnrolOptions, enrolment } from '../../support/messages.ts';
import { rsaPrivateKey } from '../../support/rsa-keys.ts';
import { got, refusedWith, world } from '../../support/world.ts';

const EMAIL_PROTECTION = '1.3.6.1.5.5.7.3.4';
const IPSEC_TUNNEL = '1.3.6.1.5.5.7.3.6';

type Options = { readonly legacy?: { readonly sha1: true }; readonly secret?: string };

/** A service whose endpoint `default` asks Intune, and a tenant of Intune. */
async function tenant({ legacy, secret }: Options = {}) {
  const clock = { now: () => Date.now() };
  const intune = fakeIntune({ now: () => clock.now() });
  const settings = {
    ...settingsOf(intune),
    ...(secret === undefined ? {} : { credential: { kind: 'secret', secret } as const }),
  };
  const outside = { fetch: intune.fetch, clock: { now: () => clock.now() }, random: systemRandom };
  const w = await world({
    ...(legacy ? { legacy } : {}),
    validators: { intune: makeIntune(settings, outside) },
    config: {
      validators: {
        intune: {
          ...{ kind: 'intune', tenant: settings.tenant, clientId: settings.clientId },
          clientSecret: 'env:INTUNE_SECRET',
        },
      },
      profiles: {
        device: {
          ...{ validity: '90d', sid: 'uri' },
          extKeyUsage: ['clientAuth', 'emailProtection', IPSEC_TUNNEL],
        },
      },
    },
    endpoint: { enrol: { authorize: ['intune'] }, renew: { authorize: ['intune'] } },
  });
  clock.now = w.lab.clock.now;
  /** What a device with this profile sends. */
  const device = async (
    profile: ScepProfile = commonProfile,
    bent: Bent = {},
  ): Promise<EnrolOptions & { readonly key: ClientKey; readonly plaintext: Bytes }> => {
    const key = rsaPrivateKey(profile.keyBits);
    const pkcs8 = concat([key.export({ type: 'pkcs8', format: 'der' })]);
    const clientKey = await importKey(pkcs8);
    assert.ok(clientKey);
    const plaintext = deviceRequest(key, profile, intune.challenge(profile), bent);
    return { key: clientKey, plaintext };
  };
  return { w, intune, device };
}

type Tenant = Awaited<ReturnType<typeof tenant>>;

/** Enrols, and has seen that Intune was told of this certificate. */
async function issued({ w, intune }: Tenant, sent: EnrolOptions): Promise<X509Certificate> {
  const der = got(await w.ask(sent));
  const certificate = new X509Certificate(der);
  const told = intune.successes.at(-1);
  assert.equal(told?.certificateThumbprint, certificate.fingerprint.replaceAll(':', ''));
  assert.equal(told?.certificateSerialNumber, certificate.serialNumber);
  assert.deepEqual(intune.failed, []);
  w.check();
  return certificate;
}

/** What Intune said of the request that it refused. */
const noteOf = ({ w }: Tenant): string =>
  String(w.transactions().find(({ state }) => state === 'refused')?.evidence?.note);

const usageOf = ({ raw }: X509Certificate): string =>
  hex(readCertificate(concat([raw])).extensions.get(extensionOids.keyUsage)?.value ?? concat([]));

test('row 1, validity period: that of the profile here, which Intune is told', async () => {
  const t = await tenant();
  const certificate = await issued(t, await t.device());
  const days = (Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)) / 86_400_000;
  assert.equal(Math.round(days), 90);
  const told = String(t.intune.successes[0]?.certificateExpirationDateUtc);
  assert.equal(told, new Date(certificate.validTo).toISOString());
});

const custom = 'CN=5f0f1c9e-0a8f-4b3c-9d3e-3a2b1c0d9e8f,OU=Phones,O=Contoso,L=Redmond,ST=WA,C=US';
const subjects: readonly (readonly [string, string])[] = [
  ['row 2, common name', 'CN=alice'],
  ['row 3, common name with email', 'emailAddress=alice@contoso.example,CN=alice'],
  ['row 4, common name as email', 'CN=alice@contoso.example'],
  ['row 5, IMEI', 'CN=490154203237518'],
  ['row 6, serial number', 'CN=C02XL0THJGH5'],
  ['row 7, custom', custom],
];
for (const [row, subject] of subjects) {
  test(`${row}: the certificate has the subject of the SCEP profile, and no other is issued`, async () => {
    const t = await tenant();
    const profile = { ...commonProfile, subject };
    const certificate = await issued(t, await t.device(profile));
    assert.equal(certificate.subject.split('\n').toReversed().join(','), subject);
    refusedWith('SCEP-331', await t.w.ask(await t.device(profile, { subject: 'CN=bob' })));
    assert.match(noteOf(t), /^SubjectNameMismatch: /);
  });
}

const SID = 'uri:tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-1001';
const names: readonly (readonly [string, readonly string[]])[] = [
  ['row 8, email', ['email:alice@contoso.example']],
  ['row 9, UPN', ['upn:alice@contoso.example']],
  [
    'row 10, email and UPN, with the SID that Intune adds',
    ['email:alice@contoso.example', 'upn:alice@contoso.example', SID],
  ],
];
for (const [row, asked] of names) {
  test(`${row}: the certificate has these names, and no others are issued`, async () => {
    const t = await tenant();
    const profile = { ...commonProfile, names: asked };
    const { raw } = await issued(t, await t.device(profile));
    assert.deepEqual(certifiedNames(raw), asked);
    const others = { names: ['email:bob@contoso.example'] };
    refusedWith('SCEP-331', await t.w.ask(await t.device(profile, others)));
  });
}

const both = ['digitalSignature', 'keyEncipherment'] as const;
const usages: readonly (readonly [string, ScepProfile['keyUsage'], string])[] = [
  ['row 11, digital signature', ['digitalSignature'], '03020780'],
  ['row 12, key encipherment', ['keyEncipherment'], '03020520'],
  ['row 13, digital signature and key encipherment', both, '030205a0'],
];
for (const [row, keyUsage, value] of usages) {
  test(`${row}: the certificate has the key usage of the SCEP profile`, async () => {
    const t = await tenant();
    // A key that only enciphers serves no client authentication.
    const profile = { ...commonProfile, keyUsage, purposes: [EMAIL_PROTECTION] };
    assert.equal(usageOf(await issued(t, await t.device(profile))), value);
  });
}

test('row 14, key size 1024: refused before the message is opened, so that Intune is neither asked nor told', async () => {
  const t = await tenant();
  refusedWith('SCEP-113', await t.w.ask(await t.device({ ...commonProfile, keyBits: 1024 })));
  assert.deepEqual(t.intune.calls, []);
  assert.deepEqual(t.w.certificates(), []);
});

test('row 15, key size 2048: the certificate has such a key', async () => {
  const t = await tenant();
  const { publicKey } = await issued(t, await t.device());
  assert.equal(publicKey.asymmetricKeyDetails?.modulusLength, 2048);
});

const hashes: readonly (readonly [string, ScepProfile['hashes'], 'SHA-1' | 'SHA-256'])[] = [
  ['row 16, SHA-1, where the endpoint accepts it', ['SHA-1'], 'SHA-1'],
  ['row 17, SHA-2', ['SHA-2'], 'SHA-256'],
  ['row 18, SHA-1 and SHA-2', ['SHA-1', 'SHA-2'], 'SHA-256'],
];
for (const [row, allowed, digest] of hashes) {
  test(`${row}: issued, and the certificate is signed with SHA-256`, async () => {
    const t = await tenant(digest === 'SHA-1' ? { legacy: { sha1: true } } : {});
    const profile = { ...commonProfile, hashes: allowed };
    const { raw } = await issued(t, { ...(await t.device(profile)), digest });
    const { signatureAlgorithm } = readCertificate(concat([raw]));
    // sha256WithRSAEncryption
    assert.ok(hex(signatureAlgorithm.source).includes('06092a864886f70d01010b'));
  });
}

test('row 16, SHA-1, where the endpoint does not accept it: refused before the message is opened', async () => {
  const t = await tenant();
  const sent = { ...(await t.device({ ...commonProfile, hashes: ['SHA-1'] })), digest: 'SHA-1' };
  refusedWith('SCEP-111', await t.w.ask(sent as EnrolOptions));
  assert.deepEqual(t.intune.calls, []);
});

for (const [row, purpose] of [
  ['row 19, client authentication', CLIENT_AUTH],
  ['row 20, IPsec tunnel', IPSEC_TUNNEL],
] as const) {
  test(`${row}: the certificate has this extended key usage and no other`, async () => {
    const t = await tenant();
    const certificate = await issued(t, await t.device({ ...commonProfile, purposes: [purpose] }));
    assert.deepEqual(certificate.keyUsage, [purpose]);
  });
}

test('an extended key usage that the profile here does not have: refused, and Intune is told', async () => {
  const t = await tenant();
  const profile = { ...commonProfile, purposes: ['1.3.6.1.5.5.7.3.1'] };
  const sent = await t.device(profile);
  refusedWith('SCEP-335', await t.w.ask(sent));
  assert.deepEqual(t.w.certificates(), []);
  const [told] = t.intune.failed;
  assert.equal(Number(told?.hResult) >>> 0, 0xa0000335);
  assert.deepEqual(
    Buffer.from(String(told?.certificateRequest), 'base64'),
    Buffer.from(sent.plaintext),
  );
});

test('row 21, renewal: Intune judges it, and is told of the new certificate', async () => {
  const t = await tenant();
  const first = await t.device();
  const old = await issued(t, first);
  const certificate = readCertificate(concat([old.raw]));
  const signer = { key: first.key, certificate };
  t.intune.devices.clear();
  const gone = { ...(await t.device()), signer, messageType: 'RenewalReq' } as const;
  refusedWith('SCEP-331', await t.w.ask(gone));
  assert.match(noteOf(t), /^BadDeviceIdInChallenge: /);
  t.intune.devices.add('device-1');
  const renewed = await issued(t, { ...gone, ...(await t.device()) });
  assert.notEqual(renewed.serialNumber, old.serialNumber);
  assert.equal(t.intune.successes.length, 2);
});

test('row 22, the challenge does not validate: nothing is issued, and the reason is on record', async () => {
  const t = await tenant();
  const key = rsaPrivateKey(2048);
  const clientKey = await importKey(concat([key.export({ type: 'pkcs8', format: 'der' })]));
  assert.ok(clientKey);
  const foreign = (await tenant()).intune.challenge();
  const plaintext = deviceRequest(key, commonProfile, foreign);
  refusedWith('SCEP-331', await t.w.ask({ key: clientKey, plaintext }));
  assert.deepEqual(t.w.certificates(), []);
  assert.match(noteOf(t), /^ChallengeDecryptionError: /);
  // Intune has refused it itself.
  assert.deepEqual([t.intune.successes, t.intune.failed], [[], []]);
});

test('row 23, HTTP 500 to validateRequest: nothing is issued, and the same message is asked about again', async () => {
  const t = await tenant();
  t.intune.fail('validateRequest', { status: 500, body: '{"error":"trouble"}' });
  const sent = await enrolment(t.w.lab, await t.device());
  await assert.rejects(t.w.send(sent), /HTTP 503/);
  assert.deepEqual(t.w.certificates(), []);
  t.intune.heal();
  got(await t.w.send(sent));
  t.w.check();
});

describe('row 24, HTTP 500 to successNotification', () => {
  test('nothing is given out; Intune is told again when the device asks again, with the same octets', async () => {
    const t = await tenant();
    t.intune.fail('successNotification', { status: 500, body: '{"error":"trouble"}' });
    const wanted = await t.device();
    const sent = await enrolment(t.w.lab, wanted);
    await assert.rejects(t.w.send(sent), /HTTP 503/);
    await assert.rejects(t.w.send(sent), /HTTP 503/);
    assert.deepEqual(t.w.delivered, []);
    assert.deepEqual(
      t.w.certificates().map(({ state }) => state),
      ['signed'],
    );
    t.intune.heal();
    got(await t.w.send(sent));
    // One judgement, one certificate; each notice has the request as it came.
    const requests = t.intune.calls.flatMap(({ place, body }) => {
      const said = body.startsWith('{') ? JSON.parse(body) : {};
      const request = said.request ?? said.notification;
      return request ? [`${place} ${request.certificateRequest}`] : [];
    });
    const octets = Buffer.from(wanted.plaintext).toString('base64');
    assert.deepEqual(requests, [
      `validateRequest ${octets}`,
      ...Array(requests.length - 1).fill(`successNotification ${octets}`),
    ]);
    assert.equal(t.w.certificates().length, 1);
    t.w.check();
  });

  test('for an hour: the certificate is revoked, nobody has seen it, and Intune is told of the failure', async () => {
    const t = await tenant();
    t.intune.fail('successNotification', { status: 500 });
    const wanted = await t.device();
    const sent = await enrolment(t.w.lab, wanted);
    await assert.rejects(t.w.send(sent), /HTTP 503/);
    t.w.lab.clock.at += LEASE_MS + SWEEP_AFTER_MS;
    await sweep(t.w.lab.deps);
    assert.deepEqual(
      t.w.certificates().map(({ state }) => state),
      ['revoked'],
    );
    const [told] = t.intune.failed;
    assert.equal(Number(told?.hResult) >>> 0, 0xa0000353);
    assert.deepEqual(
      Buffer.from(String(told?.certificateRequest), 'base64'),
      Buffer.from(wanted.plaintext),
    );
    assert.equal((await t.w.send(sent)).pkiStatus, 'FAILURE');
    assert.deepEqual(t.w.delivered, []);
    t.w.check();
  });

  test('a definite refusal: revoked at once, and Intune is told', async () => {
    const t = await tenant();
    const body = JSON.stringify({ code: 'ScepProfileNoLongerTargetedToTheClient' });
    t.intune.fail('successNotification', { status: 200, body });
    refusedWith('SCEP-353', await t.w.ask(await t.device()));
    assert.deepEqual(
      t.w.certificates().map(({ state }) => state),
      ['revoked'],
    );
    assert.equal(t.intune.failed.length, 1);
    assert.deepEqual(t.w.delivered, []);
    t.w.check();
  });
});

test('row 25, a wrong key of the app registration: nothing is issued', async () => {
  const t = await tenant({ secret: 'a secret that nobody has given' });
  await assert.rejects(t.w.ask(await t.device()), /HTTP 503/);
  assert.deepEqual(t.w.certificates(), []);
  assert.ok(t.w.lab.log.some(({ detail }) => /AADSTS7000215/.test(String(detail))));
});

test('while Intune is silent, other endpoints are served', async () => {
  const t = await tenant();
  t.intune.fail('validateRequest', 'silent');
  const { timeout } = AbortSignal;
  const patience = new AbortController();
  AbortSignal.timeout = () => patience.signal;
  try {
    const silent = t.w.ask(await t.device());
    while (!t.intune.calls.some(({ place }) => place === 'validateRequest')) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const challenge = await t.w.lab.challenge({ endpoint: 'other' });
    const sent = await enrolment(t.w.lab, { challenge });
    assert.equal((await t.w.send(sent, '/scep/other')).pkiStatus, 'SUCCESS');
    patience.abort();
    await assert.rejects(silent, /HTTP 503/);
  } finally {
    AbortSignal.timeout = timeout;
  }
});
