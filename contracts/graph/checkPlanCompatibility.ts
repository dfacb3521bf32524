import type { ConsumerOperation } from '../contractStore.ts';
import type { Deployment } from '../finding.ts';
import { checkFetch } from './checkFetch.ts';
import type { ContractGraph } from './composeGraph.ts';
import { determineDeployment } from './determineDeployment.ts';
import type { FetchProblem, FetchTarget } from './fetchProblem.ts';
import type { PlannedFetch } from './flattenPlan.ts';
import type { ConsumerPlan, OnProgress, PlannedGraph } from './planConsumerOperations.ts';
import { subgraphSchemaOf } from './subgraphSchema.ts';
import { supergraphMetadataOf } from './supergraphMetadata.ts';

/** Whether the plans of one operation and the two versions of one subgraph work together during a rollout. */
export interface PlanCompatibility {
  /** The operation of the candidate; that of the baseline when the candidate has none. */
  readonly operation: ConsumerOperation;
  readonly subgraph: string;
  /** Why plans of gateways with the old supergraph fail on the new subgraph. */
  readonly oldPlanProblems: readonly FetchProblem[];
  /** Why plans of gateways with the new supergraph fail on the old subgraph. */
  readonly newPlanProblems: readonly FetchProblem[];
  readonly deployment: Deployment;
}

interface CheckPlanCompatibilityOptions {
  readonly onProgress?: OnProgress | undefined;
}

/** Checks the old plans against the new subgraphs, and the new plans against the old ones. Returns one result for
 *  each pair of an operation and a changed subgraph that a plan fetches from, or that the new graph refuses the
 *  operation with. Operations are matched by consumer and name. */
export function checkPlanCompatibility(
  old: PlannedGraph,
  next: PlannedGraph,
  { onProgress }: CheckPlanCompatibilityOptions = {},
): readonly PlanCompatibility[] {
  const changed = changedSubgraphs(old.graph, next.graph);
  if (changed.length === 0) return [];
  const pairs = pairOperations(old, next);
  const fromOld = new CrossVersionPlanCheck(old.graph, next.graph);
  const fromNew = new CrossVersionPlanCheck(next.graph, old.graph);
  return pairs.flatMap(({ operation, before, after }, index) => {
    const isRefused = before?.kind === 'planned' && after?.kind === 'failed';
    const oldFetches = fetchesOf(before);
    const newFetches = isRefused ? (after.remainingFetches ?? []) : fetchesOf(after);
    const touched = changed.filter((name) =>
      [...oldFetches, ...newFetches].some(({ subgraph }) => subgraph === name),
    );
    const compatibilities = (touched.length === 0 && isRefused ? changed : touched).map((subgraph) => {
      const oldPlanProblems = fromOld.check(oldFetches, subgraph);
      const newPlanProblems = fromNew.check(newFetches, subgraph);
      const deployment = determineDeployment({
        subgraph,
        oldPlanProblems,
        newPlanProblems,
        isRefused,
      });
      return { operation, subgraph, oldPlanProblems, newPlanProblems, deployment };
    });
    onProgress?.(index + 1, pairs.length, 'checking plans against subgraphs');
    return compatibilities;
  });
}

function changedSubgraphs(old: ContractGraph, next: ContractGraph): readonly string[] {
  const names = new Set([...old.contracts.keys(), ...next.contracts.keys()]);
  return [...names].filter((name) => old.contracts.get(name)?.sdl !== next.contracts.get(name)?.sdl);
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

function fetchesOf(planned: ConsumerPlan | undefined): readonly PlannedFetch[] {
  return planned?.kind === 'planned' ? planned.variants.flatMap(({ fetches }) => fetches) : [];
}

/** Checks plans for one graph against the subgraphs of another. */
class CrossVersionPlanCheck {
  readonly #planned: ContractGraph;
  readonly #running: ContractGraph;
  readonly #targets = new Map<string, FetchTarget | undefined>();

  constructor(planned: ContractGraph, running: ContractGraph) {
    this.#planned = planned;
    this.#running = running;
  }

  check(fetches: readonly PlannedFetch[], subgraph: string): readonly FetchProblem[] {
    const own = fetches.filter((fetch) => fetch.subgraph === subgraph);
    const target = this.#targetOf(subgraph);
    if (own.length === 0) return [];
    if (target === undefined) {
      const message = `there is no subgraph "${subgraph}"`;
      return [{ kind: 'no subgraph', isCertain: true, message, coordinates: [] }];
    }
    const problems = own.flatMap((fetch) => checkFetch(fetch, supergraphMetadataOf(this.#planned), target));
    return [...new Map(problems.map((problem) => [problem.message, problem])).values()];
  }

  #targetOf(name: string): FetchTarget | undefined {
    if (!this.#targets.has(name)) {
      const contract = this.#running.contracts.get(name);
      const metadata = supergraphMetadataOf(this.#running).subgraphs.get(name);
      const exists = contract !== undefined && metadata !== undefined;
      this.#targets.set(name, exists ? { name, schema: subgraphSchemaOf(contract), metadata } : undefined);
    }
    return this.#targets.get(name);
  }
}
