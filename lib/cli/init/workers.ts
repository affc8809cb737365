// The stub for Cloudflare Workers: cdk.json for the AWS side. What wrangler deploys is made of its outputs, by the
// repository's `npm run configure`.

import { cdkFile, doctor, installed, placeholder, quoted } from './aws.ts';
import {
  type Answers,
  configurationFile,
  DEPLOYMENT,
  needsSecret,
  type Places,
  SECRET,
  type Stub,
} from './configuration.ts';

export function onWorkers(answers: Answers, places: Places): Stub {
  const { region } = answers;
  const { repository } = places;
  const app = ['node_modules/.bin/node', 'infra/cdk/bin/worker.ts']
    .map((path) => `"${repository}/${path}"`)
    .join(' ');
  // From the repository: in this folder npx would fetch whichever there is.
  const toolkit = quoted(`${repository}/infra/cdk/node_modules/.bin/cdk`);
  const npm = `npm --prefix ${quoted(`${repository}/infra/cloudflare`)} run`;
  return {
    files: [
      configurationFile(answers, places),
      cdkFile(app, { config: 'scepter.jsonc', region, deployment: DEPLOYMENT }),
    ],
    next: [
      ...['', '/infra/cdk', '/infra/cloudflare'].map((folder) => installed(places, folder)),
      `${toolkit} bootstrap`,
      `${toolkit} deploy --outputs-file out.json`,
      `${npm} configure -- "$PWD"`,
      `${npm} wrangler -- --cwd "$PWD" deploy`,
      ...doctor(answers),
    ],
    notes: [
      ...placeholder(answers),
      `between the two deployments are the CA and the secrets${needsSecret(answers) ? `, ${SECRET} too` : ''}: docs/deploy-workers.md, "The first certificate"`,
    ],
  };
}
