// Whether the validators outside of an endpoint answer: each is asked about a request that no device has made. Its word
// has no consequence, because nothing issues on it.

import { errorText, Outage } from '../../base/errors.ts';
import { OUTSIDE_MS } from '../../base/mdm-limits.ts';
import { outsideOf } from '../../config/endpoint/enrolment.ts';
import { buildRequest, generateKey } from '../../protocol/scep/client/client.ts';
import { parseName } from '../../x509/names/name.ts';
import { CliError, type Io } from '../io.ts';
import { fault, good, type Observation, type Section, warning } from './observation.ts';

/** Kinds of validators outside. */
const outsideKinds = ['intune', 'webhook'] as const;
type OutsideKind = (typeof outsideKinds)[number];
export const isOutsideKind = (text: string | undefined): text is OutsideKind =>
  outsideKinds.some((kind) => kind === text);

const SUBJECT = 'CN=scepter doctor';

/** @throws {CliError} where the endpoint has none of this kind */
export async function outsideSections(
  io: Io,
  kind: OutsideKind,
  endpoint: string,
): Promise<Section[]> {
  const { config, validators } = await io.outside().catch((error: unknown) => {
    throw new CliError('usage', errorText(error));
  });
  const found = config.endpoints.get(endpoint);
  if (!found) throw new CliError('usage', `--endpoint: the configuration has no "${endpoint}"`);
  const ids = outsideOf(found).filter((id) => config.validators.get(id)?.kind === kind);
  if (ids.length === 0) {
    const neither = `endpoints.${endpoint}: neither "enrol" nor "renew" names`;
    throw new CliError('usage', `${neither} a validator whose "kind" is "${kind}"`);
  }
  const key = await generateKey({ type: 'RSA', bits: 2048 });
  const csr = await buildRequest(key, { subject: parseName(SUBJECT), names: [] }, undefined);
  const question = {
    requestHash: 'scepter doctor',
    endpoint,
    transactionID: 'scepter doctor',
    csr,
  };
  const sections: Section[] = [];
  for (const id of ids) {
    io.progress?.(`asking ${id}`);
    const until = io.clock.now() + OUTSIDE_MS;
    const validator = validators.get(id);
    const answer = validator?.validate({ ...question, until });
    sections.push({ about: `validator ${id}`, findings: [await findingOf(answer)] });
  }
  return sections;
}

type Asked = Promise<{ readonly allow: boolean; readonly note?: string }> | undefined;

async function findingOf(asked: Asked): Promise<Observation> {
  try {
    if (!asked) throw new Outage('it is not there');
    const { allow, note = 'it gives no reason' } = await asked;
    if (!allow) return good('validator', `it answers, and refuses a request of nobody (${note})`);
    return warning(
      'validator',
      `it answers, and allows a request of nobody, for ${SUBJECT}`,
      'where nothing else of the endpoint refuses, whoever asks gets a certificate',
      'see what it decides by',
    );
  } catch (error) {
    return fault(
      'validator',
      errorText(error),
      'devices that enrol at this endpoint get HTTP 503',
      'do as it says; where it does not answer, see that it can be reached from here',
    );
  }
}
