// How a Worker reaches AWS, by what it has been given.

import type { AwsConnection } from '../../lib/adapters/aws/aws.ts';
import { rolesAnywhere } from '../../lib/adapters/aws/roles-anywhere.ts';
import { systemClock } from '../../lib/adapters/system.ts';
import type { Log } from '../../lib/ports/log.ts';
import type { AwsSettings } from '../env.ts';

export const awsConnection = (settings: AwsSettings, log: Log): AwsConnection => ({
  region: settings.region,
  endpoints: settings.endpoints,
  credentials:
    'credentials' in settings
      ? settings.credentials
      : rolesAnywhere(settings.rolesAnywhere, { clock: systemClock, log }),
});
