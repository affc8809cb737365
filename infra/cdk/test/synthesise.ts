// The templates of the apps, all of one process: CloudFormation's own rules, which are to find nothing in them, take
// longer to begin than all templates together.

import { App } from 'aws-cdk-lib';
import {
  makeEdgeStack,
  makeHeartbeatStack,
  makeStack,
  makeWorkerStack,
} from '../lib/quick-start.ts';

const stacks = {
  app: makeStack,
  edge: makeEdgeStack,
  worker: makeWorkerStack,
  heartbeat: makeHeartbeatStack,
} as const;

/**
 * @param entry the app, as in `bin`
 * @param outdir where its template goes
 * @throws {Error} where the app or CloudFormation refuses
 */
export function makeTemplate(
  entry: keyof typeof stacks,
  context: Readonly<Record<string, unknown>>,
  outdir: string,
): void {
  const rules = { '@aws-cdk/core:validateAgainstDefaultRules': true };
  const app = new App({ autoSynth: false, context: { ...context, ...rules }, outdir });
  stacks[entry](app, process.env);
  app.synth();
}
