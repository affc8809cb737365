// scepter policy test: what would become of a request, tried out on the server without consequences.

import { Command, Option } from 'commander';
import type { AnswerTo, Api } from '../../api/api.ts';
import type { SentTo } from '../../api/route.ts';
import { base64, fromUtf8 } from '../../base/bytes.ts';
import { verdictText } from '../../base/text.ts';
import { callApi } from '../api.ts';
import { wholeSerial } from '../certificate/which.ts';
import { verified } from '../device/scep.ts';
import { CliError, type Io } from '../io.ts';
import { extensionFields } from '../look/decoded.ts';
import { describePart, partsOf } from '../look/encodings.ts';
import { fileOctets } from '../look/inspect.ts';
import { outputOption, pagerOption, type ShowOptions, show } from '../show.ts';
import { type Field, type Sheet, seconds } from '../text.ts';
import { type BindingOptions, bindingNames, bindingOf, bindingOptions } from './binding.ts';
import { reasonOf, refusalFields } from './refusal.ts';
import { replayCommand } from './replay.ts';

type Options = ShowOptions &
  BindingOptions & {
    readonly endpoint: string;
    readonly csr: string;
    readonly challenge: boolean;
    readonly signedBy?: string;
    readonly validatorAnswers?: string;
    readonly from?: string;
    readonly renews?: string;
  };

type Simulation = AnswerTo<'POST /simulate'>;

const decisions = {
  grant: 'grant: the device would get a certificate',
  pend: 'pend: an approver would be asked',
  deny: 'deny: the device would be refused',
  trouble: 'trouble: a validator gives no answer, and the device would be told to come again',
} as const;

export function policyCommand(io: Io): Command {
  const policy = new Command('policy');
  const test = policy
    .command('test')
    .description('what would become of a request; nothing is written and nothing is signed')
    .option('--endpoint <name>', 'the endpoint that would be asked', 'default')
    .requiredOption('--csr <file>', 'the PKCS#10: PEM, DER or base64; "-" for standard input')
    .optionsGroup('As if it came with a challenge that is bound to:');
  for (const option of bindingOptions()) test.addOption(option);
  test
    .option('--signed-by <kid>', 'with this key, where the endpoint takes signed challenges')
    .optionsGroup('Options:')
    .addOption(
      new Option('--no-challenge', 'as if it came without one').conflicts([
        ...bindingNames,
        'signedBy',
        'renews',
      ]),
    )
    .option(
      '--from <address>',
      'as if it came from there (default: from where its challenge allows)',
    )
    .option('--renews <serial>', 'as if it was signed with this certificate, without a challenge')
    .option(
      '--validator-answers <file>',
      'what validators outside would answer, JSON; "-" for standard input (default: they allow)',
    )
    .addOption(outputOption())
    .option('--json', 'print one JSON object')
    .addOption(pagerOption())
    .addHelpText(
      'after',
      `
Exit code 0: granted, or an approver would be asked. 1: refused, or no answer.
A challengePassword in the request is not looked at; it counts as good.
A file for --validator-answers has validators by name, each with "answer" (allow, refuse or trouble, which is none)
and maybe "reason": {"mdm": {"answer": "refuse", "reason": "not enrolled"}}

Examples:
  scepter policy test --csr device.csr --endpoint vpn
  scepter policy test --csr device.csr --subject CN=device-1 --san dns:device-1.example.com
  scepter policy test --csr next.csr --renews 5f1c2a9d3b7e48f0a1b2c3d4e5f60718 --json`,
    )
    .action((options: Options) => testPolicy(io, options));
  policy.addCommand(replayCommand(io));
  return policy;
}

async function testPolicy(io: Io, options: Options): Promise<void> {
  const { endpoint, csr: file, challenge: challenged, signedBy, renews, from } = options;
  const { validatorAnswers: answersFile } = options;
  if (answersFile === '-' && file === '-') {
    throw new CliError(
      'usage',
      'standard input is one file: --csr or --validator-answers, not both',
    );
  }
  const bound = [...bindingNames, 'signedBy'].some(
    (name) => options[name as keyof BindingOptions] !== undefined,
  );
  const challenge =
    bound || (challenged && renews === undefined) ? bindingOf(options) : ('none' as const);
  const csr = await requestIn(io, file);
  const body = {
    endpoint,
    csr,
    challenge,
    signedBy,
    validatorAnswers: answersFile === undefined ? undefined : await answersIn(io, answersFile),
    from,
    renews: renews && (await wholeSerial(io, renews)),
  };
  const found = await callApi(io, 'POST /simulate', { body });
  await show(io, options, { json: found, page: () => page(found, endpoint, csr) });
  if (found.decision === 'deny') throw new CliError('failure', 'the request would be refused');
  if (found.decision === 'trouble')
    throw new CliError('failure', 'the request would not be decided');
}

type Answers = NonNullable<SentTo<Api['POST /simulate']>['body']['validatorAnswers']>;

/** The server says of each field what is wrong with it. @throws {CliError} usage for what is no JSON */
async function answersIn(io: Io, file: string): Promise<Answers> {
  const octets = await fileOctets(io, file);
  try {
    return JSON.parse(fromUtf8(octets));
  } catch (error) {
    const isText = error instanceof SyntaxError || error instanceof TypeError;
    if (!isText) throw error;
    throw new CliError('usage', `${file} is not JSON: {"mdm": {"answer": "refuse"}} is expected`);
  }
}

/** The first request in a file, DER in base64. */
async function requestIn(io: Io, file: string): Promise<string> {
  const octets = await fileOctets(io, file);
  const found = await verified(async () => {
    for (const part of partsOf(octets)) {
      if (part && (await describePart(part))?.type === 'request') return part;
    }
    return undefined;
  });
  if (!found) throw new CliError('failure', `${file} holds no certification request`);
  return base64(found);
}

function page(
  { decision, verdicts = [], code, text, evidence = {}, certificate }: Simulation,
  endpoint: string,
  csr: string,
): Sheet {
  const reason = code === undefined ? undefined : reasonOf(code);
  const why: readonly Field[] = (reason &&
    refusalFields({ reason, evidence, endpoint, csr, profile: '<profile>' })) ?? [
    ['code', code === undefined ? text : `${code}: ${text}`],
  ];
  const would: readonly Field[] = certificate
    ? [
        ['subject', certificate.subject || '(empty)'],
        ['issuer', certificate.issuer],
        ['notBefore', seconds(certificate.notBefore)],
        ['notAfter', seconds(certificate.notAfter)],
        ['key', certificate.key],
        ...extensionFields(certificate.extensions),
        ['lint', certificate.lint],
      ]
    : [];
  return [
    [
      { lines: [decisions[decision]] },
      { fields: [['validators', verdicts.map(verdictText)]] },
      ...(decision === 'deny' || decision === 'trouble' ? [{ heading: 'why', fields: why }] : []),
      ...(certificate ? [{ heading: 'certificate', fields: would }] : []),
    ],
  ];
}
