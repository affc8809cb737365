// CRLs and certificates of CAs in S3, while calls fail, answers are lost, and other hands change what is there.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Timer } from '../../lib/adapters/aws/aws.ts';
import { Outage } from '../../lib/base/errors.ts';
import { jobsOf } from '../../lib/ca/jobs.ts';
import { GuardedCrls } from '../../lib/ca/record/guarded-crls.ts';
import { keepCrls } from '../../lib/ca/revoke/publish-crl.ts';
import { ServedCrls } from '../../lib/ca/revoke/served-crls.ts';
import type { StoredCrl } from '../../lib/ports/crls.ts';
import { makeLab } from '../support/lab.ts';
import { type S3Fault, startS3Emulator } from '../support/s3-emulator.ts';
import { awaitingSilence, impatient, patient } from '../support/timers.ts';
import { crlContract } from './crls.contract.ts';

const s3 = await startS3Emulator();
after(() => s3.stop());
let buckets = 0;

function bucket(timer: Timer = patient) {
  const name = `bucket-${buckets++}`;
  const open = (other = timer) => s3.files(other, name);
  s3.arm();
  return { name, files: open(), open, key: (path: string) => `${name}/${path}` };
}

crlContract('S3', async () => bucket().files);

let last = 0;
function crl(octets = 1000) {
  last++;
  const der = new Uint8Array(octets).fill(last);
  return { number: last, der, thisUpdate: last, nextUpdate: 1_800_000_000_000, changes: 3 };
}
function requireSame(found: StoredCrl | undefined, expected: ReturnType<typeof crl>, note = '') {
  const { stored: _stored, ...rest } = found ?? assert.fail(note);
  assert.deepEqual(rest, expected, note);
}

const passing = ['lost before', 'internal error', 'slow down'] as const;
const more: Readonly<Record<string, readonly S3Fault[]>> = {
  GET: ['truncated'],
  PUT: ['conflicting', 'lost after', 'internal error after'],
};
const faultsOf = (method: string): S3Fault[] => [...passing, ...(more[method] ?? [])];

describe('a call fails', () => {
  test('a CRL is published once, whichever call fails before or after it was done', async () => {
    const { files } = bucket();
    for (const isFirst of [true, false]) {
      const name = isFirst ? 'first' : 'next';
      if (!isFirst) await files.publish(name, crl());
      s3.arm();
      if (!isFirst) await files.publish(name, crl());
      assert.deepEqual(s3.calls, isFirst ? [] : ['HEAD', 'PUT']);
      for (const [at, method] of ['HEAD', 'PUT'].entries()) {
        for (const kind of faultsOf(method)) {
          const one = crl();
          const called = isFirst ? `first-${method}-${kind.replaceAll(' ', '-')}` : name;
          s3.arm((_, n) => (n === at ? kind : undefined));
          assert.equal(await files.publish(called, one), 'done', `${method} ${kind}`);
          requireSame(await files.newest(called), one, `${method} ${kind}`);
        }
      }
    }
  });

  test('a CRL is read whole, or read again', async () => {
    const { files } = bucket();
    const one = crl(400_000);
    await files.publish('default', one);
    for (const kind of faultsOf('GET')) {
      s3.arm((_, at) => (at === 0 ? kind : undefined));
      requireSame(await files.newest('default'), one, kind);
      assert.deepEqual(s3.calls, ['GET', 'GET'], kind);
    }
  });

  test('a publisher that does not come to the end of its time is an Outage, or done if it was', async () => {
    const { files, open, name } = bucket();
    const hurried = open(impatient());
    const one = crl();
    s3.arm(({ method }) => (method === 'PUT' ? 'lost after' : undefined));
    assert.equal(await hurried.publish('default', one), 'done');
    s3.arm(({ method }) => (method === 'PUT' ? 'slow down' : undefined));
    await assert.rejects(hurried.publish('default', crl()), (error) => {
      assert.ok(error instanceof Outage);
      assert.equal(
        error.message,
        `the bucket ${name}: PutObject of crl/default.crl failed: SlowDown`,
      );
      return true;
    });
    s3.arm();
    requireSame(await files.newest('default'), one);
  });

  test('what S3 refuses is an Outage at once, and nothing counts as absent', async () => {
    const { files } = bucket();
    s3.arm(() => 'forbidden');
    await assert.rejects(
      files.newest('default'),
      /GetObject of crl\/default.crl failed: AccessDen/,
    );
    await assert.rejects(files.publish('default', crl()), /HeadObject .* failed: HTTP 403/);
    assert.deepEqual(s3.calls, ['GET', 'HEAD']);
  });

  test('an Outage says what to do where somebody has to do something', async () => {
    const { files, name } = bucket();
    const said = async (work: Promise<unknown>): Promise<string> =>
      await work.then(
        () => assert.fail('no Outage'),
        (error) => (error instanceof Outage ? error.message : assert.fail(error)),
      );
    for (const [fault, code, remedy] of [
      ['forbidden', 'AccessDenied', /the policy of this role, of the bucket, or of the KMS key/],
      ['no bucket', 'NoSuchBucket', /it was deleted, or SCEPTER_FILES names another/],
      ['key disabled', 'KMS.DisabledException', /enable the KMS key/],
    ] as const) {
      s3.arm(() => fault);
      const why = await said(files.newest('default'));
      assert.ok(
        why.startsWith(`the bucket ${name}: GetObject of crl/default.crl failed: ${code} (`),
        why,
      );
      assert.match(why, remedy);
    }
    s3.arm(() => 'forbidden');
    assert.match(await said(files.publish('default', crl())), /HTTP 403 \(the policy of this role/);
    // HeadObject finds nothing in a bucket that is not there, and PutObject says so.
    s3.arm(() => 'no bucket');
    assert.match(
      await said(files.publish('default', crl())),
      /PutObject .* NoSuchBucket \(it was deleted/,
    );
  });

  test('an answer that does not come is waited for no longer than a call may take', async () => {
    const { files, open } = bucket();
    const one = crl();
    await files.publish('default', one);
    s3.arm((_, at) => (at === 0 ? 'silent' : undefined));
    requireSame(await open(awaitingSilence).newest('default'), one);
  });
});

describe('others publish', () => {
  test('of two with one number one is published, whichever comes first to S3', async () => {
    for (const before of [0, 1]) {
      const { files, open } = bucket();
      for (let number = 0; number < before; number++) await files.publish('default', crl());
      const [one, two] = [crl(), { ...crl(), number: last - 1 }];
      let other: Promise<string> | undefined;
      s3.arm(async ({ method }) => {
        if (method !== 'PUT' || other) return undefined;
        other = open().publish('default', two);
        await other;
        return undefined;
      });
      assert.equal(await files.publish('default', one), 'stale');
      assert.equal(await other, 'done');
      requireSame(await files.newest('default'), two);
    }
  });

  test('one whose answer was lost, and that another has replaced meanwhile, is stale', async () => {
    const { files, open } = bucket();
    const [one, two] = [crl(), crl()];
    let puts = 0;
    s3.arm(async ({ method }) => {
      if (method !== 'PUT') return undefined;
      puts++;
      if (puts === 1) return 'lost after';
      if (puts === 2) assert.equal(await open().publish('default', two), 'done');
      return undefined;
    });
    assert.equal(await files.publish('default', one), 'stale');
    requireSame(await files.newest('default'), two);
  });

  test('one that is deleted while the next is put is missing until the next publication', async () => {
    const { files, key } = bucket();
    await files.publish('default', crl());
    s3.arm(({ method }) => {
      if (method === 'PUT') s3.objects.delete(key('crl/default.crl'));
      return undefined;
    });
    assert.equal(await files.publish('default', crl()), 'stale');
    s3.arm();
    const next = crl();
    assert.equal(await files.publish('default', next), 'done');
    requireSame(await files.newest('default'), next);
  });
});

test('a CRL is an object that a cache gives out as it is, until its end at most', async () => {
  const { files, key } = bucket();
  await files.publish('default/1-17', { ...crl(), mac: 'abc' });
  await files.keep('default', new Uint8Array([1, 2, 3]));
  const {
    'x-amz-meta-attempt': _attempt,
    etag: _etag,
    ...headers
  } = s3.objects.get(key('crl/default/1-17.crl'))?.headers ?? {};
  assert.deepEqual(headers, {
    'content-type': 'application/pkix-crl',
    expires: 'Fri, 15 Jan 2027 08:00:00 GMT',
    'x-amz-meta-number': String(last),
    'x-amz-meta-changes': '3',
    'x-amz-meta-this-update': String(last),
    'x-amz-meta-next-update': '1800000000000',
    'x-amz-meta-mac': 'abc',
  });
  const { headers: own, body } = s3.objects.get(key('aia/default.cer')) ?? assert.fail();
  assert.deepEqual([own['content-type'], [...body]], ['application/pkix-cert', [1, 2, 3]]);
  assert.equal(own['cache-control'], 'public, max-age=86400');
});

describe('in a service', () => {
  async function service() {
    const { files, key } = bucket();
    const lab = await makeLab({ crls: files });
    const issuer = await lab.deps.cas.issuer('default');
    const object = key('crl/default.crl');
    const there = () => s3.objects.get(object) ?? assert.fail('no CRL');
    return { lab, files, key, object, there, keep: () => keepCrls(lab.deps, issuer) };
  }

  test('an object that another hand has altered or deleted is replaced by the next run of upkeep', async () => {
    const { lab, files, object, there, keep } = await service();
    const good = there();
    const [{ number }] = await keep();
    assert.equal(there(), good, 'a good one stays');
    const flipped = Buffer.from(good.body);
    flipped[flipped.length - 9] = (flipped[flipped.length - 9] ?? 0) ^ 1;
    const meta = (more: object) => ({ body: good.body, headers: { ...good.headers, ...more } });
    const cases = {
      'another octet': { ...good, body: flipped },
      'cut short': { ...good, body: good.body.subarray(0, 200) },
      'no CRL at all': { ...good, body: Buffer.from('hello') },
      'a number of its own': meta({ 'x-amz-meta-number': '9000' }),
      'no number': meta({ 'x-amz-meta-number': 'nine' }),
      'another count of changes': meta({ 'x-amz-meta-changes': '77' }),
      'another MAC': meta({ 'x-amz-meta-mac': 'ab' }),
      'no metadata': { body: good.body, headers: { etag: good.headers.etag ?? '' } },
      deleted: undefined,
      'an older one': good,
    };
    let before = number;
    for (const [what, altered] of Object.entries(cases)) {
      s3.objects.delete(object);
      if (altered) s3.objects.set(object, altered);
      const [crl] = await keep();
      assert.ok(crl.number > before, `${what}: ${crl.number} after ${before}`);
      assert.equal(there().headers['x-amz-meta-number'], String(crl.number), what);
      before = crl.number;
    }
    s3.objects.set(object, good);
    const { cas, macKeys, log } = lab.deps;
    const crls = new GuardedCrls(files, { keyOf: (id) => cas.publicKey(id), macKeys, log });
    const fresh = { ...lab.deps, crls, served: new ServedCrls() };
    const [found] = await keepCrls(fresh, await cas.issuer('default'));
    assert.equal(found.number, number, 'an instance that has seen none takes what it finds');
  });

  test('through an outage of the bucket the last good one is given out from memory no longer than seconds, then 503', async () => {
    const { lab } = await service();
    assert.equal((await lab.fetch('/crl/default.crl')).status, 200);
    s3.arm(() => 'forbidden');
    assert.equal((await lab.fetch('/crl/default.crl')).status, 200);
    lab.clock.at += 60_000;
    assert.equal((await lab.fetch('/crl/default.crl')).status, 503);
    s3.arm();
    assert.equal((await lab.fetch('/crl/default.crl')).status, 200);
  });

  test('upkeep puts the certificate of the CA, and again when it is another or gone', async () => {
    const { lab, files, key } = await service();
    const deps = { ...lab.deps, issuerFiles: files };
    const job = jobsOf(deps).find(({ name }) => name === 'crl default') ?? assert.fail();
    const certificate = (await lab.deps.cas.issuer('default')).certificate.der;
    const object = key('aia/default.cer');
    await job.run();
    assert.deepEqual(new Uint8Array(s3.objects.get(object)?.body ?? []), certificate);
    s3.arm();
    await job.run();
    assert.ok(!s3.calls.includes('PUT'), 'it is there');
    s3.objects.set(object, { headers: {}, body: Buffer.from('other') });
    await job.run();
    assert.deepEqual(new Uint8Array(s3.objects.get(object)?.body ?? []), certificate);
    s3.objects.delete(object);
    await job.run();
    assert.ok(s3.objects.has(object));
  });
});
