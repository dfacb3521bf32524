import { z } from 'zod';
import { duration, flag, integer, size } from '../scalars.ts';

export const batchingSection = z
  .strictObject({
    acrossRequests: flag()
      .describe(
        'Batch entity fetches of one shape, and share equal fetches, across concurrent client requests that forward the same headers. Fetches of one request are always batched.',
      )
      .prefault(true),
    maxBatchSize: integer({ min: 1 }).describe('Most representations in one `_entities` call.').prefault(200),
  })
  .describe('How entity fetches are put together.');

export const limitsSection = z
  .strictObject({
    bodySize: size().describe('Largest request body, after decompression.').prefault('1MB'),
    tokens: integer({ min: 1 }).describe('Most lexical tokens in a document.').prefault(10_000),
    depth: integer({ min: 1 })
      .describe(
        'Most selection sets within each other, fragment spreads expanded: every field with fields of its own is a level, and so is an inline fragment; a spread is not. Lists and objects within variables may nest as deep.',
      )
      .prefault(100),
    literalDepth: integer({ min: 1 })
      .describe(
        'Most lists and objects within each other in a literal of the operation: the planner may take twice as long for each level. What is deeper has to come in a variable.',
      )
      .prefault(16),
    aliases: integer().describe('Most aliased fields in an operation, fragments expanded.').prefault(200),
    rootFields: integer({ min: 1 }).describe('Most fields at the root of an operation.').prefault(50),
    directives: integer().describe('Most directives in an operation, fragments expanded.').prefault(100),
    deferredFragments: integer().describe('Most `@defer`s in an operation, fragments expanded.').prefault(50),
    recursiveSelections: integer({ min: 1 })
      .describe('Most selections that an operation may have once every fragment spread is expanded.')
      .prefault(10_000),
    expandedSize: size()
      .describe(
        'Most characters of names and literals that an operation may have once every fragment spread is expanded. A long text belongs in a variable, which is not expanded.',
      )
      .prefault('2MB'),
    fieldComparisons: integer()
      .describe(
        'Most comparisons of fields that have one name at one place, as validation makes them: each with each, fragments expanded. Every selection counts as one more.',
      )
      .prefault(200_000),
    variableValues: integer()
      .describe(
        'Most values within the lists and objects of the variables. They may nest as deep as selection sets (`depth`).',
      )
      .prefault(50_000),
    answerSize: size()
      .describe(
        'Largest answer, or payload of one. What would be larger is null, with an error that says so: lists within lists may come out larger than any memory.',
      )
      .prefault('128MB'),
    batchedOperations: integer()
      .describe('Most operations in one HTTP request with a JSON array. 0 refuses arrays.')
      .prefault(0),
    webSockets: integer()
      .describe(
        'Most WebSockets of clients at a time in one process. More are refused with 503; 0 refuses all.',
      )
      .prefault(20_000),
    operationsPerSocket: integer({ min: 1 })
      .describe('Most operations at a time on one WebSocket, or on one event stream; then OVERLOADED.')
      .prefault(100),
    eventStreams: integer()
      .describe(
        "Most event streams at a time in one process on which clients have several operations each (graphql-sse's single connection mode), reserved ones included. More are refused with 503; 0 refuses all.",
      )
      .prefault(20_000),
    eventStreamsPerClient: integer({ min: 1 })
      .describe(
        'Most of these that one client has: the same `security.identity`, or else the same address. Behind a proxy, all clients have one address.',
      )
      .prefault(4_000),
  })
  .describe('What one client request may ask for. More is refused before anything is planned.');

export const planningSection = z
  .strictObject({
    timeout: duration({ min: 1 })
      .describe('Longest the planner may work on one operation; then OPERATION_TOO_COMPLEX.')
      .prefault('5s'),
    splitTimeout: duration({ min: 1 })
      .describe(
        "Longest the planner may work on keeping an operation's enrichments apart from the rest, in time of its own thread; then the operation is planned as if it had none, and an enrichment may share a call with what is waited for.",
      )
      .prefault('200ms'),
    memory: size({ min: 64 * 1024 ** 2 })
      .describe('Largest heap of one planner thread.')
      .prefault('512MB'),
    maxEvaluatedPlans: integer({ min: 1 })
      .describe('Most alternative plans that are compared for one operation.')
      .prefault(10_000),
    pathsLimit: integer({ min: 1 })
      .describe('Most paths that are followed for one operation.')
      .prefault(10_000),
    threads: integer({ min: 1 })
      .describe(
        'Most planner threads of one supergraph, each of which holds all of it. A second one is started only while a plan takes longer than `spareAfter` and others wait.',
      )
      .prefault(2),
    spareAfter: duration({ min: 1 })
      .describe('A plan that takes longer than this lets another thread be started for those that wait.')
      .prefault('250ms'),
    spareIdle: duration({ min: 1 })
      .describe('A thread that had nothing to do for so long is ended, if it is not the only one.')
      .prefault('1m'),
    maxWaiting: integer({ min: 1 })
      .describe('Most operations that wait to be planned; then OVERLOADED.')
      .prefault(500),
    maxWaitingText: size()
      .describe(
        'Most characters of the operations that wait to be planned, fragments expanded; then OVERLOADED.',
      )
      .prefault('32MB'),
    refusalKept: duration({ min: 1 })
      .describe(
        'How long an operation that went beyond `timeout` or `memory` is refused without being planned again.',
      )
      .prefault('5m'),
    cacheSize: integer({ min: 1 })
      .describe(
        'Plans kept, those of a supergraph on its way out included; the least recently used leaves first.',
      )
      .prefault(1_000),
    textCacheSize: size()
      .describe(
        'Characters of operation texts that are remembered as checked, as parsed and as persisted (APQ), each. The least recently used leave first.',
      )
      .prefault('32MB'),
    warmOperations: integer()
      .describe(
        'Operations, the most used ones, that are planned for a new supergraph before it is switched to.',
      )
      .prefault(100),
    warmTimeout: duration({ min: 1 })
      .describe(
        'Longest that planning them may hold back the switch; what is not planned by then is planned when it is asked for.',
      )
      .prefault('30s'),
  })
  .describe('The query planner, which works in threads of its own.');

export const deliverySection = z
  .strictObject({
    bufferSize: size()
      .describe(
        'Most bytes that wait for one client that reads slowly. When they are reached, no further payload is made for it until it has read.',
      )
      .prefault('1MB'),
    readTimeout: duration({ min: 1 })
      .describe(
        'Longest that bytes wait for a client without any of them being taken. Then its connection is closed, and what waited is freed.',
      )
      .prefault('30s'),
    heartbeat: duration({ min: 1 })
      .describe(
        'Longest silence on a connection with a stream. Then the gateway sends a comment (server-sent events) or an empty part (multipart subscriptions). A WebSocket whose client sent nothing for as long is pinged, and closed when the client does not answer within the same time.',
      )
      .prefault('12s'),
    initTimeout: duration({ min: 1 })
      .describe('How long a WebSocket may take to send `connection_init`. Then it is closed with 4408.')
      .prefault('3s'),
    reservationTimeout: duration({ min: 1 })
      .describe('How long an event stream that was reserved (PUT) may take to be opened. Then it is gone.')
      .prefault('10s'),
  })
  .describe('How answers travel.');
