// The quick start: one stack with one ScepService, from what the context says (`-c name=value`).

import { QuickStart } from '../lib/index.ts';

QuickStart.service();
