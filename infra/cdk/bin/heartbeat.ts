// Who asks a Worker whether its upkeep runs: one stack in us-east-1 with one Heartbeat, from what the context says
// (`-c name=value`).

import { QuickStart } from '../lib/index.ts';

QuickStart.heartbeat();
