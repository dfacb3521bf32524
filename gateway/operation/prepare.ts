import {
  type DocumentNode,
  type GraphQLError,
  type GraphQLObjectType,
  getOperationAST,
  type OperationDefinitionNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import type { EnrichmentRule } from '../enrichment/enrichmentRule.ts';
import { GatewayError } from '../errors.ts';
import { compileProgram } from '../execution/compileProgram.ts';
import { deferByData } from '../execution/deferByData.ts';
import { FetchShapes } from '../execution/fetchShape.ts';
import type { Program } from '../execution/program.ts';
import { TypeConditions } from '../execution/typeConditions.ts';
import { createPlanCache, type PlanCache } from '../planning/planCache.ts';
import type { QueryPlan } from '../planning/queryPlan.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { nextTurn } from '../time/nextTurn.ts';
import { enrichmentRulesOf } from './enrichmentRulesOf.ts';
import { InternalNames } from './internalNames.ts';
import { introspectionDocument } from './introspection.ts';
import { type EnrichmentOf, type NormalizedOperation, normalizeOperation } from './normalize.ts';
import type { OverrideDecision } from './overrideDecision.ts';
import { overridesToWarm } from './overridesToWarm.ts';
import {
  type PlannedOperation,
  type PlannerQuestion,
  plannerQuestion,
  planOperation,
} from './planOperation.ts';
import type { PreparedOperation } from './preparedOperation.ts';
import { deferMark, isAnsweredByGateway } from './printOperation.ts';
import { relevantOverrides } from './relevantOverrides.ts';
import { coerceVariables, conditionVariables } from './variables.ts';

export interface PrepareOptions {
  /** Plans kept for all supergraphs together, and prepared operations as well. */
  readonly cacheSize: number;
  /** Most selections that an operation may have once its fragments are expanded. */
  readonly maxSelections: number;
  /** Most values within the lists and objects of a request's variables. */
  readonly maxVariableValues: number;
}

export interface PrepareRequest {
  readonly document: DocumentNode;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>>;
  /** Whether the client takes deferred parts; if not, `@defer` counts for nothing. */
  readonly incremental: boolean;
  readonly isOverridden: OverrideDecision;
  /** `undefined` where every field is waited for. */
  readonly enrichment?: EnrichmentChoice | undefined;
}

/** Decides on the fields that may come late. */
export interface EnrichmentChoice {
  ruleOf(parentType: string, fieldName: string): EnrichmentRule | undefined;
  /** Whether the enrichments of an operation, of which these are all, are fetched with the primary data where that
   *  saves requests. */
  isFused(rules: readonly EnrichmentRule[]): boolean;
}

export type Preparation =
  | { readonly kind: 'prepared'; readonly operation: PreparedOperation }
  /** Nothing is executed. */
  | { readonly kind: 'refused'; readonly errors: readonly GraphQLError[] };

/** Operations of one document and name, one for each combination of folded conditions. */
interface Template {
  readonly operation: OperationDefinitionNode;
  readonly conditions: readonly string[];
  /** Labels of `@override`s that its plan can depend on. */
  readonly labels: readonly string[];
  /** Of the fields that it may ask for, whatever its conditions say; `undefined` while nobody has looked. */
  rules: readonly EnrichmentRule[] | undefined;
  /** Key: whether deferred parts are taken, how enrichments are fetched, the conditions' values, which labels are on. */
  readonly prepared: LRUCache<string, Prepared>;
}

interface PreparedEnrichment {
  readonly enrichmentOf: EnrichmentOf;
  readonly isFused: boolean;
}

interface Prepared {
  readonly operation: PreparedOperation;
  /** `undefined` where no subgraph has to be asked. */
  readonly planned: PlannedOperation | undefined;
  /** Since the plan cache was told. */
  uses: number;
}

/** Makes operations ready: conditions folded, fragments expanded, planned and compiled. What has been made
 *  ready once is found again by the document itself; equal operations share a plan even if written differently. */
export class Preparer {
  readonly #options: PrepareOptions;
  readonly #plans: PlanCache<PlannedOperation>;
  readonly #templates = new WeakMap<Supergraph, WeakMap<DocumentNode, Map<string, Template>>>();
  readonly #shapes = new WeakMap<Supergraph, FetchShapes>();

  constructor(options: PrepareOptions) {
    this.#options = options;
    this.#plans = createPlanCache<PlannedOperation>({ maxEntries: options.cacheSize });
  }

  /** Errors: `GatewayError` with `OPERATION_TOO_COMPLEX`, `PLANNING_FAILED`. */
  prepare(request: PrepareRequest, supergraph: Supergraph): Preparation | Promise<Preparation> {
    const template = this.#template(request, supergraph);
    const coerced = coerceVariables(
      supergraph.apiSchema,
      template.operation,
      request.variables,
      this.#options.maxVariableValues,
    );
    if (coerced.kind === 'refused') return coerced;
    const variables = coerced.values;
    const enrichment = this.#enrichmentFor(template, request, supergraph);
    let key = request.incremental ? 'd' : '';
    if (enrichment !== undefined) key += enrichment.isFused ? 'f' : 'e';
    for (const name of template.conditions)
      key += variables[name] === true ? '1' : variables[name] === false ? '0' : '-';
    const overrides = template.labels.filter(request.isOverridden);
    if (overrides.length > 0) key += JSON.stringify(overrides);
    const known = template.prepared.get(key);
    if (known !== undefined) {
      this.#countUse(known, supergraph);
      return { kind: 'prepared', operation: known.operation };
    }
    return this.#make(request, supergraph, template, variables, overrides, enrichment).then((prepared) => {
      template.prepared.set(key, prepared);
      return { kind: 'prepared', operation: prepared.operation };
    });
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
    InternalNames.of(next);
    await nextTurn();
    TypeConditions.of(next);
    await nextTurn();
    if (previous === undefined) return;
    for (const { key, value, uses } of this.#plans.mostUsed(previous.id, count)) {
      for (const overrides of overridesToWarm(next, previous, key.operation, key.overrides)) {
        if (signal.aborted) return;
        const planned = await this.#plan(next, { ...value.question, overrides }).catch(() => undefined);
        // Half of it is carried over, so that the next switch still knows, and what is out of fashion goes down.
        if (planned !== undefined) this.#countPlan(next, planned, Math.floor(uses / 2));
      }
    }
  }

  /** Drops the plans of a supergraph that nobody uses any more. */
  forget(supergraph: Supergraph): void {
    this.#plans.forget(supergraph.id);
  }

  #template(request: PrepareRequest, supergraph: Supergraph): Template {
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
        conditions: conditionVariables(request.document),
        labels: relevantOverrides(supergraph, request.document, operation),
        rules: undefined,
        prepared: new LRUCache({ max: maxCombinations }),
      };
      ofDocument.set(name, template);
    }
    return template;
  }

  /** Mutations answer when all is done. */
  #enrichmentFor(
    template: Template,
    { document, enrichment }: PrepareRequest,
    { apiSchema }: Supergraph,
  ): PreparedEnrichment | undefined {
    if (enrichment === undefined || template.operation.operation !== 'query') return undefined;
    template.rules ??= enrichmentRulesOf(apiSchema, document, enrichment);
    if (template.rules.length === 0) return undefined;
    return {
      enrichmentOf: (parentType, fieldName) => enrichment.ruleOf(parentType, fieldName),
      isFused: enrichment.isFused(template.rules),
    };
  }

  async #make(
    request: PrepareRequest,
    supergraph: Supergraph,
    { operation }: Template,
    variables: Readonly<Record<string, unknown>>,
    overrides: readonly string[],
    enrichment: PreparedEnrichment | undefined,
  ): Promise<Prepared> {
    const { apiSchema } = supergraph;
    const normalized = normalizeOperation({
      schema: apiSchema,
      document: request.document,
      operation,
      booleans: variables,
      names: InternalNames.of(supergraph),
      maxSelections: this.#options.maxSelections,
      defer: request.incremental,
      enrichmentOf: enrichment?.enrichmentOf,
    });
    const clients = normalized.deferred.filter(({ rule }) => rule === undefined);
    const ofGateway = normalized.deferred.length - clients.length;
    // A plan that the planner splits for the client's own fragments cannot be divided any further.
    const isFused = enrichment?.isFused === true && clients.length === 0;
    const isWhole = isFused || ofGateway > mostSplitEnrichments;
    const question = plannerQuestion(operation, normalized, overrides, isWhole);
    const planned = question === undefined ? undefined : await this.#plan(supergraph, question);
    const prepared: PreparedOperation = {
      supergraph,
      kind: operation.operation,
      rootType: apiSchema.getRootType(operation.operation) as GraphQLObjectType,
      root: normalized.root,
      deferred: clients,
      enrichments: normalized.deferred.flatMap(({ id, rule }) => (rule === undefined ? [] : [{ id, rule }])),
      isFused,
      program: this.#program(supergraph, normalized, variables, planned),
      overrides,
      introspection: introspectionDocument(operation, normalized.root),
    };
    return { operation: prepared, planned, uses: 1 };
  }

  #program(
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
      deferred,
      booleans: variables,
      shapes: this.#shapesOf(supergraph),
      conditions: TypeConditions.of(supergraph),
    };
    // Equal questions share a plan, whether or not there is something deferred in the operations that they stand for.
    const isDivided =
      deferred.length === 0 ||
      planned === undefined ||
      (planned.isSplitByPlanner && planned.question.document.includes(deferMark));
    return isDivided ? compileProgram(options) : deferByData({ ...options, root });
  }

  /** The plan cache sees an operation once; how often it is used afterwards decides on what is planned for the next
   *  supergraph, and keeps it from being pushed out by what was sent once. */
  #countUse(prepared: Prepared, supergraph: Supergraph): void {
    prepared.uses += 1;
    if (prepared.uses < usesCountedAtOnce || prepared.planned === undefined) return;
    this.#countPlan(supergraph, prepared.planned, prepared.uses);
    prepared.uses = 0;
  }

  #countPlan({ id }: Supergraph, planned: PlannedOperation, uses: number): void {
    const { document: operation, overrides } = planned.question;
    this.#plans.count({ supergraphId: id, operation, overrides }, planned, uses);
  }

  #plan(supergraph: Supergraph, question: PlannerQuestion): Promise<PlannedOperation> {
    const { document: operation, overrides } = question;
    return this.#plans.getOrLoad({ supergraphId: supergraph.id, operation, overrides }, () =>
      planOperation(supergraph.planner, question),
    );
  }

  #shapesOf(supergraph: Supergraph): FetchShapes {
    let shapes = this.#shapes.get(supergraph);
    if (shapes === undefined) {
      shapes = new FetchShapes();
      this.#shapes.set(supergraph, shapes);
    }
    return shapes;
  }
}

/** Looking a plan up by its text costs as much as the rest of finding an operation again. */
const usesCountedAtOnce = 16;

/** Each one more makes planning harder, and no client has asked for it. */
const mostSplitEnrichments = 16;

/** Combinations of conditions that are kept for one document: clients use few of the 2ⁿ. */
const maxCombinations = 32;
