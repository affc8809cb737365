// Row 21: clients that hold the certificate of an RA key which is on its way out. As long as it is
// answered they enrol at every server, whichever key that announces; once it is retired they get a
// clear refusal, fetch the next one, and enrol.

import * as certmonger from '../clients/certmonger.ts';
import * as micromdm from '../clients/micromdm.ts';
import * as strongswan from '../clients/strongswan.ts';
import { lastLines } from '../command.ts';
import type { Lab, Row } from '../lab.ts';
import { checkCertificate, hold, same } from '../openssl.ts';
import { throughProxy } from '../proxy.ts';
import type { Rotation } from '../rotation.ts';
import { refusedBy, said } from './signer.ts';

type At = Rotation['servers'][number];

async function strongswanEnrols(lab: Lab, { origin }: At, ca: strongswan.CaFiles, cn: string) {
  const { challenge } = await lab.rotation();
  const folder = await lab.folder();
  const asked = { url: `${origin}/scep`, ca, folder, dn: `O=Interop, CN=${cn}` };
  return strongswan.enrol({ ...asked, password: await challenge() });
}

async function strongswanHas(lab: Lab, at: At, ca: strongswan.CaFiles, cn: string) {
  const { ran, certificate, key } = await strongswanEnrols(lab, at, ca, cn);
  hold(ran.code === 0, `pki --scep ends with 0 at the ${at.name} server: ${lastLines(ran.stderr)}`);
  const { held } = await lab.rotation();
  await checkCertificate({ certificate, key, ca: held.files.ca, subject: `CN=${cn},O=Interop` });
}

async function micromdmEnrols(lab: Lab, origin: string, cn: string) {
  const { challenge } = await lab.rotation();
  const folder = await lab.folder();
  return micromdm.enrol({ url: `${origin}/scep`, folder, cn, challenge: await challenge() });
}

/** As from a client that keeps what it was once given. */
const micromdmHolding = async (lab: Lab, { port }: At, cn: string) => {
  const { held } = await lab.rotation();
  return throughProxy({ port }, ({ origin }) => micromdmEnrols(lab, origin, cn), {
    bag: held.bag,
  });
};

async function certmongerAsks(lab: Lab, { name }: At, id: string) {
  const { certmongerCa, challenge } = await lab.rotation();
  const daemon = await lab.certmonger();
  const folder = await lab.folder();
  const { written: subject } = certmonger.subjectOf(id);
  const asked = { ca: certmongerCa(name), id, folder, subject, challenge: await challenge() };
  return { daemon, ...(await daemon.request(asked)) };
}

export const rotationRows: readonly Row[] = [
  {
    id: '21a',
    client: 'strongswan',
    title:
      'the RA certificate before, at two servers; the one after, also where the one before is announced',
    async run(lab) {
      const { servers, held } = await lab.rotation();
      for (const at of servers) await strongswanHas(lab, at, held.files, `before-${at.name}`);
      const [announcing, late] = servers;
      hold(announcing !== undefined && late !== undefined, 'there are two servers');
      const next = await strongswan.fetchCa(`${announcing.origin}/scep`, await lab.folder());
      for (const at of [late, announcing]) await strongswanHas(lab, at, next, `after-${at.name}`);
      return 'four certificates';
    },
  },
  {
    id: '21a',
    client: 'micromdm',
    title: 'the RA certificate before, at two servers',
    async run(lab) {
      for (const at of (await lab.rotation()).servers) {
        const { ran } = await micromdmHolding(lab, at, `before-${at.name}`);
        hold(ran.code === 0, `scepclient ends with 0: ${lastLines(said(ran))}`);
      }
      return 'two certificates';
    },
  },
  {
    id: '21a',
    client: 'certmonger',
    title: 'the RA certificate that its daemon keeps, at two servers',
    async run(lab) {
      for (const at of (await lab.rotation()).servers) {
        const { status } = await certmongerAsks(lab, at, `before-${at.name}`);
        same(`the state at the ${at.name} server`, status, 'MONITORING');
      }
      return 'MONITORING twice';
    },
  },
  {
    id: '21b',
    client: 'strongswan',
    title: 'retired: refused; fetched anew: enrolled',
    async run(lab) {
      const { servers, held, retire } = await lab.rotation();
      await retire();
      for (const at of servers) {
        const { ran } = await strongswanEnrols(lab, at, held.files, 'retired');
        hold(ran.code !== 0 && ran.stdout.length === 0, 'pki fails and writes no certificate');
        hold(/failInfo: +badMessageCheck/.test(ran.stderr), `it says so: ${lastLines(ran.stderr)}`);
        const next = await strongswan.fetchCa(`${at.origin}/scep`, await lab.folder());
        await strongswanHas(lab, at, next, `anew-${at.name}`);
      }
      return 'failInfo: badMessageCheck, then a certificate';
    },
  },
  {
    id: '21b',
    client: 'micromdm',
    title: 'retired: a reply by a key that it does not hold; fetched anew: enrolled',
    async run(lab) {
      const { servers, retire } = await lab.rotation();
      await retire();
      for (const at of servers) {
        const refused = await micromdmHolding(lab, at, 'retired');
        refusedBy('scepclient', refused.ran, /No certificate for signer/);
        const { ran } = await micromdmEnrols(lab, at.origin, `anew-${at.name}`);
        hold(ran.code === 0, `scepclient ends with 0: ${lastLines(said(ran))}`);
      }
      return 'No certificate for signer, then a certificate';
    },
  },
  {
    id: '21b',
    client: 'certmonger',
    title: 'retired: refused; getcert refresh-ca, and again: enrolled',
    async run(lab) {
      const { servers, retire, certmongerCa } = await lab.rotation();
      await retire();
      const [at] = servers;
      hold(at !== undefined, 'there is a server');
      const { daemon, status } = await certmongerAsks(lab, at, 'retired');
      same('the state', status, 'CA_REJECTED');
      const { error } = await daemon.look('retired');
      await daemon.getcert('refresh-ca', '-c', certmongerCa(at.name));
      await daemon.getcert('resubmit', '-i', 'retired', '-w');
      same('the state after it', await daemon.statusOf('retired'), 'MONITORING');
      return `${status}: ${error}`;
    },
  },
];
