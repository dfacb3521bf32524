import { expect, test } from '@jest/globals';
import { RedisInvalidations } from '../../../../gateway/cache/store/redisInvalidations.ts';
import { RedisKeys } from '../../../../gateway/cache/store/redisKeys.ts';
import { RedisFailure } from '../../../../gateway/redis/redisFailure.ts';
import { createLogger } from '../../../../gateway/telemetry/logger.ts';
import { ProblemLog } from '../../../../gateway/telemetry/problemLog.ts';
import { createManualTimers } from '../../../harness/manualTimers.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';

test('an invalidation that fails during the retry of another one is retried too', async () => {
  const timers = createManualTimers();
  const failure = new RedisFailure(new Error('Redis is busy.'));
  const replies: unknown[] = [];
  const sent: string[] = [];
  const invalidations = new RedisInvalidations({
    keys: new RedisKeys('test', 1),
    senderId: 'sender',
    timers,
    problems: new ProblemLog({ log: createLogger('silent'), now: () => 0, message: 'a problem' }),
    sendCommand: async () => failure,
    runScript: async (_script, _keys, args) => {
      sent.push(String(args.at(-1)));
      return replies.shift() ?? failure;
    },
  });
  void invalidations.delete(['first'], 60_000);
  await timers.waitForTimer(1_000);
  const slow = Promise.withResolvers<unknown>();
  replies.push(slow.promise, failure);
  timers.fire(1_000);
  void invalidations.delete(['second'], 60_000);
  await timers.waitForTimer(1_000);
  timers.fire(1_000);
  expect(sent).toEqual(['first', 'first', 'second']);
  // The numbering of the first one succeeds now, and so does its deletion.
  replies.push([0, 0]);
  slow.resolve(Buffer.from('1'));
  await waitForTurns(5);
  timers.fire(1_000);
  expect(sent).toEqual(['first', 'first', 'second', 'first', 'second']);
});
