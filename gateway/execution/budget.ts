/** How long an answer waits for what may come late. Fetches that are under way when it is over may still be answered
 *  with something older. */
export class Budget {
  #isOver = false;
  readonly #listeners = new Set<() => void>();
  readonly #standIns = new Map<number, StandIns>();

  get isOver(): boolean {
    return this.#isOver;
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
  }

  /** Calls when it is over; at once where it is. Returns what takes the listener off. */
  onEnd(listener: () => void): () => void {
    if (this.#isOver) {
      listener();
      return () => {};
    }
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Something older has answered a fetch of a delivery group, which goes on. To be called back when it has ended. */
  standIn(group: number): () => void {
    const standIns = this.#standIns.get(group) ?? { count: 0, listeners: [] };
    this.#standIns.set(group, standIns);
    standIns.count += 1;
    return () => {
      standIns.count -= 1;
      if (standIns.count > 0) return;
      this.#standIns.delete(group);
      for (const listener of standIns.listeners) listener();
    };
  }

  /** Calls when every fetch of a delivery group has ended for which something older stands in, which may be long after
   *  the answer; at once where there is none. */
  onNewer(group: number, listener: () => void): void {
    const standIns = this.#standIns.get(group);
    if (standIns === undefined) listener();
    else standIns.listeners.push(listener);
  }
}

interface StandIns {
  count: number;
  readonly listeners: (() => void)[];
}
