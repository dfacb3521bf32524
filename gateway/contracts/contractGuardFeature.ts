import { fetchLiveSubgraphs } from '../../contracts/drift/fetchLiveSubgraphs.ts';
import type { GatewayConfig } from '../config/schema.ts';
import type { Feature, FeatureContext } from '../feature.ts';
import { truncateList } from '../json/truncate.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import { reportValidationFailures } from '../subgraphs/policies/reportValidationFailures.ts';
import type { SendPolicy } from '../subgraphs/subgraphClient.ts';
import type { SubgraphAddress } from '../supergraph/sources/fetchSubgraphSdl.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import type { UnreadyReason } from '../transport/http/healthRoutes.ts';
import type { Routes } from '../transport/http/routes.ts';
import { registerContractMetrics } from './contractMetrics.ts';
import { DriftWatch, type WatchedSubgraph } from './drift/driftWatch.ts';
import {
  ContractGuard,
  type GuardCheck,
  type LiveSubgraphSource,
  type RefusedSupergraph,
} from './guard/contractGuard.ts';
import { createRecordingHook, type RecordingHook } from './recording/recordingHook.ts';

/** The contracts of a running gateway: the guard that checks each new supergraph, the watch for drifted subgraphs,
 *  and the recording of operations. With `contracts.guard: off` there is no guard and no watch. Without a store, both
 *  only look for one. */
export class ContractGuardFeature implements Feature {
  readonly #context: FeatureContext;
  readonly #guard: ContractGuard | undefined;
  readonly #drift: DriftWatch | undefined;
  readonly #recording: RecordingHook | undefined;

  constructor(context: FeatureContext) {
    this.#context = context;
    const { config, log, metrics, timers, now, supergraphs } = context;
    this.#recording = createRecordingHook(config, { log, timers, now });
    const { guard: mode, directory, driftInterval: intervalMs } = config.contracts;
    if (mode === 'off') return;
    const { limits } = config;
    const liveSubgraphs = this.#liveSubgraphs();
    const guard = new ContractGuard({ mode, directory, limits, log, now, liveSubgraphs });
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
        accessOf: context.schemaAccessOf,
        onChecked: () => this.#reconsider(guard),
      });
    }
    registerContractMetrics({
      registry: metrics.registry,
      supergraphs: () => guard.counts,
      brokenOperations: () => this.#countBrokenOperations(guard),
      subgraphs: () =>
        this.#watchedSubgraphs.map(({ name, state }) => ({ name, hasDrifted: state === 'drifted' })),
    });
  }

  async admitSupergraph(
    next: Supergraph,
    previous: Supergraph | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#guard?.admitSupergraph(next, previous, signal);
  }

  onSupergraph(supergraph: Supergraph): void {
    this.#guard?.onSupergraph(supergraph);
  }

  /** Reports validation errors of subgraphs to the drift watch. */
  get sendPolicy(): SendPolicy | undefined {
    const drift = this.#drift;
    return (
      drift &&
      reportValidationFailures({
        onFailure: (subgraph, message) => drift.recordRefusal(subgraph, message),
        onRequestError: () => drift.checkSoon(),
      })
    );
  }

  onOperation(request: OperationRequest): void {
    this.#recording?.onOperation(request);
  }

  /** Whether the contracts have an operation with this name. */
  hasOperation(name: string): boolean {
    return this.#guard?.operationNames.has(name) === true;
  }

  addAdminRoutes(routes: Routes): void {
    routes.get('/contracts', async () => this.describe());
  }

  /** Problems that operators should see although the gateway is ready. */
  get readinessNotes(): readonly UnreadyReason[] {
    const [refusal] = this.#refused === undefined ? [] : (this.#guard?.refusals ?? []);
    const drifted = this.#watchedSubgraphs.filter(({ state }) => state === 'drifted');
    return [
      ...(refusal === undefined
        ? []
        : [
            {
              code: 'SUPERGRAPH_REFUSED',
              message: describeRefusal(refusal),
            },
          ]),
      ...drifted.map((subgraph) => ({ code: 'CONTRACT_DRIFT', message: describeDrift(subgraph) })),
    ];
  }

  /** The answer of `GET /contracts`. With `maxOperations`, lists of broken operations have at most so many, and the findings
   *  are omitted. */
  describe(maxOperations?: number): object {
    const { guard: mode, directory } = this.#context.config.contracts;
    const guard = this.#guard;
    if (guard === undefined) return { guard: mode };
    const shorten = (check: GuardCheck) => ({
      ...check,
      broken: check.broken.slice(0, maxOperations),
      brokenCount: check.broken.length,
    });
    return {
      guard: mode,
      store: guard.store ?? null,
      directory,
      lastCheck: guard.lastCheck === undefined ? null : shorten(guard.lastCheck),
      refusals: guard.refusals.map(shorten),
      drift:
        this.#drift === undefined
          ? null
          : {
              lastCheckAt: this.#drift.lastCheckAt ?? null,
              subgraphs: this.#watchedSubgraphs.map((subgraph) => ({
                ...subgraph,
                breaks: subgraph.breaks.slice(0, maxOperations),
                breaksCount: subgraph.breaks.length,
              })),
              findings: maxOperations === undefined ? this.#drift.findings : [],
            },
    };
  }

  async stop(): Promise<void> {
    await Promise.all([this.#drift?.close(), this.#guard?.close()]);
  }

  async close(): Promise<void> {
    await this.#recording?.close();
  }

  /** The supergraph that would be in use without the guard. The one in use may have been offered again since. */
  get #refused(): RefusedSupergraph | undefined {
    const refused = this.#guard?.refused;
    return refused?.message === this.#context.supergraphs.refusal() ? refused : undefined;
  }

  /** Of the newest supergraph. */
  #countBrokenOperations({ lastCheck }: ContractGuard): number {
    // The one in use was offered again instead of the refused one, without another check.
    if (lastCheck?.outcome === 'refused' && this.#refused === undefined) return 0;
    return lastCheck?.broken.length ?? 0;
  }

  get #watchedSubgraphs(): readonly WatchedSubgraph[] {
    return this.#drift?.subgraphs ?? [];
  }

  #addresses(): readonly SubgraphAddress[] {
    const { config, supergraphs } = this.#context;
    const addresses = new Map(supergraphs.current()?.subgraphs);
    for (const [name, url] of schemaUrls(config)) addresses.set(name, { name, url });
    return [...addresses.values()];
  }

  #liveSubgraphs(): LiveSubgraphSource | undefined {
    const { config, timers, schemaAccessOf } = this.#context;
    const timeout = { ms: config.contracts.schemaTimeout, timers };
    if (timeout.ms === 0) return undefined;
    const urls = schemaUrls(config);
    return {
      addressesOf: ({ subgraphs }) =>
        Array.from(subgraphs.values(), ({ name, url }) => ({ name, url: urls.get(name) ?? url })),
      fetchLiveSubgraphs: (addresses, signal) =>
        fetchLiveSubgraphs(addresses, {
          signal,
          timeout,
          retryAfterMs: timeout.ms / 4,
          accessOf: schemaAccessOf,
        }),
      isCompositionSource: 'subgraphs' in config.supergraph,
    };
  }

  /** Resubmits a refused supergraph when the contracts or the running subgraphs have changed. A source offers it only
   *  once. */
  async #reconsider(guard: ContractGuard): Promise<void> {
    const refused = this.#refused;
    if (refused === undefined || !(await guard.hasChangedSinceRefusal())) return;
    // Another supergraph may have been offered meanwhile.
    if (refused === this.#refused) await this.#context.supergraphs.resubmit(refused.sdl);
  }
}

/** Addresses from which the configuration fetches schemas. Operations may go to other addresses. */
function schemaUrls({ supergraph }: GatewayConfig): ReadonlyMap<string, string> {
  return new Map('subgraphs' in supergraph ? supergraph.subgraphs.map(({ name, url }) => [name, url]) : []);
}

function describeRefusal({ broken }: GuardCheck): string {
  const operations = listOperations(broken.map(({ consumer, operation }) => `${consumer}/${operation}`));
  const subgraphs = [...new Set(broken.flatMap((operation) => operation.subgraphs ?? []))];
  const first = subgraphs.length === 0 ? '' : ` Deploy the new version of ${subgraphs.join(', ')} first.`;
  return `The newest supergraph is not used: it breaks ${operations}.${first}`;
}

function describeDrift({ name, breaks, refusal }: WatchedSubgraph): string {
  const broken = breaks.length === 0 ? '' : ` It breaks ${listOperations(breaks)}.`;
  const refused = refusal === undefined ? '' : ' It refuses fetches that were planned for it.';
  return `${name} serves another schema than its contract.${refused}${broken}`;
}

const maxListedOperations = 20;

function listOperations(names: readonly string[]): string {
  return truncateList(names, maxListedOperations).join(', ');
}
