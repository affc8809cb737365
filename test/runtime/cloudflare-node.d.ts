// What `in-workerd.ts` uses of workerd's own module.
declare module 'cloudflare:node' {
  /** Answers a request by the server of node:http that listens at this port in the isolate. */
  export function handleAsNodeRequest(port: number, request: Request): Promise<Response>;
}
