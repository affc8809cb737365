// The admin API over DynamoDB Local.

import { apiContract } from '../http/api.contract.ts';
import { freshStore } from '../support/dynamodb.ts';

apiContract('DynamoDB', async () => (await freshStore()).store);
