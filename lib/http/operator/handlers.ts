// All that only an operator does, for a process that may, and the admin API of such a process alone.

import type { Hono } from 'hono';
import type { AdminDeps } from '../../ca/deps.ts';
import { type Admin, callersOf } from '../admin/auth.ts';
import { logListHandlers } from '../admin/events.ts';
import { type Handlers, serveApi } from '../admin/serve.ts';
import { caKeyHandlers } from './ca-keys.ts';
import { repairHandlers } from './repair.ts';
import { tokenListHandlers } from './token-list.ts';
import { tokenHandlers } from './tokens.ts';

export const operatorHandlers = { ...caKeyHandlers, ...repairHandlers, ...tokenHandlers };
export type OperatorHandlers = typeof operatorHandlers;

/** For a command that works on the store and the keys itself. */
export const operatorRoutes = (deps: AdminDeps): Hono<Admin> =>
  serveApi(
    deps,
    { ...operatorHandlers, ...tokenListHandlers, ...logListHandlers } as Handlers,
    callersOf(deps),
  );
