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
import { yieldToEventLoop } from '../time/yieldToEventLoop.ts';
import { coerceVariables, conditionVariables } from './coerceVariables.ts';
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
import { overridesToWarm } from './overridesToWarm.ts';
import {
  createPlannerInput,
  type PlannedOperation,
  type PlannerInput,
  planOperation,
} from './planOperation.ts';
import type { PreparedOperation } from './preparedOperation.ts';
import { deferMarker, isAnsweredByGateway } from './printOperation.ts';
import { relevantOverrides } from './relevantOverrides.ts';

interface PrepareOptions {
  /** Plans kept for all supergraphs together, and prepared operations as well. */
  readonly cacheSize: number;
  /** Most selections that an operation may have once its fragments are expanded. */
  readonly maxSelections: number;
  /** Most values within the lists and objects of a request's variables. */
  readonly maxVariableValues: number;
}

interface PrepareRequest {
  readonly document: DocumentNode;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>>;
  /** Whether the client takes deferred parts; if not, `@defer` counts for nothing. */
  readonly acceptsIncremental: boolean;
  readonly isOverridden: OverrideDecision;
  /** `undefined` where every field is waited for. */
  readonly enrichment?: EnrichmentPolicy | undefined;
}

/** Decides on the fields that may come late. */
export interface EnrichmentPolicy {
  ruleOf(parentType: string, fieldName: string): EnrichmentRule | undefined;
  /** Whether the enrichments of an operation, of which these are all, are fetched with the primary data where that
   *  saves requests. */
  shouldFuse(rules: readonly EnrichmentRule[]): boolean;
}

export type PreparationResult =
  | { readonly kind: 'prepared'; readonly operation: PreparedOperation }
  /** Nothing is executed. */
  | { readonly kind: 'refused'; readonly errors: readonly GraphQLError[] };

/** Operations of one document and name, one for each combination of folded conditions. */
interface OperationTemplate {
  readonly operation: OperationDefinitionNode;
  readonly conditionVariables: readonly string[];
  /** Labels of `@override`s that its plan can depend on. */
  readonly overrideLabels: readonly string[];
  /** Of the fields that it may ask for, whatever its conditions say; `undefined` while nobody has looked. */
  rules: readonly EnrichmentRule[] | undefined;
  /** Key: whether deferred parts are taken, how enrichments are fetched, the conditions' values, which labels are on. */
  readonly variants: LRUCache<string, PreparedVariant>;
}

interface AppliedEnrichmentPolicy {
  readonly findEnrichmentRule: FindEnrichmentRule;
  readonly isFused: boolean;
}

interface PreparedVariant {
  readonly operation: PreparedOperation;
  /** `undefined` where no subgraph has to be asked. */
  readonly planned: PlannedOperation | undefined;
  /** Since the plan cache was told. */
  unreportedUses: number;
}

/** Makes operations ready: conditions folded, fragments expanded, planned and compiled. What has been made
 *  ready once is found again by the document itself; equal operations share a plan even if written differently. */
export class Preparer {
  readonly #options: PrepareOptions;
  readonly #plans: PlanCache<PlannedOperation>;
  readonly #templates = new WeakMap<Supergraph, WeakMap<DocumentNode, Map<string, OperationTemplate>>>();
  readonly #shapeRegistries = new WeakMap<Supergraph, FetchShapeRegistry>();

  constructor(options: PrepareOptions) {
    this.#options = options;
    this.#plans = createPlanCache<PlannedOperation>({ maxEntries: options.cacheSize });
  }

  /** Errors: `GatewayError` with `OPERATION_TOO_COMPLEX`, `PLANNING_FAILED`. */
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
    for (const name of template.conditionVariables)
      key += variables[name] === true ? '1' : variables[name] === false ? '0' : '-';
    const overrides = template.overrideLabels.filter(request.isOverridden);
    if (overrides.length > 0) key += JSON.stringify(overrides);
    const known = template.variants.get(key);
    if (known !== undefined) {
      this.#recordUse(known, supergraph);
      return { kind: 'prepared', operation: known.operation };
    }
    return this.#prepareVariant(request, supergraph, template, variables, overrides, enrichment).then(
      (prepared) => {
        template.variants.set(key, prepared);
        return { kind: 'prepared', operation: prepared.operation };
      },
    );
  }

  /** Makes another supergraph ready to take over: what every operation needs of it is made, and what was used most
   *  of the previous one is planned. Operations that it cannot plan are passed over. Ends early when the signal says
   *  so, up to one plan later. */
  async warm(
    next: Supergraph,
    previous: Supergraph | undefined,
    count: number,
    signal: AbortSignal,
  ): Promise<void> {
    // Each reads the whole supergraph: not for a request to do, and not both in one turn.
    InternalNames.forSupergraph(next);
    await yieldToEventLoop();
    TypeConditions.forSupergraph(next);
    await yieldToEventLoop();
    if (previous === undefined) return;
    for (const { key, value, uses } of this.#plans.mostUsed(previous.id, count)) {
      for (const overrides of overridesToWarm(next, previous, key.operation, key.overrides)) {
        if (signal.aborted) return;
        const planned = await this.#plan(next, { ...value.input, overrides }).catch(() => undefined);
        // Half of it is carried over, so that the next switch still knows, and what is out of fashion goes down.
        if (planned !== undefined) this.#recordPlanUses(next, planned, Math.floor(uses / 2));
      }
    }
  }

  /** Drops the plans of a supergraph that nobody uses any more. */
  evict(supergraph: Supergraph): void {
    this.#plans.evict(supergraph.id);
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
        conditionVariables: conditionVariables(request.document),
        overrideLabels: relevantOverrides(supergraph, request.document, operation),
        rules: undefined,
        variants: new LRUCache({ max: maxVariantsPerDocument }),
      };
      ofDocument.set(name, template);
    }
    return template;
  }

  /** Mutations answer when all is done. */
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
  ): Promise<PreparedVariant> {
    const { apiSchema } = supergraph;
    const normalized = normalizeOperation({
      schema: apiSchema,
      document: request.document,
      operation,
      booleanVariables: variables,
      internalNames: InternalNames.forSupergraph(supergraph),
      maxSelections: this.#options.maxSelections,
      isDeferEnabled: request.acceptsIncremental,
      findEnrichmentRule: enrichment?.findEnrichmentRule,
    });
    const clients = normalized.deferred.filter(({ rule }) => rule === undefined);
    const ofGateway = normalized.deferred.length - clients.length;
    // A plan that the planner splits for the client's own fragments cannot be divided any further.
    const isFused = enrichment?.isFused === true && clients.length === 0;
    const isWhole = isFused || ofGateway > maxSplitEnrichments;
    const question = createPlannerInput(operation, normalized, overrides, isWhole);
    const planned = question === undefined ? undefined : await this.#plan(supergraph, question);
    const prepared: PreparedOperation = {
      supergraph,
      kind: operation.operation,
      rootType: apiSchema.getRootType(operation.operation) as GraphQLObjectType,
      root: normalized.root,
      deferred: clients,
      enrichments: normalized.deferred.flatMap(({ group, rule }) =>
        rule === undefined ? [] : [{ group, rule }],
      ),
      isFused,
      program: this.#compile(supergraph, normalized, variables, planned),
      overrides,
      introspection: createIntrospectionDocument(operation, normalized.root),
    };
    return { operation: prepared, planned, unreportedUses: 1 };
  }

  #compile(
    supergraph: Supergraph,
    { root, deferred }: NormalizedOperation,
    variables: Readonly<Record<string, unknown>>,
    planned: PlannedOperation | undefined,
  ): Program {
    const plan: QueryPlan = planned?.plan ?? { kind: 'QueryPlan' };
    if (plan.node === undefined && root.selections.some((selection) => !isAnsweredByGateway(selection))) {
      throw new GatewayError(
        'PLANNING_FAILED',
        'The operation cannot be answered: no subgraph resolves the fields that it selects.',
      );
    }
    const options = {
      plan,
      groupCount: deferred.length + 1,
      booleanVariables: variables,
      shapes: this.#shapeRegistryOf(supergraph),
      conditions: TypeConditions.forSupergraph(supergraph),
    };
    // Equal questions share a plan, whether or not there is something deferred in the operations that they stand for.
    const isDivided =
      deferred.length === 0 ||
      planned === undefined ||
      (planned.isSplitByPlanner && planned.input.document.includes(deferMarker));
    return isDivided ? compileProgram(options) : splitProgramByPaths({ ...options, root });
  }

  /** The plan cache sees an operation once; how often it is used afterwards decides on what is planned for the next
   *  supergraph, and keeps it from being pushed out by what was sent once. */
  #recordUse(prepared: PreparedVariant, supergraph: Supergraph): void {
    prepared.unreportedUses += 1;
    if (prepared.unreportedUses < usesPerReport || prepared.planned === undefined) return;
    this.#recordPlanUses(supergraph, prepared.planned, prepared.unreportedUses);
    prepared.unreportedUses = 0;
  }

  #recordPlanUses({ id }: Supergraph, planned: PlannedOperation, uses: number): void {
    const { document: operation, overrides } = planned.input;
    this.#plans.recordUses({ supergraphId: id, operation, overrides }, planned, uses);
  }

  #plan(supergraph: Supergraph, question: PlannerInput): Promise<PlannedOperation> {
    const { document: operation, overrides } = question;
    return this.#plans.getOrLoad({ supergraphId: supergraph.id, operation, overrides }, () =>
      planOperation(supergraph.planner, question),
    );
  }

  #shapeRegistryOf(supergraph: Supergraph): FetchShapeRegistry {
    let shapes = this.#shapeRegistries.get(supergraph);
    if (shapes === undefined) {
      shapes = new FetchShapeRegistry();
      this.#shapeRegistries.set(supergraph, shapes);
    }
    return shapes;
  }
}

/** Looking a plan up by its text costs as much as the rest of finding an operation again. */
const usesPerReport = 16;

/** Each one more makes planning harder, and no client has asked for it. */
const maxSplitEnrichments = 16;

/** Combinations of conditions that are kept for one document: clients use few of the 2ⁿ. */
const maxVariantsPerDocument = 32;
