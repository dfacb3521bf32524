import { GraphQLError, isExecutableDefinitionNode, parse } from 'graphql';
import { z } from 'zod';
import { duration, flag, nonBlankText, text } from '../scalars.ts';
import { authorization } from './authorization.ts';
import { corsHeaderName, headerName } from './headerName.ts';
import { identitySection } from './identity.ts';
import { jwtSection } from './jwt.ts';
import { trustedDocumentsSection } from './trustedDocuments.ts';

const origin = text({
  title: 'origin',
  expected:
    'an origin such as https://shop.example, without a path; https://*.shop.example for its subdomains; http://localhost:* for all ports; or *',
  isValid: (value) => value === '*' || isOrigin(value),
});

// Compared with the `Origin` header of browsers: lower case, without default port and trailing slash.
function isOrigin(value: string): boolean {
  const origin = value.replace(/:\*$/, '');
  const url = /^https?:\/\//.test(origin) ? URL.parse(origin) : null;
  if (url?.origin !== origin || (origin !== value && url.port !== '')) return false;
  return !origin.replace(/^https?:\/\/\*\.(?=.)/, '').includes('*');
}

const operations = 'the text of one or several GraphQL operations';

/** The problem with the text of a tab; `undefined` for none. */
function findTabProblem(text: string): string | undefined {
  try {
    return parse(text).definitions.every(isExecutableDefinitionNode)
      ? undefined
      : 'has definitions of a schema';
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    const [{ line, column } = { line: 1, column: 1 }] = error.locations ?? [];
    return `is not valid GraphQL in line ${line}, column ${column}: ${error.message}`;
  }
}

export const securitySection = z
  .strictObject({
    introspection: flag()
      .describe('Allows the introspection fields `__schema` and `__type`.')
      .prefault(false),
    graphiql: flag()
      .describe('Serves GraphiQL for GET requests of browsers. GraphiQL needs `introspection`.')
      .prefault(false),
    graphiqlTabs: z
      .array(
        nonBlankText(operations).superRefine((tab, { issues }) => {
          const problem = findTabProblem(tab);
          if (problem !== undefined)
            issues.push({ code: 'custom', input: tab, message: operations, params: { problem } });
        }),
      )
      .describe(
        'Operations with which GraphiQL opens, each a tab with the name of its first operation ([graphiql.md](graphiql.md#prepared-tabs)). Empty: one tab that says how to begin.',
      )
      .prefault([]),
    csrf: flag()
      .describe(
        'Refuses GET and POST requests that a browser would send for the page of another origin without a preflight request, unless the browser says that the page is of the same origin (`sec-fetch-site`, `origin`) or of one in `cors.origins`: without cookies and `authorization`, unless `cors.credentials` is on.',
      )
      .prefault(true),
    checkHost: flag()
      .describe(
        'Refuses requests to the public listener whose `host` is neither `localhost`, nor an address, nor the host of `listen.publicUrl`: no page reaches the listener by DNS rebinding. Has an effect only if `listen.host` is a loopback address, without `listen.tls`. `tributary dev` turns it on.',
      )
      .prefault(false),
    cors: z
      .strictObject({
        origins: z
          .array(origin)
          .describe(
            'Origins whose pages may read responses in a browser. `https://*.shop.example` stands for every subdomain of shop.example at any depth, with the same scheme and port, and not for shop.example itself; `http://localhost:*` for every port; `*` for all origins. Empty: only pages of the same origin may. `tributary dev` also allows pages of `localhost`, `127.0.0.1` and `[::1]`, from any port.',
          )
          .prefault([]),
        credentials: flag()
          .describe(
            'Lets these pages send cookies and HTTP authentication with `fetch` and `EventSource`. Not with `*` in `origins`, `allowHeaders` or `exposeHeaders`. (Browsers send cookies in the handshake of every WebSocket: pages of listed origins may connect with them, others without.)',
          )
          .prefault(false),
        allowHeaders: z
          .array(corsHeaderName)
          .describe(
            'Request headers that these pages may send besides those that the gateway reads (such as `content-type`, `authorization`, `apollo-require-preflight`, `tributary-budget` and those in `contracts.record.clientNameHeaders`) and those in `headers.forward` and in the rules `forward` and `rename` of a subgraph; headers that only `forwardMatching` sends have to be listed. `*`: all headers. The headers in `identity.header` and `limits.rate.key`, which a trusted proxy sets, have to be listed if pages send them.',
          )
          .prefault([]),
        exposeHeaders: z
          .array(corsHeaderName)
          .describe(
            'Response headers that scripts of these pages may read besides `x-request-id`, `retry-after`, `ratelimit` and `ratelimit-policy`, and those in `headers.respond` of a subgraph.',
          )
          .prefault([]),
        maxAge: duration()
          .describe(
            'How long browsers may store the response to a preflight request; `0s`: not at all. Chromium stores it for at most 2h.',
          )
          .prefault('1d'),
      })
      .prefault({}),
    jwt: jwtSection.optional(),
    identity: identitySection.optional(),
    trustedDocuments: trustedDocumentsSection.prefault({}),
    authorization: authorization.prefault({}),
    connectionParams: z
      .array(headerName)
      .describe(
        'Parameters of `connection_init` that override headers of the WebSocket handshake for its operations. Clients choose these parameters, and a proxy in front of the gateway cannot change them. So do not list a header that a trusted proxy sets, such as a user id.',
      )
      .prefault(['authorization', 'accept-language']),
    suggestions: flag()
      .describe(
        'Adds names of the schema to messages about misspelled names ("Did you mean …?"). They reveal the schema to clients, even without `introspection`.',
      )
      .prefault(false),
    exposeSubgraphErrors: flag()
      .describe(
        'Shows error messages and extensions of subgraphs to clients, and why a call of a subgraph failed.',
      )
      .prefault(false),
    exposeSubgraphs: flag()
      .describe(
        'Adds the name of the subgraph to `extensions.subgraph` of errors, and the cost and the critical path of an operation to `extensions.tributary` of its response. With `graphiql`, requests may also get their query plan and fetches ([graphiql.md](graphiql.md#explanations)).',
      )
      .prefault(false),
  })
  .describe('Which data and features clients may access.');
