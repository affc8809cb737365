// scepter evidence, and log verify of what it writes: a folder that proves itself to whoever has the verifier key of the
// log and the certificate of the CA; each file of it that is changed, removed or exchanged is found and named.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type Bytes, base64, concat, fromPem, fromUtf8, utf8 } from '../../lib/base/bytes.ts';
import { Malformed } from '../../lib/base/errors.ts';
import { forgetTransaction } from '../../lib/ca/log/forget.ts';
import { recoverLog } from '../../lib/ca/log/recover.ts';
import { sequenceAll } from '../../lib/ca/log/sequence.ts';
import { logStates } from '../../lib/ca/log/states.ts';
import { indexFresh } from '../../lib/ca/query/keep-index.ts';
import { signingRecords, verifySignings } from '../../lib/cli/evidence/signatures.ts';
import { openTar, tarOf } from '../../lib/cli/evidence/tar.ts';
import { verifyFolder } from '../../lib/cli/evidence/verify.ts';
import type { Io } from '../../lib/cli/io.ts';
import type { ProvenEvidence } from '../../lib/events/evidence.ts';
import { readVerifierKey } from '../../lib/events/note.ts';
import type { Store } from '../../lib/ports/store.ts';
import * as api from '../support/api.ts';
import { openTerminal } from '../support/cli.ts';
import { deviceKey } from '../support/keys.ts';
import { putToken } from '../support/lab.ts';
import { memoryLogsOf } from '../support/log.ts';
import { enrolment } from '../support/messages.ts';
import { withOpenssl } from '../support/openssl.ts';
import { temporary } from '../support/process.ts';
import { got, type World, world } from '../support/world.ts';

const kept = memoryLogsOf((): Store => w.store);
const w: World = await world({
  logs: kept.logs,
  config: {
    endpoints: {
      default: { ca: 'default', approval: 'always' },
      office: { ca: 'default', approval: 'always', approvers: 2 },
    },
  },
  now: Date.UTC(2031, 4, 6, 7, 8, 9),
});
const deps = { ...w.lab.deps, logs: kept.logs, sequencing: kept.logs };
const terminal = await openTerminal(w.lab);
after(() => terminal.close());
const folder = temporary('evidence');
const path = (name: string): string => join(folder, name);

const hostile = '<script>alert(1)</script>\u202e"&';

/** A device that has its certificate by a challenge of an administrator and the approval of one. */
async function enrolled(
  name: string,
  endpoint = 'default',
): Promise<{ readonly serial: string; readonly id: string }> {
  const san = [`dns:${name}.example`];
  const subject = `CN=${name}`;
  const made = await api.ok(w.lab, 'POST', '/challenges', { body: { subject, san, endpoint } });
  const challenge = String(made.challenge);
  const asked = { challenge, key: await deviceKey(name), subject, names: san, transactionID: name };
  await w.send(await enrolment(w.lab, asked), `/scep/${endpoint}`);
  const { id = '' } = w.transactions().find((one) => one.subject === subject) ?? {};
  const body = { reason: hostile };
  const token = await api.tokenOf(w.lab.deps.store, 'approver');
  const other = 'token-of-alice'.padEnd(43, 'x');
  await putToken(w.lab.deps.store, other, { name: 'laptop', person: 'alice', roles: ['approver'] });
  if (endpoint === 'office') {
    await api.ok(w.lab, 'POST', `/transactions/${id}/approve`, { body: {}, token: other });
  }
  await api.ok(w.lab, 'POST', `/transactions/${id}/approve`, { body, token });
  got(await w.send(await enrolment(w.lab, asked), `/scep/${endpoint}`));
  w.lab.clock.at += 1000;
  return { serial: w.transactions().find((one) => one.id === id)?.serial ?? '', id };
}

const [first, second] = [await enrolled('laptop'), await enrolled('phone')];
await sequenceAll(deps);
const verifierKey = (await logStates(deps)).find(({ log }) => log === 'default')?.verifierKey ?? '';
writeFileSync(path('default.vkey'), verifierKey);
const { chain, certificate } = (await api.ok(w.lab, 'GET', '/cas/default')) as {
  readonly chain: readonly unknown[];
  readonly certificate: { readonly pem: string };
};
assert.equal(chain.length, 0);
writeFileSync(path('ca.pem'), certificate.pem);

const scepter = (...args: string[]) => terminal.run(args);
const verify = (where: string, ...more: string[]) =>
  scepter(
    'log',
    'verify',
    path(where),
    '--key',
    path('default.vkey'),
    '--ca',
    path('ca.pem'),
    ...more,
  );

/** The files of a folder by their paths. */
const filesOf = (name: string): ReadonlyMap<string, Bytes> =>
  new Map(
    readdirSync(path(name), { recursive: true, encoding: 'utf8' })
      .sort()
      .flatMap((one) => {
        const at = join(path(name), one);
        return /\.[\w-]+$/.test(one) ? [[one, concat([readFileSync(at)])] as const] : [];
      }),
  );

const io = { out: () => {} } as unknown as Io;
/** What is wrong with these files. */
async function fault(files: ReadonlyMap<string, Bytes>): Promise<string | undefined> {
  const trust = {
    verifiers: [readVerifierKey(verifierKey)] as const,
    ca: path('ca.pem'),
    json: true,
  };
  try {
    const names = async () => [...files.keys()];
    await verifyFolder(io, { read: async (one) => files.get(one), names }, trust);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof Malformed, String(error));
    return error.message;
  }
}

const made = await scepter('evidence', first.serial.slice(0, 12), '--out', path('one'));
assert.equal(made.code, 0, made.err);
assert.equal((await scepter('evidence', 'phone.example', '--out', path('two'))).code, 0);
const [one, two] = [filesOf('one'), filesOf('two')];

describe('evidence', () => {
  test('says who asked, who allowed it by which rule, and verifies offline', async () => {
    const { code, out, err } = await verify('one');
    assert.equal(code, 0, err);
    assert.match(out, new RegExp(`^certificate ${first.serial}: CN=laptop$`, 'm'));
    assert.match(
      out,
      /^ {2}The request is as it came, and is signed with the key of the certificate\.$/m,
    );
    assert.match(
      out,
      /made for one use, bound to CN=laptop, dns:laptop\.example, on 2031-\S+ by test \(token\)\.$/m,
    );
    assert.match(out, /^ {2}It waited for an approver: approver \(token\) approved it on 2031-/m);
    assert.match(out, /^every file holds: 1 certificate, 5 events, each in a log of scep\.test$/m);
    assert.match(out, /^What this does not prove:\n- /m);
    const json = JSON.parse((await verify('one', '--json')).out);
    assert.equal(json.certificates[0].request, 'proven');
    assert.equal(json.certificates[0].serial, first.serial);
  });

  test('its page shows what strangers wrote as text, and loads nothing', () => {
    const page = fromUtf8(one.get('index.html') ?? new Uint8Array(0));
    assert.ok(!page.includes('<script') && !page.includes('\u202e'));
    assert.ok(page.includes('&lt;script&gt;alert(1)&lt;/script&gt;'));
    assert.doesNotMatch(page, /(src|href)="(?!events\/|[0-9a-f]+\/|chain\.pem)/);
    assert.match(page, /default-src 'none'/);
  });

  test('each of its files that is changed, anywhere, is found and named', async () => {
    assert.equal(await fault(one), undefined);
    for (const [name, octets] of one) {
      const places = [0, 0.1, 0.3, 0.5, 0.7, 0.9].map((part) => Math.floor(part * octets.length));
      for (const at of [...places, octets.length - 1]) {
        const changed = octets.slice();
        changed[at] = (changed[at] ?? 0) ^ 1;
        const said = await fault(new Map(one).set(name, changed));
        assert.ok(said?.includes(name), `${name} at ${at}: ${said}`);
      }
      for (const more of [utf8(' '), utf8('\nmore')]) {
        const said = await fault(new Map(one).set(name, concat([octets, more])));
        assert.ok(said?.includes(name), `${name} with more: ${said}`);
      }
    }
  });

  test('each that is removed, is empty or is that of another certificate is found and named', async () => {
    const kindOf = (name: string) => name.replace(/[0-9a-f]{20,}|[0-9A-Z]{26}/, '*');
    for (const [name] of one) {
      const less = new Map(one);
      less.delete(name);
      if (name === 'evidence.json') {
        assert.match((await fault(less)) ?? '', /^evidence\.json is missing$/);
      } else assert.match((await fault(less)) ?? '', new RegExp(`^${name} is missing`));
      assert.ok((await fault(new Map(one).set(name, new Uint8Array(0))))?.includes(name), name);
      for (const [other, octets] of two) {
        if (kindOf(other) !== kindOf(name) || name === 'chain.pem') continue;
        if (other === name && base64(octets) === base64(one.get(name) ?? octets)) continue;
        const said = (await fault(new Map(one).set(name, octets))) ?? '';
        // A list of other files names what is missing of them.
        const [id = name] = /[0-9A-Z]{26}/.exec(name) ?? [];
        const named =
          name === 'evidence.json' ? /is missing, and evidence\.json needs it$/ : new RegExp(id);
        assert.match(said, named);
      }
    }
  });

  test('another list of files does not hide one that the rest needs', async () => {
    const manifest = JSON.parse(fromUtf8(one.get('evidence.json') ?? new Uint8Array(0)));
    for (const id of manifest.events as string[]) {
      const type = JSON.parse(fromUtf8(one.get(`events/${id}.json`) ?? new Uint8Array(0))).type;
      const events = manifest.events.filter((other: string) => other !== id);
      const { certificates, configuration, cloudtrail, made: at, of, v } = manifest;
      const text = JSON.stringify({
        certificates,
        cloudtrail,
        configuration,
        events,
        made: at,
        of,
        v,
      });
      const said = await fault(new Map(one).set('evidence.json', utf8(`${text}\n`)));
      const needed = /^certificate\.(intended|issued)$/.test(type);
      assert.match(
        said ?? '',
        needed ? /certificate\.pem has no event/ : /^index\.html does not say/,
      );
    }
  });

  test('another key of a log, and another CA, are not believed', async () => {
    const other = await world({ caKey: 'ec:P-256' });
    const { certificate: foreign } = (await api.ok(other.lab, 'GET', '/cas/default')) as {
      readonly certificate: { readonly pem: string };
    };
    writeFileSync(path('other.pem'), foreign.pem);
    const key = ['--key', path('default.vkey')];
    const byOther = await scepter('log', 'verify', path('one'), ...key, '--ca', path('other.pem'));
    assert.equal(byOther.code, 6);
    assert.match(byOther.err, /certificate\.pem was not issued by the CA, or by one below it/);
    const none = await scepter('log', 'verify', path('one'), ...key);
    assert.equal(none.code, 2);
    assert.match(none.err, /is evidence: --ca FILE has the certificate of its CA/);
    const since = await verify('one', '--since', path('ca.pem'));
    assert.match(since.err, /is evidence, which takes --key, --ca and --json/);
  });

  test('a device has all of its certificates in it; one file is the same as a folder', async () => {
    const { code, err } = await scepter('evidence', 'Laptop.example', '--out', path('one.tar'));
    assert.equal(code, 0, err);
    assert.equal((await verify('one.tar')).code, 0);
    const archive = readFileSync(path('one.tar'));
    archive[600] = (archive[600] ?? 0) ^ 1;
    writeFileSync(path('bad.tar'), archive);
    assert.equal((await verify('bad.tar')).code, 6);
    writeFileSync(path('none.tar'), 'this is no archive at all'.repeat(100));
    assert.match((await verify('none.tar')).err, /is no tar archive/);
    const files = new Map([['a/b', utf8('x'.repeat(600))]]);
    writeFileSync(path('any.tar'), tarOf(files));
    assert.match(spawnSync('tar', ['-tf', path('any.tar')]).stdout.toString(), /^a\/b$/m);
    const opened = await openTar(path('any.tar'));
    assert.deepEqual(await opened.read('b'), files.get('a/b'));
    await opened.close();
  });

  test('an archive that unpacks to something else than was verified is not believed', async () => {
    assert.equal((await scepter('evidence', first.serial, '--out', path('good.tar'))).code, 0);
    const good = concat([readFileSync(path('good.tar'))]);
    const files = good.slice(0, good.length - 1024);
    const end = new Uint8Array(1024);
    const lie = utf8('<h1>another page</h1>');
    const member = (name: string, octets: Bytes, flag: string): Bytes => {
      const packed = tarOf(new Map([[name, octets]]));
      packed[156] = flag.charCodeAt(0);
      packed.set(utf8(' '.repeat(8)), 148);
      const sum = packed.slice(0, 512).reduce((all, octet) => all + octet, 0);
      packed.set(utf8(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
      return packed.slice(0, packed.length - 1024);
    };
    const record = (text: string): Bytes => utf8(`${text.length + 4} ${text}\n`);
    const page = member('index.html', lie, '0');
    const cases: readonly (readonly [string, Bytes, RegExp])[] = [
      ['behind a lone block of zeros', concat([end.slice(512), page]), /goes on behind its end/],
      ['behind its end', concat([end, page]), /goes on behind its end/],
      ['behind an end of megabytes', new Uint8Array(2_000_000), /goes on behind its end/],
      ['a second page', page, /has index\.html twice/],
      ['a link', member('index.html', new Uint8Array(0), '2'), /is no plain file/],
      ['a hard link', member('index.html', new Uint8Array(0), '1'), /is no plain file/],
      ['a long name', member('@LongLink', utf8('index.html'), 'L'), /is no plain file/],
      [
        'another name',
        concat([member('h', record('path=index.html'), 'x'), member('evidence.txt', lie, '0')]),
        /has a header path, which is no plain file/,
      ],
      [
        'another length',
        concat([member('h', record('size=999999'), 'g'), member('evidence.txt', lie, '0')]),
        /has a header size, which is no plain file/,
      ],
      ['a file that is not all there', page.slice(0, 512), /ends within index\.html/],
    ];
    for (const [what, more, said] of cases) {
      const isLast = /end/.test(what) || what.startsWith('a file');
      writeFileSync(path('lie.tar'), concat([files, more, ...(isLast ? [] : [end])]));
      const { code, err } = await verify('lie.tar');
      assert.deepEqual([what, code], [what, 6], err);
      assert.match(err, said, what);
    }
    const times = member('h', record('mtime=1.5'), 'x');
    writeFileSync(path('times.tar'), concat([times, files, new Uint8Array(10_240)]));
    assert.equal((await verify('times.tar')).code, 0, 'as archivers of today write it');
    const huge = member('evidence.json', new Uint8Array(0), '0');
    const claimed = tarOf(new Map());
    assert.equal(claimed.length, 1024);
    huge.set(utf8('77777777777\0'), 124);
    huge.set(utf8(' '.repeat(8)), 148);
    const sum = huge.slice(0, 512).reduce((all, octet) => all + octet, 0);
    huge.set(utf8(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
    writeFileSync(path('huge.tar'), concat([huge, claimed]));
    assert.match((await verify('huge.tar')).err, /ends within evidence\.json/);
  });

  test('a folder leads to no other file, and to none without an end', async () => {
    cpSync(path('one'), path('linked'), { recursive: true });
    rmSync(path('linked/index.html'));
    symlinkSync(path('one/index.html'), path('linked/index.html'));
    const linked = await verify('linked');
    assert.deepEqual([linked.code, linked.err], [6, 'scepter: index.html is no plain file\n']);
    rmSync(path('linked/index.html'));
    writeFileSync(path('linked/index.html'), '');
    truncateSync(path('linked/index.html'), 2 ** 32);
    assert.match((await verify('linked')).err, /index\.html has 4294967296 octets: no file of/);
    rmSync(path('linked/evidence.json'));
    assert.match(
      (await verify('linked')).err,
      /--ca is for evidence, and .* has no evidence\.json/,
    );
    mkdirSync(path('linked/evidence.json'));
    assert.deepEqual((await verify('linked')).code, 6);
  });

  test('the configuration goes along where it is the one that was in force', async () => {
    writeFileSync(
      path('scepter.json'),
      `// as it is kept\n${JSON.stringify(w.lab.config.document, null, 2)}`,
    );
    writeFileSync(path('other.json'), '{"cas":{}}');
    const goes = ['--configuration', path('scepter.json'), '--out', path('with')];
    const { code, err } = await scepter('evidence', first.serial, ...goes);
    assert.equal(code, 0, err);
    assert.equal((await verify('with')).code, 0);
    const files = filesOf('with');
    const text = fromUtf8(files.get('configuration.json') ?? new Uint8Array(0));
    const digest = createHash('sha256').update(text).digest('hex');
    assert.equal(digest, w.lab.config.digest, 'sha256sum finds what the log has');
    for (const more of [`{"cas":{},${text.slice(1)}`, `${text}\n`, text.replace(':', ': ')]) {
      const said = await fault(new Map(files).set('configuration.json', utf8(more)));
      assert.match(said ?? '', /^configuration\.json is not the configuration by which/, more);
    }
    const list = fromUtf8(files.get('evidence.json') ?? new Uint8Array(0));
    const strange = list.replace(`"of":"${first.serial}"`, '"of":"\\ud800"');
    assert.notEqual(strange, list);
    const said = await fault(new Map(files).set('evidence.json', utf8(strange)));
    assert.match(said ?? '', /^evidence\.json has text that is no Unicode/);
    const other = new Map(files).set('configuration.json', utf8('{"cas":{}}'));
    assert.match(
      (await fault(other)) ?? '',
      /^configuration\.json is not the configuration by which/,
    );
    const wrong = await scepter(
      'evidence',
      first.serial,
      '--out',
      path('w'),
      '--configuration',
      path('other.json'),
    );
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /has the SHA-256 [0-9a-f]{64}, and in force was [0-9a-f]{64}/);
    assert.ok(!existsSync(path('w')));
  });

  test('what was forgotten is missing only with the event that tells so', async () => {
    assert.equal(
      typeof (await forgetTransaction(deps, second.id, { kind: 'admin', id: 'test' })),
      'number',
    );
    w.lab.clock.at += 1000;
    await sequenceAll(deps);
    const { code, err } = await scepter('evidence', 'phone.example', '--out', path('forgotten'));
    assert.equal(code, 0, err);
    const { out } = await verify('forgotten');
    assert.match(out, /somebody whose name was forgotten approved it/);
    const files = filesOf('forgotten');
    const [told] = [...files].flatMap(([name, octets]) =>
      /log\.forgotten/.test(fromUtf8(octets)) && /^events\/\w+\.json$/.test(name) ? [name] : [],
    );
    const id = told?.slice('events/'.length, -'.json'.length) ?? '';
    const manifest = fromUtf8(files.get('evidence.json') ?? new Uint8Array(0));
    const without = manifest.replace(`,"${id}"`, '');
    assert.notEqual(without, manifest);
    assert.match(
      (await fault(new Map(files).set('evidence.json', utf8(without)))) ?? '',
      /personal\.json is missing, and no event log\.forgotten/,
    );
  });

  test('what is not there, and what cannot be written, is a sentence', async () => {
    const none = await scepter('evidence', 'nobody.example', '--out', path('none'));
    assert.equal(none.code, 3);
    assert.match(none.err, /none was issued to a device of this name or serial number/);
    const full = await scepter('evidence', first.serial, '--out', path('one'));
    assert.equal(full.code, 2);
    assert.match(full.err, /is not empty: name a new folder/);
  });
});

test('of a device all certificates are in it; a request with a secret that others have is not, and nowhere is the secret', async () => {
  const challenge = await w.lab.challenge({ uses: 2 });
  for (const transactionID of ['printer 1', 'printer 2']) {
    const key = await deviceKey(transactionID);
    const asked = { challenge, key, subject: 'CN=printer', transactionID };
    await w.ask(asked);
    const { id = '' } = w.transactions().find(({ state }) => state === 'pending') ?? {};
    await api.ok(w.lab, 'POST', `/transactions/${id}/approve`, { body: {} });
    got(await w.poll(asked));
    w.lab.clock.at += 1000;
  }
  await sequenceAll(deps);
  assert.equal((await scepter('evidence', 'printer', '--out', path('printer'))).code, 0);
  const { certificates } = JSON.parse((await verify('printer', '--json')).out);
  assert.deepEqual(
    certificates.map(({ request }: { readonly request: string }) => request),
    ['secret', 'secret'],
  );
  assert.match((await verify('printer')).out, /others may have .* and is never shown\.$/m);
  const files = filesOf('printer');
  assert.ok(![...files.keys()].some((name) => name.endsWith('request.pem')));
  for (const octets of files.values()) assert.ok(!fromUtf8(octets).includes(challenge));
  const [{ serial }] = certificates;
  const more = new Map(files).set(`${serial}/request.pem`, utf8('x'));
  assert.match((await fault(more)) ?? '', /request\.pem is no part of the evidence/);
  writeFileSync(path('printer/notes.txt'), 'of another hand');
  const { code, err } = await verify('printer');
  assert.deepEqual(
    [code, err],
    [6, 'scepter: notes.txt is no part of the evidence: put it elsewhere\n'],
  );
});

describe('a device', () => {
  test('is found by each whole name that it has, and by the serial number of its hardware', async () => {
    const subject = 'serialNumber=HW-00A17,CN=router-9,O=Example';
    const names = ['dns:router-9.example', 'dns:gateway.example'];
    const challenge = await w.lab.challenge({ subject, names });
    const asked = { challenge, key: await deviceKey('router'), subject, names, transactionID: 'r' };
    await w.ask(asked);
    const { id = '' } = w.transactions().find((one) => one.subject === subject) ?? {};
    await api.ok(w.lab, 'POST', `/transactions/${id}/approve`, { body: {} });
    got(await w.poll(asked));
    await sequenceAll(deps);
    w.lab.clock.at += 30 * 60_000;
    await indexFresh(w.lab.deps);
    const found = ['router-9.example', 'gateway.example', 'ROUTER-9', 'hw-00a17'];
    for (const [i, name] of found.entries()) {
      const { code, err } = await scepter('evidence', name, '--out', path(`router${i}`));
      assert.equal(code, 0, `${name}: ${err}`);
    }
    for (const part of ['router', 'hw-00a1', 'Example', '-', 'x'.repeat(600)]) {
      const { code, err } = await scepter('evidence', part, '--out', path('none'));
      assert.equal(code, 3, `${part}: ${err}`);
    }
  });

  test('whose record was changed by another hand is not said to have none; by its serial number, evidence goes without the request', async () => {
    const { serial, id } = await enrolled('forged');
    await sequenceAll(deps);
    const [row] = await w.lab.deps.store.read([{ kind: 'transaction', key: id }]);
    assert.ok(row);
    const record = { ...row.record, client: { from: '203.0.113.9' } };
    await w.store.write([
      { do: 'put', kind: 'transaction', key: id, rev: row.rev, record } as never,
    ]);
    const byName = await scepter('evidence', 'forged.example', '--out', path('forged'));
    assert.equal(byName.code, 1);
    assert.match(byName.err, new RegExp(`transaction ${id} was changed by another hand`));
    const { code, err } = await scepter('evidence', serial, '--out', path('forged'));
    assert.equal(code, 0, err);
    assert.match(err, /was changed by another hand, .*; the request is left out$/m);
    const { out } = await verify('forged');
    assert.match(out, /It is not here: it is no longer kept as it came\.$/m);
    assert.match(out, /It waited for an approver: approver \(token\) approved it/);
  });

  test('that two persons approved says who they were, and that the event of one was removed', async () => {
    const { serial } = await enrolled('pair', 'office');
    await sequenceAll(deps);
    const whole = await scepter('evidence', serial, '--out', path('pair'));
    assert.equal(whole.err.includes('no event on record'), false, whole.err);
    assert.match(
      (await verify('pair')).out,
      /^ {2}It waited for 2 approvers, none of whom made its challenge: alice\/laptop \(token\) approved it on 2031-\S+; approver \(token\) approved it on 2031-\S+ and said: "/m,
    );
    const voted = w.store
      .dump()
      .find(({ kind, record }) => kind === 'event' && JSON.stringify(record).includes('.voted'));
    assert.ok(voted);
    await w.store.write([{ do: 'delete', kind: 'event', key: voted.key, rev: voted.rev }]);
    const { err } = await scepter('evidence', serial, '--out', path('half'));
    assert.match(err, /no event on record tells who approved it first, so the folder does not/);
    assert.match(
      (await verify('half')).out,
      /Who else did is not shown: no event of this folder tells\.$/m,
    );
  });

  test('of whose events one was removed from the records: that is said', async () => {
    const { serial } = await enrolled('lost');
    await api.ok(w.lab, 'POST', `/certificates/default/${serial}/revoke`, {
      body: { reason: 'superseded' },
    });
    await sequenceAll(deps);
    for (const { kind, key, record } of w.store.dump()) {
      const { body = '' } = record as { body?: string };
      const isIts = kind === 'event' && body.includes(serial);
      const isLost = isIts && JSON.parse(body).type === 'certificate.revoked';
      const approves = kind === 'event' && body.includes('"request.approved"');
      if (!isLost && !(approves && body > '' && isOfLost(body))) continue;
      const [row] = await w.store.read([{ kind: 'event', key }]);
      await w.store.write([{ do: 'delete', kind: 'event', key, rev: row?.rev ?? 0 }]);
    }
    const { code, err } = await scepter('evidence', serial, '--out', path('lost'));
    assert.equal(code, 0, err);
    assert.match(err, new RegExp(`^${serial}: no event on record tells who approved it, so`, 'm'));
    assert.match(err, new RegExp(`^${serial}: no event on record tells that it is revoked,`, 'm'));
    assert.equal((await verify('lost')).code, 0);
  });
});

const isOfLost = (body: string): boolean =>
  w.transactions().find(({ subject }) => subject === 'CN=lost')?.id ===
  JSON.parse(body).transaction;

describe('an event that its log has not taken yet', () => {
  test('is waited for', async () => {
    const { serial } = await enrolled('tablet');
    let waited = 0;
    const waits = (count: number): Promise<unknown> => {
      waited = count;
      return sequenceAll(deps);
    };
    const args = ['evidence', serial, '--out', path('waited')];
    const { code, err } = await terminal.run(args, { waits });
    assert.equal(code, 0, err);
    assert.match(err, /^\d events under no checkpoint yet: a log takes them within a minute$/m);
    assert.equal(waited, 1);
    assert.equal((await verify('waited')).code, 0);
  });

  test('is waited for in vain where nothing puts events into it', async () => {
    const { serial } = await enrolled('watch');
    const { code, err } = await scepter('evidence', serial, '--out', path('never'));
    assert.equal(code, 1);
    assert.match(err, /^scepter: event \w{26} \(\S+\) is under no checkpoint of its log: nothing/m);
    assert.ok(!existsSync(path('never')));
  });
});

describe('what AWS KMS has signed', () => {
  const time = '2031-05-06T07:08:10.000Z';
  const evidence = {
    manifest: { cloudtrail: true },
    events: [{ event: { id: 'E1', time, kms: ['r1'] } }, { event: { id: 'E2', time } }],
  } as unknown as ProvenEvidence;
  const sign = (requestID: string, more: object = {}) => ({
    ...{ eventID: `event of ${requestID}`, requestID, eventTime: '2031-05-06T07:08:09Z' },
    ...{ eventSource: 'kms.amazonaws.com', eventName: 'Sign' },
    userIdentity: { arn: 'arn:aws:iam::111122223333:user/scepter' },
    ...more,
  });
  const fileOf = (...records: object[]) => utf8(JSON.stringify({ Records: records }));
  const verified = (octets: Bytes) => verifySignings(async () => octets, evidence);

  test('goes along as CloudTrail has it, without what no event names; what is lacking is said', async () => {
    writeFileSync(path('trail.json'), fileOf(sign('r1'), sign('r2')));
    const { octets, missing } = await signingRecords([path('trail.json')], evidence.events);
    assert.deepEqual(JSON.parse(fromUtf8(octets)), { Records: [sign('r1')] });
    assert.deepEqual(missing, []);
    const [found, ...more] = (await verified(octets)) ?? [];
    assert.deepEqual([found?.event, found?.requestID, more], ['E1', 'r1', []]);
    writeFileSync(path('trail.json'), fileOf(sign('r2')));
    const none = await signingRecords([path('trail.json')], evidence.events);
    assert.deepEqual(none.missing, ['r1']);
    const args = ['--out', path('trailed'), '--cloudtrail', path('trail.json')];
    assert.equal((await scepter('evidence', first.serial, ...args)).code, 0);
    assert.match((await verify('trailed')).out, /aws cloudtrail validate-logs/);
  });

  test('a record that no event names, of another time, refused, or of another form is named', async () => {
    const cases: readonly (readonly [Bytes, RegExp])[] = [
      [fileOf(sign('r9')), /has a request that no event names: r9/],
      [fileOf(sign('r1', { eventTime: '2031-05-06T07:18:09Z' })), /of another time than event E1/],
      [
        fileOf(sign('r1', { errorCode: 'AccessDenied' })),
        /that KMS refused, and event E1 names it/,
      ],
      [utf8('{"Records":[1]}'), /cloudtrail\.json/],
      [utf8('nothing'), /cloudtrail\.json is no JSON/],
    ];
    for (const [octets, said] of cases) await assert.rejects(verified(octets), said);
  });
});

withOpenssl((openssl) => {
  test('openssl says the same of the request and of the certificate', () => {
    const files = ['certificate', 'request'].map((name) => path(`one/${first.serial}/${name}.pem`));
    const [pem = '', csr = ''] = files;
    assert.match(openssl.attempt('req', '-verify', '-noout', '-in', csr).said, /verify OK/);
    const trusting = ['-partial_chain', '-no_check_time', '-CAfile', path('ca.pem')];
    assert.ok(openssl.attempt('verify', ...trusting, pem).ok);
    assert.ok(!openssl.attempt('req', '-verify', '-noout', '-in', pem).ok);
  });
});

describe('evidence', () => {
  test('is verified with a certificate of the CA in DER, as its service gives it out, too', async () => {
    const der = fromPem('CERTIFICATE', certificate.pem)[0] ?? new Uint8Array(0);
    writeFileSync(path('ca.cer'), der);
    const key = ['--key', path('default.vkey')];
    const { code, err } = await scepter(
      'log',
      'verify',
      path('one'),
      ...key,
      '--ca',
      path('ca.cer'),
    );
    assert.equal(code, 0, err);
    writeFileSync(path('half.cer'), der.subarray(0, 99));
    const half = await scepter('log', 'verify', path('one'), ...key, '--ca', path('half.cer'));
    assert.equal(half.code, 2);
    assert.match(half.err, /--ca: .*half\.cer has no certificate, in PEM or DER/);
  });

  test('says that its lists are not proven to be complete, and for how much a challenge was good', async () => {
    const page = fromUtf8(one.get('index.html') ?? new Uint8Array(0));
    const { out } = await verify('one');
    for (const text of [page, out]) assert.match(text, /That its lists are complete\./);
    const row = /<td>challenge\.created<\/td>\n<td>test<\/td>\n<td>good for one certificate<\/td>/;
    assert.match(page, row);
  });

  test('from before and after the key of the logs was lost is verified with both keys', async () => {
    const other = memoryLogsOf((): Store => w.store).logs;
    Object.assign(kept.logs, { key: other.key, sign: other.sign });
    const actor = { kind: 'admin', id: 'operator' } as const;
    for (const log of ['system', 'default']) {
      await recoverLog(deps, log, actor, { newKey: true });
    }
    await api.ok(w.lab, 'POST', `/certificates/default/${first.serial}/revoke`, {
      body: { reason: 'superseded' },
    });
    await sequenceAll(deps);
    const both = await scepter('evidence', first.serial, '--out', path('both'));
    assert.equal(both.code, 0, both.err);
    const next = (await logStates(deps)).find(({ log }) => log === 'default.2')?.verifierKey ?? '';
    const alone = await verify('both');
    assert.equal(alone.code, 6);
    assert.match(alone.err, /is not proven by events/);
    const whole = await verify('both', '--key', next);
    assert.equal(whole.code, 0, whole.err);
    const log = ['log', 'verify', path('nowhere'), '--key', next, '--key', path('default.vkey')];
    assert.match((await scepter(...log)).err, /--key: a log has one/);
  });
});
