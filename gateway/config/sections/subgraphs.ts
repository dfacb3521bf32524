import { z } from 'zod';
import { choice, duration, httpUrl, integer, size, text } from '../scalars.ts';
import { headerName } from './headerName.ts';
import { protocol, subscriptionDefaults } from './subscriptions.ts';

export const timeoutDefaults = { attempt: '5s', deadline: '15s' } as const;

const attempt = duration({ min: 1 }).describe(
  'Maximum time of one HTTP attempt, including connecting and reading; then SUBGRAPH_TIMEOUT.',
);
const deadline = duration({ min: 1 }).describe(
  'Maximum time from the start of a client request that it waits for this subgraph. The value of `all` is the deadline of the whole request, including deferred parts. The subgraph receives the remaining time in the header `tributary-deadline-ms`.',
);
const forward = z
  .array(headerName)
  .describe(
    'Names of client headers that are forwarded. Clients share requests only if all of these headers are equal.',
  );
const connections = integer({ min: 1 }).describe(
  'Maximum number of open connections to one origin (HTTP/1.1). Deferred fetches have the same number of separate connections.',
);
const maxCalls = integer({ min: 1 }).describe(
  'Maximum number of concurrent HTTP calls, without those of subscriptions. Deferred fetches and enrichments get at most half of it, and at least one. When omitted, the number of connections of both kinds. Further calls are queued: calls for first responses precede others, then the order is by priority, by the header `tributary-priority` of the request, and by deadline.',
);
const callQueue = integer({ min: 0 }).describe(
  'Maximum number of queued calls. Beyond it, the least urgent call fails with OVERLOADED.',
);
const maxResponseSize = size().describe('Maximum size of a response after decompression.');
const http2 = choice(['auto', 'off']).describe(
  '`auto`: HTTP/2 if an https subgraph offers it. `off`: HTTP/1.1 only.',
);

const subscriptionPath = text({
  title: 'path',
  expected: 'a path such as /ws, or nothing for the path of operations',
  isValid: (value) => value === '' || value.startsWith('/'),
}).describe("Path for subscriptions, which replaces the path of the subgraph's address.");

const connectionParams = z
  .array(
    text({
      title: 'name',
      expected: 'the name of a parameter, other than headers',
      isValid: (value) => value.trim() !== '' && value !== 'headers',
    }),
  )
  .describe(
    'Exact names of `connection_init` parameters of clients that are forwarded in `connection_init` with the protocol `graphql_ws`. Clients share subscriptions only if all of these parameters are equal.',
  );

const allSubgraphs = z
  .strictObject({
    timeouts: z
      .strictObject({
        attempt: attempt.prefault(timeoutDefaults.attempt),
        deadline: deadline.prefault(timeoutDefaults.deadline),
      })
      .prefault({}),
    headers: z.strictObject({ forward: forward.prefault(['authorization', 'accept-language']) }).prefault({}),
    connections: connections.prefault(64),
    concurrency: z.strictObject({ max: maxCalls.optional(), queue: callQueue.prefault(1000) }).prefault({}),
    maxResponseSize: maxResponseSize.prefault('64MB'),
    http2: http2.prefault('auto'),
    subscription: z
      .strictObject({
        protocol: protocol.prefault(subscriptionDefaults.protocol),
        path: subscriptionPath.prefault(subscriptionDefaults.path),
        connectionParams: connectionParams.prefault([]),
      })
      .prefault({}),
  })
  .describe('Options of all subgraphs.');

const namedSubgraph = z
  .strictObject({
    url: httpUrl()
      .describe(
        'Address for operations, which overrides that of the supergraph. Without user name and password: use headers instead.',
      )
      .optional(),
    timeouts: z.strictObject({ attempt: attempt.optional(), deadline: deadline.optional() }).optional(),
    headers: z.strictObject({ forward: forward.optional() }).optional(),
    connections: connections.optional(),
    concurrency: z.strictObject({ max: maxCalls.optional(), queue: callQueue.optional() }).optional(),
    maxResponseSize: maxResponseSize.optional(),
    http2: http2.optional(),
    subscription: z
      .strictObject({
        protocol: protocol.optional(),
        path: subscriptionPath.optional(),
        connectionParams: connectionParams.optional(),
      })
      .optional(),
  })
  .describe('Options of one subgraph, by its name in the supergraph. Omitted options are those of `all`.');

export const subgraphsSection = z
  .object({ all: allSubgraphs.prefault({}) })
  .catchall(namedSubgraph)
  .describe('How subgraphs are called: `all` for every subgraph, and a section for each subgraph name.');
