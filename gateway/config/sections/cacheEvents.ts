import { z } from 'zod';
import { text } from '../scalars.ts';

/** The options of the section `cache` for invalidation by events. */
export const cacheEventOptions = {
  events: z
    .strictObject({
      stream: text({ title: 'text', expected: 'text', isValid: () => true })
        .describe(
          'Key of a Redis stream, without `redis.keyPrefix`. Events of the stream invalidate by their field `invalidate`. Every process reads every event. Empty: no stream.',
        )
        .prefault(''),
    })
    .prefault({}),
};
