// Devices that enrol where a webhook has the say, by SCEP, through the whole core, before a real HTTPS server.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { base64 } from '../../../lib/base/bytes.ts';
import { deviceKey } from '../../support/keys.ts';
import { enrolment } from '../../support/messages.ts';
import { withOpenssl } from '../../support/openssl.ts';
import {
  type Handler,
  hookHost,
  hookSecret,
  serverCertificate,
  startHook,
  type Taken,
} from '../../support/webhook.ts';
import { got, refusedWith, world } from '../../support/world.ts';

const says =
  (answer: (taken: { readonly event: string }) => object): Handler =>
  (response, { headers, body }: Taken) => {
    const signed = `${headers['scepter-timestamp']}.${body}`;
    const digest = createHash('sha256').update(signed).digest('hex');
    response.end(JSON.stringify({ ...answer(JSON.parse(body)), digest }));
  };

withOpenssl((openssl) =>
  describe('devices that enrol where a webhook has the say', async () => {
    const names = `DNS:${hookHost}`;
    const server = await startHook(await serverCertificate(openssl.path(''), openssl.run, names));
    after(() => server.close());
    const url = `https://${hookHost}/scep`;
    const opened = async () => {
      const w = await world({
        config: {
          validators: { hook: { kind: 'webhook', url, secret: 'env:HOOK', namesAsAsked: true } },
        },
        endpoint: { enrol: { authorize: ['hook'] } },
        validators: { hook: server.hook({ url, secret: hookSecret }) },
      });
      server.clock.at = w.lab.clock.at;
      return w;
    };
    const told = () => server.taken.map(({ body }) => JSON.parse(body));

    test('a yes is a certificate with the names asked for, given out once it was told of it', async () => {
      server.answer(says(() => ({ allow: true, reason: 'in stock' })));
      const w = await opened();
      const challenge = 'of another system';
      const sent = await enrolment(w.lab, { challenge, names: ['dns:a.example.com'] });
      const der = got(await w.send(sent));
      const [asked, issued] = told();
      assert.deepEqual([asked.event, issued.event], ['validate', 'issued']);
      assert.equal(asked.challenge, challenge);
      assert.equal(asked.csr, base64(sent.request.plaintext));
      assert.equal(issued.csr, asked.csr);
      assert.equal(issued.requestHash, asked.requestHash);
      assert.equal(issued.certificate, base64(der));
      const [transaction] = w.transactions();
      assert.deepEqual(transaction?.verdicts, [
        { validator: 'hook', allows: true, says: 'in stock' },
      ]);
      // The device asks again: it has its answer, and nobody is asked.
      got(await w.send(sent));
      assert.equal(server.taken.length, 2);
      w.check();
    });

    test('a no is a refusal, with its reason on record', async () => {
      server.answer(says(() => ({ allow: false, reason: 'stolen' })));
      const w = await opened();
      refusedWith('SCEP-331', await w.ask({ challenge: 'any' }));
      assert.deepEqual(w.certificates(), []);
      const [transaction] = w.transactions();
      assert.deepEqual(transaction?.verdicts, [
        { validator: 'hook', allows: false, says: 'stolen' },
      ]);
      w.check();
    });

    test('no answer is 503, and the same request is served once there is one', async () => {
      server.answer((response) => response.writeHead(503).end());
      const w = await opened();
      const sent = await enrolment(w.lab, { challenge: 'any' });
      await assert.rejects(w.lab.operate(sent.message), /HTTP 503/);
      assert.equal(server.taken.length, 2);
      assert.deepEqual([w.certificates(), w.transactions()], [[], []]);
      server.clock.at = w.lab.clock.at;
      server.answer(says(() => ({ allow: true })));
      got(await w.send(sent));
      w.check();
    });

    test('a certificate that it holds back is revoked, and given to nobody', async () => {
      server.answer(says(({ event }) => ({ allow: event === 'validate' })));
      const w = await opened();
      const key = await deviceKey('webhook held back');
      assert.equal((await w.ask({ challenge: 'any', key })).pkiStatus, 'FAILURE');
      assert.deepEqual(
        told().map(({ event }) => event),
        ['validate', 'issued', 'refused'],
      );
      assert.deepEqual(
        w.certificates().map(({ state }) => state),
        ['revoked'],
      );
      w.check();
    });
  }),
);
