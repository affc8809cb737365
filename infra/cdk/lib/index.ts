// What the npm package exports.

// biome-ignore-start lint/performance/noBarrelFile: it is the one door of the package
export {
  AdminAccess,
  type CloudFrontOptions,
  type Domain,
  type HttpApiOptions,
  Ingress,
  type JwtOptions,
  type LoadBalancerOptions,
} from './access.ts';
export { ConfigFile } from './config-file.ts';
export type { ConfigObject } from './config-object.ts';
export { WebAcl, type WebAclProps } from './edge.ts';
export type { Keys } from './keys.ts';
export type {
  BackendProps,
  FunctionSettings,
  ScepServiceProps,
  ServiceFunctionSettings,
} from './props.ts';
export { QuickStart } from './quick-start.ts';
export {
  ScepService,
  type ServiceFunctions,
  type ServiceLogGroups,
  type ServiceRoles,
} from './scep-service.ts';
export { WorkerBackend, type WorkerBackendProps } from './worker-backend.ts';
export type { WorkerIdentity } from './worker-identity.ts';
// biome-ignore-end lint/performance/noBarrelFile: it is the one door of the package
