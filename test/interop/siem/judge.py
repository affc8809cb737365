"""Judges exports of the log for SIEMs by what others have made: the schema of OCSF and readers of CEF.

  judge.py OCSF CEF

Prints how many events hold; exits with 1 at the first that does not.
"""

import json
import re
import sys

import pycef
from cefevent import CEFEvent
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

VERSION = "1.8.0"
schema = get_ocsf_schema(version=VERSION)
embedded = OcsfJsonSchemaEmbedded(schema)
certificate = Draft202012Validator(embedded.get_object_schema("certificate"))
validators = {}


def wrong(line, what):
    sys.exit(f"{what}: {line}")


def judge_ocsf(line):
    event = json.loads(line)
    uid = event["class_uid"]
    if uid not in validators:
        name = embedded.lookup_class_name_from_uid(class_uid=uid)
        validators[uid] = (Draft202012Validator(embedded.get_class_schema(name)), schema["classes"][name])
    validator, described = validators[uid]
    for error in validator.iter_errors(event):
        wrong(line, f"{error.json_path}: {error.message}")
    if event["metadata"]["version"] != VERSION:
        wrong(line, "another version of the schema")
    # What the schema says of the values of enumerations, and a JSON Schema of them does not.
    for field in ("activity_id", "category_uid", "class_uid", "severity_id", "status_id", "type_uid"):
        caption = described["attributes"][field]["enum"][str(event[field])]["caption"]
        said = event[re.sub("_u?id$", "_name", field) if field not in ("severity_id", "status_id") else field[:-3]]
        if caption != said:
            wrong(line, f"{field} is {caption}, and {said}")
    data = event.get("entity", {}).get("data")
    if data is not None:
        for error in certificate.iter_errors(data):
            wrong(line, f"certificate: {error.json_path}: {error.message}")
    return event["metadata"]["uid"]


def judge_cef(line):
    found = pycef.parse(line)
    if found is None:
        wrong(line, "pycef cannot read it")
    # pycef has a field by its label, and leaves escapes as they are.
    event = CEFEvent(strict=True)
    version, vendor, product, device, signature, name, severity, extension = line.split("|", 7)
    for field, value in (
        ("version", version), ("deviceVendor", vendor), ("deviceProduct", product), ("deviceVersion", device),
        ("signatureId", signature), ("name", name), ("severity", severity),
    ):
        event.set_prefix(field, value)
    if any(ord(character) < 32 for character in line):
        wrong(line, "it has control characters")
    pairs = re.findall(r"(?:^| )(\w+)=((?:\\.|[^\\=])*)(?=$| \w+=)", extension)
    if " ".join(f"{key}={value}" for key, value in pairs) != extension:
        wrong(line, "it is not made of pairs")
    for key, value in pairs:
        plain = re.sub(r"\\(.)", lambda m: {"n": "\n", "r": "\r"}.get(m[1], m[1]), value)
        # eventOutcome of the dictionary, which cefevent lacks.
        if key == "outcome":
            if value not in ("success", "failure", "other"):
                wrong(line, "outcome")
        elif not key.startswith("Scepter"):
            # Of the dictionary, of its type, and as long as that lets it be.
            event.set_field(key, int(plain) if key == "rt" else plain)
    if found["DeviceEventClassID"] != signature or found["externalId"] != pairs[0][1]:
        wrong(line, "pycef reads another event")
    return found["externalId"]


ocsf = [judge_ocsf(line) for line in open(sys.argv[1], encoding="utf-8").read().split("\n")[:-1]]
cef = [judge_cef(line) for line in open(sys.argv[2], encoding="utf-8").read().split("\n")[:-1]]
if ocsf != cef or not ocsf:
    sys.exit("the two are not of the same events")
print(f"{len(ocsf)} events hold for OCSF {VERSION} and CEF")
