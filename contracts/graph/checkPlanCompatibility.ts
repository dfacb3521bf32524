import type { ConsumerOperation } from '../contractStore.ts';
import { CrossVersionPlanCheck, changedSubgraphs, type RunningSubgraphs } from './crossVersionPlanCheck.ts';
import type { FetchProblem } from './fetchProblem.ts';
import type { PlannedFetch } from './flattenPlan.ts';
import type { ConsumerPlan, PlannedGraph } from './planConsumerOperations.ts';

/** Whether the plans of one operation and the two versions of one subgraph work together during a rollout. */
export interface PlanCompatibility {
  /** The operation of the candidate; that of the baseline when the candidate has none. */
  readonly operation: ConsumerOperation;
  readonly subgraph: string;
  /** Why plans of gateways with the old supergraph fail on the new subgraph. */
  readonly oldPlanProblems: readonly FetchProblem[];
  /** Those of `oldPlanProblems` that plans of the new supergraph have as well: the new subgraph refuses values that the
   *  new supergraph accepts, because other subgraphs do; or the planner sends inputs of a `@requires` to an entity of which
   *  the subgraph resolves no key, or inputs that may be null, which composition does not notice. */
  readonly lastingProblems: readonly FetchProblem[];
  /** Why plans of gateways with the new supergraph fail on the old subgraph. */
  readonly newPlanProblems: readonly FetchProblem[];
}

/** Checks the plans of running gateways against the new subgraphs, and the new plans against the running subgraphs.
 *  Gateways may have been composed from other versions than those that run. Returns one result for each pair of an
 *  operation and a changed subgraph that a plan fetches from. Operations are matched by consumer and name. */
export function checkPlanCompatibility(
  gateway: PlannedGraph,
  running: RunningSubgraphs,
  next: PlannedGraph,
): readonly PlanCompatibility[] {
  const changedForGateways = new Set(changedSubgraphs(gateway.graph.contracts, next.graph.contracts));
  const changed = new Set(changedSubgraphs(running.contracts, next.graph.contracts));
  const names = [...changedForGateways.union(changed)];
  if (names.length === 0) return [];
  const oldPlans = new CrossVersionPlanCheck(gateway.graph, next.graph);
  const newPlans = new CrossVersionPlanCheck(next.graph, running);
  const ownPlans = new CrossVersionPlanCheck(next.graph, next.graph);
  const runningPlans = new CrossVersionPlanCheck(gateway.graph, running);
  return pairOperations(gateway, next).flatMap(({ operation, before, after }) => {
    const isRefused = before?.kind === 'planned' && after?.kind === 'failed';
    const oldFetches = fetchesOf(before);
    const newFetches = isRefused ? (after.remainingFetches ?? []) : fetchesOf(after);
    const fetched = new Set([...oldFetches, ...newFetches].map(({ subgraph }) => subgraph));
    const touched = names.filter((name) => fetched.has(name));
    return touched.map((subgraph) => {
      // No change causes what running gateways have with the running subgraphs.
      const isNew = ({ kind, message }: FetchProblem): boolean =>
        kind !== 'null input' ||
        runningPlans.check(oldFetches, subgraph, operation).every((known) => known.message !== message);
      const oldPlanProblems = (
        changedForGateways.has(subgraph) ? oldPlans.check(oldFetches, subgraph, operation) : []
      ).filter(isNew);
      // Consumers keep sending the variables that they send now, and the running subgraph accepts those.
      const newPlanProblems = changed.has(subgraph)
        ? newPlans
            .check(newFetches, subgraph, operation)
            .filter((problem) => problem.kind !== 'input' && isNew(problem))
        : [];
      const refusals = oldPlanProblems.filter(({ kind }) => lastingKinds.has(kind));
      const own = new Set(
        (refusals.length === 0 ? [] : ownPlans.check(newFetches, subgraph, operation)).map(lastingKeyOf),
      );
      const lastingProblems = refusals.filter((problem) => own.has(lastingKeyOf(problem)));
      return { operation, subgraph, oldPlanProblems, lastingProblems, newPlanProblems };
    });
  });
}

const lastingKinds: ReadonlySet<FetchProblem['kind']> = new Set(['invalid', 'input', 'no key', 'null input']);

/** The message about a key has the fields that a plan sends, which may be others in another plan. */
function lastingKeyOf({ kind, message, coordinates }: FetchProblem): string {
  return kind === 'no key' ? `${kind} ${coordinates}` : message;
}

interface OperationPair {
  readonly operation: ConsumerOperation;
  readonly before: ConsumerPlan | undefined;
  readonly after: ConsumerPlan | undefined;
}

/** Pairs the plans of every operation in both graphs, operations of the candidate first. */
export function pairOperations(old: PlannedGraph, next: PlannedGraph): readonly OperationPair[] {
  const before = new Map(Array.from(old.plans, (entry) => [keyOf(entry[0]), entry] as const));
  const pairs = Array.from(next.plans, ([operation, after]): OperationPair => {
    const key = keyOf(operation);
    const same = before.get(key);
    before.delete(key);
    return { operation, before: same?.[1], after };
  });
  const removed = Array.from(before.values(), ([operation, planned]) => ({
    operation,
    before: planned,
    after: undefined,
  }));
  return [...pairs, ...removed];
}

function keyOf({ consumer, name }: ConsumerOperation): string {
  return JSON.stringify([consumer, name]);
}

/** The fetches of all plans of an operation. */
export function fetchesOf(planned: ConsumerPlan | undefined): readonly PlannedFetch[] {
  return planned?.kind === 'planned' ? planned.variants.flatMap(({ fetches }) => fetches) : [];
}
