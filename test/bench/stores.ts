// What the store is waited for in one enrolment: recall (a batch read), intend and commit (a write
// each) and, beside them, the signature; over a store in this process or on this machine.

import type { Signer } from '../../lib/ports/signer.ts';
import type { Store } from '../../lib/ports/store.ts';
import { generateKey } from '../../lib/protocol/scep/client/client.ts';
import { memorySigner } from '../support/keys.ts';
import { makeLab } from '../support/lab.ts';
import { enrolment } from '../support/messages.ts';

export const steps = ['recall', 'intend', 'sign', 'commit'] as const;
export type Latencies = Readonly<Record<(typeof steps)[number], { p50: number; p99: number }>>;

/** Milliseconds, one enrolment after another. @throws {Error} when one takes other calls than these */
export async function latencies(store: Store, count: number): Promise<Latencies> {
  let taken: number[] = [];
  const timed = async <T>(work: () => Promise<T>): Promise<T> => {
    const from = performance.now();
    try {
      return await work();
    } finally {
      taken.push(performance.now() - from);
    }
  };
  const timedStore: Store = {
    read: (keys) => timed(() => store.read(keys)),
    write: (actions) => timed(() => store.write(actions)),
    list: (query) => store.list(query),
  };
  const signer: Signer = {
    ...memorySigner,
    sign: (...args) => timed(() => memorySigner.sign(...args)),
  };
  const lab = await makeLab({ store: timedStore, signer, caKey: 'rsa:2048' });
  const all: number[][] = [];
  for (let i = 0; i < count + 5; i++) {
    // A new key, as a new device has; the records of one that had a certificate are read too.
    const key = await generateKey({ type: 'EC', curve: 'P-256' });
    const { message } = await enrolment(lab, { key, challenge: await lab.challenge() });
    taken = [];
    await lab.operate(message);
    if (taken.length !== steps.length) throw new Error(`${taken.length} calls in one enrolment`);
    if (i >= 5) all.push(taken);
  }
  const of = (step: number) => {
    const sorted = all.map((times) => times[step] ?? Number.NaN).sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
    return { p50: at(0.5), p99: at(0.99) };
  };
  return { recall: of(0), intend: of(1), sign: of(2), commit: of(3) };
}
