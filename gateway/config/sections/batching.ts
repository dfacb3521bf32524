import { z } from 'zod';
import { duration, flag, integer } from '../scalars.ts';

export const batchingSection = z
  .strictObject({
    acrossRequests: flag()
      .describe(
        'Batches entity fetches of one shape, shares equal fetches, and shares the responses of equal queries, across concurrent client requests that forward the same headers. Fetches of one request are always batched.',
      )
      .prefault(true),
    maxBatchSize: integer({ min: 1 })
      .describe(
        'Maximum number of representations in one `_entities` call for several client requests. The gateway makes these batches smaller while large ones exceed `timeouts.attempt`. The representations of one request are never divided.',
      )
      .prefault(200),
    maxWait: duration()
      .describe(
        'How long an entity fetch that no other fetch waits for may wait for a fetch of its operation that leads to the same subgraph, so that the subgraph gets one request instead of two. It waits only if earlier executions of the operation show that the other one comes and takes about as long. `0ms`: only until the event loop has handled the responses that are there.',
      )
      .prefault('50ms'),
  })
  .describe('How entity fetches are batched.');
