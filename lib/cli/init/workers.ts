// The stub for Cloudflare Workers: wrangler.jsonc, and cdk.json for the AWS side of it.

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
  const { domain, region } = answers;
  const { repository } = places;
  const text = JSON.stringify;
  const wrangler = `// What "wrangler deploy" puts at Cloudflare. The AWS side of it is in cdk.json; its outputs say what stands in "vars".
{
  "name": "scepter",
  "main": ${text(`${repository}/functions/worker.ts`)},
  "compatibility_date": "2026-11-17",
  "compatibility_flags": ["nodejs_compat"],

${
  domain
    ? `  // The zone is in the same account. At no other name is it found.
  "routes": [{ "pattern": ${text(domain)}, "custom_domain": true }],
  "workers_dev": false,`
    : `  // Where devices find it: a name of yours. While nothing is here, it is at a name of Cloudflare's.
  // "routes": [{ "pattern": "scep.example.com", "custom_domain": true }],
  // "workers_dev": false,`
}
  "preview_urls": false,

  "vars": {
    "AWS_REGION": ${text(region)},
    "SCEPTER_TABLE": "",
    "SCEPTER_DEPLOYMENT": ${text(DEPLOYMENT)},
    "SCEPTER_SEALING_KEY": "",
    // "1": plain http too, for SCEP, CRLs and CA certificates, where devices know nothing else.
    "SCEPTER_PLAIN_HTTP": "0"
  },
  // By "wrangler secret bulk"; none of them stands in a file.
  "secrets": {
    "required": [
      "AWS_ACCESS_KEY_ID",
      "AWS_SECRET_ACCESS_KEY",
      "SCEPTER_CONFIG",
      "SCEPTER_ADMIN_TOKEN"${needsSecret(answers) ? `,\n      ${text(SECRET)}` : ''}
    ]
  },

  // Requests of one address (of IPv6: of one network) that come in, at each location of Cloudflare's.
  "ratelimits": [
    { "name": "FLOODS", "namespace_id": "8894", "simple": { "limit": 400, "period": 60 } }
  ],
  "triggers": { "crons": ["* * * * *"] },
  // Near the table and the keys: an enrolment asks them four times, one after the other.
  "placement": { "region": ${text(`aws:${region}`)} },
  "limits": { "cpu_ms": 10000 },
  // What the Worker says itself, and no URLs: messages are in their queries.
  "observability": {
    "enabled": true,
    "redact_query_string": true,
    "logs": { "enabled": true, "invocation_logs": false }
  },
  "upload_source_maps": true,
  "minify": true
}
`;
  return {
    files: [
      configurationFile(answers, places),
      cdkFile(places, 'worker', { config: 'scepter.jsonc', region, deployment: DEPLOYMENT }),
      { name: 'wrangler.jsonc', what: 'what "wrangler deploy" deploys', text: wrangler },
    ],
    next: [
      ...built(places, 'cdk', false),
      ...built(places, 'cloudflare', false).slice(1),
      `${toolkit(places)} bootstrap`,
      `${toolkit(places)} deploy --outputs-file out.json`,
      `${quoted(`${repository}/infra/cloudflare/node_modules/.bin/wrangler`)} deploy`,
      ...doctor(answers),
    ],
    notes: [
      ...placeholder(answers),
      'between the two deployments are the CA, the secrets and "vars": docs/deploy-workers.md, "The first certificate"',
    ],
  };
}
