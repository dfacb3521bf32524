import { messageOf } from '../errors.ts';
import { ThreadStartError } from '../planning/threadStartError.ts';
import { backoffDelayMs } from '../time/backoffDelayMs.ts';
import { PendingPromises } from '../time/pendingPromises.ts';
import { type CancelTimer, systemTimers, type Timers } from '../time/timers.ts';
import { supergraphId } from './loadSupergraph.ts';
import type { SupergraphSource } from './sources/supergraphSource.ts';
import type { Supergraph } from './supergraph.ts';

/** What transports may use of a `SupergraphHolder`. */
export interface SupergraphView {
  /** The supergraph for new operations. `undefined` until the first one is loaded. */
  current(): Supergraph | undefined;
  /** Leases the current snapshot for an operation. The snapshot stays usable until the lease is released, even when
   *  another one becomes current. */
  acquire(): SupergraphLease | undefined;
  /** Calls `listener` after each switch to a new supergraph, including the first one. `listener` must not throw. Returns a
   *  function that removes it. */
  onChange(listener: (supergraph: Supergraph) => void): () => void;
  /** Why the newest supergraph was refused, or why the source has none. `undefined` when there is no problem. The
   *  previous supergraph stays current meanwhile. */
  problem(): string | undefined;
  /** Why the newest supergraph was refused. `undefined` when it is in use. */
  refusal(): string | undefined;
  /** Why the source cannot be read at present. `undefined` when it can. The previous supergraph stays current meanwhile. */
  sourceProblem(): string | undefined;
}

/** Holds the current supergraph, loads new ones and switches between them. */
export interface SupergraphHolder extends SupergraphView {
  /** Calls `listener` when the source cannot be read, and when a supergraph is refused. Not again while the message is the
   *  same. Also called, without a message, when the source can be read again, and when the current supergraph is submitted
   *  again after a refusal. */
  onProblem(listener: ProblemListener): () => void;
  /** Takes supergraphs from a source until `close`. Resolves after the first SDL was settled: either `current()` or
   *  `problem()` is then set, unless the holder is closed. */
  start(source: SupergraphSource): Promise<void>;
  /** Loads an SDL and switches to it. A newer SDL supersedes it, except after another load that was superseded: then the
   *  load is completed first, so that SDLs that arrive faster than they load do not keep each other out. Resolves when the
   *  SDL is in use, refused (see `problem`) or superseded. Never rejects. */
  submit(sdl: string): Promise<void>;
  /** Submits an earlier SDL again without superseding another one: while another one is being loaded, it resolves when
   *  that one is settled. */
  resubmit(sdl: string): Promise<void>;
  /** Whether the last load failed without a fault of the supergraph, so that the holder loads it again. */
  isRetrying(): boolean;
  /** Stops the source and all loading, and closes every planner, including those of running operations. */
  close(): Promise<void>;
}

type ProblemListener = (message: string | undefined, origin: 'source' | 'load') => void;

export interface SupergraphLease {
  readonly supergraph: Supergraph;
  /** Idempotent. */
  release(): void;
}

export interface SupergraphHolderOptions {
  /** Loads a snapshot. Rejects with the reason for the operator. `previous`: the current snapshot. */
  readonly load: (sdl: string, signal: AbortSignal, previous: Supergraph | undefined) => Promise<Supergraph>;
  /** Runs before the switch, for example to plan the most used operations. The switch does not depend on its success, and
   *  does not wait for it after `signal` is aborted. */
  readonly warm?: (
    supergraph: Supergraph,
    previous: Supergraph | undefined,
    signal: AbortSignal,
  ) => Promise<void>;
  /** Maximum time in milliseconds that the switch waits for `warm`. No limit when omitted. */
  readonly warmTimeoutMs?: number;
  readonly timers?: Timers;
  /** Called when a snapshot is in use no more: after the last operation on it has ended, or when it was superseded before
   *  the switch. */
  readonly onRetired?: (supergraph: Supergraph) => void;
}

/** Between attempts to load a supergraph for which the system started no thread. */
const retryBackoff = { minDelay: 1_000, maxDelay: 30_000 };

/** A snapshot with the number of operations that use it. */
interface LeasedSnapshot {
  readonly supergraph: Supergraph;
  leases: number;
}

/** The snapshots with a running planner: the current one and those that operations still use. */
class LeasedSnapshots {
  readonly #onRetired: SupergraphHolderOptions['onRetired'];
  readonly #snapshots = new Set<LeasedSnapshot>();
  readonly #retiring = new PendingPromises();
  #current: LeasedSnapshot | undefined;

  constructor(onRetired: SupergraphHolderOptions['onRetired']) {
    this.#onRetired = onRetired;
  }

  get current(): Supergraph | undefined {
    return this.#current?.supergraph;
  }

  acquire(): SupergraphLease | undefined {
    const snapshot = this.#current;
    if (snapshot === undefined) return undefined;
    snapshot.leases += 1;
    let isReleased = false;
    return {
      supergraph: snapshot.supergraph,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        snapshot.leases -= 1;
        this.#retireIfUnused(snapshot);
      },
    };
  }

  /** Makes a snapshot the current one. Returns a function that retires the one before when no operation uses it. */
  replace(supergraph: Supergraph): () => void {
    const previous = this.#current;
    this.#current = { supergraph, leases: 0 };
    this.#snapshots.add(this.#current);
    return () => {
      if (previous !== undefined) this.#retireIfUnused(previous);
    };
  }

  /** Closes the planner of a snapshot that is in use no more, or never was. */
  retire(supergraph: Supergraph): Promise<void> {
    const closed = supergraph.planner.close();
    this.#onRetired?.(supergraph);
    return closed;
  }

  /** Retires all snapshots, although operations may use them. */
  async close(): Promise<void> {
    this.#current = undefined;
    for (const snapshot of [...this.#snapshots]) {
      snapshot.leases = 0;
      this.#retireIfUnused(snapshot);
    }
    await this.#retiring.settled();
  }

  #retireIfUnused(snapshot: LeasedSnapshot): void {
    if (snapshot === this.#current || snapshot.leases > 0 || !this.#snapshots.delete(snapshot)) return;
    this.#retiring.add(this.retire(snapshot.supergraph));
  }
}

/** Why no newer supergraph is in use. */
class SupergraphProblems {
  source: string | undefined;
  load: string | undefined;
  /** Why the newest SDLs of the subgraphs make no supergraph. One that is being loaded meanwhile is older. */
  composition: string | undefined;
  readonly #listeners = new Set<ProblemListener>();

  get refusal(): string | undefined {
    return this.composition ?? this.load;
  }

  onProblem(listener: ProblemListener): () => void {
    return subscribe(this.#listeners, listener);
  }

  report(kind: 'source' | 'load' | 'composition', message: string | undefined): void {
    if (message === this[kind]) return;
    this[kind] = message;
    const origin = kind === 'source' ? 'source' : 'load';
    for (const listener of [...this.#listeners]) listener(message, origin);
  }
}

/** The load of one supergraph, until it is in use, has failed or is superseded. */
class SupergraphLoad {
  readonly id: string;
  readonly settled: Promise<void>;
  /** Whether the load still waits for an older one to end. */
  isWaiting: boolean;
  readonly #controller = new AbortController();

  /** `older`: a load that ends before this one starts. */
  constructor(
    id: string,
    older: SupergraphLoad | undefined,
    load: (signal: AbortSignal) => Promise<void>,
    onEnd: (load: SupergraphLoad) => void,
  ) {
    this.id = id;
    this.isWaiting = older !== undefined;
    const { signal } = this.#controller;
    const loading = older === undefined ? load(signal) : older.settled.then(() => this.#start(load));
    this.settled = loading.finally(() => onEnd(this));
  }

  async #start(load: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.isWaiting = false;
    if (!this.#controller.signal.aborted) await load(this.#controller.signal);
  }

  stop(): void {
    this.#controller.abort();
  }
}

/** The loads under way: that of the newest SDL, and at most one before it. */
class SupergraphLoads {
  readonly #active = new Set<SupergraphLoad>();
  #newest: SupergraphLoad | undefined;
  /** Loads the SDL before the newest one, which waits for it. */
  #older: SupergraphLoad | undefined;
  /** Whether a load was superseded, and none has been completed since. */
  #hasSuperseded = false;

  /** Resolves when the load of the newest SDL has ended. `undefined` when none is under way. */
  get settled(): Promise<void> | undefined {
    return this.#newest?.settled;
  }

  /** Whether a load under way is that of an SDL before the newest one. */
  get hasOlder(): boolean {
    return this.#older !== undefined;
  }

  /** Makes the load under way of this SDL that of the newest one. `undefined` when there is none. */
  join(id: string): Promise<void> | undefined {
    if (this.#newest?.id !== id && this.#older?.id === id) {
      this.#newest?.stop();
      [this.#newest, this.#older] = [this.#older, undefined];
    }
    return this.#newest?.id === id ? this.#newest.settled : undefined;
  }

  /** Ends the loads that a newer SDL supersedes. `canWait`: whether that SDL may wait for one under way. */
  supersede(canWait: boolean): void {
    if (this.#newest === undefined) return;
    if (this.#newest.isWaiting) this.#newest.stop();
    const underWay = this.#newest.isWaiting ? this.#older : this.#newest;
    this.#newest = undefined;
    this.#older = canWait && this.#hasSuperseded ? underWay : undefined;
    if (this.#older !== undefined) return;
    underWay?.stop();
    this.#hasSuperseded = underWay !== undefined;
  }

  start(id: string, load: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const started = new SupergraphLoad(id, this.#older, load, (ended) => {
      this.#active.delete(ended);
      if (this.#newest === ended) this.#newest = undefined;
      if (this.#older === ended) this.#older = undefined;
    });
    this.#newest = started;
    this.#active.add(started);
    return started.settled;
  }

  /** A load was not superseded: it has succeeded or failed. */
  complete(): void {
    this.#hasSuperseded = false;
  }

  stop(): void {
    for (const load of this.#active) load.stop();
  }

  /** Resolves when no load is under way any more, after `stop`. */
  async ended(): Promise<void> {
    await Promise.all([...this.#active].map(({ settled }) => settled));
  }
}

export function createSupergraphHolder(options: SupergraphHolderOptions): SupergraphHolder {
  return new SwitchingSupergraphHolder(options);
}

class SwitchingSupergraphHolder implements SupergraphHolder {
  readonly #options: SupergraphHolderOptions;
  readonly #timers: Timers;
  readonly #changeListeners = new Set<(supergraph: Supergraph) => void>();
  readonly #problems = new SupergraphProblems();
  readonly #snapshots: LeasedSnapshots;
  readonly #loads = new SupergraphLoads();
  /** Of the newest SDL. */
  #cancelRetry: CancelTimer | undefined;
  #startFailures = 0;
  #source: SupergraphSource | undefined;
  #isClosed = false;

  constructor(options: SupergraphHolderOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
    this.#snapshots = new LeasedSnapshots(options.onRetired);
  }

  current(): Supergraph | undefined {
    return this.#snapshots.current;
  }

  acquire(): SupergraphLease | undefined {
    return this.#snapshots.acquire();
  }

  onChange(listener: (supergraph: Supergraph) => void): () => void {
    return subscribe(this.#changeListeners, listener);
  }

  problem(): string | undefined {
    return this.#problems.refusal ?? this.#problems.source;
  }

  refusal(): string | undefined {
    return this.#problems.refusal;
  }

  sourceProblem(): string | undefined {
    return this.#problems.source;
  }

  onProblem(listener: ProblemListener): () => void {
    return this.#problems.onProblem(listener);
  }

  isRetrying(): boolean {
    return this.#startFailures > 0;
  }

  async start(source: SupergraphSource): Promise<void> {
    // A gateway that could not listen may be started again.
    await this.#source?.stop();
    if (this.#isClosed) return;
    this.#source = source;
    const problems = this.#problems;
    await source.start({
      onSdl: (sdl) => {
        problems.report('source', undefined);
        // It holds until this SDL is in use or refused.
        problems.load = problems.refusal;
        problems.composition = undefined;
        void this.submit(sdl);
      },
      onRefusal: (message) => {
        problems.report('source', undefined);
        problems.report('composition', message);
      },
      onProblem: (message) => problems.report('source', message),
    });
    await this.#loads.settled;
  }

  async submit(sdl: string): Promise<void> {
    if (this.#isClosed) return;
    this.#cancelRetry?.();
    const id = supergraphId(sdl);
    const joined = this.#loads.join(id);
    if (joined !== undefined) return joined;
    const isCurrent = this.#snapshots.current?.id === id;
    this.#loads.supersede(!isCurrent);
    if (isCurrent) this.#problems.report('load', undefined);
    else await this.#loads.start(id, (signal) => this.#loadAndSwitch(sdl, signal));
  }

  resubmit(sdl: string): Promise<void> {
    return this.#loads.settled ?? this.submit(sdl);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry?.();
    this.#loads.stop();
    await this.#source?.stop();
    await this.#loads.ended();
    await this.#snapshots.close();
  }

  async #loadAndSwitch(sdl: string, signal: AbortSignal): Promise<void> {
    let loaded: Supergraph;
    try {
      loaded = await this.#options.load(sdl, signal, this.#snapshots.current);
    } catch (error) {
      if (signal.aborted) return;
      this.#loads.complete();
      this.#problems.report('load', messageOf(error));
      if (error instanceof ThreadStartError && !this.#loads.hasOlder) this.#retryLater(sdl);
      return;
    }
    if (!signal.aborted) await this.#warmUp(loaded, signal);
    if (signal.aborted) return this.#snapshots.retire(loaded);
    this.#loads.complete();
    this.#switchTo(loaded);
  }

  #switchTo(supergraph: Supergraph): void {
    const retirePrevious = this.#snapshots.replace(supergraph);
    this.#startFailures = 0;
    // Without a report: that of the change follows.
    this.#problems.load = undefined;
    for (const listener of [...this.#changeListeners]) listener(supergraph);
    retirePrevious();
  }

  /** The source does not submit an SDL again that has not changed. */
  #retryLater(sdl: string): void {
    this.#startFailures += 1;
    const delay = backoffDelayMs(this.#startFailures, retryBackoff);
    this.#cancelRetry = this.#timers.after(delay, () => void this.submit(sdl));
  }

  #warmUp(supergraph: Supergraph, signal: AbortSignal): Promise<void> {
    const { warm, warmTimeoutMs } = this.#options;
    return new Promise((resolve) => {
      if (warm === undefined) return resolve();
      const warming = new AbortController();
      const cancelTimer = warmTimeoutMs === undefined ? undefined : this.#timers.after(warmTimeoutMs, finish);
      signal.addEventListener('abort', finish);
      warm(supergraph, this.#snapshots.current, warming.signal).then(finish, finish);

      function finish(): void {
        cancelTimer?.();
        signal.removeEventListener('abort', finish);
        warming.abort();
        resolve();
      }
    });
  }
}

function subscribe<Listener>(listeners: Set<Listener>, listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
