// The raw cryptography that one enrolment cannot do without (shared design 5), by node:crypto in
// this process, over the sizes of a real request: what CPU is measured against.

import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHash,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';

export type Item = { readonly name: string; readonly count: number; readonly work: () => void };

/** CPU microseconds (user and system, all threads) of one call, after a warm-up. */
export function cpuMicroseconds(work: () => void, runs: number): number {
  for (let i = 0; i < runs / 5; i++) work();
  const before = process.cpuUsage();
  for (let i = 0; i < runs; i++) work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / runs;
}

const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength });

/** @param caBits of the CA's RSA key; devices and RA have RSA-2048 */
export function denominator(caBits: number): readonly Item[] {
  const ra = rsa(2048);
  const ca = rsa(caBits);
  const device = rsa(2048);
  const attributes = randomBytes(250);
  const csr = randomBytes(700);
  const tbs = randomBytes(800);
  const padding = constants.RSA_NO_PADDING;
  const block = Buffer.concat([Buffer.alloc(1), randomBytes(255)]);
  const encrypted = publicEncrypt({ key: ra.publicKey, padding }, block);
  const signature = (key: KeyObject, data: Buffer) => sign('sha256', data, key);
  const bySigner = signature(device.privateKey, attributes);
  const byDevice = signature(device.privateKey, csr);
  const byCa = signature(ca.privateKey, tbs);
  const key = randomBytes(16);
  const request = randomBytes(720);
  const reply = randomBytes(1200);
  const cbc = (decrypting: boolean, data: Buffer) => {
    const make = decrypting ? createDecipheriv : createCipheriv;
    const cipher = make('aes-128-cbc', key, key).setAutoPadding(false);
    cipher.update(data.subarray(0, data.length - (data.length % 16)));
    cipher.final();
  };
  const hash = (data: Buffer) => createHash('sha256').update(data).digest();
  return [
    {
      name: 'RSA-2048 private decrypt (RA)',
      count: 1,
      work: () => void privateDecrypt({ key: ra.privateKey, padding }, encrypted),
    },
    { name: `RSA-${caBits} sign (CA)`, count: 1, work: () => void signature(ca.privateKey, tbs) },
    { name: 'RSA-2048 sign (RA)', count: 1, work: () => void signature(ra.privateKey, attributes) },
    {
      name: 'RSA-2048 verify (pkiMessage)',
      count: 1,
      work: () => void verify('sha256', attributes, device.publicKey, bySigner),
    },
    {
      name: 'RSA-2048 verify (PKCS#10)',
      count: 1,
      work: () => void verify('sha256', csr, device.publicKey, byDevice),
    },
    {
      name: `RSA-${caBits} verify (own signature; signer)`,
      count: 2,
      work: () => void verify('sha256', tbs, ca.publicKey, byCa),
    },
    {
      name: 'RSA-2048 encrypt (reply)',
      count: 1,
      work: () =>
        void publicEncrypt({ key: device.publicKey, padding: constants.RSA_PKCS1_PADDING }, key),
    },
    { name: 'AES-128-CBC decrypt 720 octets', count: 1, work: () => cbc(true, request) },
    { name: 'AES-128-CBC encrypt 1200 octets', count: 1, work: () => cbc(false, reply) },
    { name: 'SHA-256 over 1.2 kB', count: 2, work: () => void hash(reply) },
  ];
}
