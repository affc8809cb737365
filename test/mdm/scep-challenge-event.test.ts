// What Jamf Pro and Fleet say of a device, and what strangers may say instead.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Malformed } from '../../lib/base/errors.ts';
import { readWebhookEvent } from '../../lib/mdm/scep-challenge-event.ts';

const webhook = {
  id: 1,
  name: '',
  webhookEvent: 'SCEPChallenge',
  eventTimestamp: 1_700_000_000_000,
};
const about = {
  scepServerUrl: 'https://scep.example.com/scep',
  payloadIdentifier: 'com.example.scep',
  payloadTypes: ['com.apple.security.scep'],
};
const of = (more: object) => readWebhookEvent({ webhook, event: { ...about, ...more } });

test("Fleet's device, and Jamf's target, are the same device", () => {
  const named = { kind: 'challenge', device: { serialNumber: 'C02XL1', uuid: '6F1C-22' } };
  assert.deepEqual(of({ device: { uuid: '6F1C-22', serialNumber: 'C02XL1' } }), named);
  assert.deepEqual(of({ targetDevice: { udid: '6F1C-22', serialNumber: 'C02XL1' } }), named);
});

test('an event that names no device says so', () => {
  for (const more of [
    {},
    { device: {} },
    { device: null },
    { device: 'C02XL1' },
    { device: [{ uuid: 'x' }] },
    { device: { uuid: '', serialNumber: '' } },
    { device: { uuid: null } },
  ]) {
    assert.deepEqual(of(more), { kind: 'challenge' }, JSON.stringify(more));
  }
  assert.deepEqual(readWebhookEvent({ webhook }), { kind: 'challenge' });
});

test('other events ask for no challenge', () => {
  const other = { ...webhook, webhookEvent: 'ComputerCheckIn' };
  assert.deepEqual(readWebhookEvent({ webhook: other, event: {} }), { kind: 'other' });
});

test('what is no event, and a device with a name that stands for others or turns a line, is malformed', () => {
  for (const body of [null, 1, 'x', [], {}, { webhook: [] }, { webhook: { webhookEvent: 1 } }]) {
    assert.throws(() => readWebhookEvent(body), Malformed, JSON.stringify(body));
  }
  for (const name of [
    ...['*', 'C02*', '{uuid}', 'a\u0000b', 'a\r\nb', '\u202eLX20C', 'a\u200bb', '\ud800'],
    ...['x'.repeat(65), 1, true, {}, ['C02XL1']],
  ]) {
    for (const field of ['serialNumber', 'uuid']) {
      assert.throws(() => of({ device: { [field]: name } }), Malformed, JSON.stringify(name));
    }
  }
});
