import { expect, test } from '@jest/globals';
import { type ErrorCode, GatewayError } from '../../../gateway/errors.ts';
import type { PreparedOperation } from '../../../gateway/operation/preparedOperation.ts';
import {
  type ReprepareOperation,
  SubscriptionReplanner,
} from '../../../gateway/subscriptions/subscriptionReplanner.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const supergraphs = ['first', 'second', 'third'].map((id) => ({ id }) as Supergraph);
const [first, second, third] = supergraphs as [Supergraph, Supergraph, Supergraph];

/** Subscriptions that were prepared for the first supergraph. */
function open(names: readonly string[] = ['a', 'b']) {
  const timers = new FakeTimers();
  const events: string[] = [];
  const lives = names.map((name) => ({ name, subscription: subscriptionFor(first) }));
  const replanner = new SubscriptionReplanner<(typeof lives)[number]>({
    timers,
    listActive: () => lives,
    onReplanned: (live, operation) => {
      live.subscription = { ...live.subscription, operation };
      events.push(`${live.name}: ${operation.supergraph.id}`);
    },
    onInvalid: ({ name }) => events.push(`${name}: invalid`),
  });
  return { timers, events, replanner };
}

function subscriptionFor(supergraph: Supergraph) {
  return { operation: operationFor(supergraph), request: {} as never, requestContext: {} as never };
}

function operationFor(supergraph: Supergraph): PreparedOperation {
  return { supergraph } as PreparedOperation;
}

function failWith(code: ErrorCode): ReprepareOperation {
  return async () => {
    throw new GatewayError(code, 'It fails.');
  };
}

test('Subscriptions are planned for a supergraph that arrives meanwhile, and not for the previous one', async () => {
  const { replanner, events } = open();
  const planned = Promise.withResolvers<PreparedOperation>();
  const earlier = replanner.replanAll(second, () => planned.promise);
  const later = replanner.replanAll(third, async () => operationFor(third));
  planned.resolve(operationFor(second));
  await Promise.all([earlier, later]);
  expect(events).toEqual(['a: third', 'b: third']);
});

test('Failures of planning count for one supergraph, and end a subscription at the fifth', async () => {
  const { replanner, events, timers } = open();
  const fail = failWith('PLANNING_FAILED');
  const retry = async (times: number): Promise<void> => {
    for (let count = 0; count < times; count += 1) {
      timers.advance(10_000);
      await waitForTurns();
    }
  };
  await replanner.replanAll(second, fail);
  await retry(3);
  await replanner.replanAll(third, fail);
  await retry(3);
  expect([events, timers.pendingCount]).toEqual([[], 1]);
  await retry(1);
  expect([events.slice(0, 2), timers.pendingCount]).toEqual([['a: invalid', 'b: invalid'], 0]);
});

test('While planning is overloaded it is retried, for any number of attempts, until the replanner closes', async () => {
  const { replanner, events, timers } = open();
  await replanner.replanAll(second, failWith('OVERLOADED'));
  for (let count = 0; count < 10; count += 1) {
    timers.advance(10_000);
    await waitForTurns();
  }
  expect([events, timers.pendingCount]).toEqual([[], 1]);
  replanner.close();
  expect(timers.pendingCount).toBe(0);
});

test('Other tasks of the event loop run while many subscriptions are planned again, whose plans are known', async () => {
  const { replanner, events } = open(Array.from({ length: 1_000 }, (_, index) => `${index}`));
  const done = replanner.replanAll(second, async () => operationFor(second));
  const inNextTurn = new Promise<number>((resolve) => setImmediate(() => resolve(events.length)));
  expect(await inNextTurn).toBeLessThanOrEqual(100);
  await done;
  expect(events).toHaveLength(1_000);
});
