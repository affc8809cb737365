// The Worker, with patience: what `wrangler dev` runs over emulators, in tests and for npm run dev:worker.

import './patience.js';
import worker from '../../functions/worker.ts';

export default worker;
