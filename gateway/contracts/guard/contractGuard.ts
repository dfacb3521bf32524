import type { ContractStore } from '../../../contracts/contractStore.ts';
import type { LiveSubgraph } from '../../../contracts/drift/fetchLiveSubgraphs.ts';
import { joinMessages } from '../../../contracts/evaluation/operationFindings.ts';
import { truncateList } from '../../json/truncate.ts';
import type { OperationLimits } from '../../operation/operationLimits.ts';
import type { SubgraphAddress } from '../../supergraph/sources/fetchSubgraphSdl.ts';
import type { Supergraph } from '../../supergraph/supergraph.ts';
import { SupergraphRefusedError } from '../../supergraph/supergraphRefusedError.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { incrementCount, zeroCounts } from '../../telemetry/registerCounter.ts';
import { hasContractStore, readStoreFingerprint } from '../storeProbe.ts';
import type { BrokenOperation } from './findBrokenOperations.ts';
import type { LiveCompatibilityCheck, ReachableSubgraph } from './liveCompatibilityCheck.ts';

interface ContractGuardOptions {
  readonly mode: 'warn' | 'enforce';
  readonly directory: string;
  /** Of this gateway. */
  readonly limits: OperationLimits;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  now(): number;
  /** Omitted: new plans are not verified against the running subgraphs. */
  readonly liveSubgraphs?: LiveSubgraphSource | undefined;
}

/** Fetches the schemas of the running subgraphs. */
export interface LiveSubgraphSource {
  /** Addresses from which the subgraphs of a supergraph are fetched. */
  addressesOf(supergraph: Supergraph): readonly SubgraphAddress[];
  /** @throws {unknown} the reason of `signal`. */
  fetchLiveSubgraphs(
    addresses: readonly SubgraphAddress[],
    signal: AbortSignal,
  ): Promise<readonly LiveSubgraph[]>;
  /** Whether the gateway composes its supergraphs from the running subgraphs, so that they were just fetched. */
  readonly isCompositionSource: boolean;
}

/** Result of a check. `undecided`: the contracts could not be read or not be checked. */
type GuardOutcome = (typeof guardOutcomes)[number];

const guardOutcomes = ['fine', 'broken', 'refused', 'undecided'] as const;

export interface GuardCheck {
  readonly at: string;
  readonly supergraph: string;
  readonly outcome: GuardOutcome;
  readonly broken: readonly BrokenOperation[];
}

interface StoreSummary {
  readonly directory: string;
  readonly subgraphs: number;
  readonly operations: number;
  /** Mistakes in the files of the store. */
  readonly problems: readonly string[];
}

export interface RefusedSupergraph {
  readonly sdl: string;
  /** Message of the `SupergraphRefusedError`. */
  readonly message: string;
  /** `readStoreFingerprint` of the contracts that the supergraph breaks. */
  readonly storeFingerprint: string;
  /** Running subgraphs that do not serve the supergraph's plans. */
  readonly incompatibleSubgraphs: readonly ReachableSubgraph[];
}

interface GuardResult {
  readonly check: GuardCheck;
  /** Running subgraphs that do not serve the broken operations. */
  readonly incompatibleSubgraphs: readonly ReachableSubgraph[];
  /** Subgraphs that have a contract, and that the supergraph lacks. */
  readonly absentSubgraphs: readonly string[];
}

/** Checks every supergraph before it is used: by itself and against the running subgraphs. With `enforce`, it refuses
 *  a supergraph that breaks operations of the store. The first supergraph of a process is always accepted, because
 *  the alternative is none; it is checked in the background. */
export class ContractGuard {
  /** Number of checks by outcome. */
  readonly counts = zeroCounts(guardOutcomes);
  readonly #options: ContractGuardOptions;
  readonly #checked = new WeakSet<Supergraph>();
  readonly #stopped = new AbortController();
  #store: StoreSummary | undefined;
  #operationNames: ReadonlySet<string> = new Set();
  #lastCheck: GuardCheck | undefined;
  #refusals: readonly GuardCheck[] = [];
  #refused: RefusedSupergraph | undefined;
  #background: Promise<void> = Promise.resolve();
  /** Ends the check of the first supergraph when another one comes into use. */
  #superseded: AbortController | undefined;

  constructor(options: ContractGuardOptions) {
    this.#options = options;
  }

  /** The store as of the last check; `undefined` when there is none. */
  get store(): StoreSummary | undefined {
    return this.#store;
  }

  /** The names of the operations in the store as of the last check. */
  get operationNames(): ReadonlySet<string> {
    return this.#operationNames;
  }

  get lastCheck(): GuardCheck | undefined {
    return this.#lastCheck;
  }

  /** Newest first. */
  get refusals(): readonly GuardCheck[] {
    return this.#refusals;
  }

  /** The refused supergraph, until another one is checked. */
  get refused(): RefusedSupergraph | undefined {
    return this.#refused;
  }

  /** Whether the contracts, or the running subgraphs that the supergraph was refused for, have changed since. A
   *  subgraph that does not answer counts as unchanged. */
  async hasChangedSinceRefusal(): Promise<boolean> {
    const refused = this.#refused;
    if (refused === undefined) return false;
    const { directory, liveSubgraphs } = this.#options;
    if ((await readStoreFingerprint(directory)) !== refused.storeFingerprint) return true;
    const { incompatibleSubgraphs } = refused;
    if (liveSubgraphs === undefined || incompatibleSubgraphs.length === 0) return false;
    const addresses = incompatibleSubgraphs.map(({ name, url }) => ({ name, url }));
    const live = await liveSubgraphs.fetchLiveSubgraphs(addresses, this.#stopped.signal);
    return live.some(
      (subgraph, index) => 'sdl' in subgraph && subgraph.sdl !== incompatibleSubgraphs[index]?.sdl,
    );
  }

  async admitSupergraph(
    next: Supergraph,
    current: Supergraph | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    if (current === undefined) return;
    // Computed before the store is read, so that a change meanwhile is noticed later.
    const storeFingerprint = await readStoreFingerprint(this.#options.directory);
    const result = await this.#check(next, current, candidateConcurrency, signal);
    this.#checked.add(next);
    this.#refused = undefined;
    if (result?.check.outcome !== 'broken') return this.#count(result?.check);
    const { check, incompatibleSubgraphs } = result;
    if (this.#options.mode === 'warn') {
      this.#count(check);
      this.#options.log.warn(logFieldsOf(check), 'A new supergraph breaks operations of the contracts');
      return;
    }
    const refusal: GuardCheck = { ...check, outcome: 'refused' };
    this.#count(refusal);
    this.#refusals = [refusal, ...this.#refusals].slice(0, maxRefusals);
    const message = describeRefusal(check, this.#options.directory);
    this.#refused = { sdl: next.sdl, message, storeFingerprint, incompatibleSubgraphs };
    throw new SupergraphRefusedError(message);
  }

  /** Must be called for every supergraph that comes into use. */
  onSupergraph(supergraph: Supergraph): void {
    // Its planner ends with its last operation, and what could not be planned would count as broken.
    this.#superseded?.abort();
    this.#superseded = undefined;
    if (this.#checked.has(supergraph)) return;
    this.#checked.add(supergraph);
    this.#superseded = new AbortController();
    const signal = AbortSignal.any([this.#stopped.signal, this.#superseded.signal]);
    this.#background = this.#checkInitialSupergraph(supergraph, signal);
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#background;
  }

  /** The planner also serves requests, so operations are planned one at a time. */
  async #checkInitialSupergraph(supergraph: Supergraph, signal: AbortSignal): Promise<void> {
    try {
      const result = await this.#check(supergraph, undefined, 1, signal);
      if (result === undefined) return;
      const { check, absentSubgraphs } = result;
      incrementCount(this.counts, check.outcome, 1);
      // A newer supergraph may have been refused meanwhile.
      this.#lastCheck ??= check;
      if (check.outcome !== 'broken') return;
      const { log, directory, liveSubgraphs } = this.#options;
      // The configuration lists the subgraphs of a supergraph that the gateway composes, so they are absent on purpose.
      if (absentSubgraphs.length > 0 && liveSubgraphs?.isCompositionSource === true) {
        log.warn(
          { ...logFieldsOf(check), directory, subgraphs: absentSubgraphs },
          'The contracts are about subgraphs that the configuration does not list: correct contracts.directory, or set contracts.guard to off',
        );
        return;
      }
      log.error(
        logFieldsOf(check),
        'The first supergraph breaks operations of the contracts, and is used because there is no other',
      );
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #check(
    next: Supergraph,
    current: Supergraph | undefined,
    concurrency: number,
    signal: AbortSignal,
  ): Promise<GuardResult | undefined> {
    const { limits } = this.#options;
    const at = new Date(this.#options.now()).toISOString();
    const toResult = (
      outcome: GuardOutcome,
      broken: readonly BrokenOperation[] = [],
      reachable: readonly ReachableSubgraph[] = [],
      agreed: Iterable<string> = [],
    ): GuardResult => {
      const names = new Set(broken.flatMap(({ subgraphs = [] }) => subgraphs));
      return {
        check: { at, supergraph: next.id, outcome, broken },
        incompatibleSubgraphs: reachable.filter(({ name }) => names.has(name)),
        absentSubgraphs: [...agreed].filter((name) => !next.subgraphs.has(name)),
      };
    };
    try {
      const store = await this.#readStore();
      if (store === undefined) return undefined;
      const { findBrokenOperations } = await import('./findBrokenOperations.ts');
      const live = await this.#startLiveCheck(store, next, current, signal);
      try {
        const broken = await findBrokenOperations({
          store,
          next,
          current,
          limits,
          live,
          today: at.slice(0, 10),
          concurrency,
          signal,
        });
        const outcome = broken.length > 0 ? 'broken' : 'fine';
        return toResult(outcome, broken, live?.reachable, store.schemas.keys());
      } finally {
        await live?.close();
      }
    } catch (err) {
      signal.throwIfAborted();
      this.#options.log.error({ err }, 'The contracts could not be checked');
      return toResult('undecided');
    }
  }

  /** Starts the check of the running subgraphs; `undefined` when it is not needed. */
  async #startLiveCheck(
    store: ContractStore,
    next: Supergraph,
    current: Supergraph | undefined,
    signal: AbortSignal,
  ): Promise<LiveCompatibilityCheck | undefined> {
    const { liveSubgraphs, log } = this.#options;
    if (liveSubgraphs === undefined || current === undefined || store.operations.length === 0)
      return undefined;
    // A supergraph that was refused before may be older than the running subgraphs.
    if (liveSubgraphs.isCompositionSource && this.#refused?.sdl !== next.sdl) return undefined;
    const { LiveCompatibilityCheck: Check } = await import('./liveCompatibilityCheck.ts');
    const endpointsOf = (supergraph: Supergraph) => ({
      sdl: supergraph.sdl,
      addresses: liveSubgraphs.addressesOf(supergraph),
    });
    return new Check({
      next: endpointsOf(next),
      current: endpointsOf(current),
      fetchLiveSubgraphs: liveSubgraphs.fetchLiveSubgraphs,
      log,
      signal,
    });
  }

  async #readStore(): Promise<ContractStore | undefined> {
    const { directory, log, mode } = this.#options;
    if (!(await hasContractStore(directory))) {
      // An operator who enforces contracts should know that there are none.
      if (mode === 'enforce')
        log.warn({ directory }, 'contracts.guard is enforce, but contracts.directory has no contracts');
      this.#store = undefined;
      return undefined;
    }
    const { readContractStore } = await import('../../../contracts/store/readContractStore.ts');
    const store = await readContractStore(directory);
    this.#operationNames = new Set(store.operations.map(({ name }) => name));
    const problems = store.problems.map(
      ({ message, location }) =>
        `${location === undefined ? '' : `${location.file}:${location.line} `}${message}`,
    );
    this.#store = {
      directory: store.directory,
      subgraphs: store.schemas.size,
      operations: store.operations.length,
      problems,
    };
    if (problems.length > 0) {
      const reportedProblems = problems.slice(0, maxReportedItems);
      log.warn(
        { directory, count: problems.length, problems: reportedProblems },
        'The contracts have mistakes',
      );
    }
    return store;
  }

  #count(check: GuardCheck | undefined): void {
    if (check === undefined) return;
    this.#lastCheck = check;
    incrementCount(this.counts, check.outcome, 1);
  }
}

/** Nothing else uses the planner of a supergraph that is not in use. */
const candidateConcurrency = 8;
const maxRefusals = 10;
/** Maximum length of a list in one log message. */
const maxReportedItems = 20;

function logFieldsOf({ supergraph, broken }: GuardCheck) {
  return {
    supergraph,
    count: broken.length,
    operations: broken.slice(0, maxReportedItems).map(describeBrokenOperation),
  };
}

function describeBrokenOperation({ consumer, operation, location, reasons }: BrokenOperation): string {
  return `${consumer}/${operation} (${location.file}:${location.line}): ${joinMessages(reasons)}`;
}

function describeRefusal({ broken }: GuardCheck, directory: string): string {
  const count = broken.length === 1 ? '1 operation' : `${broken.length} operations`;
  return [
    `contracts.guard is enforce, and the supergraph breaks ${count} of ${directory}:`,
    ...truncateList(broken.map(describeBrokenOperation), maxReportedItems),
  ].join('\n');
}
