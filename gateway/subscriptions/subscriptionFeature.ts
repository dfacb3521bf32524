import { maskSecrets } from '../config/addressSecrets.ts';
import { isWildcardAddress } from '../config/isWildcardAddress.ts';
import type { GatewayConfig } from '../config/schema.ts';
import type { SubgraphPolicy } from '../config/subgraphPolicyOf.ts';
import type { Feature, FeatureContext, SupergraphFindings, SupergraphReading } from '../feature.ts';
import { createHeaderRules } from '../subgraphs/headerRules.ts';
import { memoizePolicies } from '../subgraphs/subgraphEndpoints.ts';
import type { SubgraphEndpoint } from '../subgraphs/subgraphPools.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import type { Routes } from '../transport/http/routes.ts';
import { addCallbackRoute, callbackIdOf } from './callbackRoute.ts';
import {
  createClientErrorMapper,
  createInterruptionMapper,
  createResubscribeReporter,
} from './clientErrorMapper.ts';
import { findSubscribableSubgraphs } from './findSubscribableSubgraphs.ts';
import { createAutoSource, type ProtocolDetector } from './sources/autoSource.ts';
import {
  buildCallbackUrl,
  type CallbackReceiver,
  combineCallbackReceivers,
  maxCallbackBodyBytes,
} from './sources/callbackReceiver.ts';
import { createGraphqlWsSource } from './sources/graphqlWsSource.ts';
import { createHttpCallbackSource } from './sources/httpCallbackSource.ts';
import { createMultipartSource } from './sources/multipartSource.ts';
import { ProtocolRoutingSource } from './sources/protocolRoutingSource.ts';
import { createSseSource } from './sources/sseSource.ts';
import type { SourceEndpoint, SourceOptions, SubscriptionSource } from './sources/subscriptionSource.ts';
import { SubscriptionManager } from './subscriptionManager.ts';
import { registerSubscriptionMetrics, type SubscriptionCounters } from './subscriptionMetrics.ts';
import { subscriptionUrlOf } from './subscriptionUrlOf.ts';
import { TopicBus } from './topics/topicBus.ts';
import { findUnknownTopicFields } from './topics/topicField.ts';
import { TopicHub } from './topics/topicHub.ts';
import { TopicProblemLog } from './topics/topicProblemLog.ts';
import { TopicSchema } from './topics/topicSchema.ts';
import { TopicSource } from './topics/topicSource.ts';

/** Subscriptions: event sources for each protocol and for topics, and the shared subscriptions that serve clients. */
export class SubscriptionFeature implements Feature {
  readonly subscriptions: SubscriptionManager;
  readonly #context: FeatureContext;
  readonly #policyOf: (subgraph: string) => SubgraphPolicy;
  readonly #auto: SubscriptionSource & ProtocolDetector;
  readonly #callbacks: CallbackReceiver;
  readonly #bus = new TopicBus();
  /** The subgraphs with subscription fields that no topic feeds. */
  readonly #subscribableSubgraphs = new WeakMap<Supergraph, ReadonlySet<string>>();
  #publicUrl: string;

  constructor(context: FeatureContext) {
    this.#context = context;
    const { config, log, metrics, timers, now } = context;
    this.#publicUrl = config.listen.publicUrl;
    this.#policyOf = memoizePolicies(config);
    const endpoint = (subgraph: string): SourceEndpoint => this.#endpointOf(subgraph);
    const headerRulesOf = createHeaderRules(config);
    const callbacks = this.#createCallbackSource({ endpoint, timers });
    const receivers: CallbackReceiver[] = [callbacks];
    this.#auto = createAutoSource({
      endpoint,
      timers,
      ...(isReachable(config.listen) && {
        createCallbackSource: (own) => {
          const source = this.#createCallbackSource(own);
          receivers.push(source);
          return source;
        },
      }),
      headersOf: (subgraph) => headerRulesOf(subgraph).constantHeaders,
      onProtocolDetected: (subgraph, protocol) =>
        log.info({ subgraph, protocol }, 'Detected the subscription protocol of a subgraph'),
      onNoProtocolDetected: (subgraph, address, refusals) =>
        log.warn(
          { subgraph, url: maskSecrets(address), refusals },
          'No subscription protocol of a subgraph was detected: set its subscription.protocol and subscription.path (subgraphs.<name>)',
        ),
    });
    this.#callbacks = combineCallbackReceivers(...receivers);
    const source = new ProtocolRoutingSource(
      {
        auto: this.#auto,
        graphql_ws: createGraphqlWsSource({ endpoint, timers }),
        sse: createSseSource({ endpoint, timers }),
        multipart: createMultipartSource({ endpoint, timers }),
        http_callback: callbacks,
      },
      (subgraph) => this.#policyOf(subgraph).subscription.protocol,
    );
    const problems = new TopicProblemLog({ log, now });
    const counters = registerSubscriptionMetrics({
      registry: metrics.registry,
      topicProblems: () => problems.counts,
      droppedEventCount: () => this.subscriptions.droppedEventCount,
    });
    this.subscriptions = this.#createSubscriptions(source, problems, counters);
  }

  readSupergraph(reading: SupergraphReading): SupergraphFindings | undefined {
    const { topics } = this.#context.config.subscriptions;
    const hasTopics = Object.keys(topics).length > 0;
    if (!hasTopics && reading.supergraph.apiSchema.getSubscriptionType() == null) return undefined;
    const { document } = reading;
    return {
      unknownNames: findUnknownTopicFields(topics, document),
      attach: (supergraph) => {
        this.#subscribableSubgraphs.set(supergraph, findSubscribableSubgraphs(document, topics));
        // Here, so that the first event does not wait for the schema to be read.
        if (hasTopics) TopicSchema.attach(supergraph, document);
        return undefined;
      },
    };
  }

  /** Detects the protocol of each subgraph that is configured with `auto`. */
  onSupergraph(supergraph: Supergraph): void {
    const subgraphs = [...(this.#subscribableSubgraphs.get(supergraph) ?? [])];
    this.#auto.detect(subgraphs.filter((name) => this.#policyOf(name).subscription.protocol === 'auto'));
  }

  addPublicRoutes(routes: Routes): void {
    const { eventSize, queue } = this.#context.config.subscriptions;
    addCallbackRoute(routes, {
      callbacks: this.#callbacks,
      bodySize: maxCallbackBodyBytes(eventSize),
      queueLimits: { maxWaiting: queue.events, maxBytes: queue.size },
    });
  }

  resourceIdOf(url: string): string | undefined {
    return callbackIdOf(url);
  }

  onListening(baseUrl: string): void {
    if (this.#publicUrl === '') this.#publicUrl = baseUrl;
  }

  /** Publishes an event to the subscription fields that this topic feeds (`subscriptions.topics`).
   *  @throws {TypeError} if `event` is not a valid event. */
  publish(topic: string, event: unknown): void {
    this.#bus.publish(topic, event);
  }

  async stop(): Promise<void> {
    await this.subscriptions.close();
  }

  #createCallbackSource(options: SourceOptions): ReturnType<typeof createHttpCallbackSource> {
    return createHttpCallbackSource({
      ...options,
      callbackUrl: (id) => buildCallbackUrl(this.#publicUrl, id),
      createId: this.#context.newId,
    });
  }

  #createSubscriptions(
    source: SubscriptionSource,
    problems: TopicProblemLog,
    counters: SubscriptionCounters,
  ): SubscriptionManager {
    const { config, log, timers, now, openStream } = this.#context;
    const { queue, interruptions, reconnect, connectTimeout, idleTimeout, topics, eventSize } =
      config.subscriptions;
    const reporting = { policy: config.security, log, now };
    const hub = new TopicHub({
      config: config.redis,
      bus: this.#bus,
      maxEventBytes: eventSize,
      problems,
      timers,
    });
    return new SubscriptionManager({
      source: new TopicSource({ fields: topics, hub, problems, fallback: source }),
      queue: { maxEvents: queue.events, maxBytes: queue.size, policy: queue.whenFull },
      reportsInterruptions: interruptions === 'reported',
      toClientError: createClientErrorMapper({ ...reporting, counter: counters.failures }),
      toClientInterruption: createInterruptionMapper({ ...reporting, counter: counters.interruptions }),
      retryLimits: { ...reconnect, connectTimeoutMs: connectTimeout },
      onResubscribeFailed: createResubscribeReporter(reporting),
      onInternalError: (err, requestId) =>
        log.error({ err, requestId }, 'A subscription failed unexpectedly'),
      openStream,
      connectionParamsFor: (subgraph, { connectionParams = {} }) =>
        pick(connectionParams, this.#policyOf(subgraph).subscription.connectionParams),
      idleTimeoutMs: idleTimeout,
      timers,
    });
  }

  #endpointOf(subgraph: string): SourceEndpoint {
    const { config, endpointOf } = this.#context;
    return sourceEndpoint(config, endpointOf(subgraph), this.#policyOf(subgraph).subscription.path);
  }
}

/** The names of all connection parameters that are forwarded to at least one subgraph. */
export function subgraphParamNames({ subgraphs }: GatewayConfig): readonly string[] {
  return Object.values(subgraphs).flatMap(({ subscription }) => subscription?.connectionParams ?? []);
}

/** Whether the gateway knows an address for HTTP callbacks. */
function isReachable({ publicUrl, host }: GatewayConfig['listen']): boolean {
  return publicUrl !== '' || !isWildcardAddress(host);
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
  { url: firstUrl, urls = [firstUrl], http2, tls, signing }: SubgraphEndpoint,
  path: string,
): SourceEndpoint {
  const { connectTimeout, eventSize, heartbeat, reconnect } = subscriptions;
  // Chosen anew for each connection, so that a lost one finds another instance.
  const url = urls[Math.floor(Math.random() * urls.length)] as string;
  return {
    url: subscriptionUrlOf(url, path),
    firstUrl,
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
    signing,
  };
}
