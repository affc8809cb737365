// scepter doctor intune, and webhook: the validators of an endpoint are really asked, and what is missing is said in the
// words of the one who has it.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Section } from '../../lib/cli/doctor/observation.ts';
import { checkConfig } from '../../lib/config/config.ts';
import type { Validator } from '../../lib/ports/validator.ts';
import { openTerminal } from '../support/cli.ts';
import { intuneWorld } from '../support/intune/world.ts';
import { makeLab } from '../support/lab.ts';

const config = checkConfig({
  publicUrl: 'https://scep.example',
  cas: { default: { subject: 'CN=CA' } },
  validators: {
    contoso: { kind: 'intune', tenant: 't', clientId: 'c', clientSecret: 'env:SECRET' },
    hook: { kind: 'webhook', url: 'https://hook.example/', secret: 'env:HOOK' },
  },
  endpoints: {
    default: { ca: 'default' },
    phones: {
      ...{ ca: 'default', enrol: { authorize: ['contoso'] } },
      renew: { authorize: ['contoso', 'hook'] },
    },
  },
});

const lab = await makeLab();
const terminal = await openTerminal(lab);
after(() => terminal.close());

type World = ReturnType<typeof intuneWorld>;

async function examined(args: readonly string[], bend: (world: World) => void = () => {}) {
  const world = intuneWorld();
  // One clock for the command and the fake tenant.
  lab.clock.at = world.clock.at;
  bend(world);
  const hook: Validator = { validate: async () => ({ allow: true }) };
  const outside = async () => ({
    config,
    validators: new Map<string, Validator>([
      ['contoso', world.validator],
      ['hook', hook],
    ]),
  });
  const { code, out, err } = await terminal.run(['doctor', ...args], { outside });
  return { code, out, err, world };
}

const sections = (out: string): readonly Section[] => JSON.parse(out).sections;

test('Intune answers: what it says to a request of nobody is shown', async () => {
  const { code, out, world } = await examined(['intune', '--endpoint', 'phones', '--json']);
  assert.equal(code, 0);
  const [{ about, findings } = { about: '', findings: [] }, ...others] = sections(out);
  assert.deepEqual([about, others], ['validator contoso', []]);
  assert.equal(findings[0]?.mark, 'good');
  assert.match(findings[0]?.says ?? '', /refuses a request of nobody \(ChallengePasswordMissing: /);
  assert.deepEqual(
    world.intune.calls.map(({ place }) => place),
    ['token', 'graph', 'token', 'validateRequest'],
  );
});

describe('what is missing is said, and the command fails', () => {
  const cases: Readonly<Record<string, readonly [(world: World) => void, RegExp]>> = {
    'the permission of Graph': [
      ({ intune }) => intune.permissions.delete('Application.Read.All'),
      /"Application\.Read\.All" to the app registration \(API permissions\), and grant admin consent/,
    ],
    'the permission of Intune': [
      ({ intune }) => intune.permissions.delete('scep_challenge_provider'),
      /"scep_challenge_provider"/,
    ],
    'the licence': [
      ({ intune }) => intune.services.clear(),
      /names no ScepRequestValidationFEService: .*see that the tenant has a licence/,
    ],
    'the secret': [({ intune }) => intune.secrets.clear(), /AADSTS7000215: the client secret is/],
  };
  for (const [title, [bend, sentence]] of Object.entries(cases)) {
    test(title, async () => {
      const { code, out, err } = await examined(['intune', '--endpoint', 'phones'], bend);
      assert.equal(code, 1);
      assert.match(out.replace(/\s+/g, ' '), sentence);
      assert.match(err, /1 fault/);
    });
  }
});

test('a webhook that allows a request of nobody is a warning', async () => {
  const { code, out } = await examined(['webhook', '--endpoint', 'phones', '--json']);
  assert.equal(code, 0);
  const [first] = sections(out);
  assert.deepEqual([first?.about, first?.findings[0]?.mark], ['validator hook', 'warning']);
});

for (const [args, sentence] of [
  [
    ['intune'],
    /endpoints\.default: neither "enrol" nor "renew" names a validator whose "kind" is "intune"/,
  ],
  [['intune', '--endpoint', 'none'], /--endpoint: the configuration has no "none"/],
  [['https://scep.example/scep', '--endpoint', 'phones'], /--endpoint is for "scepter doctor/],
] as const) {
  test(`${args.join(' ')} is a mistake, and is told so`, async () => {
    const { code, err } = await examined(args);
    assert.equal(code, 2);
    assert.match(err, sentence);
  });
}
