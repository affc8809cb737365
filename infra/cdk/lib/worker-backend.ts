// The AWS side of Scepter on Cloudflare Workers: the same table, keys and operator as on Lambda, and in
// place of the three functions one user, whose access key the Worker has. The key is made by hand and is
// in no template: whoever reads the stack must not be able to sign.

import type { ITableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { ManagedPolicy, type Role, User } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledged.ts';
import { configText, letOperate, letUseTableKey, makeOperator, policyValuesOf } from './backend.ts';
import { checkBackend } from './check-props.ts';
import { type ConfigObject, makeConfig } from './config-object.ts';
import { type Keys, makeKeys } from './keys.ts';
import { renderPolicy } from './policies.ts';
import type { BackendProps } from './props.ts';
import { makeTable } from './table.ts';

export class WorkerBackend extends Construct {
  readonly table: ITableV2;
  readonly keys: Keys;
  /** The configuration, for the Worker and for the operator. */
  readonly config: ConfigObject;
  /** For `scepter ca ...`: makes CAs and RA keys. */
  readonly operator: Role;
  /** The IAM user of the Worker. */
  readonly user: User;

  /** @throws {Error} with a sentence that names the prop that is wrong */
  constructor(scope: Construct, id: string, props: BackendProps) {
    super(scope, id);
    checkBackend(props);
    this.user = new User(this, 'worker-user');
    this.operator = makeOperator(this, props);
    this.table = props.table ?? makeTable(this, props);
    const worker = { roleArn: this.user.userArn };
    this.keys = makeKeys(this, props, {
      scep: worker,
      admin: worker,
      maintenance: worker,
      operator: this.operator,
    });
    // Cloudflare gives the client's address in a header of its own.
    this.config = makeConfig(this, props, configText(props, 0));
    const values = policyValuesOf(props, this);
    // A managed policy, because an inline one of a user may have only 2,048 characters.
    new ManagedPolicy(this, 'worker-policy', {
      description: `Scepter ${props.deployment ?? 'scepter'}: what the Worker may do`,
      document: renderPolicy('worker', values),
      users: [this.user],
    });
    letUseTableKey(this, props, this.table, { users: [this.user], roles: [this.operator] });
    letOperate(this, this.operator, props, values);
    acknowledge(this);
  }
}
