import {
  type DocumentNode,
  type GraphQLError,
  type GraphQLObjectType,
  getOperationAST,
  type OperationDefinitionNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { GatewayError } from '../errors.ts';
import { compileProgram } from '../execution/compileProgram.ts';
import { FetchShapeRegistry } from '../execution/fetchShape.ts';
import type { Program } from '../execution/program.ts';
import { splitProgramByPaths } from '../execution/splitProgramByPaths.ts';
import { TypeConditions } from '../execution/typeConditions.ts';
import { createPlanCache, type PlanCache } from '../planning/planCache.ts';
import type { QueryPlan } from '../planning/queryPlan.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import type { Access } from './authorization/access.ts';
import { checkDenials } from './authorization/checkDenials.ts';
import { coerceVariables, conditionVariables, nullConditionError } from './coerceVariables.ts';
import { collectEnrichmentRules } from './collectEnrichmentRules.ts';
import type { EnrichmentRule } from './enrichmentRule.ts';
import { InternalNames } from './internalNames.ts';
import { createIntrospectionDocument } from './introspection.ts';
import {
  type FindEnrichmentRule,
  type NormalizedOperation,
  normalizeOperation,
} from './normalizeOperation.ts';
import type { OverrideDecision } from './overrideDecision.ts';
import {
  createPlannerInput,
  type PlannedOperation,
  type PlannerInput,
  planOperation,
} from './planOperation.ts';
import type { PreparedOperation } from './preparedOperation.ts';
import { deferMarker, isAnsweredByGateway } from './printOperation.ts';
import { overridesToWarm, relevantOverrides } from './relevantOverrides.ts';

interface PrepareOptions {
  /** Maximum number of prepared operations, and of cached plans, of all supergraphs together. */
  readonly cacheSize: number;
  /** Maximum number of selections of an operation with expanded fragments. */
  readonly maxSelections: number;
  /** Maximum number of values in lists and objects of a request's variables. */
  readonly maxVariableValues: number;
}

interface PrepareRequest {
  readonly document: DocumentNode;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>>;
  /** Whether the client accepts incremental delivery. Without it, `@defer` is ignored. */
  readonly acceptsIncremental: boolean;
  readonly isOverridden: OverrideDecision;
  /** `undefined` when the response waits for every field. */
  readonly enrichment?: EnrichmentPolicy | undefined;
  /** What the client may read. Without it, everything. */
  readonly access?: Access | undefined;
}

/** Decides which fields are enrichments and how they are fetched. */
export interface EnrichmentPolicy {
  ruleOf(parentType: string, fieldName: string): EnrichmentRule | undefined;
  /** Whether the enrichments of an operation are fetched with the primary data where that saves requests. `rules`: the
   *  rules of all its enrichments. */
  shouldFuse(rules: readonly EnrichmentRule[]): boolean;
}

export type PreparationResult =
  | { readonly kind: 'prepared'; readonly operation: PreparedOperation }
  /** The variables are invalid. */
  | { readonly kind: 'refused'; readonly errors: readonly GraphQLError[] };

/** An operation of a document, with its prepared variants. */
interface OperationTemplate {
  readonly operation: OperationDefinitionNode;
  readonly conditionVariables: readonly string[];
  /** Labels of progressive `@override`s that the plan can depend on. */
  readonly overrideLabels: readonly string[];
  /** Enrichment rules of all fields in the document, for any values of its conditions. Collected at first use. */
  rules: readonly EnrichmentRule[] | undefined;
  /** By key: incremental delivery, how enrichments are fetched, values of condition variables, active labels, access. */
  readonly variants: Map<string, PreparedVariant>;
}

interface AppliedEnrichmentPolicy {
  readonly findEnrichmentRule: FindEnrichmentRule;
  readonly isFused: boolean;
}

interface PreparedVariant {
  readonly template: OperationTemplate;
  readonly key: string;
  readonly operation: PreparedOperation;
  /** `undefined` when the operation needs no subgraph. */
  readonly planned: PlannedOperation | undefined;
  /** Uses since the last report to the plan cache. */
  unreportedUses: number;
}

/** Prepares operations: folds conditions, expands fragments, plans and compiles. Prepared operations are cached by the
 *  identity of the document, the most recently used ones. Different documents with equal normalized operations share a plan. */
export class Preparer {
  readonly #options: PrepareOptions;
  readonly #plans: PlanCache<PlannedOperation>;
  readonly #templates = new WeakMap<Supergraph, WeakMap<DocumentNode, Map<string, OperationTemplate>>>();
  /** All variants of all templates. */
  readonly #variants: LRUCache<PreparedVariant, true>;
  /** Their variants are not stored, which would keep the supergraph in memory. */
  readonly #retired = new WeakSet<Supergraph>();
  readonly #shapeRegistries = new WeakMap<Supergraph, FetchShapeRegistry>();
  /** Not their ids: one SDL that is loaded twice has two planners, of which the first is closed earlier. */
  readonly #snapshots = new WeakMap<Supergraph, number>();
  #snapshotCount = 0;
  #lookups = 0;
  #misses = 0;
  readonly #onMiss = (): void => {
    this.#misses += 1;
  };

  constructor(options: PrepareOptions) {
    this.#options = options;
    this.#plans = createPlanCache<PlannedOperation>({ maxEntries: options.cacheSize });
    this.#variants = new LRUCache({
      max: options.cacheSize,
      dispose: (_, { template, key }) => template.variants.delete(key),
    });
  }

  /** `hits`: operations that were prepared without the planner. `misses`: those for which it was called. `size`: cached
   *  plans. */
  get planCacheCounts(): { readonly hits: number; readonly misses: number; readonly size: number } {
    return { hits: this.#lookups - this.#misses, misses: this.#misses, size: this.#plans.size };
  }

  /** Returns a prepared operation, synchronously if it is cached.
   *  @throws {GatewayError} `OPERATION_TOO_COMPLEX`, `PLANNING_FAILED`, `OVERLOADED`, `UNAUTHENTICATED` or `FORBIDDEN`. */
  prepare(request: PrepareRequest, supergraph: Supergraph): PreparationResult | Promise<PreparationResult> {
    const template = this.#templateOf(request, supergraph);
    const coerced = coerceVariables(
      supergraph.apiSchema,
      template.operation,
      request.variables,
      this.#options.maxVariableValues,
    );
    if (coerced.kind === 'refused') return coerced;
    const variables = coerced.values;
    const enrichment = this.#enrichmentFor(template, request, supergraph);
    let key = request.acceptsIncremental ? 'd' : '';
    if (enrichment !== undefined) key += enrichment.isFused ? 'f' : 'e';
    for (const name of template.conditionVariables) {
      const value = variables[name];
      if (value === null) return { kind: 'refused', errors: [nullConditionError(template.operation, name)] };
      key += value === true ? '1' : value === false ? '0' : '-';
    }
    const overrides = template.overrideLabels.filter(request.isOverridden);
    if (overrides.length > 0) key += JSON.stringify(overrides);
    if (request.access !== undefined) key += `|${request.access.key}`;
    const known = template.variants.get(key);
    this.#lookups += 1;
    if (known !== undefined) {
      this.#recordUse(known, supergraph);
      return { kind: 'prepared', operation: known.operation };
    }
    return this.#prepareVariant(request, supergraph, template, variables, overrides, enrichment).then(
      ({ operation, planned }) => {
        if (!this.#retired.has(supergraph))
          this.#store({ template, key, operation, planned, unreportedUses: 1 });
        return { kind: 'prepared', operation };
      },
    );
  }

  #store(variant: PreparedVariant): void {
    const { template, key } = variant;
    // An equal request may have prepared it meanwhile.
    const replaced = template.variants.get(key);
    if (replaced !== undefined) this.#variants.delete(replaced);
    template.variants.set(key, variant);
    this.#variants.set(variant, true);
  }

  /** Plans the `count` most used operations of the previous supergraph before the switch to the next one. Operations that
   *  cannot be planned are skipped. After an abort, the running plan is completed. */
  async warm(
    next: Supergraph,
    previous: Supergraph | undefined,
    count: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (previous === undefined) return;
    for (const { key, value, uses } of this.#plans.mostUsed(this.#snapshotOf(previous), count)) {
      for (const overrides of overridesToWarm(next, previous, key.operation, key.overrides)) {
        if (signal.aborted) return;
        const planned = await this.#plan(next, { ...value.input, overrides }).catch(() => undefined);
        // Half of the uses are carried over: the next switch needs them, and operations out of use must lose rank.
        if (planned !== undefined) this.#recordPlanUses(next, planned, Math.floor(uses / 2));
      }
    }
  }

  /** Drops the plans and the prepared operations of a retired supergraph. */
  evict(supergraph: Supergraph): void {
    this.#retired.add(supergraph);
    this.#plans.evict(this.#snapshotOf(supergraph));
    for (const variant of [...this.#variants.keys()])
      if (variant.operation.supergraph === supergraph) this.#variants.delete(variant);
  }

  #templateOf(request: PrepareRequest, supergraph: Supergraph): OperationTemplate {
    let ofSupergraph = this.#templates.get(supergraph);
    if (ofSupergraph === undefined) {
      ofSupergraph = new WeakMap();
      this.#templates.set(supergraph, ofSupergraph);
    }
    let ofDocument = ofSupergraph.get(request.document);
    if (ofDocument === undefined) {
      ofDocument = new Map();
      ofSupergraph.set(request.document, ofDocument);
    }
    const name = request.operationName ?? '';
    let template = ofDocument.get(name);
    if (template === undefined) {
      const operation = getOperationAST(request.document, request.operationName);
      if (operation == null) throw new Error(`The document has no operation "${name}".`);
      template = {
        operation,
        conditionVariables: conditionVariables(request.document, operation),
        overrideLabels: relevantOverrides(supergraph, request.document, operation),
        rules: undefined,
        variants: new Map(),
      };
      ofDocument.set(name, template);
    }
    return template;
  }

  /** `undefined` for an operation without enrichments. Mutations and subscriptions have none. */
  #enrichmentFor(
    template: OperationTemplate,
    { document, enrichment }: PrepareRequest,
    { apiSchema }: Supergraph,
  ): AppliedEnrichmentPolicy | undefined {
    if (enrichment === undefined || template.operation.operation !== 'query') return undefined;
    template.rules ??= collectEnrichmentRules(apiSchema, document, enrichment);
    if (template.rules.length === 0) return undefined;
    return {
      findEnrichmentRule: (parentType, fieldName) => enrichment.ruleOf(parentType, fieldName),
      isFused: enrichment.shouldFuse(template.rules),
    };
  }

  async #prepareVariant(
    request: PrepareRequest,
    supergraph: Supergraph,
    { operation }: OperationTemplate,
    variables: Readonly<Record<string, unknown>>,
    overrides: readonly string[],
    enrichment: AppliedEnrichmentPolicy | undefined,
  ): Promise<Pick<PreparedVariant, 'operation' | 'planned'>> {
    const { apiSchema } = supergraph;
    const { access } = request;
    const normalized = normalizeOperation({
      schema: apiSchema,
      document: request.document,
      operation,
      booleanVariables: variables,
      internalNames: InternalNames.forSupergraph(supergraph),
      maxSelections: this.#options.maxSelections,
      isDeferEnabled: request.acceptsIncremental,
      findEnrichmentRule: enrichment?.findEnrichmentRule,
      access: access?.hasDenials === true ? access : undefined,
    });
    if (access !== undefined) checkDenials(operation.operation, normalized, access);
    const clientDefers = normalized.deferred.filter(({ rule }) => rule === undefined);
    // A plan that the planner splits by the client's `@defer`s cannot be split further by the executor.
    const isFused = enrichment?.isFused === true && clientDefers.length === 0;
    const input = createPlannerInput(operation, normalized, overrides, isFused);
    const planned = input === undefined ? undefined : await this.#plan(supergraph, input, this.#onMiss);
    const prepared: PreparedOperation = {
      supergraph,
      kind: operation.operation,
      rootType: apiSchema.getRootType(operation.operation) as GraphQLObjectType,
      root: normalized.root,
      deferred: clientDefers,
      enrichments: normalized.deferred.flatMap(({ group, rule }) =>
        rule === undefined ? [] : [{ group, rule }],
      ),
      isFused,
      isSplitRefused: input?.documentWithoutDefer !== undefined && planned?.isSplitByPlanner === false,
      program: this.#compile(supergraph, normalized, planned),
      plan: planned?.plan,
      overrides,
      access,
      introspection: createIntrospectionDocument(apiSchema, operation, normalized.root),
    };
    return { operation: prepared, planned };
  }

  #compile(
    supergraph: Supergraph,
    { root, deferred }: NormalizedOperation,
    planned: PlannedOperation | undefined,
  ): Program {
    const plan: QueryPlan = planned?.plan ?? { kind: 'QueryPlan' };
    if (plan.node === undefined && root.selections.some((selection) => !isAnsweredByGateway(selection))) {
      throw new GatewayError(
        'PLANNING_FAILED',
        'The operation cannot be executed: no subgraph resolves the fields that it selects.',
      );
    }
    const options = {
      plan,
      schema: supergraph.apiSchema,
      groupCount: deferred.length + 1,
      shapes: this.#shapeRegistryOf(supergraph),
      conditions: TypeConditions.forSupergraph(supergraph),
    };
    // Operations with equal planner inputs share a plan, although one may have deferred parts and another may not.
    const isSplit =
      deferred.length === 0 ||
      planned === undefined ||
      (planned.isSplitByPlanner && planned.input.document.includes(deferMarker));
    return isSplit ? compileProgram(options) : splitProgramByPaths({ ...options, root });
  }

  /** Reports uses of a prepared operation to the plan cache, which is not read for it again. The number of uses decides
   *  which operations the next supergraph is warmed with, and protects plans from eviction by operations sent once. */
  #recordUse(prepared: PreparedVariant, supergraph: Supergraph): void {
    this.#variants.get(prepared);
    prepared.unreportedUses += 1;
    if (prepared.unreportedUses < usesPerReport || prepared.planned === undefined) return;
    this.#recordPlanUses(supergraph, prepared.planned, prepared.unreportedUses);
    prepared.unreportedUses = 0;
  }

  #recordPlanUses(supergraph: Supergraph, planned: PlannedOperation, uses: number): void {
    if (this.#retired.has(supergraph)) return;
    const { document: operation, overrides } = planned.input;
    const snapshot = this.#snapshotOf(supergraph);
    this.#plans.recordUses({ snapshot, operation, overrides }, planned, uses);
  }

  #plan(supergraph: Supergraph, input: PlannerInput, onMiss?: () => void): Promise<PlannedOperation> {
    const { document: operation, overrides } = input;
    const snapshot = this.#snapshotOf(supergraph);
    return this.#plans.getOrLoad({ snapshot, operation, overrides }, () => {
      onMiss?.();
      return planOperation(supergraph.planner, input);
    });
  }

  #snapshotOf(supergraph: Supergraph): number {
    let snapshot = this.#snapshots.get(supergraph);
    if (snapshot === undefined) {
      snapshot = ++this.#snapshotCount;
      this.#snapshots.set(supergraph, snapshot);
    }
    return snapshot;
  }

  #shapeRegistryOf(supergraph: Supergraph): FetchShapeRegistry {
    let shapes = this.#shapeRegistries.get(supergraph);
    if (shapes === undefined) {
      shapes = new FetchShapeRegistry(supergraph.apiSchema);
      this.#shapeRegistries.set(supergraph, shapes);
    }
    return shapes;
  }
}

/** Reports are batched, because a lookup by text takes as long as all other steps of finding a prepared operation. */
const usesPerReport = 16;
