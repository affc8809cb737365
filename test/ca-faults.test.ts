// Every fault of `ca-faults.contract.ts` over the memory store; `npm run test:dynamodb` has another.

import { faultScenarios } from './ca-faults.contract.ts';
import { memory } from './support/stores.ts';

faultScenarios('memory', memory);
