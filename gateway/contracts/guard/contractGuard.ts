import type { SubgraphAddress } from '../../supergraph/sources/fetchSubgraphSdl.ts';
import type { Supergraph } from '../../supergraph/supergraph.ts';
import { SupergraphRefusedError } from '../../supergraph/supergraphRefusedError.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { ContractStore } from '../contractStore.ts';
import type { LiveSubgraph } from '../drift/liveSubgraphs.ts';
import type { BrokenOperation } from './brokenOperations.ts';
import { hasStore } from './hasStore.ts';
import type { AnsweredSubgraph, LivePlans } from './livePlans.ts';
import { storeMark } from './storeMark.ts';

export interface ContractGuardOptions {
  readonly mode: 'warn' | 'enforce';
  readonly directory: string;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  now(): number;
  /** Left out where what subgraphs serve is not to count. */
  readonly running?: RunningSubgraphs | undefined;
}

/** The subgraphs as they run. */
export interface RunningSubgraphs {
  /** Where the subgraphs of a supergraph say what they serve. */
  addressesOf(supergraph: Supergraph): readonly SubgraphAddress[];
  /** Errors: the signal's reason. */
  ask(addresses: readonly SubgraphAddress[], signal: AbortSignal): Promise<readonly LiveSubgraph[]>;
  /** Whether supergraphs are composed from what they have just said: there is no need to ask again. */
  readonly areSource: boolean;
}

/** What came of looking at a supergraph. `undecided`: the contracts could not be read, or not be tried. */
export type GuardOutcome = 'fine' | 'broken' | 'refused' | 'undecided';

export interface GuardCheck {
  readonly at: string;
  readonly supergraph: string;
  readonly outcome: GuardOutcome;
  readonly broken: readonly BrokenOperation[];
}

export interface GuardedStore {
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
  /** `storeMark` of the contracts that it breaks. */
  readonly mark: string;
  /** What its plans do not work with. */
  readonly notServing: readonly AnsweredSubgraph[];
}

interface Look {
  readonly check: GuardCheck;
  /** Of subgraphs that do not serve what is broken. */
  readonly notServing: readonly AnsweredSubgraph[];
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
  #store: GuardedStore | undefined;
  #lastCheck: GuardCheck | undefined;
  #refusals: readonly GuardCheck[] = [];
  #refused: RefusedSupergraph | undefined;
  #background: Promise<void> = Promise.resolve();

  constructor(options: ContractGuardOptions) {
    this.#options = options;
  }

  /** As it was read last; `undefined` where there is none. */
  get store(): GuardedStore | undefined {
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
    const { directory, running } = this.#options;
    if ((await storeMark(directory)) !== refused.mark) return true;
    const { notServing } = refused;
    if (running === undefined || notServing.length === 0) return false;
    const addresses = notServing.map(({ name, url }) => ({ name, url }));
    const live = await running.ask(addresses, this.#stopped.signal);
    return live.some((one, index) => 'sdl' in one && one.sdl !== notServing[index]?.sdl);
  }

  async admit(next: Supergraph, current: Supergraph | undefined, signal: AbortSignal): Promise<void> {
    if (current === undefined) return;
    // Before it is read: what is changed meanwhile shows later.
    const mark = await storeMark(this.#options.directory);
    const look = await this.#check(next, current, mostUnderWay, signal);
    this.#checked.add(next);
    this.#refused = undefined;
    if (look?.check.outcome !== 'broken') return this.#count(look?.check);
    const { check, notServing } = look;
    if (this.#options.mode === 'warn') {
      this.#count(check);
      this.#options.log.warn(logged(check), 'A new supergraph breaks operations of the contracts');
      return;
    }
    const refusal: GuardCheck = { ...check, outcome: 'refused' };
    this.#count(refusal);
    this.#refusals = [refusal, ...this.#refusals].slice(0, keptRefusals);
    const message = sayRefused(check, this.#options.directory);
    this.#refused = { sdl: next.sdl, message, mark, notServing };
    throw new SupergraphRefusedError(message);
  }

  /** To be told of every supergraph that comes into use. */
  use(supergraph: Supergraph): void {
    if (this.#checked.has(supergraph)) return;
    this.#checked.add(supergraph);
    this.#background = this.#checkFirst(supergraph);
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#background;
  }

  /** Requests are served meanwhile by the same planner: they wait for one of these operations at most. */
  async #checkFirst(supergraph: Supergraph): Promise<void> {
    const { signal } = this.#stopped;
    try {
      const look = await this.#check(supergraph, undefined, 1, signal);
      this.#count(look?.check);
      if (look?.check.outcome !== 'broken') return;
      const { check } = look;
      this.#options.log.error(
        logged(check),
        'The first supergraph does not serve operations of the contracts, and is used since there is no other',
      );
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #check(
    next: Supergraph,
    current: Supergraph | undefined,
    underWay: number,
    signal: AbortSignal,
  ): Promise<Look | undefined> {
    const at = new Date(this.#options.now()).toISOString();
    const as = (
      outcome: GuardOutcome,
      broken: readonly BrokenOperation[],
      answered: readonly AnsweredSubgraph[],
    ): Look => {
      const names = new Set(broken.flatMap(({ subgraphs = [] }) => subgraphs));
      const notServing = answered.filter(({ name }) => names.has(name));
      return { check: { at, supergraph: next.id, outcome, broken }, notServing };
    };
    try {
      const store = await this.#readStore();
      if (store === undefined) return undefined;
      const { findBrokenOperations } = await import('./brokenOperations.ts');
      const live = await this.#startLook(store, next, current, signal);
      try {
        const question = { store, next, current, live, today: at.slice(0, 10), underWay, signal };
        const broken = await findBrokenOperations(question);
        return as(broken.length > 0 ? 'broken' : 'fine', broken, live?.answered ?? []);
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
  async #startLook(
    store: ContractStore,
    next: Supergraph,
    current: Supergraph | undefined,
    signal: AbortSignal,
  ): Promise<LivePlans | undefined> {
    const { running, log } = this.#options;
    if (running === undefined || current === undefined || store.operations.length === 0) return undefined;
    // What was refused before may be of yesterday.
    if (running.areSource && this.#refused?.sdl !== next.sdl) return undefined;
    const { LivePlans } = await import('./livePlans.ts');
    const side = (supergraph: Supergraph) => ({
      sdl: supergraph.sdl,
      addresses: running.addressesOf(supergraph),
    });
    return new LivePlans({ next: side(next), current: side(current), ask: running.ask, log, signal });
  }

  async #readStore(): Promise<ContractStore | undefined> {
    const { directory, log, mode } = this.#options;
    if (!(await hasStore(directory))) {
      // Who asked for it should know that nothing is held back.
      if (mode === 'enforce') log.warn({ directory }, 'There are no contracts to enforce');
      this.#store = undefined;
      return undefined;
    }
    const { readContractStore } = await import('../store/readContractStore.ts');
    const store = await readContractStore(directory);
    const problems = store.problems.map(
      ({ message, place }) => `${place === undefined ? '' : `${place.file}:${place.line} `}${message}`,
    );
    this.#store = {
      directory: store.directory,
      subgraphs: store.schemas.size,
      operations: store.operations.length,
      problems,
    };
    if (problems.length > 0) {
      const told = problems.slice(0, mostTold);
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
const mostUnderWay = 8;
const keptRefusals = 10;
/** Of a list that goes into one message. */
const mostTold = 20;

function logged({ supergraph, broken }: GuardCheck) {
  return { supergraph, count: broken.length, operations: broken.slice(0, mostTold).map(sayBroken) };
}

function sayBroken({ consumer, operation, place, reasons }: BrokenOperation): string {
  return `${consumer}/${operation} (${place.file}:${place.line}): ${reasons.join('; ')}`;
}

function sayRefused({ broken }: GuardCheck, directory: string): string {
  const count = broken.length === 1 ? '1 operation' : `${broken.length} operations`;
  const more = broken.length > mostTold ? [`and ${broken.length - mostTold} more`] : [];
  return [
    `contracts.guard is enforce, and the supergraph breaks ${count} of ${directory}:`,
    ...broken.slice(0, mostTold).map(sayBroken),
    ...more,
  ].join('\n');
}
