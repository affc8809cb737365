// What an administrator enters into the console of an MDM, in the words of that console.

import { extKeyUsages } from '../asn1/oids.ts';
import { type Endpoint, mdmPathsOf } from '../config/endpoint/endpoint.ts';
import { filled, type JamfHook } from '../config/outside/jamf.ts';
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
  const { endpoint, url, outside, ca, issuers } = facts;
  const { id, profile } = endpoint;
  const intune = outside.find((one) => one.kind === 'intune');
  return {
    places: [
      {
        heading: 'Microsoft Entra admin center: App registrations',
        fields: [
          ...(intune
            ? ([
                ['Application (client) ID', intune.clientId],
                ['Directory (tenant) ID', intune.tenant],
              ] as const)
            : []),
          [
            'API permissions',
            [
              'Intune: scep_challenge_provider (application permission)',
              'Microsoft Graph: Application.Read.All (application permission)',
            ],
          ],
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
    notes: intune
      ? []
      : [
          `the endpoint ${id} does not ask Intune: it needs a validator with "kind": "intune" in enrol.authorize`,
        ],
  };
}

/** Jamf sends a profile again that long before the certificate ends. */
const redistributeDays = (profile: Profile): number =>
  Math.max(1, Math.min(14, Math.floor(daysOf(profile) / 3)));

/** What the console says in place of what the event of a device says. */
type Variables = { readonly serialNumber: string; readonly uuid: string };

type Patterns = Readonly<Record<string, string | readonly string[]>>;

/** A subject that fits the patterns which a challenge is bound to. */
function subjectFor(patterns: Patterns | undefined, variables: Variables): string {
  const filledIn = Object.entries(patterns ?? {}).map(([type, listed]) => {
    const [first = ''] = [listed].flat();
    const text = filled(first, variables) ?? first;
    return `${type}=${text.replaceAll('*', variables.serialNumber)}`;
  });
  return filledIn.join(',') || `CN=${variables.serialNumber}`;
}

/** @throws {SyntaxError} where the endpoint certifies no key that Apple's clients make */
export function jamfConsole(facts: MdmFacts): Console {
  const { endpoint, url, ca, issuers } = facts;
  const { id, profile, jamf } = endpoint;
  const checked = (on: boolean): string => (on ? 'checked' : 'not checked');
  const variables = { serialNumber: '$SERIALNUMBER', uuid: '$UDID' };
  return {
    places: [
      ...(jamf ? [webhook(facts, jamf)] : []),
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
          ['Subject', subjectFor(jamf?.subject, variables)],
          ['Challenge Type', jamf ? 'Dynamic' : 'Static'],
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
    notes: jamf
      ? []
      : [
          `endpoints.${id}.jamf is not there: Jamf can ask for no challenge of each device, and has one static challenge for all`,
        ],
  };
}

function webhook({ endpoint, publicUrl }: MdmFacts, { login }: JamfHook): Place {
  return {
    heading: 'Jamf Pro: Settings > Global > Webhooks > New',
    fields: [
      ['Webhook URL', hookUrl(endpoint, publicUrl)],
      ...(login.in === 'password'
        ? ([
            ['Authentication Type', 'Basic Authentication'],
            ['Username', login.user],
            ['Password', secretIn(login.secret)],
          ] as const)
        : ([
            ['Authentication Type', 'Header Authentication'],
            ['Header', `{"${login.header}": "${secretIn(login.secret)}"}`],
          ] as const)),
      ['Content Type', 'JSON'],
      ['Webhook Event', 'SCEPChallenge'],
    ],
  };
}

const hookUrl = ({ id }: Endpoint, publicUrl: string): string => `${publicUrl}/hooks/jamf/${id}`;
/** Secrets are references here, too. */
const secretIn = (reference: string): string => `the value of ${reference.replace(/^env:/, '')}`;

/** A kind of certificate authority of Fleet's, and its fields beside the name and the SCEP URL. */
type FleetCa = {
  readonly kind: string;
  /** In the names of its variables. */
  readonly word: string;
  /** Its variables end in the name of the CA; there is one CA of the kind only where they do not. */
  readonly named: boolean;
  /** What the subject must be like. */
  readonly subject: Patterns | undefined;
  readonly fields: Place['fields'];
};

/** Those that the endpoint answers. */
function fleetCas({ endpoint, publicUrl }: MdmFacts): FleetCa[] {
  const { jamf, ndes, enrol } = endpoint;
  const [account] = ndes?.accounts ?? [];
  const found: FleetCa[] = [];
  if (jamf?.login.in === 'password') {
    found.push({
      ...{ kind: 'Smallstep', word: 'SMALLSTEP_SCEP', named: true, subject: jamf.subject },
      fields: [
        ['Challenge URL', hookUrl(endpoint, publicUrl)],
        ['Username', jamf.login.user],
        ['Password', secretIn(jamf.login.secret)],
      ],
    });
  }
  if (account) {
    found.push({
      ...{ kind: 'Microsoft NDES', word: 'NDES_SCEP', named: false, subject: account.subject },
      fields: [
        [
          'Admin URL',
          `${publicUrl}${mdmPathsOf(endpoint).find((path) => path.startsWith('/certsrv/'))}`,
        ],
        ['Username', account.user],
        ['Password', secretIn(account.password)],
      ],
    });
  }
  if (enrol.staticChallenge) {
    found.push({
      ...{ kind: 'Custom SCEP', word: 'CUSTOM_SCEP', named: true, subject: undefined },
      fields: [['Challenge', secretIn(enrol.staticChallenge.secret)]],
    });
  }
  return found;
}

/** @throws {SyntaxError} where the endpoint certifies no key that Apple's clients make */
export function fleetConsole(facts: MdmFacts): Console {
  const { endpoint, url } = facts;
  const name = `SCEPTER_${endpoint.id.toUpperCase().replaceAll('-', '_')}`;
  const variables = { serialNumber: '%SerialNumber%', uuid: '%HardwareUUID%' };
  const cas = fleetCas(facts);
  const profileOf = ({ word, named }: FleetCa) => {
    const last = named ? `_${name}` : '';
    return {
      proxy: `$FLEET_VAR_${word}_PROXY_URL${last}`,
      challenge: `$FLEET_VAR_${word}_CHALLENGE${last}`,
    };
  };
  return {
    places: cas.flatMap((ca) => {
      const { proxy, challenge } = profileOf(ca);
      const own = subjectFor(ca.subject, variables);
      const subject = `${own},OU=$FLEET_VAR_CERTIFICATE_RENEWAL_ID`;
      return [
        {
          heading: `Fleet: Settings > Integrations > Certificate authorities > Add CA > ${ca.kind}`,
          fields: [
            ...(ca.named ? ([['Name', name]] as const) : []),
            ['SCEP URL', url],
            ...ca.fields,
          ],
        },
        {
          heading: `Fleet: Controls > OS settings > Custom settings: a SCEP payload by ${ca.kind}`,
          fields: [
            ['URL', proxy],
            ['Challenge', challenge],
            ['Subject', subject],
            ['Keysize', `${rsaBits(endpoint.profile)}`],
            [
              'written by',
              `echo '${challenge}' | scepter mdm apple-profile --endpoint ${endpoint.id} --scep-url '${proxy}' --subject '${subject}' --challenge-stdin --out fleet.mobileconfig`,
            ],
          ],
        },
      ];
    }),
    notes:
      cas.length > 0
        ? []
        : [
            `the endpoint ${endpoint.id} gives Fleet no challenges: it needs "jamf" with user and password (Fleet's "Smallstep"), "ndes", or a static challenge`,
          ],
  };
}
