// The part of the same guide that is about production: Terraform makes in moto what it says there.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { followed } from '../infra/follow.ts';
import { given, stateIn } from './terraform.ts';

test('docs/deploy-aws.md for production: Terraform makes what it says', async () => {
  const only = { ...given, GUIDE_ONLY_SYNTH: '1' };
  const copy = await followed(['docs/deploy-aws.md', 'terraform-production'], undefined, only);
  const { outputs } = stateIn(`${copy}/infra/terraform/examples/cloudfront`);
  assert.equal(outputs.scep_url?.value, 'https://scep.example.com/scep');
});
