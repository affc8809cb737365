// Row 4: certmonger asks by GET, POST or no POST.

import * as certmonger from '../clients/certmonger.ts';
import type { Row } from '../lab.ts';
import { checkCertificate, same } from '../openssl.ts';
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
];
