// How people call our command line: as `scepter`, which an installed package has put on the PATH, and which a
// checkout has in bin/.

import { join, sep } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const isInstalled = root.split(sep).includes('node_modules');

/** What it comes with. */
export const home = {
  schema: join(root, 'docs', 'config.schema.json'),
  repository: isInstalled ? undefined : root,
};

/** Lines for a terminal, after which it knows `scepter`; none where the package is installed. */
export function setUp(platform: NodeJS.Platform = process.platform): string[] {
  if (isInstalled) return [];
  const bin = join(root, 'bin');
  return platform === 'win32' ? [`  set PATH=${bin};%PATH%`] : [`  export PATH="${bin}:$PATH"`];
}
