import './requireNode.ts';

import { randomUUID } from 'node:crypto';
import type { TracerProvider } from '@opentelemetry/api';
import type { ApolloServerPlugin, ExecuteOperation } from './admission/apolloPipeline.ts';
import { HeaderAuthentication } from './admission/authentication/authentication.ts';
import { TokenAuthentication } from './admission/authentication/tokenAuthentication.ts';
import type { GatewayContext } from './admission/clientRequest.ts';
import { createTrafficControl } from './admission/createTrafficControl.ts';
import { createSharedPersistedQueries } from './admission/documents/sharedPersistedQueries.ts';
import { loadTrustedDocuments } from './admission/documents/trustedDocumentsFeature.ts';
import { createIdentityReader, type ReadIdentity } from './admission/identity.ts';
import { type LoadSource, ProcessLoad } from './admission/processLoad.ts';
import { RequestContextFactory } from './admission/requestContextFactory.ts';
import { RequestPriorities } from './admission/requestPriorities.ts';
import { CacheFeature } from './cache/cacheFeature.ts';
import { ConfigError, type ConfigProblem } from './config/configError.ts';
import { parseConfig } from './config/parseConfig.ts';
import type { GatewayOptions as ConfigOptions, GatewayConfig } from './config/schema.ts';
import type { LoadSupergraph, LoadSupergraphContext } from './config/sections/supergraph.ts';
import { ContractGuardFeature } from './contracts/contractGuardFeature.ts';
import { EnrichmentFeature } from './enrichment/enrichmentFeature.ts';
import { type ErrorCode, errorCodes, GatewayError } from './errors.ts';
import { SubgraphFetchSender } from './execution/subgraphFetchSender.ts';
import type { Extension, ExtensionModule } from './extensions/extension.ts';
import { ExtensionFeature } from './extensions/extensionFeature.ts';
import { isModule, loadExtensions } from './extensions/loadExtensions.ts';
import type { Feature, FeatureContext } from './feature.ts';
import { createFetchChain, observersOf } from './fetchChain.ts';
import { InsightsFeature } from './insights/insightsFeature.ts';
import { type GatewayAddresses, Lifecycle } from './lifecycle.ts';
import { createListeners } from './listeners.ts';
import type { MetricsExportFeature } from './metricsExport/metricsExportFeature.ts';
import { Authorizer } from './operation/authorization/authorizer.ts';
import { createOverrideDecisions } from './operation/overrideDecision.ts';
import { registerPlanMetrics } from './operation/planMetrics.ts';
import { Preparer } from './operation/preparer.ts';
import { Pipeline } from './pipeline.ts';
import type { StartPlannerThread } from './planning/plannerThread.ts';
import { registerResponseMetrics } from './response/responseMetrics.ts';
import { SharedResponses } from './response/sharedResponses.ts';
import { createSubgraphClient } from './subgraphs/createSubgraphClient.ts';
import { createSchemaAccess } from './subgraphs/schemaAccess.ts';
import { SubgraphCertificates } from './subgraphs/subgraphCertificates.ts';
import { createSubgraphEndpoints } from './subgraphs/subgraphEndpoints.ts';
import { addSubgraphsRoute } from './subgraphs/subgraphsRoute.ts';
import { StreamLimiter } from './subscriptions/streamLimiter.ts';
import { SubscriptionFeature } from './subscriptions/subscriptionFeature.ts';
import { reportSupergraphs } from './supergraph/reportSupergraphs.ts';
import { createSupergraphHolder, type SupergraphHolder } from './supergraph/supergraphHolder.ts';
import { createSupergraphLoader } from './supergraphLoader.ts';
import { createConfiguredLogger, type Logger, protectLogger } from './telemetry/logger.ts';
import { LogLevel } from './telemetry/logLevel.ts';
import { addMetricsRoute, createMetrics, type Metrics } from './telemetry/metrics.ts';
import { OperationLabels } from './telemetry/operationLabels.ts';
import { RequestRecorder } from './telemetry/requestRecorder.ts';
import type { Tracing } from './telemetry/trace.ts';
import { systemTimers, type Timers } from './time/timers.ts';
import type { TracingFeature } from './tracing/tracingFeature.ts';
import type { StartOptions } from './transport/http/httpServer.ts';
import { addLogLevelRoute } from './transport/http/logLevelRoute.ts';
import type { MountedGateway } from './transport/http/mountedGateway.ts';
import { WorkerCalls } from './transport/workers/workerCalls.ts';
import { createIdGenerator, type WorkerIdentity } from './transport/workers/workerIdentity.ts';

export type * from './extensions/extension.ts';
export { defineExtension, RequestRefusedError } from './extensions/extension.ts';
export type {
  ApolloServerPlugin,
  ConfigProblem,
  ErrorCode,
  GatewayAddresses,
  GatewayConfig,
  GatewayContext,
  LoadSupergraph,
  LoadSupergraphContext,
  Logger,
  MountedGateway,
  ReadIdentity,
  StartOptions,
  WorkerIdentity,
};
export { ConfigError, errorCodes, GatewayError };

/** The configuration of a gateway. `extensions` has extensions, and modules that the gateway loads. */
export type GatewayOptions = Omit<ConfigOptions, 'extensions'> & {
  readonly extensions?: readonly (Extension | ExtensionModule)[] | undefined;
};

/** The handlers serve the public routes in a server of the application, after `start({ listen: false })`. */
export interface Gateway extends MountedGateway {
  /** Listens and loads the supergraph. Resolves when connections are accepted, even if no supergraph is usable yet: then
   *  `GET /health/ready` says why. Rejects when a port is not available. One of several processes that share a port
   *  loads the supergraph first: connections that it accepts before would be missing at the others. */
  start(): Promise<GatewayAddresses>;
  /** The same without one of the listeners, or both. Returns the addresses of those that listen.
   *  @throws {ConfigError} when subgraphs need an address for callbacks, and `listen.publicUrl` is empty. */
  start(options: StartOptions): Promise<Partial<GatewayAddresses>>;
  /** Resolves when the first supergraph is in use. */
  readonly ready: Promise<void>;
  /** Publishes an event to the subscription fields of this topic (`subscriptions.topics`). `event`: an object with
   *  `__typename`, the fields of a key, and any other fields.
   *  @throws {TypeError} for a value that is not an event. */
  publish(topic: string, event: unknown): void;
  /** Reports the gateway as not ready (`GET /health/ready`), while it continues to serve. Call it before `close`, as long
   *  before as load balancers need to notice: `close` stops accepting connections when the running requests have ended. */
  announceShutdown(): void;
  /** Drains: not ready at once; running requests and enrichment jobs get `listen.drainTimeout`, then everything ends. */
  close(): Promise<void>;
}

export interface GatewayDependencies {
  /** Apollo Server plugins. They cannot read the `data` of a response, which is already serialized. */
  readonly plugins?: readonly ApolloServerPlugin<GatewayContext>[];
  /** A pino logger of the application, instead of `telemetry`'s options for the log. */
  readonly logger?: Logger;
  /** OpenTelemetry's provider of the application, which gets the spans of the gateway instead of
   *  `telemetry.otlp.endpoint`: it samples and exports them, and the application shuts it down. The gateway neither uses nor
   *  registers global providers. */
  readonly tracerProvider?: TracerProvider;
  /** Random numbers from 0 up to 1, evenly distributed, for progressive `@override` of requests without an identity.
   *  Default: `Math.random`. */
  readonly random?: () => number;
  /** Reads who sent a request. Default: by `security.identity`. */
  readonly readIdentity?: ReadIdentity;
  /** The wall clock, in milliseconds since 1970. Default: `Date.now`. */
  readonly now?: () => number;
  /** Timers of connections and subscriptions. Default: real time. */
  readonly timers?: Timers;
  /** What `overload` measures. Default: the load of this process. */
  readonly load?: LoadSource;
  /** Starts the threads that plan operations. Worker threads when omitted. */
  readonly startPlannerThread?: StartPlannerThread;
  /** Identifies this process among several that share the port. On Linux, each of them listens by itself
   *  (`SO_REUSEPORT`), so that `listen.port` and `admin.port` must not be 0. */
  readonly worker?: WorkerIdentity;
  /** Called when one of several processes could not load its first supergraph. The process accepts connections when the
   *  promise resolves, or when it has a supergraph. Default: it accepts connections at once. */
  readonly waitToListenUnready?: () => Promise<void>;
}

/** Creates a gateway in this process: builds the request path and the features that extend it. `options` has the shape
 *  of the configuration file.
 *  @throws {ConfigError} with every problem in `options`, or with every problem of its extensions. */
export async function createGateway(
  options: GatewayOptions,
  dependencies: GatewayDependencies = {},
): Promise<Gateway> {
  const config = parseConfig(withModulesOnly(options));
  const { startPlannerThread, waitToListenUnready, worker } = dependencies;
  const { logger } = dependencies;
  const log = logger ? protectLogger(logger) : await createConfiguredLogger(config.telemetry);
  const timers = dependencies.timers ?? systemTimers;
  // First, because it may refuse the configuration, and nothing would be open then.
  const trustedDocuments = await loadTrustedDocuments({ config, log, timers });
  const extended = await loadExtensions(options.extensions ?? [], log);
  const workerCalls = worker && new WorkerCalls(worker);
  const metrics = createMetrics(workerCalls);
  const logLevel = new LogLevel({
    log,
    timers,
    tellOthers: workerCalls && ((change) => workerCalls.callOthers('log-level', JSON.stringify(change))),
  });
  workerCalls?.handle('log-level', (body) => {
    logLevel.changeOwn(JSON.parse(body));
    return '';
  });
  const { tracing, metricsExport } = await loadOpenTelemetry(
    { config, log, metrics, timers, now: dependencies.now ?? Date.now },
    dependencies,
  );
  const certificates = await SubgraphCertificates.read(config, { log, timers: dependencies.timers });
  const preparer = new Preparer({
    cacheSize: config.planning.cacheSize,
    maxSelections: config.limits.recursiveSelections,
    maxVariableValues: config.limits.variableValues,
  });
  registerPlanMetrics(metrics.registry, () => preparer.planCacheCounts);
  const sharedResponses = new SharedResponses();
  registerResponseMetrics(metrics.registry, () => sharedResponses.joinCount);
  // The features need the supergraphs, and loading a supergraph needs the features: the list is filled below, before
  // the first supergraph is loaded.
  const features: Feature[] = [];
  const supergraphs = createSupergraphHolder({
    load: createSupergraphLoader({ config, log, features, startPlannerThread }),
    warm: (next, previous, signal) => preparer.warm(next, previous, config.planning.warmOperations, signal),
    warmTimeoutMs: config.planning.warmTimeout,
    onRetired: (supergraph) => preparer.evict(supergraph),
  });
  const openStreams = new StreamLimiter(config.subscriptions);
  const context = createFeatureContext(
    config,
    supergraphs,
    certificates,
    log,
    metrics,
    openStreams,
    tracing?.tracing,
    dependencies,
  );
  const subscriptions = new SubscriptionFeature(context);
  const enrichment = new EnrichmentFeature(context, workerCalls);
  const extensions = extended.length === 0 ? undefined : new ExtensionFeature(extended, context);
  const contracts = new ContractGuardFeature(context);
  const insights = new InsightsFeature(context, {
    workers: workerCalls,
    subgraphStates: () => client.states(),
    listJobs: (limit) => enrichment.listJobs(limit),
    describeContracts: () => contracts.describe(),
  });
  features.push(
    // First, and so the last ones to be closed: they export the spans and counts of all others.
    ...[tracing, metricsExport].filter((feature) => feature !== undefined),
    {
      addAdminRoutes(routes) {
        addMetricsRoute(routes, metrics);
        addLogLevelRoute(routes, logLevel);
      },
      async close() {
        certificates.close();
        logLevel.close();
        await metrics.close();
      },
    },
    subscriptions,
    enrichment,
    // After enrichment, which extends the API schema: the features below store their rules for the extended schema.
    new CacheFeature(context),
    contracts,
    insights,
    ...(extensions === undefined ? [] : [extensions]),
  );

  const client = createSubgraphClient({
    ...context,
    policies: features.flatMap(({ sendPolicy }) => sendPolicy ?? []),
    hooks: extensions?.callHooks,
    onCall: (event) => insights.onCall(event),
  });
  const priorities = new RequestPriorities(config.overload.priorities);
  const traffic = createTrafficControl({
    ...context,
    priorities,
    load: dependencies.load ?? new ProcessLoad(),
  });
  const sharedPersistedQueries = createSharedPersistedQueries(context);
  const authorizer = new Authorizer({
    onDenied: config.security.authorization.onDenied,
    deciders: features,
    onDecisionFailed: (err, requestId) => log.error({ err, requestId }, 'Deciding policies failed'),
  });
  for (const feature of [trustedDocuments, sharedPersistedQueries]) if (feature) features.push(feature);
  if (context.authentication instanceof TokenAuthentication) features.push(context.authentication);
  features.push(authorizer, traffic, { addAdminRoutes: (routes) => addSubgraphsRoute(routes, client) });
  const pipeline = new Pipeline({
    preparer,
    authorizer,
    traffic,
    fetchesOf: createFetchChain(new SubgraphFetchSender(client, config.batching), features, {
      isRecorded: config.telemetry.accessLog,
    }),
    subscriptions: subscriptions.subscriptions,
    enrichment: enrichment.coordinator,
    openStream: context.openStream,
    sharedResponses: config.batching.acrossRequests ? sharedResponses : undefined,
    errorPolicy: config.security,
    answerSize: config.limits.answerSize,
    tracing: context.tracing,
    onInternalError: (err, request) => log.error({ err, ...request }, 'A fetch failed unexpectedly'),
    onPlanningFailed: (err, request) =>
      log.error({ err, ...request }, 'A valid operation could not be planned'),
    requestContexts: new RequestContextFactory({
      config,
      priorities,
      overridesFor: createOverrideDecisions(config.override, dependencies.random ?? Math.random),
    }),
    extendContext: extensions?.extendContext,
    observeExecution: observersOf(features),
    onPrepared: (request, operation) => {
      for (const feature of features) feature.onOperation?.(request);
      return extensions?.onPlan?.(request, operation);
    },
  });
  enrichment.runJobsWith(pipeline.createJobExecutor(() => supergraphs.acquire()));
  const execute: ExecuteOperation = (request, supergraph) => pipeline.respond(request, supergraph);
  const recorder = new RequestRecorder({
    registry: metrics.registry,
    log,
    logsRequests: config.telemetry.accessLog,
    clientHeaders: config.contracts.record,
    countStreams: () => openStreams.size,
    labels: new OperationLabels({
      mode: config.telemetry.metrics.operationNames,
      isTrusted: (name) =>
        contracts.hasOperation(name) ||
        trustedDocuments?.documents.manifest.operationNames.has(name) === true,
    }),
  });
  const executeOperation = extensions?.decorateExecution?.(execute) ?? execute;
  const server = createListeners({
    context,
    features,
    executeOperation,
    recorder,
    workerCalls,
    traffic,
    trustedDocuments: trustedDocuments?.documents,
    sharedPersistedQueries,
    ...dependencies,
  });

  reportSupergraphs(supergraphs, config, log);
  supergraphs.onChange((supergraph) => {
    for (const feature of features) feature.onSupergraph?.(supergraph);
    pipeline
      .replanSubscriptions(supergraph)
      .catch((err: unknown) => log.error({ err }, 'Replanning subscriptions for the new supergraph failed'));
  });

  const lifecycle = new Lifecycle({
    config,
    schemaAccessOf: context.schemaAccessOf,
    features,
    supergraphs,
    server,
    client,
    isWorker: worker !== undefined,
    waitToListenUnready,
  });
  return {
    start: (options?: StartOptions) => lifecycle.start(options) as Promise<GatewayAddresses>,
    handler: server.handler,
    handleUpgrade: server.handleUpgrade,
    fastifyPlugin: server.fastifyPlugin,
    ready: lifecycle.ready,
    publish: (topic, event) => subscriptions.publish(topic, event),
    announceShutdown: () => server.announceShutdown(),
    close: () => lifecycle.close(),
  };
}

/** Loads OpenTelemetry only where traces or metrics are exported. */
async function loadOpenTelemetry(
  parts: Pick<FeatureContext, 'config' | 'log' | 'timers' | 'now'> & { readonly metrics: Metrics },
  { tracerProvider, worker }: GatewayDependencies,
): Promise<{ tracing?: TracingFeature; metricsExport?: MetricsExportFeature }> {
  const { otlp, metrics } = parts.config.telemetry;
  const identity = { instanceId: randomUUID(), workerName: worker?.name };
  const loadTracing = async (): Promise<TracingFeature> => {
    const { TracingFeature } = await import('./tracing/tracingFeature.ts');
    return new TracingFeature({ ...parts, tracerProvider, identity });
  };
  const loadMetricsExport = async (): Promise<MetricsExportFeature> => {
    const { MetricsExportFeature } = await import('./metricsExport/metricsExportFeature.ts');
    return new MetricsExportFeature({ ...parts, identity });
  };
  return {
    ...(otlp.endpoint === '' && tracerProvider === undefined ? {} : { tracing: await loadTracing() }),
    ...(metrics.otlp ? { metricsExport: await loadMetricsExport() } : {}),
  };
}

/** The options with `extensions` as a configuration file has them. The configuration is frozen, and extensions are not
 *  frozen with it. */
function withModulesOnly(options: GatewayOptions): ConfigOptions {
  const { extensions } = options;
  if (!Array.isArray(extensions)) return options as ConfigOptions;
  const modules = extensions.map((entry) => (isModule(entry) ? entry : { module: String(entry?.name) }));
  return { ...options, extensions: modules };
}

function createFeatureContext(
  config: GatewayConfig,
  supergraphs: SupergraphHolder,
  certificates: SubgraphCertificates,
  log: Logger,
  metrics: Metrics,
  openStreams: StreamLimiter,
  tracing: Tracing | undefined,
  { timers, now, worker, readIdentity: ownReader }: GatewayDependencies,
): FeatureContext {
  const basics = { config, log, metrics, timers: timers ?? systemTimers, now: now ?? Date.now };
  const { jwt, identity } = config.security;
  const readIdentity = ownReader ?? createIdentityReader(identity);
  return {
    ...basics,
    tracing,
    supergraphs,
    endpointOf: createSubgraphEndpoints(config, supergraphs, certificates),
    schemaAccessOf: createSchemaAccess(config, certificates),
    openStream: (clientKey) => openStreams.open(clientKey),
    authentication:
      jwt === undefined || ownReader !== undefined
        ? new HeaderAuthentication(readIdentity)
        : new TokenAuthentication({ ...basics, jwt, readIdentity }),
    newId: createIdGenerator(worker?.name),
  };
}
