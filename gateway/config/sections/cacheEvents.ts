import { z } from 'zod';
import { text } from '../scalars.ts';

/** The part of the section `cache` that says where events come from that invalidate. */
export const cacheEventOptions = {
  events: z
    .strictObject({
      stream: text({ title: 'text', expected: 'text', isValid: () => true })
        .describe(
          'Whole key of a Redis stream, without `redis.keyPrefix`, whose events invalidate by their field `invalidate`. Every process reads it. Empty: none.',
        )
        .prefault(''),
    })
    .prefault({}),
};
