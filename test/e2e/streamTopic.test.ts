import { expect, jest, test } from '@jest/globals';
import { RetryingRedisClient } from '../../gateway/redis/retryingRedisClient.ts';
import {
  countScripts,
  listenLive,
  openStreamTopic,
  readerLooks,
  readerWaits,
} from '../harness/streamTopicFixture.ts';
import { startSuiteRedis } from '../harness/suiteRedis.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

const suiteRedis = await startSuiteRedis();
const { redis } = suiteRedis;
const open = () => openStreamTopic(suiteRedis);

test('a listener that is ahead of the reader gets each event once, and is paused and resumed at its own position', async () => {
  await using opened = await open();
  const waits = opened.proxy.pauseAt(readerWaits);
  const live = opened.listen();
  await waits;
  await opened.add(1, 2);
  const ahead = opened.listen(0);
  await ahead.until('past 2');
  await waitForTurns();
  ahead.flowControl?.pause();
  await opened.add(3);
  ahead.flowControl?.resume();
  await ahead.until('past 3');
  await waitForTurns();
  opened.proxy.resume();
  await live.until('live 3');
  await opened.add(4);
  await live.until('live 4');
  expect(ahead.seen).toEqual(['past 1', 'past 2', 'past 3', 'caught up', 'live 4']);
  expect(live.seen).toEqual(['live 1', 'live 2', 'live 3', 'live 4']);
});

test('a listener that subscribes while an event is passed on does not get it', async () => {
  await using opened = await open();
  const waits = opened.proxy.pauseAt(readerWaits);
  const later: { readonly seen: readonly string[] }[] = [];
  const live = opened.listen(
    undefined,
    () => undefined,
    () => later.push(opened.listen()),
  );
  await waits;
  opened.proxy.resume();
  await opened.add(1);
  await live.until('live 1');
  expect(later.map(({ seen }) => seen)).toEqual([[]]);
});

test('a replay that ends before the reader has begun waits for it', async () => {
  await using opened = await open();
  const looks = opened.proxy.pauseAt(readerLooks);
  await opened.add(1);
  const waiting = opened.listen(0);
  const leaving = opened.listen(0);
  await looks;
  await Promise.all([waiting.until('past 1'), leaving.until('past 1')]);
  await waitForTurns();
  leaving.unsubscribe();
  await opened.add(2);
  opened.proxy.resume();
  await waiting.until('caught up');
  await opened.add(3);
  await waiting.until('live 3');
  expect(waiting.seen).toEqual(['past 1', 'past 2', 'caught up', 'live 3']);
  expect(leaving.seen).toEqual(['past 1']);
});

test('a listener that leaves before the reader has begun gets nothing more', async () => {
  await using opened = await open();
  const looks = opened.proxy.pauseAt(readerLooks);
  await opened.add(1);
  const [leaving, staying] = [opened.listen(0), opened.listen(0)];
  await looks;
  await Promise.all([staying.until('past 1'), leaving.until('past 1')]);
  await waitForTurns();
  leaving.unsubscribe();
  opened.proxy.resume();
  await staying.until('caught up');
  await waitForTurns();
  expect(leaving.seen).toEqual(['past 1']);
});

test.each([
  ['before', ['caught up', 'live 3', 'live 4']],
  ['after', ['past 3', 'caught up', 'live 4']],
])(
  'a listener that is paused before the reader has begun and resumed %s it gets the events from then on only',
  async (moment, seen) => {
    await using opened = await open();
    await opened.add(1, 2);
    const looks = opened.proxy.pauseAt(readerLooks);
    const [early, live] = [opened.listen(), opened.listen()];
    early.flowControl?.pause();
    await looks;
    if (moment === 'before') early.flowControl?.resume();
    const waits = opened.proxy.pauseAt(readerWaits);
    opened.proxy.resume();
    await waits;
    opened.proxy.resume();
    await opened.add(3);
    await live.until('live 3');
    early.flowControl?.resume();
    await early.until('caught up');
    await opened.add(4);
    await early.until('live 4');
    expect(early.seen).toEqual(seen);
    expect(live.seen).toEqual(['live 3', 'live 4']);
  },
);

test('a listener that is paused while Redis is unavailable before the reader has begun gets the gap when it is resumed', async () => {
  await using opened = await open();
  await opened.add(1);
  const looks = opened.proxy.pauseAt(readerLooks);
  const [paused, live] = [opened.listen(), opened.listen()];
  paused.flowControl?.pause();
  await looks;
  await opened.proxy.setFault({ kind: 'none' });
  await live.until('gap');
  expect(paused.seen).toEqual([]);
  paused.flowControl?.resume();
  await paused.until('caught up');
  expect(paused.seen).toEqual(['gap', 'caught up']);
});

test('listeners with similar positions share what is read', async () => {
  await using opened = await open();
  const waits = opened.proxy.pauseAt(readerWaits);
  await opened.add(...Array.from({ length: 100 }, (_, index) => index + 1));
  opened.listen();
  await waits;
  const before = await countScripts(redis);
  const listeners = Array.from({ length: 20 }, (_, after) => opened.listen(after));
  await Promise.all(listeners.map((listener) => listener.until('past 100')));
  await waitForTurns();
  for (const [after, { seen }] of listeners.entries())
    expect(seen).toEqual([
      ...Array.from({ length: 100 - after }, (_, index) => `past ${after + index + 1}`),
      'caught up',
    ]);
  // Alone, each would read at least four times.
  expect((await countScripts(redis)) - before).toBeLessThan(40);
});

test('a listener gets the rest of what it waits for when another one that waits for it leaves', async () => {
  await using opened = await open();
  await opened.add(1);
  const leaving = opened.listen(0);
  const staying = opened.listen(0);
  leaving.unsubscribe();
  await staying.until('past 1');
  expect(leaving.seen).toEqual([]);
});

test('a listener that subscribes after all that waited for the same entries have left gets them', async () => {
  await using opened = await open();
  await opened.add(1);
  opened.listen(0).unsubscribe();
  const next = opened.listen(0);
  await next.until('past 1');
});

test('an entry that is malformed is counted once, however often it is read', async () => {
  await using opened = await open();
  const waits = opened.proxy.pauseAt(readerWaits);
  const live = opened.listen();
  await waits;
  opened.proxy.resume();
  await redis.xadd(opened.stream, '1-0', 'event', 'not JSON');
  await opened.add(2);
  await live.until('live 2');
  for (let replay = 0; replay < 2; replay++) {
    const resumed = opened.listen(0);
    await resumed.until('caught up');
    // Its pages are discarded, and the next replay reads them again.
    resumed.unsubscribe();
  }
  await redis.xadd(opened.stream, '3-0', 'event', 'not JSON');
  await opened.add(4);
  await live.until('live 4');
  expect(opened.problems.counts).toEqual(new Map([['malformed event', 2]]));
});

test('a listener that resumes gets an event that the reader has read while the reply to it was on its way', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 1);
  const arrived = Promise.withResolvers<void>();
  const { runScript } = RetryingRedisClient.prototype;
  jest.spyOn(RetryingRedisClient.prototype, 'runScript').mockImplementationOnce(async function (
    this: RetryingRedisClient,
    ...args
  ) {
    const reply = await runScript.apply(this, args);
    await opened.add(2);
    await live.until('live 2');
    arrived.resolve();
    return reply;
  });
  const resumed = opened.listen(1);
  await arrived.promise;
  await resumed.until('caught up');
  expect(resumed.seen).toEqual(['past 2', 'caught up']);
});
