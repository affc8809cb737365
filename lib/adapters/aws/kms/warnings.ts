// Warns an operator about a CA's key and the sealing key in KMS: their state, usage, origin, and whom their
// policies allow to use them. It only reads (DescribeKey, GetKeyPolicy), and leaves out what this process
// has no permission to read.

import { DescribeKeyCommand, GetKeyPolicyCommand, type KeyMetadata } from '@aws-sdk/client-kms';
import { Outage } from '../../../base/errors.ts';
import type { KmsCalls } from './calls.ts';

/** What a key has to be, and the action of those who use it. */
export type Purpose = {
  readonly usage: 'SIGN_VERIFY' | 'ENCRYPT_DECRYPT';
  readonly specs: ReadonlySet<string>;
  readonly action: 'kms:Sign' | 'kms:Decrypt';
};

/** @param key ARN, id or alias @returns sentences about the key */
export async function warningsOf(
  calls: KmsCalls,
  key: string,
  purpose: Purpose,
): Promise<readonly string[]> {
  try {
    const KeyId = key;
    const described = await calls.permitted({ action: 'DescribeKey', key }, (kms, options) =>
      kms.send(new DescribeKeyCommand({ KeyId }), options),
    );
    const metadata = described?.KeyMetadata;
    // GetKeyPolicy takes a key's id, not an alias.
    const policy =
      metadata?.Arn === undefined
        ? undefined
        : await calls.permitted({ action: 'GetKeyPolicy', key }, (kms, options) =>
            kms.send(new GetKeyPolicyCommand({ KeyId: metadata.Arn }), options),
          );
    return [
      ...(metadata ? metadataWarnings(metadata, purpose) : []),
      ...(policy?.Policy ? policyWarnings(policy.Policy, metadata?.AWSAccountId, purpose) : []),
    ].map((text) => `the key ${key} ${text}`);
  } catch (error) {
    if (error instanceof Outage) return [error.message];
    throw error;
  }
}

const day = (date: Date | undefined): string => date?.toISOString().slice(0, 10) ?? 'a day to come';

function metadataWarnings(metadata: KeyMetadata, { usage, specs }: Purpose): string[] {
  const { KeyState, DeletionDate, KeyUsage, KeySpec = '', Origin, ValidTo } = metadata;
  const warnings: string[] = [];
  if (KeyUsage !== usage || !specs.has(KeySpec)) {
    warnings.push(`has the usage ${KeyUsage} and the spec ${KeySpec}: it cannot be used here`);
  }
  if (KeyState === 'PendingDeletion') {
    warnings.push(`is deleted on ${day(DeletionDate)}, for ever: cancel that`);
  } else if (KeyState === 'Disabled') warnings.push('is disabled: enable it');
  else if (KeyState !== 'Enabled') warnings.push(`is in the state ${KeyState}`);
  if (Origin === 'EXTERNAL') {
    const end = ValidTo ? `, and expires on ${day(ValidTo)}` : '';
    warnings.push(`was imported: whoever had it may still have it${end}`);
  }
  return warnings;
}

type Statement = {
  readonly Effect?: string;
  readonly Principal?: '*' | { readonly AWS?: string | readonly string[] };
  readonly Action?: string | readonly string[];
  readonly NotAction?: string | readonly string[];
  readonly Condition?: object;
};

const whatFor = { 'kms:Sign': 'sign with it', 'kms:Decrypt': 'open what it has sealed' } as const;

function policyWarnings(
  policy: string,
  account: string | undefined,
  { action }: Purpose,
): readonly string[] {
  const { Statement = [] } = JSON.parse(policy) as { Statement?: Statement | Statement[] };
  const warnings = [Statement].flat().flatMap((statement) => {
    if (statement.Effect !== 'Allow' || !allows(statement, action)) return [];
    const { Principal, Condition } = statement;
    const named = Principal === '*' ? ['*'] : [Principal?.AWS ?? []].flat();
    return named.flatMap((principal) => {
      const what = whatFor[action];
      if (principal === '*') return Condition ? [] : [`lets everybody ${what}: see its policy`];
      const [, owner] = /^(?:arn:[^:]*:(?:iam|sts)::)?(\d{12})(?::|$)/.exec(principal) ?? [];
      if (owner === undefined) return [];
      if (owner !== account) return [`lets the account ${owner} ${what}: see its policy`];
      const whole = principal === owner || principal.endsWith(':root');
      return whole && !Condition
        ? [
            `leaves it to the IAM policies of its account who may ${what}: name the roles in its policy`,
          ]
        : [];
    });
  });
  return [...new Set(warnings)];
}

function allows({ Action, NotAction }: Statement, wanted: string): boolean {
  const matches = (patterns: string | readonly string[]): boolean =>
    [patterns].flat().some((pattern) => globOf(pattern).test(wanted));
  return NotAction === undefined ? matches(Action ?? []) : !matches(NotAction);
}

/** IAM's wildcards; actions have no case. */
const globOf = (pattern: string): RegExp => {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'i');
};
