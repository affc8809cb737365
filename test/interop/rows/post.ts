// Rows 2 and 3: strongSwan enrols by POST, with every algorithm it can be told to use.

import * as strongswan from '../clients/strongswan.ts';
import { lastLines } from '../command.ts';
import type { Lab, Row } from '../lab.ts';
import { checkCertificate, derOf, hold, same } from '../openssl.ts';
import { messageOf, pkiOperation, throughProxy } from '../proxy.ts';
import {
  type Algorithms,
  algorithmsOf,
  decrypted,
  membersOf,
  parseAsn1,
  signedContent,
  valueAfter,
} from '../wire.ts';

const names = {
  dn: 'C=DE, O=Bücher AG, OU=Interop, CN=host',
  subject: 'CN=host,OU=Interop,O=Bücher AG,C=DE',
  san: ['host.example.test', '192.0.2.7', 'host@example.test'],
  bound: ['dns:host.example.test', 'ip:192.0.2.7', 'email:host@example.test'],
  printed: ['DNS:host.example.test', 'IP Address:192.0.2.7', 'email:host@example.test'],
};

type Seen = Algorithms & { readonly message: Buffer; readonly certificate: string };

/** Enrols through the proxy, judges the certificate, and says what was on the wire. */
async function enrol(lab: Lab, endpoint: string, options: readonly string[]): Promise<Seen> {
  const folder = await lab.folder();
  const { subject, bound, dn, san } = names;
  const password = await lab.challenge({ endpoint, subject, san: bound });
  const path = endpoint === 'default' ? '/scep' : `/scep/${endpoint}`;
  return throughProxy(lab.server, async (proxy) => {
    const url = proxy.origin + path;
    const ca = await strongswan.fetchCa(url, folder);
    const done = await strongswan.enrol({ url, ca, folder, dn, san, password, options });
    hold(done.ran.code === 0, `pki --scep ends with 0: ${lastLines(done.ran.stderr)}`);
    await checkCertificate({ ...done, ca: ca.ca, subject, san: names.printed });
    const exchange = pkiOperation(proxy);
    same('the method', exchange.method, 'POST');
    same('the Content-Type', `${exchange.headers['content-type']}`, 'undefined');
    const message = messageOf(exchange);
    return { ...(await algorithmsOf(message)), message, certificate: done.certificate };
  });
}

const used = ({ cipher, digest, signature }: Seen): string => `${cipher} ${digest} ${signature}`;

export const postRows: readonly Row[] = [
  {
    id: '2',
    client: 'strongswan',
    title: 'POST, AES, SHA-256; subject and SAN byte for byte',
    async run(lab) {
      const seen = await enrol(lab, 'default', []);
      same('what was used', used(seen), 'aes-128-cbc sha256 sha256WithRSAEncryption');
      const csr = await parseAsn1(await decrypted(await signedContent(seen.message), lab.raKey));
      const issued = await parseAsn1(await derOf(seen.certificate));
      // CertificationRequestInfo: version, subject; TBSCertificate: [0], serial, ..., subject.
      const asked = membersOf(csr, 1)[1];
      const given = membersOf(issued, 1)[5];
      hold(asked !== undefined && given !== undefined, 'both have a subject');
      same('the subject DER', given.der.toString('hex'), asked.der.toString('hex'));
      const san = 'X509v3 Subject Alternative Name';
      const askedSan = valueAfter(csr, san)?.value;
      hold(askedSan !== undefined, 'the CSR asks for a subjectAltName');
      same('the subjectAltName DER', `${valueAfter(issued, san)?.value}`, askedSan);
      return `${used(seen)}; same subject and SAN DER`;
    },
  },
  {
    id: '3a',
    client: 'strongswan',
    title: 'POST, 3DES, SHA-1 on /scep/legacy',
    async run(lab) {
      const seen = await enrol(lab, 'legacy', ['--cipher', 'des3', '--digest', 'sha1']);
      same('what was used', used(seen), 'des-ede3-cbc sha1 sha1WithRSAEncryption');
      return used(seen);
    },
  },
  {
    id: '3b',
    client: 'strongswan',
    title: 'POST, SHA-512',
    async run(lab) {
      const seen = await enrol(lab, 'default', ['--digest', 'sha512']);
      same('what was used', used(seen), 'aes-128-cbc sha512 sha512WithRSAEncryption');
      return used(seen);
    },
  },
  {
    id: '3c',
    client: 'strongswan',
    title: 'POST, RSASSA-PSS',
    async run(lab) {
      const seen = await enrol(lab, 'default', ['--rsa-padding', 'pss']);
      same('what was used', used(seen), 'aes-128-cbc sha256 rsassaPss');
      return used(seen);
    },
  },
];
