// Which certificates evidence is asked for: one, by its serial number or the beginning of it, or all of a device.

import { deviceOf } from '../../ports/records/places.ts';
import { paramsOf } from '../certificate/which.ts';
import { CliError, type Io } from '../io.ts';
import { pagesOf } from '../pages.ts';
import { counted } from '../text.ts';

export type WantedCertificate = { readonly ca: string; readonly serial: string };

/** @throws {CliError} notFound; usage, where it is both a device and the beginning of a serial number */
export async function certificatesWanted(
  io: Io,
  given: string,
  ca: string | undefined,
): Promise<readonly WantedCertificate[]> {
  const ofDevice = await deviceCertificates(io, given, ca);
  const isHex = /^[0-9a-f:]{2,}$/i.test(given);
  const one = isHex
    ? await paramsOf(io, given, ca).catch((error: unknown) => {
        if (error instanceof CliError && error.exit === 'notFound') return undefined;
        throw error;
      })
    : undefined;
  if (one && ofDevice.length > 0) {
    throw new CliError(
      'usage',
      `${given} is a device, and begins the serial number ${one.serial}: give that as a whole, or those of the device ("cert list --device")`,
    );
  }
  const found = one ? [one] : ofDevice;
  if (found.length > 0) return found;
  throw new CliError(
    'notFound',
    `no certificate has the serial number ${given}, and none was issued to a device of this name: "cert list --search" finds it by what it is called`,
  );
}

/** Of a device by its whole name: its first subjectAltName, or else its common name. Oldest first. */
async function deviceCertificates(
  io: Io,
  device: string,
  ca: string | undefined,
): Promise<readonly WantedCertificate[]> {
  const query = { device };
  const listing = { name: 'GET /transactions', noun: 'transactions', query } as const;
  const { items } = await pagesOf(io, listing, { limit: 20, all: true });
  const own = items.filter((one) => deviceOf(one).toLowerCase() === device.toLowerCase());
  const found = own.flatMap(({ ca: of, serial, timeline, createdAt }) =>
    serial !== undefined &&
    timeline.some(({ state }) => state === 'issued') &&
    (ca === undefined || of === ca)
      ? [{ ca: of, serial, createdAt }]
      : [],
  );
  if (own.length > 0 && found.length === 0) {
    const asked = counted(own.length, 'request');
    throw new CliError(
      'notFound',
      `no certificate came of ${asked} of ${device}: "txn list --device" shows them`,
    );
  }
  return found
    .sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1))
    .map(({ ca: of, serial }) => ({ ca: of, serial }));
}
