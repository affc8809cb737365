// Rows 5 and 6: micromdm's DES and SHA-1, where they are switched on and where they are not, by
// POST and by its own kind of GET.

import * as micromdm from '../clients/micromdm.ts';
import { lastLines } from '../command.ts';
import type { Row } from '../lab.ts';
import { checkCertificate, hold, same } from '../openssl.ts';
import { messageOf, pkiOperation, throughProxy } from '../proxy.ts';
import { algorithmsOf, attributeOf, parseAsn1, signedContent } from '../wire.ts';

export const legacyRows: readonly Row[] = [
  {
    id: '5a',
    client: 'micromdm',
    title: 'DES, SHA-1, two recipients, constructed content, on /scep/legacy',
    async run(lab) {
      const folder = await lab.folder();
      const subject = micromdm.subjectOf('legacy');
      const challenge = await lab.challenge({ endpoint: 'legacy', subject });
      return throughProxy(lab.server, async (proxy) => {
        const url = `${proxy.origin}/scep/legacy`;
        const done = await micromdm.enrol({ url, folder, cn: 'legacy', challenge });
        hold(done.ran.code === 0, `scepclient ends with 0: ${lastLines(done.ran.stderr)}`);
        await checkCertificate({ ...done, ca: lab.ca, subject });
        const message = messageOf(pkiOperation(proxy));
        const { cipher, digest, recipients } = await algorithmsOf(message);
        same('what was used', `${cipher} ${digest} ${recipients}`, 'des-cbc sha1 2');
        const envelope = await parseAsn1(await signedContent(message));
        const content = envelope.findLast(({ type }) => type === 'cont [ 0 ]');
        hold(content?.der[0] === 0xa0, 'encryptedContent is constructed');
        return `${cipher} ${digest}, ${recipients} recipients`;
      });
    },
  },
  {
    id: '5b',
    client: 'micromdm',
    title: 'DES, SHA-1 on /scep: a clean badAlg',
    async run(lab) {
      const folder = await lab.folder();
      const subject = micromdm.subjectOf('modern');
      const challenge = await lab.challenge({ subject });
      return throughProxy(lab.server, async (proxy) => {
        const url = `${proxy.origin}/scep`;
        const { ran } = await micromdm.enrol({ url, folder, cn: 'modern', challenge });
        hold(ran.code !== 0, 'scepclient fails');
        // It prints its last word on standard output in one release and on the other in the next.
        const said = `${ran.stdout}${ran.stderr}`;
        hold(/failInfo: badAlg/.test(said), `scepclient names badAlg: ${lastLines(said, 2)}`);
        const { status, reply } = pkiOperation(proxy);
        same('the HTTP status', `${status}`, '200');
        const attributes = await parseAsn1(reply);
        same('pkiStatus', `${attributeOf(attributes, 'pkiStatus')}`, '2');
        same('failInfo', `${attributeOf(attributes, 'failInfo')}`, '0');
        return 'failInfo: badAlg (0) in an HTTP 200';
      });
    },
  },
  {
    id: '6',
    client: 'micromdm',
    title: 'GET, URL-safe base64, message before operation',
    async run(lab) {
      const folder = await lab.folder();
      const subject = micromdm.subjectOf('reversed');
      const challenge = await lab.challenge({ endpoint: 'legacy', subject });
      const withoutPost = (text: string): string =>
        text
          .split('\n')
          .filter((word) => !['POSTPKIOperation', 'Renewal', 'SCEPStandard'].includes(word))
          .join('\n');
      return throughProxy(
        lab.server,
        async (proxy) => {
          const url = `${proxy.origin}/scep/legacy`;
          const done = await micromdm.enrol({ url, folder, cn: 'reversed', challenge });
          hold(done.ran.code === 0, `scepclient ends with 0: ${lastLines(done.ran.stderr)}`);
          await checkCertificate({ ...done, ca: lab.ca, subject });
          const { method, target } = pkiOperation(proxy);
          same('the method', method, 'GET');
          hold(/\?message=[^&]*&operation=/.test(target), 'message comes before operation');
          const [, message = ''] = /message=([^&]*)/.exec(target) ?? [];
          hold(/[-_]/.test(message) && !/%2[BF]|[+/]/i.test(message), 'the base64 is URL-safe');
          return `${target.length} octets of URL, ${target.match(/[-_]/g)?.length} "-" and "_"`;
        },
        { capabilities: withoutPost },
      );
    },
  },
];
