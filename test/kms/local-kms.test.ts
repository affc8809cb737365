// local-kms (Go): signs digests right, and refuses nearly as KMS does.

import { conformance, startedPeer } from './conformance.ts';

conformance({
  name: 'local-kms',
  env: startedPeer('local-kms'),
  differs: {
    'it does not open with the name of another key':
      'InvalidCiphertextException; KMS documents IncorrectKeyException',
    'a disabled key opens nothing':
      'AccessDeniedException; KMS documents DisabledException for Decrypt too',
    'a key pending deletion does nothing; taken back it is disabled':
      'it is Enabled then; KMS documents Disabled, to be enabled by EnableKey',
  },
});
