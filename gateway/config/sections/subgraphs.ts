import { z } from 'zod';
import { choice, duration, httpUrl, integer, size, text } from '../scalars.ts';
import { headerName } from './headerName.ts';
import { protocol, subscriptionDefaults } from './subscriptions.ts';

export const timeoutDefaults = { attempt: '5s', deadline: '15s' } as const;

const attempt = duration({ min: 1 }).describe(
  'Longest one HTTP attempt may take, connecting and reading included. Ends with SUBGRAPH_TIMEOUT.',
);
const deadline = duration({ min: 1 }).describe(
  "Longest a client's request may wait for this subgraph, from the request's start. The value of `all` ends the whole request, deferred parts included. What is left travels to the subgraph as `tributary-deadline-ms`.",
);
const forward = z
  .array(headerName)
  .describe(
    'Client headers that travel on, by name. Requests are only shared between clients for which all of these are equal.',
  );
const connections = integer({ min: 1 }).describe(
  'Most open connections to one origin (HTTP/1.1). Deferred fetches have as many of their own.',
);
const maxCalls = integer({ min: 1 }).describe(
  "Most HTTP calls under way at once; those that subscriptions consist of do not count. Deferred ones and enrichments get half of it at most (and one at least). When omitted: as many as the connections carry, of both kinds. Beyond that, calls wait: what a first answer needs goes first, then by priority, by the request's `tributary-priority`, and by deadline.",
);
const callQueue = integer({ min: 0 }).describe(
  'Most calls that wait for their turn. When there are more, the least urgent one ends with OVERLOADED.',
);
const maxResponseSize = size().describe('Largest answer that is read, after decompression.');
const http2 = choice(['auto', 'off']).describe(
  '`auto`: HTTP/2 where an https subgraph offers it. `off`: HTTP/1.1 only.',
);

const subscriptionPath = text({
  title: 'path',
  expected: 'a path such as /ws, or nothing for that of operations',
  isValid: (value) => value === '' || value.startsWith('/'),
}).describe("Path for subscriptions, instead of that of the subgraph's address.");

const connectionParams = z
  .array(
    text({
      title: 'name',
      expected: 'the name of a parameter, other than headers',
      isValid: (value) => value.trim() !== '' && value !== 'headers',
    }),
  )
  .describe(
    "Parameters of a client's WebSocket (`connection_init`) that travel on in `connection_init` where the protocol is `graphql_ws`, by their exact names. Subscriptions are only shared between clients for which all of these are equal.",
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
  .describe('For every subgraph that says nothing else.');

const namedSubgraph = z
  .strictObject({
    url: httpUrl().describe("Where operations go, instead of the supergraph's address.").optional(),
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
  .describe('For one subgraph, by its name in the supergraph; what is left out comes from `all`.');

export const subgraphsSection = z
  .object({ all: allSubgraphs.prefault({}) })
  .catchall(namedSubgraph)
  .describe('How subgraphs are called: `all`, and one section per subgraph name.');
