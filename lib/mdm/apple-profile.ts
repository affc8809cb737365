// A configuration profile for iOS, iPadOS, macOS, tvOS, visionOS and watchOS that trusts the CA of an endpoint and gets
// a certificate there: payloads com.apple.security.root, com.apple.security.pkcs1 and com.apple.security.scep, as
// Apple's device-management schema has them.

import { attributeTypes } from '../asn1/oids.ts';
import { type Bytes, fromHex } from '../base/bytes.ts';
import type { Profile } from '../config/profile.ts';
import type { GeneralName, NameKind } from '../x509/names/general-name.ts';
import { sidUri } from '../x509/names/general-name.ts';
import { attributeName, nameOf, printName } from '../x509/names/name.ts';
import { type CaFacts, type DeviceRequest, isRoot, type MdmFacts, rsaBits } from './facts.ts';
import { type Plist, plist } from './plist.ts';

/** PENDING is asked about again for five minutes: an approver, or a turn in a storm, takes longer than Apple's default
 * of 20 seconds. */
const retries = 10;
const retryDelaySeconds = 30;

/**
 * Apple tells two versions of a profile apart by its identifier, which is the same for the same endpoint: the newer
 * one replaces the older one, and its fresh UUIDs have the device enrol again.
 * @param uuid gives another UUID with every call
 * @throws {SyntaxError} for what a profile cannot say
 */
export function appleProfile(facts: MdmFacts, wanted: DeviceRequest, uuid: () => string): string {
  const { endpoint, url, publicUrl, ca, issuers } = facts;
  const identifier = profileIdentifier(publicUrl, endpoint.id);
  const common = (type: string, last: string, name: string) => ({
    PayloadType: type,
    PayloadVersion: 1,
    PayloadIdentifier: `${identifier}.${last}`,
    PayloadUUID: uuid(),
    PayloadDisplayName: name,
  });
  const trust = [ca, ...issuers].map((one) => ({
    ...common(
      isRoot(one) ? 'com.apple.security.root' : 'com.apple.security.pkcs1',
      `ca.${one.sha1.slice(0, 16)}`,
      caName(one),
    ),
    PayloadCertificateFileName: `${one.sha1.slice(0, 16)}.cer`,
    PayloadContent: one.certificate.der,
  }));
  const { subject, names, challenge } = wanted;
  const scep = {
    ...common('com.apple.security.scep', 'scep', `SCEP endpoint ${endpoint.id}`),
    PayloadContent: {
      URL: url,
      Name: endpoint.ca,
      ...(subject ? { Subject: subjectOf(subject) } : {}),
      ...(names.length > 0 ? { SubjectAltName: alternativeNames(names) } : {}),
      ...(challenge === undefined ? {} : { Challenge: challenge }),
      Keysize: rsaBits(endpoint.profile),
      'Key Type': 'RSA',
      'Key Usage': usageBits(endpoint.profile),
      // Its length says that it is SHA-1, which every release knows. It must be of a certificate of GetCACert, and is
      // where the chain of the RA's has to end.
      CAFingerprint: fromHex(ca.sha1),
      Retries: retries,
      RetryDelay: retryDelaySeconds,
      KeyIsExtractable: false,
      AllowAllAppsAccess: false,
    },
  };
  return plist({
    PayloadType: 'Configuration',
    PayloadVersion: 1,
    PayloadIdentifier: identifier,
    PayloadUUID: uuid(),
    PayloadDisplayName: `${caName(ca)}, ${endpoint.id}`,
    PayloadDescription: `Trusts ${caName(ca)} and gets a certificate from it at ${url}`,
    // The system's keychain of a Mac, which is the one that services of the device look into.
    PayloadScope: 'System',
    PayloadContent: [...trust, scep],
  });
}

/** The host backwards, as Apple's identifiers are, and the endpoint. */
export function profileIdentifier(publicUrl: string, endpoint: string): string {
  const { hostname } = new URL(publicUrl);
  const labels = hostname
    .replace(/[[\]]/g, '')
    .split(/[.:]+/)
    .filter((label) => label !== '');
  return [...labels.reverse(), 'scepter', endpoint].join('.');
}

/** Its common name, or all of its name where it has none. */
function caName({ certificate: { subject } }: CaFacts): string {
  const attributes = nameOf(subject).flat();
  const named = attributes.find(({ type }) => type === attributeTypes.commonName);
  return named?.value ?? printName(subject);
}

const { commonName, countryName, localityName, stateOrProvinceName } = attributeTypes;
const { organizationName, organizationalUnitName } = attributeTypes;
/** Apple knows these by their short names, and all others by their OIDs. */
const shortcuts: readonly string[] = [
  ...[commonName, countryName, localityName, stateOrProvinceName],
  ...[organizationName, organizationalUnitName],
];

/** A list of RDNs, each a list of pairs of type and value. */
function subjectOf(subject: Bytes): Plist {
  return nameOf(subject).map((rdn) =>
    rdn.map(({ type, value }) => {
      if (value === undefined) {
        throw new SyntaxError(
          `the value of ${attributeName(type)} is no text: Apple takes only text`,
        );
      }
      return [shortcuts.includes(type) ? attributeName(type) : type, value];
    }),
  );
}

/** What the names are called in the payload; it has no others. */
const nameKeys: Readonly<Partial<Record<NameKind, string>>> = {
  dns: 'dNSName',
  email: 'rfc822Name',
  uri: 'uniformResourceIdentifier',
  sid: 'uniformResourceIdentifier',
  upn: 'ntPrincipalName',
};

function alternativeNames(names: readonly GeneralName[]): Plist {
  const found: Record<string, string[]> = {};
  for (const { kind, value } of names) {
    const key = kind === 'other' ? undefined : nameKeys[kind];
    if (!key) {
      throw new SyntaxError(
        `${kind}:${value}: Apple's SCEP payload has no place for names of type ${kind}`,
      );
    }
    found[key] = [...(found[key] ?? []), kind === 'sid' ? sidUri(value) : value];
  }
  return Object.fromEntries(
    Object.entries(found).map(([key, values]) => [
      key,
      values.length === 1 ? (values[0] ?? '') : values,
    ]),
  );
}

/** 1: signing, 4: encryption. */
function usageBits({ keyUsage }: Profile): number {
  const bits =
    (keyUsage.includes('digitalSignature') ? 1 : 0) +
    (keyUsage.includes('keyEncipherment') ? 4 : 0);
  return bits || 1;
}
