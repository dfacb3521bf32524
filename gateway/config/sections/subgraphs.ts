import { z } from 'zod';
import { choice, duration, flag, httpUrl, integer, ratio, retryReason, size, text } from '../scalars.ts';
import { allHeaderRules, ownHeaderRules } from './headerRules.ts';
import { hedgeDelay } from './hedgeDelay.ts';
import { allSigning, allTls, ownSigning, ownTls } from './subgraphSecurity.ts';
import { protocol, subscriptionDefaults } from './subscriptions.ts';

export const timeoutDefaults = { attempt: '5s', deadline: '15s' } as const;

export const retryDefaults = {
  enabled: true,
  attempts: 2,
  minDelay: '50ms',
  maxDelay: '1s',
  budgetRatio: 0.2,
  on: ['connection', 429, 502, 503, 504],
} as const;

const attempt = duration({ min: 1 }).describe(
  'Maximum time of one HTTP attempt, from connecting to the end of the response; then SUBGRAPH_TIMEOUT.',
);
const deadline = duration({ min: 1 }).describe(
  'Maximum time from the start of a client request that it waits for this subgraph. The value of `all` is the deadline of the whole request, including deferred parts. The subgraph receives the remaining time in the header `tributary-deadline-ms`.',
);
const connections = integer({ min: 1 }).describe(
  'Maximum number of open connections of a subgraph to one origin (HTTP/1.1). Deferred fetches have the same number of separate connections.',
);
const maxConnectionAge = duration({ min: 1_000 }).describe(
  'Connections that are older take no more calls. New ones resolve the host name of the subgraph again.',
);
const maxCalls = integer({ min: 1 }).describe(
  'Maximum number of concurrent HTTP calls, without those of subscriptions. Deferred fetches and enrichments get at most half of it, and at least one. When omitted, the number of connections of both kinds. Calls for first responses are never more than their connections carry: one each with HTTP/1.1, 100 each with HTTP/2. Further calls are queued: calls for first responses precede others, then the order is by priority, by the header `tributary-priority` of the request, and by deadline.',
);
const callQueue = integer({ min: 0 }).describe(
  'Maximum number of queued calls. Beyond it, the least urgent call fails with OVERLOADED.',
);
const maxResponseSize = size().describe('Maximum size of a response after decompression.');
const adaptive = flag().describe(
  'Reduces the number of concurrent calls while the subgraph becomes slower under load or responds with 429 or 503, and raises it again afterwards. Never above `max`.',
);
const retry = z.strictObject({
  enabled: flag().describe(
    'Failed queries are sent again. Mutations are if the subgraph cannot have got them, such as after a refused connection.',
  ),
  attempts: integer({ min: 1 }).describe('Maximum number of attempts for one call, including the first one.'),
  minDelay: duration({ min: 1 }).describe(
    'Maximum delay before the first retry. The delay is random, from 0 up to this, and its maximum doubles for each further retry. A `Retry-After` of the subgraph may make it longer.',
  ),
  maxDelay: duration({ min: 1 }).describe('Maximum delay before a retry.'),
  budgetRatio: ratio().describe(
    'Maximum ratio of retries to calls in 10 s, so that a subgraph that fails in part is not overloaded by retries.',
  ),
  on: z
    .array(retryReason())
    .describe(
      'Reasons to send a query again: `connection` (no response, or only a part of one), `timeout` (timeouts.attempt has passed), or an HTTP status. 429 is retried only with a `Retry-After` before the deadline.',
    ),
});
const breaker = z.strictObject({
  enabled: flag().describe('Stops calling a subgraph that fails repeatedly; then CIRCUIT_OPEN.'),
  failureRatio: ratio({ isPositive: true }).describe(
    'Ratio of failed calls to all calls in `window` that opens the circuit.',
  ),
  minCalls: integer({ min: 1 }).describe('Minimum number of calls in `window` that opens the circuit.'),
  window: duration({ min: 100 }).describe('How long calls count.'),
  openFor: duration({ min: 1 }).describe(
    'How long no call is sent. Then one call is a probe, which closes the circuit or opens it again.',
  ),
  scope: choice(['subgraph', 'coordinate']).describe(
    '`subgraph`: one circuit. `coordinate`: one circuit for each root field and each entity type, which also counts errors of these fields. Fields with an open circuit are removed from a query; a mutation with such a field is not sent.',
  ),
});
const hedge = z.strictObject({
  enabled: flag().describe(
    'Slow queries are sent a second time; the first response is used, and the other call is cancelled.',
  ),
  after: hedgeDelay().describe(
    'When a query is slow: somewhat after a percentile of the observed latencies, or after a fixed time.',
  ),
  budgetRatio: ratio().describe('Maximum ratio of second calls to calls in 10 s.'),
});
const http2 = choice(['auto', 'off']).describe(
  '`auto`: HTTP/2 if an https subgraph offers it. `off`: HTTP/1.1 only.',
);

const subscriptionPath = text({
  title: 'path',
  expected: 'a path such as /ws, or nothing for the path of operations',
  // `//` would begin the name of another host, to which the headers of clients would be sent.
  isValid: (value) => value === '' || /^\/(?![/\\])/.test(value),
}).describe(
  "Path for subscriptions, which replaces the path of the subgraph's address. The query of the address remains unless the path has its own.",
);

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

type Default<Input> = Input extends readonly (infer Item)[] ? readonly Item[] : Input;

/** A section in which every option has a default. */
function withDefaults<Shape extends z.ZodRawShape>(
  section: z.ZodObject<Shape, z.core.$strict>,
  defaults: { readonly [Key in keyof Shape]: Default<z.input<Shape[Key]>> },
) {
  const shape = Object.fromEntries(
    Object.entries(section.shape).map(([name, option]) => [
      name,
      (option as z.ZodType).prefault(defaults[name] as never),
    ]),
  );
  return z
    .strictObject(shape as unknown as { [Key in keyof Shape]: z.ZodPrefault<Shape[Key]> })
    .prefault({} as never);
}

const allSubgraphs = z
  .strictObject({
    timeouts: z
      .strictObject({
        attempt: attempt.prefault(timeoutDefaults.attempt),
        deadline: deadline.prefault(timeoutDefaults.deadline),
      })
      .prefault({}),
    retry: withDefaults(retry, retryDefaults),
    breaker: withDefaults(breaker, {
      enabled: true,
      failureRatio: 0.5,
      minCalls: 20,
      window: '10s',
      openFor: '5s',
      scope: 'subgraph',
    }),
    hedge: withDefaults(hedge, { enabled: false, after: 'p95', budgetRatio: 0.05 }),
    headers: allHeaderRules,
    tls: allTls,
    signing: allSigning,
    connections: connections.prefault(64),
    maxConnectionAge: maxConnectionAge.prefault('5m'),
    concurrency: z
      .strictObject({
        adaptive: adaptive.prefault(true),
        max: maxCalls.optional(),
        queue: callQueue.prefault(1000),
      })
      .prefault({}),
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
    urls: z
      .array(httpUrl())
      .describe(
        'Addresses of equal instances, instead of `url`. A call goes to the less busy one of two random instances; instances that fail repeatedly get no calls for a while. Each connection for subscriptions goes to a random instance.',
      )
      .optional(),
    timeouts: z.strictObject({ attempt: attempt.optional(), deadline: deadline.optional() }).optional(),
    headers: ownHeaderRules,
    tls: ownTls,
    signing: ownSigning,
    connections: connections.optional(),
    maxConnectionAge: maxConnectionAge.optional(),
    concurrency: z
      .strictObject({ adaptive: adaptive.optional(), max: maxCalls.optional(), queue: callQueue.optional() })
      .optional(),
    retry: retry.partial().optional(),
    breaker: breaker.partial().optional(),
    hedge: hedge.partial().optional(),
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
  .object(
    { all: allSubgraphs.prefault({}) },
    {
      error:
        'a section with `all` or names of subgraphs as keys. Subgraphs to compose are listed in supergraph.subgraphs',
    },
  )
  .catchall(namedSubgraph)
  .describe('How subgraphs are called: `all` for every subgraph, and a section for each subgraph name.');
