// Subjects and challenges as programs of others take them on a command line: most have no way to write every name.

import { shellWord } from '../base/text.ts';
import { printGeneralName } from '../x509/names/general-name.ts';
import { attributeName, nameOf, printName } from '../x509/names/name.ts';
import type { DeviceRequest, MdmFacts } from './facts.ts';

/** `[type, value]`, by its short name or its OID. */
type Attribute = readonly [type: string, value: string];

/**
 * The attributes of a subject in the order of its DER.
 * @param program whose command it is, for the sentence
 * @throws {SyntaxError} for a subject that is missing, and for RDNs of several attributes and values that are no text
 */
export function attributesFor(program: string, { subject }: DeviceRequest): readonly Attribute[] {
  if (!subject) {
    throw new SyntaxError(`give --subject: ${program} asks for a certificate by a subject`);
  }
  return nameOf(subject).map((rdn) => {
    const [first, ...others] = rdn;
    if (first?.value === undefined || others.length > 0) {
      throw new SyntaxError(
        `--subject: ${program} takes one attribute and its text in each RDN, not ${printName(subject)}`,
      );
    }
    return [attributeName(first.type), first.value];
  });
}

/** The same, for programs in whose names nothing can be escaped. @throws {SyntaxError} */
export function plainAttributes(program: string, request: DeviceRequest): readonly Attribute[] {
  const attributes = attributesFor(program, request);
  for (const [type, value] of attributes) {
    if (/[\p{Cc},/+=;"\\<>#]|^ | $/u.test(value)) {
      throw new SyntaxError(
        `--subject: the value of ${type} has a character that ${program} takes for the end of it: "${value}"`,
      );
    }
  }
  return attributes;
}

/**
 * By kind, in the order in which they were given.
 * @param kinds those that the program can ask for
 * @throws {SyntaxError}
 */
export function namesFor<Kind extends 'dns' | 'email' | 'ip'>(
  program: string,
  { names }: DeviceRequest,
  kinds: readonly Kind[],
): readonly { readonly kind: Kind; readonly value: string }[] {
  return names.map((name) => {
    const kind = kinds.find((one) => one === name.kind);
    if (kind) return { kind, value: name.value };
    throw new SyntaxError(
      `--san ${printGeneralName(name)}: ${program} asks for names of the types ${kinds.join(', ')} only`,
    );
  });
}

/** The command that makes a challenge for just what is asked for. */
export function challengeLine(
  { endpoint: { id } }: MdmFacts,
  { subject, names }: DeviceRequest,
): string {
  const words = ['scepter challenge create'];
  if (id !== 'default') words.push(`--endpoint ${id}`);
  if (subject) words.push(`--subject ${shellWord(printName(subject))}`);
  for (const name of names) words.push(`--san ${shellWord(printGeneralName(name))}`);
  return words.join(' ');
}
