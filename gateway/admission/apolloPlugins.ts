import { setImmediate } from 'node:timers/promises';
import type { GraphQLRequestListener, GraphQLResponse } from '@apollo/server';
import { ApolloServerErrorCode } from '@apollo/server/errors';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import { GatewayError } from '../errors.ts';
import type { SupergraphView } from '../supergraph/supergraphHolder.ts';
import type { RecordedOperation } from '../telemetry/requestRecord.ts';
import type { SpanName, Tracing } from '../telemetry/trace.ts';
import { traceIdOf } from '../telemetry/traceContext.ts';
import {
  type ClientRequest,
  ExecutedData,
  type GatewayContext,
  type GatewayPlugin,
} from './clientRequest.ts';
import { endFailedTrace, endItemTrace, startRequestTrace } from './operationTrace.ts';
import { outcomeOfResult } from './recordOutcome.ts';

/** Takes the lease on the supergraph of an operation before it is parsed, and records the operations of batches. Apollo
 *  Server calls its first plugin in the same synchronous step in which it reads its schema: the lease is on the supergraph
 *  of that schema.
 *
 *  Then each operation of a batch gets a turn of the event loop of its own, because Apollo Server would parse and validate
 *  all of them in one. */
export function observeOperations(supergraphs: SupergraphView): GatewayPlugin {
  const turns = new WeakMap<ClientRequest, Promise<void>>();
  return {
    requestDidStart: ({ contextValue: { client }, requestIsBatched }) => {
      client.acquireSupergraph(supergraphs);
      if (!requestIsBatched) return Promise.resolve();
      const listener = client.record && recordItem(client.record.addItem());
      const turn = turns.get(client)?.then(() => setImmediate()) ?? Promise.resolve();
      turns.set(client, turn);
      return turn.then(() => listener);
    },
  };
}

function recordItem(item: RecordedOperation): GraphQLRequestListener<GatewayContext> {
  return {
    willSendResponse({ operation, response, contextValue: { itemTrace } }) {
      item.traceId = itemTrace && traceIdOf(itemTrace.headers);
      item.operationName = operation?.name?.value;
      item.type = operation?.operation ?? 'unknown';
      const { data, errors } = itemResultOf(response);
      item.outcome = outcomeOfResult(data, errors);
      return Promise.resolve();
    },
  };
}

/** The result of an operation of a batch. `data`: `undefined` if nothing was executed. */
function itemResultOf({ body }: GraphQLResponse) {
  const { data, errors } = body.kind === 'single' ? body.singleResult : {};
  const executed: unknown = data;
  return { data: executed instanceof ExecutedData ? executed : undefined, errors };
}

/** Replaces Apollo Server's refusal of a subscription by GET, which says that POST is allowed: the client would have to accept
 *  a stream, and could then use GET. */
export const explainSubscriptionsByGet: GatewayPlugin = {
  requestDidStart: async ({ request: { http } }) =>
    http?.method === 'GET'
      ? {
          willSendResponse: async ({ operation, response }) => {
            if (operation?.operation !== 'subscription') return;
            response.http.status = subscriptionByGet.status;
            response.http.headers.delete('allow');
            response.body = { kind: 'single', singleResult: { errors: [subscriptionByGet.toFormatted()] } };
          },
        }
      : undefined,
};

/** Records parsing and validation, which operations that are known already do not have, and the operations of batches. */
export function traceOperations(tracing: Tracing): GatewayPlugin {
  return {
    requestDidStart: async ({ contextValue, requestIsBatched }) => {
      const { client } = contextValue;
      if (requestIsBatched) {
        try {
          contextValue.itemTrace = startRequestTrace(tracing, client);
        } catch {
          // Apollo Server would refuse the whole batch. The executor refuses the operation.
          return;
        }
      }
      const trace = requestIsBatched ? contextValue.itemTrace?.trace : client.trace;
      if (trace === undefined) return;
      const trackStage = (name: SpanName, errorType: ApolloServerErrorCode) => async () => {
        const span = trace.root.startChild(name);
        return async (error?: Error | readonly Error[]) => {
          const isFailed = Array.isArray(error) ? error.length > 0 : error !== undefined;
          span.end(isFailed ? errorType : undefined);
        };
      };
      return {
        parsingDidStart: trackStage('graphql.parse', ApolloServerErrorCode.GRAPHQL_PARSE_FAILED),
        validationDidStart: trackStage('graphql.validate', ApolloServerErrorCode.GRAPHQL_VALIDATION_FAILED),
        willSendResponse: async ({ response }) => {
          if (!requestIsBatched) return;
          const { data, errors } = itemResultOf(response);
          endItemTrace(trace, data === undefined ? errors?.[0] : undefined);
        },
      };
    },
    unexpectedErrorProcessingRequest: async ({ requestContext, error }) => {
      const { itemTrace } = requestContext.contextValue;
      if (itemTrace?.trace !== undefined) endFailedTrace(itemTrace.trace, error);
    },
  };
}

const subscriptionByGet = new GatewayError(
  'BAD_REQUEST',
  'The response to a subscription is a stream. With GET, accept text/event-stream and nothing else. With POST, accept text/event-stream or multipart/mixed;subscriptionSpec=1.0. Or connect a WebSocket (graphql-transport-ws).',
);

/** Disables the default plugins of Apollo Server that cost time for each request or contact Apollo, unless one was passed. */
export function disabledDefaults(plugins: readonly GatewayPlugin[]): GatewayPlugin[] {
  const passed = new Set(
    plugins.map((plugin) => ('__internal_plugin_id__' in plugin ? plugin.__internal_plugin_id__ : undefined)),
  );
  const disabled = {
    CacheControl: ApolloServerPluginCacheControlDisabled,
    InlineTrace: ApolloServerPluginInlineTraceDisabled,
    LandingPageDisabled: ApolloServerPluginLandingPageDisabled,
    SchemaReporting: ApolloServerPluginSchemaReportingDisabled,
    UsageReporting: ApolloServerPluginUsageReportingDisabled,
  };
  return Object.entries(disabled)
    .filter(([id]) => !passed.has(id))
    .map(([, plugin]) => plugin());
}
