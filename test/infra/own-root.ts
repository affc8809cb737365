// A machine of a test's own, for what is done as root: a copy of this one's file system in which nothing that is
// written lasts, its own processes, mounts and host name, and, where it is wanted, systemd as its first process.
// It needs Linux and root.

import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { temporary } from '../support/process.ts';

const copied = `
set -euo pipefail
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
`;

const prelude = `${copied}
shared=$1
cd /mnt/root
mount -t tmpfs tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
ln -s /proc/self/fd dev/fd
ln -s null dev/console
mkdir -m 1777 dev/shm
mkdir dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mkdir -p shared
mount --bind "$shared" shared
mkdir -p .old
pivot_root . .old
umount -l /.old
hostname machine.test
cd /shared
`;

// What a real boot would start there is left out, but for the log.
const boot = `
cat > /etc/systemd/system/guide.service <<'END'
[Unit]
DefaultDependencies=no
Wants=systemd-journald.service
After=systemd-journald.service
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
WorkingDirectory=/shared
EnvironmentFile=/shared/environment
ExecStartPre=ip link set lo up
ExecStart=/bin/bash -euo pipefail /shared/booted
StandardOutput=append:/shared/out
StandardError=append:/shared/out
END
rm -rf /{etc,lib}/systemd/system/*.wants
for target in sysinit basic network-online; do
  printf '[Unit]\\nDefaultDependencies=no\\n' > "/etc/systemd/system/$target.target"
done
exec unshare --net env -i container=test PATH="$PATH" /lib/systemd/systemd --system --unit=guide.service --log-target=journal
`;

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** How this machine reaches package registries. */
const network = () =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) =>
      /^(NODE_EXTRA_CA_CERTS|SSL_CERT_\w+|(https?|no)_proxy)$/i.test(name),
    ),
  );

export type Machine = {
  /** Seen by the machine as /shared, where scripts begin, and left afterwards. */
  readonly folder: string;
  /**
   * @param script is run by bash with this machine's network, up to the first command that fails
   * @param booted is run after it under systemd, alone in a network of its own
   */
  run(
    script: string,
    booted?: string,
  ): Promise<{ readonly code: number | null; readonly out: string }>;
};

const namespaces = ['-m', '-p', '-f', '-u', '-i', '-C', '--kill-child'];

/** Why no such machine can be made here, where none can: a container may not mount. */
export function noOwnRoot(): string | false {
  const { status, error, stderr } = spawnSync('unshare', [...namespaces, 'bash', '-c', copied]);
  if (status === 0) return false;
  return `no machine of its own can be made here: ${error?.message ?? stderr.toString().trim()}`;
}

export function ownRoot(): Machine {
  const folder = temporary('own-root');
  return {
    folder,
    run: async (script, booted) => {
      const env = { ...network(), HOME: '/root', PATH };
      const lines = Object.entries(env).map(([name, value]) => `${name}=${value}\n`);
      writeFileSync(join(folder, 'environment'), lines.join(''));
      writeFileSync(join(folder, 'script'), script);
      writeFileSync(join(folder, 'booted'), booted ?? '');
      const inside = `bash -euo pipefail /shared/script\n${booted === undefined ? '' : boot}`;
      const command = ['bash', '-c', `${prelude}${inside}`, 'bash', folder];
      const child = spawn('unshare', [...namespaces, ...command], {
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
        // For what hangs.
        timeout: 600_000,
        killSignal: 'SIGKILL',
      });
      const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
      const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
      const later = booted === undefined ? '' : readFileSync(join(folder, 'out'), 'utf8');
      return { code, out: `${out}${err}${later}` };
    },
  };
}
