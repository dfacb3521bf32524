/** Who wants to know when there is more to read of a work. */
export class UpdateNotifier {
  readonly #listeners = new Map<string, Set<() => void>>();

  /** Returns what takes the listener off. */
  subscribe(workId: string, listener: () => void): () => void {
    const others = this.#listeners.get(workId);
    if (others === undefined) this.#listeners.set(workId, new Set([listener]));
    else others.add(listener);
    return () => {
      const listeners = this.#listeners.get(workId);
      listeners?.delete(listener);
      if (listeners?.size === 0) this.#listeners.delete(workId);
    };
  }

  notify(workId: string): void {
    for (const listener of [...(this.#listeners.get(workId) ?? [])]) listener();
  }

  notifyAll(): void {
    for (const workId of [...this.#listeners.keys()]) this.notify(workId);
  }
}
