import './requireNode.ts';

import type { TracerProvider } from '@opentelemetry/api';
import type { ApolloServerPlugin } from './admission/apolloPipeline.ts';
import type { GatewayContext } from './admission/clientRequest.ts';
import { createSharedPersistedQueries } from './admission/documents/sharedPersistedQueries.ts';
import { loadTrustedDocuments } from './admission/documents/trustedDocumentsFeature.ts';
import type { ClientIdentity, ReadIdentity, VerifiedToken } from './admission/identity.ts';
import type { LoadSource } from './admission/processLoad.ts';
import { CacheFeature } from './cache/cacheFeature.ts';
import { checkDependencies } from './checkDependencies.ts';
import { ConfigError, type ConfigProblem, collectProblems } from './config/configError.ts';
import { parseConfig } from './config/parseConfig.ts';
import type { GatewayOptions as ConfigOptions, GatewayConfig } from './config/schema.ts';
import type { LoadSupergraph, LoadSupergraphContext } from './config/sections/supergraph.ts';
import { ContractGuardFeature } from './contracts/contractGuardFeature.ts';
import { createTelemetry } from './createTelemetry.ts';
import { EnrichmentFeature } from './enrichment/enrichmentFeature.ts';
import { type ErrorCode, errorCodes, GatewayError } from './errors.ts';
import type { Extension, ExtensionModule } from './extensions/extension.ts';
import { ExtensionFeature } from './extensions/extensionFeature.ts';
import { isModule, loadExtensions } from './extensions/loadExtensions.ts';
import type { Feature } from './feature.ts';
import { createFeatureContext } from './featureContext.ts';
import { InsightsFeature } from './insights/insightsFeature.ts';
import { isObject } from './json/isObject.ts';
import { Lifecycle } from './lifecycle.ts';
import { createListeners } from './listeners.ts';
import { registerPlanMetrics } from './operation/planMetrics.ts';
import { Preparer } from './operation/preparer.ts';
import type { StartPlannerThread } from './planning/plannerThread.ts';
import { createRedisMonitor } from './redis/redisMonitor.ts';
import { createRequestPath } from './requestPath.ts';
import { createSubgraphClient } from './subgraphs/createSubgraphClient.ts';
import { addSubgraphsRoute } from './subgraphs/subgraphsRoute.ts';
import { StreamLimiter } from './subscriptions/streamLimiter.ts';
import { SubscriptionFeature } from './subscriptions/subscriptionFeature.ts';
import { reportSupergraphs } from './supergraph/reportSupergraphs.ts';
import { registerSupergraphMetrics } from './supergraph/supergraphMetrics.ts';
import { createSupergraphs } from './supergraphLoader.ts';
import { createConfiguredLogger, type Logger, protectLogger } from './telemetry/logger.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { systemTimers, type Timers } from './time/timers.ts';
import { Certificates } from './tls/certificates.ts';
import type { GatewayAddresses, MountedGateway, StartOptions } from './transport/http/mountedGateway.ts';
import { WorkerCalls } from './transport/workers/workerCalls.ts';
import type { WorkerIdentity } from './transport/workers/workerIdentity.ts';

export type * from './extensions/extension.ts';
export { defineExtension, RequestRefusedError } from './extensions/extension.ts';
export type {
  ApolloServerPlugin,
  ClientIdentity,
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
  VerifiedToken,
  WorkerIdentity,
};
export { ConfigError, errorCodes, GatewayError };

/** The configuration of a gateway. `extensions` has extensions, and modules that the gateway loads. */
export type GatewayOptions = Omit<ConfigOptions, 'extensions'> & {
  readonly extensions?: readonly (Extension<object> | ExtensionModule)[] | undefined;
};

/** The handlers serve the public routes in a server of the application, after `start({ listen: false })`. */
export interface Gateway extends MountedGateway {
  /** Listens and loads the supergraph. Resolves when connections are accepted, even if no supergraph is usable yet: then
   *  `GET /health/ready` says why. Rejects when a port is not available, with a `ConfigError` when the file of the
   *  supergraph cannot be used and is not watched (`supergraph.watch`), and with a `GatewayError` `SHUTTING_DOWN` when the
   *  gateway is closed before. One of several processes that share a port loads the supergraph first: connections that it
   *  accepts before would be missing at the others. */
  start(): Promise<GatewayAddresses>;
  /** The same without one of the listeners, or both. Returns the addresses of those that listen.
   *  @throws {ConfigError} when subgraphs need an address for callbacks, and `listen.publicUrl` is empty. */
  start(options: StartOptions): Promise<Partial<GatewayAddresses>>;
  /** Resolves when the first supergraph is in use. Rejects with a `GatewayError` `SHUTTING_DOWN` when the gateway is closed
   *  before; no one has to handle that. */
  readonly ready: Promise<void>;
  /** Publishes an event to the subscription fields of this topic (`subscriptions.topics`). `event`: an object with
   *  `__typename`, the fields of a key, and any other fields.
   *  @throws {TypeError} for a value that is not an event. */
  publish(topic: string, event: unknown): void;
  /** Reports the gateway as not ready (`GET /health/ready`), while it continues to serve. Call it before `close`, as long
   *  before as load balancers need to notice: `close` stops accepting connections when the running requests have ended. */
  announceShutdown(): void;
  /** Drains: not ready at once; running requests and enrichment jobs get `listen.drainTimeout`, then everything ends. Further
   *  calls wait for the first one. */
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
  /** Reads who sent a request, after `security.jwt` has verified its token. Default: by `security.identity`. */
  readonly readIdentity?: ReadIdentity;
  /** The wall clock, in milliseconds since 1970. Default: `Date.now`. */
  readonly now?: () => number;
  /** Timers of connections and subscriptions. Default: real time. */
  readonly timers?: Timers;
  /** What `overload` measures. Default: the load of this process. */
  readonly load?: LoadSource;
  /** Starts the threads that plan operations. Worker threads when omitted. */
  readonly startPlannerThread?: StartPlannerThread;
  /** Identifies this worker of `node:cluster` among several that share the ports. On Linux, each of them listens on
   *  `listen.port` by itself (`SO_REUSEPORT`), so that neither port may be 0. */
  readonly worker?: WorkerIdentity;
  /** Called when one of several processes could not load its first supergraph. The process accepts connections when the
   *  promise resolves, or when it has a supergraph. Default: it accepts connections at once. */
  readonly waitToListenUnready?: () => Promise<void>;
}

/** Creates a gateway in this process: the features, and the request path that they extend. `options` has the shape of the
 *  configuration file.
 *  @throws {ConfigError} with every problem in `dependencies`, in `options`, or of the files and extensions that these name.
 *  Then nothing stays open. */
export async function createGateway(
  options: GatewayOptions,
  dependencies: GatewayDependencies = {},
): Promise<Gateway> {
  checkDependencies<keyof GatewayDependencies>(dependencies);
  const opened = new Set<Feature>();
  try {
    return await assembleGateway(options, dependencies, opened);
  } catch (error) {
    for (const feature of [...opened].toReversed()) {
      // Failures of these do not replace the error above.
      await Promise.allSettled([feature.stop?.(0)]);
      await Promise.allSettled([feature.close?.(0)]);
    }
    throw error;
  }
}

/** `opened` gets each feature as soon as it exists. */
async function assembleGateway(
  options: GatewayOptions,
  dependencies: GatewayDependencies,
  opened: Set<Feature>,
): Promise<Gateway> {
  const { logger, worker, timers = systemTimers, readIdentity } = dependencies;
  // Programs in JavaScript may omit the options: then they have the problem of empty ones.
  const config = parseConfig(withModulesOnly(options ?? {}), { readsIdentity: readIdentity !== undefined });
  const log = logger ? protectLogger(logger) : await createConfiguredLogger(config.telemetry, worker?.name);

  const open = <Opened extends Feature | undefined>(feature: Opened): Opened => {
    if (feature !== undefined) opened.add(feature);
    return feature;
  };
  // Supergraphs, client and request path read the list later. It is complete before the first supergraph is loaded.
  const features: Feature[] = [];
  const add = <Added extends Feature | undefined>(feature: Added): Added => {
    if (feature !== undefined) features.push(feature);
    return open(feature);
  };
  // These may refuse the configuration, before the gateway connects to anything.
  const problems: ConfigProblem[] = [];
  const trustedDocuments = open(
    await collectProblems(problems, loadTrustedDocuments({ config, log, timers })),
  );
  const certificates = open(
    await collectProblems(problems, Certificates.read(config, { ...dependencies, log })),
  );
  // Throws all problems.
  const loadedExtensions = await loadExtensions(options.extensions ?? [], log, problems);
  const extensions =
    loadedExtensions.length === 0
      ? undefined
      : open(new ExtensionFeature(loadedExtensions, { config, log, timers }));
  const workerCalls = worker && new WorkerCalls(worker);
  const telemetry = await createTelemetry({ ...dependencies, config, log, timers, workerCalls });
  const { metrics, tracing } = telemetry;
  // First, and so the last ones to be closed: they export the spans and counts of all others.
  add(telemetry.exports);
  add(telemetry.routes);
  add(certificates);
  certificates.registerMetrics(metrics.registry);
  const openStreams = new StreamLimiter(config.subscriptions);
  const preparer = createPreparer(config, metrics);
  const supergraphs = createSupergraphs({ ...dependencies, config, log, features, preparer });
  const context = await createFeatureContext({
    ...dependencies,
    config,
    log,
    metrics,
    timers,
    supergraphs,
    certificates,
    openStreams,
    tracing,
  });
  open(context.authentication);
  const enrichment = add(new EnrichmentFeature(context, workerCalls));
  // After enrichment, which extends the API schema: the features below store what they read for the extended supergraph.
  const subscriptions = add(new SubscriptionFeature(context));
  add(new CacheFeature(context));
  const contracts = add(new ContractGuardFeature(context));
  add(extensions);
  const client = createSubgraphClient({
    ...context,
    // The request path is created with the client.
    eventLoopDelayMs: () => path.traffic.eventLoopDelayMs,
    features,
    hooks: extensions?.callHooks,
  });
  add(
    new InsightsFeature(context, {
      workers: workerCalls,
      subgraphStates: () => client.states(),
      listJobs: (limit) => enrichment.listJobs(limit),
      describeContracts: (maxOperations) => contracts.describe(maxOperations),
    }),
  );
  const path = createRequestPath({
    ...dependencies,
    context,
    features,
    preparer,
    client,
    subscriptions,
    enrichment,
    extensions,
  });
  add(trustedDocuments);
  const sharedPersistedQueries = add(createSharedPersistedQueries(context));
  add(context.authentication);
  for (const feature of path.features) add(feature);
  add({ addAdminRoutes: (routes) => addSubgraphsRoute(routes, client, workerCalls) });
  add(createRedisMonitor({ config: config.redis, log, timers, metrics }));

  const server = createListeners({
    ...dependencies,
    context,
    features,
    certificates,
    executeOperation: path.executeOperation,
    traffic: path.traffic,
    contracts,
    workerCalls,
    trustedDocuments: trustedDocuments?.documents,
    sharedPersistedQueries,
    countStreams: () => openStreams.size,
  });
  reportSupergraphs(supergraphs, config, log);
  registerSupergraphMetrics(metrics.registry, supergraphs);
  const lifecycle = new Lifecycle({ ...dependencies, context, features, server, client });
  return {
    start: (startOptions?: StartOptions) => lifecycle.start(startOptions) as Promise<GatewayAddresses>,
    handler: server.handler,
    handleUpgrade: server.handleUpgrade,
    fastifyPlugin: server.fastifyPlugin,
    ready: lifecycle.ready,
    publish: (topic, event) => subscriptions.publish(topic, event),
    announceShutdown: () => server.announceShutdown(),
    close: () => lifecycle.close(),
  };
}

/** The options with `extensions` as a configuration file has them, and without the options of modules: the configuration is
 *  frozen, and objects of the application must not be frozen with it. */
function withModulesOnly(options: GatewayOptions): ConfigOptions {
  const { extensions } = options;
  if (!Array.isArray(extensions)) return options as ConfigOptions;
  const modules = extensions.map((entry) => {
    if (!isModule(entry)) return { module: String(entry?.name || 'extension') };
    return isObject(entry.options) ? { ...entry, options: {} } : entry;
  });
  return { ...options, extensions: modules };
}

function createPreparer({ planning, limits }: GatewayConfig, metrics: Metrics): Preparer {
  const preparer = new Preparer({
    cacheSize: planning.cacheSize,
    maxSelections: limits.recursiveSelections,
    maxVariableValues: limits.variableValues,
  });
  registerPlanMetrics(metrics.registry, () => preparer.planCacheCounts);
  return preparer;
}
