// /metrics for Prometheus (text format 0.0.4): what this instance has counted, and how CAs, CRLs and the store
// stand at this moment. For tokens with the role auditor: it names CAs and endpoints.

import { Hono } from 'hono';
import packageJson from '../../package.json' with { type: 'json' };
import { statusOf } from '../ca/authority/status.ts';
import type { AdminDeps } from '../ca/deps.ts';
import { type Metrics, seriesOf } from '../ca/metrics.ts';
import type { Log } from '../ports/log.ts';
import { requestTypeOf } from '../protocol/scep/wire/registry.ts';
import { type Admin, type Callers, requireRole } from './admin/auth.ts';
import { octetsResponse } from './respond.ts';

/** What is read when it is asked for. */
export const gauges = {
  scepter_build_info: 'Always 1; the label is the release',
  scepter_store_reachable: 'Whether the store answers: 1 or 0',
  scepter_store_writable: 'Whether a write that was tried within the last minute succeeded: 1 or 0',
  scepter_ca_warnings: 'Things to worry about, as "scepter status" names them',
  scepter_ca_not_after_timestamp_seconds: 'When the certificate of the CA expires',
  scepter_ra_not_after_timestamp_seconds: 'When the current RA certificate expires',
  scepter_crl_number: 'Number of the newest CRL',
  scepter_crl_this_update_timestamp_seconds: 'When the newest CRL was made',
  scepter_crl_next_update_timestamp_seconds: 'When the newest CRL ends',
  scepter_pending_requests: 'Requests that wait for an approver, as far as they are counted',
} as const;
type Gauge = keyof typeof gauges;

/** The same log, its lines counted, and the answers to SCEP messages that it tells of. */
export function countedLog(metrics: Metrics, log: Log): Log {
  return (entry) => {
    const { event, severity, endpoint = '', messageType = '', pkiStatus = '', code = '' } = entry;
    metrics.count('scepter_log_entries_total', { event, severity });
    if (event === 'scep.pkiOperation') {
      metrics.count('scepter_pki_operations_total', {
        endpoint: String(endpoint),
        // A number that is none of ours is counted as one: its sender chose it.
        type: requestTypeOf(String(messageType)) ?? 'other',
        status: String(pkiStatus),
        code: String(code),
      });
    }
    log(entry);
  };
}

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export function metricsRoutes(
  deps: AdminDeps & { readonly metrics: Metrics },
  callers: Callers,
): Hono<Admin> {
  const app = new Hono<Admin>();
  app.get('/metrics', requireRole(deps, callers, 'auditor'), async () => {
    const text = (await standing(deps)) + deps.metrics.print();
    return octetsResponse(text, METRICS_TYPE, 'no-store');
  });
  return app;
}

async function standing(deps: AdminDeps): Promise<string> {
  const { cas, unwritten, endpoints } = await statusOf(deps);
  const values = new Map<Gauge, [string, number][]>();
  const set = (name: Gauge, labels: Record<string, string>, value: number | undefined): void => {
    if (value === undefined) return;
    values.set(name, [...(values.get(name) ?? []), [seriesOf(name, labels), value]]);
  };
  set('scepter_build_info', { version: packageJson.version }, 1);
  set('scepter_store_reachable', {}, cas ? 1 : 0);
  set('scepter_store_writable', {}, unwritten === undefined ? 1 : 0);
  const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);
  for (const { id: ca, chain, generations, crl, warnings } of cas ?? []) {
    const current = generations.find(({ state }) => state === 'current')?.certificate;
    set('scepter_ca_warnings', { ca }, warnings.length);
    set('scepter_ca_not_after_timestamp_seconds', { ca }, seconds(chain[0]?.notAfter));
    set('scepter_ra_not_after_timestamp_seconds', { ca }, seconds(current?.notAfter));
    set('scepter_crl_number', { ca }, crl?.number);
    set('scepter_crl_this_update_timestamp_seconds', { ca }, seconds(crl?.thisUpdate));
    set('scepter_crl_next_update_timestamp_seconds', { ca }, seconds(crl?.nextUpdate));
  }
  for (const { id: endpoint, pending } of endpoints) {
    set('scepter_pending_requests', { endpoint }, pending);
  }
  const lines = [...values].flatMap(([name, series]) => [
    `# HELP ${name} ${gauges[name]}`,
    `# TYPE ${name} gauge`,
    ...series.map(([text, value]) => `${text} ${value}`),
  ]);
  return `${lines.join('\n')}\n`;
}
