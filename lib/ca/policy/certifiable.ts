// Checks that each profile can be certified at all. A certificate of each kind is built like a device's,
// with a dummy key, and linted. So a profile that certifies nothing is found before a device asks: when a
// server starts, in `config validate`, and daily.

import { scan } from '../../asn1/reader.ts';
import { bits, integer, objectIdentifier, sequence } from '../../asn1/writer.ts';
import { type Bytes, concat } from '../../base/bytes.ts';
import { SERIAL_OCTETS } from '../../base/limits.ts';
import type { Authority, Config } from '../../config/config.ts';
import type { Profile } from '../../config/profile.ts';
import { curves, digests, oids } from '../../crypto/algorithms.ts';
import { rsaEncryption } from '../../x509/algorithm.ts';
import { lintIssued, type Templates } from '../../x509/lint/issued.ts';
import { parseGeneralName } from '../../x509/names/general-name.ts';
import { parseName } from '../../x509/names/name.ts';
import { readPublicKey } from '../../x509/public-key.ts';
import { signingAlgorithm } from '../authority/ca-certificates.ts';
import { buildTbsCertificate, type Certifier, issuedOf } from './build-certificate.ts';

const sampleNames = ['dns:sample.example', 'sid:S-1-5-21-1-2-3-1001'].map(parseGeneralName);
const samples = ['CN=sample', ''].map(parseName).flatMap((subject) =>
  [[], sampleNames.slice(0, 1), sampleNames.slice(1), sampleNames].map((names) => {
    return { subject, names };
  }),
);

/**
 * @param templates take those of the samples; by default they are forgotten
 * @returns a sentence for each profile, by its path, and kind of key of which this CA could sign nothing
 */
export async function uncertifiable(
  config: Pick<Config, 'filesUrl' | 'endpoints'>,
  ca: Certifier,
  templates: Templates = new Map(),
): Promise<string[]> {
  const { notBefore: now } = ca.certificate;
  const problems = new Set<string>();
  const endpoints = [...config.endpoints.values()].filter((endpoint) => endpoint.ca === ca.id);
  for (const profile of new Set(endpoints.map((endpoint) => endpoint.profile))) {
    for (const csr of sampleKeys(profile)) {
      for (const names of samples) {
        const contents = { config, ca, profile, names, csr };
        const built = buildTbsCertificate(contents, new Uint8Array(SERIAL_OCTETS).fill(0x40), now);
        const finding = await lintIssued(issuedOf(contents, built), templates);
        // Of a request it is asked with its own names.
        if (finding?.blame !== 'ours') continue;
        const { id, citation } = finding;
        problems.add(
          `profiles.${profile.id}: no certificate for ${csr.publicKey.kind.type} keys can be signed by the CA "${ca.id}": lint ${id} (${citation})`,
        );
      }
    }
  }
  return [...problems];
}

/** One of each kind that the profile certifies. */
const sampleKeys = ({ keys: { rsa, ec, ed25519 } }: Profile) =>
  [
    ...(rsa ? [rsaSample(rsa.min)] : []),
    ...ec.slice(0, 1).map((name) => curveSample(curves[name])),
    ...(ed25519 ? [spki(sequence(objectIdentifier(oids.ed25519)), new Uint8Array(32))] : []),
  ].flatMap((der) => {
    const element = scan(der);
    const publicKey = readPublicKey(element);
    return publicKey ? [{ spki: element, publicKey }] : [];
  });

const spki = (algorithm: Bytes, key: Bytes): Bytes => sequence(algorithm, bits(key));
const rsaSample = (length: number): Bytes =>
  spki(rsaEncryption, sequence(integer(new Uint8Array(length / 8).fill(0xff)), integer(65537)));
const curveSample = ({ oid, octets }: { readonly oid: string; readonly octets: number }): Bytes =>
  spki(
    sequence(objectIdentifier(oids.ecPublicKey), objectIdentifier(oid)),
    concat([Uint8Array.of(4), new Uint8Array(2 * octets)]),
  );

/** A CA as it is configured, for where its certificate is not at hand. */
export function sampleCa({ id, subject, key, validityMs }: Authority): Certifier {
  const algorithm = signingAlgorithm(key);
  return {
    id,
    scheme: { kind: algorithm.kind, digest: digests[algorithm.digest] },
    keyIdentifier: new Uint8Array(20),
    partitions: [],
    certificate: { subject, notBefore: 0, notAfter: validityMs },
  };
}
