// The sequencer's function in a process of its own, killed at a call of its own choosing: SIGKILL, before the call is
// made or after it has taken effect. It prints what it has done if it comes to its end.
//   argv: which call, `before` or `after`; none: the function as Lambda calls it

import { openSequencer } from '../../functions/lambda/aws.ts';
import { sequenceAll } from '../../lib/ca/log/sequence.ts';
import { cutting } from './cutting.ts';

const [at, when] = process.argv.slice(2);
if (at === undefined) {
  const { handler } = await import('../../functions/sequencer-lambda.ts');
  await handler({ Records: [] }, { awsRequestId: 'request' });
  process.exit();
}
const opened = await openSequencer((entry) => process.stderr.write(`${JSON.stringify(entry)}\n`));
const { deps, arm } = cutting(opened, () => process.kill(process.pid, 'SIGKILL'));
arm(Number(at), when === 'after' ? 'after' : 'before');
process.stdout.write(JSON.stringify(await sequenceAll(deps)));
process.exit();
