// What a challenge is bound to, as options of commands and as the API takes it.

import { Option } from 'commander';
import type { Api } from '../../api/api.ts';
import type { SentTo } from '../../api/route.ts';
import { CliError } from '../io.ts';

type Body = Omit<SentTo<Api['POST /challenges']>['body'], 'endpoint' | 'uses' | 'ttl' | 'decoy'>;

export type BindingOptions = {
  readonly subject?: string | undefined;
  readonly subjectPattern?: readonly string[] | undefined;
  readonly san?: readonly string[] | undefined;
  readonly eku?: readonly string[] | undefined;
  readonly key?: string | undefined;
  readonly keyHash?: string | undefined;
  readonly device?: string | undefined;
  readonly source?: readonly string[] | undefined;
  readonly profile?: string | undefined;
  readonly validity?: string | undefined;
};

export function bindingOptions(): Option[] {
  const repeatable = (flags: string, text: string): Option =>
    new Option(flags, `${text}; repeatable`).argParser((value: string, all?: string[]) => [
      ...(all ?? []),
      value,
    ]);
  return [
    new Option(
      '--subject <DN>',
      'the only subject it may be used for (RFC 4514, types in any order)',
    ).conflicts('subjectPattern'),
    repeatable(
      '--subject-pattern <TYPE=PATTERN>',
      'instead of a subject: an attribute and what it must be like, such as "CN=printer-*"',
    ),
    repeatable(
      '--san <TYPE:VALUE>',
      'a subjectAltName for the certificate: dns, email, uri, ip, upn or sid',
    ),
    repeatable('--eku <purpose>', "only this of the profile's extended key usages"),
    new Option('--key <kind>', 'only such a key: rsa, rsa:2048, ec, ec:P-256, ed25519'),
    new Option('--key-hash <hex>', 'only this key: SHA-256 of its SubjectPublicKeyInfo'),
    new Option('--device <id>', 'what you call the device; kept on record with its certificate'),
    repeatable('--source <range>', 'only from this address or range, such as 10.0.0.0/8'),
    new Option('--profile <name>', 'only while the endpoint has this profile'),
    new Option('--validity <duration>', "a shorter lifetime than the profile's, such as 7d"),
  ];
}

/** Of the options. */
export const bindingNames = bindingOptions().map((option) => option.attributeName());

/** @throws {CliError} usage */
export function bindingOf({ eku, source, subjectPattern, ...same }: BindingOptions): Body {
  const { subject, san = [], key, keyHash, device, profile, validity } = same;
  const rest = { subject, key, keyHash, device, profile, validity };
  return {
    ...(Object.fromEntries(
      Object.entries(rest).filter(([, value]) => value !== undefined),
    ) as typeof rest),
    san: [...san],
    ...(subjectPattern ? { subjectPattern: patternsOf(subjectPattern) } : {}),
    ...(eku ? { extKeyUsage: [...eku] } : {}),
    ...(source ? { sources: [...source] } : {}),
  };
}

/** By attribute. */
function patternsOf(texts: readonly string[]): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const text of texts) {
    const [, type, pattern] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
    if (type === undefined || pattern === undefined) {
      throw new CliError('usage', `--subject-pattern: "${text}" is not TYPE=PATTERN`);
    }
    found[type] = [...(found[type] ?? []), pattern];
  }
  return found;
}
