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
interface Problems {
  source: string | undefined;
  load: string | undefined;
  /** Why the newest SDLs of the subgraphs make no supergraph. One that is being loaded meanwhile is older. */
  composition: string | undefined;
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

export function createSupergraphHolder(options: SupergraphHolderOptions): SupergraphHolder {
  const { load, warm, warmTimeoutMs, timers = systemTimers } = options;
  const changeListeners = new Set<(supergraph: Supergraph) => void>();
  const problemListeners = new Set<ProblemListener>();
  const snapshots = new LeasedSnapshots(options.onRetired);
  const activeLoads = new Set<SupergraphLoad>();
  let newestLoad: SupergraphLoad | undefined;
  /** Loads the SDL before the newest one, which waits for it. */
  let olderLoad: SupergraphLoad | undefined;
  /** Whether a load was superseded, and none has been completed since. */
  let hasSuperseded = false;
  /** Of the newest SDL. */
  let cancelRetry: CancelTimer | undefined;
  let startFailures = 0;
  let source: SupergraphSource | undefined;
  const problems: Problems = { source: undefined, load: undefined, composition: undefined };
  let isClosed = false;

  const setProblem = (kind: keyof Problems, message: string | undefined): void => {
    if (message === problems[kind]) return;
    problems[kind] = message;
    const origin = kind === 'source' ? 'source' : 'load';
    for (const listener of [...problemListeners]) listener(message, origin);
  };

  const switchTo = (supergraph: Supergraph): void => {
    const retirePrevious = snapshots.replace(supergraph);
    startFailures = 0;
    // Without a report: that of the change follows.
    problems.load = undefined;
    for (const listener of [...changeListeners]) listener(supergraph);
    retirePrevious();
  };

  const loadAndSwitch = async (sdl: string, signal: AbortSignal): Promise<void> => {
    let loaded: Supergraph;
    try {
      loaded = await load(sdl, signal, snapshots.current);
    } catch (error) {
      if (signal.aborted) return;
      hasSuperseded = false;
      setProblem('load', messageOf(error));
      if (error instanceof ThreadStartError && olderLoad === undefined) retryLater(sdl);
      return;
    }
    if (!signal.aborted) await warmUp(loaded, signal);
    if (signal.aborted) return snapshots.retire(loaded);
    hasSuperseded = false;
    switchTo(loaded);
  };

  /** The source does not submit an SDL again that has not changed. */
  function retryLater(sdl: string): void {
    startFailures += 1;
    cancelRetry = timers.after(backoffDelayMs(startFailures, retryBackoff), () => void submit(sdl));
  }

  function warmUp(supergraph: Supergraph, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (warm === undefined) return resolve();
      const warming = new AbortController();
      const cancelTimer = warmTimeoutMs === undefined ? undefined : timers.after(warmTimeoutMs, finish);
      signal.addEventListener('abort', finish);
      warm(supergraph, snapshots.current, warming.signal).then(finish, finish);

      function finish(): void {
        cancelTimer?.();
        signal.removeEventListener('abort', finish);
        warming.abort();
        resolve();
      }
    });
  }

  const onLoadEnd = (ended: SupergraphLoad): void => {
    activeLoads.delete(ended);
    if (newestLoad === ended) newestLoad = undefined;
    if (olderLoad === ended) olderLoad = undefined;
  };

  /** Ends the loads that a newer SDL supersedes. `canWait`: whether that SDL may wait for one under way. */
  function supersedeLoads(canWait: boolean): void {
    if (newestLoad === undefined) return;
    if (newestLoad.isWaiting) newestLoad.stop();
    const underWay = newestLoad.isWaiting ? olderLoad : newestLoad;
    newestLoad = undefined;
    olderLoad = canWait && hasSuperseded ? underWay : undefined;
    if (olderLoad !== undefined) return;
    underWay?.stop();
    hasSuperseded = underWay !== undefined;
  }

  function submit(sdl: string): Promise<void> {
    if (isClosed) return Promise.resolve();
    cancelRetry?.();
    const id = supergraphId(sdl);
    if (newestLoad?.id === id) return newestLoad.settled;
    if (olderLoad?.id === id) {
      newestLoad?.stop();
      [newestLoad, olderLoad] = [olderLoad, undefined];
      return newestLoad.settled;
    }
    const isCurrent = snapshots.current?.id === id;
    supersedeLoads(!isCurrent);
    if (isCurrent) {
      setProblem('load', undefined);
      return Promise.resolve();
    }
    newestLoad = new SupergraphLoad(id, olderLoad, (signal) => loadAndSwitch(sdl, signal), onLoadEnd);
    activeLoads.add(newestLoad);
    return newestLoad.settled;
  }

  return {
    current: () => snapshots.current,
    acquire: () => snapshots.acquire(),
    onChange: (listener) => subscribe(changeListeners, listener),
    problem: () => problems.composition ?? problems.load ?? problems.source,
    refusal: () => problems.composition ?? problems.load,
    sourceProblem: () => problems.source,
    onProblem: (listener) => subscribe(problemListeners, listener),
    submit,
    resubmit: (sdl) => newestLoad?.settled ?? submit(sdl),
    isRetrying: () => startFailures > 0,
    start: async (from) => {
      // A gateway that could not listen may be started again.
      await source?.stop();
      if (isClosed) return;
      source = from;
      await from.start({
        onSdl: (sdl) => {
          setProblem('source', undefined);
          // It holds until this SDL is in use or refused.
          problems.load = problems.composition ?? problems.load;
          problems.composition = undefined;
          void submit(sdl);
        },
        onRefusal: (message) => {
          setProblem('source', undefined);
          setProblem('composition', message);
        },
        onProblem: (message) => setProblem('source', message),
      });
      await newestLoad?.settled;
    },
    close: async () => {
      isClosed = true;
      cancelRetry?.();
      for (const active of activeLoads) active.stop();
      await source?.stop();
      await Promise.all([...activeLoads].map(({ settled }) => settled));
      await snapshots.close();
    },
  };
}

function subscribe<Listener>(listeners: Set<Listener>, listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
