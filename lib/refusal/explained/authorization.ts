// What SCEP-3xx and SCEP-42x mean, and what to change.

import type { authorizationReasons } from '../authorization.ts';
import type { Explanation } from '../row.ts';

export const authorizationExplained: Readonly<
  Record<keyof typeof authorizationReasons, Explanation>
> = {
  challengeMissing: {
    rule: 'endpoints.<endpoint>.enrol.authorize, RFC 8894 §2.4',
    means: 'A first request has to bring a challengePassword, and this one had none.',
    change:
      'Make one with "scepter challenge create" and configure it on the device, or in the MDM that configures the device.',
  },
  challengeUnknown: {
    rule: 'endpoints.<endpoint>.enrol.authorize, RFC 8894 §2.4',
    means:
      'No such challengePassword was made for this endpoint: it was mistyped or cut, or belongs to another endpoint.',
    change:
      'Compare the endpoint in the URL with the one that the challenge was made for, and look for blanks around it; or make another.',
  },
  challengeExpired: {
    rule: 'endpoints.<endpoint>.challengeTtl',
    means:
      'The challengePassword is past the end of its time; or its time begins more than a day from now, because the clock of the server was ahead when it was made.',
    change: 'Make another, with "--ttl" if devices take longer; check the clocks of both sides.',
  },
  challengeSpent: {
    rule: 'challenge create --uses',
    means:
      'The challengePassword has been used as often as it may. If this device did not use it, somebody else did.',
    change:
      'Look at the transactions of the challenge. Make another for this device, with "--uses" where several share one.',
  },
  challengeLocked: {
    rule: 'ten refused attempts with a one-time challenge',
    means:
      'Ten requests with this challengePassword, which is good for one use, were refused: somebody may be guessing names with it.',
    change:
      'Look at the refused transactions of the challenge, put right what they have in common, and make another challenge.',
  },
  challengeRevoked: {
    rule: 'challenge revoke',
    means: 'Somebody has revoked the challengePassword.',
    change: 'Ask whoever revoked it (the event challenge.revoked has the name), or make another.',
  },
  signerNotAllowed: {
    rule: 'endpoints.<endpoint>.enrol.signedChallenge.keys.<kid>.names',
    means:
      'The challengePassword was signed with a key that may give some names only, and this is none of them.',
    change:
      'Have a challenge signed without the name, or allow its key the name in the configuration.',
  },
  subjectNotBound: {
    rule: 'challenge create --subject',
    means: 'The challengePassword was made for one subject, and the device asked for another.',
    change:
      'Set the subject on the device to the one that is allowed, or make a challenge for the other.',
  },
  nameNotBound: {
    rule: 'challenge create --san, profiles.<profile>.names',
    means:
      'The device asked for a subjectAltName that its challengePassword was not made for and that the profile does not let a request give itself.',
    change:
      'Leave the name out on the device, make a challenge with "--san" for it, or allow it by a pattern in the profile.',
  },
  nameNotAllowed: {
    rule: 'profiles.<profile>.names',
    means: 'The profile certifies no names of this type or form, or fewer of them, whoever asks.',
    change: 'Leave the name out on the device, or change the rule for its type in the profile.',
  },
  subjectNotAllowed: {
    rule: 'profiles.<profile>.subject',
    means: 'An attribute of the subject is not what the configuration says it must be.',
    change: 'Set the attribute on the device to what is allowed, or change the rule.',
  },
  keyNotBound: {
    rule: 'challenge create --key or --key-hash',
    means: 'The challengePassword was made for one key or kind of key, and the device has another.',
    change:
      'Let the device generate a key as it is allowed, or make a challenge for the key that it has.',
  },
  sourceNotBound: {
    rule: 'challenge create --source',
    means:
      'The challengePassword is good from some networks only. The request came from elsewhere, or its address is not known here: "trustedProxies" says which proxies tell it.',
    change:
      'Enrol the device from where it is allowed, or make a challenge for its network; look at "trustedProxies" if the address in the transaction is that of a proxy.',
  },
  profileNotBound: {
    rule: 'challenge create --profile, endpoints.<endpoint>.profile',
    means:
      'The challengePassword was made for certificates of one profile, and the endpoint has another.',
    change: 'Make another challenge, or give the endpoint its profile again.',
  },
  purposeNotBound: {
    rule: 'challenge create --eku, profiles.<profile>.extKeyUsage',
    means:
      'The challengePassword, or the certificate that is renewed, is for purposes that the profile certifies no longer.',
    change: 'Make another challenge, or put the purposes into the profile again.',
  },
  hostNotBound: {
    rule: 'challenge create --subject or --san, profiles.<profile>.names, RFC 6125 §6.4.4',
    means:
      'Certificates of this profile are for TLS servers, and clients take a common name with a dot for the host. It counts like a subjectAltName, and neither the challenge nor the profile gives this one to the device.',
    change:
      'Make a challenge with "--subject", or with "--san" for the host; allow the host by a pattern in the profile; or set a common name on the device that is no host.',
  },
  renewalUnknown: {
    rule: 'RFC 8894 §2.5',
    means:
      'The certificate that signed is of this CA, but not one that this endpoint has issued: it came from another endpoint, or its record is gone.',
    change:
      'Send the device to the endpoint that issued its certificate, or enrol it with a challenge.',
  },
  renewalExpired: {
    rule: 'RFC 8894 §2.5',
    means: 'The certificate had expired before its device asked for the next.',
    change: 'Enrol the device with a challenge, and let it renew earlier.',
  },
  renewalRevoked: {
    rule: 'RFC 8894 §2.5',
    means: 'The certificate is revoked, held (suspended) or superseded, and renews nothing.',
    change:
      'Find out why it was revoked. If the device is in good hands, enrol it with a challenge.',
  },
  renewalTooEarly: {
    rule: 'endpoints.<endpoint>.renew.window',
    means: 'The certificate is still good for longer than the window in which it may be renewed.',
    change: 'Let the device ask again when the window opens, or widen the window.',
  },
  renewalOtherNames: {
    rule: 'RFC 8894 §2.5',
    means:
      'A renewal keeps the subject and the names of its certificate, and this one asked for others.',
    change:
      'Set the names on the device to those of its certificate, or enrol it anew with a challenge.',
  },
  renewalSameKey: {
    rule: 'profiles.<profile>.sameKey',
    means: 'The profile wants a new key with each renewal, and the device kept its old one.',
    change: 'Let the device generate a key for its renewal, or allow the same in the profile.',
  },
  renewalDone: {
    rule: 'one successor in use for each certificate',
    means:
      'The certificate was renewed already, and its successor is in use. If the device does not have that successor, somebody else does.',
    change:
      'Let the device sign with its newest certificate. If it has none that is newer, revoke the successor and enrol it with a challenge.',
  },
  renewalTooOften: {
    rule: 'four renewals of a lineage in seven days, or in a third of the validity where that is shorter',
    means:
      'The certificate and those that it goes back to were renewed again and again. A renewal whose reply got lost may be made anew, a few times; this looks like a device that installs nothing of what it is sent, or like two that hold one key.',
    change:
      'Find out why the device does not install what it is sent, then wait, or enrol it with a challenge.',
  },
  renewalHeld: {
    rule: 'certificateHold of a successor',
    means:
      'A renewal of this certificate is suspended. Another renewal would leave the device with two valid certificates once the hold ends.',
    change: 'Release the suspended certificate or revoke it for good.',
  },
  renewalEnded: {
    rule: 'a certificate that a person revokes or suspends ends its lineage',
    means:
      'Somebody has revoked or suspended the certificate that renewed this one, or the one that this one renews. That stops the device: no certificate that it has from these renewals can renew any more.',
    change:
      'Revoke what else is good ("cert revoke SERIAL --with-renewals"), or end the hold. If the device may go on, enrol it with a challenge.',
  },
  renewalSpent: {
    rule: 'twelve unexpired superseded certificates of a lineage',
    means:
      'The device has been sent renewal after renewal, and each took the place of one before. Every one of those is an entry of the CRL until it expires.',
    change:
      'Find out why the device does not install what it is sent, and enrol it with a challenge.',
  },
  validatorRefused: {
    rule: 'endpoints.<endpoint>.enrol.authorize',
    means:
      'This endpoint asks a validator, such as an MDM, about every request, and it refused this one.',
    change: 'Look the device up at the validator: the evidence has its name and its answer.',
  },
  deviceUnlisted: {
    rule: 'endpoints.<endpoint>.enrol.deviceList',
    means:
      'This endpoint certifies devices of a list only. The device is the one that its challenge names, or else the one whose serial number, common name or subjectAltName is an identifier in the list; none of these is.',
    change:
      'Compare what the request says with "scepter devices list", import the device with "scepter devices import", or name it with "challenge create --device".',
  },
  deviceRemoved: {
    rule: 'scepter devices remove',
    means: 'Somebody has removed the device from the list; the evidence says when and by whom.',
    change:
      'Ask whoever removed it. If it may have certificates again, import it with "scepter devices import --restore".',
  },
  deviceNameNotListed: {
    rule: 'endpoints.<endpoint>.enrol.deviceList',
    means: 'The device is in the list, and the list gives it other names.',
    change:
      'Set the names on the device to those of "scepter devices show", or import the device with the names that it should have.',
  },
  usageNotAllowed: {
    rule: 'profiles.<profile>.keyUsage, profiles.<profile>.extKeyUsage',
    means:
      'A validator outside judges the whole request, and its certificate has the usages and purposes that it asks for. These are not among those of the profile, or the usages serve none of the purposes.',
    change:
      'Set key usage and extended key usage in the profile of the MDM to those of the profile here, or add them here.',
  },
  keyOwned: {
    rule: 'endpoints.<endpoint>.namesPerKey (RFC 8894 §7.6)',
    means:
      'The key is certified for other names; a certificate for these would let one pass for the other.',
    change:
      'If its names have changed, revoke the old certificate (for any reason but keyCompromise, which blocks the key): then the key is free. Where a device has several names for one key, such as a router with two trustpoints, set "namesPerKey": "any" at its endpoints. Otherwise let it generate another key.',
  },
  keyCompromised: {
    rule: 'a key whose certificate was revoked for keyCompromise is never certified again',
    means:
      'Somebody has reported that others may have this key. Every CA and endpoint of this service refuses it for ever.',
    change:
      'Let the device generate another key, and enrol it with a challenge. Find out where else the key is: "cert list --key" has its other certificates.',
  },
  requestDenied: {
    rule: 'endpoints.<endpoint>.approval',
    means: 'An approver denied the request, or what it rested on was changed before it was issued.',
    change:
      'Ask the approver; the device may ask again when the endpoint has forgotten the answer ("repeat").',
  },
  requestExpired: {
    rule: 'endpoints.<endpoint>.pendingTtl',
    means: 'No approver allowed the request in the time that it may wait.',
    change: 'Let the device ask again, and approve it in time; or make "pendingTtl" longer.',
  },
  releaseRefused: {
    rule: 'endpoints.<endpoint>.enrol.authorize',
    means:
      'A validator that has to release each certificate refused, or did not answer for an hour.',
    change: 'Look the device up at the validator, then let it ask again.',
  },
  requestRevoked: {
    rule: 'a revoked outcome never repeats',
    means:
      'This very message was answered before, and its certificate has been revoked, held (suspended) or superseded since. Whoever recorded the message could send it again.',
    change: 'Let the device make a new request; find out why its certificate was revoked.',
  },
  signerCannotDecrypt: {
    rule: 'endpoints.<endpoint>.enrol.staticChallenge, RFC 8894 §3.1',
    means:
      'The message is signed with a key that is not RSA and not the one in the request, so that its reply would be encrypted with the static challenge: whoever recorded a request of another device could have it signed like this, and guess at the secret.',
    change: 'Let the client sign with an RSA key, or with the key that it asks a certificate for.',
  },
};
