// The only file that knows the planner package, which is Elastic-2.0 (docs/decisions). It runs in the
// planner's thread: importing it takes about a tenth of a second, and planning blocks the thread it is on.

import {
  NamedSchemaElement,
  operationFromDocument,
  type Schema,
  Supergraph,
} from '@apollo/federation-internals';
import { type PlanNode as ApolloPlanNode, QueryPlanner } from '@apollo/query-planner';
import { type DocumentNode, GraphQLError, parse, printSchema } from 'graphql';
import { InputChecker } from './inputChecker.ts';
import { mapFetches } from './mapFetches.ts';
import { type OverrideLabels, readOverrideLabels } from './overrideLabels.ts';
import type { PlanRequest } from './planner.ts';
import type { QueryPlan } from './queryPlan.ts';
import { RepresentationCompleter } from './representationCompleter.ts';
import { separateComputedInputs } from './separateComputedInputs.ts';
import { SplitTimeLimit, SplitTimeoutError } from './splitTimeLimit.ts';
import { describeUnsupportedFeatures, type LinkedFeature } from './supergraphFeatures.ts';
import { toPlannerSupergraph } from './toPlannerSupergraph.ts';
import { toSubgraphPlan } from './toSubgraphPlan.ts';
import { relaxNonNullInputs, removeUnprintableDefaults } from './unprintableDefaults.ts';

export interface ApolloPlannerOptions {
  readonly sdl: string;
  /** Most alternative plans compared for one operation; beyond it, the best one so far is taken. */
  readonly maxEvaluatedPlans: number;
  /** Most paths followed for one operation. */
  readonly pathsLimit: number;
  /** Longest that a plan is worked on that its asker can do without, in milliseconds of the thread's own time. */
  readonly splitTimeoutMs: number;
}

export interface ApolloPlanner {
  /** SDL of what clients see, with the definition of `@defer`. */
  readonly apiSchemaSdl: string;
  readonly subgraphs: readonly { readonly name: string; readonly url: string }[];
  readonly overrides: OverrideLabels;
  /** Blocks until the plan is made; throws what the planner throws. */
  plan(request: PlanRequest): QueryPlan;
}

/** Loads a supergraph and makes its planner. Errors: whatever the loader objects to, in its words. */
export function createApolloPlanner(options: ApolloPlannerOptions): ApolloPlanner {
  const original = buildSupergraph(options.sdl, { isChanged: false });
  const refusal = describeUnsupportedFeatures(listFeatures(original.schema));
  if (refusal !== undefined) throw new Error(refusal);
  // The planner finds out what is wrong with the subgraphs only in the supergraph that it gets.
  original.subgraphs();
  const document = parse(options.sdl, { noLocation: true });
  const { document: changed, requiredArguments, restore } = toPlannerSupergraph(relaxNonNullInputs(document));
  const ordinary = createRawPlanner(
    changed === document ? original : buildSupergraph(changed, { isChanged: true }),
    changed,
    options,
  );
  const keys = new RepresentationCompleter(changed);
  const separated = separateComputedInputs(changed);
  let careful: RawPlanner | undefined;

  return {
    apiSchemaSdl: printApiSchema(original),
    subgraphs: [...original.subgraphsMetadata()].map(({ name, url }) => ({ name, url })),
    overrides: readOverrideLabels(options.sdl),
    plan: (request) =>
      restore(toSubgraphPlan(keys.complete(planWithInputs(request)), requiredArguments, canOverlap)),
  };

  function planWithInputs(request: PlanRequest): QueryPlan {
    const plan = ordinary.plan(request);
    if (separated === undefined && !request.shouldSplitDefer) return plan;
    const wrong = ordinary.inputChecker.findMissingInput(plan);
    if (wrong === undefined) return plan;
    if (separated === undefined) throw missingInputsError(wrong);
    // Few operations need it, and it is as large as the first.
    careful ??= createRawPlanner(
      buildSupergraph(separated.document, { isChanged: true }),
      separated.document,
      options,
    );
    const second = careful.plan(request);
    const missing = careful.inputChecker.findMissingInput(second);
    if (missing !== undefined) throw missingInputsError(missing);
    return restoreSubgraphNames(second, separated.originalNames);
  }

  function canOverlap(one: string, other: string): boolean {
    return one === other || !isObject(one) || !isObject(other);
  }

  function isObject(name: string): boolean {
    return original.schema.type(name)?.kind === 'ObjectType';
  }
}

function printApiSchema(supergraph: Supergraph): string {
  const schema = supergraph.apiSchema().toGraphQLJSSchema({ includeDefer: true });
  removeUnprintableDefaults(schema);
  return printSchema(schema);
}

function missingInputsError(coordinate: string): Error {
  return new Error(`The planner would ask for ${coordinate} where it cannot be had, or without its inputs.`);
}

/** Plans as the package makes them. */
interface RawPlanner {
  plan(request: PlanRequest): QueryPlan;
  readonly inputChecker: InputChecker;
}

function createRawPlanner(
  supergraph: Supergraph,
  document: DocumentNode,
  options: ApolloPlannerOptions,
): RawPlanner {
  const apiSchema = supergraph.apiSchema();
  const limit = new SplitTimeLimit(supergraph.schema, options.splitTimeoutMs);
  const planner = new QueryPlanner(supergraph, {
    incrementalDelivery: { enableDefer: true },
    // With reuse on, a named fragment that holds a `@defer` is sent to the subgraph with the directive in it.
    reuseQueryFragments: false,
    generateQueryFragments: false,
    debug: { maxEvaluatedPlans: options.maxEvaluatedPlans, pathsLimit: options.pathsLimit },
  });
  return {
    inputChecker: new InputChecker(document),
    // `defer` needs no second planner: without a `@defer` in the document the plan has no Defer node.
    plan: ({ document: text, overrides = [], isOptional = false }) => {
      const operation = operationFromDocument(apiSchema, parse(text, { noLocation: true }));
      const overrideConditions = new Map(overrides.map((label) => [label, true]));
      const build = (): ApolloQueryPlan => planner.buildQueryPlan(operation, { overrideConditions });
      return toQueryPlan(isOptional ? limit.run(build) : build());
    },
  };
}

/** The plan with the real subgraphs in place of those that were added. */
function restoreSubgraphNames(plan: QueryPlan, realNames: ReadonlyMap<string, string>): QueryPlan {
  return mapFetches(plan, (fetch) => {
    const serviceName = realNames.get(fetch.serviceName);
    return serviceName === undefined ? fetch : { ...fetch, serviceName };
  });
}

/** Where fields got stand-ins, the fields themselves are external without being used: that is no mistake. */
function buildSupergraph(
  sdl: string | DocumentNode,
  { isChanged }: { readonly isChanged: boolean },
): Supergraph {
  // What may be served is for us to say: the loader's list knows neither our rewrites for `@fromContext` nor
  // that we pass over `@cacheTag`, and a security feature that is not marked as one gets past it.
  return Supergraph.build(sdl, { supportedFeatures: null, validateSupergraph: !isChanged });
}

/** `@join__directive(name: "federation__cacheTag")` stands for a directive that is not merged into one. */
function listFeatures(schema: Schema): LinkedFeature[] {
  const linked = schema.coreFeatures;
  if (linked === undefined) return [];
  const coordinates = new Map<string, string[]>();
  for (const definition of schema.allDirectives()) {
    const source = linked.sourceFeature(definition);
    if (source === undefined) continue;
    const { feature, nameInFeature } = source;
    const isStandIn = feature.url.name === 'join' && nameInFeature === 'directive';
    for (const application of definition.applications()) {
      const name = isStandIn ? application.arguments().name.replace(/^\w+__/, '') : feature.url.name;
      const { parent } = application;
      const place = parent instanceof NamedSchemaElement ? parent.coordinate : 'schema';
      const places = coordinates.get(name);
      if (places === undefined) coordinates.set(name, [place]);
      else places.push(place);
    }
  }
  return Array.from(linked.allFeatures(), ({ url, purpose }) => ({
    identity: url.identity,
    version: url.version.toString(),
    isRequired: purpose !== undefined,
    coordinates: [...new Set(coordinates.get(url.name))],
  }));
}

/** What a person needs to find the mistake: the loader's message, with the place for a syntax error. */
export function describeLoadError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = error instanceof GraphQLError ? error.locations?.[0] : undefined;
  // Messages with several causes hold the places already.
  return place === undefined || error.message.includes('\n')
    ? error.message
    : `${error.message} (line ${place.line}, column ${place.column})`;
}

const limitsByMessage: readonly (readonly [string, string])[] = [
  ['Exceeded maximum recursive selections', 'its fragments expand to too many selections'],
  ['Number of non-local selections exceeds limit', 'too many of its selections lead to other subgraphs'],
  ['Too many options generated', 'there are too many ways to fetch it (planning.pathsLimit)'],
];

/** What was too much where the planner gave up on an operation for its size; `undefined` for a mistake of its own. */
export function describeExceededLimit(error: unknown): string | undefined {
  // The planner recurses along the operation: a stack that overflows means an operation too deep for it.
  if (error instanceof RangeError) return 'it is nested too deep';
  if (error instanceof SplitTimeoutError) return 'to split it takes too long (planning.splitTimeout)';
  if (!(error instanceof Error)) return undefined;
  return limitsByMessage.find(([start]) => error.message.startsWith(start))?.[1];
}

type ApolloQueryPlan = ReturnType<QueryPlanner['buildQueryPlan']>;

/** The planner's object written as ours: the same names, without its `undefined` members. */
function toQueryPlan(plan: ApolloQueryPlan): QueryPlan {
  return JSON.parse(
    JSON.stringify(plan, (_key, value: unknown) => (isFetchNode(value) ? completeFetchNode(value) : value)),
  ) as QueryPlan;
}

type ApolloFetchNode = Extract<ApolloPlanNode, { kind: 'Fetch' }>;

function isFetchNode(value: unknown): value is ApolloFetchNode {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Fetch';
}

function completeFetchNode(node: ApolloFetchNode): ApolloFetchNode {
  return node.variableUsages === undefined ? { ...node, variableUsages: [] } : node;
}
