// Whether a test kills a mutant: it fails with it, and passes without it.

import type { Copy } from './copies.ts';
import type { Killer, Mutant } from './list.ts';
import { type Run, suiteOf } from './run-test.ts';
import type { Place } from './sources.ts';

/** What passes without a mutant, and how long that takes. */
export class Clean {
  readonly #runs = new Map<string, Promise<Run>>();

  /** Only where no mutant is in the copy. @returns undefined where it is no test, or fails */
  async msOf(copy: Copy, file: string, title: string | null): Promise<number | undefined> {
    const key = `${file}\0${title ?? ''}`;
    const run = this.#runs.get(key) ?? copy.run(file, title, 600_000);
    this.#runs.set(key, run);
    const { outcome, passed, ms } = await run;
    return outcome === 'passed' && passed > 0 ? ms : undefined;
  }
}

/** Beyond it, a test has been stopped by the mutant. */
export const limitOf = (ms: number): number => 4 * ms + 10_000;

const dies = ({ outcome }: Run): boolean => outcome !== 'passed';

/** @param ms how long the file takes @returns undefined where it passes, or does not fail twice */
export async function killer(
  copy: Copy,
  clean: Clean,
  mutant: Mutant,
  place: Place,
  { file, ms }: { readonly file: string; readonly ms: number },
): Promise<Killer | undefined> {
  const name = suiteOf(file) ? file.replace(/^test\//, '') : file.replace(/^.*\//, '');
  const limitMs = limitOf(ms);
  const [whole, title] = await copy.with(mutant, place, async () => {
    const run = await copy.run(file, null, limitMs);
    // A test inside a test cannot be run without the outer one.
    for (const title of new Set([run.failed.at(-1), run.failed[0]])) {
      if (title === undefined) continue;
      const { failed } = await copy.run(file, title, limitMs);
      if (failed.includes(title)) return [run, title] as const;
    }
    return [run, undefined] as const;
  });
  if (!dies(whole)) return undefined;
  if (title !== undefined && (await clean.msOf(copy, file, title)) !== undefined) {
    return { file: name, test: title };
  }
  if (whole.outcome === 'stopped') return { file: name, test: null };
  const again = await copy.with(mutant, place, () => copy.run(file, null, limitMs));
  return dies(again) ? { file: name, test: null } : undefined;
}

/**
 * Whether the test that killed it still does. Where the test of that title passes, or is no more, the
 * whole file is asked.
 * @returns undefined where the file fails without the mutant too
 */
export async function stillDies(
  copy: Copy,
  clean: Clean,
  mutant: Mutant,
  place: Place,
  file: string,
  title: string | null,
): Promise<boolean | undefined> {
  for (const one of title === null ? [null] : [title, null]) {
    const ms = await clean.msOf(copy, file, one);
    if (ms === undefined) {
      if (one === null) return undefined;
      continue;
    }
    const run = await copy.with(mutant, place, () => copy.run(file, one, limitOf(ms)));
    if (dies(run)) return true;
  }
  return false;
}
