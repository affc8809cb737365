// Row 1: GetCACaps and GetCACert, and whether each client tells the RA from the CA.

import { readFile } from 'node:fs/promises';
import * as certmonger from '../clients/certmonger.ts';
import * as strongswan from '../clients/strongswan.ts';
import type { Row } from '../lab.ts';
import { fingerprintOf, hold, same } from '../openssl.ts';

export const discoveryRows: readonly Row[] = [
  {
    id: '1',
    client: 'strongswan',
    title: 'GetCACert: pki --scepca names the RA',
    async run(lab) {
      const found = await strongswan.fetchCa(`${lab.server.origin}/scep`, await lab.folder());
      hold(/^RA cert "/m.test(found.said), 'pki names an RA cert');
      hold(/^RA cert is trusted/m.test(found.said), 'pki trusts the RA cert');
      for (const which of ['ca', 'ra'] as const) {
        same(`the ${which}`, await fingerprintOf(found[which]), await fingerprintOf(lab[which]));
      }
      return 'RA cert is trusted';
    },
  },
  {
    id: '1',
    client: 'certmonger',
    title: 'GetCACaps, GetCACert: add-scep-ca learns the CA',
    async run(lab) {
      const daemon = await lab.certmonger();
      const learned = await daemon.addCa('row-1', `${lab.server.origin}/scep`);
      const [, printed = ''] = /CA certificate thumbprint \(SHA1\): (.*)/.exec(learned) ?? [];
      const thumbprint = printed.replaceAll(' ', '').toLowerCase();
      same('the thumbprint', thumbprint, await fingerprintOf(lab.ca, 'sha1'));
      return `CA ${thumbprint.slice(0, 8)}`;
    },
  },
  {
    id: '1',
    client: 'scep-submit',
    title: 'GetCACaps (-c) and GetCACert (-C)',
    async run({ server, ca, ra }) {
      await certmonger.requireCertmonger();
      const url = `${server.origin}/scep`;
      const capabilities = (await certmonger.submit(url, '-c')).toString().trim();
      const response = await fetch(`${url}?operation=GetCACaps`);
      same('what -c prints', capabilities, (await response.text()).trim());
      const printed = (await certmonger.submit(url, '-C')).toString();
      const wanted = (await readFile(ra, 'utf8')) + (await readFile(ca, 'utf8'));
      same('what -C prints', printed.replace(/\s/g, ''), wanted.replace(/\s/g, ''));
      return capabilities.split('\n').join(' ');
    },
  },
];
