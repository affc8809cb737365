// What a heartbeat refuses, and that it tells nobody unless it is told whom.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { makeHeartbeatStack } from '../lib/quick-start.ts';
import { Heartbeat, type HeartbeatProps } from '../lib/watch/heartbeat.ts';
import { account, resourcesOf, stackOf } from './support.ts';

const make = (props: Partial<HeartbeatProps> = {}, region = 'us-east-1') => {
  const stack = stackOf(region);
  const heartbeat = new Heartbeat(stack, 'Heartbeat', { host: 'scep.example.com', ...props });
  return { stack, heartbeat };
};

test('a URL is no host, and a stack elsewhere would see no metric', () => {
  assert.throws(
    () => make({ host: 'https://scep.example.com' }),
    /^Error: host: must be a host name in lower case, not "https:\/\/scep\.example\.com"$/,
  );
  assert.throws(
    () => make({}, 'eu-central-1'),
    /^Error: Heartbeat: the stack is in eu-central-1, and Route 53 counts in us-east-1 only/,
  );
});

test('without a topic the alarm tells nobody', () => {
  const [[, alarm] = assert.fail('no alarm')] = resourcesOf(
    Template.fromStack(make().stack),
    'AWS::CloudWatch::Alarm',
  );
  assert.deepEqual(
    [alarm.Properties.AlarmActions, alarm.Properties.OKActions],
    [undefined, undefined],
  );
});

test('its app wants a host, and has a stack of its own for each deployment', () => {
  const stack = (context: object) =>
    makeHeartbeatStack(new App({ context: { account, ...context } }), {});
  assert.throws(() => stack({}), /^Error: host: is missing: -c host=/);
  const { stackName, region } = stack({ host: 'scep.example.com', deployment: 'plant-2' });
  assert.deepEqual([stackName, region], ['ScepterHeartbeat-plant-2', 'us-east-1']);
});
