// scepter log verify --cloudtrail: what the keys in AWS KMS have signed is in the log, request by request; what somebody
// else had them sign is named, and what an export cannot show is said.

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { concat, utf8 } from '../../lib/base/bytes.ts';
import { type EventFields, makeEvent } from '../../lib/events/event.ts';
import { checkpointText, logKey, signedNote, verifierKey } from '../../lib/events/note.ts';
import { bundleOf, tilePath } from '../../lib/events/tiles.ts';
import { emptyEdge, grown, leafHash, rootOf } from '../../lib/events/tree.ts';
import { openTerminal } from '../support/cli.ts';
import { makeLab } from '../support/lab.ts';
import { random } from '../support/messages.ts';
import { temporary } from '../support/process.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const verifier = {
  name: 'ca.example/log/default',
  key: logKey(concat([publicKey.export({ type: 'spki', format: 'der' })])),
};
const terminal = await openTerminal(await makeLab());
after(() => terminal.close());

const ARN = 'arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555';
const ISSUER = 'arn:aws:iam::111122223333:role/scepter-issuer';
const THIEF = 'arn:aws:iam::111122223333:role/somebody';
const BEGAN = Date.UTC(2031, 0, 1, 10);
const HOUR = 3_600_000;
const minute = (n: number) => BEGAN + n * 60_000;

type Fields = Omit<EventFields, 'actor'> & { readonly at: number };

/** A log of these events, signed at that time. */
function logOf(events: readonly Fields[], signedAt: number): string {
  const folder = temporary('log');
  const actor = { kind: 'system' } as const;
  const entries = events.map(({ at, ...fields }) =>
    utf8(makeEvent(at, random(34), { ...fields, actor }).body),
  );
  const leaves = entries.map(leafHash);
  const put = (path: string, octets: Uint8Array | string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), octets);
  };
  const width = entries.length;
  put(tilePath({ level: 'entries', index: 0, width }), bundleOf(entries));
  put(tilePath({ level: 0, index: 0, width }), concat(leaves));
  const text = checkpointText({
    origin: verifier.name,
    size: width,
    root: rootOf(grown(emptyEdge, leaves)),
    time: signedAt,
  });
  put('checkpoint', signedNote(text, verifier, concat([sign('sha256', utf8(text), privateKey)])));
  return folder;
}

type Call = {
  readonly at: number;
  readonly id?: string;
  readonly role?: string;
  readonly key?: string;
  readonly more?: object;
};

/** As CloudTrail writes a request to sign. */
const signed = ({ at, id = randomUUID(), role = ISSUER, key = ARN, more = {} }: Call) => ({
  eventVersion: '1.11',
  userIdentity: {
    type: 'AssumedRole',
    arn: `${role.replace(':iam:', ':sts:').replace('role', 'assumed-role')}/i-1`,
    sessionContext: { sessionIssuer: { type: 'Role', arn: role } },
  },
  eventTime: `${new Date(at).toISOString().slice(0, 19)}Z`,
  eventSource: 'kms.amazonaws.com',
  eventName: 'Sign',
  awsRegion: 'eu-central-1',
  requestParameters: { keyId: key, messageType: 'DIGEST', signingAlgorithm: 'ECDSA_SHA_256' },
  responseElements: null,
  requestID: id,
  eventID: randomUUID(),
  readOnly: true,
  resources: [{ accountId: '111122223333', type: 'AWS::KMS::Key', ARN: key }],
  eventType: 'AwsApiCall',
  ...more,
});
/** What else there is in an export: it shows that an hour is there. */
const other = (at: number) => ({
  eventTime: new Date(at).toISOString(),
  eventSource: 's3.amazonaws.com',
  eventName: 'PutObject',
  eventID: randomUUID(),
});
const hours = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => other(from + n * HOUR));

/** Files in a folder: gzipped or not. */
function exported(files: Readonly<Record<string, readonly unknown[]>>): string {
  const folder = temporary('trail');
  for (const [name, Records] of Object.entries(files)) {
    const text = JSON.stringify({ Records });
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), name.endsWith('.gz') ? gzipSync(text) : text);
  }
  return folder;
}

const verify = (log: string, ...trail: readonly string[]) =>
  terminal.run(['log', 'verify', log, '--key', verifierKey(verifier), '--cloudtrail', ...trail]);

const made: Fields = { at: minute(0), type: 'ca.key.created', ca: 'default', key: ARN };
const issued = (at: number, serial: string, requests: Partial<EventFields>): Fields[] => [
  { at, type: 'certificate.intended', ca: 'default', serial },
  { at: at + 200, type: 'certificate.issued', ca: 'default', serial, ...requests },
];
/** Two hours of a log, whose CA's certificate and two others were signed. */
const [root, one, two] = ['root', 'one', 'two'].map(() => randomUUID()) as [string, string, string];
const events: readonly Fields[] = [
  made,
  { at: minute(0), type: 'ca.created', ca: 'default', kms: [root] },
  ...issued(minute(30), '01', { kms: [one] }),
  ...issued(minute(70), '02', { kms: [two] }),
];
const calls = [
  signed({ at: minute(0), id: root }),
  signed({ at: minute(30), id: one }),
  signed({ at: minute(70), id: two }),
];
const ENDED = minute(180);
const background = hours(BEGAN - HOUR, 5);

describe('log verify --cloudtrail', () => {
  test('holds where each Sign is named by an event, in files of any number, gzipped or not, twice or once', async () => {
    const folder = exported({
      'AWSLogs/a/one.json.gz': [...background, calls[0]],
      'AWSLogs/a/two.json': [calls[2], calls[1], calls[2]],
      'AWSLogs/b/again.json.gz': calls,
      'AWSLogs/b/notes.txt': [],
    });
    const { code, out, err } = await verify(logOf(events, ENDED), folder);
    assert.equal(code, 0, err);
    assert.match(
      out,
      /3 signatures of AWS KMS from 2031-01-01T09:59:00.000Z to 2031-01-01T12:59:00.000Z: events tell of all but 0,/,
    );
    assert.doesNotMatch(out, /lacks/);
  });

  test('a Sign of somebody else is named first of all: when, by whom, with which key', async () => {
    const id = randomUUID();
    const foreign = signed({ at: minute(31), id, role: THIEF });
    const lost = [calls[0], calls[2], foreign];
    const { code, err } = await verify(
      logOf(events, ENDED),
      exported({ 'a.json': [...background, ...lost] }),
    );
    assert.equal(code, 6);
    const said = `scepter: ${THIEF} signed at 2031-01-01T10:31:00.000Z with ${ARN}, and no event tells of it: request ${id}\n`;
    assert.ok(err.endsWith(said), err);
    assert.match(err, new RegExp(`names the request ${one}, and CloudTrail has none of it`));
  });

  test('a second Sign under the id of another is named: ids explain one each', async () => {
    const twice = signed({ at: minute(30), id: one });
    const { code, err } = await verify(
      logOf(events, ENDED),
      exported({ 'a.json': [...background, ...calls, twice] }),
    );
    assert.equal(code, 6);
    assert.match(err, /no event tells of it/);
    const named = [...events, ...issued(minute(90), '03', { kms: [one] })];
    const again = await verify(
      logOf(named, ENDED),
      exported({ 'a.json': [...background, ...calls] }),
    );
    assert.equal(again.code, 6);
    assert.match(again.err, new RegExp(`the events \\w+ and \\w+ name one request, ${one}`));
  });

  describe('a try without an answer', () => {
    const three = randomUUID();
    const tried = (unanswered: number) => [
      ...events,
      ...issued(minute(90), '03', { kms: [three], unanswered }),
    ];
    const answered = signed({ at: minute(90), id: three });
    const judged = async (log: readonly Fields[], ...more: readonly object[]) =>
      verify(logOf(log, ENDED), exported({ 'a.json': [...background, ...calls, ...more] }));

    test('explains one Sign of its role within a minute, and says so', async () => {
      const { code, out, err } = await judged(tried(1), answered, signed({ at: minute(89.5) }));
      assert.equal(code, 0, err);
      assert.match(out, /5 signatures .* all but 1, which tries without an answer explain/);
    });

    const unexplained: [string, readonly object[]][] = [
      ['not two', [signed({ at: minute(89.5) }), signed({ at: minute(89.6) })]],
      ['none of another role', [signed({ at: minute(89.5), role: THIEF })]],
      ['none that is further away', [signed({ at: minute(88.9) })]],
    ];
    for (const [name, more] of unexplained) {
      test(name, async () => {
        assert.equal((await judged(tried(1), answered, ...more)).code, 6);
      });
    }

    test('an attempt that was cut off is one, too: nobody knows whether it signed', async () => {
      const cut: Fields[] = [
        { at: minute(90), type: 'certificate.intended', ca: 'default', serial: '04' },
        { at: minute(95), type: 'certificate.voided', ca: 'default', serial: '04' },
      ];
      const log = [...events, ...cut];
      assert.equal((await judged(log, signed({ at: minute(90) }))).code, 0);
      assert.equal((await judged(log, signed({ at: minute(90), role: THIEF }))).code, 6);
      assert.equal((await judged(log, signed({ at: minute(95) }))).code, 6);
    });
  });

  test('what was refused has signed nothing; other keys, other calls and what the log cannot have yet are not looked at', async () => {
    const folder = exported({
      'a.json': [
        ...background,
        ...calls,
        signed({
          at: minute(40),
          role: THIEF,
          more: { errorCode: 'AccessDenied', resources: null },
        }),
        signed({ at: minute(40), role: THIEF, key: ARN.replace('1111-2222', '9999-2222') }),
        signed({ at: minute(40), role: THIEF, more: { eventName: 'Verify' } }),
        signed({ at: ENDED - 30_000 }),
        signed({ at: BEGAN - 3_000_000 }),
      ],
    });
    const { code, err } = await verify(logOf(events, ENDED), folder);
    assert.equal(code, 0, err);
  });

  test('a multi-Region key is one in every region; a key that no event names is given', async () => {
    const mrk = 'arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef';
    const west = mrk.replace('eu-central-1', 'us-west-2');
    const log = logOf([{ ...made, key: mrk }, ...events.slice(1)], ENDED);
    const trail = exported({
      'a.json': [...background, ...calls, signed({ at: minute(40), key: west })],
    });
    assert.equal((await verify(log, trail, '--kms-key', ARN)).code, 6);
    const other = exported({ 'a.json': [...background, ...calls] });
    assert.equal((await verify(log, other)).code, 6, 'its events name requests of another key');
    assert.equal((await verify(log, other, '--kms-key', ARN)).code, 0);
  });

  test('an hour without any event proves nothing, and is said; what is named there is not missed', async () => {
    const there = background.filter((_, n) => n !== 2);
    const { code, out, err } = await verify(
      logOf(events, ENDED),
      exported({ 'a.json': [...there, calls[0], calls[1]] }),
    );
    assert.equal(code, 0, err);
    assert.match(
      out,
      /CloudTrail lacks 2031-01-01T11:00:00.000Z to 2031-01-01T12:00:00.000Z: nothing is proven for that time/,
    );
  });

  test('an export of another time proves nothing: exit 6', async () => {
    const { code, err } = await verify(
      logOf(events, ENDED),
      exported({ 'a.json': hours(BEGAN + 99 * HOUR, 2) }),
    );
    assert.equal(code, 6);
    assert.match(err, /CloudTrail has nothing of the time of this log: nothing is proven/);
  });

  describe('with digests', () => {
    const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
    const stamp = (at: number) => `${new Date(at).toISOString().slice(0, 19)}Z`;
    /** An hour each, from one before the log on: the log file of the hour, and the digest of it. */
    function delivered(change: (files: Map<string, string>) => void = () => {}): string {
      const files = new Map<string, string>();
      let before: string | null = null;
      for (let n = 0; n < 5; n++) {
        const from = BEGAN + (n - 1) * HOUR;
        const own = calls.filter(({ eventTime }) => {
          const at = Date.parse(eventTime);
          return at >= from && at < from + HOUR;
        });
        // Without events there is no log file, and a digest all the same.
        const text = own.length > 0 ? JSON.stringify({ Records: own }) : undefined;
        if (text) files.set(`log-${n}.json`, text);
        const digest: string = JSON.stringify({
          digestStartTime: stamp(from),
          digestEndTime: stamp(from + HOUR),
          previousDigestHashValue: before,
          logFiles: text
            ? [{ s3Object: `log-${n}.json.gz`, hashValue: sha256(text), hashAlgorithm: 'SHA-256' }]
            : [],
        });
        files.set(`digest-${n}.json`, digest);
        before = sha256(digest);
      }
      change(files);
      const folder = temporary('digests');
      for (const [name, text] of files) writeFileSync(join(folder, `${name}.gz`), gzipSync(text));
      return folder;
    }

    test('hours without events are whole', async () => {
      const { code, out, err } = await verify(logOf(events, ENDED), delivered());
      assert.equal(code, 0, err);
      assert.doesNotMatch(out, /lacks/);
    });

    test('a log file that is missing, and a digest, are gaps', async () => {
      for (const missing of ['log-2.json', 'digest-2.json']) {
        const folder = delivered((files) => {
          files.delete(missing);
          if (missing.startsWith('digest')) files.delete('log-2.json');
        });
        const { code, out, err } = await verify(logOf(events, ENDED), folder);
        assert.equal(code, 0, err);
        assert.match(out, /lacks 2031-01-01T11:00:00.000Z to 2031-01-01T12:00:00.000Z/);
      }
    });

    test('a log file that was changed, and a digest, are named', async () => {
      const log = await verify(
        logOf(events, ENDED),
        delivered((files) => files.set('log-2.json', JSON.stringify({ Records: [] }))),
      );
      assert.equal(log.code, 6);
      assert.match(log.err, /1 log files are in no digest, or were changed/);
      const digest = await verify(
        logOf(events, ENDED),
        delivered((files) => files.set('digest-2.json', `${files.get('digest-2.json')} `)),
      );
      assert.equal(digest.code, 6);
      assert.match(
        digest.err,
        /digest-2.json.gz is not the digest that .*digest-3.json.gz has the hash of/,
      );
    });
  });

  const hostile: [string, string | Buffer, RegExp][] = [
    ['no JSON', '{', /a\.json is no JSON of CloudTrail/],
    ['gzip that ends early', gzipSync('{}').subarray(0, 12), /is no JSON of CloudTrail/],
    ['no records', '{"Records":{}}', /a\.json: Records: a list is expected of CloudTrail/],
    ['a record that is none', '{"Records":[null]}', /Records\[0\]: an object is expected/],
    [
      'a time that is none',
      JSON.stringify({ Records: [{ ...other(0), eventTime: 'now' }] }),
      /Records\[0\]: eventTime: a time is expected/,
    ],
    [
      'a Sign of nobody',
      JSON.stringify({ Records: [signed({ at: BEGAN, more: { userIdentity: 7 } })] }),
      /Records\[0\]: userIdentity: an object is expected/,
    ],
    [
      'ids that are names of members',
      `{"Records":[{"__proto__":{"eventID":"x"}}]}`,
      /Records\[0\]: eventTime: a text is expected/,
    ],
  ];
  for (const [name, octets, said] of hostile) {
    test(`hostile: ${name}: exit 1 and the file`, async () => {
      const folder = temporary('hostile');
      writeFileSync(join(folder, 'a.json'), octets);
      const { code, err } = await verify(logOf(events, ENDED), folder);
      assert.equal(code, 1, err);
      assert.match(err, said);
    });
  }

  test('a file that is not there: exit 3', async () => {
    const { code, err } = await verify(logOf(events, ENDED), '/no/such/file');
    assert.equal(code, 3);
    assert.match(err, /--cloudtrail: \/no\/such\/file is not there/);
  });
});
