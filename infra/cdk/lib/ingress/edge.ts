// The web ACL with the rate rule, which CloudFront takes from us-east-1 only. A service in that region contains
// it; for a service elsewhere a stack there has one of its own, such as that of `bin/edge.ts`.

import { CfnWebACL } from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import { checkDeployment, checkRateLimit } from '../check-props.ts';

const visible = (metricName: string) => ({
  metricName,
  cloudWatchMetricsEnabled: true,
  // No samples: they would show whole requests.
  sampledRequestsEnabled: false,
});

/**
 * What the requests of a deployment's web ACL are counted under, in an account that may have several.
 * @internal
 */
export const webAclMetric = (deployment: string): string => `scepter-${deployment}`;

/** What a web ACL may be told. */
export interface WebAclProps {
  /**
   * The name of the deployment that it is for.
   * @default 'scepter'
   */
  readonly deployment?: string;

  /**
   * Requests from one address in five minutes, from 10; more are refused. An enrolment is four of them, so a site
   * behind one address may enrol eight devices a second.
   * @default 10000
   */
  readonly rateLimit?: number;
}

/** A web ACL of scope CLOUDFRONT with the rate rule, in a stack of us-east-1. */
export class WebAcl extends Construct {
  /** What CloudFront and `webAclArn` are told. */
  readonly arn: string;
  /** The web ACL itself. */
  readonly resource: CfnWebACL;

  /** @throws {Error} with a sentence that names the prop that is wrong */
  constructor(scope: Construct, id: string, props: WebAclProps = {}) {
    super(scope, id);
    const { deployment = 'scepter', rateLimit = 10_000 } = props;
    checkDeployment(deployment);
    checkRateLimit('rateLimit', rateLimit);
    this.resource = new CfnWebACL(this, 'Resource', {
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
    this.arn = this.resource.attrArn;
  }
}
