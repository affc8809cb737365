// scepter mdm apple-profile: a configuration profile in a file, signed where a certificate is given for that.

import { type Command, Option } from 'commander';
import { utf8 } from '../../base/bytes.ts';
import { encodeSignedData } from '../../cms/signed-data.ts';
import { appleProfile, profileIdentifier } from '../../mdm/apple-profile.ts';
import { exists, readCertificates, readKey, replaceFile } from '../device/folder.ts';
import { certifies, syntax } from '../device/scep.ts';
import { CliError, type Io, jsonLine } from '../io.ts';
import {
  aboutEndpoint,
  addRequestOptions,
  deviceRequest,
  type MdmOptions,
  mdmFacts,
} from './asking.ts';

type AppleOptions = MdmOptions & {
  readonly signCert?: string;
  readonly signKey?: string;
  readonly out: string;
};

export function addAppleProfile(mdm: Command, io: Io): void {
  const command = mdm
    .command('apple-profile')
    .description(
      'a configuration profile for iPhones, iPads, Macs and Apple TVs, as .mobileconfig',
    );
  addRequestOptions(
    command,
    'the subject to ask for (RFC 4514), also with variables of an MDM such as %SerialNumber%',
  )
    .addOption(
      new Option('--sign-cert <file>', 'sign it: PEM of your certificate, then its issuers'),
    )
    .addOption(new Option('--sign-key <file>', 'with its key, PKCS#8 in PEM'))
    .requiredOption('--out <file>', 'where the profile goes')
    .option('--json', 'print one JSON object about it')
    .addHelpText(
      'after',
      `
The profile trusts the CA of the endpoint and its issuers, and has the device enrol as soon as it is installed: an RSA
key that cannot be exported, and the CA pinned by its fingerprint. With a challenge in it the file is a secret, and
only its owner may read it. Without one an MDM has to fill the field "Challenge".

Examples:
  scepter challenge create --subject CN=jane-mac | scepter mdm apple-profile --subject CN=jane-mac \\
    --challenge-stdin --out jane-mac.mobileconfig
  scepter mdm apple-profile --endpoint vpn --subject CN=%SerialNumber% --san email:vpn@example.com \\
    --sign-cert signer.pem --sign-key signer-key.pem --out vpn.mobileconfig
  scepter mdm apple-profile --scep-url '$FLEET_VAR_CUSTOM_SCEP_PROXY_URL_SCEPTER' --out fleet.mobileconfig --json`,
    )
    .action((options: AppleOptions) => writeProfile(io, options));
}

async function writeProfile(io: Io, options: AppleOptions): Promise<void> {
  const { signCert, signKey, out, json } = options;
  const signer = await signerIn(signCert, signKey);
  const wanted = await deviceRequest(io, options);
  const facts = await mdmFacts(io, options);
  const text = syntax(() => appleProfile(facts, wanted, () => crypto.randomUUID().toUpperCase()));
  const content = signer
    ? await encodeSignedData(utf8(text), [], signer, io.clock.now())
    : utf8(text);
  const isSecret = wanted.challenge !== undefined;
  await replaceFile(out, content, isSecret ? 0o600 : 0o644);
  const said = {
    file: out,
    ...aboutEndpoint(facts),
    identifier: profileIdentifier(facts.publicUrl, facts.endpoint.id),
    signed: signer !== undefined,
    challenge: isSecret,
  };
  if (json) io.out(jsonLine(said));
  else io.out(`${out}: ${said.identifier}, for ${said.url}\n`);
  if (!isSecret)
    io.note('it has no challenge: an MDM or the endpoint has to do without, or fill it in');
}

/** Who signs the profile, from the files that were named. @throws {CliError} */
async function signerIn(certFile: string | undefined, keyFile: string | undefined) {
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    throw new CliError('usage', 'give --sign-cert and --sign-key, or neither');
  }
  for (const [option, file] of [
    ['--sign-cert', certFile],
    ['--sign-key', keyFile],
  ] as const) {
    if (!(await exists(file))) throw new CliError('usage', `${option}: ${file} is not there`);
  }
  const [certificate, ...issuers] = await readCertificates(certFile);
  const key = await readKey(keyFile);
  if (!certificate || !key || !certifies(certificate, key)) {
    throw new CliError(
      'usage',
      `${keyFile} is not the key of the first certificate in ${certFile}: put the signer's first`,
    );
  }
  const { scheme, sign } = key;
  const others = issuers.map(({ der }) => der);
  return { certificate, issuers: others, digest: 'SHA-256', scheme, sign } as const;
}
