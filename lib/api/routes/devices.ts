// Device lists: which names a device may have. Imported in pages, listed, and removed one by one.

import * as z from 'zod/mini';
import { MAX_IMPORTED, MAX_NAMES } from '../../base/limits.ts';
import { deviceStates } from '../../base/words.ts';
import { patterns } from '../../config/profile.ts';
import { described, id } from '../../config/schema.ts';
import type { Routes } from '../route.ts';
import { answer, author, body, page, time, turn } from '../schemas.ts';

const identifierText = 'must be 1 to 128 visible characters';
const identifier = z
  .string()
  .check(z.regex(/^(?! )[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,128}(?<! )$/u, identifierText));
const names = (text: string) =>
  described(
    text,
    z.optional(
      z
        .array(z.string().check(z.maxLength(256, 'must be at most 256 characters')))
        .check(z.maxLength(MAX_NAMES, `must hold at most ${MAX_NAMES} names`)),
    ),
  );

const listName = described('name of the device list', id);

const row = z.strictObject({
  serial: described('serial number of the hardware', z.optional(identifier)),
  udid: described('UDID, as Apple has it', z.optional(identifier)),
  mac: described('MAC address, written in any way', z.optional(identifier)),
  name: described(
    'other names by which it may be found, such as its host name',
    z.optional(z.array(identifier).check(z.maxLength(8, 'must hold at most 8'))),
  ),
  subject: described(
    'the only subject it may have, RFC 4514',
    z.optional(z.string().check(z.maxLength(1024))),
  ),
  subjectPattern: described(
    'instead of a subject: attribute types that it must have, and patterns of which each value must match one',
    z.optional(z.record(z.string(), patterns)),
  ),
  san: names('TYPE:VALUE of the subjectAltNames that its certificate gets'),
  sanPattern: names('TYPE:PATTERN of subjectAltNames that its request may ask for'),
  owner: described('whose it is, for people', z.optional(identifier)),
});

const imported = body(
  'ImportedDevices',
  z.strictObject({
    list: listName,
    rows: described(
      'at most 500',
      z
        .array(row)
        .check(z.minLength(1), z.maxLength(MAX_IMPORTED, `must hold at most ${MAX_IMPORTED}`)),
    ),
    restore: described(
      'take devices in again that were removed, or whose records another hand has changed',
      z._default(z.boolean(), false),
    ),
    dryRun: described('say what would be done, and do nothing', z._default(z.boolean(), false)),
  }),
);

const device = answer(
  'Device',
  z.strictObject({
    list: z.string(),
    id: described('the first of its identifiers', z.string()),
    state: described(
      'invalid: its record was changed by another hand, or is an older one; it allows nothing',
      z.enum(deviceStates),
    ),
    serial: z.optional(z.string()),
    udid: z.optional(z.string()),
    mac: z.optional(z.string()),
    name: z.array(z.string()),
    subject: z.optional(z.string()),
    subjectPattern: z.optional(z.record(z.string(), z.array(z.string()))),
    san: z.array(z.string()),
    sanPattern: z.array(z.string()),
    owner: z.optional(z.string()),
    importedAt: time,
    importedBy: z.strictObject(author),
    removedAt: z.optional(time),
    removedBy: z.optional(z.strictObject(author)),
  }),
);

const one = z.strictObject({ id: described('any of its identifiers', identifier) });
const inList = { list: z._default(listName, 'default') };

export const deviceRoutes = {
  'POST /devices': {
    noun: 'device',
    roles: ['challenger'],
    summary:
      'Import rows into a device list: new ones and other ones are written, the same are left',
    body: imported,
    answer: answer(
      'DeviceImport',
      z.strictObject({
        results: described(
          'of each row; removed: it was removed by a person, and stays so',
          z.array(z.enum(['added', 'changed', 'unchanged', 'removed'])),
        ),
      }),
    ),
  },
  'GET /devices': {
    noun: 'device',
    roles: ['challenger', 'auditor'],
    summary: 'Devices of a list, by their ids',
    query: z.strictObject({ ...inList, ...turn }),
    answer: page('Devices', 'devices', device),
  },
  'GET /devices/{id}': {
    noun: 'device',
    roles: ['challenger', 'auditor'],
    summary: 'One device of a list, by any of its identifiers',
    params: one,
    query: z.strictObject(inList),
    answer: device,
  },
  'DELETE /devices/{id}': {
    noun: 'device',
    roles: ['challenger'],
    summary: 'Remove a device from a list: it is refused from now on, and stays on record',
    params: one,
    query: z.strictObject({
      ...inList,
      reason: described('why, for the record', z.optional(z.string().check(z.maxLength(256)))),
    }),
    answer: device,
  },
} as const satisfies Routes;
