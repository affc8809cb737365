// A Function URL for requests that are signed with AWS credentials: it lets through whoever signs as the SDK does.

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SignatureV4 } from '@smithy/signature-v4';
import type { LambdaFunction } from '../support/lambda-runtime.ts';

type Event = {
  readonly rawPath: string;
  readonly rawQueryString: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | null;
  readonly isBase64Encoded: boolean;
  readonly requestContext: { readonly http: { readonly method: string } };
};
type Person = { readonly id: string; readonly secret: string };

const forbidden = {
  statusCode: 403,
  headers: { 'x-amzn-errortype': 'AccessDeniedException' },
  body: '{"Message":"Forbidden"}',
};

/**
 * @param invoke the function behind it
 * @param host what its own URL has as one
 */
export const onlySigned =
  (
    { invoke }: Pick<LambdaFunction, 'invoke'>,
    { id, secret }: Person,
    { region, host }: { readonly region: string; readonly host: () => string },
  ): LambdaFunction['invoke'] =>
  async (event) => {
    const { rawPath, rawQueryString, headers, body, isBase64Encoded, requestContext } =
      event as Event;
    const { authorization = '', 'x-amz-date': date = '' } = headers;
    const [, names = ''] = /SignedHeaders=([\w;-]+)/.exec(authorization) ?? [];
    const time = date.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5');
    const signed = names.split(';').map((name) => [name, headers[name] ?? '']);
    const { sha256 } = new DynamoDBClient({ region }).config;
    const signer = new SignatureV4({
      ...{ service: 'lambda', region, sha256, applyChecksum: false },
      credentials: { accessKeyId: id, secretAccessKey: secret },
    });
    const again = await signer.sign(
      {
        ...{ method: requestContext.http.method, protocol: 'https:', hostname: host() },
        path: rawPath,
        query: Object.fromEntries(new URLSearchParams(rawQueryString)),
        headers: { ...Object.fromEntries(signed), host: host() },
        body: Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8'),
      },
      { signingDate: new Date(time), signableHeaders: new Set(names.split(';')) },
    );
    const [good] = /Signature=\w{64}/.exec(again.headers.authorization ?? '') ?? [];
    return good && authorization.endsWith(good) ? invoke(event) : forbidden;
  };
