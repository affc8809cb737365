// The handlers of the admin API that every process with it has, and what only an operator does where they are
// given: code that a function may not use is not in its bundle.

import type { Hono } from 'hono';
import type { Api } from '../../api/api.ts';
import type { AdminDeps } from '../../ca/deps.ts';
import type { OperatorHandlers } from '../operator/handlers.ts';
import { tokenListHandlers } from '../operator/token-list.ts';
import { deviceHandlers } from '../policy/devices.ts';
import { replayHandlers } from '../policy/replay.ts';
import type { Admin, Callers } from './auth.ts';
import { caHandlers } from './cas.ts';
import { certificateHandlers } from './certificates.ts';
import { challengeHandlers } from './challenges.ts';
import { eventHandlers } from './events.ts';
import type { HandlersOf } from './handlers.ts';
import { signedRevocationHandlers } from './revoke-signed.ts';
import { type Handlers, serveApi } from './serve.ts';
import { simulateHandlers } from './simulate.ts';
import { serviceHandlers } from './status.ts';
import { transactionHandlers } from './transactions.ts';

const handlers: HandlersOf<Omit<Api, keyof OperatorHandlers>> = {
  ...challengeHandlers,
  ...deviceHandlers,
  ...transactionHandlers,
  ...certificateHandlers,
  ...signedRevocationHandlers,
  ...caHandlers,
  ...tokenListHandlers,
  ...eventHandlers,
  ...serviceHandlers,
  ...simulateHandlers,
  ...replayHandlers,
};

export const adminRoutes = (
  deps: AdminDeps,
  callers: Callers,
  operated?: OperatorHandlers,
): Hono<Admin> => serveApi(deps, { ...handlers, ...operated } as Handlers, callers);
