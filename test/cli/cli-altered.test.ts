// Another hand has changed records in the table: whatever a command shows is what this service wrote, and what it does
// not show it names, with exit code 1. One such record does not take a list down.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { hex } from '../../lib/base/bytes.ts';
import { tokenHash } from '../../lib/ca/record/tokens.ts';
import type { Kind } from '../../lib/ports/records/records.ts';
import type { Action, Row } from '../../lib/ports/store.ts';
import { readCertificate } from '../../lib/x509/certificate.ts';
import { openTerminal } from '../support/cli.ts';
import { deviceKey } from '../support/keys.ts';
import { makeLab, putToken } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { enrolment } from '../support/messages.ts';

const store = new MemoryStore();
const lab = await makeLab({
  store,
  config: { endpoints: { default: { ca: 'default' }, other: { ca: 'default' } } },
});
const terminal = await openTerminal(lab);
after(() => terminal.close());

/** A certificate of a device, with the id of its Transaction. */
async function enrolled(name: string) {
  const challenge = await lab.challenge({ subject: `CN=${name}` });
  const key = await deviceKey(`altered records ${name}`);
  const sent = await enrolment(lab, { challenge, key, subject: `CN=${name}` });
  const answer = await sent.read(await lab.operate(sent.message));
  const [der] = answer.pkiStatus === 'SUCCESS' ? answer.certificates : [];
  lab.clock.at += 1000;
  const serial = hex(readCertificate(der ?? assert.fail()).serial);
  const row = rows('certificate').find(({ key: at }) => at.endsWith(serial));
  return { serial, id: row?.record.transaction ?? assert.fail() };
}

const rows = <K extends Kind>(kind: K): Row<K>[] =>
  store.dump().filter((row) => row.kind === kind) as unknown as Row<K>[];

/** Writes other members into a record, as SQL in the file would, and runs something meanwhile. */
async function altered<K extends Kind>(
  { kind, key }: { readonly kind: K; readonly key: string },
  members: object,
  work: () => Promise<void>,
): Promise<void> {
  const find = () => rows(kind).find((row) => row.key === key) ?? assert.fail(`${kind} ${key}`);
  const put = (record: object) =>
    store.write([{ do: 'put', kind, key, rev: find().rev, record } as unknown as Action]);
  const { record } = find();
  await put({ ...record, ...members });
  try {
    await work();
  } finally {
    await put(record);
  }
}

const good = await enrolled('good');
const bad = await enrolled('bad');
const run = (...args: readonly string[]) => terminal.run(args);

/** A list shows the one and names the other. */
async function leavesOut(args: readonly string[], shown: string, name: string) {
  const { code, out, err } = await run(...args);
  assert.equal(code, 1, `${args.join(' ')}: ${err}`);
  assert.ok(out.includes(shown), out);
  assert.ok(err.includes(`the record ${name} was changed by another hand`), err);
  assert.match(err, /changed by another hand: SECURITY\.md says what that means\n$/);
  const { code: same, out: json } = await run(...args, '--json');
  assert.equal(same, 1);
  assert.deepEqual(JSON.parse(json).altered, [name]);
}

describe('a record that another hand has changed', () => {
  test('a Transaction is in no list, and is not shown, approved or denied', async () => {
    const record = { kind: 'transaction', key: bad.id } as const;
    for (const members of [
      { state: 'denied', reason: 'denied' },
      { subject: 'CN=somebody else' },
    ]) {
      await altered(record, members, async () => {
        const name = `transaction ${bad.id}`;
        await leavesOut(['txn', 'list'], good.id, name);
        await leavesOut(
          ['txn', 'list', '--subject', 'CN=', '--endpoint', 'default'],
          good.id,
          name,
        );
        for (const verb of ['show', 'approve', 'deny']) {
          const { code, out, err } = await run('txn', verb, bad.id);
          assert.deepEqual([code, out], [1, ''], verb);
          assert.match(
            err,
            new RegExp(`the record ${name} was changed by another hand, and nothing`),
          );
        }
        const { code, err } = await run('txn', 'list', '--serial', bad.serial);
        assert.deepEqual([code, err.includes(name)], [1, true]);
      });
    }
    assert.equal((await run('txn', 'list')).code, 0);
  });

  test('a certificate is in no list, and is not shown or revoked by its record', async () => {
    const record = { kind: 'certificate', key: `default/${bad.serial}` } as const;
    for (const members of [{ subject: 'CN=somebody else' }, { state: 'revoked', revokedAt: 1 }]) {
      await altered(record, members, async () => {
        const name = `certificate default/${bad.serial}`;
        await leavesOut(['cert', 'list'], good.serial, name);
        for (const search of ['--device=bad', `--serial=${bad.serial}`]) {
          const { code, err } = await run('cert', 'list', search);
          assert.deepEqual([code, err.includes(name)], [1, true], search);
        }
        for (const verb of ['show', 'renewals', 'hold', 'release', 'revoke']) {
          for (const serial of [bad.serial, bad.serial.slice(0, 11)]) {
            const { code, out, err } = await run('cert', verb, serial);
            assert.deepEqual([code, out], [1, ''], `${verb}: ${err}`);
            assert.match(err, /changed by another hand, and nothing .*: "cert revoke --file"/);
          }
        }
        const story = await run('txn', 'show', bad.id);
        assert.deepEqual([story.code, story.out.includes('CN=bad')], [1, true]);
        assert.ok(story.err.includes(name));
      });
    }
  });

  test("a request's octets are not shown as what its device sent", async () => {
    const [row] = rows('request').filter(({ record }) => record.transaction === bad.id);
    await altered(row ?? assert.fail(), { csr: 'AAAA' }, async () => {
      const { code, err } = await run('txn', 'show', bad.id, '--json');
      assert.equal(code, 1);
      assert.ok(err.includes(`the record request ${row?.key}`), err);
    });
  });

  test('a challenge says nothing but that it is invalid: its binding, its maker, its revocation', async () => {
    await lab.challenge({ subject: 'CN=bound' });
    const [row] = rows('challenge').filter(({ record }) => record.binding.subject === 'CN=bound');
    const { id } = row?.record ?? assert.fail();
    assert.equal((await run('challenge', 'list')).code, 0);
    const alterations = [
      { binding: { subject: 'CN=forged', names: [] } },
      { madeBy: { by: 'forged' } },
      { revokedAt: lab.clock.at },
      { expiresAt: lab.clock.at * 2 },
    ];
    for (const members of alterations) {
      await altered(row ?? assert.fail(), members, async () => {
        const list = await run('challenge', 'list');
        assert.equal(list.code, 1);
        assert.match(
          list.out,
          new RegExp(`^${id} +invalid +- +- +- +- +its record was changed`, 'm'),
        );
        const shown = await run('challenge', 'show', id);
        assert.equal(shown.code, 1);
        assert.doesNotMatch(shown.out + list.out, /forged/);
      });
    }
    assert.equal((await run('challenge', 'revoke', id)).code, 0);
    const revoked = rows('challenge').find(({ key }) => key === row?.key) ?? assert.fail();
    await altered(revoked, { revokedAt: undefined }, async () => {
      assert.match((await run('challenge', 'show', id)).out, /invalid/, 'it is not open again');
    });
    await altered(revoked, { createdAt: 1 }, async () => {
      const { code, out } = await run('challenge', 'show', id);
      assert.equal(code, 0);
      assert.doesNotMatch(out, /1970/, 'its id says when it was made');
    });
  });

  test('an event that is none any more is named, and the log goes on', async () => {
    const events = rows('event');
    const [row, next] = [events[1] ?? assert.fail(), events.at(-1) ?? assert.fail()];
    const body = row.record.body.replace('"actor":{', '"actor":{"kind":"forged", ');
    await altered(row, { body }, async () => {
      const tail = await run('log', 'tail', '-n', '100', '--json');
      assert.equal(tail.code, 1);
      assert.ok(tail.out.includes(next.key) && !tail.out.includes(row.key));
      assert.ok(tail.err.includes(`the record event ${row.key} was changed`), tail.err);
      const exported = await run('log', 'export');
      assert.deepEqual([exported.code, exported.out.includes('forged')], [1, false]);
    });
  });

  test('a token is in no list, and lets nobody in', async () => {
    const token = 'forged'.padEnd(43, 'x');
    await putToken(lab.deps.store, token, { name: 'portal', roles: ['auditor'] });
    await altered({ kind: 'token', key: tokenHash(token) }, { roles: ['admin'] }, async () => {
      const { code, out, err } = await run('token', 'list');
      assert.deepEqual([code, out.includes('portal')], [1, false]);
      assert.ok(err.includes(`the record token ${tokenHash(token)} was changed`), err);
      assert.equal((await terminal.run(['txn', 'list'], { token })).code, 4);
    });
  });
});
