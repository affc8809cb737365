// Static challenges: the loud legacy mode. One secret that many devices know, held to a subject
// pattern, counted, warned of, and nowhere to be found afterwards.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readStaticSecrets } from '../../../functions/config/static-secrets.ts';
import { hex } from '../../../lib/base/bytes.ts';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { warnOfStaticChallenges } from '../../../lib/ca/authorize/by-static-challenge.ts';
import { revoke } from '../../../lib/ca/revoke/revoke.ts';
import { type Config, type ConfigDocument, checkConfig } from '../../../lib/config/config.ts';
import { everySecret } from '../../../lib/config/endpoint/endpoint.ts';
import type { LogEntry } from '../../../lib/ports/log.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { deviceKey } from '../../support/keys.ts';
import { enrolment } from '../../support/messages.ts';
import { run, temporary } from '../../support/process.ts';
import { got, keys, refusedWith, type World, world } from '../../support/world.ts';

const secret = 'known to every printer';
type EndpointDocument = ConfigDocument['endpoints'][string];
const endpoint = {
  enrol: {
    authorize: ['staticChallenge'],
    staticChallenge: { secret: 'env:PRINTERS', subject: { CN: ['printer-*', 'plotter-*'] } },
  },
  profile: 'printer',
} satisfies Partial<EndpointDocument>;
const config = {
  profiles: { printer: { names: { dns: { pattern: '*.print.example' }, ip: 'bound' } } },
} satisfies Partial<ConfigDocument>;
const printers = (more: Partial<EndpointDocument> = {}): Promise<World> =>
  world({
    endpoint: { ...endpoint, ...more },
    config: endpointsOf(more),
    staticSecrets: { 'env:PRINTERS': secret, 'env:OTHERS': 'another secret of 16' },
  });

/** A second endpoint of the same kind, with a secret of its own. */
const endpointsOf = (more: Partial<EndpointDocument>): Partial<ConfigDocument> => ({
  ...config,
  endpoints: {
    default: { ca: 'default', ...endpoint, ...more },
    other: {
      ca: 'default',
      enrol: {
        authorize: ['staticChallenge'],
        staticChallenge: { secret: 'env:OTHERS', subject: { CN: 'printer-*' } },
      },
    },
    ordinary: { ca: 'default' },
  },
});

const subject = 'CN=printer-1,O=Test';

describe('a static challenge', () => {
  test('no other challenge is made for its endpoint: nobody could use it', async () => {
    const w = await printers();
    const made = await w.lab.fetch('/api/v1/challenges', {
      method: 'POST',
      body: '{}',
      headers: { authorization: `Bearer ${w.lab.adminToken}` },
    });
    assert.equal(made.status, 422);
    const { detail } = JSON.parse(await made.text()) as { detail: string };
    assert.equal(detail, 'endpoint: "default" takes no challenges but its static one');
  });

  test('a static challenge enrols what its pattern fits; record, event, log and count say that it was one', async () => {
    const w = await printers();
    const names = ['dns:p1.print.example'];
    got(await w.ask({ challenge: secret, subject, names }));
    const [transaction] = w.transactions();
    const by = ['static challenge of endpoint default'];
    assert.deepEqual([transaction?.authorizedBy, transaction?.names], [by, names]);
    const issued = w.events().filter(({ type }) => type === 'certificate.issued');
    assert.deepEqual(
      issued.map(({ authorizedBy }) => authorizedBy),
      [by],
    );
    const used = w.lab.log.filter(({ event }) => event === 'staticChallenge.used');
    assert.deepEqual(
      used.map(({ severity, endpoint: id, subject: who, uses }) => [severity, id, who, uses]),
      [['warning', 'default', subject, 1]],
    );
    assert.deepEqual([...w.lab.deps.tally.staticChallengeUses], [['default', 1]]);
    w.check();
  });

  test('a request for another subject, or for none, is refused by the rule that says so', async () => {
    const w = await printers();
    const rule = 'endpoints.default.enrol.staticChallenge.subject.CN';
    const allowed = 'printer-*, plotter-*';
    for (const [wrong, value] of [
      ['CN=server-1', 'server-1'],
      ['CN=printer-', 'printer-'],
      ['CN=Printer-1', 'Printer-1'],
      ['CN=printer-1+CN=admin', 'admin'],
      ['O=Test', undefined],
    ] as const) {
      refusedWith('SCEP-314', await w.ask({ challenge: secret, subject: wrong }));
      const evidence = w.transactions().at(-1)?.evidence;
      assert.equal(evidence?.rule, rule, wrong);
      assert.deepEqual([evidence?.value, evidence?.allowed], [value, allowed]);
      w.lab.clock.at += 1000;
    }
    w.check();
  });

  test('a static challenge gives no name but those that the profile lets a request give itself', async () => {
    const w = await printers();
    for (const name of ['dns:p1.example', 'ip:10.0.0.1', 'email:a@b.example', 'upn:a@b.example']) {
      refusedWith('SCEP-312', await w.ask({ challenge: secret, subject, names: [name] }));
    }
    got(await w.ask({ challenge: secret, subject, names: ['dns:p1.print.example'] }));
  });

  test('a static challenge that is wrong, cut, longer, of another endpoint or absent is unknown; nothing locks it', async () => {
    const w = await printers();
    for (const wrong of [
      `${secret} `,
      secret.slice(1),
      secret.toUpperCase(),
      'another secret of 16',
    ]) {
      refusedWith('SCEP-302', await w.ask({ challenge: wrong, subject }));
    }
    refusedWith('SCEP-301', await w.ask({ subject }));
    refusedWith('SCEP-301', await w.ask({ challenge: '', subject }));
    const [key] = await keys('static other');
    const abroad = await enrolment(w.lab, { challenge: secret, subject, ...(key ? { key } : {}) });
    refusedWith('SCEP-302', await w.send(abroad, '/scep/other'));
    refusedWith('SCEP-302', await w.send(abroad, '/scep/ordinary'));
    for (let i = 0; i < 12; i++) {
      refusedWith('SCEP-314', await w.ask({ challenge: secret, subject: `CN=guess ${i}` }));
    }
    got(await w.send(abroad));
    assert.equal(w.lab.deps.tally.staticChallengeUses.get('default'), 1, 'refusals are no uses');
    w.check();
  });

  test('a one-time challenge is unknown at an endpoint with a static one, and is not looked up', async () => {
    const w = await printers();
    const challenge = await w.lab.challenge();
    w.lab.calls.length = 0;
    refusedWith('SCEP-302', await w.ask({ challenge, subject }));
    assert.equal(w.challenges()[0]?.failures, 0, 'nothing looked it up');
  });

  test('the same request again has one certificate, another device its own, a key only one owner', async () => {
    const w = await printers();
    const [a, b] = await keys('static a', 'static b');
    assert.ok(a && b);
    const sent = await enrolment(w.lab, { challenge: secret, subject, key: a });
    w.lab.calls.length = 0;
    const first = got(await w.send(sent));
    assert.deepEqual(got(await w.send(sent)), first);
    assert.equal(w.lab.calls.filter((call) => call === 'signer.sign').length, 1);
    got(await w.ask({ challenge: secret, subject: 'CN=printer-2', key: b }));
    refusedWith('SCEP-341', await w.ask({ challenge: secret, subject: 'CN=printer-3', key: b }));
    assert.equal(w.certificates().length, 2);
    assert.equal(w.lab.deps.tally.staticChallengeUses.get('default'), 2);
    w.check();
  });

  test('a hundred identical requests at once: one signature, equal certificates', async () => {
    const w = await printers();
    const sent = await enrolment(w.lab, { challenge: secret, subject });
    w.lab.calls.length = 0;
    const made = await Promise.all(
      Array.from({ length: 100 }, async () => String(got(await w.send(sent)))),
    );
    assert.equal(new Set(made).size, 1);
    assert.equal(w.lab.calls.filter((call) => call === 'signer.sign').length, 1);
    w.check();
  });

  test('a message that was answered does not undo a revocation; the device asks anew', async () => {
    const w = await printers();
    const sent = await enrolment(w.lab, { challenge: secret, subject });
    const serial = hex(readCertificate(got(await w.send(sent))).serial);
    const actor = { kind: 'admin', id: 'somebody' } as const;
    assert.equal(
      await revoke(w.lab.deps, { ca: 'default', serial, reason: 'privilegeWithdrawn', actor }),
      'done',
    );
    refusedWith('SCEP-354', await w.send(sent));
    const [key] = await keys('static anew');
    got(await w.ask({ challenge: secret, subject, ...(key ? { key } : {}) }));
    w.check();
  });

  test('a device renews by its certificate alone, and with the static challenge along it is still a renewal', async () => {
    const w = await printers();
    const [a, b, c] = await keys('static r a', 'static r b', 'static r c');
    assert.ok(a && b && c);
    const first = {
      key: a,
      certificate: readCertificate(got(await w.ask({ challenge: secret, subject, key: a }))),
    };
    const second = got(await w.ask({ signer: first, key: b, subject, messageType: 'RenewalReq' }));
    const signer = { key: b, certificate: readCertificate(second) };
    got(await w.ask({ signer, key: c, subject, messageType: 'RenewalReq', challenge: secret }));
    assert.equal(w.lab.deps.tally.staticChallengeUses.get('default'), 1);
    w.check();
  });

  test('an EC client gets its reply sealed with it; while that waits for an approver it is kept sealed', async () => {
    const w = await printers({ approval: 'always' });
    const key = await deviceKey('static ec', { type: 'EC', curve: 'P-256' });
    const sent = await enrolment(w.lab, { challenge: secret, subject, key });
    assert.equal((await w.send(sent)).pkiStatus, 'PENDING');
    await decide(w.lab.deps, w.transactions()[0]?.id ?? '', 'approved', { by: 'somebody' });
    got(await w.send(sent));
    assert.deepEqual(w.transactions()[0]?.authorizedBy, [
      'static challenge of endpoint default',
      'approval',
    ]);
    assert.equal(w.lab.deps.tally.staticChallengeUses.get('default'), 1);
    w.check();
  });

  test('a static challenge stands in no record, event or log line, granted or refused', async () => {
    const w = await printers();
    got(await w.ask({ challenge: secret, subject }));
    refusedWith('SCEP-314', await w.ask({ challenge: secret, subject: 'CN=x' }));
    refusedWith('SCEP-302', await w.ask({ challenge: `${secret}!`, subject }));
    const kept = JSON.stringify([w.store.dump(), w.lab.log, [...w.lab.deps.staticSecrets]]);
    const forms = [
      secret,
      Buffer.from(secret).toString('base64').slice(0, -4),
      Buffer.from(secret).toString('hex'),
    ];
    for (const form of forms) assert.ok(!kept.includes(form), form);
  });

  test('an instance that lacks the secret is in trouble, and blames nobody', async () => {
    const w = await printers();
    const without = await w.instance({ staticSecrets: {} });
    const sent = await enrolment(w.lab, { challenge: secret, subject });
    await assert.rejects(w.send(sent, '/scep', without), /HTTP 503/);
    const [outage] = without.log.filter(({ event }) => event === 'http.outage');
    assert.equal(outage?.detail, 'what "env:PRINTERS" refers to is not there');
    got(await w.send(sent));
  });
});

const usesOf = ({ endpoints }: Config) => [...endpoints.values()].flatMap(everySecret);

describe('at the start', () => {
  const document = {
    publicUrl: 'http://scep.test',
    cas: { default: { subject: 'CN=CA' } },
    ...endpointsOf({}),
  };
  const checked = checkConfig(document);

  test('each endpoint that has one is warned of', () => {
    const said: LogEntry[] = [];
    warnOfStaticChallenges(checked, (entry) => said.push(entry));
    assert.deepEqual(
      said.map(({ event, severity, endpoint: id }) => [event, severity, id]),
      [
        ['staticChallenge.enabled', 'warning', 'default'],
        ['staticChallenge.enabled', 'warning', 'other'],
      ],
    );
  });

  test('a reference is resolved, kept as a digest only; one that is not set or short is a sentence', () => {
    const variables: Record<string, string> = { PRINTERS: secret, OTHERS: '16 octets of it!' };
    const secrets = readStaticSecrets(usesOf(checked), (name) => variables[name]);
    assert.deepEqual([...secrets.keys()], ['env:PRINTERS', 'env:OTHERS']);
    assert.ok([...secrets.values()].every((digest) => digest.length === 32));
    const wrong = (name: string) => (name === 'OTHERS' ? '15 octets of it' : '');
    for (const reads of [
      () => checkConfig(document, wrong),
      () => readStaticSecrets(usesOf(checked), wrong),
    ]) {
      assert.throws(reads, {
        name: 'ConfigError',
        problems: [
          'endpoints.default.enrol.staticChallenge.secret: the environment variable PRINTERS is not set; it must have at least 16 octets',
          'endpoints.other.enrol.staticChallenge.secret: the environment variable OTHERS is too short; it must have at least 16 octets',
        ],
      });
    }
  });

  test('a real server refuses to start without it, and has made nothing', async () => {
    const dataDir = `${temporary('static')}/data`;
    const document = {
      publicUrl: 'http://127.0.0.1:1',
      cas: { default: { subject: 'CN=CA' } },
      ...endpointsOf({}),
    };
    const env = {
      SCEPTER_DATA_DIR: dataDir,
      SCEPTER_CONFIG: JSON.stringify(document),
      OTHERS: '15 octets of it',
    };
    const finished = await run('functions/server.ts', [], { env });
    assert.equal(finished.code, 2);
    assert.equal(finished.out, '');
    assert.match(finished.err, /PRINTERS is not set/);
    assert.ok(!finished.err.includes('15 octets of it'));
    const { existsSync } = await import('node:fs');
    assert.ok(!existsSync(dataDir));
  });
});
