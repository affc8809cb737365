// The questions of `scepter init`: each an option, a prompt, and what an answer may be.

import { caKeyNames } from '../../crypto/algorithms.ts';
import { CliError, type Io, type Prompt } from '../io.ts';
import {
  type Answers,
  type ChallengeWay,
  challengeWays,
  configurationOf,
  stubTargets,
  type Target,
} from './configuration.ts';

const names = [
  'target',
  'domain',
  'zone',
  'region',
  'subject',
  'key',
  'mdm',
  'names',
  'secret',
  'repository',
] as const;
type Name = (typeof names)[number];
type Given = Partial<Record<Name, string>>;
export type Flags = Given;

type Question = {
  readonly name: Name;
  readonly flags: string;
  readonly help: string;
  readonly prompt: string;
  readonly choices?: readonly string[];
  /** It is not asked where the fallback is known. */
  readonly quiet?: true;
  /** Whether it matters after the answers so far; absent: always. */
  readonly when?: (given: Given) => boolean;
  readonly only?: string;
  /** An empty one is an answer, too; undefined: there must be one. */
  readonly fallback: (given: Given, home: Io['home']) => string | undefined;
  /** @returns what is wrong with an answer that is not empty */
  readonly problem?: (
    text: string,
    given: Given,
  ) => string | undefined | Promise<string | undefined>;
};

const isAws = ({ target }: Given): boolean => target === 'aws-cdk' || target === 'aws-terraform';
const isStatic = ({ mdm }: Given): boolean => mdm === 'static';

const domainPattern = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/;
const zonePattern = /^(Z[A-Z0-9]+)(?:\/(\S+))?$/;
const secretPattern = /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+-\w{6}$/;

/** What the configuration says of a field. */
async function faultOf(changed: Partial<Answers>): Promise<string | undefined> {
  const [{ checkConfig }, { ConfigError }, { parseJsonc }] = await Promise.all([
    import('../../config/config.ts'),
    import('../../config/error.ts'),
    import('../../config/schema.ts'),
  ]);
  try {
    checkConfig(parseJsonc(configurationOf({ ...sample, ...changed }, 'schema')));
    return undefined;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems[0]?.replace(/^[\w.-]+: /, '');
  }
}

const sample: Answers = {
  target: 'node',
  domain: undefined,
  zone: undefined,
  region: '',
  subject: 'CN=Scepter CA,O=Scepter',
  key: 'rsa:3072',
  mdm: 'none',
  names: undefined,
  secret: undefined,
};

/** MDMs that people would name, and what they choose here. */
const mdms: Readonly<Record<string, string>> = {
  jamf: 'is "static" today: Jamf Pro puts one challenge into all profiles',
  intune: 'cannot be offered yet: Intune wants its own validator, which is not there',
};

export const questions: readonly Question[] = [
  {
    name: 'target',
    flags: '--target <where>',
    help: 'where it runs',
    prompt: 'Where does it run?',
    choices: stubTargets,
    fallback: () => 'node',
  },
  {
    name: 'domain',
    flags: '--domain <name>',
    help: 'the name by which devices reach it; empty: none yet',
    prompt: 'By which name do devices reach it, such as scep.example.com? (empty: none yet)',
    fallback: () => '',
    problem: (text) =>
      domainPattern.test(text)
        ? undefined
        : 'must be a host name in lower case, such as scep.example.com',
  },
  {
    name: 'zone',
    flags: '--zone <id>',
    help: "at AWS, with a domain: its public Route 53 zone, as ID or ID/NAME (NAME: the domain's without its first label)",
    prompt: 'Which Route 53 zone is that name in? Its id, such as Z0123456789, or ID/NAME',
    when: (given) => isAws(given) && given.domain !== '',
    only: 'for a domain at AWS',
    fallback: () => undefined,
    problem: (text, { domain = '' }) => {
      const [, id, name] = zonePattern.exec(text) ?? [];
      if (!id) return 'must be the id of a Route 53 zone, such as Z0123456789';
      if (name === undefined || domain === name || domain.endsWith(`.${name}`)) return undefined;
      return `${domain} is not in the zone ${name}`;
    },
  },
  {
    name: 'region',
    flags: '--region <name>',
    help: 'the AWS region of the table and the keys',
    prompt: 'In which AWS region are the table and the keys?',
    when: ({ target }) => target !== 'node',
    only: 'for AWS and Workers',
    fallback: () => 'eu-central-1',
    problem: (text) =>
      /^[a-z]{2,}(-[a-z]+)+-\d+$/.test(text) ? undefined : 'must be the name of an AWS region',
  },
  {
    name: 'subject',
    flags: '--subject <dn>',
    help: 'the name of the CA, which it keeps: CN=Device CA,O=Example',
    prompt: 'What is the CA called? It keeps that name',
    fallback: ({ domain }) => (domain ? `CN=Device CA,O=${domain}` : sample.subject),
    problem: (text) => faultOf({ subject: text }),
  },
  {
    name: 'key',
    flags: '--key <kind>',
    help: 'the kind of its key; old devices know RSA only',
    prompt: 'What kind of key has it? Old devices know RSA only',
    choices: caKeyNames,
    fallback: () => sample.key,
  },
  {
    name: 'mdm',
    flags: '--mdm <way>',
    help: 'how devices come by their challenge (below)',
    prompt:
      'How do devices come by their challenge? none: one for each device; static: one for all, from an MDM; proxy: something enrols for them',
    choices: challengeWays,
    fallback: () => 'none',
  },
  {
    name: 'names',
    flags: '--names <pattern>',
    help: 'with --mdm static: what the common name of a device looks like, such as "mac-*"',
    prompt: 'What do common names of these devices look like, such as mac-*?',
    when: isStatic,
    only: 'for --mdm static',
    fallback: () => undefined,
    problem: (text) => faultOf({ mdm: 'static', names: text }),
  },
  {
    name: 'secret',
    flags: '--secret <arn>',
    help: 'with --mdm static and aws-cdk: the ARN of the secret in Secrets Manager that holds the challenge',
    prompt: 'Which secret of Secrets Manager holds the challenge? Its ARN',
    when: (given) => isStatic(given) && given.target === 'aws-cdk',
    only: 'for --mdm static with --target aws-cdk',
    fallback: () => undefined,
    problem: (text) => (secretPattern.test(text) ? undefined : 'must be the ARN of a secret'),
  },
  {
    name: 'repository',
    flags: '--repository <folder>',
    help: "for AWS and Workers: the folder of Scepter's repository, which has the construct, the module and the Worker",
    prompt: "Where is Scepter's repository, which has infra?",
    when: ({ target }) => target !== 'node',
    only: 'for AWS and Workers',
    quiet: true,
    fallback: (_, { repository }) => repository,
    // It stands in commands, in HCL and in comments.
    problem: (text) =>
      /["$`\p{Cc}]/u.test(text)
        ? 'has signs that a shell takes for its own (", $, `): move it'
        : undefined,
  },
];

/**
 * @param given by options
 * @param silent asks nothing
 * @throws {CliError} usage
 */
export async function answersOf(
  io: Io,
  given: Given,
  silent: boolean,
): Promise<Answers & { readonly repository: string }> {
  const prompt = silent ? undefined : io.prompt?.();
  const answered = await all({ io, ask: prompt?.ask, silent }, given).finally(() =>
    prompt?.close(),
  );
  const {
    target,
    domain,
    zone,
    region = '',
    subject = '',
    key = '',
    mdm,
    names,
    secret,
    repository = '',
  } = answered;
  const [, id = '', name] = zonePattern.exec(zone ?? '') ?? [];
  return {
    target: target as Target,
    domain: domain || undefined,
    zone: zone && domain ? { id, name: name ?? domain.replace(/^[^.]+\./, '') } : undefined,
    ...{ region, subject, key },
    mdm: mdm as ChallengeWay,
    ...{ names, secret, repository },
  };
}

type Asking = {
  readonly io: Io;
  /** Undefined: nobody can be asked. */
  readonly ask: Prompt['ask'] | undefined;
  readonly silent: boolean;
};

async function all(asking: Asking, given: Given): Promise<Given> {
  const answers: Given = {};
  for (const question of questions) {
    const { name, when, only } = question;
    const text = given[name];
    if (when && !when(answers)) {
      if (text !== undefined) throw new CliError('usage', `--${name}: is ${only}: leave it out`);
      continue;
    }
    answers[name] =
      text === undefined
        ? await asked(asking, question, answers)
        : await good(question, text, answers);
  }
  return answers;
}

async function problemOf(
  { choices, problem, name, fallback }: Question,
  text: string,
  answers: Given,
): Promise<string | undefined> {
  if (choices && !choices.includes(text)) {
    const known = name === 'mdm' ? mdms[text.toLowerCase()] : undefined;
    return known ?? `must be one of ${choices.join(', ')}`;
  }
  if (text !== '') return problem?.(text, answers);
  const none = { schema: '', repository: undefined };
  return fallback(answers, none) === '' ? undefined : 'must not be empty';
}

/** @throws {CliError} usage */
async function good(question: Question, text: string, answers: Given): Promise<string> {
  const problem = await problemOf(question, text, answers);
  if (problem === undefined) return text;
  const said = text === '' ? '' : `"${text}" `;
  throw new CliError('usage', `--${question.name}: ${said}${problem}`);
}

/** @throws {CliError} usage where there is neither an answer nor anybody to give one */
async function asked(
  { io, ask, silent }: Asking,
  question: Question,
  answers: Given,
): Promise<string> {
  const { name, prompt, choices, help } = question;
  const fallback = question.fallback(answers, io.home);
  if (question.quiet && fallback !== undefined) return good(question, fallback, answers);
  if (!ask) {
    if (silent && fallback !== undefined) return fallback;
    const missing = silent ? 'is missing' : 'is missing, and there is no terminal to ask at';
    const wayOut = silent || fallback === undefined ? '' : ', or --yes for what it would propose';
    throw new CliError('usage', `--${name}: ${missing}: give it${wayOut} (${help})`);
  }
  const offered = choices ? ` (${choices.join(', ')})` : '';
  const proposed = fallback ? ` [${fallback}]` : '';
  for (;;) {
    const said = (await ask(`${prompt}${offered}${proposed}: `)).trim();
    const text = said === '' ? fallback : said;
    const problem =
      text === undefined ? 'must be answered' : await problemOf(question, text, answers);
    if (text !== undefined && problem === undefined) return text;
    io.note(`  ${said === '' ? 'this' : `"${said}"`} ${problem}`);
  }
}
