import { z } from 'zod';
import { duration, integer, size } from '../scalars.ts';

export const planningSection = z
  .strictObject({
    timeout: duration({ min: 1 })
      .describe('Maximum planning time of one operation; then OPERATION_TOO_COMPLEX.')
      .prefault('5s'),
    splitTimeout: duration({ min: 1 })
      .describe(
        'Maximum CPU time for splitting the deferred parts of an operation (`@defer` and enrichments) off its plan. Beyond it, the operation is planned as a whole: deferred parts may then share requests with primary data, which waits for them.',
      )
      .prefault('200ms'),
    memory: size({ min: 64 * 1024 ** 2 })
      .describe('Maximum heap of one planner thread.')
      .prefault('512MB'),
    maxEvaluatedPlans: integer({ min: 1 })
      .describe('Maximum number of alternative plans that are compared for one operation.')
      .prefault(10_000),
    pathsLimit: integer({ min: 1 })
      .describe('Maximum number of paths that are explored for one operation.')
      .prefault(10_000),
    threads: integer({ min: 1 })
      .describe(
        'Maximum number of planner threads of one supergraph. Each thread holds the whole supergraph in memory. Another one is started only while planning takes longer than 250 ms and operations are queued, and it ends after an idle minute.',
      )
      .prefault(2),
    maxWaiting: integer({ min: 1 })
      .describe(
        'Maximum number of operations in the planning queue; then OVERLOADED. Together they have at most 32 million characters, with fragments expanded.',
      )
      .prefault(500),
    // The cache reserves memory for all of its entries at once.
    cacheSize: integer({ min: 1, max: 1_000_000 })
      .describe(
        'Maximum number of parsed operations, of operations that are prepared for execution, and of plans, including those of a previous supergraph that is still in use. The least recently used ones are evicted first. A short operation takes about 40 kB in all, a large one several times as much.',
      )
      .prefault(5_000),
    textCacheSize: size({ min: 1024 })
      .describe(
        'Maximum number of characters of operation texts in each of the caches of checked, parsed and persisted (APQ) operations; a shorter text counts as 100. The least recently used texts are evicted first.',
      )
      .prefault('8MB'),
    warmOperations: integer()
      .describe(
        'Number of the most used operations that are planned for a new supergraph before the switch to it.',
      )
      .prefault(100),
    warmTimeout: duration({ min: 1 })
      .describe(
        'Maximum time that the switch waits for these plans. Remaining operations are planned when they are requested.',
      )
      .prefault('30s'),
  })
  .describe('The query planner, which runs in worker threads.');
