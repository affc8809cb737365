// What each type of event is to those who watch many systems: a heading, a severity, how it ended, and its class and
// activity in OCSF 1.8. Whatever has one vocabulary of its own (OCSF, CEF) is written from this table.

import type { EventType } from '../../base/words.ts';

/** `activity_id` of Entity Management (3004), Authentication (3002) and API Activity (6003). */
const entityActivities = {
  Create: 1,
  Update: 3,
  Delete: 4,
  Enroll: 6,
  Unenroll: 7,
  Disable: 9,
  Activate: 10,
  Deactivate: 11,
  Suspend: 12,
  Resume: 13,
} as const;

/** OCSF's `severity_id`, and CEF's 0 to 10. */
export const severities = {
  Informational: { ocsf: 1, cef: 1 },
  Low: { ocsf: 2, cef: 3 },
  Medium: { ocsf: 3, cef: 6 },
  High: { ocsf: 4, cef: 8 },
} as const;
type Severity = keyof typeof severities;

/** Other: decided later, by another event. */
export const statuses = { Success: 1, Failure: 2, Other: 99 } as const;

export type Entity =
  | 'CA'
  | 'CA key'
  | 'RA certificate'
  | 'Challenge'
  | 'Device list'
  | 'Request'
  | 'Certificate'
  | 'CRL'
  | 'Log'
  | 'Device key'
  | 'Configuration';

type Said = {
  /** A heading: without `|`, `\` and line ends, which a header of CEF would have to escape. */
  readonly name: string;
  readonly severity: Severity;
  readonly status: keyof typeof statuses;
  readonly activity: string;
  readonly activityId: number;
};
export type EventKind = Said &
  (
    | { readonly class: 'Entity Management'; readonly entity: Entity }
    | { readonly class: 'Authentication' | 'API Activity' }
  );

const entity = (
  name: string,
  activity: keyof typeof entityActivities,
  about: Entity,
  more: Partial<Pick<Said, 'severity' | 'status'>> = {},
): EventKind => ({
  class: 'Entity Management',
  entity: about,
  ...{ name, severity: 'Informational', status: 'Success' },
  ...more,
  ...{ activity, activityId: entityActivities[activity] },
});

const refusedLogon = (name: string, severity: Severity): EventKind => ({
  class: 'Authentication',
  ...{ name, severity, status: 'Failure', activity: 'Logon', activityId: 1 },
});

const apiCall = (name: string, severity: Severity = 'Low'): EventKind => ({
  class: 'API Activity',
  ...{ name, severity, status: 'Success', activity: 'Other', activityId: 99 },
});

export const eventKinds: Readonly<Record<EventType, EventKind>> = {
  'ca.created': entity('CA created', 'Create', 'CA', { severity: 'Low' }),
  'ca.chainImported': entity('Chain of a CA imported', 'Update', 'CA', { severity: 'Low' }),
  'ca.key.created': entity('Key of a CA created', 'Create', 'CA key', { severity: 'Low' }),
  'ca.request.signed': entity('Certificate of a CA requested', 'Update', 'CA', { severity: 'Low' }),
  'ca.ra.prepared': entity('RA certificate prepared', 'Create', 'RA certificate'),
  'ca.ra.current': entity('RA certificate announced', 'Activate', 'RA certificate'),
  'ca.ra.retired': entity('RA certificate retired', 'Deactivate', 'RA certificate'),
  'ca.retired': entity('CA retired', 'Deactivate', 'CA', { severity: 'Medium' }),
  'challenge.created': entity('Challenge created', 'Create', 'Challenge'),
  'challenge.refused': refusedLogon('Challenge refused', 'Low'),
  'challenge.reused': refusedLogon('Spent challenge used again', 'Medium'),
  'challenge.decoyUsed': refusedLogon('Decoy challenge used', 'High'),
  'challenge.locked': entity('Challenge locked', 'Disable', 'Challenge', { severity: 'Medium' }),
  'challenge.revoked': entity('Challenge revoked', 'Deactivate', 'Challenge'),
  'devices.imported': entity('Devices imported', 'Update', 'Device list', { severity: 'Low' }),
  'devices.removed': entity('Device removed from a list', 'Delete', 'Device list', {
    severity: 'Low',
  }),
  'request.pending': entity('Request waits for approval', 'Enroll', 'Request', { status: 'Other' }),
  'link.created': entity('Decision link created', 'Create', 'Request', { severity: 'Low' }),
  'request.voted': entity('Request approved by one of two', 'Enroll', 'Request', {
    status: 'Other',
  }),
  'request.approved': entity('Request approved', 'Enroll', 'Request', { status: 'Other' }),
  'request.denied': entity('Request denied', 'Enroll', 'Request', {
    severity: 'Low',
    status: 'Failure',
  }),
  'request.expired': entity('Request expired', 'Enroll', 'Request', { status: 'Failure' }),
  'request.refused': entity('Request refused', 'Enroll', 'Request', {
    severity: 'Low',
    status: 'Failure',
  }),
  'certificate.intended': entity('Certificate about to be signed', 'Create', 'Certificate', {
    status: 'Other',
  }),
  'certificate.signed': entity('Certificate signed, not released', 'Create', 'Certificate'),
  'certificate.issued': entity('Certificate issued', 'Enroll', 'Certificate'),
  'certificate.voided': entity('Certificate voided', 'Delete', 'Certificate', { severity: 'Low' }),
  'certificate.revoked': entity('Certificate revoked', 'Unenroll', 'Certificate', {
    severity: 'Low',
  }),
  'certificate.superseded': entity('Certificate superseded', 'Unenroll', 'Certificate'),
  'certificate.held': entity('Certificate held', 'Suspend', 'Certificate', { severity: 'Low' }),
  'certificate.released': entity('Hold of a certificate ended', 'Resume', 'Certificate', {
    severity: 'Low',
  }),
  'certificate.reasonRaised': entity('Reason of a revocation raised', 'Update', 'Certificate', {
    severity: 'Medium',
  }),
  'crl.published': entity('CRL published', 'Update', 'CRL'),
  'crl.discarded': entity('CRL signed, not published', 'Delete', 'CRL'),
  'log.recovered': entity('Log recovered', 'Update', 'Log', { severity: 'High' }),
  'log.forgotten': entity('Names of a transaction forgotten', 'Delete', 'Request', {
    severity: 'Medium',
  }),
  'admin.acted': apiCall('Administrator acted'),
  'admin.read': apiCall('Records read', 'Informational'),
  'admin.refused': refusedLogon('Administrator refused', 'Medium'),
  'config.applied': entity('Configuration in force', 'Update', 'Configuration', {
    severity: 'Low',
  }),
  'key.blocked': entity('Key of a device blocked', 'Disable', 'Device key', { severity: 'High' }),
};
