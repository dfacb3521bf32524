import { z } from 'zod';
import { duration, flag, integer, scalar, size } from '../scalars.ts';
import { headerName } from './headerName.ts';

export const batchingSection = z
  .strictObject({
    acrossRequests: flag()
      .describe(
        'Batches entity fetches of one shape, shares equal fetches, and shares the responses of equal queries, across concurrent client requests that forward the same headers. Fetches of one request are always batched.',
      )
      .prefault(true),
    maxBatchSize: integer({ min: 1 })
      .describe(
        'Maximum number of representations in one `_entities` call. The gateway makes batches of several requests smaller while large ones exceed `timeouts.attempt`.',
      )
      .prefault(200),
  })
  .describe('How entity fetches are batched.');

/** Who shares a rate limit. */
const rateKey = scalar<string, string>({
  title: 'key',
  expected: 'identity, address, or header:NAME with a header name, such as header:x-api-key',
  read: (input) => {
    if (input === 'identity' || input === 'address') return input;
    const [, name] = typeof input === 'string' ? (/^header:(.+)$/.exec(input) ?? []) : [];
    const parsed = headerName.safeParse(name);
    return parsed.success ? `header:${parsed.data}` : undefined;
  },
  editorSchemas: [{ enum: ['identity', 'address'] }, { type: 'string', pattern: '^header:.+$' }],
});

export const limitsSection = z
  .strictObject({
    bodySize: size().describe('Maximum size of a request body after decompression.').prefault('1MB'),
    tokens: integer({ min: 1 }).describe('Maximum number of lexical tokens in a document.').prefault(10_000),
    depth: integer({ min: 1 })
      .describe(
        'Maximum depth of nested selection sets, with fragment spreads expanded. Fields with selection sets and inline fragments are levels; fragment spreads are not. It also limits nested lists and objects in variables.',
      )
      .prefault(100),
    literalDepth: integer({ min: 1 })
      .describe(
        'Maximum depth of nested lists and objects in a literal. The planning time may double with each level. Deeper values have to be passed in a variable.',
      )
      .prefault(16),
    aliases: integer()
      .describe('Maximum number of aliases in an operation, with fragments expanded.')
      .prefault(200),
    rootFields: integer({ min: 1 }).describe('Maximum number of root fields in an operation.').prefault(50),
    directives: integer()
      .describe('Maximum number of directives in an operation, with fragments expanded.')
      .prefault(100),
    deferredFragments: integer()
      .describe('Maximum number of `@defer` directives in an operation, with fragments expanded.')
      .prefault(50),
    recursiveSelections: integer({ min: 1 })
      .describe('Maximum number of selections in an operation, with fragments expanded.')
      .prefault(10_000),
    expandedSize: size()
      .describe(
        'Maximum number of characters of names and literals in an operation, with fragments expanded. Pass a long text in a variable, which is not expanded.',
      )
      .prefault('2MB'),
    fieldComparisons: integer()
      .describe(
        'Maximum number of comparisons during validation: pairs of fields with one response name in one selection set, with fragments expanded, plus one for every selection.',
      )
      .prefault(200_000),
    variableValues: integer()
      .describe(
        'Maximum number of values in lists and objects of the variables. `depth` limits their nesting.',
      )
      .prefault(50_000),
    answerSize: size()
      .describe(
        'Maximum size of a response or payload. A larger one has null data and an error. Nested lists can produce responses that exceed the memory of the process.',
      )
      .prefault('128MB'),
    batchedOperations: integer()
      .describe('Maximum number of operations in one HTTP request with a JSON array. 0 refuses arrays.')
      .prefault(0),
    webSockets: integer()
      .describe(
        'Maximum number of client WebSockets in one process. More are refused with 503; 0 refuses all.',
      )
      .prefault(20_000),
    operationsPerSocket: integer({ min: 1 })
      .describe(
        'Maximum number of concurrent operations on one WebSocket or event stream. More are refused with OVERLOADED.',
      )
      .prefault(100),
    eventStreams: integer()
      .describe(
        "Maximum number of event streams in graphql-sse's single connection mode in one process, reserved ones included. More are refused with 503; 0 refuses all.",
      )
      .prefault(20_000),
    cost: z
      .strictObject({
        max: integer()
          .describe(
            'Maximum estimated cost of an operation; then OPERATION_TOO_COMPLEX. A field with a selection set costs 1 and what it selects, times the expected size of a list; a mutation costs 10 more. `@cost` and `@listSize` of subgraphs are honoured. `0`: no limit.',
          )
          .prefault(0),
        listSize: integer({ min: 1 }).describe('Expected size of a list without `@listSize`.').prefault(10),
      })
      .prefault({}),
    rate: z
      .strictObject({
        cost: integer()
          .describe(
            'Cost of the operations that one client may send in each `window`; then RATE_LIMITED. Each operation spends its estimated cost (see `cost.max`), at least 1. `0`: no limit.',
          )
          .prefault(0),
        window: duration({ min: 1_000 })
          .refine((ms) => ms % 1_000 === 0, {
            error: 'a duration in whole seconds, such as 10s, 1m or 1h',
          })
          .describe('Length of the window, which begins with the first operation of a client.')
          .prefault('1m'),
        key: rateKey
          .describe(
            'What counts as one client: `identity` (`security.identity`, or the address without one), `address`, or `header:NAME` for the value of a header, or the address without it. Clients can forge a header: have a trusted proxy set it.',
          )
          .prefault('identity'),
      })
      .prefault({}),
    eventStreamsPerClient: integer({ min: 1 })
      .describe(
        'Maximum number of such event streams of one client, identified by `security.identity`, or else by address. Behind a proxy, all clients have one address.',
      )
      .prefault(4_000),
  })
  .describe('Limits of client requests. An operation that exceeds one is refused before it is planned.');

export const planningSection = z
  .strictObject({
    timeout: duration({ min: 1 })
      .describe('Maximum planning time of one operation; then OPERATION_TOO_COMPLEX.')
      .prefault('5s'),
    splitTimeout: duration({ min: 1 })
      .describe(
        'Maximum CPU time for splitting the enrichments of an operation off its plan. Beyond it, the operation is planned without enrichments, which may then share requests with primary data.',
      )
      .prefault('200ms'),
    memory: size({ min: 64 * 1024 ** 2 })
      .describe('Maximum heap of one planner thread.')
      .prefault('512MB'),
    maxEvaluatedPlans: integer({ min: 1 })
      .describe('Maximum number of alternative plans that are compared for one operation.')
      .prefault(10_000),
    pathsLimit: integer({ min: 1 })
      .describe('Maximum number of paths that are explored for one operation.')
      .prefault(10_000),
    threads: integer({ min: 1 })
      .describe(
        'Maximum number of planner threads of one supergraph. Each thread holds the whole supergraph in memory. Another one is started only when planning takes longer than `spareAfter` while operations are queued.',
      )
      .prefault(2),
    spareAfter: duration({ min: 1 })
      .describe('Planning time after which another thread is started for queued operations.')
      .prefault('250ms'),
    spareIdle: duration({ min: 1 })
      .describe('Idle time after which a thread is terminated, unless it is the only one.')
      .prefault('1m'),
    maxWaiting: integer({ min: 1 })
      .describe('Maximum number of operations in the planning queue; then OVERLOADED.')
      .prefault(500),
    maxWaitingText: size()
      .describe(
        'Maximum number of characters of operations in the planning queue, with fragments expanded; then OVERLOADED.',
      )
      .prefault('32MB'),
    refusalKept: duration({ min: 1 })
      .describe(
        'Time for which an operation that exceeded `timeout` or `memory` is refused without being planned again.',
      )
      .prefault('5m'),
    cacheSize: integer({ min: 1 })
      .describe(
        'Maximum number of cached plans, including those of a previous supergraph that is still in use. The least recently used plans are evicted first.',
      )
      .prefault(1_000),
    textCacheSize: size()
      .describe(
        'Maximum number of characters of operation texts in each of the caches of validated, parsed and persisted (APQ) operations. The least recently used texts are evicted first.',
      )
      .prefault('32MB'),
    warmOperations: integer()
      .describe(
        'Number of the most used operations that are planned for a new supergraph before the switch to it.',
      )
      .prefault(100),
    warmTimeout: duration({ min: 1 })
      .describe(
        'Maximum time that the switch waits for these plans. Remaining operations are planned when they are requested.',
      )
      .prefault('30s'),
  })
  .describe('The query planner, which runs in worker threads.');

export const deliverySection = z
  .strictObject({
    bufferSize: size()
      .describe(
        'Maximum number of buffered bytes for one slow client. Beyond it, no further payload is created for the client until it has read.',
      )
      .prefault('1MB'),
    readTimeout: duration({ min: 1 })
      .describe(
        'Maximum time that bytes are buffered for a client that reads nothing. Then its connection is closed and the buffer is released.',
      )
      .prefault('30s'),
    heartbeat: duration({ min: 1 })
      .describe(
        'Maximum idle time of a connection with a stream. Then the gateway sends a comment (server-sent events) or an empty part (multipart subscriptions). A WebSocket whose client was idle for this time is pinged, and closed if the client does not respond within the same time.',
      )
      .prefault('12s'),
    initTimeout: duration({ min: 1 })
      .describe(
        'Maximum time until a client sends `connection_init`. Then the WebSocket is closed with code 4408.',
      )
      .prefault('3s'),
    reservationTimeout: duration({ min: 1 })
      .describe(
        'Maximum time between the reservation of an event stream (PUT) and its opening. Then the reservation expires.',
      )
      .prefault('10s'),
  })
  .describe('How responses are delivered to clients.');
