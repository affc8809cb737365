// RFC 8894 §4: operations over HTTP, as clients send them.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { base64 } from '../../../lib/base/bytes.ts';
import { readCertsOnly } from '../../../lib/cms/certs-only.ts';
import { readCertificate } from '../../../lib/x509/certificate.ts';
import { printName } from '../../../lib/x509/names/name.ts';
import { makeLab } from '../../support/lab.ts';
import { enrolment } from '../../support/messages.ts';

const lab = await makeLab({
  config: {
    endpoints: {
      default: { ca: 'default' },
      branch: { ca: 'default', legacy: { sha1: true, des3: true } },
    },
  },
});

const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer());

describe('paths (clients.md B1)', () => {
  for (const [path, endpoint] of [
    ['/scep', 'default'],
    ['/scep/', 'default'],
    ['/SCEP', 'default'],
    ['/scep/pkiclient.exe', 'default'],
    ['/scep/PKIClient.exe', 'default'],
    ['/scep/mscep.dll', 'default'],
    ['/scep/mscep.dll/pkiclient.exe', 'default'],
    ['/scep/cgi-bin/pkiclient.exe', 'default'],
    ['//scep', 'default'],
    ['/scep//', 'default'],
    ['/scep//pkiclient.exe', 'default'],
    ['//scep//branch//pkiclient.exe', 'branch'],
    ['/scep//branch', 'branch'],
    ['/cgi-bin//pkiclient.exe', 'default'],
    ['//certsrv//mscep//mscep.dll', 'default'],
    ['/scep/branch/anything.php/below', 'branch'],
    ['/scep/default', 'default'],
    ['/scep/branch/cgi-bin/pkiclient.exe', 'branch'],
    ['/scep/branch', 'branch'],
    ['/scep/branch/', 'branch'],
    ['/scep/Branch/pkiclient.exe', 'branch'],
    ['/scep/branch/mscep.dll/pkiclient.exe', 'branch'],
    ['/cgi-bin/pkiclient.exe', 'default'],
    ['/certsrv/mscep', 'default'],
    ['/certsrv/mscep/mscep.dll', 'default'],
    ['/CertSrv/mscep/mscep.dll/pkiclient.exe', 'default'],
  ] as const) {
    test(`RFC 8894 §4.1 [24]: ${path} is endpoint ${endpoint}`, async () => {
      const caps = await lab.fetch(`${path}?operation=GetCACaps`);
      assert.equal(caps.status, 200);
      assert.equal((await caps.text()).includes('DES3'), endpoint === 'branch');
      const sent = await enrolment(lab, { challenge: await lab.challenge({ endpoint }) });
      const answer = await sent.read(await lab.operate(sent.message, path));
      assert.equal(answer.pkiStatus, 'SUCCESS');
    });
  }

  test('an endpoint that does not exist is a 404, whatever is asked', async () => {
    for (const path of [
      '/scep/nowhere',
      '/scep/nowhere/pkiclient.exe',
      '/scep/other.exe',
      '/scep/index.php',
      '/certsrv',
      '/cgi-bin/x',
    ]) {
      for (const method of ['GET', 'POST']) {
        const response = await lab.fetch(`${path}?operation=GetCACaps`, { method });
        assert.equal(response.status, 404, path);
        assert.match(await response.text(), /^not found \([0-9A-Z]{26}\)\n$/);
      }
    }
  });

  test('no path redirects', async () => {
    for (const path of [
      '/scep',
      '/scep/',
      '//scep',
      '/scep//',
      '/scep/branch/',
      '/',
      '/index.html',
    ]) {
      const { status } = await lab.fetch(path);
      assert.ok(status < 300 || status >= 400, `${path} answers ${status}`);
    }
  });
});

describe('a query with pieces that are empty, as a URL that ends in "?" gives it', () => {
  test('a query with empty pieces is read as the clean one', async () => {
    for (const query of [
      '??operation=GetCACaps',
      '???operation=GetCACaps&message=x',
      '?&operation=GetCACaps',
      '?&&operation=GetCACaps&&',
      '??message=x&operation=GetCACaps',
      '?%3Foperation=GetCACaps',
    ]) {
      const response = await lab.fetch(`/scep${query}`);
      assert.equal(response.status, 200, query);
      assert.match(await response.text(), /^AES$/m, query);
    }
    for (const query of ['', '?', '??', '?&', '??&']) {
      assert.match(await (await lab.fetch(`/scep${query}`)).text(), /SCEP endpoint/, query);
    }
  });

  test('a query with empty pieces keeps every character of a message', async () => {
    const sent = await enrolment(lab, { challenge: await lab.challenge() });
    const message = base64(sent.message);
    const response = await lab.fetch(`/scep??operation=PKIOperation&message=${message}`);
    assert.equal((await sent.read(await bytesOf(response))).pkiStatus, 'SUCCESS');
  });

  test('a query with empty pieces does not hide a second operation or message', async () => {
    for (const query of ['?operation=GetCACaps&?operation=GetCACert', '??message=a&message=b']) {
      assert.equal((await lab.fetch(`/scep${query}&operation=GetCACaps`)).status, 400, query);
    }
  });
});

describe('GetCACaps', () => {
  test('RFC 8894 §3.5.2 [31][32][33][34]: keywords of the RFC, line feeds only, bare text/plain', async () => {
    const response = await lab.fetch('/scep?operation=GetCACaps&message=default');
    assert.equal(response.headers.get('content-type'), 'text/plain');
    const text = await response.text();
    assert.ok(text.length < 1024 && !text.includes('\r') && !/\n\n|^\n/.test(text));
    assert.deepEqual(text.split('\n'), [
      'AES',
      'SHA-256',
      'SHA-384',
      'SHA-512',
      'POSTPKIOperation',
      'Renewal',
      'SCEPStandard',
    ]);
  });

  test('RFC 8894 §2.9 [23], §7.8 [78]: weak algorithms are listed only where a switch accepts them; DES and MD5 never', async () => {
    const text = await (await lab.fetch('/scep/branch?operation=GetCACaps')).text();
    const words = text.split('\n');
    assert.ok(words.includes('SHA-1') && words.includes('DES3'));
    assert.ok(!words.includes('DES') && !words.includes('MD5'));
  });

  test('the operation is compared without regard to case, its parameters in any order', async () => {
    for (const query of [
      'operation=getcacaps',
      'OPERATION=GETCACAPS',
      'message=x&operation=GetCACaps',
      'operation=%47etCACaps',
    ]) {
      assert.equal((await lab.fetch(`/scep?${query}`)).status, 200, query);
    }
  });
});

test('HEAD asks for nothing that changes anything', async () => {
  const { message } = await enrolment(lab, { challenge: await lab.challenge() });
  const query = `operation=PKIOperation&message=${encodeURIComponent(base64(message))}`;
  lab.calls.length = 0;
  assert.equal((await lab.fetch(`/scep?${query}`, { method: 'HEAD' })).status, 405);
  assert.deepEqual(lab.calls, []);
  assert.equal((await lab.fetch('/scep?operation=GetCACaps', { method: 'HEAD' })).status, 200);
});

describe('GetCACert', () => {
  test('RFC 8894 §4.2.1.2 [28], §6 [41], §3.4 [48]: RA, then issuing CA, in a degenerate SignedData', async () => {
    const response = await lab.fetch('/scep?operation=GetCACert');
    assert.equal(response.headers.get('content-type'), 'application/x-x509-ca-ra-cert');
    const { certificates, crls } = readCertsOnly(await bytesOf(response));
    const subjects = certificates.map((der) => printName(readCertificate(der).subject));
    assert.deepEqual(subjects, ['CN=SCEP RA,O=Lab', 'CN=Lab CA,O=Lab']);
    assert.deepEqual(crls, []);
  });

  test('RFC 8894 §4.2 [29]: message is ignored, whatever it says', async () => {
    const plain = await bytesOf(await lab.fetch('/scep?operation=GetCACert'));
    for (const message of [
      '',
      'default',
      '0',
      '1',
      'CAIdentifier',
      'ignored',
      'Device%20Identity',
    ]) {
      const response = await lab.fetch(`/scep?operation=GetCACert&message=${message}`);
      assert.equal(response.status, 200);
      assert.deepEqual(await bytesOf(response), plain);
    }
  });

  test('RFC 8894 §4.7 [39]: GetNextCACert is refused and not advertised', async () => {
    const response = await lab.fetch('/scep?operation=GetNextCACert');
    assert.equal(response.status, 404);
    assert.doesNotMatch(
      await (await lab.fetch('/scep?operation=GetCACaps')).text(),
      /GetNextCACert/,
    );
  });
});

describe('PKIOperation', () => {
  const enrol = async () => enrolment(lab, { challenge: await lab.challenge() });

  for (const contentType of [
    undefined,
    'application/x-pki-message',
    'application/octet-stream',
    'text/plain; charset=utf-8',
    'application/x-www-form-urlencoded',
  ]) {
    test(`RFC 8894 §2.9 [21], §4.3 [30]: POST with Content-Type ${contentType ?? 'absent'}`, async () => {
      const sent = await enrol();
      const response = await lab.fetch('/scep?operation=PKIOperation', {
        method: 'POST',
        body: sent.message,
        ...(contentType ? { headers: { 'content-type': contentType } } : {}),
      });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('content-type'), 'application/x-pki-message');
      assert.equal(response.headers.get('content-encoding'), null);
      const body = await bytesOf(response);
      assert.equal(response.headers.get('content-length'), String(body.length));
      assert.equal((await sent.read(body)).pkiStatus, 'SUCCESS');
    });
  }

  for (const query of [
    '',
    '?',
    '?message=',
    '?operation=PKIOperation&message=',
    '?operation=pkioperation',
  ]) {
    test(`a POST with the query "${query}" is a PKIOperation`, async () => {
      const sent = await enrol();
      const response = await lab.fetch(`/scep${query}`, { method: 'POST', body: sent.message });
      assert.equal((await sent.read(await bytesOf(response))).pkiStatus, 'SUCCESS');
    });
  }

  const escapes: Record<string, (text: string) => string> = {
    'percent-escaped': encodeURIComponent,
    'raw + / =': (text) => text,
    'only = escaped (macOS)': (text) => text.replaceAll('=', '%3D'),
    'URL-safe (micromdm)': (text) => text.replaceAll('+', '-').replaceAll('/', '_'),
    'without padding': (text) => encodeURIComponent(text.replaceAll('=', '')),
    '+ form-decoded to a space on the way': (text) => text.replaceAll('+', '%20'),
    'lines of 64 with %0A (sscep, Cisco)': (text) =>
      (text.match(/.{1,64}/g) ?? []).map((line) => `${encodeURIComponent(line)}%0A`).join(''),
    'lines with %0D%0A': (text) =>
      (text.match(/.{1,64}/g) ?? []).map((line) => `${line}%0d%0a`).join(''),
  };
  for (const [name, escaped] of Object.entries(escapes)) {
    test(`RFC 8894 §4.1 [22][26]: GET, base64 ${name}`, async () => {
      const sent = await enrol();
      const message = escaped(base64(sent.message));
      for (const query of [
        `operation=PKIOperation&message=${message}`,
        `message=${message}&operation=PKIOperation`,
      ]) {
        const response = await lab.fetch(`/scep?${query}`);
        assert.equal(response.status, 200);
        assert.equal((await sent.read(await bytesOf(response))).pkiStatus, 'SUCCESS');
      }
    });
  }

  test('a GET without a query says what this address is', async () => {
    const response = await lab.fetch('/scep');
    assert.equal(response.status, 200);
    assert.match(await response.text(), /SCEP endpoint "default"/);
  });
});

describe('refusals before anybody can be answered', () => {
  const refused = async (path: string, status: number, init: RequestInit = {}) => {
    const response = await lab.fetch(path, init);
    assert.equal(response.status, status, path);
    assert.equal(response.headers.get('content-type'), 'text/plain');
    assert.match(await response.text(), /^[a-z ]+ \([0-9A-Z]{26}\)\n$/);
    return response;
  };

  test('unknown, empty and repeated parameters are a 400', async () => {
    for (const query of [
      'operation=',
      'operation=Get',
      'operation=GetCACertChain',
      'message=AAAA',
      'operation=GetCACaps&operation=GetCACaps',
      'operation=PKIOperation&message=AAAA&message=AAAA',
      'operation=PKIOperation&message=AAAA&Message=AAAA',
      'operation=PKIOperation',
      'operation=PKIOperation&message=',
      'operation=PKIOperation&message=%',
      'operation=PKIOperation&message=AAAAA',
      'operation=PKIOperation&message=AA%00A',
      'operation=PKIOperation&message=%C3%BC',
      'operation=PKIOperation&message=AAAA',
    ]) {
      await refused(`/scep?${query}`, 400);
    }
  });

  test('other methods are a 405 with Allow', async () => {
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const response = await refused('/scep?operation=GetCACaps', 405, { method });
      assert.equal(response.headers.get('allow'), 'GET, HEAD, POST');
    }
  });

  test('HEAD is answered like GET', async () => {
    const response = await lab.fetch('/scep?operation=GetCACaps', { method: 'HEAD' });
    assert.equal(response.status, 200);
  });

  test('a body over 64 KiB is a 413, at 64 KiB it is read', async () => {
    await refused('/scep?operation=PKIOperation', 413, {
      method: 'POST',
      body: new Uint8Array(65_537),
    });
    await refused('/scep?operation=PKIOperation', 400, {
      method: 'POST',
      body: new Uint8Array(65_536),
    });
    // Declared, or in parts that are counted as they come; a declaration that is not kept helps nobody.
    const parts = (last: number) =>
      new ReadableStream<Uint8Array>({
        start(controller) {
          for (const octets of [32_768, last]) controller.enqueue(new Uint8Array(octets));
          controller.close();
        },
      });
    const streamed = (last: number) =>
      ({ method: 'POST', body: parts(last), duplex: 'half' }) as RequestInit;
    const declared = (length: string, octets: number) =>
      ({
        method: 'POST',
        headers: { 'content-length': length },
        body: new Uint8Array(octets),
      }) as const;
    await refused('/scep?operation=PKIOperation', 413, streamed(32_769));
    await refused('/scep?operation=PKIOperation', 400, streamed(32_768));
    await refused('/scep?operation=PKIOperation', 413, declared('65537', 65_537));
    await refused('/scep?operation=PKIOperation', 400, declared('65536', 65_536));
    await refused('/scep?operation=PKIOperation', 413, declared('5', 65_537));
    await refused('/scep?operation=GetCACaps', 413, declared('65537', 65_537));
    const long = 'A'.repeat(4 * 65_536 + 4);
    await refused(`/scep?operation=PKIOperation&message=${long}`, 413);
    await refused(`/scep?operation=PKIOperation&message=${long.slice(0, 90_000)}`, 413);
  });

  test('what does not end is read to the limit, whatever length was declared beside its chunks', async () => {
    for (const headers of [{}, { 'content-length': '5', 'transfer-encoding': 'chunked' }]) {
      let pulled = 0;
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          pulled += 8192;
          if (pulled > 1_000_000) controller.close();
          else controller.enqueue(new Uint8Array(8192));
        },
      });
      const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit;
      await refused('/scep?operation=PKIOperation', 413, init);
      assert.ok(pulled < 100_000, `${pulled} octets were read`);
    }
  });

  test('an empty body is a 400', async () => {
    await refused('/scep?operation=PKIOperation', 400, { method: 'POST' });
  });
});
