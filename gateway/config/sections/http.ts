import { z } from 'zod';
import { scalar } from '../scalars.ts';

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
  })
  .describe('Responses of the GraphQL route.');
