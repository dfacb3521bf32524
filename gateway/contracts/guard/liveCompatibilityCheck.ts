import type { LiveSubgraph } from '../../../contracts/drift/fetchLiveSubgraphs.ts';
import type { QueryPlan } from '../../planning/queryPlan.ts';
import type { SubgraphAddress } from '../../supergraph/sources/fetchSubgraphSdl.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { PlanVerificationThread } from './planVerificationThread.ts';
import type { SupergraphRole } from './planVerificationWorker.ts';
import type { LiveGraph, LivePlanProblem } from './planVerifier.ts';

interface LiveCompatibilityCheckOptions {
  readonly next: SupergraphEndpoints;
  readonly current: SupergraphEndpoints;
  /** @throws {unknown} the reason of `signal`. */
  fetchLiveSubgraphs(
    addresses: readonly SubgraphAddress[],
    signal: AbortSignal,
  ): Promise<readonly LiveSubgraph[]>;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

interface SupergraphEndpoints {
  readonly sdl: string;
  readonly addresses: readonly SubgraphAddress[];
}

/** A running subgraph that gave its schema. */
export type ReachableSubgraph = Extract<LiveSubgraph, { readonly sdl: string }>;

/** Verifies plans of the next and the current supergraph against the running subgraphs. All subgraphs are fetched at
 *  once, and plans are verified as they arrive. What cannot be determined is logged and is no problem of a plan. */
export class LiveCompatibilityCheck {
  readonly #options: LiveCompatibilityCheckOptions;
  readonly #closed = new AbortController();
  readonly #starting: Promise<PlanVerificationThread | undefined>;
  readonly #reported = new Set<string>();
  #reachable: readonly ReachableSubgraph[] = [];

  constructor(options: LiveCompatibilityCheckOptions) {
    this.#options = options;
    this.#starting = this.#start();
    // `problemsOf` reports the error.
    this.#starting.catch(() => {});
  }

  /** Running subgraphs of the next supergraph that gave their schemas. */
  get reachable(): readonly ReachableSubgraph[] {
    return this.#reachable;
  }

  /** The problems of each plan.
   *  @throws {unknown} the reason of `signal`. */
  async problemsOf(
    role: SupergraphRole,
    plans: readonly QueryPlan[],
  ): Promise<readonly (readonly LivePlanProblem[])[]> {
    const { signal, log } = this.#options;
    try {
      const thread = await this.#starting;
      if (thread !== undefined) {
        const { problems, unusable } = await thread.verify(role, plans);
        for (const [subgraph, reason] of unusable) this.#reportOnce(subgraph, reason);
        return problems;
      }
    } catch (err) {
      signal.throwIfAborted();
      if (!this.#reported.has(faultKey)) {
        log.error({ err }, 'A new supergraph could not be verified against the running subgraphs');
      }
      this.#reported.add(faultKey);
    }
    return plans.map(() => []);
  }

  async close(): Promise<void> {
    this.#closed.abort();
    const thread = await this.#starting.catch(() => undefined);
    await thread?.close();
  }

  async #start(): Promise<PlanVerificationThread | undefined> {
    const { next, current, fetchLiveSubgraphs, signal } = this.#options;
    // A subgraph that moves may run at both addresses.
    const addresses = new Map(
      [...current.addresses, ...next.addresses].map((address) => [keyOf(address), address]),
    );
    const stopSignal = AbortSignal.any([signal, this.#closed.signal]);
    const fetched = await fetchLiveSubgraphs([...addresses.values()], stopSignal);
    const live = new Map(fetched.map((address) => [keyOf(address), address]));
    const reachableOf = (supergraph: SupergraphEndpoints): ReachableSubgraph[] =>
      supergraph.addresses.flatMap((address) => {
        const found = live.get(keyOf(address));
        return found !== undefined && 'sdl' in found ? [found] : [];
      });
    for (const address of next.addresses) {
      const found = live.get(keyOf(address));
      if (found !== undefined && 'unreachable' in found) this.#reportOnce(found.name, found.unreachable);
    }
    this.#reachable = reachableOf(next);
    if (this.#reachable.length === 0) return undefined;
    const graphOf = (supergraph: SupergraphEndpoints): LiveGraph => ({
      supergraphSdl: supergraph.sdl,
      live: reachableOf(supergraph).map(({ name, sdl }) => ({ name, sdl })),
    });
    stopSignal.throwIfAborted();
    return new PlanVerificationThread({ next: graphOf(next), current: graphOf(current) });
  }

  #reportOnce(subgraph: string, reason: string): void {
    if (this.#reported.has(subgraph)) return;
    this.#reported.add(subgraph);
    this.#options.log.info(
      { subgraph, reason },
      'A running subgraph did not give its schema: it is not verified with the new supergraph',
    );
  }
}

/** No subgraph has this name. */
const faultKey = '';

function keyOf({ name, url }: SubgraphAddress): string {
  return JSON.stringify([name, url]);
}
