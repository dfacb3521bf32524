import { z } from 'zod';
import { duration, flag, scalar } from '../scalars.ts';

const requestErrorStatus = scalar<400 | 200 | '400' | '200', 400 | 200>({
  title: '400, 200',
  expected: '400 or 200',
  read: (input) => ([400, 200] as const).find((status) => status === input || String(status) === input),
  editorSchemas: [{ enum: [400, 200, '400', '200'] }],
});

export const httpSection = z
  .strictObject({
    requestErrorStatus: requestErrorStatus
      .describe(
        'Status of a response in `application/json` to an operation that was not executed because its text, its name or its variables are invalid. 400, as of Apollo Server, lets proxies and monitoring see the error. 200 is for clients that read the errors of a response only then. In `application/graphql-response+json`, the status is always 400.',
      )
      .prefault(400),
    persistedQueries: z
      .strictObject({
        enabled: flag()
          .describe(
            'Lets clients register the texts of operations and then send their hashes (automatic persisted queries, APQ). With `security.trustedDocuments.mode: require`, clients register nothing. `planning.textCacheSize` limits the memory.',
          )
          .prefault(true),
        ttl: duration({ min: 1_000 })
          .describe(
            'With Redis, which all processes share: how long a text is stored after a process has registered it or read it from there. In this time, each process stores at most `planning.textCacheSize` of new texts.',
          )
          .prefault('1d'),
      })
      .prefault({}),
  })
  .describe('Requests and responses of the GraphQL route.');
