// Validators outside: what a document may say of them, and of the endpoints that ask them.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ConfigDocument, checkConfig, completed } from '../../lib/config/config.ts';
import { ConfigError } from '../../lib/config/error.ts';
import type { Secrets } from '../../lib/config/secret.ts';

type Document = Pick<ConfigDocument, 'validators' | 'endpoints'>;
type Endpoint = ConfigDocument['endpoints'][string];

const intune = {
  ...{ kind: 'intune' as const, tenant: 'contoso.example', clientId: 'app' },
  clientSecret: 'env:INTUNE',
};
const hook = {
  ...{ kind: 'webhook' as const, url: 'https://hooks.example.com/scep', secret: 'env:HOOK' },
};
const asking = (enrol: string[], renew: string[] = [], more: Partial<Endpoint> = {}): Document => ({
  validators: { intune, hook },
  endpoints: {
    default: { ca: 'ca', enrol: { authorize: enrol }, renew: { authorize: renew }, ...more },
  },
});
const documentOf = (part: Partial<Document>): ConfigDocument => ({
  publicUrl: 'https://scep.example',
  cas: { ca: { subject: 'CN=CA' } },
  ...asking(['challenge']),
  ...part,
});
const checked = (part: Partial<Document>, secrets?: Secrets) =>
  checkConfig(documentOf(part), secrets);

function problems(part: unknown, secrets?: Secrets): readonly string[] {
  try {
    checked(part as Partial<Document>, secrets);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
}

test('defaults of Microsoft are those of its public cloud', () => {
  const { validators, endpoints } = checked(asking(['intune'], ['intune']));
  assert.deepEqual(validators.get('intune'), {
    ...intune,
    id: 'intune',
    authority: 'https://login.microsoftonline.com',
    graph: 'https://graph.microsoft.com',
    scope: 'https://api.manage.microsoft.com//.default',
    hosts: ['manage.microsoft.com'],
  });
  assert.equal(endpoints.get('default')?.enrol.namesAsAsked, true);
});

test('a hook gives no names unless it is said', () => {
  assert.equal(checked(asking(['hook'])).endpoints.get('default')?.enrol.namesAsAsked, false);
  const validators = { intune, hook: { ...hook, namesAsAsked: true } };
  const said = checked({ ...asking(['hook']), validators });
  assert.equal(said.endpoints.get('default')?.enrol.namesAsAsked, true);
});

test('what is written out with its defaults is that of its own kind', () => {
  const whole = completed(documentOf(asking(['intune'], ['intune'])));
  assert.deepEqual(Object.keys(whole.validators?.hook ?? {}), [
    ...['kind', 'style', 'url', 'secret', 'networks', 'namesAsAsked', 'notify'],
  ]);
  assert.deepEqual(checkConfig(whole).validators, checkConfig(documentOf({})).validators);
});

describe('is refused, with a sentence:', () => {
  const of = (kind: object, change: object) => ({ validators: { v: { ...kind, ...change } } });
  for (const [what, part, said] of [
    [
      'another kind',
      of(hook, { kind: 'smtp' }),
      /^validators.v.kind: must be "intune" or "webhook"$/,
    ],
    ['no kind', { validators: { v: {} } }, /^validators.v.kind: must be "intune" or "webhook"$/],
    [
      'no object',
      { validators: { v: 'intune' } },
      /^validators.v: must be an object whose "kind" is "intune" or "webhook"$/,
    ],
    [
      'a field of the other kind',
      of(hook, { tenant: 'x' }),
      /^validators.v: "tenant" is not a field/,
    ],
    ['a misspelt field', of(intune, { clientSecrt: 'x' }), /did you mean "clientSecret"\?/],
    [
      'a secret itself',
      of(hook, { secret: 'hunter2' }),
      /^validators.v.secret: must be "env:" and the name of an environment variable, never the secret itself$/,
    ],
    [
      'no secret of Intune',
      of(intune, { clientSecret: undefined }),
      /^validators.v: must have "clientSecret" or "clientCertificate", and not both$/,
    ],
    ['two secrets of Intune', of(intune, { clientCertificate: 'env:C' }), /and not both/],
    [
      'plain http',
      of(hook, { url: 'http://hooks.example.com' }),
      /^validators.v.url: must be an https URL/,
    ],
    [
      'a user in the URL',
      of(hook, { url: 'https://u:p@hooks.example.com' }),
      /must be an https URL/,
    ],
    ['no URL', of(hook, { url: 'hooks.example.com' }), /must be an https URL/],
    [
      'an authority with a path',
      of(intune, { authority: 'https://login.example/x' }),
      /must be an https origin/,
    ],
    [
      'a host that is none',
      of(intune, { hosts: ['*.microsoft.com'] }),
      /must be the end of a host name/,
    ],
    [
      'a tenant with a slash',
      of(intune, { tenant: 'a/b' }),
      /^validators.v.tenant: must be letters, digits/,
    ],
    [
      'a hook of step-ca without its id',
      of(hook, { style: 'stepca' }),
      /^validators.v.hookId: is missing/,
    ],
    [
      'an id of step-ca for another hook',
      of(hook, { hookId: 'a' }),
      /^validators.v.hookId: has no effect/,
    ],
    [
      'two ways to authenticate',
      of(hook, { bearer: 'env:B', basic: { user: 'u', password: 'env:P' } }),
      /^validators.v.bearer: cannot stand beside "basic"/,
    ],
    ['a network that is none', of(hook, { networks: ['office'] }), /^validators.v.networks.0: /],
    [
      'the name of a validator of this service',
      { validators: { challenge: hook } },
      /^validators.challenge: this name is that of a validator of this service/,
    ],
  ] as const) {
    test(what, () => {
      assert.match(problems(part).join('\n'), said);
    });
  }
});

describe('an endpoint', () => {
  test('that asks Intune of enrolments must ask it of renewals', () => {
    assert.deepEqual(problems(asking(['intune'])), [
      'endpoints.default.renew.authorize: must name "intune" too: Intune is asked of every certificate, and a device that it no longer knows could renew for ever',
    ]);
  });

  test('cannot ask Intune of the renewals alone', () => {
    assert.deepEqual(problems(asking(['challenge', 'hook'], ['intune'])), [
      'endpoints.default.renew.authorize: "intune" knows no certificate that it did not allow at first: name it in "authorize" of "enrol" too, or leave it out',
    ]);
  });

  test('cannot read one challengePassword as two things', () => {
    assert.deepEqual(problems(asking(['challenge', 'intune'], ['intune'])), [
      'endpoints.default.enrol.authorize: a challengePassword cannot be both "challenge" and "intune"; name one of them',
    ]);
    assert.deepEqual(problems(asking(['challenge', 'hook'])), []);
  });

  test('may ask only those that are there', () => {
    assert.deepEqual(problems(asking(['hok'], ['challenge'])), [
      'endpoints.default.enrol.authorize.0: "hok" is no validator here; it may be "challenge", "signedChallenge", "staticChallenge", "deviceList", "intune", "hook"; did you mean "hook"?',
      'endpoints.default.renew.authorize.0: "challenge" is no validator here; it may be "deviceList", "intune", "hook"; systems outside are named in "validators"',
    ]);
  });

  test('is not blamed for a validator that is wrong itself', () => {
    const validators = { intune, hook: { ...hook, url: 'ftp://x' } };
    const found = problems({ ...asking(['hook']), validators });
    assert.equal(found.length, 1);
    assert.match(found[0] ?? '', /^validators.hook.url: /);
  });
});

test('secrets that are not set are named, all in one round', () => {
  const basic = { user: 'u', password: 'env:PASSWORD' };
  const validators = { intune, hook: { ...hook, basic } };
  const part = { ...asking(['intune'], ['intune']), validators };
  assert.deepEqual(
    problems(part, (name) => (name === 'HOOK' ? 'set' : undefined)),
    [
      'validators.intune.clientSecret: the environment variable INTUNE is not set',
      'validators.hook.basic.password: the environment variable PASSWORD is not set',
    ],
  );
});
