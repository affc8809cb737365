// Rows 4 and 6: PKIOperation by GET, in the two ways clients escape it.

import * as certmonger from '../clients/certmonger.ts';
import * as micromdm from '../clients/micromdm.ts';
import { lastLines } from '../command.ts';
import type { Row } from '../lab.ts';
import { checkCertificate, hold, same } from '../openssl.ts';
import { messageOf, pkiOperation, throughProxy } from '../proxy.ts';
import { algorithmsOf } from '../wire.ts';

export const getRows: readonly Row[] = [
  {
    id: '4',
    client: 'certmonger',
    title: 'GET, AES-256, a URL of almost 4 kB',
    async run(lab) {
      const daemon = await lab.certmonger();
      const folder = await lab.folder();
      const { written, subject } = certmonger.subjectOf('monger');
      const dns = 'monger.example.test';
      const challenge = await lab.challenge({ subject: written, san: [`dns:${dns}`] });
      return throughProxy(lab.server, async (proxy) => {
        await daemon.addCa('row-4', `${proxy.origin}/scep`);
        const request = { ca: 'row-4', id: 'row-4', folder, subject: written, dns, challenge };
        const { status, ...files } = await daemon.request(request);
        same('the state', status, 'MONITORING');
        await checkCertificate({ ...files, ca: lab.ca, subject, san: [`DNS:${dns}`] });
        const exchange = pkiOperation(proxy);
        same('the method', exchange.method, 'GET');
        const { cipher, digest } = await algorithmsOf(messageOf(exchange));
        same('what was used', `${cipher} ${digest}`, 'aes-256-cbc sha256');
        return `${cipher} ${digest}, ${exchange.target.length} octets of URL`;
      });
    },
  },
  {
    id: '6',
    client: 'micromdm',
    title: 'GET, URL-safe base64, message before operation',
    async run(lab) {
      const folder = await lab.folder();
      const subject = micromdm.subjectOf('reversed');
      const challenge = await lab.challenge({ endpoint: 'legacy', subject });
      const withoutPost = (text: string): string =>
        text
          .split('\n')
          .filter((word) => word !== 'POSTPKIOperation' && word !== 'SCEPStandard')
          .join('\n');
      return throughProxy(
        lab.server,
        async (proxy) => {
          const url = `${proxy.origin}/scep/legacy`;
          const done = await micromdm.enrol({ url, folder, cn: 'reversed', challenge });
          hold(done.ran.code === 0, `scepclient ends with 0: ${lastLines(done.ran.stderr)}`);
          await checkCertificate({ ...done, ca: lab.ca, subject });
          const { method, target } = pkiOperation(proxy);
          same('the method', method, 'GET');
          hold(/\?message=[^&]*&operation=/.test(target), 'message comes before operation');
          const [, message = ''] = /message=([^&]*)/.exec(target) ?? [];
          hold(/[-_]/.test(message) && !/%2[BF]|[+/]/i.test(message), 'the base64 is URL-safe');
          return `${target.length} octets of URL, ${target.match(/[-_]/g)?.length} "-" and "_"`;
        },
        { capabilities: withoutPost },
      );
    },
  },
];
