// Device lists: imported in pages, listed, and removed one by one.

import type { deviceRoutes } from '../../api/routes/devices.ts';
import { HttpFailure } from '../../base/errors.ts';
import { iso } from '../../base/text.ts';
import type { Deps } from '../../ca/deps.ts';
import {
  findDevice,
  type ListedDevice,
  listDevices,
  removeDevice,
} from '../../ca/devices/device-list.ts';
import { importRows, UnusableRows } from '../../ca/devices/import.ts';
import { deviceKey } from '../../ports/records/places.ts';
import { absent, toldOf } from '../absent.ts';
import type { HandlersOf } from '../admin/handlers.ts';
import { turnOf } from '../request.ts';

function shown({ identifiers, allows, removed, ...record }: ListedDevice) {
  const { names = [], ...ids } = identifiers;
  const { names: san, namePatterns: sanPattern = [], ...subject } = allows;
  const { at, ...by } = removed ?? { at: 0, by: '' };
  return {
    ...{ list: record.list, id: record.id, state: record.state },
    ...{ ...ids, name: names, ...subject, san, sanPattern },
    ...(record.owner === undefined ? {} : { owner: record.owner }),
    ...{ importedAt: iso(record.at), importedBy: record.by },
    ...(removed ? { removedAt: iso(at), removedBy: by } : {}),
  };
}

export const deviceHandlers: HandlersOf<typeof deviceRoutes> = {
  async 'POST /devices'(deps, { actor, body }) {
    try {
      return { results: await importRows(deps, { ...body, actor }) };
    } catch (error) {
      if (!(error instanceof UnusableRows)) throw error;
      const said = error.faults.map(({ row, field, said }) =>
        field === undefined ? `rows.${row}: ${said}` : `rows.${row}.${field}: ${said}`,
      );
      throw new HttpFailure(422, said.join('; '));
    }
  },
  async 'GET /devices'(deps, { path, query }) {
    const { turn, filters, nextOf } = turnOf(path, query);
    const { devices, next, altered } = await listDevices(deps, filters.list, turn);
    return { devices: devices.map(shown), next: nextOf(next), ...toldOf(altered) };
  },
  async 'GET /devices/{id}'(deps, { params: { id }, query: { list } }) {
    return existing(deps, list, id, await findDevice(deps, list, id));
  },
  async 'DELETE /devices/{id}'(deps, { actor, params: { id }, query: { list, reason } }) {
    return existing(deps, list, id, await removeDevice(deps, list, id, { actor, reason }));
  },
};

async function existing(deps: Deps, list: string, id: string, found: ListedDevice | undefined) {
  const remedy = 'import it with "scepter devices import --restore"';
  const record = { kind: 'device', key: deviceKey(list, id) } as const;
  return shown(found ?? (await absent(deps, record, remedy)));
}
