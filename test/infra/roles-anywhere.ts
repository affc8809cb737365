// IAM Roles Anywhere of a stack, which moto does not know: the template without it, where whatever refers to it is
// told ARNs as AWS gives them, and what the emulator has to know of it.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporary } from '../support/process.ts';
import type { Anchor } from '../support/roles-anywhere.ts';
import { at, templateAt } from './templates.ts';

const kinds = {
  'AWS::RolesAnywhere::TrustAnchor': ['TrustAnchorArn', 'trust-anchor'],
  'AWS::RolesAnywhere::Profile': ['ProfileArn', 'profile'],
} as const;
const id = '11111111-2222-3333-4444-555555555555';

/** @returns the path of a template that moto takes */
export function withoutRolesAnywhere(path: string, place: string): string {
  const { Resources } = templateAt(path);
  const ours = Object.entries(Resources).flatMap(([name, { Type }]) =>
    Type in kinds ? [[name, ...kinds[Type as keyof typeof kinds]] as const] : [],
  );
  if (ours.length === 0) return path;
  let text = JSON.stringify(JSON.parse(readFileSync(path, 'utf8')));
  for (const [name, attribute, kind] of ours) {
    const reference = JSON.stringify({ 'Fn::GetAtt': [name, attribute] });
    text = text.replaceAll(
      reference,
      JSON.stringify(`arn:aws:rolesanywhere:${place}:${kind}/${id}`),
    );
  }
  const template = JSON.parse(text);
  for (const [name] of ours) delete template.Resources[name];
  const file = join(temporary('template'), 'Scepter.template.json');
  writeFileSync(file, JSON.stringify(template));
  return file;
}

/** @returns undefined where the stack has no trust anchor */
export function anchorOf(
  path: string,
  outputs: Readonly<Record<string, string>>,
): Anchor | undefined {
  const resources = Object.values(templateAt(path).Resources);
  const anchor = resources.find(({ Type }) => Type === 'AWS::RolesAnywhere::TrustAnchor');
  if (!anchor) return undefined;
  const certificate = String(at(anchor.Properties, 'Source.SourceData.X509CertificateData'));
  const role = resources.find(({ Properties }) =>
    JSON.stringify(Properties).includes('aws:PrincipalTag/x509Subject/CN'),
  );
  const [, commonName = ''] =
    /"aws:PrincipalTag\/x509Subject\/CN":"([^"]+)"/.exec(JSON.stringify(role)) ?? [];
  const { Region = '', TrustAnchor = '', WorkerProfile = '', WorkerRole = '' } = outputs;
  return {
    ...{ region: Region, certificate, commonName },
    ...{ trustAnchor: TrustAnchor, profile: WorkerProfile, role: WorkerRole },
  };
}
