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
import type { FeatureContext } from './feature.ts';
import { createFeatureContext } from './featureContext.ts';
import { FeatureList } from './featureList.ts';
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
  const list = new FeatureList();
  try {
    return await assembleGateway(options, dependencies, list);
  } catch (error) {
    await list.discard();
    throw error;
  }
}

async function assembleGateway(
  options: GatewayOptions,
  dependencies: GatewayDependencies,
  list: FeatureList,
): Promise<Gateway> {
  const { logger, worker, timers = systemTimers, readIdentity } = dependencies;
  // Programs in JavaScript may omit the options: then they have the problem of empty ones.
  const config = parseConfig(withModulesOnly(options ?? {}), { readsIdentity: readIdentity !== undefined });
  const log = logger ? protectLogger(logger) : await createConfiguredLogger(config.telemetry, worker?.name);
  const basics = { ...dependencies, config, log, timers };
  // Before the gateway connects to anything: these may refuse the configuration.
  const files = await loadConfiguredFiles(options.extensions ?? [], basics, list);
  const { certificates } = files;
  const workerCalls = worker && new WorkerCalls(worker);
  const telemetry = await createTelemetry({ ...basics, workerCalls });
  const { metrics, tracing } = telemetry;
  // First, and so the last ones to be closed: they export the spans and counts of all others.
  list.add(telemetry.exports);
  list.add(telemetry.routes);
  list.add(certificates);
  certificates.registerMetrics(metrics.registry);
  const { features } = list;
  const openStreams = new StreamLimiter(config.subscriptions);
  const preparer = createPreparer(config, metrics);
  const supergraphs = createSupergraphs({ ...basics, features, preparer });
  const context = await createFeatureContext({
    ...basics,
    metrics,
    supergraphs,
    certificates,
    openStreams,
    tracing,
  });
  list.open(context.authentication);
  const added = addFeatures(list, { ...dependencies, ...files, context, metrics, preparer, workerCalls });
  const { path, client, subscriptions } = added;
  const server = createListeners({
    ...dependencies,
    context,
    features,
    certificates,
    executeOperation: path.executeOperation,
    traffic: path.traffic,
    contracts: added.contracts,
    workerCalls,
    trustedDocuments: files.trustedDocuments?.documents,
    sharedPersistedQueries: added.sharedPersistedQueries,
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

type ConfiguredFiles = Awaited<ReturnType<typeof loadConfiguredFiles>>;

/** Loads the files and extensions that the configuration names.
 *  @throws {ConfigError} with the problems of all. */
async function loadConfiguredFiles(
  configured: NonNullable<GatewayOptions['extensions']>,
  basics: Pick<FeatureContext, 'config' | 'log' | 'timers'> & Pick<GatewayDependencies, 'now'>,
  list: FeatureList,
) {
  const problems: ConfigProblem[] = [];
  const trustedDocuments = list.open(await collectProblems(problems, loadTrustedDocuments(basics)));
  const certificates = list.open(await collectProblems(problems, Certificates.read(basics.config, basics)));
  const extensions = await loadExtensions(configured, basics.log, problems);
  return {
    trustedDocuments,
    certificates,
    extensions: extensions.length === 0 ? undefined : list.open(new ExtensionFeature(extensions, basics)),
  };
}

interface FeatureDependencies extends ConfiguredFiles, Pick<GatewayDependencies, 'load' | 'random'> {
  readonly context: FeatureContext;
  readonly metrics: Metrics;
  readonly preparer: Preparer;
  readonly workerCalls: WorkerCalls | undefined;
}

/** Adds the features that extend the request path, the path itself, and the features around it. */
function addFeatures(list: FeatureList, dependencies: FeatureDependencies) {
  const { context, metrics, workerCalls, extensions, trustedDocuments } = dependencies;
  const { config, log, timers } = context;
  const { features } = list;
  const enrichment = list.add(new EnrichmentFeature(context, workerCalls));
  // After enrichment, which extends the API schema: the features below store what they read for the extended supergraph.
  const subscriptions = list.add(new SubscriptionFeature(context));
  list.add(new CacheFeature(context));
  const contracts = list.add(new ContractGuardFeature(context));
  list.add(extensions);
  const client = createSubgraphClient({
    ...context,
    // The request path is created with the client.
    eventLoopDelayMs: () => path.traffic.eventLoopDelayMs,
    features,
    hooks: extensions?.callHooks,
  });
  list.add(
    new InsightsFeature(context, {
      workers: workerCalls,
      subgraphStates: () => client.states(),
      listJobs: (limit) => enrichment.listJobs(limit),
      describeContracts: (maxOperations) => contracts.describe(maxOperations),
    }),
  );
  const path = createRequestPath({ ...dependencies, features, client, subscriptions, enrichment });
  list.add(trustedDocuments);
  const sharedPersistedQueries = list.add(createSharedPersistedQueries(context));
  list.add(context.authentication);
  for (const feature of path.features) list.add(feature);
  list.add({ addAdminRoutes: (routes) => addSubgraphsRoute(routes, client, workerCalls) });
  list.add(createRedisMonitor({ config: config.redis, log, timers, metrics }));
  return { subscriptions, contracts, client, path, sharedPersistedQueries };
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
