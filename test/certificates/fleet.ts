// A thousand certificates over all profiles: every CA key and device key that is supported, every form
// of subject and name that a profile can certify, enrolments and renewals.

import { generateKeyPairSync, sign } from 'node:crypto';
import { type Bytes, concat } from '../../lib/base/bytes.ts';
import { checkConfig } from '../../lib/config/config.ts';
import { digests } from '../../lib/crypto/algorithms.ts';
import {
  type ClientKey,
  type ClientKeySpec,
  generateKey,
  readCaCertificates,
} from '../../lib/protocol/scep/client/client.ts';
import { readCertificate } from '../../lib/x509/certificate.ts';
import { type Lab, makeLab } from '../support/lab.ts';
import { type EnrolOptions, enrolment } from '../support/messages.ts';

type KeyOf = ClientKeySpec | 'Ed25519';

/** Our client makes no Ed25519 keys; others do. */
async function keyOf(spec: KeyOf = 'Ed25519'): Promise<ClientKey> {
  if (spec !== 'Ed25519') return generateKey(spec);
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return {
    spki: concat([publicKey.export({ type: 'spki', format: 'der' })]),
    pkcs8: concat([privateKey.export({ type: 'pkcs8', format: 'der' })]),
    scheme: { kind: 'Ed25519', digest: digests['SHA-512'] },
    sign: async (message) => concat([sign(null, message, privateKey)]),
  };
}

const caKeys = ['rsa:2048', 'rsa:3072', 'rsa:4096', 'ec:P-256', 'ec:P-384'] as const;

const sid = 'sid:S-1-5-21-1004336348-1177238915-682003330-512';
/** What an endpoint of each profile is asked for; `{n}` is the number of the device. */
const fleets: Record<
  string,
  {
    readonly profile: object;
    readonly keys: readonly KeyOf[];
    readonly subjects: readonly string[];
    /** Bound to the challenge. */
    readonly san?: readonly (readonly string[])[];
    /** Only in the CSR. */
    readonly asks?: readonly (readonly string[])[];
  }
> = {
  device: {
    profile: {},
    keys: [
      { type: 'RSA', bits: 2048 },
      { type: 'EC', curve: 'P-256' },
      { type: 'EC', curve: 'P-384' },
      { type: 'EC', curve: 'P-521' },
      'Ed25519',
    ],
    subjects: [
      'CN=device-{n}',
      'CN=device-{n},OU=Fleet\\, north,O=Example & Sons,L=Z\u00fcrich,ST=ZH,C=CH',
      '2.5.4.5=SN-{n},CN=\u8a2d\u5099 {n},O=\u041f\u0440\u0438\u043c\u0435\u0440',
      'CN=device-{n}+2.5.4.5=SN{n},DC=example,DC=com',
      'UID=u{n},CN=d{n}',
      `CN=${'x'.repeat(56)}-{n}`,
      'CN=\u{1f5a8} printer {n}',
      'CN=Jane Doe {n},CN=Users,DC=corp,DC=local',
      // C and serialNumber in UTF8String, DC in PrintableString: what clients write, and no certificate has.
      'CN=d{n},serialNumber=#0c03312d31,DC=#1304636f7270,DC=example,C=#0c024348',
    ],
    san: [
      [],
      ['dns:device-{n}.example.com'],
      ['dns:device-{n}.example.com', 'dns:*.d{n}.example.com', 'ip:192.0.2.7', 'ip:2001:db8::{n}'],
      ['uri:urn:uuid:00000000-0000-4000-8000-00000000{n}', 'email:d{n}@example.com'],
    ],
  },
  mail: {
    profile: { names: { email: { pattern: '*@example.com' } } },
    keys: [{ type: 'EC', curve: 'P-256' }],
    subjects: [
      'UID=u{n},emailAddress=device-{n}@example.com,CN=d{n}',
      'UID=u{n},emailAddress=#0c0d64406578616d706c652e636f6d,CN=d{n}',
    ],
  },
  nameless: {
    profile: { validity: '1d' },
    keys: [{ type: 'EC', curve: 'P-256' }],
    subjects: [''],
    san: [['dns:nameless-{n}.example.com'], ['upn:user-{n}@example.com']],
  },
  server: {
    profile: {
      validity: '90d',
      extKeyUsage: ['serverAuth', 'clientAuth', '1.3.6.1.5.5.8.2.2'],
      names: { dns: { pattern: '*.example.com' }, ip: { pattern: '10.0.0.0/8' }, uri: 'copy' },
    },
    keys: [
      { type: 'EC', curve: 'P-256' },
      { type: 'RSA', bits: 3072 },
    ],
    subjects: ['CN=server-{n}.example.com'],
    asks: [
      ['dns:server-{n}.example.com', 'ip:10.1.2.3'],
      ['uri:https://server-{n}.example.com/a?b=c'],
    ],
  },
  user: {
    profile: {
      keyUsage: ['digitalSignature', 'nonRepudiation', 'keyEncipherment'],
      extKeyUsage: ['clientAuth', 'smartcardLogon', 'emailProtection'],
      sid: 'both',
    },
    keys: [
      { type: 'RSA', bits: 2048 },
      { type: 'EC', curve: 'P-384' },
    ],
    subjects: ['CN=User {n},OU=Users,DC=corp,DC=example'],
    san: [['upn:user{n}@corp.example', sid], ['email:user{n}@corp.example', sid], [sid]],
  },
  ise: {
    profile: { endpointManagerUri: true },
    keys: [{ type: 'EC', curve: 'P-256' }],
    subjects: ['CN=Jane Doe,CN=Users,CN={n}'],
    san: [['uri:ID:Microsoft Endpoint Manager:GUID:0f8fad5b-d9cb-469f-a165-70867728{n}']],
  },
  sidUri: {
    profile: { sid: 'uri', validity: '3650d' },
    keys: [{ type: 'EC', curve: 'P-256' }],
    subjects: ['CN=PC-{n}'],
    san: [[sid, 'dns:pc-{n}.corp.example']],
  },
  signing: {
    profile: { keyUsage: ['digitalSignature'], extKeyUsage: ['ipsecIKE'], sid: 'extension' },
    keys: ['Ed25519', { type: 'EC', curve: 'P-521' }],
    subjects: ['CN=vpn-{n}'],
    san: [['ip:198.51.100.1', sid]],
  },
};

export type Issued = {
  readonly ca: string;
  readonly profile: string;
  readonly der: Bytes;
};
export type Fleet = {
  readonly lab: Lab;
  readonly issued: readonly Issued[];
  /** CA certificates by id, DER. */
  readonly cas: ReadonlyMap<string, Bytes>;
};

export async function enrolFleet(count: number, progress: (done: number) => void): Promise<Fleet> {
  const idOf = (spec: string): string => spec.toLowerCase().replace(/[^a-z0-9]/g, '');
  const cas = Object.fromEntries([
    ['default', { subject: 'CN=Lab CA' }],
    ...caKeys.map((key) => [idOf(key), { subject: `CN=Fleet CA ${key},O=Example,C=CH`, key }]),
  ]);
  const profiles = Object.fromEntries(
    Object.entries(fleets).map(([name, { profile }]) => [`fleet-${name.toLowerCase()}`, profile]),
  );
  const kinds = Object.entries(fleets).flatMap(([name, fleet]) =>
    caKeys.map((key) => {
      const profile = `fleet-${name.toLowerCase()}`;
      return { id: `${profile}-${idOf(key)}`, ca: idOf(key), profile, fleet };
    }),
  );
  const endpoints = Object.fromEntries([
    ['default', { ca: 'default' }],
    ...kinds.map(({ id, ca, profile }) => [id, { ca, profile }]),
  ]);
  const document = { publicUrl: 'http://scep.example.com', cas, profiles, endpoints };
  checkConfig(document);
  const lab = await makeLab({ config: document });
  const issued: Issued[] = [];
  const loaded = new Map(
    await Promise.all(
      caKeys.map(async (key) => {
        const { bag, certificate } = await lab.deps.cas.of(idOf(key));
        return [idOf(key), { announced: readCaCertificates(bag), der: certificate.der }] as const;
      }),
    ),
  );
  const send = async (kind: (typeof kinds)[number], options: EnrolOptions): Promise<Bytes> => {
    const announced = loaded.get(kind.ca)?.announced ?? lab.announced;
    // RFC 8419 §3.1: Ed25519 goes with SHA-512.
    const ed = (options.signer?.key ?? options.key)?.scheme.kind === 'Ed25519';
    const digest = ed ? 'SHA-512' : 'SHA-256';
    const sent = await enrolment({ announced, clock: lab.clock }, { ...options, digest });
    const answer = await sent.read(await lab.operate(sent.message, `/scep/${kind.id}`));
    if (answer.pkiStatus !== 'SUCCESS') {
      throw new Error(`${kind.id}, ${options.subject}: ${JSON.stringify(answer)}`);
    }
    const [der = new Uint8Array(0)] = answer.certificates;
    issued.push({ ca: kind.ca, profile: kind.profile, der });
    if (issued.length % 100 === 0) progress(issued.length);
    return der;
  };
  for (let n = 0; issued.length < count; n++) {
    const kind = kinds[n % kinds.length] ?? kinds[0];
    if (!kind) throw new Error('no profile');
    const turn = Math.floor(n / kinds.length);
    const pick = <T>(all: readonly T[] | undefined): T | undefined => all?.[turn % all.length];
    const filled = (text: string) => text.replaceAll('{n}', String(n).padStart(4, '0'));
    const key: ClientKey = await keyOf(pick(kind.fleet.keys));
    const subject = filled(pick(kind.fleet.subjects) ?? '');
    const names = (pick(kind.fleet.san) ?? []).map(filled);
    const challenge = await lab.challenge({ endpoint: kind.id, names });
    const asks = pick(kind.fleet.asks);
    const der = await send(kind, {
      key,
      subject,
      challenge,
      ...(asks ? { names: asks.map(filled) } : {}),
    });
    // Every third device renews at once, for its key or another of the kind.
    if (n % 3 !== 0 || issued.length >= count) continue;
    const next = turn % 2 ? key : await keyOf(pick(kind.fleet.keys));
    await send(kind, {
      messageType: 'RenewalReq',
      signer: { certificate: readCertificate(der), key },
      key: next,
      subject,
      // An EC client's reply is keyed by a password, which authorizes nothing here.
      challenge: 'a password for the reply',
      ...(asks ? { names: asks.map(filled) } : {}),
    });
  }
  return {
    lab,
    issued,
    cas: new Map([...loaded].map(([id, { der }]) => [id, der])),
  };
}
