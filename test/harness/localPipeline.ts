import { type DocumentNode, execute, type GraphQLError, type GraphQLSchema, parse, validate } from 'graphql';
import { anonymousClient } from '../../gateway/admission/identity.ts';
import type { EnrichmentCoordinator } from '../../gateway/enrichment/responses/enrichmentCoordinator.ts';
import type { SnapshotExecutor } from '../../gateway/enrichment/responses/snapshotExecutor.ts';
import type { ExecutionObserver } from '../../gateway/execution/executionObserver.ts';
import { ExecutionQueue } from '../../gateway/execution/executionQueue.ts';
import type { FetchSender } from '../../gateway/execution/fetchSender.ts';
import type { RequestContext } from '../../gateway/execution/requestContext.ts';
import { SubgraphFetchSender } from '../../gateway/execution/subgraphFetchSender.ts';
import type { Authorizer } from '../../gateway/operation/authorization/authorizer.ts';
import type { IncrementalFormat } from '../../gateway/operation/operationRequest.ts';
import type { OverrideDecision } from '../../gateway/operation/overrideDecision.ts';
import type { PreparedOperation } from '../../gateway/operation/preparedOperation.ts';
import { Preparer } from '../../gateway/operation/preparer.ts';
import { Pipeline } from '../../gateway/pipeline.ts';
import type { Planner } from '../../gateway/planning/planner.ts';
import { readSupergraphNames } from '../../gateway/planning/supergraphNames.ts';
import {
  contentToText,
  type ExecutionOutcome,
  type SingleOutcome,
} from '../../gateway/response/executionOutcome.ts';
import { noForwardedHeaders } from '../../gateway/subgraphs/forwardedHeaders.ts';
import type { SubgraphClient } from '../../gateway/subgraphs/subgraphClient.ts';
import type { SubscriptionManager } from '../../gateway/subscriptions/subscriptionManager.ts';
import type { Supergraph } from '../../gateway/supergraph/supergraph.ts';
import { systemTimers } from '../../gateway/time/timers.ts';
import { createRequestContext } from './fetchNodes.ts';
import { mergePayloads } from './rawHttp.ts';

interface LocalPipelineOptions {
  readonly planner: Planner;
  /** The SDL of the supergraph, including elements that are hidden from clients. */
  readonly sdl: string;
  /** The API schema, with the definition of `@defer`. */
  readonly apiSchema: GraphQLSchema;
  /** Labels of progressive `@override`s. Default: none. */
  readonly overrides?: Supergraph['overrides'];
  /** Whether a label is active for a new request. Default: no label is. */
  readonly isOverridden?: OverrideDecision;
  /** Executable schemas by subgraph. */
  readonly subgraphs: ReadonlyMap<string, GraphQLSchema>;
  /** The deadline of each request in milliseconds. Default: none. */
  readonly deadlineMs?: () => number;
  /** Returns the headers that subgraphs get of a new request. Default: none. */
  readonly createHeaders?: () => RequestContext['headersFor'];
  /** Wraps the client of the subgraphs. */
  readonly wrapClient?: (client: SubgraphClient) => SubgraphClient;
  readonly observeExecution?: (operation: PreparedOperation) => ExecutionObserver;
  /** Wraps the fetches between the pipeline and the subgraphs. */
  readonly wrapFetches?: (subgraphs: FetchSender) => FetchSender;
  readonly subscriptions?: SubscriptionManager;
  /** Without it, responses wait for every field. */
  readonly enrichment?: EnrichmentCoordinator;
  /** Without it, clients may read everything. */
  readonly authorizer?: Authorizer;
  /** Without it, executions never wait for long. */
  readonly executionQueue?: ExecutionQueue;
}

export interface LocalAnswer {
  readonly data?: unknown;
  readonly errors?: readonly unknown[];
  readonly extensions?: Readonly<Record<string, unknown>>;
}

export interface LocalPipeline {
  /** Replans the active subscriptions on another supergraph. */
  replanSubscriptions(next: Supergraph): Promise<void>;
  /** Returns the outcome that transports receive. */
  respond(
    query: string,
    variables?: Readonly<Record<string, unknown>>,
    incremental?: IncrementalFormat,
    resumeAfter?: string,
    signal?: AbortSignal,
  ): Promise<ExecutionOutcome>;
  execute(query: string, variables?: Readonly<Record<string, unknown>>): Promise<LocalAnswer>;
  /** The payloads for a client that accepts incremental responses, and the merged response. */
  executeIncrementally(
    query: string,
    variables?: Readonly<Record<string, unknown>>,
    format?: IncrementalFormat,
  ): Promise<{ readonly payloads: readonly unknown[]; readonly merged: unknown }>;
  /** Executes pending fields from a snapshot, like another process. */
  readonly snapshotExecutor: SnapshotExecutor;
  /** Subgraph operations that were executed, in order. */
  readonly calls: readonly { readonly subgraph: string; readonly query: string }[];
}

/** Creates preparation, execution and response around a planner, with subgraphs in this process, without HTTP and
 *  without a thread. */
export function createLocalPipeline({
  planner,
  sdl,
  apiSchema,
  subgraphs,
  overrides = new Map(),
  isOverridden = () => false,
  deadlineMs = () => Number.POSITIVE_INFINITY,
  createHeaders = () => () => noForwardedHeaders,
  wrapFetches = (subgraphFetches) => subgraphFetches,
  wrapClient = (client) => client,
  observeExecution,
  subscriptions,
  enrichment,
  authorizer,
  executionQueue = new ExecutionQueue({
    queueTimeMs: Number.POSITIVE_INFINITY,
    timers: systemTimers,
    readUtilization: () => 0,
    onDrop: () => {},
  }),
}: LocalPipelineOptions): LocalPipeline {
  const document = parse(sdl, { noLocation: true });
  const loaded: Supergraph = {
    id: 'local',
    sdl,
    apiSchema,
    overrides,
    subgraphs: new Map([...subgraphs.keys()].map((name) => [name, { name, url: `http://${name}.test` }])),
    planner,
    names: readSupergraphNames(document),
  };
  const reading = { supergraph: loaded, document };
  const supergraph = enrichment?.readSupergraph(reading)?.attach?.(loaded) ?? loaded;
  authorizer?.readSupergraph(reading)?.attach(supergraph);
  const calls: { subgraph: string; query: string }[] = [];
  const client = wrapClient(localClient(subgraphs, calls));
  const used = wrapFetches(new SubgraphFetchSender(client, { acrossRequests: false, maxBatchSize: 100 }));
  const pipeline = new Pipeline({
    preparer: new Preparer({
      cacheSize: 100,
      maxSelections: 10_000,
      maxVariableValues: 10_000,
    }),
    fetchesOf: () => used,
    maxWaitMs: 0,
    ...(subscriptions === undefined ? {} : { subscriptions }),
    ...(enrichment === undefined ? {} : { enrichment }),
    ...(authorizer === undefined ? {} : { authorizer }),
    observeExecution,
    openStream: () => () => {},
    errorPolicy: { exposeSubgraphErrors: true, exposeSubgraphs: true },
    responseSize: Number.POSITIVE_INFINITY,
    executionQueue,
    onInternalError: (cause) => {
      throw cause;
    },
    onPlanningFailed: () => {},
    requestContexts: {
      create: ({ requestId, variables, headers }) =>
        createRequestContext({
          requestId,
          variables,
          tokenOwner: headers.get('authorization'),
          deadline: performance.now() + deadlineMs(),
          headersFor: createHeaders(),
          isOverridden,
        }),
      restart: (context) => ({ ...context, deadline: performance.now() + deadlineMs() }),
    },
  });

  const respond = (
    query: string,
    variables: Readonly<Record<string, unknown>> = {},
    incremental?: IncrementalFormat,
    resumeAfter?: string,
    signal = new AbortController().signal,
  ) => {
    const { document, errors } = validated(supergraph.apiSchema, query);
    if (errors[0] !== undefined) throw errors[0];
    return pipeline.respond(
      {
        document,
        operationName: undefined,
        variables,
        headers: new Map(),
        caller: anonymousClient,
        incrementalFormat: incremental,
        resumeAfter,
        requestId: 'local',
        signal,
      },
      supergraph,
    );
  };

  return {
    calls,
    snapshotExecutor: pipeline.createJobExecutor(() => ({ supergraph, release: () => {} })),
    respond,
    replanSubscriptions: (next) => pipeline.replanSubscriptions(next),
    execute: async (query, variables = {}) => {
      const outcome = await respond(query, variables);
      if (outcome.kind !== 'single') throw new Error('Expected a complete response.');
      return readOutcome(outcome);
    },
    executeIncrementally: async (query, variables = {}, format = 'deferSpec=20220824') => {
      const outcome = await respond(query, variables, format);
      if (outcome.kind === 'single') {
        const answer = readOutcome(outcome);
        return { payloads: [answer], merged: answer };
      }
      if (outcome.kind === 'subscription') throw new Error('A subscription has no last payload.');
      const payloads: Record<string, unknown>[] = [];
      for await (const batch of outcome.payloads) {
        payloads.push(...batch.map((text) => JSON.parse(text) as Record<string, unknown>));
      }
      return { payloads, merged: mergePayloads(payloads) };
    },
  };
}

interface ValidatedQuery {
  readonly document: DocumentNode;
  readonly errors: readonly GraphQLError[];
}

const validatedQueries = new WeakMap<GraphQLSchema, Map<string, ValidatedQuery>>();

/** Tests send the same few operations to the same schema hundreds of times. */
function validated(schema: GraphQLSchema, query: string): ValidatedQuery {
  let queries = validatedQueries.get(schema);
  if (queries === undefined) {
    queries = new Map();
    validatedQueries.set(schema, queries);
  }
  let known = queries.get(query);
  if (known === undefined) {
    const document = parse(query);
    known = { document, errors: validate(schema, document) };
    queries.set(query, known);
  }
  return known;
}

function readOutcome({ data, errors, extensions }: SingleOutcome): LocalAnswer {
  const text = data === undefined ? '{}' : contentToText(data.takeWrapped('{"data":', '}'));
  return {
    ...(JSON.parse(text) as object),
    ...(errors === undefined ? {} : { errors }),
    ...(extensions === undefined ? {} : { extensions }),
  };
}

function localClient(
  subgraphs: ReadonlyMap<string, GraphQLSchema>,
  calls: { subgraph: string; query: string }[],
): SubgraphClient {
  const answer = async (schema: GraphQLSchema, query: string, variableValues: Record<string, unknown>) => {
    const { document, errors } = validated(schema, query);
    return errors.length > 0 ? { errors } : execute({ schema, document, variableValues });
  };
  return {
    send: ({ subgraph, body }, receiver) => {
      const schema = subgraphs.get(subgraph);
      if (schema === undefined) throw new Error(`There is no subgraph ${subgraph}.`);
      const { query, variables = {} } = JSON.parse(body) as {
        query: string;
        variables?: Record<string, unknown>;
      };
      calls.push({ subgraph, query });
      let isCancelled = false;
      void answer(schema, query, variables).then((result) => {
        if (isCancelled) return;
        const copy = JSON.parse(JSON.stringify(result)) as {
          data?: Record<string, unknown> | null;
          errors?: [];
        };
        receiver.onResponse({
          data: copy.data,
          errors: copy.errors,
          extensions: undefined,
          cacheControl: undefined,
          age: undefined,
          isEscapeFree: false,
        });
      });
      return () => {
        isCancelled = true;
      };
    },
    close: () => Promise.resolve(),
  };
}
