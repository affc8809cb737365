# Prints the Terraform files of a folder as JSON: blocks as objects, literals as they are, expressions as
# their text in "${...}".

import json
import pathlib
import sys

import hcl2


def plain(value):
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items() if not k.startswith("__")}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        # Inside of "${...}" there may be quotes of its own.
        return value[1:-1] if "${" in value else json.loads(value)
    return value


folder = pathlib.Path(sys.argv[1])
files = sorted(folder.glob("*.tf"))
print(json.dumps({path.name: plain(hcl2.loads(path.read_text())) for path in files}))
