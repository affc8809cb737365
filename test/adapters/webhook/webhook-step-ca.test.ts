// What a real step-ca has posted to its webhooks (test/support/make-webhook-vectors.ts), and what we post for the same
// requests and certificates: member by member the same.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Post } from '../../../lib/adapters/webhook/send.ts';
import { makeWebhook } from '../../../lib/adapters/webhook/webhook.ts';
import { fromBase64, fromUtf8, hex, utf8 } from '../../../lib/base/bytes.ts';
import { hmacSha256 } from '../../../lib/crypto/native.ts';
import { vectorText } from '../../support/vectors.ts';

type Recorded = { readonly headers: Record<string, string>; readonly body: string };
type Vectors = {
  readonly secret: string;
  readonly token: string;
  readonly vectors: Record<string, readonly Recorded[]>;
};

const { secret, token, vectors }: Vectors = JSON.parse(vectorText('webhook/step-ca.json'));
const hookId = '8509cf3b-c657-4f69-bf78-636be7cd91fc';

/** What we post when asked the same. */
async function posted({ body, headers }: Recorded): Promise<Post> {
  const theirs = JSON.parse(body);
  const posts: Post[] = [];
  const hook = makeWebhook(
    {
      ...{ id: 'hook', style: 'stepca', url: 'https://hooks.example.com/scep', hookId, secret },
      ...{ bearer: token, networks: [], notify: true },
    },
    {
      clock: { now: () => Date.parse(theirs.timestamp), sleep: async () => {} },
      limit: () => new AbortController().signal,
      send: async (post) => {
        posts.push(post);
        return { status: 200, body: utf8('{"allow":true}') };
      },
    },
  );
  const request = {
    requestHash: headers['x-request-id'] ?? '',
    endpoint: theirs.provisionerName ?? 'devices',
    transactionID: theirs.scepTransactionID,
    csr: fromBase64(theirs.x509CertificateRequest.raw),
    until: Number.POSITIVE_INFINITY,
  };
  if (theirs.x509Certificate) {
    const certificate = fromBase64(theirs.x509Certificate.raw);
    assert.equal(await hook.notify?.({ ...request, serial: '01', certificate }), 'release');
  } else if (theirs.scepErrorDescription) {
    const text = theirs.scepErrorDescription;
    await hook.refused?.({ ...request, reason: 'badChallenge' as never, text });
  } else {
    assert.deepEqual(await hook.validate(request), { allow: true });
  }
  const [post] = posts;
  assert.ok(post && posts.length === 1);
  return post;
}

describe('webhooks of style stepca', () => {
  const kinds = { asked: 0, issued: 0, refused: 0 };
  for (const [name, recorded] of Object.entries(vectors)) {
    for (const [at, one] of recorded.entries()) {
      test(`${name}, post ${at + 1}: the body is step-ca's, member by member`, async () => {
        const theirs = JSON.parse(one.body);
        const post = await posted(one);
        const ours = JSON.parse(fromUtf8(post.body));
        // Its time has nanoseconds.
        theirs.timestamp = new Date(theirs.timestamp).toISOString();
        assert.deepEqual(ours, theirs);
        kinds[
          theirs.x509Certificate ? 'issued' : theirs.scepErrorDescription ? 'refused' : 'asked'
        ]++;
      });

      test(`${name}, post ${at + 1}: the headers are step-ca's`, async () => {
        const sent = await posted(one);
        const lower = Object.fromEntries(
          Object.entries(sent.headers).map(([header, value]) => [header.toLowerCase(), value]),
        );
        // What Go's client adds by itself; and it says no type.
        const { host, 'user-agent': _, 'content-length': __, ...theirs } = one.headers;
        const { 'content-type': type, ...ours } = lower;
        assert.equal(type, 'application/json');
        assert.deepEqual(Object.keys(ours).sort(), Object.keys(theirs).filter(isSent).sort());
        for (const same of ['x-smallstep-webhook-id', 'authorization', 'x-request-id']) {
          assert.equal(ours[same], theirs[same], same);
        }
        const sign = (body: Uint8Array) => hex(hmacSha256(fromBase64(secret), body));
        assert.equal(sign(utf8(one.body)), theirs['x-smallstep-signature']);
        assert.equal(sign(sent.body), ours['x-smallstep-signature']);
      });
    }
  }

  test('of each kind of post some are recorded', () => {
    assert.deepEqual(kinds, { asked: 4, issued: 3, refused: 1 });
  });
});

const isSent = (header: string): boolean => header !== 'accept-encoding';
