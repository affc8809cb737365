// Certificates, requests, CRLs and messages on a page, from their descriptions.

import type {
  DescribedCertificates,
  DescribedEncoding,
  DescribedEnvelope,
  DescribedMessage,
} from '../../protocol/scep/wire/describe.ts';
import type {
  DescribedCertificate,
  DescribedCrl,
  DescribedKey,
  DescribedRequest,
} from '../../x509/describe/describe.ts';
import type { DescribedExtension } from '../../x509/describe/extensions.ts';
import { type Field, fromNow, type Sheet } from '../text.ts';

const keyFields = ({ algorithm, accepted, sha256 }: DescribedKey): Field[] => [
  ['key', accepted ? algorithm : `${algorithm} (no endpoint takes it)`],
  ['key SHA-256', sha256],
];

export const extensionFields = (extensions: readonly DescribedExtension[], prefix = ''): Field[] =>
  extensions.map(({ id, name, critical, value }) => {
    const values = value.length > 0 ? value : ['(empty)'];
    return [`${prefix}${name ?? id}${critical ? ' (critical)' : ''}`, values];
  });

/** @param now milliseconds since 1970 */
export function certificateFields(certificate: DescribedCertificate, now: number): Field[] {
  const { subject, issuer, serial, notBefore, notAfter, sha256, sha1 } = certificate;
  return [
    ['subject', subject || '(empty)'],
    ['issuer', issuer],
    ['serial', serial],
    ['notBefore', notBefore],
    ['notAfter', `${notAfter} (${fromNow(notAfter, now)})`],
    ...keyFields(certificate.key),
    ['signature', certificate.signatureAlgorithm],
    ...extensionFields(certificate.extensions),
    ['SHA-256', sha256],
    ['SHA-1', sha1],
  ];
}

export function requestFields(request: DescribedRequest): Field[] {
  return [
    ['subject', request.subject || '(empty)'],
    ['names', request.names],
    ...keyFields(request.key),
    ['challengePassword', challengeTexts[request.challengePassword]],
    ...extensionFields(
      request.requestedExtensions.filter(({ name }) => name !== 'subjectAltName'),
      'asks for ',
    ),
    ['signature', proofText(request)],
    ['SHA-256', request.sha256],
  ];
}

const challengeTexts = {
  present: 'present, not shown',
  removed: 'present, removed from the record',
  absent: undefined,
} as const;

function proofText({ proof, signatureAlgorithm }: DescribedRequest): string {
  if (proof === undefined) return signatureAlgorithm;
  return `${signatures[proof === 'wrong' ? 'signatureWrong' : proof]} (${signatureAlgorithm})`;
}

/** Entries on a page; all of them are in the JSON. */
const MAX_ENTRIES = 20;

function crlPage(crl: DescribedCrl, now: number): Sheet {
  const { issuer, thisUpdate, nextUpdate, revoked } = crl;
  const fields: readonly Field[] = [
    ['issuer', issuer],
    ['thisUpdate', thisUpdate],
    ['nextUpdate', nextUpdate && `${nextUpdate} (${fromNow(nextUpdate, now)})`],
    ['signature', crl.signatureAlgorithm],
    ...extensionFields(crl.extensions),
    ['SHA-256', crl.sha256],
    ['SHA-1', crl.sha1],
    ['revoked', String(revoked.length)],
  ];
  const rows = revoked
    .slice(0, MAX_ENTRIES)
    .map(({ serial, revokedAt, reason = '' }) => [serial, revokedAt, reason]);
  const left = revoked.length - MAX_ENTRIES;
  const lines = left > 0 ? [`    ... and ${left} more: --json has all`] : [];
  return [
    [
      { heading: 'CRL', fields },
      { columns: ['SERIAL', 'REVOKED', 'REASON'], rows, nameless: true, indent: 4 },
      { lines },
    ],
  ];
}

const envelopeFields = ({ recipients, contentEncryption, octets }: DescribedEnvelope): Field[] => [
  ['recipient', recipients],
  ['content', `${octets} octets, ${contentEncryption}, not decrypted`],
];

const signatures = {
  good: 'good',
  signatureWrong: 'WRONG: the key that it should be by has not made it',
  digestWrong: 'WRONG: the content is not what was signed',
  attributesWrong: 'WRONG: contentType or messageDigest is missing, repeated or of another type',
  unchecked: 'not checked: its algorithm or key is not known here',
} as const;

function messagePage(message: DescribedMessage, now: number): Sheet {
  const { envelope, otherAttributes, signer, digest, signatureAlgorithm } = message;
  const fields: readonly Field[] = [
    ['messageType', message.messageType],
    ['transactionID', message.transactionID],
    ['pkiStatus', message.pkiStatus],
    ['failInfo', message.failInfo],
    ['failInfoText', message.failInfoText],
    ['senderNonce', message.senderNonce],
    ['recipientNonce', message.recipientNonce],
    ['signingTime', message.signingTime],
    ['other attributes', otherAttributes],
    ['digest', digest],
    ['signature', `${signatures[message.signature]} (${signatureAlgorithm})`],
    ...(envelope ? envelopeFields(envelope) : []),
  ];
  return [
    [{ heading: 'pkiMessage', fields }],
    [{ heading: 'signer', fields: certificateFields(signer, now) }],
  ];
}

function certificatesPage({ certificates, crls }: DescribedCertificates, now: number): Sheet {
  const page = [
    ...certificates.flatMap((one) => fieldsPage('certificate', certificateFields(one, now))),
    ...crls.flatMap((crl) => crlPage(crl, now)),
  ];
  return page.length > 0 ? page : [[{ lines: ['a list without certificates or CRLs'] }]];
}

const fieldsPage = (heading: string, fields: readonly Field[]): Sheet => [[{ heading, fields }]];

/** @param now milliseconds since 1970 */
export function pageOf(described: DescribedEncoding, now: number): Sheet {
  switch (described.type) {
    case 'certificate':
      return fieldsPage('certificate', certificateFields(described, now));
    case 'request':
      return fieldsPage('certification request', requestFields(described));
    case 'crl':
      return crlPage(described, now);
    case 'publicKey':
      return fieldsPage('public key', keyFields(described.key));
    case 'certificates':
      return certificatesPage(described, now);
    case 'pkiMessage':
      return messagePage(described, now);
    case 'envelope':
      return fieldsPage('envelope', envelopeFields(described));
  }
}
