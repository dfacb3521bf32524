import { messageOf } from '../errors.ts';
import { ThreadStartError } from '../planning/threadStartError.ts';
import { backoffDelayMs } from '../time/backoffDelayMs.ts';
import { type CancelTimer, systemTimers, type Timers } from '../time/timers.ts';
import { LeasedSnapshots, type SupergraphLease } from './leasedSnapshots.ts';
import { supergraphId } from './loadSupergraph.ts';
import type { SupergraphSource } from './sources/supergraphSource.ts';
import type { Supergraph } from './supergraph.ts';
import { SupergraphLoads } from './supergraphLoads.ts';

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

type ProblemListener = (message: string | undefined, origin: 'source' | 'load') => void;

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

/** Holds the current supergraph, loads new ones and switches between them. */
export class SupergraphHolder implements SupergraphView {
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

  /** Calls `listener` when the source cannot be read, and when a supergraph is refused. Not again while the message is the
   *  same. Also called, without a message, when the source can be read again, and when the current supergraph is submitted
   *  again after a refusal. */
  onProblem(listener: ProblemListener): () => void {
    return this.#problems.onProblem(listener);
  }

  /** Whether the last load failed without a fault of the supergraph, so that the holder loads it again. */
  isRetrying(): boolean {
    return this.#startFailures > 0;
  }

  /** Takes supergraphs from a source until `close`. Resolves after the first SDL was settled: either `current()` or
   *  `problem()` is then set, unless the holder is closed. */
  async start(source: SupergraphSource): Promise<void> {
    // A gateway that could not listen may be started again.
    await this.#source?.stop();
    if (this.#isClosed) return;
    this.#source = source;
    const problems = this.#problems;
    await source.start({
      onSdl: (sdl) => {
        problems.report('source', undefined);
        // An earlier refusal stays the problem until this SDL is in use or refused.
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

  /** Loads an SDL and switches to it. A newer SDL supersedes it, except after another load that was superseded: then the
   *  load is completed first, so that SDLs that arrive faster than they load do not keep each other out. Resolves when the
   *  SDL is in use, refused (see `problem`) or superseded. Never rejects. */
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

  /** Submits an earlier SDL again without superseding another one: while another one is being loaded, it resolves when
   *  that one is settled. */
  resubmit(sdl: string): Promise<void> {
    return this.#loads.settled ?? this.submit(sdl);
  }

  /** Stops the source and all loading, and closes every planner, including those of running operations. */
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
