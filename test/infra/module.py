# moto as an account that Terraform makes things in. The first line of JSON says where it is; after each line that
# comes in, another one says what the module has made so far. Ends with its input.
#
# module.py REGION ORIGIN: the URL under which devices reach an API; INFRA_PACKAGES: the packages of the functions

import json
import os
import re
import sys

# A certificate of ACM is issued at once.
os.environ.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", MOTO_ACM_VALIDATION_WAIT="0")

import boto3
import cloudfront  # noqa: F401, it gives moto what it says
from estate import furnish
from made import describe
from moto.apigatewayv2.models import Api, DomainName
from moto.core.authorization import ActionAuthenticatorMixin
from moto.iam.access_control import PermissionResult
from moto.route53.models import route53_backends
from moto.s3.models import FakeBucket
from moto.server import ThreadedMotoServer

region, origin = sys.argv[1:]
ACCOUNT_ID = os.environ["MOTO_ACCOUNT_ID"]

# The zone of the guide.
zones = route53_backends[ACCOUNT_ID]["aws"]
zone = zones.create_hosted_zone("example.com.", private_zone=False)
zone.resource_id = "Z0123456789"
zones.zones = {zone.resource_id: zone}

api_json, domain_json = Api.to_json, DomainName.to_json
Api.to_json = lambda self: {**api_json(self), "apiEndpoint": origin}


def as_aws_says(domain):
    """With what moto leaves out: that the name is there, and where it points to."""
    about = domain_json(domain)
    known = {
        "apiGatewayDomainName": f"d-0123456789.execute-api.{region}.amazonaws.com",
        "domainNameStatus": "AVAILABLE",
        "hostedZoneId": "Z2FDTNDATAQYW2",
    }
    settings = [{**one, **known} for one in about["domainNameConfigurations"]]
    return {**about, "domainNameConfigurations": settings}


DomainName.to_json = as_aws_says
# moto reads no condition of a policy: what the module denies to those without TLS, it would deny to all.
FakeBucket.get_permission = lambda self, action, resource: PermissionResult.NEUTRAL

furnish(ACCOUNT_ID, region)

# What whoever deploys asks of AWS, as `service:Operation`; "x" is this program.
calls = set()


def remember(self, *_):
    given = self.headers.get("Authorization", "")
    scope = re.search(r"Credential=(?!x/)[^/]+/\d+/[^/]+/([^/]+)/", given)
    if not scope:
        return
    asked = self._get_action()
    for action in asked if isinstance(asked, list) else [asked]:
        calls.add(f"{scope[1]}:{action}")


ActionAuthenticatorMixin._authenticate_and_authorize_action = remember

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"


def client(service):
    return boto3.client(service, region_name=region, endpoint_url=endpoint)


def say(value):
    print(json.dumps(value, default=str), flush=True)


def last(name):
    return name.split("-")[-1]


say(endpoint)
for _ in sys.stdin:
    functions = [one["FunctionName"] for one in client("lambda").list_functions()["Functions"]]
    roles = [one["RoleName"] for one in client("iam").list_roles()["Roles"]]
    aliases = client("kms").list_aliases()["Aliases"]
    (table,) = client("dynamodb").list_tables()["TableNames"]
    (admin,) = [name for name in functions if last(name) == "admin"]
    # By the names that the construct gives.
    about = describe(
        client,
        ACCOUNT_ID,
        region,
        functions={f"Service{last(name)}function": name for name in functions},
        roles={f"Service{last(name)}role": name for name in roles},
        users={},
        keys={one["AliasName"]: one["TargetKeyId"] for one in aliases if "/scepter/" in one["AliasName"]},
        table=table,
    )
    say({"endpoint": endpoint, "status": "", "leftOut": [], "calls": sorted(calls), "outputs": {"AdminFunction": admin}, **about})
server.stop()
