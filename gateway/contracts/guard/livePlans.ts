import type { QueryPlan } from '../../planning/queryPlan.ts';
import type { SubgraphAddress } from '../../supergraph/sources/fetchSubgraphSdl.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { LiveSubgraph } from '../drift/liveSubgraphs.ts';
import { LivePlansThread } from './livePlansThread.ts';
import type { TrialSide } from './livePlansWorker.ts';
import type { LiveProblem, TrialGraph } from './planTrial.ts';

export interface LivePlansOptions {
  readonly next: SupergraphOnSubgraphs;
  readonly current: SupergraphOnSubgraphs;
  /** Errors: the signal's reason. */
  ask(addresses: readonly SubgraphAddress[], signal: AbortSignal): Promise<readonly LiveSubgraph[]>;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface SupergraphOnSubgraphs {
  readonly sdl: string;
  readonly addresses: readonly SubgraphAddress[];
}

/** A running subgraph that has said what it serves. */
export type AnsweredSubgraph = Extract<LiveSubgraph, { readonly sdl: string }>;

/** Plans of the next and of the current supergraph on subgraphs as they run: asks these at once, all at the same time,
 *  and tries plans as they come. What cannot be found out is told in the log, and is no problem of a plan. */
export class LivePlans {
  readonly #options: LivePlansOptions;
  readonly #over = new AbortController();
  readonly #looking: Promise<LivePlansThread | undefined>;
  readonly #told = new Set<string>();
  #answered: readonly AnsweredSubgraph[] = [];

  constructor(options: LivePlansOptions) {
    this.#options = options;
    this.#looking = this.#look();
    // Whoever wants to know hears of it.
    this.#looking.catch(() => {});
  }

  /** Of the next supergraph. */
  get answered(): readonly AnsweredSubgraph[] {
    return this.#answered;
  }

  /** For each plan, what is wrong with it. Errors: the signal's reason. */
  async problemsOf(
    side: TrialSide,
    plans: readonly QueryPlan[],
  ): Promise<readonly (readonly LiveProblem[])[]> {
    const { signal, log } = this.#options;
    try {
      const thread = await this.#looking;
      if (thread !== undefined) {
        const { problems, unusable } = await thread.try(side, plans);
        for (const [subgraph, reason] of unusable) this.#tell(subgraph, reason);
        return problems;
      }
    } catch (err) {
      signal.throwIfAborted();
      if (!this.#told.has(fault)) {
        log.error({ err }, 'A new supergraph could not be tried on the subgraphs that run');
      }
      this.#told.add(fault);
    }
    return plans.map(() => []);
  }

  async close(): Promise<void> {
    this.#over.abort();
    const thread = await this.#looking.catch(() => undefined);
    await thread?.close();
  }

  async #look(): Promise<LivePlansThread | undefined> {
    const { next, current, ask, signal } = this.#options;
    // One that moves may run at both places.
    const addresses = new Map([...current.addresses, ...next.addresses].map((one) => [keyOf(one), one]));
    const enough = AbortSignal.any([signal, this.#over.signal]);
    const asked = await ask([...addresses.values()], enough);
    const live = new Map(asked.map((one) => [keyOf(one), one]));
    const answered = (supergraph: SupergraphOnSubgraphs): AnsweredSubgraph[] =>
      supergraph.addresses.flatMap((address) => {
        const found = live.get(keyOf(address));
        return found !== undefined && 'sdl' in found ? [found] : [];
      });
    for (const address of next.addresses) {
      const found = live.get(keyOf(address));
      if (found !== undefined && 'unreachable' in found) this.#tell(found.name, found.unreachable);
    }
    this.#answered = answered(next);
    if (this.#answered.length === 0) return undefined;
    const graphOf = (supergraph: SupergraphOnSubgraphs): TrialGraph => ({
      supergraphSdl: supergraph.sdl,
      live: answered(supergraph).map(({ name, sdl }) => ({ name, sdl })),
    });
    enough.throwIfAborted();
    return new LivePlansThread({ next: graphOf(next), current: graphOf(current) });
  }

  #tell(subgraph: string, reason: string): void {
    if (this.#told.has(subgraph)) return;
    this.#told.add(subgraph);
    this.#options.log.info(
      { subgraph, reason },
      'What a subgraph serves could not be found out: it decides nothing about the new supergraph',
    );
  }
}

/** No subgraph has this name. */
const fault = '';

function keyOf({ name, url }: SubgraphAddress): string {
  return JSON.stringify([name, url]);
}
