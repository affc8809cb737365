// How devices reach a deployment, and operators its admin API: what each way may be told, with every default.

import type { ICertificate } from 'aws-cdk-lib/aws-certificatemanager';
import type { IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import type { IHostedZone } from 'aws-cdk-lib/aws-route53';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';

/** The name that devices know. */
export interface Domain {
  /** In lower case, without a final dot. */
  readonly name: string;

  /**
   * The zone of Route 53 that the name is in; for a load balancer it may be a private one.
   * @default - DNS is elsewhere: `certificate` is given, and the owner of the name points it to `dnsTarget` of the
   * service
   */
  readonly zone?: IHostedZone;

  /**
   * Its certificate: for CloudFront one of us-east-1.
   * @default - a new one, validated in the zone; a load balancer must be given one
   */
  readonly certificate?: ICertificate;
}

/** CloudFront for CRLs and certificates of CAs alone. */
export interface FilesOptions {
  /**
   * Its name, which every certificate has as long as it is valid. One of your own can be pointed elsewhere later;
   * CloudFront's ends with the distribution. Where DNS is elsewhere, the owner of the name points it to
   * `filesDnsTarget` of the service.
   * @default - a name of CloudFront's
   */
  readonly domain?: Domain;
}

/** An API Gateway HTTP API. */
export interface HttpApiOptions {
  /**
   * Requests a second that the API accepts.
   * @default 100
   */
  readonly requestsPerSecond?: number;

  /**
   * The name that devices know; with it, the API's own address is closed, but for CloudFront without a zone.
   * @default - a name of AWS's
   */
  readonly domain?: Domain;
}

/** CloudFront in front of an HTTP API that answers to CloudFront alone. TLS is 1.2 or later with a domain. */
export interface CloudFrontOptions extends HttpApiOptions {
  /**
   * Also answers plain http, on the paths of SCEP and of CRLs and CA certificates in lower case, which is
   * how CloudFront knows them, for devices that cannot do better. The configuration's publicUrl decides
   * what certificates point to.
   * @default false
   */
  readonly plainHttp?: boolean;

  /**
   * Requests from one address in five minutes, from 10; more are refused. An enrolment is four of them, so a site
   * behind one address may enrol eight devices a second.
   * @default 10000
   */
  readonly rateLimit?: number;

  /**
   * ARN of a web ACL of scope CLOUDFRONT, which is in us-east-1.
   * @default - a new one with the rate rule, which only a stack in us-east-1 can make
   */
  readonly webAclArn?: string;

  /**
   * Secrets by which the SCEP function recognizes CloudFront: letters and digits. CloudFront sends the first
   * one, and the function accepts each, which it reads at its start. To rotate, put a new one in front, deploy, and
   * remove the old one a day later.
   * @default - a new one
   */
  readonly originSecrets?: ISecret[];
}

/** An internal load balancer. A request or a reply has at most 1 MB with it, CRLs too. */
export interface LoadBalancerOptions {
  /** The VPC that it is in. */
  readonly vpc: IVpc;

  /** The name that devices know, with its certificate. */
  readonly domain: Domain;

  /**
   * The VPC's subnets that it is in: of two zones or more.
   * @default - the private ones
   */
  readonly vpcSubnets?: SubnetSelection;

  /**
   * The addresses of IPv4 that may connect, as CIDR blocks.
   * @default - those of the VPC
   */
  readonly clients?: string[];

  /**
   * Also answers plain http, for devices that cannot do better. The configuration's publicUrl decides what
   * certificates point to.
   * @default false
   */
  readonly plainHttp?: boolean;

  /**
   * ARN of a web ACL of scope REGIONAL, in the region of the stack.
   * @default - none
   */
  readonly webAclArn?: string;
}

/** @internal */
export type IngressSettings =
  | { readonly type: 'functionUrl' }
  | (HttpApiOptions & { readonly type: 'httpApi' })
  | (LoadBalancerOptions & { readonly type: 'alb' })
  | (CloudFrontOptions & { readonly type: 'cloudfront' });

/** How devices reach the service. */
export class Ingress {
  /** The function's own https URL: for a first look. No web ACL, no domain. */
  static functionUrl(): Ingress {
    return new Ingress({ type: 'functionUrl' });
  }

  /** An API Gateway HTTP API. */
  static httpApi(options: HttpApiOptions = {}): Ingress {
    return new Ingress({ ...options, type: 'httpApi' });
  }

  /** CloudFront with a web ACL, in front of an HTTP API that answers to CloudFront alone. */
  static cloudFront(options: CloudFrontOptions = {}): Ingress {
    return new Ingress({ ...options, type: 'cloudfront' });
  }

  /** An internal Application Load Balancer, for devices in the network of a VPC. */
  static alb(options: LoadBalancerOptions): Ingress {
    return new Ingress({ ...options, type: 'alb' });
  }

  /**
   * @returns those of CloudFront by default
   * @internal
   */
  static settingsOf(ingress: Ingress = Ingress.cloudFront()): IngressSettings {
    return ingress.settings;
  }

  private readonly settings: IngressSettings;

  private constructor(settings: IngressSettings) {
    this.settings = settings;
  }
}

/** Whose tokens open the routes of the admin API. */
export interface JwtOptions {
  /** https URL of the issuer. */
  readonly issuer: string;

  /** A token must be for one of these audiences. */
  readonly audience: string[];
}

/** @internal */
export type AdminSettings = { readonly type: 'iam' } | (JwtOptions & { readonly type: 'jwt' });

/** How operators reach the admin API over HTTP. */
export class AdminAccess {
  /** A Function URL, for requests that are signed with AWS credentials. */
  static iam(): AdminAccess {
    return new AdminAccess({ type: 'iam' });
  }

  /** Routes of the API that devices use, for requests with a JWT. */
  static jwt(options: JwtOptions): AdminAccess {
    return new AdminAccess({ ...options, type: 'jwt' });
  }

  /** @internal */
  static settingsOf(admin: AdminAccess | undefined): AdminSettings | undefined {
    return admin?.settings;
  }

  private readonly settings: AdminSettings;

  private constructor(settings: AdminSettings) {
    this.settings = settings;
  }
}
