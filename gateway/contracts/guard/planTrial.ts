import type { QueryPlan } from '../../planning/queryPlan.ts';
import { messageOf } from '../../supergraph/messageOf.ts';
import type { SubgraphContract } from '../contractStore.ts';
import { checkFetch } from '../graph/checkFetch.ts';
import type { ContractGraph } from '../graph/composeGraph.ts';
import type { FetchProblem, FetchTarget } from '../graph/fetchProblem.ts';
import { flattenPlan } from '../graph/flattenPlan.ts';
import { factsOf } from '../graph/subgraphFacts.ts';
import { fetchTargetOf } from '../judge/fetchTargetOf.ts';

/** A supergraph, and its subgraphs as they run. */
export interface TrialGraph {
  readonly supergraphSdl: string;
  /** Only those that have said what they serve. */
  readonly live: readonly { readonly name: string; readonly sdl: string }[];
}

/** Why a plan does not work with a subgraph as it runs. */
export interface LiveProblem {
  readonly subgraph: string;
  readonly message: string;
  /** In the subgraph's schema. */
  readonly coordinates: readonly string[];
}

/** Tries plans of a supergraph on its subgraphs as they run. What is needed of a subgraph is made when a plan first
 *  asks it, which may take long: not for the thread that serves. */
export class PlanTrial {
  /** Subgraphs whose SDL cannot be used, and why. They decide nothing. */
  readonly unusable = new Map<string, string>();
  readonly #graph: ContractGraph;
  readonly #live: ReadonlyMap<string, SubgraphContract>;
  readonly #targets = new Map<string, FetchTarget | undefined>();

  constructor({ supergraphSdl, live }: TrialGraph) {
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

  try(plan: QueryPlan): readonly LiveProblem[] {
    const facts = factsOf(this.#graph);
    const problems = new Map<string, LiveProblem>();
    for (const fetch of flattenPlan(plan, facts.schema)) {
      const target = this.#targetOf(fetch.subgraph);
      if (target === undefined) continue;
      for (const problem of checkFetch(fetch, facts, target)) {
        const { message, coordinates } = problem;
        if (this.#fails(problem, target))
          problems.set(message, { subgraph: target.name, message, coordinates });
      }
    }
    return [...problems.values()];
  }

  /** What hangs on the data may go well. What clients may send is for them to know: they send what they have sent so
   *  far. */
  #fails({ kind, isCertain }: FetchProblem, { name }: FetchTarget): boolean {
    if (!isCertain || kind === 'input') return false;
    // In a schema of Federation 1, fields of keys are called external that the subgraph does serve.
    return kind !== 'not served' || /@link\b/.test(this.#live.get(name)?.sdl ?? '');
  }

  #targetOf(name: string): FetchTarget | undefined {
    if (!this.#targets.has(name)) this.#targets.set(name, this.#makeTarget(name));
    return this.#targets.get(name);
  }

  #makeTarget(name: string): FetchTarget | undefined {
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
