// Scepter on AWS as one construct: functions, table, keys, ingress, metrics and alarms.

import { Stack } from 'aws-cdk-lib';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import type { Distribution } from 'aws-cdk-lib/aws-cloudfront';
import {
  type Alarm,
  type Dashboard,
  type Metric,
  type MetricOptions,
  Stats,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { ITableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { ApplicationLoadBalancer } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { CfnWebACL } from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledged.ts';
import {
  configText,
  letOperate,
  letReadLogs,
  letUseTableKey,
  makeOperator,
  policyValuesOf,
  tag,
} from './backend/backend.ts';
import { type Backup, makeBackup } from './backend/backup.ts';
import { type ConfigObject, makeConfig } from './backend/config-object.ts';
import { makeFiles } from './backend/files.ts';
import { type Keys, makeKeys } from './backend/keys.ts';
import { makeLogs } from './backend/logs.ts';
import { letReadEvents } from './backend/read-events.ts';
import { dividedSecrets, letReadSecrets, namesFor, originSecretsOf } from './backend/secrets.ts';
import { makeTable } from './backend/table.ts';
import { checkProps } from './check-props.ts';
import {
  type FunctionName,
  letFunctions,
  makeFunction,
  makeRole,
  reservedOf,
} from './functions.ts';
import { AdminAccess, Ingress } from './ingress/access.ts';
import { makeFileBehaviors, makeFilesDistribution } from './ingress/files.ts';
import { makeIngress } from './ingress/ingress.ts';
import type { ServiceFunctions, ServiceLogGroups, ServiceRoles } from './members.ts';
import type { ScepServiceProps } from './props.ts';
import { makeSchedule } from './schedule.ts';
import { watchWebAcl } from './watch/alarms.ts';
import { makeKeyEvents, watchKeys } from './watch/key-events.ts';
import { Watch } from './watch/watch.ts';

/** Scepter on AWS: functions, table, keys, ingress, metrics and alarms. */
export class ScepService extends Construct {
  /** https origin under which devices reach the service: `<url>/scep`. */
  readonly url: string;
  /**
   * https origin under which the admin API is.
   * @default - it has no URL
   */
  readonly adminUrl?: string;
  /**
   * What the name of the domain stands for. Where DNS is elsewhere, its owner makes a CNAME of it, or an alias.
   * @default - there is no domain
   */
  readonly dnsTarget?: string;
  /** The functions. */
  readonly functions: ServiceFunctions;
  /** Their roles, and the operator's. */
  readonly roles: ServiceRoles;
  /** Their log groups, and the API's. */
  readonly logGroups: ServiceLogGroups;
  /** The records: the new table, or the one that was named. */
  readonly table: ITableV2;
  /** The KMS keys: new ones, or those that were named. */
  readonly keys: Keys;
  /**
   * The backups of the table.
   * @default - none were asked for
   */
  readonly backup?: Backup;
  /** The configuration, for the functions and for the operator. */
  readonly config: ConfigObject;
  /** CRLs and certificates of CAs, for the functions and for the operator. */
  readonly files: Bucket;
  /** The logs, which nobody can edit: what is in it is locked. */
  readonly logs: Bucket;
  /**
   * The API.
   * @default - ingress is neither CloudFront nor an HTTP API
   */
  readonly api?: HttpApi;
  /**
   * The distribution of CloudFront.
   * @default - ingress is not CloudFront
   */
  readonly distribution?: Distribution;
  /**
   * The distribution of CloudFront that serves CRLs and certificates of CAs alone.
   * @default - ingress is not CloudFront, and `files` is not given
   */
  readonly filesDistribution?: Distribution;
  /**
   * http origin of that distribution, which the configuration may have as its `filesUrl`.
   * @default - there is none
   */
  readonly filesUrl?: string;
  /**
   * What the name of the domain of that distribution stands for. Where DNS is elsewhere, its owner makes a CNAME of it,
   * or an alias.
   * @default - it has no domain
   */
  readonly filesDnsTarget?: string;
  /**
   * The load balancer.
   * @default - ingress is not a load balancer
   */
  readonly loadBalancer?: ApplicationLoadBalancer;
  /**
   * The new web ACL of CloudFront.
   * @default - ingress is not CloudFront, or one was named
   */
  readonly webAcl?: CfnWebACL;
  /**
   * The bucket of access logs.
   * @default - ingress is neither CloudFront nor a load balancer
   */
  readonly accessLogs?: Bucket;
  /** All alarms, for actions of your own. */
  readonly alarms: Alarm[];
  /** What operators look at. */
  readonly dashboard: Dashboard;
  private readonly watch: Watch;
  private readonly hasSignedUrl: boolean;

  /** @throws {Error} with a sentence that names the prop that is wrong */
  constructor(scope: Construct, id: string, props: ScepServiceProps) {
    super(scope, id);
    const stack = Stack.of(this);
    const checked = checkProps(props, stack.region);
    const cas = [...checked.cas.values()];
    const { deployment = 'scepter' } = props;
    this.hasSignedUrl = AdminAccess.settingsOf(props.admin)?.type === 'iam';

    const roles = {
      scep: makeRole(this, 'scep', props),
      admin: makeRole(this, 'admin', props),
      maintenance: makeRole(this, 'maintenance', props),
      sequencer: makeRole(this, 'sequencer', props),
      ...(props.challengePages ? { challenges: makeRole(this, 'challenges', props) } : {}),
    };
    const operator = makeOperator(this, props);
    this.roles = { ...roles, operator };
    this.table = props.table ?? makeTable(this, props);
    this.keys = makeKeys(this, props, this.roles);

    // CloudFront writes the device's address where the functions look for it.
    const ingress = Ingress.settingsOf(props.ingress);
    const proxies = ingress.type === 'cloudfront' ? 1 : 0;
    this.config = makeConfig(this, props, configText(props, proxies));
    this.files = makeFiles(this);
    this.logs = makeLogs(this, props);
    const originSecrets = originSecretsOf(this, ingress);
    const secrets = dividedSecrets(props.secrets, checked);
    const secretsPolicies = {
      scep: letReadSecrets(this, 'secrets-policy', roles.scep, [
        ...Object.values(secrets.scep),
        ...originSecrets,
      ]),
      challenges:
        roles.challenges &&
        letReadSecrets(this, 'page-secrets-policy', roles.challenges, [
          ...Object.values(secrets.challenges),
          ...originSecrets,
        ]),
      maintenance: letReadSecrets(
        this,
        'validator-secrets-policy',
        roles.maintenance,
        Object.values(secrets.maintenance),
      ),
    };
    const environment = {
      SCEPTER_DEPLOYMENT: deployment,
      SCEPTER_TABLE: this.table.tableName,
      SCEPTER_FILES: this.files.bucketName,
      SCEPTER_LOGS: this.logs.bucketName,
      SCEPTER_LOG_KEY: this.keys.log.keyArn,
      SCEPTER_SEALING_KEY: this.keys.sealing.keyArn,
      SCEPTER_CONFIG: this.config.reference,
    };
    const { table, keys, config, files } = this;
    const policyValues = {
      ...policyValuesOf(props, this),
      StreamArn: table.tableStreamArn ?? '',
    };
    const morePolicies = [
      letReadLogs(this, policyValues, [roles.scep, roles.admin, operator]),
      letUseTableKey(this, props, table, { roles: Object.values(this.roles) }),
      ...letFunctions(this, props, Object.values(roles)),
    ];
    const make = (name: FunctionName) =>
      makeFunction(this, name, props, {
        role: roles[name] ?? roles.scep,
        environment: {
          ...environment,
          ...(name === 'scep' || name === 'challenges'
            ? namesFor(secrets[name], originSecrets)
            : {}),
          ...(name === 'maintenance' ? namesFor(secrets.maintenance, []) : {}),
        },
        policyValues,
      });
    const [scep, admin] = [make('scep'), make('admin')];
    const [maintenance, sequencer] = [make('maintenance'), make('sequencer')];
    const challenges = props.challengePages ? make('challenges') : undefined;
    this.functions = {
      scep: scep.made,
      admin: admin.made,
      maintenance: maintenance.made,
      sequencer: sequencer.made,
      ...(challenges ? { challenges: challenges.made } : {}),
    };
    for (const { node } of Object.values(this.functions)) {
      // They start with the configuration that they are told, so it is there before them.
      node.addDependency(config.uploaded);
      for (const policy of morePolicies) if (policy) node.addDependency(policy);
    }
    for (const reader of ['scep', 'challenges', 'maintenance'] as const) {
      const policy = secretsPolicies[reader];
      if (policy) this.functions[reader]?.node.addDependency(policy);
    }
    letOperate(this, operator, policyValues);

    makeSchedule(this, props, { ...this.functions, table });

    // CloudFormation gives CloudFront its value, so no template has it.
    const shown = originSecrets[0]?.secretValue;
    const wanted = props.files ?? (ingress.type === 'cloudfront' ? {} : undefined);
    const behaviors = wanted && makeFileBehaviors(this, props, files);
    const served = behaviors && makeFilesDistribution(this, props, wanted, behaviors);
    this.filesDistribution = served?.distribution;
    this.filesUrl = served?.url;
    this.filesDnsTarget = served?.dnsTarget;
    const way = makeIngress(this, props, {
      functions: this.functions,
      originSecret: shown?.unsafeUnwrap() ?? '',
      files: behaviors,
    });
    this.url = way.url;
    this.adminUrl = way.adminUrl;
    this.api = way.api;
    this.distribution = way.distribution;
    this.webAcl = way.webAcl;
    this.loadBalancer = way.loadBalancer;
    this.dnsTarget = way.dnsTarget;
    this.accessLogs = way.accessLogs;
    const keysLog = makeKeyEvents(this, props, keys);
    this.logGroups = {
      scep: scep.logGroup,
      admin: admin.logGroup,
      maintenance: maintenance.logGroup,
      sequencer: sequencer.logGroup,
      ...(challenges ? { challenges: challenges.logGroup } : {}),
      keys: keysLog,
      api: way.apiLog,
    };
    const { serverErrors, apiLog } = way;
    const { functions } = this;
    const crlHours = Math.min(...cas.map(({ crlValidityMs }) => crlValidityMs / 3_600_000));
    const { alarmTopic } = props;
    const reserved = reservedOf('scep', props);
    this.watch = new Watch(this, {
      ...{ deployment, functions, table, alarmTopic, apiLog, crlHours, serverErrors, reserved },
    });
    const blocked = way.webAcl ? [watchWebAcl(this, deployment, alarmTopic)] : [];
    this.backup = makeBackup(this, props, table);
    const unsaved = this.backup ? [this.backup.alarm] : [];
    const keyChanged = watchKeys(this, props, keysLog);
    this.alarms = [...this.watch.alarms, keyChanged, ...blocked, ...unsaved];
    this.dashboard = this.watch.dashboard;
    tag(this, props);
    acknowledge(this);
  }

  /**
   * Allows a principal to invoke the admin function. What it may do there depends on the roles of its token:
   * with the role `challenger` it makes challenges and nothing else.
   */
  grantMintChallenges(grantee: IGrantable): Grant {
    const { admin } = this.functions;
    return this.hasSignedUrl ? admin.grantInvokeUrl(grantee) : admin.grantInvoke(grantee);
  }

  /**
   * Allows a principal to assume the operator's role, which makes CAs, RA keys and tokens. Where `operators` are
   * named, that role lets in nobody else: name the principal there, too.
   */
  grantOperate(grantee: IGrantable): Grant {
    return this.roles.operator.grantAssumeRole(grantee.grantPrincipal);
  }

  /** Allows a principal to read the events of the transaction log, and no other record. */
  grantReadLog(grantee: IGrantable): Grant {
    return letReadEvents(this, this.table, grantee);
  }

  /** Certificates issued. */
  metricIssued(options?: MetricOptions): Metric {
    return this.watch.metric('issued', options);
  }

  /** Requests refused. */
  metricRefused(options?: MetricOptions): Metric {
    return this.watch.metric('refused', options);
  }

  /** Messages that do not open: devices with an old RA certificate, or someone who tries to decrypt. */
  metricRejected(options?: MetricOptions): Metric {
    return this.watch.metric('rejected', options);
  }

  /** Requests answered with 503: nothing was decided, and the device tries again. */
  metricOutages(options?: MetricOptions): Metric {
    return this.watch.metric('outages', options);
  }

  /** Calls of KMS that were refused, throttled or not answered. */
  metricKmsTrouble(options?: MetricOptions): Metric {
    return this.watch.metric('kmsTrouble', options);
  }

  /** Records that were changed by someone else. */
  metricTampered(options?: MetricOptions): Metric {
    return this.watch.metric('tampered', options);
  }

  /** Warnings about a CA or its RA, which want a person. */
  metricCaWarnings(options?: MetricOptions): Metric {
    return this.watch.metric('caWarning', options);
  }

  /** Hours until the first CRL ends: its minimum is of interest. */
  metricCrlHoursLeft(options?: MetricOptions): Metric {
    return this.watch.metric('crlHoursLeft', { statistic: Stats.MINIMUM, ...options });
  }
}
