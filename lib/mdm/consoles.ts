// What an administrator enters into the console of an MDM, in the words of that console.

import { extKeyUsages } from '../asn1/oids.ts';
import type { Profile } from '../config/profile.ts';
import { printName } from '../x509/names/name.ts';
import { type CaFacts, isRoot, type MdmFacts, rsaBits } from './facts.ts';

/** Where in the console, and what is entered into which field. */
type Place = {
  readonly heading: string;
  readonly fields: readonly (readonly [label: string, value: string | readonly string[]])[];
};

export type Console = { readonly places: readonly Place[]; readonly notes: readonly string[] };

const DAY_MS = 24 * 60 * 60 * 1000;
const daysOf = ({ validityMs }: Profile): number => Math.floor(validityMs / DAY_MS);

/** As people enter and compare them. */
const thumbprint = (sha1: string): string => sha1.toUpperCase();

/** Where the service has the certificate of its CA; issuers above it are somebody else's. */
const certificateFile = (
  { endpoint, publicUrl }: MdmFacts,
  { sha1, certificate }: CaFacts,
  at: number,
): string =>
  at === 0
    ? `${publicUrl}/aia/${endpoint.ca}.cer (SHA-1 ${thumbprint(sha1)})`
    : `that of ${printName(certificate.subject)} (SHA-1 ${thumbprint(sha1)})`;

const purposeNames = new Map<string, string>([
  [extKeyUsages.clientAuth, 'Client Authentication'],
  [extKeyUsages.serverAuth, 'Server Authentication'],
  [extKeyUsages.emailProtection, 'Secure Email'],
  [extKeyUsages.smartcardLogon, 'Smart Card Logon'],
]);

const usageNames = { digitalSignature: 'Digital signature', keyEncipherment: 'Key encipherment' };

/** @throws {SyntaxError} where the endpoint certifies no key that Intune's clients make */
export function intuneConsole(facts: MdmFacts): Console {
  const { endpoint, url, ca, issuers } = facts;
  const { profile } = endpoint;
  return {
    places: [
      {
        heading:
          'Microsoft Entra admin center: App registrations > New registration > API permissions',
        fields: [
          ['Intune', 'scep_challenge_provider (application permission)'],
          ['Microsoft Graph', 'Application.Read.All (application permission)'],
          ['Grant admin consent', 'yes'],
        ],
      },
      ...[ca, ...issuers].map((one, at) => ({
        heading:
          'Microsoft Intune admin center: Devices > Configuration > Create > Trusted certificate',
        fields: [
          ['Certificate file', certificateFile(facts, one, at)],
          [
            'Destination store',
            `Computer certificate store - ${isRoot(one) ? 'Root' : 'Intermediate'}`,
          ],
        ] as const,
      })),
      {
        heading:
          'Microsoft Intune admin center: Devices > Configuration > Create > SCEP certificate',
        fields: [
          ['Certificate type', 'Device'],
          ['Subject name format', 'CN={{AAD_Device_ID}}'],
          [
            'Certificate validity period',
            `${daysOf(profile)} days, which the profile "${profile.id}" decides`,
          ],
          [
            'Key storage provider (KSP)',
            'Enroll to Trusted Platform Module (TPM) KSP if present, otherwise Software KSP',
          ],
          [
            'Key usage',
            profile.keyUsage.flatMap((one) => (one === 'nonRepudiation' ? [] : usageNames[one])),
          ],
          ['Key size (bits)', `${rsaBits(profile)}`],
          ['Hash algorithm', 'SHA-2'],
          ['Root Certificate', 'the trusted certificate above whose store is Root'],
          [
            'Extended key usage',
            profile.extKeyUsage.map((one) => {
              const name = purposeNames.get(one);
              return name ? `${name} (${one})` : one;
            }),
          ],
          ['Renewal threshold (%)', '20'],
          ['SCEP Server URLs', url],
        ],
      },
    ],
    notes: [],
  };
}

/** Jamf sends a profile again that long before the certificate ends. */
const redistributeDays = (profile: Profile): number =>
  Math.max(1, Math.min(14, Math.floor(daysOf(profile) / 3)));

/** @throws {SyntaxError} where the endpoint certifies no key that Apple's clients make */
export function jamfConsole(facts: MdmFacts): Console {
  const { endpoint, url, ca, issuers } = facts;
  const { profile } = endpoint;
  const checked = (on: boolean): string => (on ? 'checked' : 'not checked');
  return {
    places: [
      {
        heading: 'Jamf Pro: Configuration Profiles > New > Certificate',
        fields: [
          ['Certificate', [ca, ...issuers].map((one, at) => certificateFile(facts, one, at))],
        ],
      },
      {
        heading: 'Jamf Pro: Configuration Profiles > New > SCEP',
        fields: [
          ['URL', url],
          ['Name', endpoint.ca],
          [
            'Redistribute Profile',
            `${redistributeDays(profile)} days before the certificate expires`,
          ],
          ['Subject', 'CN=$SERIALNUMBER'],
          ['Challenge Type', 'Dynamic'],
          ['Retries', '10'],
          ['Retry Delay', '30'],
          ['Key Size', `${rsaBits(profile)}`],
          ['Use as digital signature', checked(profile.keyUsage.includes('digitalSignature'))],
          ['Use for key encipherment', checked(profile.keyUsage.includes('keyEncipherment'))],
          ['Fingerprint', thumbprint(ca.sha1)],
          ['Allow export from keychain', checked(false)],
          ['Allow all apps access', checked(false)],
        ],
      },
    ],
    notes: [],
  };
}

/** @throws {SyntaxError} where the endpoint certifies no key that Apple's clients make */
export function fleetConsole(facts: MdmFacts): Console {
  const { endpoint, url } = facts;
  const name = `SCEPTER_${endpoint.id.toUpperCase().replaceAll('-', '_')}`;
  const proxy = `$FLEET_VAR_CUSTOM_SCEP_PROXY_URL_${name}`;
  const challenge = `$FLEET_VAR_CUSTOM_SCEP_CHALLENGE_${name}`;
  return {
    places: [
      {
        heading: 'Fleet: Settings > Integrations > Certificate authorities > Add CA > Custom SCEP',
        fields: [
          ['Name', name],
          ['SCEP URL', url],
          ['Challenge', 'the static challenge of the endpoint'],
        ],
      },
      {
        heading: 'Fleet: Controls > OS settings > Custom settings, a profile with a SCEP payload',
        fields: [
          ['URL', proxy],
          ['Challenge', challenge],
          ['Subject', 'CN=%SerialNumber% $FLEET_VAR_SCEP_RENEWAL_ID'],
          ['Keysize', `${rsaBits(endpoint.profile)}`],
        ],
      },
    ],
    notes: [
      `scepter mdm apple-profile writes that profile: echo '${challenge}' | scepter mdm apple-profile --endpoint ${endpoint.id} --scep-url '${proxy}' --subject 'CN=%SerialNumber% $FLEET_VAR_SCEP_RENEWAL_ID' --challenge-stdin --out fleet.mobileconfig`,
      ...(endpoint.enrol.authorize.includes('staticChallenge')
        ? []
        : [
            `endpoints.${endpoint.id}.enrol.authorize has no "staticChallenge", which is what a custom SCEP CA of Fleet has for all its hosts`,
          ]),
    ],
  };
}
