// Shell scripts that enrol with strongSwan's pki and with certmonger. Each compares the CA with what it has from here
// before it sends a challenge anywhere.

import { pem } from '../base/bytes.ts';
import { shellWord } from '../base/text.ts';
import { type DeviceRequest, type MdmFacts, rsaBits } from './facts.ts';
import { challengeLine, namesFor, plainAttributes } from './names.ts';

const lines = (...all: readonly string[]): string => all.map((line) => `${line}\n`).join('');

/** Reads as one shell word; the script stops with a sentence where nobody has given it. */
function challengeGiven(facts: MdmFacts, request: DeviceRequest): string {
  const { challenge } = request;
  if (challenge !== undefined) return lines(`challenge=${shellWord(challenge)}`);
  return lines(
    `# Made by: ${challengeLine(facts, request)}`,
    `: "\${challenge:?set the variable challenge to the challengePassword}"`,
  );
}

/**
 * strongSwan 5.9.8 and later.
 * @throws {SyntaxError} for names that its options cannot express
 */
export function strongswanScript(facts: MdmFacts, request: DeviceRequest): string {
  const program = "strongSwan's pki";
  const dn = plainAttributes(program, request).map(([type, value]) => `${type}=${value}`);
  const names = namesFor(program, request, ['dns', 'email', 'ip']);
  const chain = [facts.ca, ...facts.issuers];
  const files = chain.map((_, at) => (at === 0 ? 'ca.pem' : `ca-${at}.pem`));
  const url = shellWord(facts.url);
  const cas = files.map((file) => `--cacert ${file}`).join(' ');
  return [
    lines(
      '#!/usr/bin/env bash',
      '# The key, the certificate and the CA go into the folder that it runs in.',
    ),
    lines('set -eu', 'umask 077'),
    challengeGiven(facts, request),
    ...chain.map(({ certificate }, at) =>
      lines(`cat > ${files[at]} <<'PEM'`, pem('CERTIFICATE', certificate.der).trimEnd(), 'PEM'),
    ),
    lines(
      `pki --scepca --url ${url} --caout announced.pem --raout ra.pem --outform pem --force`,
      '# The challenge is sealed for whoever that is: it must be certified by the CA above.',
      `pki --verify --in ra.pem ${cas}`,
      `[ -s key.der ] || pki --gen --type rsa --size ${rsaBits(facts.endpoint.profile)} > key.der`,
      `pki --scep --url ${url} --in key.der --password "$challenge" \\`,
      `  --dn ${shellWord(dn.join(', '))}${names.map(({ value }) => ` --san ${shellWord(value)}`).join('')} \\`,
      `  --cacert-enc ra.pem --cacert-sig ra.pem ${cas} --outform pem > cert.pem`,
      'openssl x509 -in cert.pem -noout -subject -issuer -enddate',
    ),
  ].join('');
}

const certmongerOptions = { dns: '-D', email: '-E', ip: '-A' } as const;

/**
 * certmonger as a service, on the system's bus.
 * @throws {SyntaxError} for names that its options cannot express
 */
export function certmongerScript(facts: MdmFacts, request: DeviceRequest): string {
  const { endpoint, url, ca, issuers } = facts;
  const subject = plainAttributes('certmonger', request).map(([type, value]) => `${type}=${value}`);
  const names = namesFor('certmonger', request, ['dns', 'email', 'ip']).map(
    ({ kind, value }) => ` ${certmongerOptions[kind]} ${shellWord(value)}`,
  );
  const name = `scepter-${endpoint.id}`;
  // As certmonger prints them: in groups of eight digits.
  const known = [ca, ...issuers].map(({ sha1 }) => sha1.toUpperCase().match(/.{8}/g)?.join(' '));
  return [
    lines(
      '#!/usr/bin/env bash',
      '# The key and the certificate go into the folder that it runs in.',
    ),
    lines('set -eu', 'umask 077'),
    challengeGiven(facts, request),
    lines(
      `getcert list-cas -c ${name} | grep -qF -- ${shellWord(` -u ${url} `)} ||`,
      `  getcert add-scep-ca -c ${name} -u ${shellWord(url)}`,
      '# It asks for the certificates of the CA by itself; nothing is sent to another CA.',
      'for _ in $(seq 30); do',
      `  announced=$(getcert list-cas -c ${name} | grep 'CA certificate thumbprint (SHA1)' || true)`,
      '  [ -z "$announced" ] || break',
      '  sleep 1',
      'done',
      'case $announced in',
      `  ${known.map((one) => `*${shellWord(one ?? '')}`).join('|')}) ;;`,
      `  *) echo ${shellWord(`the CA at ${url} is another one, or did not answer: see getcert list-cas -c ${name}`)} >&2; exit 1 ;;`,
      'esac',
      `getcert request -w -c ${name} -g ${rsaBits(endpoint.profile)} -f "$PWD/cert.pem" -k "$PWD/key.pem" \\`,
      `  -N ${shellWord(subject.join(','))}${names.join('')} -L "$challenge"`,
      'getcert list -f "$PWD/cert.pem"',
    ),
  ].join('');
}

/**
 * What certmonger 0.79.17 was seen to do: beside the right CA it takes any RA certificate, and seals the challenge for
 * that.
 */
export const certmongerNotes = ({ url }: MdmFacts): readonly string[] =>
  url.startsWith('https:')
    ? []
    : [
        'certmonger does not compare the RA with the CA: by plain HTTP whoever is on the way can read the challenge. Give it an https address (--scep-url) where that matters',
      ];
