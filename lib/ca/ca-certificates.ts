// The CAs as this instance holds them: certificates parsed, RA keys unsealed and checked, kept for
// five minutes. Loading is single-flight; a failed load is not kept.

import { type DigestName, digests, type SigningAlgorithm } from '../algorithms.ts';
import { type Bytes, equal, fromBase64, hex } from '../bytes.ts';
import { encodeCertsOnly } from '../cms/certs-only.ts';
import { raw } from '../cms/der.ts';
import { unwrapKey } from '../cms/key-transport.ts';
import {
  hash,
  type RsaPrivateKey,
  rsaesPkcs1Encrypt,
  rsaPrivateKey,
  signNatively,
} from '../cms/native.ts';
import { selfTest } from '../cms/self-test.ts';
import type { Signer as CmsSigner } from '../cms/signed-data.ts';
import type { Config } from '../config.ts';
import { Outage } from '../errors.ts';
import { RA_FORCED_RELOAD_MS, RA_RELOAD_MS } from '../limits.ts';
import type { Clock } from '../ports/clock-and-random.ts';
import type { RaKeys } from '../ports/ra-keys.ts';
import type { AuthorityRecord, RaGenerationRecord, RaGenerationState } from '../ports/records.ts';
import type { Signer } from '../ports/signer.ts';
import type { Store } from '../ports/store.ts';
import { SingleFlight } from '../single-flight.ts';
import type { SignatureScheme } from '../x509/algorithm.ts';
import {
  type Certificate,
  publicKeyOf,
  readCertificate,
  subjectKeyIdentifierOf,
} from '../x509/certificate.ts';
import type { KeyKind, PublicKey } from '../x509/public-key.ts';
import { View } from './view.ts';

/** One RA key pair that this endpoint answers for. */
export type Generation = {
  readonly id: number;
  readonly state: RaGenerationState;
  readonly certificate: Certificate;
  readonly decryptionKey: RsaPrivateKey;
  /** Octets of an encrypted key addressed to it. */
  readonly modulusOctets: number;
  /** Signs CertReps with the digest given. */
  signer(digest: DigestName): CmsSigner;
};

/** A CA as who signs, without the keys of its RA. */
export type Issuer = {
  readonly id: string;
  readonly keyReference: string;
  readonly certificate: Certificate;
  readonly key: PublicKey;
  readonly keyIdentifier: Bytes;
  readonly algorithm: SigningAlgorithm;
  readonly scheme: SignatureScheme;
};

export type Ca = Issuer & {
  /** The one that GetCACert announces, and all that requests may be encrypted to. */
  readonly current: Generation;
  readonly generations: readonly Generation[];
  /** Hexadecimal SHA-256 of the SubjectPublicKeyInfo of every key that must never be a device's: those
   * of all CAs of this deployment, of their issuers, and of their RA generations, retired ones too. */
  readonly ownKeys: ReadonlySet<string>;
  /** GetCACert's certs-only message: the current RA, then the chain (RFC 8894 §4.2.1.2). */
  readonly bag: Bytes;
};

type Ports = {
  readonly config: Pick<Config, 'cas'>;
  readonly store: Store;
  readonly signer: Signer;
  readonly raKeys: RaKeys;
  readonly clock: Clock;
  /** No key is asked for or opened: who uses one of what is loaded gets an Outage. */
  readonly keyless?: true;
};

export class CaCertificates {
  readonly #ports: Ports;
  readonly #loaded = new SingleFlight<Ca>();

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** @throws {Outage} when the CA is not there or one of its keys does not fit its certificate */
  of(id: string): Promise<Ca> {
    return this.#get(id, RA_RELOAD_MS);
  }

  /** For a request to an unknown recipient: perhaps a new generation. Rate-limited. */
  reloaded(id: string): Promise<Ca> {
    return this.#get(id, RA_FORCED_RELOAD_MS);
  }

  /** For who signs no more than CRLs: no RA key is opened. @throws {Outage} as `of` does */
  async issuer(id: string): Promise<Issuer> {
    const view = new View(this.#ports.store);
    await view.load([{ kind: 'authority', key: id }]);
    const record = view.get('authority', id);
    if (!record) throw notInitialised(id);
    return issuerOf(this.#ports, id, record);
  }

  #get(id: string, maxAgeMs: number): Promise<Ca> {
    const age = { now: this.#ports.clock.now(), maxMs: maxAgeMs };
    return this.#loaded.get(id, () => load(this.#ports, id), age);
  }
}

async function load(ports: Ports, id: string): Promise<Ca> {
  const { config, store, raKeys, keyless } = ports;
  await selfTest();
  const view = new View(store);
  const ids = [...new Set([id, ...config.cas.keys()])];
  await view.load(ids.map((key) => ({ kind: 'authority', key })));
  const record = view.get('authority', id);
  if (!record) throw notInitialised(id);
  const issuer = await issuerOf(ports, id, record);
  const generations = await Promise.all(
    record.generations
      .filter(({ state }) => state !== 'retired')
      .map((generation) =>
        keyless ? closedGeneration(generation) : openGeneration(raKeys, id, generation),
      ),
  );
  const current = generations.find(({ state }) => state === 'current');
  if (!current) throw new Outage(`the CA "${id}" has no current RA certificate`);
  return {
    ...issuer,
    current,
    generations,
    ownKeys: new Set(ids.flatMap((key) => keysOf(view.get('authority', key)))),
    bag: encodeCertsOnly([current.certificate.der, ...record.chain.map(fromBase64)]),
  };
}

const notInitialised = (id: string): Outage =>
  new Outage(`the CA "${id}" has not been initialised: run "scepter ca init ${id}"`);

const waiting = (id: string): Outage =>
  new Outage(
    `the CA "${id}" waits for its certificate: have its root sign what "scepter ca init ${id} --csr" prints, then run "scepter ca import-chain"`,
  );

async function issuerOf(
  { signer, keyless }: Ports,
  id: string,
  record: AuthorityRecord,
): Promise<Issuer> {
  const [own] = record.chain.map(fromBase64);
  if (!own) throw waiting(id);
  const certificate = readCertificate(own);
  const key = publicKeyOf(certificate);
  const keyIdentifier = subjectKeyIdentifierOf(certificate);
  const announced = keyless ? key?.spki : await signer.publicKey(record.keyReference);
  if (!key || !keyIdentifier || !announced || !equal(key.spki, announced)) {
    throw new Outage(`the certificate of the CA "${id}" is not one of its key`);
  }
  const algorithm = signingAlgorithm(key.kind);
  const scheme = { kind: algorithm.kind, digest: digests[algorithm.digest] };
  const { keyReference } = record;
  return { id, keyReference, certificate, key, keyIdentifier, algorithm, scheme };
}

/** A record that cannot be read refuses everybody: the keys of a CA would not be known as such. */
function keysOf(record: AuthorityRecord | undefined): string[] {
  if (!record) return [];
  const certificates = [...record.chain, ...record.generations.map((ra) => ra.certificate)];
  try {
    return certificates.map((text) =>
      hex(hash('SHA-256', raw(readCertificate(fromBase64(text)).spki))),
    );
  } catch {
    throw new Outage(`the certificates of the CA "${record.ca}" cannot be read`);
  }
}

/** What a CA key of this kind signs with. */
export function signingAlgorithm(kind: KeyKind): SigningAlgorithm {
  if (kind.type === 'RSA') return { kind: 'RSASSA-PKCS1-v1_5', digest: 'SHA-256' };
  if (kind.type === 'EC' && kind.curve === 'P-256') return { kind: 'ECDSA', digest: 'SHA-256' };
  if (kind.type === 'EC' && kind.curve === 'P-384') return { kind: 'ECDSA', digest: 'SHA-384' };
  throw new Outage('a CA key must be RSA, P-256 or P-384');
}

/** Unseals its key, which must be its certificate's. @throws {Outage} */
export async function openGeneration(
  raKeys: RaKeys,
  ca: string,
  { id, state, certificate: text, sealedKey = '' }: RaGenerationRecord,
): Promise<Generation> {
  const pkcs8 = await raKeys.unseal(fromBase64(sealedKey), { ca, purpose: 'ra' });
  const certificate = readCertificate(fromBase64(text));
  const decryptionKey = rsaPrivateKey(pkcs8);
  const modulusOctets = checkPair(certificate, decryptionKey, id);
  return {
    id,
    state,
    certificate,
    decryptionKey,
    modulusOctets,
    signer: (digest) => ({
      certificate,
      digest,
      scheme: { kind: 'RSASSA-PKCS1-v1_5', digest: digests[digest] },
      sign: async (message) => signNatively(digest, decryptionKey, message),
    }),
  };
}

function closedGeneration({
  id,
  state,
  certificate: text,
}: AuthorityRecord['generations'][number]): Generation {
  const refuse = (): never => {
    throw new Outage('this process may not use the keys of an RA');
  };
  return {
    id,
    state,
    certificate: readCertificate(fromBase64(text)),
    get decryptionKey() {
      return refuse();
    },
    get modulusOctets() {
      return refuse();
    },
    signer: refuse,
  };
}

/** The sealed key must be the certificate's: what one encrypts, the other opens. */
function checkPair(certificate: Certificate, key: RsaPrivateKey, id: number): number {
  const announced = publicKeyOf(certificate);
  const probe = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
  if (announced?.kind.type === 'RSA') {
    const sealed = rsaesPkcs1Encrypt(announced.native(), probe);
    const opened = unwrapKey({ kind: 'RSAES-PKCS1-v1_5' }, key, sealed, new Uint8Array(16));
    if (equal(opened, probe)) return announced.kind.bits / 8;
  }
  throw new Outage(`the key of RA generation ${id} does not fit its certificate`);
}
