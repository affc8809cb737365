// What CloudFront takes from us-east-1 only: the web ACL with the rate rule. A stack that is there has
// it in itself; for one elsewhere `bin/edge.ts` makes a stack of it.

import { CfnWebACL } from 'aws-cdk-lib/aws-wafv2';
import type { Construct } from 'constructs';

const visible = (metricName: string) => ({
  metricName,
  cloudWatchMetricsEnabled: true,
  // Samples show whole requests.
  sampledRequestsEnabled: false,
});

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
    visibilityConfig: visible('WebAcl'),
  });
}
