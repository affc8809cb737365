// What a request's target reaches: dot segments reach nothing in any spelling, and with `adminHost` the
// admin API answers at one Host only.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { checkConfig } from '../../lib/config/config.ts';
import { makeApp } from '../../lib/http/app.ts';
import type { Connection } from '../../lib/http/client.ts';
import { requestOf } from '../../lib/http/lambda-event.ts';
import { hasDotSegment } from '../../lib/http/target.ts';
import { makeLab } from '../support/lab.ts';
import { forms, toEvent } from '../support/lambda-ingress.ts';

const lab = await makeLab();
const app = makeApp(lab.deps);
const token = { Authorization: `Bearer ${lab.adminToken}` };

/** Targets that some proxy takes for one below /scep, and some URL for another. */
const detours = [
  '/scep/../api/v1/status',
  '/scep/x/../../api/v1/status',
  '/scep/./status',
  '/scep/..',
  '/scep/.',
  '/scep/%2e%2e/api/v1/status',
  '/scep/%2E./api/v1/status',
  '/scep/.%2e/api/v1/status',
  '/scep/%2e%2e%2fapi/v1/status',
  '/scep%2f..%2fapi/v1/status',
  '/scep/..%2Fapi%2Fv1%2Fstatus',
  '/scep/..%5capi/v1/status',
  '/scep/%2e%2e%5Capi/v1/status',
  '/scep/%252e%252e/api/v1/status',
  '/scep/%252e%252e%252fapi/v1/status',
  '/scep/%25252e%25252e/api/v1/status',
  '/scep/%2525252525252e/api/v1/status',
  '/scep/..;/api/v1/status',
  '/scep/..;a=b/api/v1/status',
  '/scep/.%09./api/v1/status',
  '/scep/%0a../api/v1/status',
  '/scep/..%20/api/v1/status',
  '//scep/../api/v1/status',
  '/crl/../api/v1/status',
  '/../api/v1/status',
  '/api/../api/v1/status',
  '/api/v1/./status',
];

describe('RFC 3986 §5.2.4: a path with dot segments', () => {
  const refused = async (response: Response, what: string) => {
    assert.equal(response.status, 400, what);
    const said = await response.text();
    assert.ok(!said.includes('"store"'), `${what}: ${said}`);
  };

  for (const target of detours) {
    test(`${target} is refused by Node's server and by each event of Lambda`, async () => {
      const get = (request: Request, connection: Connection) => app.fetch(request, connection);
      const url = `http://scep.test${target}`;
      await refused(await get(new Request(url, { headers: token }), { path: target }), target);
      for (const form of forms) {
        const headers = Object.entries(token);
        const event = toEvent(form, { method: 'GET', target, headers });
        const { request, connection } = requestOf(event);
        await refused(await get(request, connection), `${form} ${target}`);
      }
    });
  }

  test('a path with dot segments is refused where only the Request has it, as in a Worker', async () => {
    for (const target of ['/scep/..%2fapi/v1/status', '/scep/%252e%252e/api/v1/status']) {
      await refused(await lab.fetch(target, { headers: token }), target);
    }
  });

  test('a dot segment is recognized in any spelling: escaped any number of times, in any case, with either slash', () => {
    const escaped = (text: string, times: number, upper: boolean): string => {
      if (times === 0) return text;
      const digits = [...text].map((one) => one.charCodeAt(0).toString(16).padStart(2, '0'));
      const once = `%${digits.join('%')}`;
      return escaped(upper ? once.toUpperCase() : once, times - 1, upper);
    };
    const spelt = (text: string) =>
      fc
        .tuple(fc.integer({ min: 0, max: 3 }), fc.boolean())
        .map(([times, upper]) => escaped(text, times, upper));
    const slash = fc.oneof(spelt('/'), spelt('\\'));
    const dots = fc.oneof(
      spelt('.'),
      fc.tuple(spelt('.'), spelt('.')).map(([a, b]) => a + b),
    );
    const check = fc.property(slash, dots, fc.oneof(slash, fc.constant('')), (a, segment, b) => {
      assert.ok(hasDotSegment(`/scep${a}${segment}${b}${b && 'api'}`));
    });
    fc.assert(check, { numRuns: 500 });
  });

  test('a path whose segments only contain dots is served', async () => {
    for (const path of [
      '/',
      '/scep/a.b',
      '/scep/...',
      '/scep/.well-known',
      '/a..b',
      '/scep/%20',
      '',
    ]) {
      assert.ok(!hasDotSegment(path), path);
    }
    assert.equal(
      (await lab.fetch('/scep/pkiclient.exe?operation=GetCACaps&message=/../')).status,
      200,
    );
  });
});

describe('adminHost', () => {
  const at = (adminHost: string | undefined) => {
    const document = { ...lab.config.document, ...(adminHost === undefined ? {} : { adminHost }) };
    return makeApp({ ...lab.deps, config: checkConfig(document) });
  };
  const admin = ['/api/v1/status', '/openapi.json'];
  const others = ['/scep?operation=GetCACaps', '/crl/default.crl', '/aia/default.cer', '/healthz'];
  const status = async (adminHost: string | undefined, path: string, connection: Connection) => {
    const request = new Request(`http://scep.test${path}`, { headers: token });
    return (await at(adminHost).fetch(request, connection)).status;
  };

  test('the admin API answers at every Host where adminHost is absent', async () => {
    for (const path of [...admin, ...others]) {
      for (const host of ['', 'scep.test', 'x']) {
        assert.equal(await status(undefined, path, { host }), 200, `${path} ${host}`);
      }
    }
  });

  test('the admin API answers at adminHost only where it is set; devices are answered everywhere', async () => {
    const cases: readonly (readonly [string, string, boolean])[] = [
      ['admin.example.com', 'admin.example.com', true],
      ['admin.example.com', 'Admin.Example.COM.', true],
      ['admin.example.com', 'admin.example.com:8443', true],
      ['admin.example.com', 'admin.example.com:', true],
      ['admin.example.com', 'scep.example.com', false],
      ['admin.example.com', 'xadmin.example.com', false],
      ['admin.example.com', 'admin.example.com.evil.example', false],
      ['admin.example.com', 'admin.example.com, scep.example.com', false],
      ['admin.example.com', 'admin.example.com@evil', false],
      ['admin.example.com', '', false],
      ['127.0.0.1:8080', '127.0.0.1:8080', true],
      ['127.0.0.1:8080', '127.0.0.1', false],
      ['127.0.0.1:8080', '127.0.0.1:9090', false],
      ['[2001:db8::10]', '[2001:0DB8:0:0:0:0:0:10]', true],
      ['[2001:db8::10]', '[2001:db8::11]', false],
    ];
    for (const [adminHost, host, answered] of cases) {
      for (const path of admin) {
        assert.equal(
          await status(adminHost, path, { host }),
          answered ? 200 : 404,
          `${path} ${host}`,
        );
      }
      for (const path of others) assert.equal(await status(adminHost, path, { host }), 200, path);
    }
  });

  test('adminHost is compared with the Host of the URL in a Worker, where Cloudflare has routed by it', async () => {
    assert.equal(await status('scep.test', '/api/v1/status', {}), 200);
    assert.equal(await status('admin.test', '/api/v1/status', {}), 404);
  });

  test('adminHost is compared with the Host header of each Lambda event; a direct invocation needs none', async () => {
    const own = at('scep.example.com');
    const elsewhere = at('admin.example.com');
    for (const form of forms) {
      const headers = Object.entries(token);
      const event = toEvent(form, { method: 'GET', target: '/api/v1/status', headers });
      const { request, connection } = requestOf(event);
      assert.equal((await own.fetch(request.clone(), connection)).status, 200, form);
      assert.equal((await elsewhere.fetch(request, connection)).status, 404, form);
    }
    const invoked = {
      version: '2.0',
      rawPath: '/api/v1/status',
      rawQueryString: '',
      headers: token,
      requestContext: { http: { method: 'GET' } },
      isBase64Encoded: false,
    };
    const { request, connection } = requestOf(invoked);
    assert.equal((await elsewhere.fetch(request, connection)).status, 200);
  });
});
