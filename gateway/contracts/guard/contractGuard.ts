import type { ContractStore } from '../../../contracts/contractStore.ts';
import type { LiveSubgraph } from '../../../contracts/drift/fetchLiveSubgraphs.ts';
import type { SubgraphAddress } from '../../supergraph/sources/fetchSubgraphSdl.ts';
import type { Supergraph } from '../../supergraph/supergraph.ts';
import { SupergraphRefusedError } from '../../supergraph/supergraphRefusedError.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { hasContractStore, readStoreFingerprint } from '../storeProbe.ts';
import type { BrokenOperation } from './findBrokenOperations.ts';
import type { LiveCompatibilityCheck, ReachableSubgraph } from './liveCompatibilityCheck.ts';

interface ContractGuardOptions {
  readonly mode: 'warn' | 'enforce';
  readonly directory: string;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  now(): number;
  /** Left out where what subgraphs serve is not to count. */
  readonly liveSubgraphs?: LiveSubgraphSource | undefined;
}

/** The subgraphs as they run. */
export interface LiveSubgraphSource {
  /** Where the subgraphs of a supergraph say what they serve. */
  addressesOf(supergraph: Supergraph): readonly SubgraphAddress[];
  /** Errors: the signal's reason. */
  fetchLiveSubgraphs(
    addresses: readonly SubgraphAddress[],
    signal: AbortSignal,
  ): Promise<readonly LiveSubgraph[]>;
  /** Whether supergraphs are composed from what they have just said: there is no need to ask again. */
  readonly isCompositionSource: boolean;
}

/** What came of looking at a supergraph. `undecided`: the contracts could not be read, or not be tried. */
type GuardOutcome = 'fine' | 'broken' | 'refused' | 'undecided';

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
  /** What is wrong with its files. */
  readonly problems: readonly string[];
}

export interface RefusedSupergraph {
  readonly sdl: string;
  /** Of the error. */
  readonly message: string;
  /** `readStoreFingerprint` of the contracts that it breaks. */
  readonly storeFingerprint: string;
  /** What its plans do not work with. */
  readonly incompatibleSubgraphs: readonly ReachableSubgraph[];
}

interface GuardResult {
  readonly check: GuardCheck;
  /** Of subgraphs that do not serve what is broken. */
  readonly incompatibleSubgraphs: readonly ReachableSubgraph[];
}

/** Looks at every supergraph before it is used, by itself and on the subgraphs as they run. With `enforce`, one that
 *  breaks an operation of the store is refused; but the first of a process is taken, which is better than nothing, and
 *  looked at, by itself, when it is in use. */
export class ContractGuard {
  /** How often each outcome has come. */
  readonly counts = new Map<GuardOutcome, number>();
  readonly #options: ContractGuardOptions;
  readonly #checked = new WeakSet<Supergraph>();
  readonly #stopped = new AbortController();
  #store: StoreSummary | undefined;
  #lastCheck: GuardCheck | undefined;
  #refusals: readonly GuardCheck[] = [];
  #refused: RefusedSupergraph | undefined;
  #background: Promise<void> = Promise.resolve();

  constructor(options: ContractGuardOptions) {
    this.#options = options;
  }

  /** As it was read last; `undefined` where there is none. */
  get store(): StoreSummary | undefined {
    return this.#store;
  }

  get lastCheck(): GuardCheck | undefined {
    return this.#lastCheck;
  }

  /** The newest first. */
  get refusals(): readonly GuardCheck[] {
    return this.#refusals;
  }

  /** What was refused, while nothing else has been looked at since. */
  get refused(): RefusedSupergraph | undefined {
    return this.#refused;
  }

  /** Whether the contracts are others than those for which the supergraph was refused, or a subgraph serves something
   *  else than that for which it was. One that gives no answer serves what it did. */
  async hasChangedSinceRefusal(): Promise<boolean> {
    const refused = this.#refused;
    if (refused === undefined) return false;
    const { directory, liveSubgraphs } = this.#options;
    if ((await readStoreFingerprint(directory)) !== refused.storeFingerprint) return true;
    const { incompatibleSubgraphs } = refused;
    if (liveSubgraphs === undefined || incompatibleSubgraphs.length === 0) return false;
    const addresses = incompatibleSubgraphs.map(({ name, url }) => ({ name, url }));
    const live = await liveSubgraphs.fetchLiveSubgraphs(addresses, this.#stopped.signal);
    return live.some((one, index) => 'sdl' in one && one.sdl !== incompatibleSubgraphs[index]?.sdl);
  }

  async admitSupergraph(
    next: Supergraph,
    current: Supergraph | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    if (current === undefined) return;
    // Before it is read: what is changed meanwhile shows later.
    const mark = await readStoreFingerprint(this.#options.directory);
    const look = await this.#check(next, current, candidateConcurrency, signal);
    this.#checked.add(next);
    this.#refused = undefined;
    if (look?.check.outcome !== 'broken') return this.#count(look?.check);
    const { check, incompatibleSubgraphs } = look;
    if (this.#options.mode === 'warn') {
      this.#count(check);
      this.#options.log.warn(logFieldsOf(check), 'A new supergraph breaks operations of the contracts');
      return;
    }
    const refusal: GuardCheck = { ...check, outcome: 'refused' };
    this.#count(refusal);
    this.#refusals = [refusal, ...this.#refusals].slice(0, maxRefusals);
    const message = describeRefusal(check, this.#options.directory);
    this.#refused = { sdl: next.sdl, message, storeFingerprint: mark, incompatibleSubgraphs };
    throw new SupergraphRefusedError(message);
  }

  /** To be told of every supergraph that comes into use. */
  onSupergraph(supergraph: Supergraph): void {
    if (this.#checked.has(supergraph)) return;
    this.#checked.add(supergraph);
    this.#background = this.#checkInitialSupergraph(supergraph);
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#background;
  }

  /** Requests are served meanwhile by the same planner: they wait for one of these operations at most. */
  async #checkInitialSupergraph(supergraph: Supergraph): Promise<void> {
    const { signal } = this.#stopped;
    try {
      const look = await this.#check(supergraph, undefined, 1, signal);
      this.#count(look?.check);
      if (look?.check.outcome !== 'broken') return;
      const { check } = look;
      this.#options.log.error(
        logFieldsOf(check),
        'The first supergraph does not serve operations of the contracts, and is used since there is no other',
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
    const at = new Date(this.#options.now()).toISOString();
    const as = (
      outcome: GuardOutcome,
      broken: readonly BrokenOperation[],
      answered: readonly ReachableSubgraph[],
    ): GuardResult => {
      const names = new Set(broken.flatMap(({ subgraphs = [] }) => subgraphs));
      const notServing = answered.filter(({ name }) => names.has(name));
      return { check: { at, supergraph: next.id, outcome, broken }, incompatibleSubgraphs: notServing };
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
          live,
          today: at.slice(0, 10),
          concurrency,
          signal,
        });
        return as(broken.length > 0 ? 'broken' : 'fine', broken, live?.reachable ?? []);
      } finally {
        await live?.close();
      }
    } catch (err) {
      signal.throwIfAborted();
      this.#options.log.error({ err }, 'The contracts could not be looked at');
      return as('undecided', [], []);
    }
  }

  /** At what runs; `undefined` where that is known, or does not matter. */
  async #startLiveCheck(
    store: ContractStore,
    next: Supergraph,
    current: Supergraph | undefined,
    signal: AbortSignal,
  ): Promise<LiveCompatibilityCheck | undefined> {
    const { liveSubgraphs, log } = this.#options;
    if (liveSubgraphs === undefined || current === undefined || store.operations.length === 0)
      return undefined;
    // What was refused before may be of yesterday.
    if (liveSubgraphs.isCompositionSource && this.#refused?.sdl !== next.sdl) return undefined;
    const { LiveCompatibilityCheck: Check } = await import('./liveCompatibilityCheck.ts');
    const side = (supergraph: Supergraph) => ({
      sdl: supergraph.sdl,
      addresses: liveSubgraphs.addressesOf(supergraph),
    });
    return new Check({
      next: side(next),
      current: side(current),
      fetchLiveSubgraphs: liveSubgraphs.fetchLiveSubgraphs,
      log,
      signal,
    });
  }

  async #readStore(): Promise<ContractStore | undefined> {
    const { directory, log, mode } = this.#options;
    if (!(await hasContractStore(directory))) {
      // Who asked for it should know that nothing is held back.
      if (mode === 'enforce') log.warn({ directory }, 'There are no contracts to enforce');
      this.#store = undefined;
      return undefined;
    }
    const { readContractStore } = await import('../../../contracts/store/readContractStore.ts');
    const store = await readContractStore(directory);
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
      const told = problems.slice(0, maxReportedItems);
      log.warn({ directory, count: problems.length, problems: told }, 'The contracts have mistakes');
    }
    return store;
  }

  #count(check: GuardCheck | undefined): void {
    if (check === undefined) return;
    this.#lastCheck = check;
    this.counts.set(check.outcome, (this.counts.get(check.outcome) ?? 0) + 1);
  }
}

/** Nobody else has work for the planner of a supergraph that is not in use. */
const candidateConcurrency = 8;
const maxRefusals = 10;
/** Of a list that goes into one message. */
const maxReportedItems = 20;

function logFieldsOf({ supergraph, broken }: GuardCheck) {
  return {
    supergraph,
    count: broken.length,
    operations: broken.slice(0, maxReportedItems).map(describeBrokenOperation),
  };
}

function describeBrokenOperation({ consumer, operation, location, reasons }: BrokenOperation): string {
  return `${consumer}/${operation} (${location.file}:${location.line}): ${reasons.join('; ')}`;
}

function describeRefusal({ broken }: GuardCheck, directory: string): string {
  const count = broken.length === 1 ? '1 operation' : `${broken.length} operations`;
  const more = broken.length > maxReportedItems ? [`and ${broken.length - maxReportedItems} more`] : [];
  return [
    `contracts.guard is enforce, and the supergraph breaks ${count} of ${directory}:`,
    ...broken.slice(0, maxReportedItems).map(describeBrokenOperation),
    ...more,
  ].join('\n');
}
