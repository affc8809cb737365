// Row 16 with real clients: whole enrolments on paths other than the plain one.

import * as certmonger from '../clients/certmonger.ts';
import * as micromdm from '../clients/micromdm.ts';
import * as strongswan from '../clients/strongswan.ts';
import { lastLines } from '../command.ts';
import type { Row } from '../lab.ts';
import { checkCertificate, hold, same } from '../openssl.ts';

export const pathClientRows: readonly Row[] = [
  {
    id: '16d',
    client: 'strongswan',
    title: 'enrols on /cgi-bin/pkiclient.exe and /SCEP/DEFAULT/PKICLIENT.EXE',
    async run(lab) {
      for (const path of ['/cgi-bin/pkiclient.exe', '/SCEP/DEFAULT/PKICLIENT.EXE']) {
        const folder = await lab.folder();
        const subject = 'CN=path,O=Interop,C=US';
        const url = lab.server.origin + path;
        const ca = await strongswan.fetchCa(url, folder);
        const password = await lab.challenge({ subject });
        const enrolment = { url, ca, folder, dn: 'C=US, O=Interop, CN=path', password };
        const done = await strongswan.enrol(enrolment);
        hold(done.ran.code === 0, `pki --scep ends with 0: ${lastLines(done.ran.stderr)}`);
        await checkCertificate({ ...done, ca: ca.ca, subject });
      }
      return 'POST without Content-Type on both';
    },
  },
  {
    id: '16e',
    client: 'micromdm',
    title: 'enrols on /scep/legacy/pkiclient.exe',
    async run(lab) {
      const folder = await lab.folder();
      const subject = micromdm.subjectOf('path');
      const url = `${lab.server.origin}/scep/legacy/pkiclient.exe`;
      const challenge = await lab.challenge({ endpoint: 'legacy', subject });
      const done = await micromdm.enrol({ url, folder, cn: 'path', challenge });
      hold(done.ran.code === 0, `scepclient ends with 0: ${lastLines(done.ran.stderr)}`);
      await checkCertificate({ ...done, ca: lab.ca, subject });
      return 'POST application/octet-stream';
    },
  },
  {
    id: '16f',
    client: 'certmonger',
    title: 'enrols on /certsrv/mscep/mscep.dll',
    async run(lab) {
      const daemon = await lab.certmonger();
      const folder = await lab.folder();
      const { written, subject } = certmonger.subjectOf('path');
      const challenge = await lab.challenge({ subject: written });
      await daemon.addCa('row-16', `${lab.server.origin}/certsrv/mscep/mscep.dll`);
      const request = { ca: 'row-16', id: 'row-16', folder, subject: written, challenge };
      const { status, ...files } = await daemon.request(request);
      same('the state', status, 'MONITORING');
      await checkCertificate({ ...files, ca: lab.ca, subject });
      return 'GET';
    },
  },
];
