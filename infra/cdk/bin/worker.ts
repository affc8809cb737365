// The AWS side of a Worker: one stack with one WorkerBackend, from what the context says
// (`-c name=value`). Its outputs are what infra/cloudflare/configure.ts and the operator want.

import { QuickStart } from '../lib/index.ts';

QuickStart.worker();
