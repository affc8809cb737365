// Our own client against our own server: an RSA key, and an EC key that needs the password-based
// envelope (RFC 8894 §3.1).

import * as cli from '../clients/cli.ts';
import { lastLines } from '../command.ts';
import type { Row } from '../lab.ts';
import { checkCertificate, fingerprintOf, hold, same } from '../openssl.ts';

const row = (id: string, key: cli.Enrolment['key']): Row => ({
  id,
  client: 'cli',
  title: `scepter enrol --key ${key}`,
  async run(lab) {
    const folder = await lab.folder();
    const subject = 'CN=cli,O=Interop,C=US';
    const san = ['dns:cli.example.test'];
    const challenge = await lab.challenge({ subject, san });
    const enrolment = { root: lab.root, url: `${lab.server.origin}/scep`, folder, subject, san };
    const { ran, ...files } = await cli.enrol({ ...enrolment, challenge, key });
    hold(ran.code === 0, `scepter enrol ends with 0: ${lastLines(ran.stderr)}`);
    await checkCertificate({ ...files, subject, san: ['DNS:cli.example.test'] });
    same('the CA', await fingerprintOf(files.ca), await fingerprintOf(lab.ca));
    const summary: { subject?: unknown } = JSON.parse(ran.stdout.toString());
    same('the subject in the JSON', `${summary.subject}`, subject);
    return lastLines(ran.stderr, 1);
  },
});

export const cliRows: readonly Row[] = [row('cli-rsa', 'rsa:2048'), row('cli-ec', 'ec:P-256')];
