"""Signs a challenge for one device: python3 mint_challenge.py KEY.pem KID ENDPOINT CLAIMS

KEY.pem is a private key, P-256 or Ed25519; CLAIMS what the challenge is bound to, as JSON.
Needs PyJWT and cryptography: pip install "pyjwt[crypto]"
"""

import json
import sys
import time
import uuid

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

file, kid, endpoint, bound = sys.argv[1:]
with open(file, "rb") as pem:
    key = load_pem_private_key(pem.read(), password=None)
now = int(time.time())
claims = {"aud": endpoint, "iat": now, "exp": now + 3600, "jti": str(uuid.uuid4()), **json.loads(bound)}
algorithm = "ES256" if isinstance(key, EllipticCurvePrivateKey) else "EdDSA"
print(jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid}))
