import type { RedisFailure } from '../../gateway/redis/redisFailure.ts';
import { RedisStreamReader, type RedisStreamReaderOptions } from '../../gateway/redis/redisStreamReader.ts';
import { systemTimers } from '../../gateway/time/timers.ts';
import { EventCounter } from './redisStoreFixture.ts';

/** Opens a reader and records its events. */
export function openStreamReader(
  options: Pick<RedisStreamReaderOptions, 'config' | 'stream' | 'after' | 'batchSize'>,
  handle: (ids: readonly string[]) => Promise<void> = async () => {},
) {
  const happened = new EventCounter();
  const [seen, gaps, failures] = [[] as string[], [] as string[], [] as RedisFailure[]];
  const batches: string[][] = [];
  const started: string[] = [];
  const reader = new RedisStreamReader({
    ...options,
    timers: systemTimers,
    onStart: ({ id }) => {
      started.push(id);
      happened.increment();
    },
    onEntries: async (entries) => {
      const ids = entries.map(({ id }) => id);
      batches.push(ids);
      happened.increment();
      await handle(ids);
      seen.push(...ids);
      happened.increment();
    },
    onGap: async ({ lastReadId, next }) => {
      gaps.push(`${lastReadId} to ${next.id}`);
      happened.increment();
    },
    onFailure: (failure) => {
      failures.push(failure);
      happened.increment();
    },
  });
  return {
    reader,
    batches,
    /** The ids of entries whose handler has resolved. */
    seen,
    gaps,
    failures,
    started,
    /** Resolves when the condition holds. */
    async until(isTrue: () => boolean): Promise<void> {
      while (!isTrue()) await happened.waitForNext();
    },
    [Symbol.asyncDispose]: async () => reader.close(),
  };
}
