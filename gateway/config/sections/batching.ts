import { z } from 'zod';
import { flag, integer } from '../scalars.ts';

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
  })
  .describe('How entity fetches are batched.');
