import type { SubgraphContract } from '../../../contracts/contractStore.ts';
import { fetchTargetOf } from '../../../contracts/evaluation/fetchTargetOf.ts';
import { checkFetch } from '../../../contracts/graph/checkFetch.ts';
import type { ContractGraph } from '../../../contracts/graph/composeGraph.ts';
import type { FetchProblem, FetchTarget } from '../../../contracts/graph/fetchProblem.ts';
import { flattenPlan } from '../../../contracts/graph/flattenPlan.ts';
import { supergraphMetadataOf } from '../../../contracts/graph/supergraphMetadata.ts';
import type { QueryPlan } from '../../planning/queryPlan.ts';
import { messageOf } from '../../supergraph/messageOf.ts';

/** A supergraph, and its subgraphs as they run. */
export interface LiveGraph {
  readonly supergraphSdl: string;
  /** Only those that have said what they serve. */
  readonly live: readonly { readonly name: string; readonly sdl: string }[];
}

/** Why a plan does not work with a subgraph as it runs. */
export interface LivePlanProblem {
  readonly subgraph: string;
  readonly message: string;
  /** In the subgraph's schema. */
  readonly coordinates: readonly string[];
}

/** Tries plans of a supergraph on its subgraphs as they run. What is needed of a subgraph is made when a plan first
 *  asks it, which may take long: not for the thread that serves. */
export class PlanVerifier {
  /** Subgraphs whose SDL cannot be used, and why. They decide nothing. */
  readonly unusable = new Map<string, string>();
  readonly #graph: ContractGraph;
  readonly #live: ReadonlyMap<string, SubgraphContract>;
  readonly #targets = new Map<string, FetchTarget | undefined>();

  constructor({ supergraphSdl, live }: LiveGraph) {
    this.#live = new Map(live.map(({ name, sdl }) => [name, { name, url: '', file: name, sdl }]));
    this.#graph = {
      contracts: this.#live,
      sdl: supergraphSdl,
      hints: [],
      get supergraph(): never {
        throw new Error('Plans are tried here, and made elsewhere.');
      },
    };
  }

  verify(plan: QueryPlan): readonly LivePlanProblem[] {
    const facts = supergraphMetadataOf(this.#graph);
    const problems = new Map<string, LivePlanProblem>();
    for (const fetch of flattenPlan(plan, facts.schema)) {
      const target = this.#targetOf(fetch.subgraph);
      if (target === undefined) continue;
      for (const problem of checkFetch(fetch, facts, target)) {
        const { message, coordinates } = problem;
        if (this.#isFailure(problem, target))
          problems.set(message, { subgraph: target.name, message, coordinates });
      }
    }
    return [...problems.values()];
  }

  /** What hangs on the data may go well. What clients may send is for them to know: they send what they have sent so
   *  far. */
  #isFailure({ kind, isCertain }: FetchProblem, { name }: FetchTarget): boolean {
    if (!isCertain || kind === 'input') return false;
    // In a schema of Federation 1, fields of keys are called external that the subgraph does serve.
    return kind !== 'not served' || /@link\b/.test(this.#live.get(name)?.sdl ?? '');
  }

  #targetOf(name: string): FetchTarget | undefined {
    if (!this.#targets.has(name)) this.#targets.set(name, this.#createTarget(name));
    return this.#targets.get(name);
  }

  #createTarget(name: string): FetchTarget | undefined {
    const contract = this.#live.get(name);
    if (contract === undefined) return undefined;
    try {
      return fetchTargetOf(contract);
    } catch (error) {
      this.unusable.set(name, messageOf(error));
      return undefined;
    }
  }
}
