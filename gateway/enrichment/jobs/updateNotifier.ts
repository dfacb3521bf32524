import { getOrInsertComputed } from '../../sharing/getOrInsertComputed.ts';
import { TransientMap } from '../../sharing/transientMap.ts';

/** Notifies listeners that there may be more updates of a run to read. */
export class UpdateNotifier {
  readonly #listeners = new TransientMap<string, Set<() => void>>();

  /** Returns a function that removes the listener. */
  subscribe(runId: string, listener: () => void): () => void {
    getOrInsertComputed(this.#listeners, runId, () => new Set()).add(listener);
    return () => {
      const listeners = this.#listeners.get(runId);
      listeners?.delete(listener);
      if (listeners?.size === 0) this.#listeners.delete(runId);
    };
  }

  notify(runId: string): void {
    for (const listener of [...(this.#listeners.get(runId) ?? [])]) listener();
  }

  notifyAll(): void {
    for (const runId of [...this.#listeners.keys()]) this.notify(runId);
  }
}
