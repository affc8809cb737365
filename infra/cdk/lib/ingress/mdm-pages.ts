// The way of MDMs to their challenges: routes of the API to a function of its own, and a function of CloudFront that says
// which credentials to bring, because API Gateway gives the header that says so another name.

import { join } from 'node:path';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import {
  type BehaviorOptions,
  Function as CloudFrontFunction,
  FunctionCode,
  FunctionEventType,
  FunctionRuntime,
} from 'aws-cdk-lib/aws-cloudfront';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import type { Config } from '../../../../lib/config/config.ts';
import { mdmPathsOf } from '../../../../lib/config/endpoint/endpoint.ts';
import { policiesFolder } from '../assets.ts';
import { checkFlag, fail } from '../checks.ts';
import type { ScepServiceProps } from '../props.ts';
import type { IngressSettings } from './access.ts';

/** @throws {Error} with a sentence that names the prop */
export function checkPages(
  { challengePages = false }: ScepServiceProps,
  { endpoints }: Config,
  { type }: IngressSettings,
): void {
  checkFlag('challengePages', challengePages);
  if (challengePages && (type === 'functionUrl' || type === 'alb')) {
    fail('challengePages', 'needs CloudFront or an HTTP API, which have routes for them');
  }
  const [first] = [...endpoints.values()].filter((one) => mdmPathsOf(one).length > 0);
  if (challengePages && !first) {
    fail('challengePages', 'is for endpoints with "ndes" or "jamf", of which there are none');
  }
  if (first && !challengePages) {
    const paths = mdmPathsOf(first).join(' and ');
    fail('challengePages', `must be true: nothing answers MDMs at ${paths} otherwise`);
  }
}

/** Routes are case-sensitive; the function of CloudFront makes one spelling of all. */
const paths = [
  '/certsrv/mscep_admin',
  '/certsrv/{endpoint}/mscep_admin',
  '/hooks/jamf/{endpoint}',
] as const;

export function addPageRoutes(api: HttpApi, to: LambdaFunction | undefined): void {
  if (!to) return;
  const integration = new HttpLambdaIntegration('challenges', to);
  for (const path of paths) api.addRoutes({ path, methods: [HttpMethod.ANY], integration });
}

/** As MDMs write it: certsrv and CertSrv. */
const pattern = '/?ert?rv/*mscep_admin*';

/** @param behavior https only, nothing cached */
export function pageBehavior(
  scope: Construct,
  { challengePages, deployment = 'scepter' }: ScepServiceProps,
  behavior: BehaviorOptions,
): Record<string, BehaviorOptions> {
  if (!challengePages) return {};
  const asks = new CloudFrontFunction(scope, 'MdmPages', {
    comment: `Scepter ${deployment}: which credentials MDMs bring for challenges`,
    runtime: FunctionRuntime.JS_2_0,
    code: FunctionCode.fromFile({ filePath: join(policiesFolder, 'mdm-pages.js') }),
  });
  const functionAssociations = [{ function: asks, eventType: FunctionEventType.VIEWER_REQUEST }];
  return { [pattern]: { ...behavior, functionAssociations } };
}
