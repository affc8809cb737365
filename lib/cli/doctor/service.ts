// How a service of ours stands: by the operator's own credentials where its records are a table, otherwise as its
// admin API says.

import { errorText } from '../../base/errors.ts';
import { callApi } from '../api.ts';
import type { Deployed, Io } from '../io.ts';

export type ServiceFacts = {
  /** Whose AWS credentials were used, or why they are none. */
  readonly identity?: { readonly arn: string; readonly region: string } | { readonly why: string };
  /** Or why it cannot be looked at; with the problems of a configuration that is not good. */
  readonly service: ServiceSeen | { readonly why: string; readonly problems: readonly string[] };
};
export type ServiceSeen = Deployed & {
  readonly reachable: boolean;
  /** Undefined where it was not tried. */
  readonly writable: boolean | undefined;
  /** What its clock says; undefined where it has none of its own. */
  readonly time: number | undefined;
};

/** @throws {CliError} where the server cannot be asked */
export async function serviceFacts(io: Io): Promise<ServiceFacts> {
  const deployment = await io.deployment?.();
  if (!deployment) return { service: await asked(io) };
  const identity = await deployment
    .identity()
    .catch((error: unknown) => ({ why: errorText(error) }));
  if ('why' in identity) return { identity, service: { why: identity.why, problems: [] } };
  try {
    const found = await deployment.look();
    return {
      identity,
      service: { ...found, reachable: true, writable: undefined, time: undefined },
    };
  } catch (error) {
    const { problems = [] } = Object(error) as { problems?: readonly string[] };
    return { identity, service: { why: errorText(error), problems } };
  }
}

async function asked(io: Io): Promise<ServiceSeen> {
  const { version, store, cas, endpoints, time } = await callApi(io, 'GET /status');
  const { publicUrl, filesUrl = publicUrl } = await callApi(io, 'GET /config');
  return {
    records: `${io.url}, Scepter ${version}`,
    publicUrl: String(publicUrl),
    filesUrl: String(filesUrl),
    ...{ warnings: [], cas, endpoints },
    ...store,
    time: Date.parse(time),
  };
}
