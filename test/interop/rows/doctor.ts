// scepter doctor on servers of others, whose faults clients have met: each is named, and no other.

import { type ScepPeer, startScepserver, startStepCa } from '../../support/scep-peers.ts';
import { lastLines, NotRun, plainEnv, run } from '../command.ts';
import type { Lab, Row } from '../lab.ts';
import { hold } from '../openssl.ts';

const challenge = 'interop';

/** What the doctor says, each as `check mark: what`. */
async function said({ root }: Lab, { port, path }: ScepPeer): Promise<string[]> {
  const url = `http://127.0.0.1:${port}${path}`;
  const args = ['bin/scepter.js', 'doctor', url, '--challenge', challenge, '--json'];
  const { code, stdout, stderr } = await run('node', args, { cwd: root, env: plainEnv() });
  hold(code === 1, `doctor exits with 1, not ${code}: ${lastLines(stderr)}`);
  const { sections } = JSON.parse(stdout.toString()) as {
    sections: { findings: { check: string; mark: string; says: string }[] }[];
  };
  return sections
    .flatMap(({ findings }) => findings)
    .filter(({ mark }) => mark !== 'good')
    .map(({ check, mark, says }) => `${check} ${mark}: ${says}`);
}

function same(found: readonly string[], expected: readonly RegExp[]): string {
  const all = found.join('\n');
  const unnamed = expected.filter((pattern) => !found.some((one) => pattern.test(one)));
  const more = found.filter((one) => !expected.some((pattern) => pattern.test(one)));
  hold(unnamed.length === 0, `not named: ${unnamed.join(', ')}\n${all}`);
  hold(more.length === 0, `named, and not expected:\n${more.join('\n')}`);
  return all;
}

/** Both: strongSwan, certmonger, an answer to what is not granted, replies. */
const both: readonly RegExp[] = [
  /^clients fault: strongSwan 5\.9\.8: "AES_CBC encryption algorithm not supported by CA"/,
  /^clients fault: certmonger: "PKCS7 certificate verify error"/,
  /^ra fault: the keyUsage of .* is keyCertSign, cRLSign, without keyEncipherment/,
  /^get warning: GET in the URL-safe alphabet/,
  /^reply fault: a message that is not granted is answered with HTTP 500 instead of a CertRep/,
  /^reply fault: its SignerInfo names RSASSA-PKCS1-v1_5 with SHA-/,
  /^reply fault: its envelope is encrypted with DES, the request was with AES-128/,
  /^reply warning: its senderNonce is that of the request/,
  /^reply warning: it is signed with SHA-1, the request was with SHA-256/,
  /^crl warning: no certificate seen here names a CRL/,
];

export const doctorRows: readonly Row[] = [
  {
    id: 'doctor-scepserver',
    client: 'cli',
    title: "doctor names the faults of Debian's scepserver",
    async run(lab) {
      const peer = await startScepserver(challenge);
      if (!peer) throw new NotRun('scepserver is not installed');
      try {
        return same(await said(lab, peer), [
          ...both,
          /^path fault: \/pkiclient\.exe behind the path is answered with HTTP 404/,
          /^get fault: GET with "\+" as it is: HTTP 500/,
        ]);
      } finally {
        await peer.stop();
      }
    },
  },
  {
    id: 'doctor-step-ca',
    client: 'cli',
    title: 'doctor names the faults of step-ca',
    async run(lab) {
      const peer = await startStepCa(challenge).catch((error: Error) => {
        throw new NotRun(error.message);
      });
      try {
        return same(await said(lab, peer), [
          ...both,
          /^caps fault: lines end in CR LF/,
          /^clients fault: Apple: "CA does not have the required capability"/,
          /^clients fault: Apple: errSecKeyUsageIncorrect/,
          /^clients fault: Windows: 0x8010002c/,
        ]);
      } finally {
        await peer.stop();
      }
    },
  },
];
