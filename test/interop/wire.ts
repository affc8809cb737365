// Looks at messages on the wire, with openssl and at plain octets; our own parsers are what is
// being tested and are not used.

import { hold, openssl } from './openssl.ts';

/** One line of `openssl asn1parse`. */
export type Node = {
  readonly depth: number;
  readonly header: number;
  readonly length: number;
  readonly type: string;
  readonly value: string;
  /** Header and content. */
  readonly der: Buffer;
};

export async function parseAsn1(der: Uint8Array): Promise<Node[]> {
  const text = await openssl(['asn1parse', '-inform', 'DER'], { input: der });
  const pattern = /^ *(\d+):d= *(\d+) +hl= *(\d+) +l= *(\d+) (?:prim|cons): (.*?) *(?::(.*))?$/gm;
  return [...text.toString().matchAll(pattern)].map(
    ([, offset, depth, header, length, type = '', value = '']) => ({
      depth: Number(depth),
      header: Number(header),
      length: Number(length),
      // "OCTET STRING      [HEX DUMP]" is an OCTET STRING.
      type: type.trim().replace(/\s{2,}.*$/, ''),
      value,
      der: Buffer.from(der).subarray(
        Number(offset),
        Number(offset) + Number(header) + Number(length),
      ),
    }),
  );
}

/** The members of the node at this place of the list. */
export function membersOf(nodes: readonly Node[], at: number): Node[] {
  const depth = nodes[at]?.depth ?? 0;
  const members: Node[] = [];
  for (const node of nodes.slice(at + 1)) {
    if (node.depth <= depth) break;
    if (node.depth === depth + 1) members.push(node);
  }
  return members;
}

/** The value that stands after an OID; asn1parse prints names where it knows them. */
export function valueAfter(nodes: readonly Node[], oid: string): Node | undefined {
  const at = nodes.findIndex(({ type, value }) => type === 'OBJECT' && value === oid);
  return nodes.slice(at + 1).find(({ type }) => at >= 0 && type !== 'SET' && type !== 'BOOLEAN');
}

const scepAttributes = {
  messageType: '2.16.840.1.113733.1.9.2',
  pkiStatus: '2.16.840.1.113733.1.9.3',
  failInfo: '2.16.840.1.113733.1.9.4',
  senderNonce: '2.16.840.1.113733.1.9.5',
  recipientNonce: '2.16.840.1.113733.1.9.6',
  transactionID: '2.16.840.1.113733.1.9.7',
} as const;

/** A signed attribute of a pkiMessage; undefined when it is not there. */
export const attributeOf = (
  nodes: readonly Node[],
  name: keyof typeof scepAttributes,
): string | undefined => valueAfter(nodes, scepAttributes[name])?.value;

/** The content of a SignedData whose signature openssl has verified; the signer is not judged. */
export const signedContent = (message: Uint8Array): Promise<Buffer> =>
  openssl(['cms', '-verify', '-noverify', '-inform', 'DER', '-binary'], { input: message });

export const decrypted = (envelope: Uint8Array, key: string): Promise<Buffer> =>
  openssl(['cms', '-decrypt', '-inform', 'DER', '-binary', '-inkey', key], { input: envelope });

const printed = async (cms: Uint8Array): Promise<string> =>
  (
    await openssl(['cms', '-cmsout', '-print', '-noout', '-inform', 'DER'], { input: cms })
  ).toString();

export type Algorithms = {
  readonly digest: string;
  readonly signature: string;
  readonly cipher: string;
  readonly recipients: number;
};

/** What a request was really made with, whatever its client was told to use. */
export async function algorithmsOf(message: Uint8Array): Promise<Algorithms> {
  const outer = await printed(message);
  const inner = await printed(await signedContent(message));
  const [, signerInfo = ''] = outer.split('signerInfos:');
  return {
    digest: algorithmAfter(signerInfo, 'digestAlgorithm:'),
    signature: algorithmAfter(signerInfo, 'signatureAlgorithm:'),
    cipher: algorithmAfter(inner, 'contentEncryptionAlgorithm:'),
    recipients: inner.split('issuerAndSerialNumber:').length - 1,
  };
}

function algorithmAfter(text: string, heading: string): string {
  const [, name] = /^\s*algorithm: (\S+)/m.exec(text.slice(text.indexOf(heading))) ?? [];
  hold(name !== undefined, `openssl prints an algorithm under ${heading}`);
  return name;
}
