// Two CAs and three endpoints in one deployment, over one store: nothing that one of them gave out
// authorizes anything at another, and nothing that one knows is told at another.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tag } from '../../../lib/asn1/reader.ts';
import { integer, sequence, tlv } from '../../../lib/asn1/writer.ts';
import { equal } from '../../../lib/base/bytes.ts';
import { readCaCertificates } from '../../../lib/protocol/scep/client/client.ts';
import { type Certificate, readCertificate } from '../../../lib/x509/certificate.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { deviceKey } from '../../support/keys.ts';
import { type Lab, makeLab } from '../../support/lab.ts';
import { type EnrolOptions, enrolment, seal } from '../../support/messages.ts';

// default and sister share a CA; stranger has its own, under the very same name.
const lab = await makeLab({
  config: {
    cas: {
      default: { subject: 'CN=Same Name', key: 'ec:P-256' },
      second: { subject: 'CN=Same Name', key: 'ec:P-256' },
    },
    endpoints: {
      default: { ca: 'default' },
      sister: { ca: 'default', approval: 'always' },
      stranger: { ca: 'second', approval: 'always' },
      elsewhere: { ca: 'second' },
    },
  },
});
const second: Lab = {
  ...lab,
  announced: readCaCertificates((await lab.deps.cas.of('second')).bag),
};

/** @param to the endpoint that it is sent to, and for whose CA it is sealed */
async function ask(to: string, options: EnrolOptions) {
  const from = to === 'default' || to === 'sister' ? lab : second;
  const sent = await enrolment(from, options);
  return sent.read(await lab.operate(sent.message, `/scep/${to}`));
}

async function refusal(to: string, options: EnrolOptions): Promise<string> {
  const answer = await ask(to, options);
  assert.ok(answer.pkiStatus === 'FAILURE', `${answer.pkiStatus} at ${to}`);
  return (answer.text ?? '').slice(0, 8);
}

async function enrolled(to: 'default' | 'elsewhere', name: string) {
  const key = await deviceKey(name);
  const challenge = await lab.challenge({ endpoint: to });
  const answer = await ask(to, { key, challenge });
  assert.ok(answer.pkiStatus === 'SUCCESS');
  return { key, certificate: readCertificate(answer.certificates[0] ?? new Uint8Array(0)) };
}

const wanted = ({ issuer, serial }: Certificate) => sequence(issuer, tlv(tag.integer, serial));
const others = ['sister', 'stranger', 'elsewhere'];

describe('isolation', () => {
  test('a challenge of one endpoint is unknown at every other, and is not counted down there', async () => {
    const challenge = await lab.challenge({ uses: 1 });
    for (const to of others) assert.equal(await refusal(to, { challenge }), 'SCEP-302', to);
    assert.equal((await ask('default', { challenge })).pkiStatus, 'SUCCESS');
  });

  test('a message that is sealed for the RA of another CA is not opened', async () => {
    const { ra } = lab.announced;
    const envelope = seal(sequence(), ra);
    assert.equal(await refusal('elsewhere', { envelope }), 'SCEP-123');
    assert.equal(await refusal('default', { envelope }), 'SCEP-201', 'it was opened here');
  });

  test('a certificate renews only where it was issued', async () => {
    const signer = await enrolled('default', 'isolation-renew');
    const { key } = signer;
    assert.equal(await refusal('sister', { key, signer }), 'SCEP-321');
    // To another CA it is a stranger, although the issuer has the same name.
    for (const to of ['stranger', 'elsewhere']) {
      assert.equal(await refusal(to, { key, signer }), 'SCEP-301', to);
    }
    assert.equal((await ask('default', { key, signer })).pkiStatus, 'SUCCESS');
  });

  test('a request that waits at one endpoint cannot be polled at another, nor approved for it', async () => {
    const key = await deviceKey('isolation-wait');
    const challenge = await lab.challenge({ endpoint: 'sister' });
    assert.equal((await ask('sister', { key, challenge })).pkiStatus, 'PENDING');
    const plaintext = sequence(lab.announced.ra.subject, parseName('CN=device-1,O=Test'));
    const poll: EnrolOptions = { key, messageType: 'CertPoll', plaintext };
    for (const to of ['default', 'stranger', 'elsewhere']) {
      assert.equal(await refusal(to, poll), 'SCEP-501', to);
    }
    const headers = { authorization: `Bearer ${lab.adminToken}` };
    const list = async (endpoint: string) => {
      const path = `/api/v1/transactions?endpoint=${endpoint}&state=pending`;
      const { transactions } = (await (await lab.fetch(path, { headers })).json()) as {
        transactions: { id: string }[];
      };
      return transactions;
    };
    assert.deepEqual(await list('stranger'), []);
    const [waiting] = await list('sister');
    const path = `/api/v1/transactions/${waiting?.id}/approve`;
    assert.equal((await lab.fetch(path, { method: 'POST', headers, body: '{}' })).status, 200);
    // The same request at the other endpoint that asks approvers is another one.
    const there = await lab.challenge({ endpoint: 'stranger' });
    assert.equal((await ask('stranger', { key, challenge: there })).pkiStatus, 'PENDING');
    assert.equal((await ask('sister', poll)).pkiStatus, 'SUCCESS');
  });

  test('GetCert tells holders of an endpoint about that endpoint only', async () => {
    const here = await enrolled('default', 'isolation-here');
    const there = await enrolled('elsewhere', 'isolation-there');
    const get = (signer: typeof here, certificate: Certificate): EnrolOptions => ({
      messageType: 'GetCert',
      plaintext: wanted(certificate),
      key: signer.key,
      signer,
    });
    const own = await ask('default', get(here, here.certificate));
    assert.ok(own.pkiStatus === 'SUCCESS');
    assert.ok(equal(own.certificates[0] ?? new Uint8Array(0), here.certificate.der));
    assert.equal(await refusal('default', get(here, there.certificate)), 'SCEP-502');
    const before = lab.calls.length;
    assert.equal(await refusal('default', get(there, here.certificate)), 'SCEP-502');
    assert.equal(await refusal('sister', get(here, here.certificate)), 'SCEP-502');
    assert.ok(!lab.calls.slice(before).some((call) => call.startsWith('raKeys')));
    const nothing = { ...here.certificate, serial: integer(1) };
    assert.equal(await refusal('default', get(here, nothing)), 'SCEP-502');
  });

  test('one key may be certified by both CAs, for other names', async () => {
    const key = await deviceKey('isolation-key');
    for (const [to, subject] of [
      ['default', 'CN=one'],
      ['elsewhere', 'CN=two'],
    ] as const) {
      const challenge = await lab.challenge({ endpoint: to });
      assert.equal((await ask(to, { key, challenge, subject })).pkiStatus, 'SUCCESS');
    }
  });
});
