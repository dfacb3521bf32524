import { z } from 'zod';
import { choice, flag, nonBlankText, text } from '../scalars.ts';
import { headerName } from './headerName.ts';

const origin = text({
  title: 'origin',
  expected: 'an origin such as https://shop.example, without a path, or *',
  isValid: (value) => value === '*' || isOrigin(value),
});

// A browser's `Origin` header is compared as it is: lower case, no default port, no slash at the end.
function isOrigin(value: string): boolean {
  return /^https?:\/\//.test(value) && URL.canParse(value) && new URL(value).origin === value;
}

const identity = z
  .strictObject({
    header: headerName
      .describe(
        'Client header whose value is the identity. Clients can forge this header: have a trusted proxy set it.',
      )
      .optional(),
    jwtClaim: nonBlankText('the name of a claim')
      .describe(
        'Instead of a header: claim of the bearer token in `authorization`. The signature is not verified: have a trusted proxy verify it, or forward `authorization`.',
      )
      .optional(),
  })
  .superRefine((value, context) => {
    if ((value.header === undefined) !== (value.jwtClaim === undefined)) return;
    context.issues.push({ code: 'custom', input: value, message: 'either `header` or `jwtClaim`' });
  })
  .describe(
    'Who sent a request: whose `PRIVATE` values of the cache it may read, whose enrichment tokens it may use, and what counts as one client for limits. Without it, nothing private is cached, tokens belong to the `authorization` header, and clients are counted by address.',
  );

export const securitySection = z
  .strictObject({
    introspection: flag().describe('Answer `__schema` and `__type`.').prefault(false),
    graphiql: flag()
      .describe("Serve GraphiQL to a browser's GET. It needs `introspection` to be of use.")
      .prefault(false),
    csrf: flag()
      .describe('Refuse requests that a browser sends from a foreign page without a preflight.')
      .prefault(true),
    cors: z
      .strictObject({
        origins: z
          .array(origin)
          .describe(
            'Origins whose pages may read answers in a browser; `*` for every page. None: only pages of the same origin may.',
          )
          .prefault([]),
      })
      .prefault({}),
    identity: identity.optional(),
    connectionParams: z
      .array(headerName)
      .describe(
        "Parameters of a WebSocket's `connection_init` that count as headers of its operations, before those of the handshake. Only what a client may say about itself: a proxy in front of the gateway sees headers and no parameters, so that one that it sets, such as a user's id, must not be here.",
      )
      .prefault(['authorization', 'accept-language']),
    exposeSubgraphErrors: flag()
      .describe("Let clients see the subgraphs' own error messages and extensions.")
      .prefault(false),
    exposeSubgraphs: flag().describe('Name the subgraph in `extensions.subgraph` of errors.').prefault(false),
  })
  .describe('What clients may see and do.');

export const telemetrySection = z
  .strictObject({
    logLevel: choice(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
      .describe('Least severe log lines that are written.')
      .prefault('info'),
  })
  .describe('What the gateway tells about itself.');
