"""A webhook of style "scepter" that lets the subjects in that it is started with:

HOOK_SECRET=... python3 answer_webhook.py PORT CERTIFICATE.pem KEY.pem SUBJECT...
Nothing but Python.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import ssl
import sys
import time

port, certificate, key, *known = sys.argv[1:]
secret = base64.b64decode(os.environ["HOOK_SECRET"])


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        timestamp = self.headers.get("Scepter-Timestamp", "0")
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        signed = timestamp.encode() + b"." + body
        expected = hmac.new(secret, signed, hashlib.sha256).hexdigest()
        is_signed = hmac.compare_digest(expected, self.headers.get("Scepter-Signature", ""))
        if not is_signed or abs(time.time() - int(timestamp)) >= 300:
            self.send_error(401)
            return
        asked = json.loads(body)
        # Of what it is told (events "issued" and "refused") it only takes note.
        allow = asked["event"] != "validate" or asked["subject"] in known
        answer = {"allow": allow, "digest": hashlib.sha256(signed).hexdigest()}
        if not allow:
            answer["reason"] = "not one of ours"
        octets = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)


server = http.server.ThreadingHTTPServer(("", int(port)), Hook)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
