// Row 24: a CA that issues one certificate in ten seconds: strongSwan waits for its turn, and nobody decides.

import * as strongswan from '../clients/strongswan.ts';
import { lastLines } from '../command.ts';
import { fetchCa, type Row } from '../lab.ts';
import { checkCertificate, hold, serialOf } from '../openssl.ts';
import { conversation, throughProxy } from '../proxy.ts';
import { begun, checkStory } from '../transactions.ts';

export const stormRows: readonly Row[] = [
  {
    id: '24',
    client: 'strongswan',
    title: 'a storm: CertPoll (20) every second until its turn',
    async run(lab) {
      const service = await lab.configured();
      const ca = await fetchCa(service.server, await lab.folder(), 'slow');
      // The first has its turn at once, the second ten seconds later.
      const enrolled = async (name: string) => {
        const subject = `CN=${name},O=Interop,C=US`;
        const password = await service.challenge({ endpoint: 'slow', subject });
        const dn = `C=US, O=Interop, CN=${name}`;
        const below = await lab.folder();
        return throughProxy(service.server, async (proxy) => {
          const url = `${proxy.origin}/scep/slow`;
          const options = ['--interval', '1', '--maxpolltime', '90'];
          const { ran } = await strongswan.enrol({ url, ca, folder: below, dn, password, options });
          hold(ran.code === 0, `pki --scep ends with 0: ${lastLines(ran.stderr)}`);
          const files = { certificate: `${below}/cert.pem`, key: `${below}/key.der` };
          await checkCertificate({ ...files, ca: ca.ca, subject });
          return { subject, files, said: await conversation(proxy) };
        });
      };
      await enrolled('storm-1');
      const { subject, files, said } = await enrolled('storm-2');
      hold(/^19:3( 20:3)* 20:0$/.test(said), `it waited, not "${said}"`);
      const { id } = await begun(service.server, 'slow', subject);
      const serial = await serialOf(files.certificate);
      const states = 'approved intended issued';
      await checkStory(service.server, id, { states, messageType: 'PKCSReq', serial });
      return said;
    },
  },
];
