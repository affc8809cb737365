// What the doctor says: one finding for each thing it looked at.

/** good: as all clients need it. fault: a client cannot enrol, or something is not safe. warning: it works, and
 * some client or some day will not. */
export type Mark = 'good' | 'fault' | 'warning';

export type Observation = {
  /** The thing that was looked at: a stable name for programs. */
  readonly check: Check;
  readonly mark: Mark;
  /** What was seen. */
  readonly says: string;
  /** Which clients it is about, and what becomes of them. */
  readonly means?: string;
  readonly fix?: string;
};

export const checks = {
  dns: 'DNS',
  tls: 'TLS',
  http: 'plain http',
  http10: 'HTTP/1.0',
  halfClosed: 'half-closed',
  clock: 'clock',
  caps: 'GetCACaps',
  cert: 'GetCACert',
  clients: 'clients',
  ra: 'RA',
  chain: 'CA chain',
  message: 'message=',
  path: 'path',
  post: 'POST',
  get: 'GET',
  reply: 'CertRep',
  enrol: 'enrolment',
  crl: 'CRL',
  ocsp: 'OCSP',
  files: 'files',
  next: 'GetNextCACert',
  aws: 'AWS identity',
  service: 'service',
  keys: 'CA and keys',
  configuration: 'configuration',
  validator: 'validator',
  hook: 'hook',
} as const;
type Check = keyof typeof checks;

export type Section = { readonly about: string; readonly findings: readonly Observation[] };

export const good = (check: Check, says: string): Observation => ({ check, mark: 'good', says });

type Trouble = readonly [says: string, means: string, fix: string];
export const fault = (check: Check, ...[says, means, fix]: Trouble): Observation => ({
  ...{ check, mark: 'fault', says, means, fix },
});
export const warning = (check: Check, ...[says, means, fix]: Trouble): Observation => ({
  ...{ check, mark: 'warning', says, means, fix },
});

/** The troubles; where there are none, that it is good. */
export const orGood = (
  check: Check,
  troubles: readonly (Observation | undefined | false)[],
  says: string,
): Observation[] => {
  const found = troubles.filter((one) => one !== undefined && one !== false);
  return found.length > 0 ? found : [good(check, says)];
};
