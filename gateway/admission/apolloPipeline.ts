import { ApolloServer, type ApolloServerPlugin, HeaderMap, type HTTPGraphQLResponse } from '@apollo/server';
import type {
  GatewayExecutionResult,
  GatewayExecutor,
  GatewayGraphQLRequestContext,
  GatewayInterface,
  GatewaySchemaLoadOrUpdateCallback,
} from '@apollo/server-gateway-interface';
import { buildSchema, type FormattedExecutionResult, GraphQLError, type GraphQLSchema } from 'graphql';
import { GatewayError, internalServerError } from '../errors.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { ExecutionOutcome } from '../response/executionOutcome.ts';
import { envelopeOf } from '../response/serializeOutcome.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import type { SupergraphView } from '../supergraph/supergraphHolder.ts';
import type { PluginLog } from '../telemetry/logger.ts';
import type { Tracing } from '../telemetry/trace.ts';
import type { Timers } from '../time/timers.ts';
import {
  disabledDefaults,
  explainSubscriptionsByGet,
  observeOperations,
  traceOperations,
} from './apolloPlugins.ts';
import { bindPlugin } from './boundPlugin.ts';
import {
  type ClientRequest,
  ExecutedData,
  type GatewayContext,
  type GatewayPlugin,
} from './clientRequest.ts';
import { DocumentCache } from './documentCache.ts';
import type { PersistedQueryStore } from './documents/persistedQueryStore.ts';
import { createErrorFormatter, formatFailure } from './errorFormatter.ts';
import { errorWithStatus, FormattedGraphQLError } from './formattedGraphQLError.ts';
import { HttpError } from './httpError.ts';
import { startRequestTrace } from './operationTrace.ts';
import { PluginPayloads } from './pluginPayloads.ts';
import { PluginStarter } from './pluginStarter.ts';
import { recordOutcome } from './recordOutcome.ts';
import { resumeCursorOf } from './resumeCursorOf.ts';
import type { ValidatedOperationCache } from './validatedOperationCache.ts';
import { gatewayValidationRules } from './validationRules.ts';

/** Plans and executes a valid operation: the pipeline behind every transport. */
export type ExecuteOperation = (
  request: OperationRequest,
  supergraph: Supergraph,
) => Promise<ExecutionOutcome>;

interface ApolloPipelineOptions {
  readonly supergraphs: SupergraphView;
  readonly executeOperation: ExecuteOperation;
  readonly introspection: boolean;
  /** Whether messages suggest names of the schema. */
  readonly suggestions: boolean;
  /** Maximum number of selections of an operation after its fragments are expanded. */
  readonly maxRecursiveSelections: number;
  /** Apollo Server plugins. They cannot read `singleResult.data`: it is already serialised. */
  readonly plugins: readonly GatewayPlugin[];
  /** Maximum number of parsed documents. */
  readonly documentCacheSize: number;
  /** Size of the cache of parsed documents in characters of operation text. */
  readonly textCacheSize: number;
  /** Texts of automatic persisted queries; `undefined` if they are off. */
  readonly persistedQueries: PersistedQueryStore | undefined;
  /** Gets every valid operation; `undefined` if there are plugins, which must see every request. */
  readonly validatedOperations: ValidatedOperationCache | undefined;
  /** `undefined` if tracing is off. */
  readonly tracing?: Tracing | undefined;
  readonly timers: Timers;
  readonly log: PluginLog;
}

export interface ApolloRequest {
  readonly method: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** The query string with its `?`, or empty. */
  readonly search: string;
  readonly body: unknown;
}

/** Apollo Server as the gateway uses it: parsing, validation, persisted queries, batches and plugins. The
 *  transports do the rest: routes, CSRF prevention, request bodies, limits and writing responses. */
export interface ApolloPipeline {
  /** Returns Apollo Server's response. If an operation was executed, its outcome is stored in `client` instead. A supergraph
   *  must be loaded. Never rejects because of what a client sends.
   *  @throws {HttpError} 503 when a plugin has not started. */
  execute(request: ApolloRequest, client: ClientRequest): Promise<HTTPGraphQLResponse>;
  /** Whether a plugin has not started although a supergraph is loaded. */
  readonly unreadyReasons: readonly { readonly code: string; readonly message: string }[];
  stop(): Promise<void>;
}

export type { ApolloServerPlugin };

export function createApolloPipeline(options: ApolloPipelineOptions): ApolloPipeline {
  const { supergraphs, plugins, log } = options;
  const payloads = plugins.length === 0 ? undefined : new PluginPayloads(log);
  const starter = new PluginStarter(options.timers, log);
  const gateway = createGatewayInterface(options, payloads);
  const server = createApolloServer(options, { gateway, starter, payloads });
  let started: Promise<void> | undefined;
  let isStarted = false;
  const start = async (): Promise<void> => {
    try {
      await server.start();
      gateway.announceCurrent();
      isStarted = true;
    } catch (error) {
      starter.report('plugins', error);
    }
  };
  const startWithSupergraph = (): void => {
    if (supergraphs.current() !== undefined) started ??= start();
  };
  // Plugins may take long to start, or fail. Without any, the first request starts Apollo Server, so that the start of the
  // gateway has less to do.
  const unsubscribe = plugins.length === 0 ? undefined : supergraphs.onChange(startWithSupergraph);
  if (plugins.length > 0) startWithSupergraph();

  return {
    async execute(request, client) {
      if (!isStarted) {
        started ??= start();
        await Promise.race([started, starter.firstProblem]);
        if (!isStarted) throw notStartedError();
      }
      return server.executeHTTPGraphQLRequest({
        httpGraphQLRequest: { ...request, headers: new HeaderMap(request.headers) },
        context: () => Promise.resolve({ client }),
      });
    },
    get unreadyReasons() {
      if (isStarted || plugins.length === 0 || supergraphs.current() === undefined) return [];
      const message = starter.problem || 'The plugins of Apollo Server have not started yet.';
      return [{ code: 'PLUGIN_NOT_STARTED', message }];
    },
    async stop() {
      unsubscribe?.();
      starter.stop();
      await started;
      if (isStarted) await server.stop();
    },
  };
}

interface ApolloServerDependencies {
  readonly gateway: ReturnType<typeof createGatewayInterface>;
  readonly starter: PluginStarter;
  /** `undefined` without plugins. */
  readonly payloads: PluginPayloads | undefined;
}

function createApolloServer(
  options: ApolloPipelineOptions,
  { gateway, starter, payloads }: ApolloServerDependencies,
): ApolloServer<GatewayContext> {
  const { supergraphs, plugins, log } = options;
  const formatError = createErrorFormatter(options);
  return new ApolloServer<GatewayContext>({
    gateway,
    introspection: options.introspection,
    // The transports prevent it, with what they know of the client's page.
    csrfPrevention: false,
    // `Admission` refuses batches above `limits.batchedOperations`.
    allowBatchedHttpRequests: true,
    maxRecursiveSelections: options.maxRecursiveSelections,
    // Finding similar names in a large schema takes long, and the formatter would remove them.
    validationOptions: { hideSuggestions: !options.suggestions },
    validationRules: gatewayValidationRules,
    persistedQueries: options.persistedQueries !== undefined && {
      cache: options.persistedQueries,
      ttl: null,
    },
    // Valid documents, by a key that contains a hash of the API schema.
    documentStore: new DocumentCache(options.documentCacheSize, options.textCacheSize),
    plugins: [
      observeOperations(supergraphs),
      explainSubscriptionsByGet,
      ...(options.tracing === undefined ? [] : [traceOperations(options.tracing)]),
      ...(payloads === undefined
        ? []
        : [
            payloads.presentIncremental(),
            ...plugins.map((plugin, index) =>
              starter.track(payloads.track(bindPlugin(plugin)), nameOf(plugin, index)),
            ),
          ]),
      ...disabledDefaults(plugins),
    ],
    includeStacktraceInErrorResponses: false,
    formatError: (formatted, error) => {
      if (error instanceof FormattedGraphQLError) return formatError(error.toJSON());
      if (!isUnexpected(error)) return formatError(formatted);
      log.error({ err: error }, 'An Apollo Server plugin failed with an unexpected error');
      return internalServerError().toFormatted();
    },
    stringifyResult,
    stopOnTerminationSignals: false,
    // Behaviour must not depend on NODE_ENV: neither introspection nor reports to Apollo.
    nodeEnv: 'production',
    logger: {
      debug: logPluginMessage(log, 'debug'),
      info: logPluginMessage(log, 'info'),
      warn: logPluginMessage(log, 'warn'),
      error: logPluginMessage(log, 'error'),
    },
  });
}

/** Writes what Apollo Server or a plugin logs: a text, an error, or fields with a message in `msg`, as many plugins pass
 *  them. */
function logPluginMessage(log: PluginLog, level: keyof PluginLog) {
  return (logged: unknown): void => {
    if (logged instanceof Error) {
      log[level]({ err: logged }, 'A plugin of Apollo Server reports an error');
    } else if (typeof logged === 'object' && logged !== null) {
      const { msg = 'A plugin of Apollo Server reports', ...fields }: { msg?: unknown } = logged;
      log[level](fields, String(msg));
    } else {
      log[level]({}, String(logged));
    }
  };
}

/** The name of a plugin in the log. */
function nameOf(plugin: GatewayPlugin, index: number): string {
  const isInstance = plugin.constructor !== undefined && plugin.constructor !== Object;
  return `plugins[${index}]${isInstance ? ` (${plugin.constructor.name})` : ''}`;
}

function notStartedError(): HttpError {
  return new HttpError(
    503,
    'A plugin of the gateway has not started. Try again later. /health/ready of the admin listener and the log have the cause.',
    { code: 'SUPERGRAPH_UNAVAILABLE' },
  );
}

const startSchema = buildSchema('type Query { start: Boolean }');

function createGatewayInterface(
  options: ApolloPipelineOptions,
  payloads: PluginPayloads | undefined,
): GatewayInterface & { announceCurrent(): void } {
  const { supergraphs, log, plugins } = options;
  // Apollo Server passes the schema that it validated against to the executor. Looking the supergraph up by schema keeps an
  // operation on one supergraph if another one is loaded meanwhile.
  const supergraphOf = new WeakMap<GraphQLSchema, Supergraph>();
  let announce: ((supergraph: Supergraph) => void) | undefined;
  let announced: Supergraph | undefined;
  const announceCurrent = (): void => {
    const current = supergraphs.current();
    if (current !== undefined) announce?.(current);
  };
  return {
    announceCurrent,
    onSchemaLoadOrUpdate(callback: GatewaySchemaLoadOrUpdateCallback) {
      announce = (supergraph) => {
        // Plugins would see an update that is none.
        if (supergraph === announced) return;
        supergraphOf.set(supergraph.apiSchema, supergraph);
        callback({ apiSchema: supergraph.apiSchema, coreSupergraphSdl: supergraph.sdl });
        announced = supergraph;
      };
      // Apollo Server keeps the schema that it starts with until it stops, and with it the whole supergraph. Only plugins see
      // that schema, because no operation is executed before the current one is announced.
      if (plugins.length > 0) announceCurrent();
      else callback({ apiSchema: startSchema, coreSupergraphSdl: '' });
      return supergraphs.onChange((supergraph) => {
        try {
          announce?.(supergraph);
        } catch (error) {
          log.error({ err: error, supergraph: supergraph.id }, 'Apollo Server refused the new API schema');
        }
      });
    },
    load: () => Promise.resolve({ executor: createExecutor(options, supergraphOf, payloads) }),
    stop: () => Promise.resolve(),
  };
}

function createExecutor(
  { supergraphs, executeOperation, validatedOperations, tracing, log }: ApolloPipelineOptions,
  supergraphOf: WeakMap<GraphQLSchema, Supergraph>,
  payloads: PluginPayloads | undefined,
): GatewayExecutor {
  return async (context) => {
    const { client, itemTrace } = context.context as GatewayContext;
    const supergraph = supergraphOf.get(context.schema);
    // Contrary to its type, the operation is undefined if the operation name matches none.
    if ((context.operation as unknown) === undefined) return { errors: [unknownOperationError(context)] };
    if (supergraph === undefined) throw new Error('The schema belongs to no supergraph.');
    const isBatched = context.requestIsBatched === true;
    const { operation: kind } = context.operation;
    const record = isBatched ? undefined : client.record;
    if (record !== undefined) {
      record.type = kind;
      record.operationName = context.operation.name?.value;
    }
    if (!client.accepts(kind) || (kind === 'subscription' && isBatched)) {
      return {
        errors: [
          kind === 'mutation'
            ? mutationByGetError()
            : errorWithStatus(subscriptionNotStreamable.toFormatted()),
        ],
      };
    }
    // Another one may have become current while Apollo Server waited for the text of a persisted query.
    if (supergraph === supergraphs.current())
      validatedOperations?.add(context.source, context.document, supergraph);
    const request = client.toOperationRequest({
      document: context.document,
      operationName: context.request.operationName,
      variables: context.request.variables ?? {},
      cursor: resumeCursorOf(context.request.extensions),
    });
    try {
      const batched =
        isBatched && tracing !== undefined ? (itemTrace ?? startRequestTrace(tracing, client)) : undefined;
      const outcome = await executeOperation(
        isBatched
          ? {
              ...request,
              incrementalFormat: undefined,
              traceHeaders: batched?.headers ?? request.traceHeaders,
              trace: batched?.trace,
            }
          : request,
        supergraph,
      );
      if (record !== undefined) recordOutcome(record, outcome);
      return toExecutionResult(outcome, isBatched ? undefined : client, payloads);
    } catch (error) {
      record?.fail(error);
      return { errors: [errorWithStatus(formatFailure(error, client, log))] };
    }
  };
}

const subscriptionNotStreamable = new GatewayError(
  'BAD_REQUEST',
  'The response to a subscription is a stream. Accept text/event-stream or multipart/mixed;subscriptionSpec=1.0 and send one operation per request, or connect a WebSocket (graphql-transport-ws).',
);

/** As Apollo Server's, for the GET requests that it gets as POST requests. */
function mutationByGetError(): GraphQLError {
  return new GraphQLError('GET requests only support query operations, not mutation operations', {
    extensions: { code: 'BAD_REQUEST', http: { status: 405, headers: new HeaderMap([['allow', 'POST']]) } },
  });
}

function toExecutionResult(
  outcome: ExecutionOutcome,
  client: ClientRequest | undefined,
  payloads: PluginPayloads | undefined,
): GatewayExecutionResult {
  if (outcome.kind !== 'single') {
    const isObserved = client !== undefined && payloads !== undefined && outcome.kind === 'incremental';
    // Stored before any plugin can fail, so that `Admission` can end the payloads.
    client?.storeOutcome(isObserved ? payloads.observe(outcome, client) : outcome);
    return {
      ...(isObserved && outcome.firstErrors !== undefined
        ? { errors: outcome.firstErrors.map((error) => new FormattedGraphQLError(error, undefined)) }
        : {}),
      data: asData(new ExecutedData(undefined, undefined, client)),
    };
  }
  const { data, errors, extensions, caching } = outcome;
  return {
    ...(errors === undefined
      ? {}
      : {
          errors: errors.map((error) =>
            data === undefined ? errorWithStatus(error) : new FormattedGraphQLError(error, undefined),
          ),
        }),
    ...(data === undefined ? {} : { data: asData(new ExecutedData(data, caching, client)) }),
    ...(extensions === undefined ? {} : { extensions }),
  };
}

/** Apollo Server only passes `data` on, to plugins and to `stringifyResult`. */
function asData(data: ExecutedData): Record<string, unknown> {
  return data as unknown as Record<string, unknown>;
}

/** Whether a plugin threw something else than a `GraphQLError`, which Apollo Server would show to clients. */
function isUnexpected(error: unknown): boolean {
  if (!(error instanceof GraphQLError)) return false;
  const { originalError, extensions } = error;
  return originalError !== undefined && !(originalError instanceof GraphQLError) && !extensions.code;
}

function unknownOperationError({ request }: GatewayGraphQLRequestContext): GraphQLError {
  return new GraphQLError(
    typeof request.operationName === 'string'
      ? `Unknown operation named "${request.operationName}".`
      : 'Must provide operation name if query contains multiple operations.',
  );
}

function stringifyResult({ errors, data, extensions }: FormattedExecutionResult): string {
  const executed: unknown = data;
  // In Apollo Server's order.
  if (!(executed instanceof ExecutedData)) return JSON.stringify({ errors, data, extensions });
  const { before, after } = envelopeOf(errors, extensions);
  return executed.write(before, after);
}
