// What became of the pkiMessages: whether each way leads to the server, and whether clients can take its replies.

import { equal } from '../../../base/bytes.ts';
import { verifySignedData } from '../../../cms/signed-data.ts';
import { oids } from '../../../crypto/algorithms.ts';
import { failInfo } from '../../../protocol/scep/wire/fail-info.ts';
import { mediaTypes } from '../../../protocol/scep/wire/registry.ts';
import { printName } from '../../../x509/names/name.ts';
import { type EndpointFacts, type Sent, type Way, ways } from '../facts.ts';
import { fault, type Observation, orGood, warning } from '../observation.ts';
import { type ReadReply, readReply } from '../reply.ts';
import { type Answer, hasAnswered } from '../wire/http.ts';
import { httpTrouble } from './caps.ts';

export async function exchangeFindings(facts: EndpointFacts): Promise<Observation[]> {
  const { exchanges, ca } = facts;
  const post = exchanges.get('post');
  if (!post || !ca) return [];
  const replied = [...exchanges.values()].find(readReply);
  const arrived: Arrived = (way, like) => {
    const one = exchanges.get(way);
    if (!one || replied) return one !== undefined && readReply(one) !== undefined;
    const other = exchanges.get(like);
    return other !== undefined && sameAnswer(one, other);
  };
  const ungranted = replied ? [] : withoutReply(post);
  const reply = replied && readReply(replied);
  return [
    ...postFindings(facts, arrived),
    ...halfClosedFindings(facts, arrived),
    ...getFindings(facts, arrived),
    ...ungranted,
    ...(replied && reply
      ? orGood('reply', await replyTroubles(replied, reply, ca.ra.der), saidOf(reply))
      : []),
  ];
}

/** Whether a message came whole by a way: it got a CertRep, or, where none does, the answer that it gets by
 * another way by which it comes whole. */
type Arrived = (way: Way, like: Way) => boolean;

/** Half a message and a whole one get the same answer: nothing can be told from it. */
const tellsNothing = ({ exchanges }: EndpointFacts, way: Way, half: Way): boolean => {
  const [whole, cut] = [exchanges.get(way), exchanges.get(half)];
  return whole !== undefined && cut !== undefined && sameAnswer(whole, cut);
};

const saidOf = (reply: ReadReply): string => {
  const code = reply.text('failInfo');
  const name = Object.entries(failInfo).find(([, value]) => value === code)?.[0] ?? '';
  const digest = reply.signedData.digest?.name ?? '';
  return `${reply.status ?? ''} ${name}, signed with ${digest}`.replace(/\s+/g, ' ');
};

const sameAnswer = ({ said: one }: Sent, { said: other }: Sent): boolean =>
  hasAnswered(one) &&
  hasAnswered(other) &&
  one.status === other.status &&
  equal(one.body, other.body);

const seen = ({ said }: Sent): string =>
  hasAnswered(said)
    ? `HTTP ${said.status}${said.headers.has('location') ? `, a redirect to ${said.headers.get('location')}` : ''}`
    : said.silence;

/** Of an intermediary, or of a server that does not know POST. */
const kept = (status: number): boolean =>
  (status >= 300 && status < 400) || [403, 404, 405, 411, 413, 415, 501, 502].includes(status);

function postFindings(facts: EndpointFacts, arrived: Arrived): Observation[] {
  const { exchanges } = facts;
  const post = exchanges.get('post');
  const untyped = exchanges.get('untyped');
  if (!post || !untyped) return [];
  const trouble = httpTrouble(post.said);
  if (!hasAnswered(post.said) || (!readReply(post) && kept(post.said.status))) {
    return [fault('post', ...(trouble ?? ['no answer', 'clients do not enrol', 'see the log']))];
  }
  if (!arrived('post', 'post')) {
    return [
      fault(
        'post',
        `a GET is answered with a CertRep, the same by POST with ${seen(post)}`,
        'clients that POST, which is most of them, do not enrol',
        'let the body through as the octets that it is: something before the server drops it, or takes it for text',
      ),
    ];
  }
  if (tellsNothing(facts, 'post', 'cut')) {
    return [
      warning(
        'post',
        `half a message and a whole one get the same answer (${seen(post)})`,
        'whether a POST arrives whole cannot be told from here',
        'try it with --challenge, which enrols really',
      ),
    ];
  }
  const mistyped =
    !arrived('untyped', 'post') &&
    fault(
      'post',
      `without a Content-Type a POST is answered with ${seen(untyped)}`,
      'sscep and strongSwan send none',
      'take every body of POST for octets (at AWS: binary media types "*/*")',
    );
  return orGood('post', [mistyped], 'a pkiMessage arrives whole, with and without a Content-Type');
}

function halfClosedFindings({ exchanges }: EndpointFacts, arrived: Arrived): Observation[] {
  const half = exchanges.get('halfClosed');
  if (!half || !arrived('post', 'post')) return [];
  const trouble =
    !arrived('halfClosed', 'post') &&
    warning(
      'halfClosed',
      `a client that ends its half of the connection behind its request gets ${seen(half)}`,
      'small HTTP stacks of devices do so, and report that the server is not there',
      'let the server, or the proxy before it, answer half-closed connections',
    );
  return orGood(
    'halfClosed',
    [trouble],
    'a client that has ended its half of the connection is answered',
  );
}

const getWays: Readonly<
  Partial<Record<Way, readonly [means: string, fix: string, mark: 'fault' | 'warning']>>
> = {
  get4: [
    'certmonger and Cisco IOS send as much with a key of 2048 bits',
    'let the server, and each proxy before it, take request lines of 8 kB (nginx: large_client_header_buffers 4 16k)',
    'fault',
  ],
  get6: [
    'certmonger and Cisco IOS send as much with a key of 4096 bits',
    'let the server, and each proxy before it, take request lines of 8 kB (nginx: large_client_header_buffers 4 16k)',
    'warning',
  ],
  plus: [
    'macOS and jscep (in Android agents, too) leave "+" as it is',
    'decode the query by RFC 3986: "+" in it is no space',
    'fault',
  ],
  lines: [
    'sscep, strongSwan and Cisco IOS break base64 into lines',
    'skip CR and LF in the message',
    'fault',
  ],
  urlSafe: [
    'scepclient 2.1.0 of micromdm (Debian) writes so, and puts message first',
    'take "-" and "_" for "+" and "/", and parameters in any order',
    'warning',
  ],
};

function getFindings(facts: EndpointFacts, arrived: Arrived): Observation[] {
  const { exchanges } = facts;
  const plain = exchanges.get('get');
  if (!plain || tellsNothing(facts, 'get', 'cutGet')) return [];
  const isKept = !hasAnswered(plain.said) || kept(plain.said.status);
  if (!arrived('get', 'get') || (!readReply(plain) && isKept)) {
    return [
      fault(
        'get',
        `a pkiMessage by GET is answered with ${seen(plain)}`,
        'certmonger and Cisco IOS send all by GET',
        'answer PKIOperation by GET, too (RFC 8894 §4.1)',
      ),
    ];
  }
  const troubles = (Object.keys(getWays) as Way[]).map((way) => {
    const [means, fix, mark] = getWays[way] ?? [];
    const exchange = exchanges.get(way);
    if (!exchange || !means || !fix || arrived(way, 'get')) return undefined;
    const says = `${ways[way]}: ${seen(exchange)}`;
    return mark === 'fault' ? fault('get', says, means, fix) : warning('get', says, means, fix);
  });
  return orGood('get', troubles, '4 kB and 6 kB, and in every spelling of base64 that clients use');
}

/** RFC 8894 §3.3.2.2, §4.4. */
function withoutReply(post: Sent): Observation[] {
  const { said } = post;
  if (!hasAnswered(said) || kept(said.status)) return [];
  return [
    fault(
      'reply',
      `a message that is not granted is answered with ${seen(post)} instead of a CertRep`,
      'clients report that the server is not there, and nobody learns the reason',
      'answer every readable pkiMessage with HTTP 200 and a signed CertRep (RFC 8894 §3.3.2.2); --challenge shows a CertRep',
    ),
  ];
}

export async function replyTroubles(
  { message: { request }, said }: Sent,
  reply: ReadReply,
  ra: Uint8Array,
): Promise<(Observation | false)[]> {
  if (!hasAnswered(said)) return [];
  const { signedData, signatureAlgorithm, octets, text, status } = reply;
  const { certificate, key, scheme, digest, eContent } = signedData;
  const verdict = key && scheme ? await verifySignedData(signedData, key, scheme) : 'unknown';
  const [sender, recipient] = [octets('senderNonce'), octets('recipientNonce')];
  const codes: readonly string[] = Object.values(failInfo);
  const say = (says: string, means: string, fix: string) => fault('reply', says, means, fix);
  return [
    ...httpTroubles(said),
    verdict !== 'good' &&
      say(
        verdict === 'unknown'
          ? 'its signature is by an algorithm or a key that is not known'
          : `its signature does not verify (${verdict})`,
        'clients that verify it refuse it',
        'sign the DER of the signed attributes with the key of the RA',
      ),
    !equal(certificate.der, ra) &&
      say(
        `it is signed by ${printName(certificate.subject)}, and not by whom GetCACert announces`,
        'Apple, sscep and jscep refuse it',
        'sign with the key of the RA to which requests are encrypted',
      ),
    text('transactionID') !== request.transactionID &&
      say(
        'it is of another transactionID',
        'sscep, strongSwan, certmonger and jscep refuse it',
        'repeat the transactionID of the request',
      ),
    (!recipient || !equal(recipient, request.senderNonce)) &&
      say(
        `its recipientNonce is ${recipient ? 'not the senderNonce of the request' : 'missing'}`,
        recipient
          ? 'certmonger and jscep refuse it'
          : 'sscep, micromdm, certmonger and jscep refuse it',
        'repeat the senderNonce as it came (RFC 8894 §3.2.1.5)',
      ),
    sender?.length !== 16 &&
      say(
        `its senderNonce ${sender ? `has ${sender.length} octets` : 'is missing'}`,
        'MikroTik and certmonger refuse it',
        'send 16 fresh random octets',
      ),
    sender !== undefined &&
      equal(sender, request.senderNonce) &&
      warning(
        'reply',
        'its senderNonce is that of the request',
        'a client that wants a fresh one, as RFC 8894 §3.2.1.5 has it, refuses it; none is known',
        'send 16 fresh random octets',
      ),
    status === undefined &&
      say('it has no pkiStatus', 'no client knows what became of it', 'say 0, 2 or 3'),
    status === 'FAILURE' &&
      !codes.includes(text('failInfo') ?? '') &&
      say(
        `its failInfo is ${text('failInfo') ?? 'missing'}`,
        'sscep and certmonger cannot say why',
        'say a digit from 0 to 4 (RFC 8894 §3.2.1.4)',
      ),
    status !== 'SUCCESS' &&
      eContent === undefined &&
      say(
        'it has no content, not even an empty one',
        'certmonger takes it for an unreachable server: it neither reports a refusal nor polls',
        'write a zero-length OCTET STRING',
      ),
    scheme?.kind === 'RSASSA-PKCS1-v1_5' &&
      signatureAlgorithm !== oids.rsaEncryption &&
      say(
        `its SignerInfo names ${scheme.kind} with ${scheme.digest.name} as the signature algorithm`,
        'strongSwan before 5.9.11 ("only RSA digest encryption supported") and Cisco IOS refuse it',
        'name rsaEncryption there; the digest stands beside it',
      ),
    digest !== undefined &&
      digest.name !== request.digest &&
      warning(
        'reply',
        `it is signed with ${digest.name}, the request was with ${request.digest}`,
        'old clients that know only what they send cannot verify it',
        'sign replies with the digest of the request',
      ),
  ];
}

function httpTroubles({ status, headers }: Answer): (Observation | false)[] {
  const type = headers.get('content-type') ?? '';
  const [bare] = type.split(';');
  return [
    status !== 200 &&
      fault(
        'reply',
        `it comes with HTTP ${status}`,
        'strongSwan, micromdm and jscep do not read it',
        'say 200: what is wrong stands in the CertRep',
      ),
    type !== mediaTypes.pkiMessage &&
      fault(
        'reply',
        `its Content-Type is ${type || 'missing'}`,
        bare === mediaTypes.pkiMessage
          ? 'certmonger compares it as a whole, and refuses it'
          : 'sscep, certmonger and jscep refuse it',
        `say ${mediaTypes.pkiMessage}, and nothing behind it`,
      ),
  ];
}
