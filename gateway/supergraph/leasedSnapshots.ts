import { PendingPromises } from '../time/pendingPromises.ts';
import type { Supergraph } from './supergraph.ts';

export interface SupergraphLease {
  readonly supergraph: Supergraph;
  /** Idempotent. */
  release(): void;
}

/** A snapshot with the number of operations that use it. */
interface LeasedSnapshot {
  readonly supergraph: Supergraph;
  leases: number;
}

/** The snapshots with a running planner: the current one and those that operations still use. */
export class LeasedSnapshots {
  readonly #onRetired: (supergraph: Supergraph) => void;
  readonly #snapshots = new Set<LeasedSnapshot>();
  readonly #retiring = new PendingPromises();
  #current: LeasedSnapshot | undefined;

  /** `onRetired`: see `SupergraphHolderOptions`. */
  constructor(onRetired: (supergraph: Supergraph) => void = () => {}) {
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
    this.#onRetired(supergraph);
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
