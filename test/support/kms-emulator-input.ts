// Requests of the KMS emulator's clients: their members read and checked, refused in KMS's words.

export class KmsRefusal extends Error {
  override readonly name: string;
  readonly status: number;
  constructor(name: string, message: string, status = 400) {
    super(message);
    this.name = name;
    this.status = status;
  }
}

export type Input = Readonly<Record<string, unknown>>;
export const invalid = (message: string) => new KmsRefusal('ValidationException', message);
export const notFound = (message: string) => new KmsRefusal('NotFoundException', message);
export const notHere = (what: string) =>
  new KmsRefusal('UnsupportedOperationException', `${what} is not in this emulator`);
export const constraint = (member: string, value: unknown, wanted: string) =>
  invalid(
    `1 validation error detected: Value ${value === undefined ? 'null' : `'${value}'`} at '${member}' failed to satisfy constraint: ${wanted}`,
  );
const memberOf = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);

export function textOf(input: Input, name: string, fallback?: string): string {
  const value = input[name] ?? fallback;
  if (typeof value === 'string') return value;
  throw constraint(memberOf(name), undefined, 'Member must not be null');
}

export function oneOf(
  input: Input,
  name: string,
  all: readonly string[],
  fallback?: string,
): string {
  const value = textOf(input, name, fallback);
  if (all.includes(value)) return value;
  throw constraint(
    memberOf(name),
    value,
    `Member must satisfy enum value set: [${all.join(', ')}]`,
  );
}

export const octetsOf = (value: unknown): Buffer => Buffer.from(String(value), 'base64');

export function blobOf(input: Input, name: string, most: number): Buffer {
  const octets = octetsOf(textOf(input, name));
  const wanted = octets.length < 1 ? 'greater than or equal to 1' : `less than or equal to ${most}`;
  if (octets.length >= 1 && octets.length <= most) return octets;
  throw constraint(memberOf(name), '(octets)', `Member must have length ${wanted}`);
}

export function policyOf(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch {
    throw new KmsRefusal('MalformedPolicyDocumentException', 'not JSON');
  }
}

/** The same for the same pairs in whatever order. */
export const contextOf = ({ EncryptionContext = {} }: Input): string =>
  JSON.stringify(
    Object.entries(EncryptionContext as Record<string, string>).sort(([a], [b]) =>
      a < b ? -1 : 1,
    ),
  );
