import { systemTimers, type Timers } from '../time/timers.ts';
import { supergraphId } from './loadSupergraph.ts';
import { messageOf } from './messageOf.ts';
import type { SupergraphSource } from './sources/supergraphSource.ts';
import type { Supergraph } from './supergraph.ts';

/** The supergraph that new operations start with, whatever is being loaded meanwhile. */
export interface SupergraphHolder {
  current(): Supergraph | undefined;
  /** The current snapshot, kept usable until it is released, also when another one takes its place. */
  acquire(): SupergraphLease | undefined;
  /** Called after each switch, the first one included; must not throw. Returns the way to stop it. */
  onChange(listener: (supergraph: Supergraph) => void): () => void;
  /** Why the newest supergraph is not in use, or why none can be had at the moment; `undefined` when all is
   *  well. The snapshot before it stays in use. */
  problem(): string | undefined;
  /** Called whenever `problem()` changes to a message. */
  onProblem(listener: (message: string) => void): () => void;
  /** Takes supergraphs from a source until `close`. Resolves after its first look and what came of it:
   *  `current()` is set, or `problem()` says why not. */
  start(source: SupergraphSource): Promise<void>;
  /** Loads an SDL and switches to it; a newer offer overtakes it. Resolves when this offer is settled: in
   *  use, refused (see `problem`), or overtaken. Never rejects. */
  submit(sdl: string): Promise<void>;
  /** The same for what was offered before: it overtakes nothing. While another one is loaded, it resolves when that is
   *  settled. */
  resubmit(sdl: string): Promise<void>;
  /** Ends source, loading and every planner, those of operations that still run included. */
  close(): Promise<void>;
}

export interface SupergraphLease {
  readonly supergraph: Supergraph;
  /** Idempotent. */
  release(): void;
}

export interface SupergraphHolderOptions {
  /** Makes a snapshot that is ready for use; rejects with the reason for the operator. `previous`: the one in use. */
  readonly load: (sdl: string, signal: AbortSignal, previous: Supergraph | undefined) => Promise<Supergraph>;
  /** Runs before the switch, for example to plan the most used operations. What it rejects with is dropped:
   *  a cold start is better than none. Not waited for any longer once its signal is aborted. */
  readonly warm?: (
    supergraph: Supergraph,
    previous: Supergraph | undefined,
    signal: AbortSignal,
  ) => Promise<void>;
  /** Longest that `warm` may hold back the switch, in milliseconds. Without it, as long as it takes. */
  readonly warmTimeoutMs?: number;
  readonly timers?: Timers;
  /** Called when nobody uses a snapshot any more, nor another one with its id: after the last operation on it has
   *  ended, or when it was overtaken before its first. */
  readonly onRetired?: (supergraph: Supergraph) => void;
}

/** A snapshot and the operations that use it. */
interface LeasedSnapshot {
  readonly supergraph: Supergraph;
  leases: number;
  isCurrent: boolean;
}

interface Loading {
  readonly id: string;
  readonly stop: AbortController;
  readonly settled: Promise<void>;
}

export function createSupergraphHolder(options: SupergraphHolderOptions): SupergraphHolder {
  const { load, warm, warmTimeoutMs, timers = systemTimers, onRetired } = options;
  const changeListeners = new Set<(supergraph: Supergraph) => void>();
  const problemListeners = new Set<(message: string) => void>();
  /** Snapshots whose planner is up: the current one and those of operations that still run. */
  const held = new Set<LeasedSnapshot>();
  const retiring = new Set<Promise<void>>();
  const loadings = new Set<Loading>();
  let current: LeasedSnapshot | undefined;
  let newest: Loading | undefined;
  let source: SupergraphSource | undefined;
  let sourceProblem: string | undefined;
  let loadProblem: string | undefined;
  let isClosed = false;

  const problem = (): string | undefined => loadProblem ?? sourceProblem;

  const noteProblems = (problems: { source?: string | undefined; load?: string | undefined }): void => {
    const before = problem();
    if ('source' in problems) sourceProblem = problems.source;
    if ('load' in problems) loadProblem = problems.load;
    const now = problem();
    if (now === undefined || now === before) return;
    for (const listener of [...problemListeners]) listener(now);
  };

  const retireIfUnused = (entry: LeasedSnapshot): void => {
    if (entry.isCurrent || entry.leases > 0 || !held.delete(entry)) return;
    const retired = retire(entry.supergraph).finally(() => retiring.delete(retired));
    retiring.add(retired);
  };

  const retire = (supergraph: Supergraph): Promise<void> => {
    const closed = supergraph.planner.close();
    // Offered again while operations still ran on it, it may be in use a second time.
    if (![...held].some((other) => other.supergraph.id === supergraph.id)) onRetired?.(supergraph);
    return closed;
  };

  const switchTo = (supergraph: Supergraph): void => {
    const previous = current;
    current = { supergraph, leases: 0, isCurrent: true };
    held.add(current);
    noteProblems({ load: undefined });
    for (const listener of [...changeListeners]) listener(supergraph);
    if (previous === undefined) return;
    previous.isCurrent = false;
    retireIfUnused(previous);
  };

  const loadAndSwitch = async (sdl: string, signal: AbortSignal): Promise<void> => {
    let loaded: Supergraph;
    try {
      loaded = await load(sdl, signal, current?.supergraph);
    } catch (error) {
      if (!signal.aborted) noteProblems({ load: messageOf(error) });
      return;
    }
    if (!signal.aborted) await warmUp(loaded, signal);
    if (signal.aborted) await retire(loaded);
    else switchTo(loaded);
  };

  const warmUp = (supergraph: Supergraph, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (warm === undefined) return resolve();
      const enough = new AbortController();
      const end = (): void => {
        cancelTimer?.();
        signal.removeEventListener('abort', end);
        enough.abort();
        resolve();
      };
      const cancelTimer = warmTimeoutMs === undefined ? undefined : timers.after(warmTimeoutMs, end);
      signal.addEventListener('abort', end);
      warm(supergraph, current?.supergraph, enough.signal).then(end, end);
    });

  const offer = (sdl: string): Promise<void> => {
    if (isClosed) return Promise.resolve();
    const id = supergraphId(sdl);
    if (newest?.id === id) return newest.settled;
    newest?.stop.abort();
    newest = undefined;
    if (current?.supergraph.id === id) {
      noteProblems({ load: undefined });
      return Promise.resolve();
    }
    const stop = new AbortController();
    const settled = loadAndSwitch(sdl, stop.signal).finally(() => {
      loadings.delete(loading);
      if (newest === loading) newest = undefined;
    });
    const loading: Loading = { id, stop, settled };
    newest = loading;
    loadings.add(loading);
    return settled;
  };

  return {
    current: () => current?.supergraph,
    acquire: () => {
      const entry = current;
      if (entry === undefined) return undefined;
      entry.leases += 1;
      let isReleased = false;
      return {
        supergraph: entry.supergraph,
        release: () => {
          if (isReleased) return;
          isReleased = true;
          entry.leases -= 1;
          retireIfUnused(entry);
        },
      };
    },
    onChange: (listener) => subscribe(changeListeners, listener),
    problem,
    onProblem: (listener) => subscribe(problemListeners, listener),
    submit: offer,
    resubmit: (sdl) => newest?.settled ?? offer(sdl),
    start: async (from) => {
      source = from;
      await from.start({
        onSdl: (sdl) => {
          noteProblems({ source: undefined });
          void offer(sdl);
        },
        onProblem: (message) => noteProblems({ source: message }),
      });
      await newest?.settled;
    },
    close: async () => {
      isClosed = true;
      for (const loading of loadings) loading.stop.abort();
      await source?.stop();
      await Promise.all([...loadings].map((loading) => loading.settled));
      if (current !== undefined) current.isCurrent = false;
      current = undefined;
      for (const entry of [...held]) {
        entry.leases = 0;
        retireIfUnused(entry);
      }
      await Promise.all(retiring);
    },
  };
}

function subscribe<Listener>(listeners: Set<Listener>, listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
