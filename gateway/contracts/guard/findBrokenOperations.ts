import type { ConsumerOperation, ContractStore } from '../../../contracts/contractStore.ts';
import { readSubgraphStatements } from '../../../contracts/drift/subgraphStatements.ts';
import type { Breakage } from '../../../contracts/evaluation/breakage.ts';
import { findBreakagesAfterRollout } from '../../../contracts/evaluation/findBreakagesAfterRollout.ts';
import {
  type StatementsOfVersions,
  waiversCoverBreakage,
} from '../../../contracts/evaluation/waiversCoverBreakage.ts';
import type { FileLocation } from '../../../contracts/finding.ts';
import { flattenPlan } from '../../../contracts/graph/flattenPlan.ts';
import {
  findRequestProblems,
  type PlanResult,
  planOnSupergraph,
} from '../../../contracts/graph/planOnSupergraph.ts';
import {
  readSupergraphMetadata,
  type SupergraphMetadata,
} from '../../../contracts/graph/supergraphMetadata.ts';
import type { OperationLimits } from '../../operation/operationLimits.ts';
import type { Supergraph } from '../../supergraph/supergraph.ts';
import { yieldToEventLoop } from '../../time/yieldToEventLoop.ts';
import type { LiveCompatibilityCheck } from './liveCompatibilityCheck.ts';
import type { LivePlanProblem } from './planVerifier.ts';

interface BrokenOperationQuery {
  readonly store: Pick<ContractStore, 'operations' | 'waivers'>;
  readonly next: Supergraph;
  /** The supergraph in use; `undefined` when there is none. */
  readonly current: Supergraph | undefined;
  /** Of this gateway. */
  readonly limits: OperationLimits;
  /** Verifies plans against the running subgraphs. Omitted: plans are not verified. */
  readonly live?: Pick<LiveCompatibilityCheck, 'problemsOf'> | undefined;
  /** The day in UTC, such as `2027-01-31`. It decides which waivers have expired. */
  readonly today: string;
  /** How many operations are planned at the same time. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
}

/** An operation of the store that works now and fails with the next supergraph. */
export interface BrokenOperation {
  readonly consumer: string;
  readonly operation: string;
  readonly location: FileLocation;
  readonly reasons: readonly string[];
  /** Schema elements that the breakage is about. */
  readonly coordinates: readonly string[];
  /** Running subgraphs that do not serve the new plan. When there are any, the breakage has no other reason. */
  readonly subgraphs?: readonly string[] | undefined;
}

/** Finds operations that work with the current supergraph and fail with the next one: because of the supergraph
 *  itself, or because a running subgraph does not serve the new plan. Operations that already fail are ignored. Each
 *  turn of the event loop handles one operation, and the current supergraph's planner, which also serves requests,
 *  plans one at a time.
 *  @throws {unknown} the reason of `signal`. */
export async function findBrokenOperations(query: BrokenOperationQuery): Promise<readonly BrokenOperation[]> {
  const { store, limits, concurrency, signal } = query;
  const found = new Map<ConsumerOperation, BrokenOperation>();
  const remaining = store.operations.values();
  let lastTurn = Promise.resolve();
  // Each worker waits for the turn of the one before it, so that one turn handles one operation.
  const nextTurn = (): Promise<void> => {
    lastTurn = lastTurn.then(yieldToEventLoop);
    return lastTurn;
  };
  let lastPlan: Promise<unknown> = Promise.resolve();
  const planOnCurrent: PlanOnCurrent = (operation, current) => {
    const planned = lastPlan.then(() => {
      signal.throwIfAborted();
      return planOnSupergraph(operation, current, limits);
    });
    lastPlan = planned.catch(() => {});
    return planned;
  };
  const supergraphs = new SupergraphPair(query);
  const runWorker = async (): Promise<void> => {
    for (const operation of remaining) {
      await nextTurn();
      const broken = await new OperationCheck(operation, query, planOnCurrent, supergraphs).run();
      // A closed planner plans nothing, which says nothing about the operation.
      signal.throwIfAborted();
      if (broken !== undefined) found.set(operation, broken);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, runWorker));
  return store.operations.flatMap((operation) => found.get(operation) ?? []);
}

/** Computes on demand what few checks need of both supergraphs. */
class SupergraphPair {
  readonly #next: Supergraph;
  readonly #current: Supergraph | undefined;
  #served: SupergraphMetadata | undefined;
  #statements: StatementsOfVersions | undefined;

  constructor({ next, current }: Pick<BrokenOperationQuery, 'next' | 'current'>) {
    this.#next = next;
    this.#current = current;
  }

  served(): SupergraphMetadata {
    this.#served ??= readSupergraphMetadata(this.#next.sdl);
    return this.#served;
  }

  statements(): StatementsOfVersions | undefined {
    if (this.#current === undefined) return undefined;
    this.#statements ??= {
      old: readSubgraphStatements(this.#current.sdl),
      next: readSubgraphStatements(this.#next.sdl),
    };
    return this.#statements;
  }
}

type PlanOnCurrent = (operation: ConsumerOperation, supergraph: Supergraph) => Promise<PlanResult>;

/** The check of one operation. */
class OperationCheck {
  readonly #operation: ConsumerOperation;
  readonly #query: BrokenOperationQuery;
  readonly #planOnCurrent: PlanOnCurrent;
  readonly #supergraphs: SupergraphPair;

  constructor(
    operation: ConsumerOperation,
    query: BrokenOperationQuery,
    planOnCurrent: PlanOnCurrent,
    supergraphs: SupergraphPair,
  ) {
    this.#operation = operation;
    this.#query = query;
    this.#planOnCurrent = planOnCurrent;
    this.#supergraphs = supergraphs;
  }

  async run(): Promise<BrokenOperation | undefined> {
    const { next, current, limits, live } = this.#query;
    const operation = this.#operation;
    const after = await planOnSupergraph(operation, next, limits);
    if (current === undefined) {
      return after.kind === 'failed' ? this.#brokenBy(after.problems) : undefined;
    }
    if (findRequestProblems(operation, current.apiSchema, limits).length > 0) return undefined;
    const served = () => this.#supergraphs.served();
    const broken = this.#brokenBy(
      findBreakagesAfterRollout(operation, after, current.apiSchema, next.apiSchema, served, {
        // The supergraph does not say which arguments accept null in a subgraph.
        acceptNull: () => false,
        requests: () =>
          after.kind === 'failed'
            ? []
            : after.variants.flatMap(({ plan }) => flattenPlan(plan, served().schema)),
      }),
    );
    if (after.kind === 'planned') {
      return broken ?? (live && (await this.#brokenByLiveSubgraphs(live, current, after)));
    }
    if (broken === undefined) return undefined;
    const isPlanning = after.problems.every(({ kind }) => kind === 'unplannable' || kind === 'limit');
    return isPlanning && (await this.#planOnCurrent(operation, current)).kind === 'failed'
      ? undefined
      : broken;
  }

  async #brokenByLiveSubgraphs(
    subgraphs: Pick<LiveCompatibilityCheck, 'problemsOf'>,
    used: Supergraph,
    { variants }: PlannedResult,
  ): Promise<BrokenOperation | undefined> {
    const plans = plansOf(variants);
    const problems = (await subgraphs.problemsOf('next', plans)).map((found) => this.#notWaived(found));
    if (problems.every(({ length }) => length === 0)) return undefined;
    const before = await this.#planOnCurrent(this.#operation, used);
    if (before.kind === 'failed') return undefined;
    const currentProblems = await subgraphs.problemsOf('current', plansOf(before.variants));
    const found = variants.flatMap(({ overrides }, index) => {
      const same = before.variants.findIndex((variant) => String(variant.overrides) === String(overrides));
      // When the current plan fails as well, the operation does not break because of the next supergraph.
      return currentProblems[Math.max(same, 0)]?.length === 0 ? (problems[index] ?? []) : [];
    });
    if (found.length === 0) return undefined;
    const reasons = found.map((problem) => ({ ...problem, message: describeNotServed(problem) }));
    return {
      ...toBrokenOperation(this.#operation, reasons),
      subgraphs: [...new Set(found.map(({ subgraph }) => subgraph))],
    };
  }

  #brokenBy(reasons: readonly Reason[]): BrokenOperation | undefined {
    const unwaived = this.#notWaived(reasons);
    return unwaived.length === 0 ? undefined : toBrokenOperation(this.#operation, unwaived);
  }

  /** A waiver for the change also covers the breakages that the change leads to. */
  #notWaived<Waived extends Reason>(reasons: readonly Waived[]): readonly Waived[] {
    const { store, today, current, next } = this.#query;
    if (reasons.length === 0) return reasons;
    const waivers = store.waivers.filter(({ expires }) => today <= expires);
    if (waivers.length === 0) return reasons;
    const versions = {
      old: current?.apiSchema,
      next: next.apiSchema,
      statements: () => this.#supergraphs.statements(),
    };
    return reasons.filter(({ message, coordinates, subgraph }) => {
      const phase = 'after rollout';
      const breakage: Breakage = { operation: this.#operation, phase, subgraph, message, coordinates };
      return !waiversCoverBreakage(waivers, breakage, versions);
    });
  }
}

function toBrokenOperation(
  { consumer, name, location }: ConsumerOperation,
  reasons: readonly Reason[],
): BrokenOperation {
  return {
    consumer,
    operation: name,
    location,
    reasons: [...new Set(reasons.map(({ message }) => message))],
    coordinates: [...new Set(reasons.flatMap(({ coordinates }) => coordinates))],
  };
}

interface Reason {
  /** The running subgraph that does not serve the plan; `undefined` for a reason in the supergraph itself. */
  readonly subgraph?: string | undefined;
  readonly message: string;
  readonly coordinates: readonly string[];
}

type PlannedResult = Extract<PlanResult, { readonly kind: 'planned' }>;

function plansOf(variants: PlannedResult['variants']) {
  return variants.map(({ plan }) => plan);
}

function describeNotServed({ subgraph, message, coordinates }: LivePlanProblem): string {
  const parts = coordinates.length === 0 ? '' : ` (${coordinates.join(', ')})`;
  // Validation messages are whole sentences.
  const why = message.replace(/\.$/, '');
  return `its new plan fails on a running subgraph: ${why}${parts}; first deploy the version of subgraph "${subgraph}" that the supergraph was composed from`;
}
