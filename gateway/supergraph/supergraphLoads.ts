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
export class SupergraphLoads {
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
    const running = this.#newest.isWaiting ? this.#older : this.#newest;
    this.#newest = undefined;
    this.#older = canWait && this.#hasSuperseded ? running : undefined;
    if (this.#older !== undefined) return;
    running?.stop();
    this.#hasSuperseded = running !== undefined;
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
