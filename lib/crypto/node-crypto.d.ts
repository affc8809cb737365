// All of node:crypto that `native.ts` may touch, for the type check of the pure rooms, which run
// without Node's types (tsconfig.core.json). What is not declared here cannot be used there.
declare module 'node:buffer' {
  const Buffer: { from(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> };
}

declare module 'node:crypto' {
  type Bytes = Uint8Array<ArrayBuffer>;
  type KeyObject = {
    readonly type: 'private' | 'public' | 'secret';
    equals(other: KeyObject): boolean;
    export(form: { type: 'spki'; format: 'der' }): Bytes;
  };
  class X509Certificate {
    constructor(der: Bytes);
    readonly serialNumber: string;
    readonly subject: string;
    readonly validFrom: string;
    readonly validTo: string;
    readonly subjectAltName: string | undefined;
    readonly publicKey: KeyObject;
  }
  type DerKey = { key: Bytes; format: 'der' };
  const constants: { readonly RSA_NO_PADDING: number; readonly RSA_PKCS1_PADDING: number };
  function createPrivateKey(key: DerKey & { type: 'pkcs8' }): KeyObject;
  function createPublicKey(pem: string): KeyObject;
  function createSecretKey(key: Uint8Array): KeyObject;
  function privateDecrypt(key: { key: KeyObject; padding: number }, data: Uint8Array): Bytes;
  function publicEncrypt(key: { key: KeyObject; padding: number }, data: Uint8Array): Bytes;
  function hash(name: string, data: Uint8Array, encoding: 'buffer'): Bytes;
  function createHmac(
    name: string,
    key: KeyObject,
  ): { update(data: Uint8Array): { digest(): Bytes } };
  function sign(
    digest: string,
    data: Uint8Array,
    key: KeyObject,
    callback: (error: Error | null, signature: Bytes) => void,
  ): void;
  function verify(digest: string, data: Uint8Array, key: KeyObject, signature: Uint8Array): boolean;
  type Cbc = {
    setAutoPadding(on: boolean): Cbc;
    update(data: Uint8Array): Bytes;
    final(): Bytes;
  };
  function createCipheriv(name: string, key: KeyObject, iv: Uint8Array): Cbc;
  function createDecipheriv(name: string, key: KeyObject, iv: Uint8Array): Cbc;
}
