// Decision links: whoever has one decides as one person, once, and about one request. What is fetched changes nothing.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { base64url, fromBase64url, fromUtf8, utf8 } from '../../lib/base/bytes.ts';
import * as api from '../support/api.ts';
import type { LabOptions } from '../support/lab.ts';
import { enrolment } from '../support/messages.ts';
import { got, HOUR, refusedWith, world } from '../support/world.ts';

const origin = 'https://approve.example.com';

async function waiting({ approvers = 1, ...more }: LabOptions & { approvers?: number } = {}) {
  const endpoint = { ca: 'default', approval: 'always', approvers } as const;
  const w = await world({
    config: { decisionUrl: origin, endpoints: { default: endpoint } },
    ...more,
  });
  const subject = 'CN=<script>alert(1)</script>,O=a&b';
  const sent = await enrolment(w.lab, { challenge: await w.lab.challenge(), subject });
  await w.send(sent);
  const [{ id } = assert.fail()] = w.transactions();
  const link = async (person: string, body: object = {}): Promise<string> => {
    const path = `/transactions/${id}/link`;
    const made = await api.ok(w.lab, 'POST', path, { body: { person, ...body } });
    assert.match(String(made.url), /^https:\/\/approve\.example\.com\/decide\?link=[\w.-]{1,700}$/);
    return new URL(String(made.url)).searchParams.get('link') ?? '';
  };
  const get = (text: string, method = 'GET') => {
    return w.lab.fetch(`/decide?link=${encodeURIComponent(text)}`, { method });
  };
  const post = async (
    text: string,
    verdict: string,
    { from = origin, reason = '' }: { from?: string | null; reason?: string } = {},
  ) => {
    const response = await w.lab.fetch('/decide', {
      method: 'POST',
      headers: from === null ? {} : { origin: from },
      body: new URLSearchParams({ link: text, verdict, reason }),
    });
    return { status: response.status, html: await response.text() };
  };
  return {
    ...{ w, id, link, get, post },
    asks: () => w.send(sent),
    now: () => w.transactions()[0] ?? assert.fail(),
  };
}

describe('a decision link', () => {
  test('GET and HEAD show what is asked for, without a script, and change nothing', async () => {
    const { w, link, get } = await waiting();
    const text = await link('alice@example.com');
    const before = w.store.dump();
    for (const method of ['HEAD', 'GET']) {
      const response = await get(text, method);
      assert.equal(response.status, 200);
      const { headers } = response;
      assert.equal(headers.get('cache-control'), 'no-store');
      assert.equal(headers.get('referrer-policy'), 'strict-origin');
      assert.match(
        headers.get('content-security-policy') ?? '',
        /^default-src 'none'; style-src 'sha256-[\w+/]{43}='; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
      );
      const html = await response.text();
      if (method === 'HEAD') assert.equal(html, '');
      else {
        assert.match(html, /You decide as alice@example\.com, by a link that test made\./);
        assert.match(html, /CN=\\?&lt;script\\?&gt;alert\(1\)\\?&lt;\/script\\?&gt;,O=a&amp;b/);
        assert.doesNotMatch(html, /<script|(?:src|href)=/);
        assert.match(html, /RSA-2048, SHA-256 [0-9a-f]{64}/);
      }
    }
    assert.deepEqual(w.store.dump(), before);
  });

  test('POST decides as that person, who stands in the record and the log with whoever made the link', async () => {
    const { w, link, post, asks, now } = await waiting();
    const said = await post(await link('alice'), 'approve', { reason: 'ticket 4711' });
    assert.equal(said.status, 200, said.html);
    assert.match(said.html, /its device gets the certificate when it next asks/);
    const { by, auth } = now().approval ?? assert.fail();
    assert.deepEqual([by, auth], ['alice', 'link made by test']);
    const told = w.events().filter(({ type }) => /^(?:link|request\.approved)/.test(type));
    assert.deepEqual(
      told.map(({ type, actor, note }) => [type, actor.id, note?.replace(/until .*/, 'until')]),
      [
        ['link.created', 'test', 'for alice, until'],
        ['request.approved', 'alice', 'ticket 4711'],
      ],
    );
    got(await asks());
    w.check();
  });

  test('POST denies', async () => {
    const { link, post, asks } = await waiting({ approvers: 2 });
    assert.match((await post(await link('alice'), 'deny')).html, /told when it next asks/);
    refusedWith('SCEP-351', await asks());
  });

  test('is good once, also for two at the same moment, and also where the request waits on', async () => {
    const { w, link, get, post, now } = await waiting({ approvers: 2 });
    const text = await link('alice');
    const both = await Promise.all([post(text, 'approve'), post(text, 'deny')]);
    assert.deepEqual(both.map(({ status }) => status).sort(), [200, 410]);
    const { state } = now();
    for (const verdict of ['approve', 'deny'])
      assert.equal((await post(text, verdict)).status, 410);
    assert.equal((await get(text)).status, 410);
    assert.equal(now().state, state);
    w.check();
  });

  test('counts as a vote of its person: another link or token of the same person counts no second time', async () => {
    const { w, id, link, post, now } = await waiting({ approvers: 2 });
    const { html } = await post(await link('alice'), 'approve');
    assert.match(html, /another person has to approve it, too\./);
    const again = await post(await link('Alice'), 'approve');
    assert.deepEqual([again.status, now().state], [409, 'pending']);
    assert.match(again.html, /&quot;Alice&quot; has approved it already/);
    assert.match((await post(await link('bob'), 'approve')).html, /gets the certificate/);
    const { approval } = now();
    assert.deepEqual([approval?.by, approval?.votes?.map(({ by }) => by)], ['bob', ['alice']]);
    assert.equal(
      (await api.call(w.lab, 'POST', `/transactions/${id}/link`, { body: { person: 'c' } })).status,
      409,
    );
  });

  test('is not made for whoever made the challenge', async () => {
    const w = await world({
      config: {
        decisionUrl: origin,
        endpoints: { default: { ca: 'default', approval: 'always' } },
      },
    });
    const { challenge } = await api.ok(w.lab, 'POST', '/challenges', { body: {} });
    await w.ask({ challenge: String(challenge) });
    const path = `/transactions/${w.transactions()[0]?.id}/link`;
    const { status, json } = await api.call(w.lab, 'POST', path, { body: { person: 'Test' } });
    assert.deepEqual(
      [status, json.detail],
      [409, '"Test" made its challenge: another person has to approve it'],
    );
  });

  test('expires by its own time, and with the request', async () => {
    for (const [ttl, hours] of [
      ['2h', 2],
      ['7d', 3],
    ] as const) {
      const endpoint = { ca: 'default', approval: 'always', pendingTtl: '3h' } as const;
      const config = { decisionUrl: origin, endpoints: { default: endpoint } };
      const { w, link, get, post, now } = await waiting({ config });
      const text = await link('alice', { ttl });
      w.lab.clock.at += hours * HOUR - 1;
      assert.equal((await get(text)).status, 200);
      w.lab.clock.at += 1;
      assert.match((await post(text, 'approve')).html, /It has expired/);
      assert.equal(now().state, 'pending');
    }
  });

  test('of which a character was changed is none', async () => {
    const { w, link, get, post } = await waiting();
    const text = await link('alice');
    const before = w.lab.calls.filter((call) => call === 'store.read').length;
    const [said = '', ...tag] = text.split('.');
    const fields = JSON.parse(fromUtf8(fromBase64url(said)));
    const forged = [
      { person: 'mallory' },
      { transaction: '01K4QD6W6ZJ5S5M0V1X7TB2C3D' },
      { csrHash: '00'.repeat(32) },
      { expiresAt: fields.expiresAt + 1 },
      { id: '01K4QD6W6ZJ5S5M0V1X7TB2C3D' },
      { by: 'nobody' },
    ].map((change) =>
      [base64url(utf8(JSON.stringify({ ...fields, ...change }))), ...tag].join('.'),
    );
    for (const wrong of [...forged, '', '..', said, `${text}0`, `x${text}`, `${said}.test.00`]) {
      assert.equal((await get(wrong)).status, 404, wrong);
      const { status, html } = await post(wrong, 'approve');
      assert.equal(status, 404);
      assert.doesNotMatch(html, /alice|mallory|CN=/);
    }
    assert.equal(w.lab.calls.filter((call) => call === 'store.read').length, before);
  });

  test('is followed only from its own page: another origin, or none, decides nothing', async () => {
    const { w, link, post } = await waiting();
    const text = await link('alice');
    const before = w.store.dump();
    for (const from of [
      null,
      'null',
      'https://evil.example',
      `${origin}.evil.example`,
      'http://approve.example.com',
    ]) {
      assert.equal((await post(text, 'approve', { from })).status, 403);
    }
    assert.equal((await post(text, 'maybe')).status, 422);
    assert.equal((await post(text, 'approve', { reason: 'x'.repeat(9000) })).status, 413);
    const put = await w.lab.fetch(`/decide?link=${text}`, { method: 'PUT', headers: { origin } });
    assert.deepEqual([put.status, put.headers.get('allow')], [405, 'GET, HEAD, POST']);
    assert.deepEqual(w.store.dump(), before);
  });

  test('is made by an admin alone, and only where the configuration has decisionUrl', async () => {
    const { w, id } = await waiting();
    const path = `/transactions/${id}/link`;
    for (const role of ['approver', 'challenger', 'auditor'] as const) {
      const token = await api.tokenOf(w.lab.deps.store, role);
      assert.equal(
        (await api.call(w.lab, 'POST', path, { body: { person: 'a' }, token })).status,
        403,
      );
    }
    for (const body of [{}, { person: 'a b' }, { person: 'a', ttl: '8d' }]) {
      assert.equal((await api.call(w.lab, 'POST', path, { body })).status, 422);
    }
    const off = await w.instance({ config: { endpoints: { default: { ca: 'default' } } } });
    assert.equal((await off.fetch('/decide?link=x')).status, 404);
    assert.equal((await off.fetch('/decide', { method: 'POST', headers: { origin } })).status, 404);
    const { json } = await api.call(off, 'POST', path, { body: { person: 'a' } });
    assert.match(String(json.detail), /set "decisionUrl" in the configuration/);
  });

  test('about a request that waits no more says what has become of it', async () => {
    const { w, id, link, get } = await waiting();
    const text = await link('alice');
    await api.ok(w.lab, 'POST', `/transactions/${id}/deny`, { body: {} });
    const response = await get(text);
    assert.deepEqual([response.status, /it is denied/.test(await response.text())], [410, true]);
  });
});
