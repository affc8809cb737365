// Row 11: renewals signed with a certificate that is over, superseded or of another CA: each client
// reports a refusal, and keeps what it has.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as certmonger from '../clients/certmonger.ts';
import * as cli from '../clients/cli.ts';
import * as micromdm from '../clients/micromdm.ts';
import * as strongswan from '../clients/strongswan.ts';
import { lastLines, type Ran } from '../command.ts';
import type { Lab, Row, Service } from '../lab.ts';
import { endOf, foreignCertificate, hold, openssl, same } from '../openssl.ts';
import type { Server } from '../server.ts';

/** Until the certificate is over for the server too, which runs on the same clock. */
const over = async (certificate: string): Promise<void> => {
  await sleep(Math.max(0, (await endOf(certificate)) - Date.now()) + 100);
};

/** The newest PKIOperation in the log was refused for this reason; nobody was told more. */
export async function checkReason(server: Server, reason: string): Promise<string> {
  const lines = (await server.log()).split('\n').filter((line) => line.includes('pkiOperation'));
  const last = JSON.parse(lines.at(-1) ?? '{}') as { reason?: string; code?: string };
  same('the reason in the log', `${last.reason}`, reason);
  return `${last.code} ${last.reason}`;
}

export const said = ({ stdout, stderr }: Ran): string => `${stdout}${stderr}`;

export function refusedBy(what: string, ran: Ran, words: RegExp): void {
  hold(ran.code !== 0, `${what} fails`);
  hold(words.test(said(ran)), `${what} says so: ${lastLines(said(ran), 3)}`);
}

/** Does something that must leave a file as it is. */
export async function unchanged(file: string, work: () => Promise<void>): Promise<void> {
  const before = await readFile(file, 'utf8');
  await work();
  same(`the content of ${file}`, await readFile(file, 'utf8'), before);
}

const subject = 'CN=over,O=Interop,C=US';
const dn = 'C=US, O=Interop, CN=over';

export async function strongswanPair(lab: Lab, service: Service, endpoint: string) {
  const asked = {
    url: `${service.server.origin}/scep/${endpoint}`,
    ca: service,
    folder: await lab.folder(),
    dn,
  };
  const password = await service.challenge({ endpoint, subject });
  const old = await strongswan.enrol({ ...asked, password });
  hold(old.ran.code === 0, `pki --scep ends with 0: ${lastLines(old.ran.stderr)}`);
  return { asked, old };
}

const expiredRows: readonly Row[] = [
  {
    id: '11a',
    client: 'strongswan',
    title: 'expired: badRequest',
    async run(lab) {
      const service = await lab.configured();
      const { asked, old } = await strongswanPair(lab, service, 'brief');
      await over(old.certificate);
      const { ran } = await strongswan.renew({ ...asked, old });
      refusedBy('pki', ran, /failInfo: +badRequest/);
      same('the certificate it writes', ran.stdout.toString(), '');
      return checkReason(service.server, 'renewalExpired');
    },
  },
  {
    id: '11a',
    client: 'micromdm',
    title: 'expired: badRequest',
    async run(lab) {
      const service = await lab.configured();
      const cn = 'over';
      const asked = { url: `${service.server.origin}/scep/brief`, folder: await lab.folder(), cn };
      const wanted = { endpoint: 'brief', subject: micromdm.subjectOf(cn) };
      const challenge = await service.challenge(wanted);
      const first = await micromdm.enrol({ ...asked, challenge });
      hold(first.ran.code === 0, `scepclient ends with 0: ${lastLines(said(first.ran))}`);
      await over(first.certificate);
      await unchanged(first.certificate, async () => {
        const { ran } = await micromdm.enrol({ ...asked, challenge });
        refusedBy('scepclient', ran, /RenewalReq \(17\) request failed, failInfo: badRequest/);
      });
      return checkReason(service.server, 'renewalExpired');
    },
  },
  {
    id: '11a',
    client: 'certmonger',
    title: 'expired: it goes on MONITORING, with the refusal as its error',
    async run(lab) {
      const service = await lab.configured();
      const daemon = await lab.certmonger();
      const folder = await lab.folder();
      const { written } = certmonger.subjectOf('over');
      const challenge = await service.challenge({ endpoint: 'brief', subject: written });
      await daemon.addCa('row-11a', `${service.server.origin}/scep/brief`);
      const request = { ca: 'row-11a', id: 'row-11a', folder, subject: written, challenge };
      const { status, certificate } = await daemon.request(request);
      same('the state', status, 'MONITORING');
      await over(certificate);
      await unchanged(certificate, () => refusedResubmit(daemon, 'row-11a'));
      return checkReason(service.server, 'renewalExpired');
    },
  },
  {
    id: '11a',
    client: 'cli',
    title: 'expired: exit 1, key and certificate as they were',
    async run(lab) {
      const service = await lab.configured();
      const folder = await lab.folder();
      const url = `${service.server.origin}/scep/brief`;
      const challenge = await service.challenge({ endpoint: 'brief', subject });
      const asked = { root: lab.root, url, folder };
      const first = await cli.enrol({ ...asked, subject, san: [], challenge, key: 'rsa:2048' });
      hold(first.ran.code === 0, `scepter enrol ends with 0: ${lastLines(first.ran.stderr)}`);
      await over(first.certificate);
      await unchanged(first.certificate, () =>
        unchanged(first.key, async () => {
          const { ran } = await cli.renew(asked);
          same('the exit code', `${ran.code}`, '1');
          refusedBy('scepter', ran, /refused: badRequest: SCEP-322: /);
        }),
      );
      return checkReason(service.server, 'renewalExpired');
    },
  },
];

/** certmonger keeps the certificate that it has, and says what was wrong with the renewal. */
export async function refusedResubmit(daemon: certmonger.Certmonger, id: string): Promise<void> {
  await daemon.getcert('resubmit', '-i', id, '-w');
  const { status, error } = await daemon.look(id);
  same('the state', status, 'MONITORING');
  same('the error', error, 'Transaction either is not permitted or is not supported by server.');
}

const supersededRow: Row = {
  id: '11b',
  client: 'strongswan',
  title: 'superseded, and replaced by one in use: badRequest for both',
  async run(lab) {
    const { asked, old } = await strongswanPair(lab, lab, 'default');
    const renewed = async (pair: { readonly certificate: string; readonly key: string }) =>
      strongswan.renew({ ...asked, folder: await lab.folder(), old: pair });
    const second = await renewed(old);
    const third = await renewed(old);
    for (const { ran } of [second, third]) hold(ran.code === 0, 'a lost reply may be repeated');
    // The second was never used: the third has taken its place.
    const revoked = await renewed(second);
    refusedBy('pki', revoked.ran, /failInfo: +badRequest/);
    const superseded = await checkReason(lab.server, 'renewalRevoked');
    const fourth = await renewed(third);
    hold(fourth.ran.code === 0, 'the one that took its place can be renewed');
    const late = await renewed(old);
    refusedBy('pki', late.ran, /failInfo: +badRequest/);
    return `${superseded}, ${await checkReason(lab.server, 'renewalDone')}`;
  },
};

const foreignRows: readonly Row[] = [
  {
    id: '11c',
    client: 'strongswan',
    title: 'of another CA: badMessageCheck with a new key, badRequest with its own',
    async run(lab) {
      const folder = await lab.folder();
      const key = join(folder, 'own.pem');
      await openssl(['genrsa', '-out', key, '2048']);
      const certificate = await foreignCertificate(folder, key, '/C=US/O=Interop/CN=over');
      const asked = { url: `${lab.server.origin}/scep`, ca: lab, folder, dn };
      const old = { certificate, key };
      const fresh = await strongswan.renew({ ...asked, old });
      refusedBy('pki', fresh.ran, /failInfo: +badMessageCheck/);
      const first = await checkReason(lab.server, 'envelopeRejected');
      const own = await strongswan.renew({ ...asked, old, key });
      refusedBy('pki', own.ran, /failInfo: +badRequest/);
      return `${first}, ${await checkReason(lab.server, 'challengeMissing')}`;
    },
  },
  {
    id: '11c',
    client: 'micromdm',
    title: 'of another CA, with a challenge that is not known: badRequest',
    async run(lab) {
      const folder = await lab.folder();
      const key = join(folder, 'client.key');
      // It reads the traditional form only.
      await openssl(['genrsa', '-traditional', '-out', key, '2048']);
      const made = await foreignCertificate(folder, key, '/C=US/O=Interop/OU=MDM/CN=over');
      await openssl(['x509', '-in', made, '-out', join(folder, 'client.pem')]);
      const url = `${lab.server.origin}/scep/legacy`;
      const asked = { url, folder, cn: 'over', challenge: 'not-the-challenge' };
      const { ran } = await micromdm.enrol(asked);
      refusedBy('scepclient', ran, /RenewalReq \(17\) request failed, failInfo: badRequest/);
      return checkReason(lab.server, 'challengeUnknown');
    },
  },
  {
    id: '11c',
    client: 'certmonger',
    title: 'of another CA: it goes on MONITORING, with the refusal as its error',
    async run(lab) {
      const daemon = await lab.certmonger();
      const folder = await lab.folder();
      const key = join(folder, 'own.pem');
      await openssl(['genrsa', '-out', key, '2048']);
      const certificate = await foreignCertificate(folder, key, '/C=US/O=Interop/CN=over');
      await daemon.addCa('row-11c', `${lab.server.origin}/scep`);
      await daemon.track('row-11c', 'row-11c', { certificate, key });
      await unchanged(certificate, () => refusedResubmit(daemon, 'row-11c'));
      return checkReason(lab.server, 'challengeMissing');
    },
  },
];

export const signerRows: readonly Row[] = [...expiredRows, supersededRow, ...foreignRows];
