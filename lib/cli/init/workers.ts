// The stub for Cloudflare Workers: cdk.json for the AWS side. What wrangler deploys is made of its outputs, by the
// repository's `npm run configure`.

import { built, cdkFile, doctor, placeholder, quoted, toolkit } from './aws.ts';
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
  const npm = `npm --prefix ${quoted(`${places.repository}/infra/cloudflare`)} run`;
  return {
    files: [
      configurationFile(answers, places),
      cdkFile(places, 'worker', { config: 'scepter.jsonc', region, deployment: DEPLOYMENT }),
    ],
    next: [
      ...built(places, 'cdk', false),
      ...built(places, 'cloudflare', false).slice(1),
      `${toolkit(places)} bootstrap`,
      `${toolkit(places)} deploy --outputs-file out.json`,
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
