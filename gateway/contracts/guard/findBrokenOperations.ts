import type { ConsumerOperation, ContractStore } from '../../../contracts/contractStore.ts';
import { findBreakagesAfterRollout } from '../../../contracts/evaluation/findBreakagesAfterRollout.ts';
import type { FileLocation } from '../../../contracts/finding.ts';
import {
  findRequestProblems,
  type PlanResult,
  planOnSupergraph,
} from '../../../contracts/graph/planOnSupergraph.ts';
import { type RuleId, ruleOf } from '../../../contracts/rules.ts';
import type { Supergraph } from '../../supergraph/supergraph.ts';
import { yieldToEventLoop } from '../../time/yieldToEventLoop.ts';
import type { LiveCompatibilityCheck } from './liveCompatibilityCheck.ts';
import type { LivePlanProblem } from './planVerifier.ts';

export interface BrokenOperationQuery {
  readonly store: Pick<ContractStore, 'operations' | 'waivers'>;
  readonly next: Supergraph;
  /** What is in use; `undefined` where nothing is. */
  readonly current: Supergraph | undefined;
  /** What the subgraphs serve as they run; left out where that is not to count. */
  readonly live?: Pick<LiveCompatibilityCheck, 'problemsOf'> | undefined;
  /** In UTC, `2027-01-31`: waivers expire by it. */
  readonly today: string;
  /** How many operations are planned at the same time. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
}

/** An operation of the store that worked, and does not with the next supergraph. */
export interface BrokenOperation {
  readonly consumer: string;
  readonly operation: string;
  readonly location: FileLocation;
  readonly reasons: readonly string[];
  /** Parts of the schema that it is about. */
  readonly coordinates: readonly string[];
  /** Subgraphs that, as they run, do not serve its new plan. With any, it is about nothing else. */
  readonly subgraphs?: readonly string[] | undefined;
}

/** Tries every operation on the next supergraph, in the threads of its planner, and tells those that work now and will
 *  not then: by the supergraph itself, or since a subgraph, as it runs, does not serve the new plan. What does not work
 *  now either is no reason to stay. In this thread one operation is looked at a turn, and one at a time is planned on the
 *  current supergraph, whose planner has requests to serve. Errors: the signal's reason. */
export async function findBrokenOperations(
  question: BrokenOperationQuery,
): Promise<readonly BrokenOperation[]> {
  const { store, concurrency, signal } = question;
  const found = new Map<ConsumerOperation, BrokenOperation>();
  const open = store.operations.values();
  let lastTurn = Promise.resolve();
  // What waits for the next turn comes all in that one: each waits for the one before it.
  const ownTurn = (): Promise<void> => {
    lastTurn = lastTurn.then(yieldToEventLoop);
    return lastTurn;
  };
  let lastPlan: Promise<unknown> = Promise.resolve();
  const planOnCurrent: PlanOnCurrent = (operation, current) => {
    const planned = lastPlan.then(() => {
      signal.throwIfAborted();
      return planOnSupergraph(operation, current);
    });
    lastPlan = planned.catch(() => {});
    return planned;
  };
  const work = async (): Promise<void> => {
    for (const operation of open) {
      await ownTurn();
      const broken = await checkOperation(operation, question, planOnCurrent);
      // A planner that was closed meanwhile plans nothing, which says nothing about the operation.
      signal.throwIfAborted();
      if (broken !== undefined) found.set(operation, broken);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return store.operations.flatMap((operation) => found.get(operation) ?? []);
}

type PlanOnCurrent = (operation: ConsumerOperation, supergraph: Supergraph) => Promise<PlanResult>;

async function checkOperation(
  operation: ConsumerOperation,
  { next, current, live, store, today }: BrokenOperationQuery,
  planOnCurrent: PlanOnCurrent,
): Promise<BrokenOperation | undefined> {
  const after = await planOnSupergraph(operation, next);
  if (current === undefined) {
    return after.kind === 'failed' ? brokenBy(after.problems) : undefined;
  }
  if (findRequestProblems(operation, current.apiSchema).length > 0) return undefined;
  const broken = brokenBy(findBreakagesAfterRollout(operation, after, current.apiSchema, next.apiSchema));
  if (after.kind === 'planned') return broken ?? (live && brokenByWhatRuns(live, current, after));
  if (broken === undefined) return undefined;
  const isPlanning = after.problems.every(({ kind }) => kind === 'unplannable' || kind === 'limit');
  return isPlanning && (await planOnCurrent(operation, current)).kind === 'failed' ? undefined : broken;

  async function brokenByWhatRuns(
    subgraphs: Pick<LiveCompatibilityCheck, 'problemsOf'>,
    used: Supergraph,
    { variants }: PlannedResult,
  ): Promise<BrokenOperation | undefined> {
    const problems = (await subgraphs.problemsOf('next', plansOf(variants))).map(notWaived);
    if (problems.every(({ length }) => length === 0)) return undefined;
    const before = await planOnCurrent(operation, used);
    if (before.kind === 'failed') return undefined;
    const known = await subgraphs.problemsOf('current', plansOf(before.variants));
    const found = variants.flatMap(({ overrides }, index) => {
      const same = before.variants.findIndex((one) => String(one.overrides) === String(overrides));
      // Where its plan fails now as well, the operation does not work, and not because of the switch.
      return known[Math.max(same, 0)]?.length === 0 ? (problems[index] ?? []) : [];
    });
    if (found.length === 0) return undefined;
    const reasons = found.map((problem) => ({ ...problem, message: describeNotServed(problem) }));
    return { ...told(reasons), subgraphs: [...new Set(found.map(({ subgraph }) => subgraph))] };
  }

  function brokenBy(reasons: readonly Reason[]): BrokenOperation | undefined {
    const left = notWaived(reasons);
    return left.length === 0 ? undefined : told(left);
  }

  /** What was agreed on breaks in the end: a waiver is for a change, and this is what has become of it. */
  function notWaived<Waived extends Reason>(reasons: readonly Waived[]): readonly Waived[] {
    if (reasons.length === 0) return reasons;
    const waived = new Set(
      store.waivers
        .filter(({ rule, expires }) => today <= expires && !isServiceLevelRule(rule))
        .map(({ coordinate }) => coordinate),
    );
    if (waived.has(`${operation.consumer}/${operation.name}`)) return [];
    return reasons.filter(({ coordinates }) => !coordinates.some((one) => waived.has(one)));
  }

  function told(reasons: readonly Reason[]): BrokenOperation {
    const { consumer, name, location } = operation;
    return {
      consumer,
      operation: name,
      location,
      reasons: [...new Set(reasons.map(({ message }) => message))],
      coordinates: [...new Set(reasons.flatMap(({ coordinates }) => coordinates))],
    };
  }
}

interface Reason {
  readonly message: string;
  readonly coordinates: readonly string[];
}

type PlannedResult = Extract<PlanResult, { readonly kind: 'planned' }>;

function plansOf(variants: PlannedResult['variants']) {
  return variants.map(({ plan }) => plan);
}

function describeNotServed({ subgraph, message, coordinates }: LivePlanProblem): string {
  const parts = coordinates.length === 0 ? '' : ` (${coordinates.join(', ')})`;
  // The validator's messages are whole sentences.
  const why = message.replace(/\.$/, '');
  return `its new plan does not work with what runs: ${why}${parts}; deploy the version of subgraph "${subgraph}" first that the supergraph was composed from`;
}

/** An operation may be slower or staler than was agreed on, and is still to work. */
function isServiceLevelRule(rule: RuleId): boolean {
  return rule === 'plan-cost' || ruleOf(rule).isContractTerm === true;
}
