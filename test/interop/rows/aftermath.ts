// After all the others: what the servers have written about them.

import type { Row } from '../lab.ts';
import { hold } from '../openssl.ts';

export const aftermathRows: readonly Row[] = [
  {
    id: 'log',
    client: 'server',
    title: 'no outage, no challenge in the log',
    async run({ log, challenges }) {
      const lines = (await log()).split('\n').filter((line) => line.startsWith('{'));
      const serious = lines.filter((line) => line.includes('"severity":"error"'));
      hold(serious.length === 0, `nothing serious is logged: ${serious[0]}`);
      const leaked = challenges.filter((secret) => lines.some((line) => line.includes(secret)));
      hold(leaked.length === 0, 'no challenge is in the log');
      return `${lines.length} lines, ${challenges.length} challenges`;
    },
  },
];
