// CAs, CRLs, status and configuration over the admin API.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';
import { hex, pem } from '../../lib/base/bytes.ts';
import { MAX_PAGE, RA_RELOAD_MS } from '../../lib/base/limits.ts';
import { AnsweringCas } from '../../lib/ca/authority/ca-certificates.ts';
import { keepCrls } from '../../lib/ca/revoke/publish-crl.ts';
import { checkConfig } from '../../lib/config/config.ts';
import { hash } from '../../lib/crypto/native.ts';
import { makeApp } from '../../lib/http/app.ts';
import { type Body, call, ok, pages } from '../support/api.ts';
import { deviceKey, memoryRaKeys } from '../support/keys.ts';
import { makeLab } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { held, world } from '../support/world.ts';

const DAY = 24 * 3_600_000;

describe('GET /cas', () => {
  test('GET /cas has certificates, fingerprints, RA generations and the CRL', async () => {
    const lab = await makeLab();
    const { cas } = await ok(lab, 'GET', '/cas');
    const [found] = cas as Body[];
    assert.deepEqual(await ok(lab, 'GET', '/cas/default'), found);
    assert.deepEqual([found?.id, found?.key, found?.chain], ['default', 'RSA-2048', []]);
    assert.deepEqual(found?.warnings, []);
    const { ra } = lab.announced;
    const ca = (await lab.deps.cas.of('default')).certificate;
    const generation = (found?.ra as Body[] | undefined)?.[0];
    for (const [shown, der] of [
      [found?.certificate, ca.der],
      [generation?.certificate, ra.der],
    ] as const) {
      const { pem, sha256, sha1 } = shown as Record<string, string>;
      const read = new X509Certificate(String(pem));
      assert.ok(read.raw.equals(der));
      const digits = (text: string): string => text.replaceAll(':', '').toLowerCase();
      assert.deepEqual([digits(read.fingerprint256), digits(read.fingerprint)], [sha256, sha1]);
    }
    assert.equal(generation?.state, 'current');
    assert.equal((found?.crl as Body | undefined)?.number, 1);
    assert.equal((await call(lab, 'GET', '/cas/nowhere')).status, 404);
    assert.equal((await call(lab, 'GET', '/cas/__proto__')).status, 404);
  });

  test('GET /cas warns of certificates and CRLs that end soon or have ended', async () => {
    const lab = await makeLab({
      config: { cas: { default: { subject: 'CN=Short', key: 'ec:P-256', validity: '400d' } } },
    });
    const warnings = async () => (await ok(lab, 'GET', '/cas/default')).warnings as string[];
    const said: [number, RegExp[]][] = [
      [0, []],
      [9, [/^its CRL was to be made again by /]],
      [3, [/^its CRL ended on /]],
      [250, [/^its certificate expires on .*, and what it issues with it$/, /^its CRL ended/]],
      [120, [/^its certificate expires on /, /^its RA certificate expires on /, /^its CRL ended/]],
      [30, [/^its certificate expired on /, /^its RA certificate expired on /, /^its CRL ended/]],
    ];
    for (const [days, patterns] of said) {
      lab.clock.at += days * DAY;
      const found = await warnings();
      assert.equal(found.length, patterns.length, found.join('\n'));
      for (const [i, pattern] of patterns.entries()) assert.match(found[i] ?? '', pattern);
    }
    lab.clock.at -= 500 * DAY;
    assert.match((await warnings()).join(), /its CRL is of the future/);
  });

  test('GET /cas warns of lost keys, and still has everything else', async () => {
    const keys = { ...memoryRaKeys };
    const lab = await makeLab({ raKeys: keys });
    keys.unseal = () => Promise.reject(new Error('secret place: /keys/x'));
    lab.clock.at += RA_RELOAD_MS;
    const { json, text } = await call(lab, 'GET', '/cas/default');
    assert.deepEqual(json.warnings, ['its keys cannot be used: the log says why']);
    assert.equal((json.ra as Body[]).length, 1);
    assert.ok(!text.includes('secret place'));
    assert.match(JSON.stringify(lab.log), /secret place/);
  });
});

test('GET /aia gives the certificate of the CA, and opens no key of its RA for it', async () => {
  const store = new MemoryStore();
  const made = await makeLab({ store });
  const unseal = () => assert.fail('an RA key was opened for a public certificate');
  const served = await makeLab({ store });
  const cold = { ...served.deps, raKeys: { ...memoryRaKeys, unseal } };
  const app = makeApp({ ...cold, cas: new AnsweringCas(cold) });
  const response = await app.fetch(new Request('http://scep.test/aia/default.cer'));
  assert.equal(response.status, 200);
  const der = new Uint8Array(await response.arrayBuffer());
  assert.deepEqual(der, (await made.deps.cas.issuer('default')).certificate.der);
});

describe('GET /crls and POST /crls/.../publish', () => {
  test('GET /crls lists the published entries, page by page', async () => {
    const w = await world();
    const serials: string[] = [];
    for (const name of ['crl a', 'crl b', 'crl c', 'crl d', 'crl e']) {
      const key = await deviceKey(name, { type: 'EC', curve: 'P-256' });
      const { certificate } = await held(w, key, `CN=${name}`);
      serials.push(hex(certificate.serial));
    }
    for (const serial of serials) {
      const body = { reason: serial === serials[0] ? 'unspecified' : 'keyCompromise' };
      await ok(w.lab, 'POST', `/certificates/default/${serial}/revoke`, { body });
    }
    const before = await ok(w.lab, 'GET', '/crls/default');
    assert.deepEqual([before.number, before.count, before.entries], [1, 0, []]);
    const published = await ok(w.lab, 'POST', '/crls/default/publish');
    assert.equal(published.number, 2);
    const { entries, next: _next, ...crl } = await ok(w.lab, 'GET', '/crls/default');
    assert.deepEqual(crl, {
      ...{ ca: 'default', ...published, size: crl.size, sha256: crl.sha256, count: 5 },
      url: 'http://scep.test/crl/default.crl',
    });
    const der = await (await w.lab.fetch('/crl/default.crl')).arrayBuffer();
    assert.equal(crl.sha256, hex(hash('SHA-256', new Uint8Array(der))));
    assert.equal(crl.size, der.byteLength);
    const list = entries as Body[];
    assert.deepEqual(
      list.map(({ serial }) => serial),
      serials.toSorted(),
    );
    for (const { serial, reason } of list) {
      assert.equal(reason, serial === serials[0] ? undefined : 'keyCompromise');
    }
    const two = await pages(w.lab, '/crls/default?limit=2', 'entries');
    assert.deepEqual(two.flat(), list);
    assert.deepEqual(
      two.map(({ length }) => length),
      [2, 2, 1],
    );
  });

  test('a cursor goes on at its place after another CRL has been published', async () => {
    const w = await world();
    for (const name of ['crl a', 'crl b', 'crl c']) {
      const key = await deviceKey(name, { type: 'EC', curve: 'P-256' });
      const { certificate } = await held(w, key, `CN=${name}`);
      const path = `/certificates/default/${hex(certificate.serial)}/revoke`;
      await ok(w.lab, 'POST', path, { body: { reason: 'superseded' } });
    }
    await ok(w.lab, 'POST', '/crls/default/publish');
    const { entries, next } = await ok(w.lab, 'GET', '/crls/default?limit=1');
    await ok(w.lab, 'POST', '/crls/default/publish');
    const rest = await ok(w.lab, 'GET', `/crls/default?limit=${MAX_PAGE - 1}&cursor=${next}`, {});
    assert.equal((rest.entries as Body[]).length + (entries as Body[]).length, 3);
  });

  test('the CRL of an unknown CA is a 404', async () => {
    const lab = await makeLab();
    assert.equal((await call(lab, 'GET', '/crls/nowhere')).status, 404);
    assert.equal((await call(lab, 'POST', '/crls/nowhere/publish')).status, 404);
  });
});

test('what an operator asks to be repaired of an unknown CA is a 404, and nothing is written', async () => {
  const store = new MemoryStore();
  const lab = await makeLab({ store, operates: true });
  const chain = await (await lab.fetch('/aia/default.cer')).arrayBuffer();
  const body = { chain: pem('CERTIFICATE', new Uint8Array(chain)) };
  // The first request notes when its token was used.
  assert.equal((await call(lab, 'GET', '/status')).status, 200);
  const before = store.dump();
  for (const [path, asked] of [
    ['/crls/nowhere/rebuild', {}],
    ['/cas/nowhere/restore', { body }],
  ] as const) {
    const { status, json } = await call(lab, 'POST', path, asked);
    assert.equal(status, 404, path);
    assert.match(String(json.detail), /^the configuration has no CA "nowhere": /);
  }
  assert.deepEqual(store.dump(), before);
});

describe('GET /status', () => {
  test('GET /status of a healthy service says that all is well', async () => {
    const lab = await makeLab();
    await keepCrls(lab.deps, await lab.deps.cas.of('default'));
    const status = await ok(lab, 'GET', '/status');
    assert.deepEqual([status.store, status.warnings], [{ reachable: true, writable: true }, []]);
    assert.deepEqual(
      (status.endpoints as Body[]).map(({ id, pending }) => [id, pending]),
      [
        ['default', 0],
        ['other', 0],
      ],
    );
  });

  test('GET /status counts what waits by endpoint, and warns of weak algorithms', async () => {
    const w = await world({ endpoint: { approval: 'always', legacy: { sha1: true, des3: true } } });
    for (const name of ['waits a', 'waits b']) {
      const key = await deviceKey(name, { type: 'EC', curve: 'P-256' });
      await w.ask({ challenge: await w.lab.challenge(), key });
    }
    const status = await ok(w.lab, 'GET', '/status');
    const [endpoint] = status.endpoints as Body[];
    assert.deepEqual([endpoint?.pending, endpoint?.legacy], [2, ['sha1', 'des3']]);
    assert.deepEqual(status.warnings, [
      'endpoint "default": it accepts sha1, des3: for old devices only',
    ]);
    assert.equal(status.morePending, false);
  });

  test('GET /status warns of a static challenge and counts its uses', async () => {
    const staticChallenge = { secret: 'env:SECRET', subject: { CN: 'device-*' } };
    const w = await world({
      endpoint: { enrol: { authorize: ['staticChallenge'], staticChallenge } },
      staticSecrets: { 'env:SECRET': 'a secret that many know' },
    });
    await w.ask({ challenge: 'a secret that many know' });
    const { text, json } = await call(w.lab, 'GET', '/status');
    assert.deepEqual((json.endpoints as Body[])[0]?.static, { uses: 1 });
    assert.deepEqual(json.warnings, [
      'endpoint "default": whoever knows its static challenge can enrol',
    ]);
    const config = await call(w.lab, 'GET', '/config');
    assert.match(config.text, /env:SECRET/);
    for (const said of [text, config.text]) assert.ok(!said.includes('a secret that many know'));
  });

  test('GET /status names the systems outside that an endpoint asks, and none of their secrets', async () => {
    const allow = { validate: async () => ({ allow: true as const }) };
    const lab = await makeLab({
      validators: { intune: allow, hook: allow },
      config: {
        validators: {
          intune: {
            ...{ kind: 'intune', tenant: 'contoso.example', clientId: 'app' },
            clientSecret: 'env:INTUNE_SECRET',
          },
          hook: {
            ...{ kind: 'webhook', url: 'https://hooks.example:8443/scep', secret: 'env:HOOK' },
          },
        },
      },
      endpoint: {
        enrol: { authorize: ['intune', 'hook'] },
        renew: { authorize: ['intune'] },
      },
    });
    const { json, text } = await call(lab, 'GET', '/status');
    const endpoints = json.endpoints as readonly { readonly validators: unknown }[];
    assert.deepEqual(
      endpoints.map(({ validators }) => validators),
      [
        [
          { id: 'intune', kind: 'intune', at: 'contoso.example' },
          { id: 'hook', kind: 'webhook', at: 'hooks.example:8443' },
        ],
        [],
      ],
    );
    assert.ok(!text.includes('env:'));
  });

  test('GET /status reports a failing store, without its error', async () => {
    const store = new MemoryStore();
    const lab = await makeLab({ store });
    store.list = () => Promise.reject(new Error('secret detail'));
    const { json, text } = await call(lab, 'GET', '/status');
    assert.deepEqual(json.store, { reachable: false, writable: true });
    assert.ok(!text.includes('secret detail'));
    assert.match(JSON.stringify(lab.log), /secret detail/);
  });
});

describe('GET /config', () => {
  test('GET /config answers with the whole document, which means the same as the written one', async () => {
    const lab = await makeLab({
      config: { blockedKeys: ['0'.repeat(64)], profiles: { vpn: { validity: '30d' } } },
    });
    const document = await ok(lab, 'GET', '/config');
    const { document: _written, ...meant } = checkConfig(document);
    const { document: _before, ...config } = lab.config;
    for (const endpoint of config.endpoints.keys()) {
      assert.deepEqual(meant.endpoints.get(endpoint), config.endpoints.get(endpoint));
    }
    assert.deepEqual(meant.cas, config.cas);
    assert.deepEqual(meant.blockedKeys, config.blockedKeys);
    assert.equal((document.cas as Record<string, Body>).default?.crlValidity, '10d');
    assert.ok(
      (document.profiles as Record<string, Body>).device,
      'the profile that is there by itself',
    );
  });
});
