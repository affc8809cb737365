// The ingress, the domain and the admin API that the settings ask for.

import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { HostedZone, type IHostedZone } from 'aws-cdk-lib/aws-route53';
import type { Construct } from 'constructs';
import { AdminAccess, type Domain, type FilesOptions, Ingress } from '../ingress/access.ts';
import type { Context } from './context.ts';
import { originSecretsOf, vpcOf } from './existing.ts';
import { fail } from './settings.ts';

export function ingressOf(scope: Construct, context: Context): Ingress {
  const type = context.text('ingress') ?? 'cloudfront';
  const not = `cannot be had with ingress=${type}`;
  if (type === 'functionUrl') {
    context.refuse(not, 'domain', 'hostedZoneId', 'hostedZoneName', 'certificateArn');
    context.refuse(not, 'requestsPerSecond');
  }
  if (type === 'functionUrl' || type === 'httpApi') {
    context.refuse(not, 'plainHttp', 'webAclArn');
  }
  if (type !== 'cloudfront') context.refuse(not, 'rateLimit', 'originSecrets');
  if (type === 'alb') context.refuse(not, 'requestsPerSecond');
  else context.refuse(not, 'albVpcId', 'albSubnetIds', 'clients');
  const domain = domainOf(scope, context);
  const requestsPerSecond = context.number('requestsPerSecond');
  switch (type) {
    case 'functionUrl':
      return Ingress.functionUrl();
    case 'httpApi':
      return Ingress.httpApi({ domain, requestsPerSecond });
    case 'alb':
      return Ingress.alb({
        vpc: vpcOf(scope, context, 'albVpcId', 'albSubnetIds'),
        clients: context.list('clients'),
        domain: domain ?? fail('domain', 'is missing: a load balancer has no name of its own'),
        plainHttp: context.flag('plainHttp'),
        webAclArn: context.text('webAclArn'),
      });
    case 'cloudfront':
      return Ingress.cloudFront({
        domain,
        requestsPerSecond,
        plainHttp: context.flag('plainHttp'),
        rateLimit: context.number('rateLimit'),
        webAclArn: context.text('webAclArn'),
        originSecrets: originSecretsOf(scope, context),
      });
    default:
      return fail('ingress', `must be cloudfront, httpApi, alb or functionUrl, not "${type}"`);
  }
}

const ofCertificate = ['acm:[a-z0-9-]+:\\d{12}:certificate/.+', 'a certificate'] as const;

/** Its zone is that of the domain, where it is in it. */
export function filesOf(scope: Construct, context: Context): FilesOptions | undefined {
  const asked = context.flag('files');
  if (asked === false) fail('files', 'must be true, or be left out');
  const name = context.text('filesDomain');
  const arn = context.arn('filesCertificateArn', ...ofCertificate);
  if (name === undefined) {
    context.refuse('is of filesDomain, which is missing', 'filesCertificateArn');
    return asked && {};
  }
  const certificate =
    arn === undefined ? undefined : Certificate.fromCertificateArn(scope, 'FilesCertificate', arn);
  const zoneName = context.text('hostedZoneName');
  const isInZone = zoneName !== undefined && `.${name}`.endsWith(`.${zoneName}`);
  if (isInZone) return { domain: { name, certificate, zone: zoneAt(scope, 'FilesZone', context) } };
  if (certificate) return { domain: { name, certificate } };
  return fail(
    'filesCertificateArn',
    'is missing: filesDomain wants a certificate of us-east-1, unless it is in the zone of hostedZoneName',
  );
}

function domainOf(scope: Construct, context: Context): Domain | undefined {
  const name = context.text('domain');
  const certificateArn = context.arn('certificateArn', ...ofCertificate);
  if (name === undefined) {
    context.refuse(
      'is of a domain, and domain is missing',
      ...(['certificateArn', 'hostedZoneId', 'hostedZoneName'] as const),
    );
    return undefined;
  }
  return {
    name,
    zone: zoneOf(scope, context, certificateArn !== undefined),
    certificate:
      certificateArn === undefined
        ? undefined
        : Certificate.fromCertificateArn(scope, 'DomainCertificate', certificateArn),
  };
}

/** @param canBeElsewhere because there is a certificate: nobody has to write into the zone */
function zoneOf(scope: Construct, context: Context, canBeElsewhere: boolean) {
  const hostedZoneId = context.text('hostedZoneId');
  if (hostedZoneId === undefined && canBeElsewhere) {
    context.refuse('is of a zone, and hostedZoneId is missing', 'hostedZoneName');
    return undefined;
  }
  return zoneAt(scope, 'Zone', context);
}

const zoneAt = (scope: Construct, id: string, context: Context): IHostedZone =>
  HostedZone.fromHostedZoneAttributes(scope, id, {
    hostedZoneId: context.required('hostedZoneId'),
    zoneName: context.required('hostedZoneName'),
  });

export function adminOf(context: Context): AdminAccess | undefined {
  const type = context.text('admin');
  if (type !== 'jwt') context.refuse('is for admin=jwt', 'adminIssuer', 'adminAudience');
  switch (type) {
    case undefined:
      return undefined;
    case 'iam':
      return AdminAccess.iam();
    case 'jwt':
      return AdminAccess.jwt({
        issuer: context.required('adminIssuer'),
        audience: context.list('adminAudience') ?? fail('adminAudience', 'is missing'),
      });
    default:
      return fail('admin', `must be iam or jwt, not "${type}"; without it there is no admin URL`);
  }
}
