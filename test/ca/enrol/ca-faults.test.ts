// Every fault of `ca-faults.contract.ts` over the memory store; `npm run test:dynamodb` has another.

import { memory } from '../../support/stores.ts';
import { faultScenarios } from './ca-faults.contract.ts';

faultScenarios('memory', memory);
