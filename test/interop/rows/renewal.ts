// Rows 9 and 10: renewal, with a RenewalReq (17) or a PKCSReq (19) signed with the old certificate,
// with a new key and with the same: a new certificate comes back although the transactionID repeats.

import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as certmonger from '../clients/certmonger.ts';
import * as cli from '../clients/cli.ts';
import * as micromdm from '../clients/micromdm.ts';
import * as strongswan from '../clients/strongswan.ts';
import { lastLines, type Ran } from '../command.ts';
import type { Lab, Row } from '../lab.ts';
import { checkCertificate, hold, publicKeyOf, same, serialOf } from '../openssl.ts';
import { conversation, type Recording, throughProxy } from '../proxy.ts';
import { checkStory, transactionOf } from '../transactions.ts';

type Files = { readonly certificate: string; readonly key: string };
type Which = 'the same key' | 'a new key';

type Renewed = {
  readonly endpoint: 'default' | 'legacy';
  readonly which: Which;
  readonly subject: string;
  readonly san?: readonly string[];
  /** A copy of the certificate before. */
  readonly old: string;
  readonly files: Files;
};

/** The files, and what is on record about where the new certificate came from. */
async function check(lab: Lab, proxy: Recording, renewed: Renewed): Promise<string> {
  const { endpoint, which, subject, san = [], old, files } = renewed;
  await checkCertificate({ ...files, ca: lab.ca, subject, san });
  const [before, after] = [await serialOf(old), await serialOf(files.certificate)];
  hold(before !== after, 'it is another certificate');
  const kept = (await publicKeyOf(old)) === (await publicKeyOf(files.certificate));
  same('the key', kept ? 'the same key' : 'a new key', which);
  const said = await conversation(proxy);
  const [, type = ''] = /^19:0 (17|19):0$/.exec(said) ?? [];
  hold(type !== '', `messageType:pkiStatus are an enrolment and a renewal, not "${said}"`);
  const { id } = await transactionOf(lab.server, endpoint, after);
  await checkStory(lab.server, id, {
    states: 'intended issued',
    serial: after,
    renews: before,
    messageType: type === '17' ? 'RenewalReq' : 'PKCSReq',
  });
  return `${said}, ${which}`;
}

const ended = (what: string, { code, stderr }: Ran): void =>
  hold(code === 0, `${what} ends with 0: ${lastLines(stderr)}`);

/** What the client's own file will be written over. */
async function kept({ certificate }: Files): Promise<string> {
  await copyFile(certificate, `${certificate}.old`);
  return `${certificate}.old`;
}

const strongswanRow = (id: string, which: Which): Row => ({
  id,
  client: 'strongswan',
  title: `RenewalReq (17), ${which}; it asks for no names, and they stay`,
  async run(lab) {
    const folder = await lab.folder();
    const subject = 'CN=renewed,O=Interop,C=US';
    const dn = 'C=US, O=Interop, CN=renewed';
    const password = await lab.challenge({ subject, san: ['dns:renewed.example.test'] });
    return throughProxy(lab.server, async (proxy) => {
      const asked = { url: `${proxy.origin}/scep`, ca: lab, folder, dn };
      const old = await strongswan.enrol({ ...asked, password });
      ended('pki --scep', old.ran);
      const key = which === 'the same key' ? { key: old.key } : {};
      const files = await strongswan.renew({ ...asked, old, ...key });
      ended('pki --scep --cert', files.ran);
      const san = ['DNS:renewed.example.test'];
      const renewed = { which, subject, san, old: old.certificate, files };
      return check(lab, proxy, { endpoint: 'default', ...renewed });
    });
  },
});

const micromdmRow: Row = {
  id: '9b',
  client: 'micromdm',
  title: 'RenewalReq (17), the same key, its old challenge along with it',
  async run(lab) {
    const folder = await lab.folder();
    const subject = micromdm.subjectOf('renewed');
    const challenge = await lab.challenge({ endpoint: 'legacy', subject });
    return throughProxy(lab.server, async (proxy) => {
      const asked = { url: `${proxy.origin}/scep/legacy`, folder, cn: 'renewed', challenge };
      const first = await micromdm.enrol(asked);
      ended('scepclient', first.ran);
      const old = await kept(first);
      const files = await micromdm.enrol(asked);
      ended('scepclient', files.ran);
      const which = 'the same key';
      return check(lab, proxy, { endpoint: 'legacy', which, subject, old, files });
    });
  },
};

const certmongerRow = (id: string, verb: 'resubmit' | 'rekey', which: Which): Row => ({
  id,
  client: 'certmonger',
  title: `PKCSReq (19) signed with the old certificate: getcert ${verb}, ${which}`,
  async run(lab) {
    const daemon = await lab.certmonger();
    const folder = await lab.folder();
    const { written, subject } = certmonger.subjectOf(verb);
    const dns = `${verb}.example.test`;
    const challenge = await lab.challenge({ subject: written, san: [`dns:${dns}`] });
    const name = `row-${id}`;
    return throughProxy(lab.server, async (proxy) => {
      await daemon.addCa(name, `${proxy.origin}/scep`);
      const request = { ca: name, id: name, folder, subject: written, dns, challenge };
      const { status, ...files } = await daemon.request(request);
      same('the state', status, 'MONITORING');
      const old = await kept(files);
      ended(`getcert ${verb}`, await daemon.getcert(verb, '-i', name, '-w'));
      same('the state after it', await daemon.statusOf(name), 'MONITORING');
      const renewed = { which, subject, san: [`DNS:${dns}`], old, files };
      return check(lab, proxy, { endpoint: 'default', ...renewed });
    });
  },
});

const cliRow = (id: string, key: 'rsa:2048' | 'ec:P-256', which: Which): Row => ({
  id,
  client: 'cli',
  title: `scepter renew, ${key}, ${which}`,
  async run(lab) {
    const folder = await lab.folder();
    const subject = 'CN=cli-renewed,O=Interop,C=US';
    const san = ['dns:cli.example.test'];
    const challenge = await lab.challenge({ subject, san });
    return throughProxy(lab.server, async (proxy) => {
      const asked = { root: lab.root, url: `${proxy.origin}/scep`, folder };
      const first = await cli.enrol({ ...asked, subject, san, challenge, key });
      ended('scepter enrol', first.ran);
      const old = await kept(first);
      const options = which === 'the same key' ? ['--same-key'] : [];
      const files = await cli.renew(asked, ...options);
      ended('scepter renew', files.ran);
      same('the CA', files.ca, join(folder, 'ca.pem'));
      const renewed = { which, subject, san: ['DNS:cli.example.test'], old, files };
      return check(lab, proxy, { endpoint: 'default', ...renewed });
    });
  },
});

export const renewalRows: readonly Row[] = [
  strongswanRow('9a', 'a new key'),
  strongswanRow('9b', 'the same key'),
  micromdmRow,
  cliRow('9a', 'rsa:2048', 'a new key'),
  cliRow('9b', 'rsa:2048', 'the same key'),
  cliRow('9c', 'ec:P-256', 'a new key'),
  certmongerRow('10a', 'resubmit', 'the same key'),
  certmongerRow('10b', 'rekey', 'a new key'),
];
