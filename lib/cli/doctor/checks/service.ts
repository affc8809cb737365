// What is wrong with a service of ours, seen from inside.

import { CLOCK_SKEW_MS } from '../../../base/limits.ts';
import { spoken } from '../../text.ts';
import { fault, type Observation, orGood, warning } from '../observation.ts';
import type { ServiceFacts, ServiceSeen } from '../service.ts';

export function serviceFindings({ identity, service }: ServiceFacts, now: number): Observation[] {
  const found = identity ? whoFindings(identity) : [];
  if (!('why' in service)) return [...found, ...standing(service, now)];
  if (identity && 'why' in identity) return found;
  if (service.problems.length === 0) {
    const fix =
      'see SCEPTER_TABLE, SCEPTER_FILES, SCEPTER_LOGS, SCEPTER_LOG_KEY, SCEPTER_SEALING_KEY, SCEPTER_DEPLOYMENT, and the rights of this role';
    return [...found, fault('service', service.why, 'no function can serve with it', fix)];
  }
  const problems = service.problems.map((says) =>
    fault(
      'configuration',
      says,
      'no function starts with it',
      'correct it: "scepter config validate"',
    ),
  );
  return [...found, ...problems];
}

function whoFindings(identity: NonNullable<ServiceFacts['identity']>): Observation[] {
  if ('why' in identity) {
    return [
      fault(
        'aws',
        identity.why,
        'nothing of the deployment can be looked at',
        'log in, and try again',
      ),
    ];
  }
  const { arn, region } = identity;
  const root =
    /:root$/.test(arn) &&
    warning(
      'aws',
      `these are the credentials of the account itself (${arn})`,
      'they may do everything, and no role limits them',
      'assume the role of the operator',
    );
  return orGood('aws', [root], `${arn}, in ${region}`);
}

function standing(service: ServiceSeen, now: number): Observation[] {
  const { records, publicUrl, warnings, reachable, writable, cas, endpoints, time } = service;
  const apart = time === undefined ? 0 : Math.abs(time - now);
  const stored = [
    !reachable &&
      fault(
        'service',
        `${records}: its store cannot be reached`,
        'devices get HTTP 503',
        'see its log: it says why',
      ),
    reachable &&
      writable === false &&
      fault(
        'service',
        `${records}: it takes no writes`,
        'devices that enrol get HTTP 503',
        'see its log: a full disk, a throttled table, or a right that its role lacks',
      ),
    ...warnings.map((says) =>
      warning('service', `${records}: ${says}`, 'records may be lost', 'mend it, and look again'),
    ),
    apart > CLOCK_SKEW_MS &&
      fault(
        'service',
        `its clock and the one here are ${spoken(apart)} apart`,
        'certificates begin in the future, or CRLs look stale',
        'set both by NTP',
      ),
  ];
  return [
    ...orGood('service', stored, `${records}, at ${publicUrl}`),
    ...cas.flatMap(({ id, warnings: said }) =>
      orGood(
        'keys',
        said.map((says) =>
          fault(
            'keys',
            `CA ${id}: ${says}`,
            'its devices, or whoever relies on it',
            'do what it says',
          ),
        ),
        `CA ${id}: certificates, CRL and keys are as they should be`,
      ),
    ),
    ...endpoints.flatMap(({ id, warnings: said }) =>
      said.map((says) =>
        warning(
          'configuration',
          `endpoint ${id}: ${says}`,
          'more than its devices may get in',
          'turn it off when the last device that needs it is gone',
        ),
      ),
    ),
  ];
}
