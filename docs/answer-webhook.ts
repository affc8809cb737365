// A webhook of style "scepter" that lets the subjects in that it is started with:
// HOOK_SECRET=... node answer-webhook.ts PORT CERTIFICATE.pem KEY.pem SUBJECT... Nothing but Node.

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { buffer } from 'node:stream/consumers';

const [port = '', cert = '', key = '', ...known] = process.argv.slice(2);
const secret = Buffer.from(process.env.HOOK_SECRET ?? '', 'base64');
const identity = { cert: readFileSync(cert), key: readFileSync(key) };

const server = createServer(identity, async (request, response) => {
  const timestamp = String(request.headers['scepter-timestamp']);
  const signed = Buffer.concat([Buffer.from(`${timestamp}.`), await buffer(request)]);
  const expected = createHmac('sha256', secret).update(signed).digest();
  const signature = Buffer.from(String(request.headers['scepter-signature']), 'hex');
  const isSigned = signature.length === 32 && timingSafeEqual(signature, expected);
  const isFresh = Math.abs(Date.now() / 1000 - Number(timestamp)) < 300;
  if (!isSigned || !isFresh) {
    response.writeHead(401).end();
    return;
  }
  const { event, subject } = JSON.parse(signed.subarray(timestamp.length + 1).toString());
  // Of what it is told (events "issued" and "refused") it only takes note.
  const allow = event !== 'validate' || known.includes(subject);
  const digest = createHash('sha256').update(signed).digest('hex');
  response.end(
    JSON.stringify(allow ? { allow, digest } : { allow, reason: 'not one of ours', digest }),
  );
});
server.listen(Number(port), () => process.stdout.write('ready\n'));
