# What a platform team has in the account already, in moto, under the names that contexts.ts has: a network, a
# certificate, a web ACL, packages in a bucket.

import os

from moto.acm.models import acm_backends
from moto.ec2.models import subnets, vpcs
from moto.ec2 import ec2_backends
from moto.s3.models import s3_backends
from moto.wafv2.models import wafv2_backends

ZEROS = "11111111-2222-3333-4444-555555555555"
VPC = "vpc-0123456789abcdef0"
SUBNETS = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]


def furnish(account, region):
    """packages: of the folder that INFRA_PACKAGES names."""
    ec2 = ec2_backends[account][region]
    vpcs.random_vpc_id = lambda: VPC
    ec2.create_vpc("10.1.0.0/16")
    for i, name in enumerate(SUBNETS):
        subnets.random_subnet_id = lambda name=name: name
        ec2.create_subnet(VPC, f"10.1.{i}.0/24", availability_zone=f"{region}{'ab'[i]}")

    acm = acm_backends[account][region]
    made = acm.request_certificate("scep.corp.example.com", None, [], [])
    arn = f"arn:aws:acm:{region}:{account}:certificate/{ZEROS}"
    acm._certificates[arn] = acm._certificates.pop(made)
    acm._certificates[arn].arn = arn

    for scope in ("REGIONAL", "CLOUDFRONT"):
        waf = wafv2_backends[account]["aws" if scope == "CLOUDFRONT" else region]
        name = {"REGIONAL": "corp", "CLOUDFRONT": "edge"}[scope]
        acl = waf.create_web_acl(name, {}, {}, scope, "", [], [], None, None, None, None, None)
        kind = {"REGIONAL": "regional", "CLOUDFRONT": "global"}[scope]
        where = f"arn:aws:wafv2:{region}:{account}:{kind}/webacl/{name}/{ZEROS}"
        waf.wacls[where] = waf.wacls.pop(acl.arn)
        acl.arn, acl.id = where, ZEROS

    s3 = s3_backends[account]["aws"]
    s3.create_bucket("corp-packages", region)
    folder = os.environ["INFRA_PACKAGES"]
    for name in os.listdir(folder):
        if name.endswith(".zip"):
            with open(os.path.join(folder, name), "rb") as file:
                s3.put_object("corp-packages", f"scepter/{name}", file.read())
