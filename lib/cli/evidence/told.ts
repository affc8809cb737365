// What an evidence folder says of a certificate, in plain words: who asked, who allowed it by which rule, what became
// of it. Each sentence rests on events that the folder proves.

import { type EventType, eventTypes, type Withheld } from '../../base/words.ts';
import type { CertificateEvidence, ProvenEvidence } from '../../events/evidence.ts';
import type { LoggedEvent } from '../../events/logged.ts';
import { byText } from '../log/happened.ts';
import { counted, seconds } from '../text.ts';

export const withheldTexts: Readonly<Record<Withheld, string>> = {
  notIssued: 'It is not here: no certificate came of it.',
  notKept: 'It is not here: it is no longer kept as it came.',
  secret:
    'It is not here: its challengePassword is a secret that others may have (a static one, one of several uses, one of another system), and is never shown.',
  live: 'It is not here: its challenge could still be used when this folder was made.',
};

/** Whoever an event names, from where, and how that was authenticated. */
function whoIn({ event, personal }: LoggedEvent): string {
  if (event.actor.kind !== 'admin')
    return event.actor.kind === 'device' ? 'the device' : 'the service itself';
  const { id, ...more } = personal?.actor ?? {};
  return id === undefined ? 'somebody whose name was forgotten' : byText({ by: id, ...more });
}

/** What approvers have said, while one more had to, and at the end. */
export const isApproval = (type: EventType): boolean =>
  type === 'request.voted' || type === 'request.approved';

/** Ids of the same millisecond are in no order. */
const decidingLast = ({ event: one }: LoggedEvent, { event: other }: LoggedEvent): number =>
  Date.parse(one.time) - Date.parse(other.time) ||
  eventTypes.indexOf(one.type) - eventTypes.indexOf(other.type);

/** By what it was allowed, a sentence for each rule that took part. */
export function allowedTexts(
  { issued, events }: CertificateEvidence,
  { events: all }: Pick<ProvenEvidence, 'events'>,
): readonly string[] {
  return (issued.event.authorizedBy ?? []).map((rule) => {
    const [, challenge] = /^challenge ([0-9A-Z]{26})$/.exec(rule) ?? [];
    if (challenge !== undefined) {
      const made = all.find(
        ({ event }) => event.type === 'challenge.created' && event.challengeId === challenge,
      );
      return made
        ? challengeText(challenge, made)
        : `By the challenge ${challenge}. Who made it is not shown: no event of this folder tells.`;
    }
    const [, serial] = /^renewal of ([0-9a-f]+)$/.exec(rule) ?? [];
    if (serial !== undefined) {
      return `As a renewal: the request was signed with the key of the certificate ${serial}, which was good. What allowed that one, evidence of it says.`;
    }
    const [, endpoint] = /^static challenge of endpoint (.*)$/.exec(rule) ?? [];
    if (endpoint !== undefined) {
      return `By the static challenge of the endpoint ${endpoint}, which many devices know: which of them asked, it does not say.`;
    }
    if (rule === 'approval') {
      const said = events.filter(({ event }) => isApproval(event.type)).toSorted(decidingLast);
      return said.some(({ event }) => event.type === 'request.approved')
        ? approvalText(said)
        : 'It waited for an approver, who allowed it. Who and when is not shown: no event of this folder tells.';
    }
    return `By ${rule}.`;
  });
}

function challengeText(id: string, made: LoggedEvent): string {
  const { event, personal } = made;
  const { number = 1 } = event;
  const bound = [personal?.subject, ...(personal?.names ?? [])].filter(Boolean).join(', ');
  const uses = number === 1 ? 'for one use' : `for ${counted(number, 'use')}`;
  const about = bound === '' ? ', bound to no name' : `, bound to ${bound}`;
  return `By the challenge ${id}, made ${uses}${about}, on ${seconds(event.time)} by ${whoIn(made)}.`;
}

function approvalText(all: readonly LoggedEvent[]): string {
  const { number: persons = 1 } =
    all.findLast(({ event }) => event.type === 'request.approved')?.event ?? {};
  const said = all.slice(persons > 1 ? 0 : -1).map((one) => {
    const note = one.personal?.note;
    const why = note === undefined ? '' : ` and said: "${note}"`;
    return `${whoIn(one)} approved it on ${seconds(one.event.time)}${why}`;
  });
  const who = persons > 1 ? `${persons} approvers, none of whom made its challenge` : 'an approver';
  const missing =
    said.length < persons ? '. Who else did is not shown: no event of this folder tells' : '';
  return `It waited for ${who}: ${said.join('; ')}${missing}.`;
}

/** Whoever asked for it, and from where. */
export function askedText({ issued, intended, events }: CertificateEvidence): string {
  const first = events.find(({ event }) => event.type === 'request.pending') ?? intended;
  const { from, agent, id } = first.personal?.actor ?? {};
  const where = from === undefined ? 'from an address that is not on record' : `from ${from}`;
  const what = agent === undefined ? '' : `, with a client that calls itself "${agent}"`;
  const key = id === undefined ? '' : `, signed by ${id}`;
  const kind = issued.event.asked === 'renewal' ? 'a renewal' : 'an enrolment';
  return `On ${seconds(first.event.time)} a device asked for ${kind} at the endpoint ${issued.event.endpoint}, ${where}${what}${key}.`;
}

/** What became of it since, as far as the folder tells. */
export function becameText({ serial, events }: CertificateEvidence): string {
  const words: Partial<Record<LoggedEvent['event']['type'], string>> = {
    'certificate.revoked': 'revoked',
    'certificate.superseded': 'superseded by its renewal, and revoked',
    'certificate.held': 'held',
    'certificate.released': 'good again after a hold',
    'certificate.reasonRaised': 'revoked for another reason',
  };
  const last = events.findLast(({ event }) => event.serial === serial && words[event.type]);
  if (!last) return 'No event of this folder ends it.';
  const { type, reason, time } = last.event;
  const why = reason === undefined ? '' : ` (${reason})`;
  return `Since ${seconds(time)} it is ${words[type]}${why}: by ${whoIn(last)}.`;
}

/** What the folder does not prove. */
export function notProven(
  { certificates, events, configuration }: ProvenEvidence,
  withSignatures: boolean,
): readonly string[] {
  const withheld = certificates.some(({ request }) => typeof request === 'string');
  const forgotten = events.some(
    ({ event, personal }) => event.personalHash !== undefined && !personal,
  );
  return [
    'That its lists are complete. There may be more certificates of a device than these, and more events of a certificate. Whether it was revoked since, its CRL says; whether the log has more, "scepter log verify" of the log itself.',
    'That the log shows everybody the same. Compare it with a checkpoint that somebody else has kept: "scepter log verify --since".',
    'That what the service wrote down was so. Whoever runs it, or has its MAC keys and may write its records, can have a false event put into the log; what is in it stays as it is.',
    'Anything against whoever has both the key of the log and the keys of the CA. The verifier key and the CA certificate that you verify with have to come from somewhere else than this folder.',
    'What was removed, event and record together, within the seconds before it was put into the log. Only the comparison of the whole log with AWS KMS finds that: "scepter log verify --cloudtrail".',
    'Who somebody is. Tokens have the names that an operator gave them, and whoever has a token acts in its name. Addresses are those of the connection as the service saw it, or as its proxies told it.',
    'That a device is the one that it names. Whoever had the challenge, or the key of the certificate that was renewed, got the certificate.',
    'When something happened, by any other clock than that of the service.',
    ...(withheld
      ? [
          'That whoever sent a request that is not here had its private key: the service checked it, and the log has the hash of the request.',
        ]
      : []),
    ...(forgotten
      ? [
          'Whom and what an event named that was forgotten since: the log has its hash, and an event log.forgotten.',
        ]
      : []),
    configuration
      ? 'What the secrets were that the configuration refers to.'
      : 'What the configuration said. The log has its SHA-256: whoever has the document can compare.',
    ...(withSignatures
      ? [
          'That the records of CloudTrail are as AWS wrote them: of the trail itself, "aws cloudtrail validate-logs" says so.',
        ]
      : []),
  ];
}
