// The page of an evidence folder: everything that it proves in plain words, for people and for paper. The same files
// make the same page, so that "log verify" finds one that says something else.

import { base64, hex, utf8 } from '../../base/bytes.ts';
import { htmlText as escaped, iso } from '../../base/text.ts';
import { hash } from '../../crypto/native.ts';
import type { CertificateEvidence, ProvenEvidence } from '../../events/evidence.ts';
import { evidencePaths } from '../../events/evidence-files.ts';
import type { LoggedEvent } from '../../events/logged.ts';
import { describedCertificate } from '../../x509/describe/describe.ts';
import { type EventBody, stepRow } from '../log/happened.ts';
import { counted, seconds } from '../text.ts';
import type { Signing } from './signatures.ts';
import { allowedTexts, askedText, becameText, notProven, withheldTexts } from './told.ts';

const tag = (name: string, inside: string): string => `<${name}>${inside}</${name}>\n`;
const p = (text: string): string => tag('p', escaped(text));
const list = (items: readonly string[]): string =>
  tag('ul', items.map((item) => tag('li', escaped(item))).join(''));
const file = (path: string): string => `<a href="${escaped(path)}">${escaped(path)}</a>`;

/** @param rows of HTML */
const table = (headings: readonly string[], rows: readonly (readonly string[])[]): string =>
  tag(
    'table',
    tag('thead', tag('tr', headings.map((one) => tag('th', escaped(one))).join(''))) +
      tag(
        'tbody',
        rows.map((row) => tag('tr', row.map((cell) => tag('td', cell)).join(''))).join(''),
      ),
  );

const fields = (all: readonly (readonly [string, string])[]): string =>
  `<table class="fields">\n${all.map(([name, html]) => `<tr><th>${escaped(name)}</th><td>${html}</td></tr>\n`).join('')}</table>\n`;

const style = `
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff; max-width: 60rem; margin: 2rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .5rem; padding-top: 1rem; border-top: 2px solid #1b1b1b; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p { margin: .25rem 0 .75rem; overflow-wrap: anywhere; }
li { margin: .25rem 0; overflow-wrap: anywhere; }
.lead { color: #444; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; font-size: .87rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #ccc; overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid #888; }
.fields th { width: 11rem; font-weight: 600; white-space: nowrap; }
td a, pre { font-family: ui-monospace, monospace; font-size: .8rem; }
td:nth-child(-n+2), thead th { white-space: nowrap; }
td:nth-child(3) { min-width: 7em; overflow-wrap: break-word; }
.fields td:nth-child(n) { min-width: 0; overflow-wrap: anywhere; }
.fields td { white-space: normal !important; }
a { color: inherit; }
pre { background: #f3f3f3; padding: .75rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.limits { border: 2px solid #1b1b1b; padding: .25rem 1rem .5rem; margin-top: 2rem; }
.limits h2 { border: 0; margin-top: .5rem; padding-top: 0; }
@page { size: A4; margin: 18mm 15mm; }
@media print {
  body { font-size: 10pt; margin: 0; padding: 0; max-width: none; }
  h2, h3 { break-after: avoid; }
  tr, li, pre { break-inside: avoid; }
  thead { display: table-header-group; }
}`;

export function evidencePage(
  evidence: ProvenEvidence,
  signings: readonly Signing[] | undefined,
): string {
  const { manifest, certificates } = evidence;
  const many = counted(certificates.length, 'certificate');
  return [
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
    // Nothing is loaded, and nothing runs.
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${styleHash()}'">\n`,
    tag('title', escaped(`Evidence of ${manifest.of}`)),
    `<style>${style}</style>\n</head>\n<body>\n`,
    tag('h1', escaped(`Evidence of ${manifest.of}`)),
    `<p class="lead">${escaped(`${many}, and what a log that nobody can edit unseen has of how each came to be. Made on ${seconds(manifest.made)}. Whatever stands here follows from the files beside this page; verify them before you believe it.`)}</p>\n`,
    ...certificates.map((one) => certificatePart(one, evidence)),
    ...(signings ? [signingPart(signings)] : []),
    verifyPart(evidence),
    `<section class="limits">\n${tag('h2', 'What this does not prove')}${list(notProven(evidence, signings !== undefined))}</section>\n`,
    '</body>\n</html>\n',
  ].join('');
}

const styleHash = (): string => base64(hash('SHA-256', utf8(style)));

function certificatePart(one: CertificateEvidence, evidence: ProvenEvidence): string {
  const { serial, certificate, issuers, request, issued, intended, events } = one;
  const shown = describedCertificate(certificate);
  const names = shown.extensions.find(({ name }) => name === 'subjectAltName')?.value ?? [];
  const { configHash = '' } = intended.event;
  const applied = evidence.events.findLast(
    ({ event }) =>
      event.type === 'config.applied' &&
      event.configHash === configHash &&
      event.id < intended.event.id,
  );
  const inForce = applied ? `, in force since ${seconds(applied.event.time)}` : '';
  const isHere = evidence.configuration?.digest === configHash;
  return [
    tag('h2', escaped(`Certificate ${serial}`)),
    fields([
      ['Subject', escaped(shown.subject || '(empty)')],
      ['Names', escaped(names.join(', ') || 'none')],
      ['Issuer', escaped(shown.issuer)],
      [
        'Good',
        escaped(`${seconds(iso(certificate.notBefore))} to ${seconds(iso(certificate.notAfter))}`),
      ],
      ['Key', escaped(`${shown.key.algorithm}, SHA-256 ${shown.key.sha256}`)],
      ['SHA-256', escaped(shown.sha256)],
      [
        'Files',
        [evidencePaths.certificate(serial), ...(issuers.length > 0 ? [evidencePaths.chain] : [])]
          .map(file)
          .join(', '),
      ],
    ]),
    tag('h3', 'Who asked for it'),
    p(askedText(one)),
    tag('h3', 'Who allowed it, and by which rule'),
    list(allowedTexts(one, evidence)),
    p(`The profile was ${issued.event.profile ?? 'not told'}.`),
    tag('h3', 'Did whoever asked have the key?'),
    typeof request === 'string'
      ? p(withheldTexts[request])
      : `<p>Yes: the request (${file(evidencePaths.request(serial))}) is as it came, asks for the key that the certificate certifies, and is signed with it.</p>\n`,
    tag('h3', 'By which configuration'),
    `<p>${escaped(`The one with the SHA-256 ${configHash}${inForce}.`)}${isHere ? ` It is in ${file(evidencePaths.configuration)}.` : ''}</p>\n`,
    tag('h3', 'What became of it'),
    p(becameText(one)),
    tag('h3', 'What happened'),
    table(['Time', 'Event', 'Who', 'What', 'Where in the log'], events.map(eventRow)),
    ...others(one, evidence),
  ].join('');
}

/** Those of its challenge and its configuration. */
function others(one: CertificateEvidence, { events }: ProvenEvidence): string[] {
  const { issued, intended } = one;
  const about = events.filter(
    ({ event }) =>
      !one.events.some((other) => other.event.id === event.id) &&
      (issued.event.authorizedBy?.includes(`challenge ${event.challengeId}`) ||
        (event.type === 'config.applied' && event.configHash === intended.event.configHash)),
  );
  if (about.length === 0) return [];
  return [
    tag('h3', 'What came before'),
    table(['Time', 'Event', 'Who', 'What', 'Where in the log'], about.map(eventRow)),
  ];
}

function eventRow({ event, personal, proof }: LoggedEvent): string[] {
  const cells = stepRow({ ...event, ...(personal ? { personal } : {}) } as EventBody);
  const { id } = event;
  const where = `${escaped(`${proof.origin}, number ${proof.index} of ${proof.size}`)}: ${file(evidencePaths.event(id))}, ${file(evidencePaths.proof(id))}`;
  return [...cells.map(escaped), where];
}

function signingPart(signings: readonly Signing[]): string {
  return [
    tag('h2', 'What AWS KMS has signed'),
    `<p>${escaped('As CloudTrail has it, each under a request id that an event here names')}: ${file(evidencePaths.cloudtrail)}.</p>\n`,
    table(
      ['Time', 'Role', 'Key', 'Request', 'Event'],
      signings.map(({ at, role, key, requestID, event }) =>
        [seconds(iso(at)), role, key, requestID, event].map(escaped),
      ),
    ),
  ].join('');
}

function verifyPart({ certificates, events }: ProvenEvidence): string {
  const newest = events.reduce((a, b) => (a.proof.time > b.proof.time ? a : b)).proof;
  const { serial = '', request } = certificates[0] ?? {};
  const own = [
    `openssl verify -partial_chain -no_check_time -CAfile ca.pem ${evidencePaths.certificate(serial)}`,
    ...(typeof request === 'string'
      ? []
      : [`openssl req -verify -noout -in ${evidencePaths.request(serial)}`]),
  ];
  return [
    tag('h2', 'How to verify it'),
    p(
      'With the verifier key of the log and the certificate of the CA, both from somewhere else than this folder, and nothing else of the service. The first file that is wrong is named.',
    ),
    tag('pre', escaped('scepter log verify FOLDER --key log.vkey --ca ca.pem')),
    p('Certificates and requests with other software:'),
    tag('pre', own.map(escaped).join('\n')),
    p(
      `Each event has a proof of the form C2SP tlog-proof. The newest checkpoint among them was signed by ${newest.origin} on ${seconds(iso(newest.time))} over ${counted(newest.size, 'event')}, with the root ${hex(newest.root)}.`,
    ),
  ].join('');
}
