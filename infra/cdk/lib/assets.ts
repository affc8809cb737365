// Where the policies and the packages of the functions are. In the npm package (build/cdk-package.ts) both are
// beside `lib`; in the repository they are where others take them from, too.

import { existsSync } from 'node:fs';
import { join } from 'node:path';

const beside = join(import.meta.dirname, '..');
const infra = join(beside, '..');
const isPackage = existsSync(join(beside, 'policies'));

export const policiesFolder = join(isPackage ? beside : infra, 'policies');
export const packagesFolder = isPackage
  ? join(beside, 'functions')
  : join(infra, '..', 'dist', 'release');
