// What became of the certificate that was really asked for.

import { hex } from '../../../base/bytes.ts';
import { isoSeconds } from '../../../base/text.ts';
import { type Certificate, isIssuedBy, publicKeyOf } from '../../../x509/certificate.ts';
import { printName } from '../../../x509/names/name.ts';
import { certifies } from '../../device/scep.ts';
import type { EndpointFacts, Enrolled } from '../facts.ts';
import { fault, good, type Observation, orGood, warning } from '../observation.ts';
import { type ReadReply, readReply } from '../reply.ts';
import { replyTroubles } from './exchange.ts';

export async function enrolledFindings({
  enrolled,
  ca,
  now,
}: EndpointFacts): Promise<Observation[]> {
  if (!enrolled || !ca) return [];
  const reply = readReply(enrolled);
  const troubles = reply ? await replyTroubles(enrolled, reply, ca.ra.der) : [];
  const replied = [...troubles, ...(reply ? cipherTroubles(enrolled, reply) : [])];
  const found = replied.filter((one) => one !== false);
  const { opened } = enrolled;
  if (typeof opened === 'string') return [...found, refused(opened)];
  if (reply?.status === 'PENDING') {
    return [...found, good('enrol', 'PENDING: an approver has to allow it; nothing was issued')];
  }
  const { key } = enrolled.message.request.signer;
  const own = opened.find((one) => certifies(one, key));
  if (!own) {
    const fix = 'certify the key of the CSR';
    return [
      ...found,
      fault(
        'enrol',
        'the reply holds no certificate of the key that was sent',
        'no client can use it',
        fix,
      ),
    ];
  }
  const issuers = await Promise.all(
    ca.chain.map((one) => isIssuedBy(own, { subject: one.subject, key: publicKeyOf(one) })),
  );
  const serial = hex(own.serial);
  const said = `${printName(own.subject)}, serial ${serial}, until ${isoSeconds(own.notAfter)}: a real one, to be revoked`;
  return [
    ...found,
    ...orGood(
      'enrol',
      [...bagTroubles(opened, own), ...ownTroubles(own, now, issuers.includes(true))],
      said,
    ),
  ];
}

const refused = (why: string): Observation =>
  fault(
    'enrol',
    why,
    'the certificate was not had',
    'see that the challenge is right, unused, and for this subject (--subject)',
  );

function cipherTroubles({ message: { request } }: Enrolled, { cipher }: ReadReply): Observation[] {
  if (cipher === undefined || cipher === request.cipher) return [];
  const fix = 'encrypt the reply with the cipher of the request';
  return cipher === 'DES'
    ? [
        fault(
          'reply',
          `its envelope is encrypted with DES, the request was with ${request.cipher}`,
          'sscep on OpenSSL 3, and whatever else has DES no more, cannot open it: the certificate is issued, and lost',
          fix,
        ),
      ]
    : [
        warning(
          'reply',
          `its envelope is encrypted with ${cipher}, the request was with ${request.cipher}`,
          'a client that knows only what it sends cannot open it',
          fix,
        ),
      ];
}

function bagTroubles(opened: readonly Certificate[], own: Certificate): Observation[] {
  if (opened[0] !== own) {
    return [
      fault(
        'enrol',
        'the certificate does not stand first in the reply',
        'Apple pairs the first one with the key of the device, and fails (22008)',
        'put the certificate of the device first, or alone',
      ),
    ];
  }
  if (opened.length === 1) return [];
  return [
    warning(
      'enrol',
      `the reply holds ${opened.length} certificates`,
      'Juniper takes no certificate of a CA there; old Cisco VPN clients want one',
      'send the certificate of the device alone, unless you have such clients',
    ),
  ];
}

function ownTroubles(own: Certificate, now: number, isIssued: boolean): (Observation | false)[] {
  return [
    !isIssued &&
      fault(
        'enrol',
        `no CA that is announced has issued it, but ${printName(own.issuer)}`,
        'the device cannot make the chain of its certificate',
        'announce the CA that issues',
      ),
    now < own.notBefore &&
      fault(
        'enrol',
        `it is not valid before ${isoSeconds(own.notBefore)}`,
        'relying parties refuse it until then',
        'set the clock of the CA right, or let notBefore lie some minutes back',
      ),
    now >= own.notAfter &&
      fault(
        'enrol',
        `it ended on ${isoSeconds(own.notAfter)}`,
        'no relying party takes it',
        'set the clock of the CA right, and its validity',
      ),
  ];
}
