// What people ask a challenge or a device list to hold, field by field: what cannot be is said of its field.

import { Malformed } from '../../base/errors.ts';
import { attributeName, attributeType } from '../../x509/names/name.ts';

/** What cannot be bound or listed, with a sentence; `field` is where it was asked for. */
export class Unusable extends SyntaxError {
  readonly field: string;
  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

/** @throws {Unusable} of the field, for a SyntaxError or what is Malformed */
export function ofField<T>(field: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof Malformed)) throw error;
    throw new Unusable(field, error.message);
  }
}

/** By attribute type, as `attributeName` has it. */
type SubjectPatterns = Readonly<Record<string, readonly string[]>>;

/** @throws {SyntaxError} */
export function subjectPatterns(
  wanted: Readonly<Record<string, string | readonly string[]>>,
): SubjectPatterns {
  const found = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries(wanted)) {
    const patterns = [value].flat();
    const type = attributeName(attributeType(name));
    if (found.has(type)) throw new SyntaxError(`the attribute ${type} is named twice`);
    if (patterns.some((pattern) => /^\*+$/.test(pattern))) {
      throw new SyntaxError(`${name}: must say more than "*", which is everything`);
    }
    found.set(type, patterns);
  }
  if (found.size === 0) throw new SyntaxError('must name at least one attribute, such as CN');
  return Object.fromEntries(found);
}
