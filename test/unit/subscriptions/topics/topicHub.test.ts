import { expect, jest, test } from '@jest/globals';
import { pino } from 'pino';
import { StreamTopic } from '../../../../gateway/subscriptions/topics/streamTopic.ts';
import { TopicBus } from '../../../../gateway/subscriptions/topics/topicBus.ts';
import type { TopicField } from '../../../../gateway/subscriptions/topics/topicField.ts';
import { TopicHub } from '../../../../gateway/subscriptions/topics/topicHub.ts';
import type { TopicListener } from '../../../../gateway/subscriptions/topics/topicListener.ts';
import { TopicProblemLog } from '../../../../gateway/subscriptions/topics/topicProblemLog.ts';
import { systemTimers } from '../../../../gateway/time/timers.ts';
import { parseRedisConfig } from '../../../harness/redisStoreFixture.ts';

function openHub() {
  const bus = new TopicBus();
  const hub = new TopicHub({
    config: parseRedisConfig({ url: 'redis://127.0.0.1:1' }),
    bus,
    maxEventBytes: 1000,
    problems: new TopicProblemLog({ log: pino({ enabled: false }), now: Date.now }),
    timers: systemTimers,
  });
  return { bus, hub, [Symbol.dispose]: () => hub.close() };
}

const event = { __typename: 'Product', id: '1' };
const ignore = () => {};

function listenerOf(onEvent: () => void): TopicListener {
  return { onEvent, onReplayedEvent: async () => {}, onCaughtUp: ignore, onGap: ignore };
}

test.each<[string, TopicField]>([
  ['topic', { topic: 'stock', filter: {} }],
  ['stream', { stream: 'stock', filter: {} }],
])('a listener that leaves a %s twice does not end one that joined in between', (_, field) => {
  using opened = openHub();
  const { bus, hub } = opened;
  const first = hub.subscribe(field, undefined, listenerOf(ignore));
  first.unsubscribe();
  const close = jest.spyOn(StreamTopic.prototype, 'close').mockClear();
  let received = 0;
  hub.subscribe(
    field,
    undefined,
    listenerOf(() => received++),
  );
  first.unsubscribe();
  bus.publish('stock', event);
  expect([received, close.mock.calls]).toEqual([field.stream === undefined ? 1 : 0, []]);
});

test('a listener that joins while an event is published does not get it', () => {
  using opened = openHub();
  const { bus, hub } = opened;
  const field = { topic: 'stock', filter: {} };
  const received: string[] = [];
  const join = (name: string, onEvent: () => void) =>
    hub.subscribe(
      field,
      undefined,
      listenerOf(() => {
        received.push(name);
        onEvent();
      }),
    );
  const { unsubscribe } = join('first', () => join('second', ignore));
  bus.publish('stock', event);
  unsubscribe();
  bus.publish('stock', event);
  expect(received).toEqual(['first', 'second']);
});

test('a listener that leaves while an event is published does not get it', () => {
  using opened = openHub();
  const { bus, hub } = opened;
  const field = { topic: 'stock', filter: {} };
  let received = 0;
  const joined = ['first', 'second'].map(() =>
    hub.subscribe(
      field,
      undefined,
      listenerOf(() => {
        received += 1;
        for (const { unsubscribe } of joined) unsubscribe();
      }),
    ),
  );
  bus.publish('stock', event);
  expect(received).toBe(1);
});

test('a stream is read once for all its listeners, until the last one has left or the hub is closed', () => {
  const { hub } = openHub();
  const field = { stream: 'stock', filter: {} };
  const subscribe = jest.spyOn(StreamTopic.prototype, 'subscribe');
  const [first, second] = [0, 0].map(() => hub.subscribe(field, undefined, listenerOf(ignore)));
  expect(new Set(subscribe.mock.contexts).size).toBe(1);
  const close = jest.spyOn(StreamTopic.prototype, 'close').mockClear();
  const counts = [first, second].map((subscription) => {
    subscription?.unsubscribe();
    return close.mock.calls.length;
  });
  hub.subscribe(field, undefined, listenerOf(ignore));
  hub.close();
  expect([...counts, close.mock.calls.length]).toEqual([0, 1, 2]);
});

test('a hub that was closed reads no stream and passes on no event', () => {
  const { bus, hub } = openHub();
  hub.close();
  const subscribe = jest.spyOn(StreamTopic.prototype, 'subscribe').mockClear();
  let received = 0;
  for (const field of [
    { topic: 'stock', filter: {} },
    { stream: 'stock', filter: {} },
  ]) {
    hub.subscribe(
      field,
      undefined,
      listenerOf(() => received++),
    );
  }
  bus.publish('stock', event);
  expect([received, subscribe.mock.calls]).toEqual([0, []]);
});
