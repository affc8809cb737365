// What one instance counts for Prometheus, since it started. Nothing that counts knows of it: it looks at what
// passes by anyway, which is the lines of the log, the events in writes, signatures, and answers over HTTP.
// Labels have few values; none is what a device or a stranger has sent.

import type { Clock } from '../ports/clock.ts';
import type { Signer } from '../ports/signer.ts';
import type { Action, Store } from '../ports/store.ts';

type Labels = Readonly<Record<string, string>>;

/** Upper bounds, in seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

/** Every family that is counted, by its name. */
export const families = {
  scepter_pki_operations_total: {
    type: 'counter',
    help: 'Answered SCEP messages; code is that of the refusal, as "scepter explain" takes it, or empty',
  },
  scepter_events_total: {
    type: 'counter',
    help: 'Events written to the log of events: enrolments, challenges, approvals, revocations, CRLs',
  },
  scepter_log_entries_total: { type: 'counter', help: 'Lines of the structured log' },
  scepter_store_errors_total: { type: 'counter', help: 'Calls of the store that failed' },
  scepter_http_request_duration_seconds: {
    type: 'histogram',
    help: 'Time until an HTTP request was answered',
  },
  scepter_signature_duration_seconds: {
    type: 'histogram',
    help: 'Time that signatures by CA keys took, made and failed ones',
  },
  scepter_store_duration_seconds: { type: 'histogram', help: 'Time that calls of the store took' },
} as const;
type Family = keyof typeof families;
type Of<Type> = {
  [Name in Family]: (typeof families)[Name]['type'] extends Type ? Name : never;
}[Family];

type Histogram = { readonly buckets: number[]; count: number; sum: number };

export class Metrics {
  readonly #clock: Clock;
  readonly #counters = new Map<string, number>();
  readonly #histograms = new Map<string, Histogram>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  count(family: Of<'counter'>, labels: Labels): void {
    const series = seriesOf(family, labels);
    this.#counters.set(series, (this.#counters.get(series) ?? 0) + 1);
  }

  /** Measures how long the work takes; `outcome` is ok or failed. */
  async timed<T>(family: Of<'histogram'>, labels: Labels, work: () => Promise<T>): Promise<T> {
    const start = this.#clock.now();
    const done = (outcome: string): void =>
      this.observe(family, { ...labels, outcome }, this.#clock.now() - start);
    try {
      const result = await work();
      done('ok');
      return result;
    } catch (error) {
      done('failed');
      throw error;
    }
  }

  observe(family: Of<'histogram'>, labels: Labels, ms: number): void {
    const series = seriesOf(family, labels);
    const known = this.#histograms.get(series) ?? {
      buckets: BUCKETS.map(() => 0),
      count: 0,
      sum: 0,
    };
    const seconds = Math.max(0, ms) / 1000;
    for (const [i, bound] of BUCKETS.entries()) {
      if (seconds <= bound) known.buckets[i] = (known.buckets[i] ?? 0) + 1;
    }
    known.count++;
    known.sum += seconds;
    this.#histograms.set(series, known);
  }

  /** The same store, its calls timed, its failures and the events that it has written counted. */
  store(store: Store): Store {
    const call = <T>(name: string, work: () => Promise<T>): Promise<T> =>
      this.timed('scepter_store_duration_seconds', { call: name }, work).catch((error) => {
        this.count('scepter_store_errors_total', { call: name });
        throw error;
      });
    return {
      read: (keys) => call('read', () => store.read(keys)),
      list: (query) => call('list', () => store.list(query)),
      write: async (actions) => {
        const answer = await call('write', () => store.write(actions));
        if (answer === 'done') for (const type of typesOf(actions)) this.#event(type);
        return answer;
      },
    };
  }

  signer<S extends Pick<Signer, 'sign'>>(signer: S): S {
    const sign: Signer['sign'] = (...of) =>
      this.timed('scepter_signature_duration_seconds', {}, () => signer.sign(...of));
    return { ...signer, sign };
  }

  #event(type: string): void {
    this.count('scepter_events_total', { type });
  }

  /** In the text format of Prometheus, 0.0.4. */
  print(): string {
    const lines: string[] = [];
    for (const [family, { type, help }] of Object.entries(families)) {
      const own = (series: string): boolean => series.startsWith(`${family}{`);
      lines.push(`# HELP ${family} ${help}`, `# TYPE ${family} ${type}`);
      for (const [series, value] of this.#counters) {
        if (own(series)) lines.push(`${series} ${value}`);
      }
      for (const [series, { buckets, count, sum }] of this.#histograms) {
        if (!own(series)) continue;
        const labels = series.slice(family.length + 1, -1);
        const bucket = (le: string, value: number) =>
          lines.push(`${family}_bucket{${labels}${labels && ','}le="${le}"} ${value}`);
        for (const [i, bound] of BUCKETS.entries()) bucket(String(bound), buckets[i] ?? 0);
        bucket('+Inf', count);
        lines.push(`${family}_sum{${labels}} ${sum}`, `${family}_count{${labels}} ${count}`);
      }
    }
    return `${lines.join('\n')}\n`;
  }
}

/** Of the events that a write carries. */
const typesOf = (actions: readonly Action[]): string[] =>
  actions.flatMap((action) =>
    action.do === 'put' && action.kind === 'event'
      ? [String(Object(JSON.parse(action.record.body)).type)]
      : [],
  );

/** `name{label="value"}`: backslash, quote and line feed are escaped, as the format says. */
export const seriesOf = (family: string, labels: Labels): string =>
  `${family}{${Object.entries(labels)
    .map(
      ([name, value]) =>
        `${name}="${value.replace(/[\\"\n]/g, (one) => (one === '\n' ? '\\n' : `\\${one}`))}"`,
    )
    .join(',')}}`;
