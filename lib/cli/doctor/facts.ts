// What the doctor has seen, before anything is made of it: the rim of the room gathers these, and the checks are
// functions of them.

import type { Bytes } from '../../base/bytes.ts';
import type { CaCertResponse, PkiRequest } from '../../protocol/scep/client/client.ts';
import type { Certificate } from '../../x509/certificate.ts';
import type { Heard } from './wire/http.ts';

export type TlsFacts = {
  /** Why the chain, its dates or its names are not trusted, by OpenSSL's code; undefined: they are. */
  readonly problem: string | undefined;
  /** The certificate is of other names: what it says. */
  readonly otherNames: string | undefined;
  readonly notAfter: number;
  /** Versions that it speaks. */
  readonly versions: readonly string[];
  /** It asks for a certificate of the client. */
  readonly asksForCertificate: boolean;
};

export type HostFacts = {
  readonly url: URL;
  readonly now: number;
  /** Of its name; undefined where the URL has an address. */
  readonly addresses: readonly string[] | undefined;
  readonly tls: TlsFacts | { readonly silence: string } | undefined;
  /** GetCACaps by http on port 80; undefined where the URL is of another port, or http itself. */
  readonly plain: Heard | undefined;
  /** GetCACaps in HTTP/1.0. */
  readonly http10: Heard;
  readonly caps: Heard;
};

export type Message = { readonly request: PkiRequest; readonly octets: Bytes };
export type Sent = { readonly message: Message; readonly said: Heard };

/** Ways of a pkiMessage to the server. */
export const ways = {
  post: 'POST',
  untyped: 'POST without Content-Type',
  halfClosed: 'POST in a half-closed connection',
  get: 'GET',
  get4: 'GET of 4 kB',
  get6: 'GET of 6 kB',
  plus: 'GET with "+" as it is',
  lines: 'GET with line ends',
  urlSafe: 'GET in the URL-safe alphabet',
  /** Half a message, to compare with where whole ones get no CertRep. */
  cut: 'POST of half a message',
  cutGet: 'GET of half a message',
} as const;
export type Way = keyof typeof ways;

/** A CRL or an OCSP response: of a certificate that names the place, and by whom that was issued. */
export type Fetched = {
  readonly url: string;
  readonly of: Certificate;
  readonly issuer: Certificate;
  readonly said: Heard;
};

export type Enrolled = Sent & {
  /** What the reply held; a sentence where it could not be opened. */
  readonly opened: readonly Certificate[] | string;
};

export type EndpointFacts = {
  readonly url: URL;
  readonly now: number;
  readonly caps: Heard;
  readonly cert: Heard;
  /** GetCACert by the CA identifiers that clients send. */
  readonly named: ReadonlyMap<string, Heard>;
  /** GetCACaps at the path with /pkiclient.exe; undefined where the path has it already. */
  readonly pathClient: Heard | undefined;
  readonly next: Heard;
  /** Undefined where there is no certificate to encrypt to. */
  readonly ca: CaCertResponse | undefined;
  /** All certificates of GetCACert, in their order. */
  readonly bag: readonly Certificate[];
  readonly exchanges: ReadonlyMap<Way, Sent>;
  readonly enrolled: Enrolled | undefined;
  readonly lists: readonly Fetched[];
  readonly statuses: readonly Fetched[];
  /** Further places that certificates name. */
  readonly unasked: number;
};
