# What somebody has made in moto's account, as `stack.ts` takes it: each thing by the name that it is asked for by.

import json

from moto.kms.models import kms_backends


def describe(client, account, region, functions, roles, users, keys, table):
    """client: of a service, by its name; the others: names of moto's, by ours."""
    iam, sts = client("iam"), client("sts")

    def documents(attached):
        for policy in attached["AttachedPolicies"]:
            arn = policy["PolicyArn"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            document = iam.get_policy_version(PolicyArn=arn, VersionId=version)
            yield document["PolicyVersion"]["Document"]

    def user(name):
        if iam.list_user_policies(UserName=name)["PolicyNames"]:
            raise ValueError(f"{name} has policies in line, which are not looked at here")
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {
            "arn": iam.get_user(UserName=name)["User"]["Arn"],
            "policies": [*documents(iam.list_attached_user_policies(UserName=name))],
            "credentials": {
                "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            },
        }

    def role(name):
        arn = iam.get_role(RoleName=name)["Role"]["Arn"]
        policies = [
            iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
        ]
        policies += documents(iam.list_attached_role_policies(RoleName=name))
        credentials = sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        return {
            "arn": arn,
            "policies": policies,
            "credentials": {
                "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
                "AWS_SESSION_TOKEN": credentials["SessionToken"],
            },
        }

    def function(name):
        found = client("lambda").get_function_configuration(FunctionName=name)
        return {
            "role": found["Role"],
            "runtime": found["Runtime"],
            "handler": found["Handler"],
            "environment": found["Environment"]["Variables"],
        }

    def key(key_id):
        # Not by DescribeKey, which fails on a policy that came by CloudFormation.
        made = kms_backends[account][region].keys[key_id]
        return {
            "id": made.id,
            "arn": made.arn,
            "spec": made.key_spec,
            "usage": made.key_usage,
            # What came by CloudFormation is an object.
            "policy": json.loads(made.policy) if isinstance(made.policy, str) else made.policy,
        }

    return {
        "functions": {n: function(p) for n, p in functions.items()},
        "roles": {n: role(p) for n, p in roles.items()},
        "users": {n: user(p) for n, p in users.items()},
        "keys": {n: key(p) for n, p in keys.items()},
        "table": client("dynamodb").describe_table(TableName=table)["Table"],
    }
