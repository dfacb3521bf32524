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
import { deferByData } from '../execution/deferByData.ts';
import { FetchShapes } from '../execution/fetchShape.ts';
import type { Program } from '../execution/program.ts';
import { TypeConditions } from '../execution/typeConditions.ts';
import { createPlanCache, type PlanCache } from '../planning/planCache.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { InternalNames } from './internalNames.ts';
import { introspectionDocument } from './introspection.ts';
import { type NormalizedOperation, normalizeOperation } from './normalize.ts';
import type { OverrideDecision } from './overrideDecision.ts';
import { overridesToWarm } from './overridesToWarm.ts';
import { type PlannedOperation, plannerQuestion, planOperation } from './planOperation.ts';
import type { PreparedOperation } from './preparedOperation.ts';
import { deferMark, isAnsweredByGateway } from './printOperation.ts';
import { relevantOverrides } from './relevantOverrides.ts';
import { coerceVariables, conditionVariables } from './variables.ts';

export interface PrepareOptions {
  /** Plans kept for all supergraphs together, and prepared operations as well. */
  readonly cacheSize: number;
  /** Most selections that an operation may have once its fragments are expanded. */
  readonly maxSelections: number;
}

export interface PrepareRequest {
  readonly document: DocumentNode;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>>;
  /** Whether the client takes deferred parts; if not, `@defer` counts for nothing. */
  readonly incremental: boolean;
  readonly isOverridden: OverrideDecision;
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
  /** Key: whether deferred parts are taken, the conditions' values, which labels are on. */
  readonly prepared: LRUCache<string, PreparedOperation>;
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
    const coerced = coerceVariables(supergraph.apiSchema, template.operation, request.variables);
    if (coerced.kind === 'refused') return coerced;
    const variables = coerced.values;
    let key = request.incremental ? 'd' : '';
    for (const name of template.conditions)
      key += variables[name] === true ? '1' : variables[name] === false ? '0' : '-';
    const overrides = template.labels.filter(request.isOverridden);
    if (overrides.length > 0) key += JSON.stringify(overrides);
    const known = template.prepared.get(key);
    if (known !== undefined) return { kind: 'prepared', operation: known };
    return this.#make(request, supergraph, template, variables, overrides).then((operation) => {
      template.prepared.set(key, operation);
      return { kind: 'prepared', operation };
    });
  }

  /** Plans the most used operations of one supergraph for another that is about to replace it. Operations that
   *  it cannot plan are passed over. */
  async warm(next: Supergraph, previous: Supergraph, count: number, signal: AbortSignal): Promise<void> {
    for (const used of this.#plans.mostUsed(previous.id, count)) {
      const { operation } = used;
      for (const overrides of overridesToWarm(next, previous, operation, used.overrides)) {
        if (signal.aborted) return;
        const question = { document: operation, whole: undefined, overrides };
        await this.#plans
          .getOrLoad({ supergraphId: next.id, operation, overrides }, () =>
            planOperation(next.planner, 'query', question),
          )
          .catch(() => undefined);
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
        prepared: new LRUCache({ max: maxCombinations }),
      };
      ofDocument.set(name, template);
    }
    return template;
  }

  async #make(
    request: PrepareRequest,
    supergraph: Supergraph,
    { operation }: Template,
    variables: Readonly<Record<string, unknown>>,
    overrides: readonly string[],
  ): Promise<PreparedOperation> {
    const { apiSchema } = supergraph;
    const normalized = normalizeOperation({
      schema: apiSchema,
      document: request.document,
      operation,
      booleans: variables,
      names: InternalNames.of(supergraph),
      maxSelections: this.#options.maxSelections,
      defer: request.incremental,
    });
    return {
      supergraph,
      kind: operation.operation,
      rootType: apiSchema.getRootType(operation.operation) as GraphQLObjectType,
      root: normalized.root,
      deferred: normalized.deferred,
      program: await this.#program(supergraph, operation, normalized, variables, overrides),
      introspection: introspectionDocument(operation, normalized.root),
    };
  }

  async #program(
    supergraph: Supergraph,
    operation: OperationDefinitionNode,
    normalized: NormalizedOperation,
    variables: Readonly<Record<string, unknown>>,
    overrides: readonly string[],
  ): Promise<Program> {
    const { root, deferred } = normalized;
    const question = plannerQuestion(operation, normalized, overrides);
    const planned: PlannedOperation =
      question === undefined
        ? { plan: { kind: 'QueryPlan' }, isSplitByPlanner: true }
        : await this.#plans.getOrLoad(
            { supergraphId: supergraph.id, operation: question.document, overrides },
            () => planOperation(supergraph.planner, operation.operation, question),
          );
    if (
      planned.plan.node === undefined &&
      root.selections.some((selection) => !isAnsweredByGateway(selection))
    ) {
      throw new GatewayError(
        'PLANNING_FAILED',
        'The operation cannot be answered: no subgraph resolves the fields that it selects.',
      );
    }
    const options = {
      plan: planned.plan,
      deferred,
      booleans: variables,
      shapes: this.#shapesOf(supergraph),
      conditions: TypeConditions.of(supergraph),
    };
    // Equal questions share a plan, whether or not there is something deferred in the operations that they stand for.
    const isDivided =
      deferred.length === 0 || (planned.isSplitByPlanner && question?.document.includes(deferMark) === true);
    return isDivided ? compileProgram(options) : deferByData({ ...options, root });
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

/** Combinations of conditions that are kept for one document: clients use few of the 2ⁿ. */
const maxCombinations = 32;
