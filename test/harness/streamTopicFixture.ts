import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { StreamTopic } from '../../gateway/subscriptions/topics/streamTopic.ts';
import type { TopicEvent } from '../../gateway/subscriptions/topics/topicEvent.ts';
import { TopicProblemLog } from '../../gateway/subscriptions/topics/topicProblemLog.ts';
import { FakeTimers } from './fakeTimers.ts';
import { startPausableProxy } from './pausableProxy.ts';
import { longRedisTimeouts, parseRedisConfig } from './redisStoreFixture.ts';
import type { SuiteRedis } from './suiteRedis.ts';
import { waitForTurns } from './waitForTurns.ts';

/** The last argument but one of what the reader sends to look for entries: their maximum number. */
export const readerLooks = '\r\n$3\r\n100\r\n';
/** The same of a replay. */
export const replayLooks = '\r\n$2\r\n25\r\n';
/** The reader waits for an entry. */
export const readerWaits = 'xread';

export const eventText = (number: number): string => `{"__typename":"Product","id":"${number}"}`;

/** Opens a topic whose connections to Redis the test can pause. */
export async function openStreamTopic({ server, redis }: SuiteRedis) {
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
    redis,
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
      onGap: () => void = () => {},
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
        onGap: () => {
          seen.push('gap');
          onGap();
        },
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

/** How many scripts Redis has run. */
export async function countScripts(redis: Redis): Promise<number> {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1]);
}

type OpenTopic = Awaited<ReturnType<typeof openStreamTopic>>;

/** Adds events with these numbers, and returns a listener that has received them from the reader. */
export async function listenLive(opened: OpenTopic, ...numbers: readonly number[]) {
  const waits = opened.proxy.pauseAt(readerWaits);
  const live = opened.listen();
  await waits;
  opened.proxy.resume();
  await opened.add(...numbers);
  await live.until(`live ${numbers.at(-1)}`);
  return live;
}

/** Begins the stream anew with event 1, while the reader is at event 7. */
export async function beginAnew(opened: OpenTopic, live: ReturnType<OpenTopic['listen']>): Promise<void> {
  const looks = opened.proxy.pauseAt(readerLooks);
  await opened.add(7);
  await looks;
  await opened.redis.del(opened.stream);
  await opened.add(1);
  opened.proxy.resume();
  await live.until('gap');
}

/** Adds events up to 7. Pauses the reader before 6, and returns a listener from then on and one that has received 7. */
export async function listenAhead(opened: OpenTopic) {
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
