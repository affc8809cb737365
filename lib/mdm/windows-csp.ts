// What an MDM sends to Windows: the nodes of the configuration service provider ClientCertificateInstall, and the SyncML
// that sets them. All of them, and Enroll as the last, are one Atomic block, so that nothing is tried half set.

import { base64 } from '../base/bytes.ts';
import type { Profile } from '../config/profile.ts';
import type { GeneralName } from '../x509/names/general-name.ts';
import { printGeneralName, sidUri } from '../x509/names/general-name.ts';
import { isPrintable } from '../x509/names/name.ts';
import { type CaFacts, type DeviceRequest, isRoot, type MdmFacts, rsaBits } from './facts.ts';
import { attributesFor } from './names.ts';
import { xmlText } from './xml.ts';

/** An OMA-URI with what is done to it. `node` and `null` have no value. */
type CspNode = {
  readonly command: 'Add' | 'Exec';
  readonly uri: string;
  readonly format: 'node' | 'int' | 'chr' | 'b64' | 'null';
  readonly value?: string;
};

type CspNodes = {
  /** Trusts the CA and its issuers. */
  readonly trust: readonly CspNode[];
  /** Enrols; in one Atomic block. */
  readonly enrol: readonly CspNode[];
};

type CspOptions = {
  /** Whose store the certificate goes into. */
  readonly store: 'Device' | 'User';
  /** Another one for each certificate of a device. */
  readonly id: string;
};

/** PENDING is asked about again for ten minutes; the unit of the delay is a minute. */
const retries = '10';
const retryDelayMinutes = '1';
/** In the TPM, where there is one. */
const keyProtection = '2';

/** @throws {SyntaxError} for what Windows cannot be told */
export function cspNodes(
  facts: MdmFacts,
  request: DeviceRequest,
  { store, id }: CspOptions,
): CspNodes {
  const { endpoint, url, ca, issuers } = facts;
  const { challenge, names } = request;
  if (!isPrintable(challenge ?? '')) {
    throw new SyntaxError(
      "the challenge has a character that Windows refuses: it takes letters, digits, spaces and ' ( ) + , - . / : = ?",
    );
  }
  if (!/^[\w$%{}.-]+$/.test(id)) {
    throw new SyntaxError(`--id: "${id}" must be letters, digits, ".", "-" and "_", or a variable`);
  }
  const at = `./${store}/Vendor/MSFT/ClientCertificateInstall/SCEP/${id}`;
  const set = (name: string, format: 'int' | 'chr', value: string): CspNode => ({
    ...{ command: 'Add', uri: `${at}/Install/${name}`, format, value },
  });
  const root = issuers.at(-1) ?? ca;
  return {
    trust: [ca, ...issuers].map((one) => trusted(one)),
    enrol: [
      { command: 'Add', uri: at, format: 'node' },
      set('ServerURL', 'chr', url),
      ...(challenge === undefined ? [] : [set('Challenge', 'chr', challenge)]),
      set('SubjectName', 'chr', subjectName(request)),
      ...(names.length > 0
        ? [set('SubjectAlternativeNames', 'chr', names.map(alternativeName).join(';'))]
        : []),
      set('EKUMapping', 'chr', endpoint.profile.extKeyUsage.join('+')),
      set('KeyUsage', 'int', `${usageBits(endpoint.profile)}`),
      set('KeyLength', 'int', `${rsaBits(endpoint.profile)}`),
      set('HashAlgorithm', 'chr', 'SHA-2'),
      set('KeyProtection', 'int', keyProtection),
      set('CAThumbprint', 'chr', root.sha1.toUpperCase()),
      set('RetryCount', 'int', retries),
      set('RetryDelay', 'int', retryDelayMinutes),
      { command: 'Exec', uri: `${at}/Install/Enroll`, format: 'null' },
    ],
  };
}

/** Machines trust it in their own store, whoever the certificate is for. */
function trusted(one: CaFacts): CspNode {
  const store = isRoot(one) ? 'Root' : 'CA';
  const uri = `./Device/Vendor/MSFT/RootCATrustedCertificates/${store}/${one.sha1.toUpperCase()}/EncodedCertificate`;
  return { command: 'Add', uri, format: 'b64', value: base64(one.certificate.der) };
}

/** The names of attributes that differ from ours (CertStrToName). */
const typeNames: Readonly<Record<string, string>> = {
  ST: 'S',
  emailAddress: 'E',
  GN: 'G',
  title: 'T',
  serialNumber: 'SERIALNUMBER',
};
const sameNames = ['CN', 'O', 'OU', 'C', 'L', 'DC', 'SN', 'STREET'];

/** As CertStrToName reads it: what acts as a separator stands in quotation marks. */
function subjectName(request: DeviceRequest): string {
  const attributes = attributesFor('Windows', request).toReversed();
  return attributes
    .map(([type, value]) => {
      const name =
        typeNames[type] ?? (sameNames.includes(type) || /^\d/.test(type) ? type : undefined);
      if (!name) throw new SyntaxError(`--subject: Windows has no name for ${type}: give its OID`);
      const needsQuotes = /[,=+;"<>#]|^\s|\s$/.test(value);
      return `${name}=${needsQuotes ? `"${value.replaceAll('"', '""')}"` : value}`;
    })
    .join(',');
}

/** AlternativeNameType of Windows' certificate enrolment: the numbers that the node takes. */
const nameFormats: Readonly<Record<string, number>> = {
  email: 2,
  dns: 3,
  uri: 7,
  sid: 7,
  ip: 8,
  upn: 11,
};

function alternativeName(name: GeneralName): string {
  const format = nameFormats[name.kind];
  const value = name.kind === 'sid' ? sidUri(name.value) : name.value;
  if (format === undefined || value.includes(';')) {
    throw new SyntaxError(`--san ${printGeneralName(name)}: Windows cannot be told this name`);
  }
  return `${format}+${value}`;
}

/** The first octet of the BIT STRING, which must have one of the two that RSA keys of clients are for. */
function usageBits({ id, keyUsage }: Profile): number {
  const bits =
    (keyUsage.includes('digitalSignature') ? 0x80 : 0) +
    (keyUsage.includes('nonRepudiation') ? 0x40 : 0) +
    (keyUsage.includes('keyEncipherment') ? 0x20 : 0);
  if (bits !== 0x40) return bits;
  throw new SyntaxError(
    `profiles.${id}.keyUsage: Windows enrols only for digitalSignature or keyEncipherment`,
  );
}

/** @throws {SyntaxError} for text that XML cannot carry */
export function syncml({ trust, enrol }: CspNodes): string {
  let id = 0;
  const next = () => {
    id += 1;
    return `<CmdID>${id}</CmdID>`;
  };
  const commands = (nodes: readonly CspNode[], indent: string) =>
    nodes.map((node) => command(node, next(), indent)).join('');
  return `<SyncML xmlns="SYNCML:SYNCML1.2">
  <SyncBody>
${commands(trust, '    ')}    <Atomic>
      ${next()}
${commands(enrol, '      ')}    </Atomic>
    <Final/>
  </SyncBody>
</SyncML>
`;
}

function command(
  { command: verb, uri, format, value }: CspNode,
  id: string,
  indent: string,
): string {
  const meta = `<Meta><Format xmlns="syncml:metinf">${format}</Format></Meta>`;
  const data = value === undefined ? '' : `<Data>${xmlText(value)}</Data>`;
  const item = `<Item><Target><LocURI>${xmlText(uri)}</LocURI></Target>${meta}${data}</Item>`;
  return `${indent}<${verb}>${id}${item}</${verb}>\n`;
}
