// The Worker, with patience: what `wrangler dev` runs in tests.

import './patience.js';
import worker from '../../functions/worker.ts';

export default worker;
