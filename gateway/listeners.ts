import type { Feature, FeatureContext } from './feature.ts';
import { explainOperation } from './operation/explainOperation.ts';
import type { Pipeline } from './pipeline.ts';
import { subgraphParamNames } from './subscriptions/subscriptionFeature.ts';
import type { ApolloServerPlugin } from './transport/admission/apolloServer.ts';
import type { ClientKey } from './transport/admission/clientKey.ts';
import type { GatewayContext } from './transport/admission/clientRequest.ts';
import { graphiqlDirectory } from './transport/graphiql/graphiqlFiles.ts';
import { createHttpServer, type HttpServer } from './transport/http/server.ts';
import type { WorkerPlace } from './transport/workers/workerPlace.ts';

export interface ListenersOptions {
  readonly context: FeatureContext;
  readonly features: readonly Feature[];
  readonly pipeline: Pipeline;
  readonly clientKey: ClientKey;
  readonly plugins?: readonly ApolloServerPlugin<GatewayContext>[];
  readonly worker?: WorkerPlace;
}

/** The public listener and the admin listener, with the routes of every feature. */
export function createListeners({
  context,
  features,
  pipeline,
  clientKey,
  plugins = [],
  worker,
}: ListenersOptions): HttpServer {
  const { config, supergraphs, timers, log } = context;
  const { limits, security, delivery } = config;
  return createHttpServer({
    listen: config.listen,
    admin: config.admin,
    supergraphs,
    respond: (request, supergraph) => pipeline.respond(request, supergraph),
    explain: async (operation, overrides) => {
      const lease = supergraphs.acquire();
      try {
        return await explainOperation(operation, overrides, lease?.supergraph, limits);
      } finally {
        lease?.release();
      }
    },
    worker,
    limits,
    security: { ...security, subgraphParams: subgraphParamNames(config) },
    clientKey,
    bufferSize: delivery.bufferSize,
    readTimeout: delivery.readTimeout,
    heartbeat: delivery.heartbeat,
    initTimeout: delivery.initTimeout,
    reservationTimeout: delivery.reservationTimeout,
    rememberedCharacters: config.planning.textCacheSize,
    ...(security.graphiql ? { graphiqlDirectory: graphiqlDirectory() } : {}),
    addPublicRoutes: (routes, draining) => {
      for (const feature of features) feature.addPublicRoutes?.(routes, draining);
    },
    addAdminRoutes: (routes) => {
      for (const feature of features) feature.addAdminRoutes?.(routes);
    },
    whileAsked: async () => {
      await Promise.all(features.map((feature) => feature.drain?.()));
    },
    readyNotes: () => features.flatMap(({ readinessNotes = [] }) => readinessNotes),
    plugins,
    timers,
    log,
  });
}
