// Webhooks in other languages, each before our adapter: the Python of docs/answer_webhook.py, and one for step-ca, in Go,
// which reads what it is asked into step-ca's own types.

import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorText } from '../../../lib/base/errors.ts';
import { buildRequest } from '../../../lib/protocol/scep/client/client.ts';
import { parseName } from '../../../lib/x509/names/name.ts';
import { fetching, root } from '../../support/installed.ts';
import { deviceKey } from '../../support/keys.ts';
import { freePort, isFree } from '../../support/process.ts';
import { stepCa } from '../../support/scep-peers.ts';
import { answered, startProcess } from '../../support/server-process.ts';
import {
  hookAt,
  hookHost,
  hookSecret,
  knownSubject,
  requireAnswers,
  serverCertificate,
} from '../../support/webhook.ts';
import { must, NotRun } from '../command.ts';
import type { Row } from '../lab.ts';
import { hold } from '../openssl.ts';

const hookId = '8509cf3b-c657-4f69-bf78-636be7cd91fc';

/** A webhook as smallstep's documents tell to write one, which takes no member that step-ca's own types do not have. */
const main = `package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"

	"${stepCa.module}/webhook"
)

func main() {
	secret, err := base64.StdEncoding.DecodeString(os.Getenv("HOOK_SECRET"))
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("X-Smallstep-Webhook-ID") != "${hookId}" {
			http.Error(w, "Unknown webhook", http.StatusBadRequest)
			return
		}
		signature, err := hex.DecodeString(r.Header.Get("X-Smallstep-Signature"))
		mac := hmac.New(sha256.New, secret)
		mac.Write(body)
		if err != nil || !hmac.Equal(signature, mac.Sum(nil)) {
			http.Error(w, "Invalid signature", http.StatusBadRequest)
			return
		}
		asked := &webhook.RequestBody{}
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(asked); err != nil {
			log.Print(err)
			http.Error(w, "Internal Server Error", http.StatusInternalServerError)
			return
		}
		csr := asked.X509CertificateRequest
		allow := asked.SCEPChallenge == "a challenge" && csr.Subject.CommonName == "phone-17" &&
			len(csr.DNSNames) == 1 && csr.DNSNames[0] == "phone-17.example.com" &&
			csr.PublicKeyAlgorithm == "RSA" && len(csr.PublicKey) > 0 && len(csr.Raw) > 0
		json.NewEncoder(w).Encode(webhook.ResponseBody{Allow: allow})
	})
	log.Fatal(http.ListenAndServeTLS(":"+os.Args[1], os.Args[2], os.Args[3], nil))
}
`;

async function stepCaHook(): Promise<string> {
  const built = join(root, 'node_modules', '.cache', `step-ca-hook-${stepCa.version}`);
  const program = join(built, 'hook');
  if (existsSync(program)) return program;
  await mkdir(built, { recursive: true });
  await writeFile(join(built, 'main.go'), main);
  await writeFile(
    join(built, 'go.mod'),
    `module peer\n\ngo 1.25.0\n\nrequire ${stepCa.module} ${stepCa.version}\n`,
  );
  const build = ['build', '-mod=mod', '-o', program, '.'];
  await fetching('go', build, built, 'Go 1.25 or later').catch((error: unknown) => {
    throw new NotRun(errorText(error));
  });
  return program;
}

/** @param work is given the port that it listens at, and the root that its certificate is of */
async function withHook(
  program: string,
  argsOf: (port: number, certificate: string, key: string) => readonly string[],
  work: (port: number, trusted: string) => Promise<string>,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'scepter-webhook-'));
  const openssl = (...args: readonly string[]) => must('openssl', args, { cwd: folder });
  const identity = await serverCertificate(folder, openssl, `DNS:${hookHost}`);
  const port = await freePort();
  const args = argsOf(port, join(folder, 'pem'), join(folder, 'key'));
  const env = { HOOK_SECRET: hookSecret };
  const server = startProcess(program, args, { env, stderr: 'ignore' });
  try {
    await answered(async () => {
      if (await isFree(port)) throw new Error(`${program} does not listen`);
    });
    return await work(port, identity.root);
  } finally {
    await server.stop();
    await rm(folder, { recursive: true });
  }
}

export const webhookRows: readonly Row[] = [
  {
    id: 'webhook',
    client: 'python',
    title: 'docs/answer_webhook.py verifies what it is asked, and is believed',
    run: () =>
      withHook(
        'python3',
        (port, ...files) => [
          join(root, 'docs', 'answer_webhook.py'),
          ...[`${port}`, ...files, knownSubject],
        ],
        async (port, trusted) => {
          await requireAnswers(port, trusted);
          return 'a yes, a no, a notice, and a wrong signature';
        },
      ),
  },
  {
    id: 'webhook',
    client: 'go',
    title:
      "a webhook for step-ca, with step-ca's own types, verifies and reads what style stepca asks",
    run: async () => {
      const program = await stepCaHook();
      const key = await deviceKey('webhook', { type: 'RSA', bits: 2048 });
      const asking = async (subject: string) => {
        const names = [{ kind: 'dns' as const, value: 'phone-17.example.com' }];
        return {
          ...{ requestHash: 'ab'.repeat(32), endpoint: 'mdm', transactionID: 'T-1' },
          csr: await buildRequest(key, { subject: parseName(subject), names }, 'a challenge'),
          until: Date.now() + 60_000,
        };
      };
      return withHook(
        program,
        (port, ...files) => [`${port}`, ...files],
        async (port, trusted) => {
          const settings = { style: 'stepca', hookId, bearer: 'token' } as const;
          const hook = hookAt(port, trusted, settings);
          const yes = await hook.validate(await asking('CN=phone-17,O=Example'));
          hold(yes.allow, 'the device that it knows is let in');
          const no = await hook.validate(await asking('CN=phone-18,O=Example'));
          hold(!no.allow, 'another one is not');
          const secret = hookSecret.replace('M', 'N');
          const forged = hookAt(port, trusted, { ...settings, secret });
          const { allow, note } = await forged.validate(await asking('CN=phone-17'));
          hold(!allow && note === 'HTTP 400', 'a wrong signature is no yes');
          return 'a yes, a no, and a wrong signature';
        },
      );
    },
  },
];
