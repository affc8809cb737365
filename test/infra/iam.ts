// IAM policies judged as AWS judges them, as far as ours go. moto's IAM cannot: it takes the resource of
// every request for "*", so that it refuses whatever is allowed for one resource, looks at no condition
// of a request and at no key's policy, and knows a transaction as an action of its own.

export type Statement = {
  readonly Sid?: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
  readonly Principal?: { readonly AWS: string | readonly string[] };
  readonly Condition?: Readonly<
    Record<string, Readonly<Record<string, string | readonly string[]>>>
  >;
};
export type Policy = { readonly Statement: readonly Statement[] };

export type Asked = {
  /** ARN of the role. */
  readonly principal: string;
  readonly action: string;
  readonly resource: string;
  /** What the request sets of IAM's condition keys. */
  readonly context: Readonly<Record<string, readonly string[]>>;
};

const list = (value: string | readonly string[]): readonly string[] =>
  typeof value === 'string' ? [value] : value;

export const like = (pattern: string, text: string): boolean => {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's').test(text);
};

/** Our policies use no other. */
const operators: Readonly<
  Record<string, (wanted: readonly string[], found: readonly string[]) => boolean>
> = {
  StringEquals: (wanted, [found]) => found !== undefined && wanted.includes(found),
  ArnEquals: (wanted, [found]) => found !== undefined && wanted.includes(found),
  StringNotEquals: (wanted, [found]) => found === undefined || !wanted.includes(found),
  'ForAnyValue:StringLike': (wanted, found) =>
    found.some((one) => wanted.some((pattern) => like(pattern, one))),
  'ForAllValues:StringLike': (wanted, found) =>
    found.every((one) => wanted.some((pattern) => like(pattern, one))),
  Null: ([wanted], found) => (found.length === 0) === (wanted === 'true'),
};

function applies(
  { Action, Resource, Principal, Condition = {} }: Statement,
  asked: Asked,
): boolean {
  const { principal, action, resource } = asked;
  const context = { ...asked.context, 'aws:PrincipalArn': [principal] };
  // A key's policy speaks of the key as "*".
  const [account] = principal.split(/:(?:role|user)\//);
  if (
    Principal &&
    !list(Principal.AWS).some((one) => ['*', `${account}:root`, principal].includes(one))
  )
    return false;
  if (!list(Action).some((one) => like(one, action))) return false;
  if (!list(Resource).some((one) => like(one, resource))) return false;
  return Object.entries(Condition).every(([operator, keys]) => {
    const holds = operators[operator];
    if (!holds) throw new Error(`this test does not know the operator ${operator}`);
    return Object.entries(keys).every(([key, wanted]) =>
      holds(list(wanted), context[key as keyof typeof context] ?? []),
    );
  });
}

/** Whether every one of the policies, each alone, lets it be; for a key that is more than AWS asks for. */
export const allowed = (policies: readonly (readonly Policy[])[], asked: Asked): boolean =>
  policies.every((some) => {
    const about = some.flatMap(({ Statement }) => Statement).filter((one) => applies(one, asked));
    return about.some(({ Effect }) => Effect === 'Allow');
  }) &&
  !policies
    .flat()
    .flatMap(({ Statement }) => Statement)
    .some((one) => one.Effect === 'Deny' && applies(one, asked));
