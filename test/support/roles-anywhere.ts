// IAM Roles Anywhere as its user guide describes it ("Signing process", "Trust model"): it takes a request only with
// a signature of the key of a certificate that a trust anchor has issued, and answers with a session of the role.
// Written from the guide, with node:crypto; test/kms holds it against AWS's own client.

import { createHash, verify, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export type Anchor = {
  readonly region: string;
  readonly trustAnchor: string;
  readonly profile: string;
  readonly role: string;
  /** PEM. */
  readonly certificate: string;
  /** CN that the role's trust policy wants. */
  readonly commonName: string;
  /** Milliseconds since 1970; default: this machine's. */
  readonly now?: () => number;
};

type Given = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
};

class Denied extends Error {}

const sha256 = (value: string): string => createHash('sha256').update(value).digest('hex');

/** @throws {Denied} with what AWS would not take */
export function requireSigned(
  { method, url, headers }: Pick<IncomingMessage, 'method' | 'url' | 'headers'>,
  body: string,
  { region, certificate: root, commonName, now = Date.now }: Anchor,
): void {
  const header = (name: string): string => String(headers[name] ?? '');
  const form =
    /^AWS4-X509-(RSA|ECDSA)-SHA256 Credential=(\d+)\/(\d{8})\/([\w-]+)\/(\w+)\/aws4_request, SignedHeaders=([\w;-]+), Signature=([0-9a-f]+)$/;
  const [, algorithm, serial, day, where, service, names = '', signature = ''] =
    form.exec(header('authorization')) ?? [];
  if (!algorithm) throw new Denied(`no such signature: ${header('authorization')}`);
  if (where !== region || service !== 'rolesanywhere') throw new Denied('another scope');
  const date = header('x-amz-date');
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? [];
  const at = Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`);
  if (day !== date.slice(0, 8) || !(Math.abs(now() - at) < 300_000)) throw new Denied('date');
  const der = (value: string) => new X509Certificate(Buffer.from(value, 'base64'));
  const own = der(header('x-amz-x509'));
  if (String(BigInt(`0x${own.serialNumber}`)) !== serial) throw new Denied('serial number');
  const between = header('x-amz-x509-chain')
    .split(',')
    .filter((one) => one !== '')
    .map(der);
  const certificates = [own, ...between, new X509Certificate(root)];
  for (const [i, issuer] of certificates.slice(1).entries()) {
    const one = certificates[i];
    const good = issuer.ca && one?.checkIssued(issuer) && one.verify(issuer.publicKey);
    if (!good) throw new Denied('untrusted certificate');
  }
  if (own.ca || Date.parse(own.validTo) < Date.now()) throw new Denied('insufficient certificate');
  if (!own.subject.split('\n').includes(`CN=${commonName}`)) throw new Denied('CN');
  const signed = names.split(';');
  for (const must of ['content-type', 'host', 'x-amz-date', 'x-amz-x509']) {
    if (!signed.includes(must)) throw new Denied(`${must} is not signed`);
  }
  if (signed.join() !== signed.toSorted().join()) throw new Denied('the order of headers');
  const lines = signed.map((name) => `${name}:${header(name).trim()}\n`).join('');
  const [path = '', query = ''] = String(url).split('?');
  const asked = query.split('&').toSorted().join('&');
  const canonical = [method, path, asked, lines, names, sha256(body)].join('\n');
  const scope = [day, where, service, 'aws4_request'].join('/');
  const about = [`AWS4-X509-${algorithm}-SHA256`, date, scope, sha256(canonical)].join('\n');
  const kind = own.publicKey.asymmetricKeyType === 'rsa' ? 'RSA' : 'ECDSA';
  const octets = Buffer.from(signature, 'hex');
  const good = kind === algorithm && verify('sha256', Buffer.from(about), own.publicKey, octets);
  if (!good) throw new Denied('invalid signature');
}

/** @param give what a session of the role is, each time that one is made */
export async function startRolesAnywhere(
  anchor: Anchor,
  give: () => Given & { readonly expiration?: Date },
) {
  const { now = Date.now } = anchor;
  const made: string[] = [];
  let outage = 0;
  let spoilt:
    | { readonly status: number; readonly headers: object; readonly body: string }
    | undefined;
  let delayed: Promise<void> | undefined;
  const answer = async (request: IncomingMessage): Promise<[status: number, body: object]> => {
    const body = await text(request);
    if (outage > 0) return [outage, { message: 'away' }];
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://aws');
    if (request.method !== 'POST' || pathname !== '/sessions') throw new Denied('no such path');
    requireSigned(request, body, anchor);
    // What is asked for may stand in the body, or in the query.
    const asked = { ...Object.fromEntries(searchParams), ...JSON.parse(body) };
    const { durationSeconds, profileArn, roleArn, trustAnchorArn } = asked;
    const named = [profileArn, roleArn, trustAnchorArn].join();
    if (named !== [anchor.profile, anchor.role, anchor.trustAnchor].join()) throw new Denied(named);
    made.push(roleArn);
    const expiration = new Date(now() + 1000 * durationSeconds);
    return [201, { credentialSet: [{ roleArn, credentials: { expiration, ...give() } }] }];
  };
  const server = createServer(async (request, response) => {
    await delayed;
    if (spoilt) {
      response.writeHead(spoilt.status, { ...spoilt.headers }).end(spoilt.body);
      return;
    }
    const type = { 'content-type': 'application/json' };
    answer(request).then(
      ([status, body]) => response.writeHead(status, type).end(JSON.stringify(body)),
      (error: Error) => {
        const kind = { ...type, 'x-amzn-errortype': 'AccessDeniedException:http://aws' };
        response.writeHead(403, kind).end(JSON.stringify({ message: error.message }));
      },
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Roles, of each session that was made. */
    made,
    /** From now on it answers with this status; 0: as it should. */
    fail: (status: number): void => {
      outage = status;
    },
    /** From now on it answers with this, whatever it is asked; undefined: as it should. */
    spoil: (answer?: typeof spoilt): void => {
      spoilt = answer;
    },
    /** Until that has ended it answers nothing. */
    delay: (until: Promise<void>): void => {
      delayed = until;
    },
    stop: (): void => {
      server.closeAllConnections();
      server.close();
    },
  };
}
