// An internal load balancer in front of the SCEP function, for devices that are in the network of a VPC. It never
// redirects, because devices lose the body of a POST when they follow.

import { type IVpc, Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import {
  ApplicationListener,
  ApplicationLoadBalancer,
  ApplicationProtocol,
  ApplicationTargetGroup,
  SslPolicy,
  TargetType,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { LambdaTarget } from 'aws-cdk-lib/aws-elasticloadbalancingv2-targets';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { LoadBalancerTarget } from 'aws-cdk-lib/aws-route53-targets';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2';
import type { Construct } from 'constructs';
import type { ScepServiceProps } from '../props.ts';
import type { LoadBalancerOptions } from './access.ts';
import { makeLogBucket } from './distribution.ts';
import { makeRecords } from './domain.ts';

export type Balanced = {
  readonly loadBalancer: ApplicationLoadBalancer;
  readonly accessLogs: Bucket;
};

export function makeLoadBalancer(
  scope: Construct,
  { deployment = 'scepter' }: ScepServiceProps,
  options: LoadBalancerOptions,
  scep: LambdaFunction,
): Balanced {
  const { vpc, vpcSubnets, domain, plainHttp = false, webAclArn } = options;
  const description = `Scepter ${deployment}: devices to the load balancer`;
  const securityGroup = new SecurityGroup(scope, 'LoadBalancerGroup', {
    ...{ vpc, description, allowAllOutbound: false },
  });
  const loadBalancer = new ApplicationLoadBalancer(scope, 'LoadBalancer', {
    ...{ vpc, vpcSubnets, securityGroup },
    internetFacing: false,
    dropInvalidHeaderFields: true,
  });
  const accessLogs = makeLogBucket(scope);
  loadBalancer.logAccessLogs(accessLogs);
  const targets = new ApplicationTargetGroup(scope, 'LoadBalancerTargets', {
    targetType: TargetType.LAMBDA,
    targets: [new LambdaTarget(scep)],
    // A header or a parameter that comes twice arrives twice.
    multiValueHeadersEnabled: true,
  });
  const listen = (protocol: ApplicationProtocol, port: number): ApplicationListener => {
    for (const client of options.clients ?? [addressesOf(vpc)]) {
      securityGroup.addIngressRule(Peer.ipv4(client), Port.tcp(port));
    }
    return new ApplicationListener(scope, `Listener${port}`, {
      ...{ loadBalancer, protocol, port },
      // The group has just been told whom to let in.
      open: false,
      defaultTargetGroups: [targets],
      ...(protocol === ApplicationProtocol.HTTPS && domain.certificate
        ? { certificates: [domain.certificate], sslPolicy: SslPolicy.RECOMMENDED_TLS }
        : {}),
    });
  };
  listen(ApplicationProtocol.HTTPS, 443);
  if (plainHttp) listen(ApplicationProtocol.HTTP, 80);
  if (webAclArn !== undefined) {
    new CfnWebACLAssociation(scope, 'WebAclAssociation', {
      resourceArn: loadBalancer.loadBalancerArn,
      webAclArn,
    });
  }
  makeRecords(scope, '', domain, new LoadBalancerTarget(loadBalancer), 'A');
  return { loadBalancer, accessLogs };
}

/** @throws {Error} with a sentence, where the VPC is known by its id only */
function addressesOf(vpc: IVpc): string {
  try {
    return vpc.vpcCidrBlock;
  } catch {
    throw new Error(
      'ingress.clients: must be given, because the addresses of the VPC are not known: CIDR blocks such as 10.0.0.0/8',
    );
  }
}
