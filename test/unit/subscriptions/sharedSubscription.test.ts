import { expect, jest, test } from '@jest/globals';
import { SharedSubscription, type Subscriber } from '../../../gateway/subscriptions/sharedSubscription.ts';
import type { SourceReceiver } from '../../../gateway/subscriptions/sources/subscriptionSource.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const event = { data: {}, errors: undefined, extensions: undefined, size: 1 };

/** Starts a subscription. Returns the receiver of its events. `onPayload` is called with the index of the subscriber. */
function start(subscriberCount: number, onPayload: (index: number) => void) {
  const unexpected = (): never => {
    throw new Error('unexpected call');
  };
  const shared = new SharedSubscription({
    queue: { maxEvents: 10, maxBytes: 1000, policy: 'close' },
    reportsInterruptions: false,
    isBehind: false,
    onDropped: unexpected,
    onCaughtUp: unexpected,
    onIdle: () => {},
    toClientError: unexpected,
    onEnd: () => {},
  });
  const leaves = Array.from({ length: subscriberCount }, (_, index) =>
    shared.join({
      onPayload: () => onPayload(index),
      waitForRoom: unexpected,
      waitForDrain: unexpected,
      onComplete: unexpected,
      onError: unexpected,
    } satisfies Subscriber),
  );
  let receiver: SourceReceiver | undefined;
  shared.start({
    subscribe: (given) => {
      receiver = given;
      return { cancel: () => {}, startsImmediately: true };
    },
    complete: async function* () {
      yield { text: '{}', cursor: undefined };
    },
  });
  return { receiver: receiver as SourceReceiver, leaves };
}

/** Each look at the clock finds the turn used up. */
function useUpTurns() {
  const now = performance.now.bind(performance);
  let looks = 0;
  return jest.spyOn(performance, 'now').mockImplementation(() => now() + 11 * looks++);
}

test('an event for very many subscribers is sent to 200 of them in each turn but the first, in order, and to none that has left', async () => {
  await waitForTurns(2);
  const clock = useUpTurns();
  const received: number[] = [];
  const { receiver, leaves } = start(1000, (index) => received.push(index));
  receiver.onEvent(event);
  const counts: number[] = [];
  while (received.length < 999) {
    await waitForTurns(1);
    counts.push(received.length);
    if (received.length === 400) leaves[700]?.();
  }
  clock.mockRestore();
  expect([...new Set(counts)].filter((count) => count > 0)).toEqual([400, 600, 799, 999]);
  expect(received).toEqual(
    Array.from({ length: 1000 }, (_, index) => index).filter((index) => index !== 700),
  );
});

test('an event for many subscriptions is completed for one of them in a turn', async () => {
  await waitForTurns(2);
  const clock = useUpTurns();
  const received: number[] = [];
  const receivers = Array.from({ length: 20 }, (_, index) => start(1, () => received.push(index)).receiver);
  for (const receiver of receivers) receiver.onEvent(event);
  let turns = 0;
  for (; received.length < 20; turns++) await waitForTurns(1);
  clock.mockRestore();
  expect(turns).toBeGreaterThanOrEqual(19);
  expect(received).toEqual(Array.from({ length: 20 }, (_, index) => index));
});
