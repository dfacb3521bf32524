import { z } from 'zod';
import { exactlyOneOf } from '../exactlyOneOf.ts';
import { choice, duration, flag, nonBlankText, text } from '../scalars.ts';
import { anyHeaderName, headerName } from './headerName.ts';

const origin = text({
  title: 'origin',
  expected:
    'an origin such as https://shop.example, without a path; https://*.shop.example for its subdomains; or *',
  isValid: (value) => value === '*' || isOrigin(value),
});

// Compared with the `Origin` header of browsers: lower case, without default port and trailing slash.
function isOrigin(value: string): boolean {
  if (!/^https?:\/\//.test(value) || !URL.canParse(value) || new URL(value).origin !== value) return false;
  return !value.replace(/^https?:\/\/\*\.(?=.)/, '').includes('*');
}

const identity = z
  .strictObject({
    header: headerName
      .describe(
        'Client header whose value is the identity. Clients can forge this header: have a trusted proxy set it.',
      )
      .optional(),
    claim: nonBlankText('the name of a claim')
      .describe(
        'Instead of a header: claim of the bearer token in `authorization`. The signature is not verified: have a trusted proxy verify it, or forward `authorization`.',
      )
      .optional(),
  })
  .superRefine(exactlyOneOf('header', 'claim'))
  .describe(
    'Who sent a request: whose `PRIVATE` values of the cache it may read, whose enrichment tokens it may use, and what counts as one client for limits. Without it, nothing private is cached, tokens belong to the `authorization` header, and clients are counted by address.',
  );

export const securitySection = z
  .strictObject({
    introspection: flag()
      .describe('Allows the introspection fields `__schema` and `__type`.')
      .prefault(false),
    graphiql: flag()
      .describe('Serves GraphiQL for GET requests of browsers. GraphiQL needs `introspection`.')
      .prefault(false),
    csrf: flag()
      .describe(
        'Refuses GET and POST requests that a browser would send for the page of another origin without a preflight request, unless the browser says that the page is of the same origin (`sec-fetch-site`, `origin`) or of one in `cors.origins`.',
      )
      .prefault(true),
    cors: z
      .strictObject({
        origins: z
          .array(origin)
          .describe(
            'Origins whose pages may read responses in a browser. `https://*.shop.example` stands for every subdomain of shop.example at any depth, with the same scheme and port, and not for shop.example itself; `*` for all origins. Empty: only pages of the same origin may.',
          )
          .prefault([]),
        credentials: flag()
          .describe(
            'Lets these pages send cookies and HTTP authentication with `fetch` and `EventSource`. Not with `*`. (Browsers send cookies in the handshake of every WebSocket: pages of listed origins may connect with them, others without.)',
          )
          .prefault(false),
        allowHeaders: z
          .array(anyHeaderName)
          .describe(
            'Request headers that these pages may send besides those that the gateway reads (such as `content-type`, `authorization`, `apollo-require-preflight` and `tributary-budget`) and those in `headers.forward` and header rules of a subgraph.',
          )
          .prefault([]),
        exposeHeaders: z
          .array(anyHeaderName)
          .describe(
            'Response headers that scripts of these pages may read besides `x-request-id`, `retry-after`, `ratelimit` and `ratelimit-policy`, and those in `headers.respond` of a subgraph.',
          )
          .prefault([]),
        maxAge: duration()
          .describe(
            'How long browsers may store the answer to a preflight request; `0s`: not at all. Chromium stores it for at most 2h.',
          )
          .prefault('1d'),
      })
      .prefault({}),
    identity: identity.optional(),
    connectionParams: z
      .array(headerName)
      .describe(
        'Parameters of `connection_init` that override headers of the WebSocket handshake for its operations. Clients choose these parameters, and a proxy in front of the gateway cannot change them. So do not list a header that a trusted proxy sets, such as a user id.',
      )
      .prefault(['authorization', 'accept-language']),
    exposeSubgraphErrors: flag()
      .describe('Shows error messages and extensions of subgraphs to clients.')
      .prefault(false),
    exposeSubgraphs: flag()
      .describe(
        'Adds the name of the subgraph to `extensions.subgraph` of errors, and the estimated and the actual cost of an operation to `extensions.tributary` of its response.',
      )
      .prefault(false),
  })
  .describe('Which data and features clients may access.');

export const telemetrySection = z
  .strictObject({
    logLevel: choice(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
      .describe('Minimum level of log lines.')
      .prefault('info'),
  })
  .describe('Logs of the gateway.');
