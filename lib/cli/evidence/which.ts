// Which certificates evidence is asked for: one, by its serial number or the beginning of it, or all of a device.

import type { AnswerTo } from '../../api/api.ts';
import { attributeTypes } from '../../asn1/oids.ts';
import { type Name, nameOf, parseName } from '../../x509/names/name.ts';
import { paramsOf } from '../certificate/which.ts';
import { CliError, type Io } from '../io.ts';
import { pagesOf, requireUnaltered } from '../pages.ts';
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
    `no certificate has the serial number ${given}, and none was issued to a device of this name or serial number: "cert list --search" finds it by a part of what it is called`,
  );
}

/** Whether that is a whole subjectAltName, common name or serial number (X.520 §6.2.9) of the device that asked. */
function isOf(device: string, { names, subject }: Pick<Asked, 'names' | 'subject'>): boolean {
  const { commonName, serialNumber } = attributeTypes;
  const attributes = attributesIn(subject);
  const called = [
    ...names.map((name) => name.slice(name.indexOf(':') + 1)),
    ...attributes.flatMap(({ type, value = '' }) =>
      type === commonName || type === serialNumber ? [value] : [],
    ),
  ];
  return called.some((one) => one.toLowerCase() === device.toLowerCase());
}

/** Of a refused request, a long subject is cut off anywhere. */
function attributesIn(subject: string): Name[number] {
  try {
    return nameOf(parseName(subject)).flat();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return [];
  }
}

type Asked = AnswerTo<'GET /transactions'>['transactions'][number];

/** Of a device, oldest first: by its first name at once, by any of what it is called once that was indexed. */
async function deviceCertificates(
  io: Io,
  device: string,
  ca: string | undefined,
): Promise<readonly WantedCertificate[]> {
  const own = new Map<string, Asked>();
  const none = { items: [], altered: [] };
  for (const query of [{ device }, { search: device }]) {
    const listing = { name: 'GET /transactions', noun: 'transactions', query } as const;
    const { items, altered } = await pagesOf(io, listing, { limit: 20, all: true }).catch(
      (error: unknown) => {
        // Not every name is one that can be searched for.
        if (error instanceof CliError && error.exit === 'usage' && 'search' in query) return none;
        throw error;
      },
    );
    requireUnaltered(io, altered);
    for (const one of items) if (isOf(device, one)) own.set(one.id, one);
  }
  const found = [...own.values()].flatMap(({ ca: of, serial, timeline, createdAt }) =>
    serial !== undefined &&
    timeline.some(({ state }) => state === 'issued') &&
    (ca === undefined || of === ca)
      ? [{ ca: of, serial, createdAt }]
      : [],
  );
  if (own.size > 0 && found.length === 0) {
    const asked = counted(own.size, 'request');
    throw new CliError(
      'notFound',
      `no certificate came of ${asked} of ${device}: "txn list --search" shows them`,
    );
  }
  return found
    .sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1))
    .map(({ ca: of, serial }) => ({ ca: of, serial }));
}
