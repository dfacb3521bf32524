import { z } from 'zod';
import { integer } from '../scalars.ts';

export const workersSection = z
  .union([z.literal('auto'), integer({ min: 1 })], {
    error: () => ({ message: 'is not valid', expected: 'a whole number of at least 1, or auto' }),
  })
  .describe('Processes that share the port; `auto` starts one per processor. `--workers` overrides it.');
