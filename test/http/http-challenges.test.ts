// Challenges over the admin API: listed, found, revoked; and what a revoked one means to devices.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAX_CHALLENGE_FAILURES } from '../../lib/base/limits.ts';
import type { ConfigDocument } from '../../lib/config/config.ts';
import { shortened } from '../../lib/refusal/evidence.ts';
import { type Body, call, ok, pages, tokenOf } from '../support/api.ts';
import { enrolment } from '../support/messages.ts';
import { keys, refusedWith, world } from '../support/world.ts';

type ProfileDocument = NonNullable<ConfigDocument['profiles']>[string];

const states = async (w: Awaited<ReturnType<typeof world>>) =>
  ((await ok(w.lab, 'GET', '/challenges')).challenges as Body[]).map(({ state }) => state);

test('POST /challenges is refused for an endpoint that accepts no challenge', async () => {
  const staticChallenge = { secret: 'env:PRINTERS', subject: { CN: 'printer-*' } };
  const w = await world({
    endpoint: { enrol: { authorize: ['staticChallenge'], staticChallenge } },
    staticSecrets: { 'env:PRINTERS': 'known to every printer' },
  });
  const { status, json } = await call(w.lab, 'POST', '/challenges', { body: {} });
  assert.equal(status, 422);
  assert.equal(json.detail, 'endpoint: "default" takes no challenges but its static one');
  assert.deepEqual(w.challenges(), []);
});

describe('POST /challenges is refused for a binding that no certificate could have', () => {
  type Case = readonly [binding: Body, detail: string, profile?: ProfileDocument];
  const no = 'no certificate can have it';
  const host =
    'a dns name is no host name: labels of letters, digits and hyphens, "*" only as the first, no address';
  const mailbox = 'an email name is no mailbox such as user@host.example';
  const long = `CN=${'x'.repeat(65)}`;
  const server: ProfileDocument = { extKeyUsage: ['serverAuth'] };
  const people = 'CN=Jane Doe,CN=Users,DC=corp,DC=local';
  const cases: readonly Case[] = [
    [{ subject: long }, `"${long}": ${no}: an attribute is longer than RFC 5280 allows it to be`],
    [
      { subject: 'CN=a\\00b' },
      `"CN=a\\00b": ${no}: an attribute has control, bidirectional or other invisible characters`,
    ],
    [{ subject: 'CN=\\20' }, `"CN=\\20": ${no}: an attribute is blank, or is no string`],
    [{ subject: 'CN=#0500' }, `"CN=#0500": ${no}: a subject attribute that is no string`],
    [{ subject: 'CN=#0c01ff' }, `"CN=#0c01ff": ${no}: a UTF8String that is not UTF-8`],
    [{ subject: 'CN=a,C=D1' }, `"CN=a,C=D1": ${no}: C must be a country code of two letters`],
    [{ subject: 'OU=a+OU=b' }, `"OU=a+OU=b": ${no}: an attribute type stands twice in one RDN`],
    [
      { subject: 'CN=x,DC=\u00e4' },
      `"CN=x,DC=\u00e4": ${no}: C, serialNumber and dnQualifier must be PrintableString, DC and emailAddress IA5String`,
    ],
    [{ subject: 'CN=x,E=jdoe' }, `"CN=x,E=jdoe": ${no}: ${mailbox}`],
    [
      { subject: 'CN=x,E=j doe' },
      `"CN=x,E=j doe": ${no}: the email name "j doe" must be printable ASCII without spaces`,
    ],
    [
      { subject: `O=${'x'.repeat(5000)}` },
      `"${shortened(`O=${'x'.repeat(5000)}`)}": ${no}: a Name that is too long`,
    ],
    [{ subject: '' }, 'the subject is empty'],
    [
      { subject: people },
      `"${people}": ${no}: CN stands more than once, which only the certificate of a client may have`,
      server,
    ],
    [
      { subject: people },
      `"${people}": the profile "p" certifies no such subject: CN is "Users, Jane Doe", and profiles.p.subject.once allows one value`,
      { subject: { once: ['CN'] } },
    ],
    [
      { subject: 'CN=a.example' },
      '"CN=a.example": the profile "p" certifies no names of type dns',
      { ...server, names: { dns: 'none' } },
    ],
    [
      { subject: 'CN=x,O=Other' },
      '"CN=x,O=Other": the profile "p" certifies no such subject: O is "Other", and profiles.p.subject.fixed allows Example',
      { subject: { fixed: { O: 'Example' } } },
    ],
    [
      { subject: 'CN=srv' },
      '"CN=srv": the profile "p" certifies no such subject: CN is "srv", and profiles.p.subject.pattern allows dev-*',
      { subject: { pattern: { CN: 'dev-*' } } },
    ],
    [
      { subject: 'O=x' },
      '"O=x": the profile "p" certifies no such subject: CN is not there, and profiles.p.subject.required allows any value',
      { subject: { required: ['CN'] } },
    ],
    [
      { subject: 'CN=x,OU=y' },
      '"CN=x,OU=y": the profile "p" certifies no such subject: OU is "y", and profiles.p.subject.forbidden allows none',
      { subject: { forbidden: ['OU'] } },
    ],
    ...['pc_01.corp.local', '10.1.2.3', 'a..b', 'a.example:443', '*', 'a.*.b', '-a.b'].map(
      (name): Case => [{ san: [`dns:${name}`] }, `"dns:${name}": ${no}: ${host}`],
    ),
    ...['jdoe', '@b.example', 'a@b_c', 'a@b@c..d'].map(
      (name): Case => [{ san: [`email:${name}`] }, `"email:${name}": ${no}: ${mailbox}`],
    ),
    ...['/etc/passwd', 'http:', 'http://a_b/', 'a:%zz'].map(
      (name): Case => [
        { san: [`uri:${name}`] },
        `"uri:${name}": ${no}: a uri name is no absolute URI`,
      ],
    ),
    ...[' ', 'a\u202eb@c.example', 'a\u0000b'].map(
      (name): Case => [
        { san: [`upn:${name}`] },
        `"${shortened(`upn:${name}`)}": ${no}: a upn name is blank or has control, bidirectional or other invisible characters`,
      ],
    ),
    [
      { subject: 'CN=x', san: ['dns:good.example', 'dns:bad_.example'] },
      `"dns:bad_.example": ${no}: ${host}`,
    ],
    [
      { san: ['ip:10.1.2.3'] },
      '"ip:10.1.2.3": the profile "p" certifies no names of type ip',
      { names: { ip: 'none' } },
    ],
    [
      { san: ['sid:S-1-5-21-1-2-3-1001'] },
      '"sid:S-1-5-21-1-2-3-1001": the profile "p" certifies no names of type sid',
      {},
    ],
    ...(['extension', 'both'] as const).map((sid, i): Case => {
      const san = ['sid:S-1-5-21-1-2-3-1001', `sid:S-1-5-21-1-2-3-${i}`];
      const one = 'certifies one SID at most, because its extension stands once';
      return [{ subject: 'CN=x', san }, `"${san.join(', ')}": the profile "p" ${one}`, { sid }];
    }),
  ];
  /** One for each profile: a refusal leaves nothing behind. */
  const worlds = new Map<string, ReturnType<typeof world>>();
  const worldOf = (profile: ProfileDocument) => {
    const name = JSON.stringify(profile);
    const options = { endpoint: { profile: 'p' }, config: { profiles: { p: profile } } };
    const made = worlds.get(name) ?? world(options);
    worlds.set(name, made);
    return made;
  };
  for (const [body, detail, profile = {}] of cases) {
    test(detail.replace(/x{65,}/, 'x...x'), async () => {
      const w = await worldOf(profile);
      const { status, json } = await call(w.lab, 'POST', '/challenges', { body });
      const said = `${body.san ? 'san' : 'subject'}: ${detail}`;
      assert.equal(status, 422);
      assert.equal(json.detail, said);
      assert.deepEqual(w.challenges(), []);
      // What is only tried out gets the same sentence.
      const csr = 'MA==';
      const tried = await call(w.lab, 'POST', '/simulate', { body: { csr, challenge: body } });
      assert.deepEqual([tried.status, tried.json.detail], [422, `challenge.${said}`]);
    });
  }

  test('a binding that a certificate can have is accepted', async () => {
    const uri = 'uri:ID:Microsoft Endpoint Manager:GUID:0f8fad5b-d9cb-469f-a165-70867728950e';
    const free: ProfileDocument = { sid: 'extension', endpointManagerUri: true };
    for (const [body, profile] of [
      [{}, {}],
      [{ subject: people, san: ['upn:jane@corp.local'] }, {}],
      [{ san: ['sid:S-1-5-21-1-2-3-1001', 'sid:S-1-5-21-1-2-3-1001'] }, free],
      [{ san: ['sid:S-1-5-21-1-2-3-1001', 'sid:S-1-5-21-1-2-3-1002'] }, { sid: 'uri' }],
      [{ subject: 'CN=x', san: ['sid:S-1-5-21-1-2-3-1001', uri] }, free],
      [{ subject: 'CN=a.example', san: ['ip:2001:db8::1'] }, server],
      [
        { san: ['dns:*.a.example', 'email:a.b@c.example', 'uri:urn:x:1'] },
        { subject: { required: ['CN'] } },
      ],
      [{ subject: 'CN=x,E=a@b.example,C=de,DC=corp' }, { keys: { rsa: false } }],
    ] satisfies [Body, ProfileDocument][]) {
      const w = await world({ endpoint: { profile: 'p' }, config: { profiles: { p: profile } } });
      const { status, json } = await call(w.lab, 'POST', '/challenges', { body });
      assert.equal(status, 201, JSON.stringify(json));
    }
  });
});

describe('GET /challenges', () => {
  test('the list is newest first, with each state and without any secret', async () => {
    const w = await world();
    const [a, b] = await keys('list a', 'list b');
    assert.ok(a && b);
    const spent = await w.lab.challenge();
    await w.ask({ challenge: spent, key: a });
    w.lab.clock.at += 1;
    const secrets = [spent, await w.lab.challenge({ ttlMs: 5 })];
    w.lab.clock.at += 1;
    secrets.push(await w.lab.challenge({ subject: 'CN=x,O=y', names: ['dns:a.example'], uses: 2 }));
    w.lab.clock.at += 1;
    const locked = await w.lab.challenge({ subject: 'CN=nobody' });
    for (let i = 0; i < MAX_CHALLENGE_FAILURES; i++) {
      await w.ask({ challenge: locked, key: b, subject: `CN=guess-${i}` });
    }
    w.lab.clock.at += 10;
    const { text, json } = await call(w.lab, 'GET', '/challenges');
    for (const secret of [...secrets, locked]) assert.ok(!text.includes(secret));
    const list = json.challenges as Body[];
    assert.deepEqual(
      list.map(({ state }) => state),
      ['locked', 'open', 'expired', 'spent'],
    );
    assert.deepEqual(
      { ...list[1], id: '', createdAt: '', expiresAt: '' },
      {
        ...{ id: '', endpoint: 'default', state: 'open', subject: 'CN=x,O=y' },
        madeBy: { by: 'system' },
        ...{ san: ['dns:a.example'], uses: 2, usesLeft: 2, failures: 0 },
        ...{ createdAt: '', expiresAt: '' },
      },
    );
    for (const state of ['locked', 'open', 'expired', 'spent', 'revoked']) {
      const found = (await ok(w.lab, 'GET', `/challenges?state=${state}`)).challenges as Body[];
      assert.deepEqual(
        found.map((one) => one.id),
        list.filter((one) => one.state === state).map((one) => one.id),
      );
    }
  });

  test('the list of one endpoint, and of all in one order, comes page by page', async () => {
    const w = await world();
    for (let i = 0; i < 7; i++) {
      w.lab.clock.at += 1;
      await w.lab.challenge({ endpoint: i % 2 ? 'other' : 'default' });
    }
    const found = await pages(w.lab, '/challenges?limit=3&endpoint=default', 'challenges');
    assert.deepEqual(
      found.map(({ length }) => length),
      [3, 1],
    );
    assert.ok(found.flat().every(({ endpoint }) => endpoint === 'default'));
    const every = (await pages(w.lab, '/challenges?limit=3', 'challenges')).flat();
    assert.deepEqual(
      every.map(({ id }) => id),
      w
        .challenges()
        .map(({ id }) => id)
        .sort()
        .reverse(),
    );
    assert.equal((await pages(w.lab, '/challenges?endpoint=other', 'challenges')).flat().length, 3);
  });
});

describe('one challenge', () => {
  test('a challenge is found by its id alone or with its endpoint, and at no other endpoint', async () => {
    const w = await world();
    const { id } = await ok(w.lab, 'POST', '/challenges', { body: { endpoint: 'other' } });
    for (const query of ['', '?endpoint=other']) {
      const found = await ok(w.lab, 'GET', `/challenges/${id}${query}`);
      assert.equal(found.id, id);
    }
    for (const query of ['?endpoint=default', '?endpoint=nowhere']) {
      for (const method of ['GET', 'DELETE']) {
        assert.equal((await call(w.lab, method, `/challenges/${id}${query}`)).status, 404);
      }
    }
    assert.equal((await call(w.lab, 'GET', `/challenges/${'0'.repeat(26)}`)).status, 404);
    assert.equal((await ok(w.lab, 'GET', `/challenges/${id}`)).state, 'open');
  });

  test('a revoked challenge is refused to devices, is shown as revoked, and stays so', async () => {
    const w = await world();
    const made = await ok(w.lab, 'POST', '/challenges', { body: { uses: 5 } });
    const challenge = String(made.challenge);
    const revoked = await ok(w.lab, 'DELETE', `/challenges/${made.id}`);
    assert.equal(revoked.state, 'revoked');
    assert.equal(revoked.revokedAt, new Date(w.lab.clock.now()).toISOString());
    assert.equal(revoked.usesLeft, 5);
    refusedWith('SCEP-306', await w.ask({ challenge }));
    w.lab.clock.at += 1000;
    assert.deepEqual(await ok(w.lab, 'DELETE', `/challenges/${made.id}`), revoked);
    refusedWith('SCEP-306', await w.ask({ challenge }));
    const told = w.events().filter(({ type }) => type === 'challenge.revoked');
    assert.deepEqual(
      told.map(({ challengeId }) => challengeId),
      [made.id],
    );
    assert.deepEqual(await states(w), ['revoked']);
    w.check();
  });

  test('a request that took its use before the revocation is finished', async () => {
    const w = await world();
    const made = await ok(w.lab, 'POST', '/challenges', { body: {} });
    const sent = await enrolment(w.lab, { challenge: String(made.challenge) });
    await w.stuck(sent);
    await ok(w.lab, 'DELETE', `/challenges/${made.id}`);
    w.lab.clock.at += 60_000;
    assert.equal((await w.send(sent)).pkiStatus, 'SUCCESS');
    w.check();
  });

  test('a request that waits for its approver at the revocation is finished too', async () => {
    const w = await world({ endpoint: { approval: 'always' } });
    const made = await ok(w.lab, 'POST', '/challenges', { body: {} });
    const wanted = { challenge: String(made.challenge) };
    assert.equal((await w.ask(wanted)).pkiStatus, 'PENDING');
    await ok(w.lab, 'DELETE', `/challenges/${made.id}`);
    const [waiting] = w.transactions();
    const token = await tokenOf(w.lab.deps.store, 'approver');
    await ok(w.lab, 'POST', `/transactions/${waiting?.id}/approve`, { body: {}, token });
    assert.equal((await w.poll(wanted)).pkiStatus, 'SUCCESS');
    w.check();
  });

  test('a use and a revocation at once exclude each other', async () => {
    const w = await world();
    const made = await ok(w.lab, 'POST', '/challenges', { body: {} });
    const sent = await enrolment(w.lab, { challenge: String(made.challenge) });
    const write = w.store.write.bind(w.store);
    w.store.write = async (actions) => {
      // The device has read an open challenge, and is about to take its use.
      if (actions.some(({ do: act }) => act === 'use')) {
        w.store.write = write;
        await ok(w.lab, 'DELETE', `/challenges/${made.id}`);
      }
      return write(actions);
    };
    refusedWith('SCEP-306', await w.send(sent));
    assert.equal(w.certificates().length, 0);
  });
});
