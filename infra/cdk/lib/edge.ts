// The web ACL with the rate rule, which CloudFront takes from us-east-1 only. A stack in that region contains
// it; for a stack elsewhere `bin/edge.ts` makes one of its own.

import { CfnWebACL } from 'aws-cdk-lib/aws-wafv2';
import type { Construct } from 'constructs';

const visible = (metricName: string) => ({
  metricName,
  cloudWatchMetricsEnabled: true,
  // No samples: they would show whole requests.
  sampledRequestsEnabled: false,
});

/** What the requests of a deployment's web ACL are counted under, in an account that may have several. */
export const webAclMetric = (deployment: string): string => `scepter-${deployment}`;

/** @param rateLimit requests of one address in five minutes */
export function makeWebAcl(scope: Construct, deployment: string, rateLimit = 2000): CfnWebACL {
  return new CfnWebACL(scope, 'WebAcl', {
    description: `Scepter ${deployment}: a limit to what one address may ask`,
    scope: 'CLOUDFRONT',
    defaultAction: { allow: {} },
    rules: [
      {
        name: 'RateLimit',
        priority: 0,
        action: { block: { customResponse: { responseCode: 429 } } },
        statement: { rateBasedStatement: { aggregateKeyType: 'IP', limit: rateLimit } },
        visibilityConfig: visible('RateLimit'),
      },
    ],
    visibilityConfig: visible(webAclMetric(deployment)),
  });
}
