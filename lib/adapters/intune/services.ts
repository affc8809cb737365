// Intune's services: found through Microsoft Graph, because each tenant has its own, and asked with a token.

import packageJson from '../../../package.json' with { type: 'json' };
import { NoAnswer, Outage } from '../../base/errors.ts';
import { isText } from '../../base/text.ts';
import {
  askMicrosoft,
  type IntuneAnswer,
  type IntuneCall,
  type IntuneDeps,
  isObject,
  Kept,
  uuid,
} from './call.ts';
import { type EntraClient, Tokens } from './entra.ts';

export type IntuneSettings = EntraClient & {
  /** https://graph.microsoft.com, or that of another cloud. */
  readonly graph: string;
  /** Of tokens for Intune's services: https://api.manage.microsoft.com//.default, with both slashes. */
  readonly scope: string;
  /** Suffixes of the hosts that Graph may name: manage.microsoft.com. */
  readonly hosts: readonly string[];
};

/** A service of Intune, and the version of its API that is spoken. */
export type IntuneService = { readonly name: string; readonly version: string };
type Places = ReadonlyMap<string, string>;

/** This product, as Intune's records name it. */
export const product = `Scepter ${packageJson.version}`;

/** The application that Intune is in every tenant. */
const INTUNE = '0000000a-0000-0000-c000-000000000000';
/** Milliseconds that addresses are kept. */
const PLACES_MS = 60 * 60 * 1000;

const consent = 'to the app registration (API permissions), and grant admin consent';
const challengeProvider = `add Intune's application permission "scep_challenge_provider" (SCEP challenge validation) ${consent}`;

/** With which a service speaks about what it was sent. */
const aboutRequest: readonly number[] = [400, 413, 422];

export class IntuneServices {
  readonly #outside: IntuneDeps;
  readonly #settings: IntuneSettings;
  readonly #forGraph: Tokens;
  readonly #forIntune: Tokens;
  readonly #places: Kept<{ readonly places: Places; readonly lastsMs: number }>;

  constructor(settings: IntuneSettings, outside: IntuneDeps) {
    this.#outside = outside;
    this.#settings = settings;
    const graphScope = `${settings.graph}/.default`;
    this.#forGraph = new Tokens(outside, settings, graphScope);
    this.#forIntune = new Tokens(outside, settings, settings.scope);
    this.#places = new Kept(outside.clock);
  }

  /**
   * @param path below the service's address
   * @returns the members of the answer
   * @throws {Outage} for any other answer than 200 with a JSON object
   */
  async post(
    { name, version }: IntuneService,
    path: string,
    body: object,
    { signal, maxOctets }: { readonly signal: AbortSignal; readonly maxOctets?: number },
  ): Promise<IntuneAnswer['said']> {
    const id = uuid(this.#outside.random);
    try {
      const { places } = await this.#places.get(() => this.#discover(signal), signal);
      const place = placeOf(places, name, this.#settings.hosts);
      const call = {
        of: `Microsoft Intune (${path})`,
        url: `${place.replace(/\/$/, '')}/${path}`,
        method: 'POST',
        headers: {
          'content-type': 'application/json; charset=utf-8',
          'api-version': version,
          'client-request-id': id,
          // Named so by Microsoft's client.
          useragent: product,
        },
        body: JSON.stringify(body),
        ...(maxOctets === undefined ? {} : { maxOctets }),
      } as const;
      const { status, said } = await this.#withToken(this.#forIntune, call, signal);
      if (status === 200) return said;
      const denied = status === 401 || status === 403;
      throw new (aboutRequest.includes(status) ? NoAnswer : Outage)(
        `${call.of} answered HTTP ${status} (client-request-id ${id})${denied ? `: ${challengeProvider}` : ''}`,
      );
    } catch (error) {
      // The tenant may have been moved, or been given what it lacked.
      if (!(error instanceof NoAnswer)) this.#places.drop();
      if (signal.aborted) {
        this.#forGraph.kept.dropUnfetched();
        this.#forIntune.kept.dropUnfetched();
      }
      throw error;
    }
  }

  /** Where a token is refused another one is asked for, once: rights may have been given since. */
  async #withToken(tokens: Tokens, call: IntuneCall, signal: AbortSignal): Promise<IntuneAnswer> {
    for (let renewed = false; ; renewed = true) {
      const { value } = await tokens.get(signal);
      const headers = { ...call.headers, authorization: `Bearer ${value}` };
      const answer = await askMicrosoft(this.#outside, { ...call, headers }, signal);
      if (answer.status !== 401 && answer.status !== 403) return answer;
      tokens.kept.drop();
      if (renewed) return answer;
    }
  }

  async #discover(signal: AbortSignal) {
    const url = `${this.#settings.graph}/v1.0/servicePrincipals/appId=${INTUNE}/endpoints`;
    const headers = { 'client-request-id': uuid(this.#outside.random) };
    const call = { of: 'Microsoft Graph', url, method: 'GET', headers } as const;
    const { status, said } = await this.#withToken(this.#forGraph, call, signal);
    if (status === 401 || status === 403) {
      throw new Outage(
        `Microsoft Graph answered HTTP ${status}: add Microsoft Graph's application permission "Application.Read.All" ${consent}`,
      );
    }
    if (status !== 200 || !Array.isArray(said.value)) {
      throw new Outage(`Microsoft Graph answered HTTP ${status}, and no services of Intune`);
    }
    const places = new Map<string, string>();
    for (const one of said.value.filter(isObject)) {
      const name = one.providerName ?? one.serviceName;
      if (!isText(name) || !isText(one.uri)) continue;
      if (!places.has(name.toLowerCase())) places.set(name.toLowerCase(), one.uri);
    }
    return { places, lastsMs: PLACES_MS };
  }
}

function placeOf(places: Places, name: string, hosts: readonly string[]): string {
  const place = places.get(name.toLowerCase());
  if (place === undefined) {
    throw new Outage(
      `Microsoft Graph names no ${name}: ${challengeProvider}, and see that the tenant has a licence of Microsoft Intune`,
    );
  }
  if (!isAllowed(place, hosts)) {
    throw new Outage(
      `Microsoft Graph names another place for ${name} than https on a host under ${hosts.join(' or ')}: see "hosts" in the settings of the validator`,
    );
  }
  return place;
}

/** https, on its port, on a host under one of the suffixes, and nothing beside the path. */
function isAllowed(place: string, hosts: readonly string[]): boolean {
  const url = URL.parse(place);
  if (url?.protocol !== 'https:' || url.port !== '') return false;
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    return false;
  return hosts.some((host) => url.hostname === host || url.hostname.endsWith(`.${host}`));
}
