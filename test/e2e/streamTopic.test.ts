import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { StreamTopic } from '../../gateway/subscriptions/topics/streamTopic.ts';
import type { TopicEvent } from '../../gateway/subscriptions/topics/topicEvent.ts';
import { TopicProblemLog } from '../../gateway/subscriptions/topics/topicProblemLog.ts';
import { FakeTimers } from '../harness/fakeTimers.ts';
import { startPausableProxy } from '../harness/pausableProxy.ts';
import { longRedisTimeouts, parseRedisConfig } from '../harness/redisStoreFixture.ts';
import { startSuiteRedis } from '../harness/suiteRedis.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

const { server, redis } = await startSuiteRedis();

/** The last argument of what the reader sends to look for entries: their maximum number. */
const readerLooks = '\r\n$3\r\n100\r\n';
/** The last argument but one of what a replay sends. */
const replayLooks = '\r\n$2\r\n25\r\n';
/** The reader waits for an entry. */
const readerWaits = 'xread';

const eventText = (number: number): string => `{"__typename":"Product","id":"${number}"}`;

/** A topic whose connections to Redis the test can pause. */
async function open() {
  const proxy = await startPausableProxy(server.port);
  const stream = randomUUID();
  const problems = new TopicProblemLog({ log: pino({ level: 'silent' }), now: () => 0 });
  const topic = new StreamTopic({
    config: parseRedisConfig({ url: `redis://127.0.0.1:${proxy.port}`, timeouts: longRedisTimeouts }),
    stream,
    maxEventBytes: 1000,
    problems,
    timers: new FakeTimers(),
  });
  return {
    proxy,
    problems,
    stream,
    /** Adds events with these numbers, which are also their ids. */
    add: async (...numbers: readonly number[]) => {
      const all = redis.multi();
      for (const number of numbers) all.xadd(stream, `${number}-0`, 'event', eventText(number));
      await all.exec();
    },
    /** `onReplayed`: called with the number of each past event. `onLive`: called for each other one. */
    listen: (
      after?: number,
      onReplayed: (number: number) => Promise<void> | undefined = () => undefined,
      onLive: () => void = () => {},
    ) => {
      const seen: string[] = [];
      const numberOf = ({ value }: TopicEvent) => Number(value.id);
      const subscription = topic.subscribe(after === undefined ? undefined : `${after}-0`, {
        onEvent: (event) => {
          seen.push(`live ${numberOf(event)}`);
          onLive();
        },
        onReplayedEvent: async (event) => {
          seen.push(`past ${numberOf(event)}`);
          await onReplayed(numberOf(event));
        },
        onCaughtUp: () => seen.push('caught up'),
        onGap: () => seen.push('gap'),
      });
      return {
        ...subscription,
        seen,
        until: async (entry: string) => {
          while (!seen.includes(entry)) await waitForTurns();
        },
      };
    },
    [Symbol.asyncDispose]: async () => {
      topic.close();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

type OpenTopic = Awaited<ReturnType<typeof open>>;

/** Adds events with these numbers, and returns a listener that has received them from the reader. */
async function listenLive(opened: OpenTopic, ...numbers: readonly number[]) {
  const waits = opened.proxy.pauseAt(readerWaits);
  const live = opened.listen();
  await waits;
  opened.proxy.resume();
  await opened.add(...numbers);
  await live.until(`live ${numbers.at(-1)}`);
  return live;
}

/** Begins the stream anew with event 1, while the reader is at event 7. */
async function beginAnew(opened: OpenTopic, live: ReturnType<OpenTopic['listen']>): Promise<void> {
  const looks = opened.proxy.pauseAt(readerLooks);
  await opened.add(7);
  await looks;
  await redis.del(opened.stream);
  await opened.add(1);
  opened.proxy.resume();
  await live.until('gap');
}

/** Adds events up to 7. Pauses the reader before 6, and returns a listener from then on and one that has received 7. */
async function listenAhead(opened: OpenTopic) {
  const waits = opened.proxy.pauseAt(readerWaits);
  await opened.add(5);
  const live = opened.listen();
  await waits;
  const looks = opened.proxy.pauseAt(readerLooks);
  opened.proxy.resume();
  await opened.add(6);
  await looks;
  await opened.add(7);
  const ahead = opened.listen(5);
  await ahead.until('past 7');
  await waitForTurns();
  return { live, ahead };
}

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

test('a listener that is ahead of the reader gets the events of a stream that begins anew', async () => {
  await using opened = await open();
  const { live, ahead } = await listenAhead(opened);
  await redis.del(opened.stream);
  await opened.add(1);
  opened.proxy.resume();
  await live.until('gap');
  await opened.add(2);
  await live.until('live 2');
  expect(ahead.seen).toEqual(['past 6', 'past 7', 'caught up', 'gap', 'live 2']);
  expect(live.seen).toEqual(['gap', 'live 2']);
});

test('a listener that is ahead of the reader gets no event again after a gap behind it', async () => {
  await using opened = await open();
  const { live, ahead } = await listenAhead(opened);
  await redis.xdel(opened.stream, '6-0');
  opened.proxy.resume();
  await live.until('live 7');
  await opened.add(8);
  await live.until('live 8');
  expect(ahead.seen).toEqual(['past 6', 'past 7', 'gap', 'caught up', 'live 8']);
  expect(live.seen).toEqual(['gap', 'live 7', 'live 8']);
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

test('a listener that replays while the stream begins anew gets the new events', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 4, 5, 6);
  const consumed = Promise.withResolvers<void>();
  const replaying = opened.listen(4, () => consumed.promise);
  await replaying.until('past 5');
  await beginAnew(opened, live);
  consumed.resolve();
  await replaying.until('caught up');
  await opened.add(2);
  await replaying.until('live 2');
  expect(replaying.seen).toEqual(['past 5', 'past 6', 'gap', 'caught up', 'live 2']);
});

test('each listener gets one gap when the stream is restored to an earlier state, also while it is paused or replays', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 4, 5, 6);
  const consumed = Promise.withResolvers<void>();
  const replaying = opened.listen(4, () => consumed.promise);
  await replaying.until('past 5');
  const paused = opened.listen();
  paused.flowControl?.pause();
  const looks = opened.proxy.pauseAt(readerLooks);
  await opened.add(7);
  await looks;
  await redis.del(opened.stream);
  await opened.add(4, 8);
  opened.proxy.resume();
  await live.until('live 8');
  consumed.resolve();
  paused.flowControl?.resume();
  live.flowControl?.pause();
  live.flowControl?.resume();
  const later = opened.listen(4);
  const all = [live, replaying, paused, later];
  await Promise.all(all.map((listener) => listener.until('caught up')));
  await opened.add(9);
  await Promise.all(all.map((listener) => listener.until('live 9')));
  expect(all.map(({ seen }) => seen)).toEqual([
    ['live 4', 'live 5', 'live 6', 'gap', 'live 8', 'caught up', 'live 9'],
    ['past 5', 'past 6', 'gap', 'past 8', 'caught up', 'live 9'],
    ['gap', 'past 8', 'caught up', 'live 9'],
    ['past 8', 'caught up', 'live 9'],
  ]);
});

test('a listener that waits for a page that was requested before the stream was restored gets no gap for that', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 4, 5, 6);
  const looks = opened.proxy.pauseAt(replayLooks);
  const earlier = opened.listen(4);
  await looks;
  await redis.multi().del(opened.stream).xadd(opened.stream, '4-0', 'event', eventText(4)).exec();
  await opened.add(8);
  await live.until('gap');
  const later = opened.listen(4);
  opened.proxy.resume();
  await Promise.all([earlier, later].map((listener) => listener.until('caught up')));
  expect([earlier.seen, later.seen]).toEqual([
    ['past 8', 'gap', 'caught up'],
    ['past 8', 'caught up'],
  ]);
});

test('a replay notices trimmed entries of a stream that was restored to an earlier state before', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 4, 5, 6);
  const consumed = [6, 32].map((number) => ({ number, ...Promise.withResolvers<void>() }));
  const slow = opened.listen(4, (number) => consumed.find((step) => step.number === number)?.promise);
  await slow.until('past 6');
  const looks = opened.proxy.pauseAt(readerLooks);
  await opened.add(7);
  await looks;
  await redis.del(opened.stream);
  await opened.add(4, ...Array.from({ length: 60 }, (_, index) => index + 8));
  opened.proxy.resume();
  await live.until('live 67');
  consumed[0]?.resolve();
  await slow.until('past 32');
  await redis.xtrim(opened.stream, 'MINID', '35-0');
  consumed[1]?.resolve();
  await slow.until('caught up');
  const gaps = slow.seen.flatMap((entry, index) => (entry === 'gap' ? [slow.seen[index + 1]] : []));
  expect(gaps).toEqual(['past 8', 'past 35']);
});

test('a replay notices trimmed entries after a page that others have read from an earlier position on', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 1, 2, 3, 4, 5);
  const consumed = [5, 28].map((number) => ({ number, ...Promise.withResolvers<void>() }));
  const slow = opened.listen(0, (number) => consumed.find((step) => step.number === number)?.promise);
  await slow.until('past 5');
  await opened.add(...Array.from({ length: 495 }, (_, index) => index + 6));
  await live.until('live 500');
  // So many pages replace the first ones.
  await opened.listen(5).until('caught up');
  await opened.listen(3, () => new Promise(() => {})).until('past 4');
  consumed[0]?.resolve();
  await slow.until('past 28');
  await redis.xtrim(opened.stream, 'MINID', '31-0');
  consumed[1]?.resolve();
  await slow.until('past 31');
  expect(slow.seen.slice(27, 30)).toEqual(['past 28', 'gap', 'past 31']);
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

test('a listener gets nothing that others have read before the stream began anew', async () => {
  await using opened = await open();
  const live = await listenLive(opened, 4, 5, 6);
  const slow = opened.listen(4, () => new Promise(() => {}));
  await slow.until('past 5');
  await beginAnew(opened, live);
  await opened.add(5);
  const next = opened.listen(4);
  await next.until('caught up');
  // The new stream does not have the entry after which it resumes.
  expect(next.seen).toEqual(['gap', 'past 5', 'caught up']);
});

test('a listener that resumes after an entry that a restored stream has lost gets a gap first, also on a page that others have read', async () => {
  await using opened = await open();
  await opened.add(1, 2, 3);
  await redis.del(opened.stream);
  await opened.add(1, 7);
  const [lost, known] = [opened.listen(3), opened.listen(1, () => new Promise(() => {}))];
  await Promise.all([lost.until('caught up'), known.until('past 7')]);
  const onKnownPage = opened.listen(2);
  await onKnownPage.until('caught up');
  expect([lost.seen, known.seen, onKnownPage.seen]).toEqual([
    ['gap', 'past 7', 'caught up'],
    ['past 7'],
    ['gap', 'past 7', 'caught up'],
  ]);
});

test('a listener that resumes after an entry that was deleted gets no gap', async () => {
  await using opened = await open();
  await opened.add(1, 2, 3);
  await redis.xdel(opened.stream, '2-0');
  const resumed = opened.listen(2);
  await resumed.until('caught up');
  expect(resumed.seen).toEqual(['past 3', 'caught up']);
});

test('listeners with similar positions share what is read', async () => {
  await using opened = await open();
  const waits = opened.proxy.pauseAt(readerWaits);
  await opened.add(...Array.from({ length: 100 }, (_, index) => index + 1));
  opened.listen();
  await waits;
  const scriptCalls = async (): Promise<number> =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1]);
  const before = await scriptCalls();
  const listeners = Array.from({ length: 20 }, (_, after) => opened.listen(after));
  await Promise.all(listeners.map((listener) => listener.until('past 100')));
  await waitForTurns();
  for (const [after, { seen }] of listeners.entries())
    expect(seen).toEqual([
      ...Array.from({ length: 100 - after }, (_, index) => `past ${after + index + 1}`),
      'caught up',
    ]);
  // Alone, each would read at least four times.
  expect((await scriptCalls()) - before).toBeLessThan(40);
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
