// The emulator that all other tests use.

import { after } from 'node:test';
import { startKmsEmulator } from '../support/kms-emulator.ts';
import { conformance } from './conformance.ts';

const emulator = await startKmsEmulator();
after(() => emulator.stop());
conformance({ name: 'the emulator', env: emulator.env, differs: {} });
