// Row 7: a wrong challenge is a refusal that each client reports as one, not as a broken server.

import * as certmonger from '../clients/certmonger.ts';
import * as micromdm from '../clients/micromdm.ts';
import * as strongswan from '../clients/strongswan.ts';
import { lastLines } from '../command.ts';
import type { Row } from '../lab.ts';
import { hold, same } from '../openssl.ts';

const wrong = 'not-the-challenge';

export const refusalRows: readonly Row[] = [
  {
    id: '7',
    client: 'strongswan',
    title: 'wrong challenge: badRequest',
    async run(lab) {
      const folder = await lab.folder();
      const url = `${lab.server.origin}/scep`;
      const ca = await strongswan.fetchCa(url, folder);
      const enrolment = { url, ca, folder, dn: 'CN=refused', password: wrong };
      const { ran } = await strongswan.enrol(enrolment);
      hold(ran.code !== 0 && ran.stdout.length === 0, 'pki fails and writes no certificate');
      hold(/failInfo: +badRequest/.test(ran.stderr), `pki says so: ${lastLines(ran.stderr, 3)}`);
      return 'failInfo: badRequest';
    },
  },
  {
    id: '7',
    client: 'micromdm',
    title: 'wrong challenge: badRequest',
    async run(lab) {
      const folder = await lab.folder();
      const url = `${lab.server.origin}/scep/legacy`;
      const { ran } = await micromdm.enrol({ url, folder, cn: 'refused', challenge: wrong });
      const said = `${ran.stdout}${ran.stderr}`;
      hold(ran.code !== 0, 'scepclient fails');
      hold(/failInfo: badRequest/.test(said), `scepclient says so: ${lastLines(said, 3)}`);
      return 'failInfo: badRequest (2)';
    },
  },
  {
    id: '7',
    client: 'certmonger',
    title: 'wrong challenge: CA_REJECTED',
    async run(lab) {
      const daemon = await lab.certmonger();
      const folder = await lab.folder();
      await daemon.addCa('row-7', `${lab.server.origin}/scep`);
      const { written: subject } = certmonger.subjectOf('refused');
      const request = { ca: 'row-7', id: 'row-7', folder, subject, challenge: wrong };
      const { ran, status } = await daemon.request(request);
      same('the state', status, 'CA_REJECTED');
      same('the exit code of getcert -w', `${ran.code}`, '2');
      return status;
    },
  },
];
