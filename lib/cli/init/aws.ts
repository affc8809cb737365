// The stubs for AWS: a project for the CDK with the package of the construct, and a root module for Terraform. Both
// take what `npm run release` makes in the repository.

import { shellWord } from '../../base/text.ts';
import {
  type Answers,
  addressOf,
  configurationFile,
  DEPLOYMENT,
  needsSecret,
  noAddress,
  type Places,
  SECRET,
  type Stub,
  type StubFile,
} from './configuration.ts';

const indented = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
export const quoted = (path: string): string =>
  /^[\w@%+=:,./-]+$/.test(path) ? path : shellWord(path);

export const placeholder = ({ domain }: Answers): readonly string[] =>
  domain === undefined
    ? [
        'publicUrl is set once the address is known: then deploy again, before the first certificate',
      ]
    : [];

/** Packages of the repository, or of a folder in it. */
export const installed = ({ repository }: Places, folder = ''): string =>
  `npm --prefix ${quoted(`${repository}${folder}`)} ci`;

/** In a text of HCL, what begins with ${ or %{ is computed. */
const text = (value: string): string => JSON.stringify(value).replace(/[$%](?=\{)/g, '$&$&');

const released = (places: Places): string =>
  `${installed(places)} && npm --prefix ${quoted(places.repository)} run release`;

/** As in infra/cdk/cdk.json. */
const toolkitSettings = {
  '@aws-cdk/aws-iam:minimizePolicies': false,
  '@aws-cdk/core:checkSecretUsage': true,
  '@aws-cdk/core:target-partitions': ['aws'],
  '@aws-cdk/core:validateAgainstDefaultRules': true,
};

/** @param app the command that makes the template */
export const cdkFile = (app: string, context: Readonly<Record<string, string>>): StubFile => ({
  name: 'cdk.json',
  what: 'what "cdk deploy" deploys',
  text: indented({ app, context: { ...context, ...toolkitSettings } }),
});

/** Of infra/cdk/package.json. */
const cdkProject = {
  private: true,
  dependencies: { 'aws-cdk-lib': '^2.276.0', constructs: '^10.8.1' },
  devDependencies: { 'aws-cdk': '^2.1148.1' },
};

export const doctor = (answers: Answers): readonly string[] =>
  addressOf(answers) === noAddress ? [] : [`scepter doctor ${addressOf(answers)}/scep`];

export function withCdk(answers: Answers, places: Places): Stub {
  const { domain, zone, region, secret } = answers;
  const context = {
    config: 'scepter.jsonc',
    region,
    deployment: DEPLOYMENT,
    ingress: 'httpApi',
    ...(domain && zone ? { domain, hostedZoneId: zone.id, hostedZoneName: zone.name } : {}),
    ...(secret ? { secrets: `${SECRET}=${secret}` } : {}),
  };
  return {
    files: [
      configurationFile(answers, places),
      cdkFile('node node_modules/cdk-scepter/bin/app.js', context),
      {
        name: 'package.json',
        what: 'the CDK, beside which the package of the construct is installed',
        text: indented(cdkProject),
      },
    ],
    next: [
      released(places),
      `npm install ${quoted(places.repository)}/dist/release/cdk-scepter-*.tgz`,
      'npx cdk bootstrap',
      'npx cdk deploy --outputs-file out.json',
      ...doctor(answers),
    ],
    notes: [
      ...placeholder(answers),
      'the CA is made by the operator: docs/deploy-aws.md, "The first certificate"',
    ],
  };
}

export function withTerraform(answers: Answers, places: Places): Stub {
  const { domain, zone, region } = answers;
  const { repository } = places;
  const main = `# Scepter on AWS. What else the module takes: ${repository}/infra/terraform/variables.tf
terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}

provider "aws" {
  region = ${text(region)}
}
${
  needsSecret(answers)
    ? `
variable "mdm_challenge_arn" {
  description = "ARN of the secret of Secrets Manager that the MDM puts into its profiles as their challenge."
  type        = string
}
`
    : ''
}
module "scepter" {
  source = ${text(`${repository}/infra/terraform`)}

  # Only CloudFront wants something in us-east-1.
  providers = {
    aws           = aws
    aws.us_east_1 = aws
  }

  config         = file("\${path.module}/stamped.json")
  deployment     = ${text(DEPLOYMENT)}
  lambda_package = ${text(`${repository}/dist/release`)}
  ingress        = "httpApi"
${domain && zone ? `  domain         = { name = ${text(domain)}, zone_id = ${text(zone.id)} }\n` : ''}${needsSecret(answers) ? `  secrets        = { ${SECRET} = var.mdm_challenge_arn }\n` : ''}}

output "scep_url" {
  description = "The URL that devices are given."
  value       = module.scepter.scep_url
}

output "scepter" {
  description = "What \\"scepter ca init\\" and the guide need."
  value       = module.scepter
}
`;
  return {
    files: [
      configurationFile(answers, places),
      { name: 'main.tf', what: 'what "terraform apply" applies', text: main },
    ],
    next: [
      released(places),
      'scepter config validate scepter.jsonc --stamp > stamped.json',
      'terraform init',
      ...(needsSecret(answers)
        ? [
            'export TF_VAR_mdm_challenge_arn="$(aws secretsmanager create-secret --name scepter-mdm-challenge --secret-string "$(openssl rand -hex 16)" --query ARN --output text)"',
          ]
        : []),
      'terraform apply',
      ...doctor(answers),
    ],
    notes: [
      ...placeholder(answers),
      'the CA is made by the operator: docs/deploy-aws.md, "The first certificate"',
    ],
  };
}
