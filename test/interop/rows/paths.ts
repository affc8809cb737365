// Row 16: every path, method and header that clients were seen to use, on one message that
// strongSwan made; a repeated message is answered like the first.

import * as strongswan from '../clients/strongswan.ts';
import { lastLines } from '../command.ts';
import type { Lab, Row } from '../lab.ts';
import { hold, same } from '../openssl.ts';
import { messageOf, pkiOperation, throughProxy } from '../proxy.ts';
import { type Answer, exchangeRaw } from '../raw-http.ts';
import { attributeOf, parseAsn1 } from '../wire.ts';

const paths = [
  '/scep',
  '/scep/',
  '/scep/pkiclient.exe',
  '/scep/default',
  '/scep/default/',
  '/scep/default/pkiclient.exe',
  '/cgi-bin/pkiclient.exe',
  '/scep/cgi-bin/pkiclient.exe',
  '/certsrv/mscep/mscep.dll',
  '/certsrv/mscep/mscep.dll/pkiclient.exe',
  '/SCEP',
  '/SCEP/DEFAULT/PKICLIENT.EXE',
  '/CertSrv/mscep/mscep.dll',
];

const host = ['Host: scep.example.test', 'Connection: close'];

/** A pkiMessage of strongSwan's that has been answered with SUCCESS. */
async function answeredMessage(lab: Lab): Promise<Buffer> {
  const folder = await lab.folder();
  const password = await lab.challenge();
  return throughProxy(lab.server, async (proxy) => {
    const url = `${proxy.origin}/scep`;
    const ca = await strongswan.fetchCa(url, folder);
    const { ran } = await strongswan.enrol({ url, ca, folder, dn: 'CN=paths', password });
    hold(ran.code === 0, `pki --scep ends with 0: ${lastLines(ran.stderr)}`);
    return messageOf(pkiOperation(proxy));
  });
}

async function requireSuccess(what: string, { status, headers, body }: Answer): Promise<void> {
  same(`${what}: the status`, `${status}`, '200');
  same(`${what}: the media type`, `${headers.get('content-type')}`, 'application/x-pki-message');
  same(`${what}: pkiStatus`, `${attributeOf(await parseAsn1(body), 'pkiStatus')}`, '0');
}

/** Standard base64 with a line feed after every 64 characters, as IOS and strongSwan send it. */
const inLines = (message: Buffer): string =>
  message
    .toString('base64')
    .replace(/.{1,64}/g, '$&\n')
    .replace(/[+/=\n]/g, (character) => encodeURIComponent(character));

export const pathRows: readonly Row[] = [
  {
    id: '16a',
    client: 'raw',
    title: `${paths.length} paths, no redirect, message=default on GetCACert`,
    async run(lab) {
      const message = await answeredMessage(lab);
      const capabilities = await fetch(`${lab.server.origin}/scep?operation=GetCACaps`);
      const wanted = await capabilities.text();
      const get = (target: string) =>
        exchangeRaw(lab.server.port, [`GET ${target} HTTP/1.1`, ...host]);
      for (const path of paths) {
        const caps = await get(`${path}?operation=GetCACaps&message=default`);
        same(`GetCACaps of ${path}`, `${caps.status} ${caps.body}`, `200 ${wanted}`);
        const bag = await get(`${path}?operation=GetCACert&message=default`);
        same(`GetCACert of ${path}`, `${bag.status}`, '200');
        hold(bag.body.equals(lab.bag), `GetCACert of ${path} is the bag of /scep`);
        const post = [`POST ${path}?operation=PKIOperation HTTP/1.1`, ...host];
        const length = `Content-Length: ${message.length}`;
        const answer = await exchangeRaw(lab.server.port, [...post, length], message);
        await requireSuccess(`POST ${path}`, answer);
      }
      return 'caps, bag and CertRep on each';
    },
  },
  {
    id: '16b',
    client: 'raw',
    title: 'HTTP/1.0 without Host, GET with %0A in the base64',
    async run(lab) {
      const message = await answeredMessage(lab);
      const { port } = lab.server;
      for (const operation of ['GetCACaps', 'GetCACert&message=trustpoint']) {
        const target = `/scep/pkiclient.exe?operation=${operation}`;
        const { status } = await exchangeRaw(port, [`GET ${target} HTTP/1.0`]);
        same(`${operation} by HTTP/1.0`, `${status}`, '200');
      }
      const target = `/scep/pkiclient.exe?operation=PKIOperation&message=${inLines(message)}`;
      const get = await exchangeRaw(port, [`GET ${target} HTTP/1.0`]);
      await requireSuccess('GET by HTTP/1.0', get);
      const post = ['POST /scep?operation=PKIOperation HTTP/1.0'];
      const length = `Content-Length: ${message.length}`;
      await requireSuccess('POST by HTTP/1.0', await exchangeRaw(port, [...post, length], message));
      return `${target.length} octets of URL`;
    },
  },
  {
    id: '16c',
    client: 'raw',
    title: 'POST: no Content-Type, odd ones, empty message= in the query, no operation',
    async run(lab) {
      const message = await answeredMessage(lab);
      const { port } = lab.server;
      const post = async (query: string, ...headers: string[]): Promise<void> => {
        const length = `Content-Length: ${message.length}`;
        const lines = [`POST /scep${query} HTTP/1.1`, ...host, length, ...headers];
        await requireSuccess(lines.join(', '), await exchangeRaw(port, lines, message));
      };
      const operation = '?operation=PKIOperation';
      await post(operation);
      await post(operation, 'Content-Type: application/octet-stream');
      await post(operation, 'Content-Type: application/x-pki-message');
      await post(operation, 'Content-Type: application/x-www-form-urlencoded');
      await post(operation, 'Content-Type: text/plain; charset=utf-8');
      await post(`${operation}&message=`);
      await post(`?message=&operation=pkioperation`);
      await post('');
      return '8 forms';
    },
  },
];
