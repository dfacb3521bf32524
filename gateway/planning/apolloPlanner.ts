// The only file that imports the planner package, which is licensed under Elastic-2.0 (docs/decisions). It runs in the
// planner thread, because the import takes about 100 ms and planning blocks its thread.

import {
  defaultPrintOptions,
  NamedSchemaElement,
  operationFromDocument,
  printDirectiveDefinition,
  printSchema,
  type Schema,
  type Supergraph,
} from '@apollo/federation-internals';
import { type PlanNode as ApolloPlanNode, QueryPlanner } from '@apollo/query-planner';
import { type DocumentNode, GraphQLError, parse } from 'graphql';
import { isStackOverflow } from '../errors.ts';
import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';
import { checkNesting } from './checkNesting.ts';
import { createTypeDivider } from './divideByType.ts';
import { EntityInputs } from './entityInputs.ts';
import { InputChecker } from './inputChecker.ts';
import { createFieldLifter } from './liftComputedFields.ts';
import { loadChangedSupergraph, loadOriginalSupergraph } from './loadApolloSupergraph.ts';
import { defineOneOf, readInputObjects, setOneOfTypes } from './oneOfDirective.ts';
import { readOverrideLabels } from './overrideLabels.ts';
import type { PlanRequest, SupergraphSummary } from './planner.ts';
import { protectLiterals } from './protectLiterals.ts';
import type { QueryPlan } from './queryPlan.ts';
import { removeRootFragments } from './removeRootFragments.ts';
import { RepresentationCompleter } from './representationCompleter.ts';
import { restrictMerging } from './restrictMerging.ts';
import { restrictRebasing } from './restrictRebasing.ts';
import { splitByMissingInputs } from './splitByMissingInputs.ts';
import { SplitTimeLimit, SplitTimeoutError } from './splitTimeLimit.ts';
import { rootTypesOf } from './supergraphDocument.ts';
import { describeUnsupportedFeatures, type LinkedFeature } from './supergraphFeatures.ts';
import { readSupergraphNames } from './supergraphNames.ts';
import { toPlannerSupergraph } from './toPlannerSupergraph.ts';
import { toSubgraphPlan } from './toSubgraphPlan.ts';
import { relaxNonNullInputs } from './unprintableDefaults.ts';

export interface ApolloPlannerOptions {
  readonly sdl: string;
  /** Maximum number of alternative plans compared for one operation. Beyond it, the best plan so far is used. */
  readonly maxEvaluatedPlans: number;
  /** Maximum number of paths explored for one operation. */
  readonly pathsLimit: number;
  /** Maximum time for splitting a plan, in milliseconds of CPU time of the thread. */
  readonly splitTimeoutMs: number;
}

export interface ApolloPlanner extends SupergraphSummary {
  /** Blocks until the plan is complete.
   *  @throws {Error} the planner's own errors; see `describePlanningLimit`. */
  plan(request: PlanRequest): QueryPlan;
}

/** Loads a supergraph and creates its planner.
 *  @throws {Error} with the loader's message when the supergraph is invalid, or when it needs an unsupported feature. */
export function createApolloPlanner(options: ApolloPlannerOptions): ApolloPlanner {
  checkNesting(options.sdl);
  const sdl = defineOneOf(options.sdl);
  const document = parse(sdl, { noLocation: true });
  const original = loadOriginalSupergraph(document, sdl, checkFeatures);
  const {
    document: plannerDocument,
    requiredArguments,
    restore,
  } = toPlannerSupergraph(relaxNonNullInputs(document, sdl));
  const planRaw = createRawPlanner(
    plannerDocument === document ? original : loadChangedSupergraph(plannerDocument),
    plannerDocument,
    options,
  );
  const inputs = new EntityInputs(plannerDocument);
  const rootTypes = rootTypesOf(document);
  const inputChecker = new InputChecker(inputs, rootTypes);
  const keys = new RepresentationCompleter(inputs);
  const apiSchema = original.apiSchema();

  return {
    apiSchemaSdl: printApiSchema(original, document),
    subgraphs: [...original.subgraphsMetadata()].map(({ name, url }) => ({ name, url })),
    overrides: readOverrideLabels(sdl, document),
    names: readSupergraphNames(document),
    plan: (request) => {
      const raw = planRaw(request);
      const missingInput = inputChecker.findMissingInput(raw);
      if (missingInput !== undefined) throw missingInputsError(missingInput);
      const split = splitByMissingInputs(keys.complete(raw), request.document, apiSchema, inputs);
      const plan = restore(toSubgraphPlan(split, requiredArguments, inputs));
      return request.shouldSplitDefer ? removeRootFragments(plan, rootTypes) : plan;
    },
  };
}

function printApiSchema(supergraph: Supergraph, document: DocumentNode): string {
  const schema = supergraph.apiSchema();
  const types = printSchema(schema, { ...defaultPrintOptions, mergeTypesAndExtensions: true });
  const text = `${printDirectiveDefinition(schema.deferDirective())}\n\n${types}`;
  const oneOfTypes = readInputObjects(document).filter(({ isOneOf }) => isOneOf);
  // An API schema loses `@oneOf` when the supergraph links to it, as `@composeDirective` needs it.
  return oneOfTypes.length === 0 ? text : setOneOfTypes(text, new Set(oneOfTypes.map(({ name }) => name)));
}

function missingInputsError(coordinate: string): Error {
  return new Error(
    `The plan fetches ${coordinate} from a subgraph that does not resolve it, or without the inputs of its @requires.`,
  );
}

/** The package's planner, without the corrections of `createApolloPlanner`. */
function createRawPlanner(
  supergraph: Supergraph,
  supergraphDocument: DocumentNode,
  options: ApolloPlannerOptions,
): (request: PlanRequest) => QueryPlan {
  const apiSchema = supergraph.apiSchema();
  const divideByType = createTypeDivider(supergraphDocument, apiSchema);
  const liftFields = createFieldLifter(supergraphDocument);
  const limit = new SplitTimeLimit(supergraph.schema, options.splitTimeoutMs);
  const planner = new QueryPlanner(supergraph, {
    incrementalDelivery: { enableDefer: true },
    // With reuse enabled, a named fragment that contains `@defer` is sent to the subgraph with the directive.
    reuseQueryFragments: false,
    generateQueryFragments: false,
    debug: { maxEvaluatedPlans: options.maxEvaluatedPlans, pathsLimit: options.pathsLimit },
  });
  // One planner serves both values of `shouldSplitDefer`: a document without `@defer` gets a plan without Defer nodes.
  return ({ document: text, overrides = [], shouldSplitDefer }) => {
    const document = parse(text, { noLocation: true });
    const literals = protectLiterals(document, text, apiSchema);
    const whole = literals?.document ?? document;
    const divided = divideByType?.(whole) ?? whole;
    // A label would appear in the fragments of several types.
    if (shouldSplitDefer && divided !== whole)
      throw new Error('The planner does not split off parts of an operation that is divided by types.');
    const overrideConditions = new Map(overrides.map((label) => [label, true]));
    const build = (changed: DocumentNode): ApolloQueryPlan => {
      const operation = operationFromDocument(apiSchema, changed);
      return restrictMerging(() =>
        restrictRebasing(() => planner.buildQueryPlan(operation, { overrideConditions })),
      );
    };
    const buildOrLift = (): ApolloQueryPlan => {
      try {
        return build(divided);
      } catch (error) {
        if (!String(error).includes('Cannot add fragment of condition')) throw error;
        return build(liftFields(divided));
      }
    };
    const planJson = toPlanJson(shouldSplitDefer ? limit.run(buildOrLift) : buildOrLift());
    return JSON.parse(literals?.restore(planJson) ?? planJson) as QueryPlan;
  };
}

/** @throws {Error} with every feature that is not supported. */
function checkFeatures(schema: Schema): void {
  const refusal = describeUnsupportedFeatures(listFeatures(schema));
  if (refusal !== undefined) throw new Error(refusal);
}

/** Features that the supergraph links to. `@join__directive(name: "federation__cacheTag")` represents an application of
 *  a directive that composition does not merge. */
function listFeatures(schema: Schema): LinkedFeature[] {
  const linked = schema.coreFeatures;
  if (linked === undefined) return [];
  const coordinates = new Map<string, string[]>();
  for (const definition of schema.allDirectives()) {
    const source = linked.sourceFeature(definition);
    if (source === undefined) continue;
    const { feature, nameInFeature } = source;
    const isJoinDirective = feature.url.name === 'join' && nameInFeature === 'directive';
    for (const application of definition.applications()) {
      const name = isJoinDirective ? application.arguments().name.replace(/^\w+__/, '') : feature.url.name;
      const { parent } = application;
      const coordinate = parent instanceof NamedSchemaElement ? parent.coordinate : 'schema';
      getOrInsertComputed(coordinates, name, () => []).push(coordinate);
    }
  }
  return Array.from(linked.allFeatures(), ({ url, purpose }) => ({
    identity: url.identity,
    version: url.version.toString(),
    isRequired: purpose !== undefined,
    coordinates: [...new Set(coordinates.get(url.name))],
  }));
}

/** The loader's message, with line and column for a syntax error. */
export function describeLoadError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const location = error instanceof GraphQLError ? error.locations?.[0] : undefined;
  // Messages of several lines describe several causes, each with its location.
  return location === undefined || error.message.includes('\n')
    ? error.message
    : `${error.message} (line ${location.line}, column ${location.column})`;
}

const limitsByMessage: readonly (readonly [string, string])[] = [
  ['Exceeded maximum recursive selections', 'its fragments expand to too many selections'],
  ['Number of non-local selections exceeds limit', 'too many of its selections lead to other subgraphs'],
  ['Too many options generated', 'there are too many ways to fetch it (planning.pathsLimit)'],
];

/** The limit that an operation exceeds, when the planner rejected it for its size; `undefined` for any other failure. */
export function describePlanningLimit(error: unknown): string | undefined {
  // The planner recurses along the operation.
  if (isStackOverflow(error)) return 'it is nested too deeply';
  if (error instanceof SplitTimeoutError)
    return 'splitting off its deferred parts takes too long (planning.splitTimeout)';
  if (!(error instanceof Error)) return undefined;
  return limitsByMessage.find(([start]) => error.message.startsWith(start))?.[1];
}

type ApolloQueryPlan = ReturnType<QueryPlanner['buildQueryPlan']>;

/** The JSON text of the package's plan as a `QueryPlan`. The names are the same. */
function toPlanJson(plan: ApolloQueryPlan): string {
  return JSON.stringify(plan, (_key, value: unknown) =>
    isFetchNode(value) ? completeFetchNode(value) : value,
  );
}

type ApolloFetchNode = Extract<ApolloPlanNode, { kind: 'Fetch' }>;

function isFetchNode(value: unknown): value is ApolloFetchNode {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Fetch';
}

function completeFetchNode(node: ApolloFetchNode): ApolloFetchNode {
  return node.variableUsages === undefined ? { ...node, variableUsages: [] } : node;
}
