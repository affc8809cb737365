// A day of the admin API over any store: records are found in every list and by every search, and requests
// are done once under an Idempotency-Key. A list may lag, so the test repeats its looks.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hex } from '../../lib/base/bytes.ts';
import type { Store } from '../../lib/ports/store.ts';
import type { ClientKey } from '../../lib/protocol/scep/client/client.ts';
import { readCertificate } from '../../lib/x509/certificate.ts';
import { type Body, call, ok, pages, tokenOf } from '../support/api.ts';
import { deviceKey } from '../support/keys.ts';
import { makeLab } from '../support/lab.ts';
import { type EnrolOptions, enrolment } from '../support/messages.ts';

export function apiContract(name: string, open: () => Promise<Store>): void {
  describe(`admin API: ${name}`, () => {
    test('a made challenge, request and certificate is found, decided, revoked and in the events', async () => {
      const lab = await makeLab({
        store: await open(),
        config: {
          endpoints: {
            default: { ca: 'default' },
            guarded: { ca: 'default', approval: 'always' },
            fleet: { ca: 'default', enrol: { authorize: ['challenge', 'deviceList'] } },
          },
        },
      });
      const found = async (path: string, noun: string, field: string, expected: unknown[]) => {
        let seen: unknown[] = [];
        for (let look = 0; look < 20; look++) {
          const glue = path.includes('?') ? '&' : '?';
          seen = (await pages(lab, `${path}${glue}limit=2`, noun)).flat().map((one) => one[field]);
          if (seen.length === expected.length) break;
          await lab.clock.sleep(1000);
        }
        assert.deepEqual(seen, expected, path);
      };
      const ask = async (path: string, options: EnrolOptions) => {
        lab.clock.at += 1000;
        const sent = await enrolment(lab, options);
        const answer = await sent.read(await lab.operate(sent.message, path));
        return answer.pkiStatus === 'SUCCESS'
          ? readCertificate(answer.certificates[0] ?? new Uint8Array(0))
          : undefined;
      };
      const made = async (body: object, key: string): Promise<Body> => {
        const headers = { 'idempotency-key': key };
        const first = await call(lab, 'POST', '/challenges', { body, headers });
        const again = await call(lab, 'POST', '/challenges', { body, headers });
        assert.deepEqual([first.status, again.text], [201, first.text]);
        lab.clock.at += 1;
        return first.json;
      };
      const ec = (device: string): Promise<ClientKey> =>
        deviceKey(`api ${device}`, { type: 'EC', curve: 'P-256' });

      const one = await made({ subject: 'CN=Laptop-1', san: ['dns:a.example'] }, '1');
      const two = await made({}, '2');
      const three = await made({}, '3');
      const waiting = await made({ endpoint: 'guarded' }, '4');
      await found('/challenges', 'challenges', 'id', [waiting.id, three.id, two.id, one.id]);
      const own = [three.id, two.id, one.id];
      await found('/challenges?endpoint=default', 'challenges', 'id', own);
      await ok(lab, 'DELETE', `/challenges/${three.id}`);
      await found('/challenges?state=revoked', 'challenges', 'id', [three.id]);

      const a = await ask('/scep', {
        ...{ challenge: String(one.challenge), key: await ec('a') },
        ...{ subject: 'CN=Laptop-1', names: ['dns:a.example'] },
      });
      const b = await ask('/scep', { challenge: String(two.challenge), key: await ec('b') });
      assert.ok(a && b);
      const renewed = await ask('/scep', {
        ...{ messageType: 'RenewalReq', key: await ec('b2'), challenge: 'x'.repeat(16) },
        signer: { certificate: b, key: await ec('b') },
      });
      assert.ok(renewed);
      const guarded = { challenge: String(waiting.challenge), key: await ec('c') };
      assert.equal(await ask('/scep/guarded', guarded), undefined, 'it waits');
      const [serialA, serialB, next] = [a, b, renewed].map(({ serial }) => hex(serial));
      await found('/certificates', 'certificates', 'serial', [next, serialB, serialA]);
      await found('/certificates?subject=cn%3Dlaptop', 'certificates', 'serial', [serialA]);
      await found('/certificates?device=a.ex', 'certificates', 'serial', [serialA]);
      await found('/transactions?device=a.ex', 'transactions', 'serial', [serialA]);
      await found(`/transactions?serial=${serialB}`, 'transactions', 'serial', [serialB]);
      const tree = await ok(lab, 'GET', `/certificates/default/${next}/renewals`);
      assert.deepEqual(
        (tree.certificates as Body[]).map(({ serial }) => serial),
        [serialB, next],
      );

      await found('/transactions?endpoint=guarded&state=pending', 'transactions', 'state', [
        'pending',
      ]);
      const { transactions } = await ok(lab, 'GET', '/transactions?endpoint=guarded');
      const path = `/transactions/${(transactions as Body[])[0]?.id}`;
      const token = await tokenOf(lab.deps.store, 'approver');
      const headers = { 'idempotency-key': 'approve' };
      const approve = { body: { reason: 'known' }, headers, token };
      const approved = await ok(lab, 'POST', `${path}/approve`, approve);
      assert.ok(await ask('/scep/guarded', guarded));
      assert.deepEqual(await ok(lab, 'POST', `${path}/approve`, approve), approved);
      assert.equal((await ok(lab, 'GET', path)).state, 'issued');

      const revoke = { body: { reason: 'keyCompromise' }, headers: { 'idempotency-key': 'r' } };
      const revoked = await ok(lab, 'POST', `/certificates/default/${serialA}/revoke`, revoke);
      assert.deepEqual(
        await ok(lab, 'POST', `/certificates/default/${serialA}/revoke`, revoke),
        revoked,
      );
      const rows = [
        { serial: 'C02', mac: 'a4:83:e7:00:00:01', name: ['laptop-2'] },
        { name: ['l-3'] },
      ];
      const added = await ok(lab, 'POST', '/devices', { body: { list: 'fleet', rows } });
      assert.deepEqual(added.results, ['added', 'added']);
      await found('/devices?list=fleet', 'devices', 'id', ['C02', 'l-3']);
      const moved = await ok(lab, 'POST', '/devices', {
        body: { list: 'fleet', rows: [{ ...rows[0], owner: 'Jane' }, rows[1]] },
      });
      assert.deepEqual(moved.results, ['changed', 'unchanged']);
      const gone = await ok(lab, 'DELETE', '/devices/a483.e700.0001?list=fleet');
      assert.deepEqual([gone.id, gone.owner, gone.state], ['C02', 'Jane', 'removed']);
      assert.equal((await ok(lab, 'GET', '/devices/laptop-2?list=fleet')).state, 'removed');
      const fleet = { challenge: String((await made({ endpoint: 'fleet' }, '5')).challenge) };
      const laptop = { key: await ec('d'), subject: 'CN=laptop-2' };
      assert.equal(await ask('/scep/fleet', { ...fleet, ...laptop }), undefined, 'it was removed');
      assert.ok(await ask('/scep/fleet', { ...fleet, key: await ec('e'), subject: 'CN=L-3' }));

      await ok(lab, 'POST', '/crls/default/publish');
      await found('/crls/default', 'entries', 'serial', [serialA]);
      await found('/certificates?state=revoked', 'certificates', 'serial', [serialA]);
      await found('/events?type=certificate.revoked', 'events', 'serial', [serialA]);
      await found(`/events?serial=${serialA}&type=certificate.issued`, 'events', 'serial', [
        serialA,
      ]);
      assert.deepEqual((await ok(lab, 'GET', '/status')).warnings, []);
    });
  });
}
