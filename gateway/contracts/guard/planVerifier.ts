import type { Contracts } from '../../../contracts/contractStore.ts';
import { checkFetch } from '../../../contracts/graph/checkFetch.ts';
import type { ContractGraph } from '../../../contracts/graph/composeGraph.ts';
import type { FetchProblem, FetchTarget } from '../../../contracts/graph/fetchProblem.ts';
import { fetchTargetOf } from '../../../contracts/graph/fetchTargetOf.ts';
import { flattenPlan } from '../../../contracts/graph/flattenPlan.ts';
import { supergraphMetadataOf } from '../../../contracts/graph/supergraphMetadata.ts';
import { messageOf } from '../../errors.ts';
import type { QueryPlan } from '../../planning/queryPlan.ts';

/** A supergraph and the schemas that its subgraphs serve now. */
export interface LiveGraph {
  readonly supergraphSdl: string;
  /** Only subgraphs that gave a schema. */
  readonly live: readonly { readonly name: string; readonly sdl: string }[];
}

/** Why a plan fails on a running subgraph. */
export interface LivePlanProblem {
  readonly subgraph: string;
  readonly message: string;
  /** Coordinates in the subgraph's schema. */
  readonly coordinates: readonly string[];
}

/** Verifies plans of a supergraph against the running subgraphs. A subgraph's schema is built when the first plan
 *  needs it, which takes long: do not use this in the thread that serves requests. */
export class PlanVerifier {
  /** Subgraphs with an SDL that cannot be used, and why. They are not verified. */
  readonly unusable = new Map<string, string>();
  readonly #graph: ContractGraph;
  readonly #live: Contracts;

  constructor({ supergraphSdl, live }: LiveGraph) {
    this.#live = new Map(live.map(({ name, sdl }) => [name, { name, url: '', file: name, sdl }]));
    this.#graph = {
      contracts: this.#live,
      sdl: supergraphSdl,
      hints: [],
      get supergraph(): never {
        throw new Error('This graph has no planner.');
      },
    };
  }

  verify(plan: QueryPlan): readonly LivePlanProblem[] {
    const metadata = supergraphMetadataOf(this.#graph);
    const problems = new Map<string, LivePlanProblem>();
    for (const fetch of flattenPlan(plan, metadata.schema)) {
      const target = this.#targetOf(fetch.subgraph);
      if (target === undefined) continue;
      for (const problem of checkFetch(fetch, metadata, target)) {
        const { message, coordinates } = problem;
        if (this.#isFailure(problem, target))
          problems.set(message, { subgraph: target.name, message, coordinates });
      }
    }
    return [...problems.values()];
  }

  /** Problems that depend on the data may not occur, and clients keep sending the variables that they send now. */
  #isFailure({ kind, isCertain }: FetchProblem, { name }: FetchTarget): boolean {
    if (!isCertain || kind === 'input') return false;
    // Federation 1 marks key fields as external although the subgraph serves them.
    return kind !== 'not served' || /@link\b/.test(this.#live.get(name)?.sdl ?? '');
  }

  #targetOf(name: string): FetchTarget | undefined {
    const contract = this.#live.get(name);
    if (contract === undefined || this.unusable.has(name)) return undefined;
    try {
      return fetchTargetOf(contract);
    } catch (error) {
      this.unusable.set(name, messageOf(error));
      return undefined;
    }
  }
}
