#!/usr/bin/env python3
"""Verifies a log of Scepter from its folder, the proof of one event, or the evidence of certificates, with the public
key alone. It shares no code with Scepter: Python's standard library has all it needs but ECDSA, which openssl does.

  verify_log.py FOLDER KEY [OLDER_CHECKPOINT]
  verify_log.py EVENT.tlog-proof KEY
  verify_log.py EVIDENCE KEY

FOLDER: DATA/log/NAME, or a copy of it. KEY: what "scepter log key NAME" prints. OLDER_CHECKPOINT: a file "checkpoint"
that was kept before: what it was over must not have changed. EVENT.json, as it was hashed, is beside its proof.
EVIDENCE: a folder with evidence.json, whose events, certificates, requests, configuration and names must be what logs of
the key's service have; whether a CA has signed the certificates, "openssl verify" says, and what a page says, nobody here.
RFC 6962; C2SP signed-note, tlog-checkpoint, tlog-tiles, tlog-proof.
"""

import base64
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile


def wrong(what):
    sys.exit(f"DOES NOT HOLD: {what}")


def leaf(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def parent(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root(edge):
    """Of a tree whose perfect trees have these (size, hash), from the largest on."""
    if not edge:
        return hashlib.sha256(b"").digest()
    result = edge[-1][1]
    for _, left in reversed(edge[:-1]):
        result = parent(left, result)
    return result


def grow(edge, node):
    size = 1
    while edge and edge[-1][0] == size:
        node = parent(edge.pop()[1], node)
        size *= 2
    edge.append((size, node))


def path(folder, level, index, width):
    digits = f"{index % 1000:03}"
    while index >= 1000:
        index //= 1000
        digits = f"x{index % 1000:03}/{digits}"
    full = folder / "tile" / str(level) / digits
    partial = full.with_name(f"{full.name}.p") / str(width)
    return full if width == 256 or full.exists() else partial


def checkpoint(octets, key, log=None):
    """(size, root, time) of a checkpoint that the key has signed, also of another log of its service."""
    name, key_id, encoded = key.strip().split("+", 2)
    name = f"{name.rpartition('/')[0]}/{log}" if log else name
    spki = base64.b64decode(encoded)[1:]
    if hashlib.sha256(spki).digest()[:4].hex() != key_id:
        wrong("the id of the key is not that of the key")
    text, _, signatures = octets.decode().rpartition("\n\n")
    text += "\n"
    for line in signatures.splitlines():
        _, signer, signature = line.split(" ")
        signature = base64.b64decode(signature)
        if signer == name and signature[:4].hex() == key_id:
            with tempfile.TemporaryDirectory() as folder:
                at = pathlib.Path(folder)
                (at / "key").write_bytes(spki)
                (at / "sig").write_bytes(signature[4:])
                done = subprocess.run(
                    ["openssl", "dgst", "-sha256", "-verify", at / "key", "-keyform", "DER", "-signature", at / "sig"],
                    input=text.encode(), capture_output=True)
            if done.returncode != 0:
                wrong("the signature of the checkpoint")
            origin, size, base64_root, time = text.splitlines()
            if origin != name:
                wrong(f"the checkpoint is of {origin}")
            return int(size), base64.b64decode(base64_root), time
    wrong("no signature of this key on the checkpoint")


def proven(proof, key, log=None):
    """RFC 9162, 2.1.3.2: the path leads from the event to the root."""
    head, _, note = proof.read_bytes().partition(b"\n\n")
    form, *lines = head.decode().split("\n")
    if lines and lines[0].startswith("extra "):
        del lines[0]
    if form != "c2sp.org/tlog-proof@v1" or not lines or not lines[0].startswith("index "):
        wrong("this is no tlog-proof")
    index = int(lines[0][6:])
    size, signed, time = checkpoint(note, key, log)
    node, at, last = leaf(proof.with_suffix(".json").read_bytes()), index, size - 1
    if not 0 <= at <= last:
        wrong(f"there is no event {index} in a log of {size}")
    for sibling in map(base64.b64decode, lines[1:]):
        if last == 0:
            wrong("the path goes on above the root")
        node = parent(sibling, node) if at % 2 or at == last else parent(node, sibling)
        while at and at % 2 == 0 and at == last:
            at, last = at // 2, last // 2
        at, last = at // 2, last // 2
    if last != 0 or node != signed:
        wrong("the path does not lead from this event to the root that was signed")
    return f"event {index} of {size}, {time}"


def evidence(folder, key):
    """Every event is in its log, and an event has the SHA-256 of every other file that is looked at."""
    manifest = json.loads((folder / "evidence.json").read_bytes())
    files = {name: folder / "events" / f"{name}.json" for name in manifest["events"]}
    events = {name: json.loads(file.read_bytes()) for name, file in files.items()}

    def told(file, octets, field, among):
        if hashlib.sha256(octets).hexdigest() not in [event.get(field) for event in among]:
            wrong(f"{file} is not what an event has the hash of")

    def der(file):
        return base64.b64decode("".join(file.read_text().strip().splitlines()[1:-1]))

    for name, event in events.items():
        proof, personal = files[name].with_suffix(".tlog-proof"), files[name].with_suffix(".personal.json")
        origin = proof.read_bytes().partition(b"\n\n")[2].decode().splitlines()[0]
        log = origin.rpartition("/")[2]
        if event["id"] != name or re.sub(r"\.[1-9][0-9]*(-[0-9a-f]{8})?$", "", log) != event.get("ca", "system"):
            wrong(f"{files[name]} is another event, or one of another log")
        proven(proof, key, log)
        if personal.exists():
            told(personal, personal.read_bytes(), "personalHash", [event])
        elif "personalHash" in event and not any(
                one["type"] == "log.forgotten" and one["transaction"] == event.get("transaction") and one["id"] > name
                for one in events.values()):
            wrong(f"{personal} is missing, and no event log.forgotten tells why")
    for serial, request in [(one["serial"], one["request"]) for one in manifest["certificates"]]:
        about = [event for event in events.values() if event.get("serial") == serial]
        for name, field in [("certificate", "certificateHash"), ("request", "csrHash")]:
            if name == "certificate" or request == "whole":
                file = folder / serial / f"{name}.pem"
                told(file, der(file), field, about)
    if manifest["configuration"]:
        told("configuration.json", (folder / "configuration.json").read_bytes(), "configHash", events.values())
    return f"{len(events)} events of {len(manifest['certificates'])} certificates"


def main(folder, key, older=None):
    size, signed, time = checkpoint((folder / "checkpoint").read_bytes(), key)
    since = checkpoint(older.read_bytes(), key) if older else (0, root([]), "")
    if since[0] > size:
        wrong(f"the older checkpoint had {since[0]} events, and this log has {size}")
    edge, above, seen = [], {}, set()
    for first in range(0, size, 256):
        width = min(256, size - first)
        bundle = path(folder, "entries", first // 256, width).read_bytes()
        tile = path(folder, 0, first // 256, width).read_bytes()
        at = 0
        for i in range(width):
            if first + i == since[0] and root(edge) != since[1]:
                wrong(f"the first {since[0]} events are not those of the older checkpoint")
            length = int.from_bytes(bundle[at:at + 2], "big")
            entry = bundle[at + 2:at + 2 + length]
            at += 2 + length
            node = leaf(entry)
            if node != tile[32 * i:32 * i + 32]:
                wrong(f"event {first + i}")
            event = json.loads(entry)
            if event["id"] in seen:
                wrong(f"event {event['id']} stands in it twice")
            seen.add(event["id"])
            grow(edge, node)
            above.setdefault(0, []).append(node)
    if since[0] == size and root(edge) != since[1]:
        wrong(f"the first {since[0]} events are not those of the older checkpoint")
    for level in range(1, 8):
        below = above.get(level - 1, [])
        above[level] = []
        for i in range(0, len(below) - len(below) % 256, 256):
            tree = []
            for node in below[i:i + 256]:
                grow(tree, node)
            above[level].append(root(tree))
        for i in range(0, len(above[level]), 256):
            part = above[level][i:i + 256]
            if path(folder, level, i // 256, len(part)).read_bytes()[:32 * len(part)] != b"".join(part):
                wrong(f"tile {i // 256} of level {level}")
    if root(edge) != signed:
        wrong("the tree of these events is not the one that was signed")
    print(f"holds: {size} events, {time}")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    where, *older = [pathlib.Path(name) for name in (sys.argv[1], *sys.argv[3:])]
    if where.suffix != ".tlog-proof" and not (where / "evidence.json").exists():
        main(where, sys.argv[2], *older)
    elif older:
        sys.exit(__doc__)
    elif where.suffix != ".tlog-proof":
        print(f"holds: {evidence(where, sys.argv[2])}")
    else:
        print(f"holds: {proven(where, sys.argv[2])}")
