// SCEP-3xx, SCEP-42x: why a proven request is not authorized: its challenge, the names that nothing allows,
// the certificate that signed, validators and approvers, and what stands on record.

import type { ReasonRow } from './row.ts';

export const authorizationReasons = {
  challengeMissing: {
    code: 'SCEP-301',
    text: 'the request carries no challengePassword',
    rule: 'endpoints.<endpoint>.enrol.authorize, RFC 8894 §2.4',
    means: 'A first request has to bring a challengePassword, and this one had none.',
    change:
      'Make one with "scepter challenge create" and configure it on the device, or in the MDM that configures the device.',
  },
  challengeUnknown: {
    code: 'SCEP-302',
    text: 'the challengePassword is not known at this endpoint',
    rule: 'endpoints.<endpoint>.enrol.authorize, RFC 8894 §2.4',
    means:
      'No such challengePassword was made for this endpoint: it was mistyped or cut, or belongs to another endpoint.',
    change:
      'Compare the endpoint in the URL with the one that the challenge was made for, and look for blanks around it; or make another.',
  },
  challengeExpired: {
    code: 'SCEP-303',
    text: 'the challengePassword has expired',
    rule: 'endpoints.<endpoint>.challengeTtl',
    means:
      'The challengePassword is past the end of its time; or its time begins more than a day from now, because the clock of the server was ahead when it was made.',
    change: 'Make another, with "--ttl" if devices take longer; check the clocks of both sides.',
  },
  challengeSpent: {
    code: 'SCEP-304',
    text: 'the challengePassword has been used already',
    rule: 'challenge create --uses',
    means:
      'The challengePassword has been used as often as it may. If this device did not use it, somebody else did.',
    change:
      'Look at the transactions of the challenge. Make another for this device, with "--uses" where several share one.',
    countsAgainstChallenge: true,
  },
  challengeLocked: {
    code: 'SCEP-305',
    text: 'the challengePassword is locked after too many refused attempts',
    rule: 'ten refused attempts with a one-time challenge',
    means:
      'Ten requests with this challengePassword, which is good for one use, were refused: somebody may be guessing names with it.',
    change:
      'Look at the refused transactions of the challenge, put right what they have in common, and make another challenge.',
  },
  challengeRevoked: {
    code: 'SCEP-306',
    text: 'the challengePassword has been revoked',
    rule: 'challenge revoke',
    means: 'Somebody has revoked the challengePassword.',
    change: 'Ask whoever revoked it (the event challenge.revoked has the name), or make another.',
  },
  signerNotAllowed: {
    code: 'SCEP-307',
    text: 'a subjectAltName is not one that whoever signed this challengePassword may give',
    rule: 'endpoints.<endpoint>.enrol.signedChallenge.keys.<kid>.names',
    means:
      'The challengePassword was signed with a key that may give some names only, and this is none of them.',
    change:
      'Have a challenge signed without the name, or allow its key the name in the configuration.',
    countsAgainstChallenge: true,
  },
  subjectNotBound: {
    code: 'SCEP-311',
    text: 'the subject is not the one this challengePassword was made for',
    rule: 'challenge create --subject',
    means: 'The challengePassword was made for one subject, and the device asked for another.',
    change:
      'Set the subject on the device to the one that is allowed, or make a challenge for the other.',
    countsAgainstChallenge: true,
  },
  nameNotBound: {
    code: 'SCEP-312',
    text: 'a subjectAltName is not one that this challengePassword was made for',
    rule: 'challenge create --san, profiles.<profile>.names',
    means:
      'The device asked for a subjectAltName that its challengePassword was not made for and that the profile does not let a request give itself.',
    change:
      'Leave the name out on the device, make a challenge with "--san" for it, or allow it by a pattern in the profile.',
    countsAgainstChallenge: true,
  },
  nameNotAllowed: {
    code: 'SCEP-313',
    text: 'a subjectAltName is of a type or form that the profile of this endpoint does not certify',
    rule: 'profiles.<profile>.names',
    means: 'The profile certifies no names of this type or form, or fewer of them, whoever asks.',
    change: 'Leave the name out on the device, or change the rule for its type in the profile.',
    countsAgainstChallenge: true,
  },
  subjectNotAllowed: {
    code: 'SCEP-314',
    text: 'the subject is not one that this endpoint certifies',
    rule: 'profiles.<profile>.subject',
    means: 'An attribute of the subject is not what the configuration says it must be.',
    change: 'Set the attribute on the device to what is allowed, or change the rule.',
    countsAgainstChallenge: true,
  },
  keyNotBound: {
    code: 'SCEP-315',
    text: 'the key is not of the kind, or not the one, that this challengePassword was made for',
    rule: 'challenge create --key or --key-hash',
    means: 'The challengePassword was made for one key or kind of key, and the device has another.',
    change:
      'Let the device generate a key as it is allowed, or make a challenge for the key that it has.',
    countsAgainstChallenge: true,
  },
  sourceNotBound: {
    code: 'SCEP-316',
    text: 'the request comes from an address that this challengePassword was not made for',
    rule: 'challenge create --source',
    means:
      'The challengePassword is good from some networks only. The request came from elsewhere, or its address is not known here: "trustedProxies" says which proxies tell it.',
    change:
      'Enrol the device from where it is allowed, or make a challenge for its network; look at "trustedProxies" if the address in the transaction is that of a proxy.',
    countsAgainstChallenge: true,
  },
  profileNotBound: {
    code: 'SCEP-317',
    text: 'this endpoint has another profile by now than the one that this challengePassword was made for',
    rule: 'challenge create --profile, endpoints.<endpoint>.profile',
    means:
      'The challengePassword was made for certificates of one profile, and the endpoint has another.',
    change: 'Make another challenge, or give the endpoint its profile again.',
  },
  purposeNotBound: {
    code: 'SCEP-319',
    text: 'the profile of this endpoint no longer has the extended key usages that this challengePassword was made for',
    rule: 'challenge create --eku, profiles.<profile>.extKeyUsage',
    means:
      'The challengePassword, or the certificate that is renewed, is for purposes that the profile certifies no longer.',
    change: 'Make another challenge, or put the purposes into the profile again.',
  },
  hostNotBound: {
    code: 'SCEP-318',
    text: 'the common name is a host name or an address, which TLS clients go by, and not one that this challengePassword or the profile allows',
    rule: 'challenge create --subject or --san, profiles.<profile>.names, RFC 6125 §6.4.4',
    means:
      'Certificates of this profile are for TLS servers, and clients take a common name with a dot for the host. It counts like a subjectAltName, and neither the challenge nor the profile gives this one to the device.',
    change:
      'Make a challenge with "--subject", or with "--san" for the host; allow the host by a pattern in the profile; or set a common name on the device that is no host.',
    countsAgainstChallenge: true,
  },
  renewalUnknown: {
    code: 'SCEP-321',
    text: 'the certificate that signed the message is not one that this endpoint issued',
    rule: 'RFC 8894 §2.5',
    means:
      'The certificate that signed is of this CA, but not one that this endpoint has issued: it came from another endpoint, or its record is gone.',
    change:
      'Send the device to the endpoint that issued its certificate, or enrol it with a challenge.',
  },
  renewalExpired: {
    code: 'SCEP-322',
    text: 'the certificate that signed the message has expired',
    rule: 'RFC 8894 §2.5',
    means: 'The certificate had expired before its device asked for the next.',
    change: 'Enrol the device with a challenge, and let it renew earlier.',
  },
  renewalRevoked: {
    code: 'SCEP-323',
    text: 'the certificate that signed the message is revoked, held or superseded',
    rule: 'RFC 8894 §2.5',
    means: 'The certificate is revoked, held (suspended) or superseded, and renews nothing.',
    change:
      'Find out why it was revoked. If the device is in good hands, enrol it with a challenge.',
  },
  renewalTooEarly: {
    code: 'SCEP-324',
    text: 'the certificate that signed the message is not yet in its time for renewal',
    rule: 'endpoints.<endpoint>.renew.window',
    means: 'The certificate is still good for longer than the window in which it may be renewed.',
    change: 'Let the device ask again when the window opens, or widen the window.',
  },
  renewalOtherNames: {
    code: 'SCEP-325',
    text: 'the renewal asks for other names than its certificate has',
    rule: 'RFC 8894 §2.5',
    means:
      'A renewal keeps the subject and the names of its certificate, and this one asked for others.',
    change:
      'Set the names on the device to those of its certificate, or enrol it anew with a challenge.',
  },
  renewalSameKey: {
    code: 'SCEP-326',
    text: 'the renewal must be for a new key',
    rule: 'profiles.<profile>.sameKey',
    means: 'The profile wants a new key with each renewal, and the device kept its old one.',
    change: 'Let the device generate a key for its renewal, or allow the same in the profile.',
  },
  renewalDone: {
    code: 'SCEP-327',
    text: 'the certificate that signed the message has been renewed, and its successor is in use',
    rule: 'one successor in use for each certificate',
    means:
      'The certificate was renewed already, and its successor is in use. If the device does not have that successor, somebody else does.',
    change:
      'Let the device sign with its newest certificate. If it has none that is newer, revoke the successor and enrol it with a challenge.',
  },
  renewalTooOften: {
    code: 'SCEP-328',
    text: 'the certificate that signed the message, or one that it goes back to, has been renewed too often of late',
    rule: 'four renewals of a lineage in seven days, or in a third of the validity where that is shorter',
    means:
      'The certificate and those that it goes back to were renewed again and again. A renewal whose reply got lost may be made anew, a few times; this looks like a device that installs nothing of what it is sent, or like two that hold one key.',
    change:
      'Find out why the device does not install what it is sent, then wait, or enrol it with a challenge.',
  },
  renewalHeld: {
    code: 'SCEP-329',
    text: 'a renewal of the certificate that signed the message is suspended',
    rule: 'certificateHold of a successor',
    means:
      'A renewal of this certificate is suspended. Another renewal would leave the device with two valid certificates once the hold ends.',
    change: 'Release the suspended certificate or revoke it for good.',
  },
  renewalEnded: {
    code: 'SCEP-421',
    text: 'a certificate before or after the one that signed the message was revoked or suspended: enrol again',
    rule: 'a certificate that a person revokes or suspends ends its lineage',
    means:
      'Somebody has revoked or suspended the certificate that renewed this one, or the one that this one renews. That stops the device: no certificate that it has from these renewals can renew any more.',
    change:
      'Revoke what else is good ("cert revoke SERIAL --with-renewals"), or end the hold. If the device may go on, enrol it with a challenge.',
  },
  renewalSpent: {
    code: 'SCEP-422',
    text: 'too many renewals of the certificate that signed the message have been superseded: enrol again',
    rule: 'twelve unexpired superseded certificates of a lineage',
    means:
      'The device has been sent renewal after renewal, and each took the place of one before. Every one of those is an entry of the CRL until it expires.',
    change:
      'Find out why the device does not install what it is sent, and enrol it with a challenge.',
  },
  validatorRefused: {
    code: 'SCEP-331',
    text: 'a validator of this endpoint refused the request',
    rule: 'endpoints.<endpoint>.enrol.authorize',
    means:
      'This endpoint asks a validator, such as an MDM, about every request, and it refused this one.',
    change: 'Look the device up at the validator: the evidence has its name and its answer.',
  },
  deviceUnlisted: {
    code: 'SCEP-332',
    text: 'the device is in no device list of this endpoint',
    rule: 'endpoints.<endpoint>.enrol.deviceList',
    means:
      'This endpoint certifies devices of a list only. The device is the one that its challenge names, or else the one whose serial number, common name or subjectAltName is an identifier in the list; none of these is.',
    change:
      'Compare what the request says with "scepter devices list", import the device with "scepter devices import", or name it with "challenge create --device".',
    countsAgainstChallenge: true,
  },
  deviceRemoved: {
    code: 'SCEP-333',
    text: 'the device was removed from the device list of this endpoint',
    rule: 'scepter devices remove',
    means: 'Somebody has removed the device from the list; the evidence says when and by whom.',
    change:
      'Ask whoever removed it. If it may have certificates again, import it with "scepter devices import --restore".',
  },
  deviceNameNotListed: {
    code: 'SCEP-334',
    text: 'the request asks for a name that the device list does not give to its device',
    rule: 'endpoints.<endpoint>.enrol.deviceList',
    means: 'The device is in the list, and the list gives it other names.',
    change:
      'Set the names on the device to those of "scepter devices show", or import the device with the names that it should have.',
    countsAgainstChallenge: true,
  },
  keyOwned: {
    code: 'SCEP-341',
    text: 'the requested key is certified for another name',
    rule: 'endpoints.<endpoint>.namesPerKey (RFC 8894 §7.6)',
    means:
      'The key is certified for other names; a certificate for these would let one pass for the other.',
    change:
      'If its names have changed, revoke the old certificate (for any reason but keyCompromise, which blocks the key): then the key is free. Where a device has several names for one key, such as a router with two trustpoints, set "namesPerKey": "any" at its endpoints. Otherwise let it generate another key.',
  },
  keyCompromised: {
    code: 'SCEP-343',
    text: 'the requested key, or the one that signed, belongs to a certificate that was revoked for keyCompromise: generate another key',
    rule: 'a key whose certificate was revoked for keyCompromise is never certified again',
    means:
      'Somebody has reported that others may have this key. Every CA and endpoint of this service refuses it for ever.',
    change:
      'Let the device generate another key, and enrol it with a challenge. Find out where else the key is: "cert list --key" has its other certificates.',
  },
  requestDenied: {
    code: 'SCEP-351',
    text: 'an approver denied the request',
    rule: 'endpoints.<endpoint>.approval',
    means: 'An approver denied the request, or what it rested on was changed before it was issued.',
    change:
      'Ask the approver; the device may ask again when the endpoint has forgotten the answer ("repeat").',
  },
  requestExpired: {
    code: 'SCEP-352',
    text: 'nobody approved the request in time',
    rule: 'endpoints.<endpoint>.pendingTtl',
    means: 'No approver allowed the request in the time that it may wait.',
    change: 'Let the device ask again, and approve it in time; or make "pendingTtl" longer.',
  },
  releaseRefused: {
    code: 'SCEP-353',
    text: 'the certificate was made and withdrawn before anybody saw it',
    rule: 'endpoints.<endpoint>.enrol.authorize',
    means:
      'A validator that has to release each certificate refused, or did not answer for an hour.',
    change: 'Look the device up at the validator, then let it ask again.',
  },
  requestRevoked: {
    code: 'SCEP-354',
    text: 'the certificate that answered this very request has been revoked, held or superseded: make a new request',
    rule: 'a revoked outcome never repeats',
    means:
      'This very message was answered before, and its certificate has been revoked, held (suspended) or superseded since. Whoever recorded the message could send it again.',
    change: 'Let the device make a new request; find out why its certificate was revoked.',
  },
  signerCannotDecrypt: {
    code: 'SCEP-361',
    text: 'the signer has neither an RSA key nor the requested one: a secret that many devices know must not key its reply',
    rule: 'endpoints.<endpoint>.enrol.staticChallenge, RFC 8894 §3.1',
    means:
      'The message is signed with a key that is not RSA and not the one in the request, so that its reply would be encrypted with the static challenge: whoever recorded a request of another device could have it signed like this, and guess at the secret.',
    change: 'Let the client sign with an RSA key, or with the key that it asks a certificate for.',
  },
} as const satisfies Record<string, ReasonRow>;
