// A CA under an offline root, which is openssl: what the root is asked to sign, what it may give back,
// and that a device's certificate verifies up to it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromPem, pem } from '../../lib/base/bytes.ts';
import { RA_RELOAD_MS } from '../../lib/base/limits.ts';
import { type Imported, importChain } from '../../lib/ca/authority/import-chain.ts';
import { requestCa } from '../../lib/ca/authority/init-ca.ts';
import { readCertsOnly } from '../../lib/cms/certs-only.ts';
import type { Row } from '../../lib/ports/store.ts';
import { readCaCertificates } from '../../lib/protocol/scep/client/client.ts';
import { readCertificate } from '../../lib/x509/certificate.ts';
import { type Lab, type LabOptions, makeLab } from '../support/lab.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { enrolment } from '../support/messages.ts';
import { type Openssl, withOpenssl } from '../support/openssl.ts';

const actor = { kind: 'admin', id: 'operator' } as const;
const YEAR = 365 * 24 * 60 * 60 * 1000;

/** Three CAs: one self-signed, and two that another CA certifies. */
const config = {
  cas: {
    default: { subject: 'CN=Lab CA,O=Lab', key: 'rsa:2048' },
    below: { subject: 'CN=Issuing CA,O=Lab', key: 'rsa:2048' },
    curve: { subject: 'CN=Curve CA,O=Lab', key: 'ec:P-256' },
  },
  endpoints: { default: { ca: 'default' }, below: { ca: 'below' }, curve: { ca: 'curve' } },
} as const satisfies LabOptions['config'];

const asCa = (...more: readonly string[]): string[] => [
  'basicConstraints=critical,CA:TRUE,pathlen:0',
  'keyUsage=critical,keyCertSign,cRLSign',
  'subjectKeyIdentifier=hash',
  'authorityKeyIdentifier=keyid,issuer',
  ...more,
];
const without = (name: string, ...instead: readonly string[]): string[] => [
  ...asCa().filter((line) => !line.startsWith(name)),
  ...instead,
];

type Issued = { readonly by?: Authority; readonly extensions?: string[] };

/** An openssl CA: a key and a certificate in files. */
class Authority {
  readonly name: string;
  readonly certificate: string;
  readonly #openssl: Openssl;

  constructor(openssl: Openssl, name: string, subject: string, { by, extensions }: Issued = {}) {
    this.#openssl = openssl;
    this.name = name;
    const key = openssl.path(`${name}.key`);
    openssl.run('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', key);
    const csr = openssl.path(`${name}.csr`);
    openssl.run('req', '-new', '-key', key, '-subj', subject, '-out', csr);
    const wanted = extensions ?? without('basicConstraints', 'basicConstraints=critical,CA:TRUE');
    if (by)
      this.certificate = by.certify(new TextDecoder().decode(openssl.read(`${name}.csr`)), wanted);
    else {
      const file = openssl.file(`${name}.ext`, wanted.join('\n'));
      this.certificate = new TextDecoder().decode(
        openssl.run('x509', '-req', '-in', csr, '-signkey', key, '-days', '7300', '-extfile', file),
      );
    }
    openssl.file(`${name}.pem`, this.certificate);
  }

  /** Signs what it is asked for with extensions of its own. @returns PEM */
  certify(csr: string, extensions: readonly string[], ...more: readonly string[]): string {
    const openssl = this.#openssl;
    const asked = openssl.file('asked.csr', csr);
    return this.#sign(['-req', '-in', asked, ...more], extensions);
  }

  /** A certificate for another name than was asked for. @param key file */
  rename(subject: string, key: string, extensions: readonly string[]): string {
    return this.#sign(['-new', '-subj', subject, '-force_pubkey', key], extensions);
  }

  #sign(what: readonly string[], extensions: readonly string[]): string {
    const openssl = this.#openssl;
    const signer = [
      '-CA',
      openssl.path(`${this.name}.pem`),
      '-CAkey',
      openssl.path(`${this.name}.key`),
    ];
    const file = openssl.file('asked.ext', extensions.join('\n'));
    const days = ['-days', '2920', '-extfile', file];
    return new TextDecoder().decode(openssl.run('x509', ...what, ...signer, ...days));
  }
}

const aMinuteAhead = (): number => Math.floor(Date.now() / 1000) * 1000 + 60_000;

withOpenssl((openssl) => {
  const root = new Authority(openssl, 'root', '/O=Lab/CN=Offline Root');
  const policy = new Authority(openssl, 'policy', '/O=Lab/CN=Policy CA', { by: root });

  const imported = (lab: Lab, id: string, ...found: readonly string[]): Promise<Imported> => {
    const authority = lab.config.cas.get(id);
    assert.ok(authority);
    const certificates = found.flatMap((text) => fromPem('CERTIFICATE', text));
    return importChain(
      lab.deps,
      authority,
      certificates.map((der) => readCertificate(der)),
      { actor },
    );
  };
  const asked = async (lab: Lab, id: string): Promise<string> => {
    const authority = lab.config.cas.get(id);
    assert.ok(authority);
    return pem('CERTIFICATE REQUEST', await requestCa(lab.deps, authority, { actor }));
  };
  /** Its clock is a minute ahead, for openssl's goes on: a certificate begins in the second it is made in. */
  const opened = (more: LabOptions = {}): Promise<Lab> =>
    makeLab({ config, uninitialised: ['below', 'curve'], now: aMinuteAhead(), ...more });
  /** A lab in which both CAs wait for their certificates. */
  const waiting = async (store = new MemoryStore()): Promise<Lab> => {
    const lab = await opened({ store });
    for (const id of ['below', 'curve']) await asked(lab, id);
    return lab;
  };
  const enrolled = async (lab: Lab, id: string): Promise<string> => {
    const announced = readCaCertificates((await lab.deps.cas.of(id)).bag);
    const challenge = await lab.challenge({ endpoint: id });
    const sent = await enrolment({ announced, clock: lab.clock }, { challenge });
    const answer = await sent.read(await lab.operate(sent.message, `/scep/${id}`));
    assert.ok(answer.pkiStatus === 'SUCCESS');
    return pem('CERTIFICATE', answer.certificates[0] ?? new Uint8Array(0));
  };

  describe('the request to an offline root', () => {
    test('the PKCS#10 of the CA key has the name and extensions of a CA, and openssl verifies it', async () => {
      const lab = await waiting();
      for (const [id, name] of [
        ['below', 'CN = Issuing CA'],
        ['curve', 'CN = Curve CA'],
      ] as const) {
        const file = openssl.file(`${id}.csr`, await asked(lab, id));
        const { ok, said } = openssl.attempt('req', '-in', file, '-verify', '-noout', '-text');
        assert.ok(ok, said);
        assert.match(said, /verify OK/);
        assert.ok(said.includes(name), said);
        assert.match(said, /Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
        assert.match(said, /Key Usage: critical\s+Certificate Sign, CRL Sign/);
      }
    });

    test('a second request is for the same key, and all that is written is its event', async () => {
      const lab = await waiting();
      const first = await asked(lab, 'below');
      const writes = lab.calls.filter((call) => call === 'store.write').length;
      assert.equal(await asked(lab, 'below'), first);
      assert.equal(lab.calls.filter((call) => call === 'store.write').length, writes + 1);
    });

    test('a CA without its certificate answers 503 and says what it waits for; the others go on', async () => {
      const lab = await waiting();
      const response = await lab.fetch('/scep/below?operation=GetCACert');
      assert.equal(response.status, 503);
      assert.match(
        String(lab.log.at(-1)?.detail),
        /^the CA "below" waits for its certificate: .*"scepter ca init below --csr".*"scepter ca import-chain"$/,
      );
      await enrolled(lab, 'default');
      const status = await lab.fetch('/api/v1/cas/below', {
        headers: { authorization: `Bearer ${lab.adminToken}` },
      });
      const { warnings } = (await status.json()) as { warnings: string[] };
      assert.deepEqual(warnings, ['it waits for the certificate that its root has to sign']);
    });
  });

  describe('a good chain is imported', () => {
    for (const [id, by] of [
      ['below', root],
      ['below', policy],
      ['curve', policy],
    ] as const) {
      test(`${id}, certified by ${by.name}: the device's certificate verifies up to the root`, async () => {
        const store = new MemoryStore();
        const lab = await waiting(store);
        const own = by.certify(await asked(lab, id), asCa());
        const above = by === policy ? [policy.certificate, root.certificate] : [root.certificate];
        // In any order.
        const done = await imported(lab, id, ...above.toReversed(), own);
        assert.equal(done.kind, 'done', JSON.stringify(done));

        // RA, issuing CA, and the rest up to the root.
        const bag = new Uint8Array(
          await (await lab.fetch(`/scep/${id}?operation=GetCACert`)).arrayBuffer(),
        );
        const [ra, ...chain] = readCertsOnly(bag).certificates;
        assert.deepEqual(
          chain,
          [own, ...above].flatMap((text) => fromPem('CERTIFICATE', text)),
        );
        const trusted = openssl.file('root.pem', root.certificate);
        const untrusted = openssl.file('untrusted.pem', `${own}${policy.certificate}`);
        const verify = (name: string, text: string) =>
          openssl.attempt(
            ...['verify', '-x509_strict', '-CAfile', trusted, '-untrusted', untrusted],
            openssl.file(name, text),
          );
        const leaf = verify('leaf.pem', await enrolled(lab, id));
        assert.ok(leaf.ok, leaf.said);
        const agent = verify('ra.pem', pem('CERTIFICATE', ra ?? new Uint8Array(0)));
        assert.ok(agent.ok, agent.said);

        const aia = await lab.fetch(`/aia/${id}.cer`);
        assert.deepEqual([new Uint8Array(await aia.arrayBuffer())], fromPem('CERTIFICATE', own));
        const events = store
          .dump()
          .flatMap((row) =>
            row.kind === 'event' ? [JSON.parse((row as Row<'event'>).record.body)] : [],
          )
          .filter(({ ca, type }) => ca === id && type.startsWith('ca.'));
        assert.deepEqual(events.map(({ type, number }) => [type, number]).sort(), [
          ['ca.chainImported', above.length + 1],
          ['ca.key.created', undefined],
          ['ca.ra.current', 1],
          // By `waiting`, and by this test.
          ['ca.request.signed', undefined],
          ['ca.request.signed', undefined],
        ]);
      });
    }

    test('the next certificate for the same key and name leaves RA and devices as they are', async () => {
      const lab = await waiting();
      const first = root.certify(await asked(lab, 'below'), asCa());
      await imported(lab, 'below', first, root.certificate);
      const leaf = await enrolled(lab, 'below');
      const before = (await lab.deps.cas.of('below')).current.certificate.der;
      const next = policy.certify(await asked(lab, 'below'), asCa());
      const done = await imported(lab, 'below', next, policy.certificate, root.certificate);
      assert.equal(done.kind, 'done', JSON.stringify(done));
      lab.clock.at += RA_RELOAD_MS;
      const ca = await lab.deps.cas.of('below');
      assert.deepEqual([ca.certificate.der], fromPem('CERTIFICATE', next));
      assert.deepEqual(ca.current.certificate.der, before);
      const untrusted = openssl.file('both.pem', `${next}${policy.certificate}`);
      for (const text of [leaf, await enrolled(lab, 'below')]) {
        const { ok, said } = openssl.attempt(
          ...['verify', '-CAfile', openssl.file('root.pem', root.certificate)],
          ...['-attime', String(lab.clock.at / 1000)],
          ...['-untrusted', untrusted, openssl.file('leaf.pem', text)],
        );
        assert.ok(ok, said);
      }
    });
  });

  describe('a bad chain is refused with the reason, and nothing is changed', () => {
    const other = new Authority(openssl, 'other', '/O=Lab/CN=Offline Root');
    const narrow = new Authority(openssl, 'narrow', '/O=Lab/CN=Narrow CA', {
      by: root,
      extensions: asCa(),
    });
    const own = (lab: Lab, extensions: string[], by = root, ...more: readonly string[]) =>
      asked(lab, 'below').then((csr) => [by.certify(csr, extensions, ...more)]);
    type Case = {
      readonly what: string;
      readonly chain: (lab: Lab) => Promise<string[]>;
      readonly why: RegExp;
      readonly after?: number;
    };
    const cases: Case[] = [
      {
        what: 'of another key',
        chain: async () => [policy.certificate, root.certificate],
        why: /^none of the certificates is of the CA's key$/,
      },
      {
        what: 'without its root',
        chain: async (lab) => [...(await own(lab, asCa(), policy)), policy.certificate],
        why: /^the certificate of CN=Offline Root,O=Lab, which issued the certificate of CN=Policy CA,O=Lab, is missing: /,
      },
      {
        what: 'with a root of the same name and another key',
        chain: async (lab) => [...(await own(lab, asCa())), other.certificate],
        why: /^the certificate of CN=Issuing CA,O=Lab does not verify with the key of CN=Offline Root,O=Lab$/,
      },
      {
        what: 'with a certificate that does not belong to it',
        chain: async (lab) => [...(await own(lab, asCa())), root.certificate, policy.certificate],
        why: /^the certificate of CN=Policy CA,O=Lab does not belong to the chain: leave it out$/,
      },
      {
        what: 'whose certificate is not one of a CA',
        chain: async (lab) => [
          ...(await own(lab, without('basicConstraints', 'basicConstraints=CA:FALSE'))),
          root.certificate,
        ],
        why: /is not a CA certificate: its basicConstraints/,
      },
      {
        what: 'whose certificate does not say what it is',
        chain: async (lab) => [...(await own(lab, without('basicConstraints'))), root.certificate],
        why: /is not a CA certificate: its basicConstraints/,
      },
      {
        what: 'whose certificate may sign no certificates',
        chain: async (lab) => [
          ...(await own(lab, without('keyUsage', 'keyUsage=critical,cRLSign'))),
          root.certificate,
        ],
        why: /does not allow to sign certificates: keyUsage$/,
      },
      {
        what: 'whose certificate may sign no CRLs',
        chain: async (lab) => [
          ...(await own(lab, without('keyUsage', 'keyUsage=critical,keyCertSign'))),
          root.certificate,
        ],
        why: /does not allow to sign CRLs: keyUsage$/,
      },
      {
        what: 'whose issuer may certify no CAs',
        chain: async (lab) => [
          ...(await own(lab, asCa(), narrow)),
          narrow.certificate,
          root.certificate,
        ],
        why: /^the certificate of CN=Narrow CA,O=Lab allows 0 CAs below it, and there are 1$/,
      },
      {
        what: 'without a subjectKeyIdentifier',
        chain: async (lab) => [
          ...(await own(lab, without('subjectKeyIdentifier', 'subjectKeyIdentifier=none'))),
          root.certificate,
        ],
        why: /has no subjectKeyIdentifier$/,
      },
      {
        what: "that names another key as its issuer's",
        chain: async (lab) => [
          ...(await own(
            lab,
            without('authorityKeyIdentifier', `2.5.29.35=DER:30168014${'11'.repeat(20)}`),
          )),
          root.certificate,
        ],
        why: /names the issuer's key 1{40}, which is [0-9a-f]{40}$/,
      },
      {
        what: 'that is signed with SHA-1',
        chain: async (lab) => [...(await own(lab, asCa(), root, '-sha1')), root.certificate],
        why: /is signed with SHA-1, which devices refuse$/,
      },
      {
        what: 'with a fault that the lint finds',
        chain: async (lab) => [
          ...(await own(lab, without('keyUsage', 'keyUsage=keyCertSign,cRLSign'))),
          root.certificate,
        ],
        why: /has a fault: lint key-usage \(RFC 5280 §4\.2\.1\.3\)$/,
      },
      {
        what: 'for another name',
        chain: async (lab) => {
          const csr = openssl.file('name.csr', await asked(lab, 'below'));
          const key = openssl.file('name.pub', openssl.run('req', '-in', csr, '-noout', '-pubkey'));
          return [root.rename('/O=Lab/CN=Somebody Else', key, asCa()), root.certificate];
        },
        why: /^it is for CN=Somebody Else,O=Lab, and the configuration has CN=Issuing CA,O=Lab$/,
      },
      {
        what: 'that is over',
        chain: async (lab) => [...(await own(lab, asCa())), root.certificate],
        why: /^the certificate of CN=Issuing CA,O=Lab expired on 20\d\d-/,
        after: 9 * YEAR,
      },
      {
        what: 'that has not begun',
        chain: async (lab) => [...(await own(lab, asCa())), root.certificate],
        why: /^the certificate of CN=Issuing CA,O=Lab is not valid before 20\d\d-/,
        after: -YEAR,
      },
    ];
    for (const { what, chain, why, after = 0 } of cases) {
      test(`a chain ${what} is refused`, async () => {
        const lab = await waiting();
        const found = await chain(lab);
        lab.clock.at += after;
        const writes = lab.calls.filter((call) => call === 'store.write').length;
        const refused = await imported(lab, 'below', ...found);
        assert.ok(refused.kind === 'refused');
        assert.match(refused.why, why);
        assert.equal(lab.calls.filter((call) => call === 'store.write').length, writes);
        assert.equal((await lab.fetch('/scep/below?operation=GetCACert')).status, 503);
      });
    }

    test('a chain with another name is refused once certificates bear the old one', async () => {
      const lab = await opened();
      const csr = openssl.file('default.csr', await asked(lab, 'default'));
      const key = openssl.file('default.pub', openssl.run('req', '-in', csr, '-noout', '-pubkey'));
      const renamed = root.rename('/O=Lab/CN=New Name', key, asCa());
      const refused = await imported(lab, 'default', renamed, root.certificate);
      assert.ok(refused.kind === 'refused');
      assert.match(
        refused.why,
        /^the CA has issued as CN=Lab CA,O=Lab and cannot become CN=New Name,O=Lab$/,
      );
    });

    test('import-chain for a CA without a key says how to make one', async () => {
      const lab = await opened();
      await assert.rejects(
        imported(lab, 'below', root.certificate),
        /the CA "below" has no key yet: run "scepter ca init below --csr"/,
      );
    });
  });
});
