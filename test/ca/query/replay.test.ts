// POST /replay: recorded requests under another configuration. That all come to the same under their own is tested with
// every kind of request in `ca-authorized-property.test.ts`.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NotReplayed } from '../../../lib/base/words.ts';
import type { ConfigDocument } from '../../../lib/config/config.ts';
import type { Kind } from '../../../lib/ports/records/records.ts';
import type { Row } from '../../../lib/ports/store.ts';
import { replay } from '../../../lib/protocol/scep/server/replay.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { type Body, call, ok, tokenOf } from '../../support/api.ts';
import { makeSigner, signed } from '../../support/jws.ts';
import { deviceKey } from '../../support/keys.ts';
import type { LabOptions } from '../../support/lab.ts';
import { enrolment } from '../../support/messages.ts';
import { got, HOUR, held, keys, refusedWith, type World, world } from '../../support/world.ts';

type EndpointDocument = ConfigDocument['endpoints'][string];

/** The configuration of the lab, with these changes. */
const documentOf = ({ lab }: World, endpoint: Partial<EndpointDocument>, more: object = {}) => {
  const { endpoints, ...rest } = lab.config.document;
  const { default: own, ...others } = endpoints;
  return { ...rest, endpoints: { ...others, default: { ...own, ...endpoint } }, ...more };
};

const asked = (config: object, more: object = {}) => ({
  body: { config, since: '1970-01-01', ...more },
});

async function replayed(w: World, endpoint: Partial<EndpointDocument>, more: object = {}) {
  const told = (row: Row): boolean =>
    row.kind === 'idempotency' || JSON.stringify(row).includes('admin.read');
  const dump = () => w.store.dump().filter((row) => !told(row));
  const before = dump();
  const found = await ok(w.lab, 'POST', '/replay', asked(documentOf(w, endpoint, more)));
  // But that it was read, and the token used.
  assert.ok(w.events().some(({ type }) => type === 'admin.read'));
  assert.deepEqual(dump(), before, 'nothing is written');
  assert.ok(!w.lab.calls.includes('signer.sign'));
  const differing = found.differing as { id: string; was: Body; would: Body }[];
  return {
    compared: found.compared,
    notReplayed: found.notReplayed as Partial<Record<NotReplayed, number>>,
    differing: differing.map(({ was, would }) => [
      was.code ?? was.decision,
      would.code ?? would.decision,
    ]),
  };
}

/** As those do it that keep records for a time. */
async function forget(w: World, kind: Kind): Promise<void> {
  for (const row of w.store.dump().filter((one) => one.kind === kind)) {
    await w.store.write([{ do: 'delete', kind, key: row.key, rev: row.rev }]);
  }
}

async function enrolled(options: LabOptions = {}): Promise<World> {
  const w = await world(options);
  got(await w.ask({ challenge: await w.lab.challenge() }));
  w.lab.calls.length = 0;
  return w;
}

describe('rules that change', () => {
  test('which subjects, keys and purposes a profile certifies, whatever the challenge was bound to', async () => {
    const w = await world({ endpoint: { profile: 'p' }, config: { profiles: { p: {} } } });
    const challenge = await w.lab.challenge({ subject: 'CN=device-1,O=Test' });
    got(await w.ask({ challenge }));
    w.lab.calls.length = 0;
    for (const [rules, code] of [
      [{ subject: { fixed: { O: 'Other' } } }, 'SCEP-314'],
      [{ keys: { rsa: false } }, 'SCEP-402'],
      [{ validity: '30d' }, undefined],
    ] as const) {
      const { differing } = await replayed(w, {}, { profiles: { p: rules } });
      assert.deepEqual(differing, code === undefined ? [] : [['grant', code]]);
    }
  });

  test('a key that was refused is certified where the profile has such keys', async () => {
    const w = await world({
      endpoint: { profile: 'p' },
      config: { profiles: { p: { keys: { rsa: false } } } },
    });
    refusedWith('SCEP-402', await w.ask({ challenge: await w.lab.challenge() }));
    const { differing } = await replayed(w, {}, { profiles: { p: {} } });
    assert.deepEqual(differing, [['SCEP-402', 'grant']]);
  });

  test('the window and the key of a renewal, although its certificate has been renewed and revoked since', async () => {
    const w = await world({ endpoint: { profile: 'p' }, config: { profiles: { p: {} } } });
    const [first, second, third] = await keys('r1', 'r2', 'r3');
    assert.ok(first && second && third);
    const signer = await held(w, first);
    const renewed = await w.ask({ signer, key: second, messageType: 'RenewalReq' });
    const next = { key: second, certificate: readCertificate(got(renewed)) };
    got(await w.ask({ signer: next, key: third, messageType: 'RenewalReq' }));
    refusedWith('SCEP-327', await w.ask({ signer, key: third, messageType: 'RenewalReq' }));
    w.lab.calls.length = 0;
    assert.deepEqual((await replayed(w, {})).differing, []);
    const { differing } = await replayed(w, { renew: { window: '30d' } });
    assert.deepEqual(differing, [
      ['grant', 'SCEP-324'],
      ['grant', 'SCEP-324'],
    ]);
    const early = await w.instance({
      ...{ endpoint: { profile: 'p', renew: { window: '30d' } } },
      config: { profiles: { p: {} } },
    });
    const sent = await enrolment(early, {
      ...{ signer: next, key: await deviceKey('r4'), messageType: 'RenewalReq' },
    });
    refusedWith('SCEP-324', await w.send(sent, '/scep', early));
    w.lab.calls.length = 0;
    assert.deepEqual((await replayed(w, {})).differing, [['SCEP-324', 'grant']]);
  });

  test('names of a key', async () => {
    const w = await enrolled();
    refusedWith('SCEP-341', await w.ask({ challenge: await w.lab.challenge(), subject: 'CN=x' }));
    // It was allowed, and who allowed it is on record.
    const refused = w.transactions().find(({ state }) => state === 'refused');
    assert.deepEqual(
      refused?.verdicts?.map(({ allows }) => allows),
      [true],
    );
    w.lab.calls.length = 0;
    const { differing } = await replayed(w, { namesPerKey: 'any' });
    assert.deepEqual(differing, [['SCEP-341', 'grant']]);
  });

  test('weak algorithms of the message and of the request', async () => {
    const w = await world({ legacy: { sha1: true, des3: true } });
    const [first, second] = await keys('w1', 'w2');
    assert.ok(first && second);
    const old = { challenge: await w.lab.challenge(), key: first, digest: 'SHA-1' } as const;
    got(await w.ask(old));
    const older = { challenge: await w.lab.challenge(), key: second, cipher: '3DES' } as const;
    got(await w.ask(older));
    w.lab.calls.length = 0;
    const { differing } = await replayed(w, { legacy: {} });
    assert.deepEqual(
      differing.map(([was]) => was),
      ['grant', 'grant'],
    );
    assert.deepEqual(differing.map(([, would]) => would).sort(), ['SCEP-111', 'SCEP-114']);
  });

  test('keys that a signed challenge may give names by; a key that is taken away', async () => {
    const mdm = makeSigner('mdm');
    const key = { publicKey: mdm.publicKey, names: { dns: '*.a.example' } };
    const other = makeSigner('other');
    const enrol = (keys: object) =>
      ({
        enrol: { authorize: ['signedChallenge'], signedChallenge: { keys } },
      }) as EndpointDocument;
    const w = await world({ endpoint: enrol({ mdm: key }) });
    const iat = Math.floor(w.lab.clock.at / 1000);
    const claims = {
      aud: 'default',
      iat,
      exp: iat + 60,
      jti: 'one-of-many',
      san: ['dns:x.a.example'],
    };
    got(await w.ask({ challenge: signed(mdm, claims) }));
    w.lab.calls.length = 0;
    w.lab.clock.at += 24 * HOUR;
    assert.deepEqual((await replayed(w, {})).differing, []);
    const narrow = await replayed(w, enrol({ mdm: { ...key, names: { dns: '*.b.example' } } }));
    assert.deepEqual(narrow.differing, [['grant', 'SCEP-307']]);
    const taken = await replayed(w, enrol({ other: { ...key, publicKey: other.publicKey } }));
    assert.deepEqual(taken.differing, [['grant', 'SCEP-302']]);
  });

  test('a signed challenge that has just room for what it says is judged again', async () => {
    const mdm = makeSigner('mdm-2026', 'EdDSA');
    const keys = { 'mdm-2026': { publicKey: mdm.publicKey, names: { dns: 'any' as const } } };
    const enrol = { authorize: ['signedChallenge' as const], signedChallenge: { keys } };
    const w = await world({ endpoint: { enrol } });
    const iat = Math.floor(w.lab.clock.at / 1000);
    const claims = {
      aud: 'default',
      iat,
      exp: iat + 60,
      jti: 'eight---',
      extKeyUsage: ['clientAuth'],
    };
    const san = ['dns:a.example'];
    const challenge = () =>
      signed(mdm, { ...claims, san, device: 'x'.repeat(256), validity: '30d' });
    while (challenge().length < 1000) san.push(`dns:${san.length}.example`);
    assert.ok(challenge().length <= 1024);
    got(await w.ask({ challenge: challenge() }));
    w.lab.calls.length = 0;
    assert.deepEqual(await replayed(w, {}), { compared: 1, notReplayed: {}, differing: [] });
  });

  test('who has the last word, and that nobody is needed any more', async () => {
    const w = await enrolled();
    assert.deepEqual((await replayed(w, { approval: 'always' })).differing, [['grant', 'pend']]);
    const pending = await world({ endpoint: { approval: 'always' } });
    await pending.ask({ challenge: await pending.lab.challenge() });
    assert.deepEqual((await replayed(pending, { approval: 'never' })).differing, [
      ['pend', 'grant'],
    ]);
    const alone: Partial<EndpointDocument> = { enrol: { authorize: [] }, approval: 'always' };
    assert.deepEqual((await replayed(pending, alone)).differing, []);
  });
});

test('a request that waited for its turn in a storm was allowed', async () => {
  const ca = { subject: 'CN=Lab CA,O=Lab', key: 'ec:P-256', issuancesPerSecond: 0.5 } as const;
  const w = await world({ config: { cas: { default: ca } } });
  for (const [name, status] of [
    ['s1', 'SUCCESS'],
    ['s2', 'PENDING'],
  ] as const) {
    const asked = { challenge: await w.lab.challenge(), key: await deviceKey(name) };
    assert.equal((await w.ask({ ...asked, subject: `CN=${name}` })).pkiStatus, status);
  }
  w.lab.calls.length = 0;
  assert.deepEqual((await replayed(w, {})).differing, []);
  const { differing } = await replayed(w, { approval: 'always' });
  assert.deepEqual(differing, [
    ['grant', 'pend'],
    ['grant', 'pend'],
  ]);
});

describe('what nobody can know again', () => {
  test('a challenge that was not good is not good again; what came without is no other', async () => {
    const w = await world();
    refusedWith('SCEP-301', await w.ask({}));
    refusedWith('SCEP-302', await w.ask({ challenge: 'x'.repeat(26) }));
    const expired = await w.lab.challenge({ ttlMs: 1 });
    w.lab.clock.at += 1;
    refusedWith('SCEP-303', await w.ask({ challenge: expired }));
    w.lab.calls.length = 0;
    assert.deepEqual(await replayed(w, {}), { compared: 3, notReplayed: {}, differing: [] });
    const none = await replayed(w, { enrol: { authorize: [] }, approval: 'always' });
    assert.deepEqual(
      none.differing.map(([, would]) => would),
      ['pend', 'pend', 'pend'],
    );
  });

  test('a challenge, request or certificate that is gone; a proof of another kind', async () => {
    const gone: readonly (readonly [Kind, NotReplayed])[] = [
      ['challenge', 'challengeGone'],
      ['request', 'requestGone'],
    ];
    for (const [kind, why] of gone) {
      const w = await enrolled();
      await forget(w, kind);
      const { compared, notReplayed } = await replayed(w, {});
      assert.deepEqual([compared, notReplayed], [0, { [why]: 1 }]);
    }
    const w = await enrolled();
    const publicKey = makeSigner('mdm').publicKey;
    const other = {
      authorize: ['signedChallenge' as const],
      signedChallenge: { keys: { mdm: { publicKey } } },
    };
    assert.deepEqual((await replayed(w, { enrol: other })).notReplayed, { proofUnknown: 1 });
    const signer = await held(w, await deviceKey('gone'), 'CN=gone');
    got(
      await w.ask({
        signer,
        key: await deviceKey('gone 2'),
        subject: 'CN=gone',
        messageType: 'RenewalReq',
      }),
    );
    await forget(w, 'certificate');
    w.lab.calls.length = 0;
    assert.deepEqual((await replayed(w, {})).notReplayed, { certificateGone: 1 });
  });

  test('a request that is older than its CA, as after a change of its key', async () => {
    const w = await enrolled();
    await w.bend('transaction', () => ({ createdAt: 1 }));
    const { compared, notReplayed } = await replayed(w, {});
    assert.deepEqual([compared, notReplayed], [0, { trouble: 1 }]);
  });

  test('what validators outside said stands; one that was not asked is not guessed', async () => {
    const validators = { mdm: { validate: async () => ({ allow: false }) } };
    const w = await world({ validators, authorize: { enrol: ['challenge', 'mdm'], renew: [] } });
    refusedWith('SCEP-331', await w.ask({ challenge: await w.lab.challenge() }));
    const [transaction] = w.transactions();
    assert.ok(transaction);
    const asking = (authorize: readonly string[]) => {
      const { endpoints } = w.lab.config;
      const own = w.lab.endpoint();
      const changed = { ...own, enrol: { ...own.enrol, authorize } };
      const config = { ...w.lab.config, endpoints: new Map([...endpoints, ['default', changed]]) };
      return replay(w.lab.deps, config, transaction);
    };
    const same = await asking(['challenge', 'mdm']);
    assert.ok('would' in same && same.would.reason === 'validatorRefused');
    const without = await asking(['challenge']);
    assert.ok('would' in without && without.would.decision === 'grant');
    assert.deepEqual('not' in (await asking(['challenge', 'assets'])) && 'unasked', 'unasked');
  });
});

describe('how it is asked', () => {
  test('page by page, newest first, from a time on, of one endpoint', async () => {
    const w = await world();
    for (let i = 0; i < 5; i++) {
      w.lab.clock.at += 1000;
      got(
        await w.ask({
          challenge: await w.lab.challenge(),
          key: await deviceKey(`p${i}`),
          subject: `CN=${i}`,
        }),
      );
    }
    const config = documentOf(w, { approval: 'always' });
    const seen: unknown[] = [];
    let [cursor, pages] = [undefined as unknown, 0];
    do {
      const more = { limit: 2, ...(cursor === undefined ? {} : { cursor }) };
      const page = await ok(w.lab, 'POST', '/replay', asked(config, more));
      seen.push(...(page.differing as Body[]).map(({ subject }) => subject));
      cursor = page.next ?? undefined;
      pages++;
    } while (cursor !== undefined);
    assert.deepEqual(seen, ['CN=4', 'CN=3', 'CN=2', 'CN=1', 'CN=0']);
    assert.equal(pages, 3);
    const since = new Date(w.lab.clock.at - 1500).toISOString();
    assert.equal((await ok(w.lab, 'POST', '/replay', asked(config, { since }))).compared, 2);
    const other = await ok(w.lab, 'POST', '/replay', asked(config, { endpoint: 'other' }));
    assert.equal(other.compared, 0);
  });

  test('by an auditor, and by nobody who may only approve; what is wrong is said', async () => {
    const w = await world();
    const config = documentOf(w, {});
    for (const [role, status] of [
      ['auditor', 200],
      ['approver', 403],
      ['challenger', 403],
    ] as const) {
      const token = await tokenOf(w.lab.deps.store, role);
      assert.equal(
        (await call(w.lab, 'POST', '/replay', { ...asked(config), token })).status,
        status,
      );
    }
    const elsewhere = {
      cas: { other: { subject: 'CN=x' } },
      endpoints: { default: { ca: 'other' } },
    };
    for (const [body, said] of [
      [{ config: {} }, /^since: /],
      [{ config: {}, since: '2030-01-01' }, /^config\.publicUrl: /],
      [
        { config: { ...config, ...elsewhere }, since: '2030-01-01' },
        /^config\.endpoints\.default\.ca: this server has no CA "other"$/,
      ],
      [{ config, since: 'yesterday' }, /^since: must be a time/],
      [
        { config, since: '2030-01-01', endpoint: 'nowhere' },
        /^endpoint: "nowhere" does not exist$/,
      ],
    ] as const) {
      const { status, json } = await call(w.lab, 'POST', '/replay', { body });
      assert.equal(status, 422);
      assert.match(String(json.detail), said);
    }
  });
});
