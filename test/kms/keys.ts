// What KMS does about keys: how they are made, named, described, disabled and deleted.

import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import {
  CancelKeyDeletionCommand,
  CreateAliasCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  GetKeyPolicyCommand,
  GetPublicKeyCommand,
  ListAliasesCommand,
  ListResourceTagsCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import {
  type Check,
  EncryptionContext,
  make,
  open,
  refuses,
  rsaAlgorithms,
  sealed,
  sign,
  signing,
  symmetric,
} from './asking.ts';

export const keyChecks: Readonly<Record<string, Check>> = {
  'a key is described as it was made': async (kms) => {
    for (const [KeySpec, algorithm] of [
      ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256'],
      ['ECC_NIST_P256', 'ECDSA_SHA_256'],
      ['ECC_NIST_P384', 'ECDSA_SHA_384'],
    ] as const) {
      const KeyId = await make(kms, { KeySpec, KeyUsage: 'SIGN_VERIFY', Description: 'a CA' });
      const { KeyMetadata: told } = await kms.send(new DescribeKeyCommand({ KeyId }));
      assert.match(KeyId, /^arn:aws:kms:[\w-]+:\d{12}:key\/[\w-]{36}$/);
      assert.deepEqual(
        [told?.Arn, told?.KeySpec, told?.KeyUsage, told?.KeyState, told?.Description],
        [KeyId, KeySpec, 'SIGN_VERIFY', 'Enabled', 'a CA'],
      );
      assert.ok(told?.SigningAlgorithms?.includes(algorithm));
      assert.equal(told?.AWSAccountId, KeyId.split(':')[4]);
    }
  },
  'a usage that its spec does not have is refused': async (kms) => {
    const KeyUsage = 'ENCRYPT_DECRYPT';
    await refuses(make(kms, { KeySpec: 'ECC_NIST_P256', KeyUsage }), 'ValidationException');
  },
  'a public key is a SubjectPublicKeyInfo, with usage and spec': async (kms) => {
    const KeyId = await signing(kms, 'RSA_3072');
    const found = await kms.send(new GetPublicKeyCommand({ KeyId }));
    assert.deepEqual(
      [found.KeyId, found.KeySpec, found.KeyUsage],
      [KeyId, 'RSA_3072', 'SIGN_VERIFY'],
    );
    const key = { key: Buffer.from(found.PublicKey ?? []), format: 'der', type: 'spki' } as const;
    assert.equal(createPublicKey(key).asymmetricKeyDetails?.modulusLength, 3072);
  },
  'a symmetric key has no public one': async (kms) => {
    const KeyId = await symmetric(kms);
    await refuses(kms.send(new GetPublicKeyCommand({ KeyId })), 'UnsupportedOperationException');
  },
  'a disabled key signs nothing until it is enabled again': async (kms) => {
    const KeyId = await signing(kms);
    await kms.send(new DisableKeyCommand({ KeyId }));
    const told = await kms.send(new DescribeKeyCommand({ KeyId }));
    assert.deepEqual([told.KeyMetadata?.KeyState, told.KeyMetadata?.Enabled], ['Disabled', false]);
    await refuses(sign(kms, KeyId, rsaAlgorithms[0], 'RAW'), 'DisabledException');
    await kms.send(new EnableKeyCommand({ KeyId }));
    await sign(kms, KeyId, rsaAlgorithms[0], 'RAW');
  },
  'a disabled key gives no public key': async (kms) => {
    const KeyId = await signing(kms);
    await kms.send(new DisableKeyCommand({ KeyId }));
    await refuses(kms.send(new GetPublicKeyCommand({ KeyId })), 'DisabledException');
  },
  'a disabled key opens nothing': async (kms) => {
    const KeyId = await symmetric(kms);
    const blob = await sealed(kms, KeyId);
    await kms.send(new DisableKeyCommand({ KeyId }));
    await refuses(open(kms, blob), 'DisabledException');
  },
  'a key pending deletion does nothing; taken back it is disabled': async (kms) => {
    const KeyId = await signing(kms);
    const input = { KeyId, PendingWindowInDays: 7 };
    const scheduled = await kms.send(new ScheduleKeyDeletionCommand(input));
    assert.ok((scheduled.DeletionDate ?? new Date(0)) > new Date());
    await refuses(sign(kms, KeyId, rsaAlgorithms[0], 'RAW'), 'KMSInvalidStateException');
    await refuses(kms.send(new EnableKeyCommand({ KeyId })), 'KMSInvalidStateException');
    await kms.send(new CancelKeyDeletionCommand({ KeyId }));
    const told = await kms.send(new DescribeKeyCommand({ KeyId }));
    assert.equal(told.KeyMetadata?.KeyState, 'Disabled');
  },
  'a key that does not exist is not found': async (kms) => {
    const none = (await symmetric(kms)).replace(
      /[\w-]{36}$/,
      '00000000-0000-4000-8000-000000000000',
    );
    for (const KeyId of [none, 'alias/of-none']) {
      await refuses(kms.send(new DescribeKeyCommand({ KeyId })), 'NotFoundException');
    }
    await refuses(sign(kms, none, rsaAlgorithms[0], 'RAW'), 'NotFoundException');
  },
  'a key of another region is not found': async (kms) => {
    const KeyId = (await signing(kms)).replace(/^arn:aws:kms:[\w-]+/, 'arn:aws:kms:ap-south-2');
    await refuses(sign(kms, KeyId, rsaAlgorithms[0], 'RAW'), 'NotFoundException');
  },
  'an alias names its key': async (kms) => {
    const TargetKeyId = await symmetric(kms);
    const AliasName = `alias/scepter-${Date.now()}`;
    await kms.send(new CreateAliasCommand({ AliasName, TargetKeyId }));
    const told = await kms.send(new DescribeKeyCommand({ KeyId: AliasName }));
    assert.equal(told.KeyMetadata?.Arn, TargetKeyId);
    const { Aliases = [] } = await kms.send(new ListAliasesCommand({}));
    assert.ok(Aliases.some((alias) => alias.AliasName === AliasName));
    const opened = await open(kms, await sealed(kms, AliasName), EncryptionContext, AliasName);
    assert.equal(opened.KeyId, TargetKeyId);
    const again = new CreateAliasCommand({ AliasName, TargetKeyId });
    await refuses(kms.send(again), 'AlreadyExistsException');
  },
  'tags and policy of a key': async (kms) => {
    const Tags = [{ TagKey: 'scepter:ca', TagValue: 'default' }];
    const KeyId = await make(kms, { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY', Tags });
    const told = await kms.send(new ListResourceTagsCommand({ KeyId }));
    assert.deepEqual(told.Tags, Tags);
    const { Policy = '' } = await kms.send(
      new GetKeyPolicyCommand({ KeyId, PolicyName: 'default' }),
    );
    assert.ok(JSON.parse(Policy).Statement.length >= 1);
  },
};
