import { Caching } from './caching.ts';
import { createClientKey } from './clientKeys.ts';
import { parseConfig } from './config/parseConfig.ts';
import type { GatewayConfig, GatewayOptions } from './config/schema.ts';
import { ContractGuarding } from './contractGuarding.ts';
import { createOperationRecording } from './contracts/record/operationRecording.ts';
import { EnrichmentServing } from './enrichmentServing.ts';
import { SubgraphFetches } from './execution/subgraphFetches.ts';
import { explainOperation } from './explain.ts';
import { createOverrideDecisions } from './operation/overrideDecision.ts';
import { Preparer } from './operation/prepare.ts';
import type { OperationRequest } from './operation/request.ts';
import { Pipeline } from './pipeline.ts';
import { listOverrideLabels } from './planning/overrideLabels.ts';
import type { StartPlannerThread } from './planning/plannerThread.ts';
import { planningLimits } from './planning/planningLimits.ts';
import { createRequestScopes } from './requestScopes.ts';
import { createHttpSubgraphClient } from './subgraph-client/httpSubgraphClient.ts';
import { absentSubgraphs, configuredUrls, createSubgraphEndpoints } from './subgraphEndpoints.ts';
import { createSubscriptionServing, subgraphParamNames } from './subscriptionServing.ts';
import { OpenStreams } from './subscriptions/openStreams.ts';
import { callbackBodySize } from './subscriptions/sources/callbackReceiver.ts';
import { loadSupergraph } from './supergraph/loadSupergraph.ts';
import { createFileSource } from './supergraph/sources/fileSource.ts';
import { createIntrospectionSource } from './supergraph/sources/introspectionSource.ts';
import type { SupergraphSource } from './supergraph/sources/supergraphSource.ts';
import { createSupergraphHolder } from './supergraph/supergraphHolder.ts';
import { checkTopics, prepareTopics } from './supergraphTopics.ts';
import { CacheMetrics } from './telemetry/cacheMetrics.ts';
import { EnrichmentMetrics } from './telemetry/enrichmentMetrics.ts';
import { createLogger, type Logger } from './telemetry/logger.ts';
import { createMetrics } from './telemetry/metrics.ts';
import { SubgraphMetrics } from './telemetry/subgraphMetrics.ts';
import { registerSubscriptionMetrics } from './telemetry/subscriptionMetrics.ts';
import { systemTimers, type Timers } from './time/timers.ts';
import type { ApolloServerPlugin } from './transport/admission/apolloServer.ts';
import type { GatewayContext } from './transport/admission/clientRequest.ts';
import { graphiqlDirectory } from './transport/graphiql/graphiqlFiles.ts';
import { addCacheRoutes } from './transport/http/cacheRoutes.ts';
import { addCallbackRoute } from './transport/http/callbackRoute.ts';
import { addContractsRoute } from './transport/http/contractsRoute.ts';
import { addEnrichmentRoute } from './transport/http/enrichmentRoute.ts';
import { addJobsRoute } from './transport/http/jobsRoute.ts';
import { addMetricsRoute } from './transport/http/metricsRoute.ts';
import { createHttpServer } from './transport/http/server.ts';
import { createIds } from './transport/workers/workerIds.ts';
import type { WorkerPlace } from './transport/workers/workerPlace.ts';

export type { ApolloServerPlugin, GatewayConfig, GatewayContext, GatewayOptions, WorkerPlace };

export interface Gateway {
  /** Loads the supergraph and listens. Resolves when connections are accepted, also where there is no usable
   *  supergraph yet: then the gateway is not ready, and says why. Rejects where a port cannot be had. */
  start(): Promise<GatewayAddresses>;
  /** Gives an event to the subscription fields that `subscriptions.topics` feeds by this topic: an object with
   *  `__typename`, the fields of a key, and whatever else it has. Errors: `TypeError` for what is no event. */
  publish(topic: string, event: unknown): void;
  /** Drains: unready at once, running requests and what is late get `listen.drainTimeout`, then everything ends. */
  close(): Promise<void>;
}

export interface GatewayAddresses {
  /** Of the GraphQL route. */
  readonly url: string;
  readonly adminUrl: string;
}

export interface GatewayParts {
  /** Apollo Server plugins. An answer's `data` is not readable for them: it is text already. */
  readonly plugins?: readonly ApolloServerPlugin<GatewayContext>[];
  readonly logger?: Logger;
  /** Decides on progressive `@override`s for requests without an identity: numbers from 0 up to 1, evenly. */
  readonly random?: () => number;
  /** The clock by which the cache counts, in milliseconds since 1970; the system's where left out. */
  readonly now?: () => number;
  /** By which connections and subscriptions wait; real time where left out. */
  readonly timers?: Timers;
  /** Starts the threads that plan operations; a worker thread each where left out. */
  readonly startPlannerThread?: StartPlannerThread;
  /** Which one this is of several processes that share the port. */
  readonly worker?: WorkerPlace;
}

/** A gateway in this process. `options` has the shape of the configuration file.
 *  Errors: `ConfigError` with every problem. */
export async function createGateway(options: GatewayOptions, parts: GatewayParts = {}): Promise<Gateway> {
  const config = parseConfig(options);
  const logger = parts.logger ?? createLogger(config.telemetry.logLevel);
  const timers = parts.timers ?? systemTimers;
  const preparer = new Preparer({
    cacheSize: config.planning.cacheSize,
    maxSelections: config.limits.recursiveSelections,
    maxVariableValues: config.limits.variableValues,
  });

  const supergraphs = createSupergraphHolder({
    load: async (sdl, signal) => {
      const loaded = await loadSupergraph({
        sdl,
        signal,
        urls: configuredUrls(config),
        planning: planningLimits(config.planning),
        startThread: parts.startPlannerThread,
      });
      try {
        const previous = supergraphs.current();
        const isFirst = previous === undefined;
        checkTopics({ sdl, topics: config.subscriptions.topics, isFirst, log: logger });
        const supergraph = enrichments.enriching.prepare(loaded, isFirst);
        const rules = caching.readRules(sdl, isFirst);
        if (rules !== undefined) caching.prepare(supergraph, rules);
        prepareTopics(supergraph, config.subscriptions.topics);
        await guarding.admit(supergraph, previous, signal);
        return supergraph;
      } catch (error) {
        await loaded.planner.close();
        throw error;
      }
    },
    warm: (next, previous, signal) => preparer.warm(next, previous, config.planning.warmOperations, signal),
    warmTimeoutMs: config.planning.warmTimeout,
    onRetired: (supergraph) => preparer.forget(supergraph),
  });
  supergraphs.onProblem((reason) => logger.error({ reason }, 'No new supergraph is used'));
  supergraphs.onChange((supergraph) => {
    caching.use(supergraph);
    guarding.use(supergraph);
    const subgraphs = [...supergraph.subgraphs.keys()];
    logger.info({ supergraph: supergraph.id, subgraphs }, 'A supergraph is in use');
    const absent = absentSubgraphs(config, supergraph);
    if (absent.length > 0) {
      logger.warn({ absent, subgraphs }, 'The configuration has subgraphs that the supergraph does not have');
    }
    const labels = listOverrideLabels(supergraph.overrides);
    const unused = Object.keys(config.override.labels).filter((label) => !labels.includes(label));
    if (unused.length > 0) {
      logger.warn(
        { unused, labels },
        'The configuration has labels of @override that the supergraph does not have',
      );
    }
  });

  const endpointOf = createSubgraphEndpoints(config, supergraphs);
  const metrics = createMetrics();
  const guarding: ContractGuarding = new ContractGuarding({
    config,
    log: logger,
    metrics,
    timers,
    now: parts.now ?? Date.now,
    supergraphs,
  });
  const client = createHttpSubgraphClient({
    endpoint: endpointOf,
    shareInFlight: config.batching.acrossRequests,
    queueObserver: new SubgraphMetrics(metrics.registry),
    onReceiverFault: (err) => logger.error({ err }, 'An answer could not be taken'),
  });
  const fetches = new SubgraphFetches(guarding.listenTo(client), config.batching);
  const caching: Caching = new Caching({
    config,
    log: logger,
    observer: new CacheMetrics({
      registry: metrics.registry,
      problems: () => caching.problems.counts,
      memory: () => ({ bytes: caching.store.size, entries: caching.store.entryCount }),
    }),
    fetches,
    now: parts.now ?? Date.now,
  });
  const enrichments: EnrichmentServing = new EnrichmentServing({
    config,
    observer: new EnrichmentMetrics({
      registry: metrics.registry,
      jobs: () => enrichments.pending,
      ways: () => enrichments.enriching.adaptation.snapshot(),
    }),
    log: logger,
  });
  const recording = createOperationRecording(config, {
    log: logger,
    timers: systemTimers,
    now: parts.now ?? Date.now,
  });
  let publicUrl = config.listen.publicUrl;
  const clientKey = createClientKey(config);
  const openStreams = new OpenStreams(config.subscriptions);
  const openStream = ({ headers, clientAddress }: Pick<OperationRequest, 'headers' | 'clientAddress'>) =>
    openStreams.open(clientKey(headers, clientAddress));
  const { subscriptions, callbacks, bus, topicProblems, findProtocols } = createSubscriptionServing({
    config,
    endpointOf,
    publicUrl: () => publicUrl,
    newId: createIds(parts.worker?.name),
    log: logger,
    timers,
    openStream,
  });
  registerSubscriptionMetrics({
    registry: metrics.registry,
    topicProblems: () => topicProblems,
    dropped: () => subscriptions.dropped,
  });
  const pipeline = new Pipeline({
    preparer,
    subscriptions,
    enriching: enrichments.enriching,
    openStream,
    fetchesOf: (supergraph) => caching.fetchesOf(supergraph),
    errorPolicy: config.security,
    answerSize: config.limits.answerSize,
    onInternalError: (err, requestId) => logger.error({ err, requestId }, 'A fetch failed unexpectedly'),
    scopeOf: createRequestScopes(config),
    overridesFor: createOverrideDecisions(config.override, parts.random ?? Math.random),
    ...(recording === undefined ? {} : { onPrepared: (request) => recording.onPrepared(request) }),
  });
  enrichments.start(pipeline.createLateRunner(() => supergraphs.acquire()));
  supergraphs.onChange((supergraph) => {
    findProtocols(supergraph);
    pipeline
      .replanSubscriptions(supergraph)
      .catch((err: unknown) => logger.error({ err }, 'Subscriptions could not be planned anew'));
  });
  const server = createHttpServer({
    listen: config.listen,
    admin: config.admin,
    supergraphs,
    respond: (request, supergraph) => pipeline.respond(request, supergraph),
    explain: async (operation, overrides) => {
      const lease = supergraphs.acquire();
      try {
        return await explainOperation(operation, overrides, lease?.supergraph, config.limits);
      } finally {
        lease?.release();
      }
    },
    worker: parts.worker,
    limits: config.limits,
    security: { ...config.security, subgraphParams: subgraphParamNames(config) },
    clientKey,
    bufferSize: config.delivery.bufferSize,
    readTimeout: config.delivery.readTimeout,
    heartbeat: config.delivery.heartbeat,
    initTimeout: config.delivery.initTimeout,
    reservationTimeout: config.delivery.reservationTimeout,
    rememberedCharacters: config.planning.textCacheSize,
    ...(config.security.graphiql ? { graphiqlDirectory: graphiqlDirectory() } : {}),
    addPublicRoutes: (routes, draining) => {
      const { bufferSize, readTimeout, heartbeat } = config.delivery;
      addEnrichmentRoute(routes, {
        ...enrichments.pickUp,
        openStream,
        draining: enrichments.lettingGo(draining),
        cors: config.security.cors,
        bufferSize,
        readTimeout,
        heartbeat,
        timers,
        log: logger,
      });
      const { eventSize, queue } = config.subscriptions;
      addCallbackRoute(routes, {
        callbacks,
        bodySize: callbackBodySize(eventSize),
        waiting: { waiting: queue.events, bytes: queue.size },
      });
    },
    whileAsked: () => enrichments.drain(),
    readyNotes: () => guarding.notes,
    addAdminRoutes: (routes) => {
      addJobsRoute(routes, enrichments.pickUp);
      addMetricsRoute(routes, metrics);
      addContractsRoute(routes, () => guarding.describe());
      addCacheRoutes(routes, { cache: caching.administration, bodySize: config.limits.bodySize });
    },
    plugins: parts.plugins ?? [],
    timers,
    log: logger,
  });

  return {
    async start() {
      // Listening first: liveness and the reasons for not being ready can be asked for while the supergraph loads.
      const { url, adminUrl } = await server.listen();
      if (publicUrl === '') publicUrl = new URL('/', url).href;
      await supergraphs.start(createSource(config));
      return { url, adminUrl: adminUrl as string };
    },
    publish: (topic, event) => bus.publish(topic, event),
    async close() {
      // What requests have left gets no time of its own: whoever ends the process counts from now.
      const end = performance.now() + config.listen.drainTimeout;
      await server.close();
      await enrichments.close(Math.max(0, end - performance.now()));
      await subscriptions.close();
      await Promise.all([guarding.close(), supergraphs.close()]);
      await client.close();
      await caching.close();
      await recording?.close();
    },
  };
}

function createSource({ supergraph }: GatewayConfig): SupergraphSource {
  return 'file' in supergraph
    ? createFileSource(supergraph)
    : createIntrospectionSource({ subgraphs: supergraph.subgraphs, pollIntervalMs: supergraph.pollInterval });
}
