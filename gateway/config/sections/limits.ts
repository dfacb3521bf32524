import { z } from 'zod';
import { duration, integer, scalar, size } from '../scalars.ts';
import { headerName } from './headerName.ts';

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
    bodySize: size()
      .describe('Maximum size of a request body, before and after decompression.')
      .prefault('1MB'),
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
    responseSize: size()
      .describe(
        'Maximum size of a response or payload. A larger one has null data and an error. Nested lists can produce responses that exceed the memory of the process. It is also the maximum of all responses together that wait for the client of one connection to read them: beyond it, further ones have null data and the error OVERLOADED. Responses of up to 16 kB do not count.',
      )
      .prefault('128MB'),
    batchedOperations: integer()
      .describe('Maximum number of operations in one HTTP request with a JSON array. 0 refuses arrays.')
      .prefault(0),
    webSockets: integer()
      .describe(
        'Maximum number of client WebSockets in one process. More are refused with 503. 0 refuses all, with 403.',
      )
      .prefault(20_000),
    webSocketsPerClient: integer({ min: 1 })
      .describe(
        'Maximum number of WebSockets of one client in one process, identified by `security.identity`, or else by address. Behind a proxy, all clients have one address unless `listen.trustedProxies` lists the proxy.',
      )
      .prefault(10_000),
    operationsPerSocket: integer({ min: 1 })
      .describe(
        'Maximum number of concurrent operations on one WebSocket or event stream. More are refused with OVERLOADED.',
      )
      .prefault(100),
    eventStreams: integer()
      .describe(
        "Maximum number of event streams in graphql-sse's single connection mode in one process, reserved ones included. More are refused with 503. 0 refuses all, with 403.",
      )
      .prefault(20_000),
    eventStreamsPerClient: integer({ min: 1 })
      .describe(
        'Maximum number of such event streams of one client in one process, identified as for `webSocketsPerClient`.',
      )
      .prefault(4_000),
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
  })
  .describe(
    'Limits that protect the gateway from single requests and clients. An operation that exceeds one is refused before it is planned.',
  );
