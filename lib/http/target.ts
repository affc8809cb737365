// The path of a request as it was sent, and its Host. A path with dot segments, in any spelling, is refused,
// because its readers disagree: a proxy that lets only /scep through sees one path, and a URL made from it
// has another. RFC 3986 §5.2.4, §6.2.2.3; RFC 9112 §3.2.

import type { Context } from 'hono';
import { HttpFailure } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import { normalIp } from '../x509/names/general-name.ts';
import type { Connection } from './client.ts';

/** The path of an absolute URL, undecoded: no route here has escaped characters. */
export function pathOf(url: string): string {
  return /^[a-z]+:\/\/[^/?#]*([^?#]*)/i.exec(url)?.[1] || '/';
}

/** How often an escape may itself be escaped; no path of the service needs more. */
const MAX_ESCAPES = 4;

/**
 * Whether a path has a segment `.` or `..`, however it is written: escaped, escaped again, between
 * backslashes, with parameters (`..;x`) or characters that a URL leaves out.
 * @param path as it was sent
 */
export function hasDotSegment(path: string): boolean {
  let text = path;
  for (let i = 0; i < MAX_ESCAPES && /%[0-9a-f]{2}/i.test(text); i++) {
    text = text.replace(/%([0-7][0-9a-f])/gi, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    );
  }
  return (
    /%25/.test(text) ||
    text
      .replace(/[^\x21-\x7e]/g, '')
      .split(/[/\\]/)
      .some(isDots)
  );
}

const isDots = (segment: string): boolean => /^\.\.?(?:;|$)/.test(segment);

/** @throws {HttpFailure} 400 for a path that others may read as another one */
export function checkPath(c: Context): void {
  const { path }: Connection = c.env ?? {};
  for (const one of [path, pathOf(c.req.raw.url)]) {
    if (one !== undefined && hasDotSegment(one))
      throw new HttpFailure(400, 'a path with dot segments');
  }
}

type Host = { readonly name: string; readonly port: string };

/** Name and port of a Host header or of the setting; undefined if the text has no such form. */
function parseHost(text: string): Host | undefined {
  const [, v6, dns = '', port = ''] =
    /^(?:\[([0-9a-f:.]+)\]|([a-z0-9](?:[a-z0-9._-]*[a-z0-9_-])?)\.?)(?::(\d*))?$/.exec(
      text.toLowerCase(),
    ) ?? [];
  const name = v6 === undefined ? dns : (normalIp(v6) ?? '');
  return name === '' ? undefined : { name, port };
}

/** @throws {HttpFailure} 404 at any Host but `adminHost`, where there is one */
export function checkAdminHost({ adminHost }: Pick<Config, 'adminHost'>, c: Context): void {
  const { host, invoked = false }: Connection = c.env ?? {};
  // A direct invocation has been authenticated by AWS, and came through no proxy that reads paths.
  if (adminHost === undefined || invoked) return;
  const wanted = parseHost(adminHost);
  const asked = parseHost(host ?? new URL(c.req.raw.url).host);
  const same =
    wanted !== undefined &&
    asked?.name === wanted.name &&
    (wanted.port === '' || asked.port === wanted.port);
  if (!same) throw new HttpFailure(404, 'no such path');
}

/** For devices and relying parties: only such paths may be asked for over plain http. */
export const isForDevices = (path: string): boolean =>
  /^\/+(?:scep|cgi-bin|certsrv\/+mscep|crl|aia|healthz|readyz)(?:\/|$)/i.test(path);
