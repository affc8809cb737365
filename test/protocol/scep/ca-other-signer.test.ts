// RFC 8894 §2.3: a first request should be signed with the key that it asks for, and some cannot: agents
// whose key is in a TPM and only signs the PKCS#10, RouterOS's temporary key, proxies that enrol for devices.
// `enrol.signer: "any"` lets them; the reply goes to whoever signed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decide } from '../../../lib/ca/approve/decide.ts';
import { type ClientKey, selfSigned } from '../../../lib/protocol/scep/client/client.ts';
import { explained } from '../../../lib/refusal/explanations.ts';
import { publicKeyOf, readCertificate } from '../../../lib/x509/certificate.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { deviceKey } from '../../support/keys.ts';
import type { LabOptions } from '../../support/lab.ts';
import { type EnrolOptions, enrolment, random } from '../../support/messages.ts';
import { got, held, refusedWith, type World, world } from '../../support/world.ts';

const any: LabOptions = { endpoint: { enrol: { authorize: ['challenge'], signer: 'any' } } };
const ec = { type: 'EC', curve: 'P-256' } as const;

/** A message for `key`, signed by another one with a certificate under a name of its own. */
async function signedBy(
  w: World,
  key: ClientKey,
  temporary: ClientKey,
  options: EnrolOptions & { readonly name?: string },
): Promise<EnrolOptions> {
  const { name = 'CN=temporary', ...rest } = options;
  const certificate = await selfSigned(temporary, parseName(name), w.lab.clock.now(), random);
  const { plaintext } = (await enrolment(w.lab, { key, ...rest })).request;
  return { ...rest, key: temporary, plaintext, signer: { key: temporary, certificate } };
}

const isFor = (der: Uint8Array<ArrayBuffer>, key: ClientKey): void =>
  assert.deepEqual(publicKeyOf(readCertificate(der))?.spki, key.spki);

describe('RFC 8894 §2.3: a message that another key has signed', () => {
  const clients: readonly (readonly [string, EnrolOptions & { readonly name?: string }])[] = [
    // fleetd: the key is in the TPM, the PKCS#10 is signed there; an RSA key of the moment signs the rest.
    ["Fleet's agent", { digest: 'SHA-256', cipher: 'AES-256', name: 'CN=fleetd' }],
    // /certificate/add-scep: "temporary key", certificate with the name of the request.
    ['RouterOS', { digest: 'SHA-256', cipher: 'AES-128', name: 'CN=device-1,O=Test' }],
    ['an old stack', { digest: 'SHA-512', transport: 'oaep-sha256', name: '' }],
  ];
  for (const [client, options] of clients) {
    for (const [kind, spec] of [['RSA', undefined] as const, ['EC', ec] as const]) {
      test(`${client}, ${kind} key in the request, RSA signer: gets its certificate where the signer may be any`, async () => {
        const w = await world(any);
        const key = await deviceKey(`of ${client}`, spec);
        const temporary = await deviceKey(`temporary of ${client}`);
        const challenge = await w.lab.challenge();
        const der = got(await w.ask(await signedBy(w, key, temporary, { ...options, challenge })));
        isFor(der, key);
        // The next one is signed with its own key, as any renewal is.
        if (spec === undefined) {
          const signer = { key, certificate: readCertificate(der) };
          got(await w.ask({ signer, key: await deviceKey('next'), messageType: 'RenewalReq' }));
        }
        w.check();
      });
    }

    test(`${client}: is refused where the signer must be the same, and the first cause that is explained says so`, async () => {
      const w = await world();
      const [key, temporary] = [await deviceKey('of it'), await deviceKey('temporary')];
      const challenge = await w.lab.challenge();
      const asked = await signedBy(w, key, temporary, { ...options, challenge });
      refusedWith('SCEP-201', await w.ask(asked));
      const [record] = w.challenges();
      assert.deepEqual([record?.usesLeft, record?.failures], [1, 0]);
      const { rule, means, change } = explained('envelopeRejected');
      assert.match(rule, /^endpoints\.<endpoint>\.enrol\.signer/);
      assert.match(means, /^Either the message is signed with another key than the one/);
      assert.match(change, /"signer": "any"/);
    });
  }

  test('a proxy that holds a certificate of this CA enrols for devices with other names, one after the other', async () => {
    const w = await world(any);
    const proxy = await held(w, await deviceKey('proxy'), 'CN=proxy,O=Test');
    for (const [i, spec] of [undefined, ec, undefined].entries()) {
      const key = await deviceKey(`behind the proxy ${i}`, spec);
      const subject = `CN=device-${i},O=Test`;
      const names = [`dns:device-${i}.example`];
      const challenge = await w.lab.challenge({ subject, names });
      const { plaintext } = (await enrolment(w.lab, { key, subject, challenge })).request;
      const der = got(await w.ask({ signer: proxy, key: proxy.key, plaintext }));
      isFor(der, key);
    }
    w.check();
  });

  test('a proxy gets nothing for other devices where the signer must be the same', async () => {
    const w = await world();
    const proxy = await held(w, await deviceKey('proxy'), 'CN=proxy,O=Test');
    const challenge = await w.lab.challenge();
    const { plaintext } = (await enrolment(w.lab, { challenge })).request;
    refusedWith('SCEP-325', await w.ask({ signer: proxy, key: proxy.key, plaintext }));
  });

  test('whoever signed polls, and gets the reply', async () => {
    const w = await world({ endpoint: { ...any.endpoint, approval: 'always' } });
    const [key, temporary] = [await deviceKey('waits', ec), await deviceKey('polls')];
    const challenge = await w.lab.challenge();
    const asked = await signedBy(w, key, temporary, { challenge, transactionID: 'waits' });
    assert.equal((await w.ask(asked)).pkiStatus, 'PENDING');
    const [transaction] = w.transactions();
    await decide(w.lab.deps, transaction?.id ?? '', 'approved', { by: 'somebody' });
    isFor(got(await w.poll({ key: temporary, transactionID: 'waits' })), key);
  });

  test('a request that its own key has not signed is refused, whoever signed the message', async () => {
    const w = await world(any);
    const [key, temporary] = [await deviceKey('of it'), await deviceKey('temporary')];
    const challenge = await w.lab.challenge();
    const asked = await signedBy(w, key, temporary, { challenge });
    const bent = asked.plaintext?.slice() ?? assert.fail();
    bent[bent.length - 1] = (bent.at(-1) ?? 0) ^ 1;
    refusedWith('SCEP-201', await w.ask({ ...asked, plaintext: bent }));
  });

  test('another certificate than RSA, of another key: the reply is keyed by the challenge', async () => {
    const w = await world(any);
    const [key, temporary] = [await deviceKey('of it'), await deviceKey('temporary', ec)];
    const challenge = await w.lab.challenge();
    isFor(got(await w.ask(await signedBy(w, key, temporary, { challenge }))), key);
  });
});
