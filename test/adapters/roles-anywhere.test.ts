// AWS credentials by a certificate: what is sent to IAM Roles Anywhere, when it is sent again, and what its refusals say.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { rolesAnywhere } from '../../lib/adapters/aws/roles-anywhere.ts';
import type { LogEntry } from '../../lib/ports/log.ts';
import { type Openssl, withOpenssl } from '../support/openssl.ts';
import { startRolesAnywhere } from '../support/roles-anywhere.ts';

const region = 'eu-central-1';
const of = (kind: string) => `arn:aws:rolesanywhere:${region}:111122223333:${kind}/1`;
const arns = {
  trustAnchor: of('trust-anchor'),
  profile: of('profile'),
  role: 'arn:aws:iam::111122223333:role/worker',
};
const minutes = (count: number): number => count * 60_000;

type Identity = {
  readonly certificate: string;
  readonly key: string;
  readonly expiresInYears?: number;
};

withOpenssl((openssl) => {
  const text = (path: string): string => readFileSync(path, 'utf8');
  const root = authority(openssl, 'root');
  const leaf = (name: string, key: readonly string[], by = root, cn = 'scepter') => {
    const [certificate, keyFile] = [openssl.path(`${name}.pem`), openssl.path(`${name}.key`)];
    openssl.run(
      ...['req', '-x509', '-nodes', ...key, '-keyout', keyFile, '-out', certificate],
      ...['-subj', `/CN=${cn}`, '-days', '1', '-CA', by.certificate, '-CAkey', by.key],
      ...['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'keyUsage=digitalSignature'],
    );
    return { certificate: text(certificate), key: text(keyFile) };
  };
  const own = leaf('own', ec('P-256'));

  /** A process with a certificate, and Roles Anywhere as it is to it. */
  async function opened({ certificate, key, expiresInYears }: Identity = own) {
    const clock = { at: Date.now(), now: () => clock.at, sleep: async () => {} };
    const log: LogEntry[] = [];
    const given: string[] = [];
    const anchor = { region, ...arns, certificate: text(root.certificate), commonName: 'scepter' };
    const aws = await startRolesAnywhere({ ...anchor, now: clock.now }, () => {
      const accessKeyId = `ASIA${given.length}`;
      given.push(accessKeyId);
      const ends = clock.now() + (expiresInYears ?? 0) * 365 * 86_400_000;
      return {
        ...{ accessKeyId, secretAccessKey: 'secret', sessionToken: 'token' },
        ...(expiresInYears === undefined ? {} : { expiration: new Date(ends) }),
      };
    });
    const settings = { region, ...arns, certificate, key, endpoint: aws.url };
    const noted = (entry: LogEntry) => void log.push(entry);
    return { aws, clock, log, session: rolesAnywhere(settings, { clock, log: noted }) };
  }

  const between = authority(openssl, 'between', root);
  const byOther = leaf('by-other', ec('P-256'), between);
  const chained = { ...byOther, certificate: byOther.certificate + text(between.certificate) };
  const identities = {
    'P-256': own,
    'P-384': leaf('p384', ec('P-384')),
    'RSA-2048': leaf('rsa', ['-newkey', 'rsa:2048']),
    'P-256 and a CA between': chained,
  };
  for (const [title, identity] of Object.entries(identities)) {
    test(`a signature of a key of ${title} is taken`, async () => {
      const { aws, session } = await opened(identity);
      try {
        const { accessKeyId, secretAccessKey, sessionToken, expiration } = await session();
        const all = [accessKeyId, secretAccessKey, sessionToken].join();
        assert.equal(all, 'ASIA0,secret,token');
        assert.ok(expiration instanceof Date);
        assert.deepEqual(aws.made, [arns.role]);
      } finally {
        aws.stop();
      }
    });
  }

  test('all share one session, which is made anew once half of its hour is over', async () => {
    const { aws, clock, session } = await opened();
    try {
      const ids = async () => {
        const all = await Promise.all(Array.from({ length: 10 }, session));
        return [...new Set(all.map(({ accessKeyId }) => accessKeyId))];
      };
      assert.deepEqual(await ids(), ['ASIA0']);
      clock.at += minutes(29);
      assert.deepEqual(await ids(), ['ASIA0']);
      clock.at += minutes(2);
      assert.deepEqual(await ids(), ['ASIA1', 'ASIA0'], 'one waits for the next');
      assert.deepEqual(await ids(), ['ASIA1']);
      assert.equal(aws.made.length, 2);
    } finally {
      aws.stop();
    }
  });

  test('a renewal that is slow keeps nobody waiting but the one who asks for it', async () => {
    const { aws, clock, session } = await opened();
    try {
      await session();
      const { promise, resolve } = Promise.withResolvers<void>();
      aws.delay(promise);
      clock.at += minutes(31);
      const asking = session();
      for (let i = 0; i < 3; i++) assert.equal((await session()).accessKeyId, 'ASIA0');
      resolve();
      assert.equal((await asking).accessKeyId, 'ASIA1');
      assert.equal((await session()).accessKeyId, 'ASIA1');
      assert.equal(aws.made.length, 2);
    } finally {
      aws.stop();
    }
  });

  test('a session is renewed after half an hour and not for each call, whenever AWS says that it ends', async () => {
    for (const years of [-1, 5000]) {
      const { aws, clock, session } = await opened({ ...own, expiresInYears: years });
      try {
        for (let i = 0; i < 5; i++) await session();
        assert.equal(aws.made.length, 1, `${years} years`);
        clock.at += minutes(31);
        await session();
        assert.equal(aws.made.length, 2, `${years} years`);
      } finally {
        aws.stop();
      }
    }
  });

  describe('an answer that is none gives no session, and nothing of it is said', () => {
    const secret = 'SeCrEtAccessKey';
    const set = (credentials: unknown) => JSON.stringify({ credentialSet: [{ credentials }] });
    const whole = {
      ...{ accessKeyId: 'ASIA', secretAccessKey: secret, sessionToken: 'token' },
      expiration: '2099-01-01T00:00:00Z',
    };
    const bodies: Readonly<Record<string, string>> = {
      'no JSON, with a secret in it': `{"credentialSet": ${secret}`,
      'cut off': set(whole).slice(0, 80),
      null: 'null',
      'a set that is none': '{"credentialSet": 5}',
      'a set of null': '{"credentialSet": [null]}',
      'credentials that are none': set(5),
      'a key that is no text': set({ ...whole, secretAccessKey: { toString: secret } }),
      'a key that no header can carry': set({ ...whole, accessKeyId: 'A\r\nx: y' }),
      'a time that is none': set({ ...whole, expiration: 'tomorrow' }),
      'no time': set({ ...whole, expiration: undefined }),
      'an HTML page': '<html>',
      nothing: '',
    };
    for (const [title, body] of Object.entries(bodies)) {
      test(title, async () => {
        const { aws, session } = await opened();
        aws.spoil({ status: 201, headers: {}, body });
        try {
          await assert.rejects(session(), (error: Error) => {
            assert.equal(error.name, 'RolesAnywhereError');
            assert.match(error.message, /gives no credentials: an answer without credentials$/);
            assert.ok(!error.message.includes(secret.slice(0, 4)));
            return true;
          });
        } finally {
          aws.stop();
        }
      });
    }
  });

  test('an answer that points elsewhere is not followed', async () => {
    const { aws, session } = await opened();
    const elsewhere = await opened();
    aws.spoil({ status: 307, headers: { location: `${elsewhere.aws.url}/sessions` }, body: '' });
    try {
      await assert.rejects(session(), { message: /gives no credentials: HTTP 307$/ });
      assert.deepEqual(elsewhere.aws.made, []);
    } finally {
      aws.stop();
      elsewhere.aws.stop();
    }
  });

  test('a renewal that fails is tried again now and then, and the session goes on to its end', async () => {
    const { aws, clock, log, session } = await opened();
    try {
      await session();
      aws.fail(403);
      clock.at += minutes(31);
      for (let i = 0; i < 3; i++) assert.equal((await session()).accessKeyId, 'ASIA0');
      assert.deepEqual(
        log.map(({ event }) => event),
        ['credentials.notRenewed'],
      );
      clock.at += minutes(1);
      await session();
      assert.equal(log.length, 2);
      clock.at += minutes(28);
      await assert.rejects(session(), { name: 'RolesAnywhereError' });
      aws.fail(0);
      assert.equal((await session()).accessKeyId, 'ASIA1');
    } finally {
      aws.stop();
    }
  });

  describe('a refusal says what to do', () => {
    const cases: readonly (readonly [string, typeof own, RegExp])[] = [
      [
        'a certificate of another CA',
        leaf('stranger', ec('P-256'), authority(openssl, 'other')),
        /^IAM Roles Anywhere gives no credentials: AccessDeniedException, untrusted certificate: see that the certificate is of the trust anchor's CA/,
      ],
      [
        'a certificate of the same CA for somebody else',
        leaf('somebody', ec('P-256'), root, 'somebody'),
        /AccessDeniedException, CN: see that .* its CN is the one in the role's trust policy/,
      ],
      [
        'a key of another certificate',
        { certificate: own.certificate, key: identities['P-384'].key },
        /^ROLES_ANYWHERE_KEY must be a key of P-256, P-384 or RSA, as its certificate says$/,
      ],
      [
        'a key of another pair',
        { certificate: own.certificate, key: byOther.key },
        /^ROLES_ANYWHERE_KEY is not the key of ROLES_ANYWHERE_CERTIFICATE$/,
      ],
      [
        'a kind of key that it does not take',
        leaf('ed', ['-newkey', 'ed25519']),
        /^ROLES_ANYWHERE_KEY must be a key of P-256, P-384 or RSA, /,
      ],
      [
        'half a certificate',
        { ...own, certificate: '-----BEGIN CERTIFICATE-----' },
        /^ROLES_ANYWHERE_CERTIFICATE or _KEY is no whole PEM$/,
      ],
    ];
    for (const [title, identity, message] of cases) {
      test(title, async () => {
        const { aws, session } = await opened(identity);
        try {
          await assert.rejects(session(), { name: 'RolesAnywhereError', message });
          assert.deepEqual(aws.made, []);
        } finally {
          aws.stop();
        }
      });
    }
  });

  test('what does not answer is said to', async () => {
    const { aws, session } = await opened();
    aws.stop();
    await assert.rejects(session(), {
      message: /^IAM Roles Anywhere gives no credentials: TypeError, .*$/,
    });
  });
});

function ec(curve: 'P-256' | 'P-384'): readonly string[] {
  return ['-newkey', 'ec', '-pkeyopt', `ec_paramgen_curve:${curve}`];
}

function authority(openssl: Openssl, name: string, by?: { certificate: string; key: string }) {
  const [certificate, key] = [openssl.path(`${name}.pem`), openssl.path(`${name}.key`)];
  openssl.run(
    ...['req', '-x509', '-nodes', ...ec('P-256'), '-keyout', key, '-out', certificate],
    ...['-subj', `/CN=${name}`, '-days', '1', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
    ...['-addext', 'basicConstraints=critical,CA:TRUE'],
    ...(by ? ['-CA', by.certificate, '-CAkey', by.key] : []),
  );
  return { certificate, key };
}
