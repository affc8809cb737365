// How requests get to the functions. SCEP, CRLs and CA certificates must be public: what a device gets
// depends on what it proves. The admin function is never public: its routes require a JWT, its URL requires
// AWS credentials, and without these settings it has neither routes nor a URL.

import { Duration, Fn, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import {
  HttpApi,
  HttpMethod,
  HttpStage,
  IpAddressType,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { type Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { FunctionUrlAuthType, type Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { makeDistribution } from './distribution.ts';
import { makeDomain, originOf } from './domain.ts';
import type { CloudFrontIngress, HttpApiIngress, ScepServiceProps } from './props.ts';

export type Functions = { readonly scep: LambdaFunction; readonly admin: LambdaFunction };
export type Way = {
  /** https origin under which devices reach the service. */
  readonly url: string;
  /** Where the admin API is, if anywhere. */
  readonly adminUrl?: string;
  /** Counts the answers of 5xx that devices are given. */
  readonly serverErrors: Metric;
  /** The access log of the API, if there is one. */
  readonly apiLog?: LogGroup;
  /** A web ACL is among what was made. */
  readonly ownWebAcl?: boolean;
};

/** @param originSecret the secret that CloudFront sends to the SCEP function */
export function makeIngress(
  scope: Construct,
  props: ScepServiceProps,
  functions: Functions,
  originSecret: string,
): Way {
  const { ingress = { type: 'cloudfront' }, admin } = props;
  const signed = admin?.type === 'iam' ? { adminUrl: makeUrl(functions.admin, 'AWS_IAM') } : {};
  const five = { period: Duration.minutes(5), statistic: Stats.SUM };
  if (ingress.type === 'functionUrl') {
    const serverErrors = functions.scep.metric('Url5xxCount', five);
    return { url: makeUrl(functions.scep, 'NONE'), serverErrors, ...signed };
  }
  const { api, host, log: apiLog } = makeApi(scope, props, ingress, functions);
  const origin = { host, originSecret, shownTo: functions.scep };
  const { name, ownWebAcl } =
    ingress.type === 'httpApi'
      ? { name: host, ownWebAcl: false }
      : makeDistribution(scope, props, ingress, origin);
  const url = `https://${name}`;
  const made = { url, serverErrors: api.metricServerError(five), apiLog, ownWebAcl };
  return { ...made, ...(admin?.type === 'jwt' ? { adminUrl: url } : signed) };
}

function makeUrl(to: LambdaFunction, authType: keyof typeof FunctionUrlAuthType): string {
  const { url } = to.addFunctionUrl({ authType: FunctionUrlAuthType[authType] });
  // The URL ends with a slash, and paths begin with one.
  return `https://${Fn.select(2, Fn.split('/', url))}`;
}

/** @returns `host`: the name that the API answers to; its access log */
function makeApi(
  scope: Construct,
  { admin, deployment = 'scepter', logRetention, logGroupKey }: ScepServiceProps,
  ingress: HttpApiIngress | CloudFrontIngress,
  functions: Functions,
): { api: HttpApi; host: string; log: LogGroup } {
  const { domain, requestsPerSecond = 100 } = ingress;
  const api = new HttpApi(scope, 'Api', {
    apiName: `scepter-${deployment}`,
    description: `Scepter ${deployment}: SCEP, CRLs and CA certificates`,
    createDefaultStage: false,
    ipAddressType: IpAddressType.DUAL_STACK,
    disableExecuteApiEndpoint: domain !== undefined,
    // Devices write paths in any case, but routes are case-sensitive.
    defaultIntegration: new HttpLambdaIntegration('scep', functions.scep),
  });
  if (admin?.type === 'jwt') {
    const integration = new HttpLambdaIntegration('admin', functions.admin);
    const authorizer = new HttpJwtAuthorizer('operators', admin.issuer, {
      jwtAudience: [...admin.audience],
    });
    for (const path of ['/api/{proxy+}', '/openapi.json']) {
      api.addRoutes({ path, methods: [HttpMethod.ANY], integration, authorizer });
    }
  }
  const log = new LogGroup(scope, 'api-log', {
    retention: logRetention ?? RetentionDays.ONE_YEAR,
    encryptionKey: logGroupKey,
    removalPolicy: RemovalPolicy.RETAIN,
  });
  // Behind CloudFront, devices use another name than the API's own.
  const name = ingress.type === 'cloudfront' ? domain && originOf(domain) : domain;
  const own = name && makeDomain(scope, 'ApiDomain', name);
  new HttpStage(scope, 'Stage', {
    httpApi: api,
    stageName: '$default',
    autoDeploy: true,
    throttle: { rateLimit: requestsPerSecond, burstLimit: 2 * requestsPerSecond },
    accessLogSettings: {
      destination: new LogGroupLogDestination(log),
      // The query is not logged, because a GET has its whole message there.
      format: AccessLogFormat.custom(JSON.stringify(accessLog)),
    },
    ...(own ? { domainMapping: { domainName: own } } : {}),
  });
  const { region, urlSuffix } = Stack.of(scope);
  return { api, log, host: name?.name ?? `${api.apiId}.execute-api.${region}.${urlSuffix}` };
}

const accessLog = {
  requestId: '$context.requestId',
  time: '$context.requestTimeEpoch',
  ip: '$context.identity.sourceIp',
  method: '$context.httpMethod',
  path: '$context.path',
  status: '$context.status',
  octets: '$context.responseLength',
  latency: '$context.responseLatency',
  error: '$context.integrationErrorMessage',
};
