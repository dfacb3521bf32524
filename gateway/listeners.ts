import type { ExecuteOperation } from './admission/apolloPipeline.ts';
import type { GatewayPlugin } from './admission/clientRequest.ts';
import type { SharedPersistedQueries } from './admission/documents/sharedPersistedQueries.ts';
import type { TrustedDocuments } from './admission/documents/trustedDocuments.ts';
import type { TrafficControl } from './admission/trafficControl.ts';
import type { Feature, FeatureContext } from './feature.ts';
import { ExplainedTracing } from './insights/explainedTracing.ts';
import { explainOperation } from './operation/explainOperation.ts';
import { subgraphParamNames } from './subscriptions/subscriptionFeature.ts';
import { OperationLabels } from './telemetry/operationLabels.ts';
import { RequestRecorder } from './telemetry/requestRecorder.ts';
import { findGraphiqlDirectory } from './transport/graphiql/graphiqlFiles.ts';
import { corsOptionsOf } from './transport/http/cors.ts';
import { createHttpServer, type HttpServer, type HttpServerOptions } from './transport/http/httpServer.ts';
import type { WorkerCalls } from './transport/workers/workerCalls.ts';
import type { WorkerIdentity } from './transport/workers/workerIdentity.ts';

interface ListenersOptions {
  readonly context: FeatureContext;
  readonly features: readonly Feature[];
  readonly certificates: HttpServerOptions['certificates'];
  readonly executeOperation: ExecuteOperation;
  /** The number of open streams, for the metrics. */
  readonly countStreams: () => number;
  /** Names of operations that clients cannot have made up, besides those of trusted documents. */
  readonly contracts: { hasOperation(name: string): boolean };
  readonly workerCalls: WorkerCalls | undefined;
  readonly traffic: TrafficControl;
  readonly trustedDocuments: TrustedDocuments | undefined;
  readonly sharedPersistedQueries: SharedPersistedQueries | undefined;
  readonly plugins?: readonly GatewayPlugin[];
  readonly worker?: WorkerIdentity;
}

/** Creates the public listener and the admin listener with the routes of all features. */
export function createListeners(options: ListenersOptions): HttpServer {
  const { context, features, traffic, trustedDocuments, sharedPersistedQueries } = options;
  const { config, supergraphs, authentication, timers, log } = context;
  const { limits, security, delivery } = config;
  // Plans show fields that are not in the API schema: only GraphiQL gets them, where clients may see the subgraphs.
  const canExplain = security.graphiql && security.exposeSubgraphs;
  return createHttpServer({
    ...optionsOfFeatures(features),
    listen: config.listen,
    admin: config.admin,
    certificates: options.certificates,
    supergraphs,
    executeOperation: options.executeOperation,
    recorder: createRecorder(options),
    authentication,
    tracing: canExplain ? new ExplainedTracing(context.tracing) : context.tracing,
    holdBack: (claim) => traffic.holdBack(claim),
    checkLoad: (client) => traffic.checkRequest(client),
    explain: async (operation, overrides) => {
      const lease = supergraphs.acquire();
      try {
        return await explainOperation(operation, overrides, lease?.supergraph, limits);
      } finally {
        lease?.release();
      }
    },
    worker: options.worker,
    workerCalls: options.workerCalls,
    limits,
    trustedDocuments,
    persistedQueries: { isEnabled: config.http.persistedQueries.enabled, shared: sharedPersistedQueries },
    requestErrorStatus: config.http.requestErrorStatus,
    security: {
      ...security,
      cors: corsOptionsOf(config),
      subgraphParams: subgraphParamNames(config),
    },
    bufferSize: delivery.bufferSize,
    maxUnreadBytes: limits.responseSize,
    readTimeoutMs: delivery.readTimeout,
    heartbeatIntervalMs: delivery.heartbeat,
    documentCacheSize: config.planning.cacheSize,
    textCacheSize: config.planning.textCacheSize,
    ...(security.graphiql
      ? {
          graphiqlDirectory: findGraphiqlDirectory(),
          graphiqlSettings: { tabs: security.graphiqlTabs, canExplain },
        }
      : {}),
    plugins: options.plugins ?? [],
    timers,
    log,
  });
}

function createRecorder({
  context,
  contracts,
  trustedDocuments,
  countStreams,
}: ListenersOptions): RequestRecorder {
  const { config, metrics, log } = context;
  return new RequestRecorder({
    registry: metrics.registry,
    log,
    logsRequests: config.telemetry.accessLog,
    clientHeaders: config.contracts.record,
    countStreams,
    labels: new OperationLabels({
      mode: config.telemetry.metrics.operationNames,
      isTrusted: (name) =>
        contracts.hasOperation(name) || trustedDocuments?.manifest.operationNames.has(name) === true,
    }),
  });
}

/** What the features add to the listeners. */
function optionsOfFeatures(features: readonly Feature[]) {
  return {
    addPublicRoutes: (routes, draining) => {
      for (const feature of features) feature.addPublicRoutes?.(routes, draining);
    },
    resourceIdOf: (url) => {
      for (const feature of features) {
        const id = feature.resourceIdOf?.(url);
        if (id !== undefined) return id;
      }
      return undefined;
    },
    addAdminRoutes: (routes, draining) => {
      for (const feature of features) feature.addAdminRoutes?.(routes, draining);
    },
    onRequestsEnded: async () => {
      await Promise.all(features.map((feature) => feature.drain?.()));
    },
    unreadyReasons: () => features.flatMap(({ unreadyReasons = [] }) => unreadyReasons),
    readinessNotes: () => features.flatMap(({ readinessNotes = [] }) => readinessNotes),
  } satisfies Partial<HttpServerOptions>;
}
