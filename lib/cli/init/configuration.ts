// The answers of `scepter init`, and the configuration that they make, with comments where what reads it allows
// them.

export const stubTargets = ['node', 'aws-cdk', 'aws-terraform', 'workers'] as const;
export type Target = (typeof stubTargets)[number];

/** How devices come by what lets them enrol. */
export const challengeWays = ['none', 'static', 'proxy'] as const;
export type ChallengeWay = (typeof challengeWays)[number];

export type Answers = {
  readonly target: Target;
  /** Undefined: none yet. */
  readonly domain: string | undefined;
  /** The public Route 53 zone of the domain, at AWS. */
  readonly zone: { readonly id: string; readonly name: string } | undefined;
  readonly region: string;
  readonly subject: string;
  readonly key: string;
  readonly mdm: ChallengeWay;
  /** For a static challenge: what the common name of a device looks like; and at AWS its secret's ARN. */
  readonly names: string | undefined;
  readonly secret: string | undefined;
};

/** Paths from the folder that is written to. */
export type Places = {
  /** Of the repository, which has infra. */
  readonly repository: string;
  /** Of what describes the configuration to editors. */
  readonly schema: string;
};

export type StubFile = {
  readonly name: string;
  /** For people. */
  readonly what: string;
  readonly text: string;
  /** Only its owner reads it. */
  readonly secret?: true;
};

export type Stub = {
  readonly files: readonly StubFile[];
  /** Commands for a shell in that folder, one after the other. */
  readonly next: readonly string[];
  /** What to know before them. */
  readonly notes: readonly string[];
};

/** The variable of the static challenge. */
export const SECRET = 'MDM_CHALLENGE';
export const DEPLOYMENT = 'scepter';
/** RFC 2606: it resolves nowhere. */
export const noAddress = 'https://not-known-yet.invalid';

export const addressOf = ({ target, domain }: Answers): string => {
  if (target === 'node') return domain ? `http://${domain}` : 'http://127.0.0.1:8080';
  return domain ? `https://${domain}` : noAddress;
};

export const needsSecret = ({ mdm }: Answers): boolean => mdm === 'static';

/** @param schema where the JSON Schema is */
export function configurationOf(answers: Answers, schema: string): string {
  const { subject, key, mdm, names = '' } = answers;
  const text = JSON.stringify;
  const address = addressOf(answers);
  const enrol = {
    none: [
      '// Each device has a challenge of its own, good for one certificate: "scepter challenge create".',
      '"default": { "ca": "default" }',
    ],
    static: [
      '// One secret in every profile of the MDM: whoever knows it can enrol as any device of such a name.',
      `"default": { "ca": "default", "enrol": {`,
      `  "authorize": ["staticChallenge"],`,
      `  "staticChallenge": { "secret": "env:${SECRET}", "subject": { "CN": ${text(names)} } }`,
      '} }',
    ],
    proxy: [
      '// Whoever asks for a device signs with a key of his own, and has a challenge for it.',
      '"default": { "ca": "default", "enrol": { "authorize": ["challenge"], "signer": "any" } }',
    ],
  }[mdm];
  const lines = [
    '// Every field: docs/settings.md. "scepter config validate" says what is wrong with one.',
    `"$schema": ${text(schema)},`,
    '',
    ...(address === noAddress
      ? [
          '// Set this to the address of the deployment, once it says what that is, and deploy again.',
        ]
      : [
          '// Where devices and relying parties reach it: every certificate points to it for its CRL.',
        ]),
    `"publicUrl": ${text(address)},`,
    '',
    ...(answers.target === 'node' && answers.domain
      ? [
          '// Behind a proxy on this machine, which says whom it asks for:',
          '// "trustedProxies": ["127.0.0.1"],',
          '',
        ]
      : []),
    '// A CA keeps its subject, key and validity from its first start on.',
    `"cas": { "default": { "subject": ${text(subject)}, "key": ${text(key)}, "validity": "3650d" } },`,
    '',
    '// What certificates look like, where it is not this: "profiles" and "profile" of an endpoint.',
    '"endpoints": {',
    ...enrol.map((line) => `  ${line}`),
    '}',
  ];
  return `{\n${lines.map((line) => (line === '' ? '' : `  ${line}`)).join('\n')}\n}\n`;
}

export const configurationFile = (answers: Answers, { schema }: Places): StubFile => ({
  name: 'scepter.jsonc',
  what: 'the configuration',
  text: configurationOf(answers, schema),
});
