// moto (Python): right about RAW signatures, sealed data and data keys, which is what it is asked for.

import { conformance, startedPeer } from './conformance.ts';

const hashedTwice = 'it hashes the digest once more and signs that';
const onlyIds = 'it fails with a 500 for an ARN, which all of KMS takes';
const accepted = 'it is accepted';

conformance({
  name: 'moto',
  env: startedPeer('moto'),
  differs: {
    'DIGEST, RSA: a signature over the message of that digest': hashedTwice,
    'DIGEST, P-256: a signature over the message of that digest': hashedTwice,
    'DIGEST, P-384: a signature over the message of that digest': hashedTwice,
    'DIGEST takes that of a message of any length': hashedTwice,
    'a digest of another length is refused': hashedTwice,
    'Verify, RAW: of what was signed as a digest, and of nothing else': hashedTwice,
    'Verify, DIGEST: of what was signed RAW, and of nothing else': hashedTwice,
    'RAW takes 4,096 octets and no more': 'there is no limit',
    'a usage that its spec does not have is refused': accepted,
    'a public key is a SubjectPublicKeyInfo, with usage and spec': 'the reply has no KeySpec',
    'a symmetric key has no public one': 'it is given one',
    'an algorithm of another type of key is refused':
      'ValidationException; KMS documents InvalidKeyUsageException',
    'a key that seals does not sign': 'ValidationException; KMS documents InvalidKeyUsageException',
    'a key that signs does not seal': accepted,
    'a key that signs makes no data keys': accepted,
    'a key that signs makes no data key pairs': 'it makes none for anybody',
    'a key pair: its public half in clear, the other sealed PKCS#8': 'it makes none',
    'what is no sealed blob at all does not open':
      'AccessDeniedException; KMS documents InvalidCiphertextException',
    'it does not open with the name of another key':
      'AccessDeniedException; KMS documents IncorrectKeyException',
    'a disabled key signs nothing until it is enabled again': onlyIds,
    'a disabled key gives no public key': onlyIds,
    'a disabled key opens nothing': onlyIds,
    'a key pending deletion does nothing; taken back it is disabled': onlyIds,
    'a key of another region is not found': 'it is found',
  },
});
