// Row 11, revocation by an operator: each client sees the refusal of its renewal as such and keeps what
// it has; openssl finds the certificate in the CRL; one that was held and released is good again.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as certmonger from '../clients/certmonger.ts';
import * as cli from '../clients/cli.ts';
import * as micromdm from '../clients/micromdm.ts';
import * as strongswan from '../clients/strongswan.ts';
import { lastLines } from '../command.ts';
import type { Lab, Row } from '../lab.ts';
import { hold, openssl, same, serialOf } from '../openssl.ts';
import {
  checkReason,
  refusedBy,
  refusedResubmit,
  said,
  strongswanPair,
  unchanged,
} from './signer.ts';

const revoke = async (lab: Lab, certificate: string, reason: string): Promise<void> => {
  await lab.server.cli('cert', 'revoke', await serialOf(certificate), '--reason', reason);
};

/** Whether openssl takes the certificate for revoked, by the CRL that anybody can fetch. */
async function isRevoked(lab: Lab, certificate: string): Promise<boolean> {
  await lab.server.cli('crl', 'publish', 'default');
  const crl = join(await lab.folder(), 'ca.crl');
  const response = await fetch(`${lab.server.origin}/crl/default.crl`);
  await writeFile(crl, Buffer.from(await response.arrayBuffer()));
  const check = ['-CRLfile', crl, '-crl_check', '-CAfile', lab.ca];
  try {
    const verdict = await openssl(['verify', ...check, certificate]);
    hold(verdict.toString().endsWith(': OK\n'), `openssl says OK: ${verdict}`);
    return false;
  } catch (error) {
    hold(/certificate revoked/.test(`${error}`), `openssl says why: ${error}`);
    return true;
  }
}

async function refusedAsRevoked(
  lab: Lab,
  certificate: string,
  because = 'renewalRevoked',
): Promise<string> {
  const reason = await checkReason(lab.server, because);
  hold(await isRevoked(lab, certificate), 'openssl verify -crl_check: revoked');
  return reason;
}

export const revokedRows: readonly Row[] = [
  {
    id: '11d',
    client: 'strongswan',
    title: 'revoked by an operator: badRequest, and revoked for openssl',
    async run(lab) {
      const { asked, old } = await strongswanPair(lab, lab, 'default');
      hold(!(await isRevoked(lab, old.certificate)), 'it is good before');
      await revoke(lab, old.certificate, 'keyCompromise');
      const { ran } = await strongswan.renew({ ...asked, old });
      refusedBy('pki', ran, /failInfo: +badRequest/);
      return refusedAsRevoked(lab, old.certificate, 'keyCompromised');
    },
  },
  {
    id: '11d',
    client: 'micromdm',
    title: 'revoked by an operator: badRequest',
    async run(lab) {
      const cn = 'revoked';
      const asked = { url: `${lab.server.origin}/scep/legacy`, folder: await lab.folder(), cn };
      const wanted = { endpoint: 'legacy', subject: micromdm.subjectOf(cn) };
      const challenge = await lab.challenge(wanted);
      const first = await micromdm.enrol({ ...asked, challenge });
      hold(first.ran.code === 0, `scepclient ends with 0: ${lastLines(said(first.ran))}`);
      await revoke(lab, first.certificate, 'cessationOfOperation');
      await unchanged(first.certificate, async () => {
        const { ran } = await micromdm.enrol({ ...asked, challenge });
        refusedBy('scepclient', ran, /RenewalReq \(17\) request failed, failInfo: badRequest/);
      });
      return refusedAsRevoked(lab, first.certificate);
    },
  },
  {
    id: '11d',
    client: 'certmonger',
    title: 'revoked by an operator: it goes on MONITORING, with the refusal as its error',
    async run(lab) {
      const daemon = await lab.certmonger();
      const folder = await lab.folder();
      const { written } = certmonger.subjectOf('revoked');
      const challenge = await lab.challenge({ subject: written });
      await daemon.addCa('row-11d', `${lab.server.origin}/scep`);
      const request = { ca: 'row-11d', id: 'row-11d', folder, subject: written, challenge };
      const { status, certificate } = await daemon.request(request);
      same('the state', status, 'MONITORING');
      await revoke(lab, certificate, 'superseded');
      await unchanged(certificate, () => refusedResubmit(daemon, 'row-11d'));
      return refusedAsRevoked(lab, certificate);
    },
  },
  {
    id: '11d',
    client: 'cli',
    title: 'revoked by an operator: exit 1, key and certificate as they were',
    async run(lab) {
      const folder = await lab.folder();
      const subject = 'CN=revoked,O=Interop,C=US';
      const challenge = await lab.challenge({ subject });
      const asked = { root: lab.root, url: `${lab.server.origin}/scep`, folder };
      const first = await cli.enrol({ ...asked, subject, san: [], challenge, key: 'rsa:2048' });
      hold(first.ran.code === 0, `scepter enrol ends with 0: ${lastLines(first.ran.stderr)}`);
      await revoke(lab, first.certificate, 'affiliationChanged');
      await unchanged(first.certificate, () =>
        unchanged(first.key, async () => {
          const { ran } = await cli.renew(asked);
          same('the exit code', `${ran.code}`, '1');
          refusedBy('scepter', ran, /refused: badRequest: SCEP-323: /);
        }),
      );
      return refusedAsRevoked(lab, first.certificate);
    },
  },
  {
    id: '11e',
    client: 'strongswan',
    title: 'held: badRequest; released: renewed, and not in the CRL any more',
    async run(lab) {
      const { asked, old } = await strongswanPair(lab, lab, 'default');
      await revoke(lab, old.certificate, 'certificateHold');
      const held = await strongswan.renew({ ...asked, old });
      refusedBy('pki', held.ran, /failInfo: +badRequest/);
      const reason = await refusedAsRevoked(lab, old.certificate);
      await revoke(lab, old.certificate, 'removeFromCRL');
      hold(!(await isRevoked(lab, old.certificate)), 'it is good again');
      const renewed = await strongswan.renew({ ...asked, folder: await lab.folder(), old });
      hold(renewed.ran.code === 0, `pki --scep ends with 0: ${lastLines(renewed.ran.stderr)}`);
      return `${reason}, then renewed`;
    },
  },
];
