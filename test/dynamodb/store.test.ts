// The contract of every store, over DynamoDB Local.

import { searchContract } from '../adapters/search.contract.ts';
import { storeContract } from '../adapters/store.contract.ts';
import { freshStore } from '../support/dynamodb.ts';

storeContract('DynamoDB', async () => (await freshStore()).store);
searchContract('DynamoDB', async () => (await freshStore()).store);
