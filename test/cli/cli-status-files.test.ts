// scepter status where certificates name CRLs at an address of their own: it looks there, too.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { keepCrls } from '../../lib/ca/revoke/publish-crl.ts';
import { openTerminal } from '../support/cli.ts';
import { type Lab, makeLab } from '../support/lab.ts';

let lab: Lab | undefined;
let isThere = true;
const files = createServer(async (request, response) => {
  const found = await lab?.fetch(request.url ?? '');
  if (!isThere || found?.status !== 200) return void response.writeHead(404).end();
  response.end(Buffer.from(await found.arrayBuffer()));
});
await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', resolve));
const filesUrl = `http://127.0.0.1:${(files.address() as AddressInfo).port}`;
const made = await makeLab({ config: { filesUrl } });
lab = made;
const terminal = await openTerminal(made);
after(async () => {
  await terminal.close();
  files.closeAllConnections();
  files.close();
});

test('status looks for the certificate and the CRL of each CA at filesUrl, and fails where they are not', async () => {
  await keepCrls(made.deps, await made.deps.cas.of('default'));
  const well = await terminal.run(['status']);
  assert.equal(well.code, 0, `${well.out}${well.err}`);
  assert.ok(well.out.includes(`${filesUrl}: each CA's certificate and fresh CRL`), well.out);
  isThere = false;
  const { code, out, err } = await terminal.run(['status', '--json']);
  assert.equal(code, 1);
  assert.match(err, /1 problem: see the warnings/);
  const { warnings } = JSON.parse(out) as { warnings: string[] };
  assert.deepEqual(warnings, [`${filesUrl}/aia/default.cer: HTTP 404, and no certificate`]);
  const { out: page } = await terminal.run(['status']);
  assert.match(page, /SEE THE WARNINGS/);
});
