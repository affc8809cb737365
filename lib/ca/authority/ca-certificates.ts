// The CAs as this instance holds them, by what it may do with their keys: only the public part, a CA whose
// key signs, or also RA keys, unsealed and checked. They are kept for five minutes. Loading is
// single-flight; a failed load is not kept.

import { raw } from '../../asn1/reader.ts';
import { type Bytes, equal, fromBase64, hex } from '../../base/bytes.ts';
import { Outage } from '../../base/errors.ts';
import { RA_FORCED_RELOAD_MS, RA_RELOAD_MS } from '../../base/limits.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import type { RaGenerationState } from '../../base/words.ts';
import { encodeCertsOnly } from '../../cms/certs-only.ts';
import { selfTest } from '../../cms/self-test.ts';
import type { CmsSigner } from '../../cms/signed-data.ts';
import type { Config } from '../../config/config.ts';
import {
  type DigestName,
  digests,
  type SigningAlgorithm,
  signingAlgorithmOf,
} from '../../crypto/algorithms.ts';
import { isPair } from '../../crypto/key-transport.ts';
import { hash, type RsaPrivateKey, rsaPrivateKey, signNatively } from '../../crypto/native.ts';
import type { Clock } from '../../ports/clock.ts';
import type { RaKeys } from '../../ports/ra-keys.ts';
import type {
  AuthorityRecord,
  CrlPartitions,
  RaGenerationRecord,
} from '../../ports/records/registry.ts';
import type { Signer } from '../../ports/signer.ts';
import type { Store } from '../../ports/store.ts';
import type { SignatureScheme } from '../../x509/algorithm.ts';
import {
  type Certificate,
  publicKeyOf,
  readCertificate,
  subjectKeyIdentifierOf,
} from '../../x509/certificate.ts';
import type { Templates } from '../../x509/lint/issued.ts';
import type { KeyKind, PublicKey } from '../../x509/public-key.ts';
import { View } from '../record/unit-of-work.ts';
import { crlNamesOf } from '../revoke/partitions.ts';
import { retiredOn } from './as-made.ts';
import { loadCas, servedCas } from './known.ts';

/** One RA key pair that this endpoint answers for. */
export type Generation = {
  readonly id: number;
  readonly state: RaGenerationState;
  readonly certificate: Certificate;
  readonly decryptionKey: RsaPrivateKey;
  /** Octets of an encrypted key addressed to it. */
  readonly modulusOctets: number;
  /** Signs replies with the digest given. */
  signer(digest: DigestName): CmsSigner;
};

/** The CA without its RA keys, for callers that only sign. */
export type Issuer = {
  readonly id: string;
  readonly keyReference: string;
  readonly certificate: Certificate;
  readonly key: PublicKey;
  readonly keyIdentifier: Bytes;
  readonly algorithm: SigningAlgorithm;
  readonly scheme: SignatureScheme;
  /** As in its record; empty: one CRL tells of all its certificates. */
  readonly partitions: readonly CrlPartitions[];
};

export type Ca = Issuer & {
  /** Hexadecimal SHA-256 of the SubjectPublicKeyInfo of every key that must never be a device's: those
   * of all CAs of this deployment, of their issuers, and of their RA generations, retired ones too. */
  readonly ownKeys: ReadonlySet<string>;
  /** What the certificates that it issues have in common, as pkijs has read it. */
  readonly templates: Templates;
};

/** A CA with the keys of its RA, which answers devices. */
export type AnsweringCa = Ca & {
  /** The one that GetCACert announces, and all that requests may be encrypted to. */
  readonly current: Generation;
  readonly generations: readonly Generation[];
  /** GetCACert's certs-only message: the current RA, then the chain (RFC 8894 §4.2.1.2). */
  readonly bag: Bytes;
};

type Ports = {
  readonly config: Pick<Config, 'cas'>;
  readonly store: Store;
  readonly clock: Clock;
};
type IssuingPorts = Ports & { readonly signer: Pick<Signer, 'publicKey'> };
type AnsweringPorts = IssuingPorts & { readonly raKeys: Pick<RaKeys, 'unseal'> };

/** `crls`: the names of its CRLs. */
type PublicPart = { readonly certificate: Certificate; readonly crls: ReadonlySet<string> };

/** What records say of the CAs: no key is asked for or opened. */
export class CaCertificates {
  readonly #ports: Ports;
  readonly #told = new SingleFlight<PublicPart>();
  readonly #served = new SingleFlight<readonly string[]>();

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** @throws {Outage} when the CA is not there */
  async ca(id: string): Promise<Ca> {
    const { record, ownKeys } = await recordsOf(this.#ports, id);
    return { ...issuerOf(id, record), ownKeys, templates: new Map() };
  }

  /** The CAs whose CRLs are published and served; the store is asked seldom, because anybody may ask here.
   * @throws {Outage} */
  served(): Promise<readonly string[]> {
    const age = { now: this.#ports.clock.now(), maxMs: RA_RELOAD_MS };
    return this.#served.get('served', () => servedCas(this.#ports), age);
  }

  /** Forgets what has been loaded, because it has been changed. */
  reload(): void {
    this.#told.clear();
    this.#served.clear();
  }

  /** @throws {Outage} when the CA is not there */
  async certificate(id: string): Promise<Certificate> {
    return (await this.#public(id)).certificate;
  }

  /** @param name of a CRL, which may be of a new generation. Rate-limited, and what is loaded stays. @throws {Outage} */
  async hasCrl(id: string, name: string): Promise<boolean> {
    if ((await this.#public(id)).crls.has(name)) return true;
    return (await this.#public(id, `${id}, again`, RA_FORCED_RELOAD_MS)).crls.has(name);
  }

  #public(id: string, flight = id, maxMs = RA_RELOAD_MS): Promise<PublicPart> {
    const age = { now: this.#ports.clock.now(), maxMs };
    const read = async (): Promise<PublicPart> => {
      const record = await recordOf(this.#ports, id);
      const [own] = record.chain.map(fromBase64);
      if (!own) throw new WaitsForRoot(id);
      return { certificate: readCertificate(own), crls: new Set(crlNamesOf(record)) };
    };
    return this.#told.get(flight, read, age);
  }

  /** What the CA's certificate says its key is. @throws {Outage} */
  async publicKey(id: string): Promise<PublicKey> {
    const key = publicKeyOf(await this.certificate(id));
    if (!key) throw new Outage(`the certificate of the CA "${id}" has no key that can be used`);
    return key;
  }
}

/** The CAs of a process that may sign with their keys. */
export class IssuingCas extends CaCertificates {
  readonly #ports: IssuingPorts;

  constructor(ports: IssuingPorts) {
    super(ports);
    this.#ports = ports;
  }

  /** @throws {Outage} when the CA is not there, or its key does not fit its certificate */
  async issuer(id: string): Promise<Issuer> {
    return checkedIssuer(this.#ports.signer, id, await recordOf(this.#ports, id));
  }
}

/** The CAs of a process that answers devices. */
export class AnsweringCas extends IssuingCas {
  readonly #ports: AnsweringPorts;
  readonly #loaded = new SingleFlight<AnsweringCa>();

  constructor(ports: AnsweringPorts) {
    super(ports);
    this.#ports = ports;
  }

  /** @throws {Outage} when the CA is not there or one of its keys does not fit its certificate */
  of(id: string): Promise<AnsweringCa> {
    return this.#get(id, RA_RELOAD_MS);
  }

  override reload(): void {
    super.reload();
    this.#loaded.clear();
  }

  override ca(id: string): Promise<Ca> {
    return this.of(id);
  }

  /** For a request to an unknown recipient: perhaps a new generation. Rate-limited. */
  reloaded(id: string): Promise<AnsweringCa> {
    return this.#get(id, RA_FORCED_RELOAD_MS);
  }

  #get(id: string, maxAgeMs: number): Promise<AnsweringCa> {
    const age = { now: this.#ports.clock.now(), maxMs: maxAgeMs };
    return this.#loaded.get(id, () => load(this.#ports, id), age);
  }
}

async function load(ports: AnsweringPorts, id: string): Promise<AnsweringCa> {
  const { signer, raKeys } = ports;
  await selfTest();
  const { record, ownKeys } = await recordsOf(ports, id);
  const issuer = await checkedIssuer(signer, id, record);
  const generations = await Promise.all(
    record.generations
      .filter(({ state }) => state !== 'retired')
      .map((generation) => openGeneration(raKeys, id, generation)),
  );
  const current = generations.find(({ state }) => state === 'current');
  if (!current) throw new Outage(`the CA "${id}" has no current RA certificate`);
  return {
    ...issuer,
    current,
    generations,
    ownKeys,
    templates: new Map(),
    bag: encodeCertsOnly([current.certificate.der, ...record.chain.map(fromBase64)]),
  };
}

async function recordOf({ store }: Pick<Ports, 'store'>, id: string): Promise<AuthorityRecord> {
  const view = new View(store);
  await view.load([{ kind: 'authority', key: id }]);
  return recordIn(view, id);
}

function recordIn(view: View, id: string): AuthorityRecord {
  const record = view.get('authority', id);
  if (!record) throw notInitialised(id);
  if (record.retiredAt !== undefined) {
    throw new Outage(`the CA "${id}" ${retiredOn(record.retiredAt)}`);
  }
  return record;
}

/** The record of a CA, and the keys of all. */
async function recordsOf(ports: Ports, id: string) {
  const view = new View(ports.store);
  const ids = await loadCas(ports, view);
  await view.load([{ kind: 'authority', key: id }]);
  const record = recordIn(view, id);
  const all = new Set([id, ...ids]);
  return {
    record,
    ownKeys: new Set([...all].flatMap((key) => keysOf(view.get('authority', key)))),
  };
}

const notInitialised = (id: string): Outage =>
  new Outage(`the CA "${id}" has not been initialised: run "scepter ca init ${id}"`);

/** The root of a new CA has yet to sign its certificate. */
export class WaitsForRoot extends Outage {
  constructor(id: string) {
    super(
      `the CA "${id}" waits for its certificate: have its root sign what "scepter ca init ${id} --csr" prints, then run "scepter ca import-chain"`,
    );
  }
}

const notOfItsKey = (id: string): Outage =>
  new Outage(`the certificate of the CA "${id}" is not one of its key`);

function issuerOf(id: string, record: AuthorityRecord): Issuer {
  const { chain, keyReference, partitions = [] } = record;
  const [own] = chain.map(fromBase64);
  if (!own) throw new WaitsForRoot(id);
  const certificate = readCertificate(own);
  const key = publicKeyOf(certificate);
  const keyIdentifier = subjectKeyIdentifierOf(certificate);
  if (!key || !keyIdentifier) throw notOfItsKey(id);
  const algorithm = signingAlgorithm(key.kind);
  const scheme = { kind: algorithm.kind, digest: digests[algorithm.digest] };
  return { id, keyReference, certificate, key, keyIdentifier, algorithm, scheme, partitions };
}

/** The key that signs must be that of the certificate. @throws {Outage} */
async function checkedIssuer(
  signer: Pick<Signer, 'publicKey'>,
  id: string,
  record: AuthorityRecord,
): Promise<Issuer> {
  const issuer = issuerOf(id, record);
  const announced = await signer.publicKey(issuer.keyReference);
  if (!equal(issuer.key.spki, announced)) throw notOfItsKey(id);
  return issuer;
}

/** An unreadable record fails every request: without it the keys of a CA could not be recognized as such. */
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
  const algorithm = signingAlgorithmOf(kind);
  if (!algorithm) throw new Outage('a CA key must be RSA, P-256 or P-384');
  return algorithm;
}

/** Unseals its key, which must be its certificate's. @throws {Outage} */
export async function openGeneration(
  raKeys: Pick<RaKeys, 'unseal'>,
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
      sign: (message) => signNatively(digest, decryptionKey, message),
    }),
  };
}

/** The sealed key must be the certificate's. */
function checkPair(certificate: Certificate, key: RsaPrivateKey, id: number): number {
  const announced = publicKeyOf(certificate);
  if (announced?.kind.type === 'RSA' && isPair(announced.native(), key)) {
    return announced.kind.bits / 8;
  }
  throw new Outage(`the key of RA generation ${id} does not fit its certificate`);
}
