import { isEveryAddress } from '../config/everyAddress.ts';
import type { GatewayConfig } from '../config/schema.ts';
import type { OperationRequest } from '../operation/request.ts';
import { memoizePolicies } from '../subgraph-client/subgraphEndpoints.ts';
import type { SubgraphEndpoint } from '../subgraph-client/subgraphPools.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Timers } from '../time/timers.ts';
import { createAutoSource } from './sources/autoSource.ts';
import { type CallbackReceiver, callbackUrl } from './sources/callbackReceiver.ts';
import { callbackReceiverOf } from './sources/callbackReceivers.ts';
import { createGraphqlWsSource } from './sources/graphqlWsSource.ts';
import { createHttpCallbackSource } from './sources/httpCallbackSource.ts';
import { createMultipartSource } from './sources/multipartSource.ts';
import { SourcesByProtocol } from './sources/sourcesByProtocol.ts';
import { createSseSource } from './sources/sseSource.ts';
import type { SourceEndpoint, SourceOptions } from './sources/subscriptionSource.ts';
import { subscribedSubgraphs } from './subscribedSubgraphs.ts';
import { createSubscriptionErrors } from './subscriptionErrors.ts';
import { Subscriptions } from './subscriptions.ts';
import { TopicBus } from './topics/topicBus.ts';
import { TopicHub } from './topics/topicHub.ts';
import { TopicProblems } from './topics/topicProblems.ts';
import { TopicSource } from './topics/topicSource.ts';

export interface SubscriptionFeature {
  readonly subscriptions: Subscriptions;
  /** Takes what subgraphs send by HTTP callback. */
  readonly callbacks: CallbackReceiver;
  /** Topics of this process. */
  readonly bus: TopicBus;
  /** Finds out in the background how the subgraphs of a supergraph are subscribed at, where the configuration leaves that
   *  to the gateway. */
  findProtocols(supergraph: Supergraph): void;
  /** What went wrong with topics, by kind. */
  readonly topicProblems: TopicProblems['counts'];
}

export interface SubscriptionFeatureOptions {
  readonly config: GatewayConfig;
  /** Where a subgraph's operations go. */
  endpointOf(subgraph: string): SubgraphEndpoint;
  /** Of the public listener, without a path; asked when a subgraph is to call back. */
  publicUrl(): string;
  /** Makes the ids by which subgraphs call back. */
  newId(): string;
  readonly log: Logger;
  readonly timers: Timers;
  /** Counts a client's stream; returns what ends it. Errors: `GatewayError` `OVERLOADED`. */
  openStream(request: OperationRequest): () => void;
}

/** Subscriptions as they are configured. */
export function createSubscriptionFeature(options: SubscriptionFeatureOptions): SubscriptionFeature {
  const { config, endpointOf, publicUrl, newId, log, timers, openStream } = options;
  const { queue, interruptions, idleTimeout } = config.subscriptions;
  const policyOf = memoizePolicies(config);
  const endpoint = (subgraph: string): SourceEndpoint =>
    sourceEndpoint(config, endpointOf(subgraph), policyOf(subgraph).subscription.path);
  const createCallbackSource = (own: SourceOptions) =>
    createHttpCallbackSource({ ...own, callbackUrl: (id) => callbackUrl(publicUrl(), id), newId });
  const callbacks = createCallbackSource({ endpoint, timers });
  const receivers: CallbackReceiver[] = [callbacks];
  const auto = createAutoSource({
    endpoint,
    timers,
    ...(isReachable(config.listen) && {
      createCallbackSource: (own) => {
        const source = createCallbackSource(own);
        receivers.push(source);
        return source;
      },
    }),
    onChosen: (subgraph, protocol) =>
      log.info({ subgraph, protocol }, 'A subgraph is subscribed at by this protocol'),
  });
  const source = new SourcesByProtocol(
    {
      auto,
      graphql_ws: createGraphqlWsSource({ endpoint, timers }),
      sse: createSseSource({ endpoint, timers }),
      multipart: createMultipartSource({ endpoint, timers }),
      http_callback: callbacks,
    },
    (subgraph) => policyOf(subgraph).subscription.protocol,
  );
  const bus = new TopicBus();
  const problems = new TopicProblems({ log, now: Date.now });
  const hub = new TopicHub({
    config: config.redis,
    bus,
    maxEventBytes: config.subscriptions.eventSize,
    problems,
    timers,
  });
  return {
    callbacks: callbackReceiverOf(...receivers),
    bus,
    topicProblems: problems.counts,
    findProtocols: (supergraph) => {
      const subgraphs = [...subscribedSubgraphs(supergraph, config.subscriptions.topics)];
      auto.find(subgraphs.filter((name) => policyOf(name).subscription.protocol === 'auto'));
    },
    subscriptions: new Subscriptions({
      source: new TopicSource({ fields: config.subscriptions.topics, hub, problems, next: source }),
      queue: { maxEvents: queue.events, maxBytes: queue.size, policy: queue.whenFull },
      tellsInterruptions: interruptions === 'told',
      tellError: createSubscriptionErrors({
        exposeSubgraphErrors: config.security.exposeSubgraphErrors,
        log,
      }),
      openStream,
      connectionParamsFor: (subgraph, { connectionParams = {} }) =>
        pick(connectionParams, policyOf(subgraph).subscription.connectionParams),
      idleTimeoutMs: idleTimeout,
      timers,
    }),
  };
}

/** Names of connection parameters that travel to any subgraph. */
export function subgraphParamNames({ subgraphs }: GatewayConfig): readonly string[] {
  return Object.values(subgraphs).flatMap(({ subscription }) => subscription?.connectionParams ?? []);
}

/** Whether there is an address at which subgraphs may call back. */
function isReachable({ publicUrl, host }: GatewayConfig['listen']): boolean {
  return publicUrl !== '' || !isEveryAddress(host);
}

function pick(
  values: Readonly<Record<string, unknown>>,
  names: readonly string[],
): Readonly<Record<string, unknown>> {
  const present = names.filter((name) => Object.hasOwn(values, name));
  return Object.fromEntries(present.map((name) => [name, values[name]]));
}

function sourceEndpoint(
  { subscriptions }: GatewayConfig,
  { url, http2, tls }: SubgraphEndpoint,
  path: string,
): SourceEndpoint {
  const { connectTimeout, eventSize, heartbeat, reconnect } = subscriptions;
  return {
    url: path === '' ? url : new URL(path, url).href,
    connectTimeoutMs: connectTimeout,
    maxEventBytes: eventSize,
    heartbeatMs: heartbeat,
    reconnect: {
      attempts: reconnect.attempts,
      minDelayMs: reconnect.minDelay,
      maxDelayMs: reconnect.maxDelay,
    },
    http2,
    tls,
  };
}
