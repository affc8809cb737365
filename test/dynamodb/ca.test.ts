// What the whole CA promises, over DynamoDB Local.

import { atOnce } from '../ca/enrol/ca-at-once.contract.ts';
import { faultScenarios } from '../ca/enrol/ca-faults.contract.ts';
import { freshStore } from '../support/dynamodb.ts';

faultScenarios('DynamoDB', freshStore);
atOnce('DynamoDB', freshStore);
