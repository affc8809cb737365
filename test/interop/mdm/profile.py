"""Reads a configuration profile as Python's plistlib does, and prints what is in it as JSON, octets in hexadecimal.

  profile.py FILE

Exits with 1 for a key that Apple's payloads have not, or a value of another kind than Apple's schema says.
"""

import json
import plistlib
import sys
import uuid

COMMON = {
    "PayloadType": str,
    "PayloadVersion": int,
    "PayloadIdentifier": str,
    "PayloadUUID": str,
    "PayloadDisplayName": str,
}
TOP = {**COMMON, "PayloadDescription": str, "PayloadScope": str, "PayloadContent": list}
CERTIFICATE = {**COMMON, "PayloadCertificateFileName": str, "PayloadContent": bytes}
PAYLOADS = {
    "com.apple.security.root": CERTIFICATE,
    "com.apple.security.pkcs1": CERTIFICATE,
    "com.apple.security.scep": {**COMMON, "PayloadContent": dict},
}
SCEP = {
    "URL": str,
    "Name": str,
    "Subject": list,
    "Challenge": str,
    "Keysize": int,
    "Key Type": str,
    "Key Usage": int,
    "CAFingerprint": bytes,
    "Retries": int,
    "RetryDelay": int,
    "SubjectAltName": dict,
    "KeyIsExtractable": bool,
    "AllowAllAppsAccess": bool,
}
ALTERNATIVE = {"rfc822Name", "dNSName", "uniformResourceIdentifier", "ntPrincipalName"}
OPTIONAL = {"Subject", "Challenge", "SubjectAltName"}


def check(what, found, schema):
    for key, value in found.items():
        if key not in schema or type(value) is not schema[key]:
            sys.exit(f"{what}: {key} is {value!r}")
    for key in schema:
        if key not in found and key not in OPTIONAL:
            sys.exit(f"{what}: {key} is missing")


with open(sys.argv[1], "rb") as file:
    profile = plistlib.load(file, fmt=plistlib.FMT_XML)
check("profile", profile, TOP)
payloads = profile["PayloadContent"]
for payload in payloads:
    check("payload", payload, PAYLOADS[payload["PayloadType"]])
everything = [profile, *payloads]
for name in ("PayloadIdentifier", "PayloadUUID"):
    if len({one[name] for one in everything}) != len(everything):
        sys.exit(f"{name} is not unique")
for one in everything:
    uuid.UUID(one["PayloadUUID"])
[scep] = [one["PayloadContent"] for one in payloads if one["PayloadType"].endswith(".scep")]
check("SCEP", scep, SCEP)
if scep["Keysize"] not in (2048, 4096) or scep["Key Type"] != "RSA":
    sys.exit("SCEP: another kind of key")
for rdn in scep.get("Subject", []):
    for pair in rdn:
        if [type(item) for item in pair] != [str, str]:
            sys.exit(f"SCEP: Subject has {pair!r}")
for key, value in scep.get("SubjectAltName", {}).items():
    texts = value if isinstance(value, list) else [value]
    if key not in ALTERNATIVE or not all(isinstance(text, str) for text in texts):
        sys.exit(f"SCEP: SubjectAltName has {key}")
print(json.dumps(profile, default=lambda octets: octets.hex()))
