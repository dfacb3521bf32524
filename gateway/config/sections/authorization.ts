import { z } from 'zod';
import { choice } from '../scalars.ts';

export const authorization = z
  .strictObject({
    onDenied: choice(['filter', 'reject'])
      .describe(
        'What happens to an operation with fields that its client may not read: `filter` answers these with `null` and an error, `reject` answers the whole operation with status 401 or 403.',
      )
      .prefault('filter'),
  })
  .describe('Enforces `@authenticated`, `@requiresScopes` and `@policy` of the supergraph.');
