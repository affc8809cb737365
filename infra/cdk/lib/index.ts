// What the npm package exports.

// biome-ignore-start lint/performance/noBarrelFile: it is the one door of the package
export type { Backup, BackupSettings } from './backend/backup.ts';
export { ConfigFile } from './backend/config-file.ts';
export type { ConfigObject } from './backend/config-object.ts';
export type { Keys } from './backend/keys.ts';
export type { LogLock } from './backend/logs.ts';
export type { WorkerIdentity } from './backend/worker-identity.ts';
export {
  AdminAccess,
  type CloudFrontOptions,
  type Domain,
  type FilesOptions,
  type HttpApiOptions,
  Ingress,
  type JwtOptions,
  type LoadBalancerOptions,
} from './ingress/access.ts';
export { WebAcl, type WebAclProps } from './ingress/edge.ts';
export type { ServiceFunctions, ServiceLogGroups, ServiceRoles } from './members.ts';
export type {
  BackendProps,
  FunctionSettings,
  ScepServiceProps,
  ServiceFunctionSettings,
} from './props.ts';
export { QuickStart } from './quick-start.ts';
export { ScepService } from './scep-service.ts';
export { Heartbeat, type HeartbeatProps } from './watch/heartbeat.ts';
export { WorkerBackend, type WorkerBackendProps } from './worker-backend.ts';
// biome-ignore-end lint/performance/noBarrelFile: it is the one door of the package
