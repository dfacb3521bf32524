import { getOrInsertComputed } from '../gateway/sharing/getOrInsertComputed.ts';
import type { CheckSteps } from './checkSteps.ts';
import type { ConsumerOperation, Contracts } from './contractStore.ts';
import type { Finding } from './finding.ts';
import type { GatewaySettings } from './gatewaySettings.ts';
import type { ComposedContracts, ContractGraph } from './graph/composeGraph.ts';
import type { PlannedGraph } from './graph/planConsumerOperations.ts';

/** A planned graph, or why there is none. */
type BuiltGraph = PlannedGraph | { readonly findings: readonly Finding[] };

interface GraphFactoryOptions {
  readonly steps: CheckSteps;
  readonly operations: readonly ConsumerOperation[];
  readonly gatewaySettings: GatewaySettings;
  readonly onProgress: (message: string) => void;
}

/** Composes, plans and boots graphs, each once, however many comparisons need it. */
export class GraphFactory {
  readonly #steps: CheckSteps;
  readonly #operations: readonly ConsumerOperation[];
  readonly #gatewaySettings: GatewaySettings;
  readonly #onProgress: (message: string) => void;
  readonly #composed = new Map<string, Promise<ComposedContracts>>();
  /** Settles with the composition that was started last, and never rejects. */
  #lastComposition: Promise<unknown> | undefined;
  readonly #built = new Map<string, Promise<BuiltGraph>>();
  /** The graph that was planned first: the candidate, unless it does not compose. */
  #first: PlannedGraph | undefined;
  readonly #booted = new Map<ContractGraph, Promise<readonly Finding[]>>();

  constructor({ steps, operations, gatewaySettings, onProgress }: GraphFactoryOptions) {
    this.#steps = steps;
    this.#operations = operations;
    this.#gatewaySettings = gatewaySettings;
    this.#onProgress = onProgress;
  }

  /** Starts a composition in the background, after those that were started before. One runs while the graph of another one
   *  is planned. Several at the same time would take gigabytes each. */
  startComposition(contracts: Contracts, name: string): void {
    // The caller of `build` gets the error.
    if (contracts.size > 0) void this.#compose(contracts, name);
  }

  /** Composes a graph and plans the operations on it. `name` names the graph in progress messages. Planners take the
   *  most memory, so call `build` for one graph after the other to have one planner at a time. */
  build(contracts: Contracts, name: string): Promise<BuiltGraph> {
    const key = keyOf(contracts);
    return getOrInsertComputed(this.#built, key, () => this.#build(contracts, name));
  }

  /** Starts a gateway on the graph. Only operations that could be planned are sent; planning reports the others. */
  bootGateway({ graph, plans }: PlannedGraph): Promise<readonly Finding[]> {
    const known = this.#booted.get(graph);
    if (known !== undefined) return known;
    this.#onProgress('starting a gateway on the candidate');
    const planned = this.#operations.filter((operation) => plans.get(operation)?.kind === 'planned');
    const booting = this.#steps.bootGateway(graph, planned, this.#gatewaySettings);
    this.#booted.set(graph, booting);
    return booting;
  }

  #compose(contracts: Contracts, name: string): Promise<ComposedContracts> {
    const key = keyOf(contracts);
    const known = this.#composed.get(key);
    if (known !== undefined) return known;
    const composing = this.#composeAfter(this.#lastComposition, contracts, name);
    this.#composed.set(key, composing);
    this.#lastComposition = composing.catch(() => {});
    return composing;
  }

  async #composeAfter(
    previous: Promise<unknown> | undefined,
    contracts: Contracts,
    name: string,
  ): Promise<ComposedContracts> {
    if (previous !== undefined) await previous;
    this.#onProgress(`composing ${name}: ${contracts.size} subgraph${contracts.size === 1 ? '' : 's'}`);
    return this.#steps.composeContracts(contracts);
  }

  async #build(contracts: Contracts, name: string): Promise<BuiltGraph> {
    const composed = await this.#compose(contracts, name);
    const loaded = await this.#steps.loadGraph(contracts, composed, this.#gatewaySettings);
    if ('findings' in loaded) return loaded;
    const { graph } = loaded;
    try {
      const plans = await this.#steps.planConsumerOperations(graph, this.#operations, {
        gatewaySettings: this.#gatewaySettings,
        known: this.#first,
        onProgress: (done, total, what) => {
          if (done === total || done % progressInterval === 0)
            this.#onProgress(`${what} for ${name}: ${done} of ${total}`);
        },
      });
      this.#first ??= { graph, plans };
      return { graph, plans };
    } finally {
      // Closing the planner ends its threads, each of which holds the whole supergraph in memory.
      await graph.supergraph.planner.close();
    }
  }
}

/** Operations between two progress messages. */
const progressInterval = 100;

function keyOf(contracts: Contracts): string {
  const parts = [...contracts.values()].map(({ name, url, sdl }) => [name, url, sdl]);
  return JSON.stringify(parts.sort(([a = ''], [b = '']) => (a < b ? -1 : 1)));
}
