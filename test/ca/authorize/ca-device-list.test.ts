// Device lists: which names a device may have. A list proves nothing; what is in no list, was removed, or asks for a name
// that its row does not give, is refused, and a row that was changed or put back allows nothing.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { namesOf } from '../../../lib/ca/authorize/renew.ts';
import { findDevice, removeDevice } from '../../../lib/ca/devices/device-list.ts';
import { importRows, UnusableRows } from '../../../lib/ca/devices/import.ts';
import type { WantedRow } from '../../../lib/ca/devices/row.ts';
import { checkConfig } from '../../../lib/config/config.ts';
import { ConfigError } from '../../../lib/config/error.ts';
import { deviceKey as keyIn, placesOf } from '../../../lib/ports/records/places.ts';
import type { Row } from '../../../lib/ports/store.ts';
import { buildRequest } from '../../../lib/protocol/scep/client/client.ts';
import { simulate } from '../../../lib/protocol/scep/server/simulate.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { deviceKey } from '../../support/keys.ts';
import type { LabOptions } from '../../support/lab.ts';
import { type EnrolOptions, enrolment } from '../../support/messages.ts';
import { got, keys, refusedWith, type World, world } from '../../support/world.ts';

const actor = { kind: 'admin', id: 'jane' } as const;
const listed = {
  endpoint: { enrol: { authorize: ['challenge', 'deviceList'] } },
} satisfies LabOptions;
const renewing = {
  endpoint: { ...listed.endpoint, renew: { authorize: ['deviceList'] } },
} satisfies LabOptions;

const put = (w: World, rows: readonly WantedRow[], more = {}) =>
  importRows(w.lab.deps, { list: 'default', rows, restore: false, dryRun: false, actor, ...more });
const remove = (w: World, id: string) =>
  removeDevice(w.lab.deps, 'default', id, { actor, reason: 'stolen' });
const asks = async (w: World, wanted: EnrolOptions, bound = {}) =>
  w.ask({ challenge: await w.lab.challenge(bound), ...wanted });

const row: WantedRow = {
  serial: 'C02-1',
  mac: 'A4-83-E7-00-00-01',
  name: ['printer-1'],
  subject: 'CN=printer-1,O=Test',
  san: ['dns:printer-1.example.com'],
};
const subject = 'CN=printer-1,O=Test';

describe('a device in the list', () => {
  test('gets the names of its row, like those of a challenge, and is on record by its id', async () => {
    const w = await world(listed);
    assert.deepEqual(await put(w, [row]), ['added']);
    const certificate = readCertificate(got(await asks(w, { subject })));
    assert.deepEqual(namesOf(certificate), ['dns:printer-1.example.com']);
    const [transaction] = w.transactions();
    assert.equal(transaction?.device, 'C02-1');
    assert.deepEqual(
      transaction?.verdicts?.map(({ validator, allows }) => [validator, allows]),
      [
        ['challenge', true],
        ['deviceList', true],
      ],
    );
    assert.equal(transaction?.verdicts?.[1]?.says, 'device C02-1 of list default');
    assert.ok(transaction?.authorizedBy.includes('device list default'));
    w.check();
  });

  test('is found by the serialNumber of its subject, its CN, a subjectAltName, or as its challenge names it', async () => {
    const free = { ...row, subject: undefined, san: undefined, sanPattern: ['dns:*.example.com'] };
    for (const [wanted, bound] of [
      [{ subject: 'serialNumber=c02-1,CN=any' }, {}],
      [{ subject: 'CN=a483.e700.0001' }, {}],
      [{ subject: 'CN=any', names: ['dns:printer-1'] }, { names: ['dns:printer-1'] }],
      [{ subject: 'CN=any' }, { device: 'PRINTER-1' }],
    ] as const) {
      const w = await world(listed);
      await put(w, [{ ...free, sanPattern: ['dns:*'.concat('nter-1')] }]);
      got(await asks(w, wanted, bound));
    }
  });

  test('costs one read of the store, like a request at an endpoint without a list', async () => {
    const count = async (options: LabOptions) => {
      const w = await world(options);
      if (options.endpoint) await put(w, [row]);
      const challenge = await w.lab.challenge(
        options.endpoint ? {} : { subject, names: row.san ?? [] },
      );
      const sent = await enrolment(w.lab, { challenge, subject });
      w.lab.calls.length = 0;
      got(await w.send(sent));
      return w.lab.calls.filter((call) => call.startsWith('store.'));
    };
    assert.deepEqual(await count(listed), await count({}));
  });

  test('may ask for what its patterns fit, and for no wildcard', async () => {
    const w = await world(listed);
    await put(w, [{ serial: 'p-2', sanPattern: ['dns:*.p2.example.com'] }]);
    const ask = (name: string) => asks(w, { subject: 'CN=p-2', names: [name] });
    refusedWith('SCEP-334', await ask('dns:*.p2.example.com'));
    refusedWith('SCEP-334', await ask('dns:a.b.p2.example.com'));
    const certificate = readCertificate(got(await ask('dns:a.p2.example.com')));
    assert.deepEqual(namesOf(certificate), ['dns:a.p2.example.com']);
  });

  test('gets names only where its profile certifies such', async () => {
    const w = await world({
      endpoint: { ...listed.endpoint, profile: 'p' },
      config: { profiles: { p: { names: { dns: 'none' } } } },
    });
    await put(w, [row]);
    refusedWith('SCEP-313', await asks(w, { subject }));
  });
});

describe('is refused', () => {
  test('what is in no list, with what it was looked for by; it is counted against its challenge', async () => {
    const w = await world(listed);
    await put(w, [row]);
    refusedWith('SCEP-332', await asks(w, { subject: 'CN=other' }));
    assert.equal(w.challenges()[0]?.failures, 1);
    const [refused] = w.transactions();
    assert.equal(refused?.evidence?.device, 'other');
    assert.deepEqual(
      refused?.verdicts?.map(({ allows }) => allows),
      [true, false],
    );
  });

  test('what is named at great length, without trouble for the store', async () => {
    const w = await world(listed);
    const long = `${'ä'.repeat(60)}.example.com`;
    refusedWith('SCEP-332', await asks(w, { subject: `CN=${long}` }));
    refusedWith('SCEP-332', await asks(w, { subject }, { device: 'ä'.repeat(256) }));
    assert.ok(w.lab.calls.some((call) => call.startsWith('store.read')));
    // In NFC each of them is two characters of four octets.
    await assert.rejects(put(w, [{ serial: '\u{1D15E}'.repeat(128) }]), UnusableRows);
  });

  test('whoever has no good challenge, before the list says anything', async () => {
    const w = await world(listed);
    await put(w, [row]);
    await remove(w, 'printer-1');
    refusedWith('SCEP-302', await w.ask({ subject, challenge: 'unknown' }));
  });

  test('another subject, another name, and a name of the challenge that the row does not give', async () => {
    const w = await world(listed);
    await put(w, [row]);
    refusedWith('SCEP-334', await asks(w, { subject: 'CN=printer-1,O=Other' }));
    refusedWith('SCEP-334', await asks(w, { subject, names: ['dns:other.example.com'] }));
    const names = ['dns:other.example.com'];
    refusedWith('SCEP-334', await asks(w, { subject }, { names }));
    const upn = ['upn:admin@corp.local'];
    refusedWith('SCEP-334', await asks(w, { subject, names: upn }));
    assert.deepEqual(w.certificates(), []);
  });

  test('another device than the one that the challenge names', async () => {
    const w = await world(listed);
    await put(w, [row, { ...row, serial: 'C02-2', mac: undefined, name: undefined }]);
    refusedWith('SCEP-332', await asks(w, { subject }, { device: 'C02-3' }));
    const other = { serial: 'C02-4', subject: 'CN=printer-4' };
    await put(w, [other]);
    refusedWith('SCEP-334', await asks(w, { subject }, { device: 'C02-4' }));
  });

  test('what was removed, which says when and by whom, by each of its identifiers', async () => {
    const w = await world(listed);
    await put(w, [row]);
    assert.equal((await remove(w, 'a4:83:e7:00:00:01'))?.state, 'removed');
    for (const device of ['C02-1', 'printer-1', 'A483E7000001']) {
      refusedWith('SCEP-333', await asks(w, { subject }, { device }));
    }
    const [refused] = w.transactions();
    assert.equal(refused?.evidence?.removedBy, 'jane');
    assert.match(String(refused?.evidence?.removedAt), /^\d{4}-/);
    // It stays so, also where a file that is older has it, or knows it by something more.
    assert.deepEqual(await put(w, [{ serial: 'new', name: ['printer-1'] }]), ['removed']);
    assert.deepEqual(await put(w, [row]), ['removed']);
    assert.deepEqual(await put(w, [row], { restore: true }), ['added']);
    got(await asks(w, { subject }));
  });

  test('what waited for an approver and was removed meanwhile', async () => {
    const w = await world({ endpoint: { ...listed.endpoint, approval: 'always' } });
    await put(w, [row]);
    const key = await deviceKey('list waits');
    const wanted = { key, subject, challenge: await w.lab.challenge() };
    assert.equal((await w.ask(wanted)).pkiStatus, 'PENDING');
    const [waiting] = w.transactions();
    assert.equal(await decide(w.lab.deps, waiting?.id ?? '', 'approved', { by: 'joe' }), 'done');
    await remove(w, 'C02-1');
    refusedWith('SCEP-333', await w.ask(wanted));
    assert.deepEqual(w.certificates(), []);
  });
});

describe('a renewal', () => {
  const enrolled = async (w: World) => {
    const [key, next] = await keys('list a', 'list b');
    assert.ok(key && next);
    await put(w, [row]);
    const certificate = readCertificate(got(await asks(w, { subject, key })));
    return { signer: { key, certificate }, key: next, subject, messageType: 'RenewalReq' } as const;
  };

  test('is asked of the list where renew.authorize names it, by the device on record', async () => {
    const w = await world(renewing);
    const wanted = await enrolled(w);
    got(await w.ask(wanted));
    const again = await world(renewing);
    const other = await enrolled(again);
    await remove(again, 'C02-1');
    refusedWith('SCEP-333', await again.ask(other));
  });

  test('is refused where the row has other names by now, and granted where the list is for enrolments', async () => {
    const w = await world(renewing);
    const wanted = await enrolled(w);
    assert.deepEqual(await put(w, [{ ...row, san: ['dns:new.example.com'] }]), ['changed']);
    refusedWith('SCEP-334', await w.ask(wanted));
    const free = await world(listed);
    const other = await enrolled(free);
    await remove(free, 'C02-1');
    got(await free.ask(other));
  });
});

describe('another hand', () => {
  const rowsAt = (w: World, kind: 'device' | 'deviceVersion'): Row[] =>
    w.store.dump().filter((one): one is Row => one.kind === kind);

  test('changes a row: it allows nothing, and an import takes it for none until it is told to', async () => {
    const w = await world(listed);
    await put(w, [{ serial: 'x-1', subject: 'CN=x-1' }]);
    await w.forge('device', ({ allows }) => ({ allows: { ...allows, subject: 'CN=x-1,O=Evil' } }));
    refusedWith('SCEP-332', await asks(w, { subject: 'CN=x-1,O=Evil' }));
    refusedWith('SCEP-332', await asks(w, { subject: 'CN=x-1' }));
    const again = [{ serial: 'x-1', subject: 'CN=x-1' }];
    await assert.rejects(put(w, again), UnusableRows);
    assert.deepEqual(await put(w, again, { restore: true }), ['added']);
    got(await asks(w, { subject: 'CN=x-1' }));
  });

  test('puts back a row that was changed or removed since: it allows nothing', async () => {
    for (const since of ['changed', 'removed'] as const) {
      const w = await world(listed);
      await put(w, [{ serial: 'x-1', subject: 'CN=x-1,O=Old' }]);
      const [old] = rowsAt(w, 'device');
      if (since === 'removed') await remove(w, 'x-1');
      else await put(w, [{ serial: 'x-1', subject: 'CN=x-1,O=New' }]);
      const [now] = rowsAt(w, 'device');
      assert.ok(old && now);
      const back = { ...old, do: 'put', rev: now.rev } as never;
      assert.equal(await w.store.write([back]), 'done');
      refusedWith('SCEP-332', await asks(w, { subject: 'CN=x-1,O=Old' }));
      assert.equal((await findDevice(w.lab.deps, 'default', 'x-1'))?.state, 'invalid');
    }
  });

  test('moves a row to another list or device: it allows nothing there', async () => {
    const w = await world(listed);
    await put(w, [{ serial: 'x-1' }, { serial: 'x-2', subject: 'CN=none' }]);
    const [one, two] = rowsAt(w, 'device');
    assert.ok(one && two);
    const [from, to] = one.key.endsWith('1') ? [one, two] : [two, one];
    const moved = { ...to, do: 'put', record: from.record } as never;
    assert.equal(await w.store.write([moved]), 'done');
    refusedWith('SCEP-332', await asks(w, { subject: 'CN=x-2' }));
  });
});

describe('an import', () => {
  test('says what is new, other and the same, and writes an event with each write', async () => {
    const w = await world(listed);
    const rows = Array.from(
      { length: 60 },
      (_, i): WantedRow => ({ serial: `s-${i}`, name: [`n-${i}`] }),
    );
    assert.deepEqual(new Set(await put(w, rows, { dryRun: true })), new Set(['added']));
    assert.equal(w.events().filter(({ type }) => type === 'devices.imported').length, 0);
    await put(w, rows);
    const events = w.events().filter(({ type }) => type === 'devices.imported');
    const numbers = events.map(({ number }) => Number(number));
    assert.equal(
      numbers.reduce((sum, one) => sum + one, 0),
      60,
    );
    assert.ok(events.length > 1 && Math.max(...numbers) <= 24);
    for (const { rowsHash } of events) assert.match(String(rowsHash), /^[0-9a-f]{64}$/);
    assert.deepEqual(new Set(await put(w, rows)), new Set(['unchanged']));
    const owner = { serial: 's-1', name: ['n-1'], owner: 'jane' };
    assert.deepEqual(await put(w, [owner, { serial: 'new' }]), ['changed', 'added']);
  });

  test('that is cut off goes on where it stopped', async () => {
    const w = await world(listed);
    const rows = Array.from({ length: 100 }, (_, i): WantedRow => ({ serial: `s-${i}` }));
    const { store } = w.lab.deps;
    let writes = 0;
    const cut = {
      ...store,
      write: (actions: Parameters<typeof store.write>[0]) =>
        ++writes > 1 ? Promise.reject(new Error('cut off')) : store.write(actions),
    };
    await assert.rejects(
      importRows(
        { ...w.lab.deps, store: cut },
        {
          ...{ list: 'default', rows, restore: false, dryRun: false, actor },
        },
      ),
      /cut off/,
    );
    const again = await put(w, rows);
    const left = again.filter((one) => one === 'added').length;
    assert.ok(left > 0 && left < 100, String(left));
    assert.equal(again.filter((one) => one === 'unchanged').length, 100 - left);
  });

  test('of a device that has lost an identifier: nobody finds it by that any longer', async () => {
    const w = await world(listed);
    await put(w, [{ serial: 's', name: ['old'] }]);
    assert.deepEqual(await put(w, [{ serial: 's', name: ['new'] }]), ['changed']);
    refusedWith('SCEP-332', await asks(w, { subject: 'CN=old' }));
    const [one, two] = await keys('list new', 'list old');
    assert.ok(one && two);
    got(await asks(w, { subject: 'CN=new', key: one }));
    assert.deepEqual(await put(w, [{ name: ['old'], owner: 'another' }]), ['added']);
    assert.equal((await findDevice(w.lab.deps, 'default', 's'))?.state, 'listed');
    got(await asks(w, { subject: 'CN=old', key: two }));
  });

  for (const [what, rows, row, field, said] of [
    ['no identifier', [{ subject: 'CN=x' }], 0, 'serial', /has to have a serial/],
    ['a MAC that is none', [{ mac: 'a4:83' }], 0, 'mac', /no MAC address/],
    [
      'a subject that is none',
      [{ serial: 'a' }, { serial: 'b', subject: 'x' }],
      1,
      'subject',
      /TYPE=VALUE/,
    ],
    ['an empty subject', [{ serial: 'a', subject: ' ' }], 0, 'subject', /empty/],
    ['a name that is none', [{ serial: 'a', san: ['printer'] }], 0, 'san', /TYPE:VALUE/],
    [
      'a pattern of everything',
      [{ serial: 'a', sanPattern: ['dns:*'] }],
      0,
      'sanPattern',
      /everything/,
    ],
    [
      'a pattern of addresses',
      [{ serial: 'a', sanPattern: ['ip:10.*'] }],
      0,
      'sanPattern',
      /TYPE:PATTERN/,
    ],
    [
      'both subjects',
      [{ serial: 'a', subject: 'CN=a', subjectPattern: { CN: 'a*' } }],
      0,
      'subjectPattern',
      /exactly or by/,
    ],
    [
      'an unknown attribute',
      [{ serial: 'a', subjectPattern: { XY: 'a*' } }],
      0,
      'subjectPattern',
      /unknown attribute/,
    ],
    ['a device twice', [{ serial: 'a' }, { name: ['A'] }], 1, undefined, /row 0/],
    ["another's identifier", [{ serial: 'z', name: ['taken'] }], 0, undefined, /device first/],
  ] as const) {
    test(`with ${what} is refused by row and field, and nothing of it is written`, async () => {
      const w = await world(listed);
      await put(w, [{ serial: 'first', name: ['taken'] }]);
      const before = w.store.dump();
      await assert.rejects(put(w, rows), (error) => {
        assert.ok(error instanceof UnusableRows);
        const [fault] = error.faults;
        assert.deepEqual([fault?.row, fault?.field], [row, field]);
        assert.match(fault?.said ?? '', said);
        return true;
      });
      assert.deepEqual(w.store.dump(), before);
    });
  }
});

test('simulation judges by the list, and writes nothing', async () => {
  const w = await world(listed);
  await put(w, [row]);
  const key = await deviceKey('list simulated');
  const endpoint = w.lab.config.endpoints.get('default') ?? assert.fail();
  const judged = async (name: string) => {
    const csr = await buildRequest(key, { subject: parseName(name), names: [] }, undefined);
    const asked = { endpoint, csr, challenge: { names: [] }, renews: undefined };
    const { decision, ...more } = await simulate(w.lab.deps, asked);
    return 'reason' in more ? more.reason : decision;
  };
  assert.equal(await judged(subject), 'grant');
  assert.equal(await judged('CN=other'), 'deviceUnlisted');
  await remove(w, 'C02-1');
  assert.equal(await judged(subject), 'deviceRemoved');
});

describe('the configuration', () => {
  const problems = (endpoint: object): string => {
    const cas = { default: { subject: 'CN=Test CA' } };
    try {
      checkConfig({
        publicUrl: 'https://ca.example.com',
        cas,
        endpoints: { e: { ca: 'default', ...endpoint } },
      });
      return '';
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return error.message;
    }
  };

  test('lets no list be the only validator, unless an approver decides about every request', () => {
    const alone = { enrol: { authorize: ['deviceList'] } };
    assert.match(problems(alone), /endpoints\.e\.enrol\.authorize: "deviceList" .* proves nothing/);
    assert.match(problems({ ...alone, approval: 'newSubject' }), /proves nothing/);
    assert.equal(problems({ ...alone, approval: 'always' }), '');
    assert.equal(problems(listed.endpoint), '');
  });

  test('names a list only where it is asked', () => {
    assert.match(
      problems({ enrol: { authorize: ['challenge'], deviceList: 'vpn' } }),
      /endpoints\.e\.enrol\.deviceList: has no effect/,
    );
    const renew = { authorize: ['deviceList'] };
    assert.equal(problems({ enrol: { authorize: ['challenge'], deviceList: 'vpn' }, renew }), '');
  });
});

test('an identifier is the same however it is written, and a device stands in its list once', () => {
  for (const mac of ['A4-83-E7-00-00-01', 'a483.e700.0001', 'a4:83:e7:00:00:01', ' a483e7000001']) {
    assert.equal(keyIn('l', mac), 'l/a483e7000001');
  }
  assert.notEqual(keyIn('l', 'SN-1'), keyIn('l', 'SN1'));
  assert.notEqual(keyIn('l', 'a/b'), keyIn('l/a', 'b'));
  const record = {
    ...{ list: 'l', id: 'A', identifiers: { serial: 'A', names: ['b'] }, allows: { names: [] } },
    ...{ version: 1, at: 0, by: { by: 'jane' } },
  };
  assert.equal(placesOf('device', keyIn('l', 'A'), record).length, 1);
  assert.deepEqual(placesOf('device', keyIn('l', 'b'), record), []);
});
