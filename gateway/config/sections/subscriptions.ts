import { z } from 'zod';
import { choice, duration, integer, size } from '../scalars.ts';
import { subscriptionTopicOptions } from './subscriptionTopics.ts';

/** How the gateway subscribes at a subgraph. */
const subscriptionProtocols = ['auto', 'graphql_ws', 'sse', 'multipart', 'http_callback'] as const;

export const subscriptionDefaults = { protocol: 'auto', path: '' } as const;

export const protocol = choice(subscriptionProtocols).describe(
  "How the gateway subscribes: `auto` (the first of the next four that the subgraph speaks, found out in the background as soon as its supergraph is in use, or with the first subscription, and told in the log), `graphql_ws` (graphql-transport-ws over a WebSocket), `sse` (server-sent events, graphql-sse's distinct connections), `multipart` (Apollo's multipart protocol) or `http_callback` (Apollo's HTTP callback protocol, in which the subgraph calls the gateway: see `listen.publicUrl`).",
);

export const subscriptionsSection = z
  .strictObject({
    queue: z
      .strictObject({
        events: integer({ min: 1 })
          .describe(
            'Most events of one subscription that wait, to be completed or for a client to take them.',
          )
          .prefault(1_000),
        size: size().describe('Most bytes of these.').prefault('4MB'),
        whenFull: choice(['drop-oldest', 'close', 'wait'])
          .describe(
            "`drop-oldest`: the oldest event that waits is lost. `close`: the subscription ends with an error; what came before stays complete. `wait`: nothing more is read from the subgraph or the stream until there is room; equal subscriptions wait for the slowest client. Where that cannot be, as with topics of the gateway's own process, it is `close`.",
          )
          .prefault('close'),
      })
      .prefault({}),
    eventSize: size().describe('Largest event of a subgraph, after decompression.').prefault('1MB'),
    connectTimeout: duration({ min: 1 })
      .describe('Longest that subscribing at a subgraph may take, connecting included.')
      .prefault('5s'),
    heartbeat: duration()
      .describe('Time between signs of life on connections to subgraphs. `0s`: none.')
      .prefault('10s'),
    reconnect: z
      .strictObject({
        attempts: integer()
          .describe('Most attempts in a row to subscribe again after a lost connection. 0: none.')
          .prefault(10),
        minDelay: duration({ min: 1 })
          .describe('Time before the first attempt; it doubles with each, with a random part.')
          .prefault('100ms'),
        maxDelay: duration({ min: 1 }).describe('Longest time between two attempts.').prefault('10s'),
      })
      .prefault({}),
    interruptions: choice(['silent', 'told'])
      .describe(
        'While a lost connection to a subgraph is made again, where a new supergraph has it subscribed anew, and where events were dropped, events are or may be missing. `told`: clients get a payload with an error that says so.',
      )
      .prefault('told'),
    total: integer({ min: 1 })
      .describe(
        'Most subscriptions that are open at a time in one process. Clients that follow what comes late count as well.',
      )
      .prefault(50_000),
    perClient: integer({ min: 1 })
      .describe(
        'Most of these that one client has, over all its connections: the same `security.identity`, or else the same address. Behind a proxy, all clients have one address.',
      )
      .prefault(10_000),
    idleTimeout: duration()
      .describe(
        'A subscription of a client ends when it had no event for so long, with SUBSCRIPTION_IDLE. `0s`: never.',
      )
      .prefault('0s'),
    ...subscriptionTopicOptions,
  })
  .describe('Subscriptions: how events get from subgraphs to clients.');
