// What Intune's SCEP service says of a request, each code in a sentence. Only `Success` allows anything.

/** The codes of Microsoft's reference client (IntuneScepServiceException.ErrorCode). */
export const intuneCodes = {
  Unknown: 'Intune gives no reason',
  CertificateRequestDecodingFailed: 'Intune cannot read the PKCS#10',
  ChallengePasswordMissing: 'the PKCS#10 carries no challengePassword',
  ChallengeDeserializationError: 'the challengePassword is not one that Intune has made',
  ChallengeDecryptionError: 'the challengePassword is not one that Intune has made for this tenant',
  ChallengeDecodingError: 'the challengePassword is not one that Intune has made, or came changed',
  ChallengeInvalidTimestamp: 'the challengePassword is not good yet, or has no time',
  ChallengeExpired: 'the challengePassword has expired: the device has to check in with Intune',
  SubjectNameMissing: 'the PKCS#10 has no subject, and the SCEP profile wants one',
  SubjectNameMismatch: 'the subject is not the one of the SCEP profile',
  SubjectAltNameMissing: 'the PKCS#10 has no subjectAltName, and the SCEP profile wants one',
  SubjectAltNameMismatch: 'the subjectAltName is not the one of the SCEP profile',
  KeyUsageMismatch: 'the key usage is not the one of the SCEP profile',
  KeyLengthMismatch: 'the size of the key is not the one of the SCEP profile',
  EnhancedKeyUsageMissing:
    'the PKCS#10 asks for no extended key usage, and the SCEP profile wants some',
  EnhancedKeyUsageMismatch: 'the extended key usage is not the one of the SCEP profile',
  AadKeyIdentifierListMissing: 'Intune knows no registered key of the device',
  RegisteredKeyMismatch: 'the key is not the one that the device has registered',
  SigningCertThumbprintMismatch:
    'the certificate that signed the message is not the one that Intune knows of the device',
  ScepProfileNoLongerTargetedToTheClient: 'the SCEP profile is no longer assigned to the device',
  SignatureValidationFailed:
    'the signature of the challengePassword or of the PKCS#10 does not verify',
  BadCertificateRequestIdInChallenge:
    'Intune does not know the request that the challengePassword is for',
  BadDeviceIdInChallenge: 'Intune does not know the device that the challengePassword is for',
  BadUserIdInChallenge: 'Intune does not know the user that the challengePassword is for',
} as const satisfies Readonly<Record<string, string>>;

const sentences = new Map<string, string>(Object.entries(intuneCodes));

/** @param code as Intune gave it */
export function noteOf(code: string): string {
  const known = sentences.get(code);
  if (known !== undefined) return `${code}: ${known}`;
  return /^[A-Za-z0-9]{1,64}$/.test(code)
    ? `${code}: a code of Intune that is not known here`
    : 'a code of Intune that is not known here';
}
