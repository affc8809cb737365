// Row 17: the replies themselves, captured on their way to strongSwan.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as strongswan from '../clients/strongswan.ts';
import type { Lab, Row } from '../lab.ts';
import { certificatesIn, hold, same } from '../openssl.ts';
import { type Exchange, messageOf, pkiOperation, throughProxy } from '../proxy.ts';
import {
  attributeOf,
  decrypted,
  membersOf,
  type Node,
  parseAsn1,
  signedContent,
  valueAfter,
} from '../wire.ts';

type Captured = strongswan.Result & { readonly exchange: Exchange };

async function capture(lab: Lab, password: string): Promise<Captured> {
  const folder = await lab.folder();
  return throughProxy(lab.server, async (proxy) => {
    const url = `${proxy.origin}/scep`;
    const ca = await strongswan.fetchCa(url, folder);
    const result = await strongswan.enrol({ url, ca, folder, dn: 'CN=conformance', password });
    return { ...result, exchange: pkiOperation(proxy) };
  });
}

/** SignerInfo: version, sid, digestAlgorithm, [0] signedAttrs, signatureAlgorithm, signature. */
function signerInfoOf(nodes: readonly Node[]): { nodes: readonly Node[]; members: Node[] } {
  // ContentInfo > [0] > SignedData; its last member is the SET of SignerInfos.
  const set = nodes.findLastIndex(({ depth, type }) => depth === 3 && type === 'SET');
  hold(nodes[set + 1]?.type === 'SEQUENCE', 'there is a SignerInfo');
  return { nodes: nodes.slice(set + 1), members: membersOf(nodes, set + 1) };
}

/** What is the same for every CertRep. */
async function checkShell({ exchange }: Captured): Promise<readonly Node[]> {
  const { status, replyHeaders, reply } = exchange;
  same('the HTTP status', `${status}`, '200');
  same('the media type', `${replyHeaders['content-type']}`, 'application/x-pki-message');
  same('the content encoding', `${replyHeaders['content-encoding']}`, 'undefined');
  const nodes = await parseAsn1(reply);
  const { nodes: signerInfo, members } = signerInfoOf(nodes);
  const [, , , signedAttrs, signatureAlgorithm] = members;
  hold(signedAttrs !== undefined && signatureAlgorithm !== undefined, 'the SignerInfo is whole');
  // SEQUENCE { OBJECT IDENTIFIER 1.2.840.113549.1.1.1, NULL }
  const rsaEncryption = '300d06092a864886f70d0101010500';
  same('signatureAlgorithm', signatureAlgorithm.der.toString('hex'), rsaEncryption);
  const attributes = membersOf(signerInfo, signerInfo.indexOf(signedAttrs));
  const encoded = attributes.map(({ der }) => der);
  const sorted = encoded.toSorted(Buffer.compare);
  hold(
    encoded.every((der, at) => der === sorted[at]),
    'the attributes are in DER order',
  );
  const request = await parseAsn1(messageOf(exchange));
  const { messageType, transactionID, recipientNonce, senderNonce } = readAttributes(nodes);
  same('messageType', messageType, '3');
  same('transactionID', transactionID, readAttributes(request).transactionID);
  same('recipientNonce', recipientNonce, readAttributes(request).senderNonce);
  same('the octets of senderNonce', `${senderNonce.length / 2}`, '16');
  hold(senderNonce !== recipientNonce, 'senderNonce is fresh');
  hold(valueAfter(signerInfo, 'signingTime') !== undefined, 'there is a signingTime');
  return nodes;
}

function readAttributes(nodes: readonly Node[]) {
  const read = (name: Parameters<typeof attributeOf>[1]) => attributeOf(nodes, name) ?? 'absent';
  return {
    messageType: read('messageType'),
    transactionID: read('transactionID'),
    senderNonce: read('senderNonce'),
    recipientNonce: read('recipientNonce'),
  };
}

/** The eContent OCTET STRING of a SignedData. */
function eContentOf(nodes: readonly Node[]): Node | undefined {
  const encapsulated = nodes.findIndex(({ depth, type }) => depth === 3 && type === 'SEQUENCE');
  return nodes
    .slice(encapsulated + 1)
    .find(({ depth, type }) => depth === 5 && type === 'OCTET STRING');
}

export const conformanceRows: readonly Row[] = [
  {
    id: '17a',
    client: 'raw',
    title: 'SUCCESS: rsaEncryption, DER order, the leaf only',
    async run(lab) {
      const captured = await capture(lab, await lab.challenge());
      const nodes = await checkShell(captured);
      same('pkiStatus', `${attributeOf(nodes, 'pkiStatus')}`, '0');
      const bag = await decrypted(await signedContent(captured.exchange.reply), captured.key);
      const certificates = await certificatesIn(bag);
      same('the certificates in the bag', `${certificates.length}`, '1');
      const file = join(await lab.folder(), 'bag.pem');
      await writeFile(file, certificates.join(''));
      const squeezed = async (path: string) => (await readFile(path, 'utf8')).replace(/\s/g, '');
      same('the leaf', await squeezed(file), await squeezed(captured.certificate));
      // ContentInfo, its OID and its [0] come before the SignedData.
      const [version, digests, , , signers] = membersOf(await parseAsn1(bag), 3);
      const degenerate = [version, digests, signers].map((node) => node?.der.toString('hex'));
      same('the degenerate SignedData', degenerate.join(' '), '020101 3100 3100');
      return 'leaf only, signature verified by openssl';
    },
  },
  {
    id: '17b',
    client: 'raw',
    title: 'FAILURE: zero-length eContent, failInfo',
    async run(lab) {
      const captured = await capture(lab, 'not-the-challenge');
      const nodes = await checkShell(captured);
      same('pkiStatus', `${attributeOf(nodes, 'pkiStatus')}`, '2');
      same('failInfo', `${attributeOf(nodes, 'failInfo')}`, '2');
      same('the eContent', `${eContentOf(nodes)?.der.toString('hex')}`, '0400');
      const content = await signedContent(captured.exchange.reply);
      same('the signed content', content.toString('hex'), '');
      return 'eContent 04 00, badRequest';
    },
  },
  {
    id: '17c',
    client: 'raw',
    title: 'GetCACaps and GetCACert: bare media types, line feeds only',
    async run({ server }) {
      const caps = await fetch(`${server.origin}/scep?operation=GetCACaps`);
      const text = await caps.text();
      same('the type of GetCACaps', `${caps.headers.get('content-type')}`, 'text/plain');
      hold(!/\r|\n\n|^\n/.test(text) && text.length < 1024, 'the capabilities are LF-separated');
      for (const word of ['AES', 'SHA-256', 'SHA-384', 'SHA-512', 'POSTPKIOperation']) {
        hold(text.split('\n').includes(word), `the capabilities name ${word}`);
      }
      const bag = await fetch(`${server.origin}/scep?operation=GetCACert`);
      const type = `${bag.headers.get('content-type')}`;
      same('the type of GetCACert', type, 'application/x-x509-ca-ra-cert');
      same('the content encoding', `${bag.headers.get('content-encoding')}`, 'null');
      return type;
    },
  },
];
