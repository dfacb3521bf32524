import { expect, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import { SharedSubscription } from '../../../gateway/subscriptions/sharedSubscription.ts';
import type { SourceReceiver } from '../../../gateway/subscriptions/sources/subscriptionSource.ts';
import type { Subscriber } from '../../../gateway/subscriptions/subscriber.ts';
import type { EventFeed } from '../../../gateway/subscriptions/upstreamSubscription.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { useUpTurns } from '../../harness/useUpTurns.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';
import { WeakList } from '../../harness/weakList.ts';

const event = { data: {}, errors: undefined, extensions: undefined, size: 1 };

const unexpected = (): never => {
  throw new Error('unexpected call');
};

function subscriberOf(onTexts: (texts: readonly string[]) => void): Subscriber {
  return {
    onBroadcast: ({ payloads }) => onTexts(payloads.map(({ text }) => text)),
    isSlow: false,
    waitForRoom: async () => {},
    waitForDrain: async () => {},
    onComplete: unexpected,
    onError: unexpected,
  };
}

/** Starts a subscription. Returns the receiver of its events. `onPayload` is called with the index of the subscriber and the
 *  texts of the payloads: the numbers of the events. */
function start(
  subscriberCount: number,
  onPayload: (index: number, texts: readonly string[]) => void,
  {
    hasDeferredPayloads = false,
    reportsInterruptions = true,
    /** The number of the first event whose completion does not end. */
    hangsFrom = Number.POSITIVE_INFINITY,
    policy = 'close' as 'close' | 'wait',
  } = {},
) {
  const shared = new SharedSubscription({
    queue: { maxEvents: 30, maxBytes: 1000, policy },
    reportsInterruptions,
    isBehind: false,
    onDropped: unexpected,
    onCaughtUp: unexpected,
    onIdle: () => {},
    onSlowSubscriber: unexpected,
    toClientError: unexpected,
    toClientInterruption: (error) => error,
    retryLimits: { attempts: 3, connectTimeoutMs: 0, minDelay: 100, maxDelay: 1_000 },
    timers: new FakeTimers(),
    onResubscribeFailed: unexpected,
    toInternalError: unexpected,
    onEnd: () => {},
  });
  const leaves = Array.from({ length: subscriberCount }, (_, index) =>
    shared.join(subscriberOf((texts) => onPayload(index, texts))),
  );
  let receiver: SourceReceiver | undefined;
  const observed = {
    completed: 0,
    subscriptions: 0,
    pauses: 0,
    /** How many events were completed at each resumption. */
    resumedAt: [] as number[],
    signal: undefined as AbortSignal | undefined,
  };
  const feed: EventFeed = {
    subscribe: (given) => {
      receiver = given;
      observed.subscriptions += 1;
      const pause = (): void => {
        observed.pauses += 1;
      };
      const resume = (): void => {
        observed.resumedAt.push(observed.completed);
      };
      return { cancel: () => {}, startsImmediately: true, flowControl: { pause, resume } };
    },
    complete: async function* (_, signal) {
      observed.completed += 1;
      observed.signal = signal;
      if (observed.completed >= hangsFrom) await new Promise(() => {});
      yield { text: `${observed.completed}`, cursor: undefined };
    },
    hasDeferredPayloads: () => hasDeferredPayloads,
  };
  shared.start(feed);
  return { shared, receiver: receiver as SourceReceiver, leaves, feed, observed };
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

test.each<[string, (receiver: SourceReceiver) => void]>([
  ['an event for many subscriptions is completed', (receiver) => receiver.onEvent(event)],
  [
    'an interruption of many subscriptions is reported',
    (receiver) => receiver.onInterrupted(new GatewayError('SUBGRAPH_UNREACHABLE', 'lost')),
  ],
])('%s for one of them in a turn', async (_, send) => {
  await waitForTurns(2);
  const clock = useUpTurns();
  const received: number[] = [];
  const receivers = Array.from({ length: 20 }, (_, index) => start(1, () => received.push(index)).receiver);
  for (const receiver of receivers) send(receiver);
  let turns = 0;
  for (; received.length < 20; turns++) await waitForTurns(1);
  clock.mockRestore();
  expect(turns).toBeGreaterThanOrEqual(19);
  expect(received).toEqual(Array.from({ length: 20 }, (_, index) => index));
});

test('a subscription that was merged into another one is not kept in memory by its clients, which can leave', async () => {
  const merged = new WeakList();
  const received: string[] = [];
  const { shared: target, receiver } = start(0, () => {});
  const mergeNew = (name: string) => {
    const [first, second] = [0, 0].map((count) => merged.add(start(count, () => {}).shared));
    const leave = first?.join(subscriberOf(() => received.push(name)));
    first?.mergeInto(second as SharedSubscription);
    second?.mergeInto(target);
    return leave;
  };
  const leaves = ['first', 'second'].map(mergeNew);
  expect(await merged.countRemaining()).toBe(0);
  leaves[0]?.();
  receiver.onEvent(event);
  while (!target.isIdle) await waitForTurns(1);
  expect(received).toEqual(['second']);
  leaves[1]?.();
  expect(target.isOpen).toBe(false);
});

/** The index of the last of so many subscribers that an event takes more turns than the events that arrive meanwhile. */
const last = 4999;

test('events that are completed while another one is being sent are sent together, to the clients that are present then', async () => {
  await waitForTurns(2);
  const clock = useUpTurns();
  const received: string[][] = Array.from({ length: last + 1 }, () => []);
  const { shared, receiver, leaves, observed } = start(last + 1, (index, texts) => {
    received[index]?.push(texts.join('+'));
  });
  for (let count = 0; count < 3; count++) receiver.onEvent(event);
  for (let turns = 0; observed.completed < 3 && turns < 20; turns++) await waitForTurns(1);
  // The first event has not reached the last client yet.
  expect([observed.completed, received[0], received[last], shared.isIdle]).toEqual([3, ['1'], [], false]);
  leaves[0]?.();
  for (let turns = 0; !shared.isIdle && turns < 100; turns++) await waitForTurns(1);
  clock.mockRestore();
  expect(received).toEqual(received.map((_, index) => (index === 0 ? ['1'] : ['1', '2+3'])));
});

test('while an event is being sent, no more than sixteen are completed', async () => {
  await waitForTurns(2);
  const clock = useUpTurns();
  const received: string[] = [];
  const completed: number[] = [];
  const { shared, receiver, observed } = start(last + 1, (index, texts) => {
    if (index !== last) return;
    received.push(texts.join('+'));
    completed.push(observed.completed);
  });
  for (let sent = 0; sent < 20; sent++) receiver.onEvent(event);
  for (let turns = 0; !shared.isIdle && turns < 200; turns++) await waitForTurns(1);
  clock.mockRestore();
  const numbers = Array.from({ length: 20 }, (_, index) => index + 1);
  expect(received).toEqual(['1', numbers.slice(1, 17).join('+'), numbers.slice(17).join('+')]);
  expect(completed[0]).toBe(17);
});

test('with `whenFull: wait`, no event is completed while another one is being sent', async () => {
  await waitForTurns(2);
  const clock = useUpTurns();
  const completed: number[] = [];
  const onPayload = (index: number): void => {
    if (index === last) completed.push(observed.completed);
  };
  const { receiver, observed } = start(last + 1, onPayload, { policy: 'wait' });
  for (let sent = 0; sent < 3; sent++) receiver.onEvent(event);
  for (let turns = 0; completed.length < 3 && turns < 200; turns++) await waitForTurns(1);
  clock.mockRestore();
  expect(completed).toEqual([1, 2, 3]);
});

test('with `whenFull: wait`, the source is paused when its queue is full, and resumed when half of it is empty', async () => {
  const received: string[] = [];
  const onPayload = (_: number, texts: readonly string[]): void => {
    received.push(...texts);
  };
  const { receiver, observed } = start(1, onPayload, { policy: 'wait' });
  for (let sent = 0; sent < 31; sent++) receiver.onEvent(event);
  expect(observed.pauses).toBe(1);
  for (let turns = 0; received.length < 31 && turns < 200; turns++) await waitForTurns(1);
  expect(observed.resumedAt).toEqual([15]);
});

test('a replayed event is consumed when the last of many clients has received it', async () => {
  await waitForTurns(2);
  const clock = useUpTurns();
  const order: string[] = [];
  const { shared, receiver } = start(last + 1, (index) => {
    if (index === last) order.push('received');
  });
  receiver.onEvent({ ...event, onConsumed: () => order.push('consumed') });
  for (let turns = 0; !shared.isIdle && turns < 200; turns++) await waitForTurns(1);
  clock.mockRestore();
  expect(order).toEqual(['received', 'consumed']);
});

test('an event with deferred payloads is not sent before notices that wait until an earlier one was sent', async () => {
  await waitForTurns(2);
  const clock = useUpTurns();
  const received: string[] = [];
  const { shared, receiver } = start(
    last + 1,
    (index, texts) => {
      if (index === last) received.push(...texts);
    },
    { hasDeferredPayloads: true },
  );
  for (const message of ['first', 'second']) {
    receiver.onInterrupted(new GatewayError('SUBGRAPH_UNREACHABLE', message));
    await waitForTurns(1);
  }
  receiver.onEvent(event);
  for (let turns = 0; !shared.isIdle && turns < 200; turns++) await waitForTurns(1);
  clock.mockRestore();
  expect(received).toEqual([expect.stringContaining('first'), expect.stringContaining('second'), '1']);
});

test('a source that can be paused is not paused when its queue is full, unless `whenFull` is `wait`', async () => {
  const received: string[] = [];
  const { shared, receiver, observed } = start(1, (_, texts) => received.push(...texts));
  // One that is being completed, and as many as the queue holds.
  for (let sent = 0; sent < 31; sent++) receiver.onEvent(event);
  for (let turns = 0; !shared.isIdle && turns < 200; turns++) await waitForTurns(1);
  expect([received.length, observed.pauses]).toEqual([31, 0]);
});

test('an event is not completed when the last client leaves while it waits for a turn of the event loop', async () => {
  await waitForTurns(2);
  const clock = useUpTurns();
  const [first, second] = [start(1, () => {}), start(1, unexpected)];
  for (const { receiver } of [first, second]) receiver.onEvent(event);
  second.leaves[0]?.();
  await waitForTurns();
  clock.mockRestore();
  expect([first, second].map(({ observed }) => observed.completed)).toEqual([1, 0]);
});

test('an event that is being completed is cancelled when the last client leaves', async () => {
  const { receiver, leaves, observed } = start(1, () => {}, { hangsFrom: 1 });
  receiver.onEvent(event);
  for (let turns = 0; observed.completed === 0 && turns < 200; turns++) await waitForTurns(1);
  expect(observed.signal?.aborted).toBe(false);
  leaves[0]?.();
  expect(observed.signal?.aborted).toBe(true);
});

test('a subscription whose source has ended continues while its last event is completed, after the others were sent', async () => {
  await waitForTurns(2);
  const clock = useUpTurns();
  let received = 0;
  const onPayload = (): void => {
    received += 1;
  };
  const { shared, receiver, observed } = start(last + 1, onPayload, { hangsFrom: 2 });
  for (let sent = 0; sent < 2; sent++) receiver.onEvent(event);
  receiver.onComplete();
  for (let turns = 0; received <= last && turns < 200; turns++) await waitForTurns(1);
  await waitForTurns();
  clock.mockRestore();
  expect([received, observed.completed, shared.subscribers.size]).toEqual([last + 1, 2, last + 1]);
});

test('a subscription whose source has ended does not subscribe again while its last event is sent', async () => {
  const { shared, receiver, leaves, feed, observed } = start(1, () => {}, { hangsFrom: 1 });
  receiver.onEvent(event);
  receiver.onComplete();
  shared.resubscribe(feed);
  leaves[0]?.();
  expect([shared.isOpen, observed.subscriptions]).toEqual([false, 1]);
});
