# Policies of CloudFront, for caches and for headers of responses, which moto does not have: each is kept as it was put.

from functools import partialmethod
from uuid import uuid4

from moto.cloudfront.exceptions import CloudFrontException
from moto.cloudfront.responses import CloudFrontResponse
from moto.cloudfront.urls import url_paths
from moto.core.responses import ActionResult, EmptyResult

kinds = {"CachePolicy": "cache-policy", "ResponseHeadersPolicy": "response-headers-policy"}
policies = {kind: {} for kind in kinds}


def answer(kind, id_):
    if id_ not in policies[kind]:
        raise CloudFrontException(f"NoSuch{kind}", f"there is no {id_}")
    config, etag = policies[kind][id_]
    # No test looks at when it was changed.
    made = {"Id": id_, "LastModifiedTime": "2026-01-01T00:00:00Z", f"{kind}Config": config}
    return ActionResult({kind: made, f"{kind}Config": config, "ETag": etag})


def put(self, kind):
    id_ = self._get_param("Id") or str(uuid4())
    policies[kind][id_] = self._get_param(f"{kind}Config"), uuid4().hex
    return answer(kind, id_)


def get(self, kind):
    return answer(kind, self._get_param("Id"))


def delete(self, kind):
    policies[kind].pop(self._get_param("Id"), None)
    return EmptyResult()


for kind, path in kinds.items():
    snake = path.replace("-", "_")
    for name, does in {"create": put, "update": put, "get": get, "delete": delete}.items():
        setattr(CloudFrontResponse, f"{name}_{snake}", partialmethod(does, kind))
    setattr(CloudFrontResponse, f"get_{snake}_config", partialmethod(get, kind))
    for rest in ("$", "/(?P<policy_id>[^/]+)$", "/(?P<policy_id>[^/]+)/config$"):
        url_paths[f"{{0}}/2020-05-31/{path}{rest}"] = CloudFrontResponse.dispatch
