import type { RedisFailure } from '../../gateway/redis/redisFailure.ts';
import { RedisStreamReader, type RedisStreamReaderOptions } from '../../gateway/redis/redisStream.ts';
import { Happenings } from './storeUnderTest.ts';

/** Opens a reader and writes down what it tells. */
export function openStreamReader(
  options: Pick<RedisStreamReaderOptions, 'config' | 'stream' | 'after' | 'batchSize'>,
  handle: (ids: readonly string[]) => Promise<void> = async () => {},
) {
  const happened = new Happenings();
  const [seen, gaps, failures] = [[] as string[], [] as string[], [] as RedisFailure[]];
  const batches: string[][] = [];
  const started: string[] = [];
  const reader = new RedisStreamReader({
    ...options,
    onStart: (id) => {
      started.push(id);
      happened.happen();
    },
    onEntries: async (entries) => {
      const ids = entries.map(({ id }) => id);
      batches.push(ids);
      happened.happen();
      await handle(ids);
      seen.push(...ids);
      happened.happen();
    },
    onGap: async ({ after, next }) => {
      gaps.push(`${after} to ${next}`);
      happened.happen();
    },
    onFailure: (failure) => {
      failures.push(failure);
      happened.happen();
    },
  });
  return {
    reader,
    batches,
    /** Ids of entries whose handler has ended well. */
    seen,
    gaps,
    failures,
    started,
    /** Resolves when this has come true. */
    async until(isTrue: () => boolean): Promise<void> {
      while (!isTrue()) await happened.next();
    },
    [Symbol.asyncDispose]: async () => reader.close(),
  };
}
