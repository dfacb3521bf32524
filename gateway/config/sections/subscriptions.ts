import { z } from 'zod';
import { choice, duration, integer, size } from '../scalars.ts';
import { subscriptionTopicOptions } from './subscriptionTopics.ts';

const subscriptionProtocols = ['auto', 'graphql_ws', 'sse', 'multipart', 'http_callback'] as const;

export const subscriptionDefaults = { protocol: 'auto', path: '' } as const;

export const subscriptionReconnectDefaults = { minDelay: '100ms', maxDelay: '10s' } as const;

export const protocol = choice(subscriptionProtocols).describe(
  "Protocol with which the gateway subscribes to the subgraph: `auto` (the first of the following protocols that the subgraph supports, detected in the background or with the first subscription, and logged), `graphql_ws` (graphql-transport-ws over a WebSocket), `sse` (graphql-sse's distinct connections), `multipart` (Apollo's multipart protocol) or `http_callback` (Apollo's HTTP callback protocol, in which the subgraph calls the gateway: see `listen.publicUrl`).",
);

export const subscriptionsSection = z
  .strictObject({
    queue: z
      .strictObject({
        events: integer({ min: 1 })
          .describe(
            'Maximum events of one subscription that wait to be completed, or to be read by a client.',
          )
          .prefault(1_000),
        size: size().describe('Maximum bytes of these events.').prefault('4MB'),
        whenFull: choice(['drop-oldest', 'close', 'wait'])
          .describe(
            "What happens when the queue is full. `drop-oldest`: the oldest waiting event is dropped. `close`: the subscription ends with an error; over `http_callback`, a subgraph whose events wait to be completed is slowed down instead. `wait`: the gateway stops reading from the subgraph or stream until there is room; equal subscriptions wait for the slowest client. Sources that cannot be paused, such as topics of the gateway's own process, use `close` instead.",
          )
          .prefault('close'),
      })
      .prefault({}),
    eventSize: size()
      .describe(
        'Maximum size of an event from a subgraph, after decompression: a larger one ends its subscription. Also of an event in a Redis stream (`topics`): a larger one is skipped.',
      )
      .prefault('1MB'),
    connectTimeout: duration({ min: 1 })
      .describe(
        'Maximum time to subscribe to a subgraph, including connecting. A new subscription is tried again for this long while the subgraph is unavailable.',
      )
      .prefault('5s'),
    heartbeat: duration()
      .describe('Interval of heartbeats on connections to subgraphs. `0s`: no heartbeats.')
      .prefault('10s'),
    reconnect: z
      .strictObject({
        attempts: integer()
          .describe('Maximum attempts in a row to reconnect after a lost connection. `0`: none.')
          .prefault(10),
        minDelay: duration({ min: 1 })
          .describe(
            'Delay before the first attempt. The delay doubles with each attempt and has a random part.',
          )
          .prefault(subscriptionReconnectDefaults.minDelay),
        maxDelay: duration({ min: 1 })
          .describe('Maximum delay between two attempts.')
          .prefault(subscriptionReconnectDefaults.maxDelay),
      })
      .prefault({}),
    interruptions: choice(['silent', 'reported'])
      .describe(
        'Events may be missing after a lost connection to a subgraph, after a new supergraph made the gateway subscribe again, and where events were dropped. `reported`: clients get a payload with an error there. `silent`: they do not.',
      )
      .prefault('reported'),
    total: integer({ min: 1 })
      .describe(
        'Maximum open subscriptions in one process. Event streams of deferred enrichments count too. A subscription counts once more for every 20,000 characters of its operation and variables.',
      )
      .prefault(50_000),
    perClient: integer({ min: 1 })
      .describe(
        'Maximum open subscriptions of one client, over all its connections. A client is one `security.identity`, or one address if there is no identity. Behind a proxy, all clients can have the same address. Large subscriptions count several times, as for `total`.',
      )
      .prefault(10_000),
    idleTimeout: duration()
      .describe('A subscription that had no event for this long ends with `SUBSCRIPTION_IDLE`. `0s`: never.')
      .prefault('0s'),
    ...subscriptionTopicOptions,
  })
  .describe('Subscriptions: how the gateway receives events, queues them and sends them to clients.');
