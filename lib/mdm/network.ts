// Commands for routers: a trustpoint of Cisco IOS and IOS XE, and a certificate of MikroTik's RouterOS. Written by their
// manuals and by what their requests were seen to be; no device of either kind has run them here.

import { extKeyUsages } from '../asn1/oids.ts';
import type { DeviceRequest, MdmFacts } from './facts.ts';
import { rsaBits } from './facts.ts';
import { attributesFor, challengeLine, namesFor, plainAttributes } from './names.ts';

const lines = (...all: readonly (string | undefined)[]): string =>
  all
    .filter((line) => line !== undefined)
    .map((line) => `${line}\n`)
    .join('');

/** What stands for a challenge that was not given. */
const blank = 'CHALLENGE';

/**
 * A host that the certificate names is the router's "fqdn", which IOS puts into the subject, too, as unstructuredName.
 * @throws {SyntaxError} for names that a trustpoint cannot have
 */
export function ciscoCommands(facts: MdmFacts, request: DeviceRequest): string {
  const { endpoint, url, ca } = facts;
  const program = 'a trustpoint';
  const subject = plainAttributes(program, request).toReversed();
  const names = namesFor(program, request, ['dns', 'ip']);
  const only = (kind: 'dns' | 'ip'): string => {
    const [first, ...more] = names.filter((name) => name.kind === kind);
    if (more.length > 0)
      throw new SyntaxError(`--san: ${program} has one name of the type ${kind}`);
    return first?.value ?? 'none';
  };
  const name = `SCEPTER-${endpoint.id.toUpperCase()}`;
  const bits = rsaBits(endpoint.profile);
  return lines(
    `crypto key generate rsa general-keys label ${name} modulus ${bits}`,
    `crypto pki trustpoint ${name}`,
    ` enrollment url ${url}`,
    ' enrollment mode ra',
    ' enrollment retry count 30',
    ' enrollment retry period 1',
    ` subject-name ${subject.map(([type, value]) => `${type}=${value}`).join(',')}`,
    ' serial-number none',
    ` fqdn ${only('dns')}`,
    ` ip-address ${only('ip')}`,
    ` password ${request.challenge ?? blank}`,
    ` fingerprint ${ca.sha1.toUpperCase()}`,
    ' revocation-check crl',
    ` rsakeypair ${name} ${bits}`,
    ' hash sha256',
    ' auto-enroll 70 regenerate',
    ' exit',
    `crypto pki authenticate ${name}`,
    `crypto pki enroll ${name}`,
  );
}

/** What it calls the attributes of a subject. */
const routerosAttributes: Readonly<Record<string, string>> = {
  CN: 'common-name',
  O: 'organization',
  OU: 'unit',
  C: 'country',
  ST: 'state',
  L: 'locality',
};
const routerosNames = { dns: 'DNS', email: 'email', ip: 'IP' } as const;
const { clientAuth, serverAuth, emailProtection } = extKeyUsages;
const routerosUsages: Readonly<Record<string, string>> = {
  digitalSignature: 'digital-signature',
  nonRepudiation: 'content-commitment',
  keyEncipherment: 'key-encipherment',
  [clientAuth]: 'tls-client',
  [serverAuth]: 'tls-server',
  [emailProtection]: 'email-protect',
};

/** A string of RouterOS. @throws {SyntaxError} */
function quoted(text: string): string {
  if (/\p{Cc}/u.test(text)) throw new SyntaxError(`"${text}" has a control character`);
  return `"${text.replace(/[\\"$]/g, '\\$&')}"`;
}

/** @throws {SyntaxError} for names that a template of RouterOS cannot have */
export function routerosCommands(facts: MdmFacts, request: DeviceRequest): string {
  const { endpoint, url } = facts;
  const subject = attributesFor('RouterOS', request).map(([type, value]) => {
    const name = routerosAttributes[type];
    if (name) return `${name}=${quoted(value)}`;
    const known = Object.keys(routerosAttributes).join(', ');
    throw new SyntaxError(`--subject: RouterOS has no ${type} in a certificate, only ${known}`);
  });
  const names = namesFor('RouterOS', request, ['dns', 'email', 'ip']);
  const { keyUsage, extKeyUsage } = endpoint.profile;
  const usages = [...keyUsage, ...extKeyUsage].flatMap((one) => routerosUsages[one] ?? []);
  const name = `scepter-${endpoint.id}`;
  const template = [
    ...[`name=${name}`, ...subject],
    ...(names.length > 0
      ? [
          `subject-alt-name=${names.map(({ kind, value }) => `${routerosNames[kind]}:${value}`).join(',')}`,
        ]
      : []),
    `key-size=${rsaBits(endpoint.profile)}`,
    `key-usage=${usages.join(',')}`,
  ];
  const challenge = quoted(request.challenge ?? blank);
  return lines(
    `/certificate add ${template.join(' ')}`,
    `/certificate add-scep template=${name} scep-url=${quoted(url)} challenge-password=${challenge}`,
    `/certificate print detail where name=${name}`,
  );
}

/** What the endpoint lacks for Cisco's clients, in sentences. */
export function ciscoNotes(facts: MdmFacts, request: DeviceRequest): readonly string[] {
  const { legacy } = facts.endpoint;
  const host = request.names.find(({ kind }) => kind === 'dns');
  return [
    ...challengeNotes(facts, request),
    ...(host
      ? [
          `IOS asks for ${host.value} as unstructuredName as well: the subject of the challenge needs unstructuredName=${host.value}, too`,
        ]
      : []),
    ...(facts.url.startsWith('https:')
      ? ['older releases of IOS enrol by plain HTTP only: --scep-url names such an address']
      : []),
    ...(legacy.md5 && legacy.des
      ? []
      : [
          'IOS 12 and 15 send MD5 and single DES, which this endpoint does not take: legacy.md5 and legacy.des of an endpoint for them alone',
        ]),
  ];
}

/** The same for RouterOS. */
export function routerosNotes(facts: MdmFacts, request: DeviceRequest): readonly string[] {
  const { legacy, enrol, id } = facts.endpoint;
  return [
    ...challengeNotes(facts, request),
    ...(enrol.signer === 'any'
      ? []
      : [`RouterOS signs with a temporary key: set endpoints.${id}.enrol.signer to "any"`]),
    ...(legacy.sha1 && legacy.des3
      ? []
      : [
          `by its manual RouterOS sends SHA-1 and triple DES: set endpoints.${id}.legacy.sha1 and .des3 to true`,
        ]),
  ];
}

const challengeNotes = (facts: MdmFacts, request: DeviceRequest): readonly string[] =>
  request.challenge === undefined
    ? [`${blank} stands for what this prints: ${challengeLine(facts, request)}`]
    : [];
