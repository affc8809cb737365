// How requests get to the functions. SCEP, CRLs and CA certificates must be public: what a device gets
// depends on what it proves. The admin function is never public, but for the page of decision links where
// that is asked for: its routes require a JWT, its URL requires AWS credentials, and without these settings it has neither routes nor a URL.

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
import { HttpCodeTarget } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { FunctionUrlAuthType, type Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { ScepServiceProps } from '../props.ts';
import { AdminAccess, type HttpApiOptions, Ingress } from './access.ts';
import { type Distributed, makeDistribution } from './distribution.ts';
import { makeDomain, originOf } from './domain.ts';
import type { FileBehaviors } from './files.ts';
import { type Balanced, makeLoadBalancer } from './load-balancer.ts';
import { addPageRoutes } from './mdm-pages.ts';

export type Functions = {
  readonly scep: LambdaFunction;
  readonly admin: LambdaFunction;
  readonly challenges?: LambdaFunction;
};
export type Way = Partial<Omit<Distributed, 'name'> & Balanced> & {
  /** What the name of a domain stands for. */
  readonly dnsTarget?: string;
  /** https origin under which devices reach the service. */
  readonly url: string;
  /** Where the admin API is, if anywhere. */
  readonly adminUrl?: string;
  /** Counts the answers of 5xx that devices are given. */
  readonly serverErrors: Metric;
  readonly api?: HttpApi;
  /** Of the API's requests. */
  readonly apiLog?: LogGroup;
};

type Served = {
  readonly functions: Functions;
  /** The secret that CloudFront sends to the SCEP function. */
  readonly originSecret: string;
  /** CRLs and certificates of CAs, if CloudFront serves them. */
  readonly files: FileBehaviors | undefined;
};

export function makeIngress(
  scope: Construct,
  props: ScepServiceProps,
  { functions, originSecret, files }: Served,
): Way {
  const ingress = Ingress.settingsOf(props.ingress);
  const admin = AdminAccess.settingsOf(props.admin);
  const signed = admin?.type === 'iam' ? { adminUrl: makeUrl(functions.admin, 'AWS_IAM') } : {};
  const five = { period: Duration.minutes(5), statistic: Stats.SUM };
  if (ingress.type === 'functionUrl') {
    const serverErrors = functions.scep.metric('Url5xxCount', five);
    return { url: makeUrl(functions.scep, 'NONE'), serverErrors, ...signed };
  }
  if (ingress.type === 'alb') {
    const made = makeLoadBalancer(scope, props, ingress, functions.scep);
    const { loadBalancer } = made;
    return {
      url: `https://${ingress.domain.name}`,
      dnsTarget: loadBalancer.loadBalancerDnsName,
      // A function that fails has an alarm of its own.
      serverErrors: loadBalancer.metrics.httpCodeTarget(HttpCodeTarget.TARGET_5XX_COUNT, five),
      ...signed,
      ...made,
    };
  }
  const { host, ...made } = makeApi(scope, props, ingress, functions);
  const shownTo = [functions.scep, ...(functions.challenges ? [functions.challenges] : [])];
  const origin = { host, originSecret, shownTo, files };
  const { name, ...distributed } =
    ingress.type === 'httpApi' ? { name: host } : makeDistribution(scope, props, ingress, origin);
  const url = `https://${name}`;
  const serverErrors = made.api.metricServerError(five);
  const adminUrl = admin?.type === 'jwt' ? { adminUrl: url } : signed;
  return { url, serverErrors, ...adminUrl, ...made, ...distributed };
}

function makeUrl(to: LambdaFunction, authType: keyof typeof FunctionUrlAuthType): string {
  const { url } = to.addFunctionUrl({ authType: FunctionUrlAuthType[authType] });
  // The URL ends with a slash, and paths begin with one.
  return `https://${Fn.select(2, Fn.split('/', url))}`;
}

/** @returns `host`: the name that the API answers to; its access log */
function makeApi(
  scope: Construct,
  props: ScepServiceProps,
  ingress: HttpApiOptions & { readonly type: 'httpApi' | 'cloudfront' },
  functions: Functions,
): { api: HttpApi; apiLog: LogGroup; host: string; dnsTarget?: string } {
  const { deployment = 'scepter', logRetention, logGroupKey } = props;
  const admin = AdminAccess.settingsOf(props.admin);
  const { domain, requestsPerSecond = 100 } = ingress;
  // Behind CloudFront, devices use another name than the API's own.
  const name = ingress.type === 'cloudfront' ? domain && originOf(domain) : domain;
  const api = new HttpApi(scope, 'Api', {
    apiName: `scepter-${deployment}`,
    description: `Scepter ${deployment}: SCEP, CRLs and CA certificates`,
    createDefaultStage: false,
    ipAddressType: IpAddressType.DUAL_STACK,
    disableExecuteApiEndpoint: name !== undefined,
    // Devices write paths in any case, but routes are case-sensitive.
    defaultIntegration: new HttpLambdaIntegration('scep', functions.scep),
  });
  const integration = new HttpLambdaIntegration('admin', functions.admin);
  if (props.decisionLinks) {
    api.addRoutes({ path: '/decide', methods: [HttpMethod.ANY], integration });
  }
  addPageRoutes(api, functions.challenges);
  if (admin?.type === 'jwt') {
    const authorizer = new HttpJwtAuthorizer('operators', admin.issuer, {
      jwtAudience: [...admin.audience],
    });
    for (const path of ['/api/{proxy+}', '/openapi.json', '/log/{log}/tile/entries/{proxy+}']) {
      api.addRoutes({ path, methods: [HttpMethod.ANY], integration, authorizer });
    }
  }
  const apiLog = new LogGroup(scope, 'api-log', {
    retention: logRetention ?? RetentionDays.ONE_YEAR,
    encryptionKey: logGroupKey,
    removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
  });
  const own = name && makeDomain(scope, 'ApiDomain', name);
  new HttpStage(scope, 'Stage', {
    httpApi: api,
    stageName: '$default',
    autoDeploy: true,
    throttle: { rateLimit: requestsPerSecond, burstLimit: 2 * requestsPerSecond },
    accessLogSettings: {
      destination: new LogGroupLogDestination(apiLog),
      // The query is not logged, because a GET has its whole message there.
      format: AccessLogFormat.custom(JSON.stringify(accessLog)),
    },
    ...(own ? { domainMapping: { domainName: own } } : {}),
  });
  const { region, urlSuffix } = Stack.of(scope);
  const host = name?.name ?? `${api.apiId}.execute-api.${region}.${urlSuffix}`;
  return { api, apiLog, host, dnsTarget: own?.regionalDomainName };
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
