# Loads a template into moto's CloudFormation, with moto as a server, and prints one line of JSON about
# what it made: the functions' environments, roles with credentials and policies, keys, the table. Ends with
# its input.
#
# What moto's CloudFormation does not know is left out, and with it what refers to it; which that was is
# in the line.

import json
import os
import sys

os.environ.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")

import boto3
from made import describe
from moto.cloudformation.parsing import resource_class_from_type
from moto.server import ThreadedMotoServer

path, region = sys.argv[1:]
ACCOUNT_ID = os.environ["MOTO_ACCOUNT_ID"]
EMPTY_ZIP = b"PK\x05\x06" + b"\0" * 18


def references(value):
    if isinstance(value, dict):
        if "Ref" in value:
            yield value["Ref"]
        if "Fn::GetAtt" in value:
            yield value["Fn::GetAtt"][0]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def known(template):
    """The template without what moto does not know, and the types that it was."""
    resources = template["Resources"]
    for resource in resources.values():
        # The same table, in the words that moto knows.
        if resource["Type"] == "AWS::DynamoDB::GlobalTable":
            resource["Type"] = "AWS::DynamoDB::Table"
            properties = resource["Properties"]
            for part in (properties, *properties["GlobalSecondaryIndexes"]):
                for name in ("Replicas", "WriteOnDemandThroughputSettings"):
                    part.pop(name, None)
    # The CDK's own function, and what it is asked for: `upload` does that.
    custom = {n for n, r in resources.items() if r["Type"].startswith("Custom::")}
    custom |= {n for n in resources if n.startswith("AWS")}
    gone = custom | {n for n, r in resources.items() if resource_class_from_type(r["Type"]) is None}
    while more := {n for n, r in resources.items() if n not in gone and gone & {*references(r)}}:
        gone |= more
    outputs = {n: o for n, o in template["Outputs"].items() if not gone & {*references(o)}}
    left = {n: r for n, r in resources.items() if n not in gone}
    for resource in left.values():
        after = resource.get("DependsOn", [])
        after = [after] if isinstance(after, str) else after
        resource["DependsOn"] = [name for name in after if name in left]
    ours = {n for n in gone if not n.startswith("AWS") and "CustomResource" not in n}
    types = sorted({resources[n]["Type"] for n in ours})
    return {**template, "Resources": left, "Outputs": outputs}, types


server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"


def client(service):
    return boto3.client(service, region_name=region, endpoint_url=endpoint)


with open(path) as file:
    whole = json.load(file)
(upload,) = [r["Properties"]["Create"] for r in whole["Resources"].values() if r["Type"] == "Custom::ScepterConfig"]
template, left_out = known(whole)

client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
s3 = client("s3")
for code in [
    r["Properties"]["Code"]
    for r in template["Resources"].values()
    if r["Type"] == "AWS::Lambda::Function"
]:
    # In the region where making a bucket twice is no error.
    boto3.client("s3", region_name="us-east-1", endpoint_url=endpoint).create_bucket(Bucket=code["S3Bucket"])
    s3.put_object(Bucket=code["S3Bucket"], Key=code["S3Key"], Body=EMPTY_ZIP)

cloudformation = client("cloudformation")
cloudformation.create_stack(
    StackName="Scepter", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"]
)
(stack,) = cloudformation.describe_stacks(StackName="Scepter")["Stacks"]
resources = cloudformation.list_stack_resources(StackName="Scepter")["StackResourceSummaries"]


def named(kind):
    return {
        r["LogicalResourceId"]: r["PhysicalResourceId"]
        for r in resources
        if r["ResourceType"] == kind
    }


# What moto's CloudFormation makes a bucket without, and moto's S3 obeys.
buckets = named("AWS::S3::Bucket")
for name, bucket in buckets.items():
    properties = template["Resources"][name]["Properties"]
    if "VersioningConfiguration" in properties:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=properties["VersioningConfiguration"])
    if lock := properties.get("ObjectLockConfiguration"):
        s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)

# The configuration, as the CDK's function puts it.
parts = [part if isinstance(part, str) else buckets[part["Ref"]] for part in upload["Fn::Join"][1]]
call = json.loads("".join(parts))
assert call["action"] == "putObject", call
s3.put_object(**call["parameters"])

(table,) = named("AWS::DynamoDB::Table").values()
about = {
    "endpoint": endpoint,
    "status": stack["StackStatus"],
    "leftOut": left_out,
    "outputs": {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])},
    **describe(
        client,
        ACCOUNT_ID,
        region,
        functions=named("AWS::Lambda::Function"),
        roles=named("AWS::IAM::Role"),
        users=named("AWS::IAM::User"),
        keys=named("AWS::KMS::Key"),
        table=table,
    ),
}
print(json.dumps(about, default=str), flush=True)
sys.stdin.read()
server.stop()
