// Scepter on AWS as one construct: functions, table, keys, ingress, metrics and alarms.

import { Duration, Stack } from 'aws-cdk-lib';
import type { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { ITableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as LambdaTarget } from 'aws-cdk-lib/aws-events-targets';
import { Grant, type IGrantable, type Role } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledged.ts';
import { configText, letOperate, letUseTableKey, makeOperator, policyValuesOf } from './backend.ts';
import { checkProps } from './check-props.ts';
import { type ConfigObject, makeConfig } from './config-object.ts';
import { type FunctionName, makeFunction, makeRole, reservedOf } from './functions.ts';
import { makeIngress } from './ingress.ts';
import { makeKeyEvents } from './key-events.ts';
import { type Keys, makeKeys } from './keys.ts';
import type { ScepServiceProps } from './props.ts';
import { makeTable } from './table.ts';
import { Watch, watchWebAcl } from './watch.ts';

export class ScepService extends Construct {
  /** https origin under which devices reach the service: `<url>/scep`. */
  readonly url: string;
  /** https origin under which the admin API is, if it has a URL. */
  readonly adminUrl: string | undefined;
  readonly functions: Readonly<Record<FunctionName, LambdaFunction>>;
  readonly table: ITableV2;
  readonly keys: Keys;
  /** The configuration, for the functions and for the operator. */
  readonly config: ConfigObject;
  /** For `scepter ca ...`: makes CAs and RA keys. */
  readonly operator: Role;
  readonly watch: Watch;
  readonly #admin: NonNullable<ScepServiceProps['admin']> | undefined;

  /** @throws {Error} with a sentence that names the prop that is wrong */
  constructor(scope: Construct, id: string, props: ScepServiceProps) {
    super(scope, id);
    const stack = Stack.of(this);
    const cas = [...checkProps(props, stack.region).cas.values()];
    const { deployment = 'scepter', admin } = props;
    this.#admin = admin;

    const roles = {
      scep: makeRole(this, 'scep'),
      admin: makeRole(this, 'admin'),
      maintenance: makeRole(this, 'maintenance'),
    };
    this.operator = makeOperator(this, props);
    this.table = props.table ?? makeTable(this, props);
    this.keys = makeKeys(this, props, { ...roles, operator: this.operator });

    // CloudFront writes the device's address where the functions look for it.
    const proxies = (props.ingress?.type ?? 'cloudfront') === 'cloudfront' ? 1 : 0;
    this.config = makeConfig(this, props, configText(props, proxies));
    const originSecrets = this.#originSecrets(props);
    const environment = {
      SCEPTER_DEPLOYMENT: deployment,
      SCEPTER_TABLE: this.table.tableName,
      SCEPTER_SEALING_KEY: this.keys.sealing.keyArn,
      SCEPTER_CONFIG: this.config.reference,
    };
    const { table, keys, config } = this;
    const policyValues = policyValuesOf(props, { table, keys, config });
    const tableKeyPolicy = letUseTableKey(this, props, table, {
      roles: [...Object.values(roles), this.operator],
    });
    const make = (name: FunctionName): LambdaFunction =>
      makeFunction(this, name, props, {
        role: roles[name],
        environment: {
          ...environment,
          ...(name === 'scep' ? valuesOf(props.secrets) : {}),
          ...(name === 'scep' && originSecrets.length > 0
            ? { SCEPTER_ORIGIN_SECRETS: originSecrets.join(',') }
            : {}),
        },
        policyValues,
      });
    this.functions = { scep: make('scep'), admin: make('admin'), maintenance: make('maintenance') };
    for (const { node } of Object.values(this.functions)) {
      // They start with the configuration that they are told, so it is there before them.
      node.addDependency(config.uploaded);
      if (tableKeyPolicy) node.addDependency(tableKeyPolicy);
    }
    letOperate(this, this.operator, props, policyValues);

    new Rule(this, 'EveryMinute', {
      description: `Scepter ${deployment}: upkeep and CRLs`,
      schedule: Schedule.rate(Duration.minutes(1)),
      targets: [
        new LambdaTarget(this.functions.maintenance, {
          retryAttempts: 0,
          maxEventAge: Duration.minutes(1),
        }),
      ],
    });

    const way = makeIngress(this, props, this.functions, originSecrets[0] ?? '');
    const { url, adminUrl, serverErrors, apiLog } = way;
    this.url = url;
    this.adminUrl = adminUrl;
    const { functions } = this;
    const crlHours = Math.min(...cas.map(({ crlValidityMs }) => crlValidityMs / 3_600_000));
    const { alarmTopic } = props;
    const reserved = reservedOf('scep', props);
    this.watch = new Watch(this, {
      ...{ deployment, functions, table, alarmTopic, apiLog, crlHours, serverErrors, reserved },
      keysLog: makeKeyEvents(this, props, keys),
    });
    if (way.ownWebAcl) watchWebAcl(this, deployment, alarmTopic);
    acknowledge(this);
  }

  /**
   * Allows a principal to invoke the admin function. What it may do there depends on the roles of its token:
   * with the role `challenger` it makes challenges and nothing else.
   */
  grantMintChallenges(grantee: IGrantable): Grant {
    const { admin } = this.functions;
    return this.#admin?.type === 'iam' ? admin.grantInvokeUrl(grantee) : admin.grantInvoke(grantee);
  }

  /** Allows a principal to read the events of the transaction log, and no other record. */
  grantReadLog(grantee: IGrantable): Grant {
    const { tableArn } = this.table;
    const only = (...keys: string[]) => ({
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': keys },
      // A condition on all keys of a request also holds for a request without keys.
      Null: { 'dynamodb:LeadingKeys': 'false' },
    });
    const { encryptionKey } = this.table;
    if (encryptionKey) {
      Grant.addToPrincipal({
        grantee,
        actions: ['kms:Decrypt'],
        resourceArns: [encryptionKey.keyArn],
        conditions: {
          StringEquals: { 'kms:ViaService': `dynamodb.${Stack.of(this).region}.amazonaws.com` },
        },
      });
    }
    const records = Grant.addToPrincipal({
      grantee,
      actions: ['dynamodb:BatchGetItem'],
      resourceArns: [tableArn],
      conditions: only('event#*'),
    });
    const lists = Grant.addToPrincipal({
      grantee,
      actions: ['dynamodb:Query'],
      resourceArns: [`${tableArn}/index/places`],
      conditions: only('events#*'),
    });
    return records.combine(lists);
  }

  /** Certificates issued. */
  metricIssued(): Metric {
    return this.watch.metric('issued');
  }

  /** Requests refused. */
  metricRefused(): Metric {
    return this.watch.metric('refused');
  }

  /** Requests answered with 503: nothing was decided, and the device tries again. */
  metricOutages(): Metric {
    return this.watch.metric('outages');
  }

  /** CloudFormation resolves their values where they are used, so no template has them. */
  #originSecrets({ ingress = { type: 'cloudfront' } }: ScepServiceProps): string[] {
    if (ingress.type !== 'cloudfront') return [];
    const secrets = ingress.originSecrets ?? [
      new Secret(this, 'OriginSecret', {
        description: 'Scepter: what the SCEP function knows CloudFront by',
        generateSecretString: { excludePunctuation: true, passwordLength: 48 },
      }),
    ];
    return secrets.map(({ secretValue }) => secretValue.unsafeUnwrap());
  }
}

/** CloudFormation resolves them, so no template has them. */
const valuesOf = (secrets: ScepServiceProps['secrets'] = {}): Record<string, string> =>
  Object.fromEntries(
    Object.entries(secrets).map(([name, secret]) => [name, secret.secretValue.unsafeUnwrap()]),
  );
