// `npm run docs`: writes what is generated in docs/. Tests fail while it is not current.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openApi } from '../../lib/api/openapi.ts';
import { configSchema } from '../../lib/config/config.ts';
import { withCoverage } from './coverage.ts';
import { hresultsPage } from './intune/page.ts';

const root = join(import.meta.dirname, '..', '..');
export const coveragePath = join(root, 'docs', 'rfc8894.md');
export const schemaPath = join(root, 'docs', 'config.schema.json');
export const schemaText = (): string => `${JSON.stringify(configSchema(), null, 2)}\n`;
export const openApiPath = join(root, 'docs', 'openapi.json');
export const openApiText = (): string => `${JSON.stringify(openApi(), null, 2)}\n`;

if (import.meta.main) {
  writeFileSync(coveragePath, withCoverage(readFileSync(coveragePath, 'utf8')));
  writeFileSync(schemaPath, schemaText());
  writeFileSync(openApiPath, openApiText());
  writeFileSync(join(root, 'docs', 'intune-hresults.md'), hresultsPage());
}
