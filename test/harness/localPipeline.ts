import { type DocumentNode, execute, type GraphQLError, type GraphQLSchema, parse, validate } from 'graphql';
import type { Enriching } from '../../gateway/enriched-answers/enriching.ts';
import type { LateRunner } from '../../gateway/enriched-answers/lateRunner.ts';
import type { FetchSender } from '../../gateway/execution/fetchSender.ts';
import { SubgraphFetches } from '../../gateway/execution/subgraphFetches.ts';
import { nothingOverridden } from '../../gateway/operation/overrideDecision.ts';
import { Preparer } from '../../gateway/operation/prepare.ts';
import type { IncrementalFormat } from '../../gateway/operation/request.ts';
import { Pipeline } from '../../gateway/pipeline.ts';
import type { Planner } from '../../gateway/planning/planner.ts';
import { type ExecutionOutcome, type SingleOutcome, textOf } from '../../gateway/response/outcome.ts';
import type { SubgraphClient } from '../../gateway/subgraph-client/subgraphClient.ts';
import type { Subscriptions } from '../../gateway/subscriptions/subscriptions.ts';
import type { Supergraph } from '../../gateway/supergraph/supergraph.ts';
import { mergePayloads } from './frames.ts';

export interface LocalPipelineOptions {
  readonly planner: Planner;
  /** As the supergraph has it, what clients do not see included. */
  readonly sdl: string;
  /** With the definition of `@defer`. */
  readonly apiSchema: GraphQLSchema;
  /** Executable schemas by subgraph. */
  readonly subgraphs: ReadonlyMap<string, GraphQLSchema>;
  /** Of each request, in milliseconds; endless by default. */
  readonly deadlineMs?: () => number;
  /** Something between the pipeline and the subgraphs. */
  readonly fetches?: (subgraphs: FetchSender) => FetchSender;
  readonly subscriptions?: Subscriptions;
  /** Left out where every field is waited for. */
  readonly enriching?: Enriching;
}

export interface LocalAnswer {
  readonly data?: unknown;
  readonly errors?: readonly unknown[];
  readonly extensions?: Readonly<Record<string, unknown>>;
}

export interface LocalPipeline {
  /** Another supergraph takes over for the subscriptions that are under way. */
  replan(next: Supergraph): Promise<void>;
  /** What transports get. */
  respond(
    query: string,
    variables?: Readonly<Record<string, unknown>>,
    incremental?: IncrementalFormat,
    resumeAfter?: string,
    signal?: AbortSignal,
  ): Promise<ExecutionOutcome>;
  ask(query: string, variables?: Readonly<Record<string, unknown>>): Promise<LocalAnswer>;
  /** The payloads of a client that takes deferred parts, and what they amount to. */
  defer(
    query: string,
    variables?: Readonly<Record<string, unknown>>,
    format?: IncrementalFormat,
  ): Promise<{ readonly payloads: readonly unknown[]; readonly merged: unknown }>;
  /** Finishes what first answers have left out, as another process would. */
  readonly lateRunner: LateRunner;
  /** Subgraph operations that were executed, in order. */
  readonly calls: readonly { readonly subgraph: string; readonly query: string }[];
}

/** Preparation, execution and response around a planner, with subgraphs in this process: no HTTP, no thread. */
export function localPipeline({
  planner,
  sdl,
  apiSchema,
  subgraphs,
  deadlineMs = () => Number.POSITIVE_INFINITY,
  fetches = (subgraphFetches) => subgraphFetches,
  subscriptions,
  enriching,
}: LocalPipelineOptions): LocalPipeline {
  const loaded: Supergraph = {
    id: 'local',
    sdl,
    apiSchema,
    overrides: new Map(),
    subgraphs: new Map([...subgraphs.keys()].map((name) => [name, { name, url: `http://${name}.test` }])),
    planner,
  };
  const supergraph = enriching?.prepare(loaded, true) ?? loaded;
  const calls: { subgraph: string; query: string }[] = [];
  const client = localClient(subgraphs, calls);
  const used = fetches(new SubgraphFetches(client, { acrossRequests: false, maxBatchSize: 100 }));
  const pipeline = new Pipeline({
    preparer: new Preparer({
      cacheSize: 100,
      maxSelections: 10_000,
      maxVariableValues: 10_000,
    }),
    fetchesOf: () => used,
    ...(subscriptions === undefined ? {} : { subscriptions }),
    ...(enriching === undefined ? {} : { enriching }),
    openStream: () => () => {},
    errorPolicy: { exposeSubgraphErrors: true, exposeSubgraphs: true },
    answerSize: Number.POSITIVE_INFINITY,
    onInternalError: (cause) => {
      throw cause;
    },
    scopeOf: ({ requestId, variables }) => ({
      requestId,
      traceparent: undefined,
      variables,
      identity: undefined,
      isMutation: false,
      deadline: performance.now() + deadlineMs(),
      deadlineFor: () => Number.POSITIVE_INFINITY,
      headersFor: () => ({ key: '', pairs: [] }),
    }),
    overridesFor: () => nothingOverridden,
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
        incremental,
        resumeAfter,
        requestId: 'local',
        signal,
      },
      supergraph,
    );
  };

  return {
    calls,
    lateRunner: pipeline.createLateRunner(() => ({ supergraph, release: () => {} })),
    respond,
    replan: (next) => pipeline.replanSubscriptions(next),
    ask: async (query, variables = {}) => {
      const outcome = await respond(query, variables);
      if (outcome.kind !== 'single') throw new Error('An answer in one piece was asked for.');
      return read(outcome);
    },
    defer: async (query, variables = {}, format = 'deferSpec=20220824') => {
      const outcome = await respond(query, variables, format);
      if (outcome.kind === 'single') {
        const answer = read(outcome);
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

function read({ data, errors, extensions }: SingleOutcome): LocalAnswer {
  const text = data === undefined ? '{}' : textOf(data.takeWithin('{"data":', '}'));
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
