// What a process may do is a type: what it may not do does not compile, because what it would need for that is
// not in its dependencies. `npm run check` reads this file; each line that it expects to fail, fails.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdminDeps, Deps, EnrolDeps, PublishDeps, ServerDeps } from '../../../lib/ca/deps.ts';
import type { enrol } from '../../../lib/ca/enrol/enrol.ts';
import type { keepCrls } from '../../../lib/ca/revoke/publish-crl.ts';
import { makeLab } from '../../support/lab.ts';

type Enrols = Parameters<typeof enrol>[0];
type Publishes = Parameters<typeof keepCrls>[0];

test('a process that administers has nothing to sign with, one that publishes nothing to enrol with', async () => {
  const server: ServerDeps & EnrolDeps & PublishDeps = (await makeLab()).deps;
  const all: [Enrols, Publishes, AdminDeps] = [server, server, { ...server, keys: server }];
  assert.equal(all.length, 3);
  const administers: Deps = server;
  const publishes: PublishDeps = server;
  // @ts-expect-error it has no signer
  const enrolling: Enrols = administers;
  // @ts-expect-error it has no signer of CRLs
  const publishing: Publishes = administers;
  // @ts-expect-error its signer is for CRLs
  const enrollingToo: Enrols = publishes;
  // @ts-expect-error it opens no key of an RA
  const answering: ServerDeps = publishes;
  // @ts-expect-error no CA key is made by a server
  assert.ok(server.signer.create);
  assert.ok(enrolling && publishing && enrollingToo && answering);
});
