// What a process asks of its cryptography, in order: which keys it imports, what it verifies and under
// which key, what it decrypts. For tests of work that must be the same whatever a secret says.

import { createRequire, syncBuiltinESMExports } from 'node:module';

type Primitive = Readonly<Record<string, string | number>>;
type Operation = (...args: never[]) => unknown;

const kindOf = (key: unknown): Primitive => {
  const { asymmetricKeyType = '', asymmetricKeyDetails = {} } = key as {
    asymmetricKeyType?: string;
    asymmetricKeyDetails?: { modulusLength?: number; namedCurve?: string };
  };
  const { modulusLength, namedCurve } = asymmetricKeyDetails;
  return { kind: asymmetricKeyType, size: modulusLength ?? namedCurve ?? '' };
};
const length = (octets: unknown): number => (octets as Uint8Array).byteLength;

/** @returns what `work` asked for, and what came of it */
export async function primitivesOf<T>(
  work: (note: (primitive: Primitive) => void) => Promise<T>,
): Promise<{ readonly result: T; readonly asked: readonly Primitive[] }> {
  const asked: Primitive[] = [];
  const note = (primitive: Primitive) => asked.push(primitive);
  const native = createRequire(import.meta.url)('node:crypto') as Record<string, Operation>;
  const undo: (() => void)[] = [];
  const watch = (
    target: object,
    name: string,
    describe: (args: unknown[], result: unknown) => Primitive,
  ): void => {
    const methods = target as Record<string, Operation>;
    const original = methods[name] as (...args: unknown[]) => unknown;
    const own = Object.hasOwn(target, name);
    methods[name] = function watched(this: unknown, ...args: unknown[]) {
      const result = original.apply(this, args);
      note({ what: name, ...describe(args, result) });
      return result;
    } as Operation;
    undo.push(() => {
      if (own) methods[name] = original as Operation;
      else delete methods[name];
    });
  };
  watch(native, 'createPublicKey', (_, key) => kindOf(key));
  watch(native, 'privateDecrypt', ([, ciphertext]) => ({ octets: length(ciphertext) }));
  watch(native, 'verify', ([digest, message, key, signature]) => ({
    ...{ digest: String(digest), ...kindOf(key) },
    ...{ octets: length(message), signature: length(signature) },
  }));
  const { subtle } = crypto;
  watch(subtle, 'importKey', ([, data, algorithm]) => ({
    algorithm: JSON.stringify(algorithm),
    octets: length(data),
  }));
  watch(subtle, 'verify', ([algorithm, key, signature, message]) => ({
    algorithm: JSON.stringify([algorithm, (key as CryptoKey).algorithm.name]),
    ...{ octets: length(message), signature: length(signature) },
  }));
  syncBuiltinESMExports();
  try {
    return { result: await work(note), asked };
  } finally {
    for (const restore of undo) restore();
    syncBuiltinESMExports();
  }
}
