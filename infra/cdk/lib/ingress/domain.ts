// Names, their certificates and their records.

import { DomainName, IpAddressType } from 'aws-cdk-lib/aws-apigatewayv2';
import {
  Certificate,
  CertificateValidation,
  type ICertificate,
} from 'aws-cdk-lib/aws-certificatemanager';
import { type DistributionProps, SecurityPolicyProtocol } from 'aws-cdk-lib/aws-cloudfront';
import {
  AaaaRecord,
  ARecord,
  type IAliasRecordTarget,
  RecordTarget,
} from 'aws-cdk-lib/aws-route53';
import { ApiGatewayv2DomainProperties } from 'aws-cdk-lib/aws-route53-targets';
import type { Construct } from 'constructs';
import type { Domain } from './access.ts';

/**
 * The name of the API that only CloudFront uses. Its certificate is in the stack's own region. Where nobody can make
 * either here, the API keeps its own address.
 */
export const originOf = ({ name, zone }: Domain): Domain | undefined =>
  zone && { name: `origin.${name}`, zone };

export const makeCertificate = (
  scope: Construct,
  id: string,
  { name, zone }: Domain,
): ICertificate =>
  new Certificate(scope, id, {
    domainName: name,
    validation: CertificateValidation.fromDns(zone),
  });

/** @returns how CloudFront answers to the name, if it has one of its own */
export const namedBy = (
  scope: Construct,
  id: string,
  domain: Domain | undefined,
): Pick<DistributionProps, 'domainNames' | 'certificate' | 'minimumProtocolVersion'> =>
  domain
    ? {
        domainNames: [domain.name],
        certificate: domain.certificate ?? makeCertificate(scope, id, domain),
        minimumProtocolVersion: SecurityPolicyProtocol.TLS_V1_2_2021,
      }
    : {};

export function makeDomain(scope: Construct, id: string, domain: Domain): DomainName {
  const made = new DomainName(scope, id, {
    domainName: domain.name,
    ipAddressType: IpAddressType.DUAL_STACK,
    certificate: domain.certificate ?? makeCertificate(scope, `${id}Certificate`, domain),
  });
  const { regionalDomainName, regionalHostedZoneId } = made;
  const target = new ApiGatewayv2DomainProperties(regionalDomainName, regionalHostedZoneId);
  makeRecords(scope, id, domain, target);
  return made;
}

/** Records A and AAAA, for devices with IPv4 and with IPv6, where there is a zone. */
export function makeRecords(
  scope: Construct,
  id: string,
  { name, zone }: Domain,
  target: IAliasRecordTarget,
  only?: 'A',
): void {
  if (!zone) return;
  const record = { zone, recordName: name, target: RecordTarget.fromAlias(target) };
  new ARecord(scope, `${id}A`, record);
  if (only === undefined) new AaaaRecord(scope, `${id}Aaaa`, record);
}
