// What all mdm commands share: the options that say which endpoint and what a device asks it for, and the facts of that
// endpoint, as the running service has them.

import { type Command, Option } from 'commander';
import type { AnswerTo } from '../../api/api.ts';
import { fromBase64, fromUtf8 } from '../../base/bytes.ts';
import { type CaFacts, type DeviceRequest, type MdmFacts, scepUrl } from '../../mdm/facts.ts';
import { readCertificate } from '../../x509/certificate.ts';
import { parseGeneralName } from '../../x509/names/general-name.ts';
import { parseName } from '../../x509/names/name.ts';
import { callApi } from '../api.ts';
import { syntax } from '../device/scep.ts';
import { CliError, type Io, readStdin, webAddress } from '../io.ts';

export type MdmOptions = {
  readonly endpoint: string;
  readonly scepUrl?: string;
  readonly subject?: string;
  readonly san: readonly string[];
  readonly challengeStdin?: true;
  readonly json?: true;
};

export const addEndpointOptions = (command: Command): Command =>
  command
    .option('--endpoint <name>', 'the endpoint of yours that devices are to use', 'default')
    .option(
      '--scep-url <url>',
      "another address of it for devices: plain HTTP, an MDM's proxy, or its variable",
    );

/** @param subject what is said of the option for the subject */
export function addRequestOptions(command: Command, subject: string): Command {
  return addEndpointOptions(command)
    .option('--subject <DN>', subject)
    .option(
      '--san <TYPE:VALUE>',
      'a subjectAltName for the device to ask for: dns, email, uri, ip, upn or sid; repeatable',
      (value: string, all: string[]) => [...all, value],
      [] as string[],
    )
    .addOption(
      new Option('--challenge-stdin', 'write the challengePassword in, from standard input'),
    );
}

/** @throws {CliError} usage, for what is no name and no challenge */
export async function deviceRequest(io: Io, options: MdmOptions): Promise<DeviceRequest> {
  const { subject, san, challengeStdin } = options;
  const names = syntax(() => ({
    subject: subject === undefined ? undefined : parseName(subject),
    names: san.map(parseGeneralName),
  }));
  const challenge = challengeStdin ? fromUtf8(await readStdin(io)).trim() : undefined;
  if (/\p{Cc}/u.test(challenge ?? '')) {
    throw new CliError('usage', 'standard input is more than one line: give one challengePassword');
  }
  return { ...names, challenge };
}

/** @throws {CliError} where there is no such endpoint, or its CA has not been made */
export async function mdmFacts(
  io: Io,
  { endpoint: name, scepUrl: given }: Pick<MdmOptions, 'endpoint' | 'scepUrl'>,
): Promise<MdmFacts> {
  const { checkConfig } = await import('../../config/config.ts');
  const { publicUrl, endpoints, validators } = checkConfig(await callApi(io, 'GET /config'));
  const endpoint = endpoints.get(name);
  if (!endpoint) {
    const known = [...endpoints.keys()].join(', ');
    throw new CliError('notFound', `there is no endpoint "${name}": the service has ${known}`);
  }
  const { id, certificate, chain } = await callApi(io, 'GET /cas/{ca}', {
    params: { ca: endpoint.ca },
  });
  if (!certificate) {
    throw new CliError('failure', `CA ${id} has no certificate yet`, `scepter ca init ${id}`);
  }
  return {
    endpoint,
    url: given === undefined ? scepUrl(publicUrl, name) : deviceUrl(given),
    publicUrl,
    outside: endpoint.enrol.authorize.flatMap((name) => validators.get(name) ?? []),
    ca: caFacts(certificate),
    issuers: chain.map(caFacts),
  };
}

/** What every command prints about the endpoint for programs. */
export const aboutEndpoint = ({ endpoint, url, ca }: MdmFacts) => ({
  endpoint: endpoint.id,
  url,
  ca: { id: endpoint.ca, sha1: ca.sha1, sha256: ca.sha256 },
});

type Shown = NonNullable<AnswerTo<'GET /cas/{ca}'>['certificate']>;

const caFacts = ({ der, sha1, sha256 }: Shown): CaFacts => ({
  certificate: readCertificate(fromBase64(der)),
  sha1,
  sha256,
});

/** A variable that an MDM fills in is taken as it is. @throws {CliError} usage */
function deviceUrl(text: string): string {
  if (/[\s\p{Cc}"'<>\\]/u.test(text)) {
    throw new CliError('usage', `--scep-url: "${text}" has a character that no URL has`);
  }
  return /^[$%{]/.test(text) ? text : webAddress('--scep-url', text);
}
