// The admin API: all its routes, in the order of its documentation.

import type { AnswerOf, Route, Routes } from './route.ts';
import { caKeyRoutes } from './routes/ca-keys.ts';
import { caRoutes } from './routes/cas.ts';
import { certificateRoutes } from './routes/certificates.ts';
import { challengeRoutes } from './routes/challenges.ts';
import { deviceRoutes } from './routes/devices.ts';
import { eventRoutes } from './routes/events.ts';
import { repairRoutes } from './routes/repair.ts';
import { signedRevocationRoutes } from './routes/revoke-signed.ts';
import { simulateRoutes } from './routes/simulate.ts';
import { serviceRoutes } from './routes/status.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { transactionRoutes } from './routes/transactions.ts';

const api = {
  ...challengeRoutes,
  ...deviceRoutes,
  ...transactionRoutes,
  ...certificateRoutes,
  ...signedRevocationRoutes,
  ...caRoutes,
  ...caKeyRoutes,
  ...repairRoutes,
  ...tokenRoutes,
  ...eventRoutes,
  ...serviceRoutes,
  ...simulateRoutes,
} as const satisfies Routes;

export type Api = typeof api;
/** Such as `GET /cas/{ca}`. */
export type RouteName = keyof Api;
export type AnswerTo<Name extends RouteName> = AnswerOf<Api[Name]>;

export type NamedRoute = Route & {
  readonly name: RouteName;
  readonly method: string;
  readonly path: string;
};
const names = Object.keys(api) as RouteName[];
export const routes: readonly NamedRoute[] = names.map((name) => {
  const [method = '', path = ''] = name.split(' ');
  return { name, method, path, ...api[name] };
});
