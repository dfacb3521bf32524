import type { GatewayConfig } from '../config/schema.ts';
import type { SubgraphClient } from '../subgraph-client/subgraphClient.ts';
import { watchRefusals } from '../subgraph-client/watchRefusals.ts';
import type { SubgraphAddress } from '../supergraph/sources/fetchSubgraphSdl.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { registerContractMetrics } from '../telemetry/contractMetrics.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Timers } from '../time/timers.ts';
import type { UnreadyReason } from '../transport/http/healthRoutes.ts';
import { DriftWatch, type WatchedSubgraph } from './drift/driftWatch.ts';
import { askSubgraphs } from './drift/liveSubgraphs.ts';
import {
  ContractGuard,
  type GuardCheck,
  type RefusedSupergraph,
  type RunningSubgraphs,
} from './guard/contractGuard.ts';
import type { SupergraphGuard } from './guard/supergraphGuard.ts';

export interface ContractGuardFeatureOptions {
  readonly config: GatewayConfig;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, 'registry'>;
  readonly timers: Timers;
  /** Milliseconds since 1970. */
  now(): number;
  readonly supergraphs: {
    current(): Supergraph | undefined;
    problem(): string | undefined;
    offerAgain(sdl: string): Promise<void>;
  };
}

/** Keeps to the contracts while the gateway runs: what is put together from the guard of supergraphs and the watch over
 *  subgraphs. With `contracts.guard: off` it does nothing, and without a store nothing but look for one. */
export class ContractGuardFeature implements SupergraphGuard {
  readonly #options: ContractGuardFeatureOptions;
  readonly #guard: ContractGuard | undefined;
  readonly #drift: DriftWatch | undefined;

  constructor(options: ContractGuardFeatureOptions) {
    this.#options = options;
    const { config, log, metrics, timers, now, supergraphs } = options;
    const { guard: mode, directory, driftInterval: intervalMs } = config.contracts;
    if (mode === 'off') return;
    const guard = new ContractGuard({ mode, directory, log, now, running: this.#running() });
    this.#guard = guard;
    if (intervalMs > 0) {
      this.#drift = new DriftWatch({
        directory,
        intervalMs,
        timers,
        log,
        now,
        current: () => supergraphs.current(),
        addresses: () => this.#addresses(),
        onLooked: () => this.#reconsider(guard),
      });
    }
    registerContractMetrics({
      registry: metrics.registry,
      supergraphs: () => guard.counts,
      brokenOperations: () => guard.lastCheck?.broken.length ?? 0,
      subgraphs: () => this.#watched.map(({ name, state }) => ({ name, hasDrifted: state === 'drifted' })),
    });
  }

  async admit(next: Supergraph, current: Supergraph | undefined, signal: AbortSignal): Promise<void> {
    await this.#guard?.admit(next, current, signal);
  }

  /** To be told of every supergraph that comes into use. */
  use(supergraph: Supergraph): void {
    this.#guard?.use(supergraph);
  }

  /** The client, heard by the watch over subgraphs where there is one. */
  listenTo(client: SubgraphClient): SubgraphClient {
    const drift = this.#drift;
    return drift === undefined
      ? client
      : watchRefusals(client, (subgraph, message) => drift.noteRefusal(subgraph, message));
  }

  /** What operators should know although the gateway is ready. */
  get notes(): readonly UnreadyReason[] {
    const [refusal] = this.#refused === undefined ? [] : (this.#guard?.refusals ?? []);
    const drifted = this.#watched.filter(({ state }) => state === 'drifted');
    return [
      ...(refusal === undefined
        ? []
        : [
            {
              code: 'SUPERGRAPH_REFUSED',
              message: sayRefused(refusal),
            },
          ]),
      ...drifted.map((subgraph) => ({ code: 'CONTRACT_DRIFT', message: sayDrifted(subgraph) })),
    ];
  }

  /** All there is to know, for operators. */
  describe(): object {
    const { guard: mode, directory } = this.#options.config.contracts;
    const guard = this.#guard;
    if (guard === undefined) return { guard: mode };
    return {
      guard: mode,
      store: guard.store ?? null,
      directory,
      lastCheck: guard.lastCheck ?? null,
      refusals: guard.refusals,
      drift:
        this.#drift === undefined
          ? null
          : {
              lastLook: this.#drift.lastLook ?? null,
              subgraphs: this.#watched,
              findings: this.#drift.findings,
            },
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#drift?.close(), this.#guard?.close()]);
  }

  /** What would be in use but for the guard. The supergraph that is in use may have been offered again since. */
  get #refused(): RefusedSupergraph | undefined {
    const refused = this.#guard?.refused;
    return refused?.message === this.#options.supergraphs.problem() ? refused : undefined;
  }

  get #watched(): readonly WatchedSubgraph[] {
    return this.#drift?.subgraphs ?? [];
  }

  #addresses(): readonly SubgraphAddress[] {
    const { config, supergraphs } = this.#options;
    const addresses = new Map(supergraphs.current()?.subgraphs);
    for (const [name, url] of schemaUrls(config)) addresses.set(name, { name, url });
    return [...addresses.values()];
  }

  #running(): RunningSubgraphs | undefined {
    const { config, timers } = this.#options;
    const within = { ms: config.contracts.lookTimeout, timers };
    if (within.ms === 0) return undefined;
    const urls = schemaUrls(config);
    return {
      addressesOf: ({ subgraphs }) =>
        Array.from(subgraphs.values(), ({ name, url }) => ({ name, url: urls.get(name) ?? url })),
      ask: (addresses, signal) => askSubgraphs(addresses, { signal, within, retryAfterMs: within.ms / 4 }),
      areSource: 'subgraphs' in config.supergraph,
    };
  }

  /** What was refused may be fine once the contracts are others, or what runs; a source offers it only once. */
  async #reconsider(guard: ContractGuard): Promise<void> {
    const refused = this.#refused;
    if (refused === undefined || !(await guard.hasChangedSinceRefusal())) return;
    // Something else may have come meanwhile.
    if (refused === this.#refused) await this.#options.supergraphs.offerAgain(refused.sdl);
  }
}

/** Schemas are asked for where the configuration says so, which may be another address than that for operations. */
function schemaUrls({ supergraph }: GatewayConfig): ReadonlyMap<string, string> {
  return new Map('subgraphs' in supergraph ? supergraph.subgraphs.map(({ name, url }) => [name, url]) : []);
}

function sayRefused({ broken }: GuardCheck): string {
  const operations = broken.map(({ consumer, operation }) => `${consumer}/${operation}`).join(', ');
  const subgraphs = [...new Set(broken.flatMap((one) => one.subgraphs ?? []))];
  const first =
    subgraphs.length === 0 ? '' : ` What it needs of ${subgraphs.join(', ')} has to be deployed first.`;
  return `The newest supergraph is not used: it breaks ${operations}.${first}`;
}

function sayDrifted({ name, breaks, refusal }: WatchedSubgraph): string {
  const broken = breaks.length === 0 ? '' : ` It breaks ${breaks.join(', ')}.`;
  const refused = refusal === undefined ? '' : ' It refuses what was planned for it.';
  return `${name} serves something else than it has agreed to.${refused}${broken}`;
}
