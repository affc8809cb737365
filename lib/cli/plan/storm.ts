// A day on which many devices enrol or renew, at AWS: rates a second in its busiest minute, beside what bounds them.

import type { Fleet } from './arithmetic.ts';
import { assumed, bounds, measured } from './prices.ts';

/** Working hours in which they come, and how many times as many come in the busiest minute. */
const [HOURS, PEAK] = [8, 2];
const DAY_S = 24 * 60 * 60;

type Rate = {
  readonly what: string;
  readonly perSecond: number;
  /** What a deployment is given by default, and the input that raises it. */
  readonly ours?: number;
  readonly input?: string;
  /** What an account of AWS has by default; Service Quotas raises it. */
  readonly aws?: number;
};

/** @param share of the devices, all on one day */
export function stormOf({ devices, crlFetches }: Fleet, share: number): Rate[] {
  const enrolments = ((devices * share) / (HOURS * 3600)) * PEAK;
  const requests = enrolments * assumed.requests;
  const { renewal, search } = measured;
  return [
    { what: 'enrolments and renewals', perSecond: enrolments },
    { what: 'HTTP requests', perSecond: requests, ...bounds.requests },
    {
      what: 'functions at once',
      perSecond: requests * assumed.seconds.request,
      ...bounds.concurrency,
    },
    { what: 'KMS Sign', perSecond: enrolments, ...bounds.sign },
    {
      what: 'write units',
      perSecond: enrolments * (renewal.writeUnits + search.writeUnits),
      ...bounds.writeUnits,
    },
    {
      what: 'read units',
      perSecond: enrolments * (renewal.readUnits + search.readUnits),
      ...bounds.readUnits,
    },
    {
      what: 'fetches of a CRL',
      perSecond: ((devices * crlFetches) / DAY_S) * PEAK,
      ...bounds.crlFetches,
    },
  ];
}

/** Which bounds are too low: the input to raise, or the quota. */
export function raisedFor({
  perSecond,
  ours = Infinity,
  input = '',
  aws = Infinity,
}: Rate): string {
  return [...(perSecond > ours ? [input] : []), ...(perSecond > aws ? ['quota'] : [])].join(', ');
}
