// Known answers for everything a request's safety rests on, computed once per instance before the
// first RA key is used: platforms disagree on RSA padding, and one that throws where it should not
// is an oracle. Any difference stops the instance from answering (fail closed). The key is a test
// key made for this page; the ciphertexts and signatures were made by openssl.

import { scan } from '../asn1/reader.ts';
import { type Bytes, equal, fromBase64, fromHex, utf8 } from '../base/bytes.ts';
import { Outage } from '../base/errors.ts';
import { SingleFlight } from '../base/single-flight.ts';
import { digests } from '../crypto/algorithms.ts';
import { type KeyTransport, unwrapKey } from '../crypto/key-transport.ts';
import { cbcDecrypt, rsaPrivateKey } from '../crypto/native.ts';
import { readPublicKey, verifySignature } from '../x509/public-key.ts';

const passed = new SingleFlight<void>();

/** Once it has passed, it is not run again. @throws {Outage} naming what failed */
export const selfTest = (): Promise<void> => passed.get('self-test', run);

async function run(): Promise<void> {
  const key = rsaPrivateKey(fromBase64(privateKey));
  const fallback = new Uint8Array(16).fill(0xaa);
  const unwraps = (transport: KeyTransport, ciphertext: string, expected: Bytes): boolean =>
    equal(unwrapKey(transport, key, fromBase64(ciphertext), fallback), expected);
  const pkcs1: KeyTransport = { kind: 'RSAES-PKCS1-v1_5' };
  const oaepSha1: KeyTransport = { kind: 'RSAES-OAEP', digest: 'SHA-1', mgf1: 'SHA-1' };
  const oaepSha256: KeyTransport = { kind: 'RSAES-OAEP', digest: 'SHA-256', mgf1: 'SHA-256' };
  const answers: Record<string, boolean> = {
    'RSAES-PKCS1-v1_5': unwraps(pkcs1, pkcs1Ciphertext, message),
    'RSAES-PKCS1-v1_5 of block type 1': unwraps(pkcs1, blockType1Ciphertext, fallback),
    'RSAES-PKCS1-v1_5 beyond the modulus': equal(
      unwrapKey(pkcs1, key, new Uint8Array(256).fill(0xff), fallback),
      fallback,
    ),
    'RSAES-OAEP with SHA-1': unwraps(oaepSha1, oaepSha1Ciphertext, message),
    'RSAES-OAEP with SHA-256': unwraps(oaepSha256, oaepSha256Ciphertext, message),
    'RSAES-OAEP with the wrong digest': unwraps(oaepSha1, oaepSha256Ciphertext, fallback),
    'AES-CBC': equal(cbcDecrypt('AES-128', message, message, fromHex(aesBlock)), message),
    '3DES-CBC': equal(
      cbcDecrypt('3DES', fromHex(tripleDesKey), message.subarray(0, 8), fromHex(tripleDesBlocks)),
      message,
    ),
    'RSASSA-PKCS1-v1_5': await verifies(rsaPublicKey, 'RSASSA-PKCS1-v1_5', rsaSignature),
    ECDSA: await verifies(ecPublicKey, 'ECDSA', ecdsaSignature),
    'RSASSA-PKCS1-v1_5 of another message': !(await verifies(
      rsaPublicKey,
      'RSASSA-PKCS1-v1_5',
      pkcs1Ciphertext,
    )),
  };
  const failed = Object.entries(answers).flatMap(([name, right]) => (right ? [] : [name]));
  if (failed.length > 0)
    throw new Outage(`self-test failed on this platform: ${failed.join(', ')}`);
}

async function verifies(
  spki: string,
  kind: 'RSASSA-PKCS1-v1_5' | 'ECDSA',
  signature: string,
): Promise<boolean> {
  const key = readPublicKey(scan(fromBase64(spki)));
  const scheme = { kind, digest: digests['SHA-256'] };
  const octets = fromBase64(signature);
  return key !== undefined && verifySignature(key, scheme, utf8('scepter self-test'), octets);
}

const message = fromHex('000102030405060708090a0b0c0d0e0f');
const tripleDesKey = '000102030405060708090a0b0c0d0e0f0001020304050607';
const aesBlock = 'c6a13b37878f5b826f4f8162a1c8d879';
const tripleDesBlocks = 'ddada161e8d79673ed7532e59223cd0d';
const privateKey = [
  'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7lW+F30QxoWgp5Eu0CDVQEp/9Vhug9bXKxg5cFoe3',
  'DVCnriQAqiNvXDaqLFZw9pJkityPzQ6NNkeyWr7NHKgoncdizlgby0HjjxiKst/evteuERAeb+QoJy1GX3NmBG1aMaod',
  'WkSTSRtXcWr3Grq0YlJl60NdGMByOpGi9uund1KdJpsqOsTe1i44uoOT4QJ8jjU/p+suIEKinm/WFu6jvapOBu1bEmi0',
  'T+8mDyJBJqc4CrXVl62XXLdemJhE2bvLpKcR4NWraRkFVg3P9Aoljo1T1iRsunmLkbgjorxR2ervdczfwEVZJlRV67Kg',
  'CXsrXJjiAqdSVgEJQl1dpSLpAgMBAAECggEAEFhMj+cs64Arcd8FI6pFbvU4gJwUqzlNvl30mVyTNcWQvhOj6nTowobP',
  '8pMLcythBSa+Yj9VYcOVirpyfq/dDTD2Uys0rTNQSfJJiqhcbm3FoFK3S1enk0IapVOi3ARNvPqv3n/jksvfeIaW8fIf',
  'y6D3mg7eX0nNVwa4cvE+BmjuPx9IJ2s57QqXiUrD+Htsc2GcsdoLq9f/ZnAUXCG6CKQsAomCqE2dvjPPTW7UmbMNMgXj',
  'lrw/m9odJzcBEhImFiM4XPn/cnYsyt97RXHNcX8PBTi1KB37UzD0UB5NJyPVcTIzN46C+dMegInxGNJqRFhbOKXyiYtD',
  '2qS7w3NVAwKBgQD6i42wsQkwSQC9DKHMCmleEOZUFJrCs3zAYX1hooWFU+qQ8r0U5emajbjQMWhYo6YAXjQJoUg19aiu',
  '5KqLfhbkORJw63u9qRRU6Lz0JzbFZsJ2E/ZDmCJOznqIvApcNex56NmYgiS+gMeoY+IlPuo5lrkbpK6Yv4o5s3j/+UGW',
  'twKBgQC/qvVdYqZS65HbmmiubOpjC499Id95wqCscSpBL41HlVij03+Wbo6iRUYdCh51fbBmbWRI4Ol8mm5M3yX2UDi2',
  '9/CT+D+7TZg+66d2MOJCEIWM7/SSlos8dgXhdwivH8LTwwuh9ndv94trYjQoJGCXavbB5WMn/gPdfC3mSzZzXwKBgANe',
  'NuRmLNpyUMk5zz7/8NSr43zD3iS55vZrGRVj6umU7DVQngwW3yINv6tEzsNKR+P/YDG08lSPXdokBsrjQgmFXuMXt00g',
  'Zb6Sdl/N2yWiMQEHWask82kdy3XlGTqOGwS0haBQN5A8CPMRjKu1gc6OYSSm/RXelUwbRogiYKhXAoGAO3ugCGpcOfG3',
  '45JpGHDe0Pw+fNQtWcloOfwo4/ARBX049CboOtR22a9sEgkY6NeoDjG25NNAQxZeUucSDf5Zi5cpB5MMnGF5dVWHNCv5',
  'nA0qlVHG8lNcRNhP/OgHPuo5eaTXkF1ANfR6RUpF64tWmsdsa0J4Ymn34x3t1MHU1TsCgYEAt2y6S17SmDvtfWDO+S9y',
  'Mh/AjxhbTpOoLDq/cqIOJkm00SxDz88k1s2+ke8n19BqPhnENYcn3fCYQhM4C+KBQNXm02lowlaQki2Gs8LV4gxIdL3z',
  '/EHRNsqHiHlm0Rl+bEJNjQvaCPMOJj2+NJbRSRfVfO5ss2xUHtoMcmwFoHM=',
].join('');
const pkcs1Ciphertext = [
  'l7l5s2e/cIAmfXmahT+wIGcqY17sjwB3djDa4NWHZlmJrkqMPBBbIzlbuwl5c43QfNBiG6JroDbTgVMgeftFeO9NjUff',
  'y6DwfxTeXqiGNkQM5PELM1PFZXBiNwS7WasBtADTascUTc2MSJr/mbm6Br6d6tnFUOdHhKCGUZhsLeMpH8MwcQWc5Mil',
  'yowWDuM4thnhQJBfq/Nf18QUONop5gWPnmpMz4svEtQNBPx8y4SKkrXJugcA6ffRM9ImrrGHEzCHQV0lus6gzv4CGbSS',
  '2hwC0ku3dwjy7QJqILeGZnzk3rmCi7TIuEHADwQSbSXnsT6CwSkkUzQwdzlBY+bMeg==',
].join('');
const blockType1Ciphertext = [
  'GaZuzL2nah1Z5422F3SxYBs0q1fbOb73LOFVNqJ1WSOzD/yPQSlF/NzF5cAu+KJFl5JGC400gAaypZbNlVqdfxg9NSY3',
  'ZaXjauFY9DS1nHrCsEaMfZH0ZlHINBMqld6onk0hwdLuk7iz/mgVsTKtfUDOo59dBoQ/zYlZuPYYWBjXaYJv+k3Hjm4A',
  'geJd5l4TIIuWPp6HRTNE+PpwQ/iNUDq4NRgyNTypN4qIzwe+EaLj5G2eBBWJZkV3fa9P4e4BkleIPrIFBBfZSTmgZsgc',
  'D8T3cPUz0ZZqTgk5smtpKFk88yKUj3z705uTnmDHUpBOpSrWYw+C7kbT25EcVUhcSg==',
].join('');
const oaepSha1Ciphertext = [
  'hBw4zrTS265ooiqVpAgiDiQZw3dNMytg1LOyVkRx3MoEUSrWGCcbQDCDsXQPKhYw+FUKzAPD+15s45upnBVJZwVLA0qW',
  'Jiud4zLP+y4RRxZc9YBrmDSCeLSbEaeUFf8os+/R71wM2TxHkjZyp+evRioOdNkyHH0JiFeZqpOCOn+oVBlOcrRU2E9/',
  'JnHdFn+fW6c7lyKAieCLz6dJ6GPtReDet2d/iG6st5VAxn3/K4DruCbHOEEa6Dqg8YIp6MCFQddRX41golxXlLZKj8qU',
  'JLnFJ2P1eEzHlE2EeiRxJT5tfXSjUumNhPIg+q1uVLiBx6QYVxqbMhuNCa+9ysgCLw==',
].join('');
const oaepSha256Ciphertext = [
  'sFuJMhiJm8zoQftP8uZaOTY7RU8M/ij/X2o8Zzd2Lns1YCLVLjec14yI3Qbx74o9EDNK5hnypyQKO4sLDBrj9Gqs8U1K',
  '6vv8Qb03w02SsoaNW7uAhVefloDmogmmUF+Tonfby/8+JbPWAq8Fet68uxscvwu7Cb6UxF7T++Zeg0FFOuRhyxENTEJR',
  '+6pvnemRUqprqpyKAQYPI0vOGjvzDwLC2A18Lmv31IZ+RO0bquQC695rt2gwefjtpTRbgiKiJh3cIL8uvxFWxetRP5kT',
  'bXKd/NyhM+V0VJZasukLCMiYmBF5lz/FEH8f+UDf65PI5Efdvatpr8L+9EDAUZN/FQ==',
].join('');
const rsaPublicKey = [
  'MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu5Vvhd9EMaFoKeRLtAg1UBKf/VYboPW1ysYOXBaHtw1Qp64k',
  'AKojb1w2qixWcPaSZIrcj80OjTZHslq+zRyoKJ3HYs5YG8tB448YirLf3r7XrhEQHm/kKCctRl9zZgRtWjGqHVpEk0kb',
  'V3Fq9xq6tGJSZetDXRjAcjqRovbrp3dSnSabKjrE3tYuOLqDk+ECfI41P6frLiBCop5v1hbuo72qTgbtWxJotE/vJg8i',
  'QSanOAq11Zetl1y3XpiYRNm7y6SnEeDVq2kZBVYNz/QKJY6NU9YkbLp5i5G4I6K8Udnq73XM38BFWSZUVeuyoAl7K1yY',
  '4gKnUlYBCUJdXaUi6QIDAQAB',
].join('');
const rsaSignature = [
  'Hn3R7YVT966WPxZ7RH0C8LT7TYWrAW0+CBEyE4/0NxpspiWHpz0p51LOraI06dGE5VOFCHZH8FdY6sc/axDFX0V7nlFy',
  'fvoaLDFVhDTChLyGHGfRPX9Dv25p0BGKouP/rbIHE1ExmwwhvFlHpQrYl6MQd7c+0B59JF2q8V3GKeFB+zBovYYs2mrZ',
  'bTtFWY8vFG+8Lfead3O2BoxQSFMW2D/z2pm9WTgTup/Vcf3DUs6m4nIYy7C39M5afoQQohaQIGf67YTtPppH8LZsJyrR',
  '3NrPDduuPJEH5BlS/k8ZYnkchJsweY8dShcrN5QdilCcUpEsvPup2If0l5lLX/E8tQ==',
].join('');
const ecPublicKey = [
  'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsHyqAfgd6obtcwCFeDEgIYUFEwQk4RKuNx8O/Q7E1m8mZmtnFDSJpxs5',
  '/bPIG+oOdS4LE4xEM2z9aG57dRGiMQ==',
].join('');
const ecdsaSignature = [
  'MEUCIDpOsNML2SYNivCRs8dLoup7uRjaTCdeOKf1xUCB6XLGAiEArv9+EXNuyl+1RW7RHa4Kw/V9fl/K3Nu46gUygXHS',
  'NFE=',
].join('');
