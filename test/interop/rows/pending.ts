// Row 8: a request that waits for an approver, and is allowed, denied or forgotten: what its client
// asks meanwhile, what it makes of the end, and what is on record.

import * as certmonger from '../clients/certmonger.ts';
import * as cli from '../clients/cli.ts';
import * as micromdm from '../clients/micromdm.ts';
import * as strongswan from '../clients/strongswan.ts';
import { lastLines, type Ran } from '../command.ts';
import type { Lab, Row, Service } from '../lab.ts';
import { checkCertificate, type Expected, hold, same, serialOf } from '../openssl.ts';
import { conversation, messageOf, pkiOperations, type Recording, throughProxy } from '../proxy.ts';
import { begun, checkStory, decide } from '../transactions.ts';

const ends = {
  approved: { endpoint: 'waits', verdict: 'approve', states: 'pending approved intended issued' },
  denied: { endpoint: 'waits', verdict: 'deny', states: 'pending denied' },
  expired: { endpoint: 'impatient', verdict: undefined, states: 'pending expired' },
} as const;
type End = keyof typeof ends;

type Client<T> = {
  readonly end: End;
  readonly subject: string;
  /** Resolves when the client has its answer, or (certmonger) knows that it has to wait. */
  readonly ask: () => Promise<T>;
  /** Default: while it asks. Of those that ask again by themselves there is no other way. */
  readonly decided?: 'after it was told to wait';
  /** After the end: what the client makes of it. @throws when that is wrong */
  readonly judge: (asked: T) => Promise<void>;
  /** The files it should have in the end, if it is allowed. */
  readonly files: Pick<Expected, 'certificate' | 'key'>;
};

/** From the request to its end; the record must tell the same story as the client. */
async function play<T>({ server, ca }: Service, client: Client<T>): Promise<void> {
  const { end, subject, files } = client;
  const { endpoint, verdict, states } = ends[end];
  const asked = client.ask();
  // What it throws is judged below.
  asked.catch(() => undefined);
  const { id } = await begun(server, endpoint, subject);
  if (client.decided === 'after it was told to wait') await asked;
  if (verdict) await decide(server, id, verdict);
  await client.judge(await asked);
  if (end === 'approved') {
    await checkCertificate({ ...files, ca, subject });
    const serial = await serialOf(files.certificate);
    await checkStory(server, id, { states, messageType: 'PKCSReq', serial });
  } else {
    const reason = end === 'denied' ? 'requestDenied' : 'requestExpired';
    await checkStory(server, id, { states, messageType: 'PKCSReq', reason });
  }
}

/** It asked, was told to wait, and then got this pkiStatus. */
async function talked(proxy: Recording, poll: '19' | '20', end: End): Promise<string> {
  const said = await conversation(proxy);
  const status = end === 'approved' ? '0' : '2';
  const pattern = new RegExp(`^19:3( ${poll}:3)* ${poll}:${status}$`);
  hold(pattern.test(said), `messageType:pkiStatus are ${pattern}, not "${said}"`);
  return said;
}

/** Every PKCSReq was the same, octet for octet. */
function sameOctets(proxy: Recording): void {
  const messages = pkiOperations(proxy).map((exchange) => messageOf(exchange).toString('hex'));
  same('the number of different requests', `${new Set(messages).size}`, '1');
}

const ending = { approved: 'allowed', denied: 'denied', expired: 'forgotten' } as const;

const strongswanRow = (id: string, end: End): Row => ({
  id,
  client: 'strongswan',
  title: `pending, ${ending[end]}: CertPoll (20) every second`,
  async run(lab) {
    const service = await lab.configured();
    const folder = await lab.folder();
    const { endpoint } = ends[end];
    const subject = `CN=strongswan-${end},O=Interop,C=US`;
    const dn = `C=US, O=Interop, CN=strongswan-${end}`;
    const password = await service.challenge({ endpoint, subject });
    const files = { certificate: `${folder}/cert.pem`, key: `${folder}/key.der` };
    return throughProxy(service.server, async (proxy) => {
      const url = `${proxy.origin}/scep/${endpoint}`;
      const options = ['--interval', '1', '--maxpolltime', '90'];
      await play(service, {
        end,
        subject,
        files,
        ask: () => strongswan.enrol({ url, ca: service, folder, dn, password, options }),
        judge: async ({ ran }) => {
          hold(/SCEP request pending/.test(ran.stderr), 'pki says that it is pending');
          if (end === 'approved') {
            hold(ran.code === 0, `pki --scep ends with 0: ${lastLines(ran.stderr)}`);
            return;
          }
          hold(ran.code !== 0 && ran.stdout.length === 0, 'pki fails and writes no certificate');
          hold(/failInfo: +badRequest/.test(ran.stderr), `it says so: ${lastLines(ran.stderr, 3)}`);
        },
      });
      return talked(proxy, '20', end);
    });
  },
});

const certmongerRow = (id: string, end: End): Row => ({
  id,
  client: 'certmonger',
  title: `pending, ${ending[end]}: CA_WORKING, a new PKCSReq at every refresh`,
  async run(lab) {
    const service = await lab.configured();
    const daemon = await lab.certmonger();
    const folder = await lab.folder();
    const { endpoint } = ends[end];
    const { written, subject } = certmonger.subjectOf(`monger-${end}`);
    const challenge = await service.challenge({ endpoint, subject: written });
    const name = `row-${id}`;
    const files = { certificate: `${folder}/cert.pem`, key: `${folder}/key.pem` };
    return throughProxy(service.server, async (proxy) => {
      await daemon.addCa(name, `${proxy.origin}/scep/${endpoint}`);
      await play(service, {
        end,
        subject,
        files,
        decided: 'after it was told to wait',
        ask: () => daemon.request({ ca: name, id: name, folder, subject: written, challenge }),
        judge: async (asked) => {
          same('the state while it waits', asked.status, 'CA_WORKING');
          const wanted = end === 'approved' ? 'MONITORING' : 'CA_REJECTED';
          same('the state after it', await daemon.refresh(name), wanted);
        },
      });
      return talked(proxy, '19', end);
    });
  },
});

/** Three clients at once: each sleeps for half a minute before it asks again. */
const micromdmRow: Row = {
  id: '8',
  client: 'micromdm',
  title: 'pending, allowed, denied, forgotten: the same PKCSReq after 30 s',
  async run(lab) {
    const service = await lab.configured();
    const all = (Object.keys(ends) as End[]).map((end) => micromdmCase(lab, service, end));
    return (await Promise.all(all)).join(', ');
  },
};

async function micromdmCase(lab: Lab, service: Service, end: End): Promise<string> {
  const folder = await lab.folder();
  const { endpoint } = ends[end];
  const cn = `micromdm-${end}`;
  const subject = micromdm.subjectOf(cn);
  const challenge = await service.challenge({ endpoint, subject });
  const files = { certificate: `${folder}/client.pem`, key: `${folder}/client.key` };
  return throughProxy(service.server, async (proxy) => {
    const url = `${proxy.origin}/scep/${endpoint}`;
    await play(service, {
      end,
      subject,
      files,
      ask: () => micromdm.enrol({ url, folder, cn, challenge }),
      judge: async ({ ran }) => {
        const said = `${ran.stdout}${ran.stderr}`;
        hold(/pkiStatus=PENDING/.test(said), 'scepclient says that it is pending');
        if (end === 'approved') hold(ran.code === 0, `it ends with 0: ${lastLines(said, 2)}`);
        else hold(/failInfo: badRequest/.test(said), `it says so: ${lastLines(said, 2)}`);
      },
    });
    sameOctets(proxy);
    return talked(proxy, '19', end);
  });
}

const ownPollRow: Row = {
  id: '8d',
  client: 'scep-submit',
  title: 'the CertPoll (20) that certmonger makes and keeps, sent by its helper',
  async run(lab) {
    const service = await lab.configured();
    const daemon = await lab.certmonger();
    const folder = await lab.folder();
    const { written, subject } = certmonger.subjectOf('monger-poll');
    const challenge = await service.challenge({ endpoint: 'waits', subject: written });
    const files = { certificate: `${folder}/cert.pem`, key: `${folder}/key.pem` };
    return throughProxy(service.server, async (proxy) => {
      const url = `${proxy.origin}/scep/waits`;
      await daemon.addCa('row-8d', url);
      const poll = async (): Promise<Ran> =>
        certmonger.submitPoll(url, await daemon.pollOf('row-8d', folder), service);
      await play(service, {
        end: 'approved',
        subject,
        files,
        decided: 'after it was told to wait',
        ask: async () => {
          await daemon.request({
            ...{ ca: 'row-8d', id: 'row-8d', folder, subject: written, challenge },
          });
          return poll();
        },
        judge: async (first) => {
          hold(
            first.code === 1,
            `the helper knows that it has to wait: ${first.stdout}${first.stderr}`,
          );
          const second = await poll();
          hold(second.code === 0, `the helper has the certificate: ${second.stdout}`);
          same('the state', await daemon.refresh('row-8d'), 'MONITORING');
        },
      });
      const said = await conversation(proxy);
      same('messageType:pkiStatus', said, '19:3 20:3 20:0 19:0');
      return said;
    });
  },
};

const cliRow = (id: string, end: End): Row => ({
  id,
  client: 'cli',
  title: `pending, ${ending[end]}: scepter enrol polls`,
  async run(lab) {
    const service = await lab.configured();
    const folder = await lab.folder();
    const { endpoint } = ends[end];
    const subject = `CN=cli-${end},O=Interop,C=US`;
    const challenge = await service.challenge({ endpoint, subject });
    const files = { certificate: `${folder}/cert.pem`, key: `${folder}/key.pem` };
    return throughProxy(service.server, async (proxy) => {
      const url = `${proxy.origin}/scep/${endpoint}`;
      const options = ['--poll-interval', '1s', '--max-wait', '90s'];
      const wanted = { subject, san: [], challenge, key: 'ec:P-256', options } as const;
      await play(service, {
        end,
        subject,
        files,
        ask: () => cli.enrol({ root: lab.root, url, folder, ...wanted }),
        judge: async ({ ran }) => {
          hold(/^PENDING: /m.test(ran.stderr), 'scepter says that it is pending');
          same('the exit code', `${ran.code}`, end === 'approved' ? '0' : '1');
          const why = { approved: /./, denied: /SCEP-351/, expired: /SCEP-352/ }[end];
          hold(why.test(ran.stderr), `it says why: ${lastLines(ran.stderr)}`);
        },
      });
      return talked(proxy, '20', end);
    });
  },
});

const each = (row: (id: string, end: End) => Row): Row[] => [
  row('8a', 'approved'),
  row('8b', 'denied'),
  row('8c', 'expired'),
];

export const pendingRows: readonly Row[] = [
  ...each(strongswanRow),
  ...each(certmongerRow),
  ownPollRow,
  micromdmRow,
  ...each(cliRow),
];
