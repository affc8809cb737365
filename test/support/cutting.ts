// What a sequencer has, of which one call is cut off: before it has done anything, or after it has done all.

import type { SequenceDeps } from '../../lib/ca/log/sequence.ts';

type When = 'before' | 'after';

/** @param end what ends the work there: it throws, or ends the process */
export function cutting(deps: SequenceDeps, end: (when: When) => void) {
  let [calls, at, when] = [-1, Number.POSITIVE_INFINITY, 'before' as When];
  const cut = <T extends object>(port: T): T =>
    new Proxy(port, {
      get: (target, name) => {
        const method = Reflect.get(target, name);
        if (typeof method !== 'function') return method;
        return async (...args: unknown[]) => {
          const here = ++calls === at;
          if (here && when === 'before') end(when);
          const result = await method.apply(target, args);
          if (here) end(when);
          return result;
        };
      },
    });
  const { store, logs } = deps;
  const { files, waiting, key, sign } = logs;
  const ports = { files: cut(files), waiting: cut(waiting), key, sign: cut({ sign }).sign };
  return {
    deps: { ...deps, store: cut(store), logs: ports },
    arm: (call: number, kind: When) => {
      [calls, at, when] = [-1, call, kind];
    },
    calls: () => calls,
  };
}
